//! `cargo run -p doctor -- <connector>`: what would be sent to a provider, and what usually goes wrong there.

use std::{
    io::{IsTerminal, Write, stdout},
    process::ExitCode,
};

use doctor::{Outcome, run};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let Outcome { text, code } = run(&arguments, stdout().is_terminal()).await;
    // a reader that left, such as `head`, is no failure
    let _ = stdout().write_all(text.as_bytes());
    ExitCode::from(code)
}
