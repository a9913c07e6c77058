//! An index that is built beside the one that answers, and then takes its place.
//!
//! Until then the old one answers and takes in what happens; afterwards all who have it open have the new one. A crash in between
//! leaves the old one, or, between two renamings, none: then it is begun anew at the next start. What was left beside is removed there.

use super::{Search, failed, open_parts};
use crate::error::StoreError;
use crate::files;
use std::ffi::OsString;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use tantivy::IndexWriter;

/// What is put behind the directory's name while an index is built, and while one is taken away.
const BUILT: &str = ".new";
const REPLACED: &str = ".old";

impl Search {
    /// Begins an empty index beside this one, under the same key. Whoever feeds it hands it to [`Search::replace_with`]. There is
    /// one at a time: what was begun before and given up is removed now, or when the index is opened.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn beside(&self) -> Result<Self, StoreError> {
        let directory = sibling(&self.0.directory, BUILT);
        remove(&directory)?;
        match &self.0.key {
            Some(key) => Self::open(&directory, key),
            None => Self::open_unsealed(&directory),
        }
    }

    /// Puts an index that was built [beside](Search::beside) in the place of this one. Searches that are on end in the old one.
    /// Waits for merges that are on, which takes seconds at most.
    ///
    /// # Errors
    /// When the disk fails; then this one goes on as it was, or is marked as damaged and needs a [`Search::reset`].
    pub fn replace_with(&self, built: Self) -> Result<(), StoreError> {
        let (directory, from) = (&self.0.directory, &built.0.directory);
        let old = sibling(directory, REPLACED);
        remove(&old)?;
        let mut writer = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let last = built.0.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        // Whoever merges in the background writes by name, and must be done before the names change.
        if let Some(Err(error)) = last.map(IndexWriter::wait_merging_threads) {
            return Err(failed("ending the index that was built")(error));
        }
        if let Some(Err(error)) = writer.take().map(IndexWriter::wait_merging_threads) {
            tracing::warn!(%error, "the search index that is replaced did not end well");
        }
        // One that was deleted under the program needs no setting aside.
        let is_there = directory.exists();
        let aside = if is_there { rename(directory, &old) } else { Ok(()) };
        let moved = aside.and_then(|()| rename(from, directory)).inspect_err(|_| {
            if is_there
                && !directory.exists()
                && let Err(error) = rename(&old, directory)
            {
                tracing::error!(%error, "the search index could not be put back");
            }
        });
        if moved.is_ok() {
            self.0.damage.forget();
        }
        let opened = open_parts(directory, self.0.key.as_ref(), &self.0.damage);
        let parts = opened.inspect_err(|_| self.0.damage.found()).map_err(failed("opening"))?;
        *self.0.reader.write().unwrap_or_else(PoisonError::into_inner) = parts.reader;
        self.0.cursor.store(parts.cursor, Ordering::Release);
        *writer = Some(parts.writer);
        moved?;
        remove(&old)
    }
}

/// Removes what a replacement that did not come to its end has left beside an index.
pub(super) fn clear(directory: &Path) -> Result<(), StoreError> {
    [BUILT, REPLACED].into_iter().try_for_each(|ending| remove(&sibling(directory, ending)))
}

fn sibling(directory: &Path, ending: &str) -> PathBuf {
    let mut name = directory.file_name().map(OsString::from).unwrap_or_default();
    name.push(ending);
    directory.with_file_name(name)
}

fn remove(directory: &Path) -> Result<(), StoreError> {
    match std::fs::remove_dir_all(directory) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(StoreError::io("removing a search index", directory, &error))
        }
        _ => Ok(()),
    }
}

fn rename(from: &Path, to: &Path) -> Result<(), StoreError> {
    std::fs::rename(from, to).map_err(|error| StoreError::io("renaming a search index", to, &error))?;
    to.parent().filter(|parent| !parent.as_os_str().is_empty()).map_or(Ok(()), files::sync_directory)
}

#[cfg(test)]
mod tests;
