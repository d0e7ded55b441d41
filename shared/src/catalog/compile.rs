//! From the catalogue's TOML to connectors: the build script's half of the catalogue, and of its tests.

use std::{fs, io, path::Path};

use super::connector::Connector;

/// Every connector in a folder, sorted by id. An error names the file, and the line and field in it.
pub fn folder(folder: &Path) -> io::Result<Vec<Connector>> {
    let mut files = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "toml"));
    let mut connectors =
        files.iter().map(|file| connector(file, &fs::read_to_string(file)?)).collect::<io::Result<Vec<_>>>()?;
    connectors.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(connectors)
}

/// One connector; its id is the file's name.
pub fn connector(file: &Path, toml: &str) -> io::Result<Connector> {
    let invalid =
        |message: String| io::Error::new(io::ErrorKind::InvalidData, format!("{}: {message}", file.display()));
    let mut connector: Connector = toml::from_str(toml).map_err(|error| invalid(error.to_string()))?;
    if !connector.id.is_empty() {
        return Err(invalid("leave `id` out: the file's name is the id".to_owned()));
    }
    let id = file
        .file_stem()
        .and_then(|stem| stem.to_str())
        .ok_or_else(|| invalid("the file's name is no id".to_owned()))?;
    connector.id = id.to_owned().into();
    Ok(connector)
}
