//! From a backup to a store.

use super::count::{Missing, count};
use super::format::{BackupSummary, Entry, Head, Kind, damaged, read_entry, read_head};
use super::stream::Opening;
use crate::blobs::{BlobWriter, Blobs};
use crate::error::StoreError;
use crate::files;
use crate::keys::{Keys, Passphrase, Ring, make_key_file};
use crate::kv::Overlay;
use crate::kv::redb::Filling;
use crate::log::EventDraft;
use crate::schema;
use crate::seal::{DataKey, SealKey, random};
use crate::store::{Faults, Limits};
use crate::tx::{Shared, WriteTx};
use auricle_domain::Timestamp;
use auricle_domain::account::Actor;
use auricle_domain::event::Event;
use auricle_domain::id::CauseId;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

/// Bytes of rows that are written in one transaction.
const BATCH_BYTES: usize = 4_000_000;
/// The configuration of a backup, as it is put beside the store that comes out of it.
const CONFIG_FILE: &str = "auricle.toml.restored";

/// What was restored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored {
    /// What the backup held, and the store holds now; the event that says so comes on top.
    pub summary: BackupSummary,
    /// The new key file.
    pub key_file: PathBuf,
    /// The configuration that was in the backup, for somebody to look at.
    pub config: Option<PathBuf>,
    /// What the records say there is and the backup does not hold.
    pub missing: Missing,
}

/// A backup that is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// What it holds.
    pub summary: BackupSummary,
    /// What its records say there is and it does not hold.
    pub missing: Missing,
}

/// The key of a backup. It does not depend on the store's generation: what was backed up before a restore opens after it.
pub(super) fn backup_key(data: &DataKey, id: &[u8]) -> SealKey {
    SealKey::new(&data.derive(&format!("backup {}", crate::hex::encode(id)), 0))
}

/// Where the entries of a backup go.
trait Sink {
    fn row(&mut self, key: Vec<u8>, value: Vec<u8>) -> Result<(), StoreError>;
    fn blob(&mut self, folder: &str, name: &str) -> Result<(), StoreError>;
    fn piece(&mut self, bytes: &[u8]) -> Result<(), StoreError>;
    fn blob_end(&mut self, whole: bool) -> Result<(), StoreError>;
    fn config(&mut self, bytes: &[u8]) -> Result<(), StoreError>;
}

/// Looks and keeps nothing.
struct Nowhere;

impl Sink for Nowhere {
    fn row(&mut self, _: Vec<u8>, _: Vec<u8>) -> Result<(), StoreError> {
        Ok(())
    }
    fn blob(&mut self, folder: &str, name: &str) -> Result<(), StoreError> {
        Blobs::check_stored(folder, name).map(|_| ()).ok_or_else(|| damaged("it names a file that no blob has"))
    }
    fn piece(&mut self, _: &[u8]) -> Result<(), StoreError> {
        Ok(())
    }
    fn blob_end(&mut self, _: bool) -> Result<(), StoreError> {
        Ok(())
    }
    fn config(&mut self, _: &[u8]) -> Result<(), StoreError> {
        Ok(())
    }
}

fn open(path: &Path) -> Result<(Head, Vec<u8>, BufReader<File>), StoreError> {
    let file = File::open(path).map_err(|error| StoreError::io("opening a backup", path, &error))?;
    let mut file = BufReader::new(file);
    let (head, bound) = read_head(&mut file)?;
    Ok((head, bound, file))
}

/// Reads a backup from its beginning to its end, and gives what it says that it holds. Counts that differ are damage.
fn read(path: &Path, data: &DataKey, sink: &mut dyn Sink) -> Result<BackupSummary, StoreError> {
    let (head, bound, file) = open(path)?;
    let chunks = Opening::new(file, backup_key(data, &head.id), bound);
    let failed = |error: std::io::Error| damaged(&error.to_string());
    let mut entries = zstd::Decoder::with_buffer(BufReader::new(chunks)).map_err(failed)?;
    let mut seen = BackupSummary {
        store_format: 0,
        made_at: None,
        feed_head: 0,
        audit_head: None,
        rows: BTreeMap::new(),
        blobs: 0,
        blob_bytes: 0,
        cut: Missing::default(),
    };
    let summary: BackupSummary = loop {
        let Entry { kind, first, second } = read_entry(&mut entries)?;
        match kind {
            Kind::Row => {
                *seen.rows.entry(schema::table_of(&first)).or_default() += 1;
                sink.row(first, second)?;
            }
            Kind::Blob => {
                let (folder, name) = (String::from_utf8_lossy(&first), String::from_utf8_lossy(&second));
                sink.blob(&folder, &name)?;
                seen.blobs += 1;
            }
            Kind::Piece => {
                sink.piece(&first)?;
                seen.blob_bytes += first.len() as u64;
            }
            Kind::BlobEnd => sink.blob_end(first.first() == Some(&1))?,
            Kind::Config => sink.config(&first)?,
            Kind::End => {
                break serde_json::from_slice(&first).map_err(|_| damaged("its end is not as it was written"))?;
            }
        }
    };
    // The end of the compressed stream, and of the last chunk.
    let mut rest = [0; 1];
    if entries.read(&mut rest).map_err(failed)? != 0 || !entries.finish().into_inner().is_over() {
        return Err(damaged("something follows its end"));
    }
    let counted = BackupSummary { rows: seen.rows, blobs: seen.blobs, blob_bytes: seen.blob_bytes, ..summary.clone() };
    if counted != summary {
        return Err(damaged("it does not hold what it says"));
    }
    if summary.store_format > crate::FORMAT {
        let what = PathBuf::from("the store in the backup");
        return Err(StoreError::Newer { what, found: summary.store_format, known: crate::FORMAT });
    }
    Ok(summary)
}

/// A store that is being filled.
struct Filled {
    rows: Filling,
    batch: Overlay,
    blobs: Blobs,
    blob: Option<BlobWriter>,
    config: Option<PathBuf>,
    directory: PathBuf,
}

impl Filled {
    fn new(directory: &Path, keys: &Keys) -> Result<Self, StoreError> {
        let rows = Filling::make(directory, keys.seal_key("values"))?;
        let blobs = Blobs::at(&directory.join("blobs"), keys)?;
        Ok(Self { rows, batch: Overlay::default(), blobs, blob: None, config: None, directory: directory.to_owned() })
    }

    fn write_batch(&mut self) -> Result<(), StoreError> {
        if self.batch.is_empty() { Ok(()) } else { self.rows.write(std::mem::take(&mut self.batch)) }
    }
}

impl Sink for Filled {
    fn row(&mut self, key: Vec<u8>, value: Vec<u8>) -> Result<(), StoreError> {
        self.batch.set(key, Some(value));
        if self.batch.bytes() >= BATCH_BYTES { self.write_batch() } else { Ok(()) }
    }

    fn blob(&mut self, folder: &str, name: &str) -> Result<(), StoreError> {
        let stored = Blobs::check_stored(folder, name).ok_or_else(|| damaged("it names a file that no blob has"))?;
        self.blob = Some(self.blobs.create_stored(&stored)?);
        Ok(())
    }

    fn piece(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let blob = self.blob.as_mut().ok_or_else(|| damaged("a piece belongs to no blob"))?;
        blob.append(bytes)
    }

    /// One that was growing ends where the backup has it.
    fn blob_end(&mut self, _whole: bool) -> Result<(), StoreError> {
        self.blob.take().ok_or_else(|| damaged("an end belongs to no blob"))?.finish()
    }

    fn config(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let path = self.directory.join(CONFIG_FILE);
        files::write_whole(&path, bytes)?;
        self.config = Some(path);
        Ok(())
    }
}

/// That a store was restored, as its own feed and audit chain will say.
#[derive(Clone, Copy)]
struct Mark {
    at: Timestamp,
    cause: CauseId,
}

impl Mark {
    fn new(at: Timestamp) -> Result<Self, StoreError> {
        let mut bytes = [0; 10];
        random(&mut bytes)?;
        Ok(Self { at, cause: CauseId::new(at, bytes) })
    }

    /// Appends the event to a filled store, which is brought to this program's format first: an older one may have no chain.
    fn write(self, rows: &Filling, keys: &Keys, summary: &BackupSummary) -> Result<(), StoreError> {
        let tenant = rows.migrate()?;
        let shared = Shared { tenant, lookup: keys.lookup(), limits: Limits::default(), faults: Faults::default() };
        let mut tx = WriteTx::new(Rc::new(rows.snapshot()?), None, Arc::new(shared));
        let BackupSummary { made_at, feed_head, .. } = *summary;
        let event = Event::StoreRestored { backup_at: made_at, feed_head };
        tx.append(EventDraft { at: self.at, actor: Actor::Console, cause: self.cause, event });
        tx.number_drafts()?;
        let (writes, ..) = tx.into_parts();
        rows.write(writes)
    }
}

/// Fills an empty folder from a backup, and looks whether what is there now is what the backup says.
fn fill(
    path: &Path,
    data: &DataKey,
    directory: &Path,
    keys: &Keys,
    mark: Option<Mark>,
) -> Result<(BackupSummary, Missing, Option<PathBuf>), StoreError> {
    let mut filled = Filled::new(directory, keys)?;
    let summary = read(path, data, &mut filled)?;
    filled.write_batch()?;
    let snapshot = filled.rows.snapshot()?;
    let (mut found, missing) = count(&snapshot, summary.store_format, &filled.blobs, &keys.lookup())?;
    (found.blobs, found.blob_bytes) = filled.blobs.measure()?;
    (found.store_format, found.made_at) = (summary.store_format, summary.made_at);
    found.cut = summary.cut.clone();
    let missing = missing.with(&summary.cut);
    if found != summary {
        return Err(damaged("what came out of it is not what it says"));
    }
    drop(snapshot);
    if let Some(mark) = mark {
        mark.write(&filled.rows, keys, &summary)?;
    }
    filled.rows.check()?;
    Ok((summary, missing, filled.config))
}

/// A folder that is removed again.
struct Scratch(PathBuf);

impl Scratch {
    fn beside(path: &Path, purpose: &str) -> Result<Self, StoreError> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{purpose}"));
        let folder = path.with_file_name(name);
        let failed = |error: &std::io::Error| StoreError::io("clearing a folder", &folder, error);
        if folder.exists() {
            // Left by one that was cut off.
            std::fs::remove_dir_all(&folder).map_err(|error| failed(&error))?;
        }
        files::create_directory(&folder)?;
        Ok(Self(folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.0.exists()
            && let Err(error) = std::fs::remove_dir_all(&self.0)
        {
            tracing::warn!(%error, path = %self.0.display(), "a folder could not be removed");
        }
    }
}

/// Restores a backup beside itself, looks whether it is good, and removes what came out.
pub(super) fn verify_with(path: &Path, data: &DataKey) -> Result<Verified, StoreError> {
    let scratch = Scratch::beside(path, "verify")?;
    let keys = Keys::new(data.clone(), 1);
    let (summary, missing, _) = fill(path, data, &scratch.0, &keys, None)?;
    Ok(Verified { summary, missing })
}

/// Looks whether a backup is good: reads all of it, restores it beside itself, compares, and removes what came out. What the store
/// had lost before it was made is told; the backup is good all the same.
///
/// # Errors
/// [`StoreError::Keys`] for another passphrase; [`StoreError::Damaged`] with what is wrong.
pub fn verify(path: &Path, passphrase: &Passphrase) -> Result<Verified, StoreError> {
    let (head, _, _) = open(path)?;
    verify_with(path, &head.key.open(passphrase)?)
}

/// Makes a store in `directory` from a backup. The directory must be empty or not there; a key file is made at `key_file`. The
/// whole backup is read and checked before anything is made, and the store appears when it is complete. What records name and the
/// backup does not hold is told, and keeps nobody from the rest. The last event of the new store says that it was restored, at
/// `now`, and from which backup; one of an older format is brought to that of this program.
///
/// # Errors
/// [`StoreError::NotEmpty`]; [`StoreError::Keys`] for another passphrase; [`StoreError::Damaged`]; [`StoreError::Newer`];
/// otherwise when a disk fails. Nothing is left behind then.
pub fn restore(
    path: &Path,
    directory: &Path,
    key_file: &Path,
    passphrase: &Passphrase,
    now: Timestamp,
) -> Result<Restored, StoreError> {
    for place in [directory, key_file] {
        let is_free = match std::fs::read_dir(place) {
            Ok(mut entries) => place == directory && entries.next().is_none(),
            Err(error) => error.kind() == std::io::ErrorKind::NotFound,
        };
        if !is_free {
            return Err(StoreError::NotEmpty { path: place.to_owned() });
        }
    }
    let (head, _, _) = open(path)?;
    let data = head.key.open(passphrase)?;
    read(path, &data, &mut Nowhere)?;
    let scratch = Scratch::beside(directory, "restoring")?;
    let keys = Keys::new(data.clone(), head.generation.saturating_add(1));
    let (summary, missing, config) = fill(path, &data, &scratch.0, &keys, Some(Mark::new(now)?))?;
    let machine = make_key_file(&scratch.0, key_file)?;
    let mut ring = Ring::new(&data, keys.generation(), &machine)?;
    ring.set_passphrase_part(head.key);
    ring.write(&scratch.0)?;
    let moved = |error: &std::io::Error| StoreError::io("putting the store in its place", directory, error);
    if directory.exists() {
        std::fs::remove_dir(directory).map_err(|error| moved(&error))?;
    }
    std::fs::rename(&scratch.0, directory).map_err(|error| moved(&error))?;
    directory.parent().filter(|parent| !parent.as_os_str().is_empty()).map_or(Ok(()), files::sync_directory)?;
    let config = config.and_then(|path| Some(directory.join(path.file_name()?)));
    Ok(Restored { summary, key_file: key_file.to_owned(), config, missing })
}
