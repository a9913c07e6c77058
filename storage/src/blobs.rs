//! Blobs: recordings and the contents of documents, as files beside the records.
//!
//! A recording grows by appending; what was synced before a crash is there after it, and it can be read and
//! played while it is being written. Everything else is written whole, under a name that follows from its
//! content, and is either there completely or not at all.
//!
//! All bytes of blobs go to and come from the disk through [`BlobWriter`] and [`BlobReader`].

use crate::error::StoreError;
use crate::files;
use crate::hex;
use auricle_domain::id::CallId;
use sha2::{Digest, Sha256};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

/// Folder of recordings.
const RECORDINGS: &str = "recordings";
/// Folder of blobs named by their content.
const CONTENTS: &str = "contents";

/// Names a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BlobId {
    /// The audio of a call.
    Recording(CallId),
    /// Bytes by their SHA-256.
    Content([u8; 32]),
}

impl BlobId {
    /// The name of these bytes.
    pub fn of(content: &[u8]) -> Self {
        Self::Content(Sha256::digest(content).into())
    }

    /// The name of bytes with this SHA-256, in hexadecimal of either case; none when it is not one.
    pub fn from_sha256(hex: &str) -> Option<Self> {
        // A longer text is not worth decoding.
        if hex.len() != 64 {
            return None;
        }
        hex::decode(hex)?.try_into().ok().map(Self::Content)
    }

    /// The name as text: the call's id, or the hash in lower-case hexadecimal.
    pub fn name(&self) -> String {
        match self {
            Self::Recording(call) => call.to_string(),
            Self::Content(hash) => hex::encode(hash),
        }
    }

    fn folder(&self) -> &'static str {
        match self {
            Self::Recording(_) => RECORDINGS,
            Self::Content(_) => CONTENTS,
        }
    }
}

/// The blobs of a store.
#[derive(Clone, Debug)]
pub struct Blobs {
    directory: PathBuf,
}

impl Blobs {
    pub(crate) fn at(directory: &Path) -> Result<Self, StoreError> {
        for folder in [RECORDINGS, CONTENTS] {
            let folder = directory.join(folder);
            files::create_directory(&folder)?;
            files::remove_drafts(&folder)?;
        }
        files::sync_directory(directory)?;
        Ok(Self { directory: directory.to_owned() })
    }

    fn path(&self, id: BlobId) -> PathBuf {
        self.directory.join(id.folder()).join(id.name())
    }

    /// Begins a blob that grows. Its name is durable when this returns.
    ///
    /// # Errors
    /// When there is one of this name already, or the disk fails.
    pub fn create(&self, id: BlobId) -> Result<BlobWriter, StoreError> {
        let path = self.path(id);
        let file = files::create(&path)?;
        files::sync_directory(&self.directory.join(id.folder()))?;
        Ok(BlobWriter { file, path })
    }

    /// Opens a blob, which may still be growing.
    ///
    /// # Errors
    /// [`StoreError::is_missing`] when there is none; otherwise when the disk fails.
    pub fn open(&self, id: BlobId) -> Result<BlobReader, StoreError> {
        let path = self.path(id);
        let file = File::open(&path).map_err(|error| StoreError::io("opening a blob", &path, &error))?;
        Ok(BlobReader { file, path })
    }

    /// Writes a whole blob durably; one of the same name is replaced. Give bytes the name [`BlobId::of`] them.
    ///
    /// # Errors
    /// When the disk fails; what was there before is then still there.
    pub fn put(&self, id: BlobId, bytes: &[u8]) -> Result<(), StoreError> {
        files::write_whole(&self.path(id), bytes)
    }

    /// The whole of a blob.
    ///
    /// # Errors
    /// [`StoreError::is_missing`] when there is none; otherwise when the disk fails.
    pub fn get(&self, id: BlobId) -> Result<Vec<u8>, StoreError> {
        files::read(&self.path(id))
    }

    /// Removes a blob durably. False when there was none. Whoever has it open reads on.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn delete(&self, id: BlobId) -> Result<bool, StoreError> {
        files::remove(&self.path(id))
    }

    /// Whether there is such a blob.
    pub fn exists(&self, id: BlobId) -> bool {
        self.path(id).is_file()
    }
}

/// A blob that grows.
#[derive(Debug)]
pub struct BlobWriter {
    file: File,
    path: PathBuf,
}

impl BlobWriter {
    /// Appends bytes; readers see them at once, and a crash of the process does not lose them. A power cut may,
    /// until [`BlobWriter::sync`].
    ///
    /// # Errors
    /// When the disk fails or is full.
    pub fn append(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.file.write_all(bytes).map_err(|error| StoreError::io("appending to a blob", &self.path, &error))
    }

    /// Makes everything appended so far durable.
    ///
    /// # Errors
    /// When the disk fails; what was appended since the last success may then be lost.
    pub fn sync(&mut self) -> Result<(), StoreError> {
        self.file.sync_data().map_err(|error| StoreError::io("making a blob durable", &self.path, &error))
    }
}

/// A blob that is read. Reading past what has been written gives an end that a later read may move.
#[derive(Debug)]
pub struct BlobReader {
    file: File,
    path: PathBuf,
}

impl BlobReader {
    /// Bytes written so far.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn len(&self) -> Result<u64, StoreError> {
        let metadata = self.file.metadata().map_err(|error| StoreError::io("measuring a blob", &self.path, &error))?;
        Ok(metadata.len())
    }

    /// Whether nothing has been written so far.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn is_empty(&self) -> Result<bool, StoreError> {
        self.len().map(|len| len == 0)
    }
}

impl Read for BlobReader {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.file.read(buffer)
    }
}

impl Seek for BlobReader {
    fn seek(&mut self, position: SeekFrom) -> std::io::Result<u64> {
        self.file.seek(position)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use auricle_domain::Timestamp;
    use std::os::unix::fs::PermissionsExt;

    fn open() -> (Blobs, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        (Blobs::at(&directory.path().join("blobs")).unwrap(), directory)
    }

    fn recording(n: u8) -> BlobId {
        BlobId::Recording(CallId::new(Timestamp::UNIX_EPOCH, [n; 10]))
    }

    /// REC-03
    #[test]
    fn a_recording_is_read_while_it_grows() {
        let (blobs, _kept) = open();
        let mut writer = blobs.create(recording(1)).unwrap();
        let mut reader = blobs.open(recording(1)).unwrap();
        assert!(reader.is_empty().unwrap());
        let mut heard = Vec::new();
        for part in [b"one".as_slice(), b"two", b"three"] {
            writer.append(part).unwrap();
            reader.read_to_end(&mut heard).unwrap();
        }
        writer.sync().unwrap();
        assert_eq!((heard.as_slice(), reader.len().unwrap()), (b"onetwothree".as_slice(), 11));
        let mut tail = String::new();
        reader.seek(SeekFrom::Start(6)).unwrap();
        reader.read_to_string(&mut tail).unwrap();
        assert_eq!(tail, "three");
    }

    #[test]
    fn a_recording_is_never_begun_over_another() {
        let (blobs, _kept) = open();
        blobs.create(recording(1)).unwrap().append(b"first").unwrap();
        assert!(blobs.create(recording(1)).is_err());
        assert_eq!(blobs.get(recording(1)).unwrap(), b"first");
    }

    #[test]
    fn a_content_is_named_by_its_hash_put_twice_and_removed_once() {
        let (blobs, _kept) = open();
        let id = BlobId::of(b"abc");
        assert_eq!(id.name(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(BlobId::from_sha256(&id.name().to_uppercase()), Some(id));
        assert_eq!(BlobId::from_sha256("../../../etc/passwd"), None);
        blobs.put(id, b"abc").unwrap();
        blobs.put(id, b"abc").unwrap();
        assert!(blobs.exists(id));
        assert_eq!(blobs.get(id).unwrap(), b"abc");
        let mode = std::fs::metadata(blobs.path(id)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!((blobs.delete(id), blobs.delete(id)), (Ok(true), Ok(false)));
        assert!(blobs.get(id).is_err_and(|error| error.is_missing()));
        assert!(blobs.open(id).is_err_and(|error| error.is_missing()));
    }

    #[test]
    fn what_a_killed_writer_left_is_swept_away_at_start() {
        let (blobs, directory) = open();
        let draft = blobs.path(BlobId::of(b"abc")).with_extension(format!("0.{}", files::DRAFT));
        std::fs::write(&draft, b"ab").unwrap();
        let blobs = Blobs::at(&directory.path().join("blobs")).unwrap();
        assert!(!draft.exists());
        assert!(!blobs.exists(BlobId::of(b"abc")));
    }
}
