//! Compiles `catalog/*.toml` into one sorted static table, so that nothing is parsed when a function starts.

use std::{error::Error, fmt, fs, path::Path};

#[path = "src/catalog/compile.rs"]
mod compile;
#[path = "src/protocol/connector.rs"]
#[expect(dead_code, reason = "here the schema is only read and written out")]
mod connector;

fn main() -> Result<(), Failure> {
    println!("cargo:rerun-if-changed=catalog"); // a folder: its files, and files added to it
    let table = compile::folder(Path::new("catalog"))?;
    #[expect(clippy::disallowed_methods, reason = "cargo tells a build script by variables where to write")]
    let out = std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?;
    fs::write(Path::new(&out).join("connectors.rs"), compile::table(&table))?;
    Ok(())
}

/// Cargo shows a build script's error by `Debug`; this one reads as it was written, line breaks included.
struct Failure(Box<dyn Error>);

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl<E: Into<Box<dyn Error>>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}
