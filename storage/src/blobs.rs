//! Blobs: recordings and the contents of documents, as sealed files beside the records.
//!
//! A recording grows by appending; what was synced before a crash is there after it, and it can be read and played while it
//! is being written. Everything else is written whole, under a name that follows from its content, and is either there
//! completely or not at all.
//!
//! `format` says what a file looks like; [`BlobWriter`] and [`BlobReader`] are the only ways to and from the disk. `holding` keeps
//! contents that are removed while a backup is made until it has them.

mod format;
mod holding;
mod reader;
mod writer;

pub(crate) use holding::Hold;
pub use reader::BlobReader;
pub use writer::BlobWriter;

use crate::error::StoreError;
use crate::files;
use crate::hex;
use crate::keys::Keys;
use crate::seal::{KEY_BYTES, SealKey};
use auricle_domain::id::CallId;
use format::Place;
use hmac::{Hmac, Mac};
use holding::Holds;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

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

/// Folders of blobs.
const FOLDERS: [&str; 2] = [RECORDINGS, CONTENTS];

/// A blob as its file is named.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Stored {
    pub(crate) folder: &'static str,
    pub(crate) name: String,
}

impl Stored {
    /// Whether it is the audio of a call, which may end anywhere.
    pub(crate) fn is_recording(&self) -> bool {
        self.folder == RECORDINGS
    }
}

/// The blobs of a store.
#[derive(Clone)]
pub struct Blobs {
    directory: PathBuf,
    seal: Arc<SealKey>,
    /// Key of the names of contents: a name must not tell whoever has the content which file holds it.
    names: [u8; KEY_BYTES],
    holds: Holds,
}

impl Blobs {
    pub(crate) fn at(directory: &Path, keys: &Keys) -> Result<Self, StoreError> {
        for folder in FOLDERS {
            let folder = directory.join(folder);
            files::create_directory(&folder)?;
            files::remove_drafts(&folder)?;
        }
        let holds = Holds::at(directory)?;
        files::sync_directory(directory)?;
        let seal = Arc::new(keys.seal_key("blobs"));
        Ok(Self { directory: directory.to_owned(), seal, names: keys.lasting("blob names"), holds })
    }

    fn file_name(&self, id: BlobId) -> String {
        match id {
            BlobId::Recording(call) => call.to_string(),
            BlobId::Content(hash) => {
                let mut mac = Hmac::<Sha256>::new_from_slice(&self.names).expect("HMAC takes a key of any length");
                mac.update(&hash);
                hex::encode(&mac.finalize().into_bytes())
            }
        }
    }

    fn place(&self, id: BlobId) -> Place {
        self.stored_at(id.folder(), self.file_name(id))
    }

    fn stored_at(&self, folder: &'static str, name: String) -> Place {
        Place {
            path: self.directory.join(folder).join(&name),
            bound: format!("{folder}/{name}"),
            seal: self.seal.clone(),
        }
    }

    /// Every blob there is now, as its file is named, and those that are held although they were removed.
    pub(crate) fn stored(&self) -> Result<BTreeSet<Stored>, StoreError> {
        let mut all = BTreeSet::new();
        // One that is removed meanwhile is either found in its place or, later, among the held ones.
        let places = FOLDERS.map(|folder| (folder, self.directory.join(folder)));
        for (folder, directory) in places.into_iter().chain([(CONTENTS, self.holds.folder().to_owned())]) {
            let failed = |error: &std::io::Error| StoreError::io("listing a directory", &directory, error);
            for entry in std::fs::read_dir(&directory).map_err(|error| failed(&error))? {
                let name = entry.map_err(|error| failed(&error))?.file_name();
                all.extend(name.to_str().and_then(|name| Self::check_stored(folder, name)));
            }
        }
        Ok(all)
    }

    /// A blob by its file, where a blob may have that one.
    pub(crate) fn check_stored(folder: &str, name: &str) -> Option<Stored> {
        let folder = FOLDERS.into_iter().find(|known| *known == folder)?;
        let is_name = match folder {
            RECORDINGS => name.parse::<CallId>().is_ok_and(|call| call.to_string() == name),
            _ => name.len() == 64 && name.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')),
        };
        is_name.then(|| Stored { folder, name: name.to_owned() })
    }

    /// Opens a blob by its file, also one that is held although it was removed.
    pub(crate) fn open_stored(&self, stored: &Stored) -> Result<BlobReader, StoreError> {
        let place = self.stored_at(stored.folder, stored.name.clone());
        match BlobReader::open(place.clone()) {
            Err(error) if error.is_missing() && stored.folder == CONTENTS => {
                BlobReader::open(Place { path: self.holds.folder().join(&stored.name), ..place })
            }
            opened => opened,
        }
    }

    /// Keeps every content there is now until the hold ends: those that are removed meanwhile are there for
    /// [`Blobs::stored`] and [`Blobs::open_stored`], and for nobody else.
    pub(crate) fn hold(&self) -> Hold {
        self.holds.begin()
    }

    /// Begins a blob by its file.
    pub(crate) fn create_stored(&self, stored: &Stored) -> Result<BlobWriter, StoreError> {
        let place = self.stored_at(stored.folder, stored.name.clone());
        let file = files::create(&place.path)?;
        files::sync_directory(&self.directory.join(stored.folder))?;
        BlobWriter::begin(place, file)
    }

    /// How many there are, and how many bytes they have; each is opened from its beginning to its end.
    pub(crate) fn measure(&self) -> Result<(u64, u64), StoreError> {
        let (mut blobs, mut bytes) = (0, 0);
        for stored in self.stored()? {
            let mut reader = self.open_stored(&stored)?;
            let read = std::io::copy(&mut reader, &mut std::io::sink());
            bytes += read.map_err(|error| reader.damaged(&error.to_string()))?;
            blobs += 1;
        }
        Ok((blobs, bytes))
    }

    /// The file of a blob, for people who look for it.
    pub fn path(&self, id: BlobId) -> PathBuf {
        self.place(id).path
    }

    /// Begins a blob that grows. Its name is durable when this returns.
    ///
    /// # Errors
    /// When there is one of this name already, or the disk fails.
    pub fn create(&self, id: BlobId) -> Result<BlobWriter, StoreError> {
        let place = self.place(id);
        let file = files::create(&place.path)?;
        files::sync_directory(&self.directory.join(id.folder()))?;
        BlobWriter::begin(place, file)
    }

    /// Opens a blob, which may still be growing.
    ///
    /// # Errors
    /// [`StoreError::is_missing`] when there is none; [`StoreError::Damaged`]; otherwise when the disk fails.
    pub fn open(&self, id: BlobId) -> Result<BlobReader, StoreError> {
        BlobReader::open(self.place(id))
    }

    /// Writes a whole blob durably; one of the same name is replaced. Give bytes the name [`BlobId::of`] them.
    ///
    /// # Errors
    /// When the disk fails; what was there before is then still there.
    pub fn put(&self, id: BlobId, bytes: &[u8]) -> Result<(), StoreError> {
        let place = self.place(id);
        files::write_whole(&place.path, &writer::whole(&place, bytes)?)
    }

    /// The whole of a blob.
    ///
    /// # Errors
    /// [`StoreError::is_missing`] when there is none; [`StoreError::Damaged`] when it is not what was put there, or was
    /// never finished; otherwise when the disk fails.
    pub fn get(&self, id: BlobId) -> Result<Vec<u8>, StoreError> {
        let mut reader = self.open(id)?;
        if !reader.is_finished() {
            return Err(reader.damaged("its end is missing"));
        }
        let mut bytes = Vec::new();
        // What the reader itself has to say travels inside the error of the system.
        reader.read_to_end(&mut bytes).map_err(|error| match error.downcast::<StoreError>() {
            Ok(damaged) => damaged,
            Err(error) => StoreError::io("reading a blob", &self.path(id), &error),
        })?;
        Ok(bytes)
    }

    /// Finishes a blob whose writer was killed: what was torn off at its end is cut away. Its length in bytes.
    ///
    /// # Errors
    /// [`StoreError::is_missing`] when there is none; otherwise when the disk fails.
    pub fn finish(&self, id: BlobId) -> Result<u64, StoreError> {
        writer::finish_torn(self.place(id))
    }

    /// Removes a blob durably. False when there was none. Whoever has it open reads on; a backup that is being made keeps a
    /// content until it has it.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn delete(&self, id: BlobId) -> Result<bool, StoreError> {
        let path = self.place(id).path;
        match id {
            // Audio that a caller refused must not outlast the refusal.
            BlobId::Recording(_) => files::remove(&path),
            BlobId::Content(_) => self.holds.remove(&path),
        }
    }

    /// Whether there is such a blob.
    pub fn exists(&self, id: BlobId) -> bool {
        self.place(id).path.is_file()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::format::{FRAME_BYTES_MAX, FRAME_EXTRA_BYTES, HEAD_BYTES};
    use super::*;
    use crate::seal::DataKey;
    use auricle_domain::Timestamp;
    use std::io::{Seek, SeekFrom};
    use std::os::unix::fs::PermissionsExt;

    fn keys() -> Keys {
        Keys::new(DataKey::from_slice(&[7; KEY_BYTES]).unwrap(), 1)
    }

    fn open() -> (Blobs, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        (Blobs::at(&directory.path().join("blobs"), &keys()).unwrap(), directory)
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
            writer.sync().unwrap();
            reader.read_to_end(&mut heard).unwrap();
        }
        writer.finish().unwrap();
        assert_eq!((heard.as_slice(), reader.len().unwrap()), (b"onetwothree".as_slice(), 11));
        let mut tail = String::new();
        reader.seek(SeekFrom::Start(6)).unwrap();
        reader.read_to_string(&mut tail).unwrap();
        assert_eq!(tail, "three");
    }

    #[test]
    fn a_recording_is_never_begun_over_another() {
        let (blobs, _kept) = open();
        let mut writer = blobs.create(recording(1)).unwrap();
        writer.append(b"first").unwrap();
        assert!(blobs.create(recording(1)).is_err());
        writer.finish().unwrap();
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
    fn a_removed_content_is_held_for_backups_alone_and_until_the_last_of_them_ends() {
        let (blobs, directory) = open();
        let id = BlobId::of(b"abc");
        blobs.put(id, b"abc").unwrap();
        let stored = blobs.stored().unwrap().pop_first().unwrap();
        let (first, second) = (blobs.hold(), blobs.hold());
        assert_eq!((blobs.delete(id), blobs.delete(id)), (Ok(true), Ok(false)));
        assert!(!blobs.exists(id) && blobs.stored().unwrap().contains(&stored));
        blobs.put(id, b"abc").unwrap();
        assert_eq!(blobs.stored().unwrap().len(), 1, "one that is there again is counted once");
        assert_eq!(blobs.delete(id), Ok(true));
        drop(first);
        let mut read = Vec::new();
        blobs.open_stored(&stored).unwrap().read_to_end(&mut read).unwrap();
        assert_eq!(read, b"abc");
        drop(second);
        assert!(!blobs.exists(id) && blobs.stored().unwrap().is_empty());
        // What a process that was killed while it held left is gone at the next start.
        std::mem::forget(blobs.hold());
        blobs.put(id, b"abc").unwrap();
        blobs.delete(id).unwrap();
        let blobs = Blobs::at(&directory.path().join("blobs"), &keys()).unwrap();
        assert!(!blobs.exists(id) && blobs.stored().unwrap().is_empty());
    }

    /// Audio that a caller refused is gone at once, whatever goes on beside it.
    #[test]
    fn a_removed_recording_is_not_held() {
        let (blobs, _kept) = open();
        blobs.create(recording(1)).unwrap().finish().unwrap();
        let _hold = blobs.hold();
        assert_eq!(blobs.delete(recording(1)), Ok(true));
        assert!(!blobs.exists(recording(1)) && blobs.stored().unwrap().is_empty());
    }

    #[test]
    fn what_a_killed_writer_left_is_swept_away_at_start() {
        let (blobs, directory) = open();
        let draft = blobs.path(BlobId::of(b"abc")).with_extension(format!("0.{}", files::DRAFT));
        std::fs::write(&draft, b"ab").unwrap();
        let blobs = Blobs::at(&directory.path().join("blobs"), &keys()).unwrap();
        assert!(!draft.exists());
        assert!(!blobs.exists(BlobId::of(b"abc")));
    }

    fn written(blobs: &Blobs, id: BlobId, pieces: &[&[u8]]) -> PathBuf {
        let mut writer = blobs.create(id).unwrap();
        for piece in pieces {
            writer.append(piece).unwrap();
            writer.sync().unwrap();
        }
        blobs.path(id)
    }

    /// B-02: what was being written when the power went does not count, all before it does.
    #[test]
    fn a_torn_recording_is_finished_where_it_was_torn() {
        let (blobs, _kept) = open();
        let path = written(&blobs, recording(1), &[b"one", b"two", b"three"]);
        let whole = std::fs::read(&path).unwrap();
        // A frame of three bytes; the last one has five.
        let (head, three, five) = (HEAD_BYTES as usize, FRAME_EXTRA_BYTES + 3, FRAME_EXTRA_BYTES + 5);
        for (length, zeroed, left) in [
            (whole.len(), 0, b"onetwothree".as_slice()),
            (whole.len() - 1, 0, b"onetwo"),
            (whole.len() - five, 0, b"onetwo"),
            (whole.len(), 7, b"onetwo"),
            (whole.len(), five + 1, b"one"),
            (head + three + 2, 0, b"one"),
            (head, 0, b""),
            (3, 0, b""),
        ] {
            let mut torn = whole[..length].to_vec();
            torn[length - zeroed..].fill(0);
            std::fs::write(&path, torn).unwrap();
            assert_eq!(blobs.finish(recording(1)), Ok(left.len() as u64), "{length} {zeroed}");
            assert_eq!(blobs.get(recording(1)).unwrap(), left, "{length} {zeroed}");
            assert_eq!(blobs.finish(recording(1)), Ok(left.len() as u64), "it is finished already");
        }
    }

    /// B-17: no change of a finished file gives other bytes than those that were written.
    #[test]
    fn a_changed_blob_is_refused_and_named() {
        let (blobs, _kept) = open();
        let content = vec![5; FRAME_BYTES_MAX + 100];
        let id = BlobId::of(&content);
        blobs.put(id, &content).unwrap();
        let path = blobs.path(id);
        let whole = std::fs::read(&path).unwrap();
        for at in (0..whole.len()).step_by(997).chain([whole.len() - 1, 3, 9, 25]) {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            std::fs::write(&path, changed).unwrap();
            let error = blobs.get(id).unwrap_err().to_string();
            assert!(error.contains(path.to_str().unwrap()), "{at}: {error}");
            std::fs::write(&path, &whole[..at]).unwrap();
            assert!(matches!(blobs.get(id), Err(StoreError::Damaged { .. })), "{at}");
        }
    }

    #[test]
    fn a_file_under_another_name_and_a_frame_of_another_file_do_not_open() {
        let (blobs, _kept) = open();
        let first = written(&blobs, recording(1), &[b"one", b"two"]);
        let second = written(&blobs, recording(2), &[b"one", b"two"]);
        let mut mixed = std::fs::read(&first).unwrap();
        let own = std::fs::read(&first).unwrap();
        let frame = HEAD_BYTES as usize..HEAD_BYTES as usize + FRAME_EXTRA_BYTES + 3;
        mixed[frame.clone()].copy_from_slice(&std::fs::read(&second).unwrap()[frame]);
        std::fs::write(&first, mixed).unwrap();
        let mut heard = Vec::new();
        assert!(blobs.open(recording(1)).unwrap().read_to_end(&mut heard).is_err());
        std::fs::write(&second, own).unwrap();
        assert_eq!(blobs.open(recording(2)).unwrap().len(), Ok(0));
    }

    /// B-17
    #[test]
    fn nothing_that_was_put_is_readable_on_the_disk() {
        let (blobs, _kept) = open();
        let text = b"Emma Brown has chest pain";
        let path = written(&blobs, recording(1), &[text]);
        blobs.put(BlobId::of(text), text).unwrap();
        for path in [path, blobs.path(BlobId::of(text))] {
            let bytes = std::fs::read(&path).unwrap();
            assert!(!bytes.windows(5).any(|window| text.windows(5).any(|word| word == window)), "{}", path.display());
            assert!(!path.to_str().unwrap().contains(&BlobId::of(text).name()));
        }
    }
}
