//! Files and directories as the store needs them: durable by name, and for the owner alone.

use crate::error::StoreError;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// Makes the names in a directory durable: a file that was created or renamed exists after a power cut only then.
pub(crate) fn sync_directory(directory: &Path) -> Result<(), StoreError> {
    File::open(directory)
        .and_then(|file| file.sync_all())
        .map_err(|error| StoreError::io("making a directory durable", directory, &error))
}

/// Creates a directory and its parents durably, for the owner alone; those that exist stay as they are.
pub(crate) fn create_directory(directory: &Path) -> Result<(), StoreError> {
    let missing: Vec<&Path> = directory.ancestors().take_while(|level| !level.exists()).collect();
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|error| StoreError::io("creating a directory", directory, &error))?;
    for level in missing {
        // A relative path of one part lies in the working directory.
        let parent = level.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
        sync_directory(parent)?;
    }
    Ok(())
}

/// The whole of a file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, StoreError> {
    fs::read(path).map_err(|error| StoreError::io("reading a file", path, &error))
}

/// A new file for the owner alone; an error when there is one already.
pub(crate) fn create(path: &Path) -> Result<File, StoreError> {
    OpenOptions::new()
        .append(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .map_err(|error| StoreError::io("creating a file", path, &error))
}

/// Ending of files that are being written; one that is found at start was left by a crash.
pub(crate) const DRAFT: &str = "draft";

/// Writes a whole file so that it is there completely or not at all, whenever the power goes.
pub(crate) fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    write(path, bytes, None)
}

/// The same, for the owner of `directory`: an administrator who works as root must not shut the service out.
pub(crate) fn write_whole_for(path: &Path, bytes: &[u8], directory: &Path) -> Result<(), StoreError> {
    let owner = fs::metadata(directory).map_err(|error| StoreError::io("looking at a directory", directory, &error))?;
    write(path, bytes, Some((owner.uid(), owner.gid())))
}

fn write(path: &Path, bytes: &[u8], owner: Option<(u32, u32)>) -> Result<(), StoreError> {
    // Two writers of the same file must not share a draft.
    static DRAFTS: AtomicU64 = AtomicU64::new(0);
    let draft = path.with_extension(format!("{}.{DRAFT}", DRAFTS.fetch_add(1, Ordering::Relaxed)));
    write_by(&draft, path, bytes, owner)
}

fn write_by(draft: &Path, path: &Path, bytes: &[u8], owner: Option<(u32, u32)>) -> Result<(), StoreError> {
    // Numbers begin anew with each process: one of this name was left by a process that was killed while it wrote.
    remove(draft)?;
    let mut file = create(draft)?;
    let owned = owner.map_or(Ok(()), |(user, group)| fchown(&file, Some(user), Some(group)));
    owned
        .and_then(|()| file.write_all(bytes))
        .and_then(|()| file.sync_all())
        .map_err(|error| StoreError::io("writing a file", draft, &error))?;
    fs::rename(draft, path).map_err(|error| StoreError::io("renaming a file", path, &error))?;
    path.parent().map_or(Ok(()), sync_directory)
}

/// Copies a whole file durably, for the owner alone; one of the same name is replaced.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), StoreError> {
    let draft = to.with_extension(DRAFT);
    // One of before was left by a crash.
    remove(&draft)?;
    let mut file = create(&draft)?;
    File::open(from)
        .and_then(|mut from| std::io::copy(&mut from, &mut file))
        .and_then(|_| file.sync_all())
        .map_err(|error| StoreError::io("copying a file", from, &error))?;
    fs::rename(&draft, to).map_err(|error| StoreError::io("renaming a file", to, &error))?;
    to.parent().map_or(Ok(()), sync_directory)
}

/// Bytes of all files in a folder and below it.
pub(crate) fn bytes_below(directory: &Path) -> Result<u64, StoreError> {
    let failed = |error: &std::io::Error| StoreError::io("listing a directory", directory, error);
    let mut bytes = 0;
    for entry in fs::read_dir(directory).map_err(|error| failed(&error))? {
        let entry = entry.map_err(|error| failed(&error))?;
        match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => bytes += bytes_below(&entry.path())?,
            Ok(metadata) => bytes += metadata.len(),
            // It was removed since it was listed.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(failed(&error)),
        }
    }
    Ok(bytes)
}

/// Removes what writers that were killed left in a directory.
pub(crate) fn remove_drafts(directory: &Path) -> Result<(), StoreError> {
    let failed = |error: &std::io::Error| StoreError::io("listing a directory", directory, error);
    for entry in fs::read_dir(directory).map_err(|error| failed(&error))? {
        let path = entry.map_err(|error| failed(&error))?.path();
        if path.extension().is_some_and(|extension| extension == DRAFT) {
            remove(&path)?;
        }
    }
    Ok(())
}

/// Removes every file in a directory that has nothing but files, durably.
pub(crate) fn remove_all(directory: &Path) -> Result<(), StoreError> {
    let failed = |error: &std::io::Error| StoreError::io("clearing a directory", directory, error);
    let mut removed = false;
    for entry in fs::read_dir(directory).map_err(|error| failed(&error))? {
        fs::remove_file(entry.map_err(|error| failed(&error))?.path()).map_err(|error| failed(&error))?;
        removed = true;
    }
    if removed { sync_directory(directory) } else { Ok(()) }
}

/// Moves a file to another directory durably; one of the same name there is replaced. False when there was none.
pub(crate) fn move_to(from: &Path, to: &Path) -> Result<bool, StoreError> {
    match fs::rename(from, to) {
        Ok(()) => {
            [to, from].into_iter().filter_map(Path::parent).try_for_each(sync_directory)?;
            Ok(true)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(StoreError::io("moving a file", from, &error)),
    }
}

/// Removes a file durably. False when there was none.
pub(crate) fn remove(path: &Path) -> Result<bool, StoreError> {
    match fs::remove_file(path) {
        Ok(()) => path.parent().map_or(Ok(()), sync_directory).map(|()| true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(StoreError::io("removing a file", path, &error)),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// B-02: a process that was killed while it wrote a file, such as the key file at its first start, keeps the next one from
    /// nothing.
    #[test]
    fn what_a_killed_writer_left_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let (draft, path) = (folder.path().join("store.0.draft"), folder.path().join("store.key"));
        fs::write(&draft, b"half of a ke").unwrap();
        write_by(&draft, &path, b"key", None).unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"key");
        assert!(!draft.exists());
    }
}
