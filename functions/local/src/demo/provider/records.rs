//! What outlives a restart: clients, grants, notes. Of tokens and client secrets there are only hashes.

use std::{
    collections::BTreeMap,
    fs, io,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

use serde::{Deserialize, Serialize};

use super::{api::Notebook, client::Client, grant::Grant};
use crate::folder::write_private;

/// The content of the file.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Kept {
    /// By `client_id`.
    pub clients: BTreeMap<String, Client>,
    /// By the id that stands in their tokens.
    pub grants: BTreeMap<String, Grant>,
    /// By user.
    pub notebooks: BTreeMap<String, Notebook>,
}

/// The content, and the file if there is one.
pub struct Records {
    file: Option<PathBuf>,
    kept: Mutex<Kept>,
}

impl Records {
    /// Reads the file; one that is not there yet is empty.
    pub fn open(file: Option<PathBuf>) -> io::Result<Self> {
        let kept = match file.as_deref().map(fs::read) {
            Some(Ok(content)) => serde_json::from_slice(&content)?,
            Some(Err(error)) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Some(Err(_)) | None => Kept::default(),
        };
        Ok(Self { file, kept: Mutex::new(kept) })
    }

    /// Looks at the content.
    pub fn read<T>(&self, look: impl FnOnce(&Kept) -> T) -> T {
        look(&self.kept())
    }

    /// Changes the content, one change at a time. A change that could not be written has not happened: were a
    /// refresh token spent in memory alone, its owner's retry would end the grant.
    pub fn change<T>(&self, change: impl FnOnce(&mut Kept) -> T) -> io::Result<T> {
        let mut kept = self.kept();
        let mut next = kept.clone();
        let outcome = change(&mut next);
        if let Some(file) = &self.file {
            write_private(file, &serde_json::to_vec_pretty(&next)?)?;
        }
        *kept = next;
        Ok(outcome)
    }

    /// A change is assigned whole, so that a panic inside one leaves the content as it was.
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
