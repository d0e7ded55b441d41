//! Lists `providers/*.toml`, so that the binary carries them.

use std::{error::Error, fmt::Write, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=providers"); // a folder: its files, and files added to it
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("providers");
    let mut files: Vec<_> = fs::read_dir(&folder)?.map(|entry| entry.map(|e| e.path())).collect::<Result<_, _>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    files.sort();

    let mut list = String::from("&[");
    for file in &files {
        let name = file.file_stem().and_then(|stem| stem.to_str()).ok_or("a file's name is not text")?;
        let file = file.to_str().ok_or("a file's path is not text")?;
        write!(list, "({name:?}, include_str!({file:?})),")?;
    }
    list.push(']');

    #[expect(clippy::disallowed_methods, reason = "cargo tells a build script by variables where to write")]
    let out = std::env::var_os("OUT_DIR").ok_or("cargo sets OUT_DIR")?;
    fs::write(Path::new(&out).join("providers.rs"), list)?;
    Ok(())
}
