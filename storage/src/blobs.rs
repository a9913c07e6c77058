//! Blobs: recordings and the contents of documents, as files beside the records.
//!
//! A recording grows by appending; what was synced before a crash is there after it, and it can be read and
//! played while it is being written. Everything else is written whole, under a name that follows from its
//! content, and is either there completely or not at all.
//!
//! All bytes of blobs go to and come from the disk through [`BlobWriter`] and [`BlobReader`].

use crate::error::StoreError;
use crate::files;
use auricle_domain::id::CallId;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
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
        if hex.len() != 64 || !hex.is_ascii() {
            return None;
        }
        let mut hash = [0; 32];
        for (at, byte) in hash.iter_mut().enumerate() {
            *byte = u8::from_str_radix(hex.get(2 * at..2 * at + 2)?, 16).ok()?;
        }
        Some(Self::Content(hash))
    }

    /// The name as text: the call's id, or the hash in lower-case hexadecimal.
    pub fn name(&self) -> String {
        match self {
            Self::Recording(call) => call.to_string(),
            Self::Content(hash) => hash.iter().fold(String::with_capacity(64), |mut hex, byte| {
                let _ = write!(hex, "{byte:02x}");
                hex
            }),
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
