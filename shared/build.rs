//! Compiles `catalog/*.toml` into bytes that the program reads one connector of at a time, so that nothing is parsed when a
//! function starts.

use std::{error::Error, fmt, fs, path::Path};

#[path = "src/catalog/compile.rs"]
#[expect(dead_code, reason = "here nothing is checked beyond what can be read")]
mod compile;
#[path = "src/protocol/connector/mod.rs"]
#[expect(dead_code, reason = "here the schema is only read and written out")]
mod connector;
#[path = "src/catalog/packed.rs"]
#[expect(dead_code, reason = "here the bytes are only written")]
mod packed;

fn main() -> Result<(), Failure> {
    println!("cargo:rerun-if-changed=catalog"); // a folder: its files, and files added to it
    let entries = compile::folder(Path::new("catalog")).map_err(|error| format!("shared/{error}"))?;
    let connectors: Vec<_> = entries.into_iter().map(|entry| entry.connector).collect();
    #[expect(clippy::disallowed_methods, reason = "cargo tells a build script by variables where to write")]
    let out = std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?;
    let (rows, notes) = packed::pack(&connectors);
    fs::write(Path::new(&out).join("connectors.bin"), rows)?;
    fs::write(Path::new(&out).join("notes.bin"), notes)?;
    fs::write(Path::new(&out).join("count.rs"), format!("{}", connectors.len()))?;
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
