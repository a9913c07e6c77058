//! Small files in the store's folder, by which processes on this machine tell each other things.
//!
//! One process has the store; another one that wants something of it, or has something to say to it, leaves a note. Whoever may
//! write there may do so: that is the owner of the store, and the administrator.

use auricle_storage::StoreError;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, fchown};
use std::path::Path;

/// Longest note that is read, in bytes.
const BYTES_MAX: u64 = 16 << 10;

/// What a note says; none when there is none, or it cannot be read as such a one.
pub fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    let mut text = Vec::new();
    File::open(path).ok()?.take(BYTES_MAX).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
}

/// Writes a note whole or not at all, for the owner of its folder alone: what an administrator leaves, the service reads.
///
/// # Errors
/// When the disk fails.
pub fn write<T: Serialize>(path: &Path, note: &T) -> Result<(), StoreError> {
    let folder = folder_of(path);
    put(path, note, |file| {
        let owner = std::fs::metadata(folder)?;
        fchown(file, Some(owner.uid()), Some(owner.gid()))
    })
}

/// The same for a folder that may be anybody's, such as one on another disk: the file belongs to whoever writes it.
///
/// # Errors
/// When the disk fails.
pub fn write_as_self<T: Serialize>(path: &Path, note: &T) -> Result<(), StoreError> {
    put(path, note, |_| Ok(()))
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn put<T: Serialize>(path: &Path, note: &T, own: impl FnOnce(&File) -> io::Result<()>) -> Result<(), StoreError> {
    let failed = |error: io::Error| StoreError::Io {
        attempt: "writing a file",
        path: path.to_owned(),
        reason: error.to_string(),
        missing: false,
    };
    let text = serde_json::to_vec(note).map_err(|error| failed(error.into()))?;
    let mut draft = tempfile::NamedTempFile::new_in(folder_of(path)).map_err(failed)?;
    own(draft.as_file())
        .and_then(|()| draft.write_all(&text))
        .and_then(|()| draft.as_file().sync_all())
        .map_err(failed)?;
    draft.persist(path).map_err(|error| failed(error.error))?;
    File::open(folder_of(path)).and_then(|folder| folder.sync_all()).map_err(failed)
}

/// Writes a note that tells how far a request has come. Where that fails, the work goes on and nobody is told.
pub fn tell<T: Serialize>(path: &Path, state: &T) {
    if let Err(error) = write(path, state) {
        tracing::warn!(%error, "nobody can be told how far a request has come");
    }
}

/// Removes a note, if there is one.
pub fn remove(path: &Path) {
    if let Err(error) = std::fs::remove_file(path)
        && error.kind() != io::ErrorKind::NotFound
    {
        tracing::error!(%error, path = %path.display(), "a file could not be removed");
    }
}
