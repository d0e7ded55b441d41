//! Looks connectors up: `bench-lookup <rounds> <id>…`. Each round asks for every id; the first one reads their rows.

use std::{hint::black_box, process::ExitCode};

use shared::catalog::Catalog;

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let Some(rounds) = arguments.next().and_then(|rounds| rounds.parse::<u32>().ok()) else {
        eprintln!("usage: bench-lookup <rounds> <id>…");
        return ExitCode::FAILURE;
    };
    let ids: Vec<String> = arguments.collect();
    let catalog = Catalog::builtin();
    let found = |id: &String| black_box(catalog.connector(black_box(id))).is_some();
    if (0..rounds).all(|_| ids.iter().all(found)) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
