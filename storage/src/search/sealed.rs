//! The index's files, sealed.
//!
//! | part of a file | bytes |
//! |---|---|
//! | magic | `AURSRCH1` |
//! | id of this file | 16, random |
//! | chunk, one or more | up to 32 KiB, sealed |
//!
//! Only the last chunk is shorter. A chunk is bound to the file's name and id, its number, and whether it is the last, so that
//! chunks that were changed, exchanged or cut off do not open. The small files that are replaced at once are sealed whole.
//!
//! The sealed bytes are read, not mapped: a mapped file that is cut off under the program would end it. What is opened of them
//! is kept in a bounded cache, so that what is asked for often is as fast as if it were not sealed.

use crate::seal::{SEAL_BYTES, SealKey, random};
use lru::LruCache;
use std::fmt::{Debug, Formatter};
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::ops::Range;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tantivy::HasLen;
use tantivy::directory::error::{DeleteError, LockError, OpenReadError, OpenWriteError};
use tantivy::directory::{
    AntiCallToken, DirectoryLock, FileHandle, Lock, MmapDirectory, OwnedBytes, TerminatingWrite, WatchCallback,
    WatchHandle, WritePtr,
};
use tokio::sync::watch;

const MAGIC: &[u8; 8] = b"AURSRCH1";
const ID_BYTES: usize = 16;
const HEAD_BYTES: usize = MAGIC.len() + ID_BYTES;
/// Plain bytes of a chunk: large enough for the seal to cost little, small enough to open one for a few bytes.
const CHUNK_BYTES: usize = 32 << 10;
/// Bytes of a chunk on the disk.
const SEALED_CHUNK_BYTES: usize = CHUNK_BYTES + SEAL_BYTES;
/// Opened bytes that are kept, at most; what was asked for longest ago goes first.
const CACHE_BYTES_MAX: usize = 48 << 20;

/// The key of an index.
#[derive(Clone)]
pub struct SearchKey(Arc<SealKey>);

impl SearchKey {
    pub(crate) fn new(key: SealKey) -> Self {
        Self(Arc::new(key))
    }
}

/// Whether damage was found, also by a merge, whose failures nobody else hears of. Cheap to clone.
#[derive(Clone)]
pub(super) struct Damage(Arc<watch::Sender<bool>>);

impl Default for Damage {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Damage {
    pub(super) fn found(&self) {
        self.0.send_if_modified(|found| !std::mem::replace(found, true));
    }

    pub(super) fn forget(&self) {
        self.0.send_replace(false);
    }

    pub(super) fn watch(&self) -> watch::Receiver<bool> {
        self.0.subscribe()
    }
}

/// A directory of sealed files.
#[derive(Clone)]
pub(super) struct SealedDirectory {
    root: PathBuf,
    /// Locks, writes and replaces files; nothing is read through it but what is read whole.
    disk: MmapDirectory,
    key: Arc<SealKey>,
    cache: Arc<Mutex<Cache>>,
    damage: Damage,
}

impl SealedDirectory {
    pub(super) fn open(directory: &Path, key: &SearchKey, damage: Damage) -> tantivy::Result<Self> {
        let disk = MmapDirectory::open(directory)?;
        Ok(Self {
            root: directory.to_owned(),
            disk,
            key: Arc::clone(&key.0),
            cache: Arc::new(Mutex::new(Cache::new())),
            damage,
        })
    }
}

impl Debug for SealedDirectory {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealedDirectory({:?})", self.disk)
    }
}

/// What a chunk is bound to.
fn place(path: &Path, id: &[u8], number: usize, last: bool) -> Vec<u8> {
    let name = path.as_os_str().as_encoded_bytes();
    [name, b"\0", id, &(number as u64).to_be_bytes(), &[u8::from(last)]].concat()
}

fn damaged(path: &Path) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{} is damaged or sealed with another key", path.display()))
}

fn seal(key: &SealKey, place: &[u8], plain: &[u8]) -> io::Result<Vec<u8>> {
    key.seal(place, plain).map_err(io::Error::other)
}

impl tantivy::Directory for SealedDirectory {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        let failed = |error: io::Error| match error.kind() {
            io::ErrorKind::NotFound => OpenReadError::FileDoesNotExist(path.to_path_buf()),
            _ => OpenReadError::wrap_io_error(error, path.to_path_buf()),
        };
        let file = File::open(self.root.join(path)).map_err(failed)?;
        let file = SealedFile::new(path, file, self).inspect_err(|_| self.damage.found()).map_err(failed)?;
        Ok(Arc::new(file))
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        self.disk.delete(path)
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        self.disk.exists(path)
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        let disk = self.disk.open_write(path)?;
        let writer = SealedWriter::begin(path, disk, Arc::clone(&self.key));
        let writer = writer.map_err(|error| OpenWriteError::wrap_io_error(error, path.to_path_buf()))?;
        Ok(BufWriter::new(Box::new(writer)))
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        let sealed = self.disk.atomic_read(path)?;
        self.key
            .open(&place(path, &[], 0, true), &sealed)
            .ok_or_else(|| OpenReadError::wrap_io_error(damaged(path), path.to_path_buf()))
    }

    fn atomic_write(&self, path: &Path, data: &[u8]) -> io::Result<()> {
        self.disk.atomic_write(path, &seal(&self.key, &place(path, &[], 0, true), data)?)
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.disk.sync_directory()
    }

    fn acquire_lock(&self, lock: &Lock) -> Result<DirectoryLock, LockError> {
        self.disk.acquire_lock(lock)
    }

    fn watch(&self, callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        self.disk.watch(callback)
    }
}

/// Seals what is written, chunk by chunk.
struct SealedWriter {
    path: PathBuf,
    disk: WritePtr,
    key: Arc<SealKey>,
    id: [u8; ID_BYTES],
    chunk: Vec<u8>,
    number: usize,
}

impl SealedWriter {
    fn begin(path: &Path, mut disk: WritePtr, key: Arc<SealKey>) -> io::Result<Self> {
        let mut id = [0; ID_BYTES];
        random(&mut id).map_err(io::Error::other)?;
        disk.write_all(MAGIC)?;
        disk.write_all(&id)?;
        Ok(Self { path: path.to_owned(), disk, key, id, chunk: Vec::with_capacity(CHUNK_BYTES), number: 0 })
    }

    fn write_chunk(&mut self, last: bool) -> io::Result<()> {
        let sealed = seal(&self.key, &place(&self.path, &self.id, self.number, last), &self.chunk)?;
        self.disk.write_all(&sealed)?;
        self.number += 1;
        self.chunk.clear();
        Ok(())
    }
}

impl Write for SealedWriter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full chunk waits until it is known whether it is the last.
        if self.chunk.len() == CHUNK_BYTES && !bytes.is_empty() {
            self.write_chunk(false)?;
        }
        let taken = bytes.len().min(CHUNK_BYTES - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    /// What does not fill a chunk stays here until the end: a file is read only when it is whole.
    fn flush(&mut self) -> io::Result<()> {
        self.disk.flush()
    }
}

impl TerminatingWrite for SealedWriter {
    fn terminate_ref(&mut self, token: AntiCallToken) -> io::Result<()> {
        self.write_chunk(true)?;
        self.disk.terminate_ref(token)
    }
}

/// A file that is read.
struct SealedFile {
    path: PathBuf,
    file: File,
    /// Length of the file when it was opened.
    bytes: usize,
    key: Arc<SealKey>,
    cache: Arc<Mutex<Cache>>,
    damage: Damage,
    /// The file's id in the cache: two files of one name are not one.
    id: [u8; ID_BYTES],
    chunks: usize,
    len: usize,
}

impl Debug for SealedFile {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        write!(f, "SealedFile({})", self.path.display())
    }
}

impl SealedFile {
    /// Opens the last chunk, so that a file whose end is missing is refused at once. Never from the cache: only the bytes on the
    /// disk say that name, id and number of chunks belong together, and on that the cache relies from then on.
    fn new(path: &Path, file: File, directory: &SealedDirectory) -> io::Result<Self> {
        let bytes = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
        let mut head = [0; HEAD_BYTES];
        file.read_exact_at(&mut head, 0).map_err(|_| damaged(path))?;
        let (magic, file_id) = head.split_at(MAGIC.len());
        let body = bytes - HEAD_BYTES;
        let chunks = body.div_ceil(SEALED_CHUNK_BYTES);
        let len = body.checked_sub(chunks * SEAL_BYTES);
        let mut id = [0; ID_BYTES];
        id.copy_from_slice(file_id);
        let (Some(len), true, true) = (len, magic == MAGIC, chunks > 0) else { return Err(damaged(path)) };
        let (key, cache) = (Arc::clone(&directory.key), Arc::clone(&directory.cache));
        let damage = directory.damage.clone();
        let file = Self { path: path.to_owned(), file, bytes, key, cache, damage, id, chunks, len };
        file.open_chunk(chunks - 1)?;
        Ok(file)
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        // Nothing panics while it holds this lock.
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn open_chunk(&self, number: usize) -> io::Result<Vec<u8>> {
        let from = HEAD_BYTES + number * SEALED_CHUNK_BYTES;
        let to = self.bytes.min(from + SEALED_CHUNK_BYTES);
        let mut sealed = vec![0; to - from];
        // A file that was cut off, and a sector that cannot be read, are damage like any other.
        let read = self.file.read_exact_at(&mut sealed, from as u64).ok();
        let place = place(&self.path, &self.id, number, number + 1 == self.chunks);
        read.and_then(|()| self.key.open(&place, &sealed)).ok_or_else(|| {
            self.damage.found();
            damaged(&self.path)
        })
    }

    fn chunk(&self, number: usize) -> io::Result<OwnedBytes> {
        let from = number * CHUNK_BYTES;
        self.cached(from..(from + CHUNK_BYTES).min(self.len), || self.open_chunk(number))
    }

    /// What was opened before, or is opened now. Two may open the same at once; that costs time and nothing else.
    fn cached(&self, range: Range<usize>, open: impl FnOnce() -> io::Result<Vec<u8>>) -> io::Result<OwnedBytes> {
        let key = (self.id, range.start, range.end);
        if let Some(bytes) = self.cache().get(&key) {
            return Ok(bytes);
        }
        let bytes = OwnedBytes::new(open()?);
        self.cache().put(key, bytes.clone());
        Ok(bytes)
    }
}

impl HasLen for SealedFile {
    fn len(&self) -> usize {
        self.len
    }
}

impl FileHandle for SealedFile {
    fn read_bytes(&self, range: Range<usize>) -> io::Result<OwnedBytes> {
        if range.start > range.end || range.end > self.len {
            let reason = format!("{range:?} of {} bytes of {}", self.len, self.path.display());
            return Err(io::Error::new(io::ErrorKind::InvalidInput, reason));
        }
        if range.is_empty() {
            return Ok(OwnedBytes::empty());
        }
        let (first, last) = (range.start / CHUNK_BYTES, (range.end - 1) / CHUNK_BYTES);
        if first == last {
            let within = range.start - first * CHUNK_BYTES..range.end - first * CHUNK_BYTES;
            return Ok(self.chunk(first)?.slice(within));
        }
        self.cached(range.clone(), || {
            let mut bytes = Vec::with_capacity(range.len());
            for number in first..=last {
                let at = number * CHUNK_BYTES;
                let chunk = self.open_chunk(number)?;
                bytes.extend_from_slice(&chunk[range.start.saturating_sub(at)..chunk.len().min(range.end - at)]);
            }
            Ok(bytes)
        })
    }
}

/// File, and where in it.
type Stretch = ([u8; ID_BYTES], usize, usize);

/// Opened bytes, those asked for last at the front.
struct Cache {
    stretches: LruCache<Stretch, OwnedBytes>,
    bytes: usize,
}

impl Cache {
    fn new() -> Self {
        Self { stretches: LruCache::unbounded(), bytes: 0 }
    }

    fn get(&mut self, key: &Stretch) -> Option<OwnedBytes> {
        self.stretches.get(key).cloned()
    }

    fn put(&mut self, key: Stretch, bytes: OwnedBytes) {
        // One stretch must not drive out all others.
        if bytes.len() > CACHE_BYTES_MAX / 4 {
            return;
        }
        self.bytes += bytes.len();
        if let Some(before) = self.stretches.put(key, bytes) {
            self.bytes -= before.len();
        }
        while self.bytes > CACHE_BYTES_MAX {
            let Some((_, oldest)) = self.stretches.pop_lru() else { break };
            self.bytes -= oldest.len();
        }
    }
}

#[cfg(test)]
mod tests;
