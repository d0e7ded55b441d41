//! Where the state lives: a folder that one server at a time uses, or nothing at all.

use std::{
    fmt,
    fs::{self, DirBuilder, File, OpenOptions, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

use crate::{StartError, options::Data};

/// The folder, for as long as it is ours.
pub struct Folder(Option<Held>);

struct Held {
    path: PathBuf,
    /// The lock ends with the process, however it ends: no file has to be removed after a crash.
    _lock: File,
}

impl Folder {
    /// Makes the folder where there is none, and holds it.
    pub fn open(data: &Data) -> Result<Self, StartError> {
        let Data::Folder(path) = data else { return Ok(Self(None)) };
        let unusable = |error| StartError::folder(path, error);
        make(path).map_err(unusable)?;
        let lock = private().open(path.join("lock")).map_err(unusable)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StartError::InUse(path.display().to_string())),
            Err(TryLockError::Error(error)) => return Err(unusable(error)),
        }
        // the lock may be there already in a folder where nothing can be written
        let probe = path.join(".probe");
        fs::write(&probe, b"").and_then(|()| fs::remove_file(&probe)).map_err(unusable)?;
        Ok(Self(Some(Held { path: path.clone(), _lock: lock })))
    }

    /// A file in it.
    #[must_use]
    pub fn file(&self, name: &str) -> Option<PathBuf> {
        self.0.as_ref().map(|held| held.path.join(name))
    }

    /// Why a start failed that read this file.
    pub fn unreadable(&self, name: &str, why: &dyn fmt::Display) -> StartError {
        let Some(held) = &self.0 else { return StartError::Other(format!("{name}: {why}")) };
        let (file, folder) = (held.path.join(name).display().to_string(), held.path.display().to_string());
        StartError::Unreadable { file, why: why.to_string(), folder }
    }

    /// A file in it that others write into: it is made here, so that only its owner can read it from the beginning.
    pub fn private_file(&self, name: &str) -> Result<Option<PathBuf>, StartError> {
        let Some(file) = self.file(name) else { return Ok(None) };
        private().open(&file).map_err(|error| StartError::folder(&file, error))?;
        Ok(Some(file))
    }

    /// A file to be sourced by a shell.
    pub fn write(&self, name: &str, lines: &str) -> Result<(), StartError> {
        let Some(file) = self.file(name) else { return Ok(()) };
        write_private(&file, lines.as_bytes()).map_err(|error| StartError::folder(&file, error))
    }
}

/// Seeds and keys come into it, so nobody else on this machine should look into a folder that we make. One that was there
/// is somebody's choice, and may hold other things.
fn make(path: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Writes a file that only its owner can read, as a whole or not at all.
pub fn write_private(file: &Path, content: &[u8]) -> io::Result<()> {
    let new = file.with_extension("new");
    let mut opened = private().truncate(true).open(&new)?;
    opened.write_all(content)?;
    opened.sync_all()?;
    fs::rename(new, file)
}
