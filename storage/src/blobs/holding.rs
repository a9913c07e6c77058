//! Contents that are removed while a backup is made.
//!
//! A backup holds the records of one moment, and copies the contents that they name afterwards. One that is removed in between
//! is gone for everybody at once, and its file waits in a folder of its own until no backup needs it. What a crash leaves there
//! is removed at the next start.

use crate::error::StoreError;
use crate::files;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Folder of contents that were removed and are held.
const HELD: &str = "removed";

/// How many hold contents back, and where those are.
#[derive(Clone)]
pub(super) struct Holds(Arc<Inner>);

struct Inner {
    folder: PathBuf,
    count: Mutex<u32>,
}

impl Holds {
    /// Of the blobs in `directory`: nobody holds any.
    pub(super) fn at(directory: &Path) -> Result<Self, StoreError> {
        let folder = directory.join(HELD);
        files::create_directory(&folder)?;
        files::remove_all(&folder)?;
        Ok(Self(Arc::new(Inner { folder, count: Mutex::new(0) })))
    }

    /// Where the held ones are, by the names that they had.
    pub(super) fn folder(&self) -> &Path {
        &self.0.folder
    }

    fn count(&self) -> MutexGuard<'_, u32> {
        self.0.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins to hold. A removal that was under way has ended when this returns.
    pub(super) fn begin(&self) -> Hold {
        *self.count() += 1;
        Hold(self.clone())
    }

    /// Removes a file durably, or puts it among the held ones. False when there was none.
    pub(super) fn remove(&self, path: &Path) -> Result<bool, StoreError> {
        // Locked to the end: whoever begins to hold must find it either removed or held.
        let count = self.count();
        let (true, Some(name)) = (*count > 0, path.file_name()) else { return files::remove(path) };
        files::move_to(path, &self.0.folder.join(name))
    }
}

/// While it lives, contents that are removed are held.
pub(crate) struct Hold(Holds);

impl Drop for Hold {
    fn drop(&mut self) {
        let mut count = self.0.count();
        *count = count.saturating_sub(1);
        if *count == 0
            && let Err(error) = files::remove_all(&self.0.0.folder)
        {
            tracing::warn!(%error, "removed contents that a backup had held back are removed at the next start");
        }
    }
}
