//! The backend on disk: one redb file, one writer thread, group commit.
//!
//! Every value is sealed on its way into the file and bound to its whole key, of which the table is a part, so that a value
//! that was changed, moved or exchanged on the disk does not open. Closures see and write plain values.
//!
//! Closures that wait while the disk is busy with a commit are run one after the other into the next one. A lone
//! writer is committed at once; when the last commit had company, the writer thread waits a moment for it to
//! come back. Every commit is two-phase with quick repair, so that a crash neither loses an acknowledged write
//! nor makes the next start slow. After an I/O error nothing can be known about what is on the disk, so it ends
//! the process.

use super::damage::{self, reading, writing};
use super::{Job, KeyRange, Kv, Overlay, Prepared, Row, Snapshot, prepare};
use crate::codec;
use crate::error::{RESTORE, StoreError};
use crate::fatal::Fatal;
use crate::files;
use crate::key;
use crate::migrate;
use crate::schema;
use crate::seal::SealKey;
use crate::store::{Faults, Publisher};
use crate::tx::Shared;
use auricle_domain::id::TenantId;
#[cfg(any(test, feature = "testing"))]
use redb::StorageBackend;
use redb::{Builder, Database, DatabaseError, ReadOnlyTable, ReadableDatabase, StorageError, TableDefinition};
use std::cell::RefCell;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// One physical table holds all of ours: their number is part of every key.
const ROWS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("sealed");
/// File name within the store's directory.
pub(crate) const FILE: &str = "store.redb";
/// Page cache: enough for a clinic's hot pages within the memory we mean to stay in.
const CACHE_BYTES: usize = 32 << 20;
/// Jobs that may wait for the writer; more are refused.
pub(super) const QUEUE_MAX: usize = 4_096;
/// Jobs of one group.
const GROUP_JOBS_MAX: usize = 512;
/// Bytes of one group, after which it takes no further job.
const GROUP_BYTES_MAX: usize = 4_000_000;
/// How long a group waits, in total, for as much company as the last one had.
const GROUP_WAIT: Duration = Duration::from_millis(2);
/// How long it waits for the next one to come.
const GROUP_GAP: Duration = Duration::from_micros(300);

/// The redb backend.
pub(crate) struct RedbKv {
    file: Arc<StoreFile>,
    sender: Option<SyncSender<Box<dyn Job>>>,
    writer: Option<JoinHandle<()>>,
}

/// The open file, and what happens when it fails.
struct StoreFile {
    /// There until it is closed.
    database: Option<Database>,
    path: PathBuf,
    seal: SealKey,
    fatal: Arc<Fatal>,
}

impl StoreFile {
    fn database(&self) -> Result<&Database, StoreError> {
        self.database.as_ref().ok_or(StoreError::Closed)
    }

    /// Runs a part of redb that reads.
    fn read<T, E: Into<redb::Error>>(
        &self,
        attempt: &'static str,
        part: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, StoreError> {
        reading(&self.path, attempt, part)?.map_err(|error| match error.into() {
            redb::Error::Corrupted(reason) => damage::damaged(&self.path, attempt, &reason),
            other => self.failed(attempt, &other),
        })
    }

    /// Runs a part of redb that writes. Whatever fails, the file cannot be trusted.
    fn write<T, E: Into<redb::Error>>(
        &self,
        attempt: &'static str,
        part: impl FnOnce() -> Result<T, E>,
    ) -> Result<T, StoreError> {
        let outcome = writing(&self.path, attempt, part).inspect_err(|error| self.fatal.strike(error))?;
        outcome.map_err(|error| match error.into() {
            redb::Error::Corrupted(reason) => {
                damage::mark(&self.path, attempt, &reason);
                let error = damage::damaged(&self.path, attempt, &reason);
                self.fatal.strike(&error);
                error
            }
            other => self.failed(attempt, &other),
        })
    }

    /// Turns a failure of the disk into ours, and ends the process.
    fn failed(&self, attempt: &'static str, error: &redb::Error) -> StoreError {
        let error = StoreError::Io { attempt, path: self.path.clone(), reason: error.to_string(), missing: false };
        self.fatal.strike(&error);
        error
    }

    /// The plain value of a row. One that does not open concerns whoever asked for it, and nobody else.
    fn plain(&self, key: &[u8], sealed: &[u8]) -> Result<Vec<u8>, StoreError> {
        self.seal
            .open(key, sealed)
            .ok_or_else(|| StoreError::Damaged { what: schema::describe(key), way_back: RESTORE })
    }
}

impl Drop for StoreFile {
    /// Closes the file, which writes to it.
    fn drop(&mut self) {
        let database = self.database.take();
        if let Err(error) = writing(&self.path, "closing the store", || drop(database)) {
            tracing::error!(%error, "the store was not closed as it should be");
        }
    }
}

/// Opens a database, or makes an empty one where there is nothing.
fn open_database(
    path: &Path,
    open: impl FnOnce(&Builder) -> Result<Database, DatabaseError>,
) -> Result<Database, StoreError> {
    const ATTEMPT: &str = "opening the store";
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    writing(path, ATTEMPT, || open(&builder))?.map_err(|error| match error {
        DatabaseError::DatabaseAlreadyOpen => StoreError::InUse { path: path.to_owned() },
        DatabaseError::Storage(StorageError::Corrupted(reason)) => damage::damaged(path, ATTEMPT, &reason),
        // A file with another beginning than redb's, or shorter than what it says it holds.
        DatabaseError::Storage(StorageError::Io(error))
            if matches!(error.kind(), ErrorKind::InvalidData | ErrorKind::UnexpectedEof) =>
        {
            damage::damaged(path, ATTEMPT, &error.to_string())
        }
        other => StoreError::Io { attempt: ATTEMPT, path: path.to_owned(), reason: other.to_string(), missing: false },
    })
}

/// Makes an empty database so that it is there completely or not at all: redb cannot open one whose making was cut off.
fn make_database(path: &Path) -> Result<(), StoreError> {
    let draft = path.with_extension(files::DRAFT);
    files::remove(&draft)?;
    // The backend would make it readable for everybody.
    let file = files::create(&draft)?;
    drop(open_database(&draft, |builder| builder.create(&draft))?);
    file.sync_all().map_err(|error| StoreError::io("writing a file", &draft, &error))?;
    std::fs::rename(&draft, path).map_err(|error| StoreError::io("renaming a file", path, &error))
}

/// What a backend is opened with.
pub(crate) struct Opening<'a> {
    /// The clinic of a new store.
    pub(crate) tenant: TenantId,
    /// Seals the values.
    pub(crate) seal: SealKey,
    /// Makes what transactions share, once it is known whose store it is.
    pub(crate) share: &'a dyn Fn(TenantId) -> Arc<Shared>,
    /// Told of every commit.
    pub(crate) publisher: Publisher,
    /// Told of the disk's failure.
    pub(crate) fatal: Arc<Fatal>,
}

impl RedbKv {
    /// Opens the store's file in `directory`, or makes it.
    pub(crate) fn open(directory: &Path, opening: Opening<'_>) -> Result<(Self, Arc<Shared>), StoreError> {
        let path = directory.join(FILE);
        damage::refuse_marked(&path)?;
        if !path.exists() {
            make_database(&path)?;
            files::sync_directory(directory)?;
        }
        let database = open_database(&path, |builder| builder.create(&path))?;
        Self::start(database, path, Some(directory), opening)
    }

    /// Opens a store on a backend of the test's own.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn on(backend: impl StorageBackend, opening: Opening<'_>) -> Result<(Self, Arc<Shared>), StoreError> {
        let path = PathBuf::from("test");
        let database = open_database(&path, |builder| builder.create_with_backend(backend))?;
        Self::start(database, path, None, opening)
    }

    fn start(
        database: Database,
        path: PathBuf,
        directory: Option<&Path>,
        opening: Opening<'_>,
    ) -> Result<(Self, Arc<Shared>), StoreError> {
        let Opening { tenant, seal, share, publisher, fatal } = opening;
        let file = Arc::new(StoreFile { database: Some(database), path, seal, fatal });
        let shared = share(owner(&file, directory, tenant)?);
        let (sender, jobs) = sync_channel(QUEUE_MAX);
        let writer =
            Writer { file: Arc::clone(&file), jobs, shared: Arc::clone(&shared), publisher, company: 1, jobs_seen: 0 };
        let thread = std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.run())
            .map_err(|error| StoreError::io("starting the writer thread", &file.path, &error))?;
        Ok((Self { file, sender: Some(sender), writer: Some(thread) }, shared))
    }
}

/// The file of a store that is filled from a backup, before anybody opens it.
pub(crate) struct Filling(Arc<StoreFile>);

impl Filling {
    /// Makes the file in `directory`.
    pub(crate) fn make(directory: &Path, seal: SealKey) -> Result<Self, StoreError> {
        let path = directory.join(FILE);
        make_database(&path)?;
        files::sync_directory(directory)?;
        let database = open_database(&path, |builder| builder.create(&path))?;
        // A disk that fails here fails the restore, not a service.
        let fatal = Arc::new(Fatal::new(Some(Box::new(|_| {}))));
        let file = Arc::new(StoreFile { database: Some(database), path, seal, fatal });
        // The table must exist before the first snapshot.
        write(&file, Overlay::default())?;
        Ok(Self(file))
    }

    /// Writes rows durably.
    pub(crate) fn write(&self, writes: Overlay) -> Result<(), StoreError> {
        write(&self.0, writes)
    }

    /// What has been written.
    pub(crate) fn snapshot(&self) -> Result<impl Snapshot + use<>, StoreError> {
        RedbSnapshot::take(&self.0)
    }

    /// Brings what was written to this program's format, as opening it would. Tells whose store it is.
    pub(crate) fn migrate(&self) -> Result<TenantId, StoreError> {
        let meta = RedbSnapshot::take(&self.0)?.get(&key::encode(&([0u8; 16], schema::META.id)))?;
        let whose = meta.map(|bytes| codec::decode::<TenantId>(schema::META, &bytes)).transpose()?;
        let tenant = whose.ok_or_else(|| damage::damaged(&self.0.path, "restoring", "it does not say whose it is"))?;
        // No copy is put beside it: what it was before is in the backup.
        migrate::run(&Alone { file: &self.0, directory: None }, *tenant.as_bytes())?;
        Ok(tenant)
    }

    /// Looks whether every page is what was written, and closes the file.
    pub(crate) fn check(self) -> Result<(), StoreError> {
        let path = self.0.path.clone();
        // The last one that has it: whoever took a snapshot has let it go.
        let Some(mut file) = Arc::into_inner(self.0) else { return Err(StoreError::Closed) };
        let Some(mut database) = file.database.take() else { return Err(StoreError::Closed) };
        match writing(&path, "checking the store", || database.check_integrity())? {
            Ok(true) => Ok(()),
            Ok(false) => Err(damage::damaged(&path, "checking the store", "it had to be repaired")),
            Err(error) => Err(damage::damaged(&path, "checking the store", &error.to_string())),
        }
    }
}

/// Whose store it is: that of the clinic it was made for.
fn owner(file: &Arc<StoreFile>, directory: Option<&Path>, fresh: TenantId) -> Result<TenantId, StoreError> {
    let key = key::encode(&([0u8; 16], schema::META.id));
    // The table must exist before the first snapshot.
    write(file, Overlay::default())?;
    if let Some(bytes) = RedbSnapshot::take(file)?.get(&key)? {
        let tenant: TenantId = codec::decode(schema::META, &bytes)?;
        migrate::run(&Alone { file, directory }, *tenant.as_bytes())?;
        return Ok(tenant);
    }
    let mut writes = Overlay::default();
    migrate::mark(&mut writes, migrate::FORMAT)?;
    writes.set(key, Some(codec::encode(schema::META, &fresh)?));
    write(file, writes)?;
    Ok(fresh)
}

/// The file while nobody else uses it, for bringing it to a newer format.
struct Alone<'a> {
    file: &'a Arc<StoreFile>,
    directory: Option<&'a Path>,
}

impl migrate::Rows for Alone<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        RedbSnapshot::take(self.file)?.get(key)
    }

    fn range(&self, range: &KeyRange, limit: usize) -> Result<Vec<Row>, StoreError> {
        RedbSnapshot::take(self.file)?.range(range, false, limit)
    }

    fn write(&self, writes: Overlay) -> Result<(), StoreError> {
        write(self.file, writes)
    }

    /// Between two commits the file on the disk is the store: there is no writer yet, and every commit so far was synced.
    fn snapshot(&self, name: &str) -> Result<(), StoreError> {
        self.directory.map_or(Ok(()), |directory| files::copy(&self.file.path, &directory.join(name)))
    }

    fn name(&self) -> PathBuf {
        self.file.path.clone()
    }
}

impl Kv for RedbKv {
    fn snapshot(&self) -> Result<Rc<dyn Snapshot>, StoreError> {
        RedbSnapshot::take(&self.file).map(|snapshot| Rc::new(snapshot) as Rc<dyn Snapshot>)
    }

    fn submit(&self, job: Box<dyn Job>) {
        let Some(sender) = &self.sender else { return };
        match sender.try_send(job) {
            Ok(()) => {}
            Err(TrySendError::Full(mut job)) => {
                let error = StoreError::Busy { waiting: QUEUE_MAX };
                job.spoil(error.clone());
                job.settle(Err(error));
            }
            // Dropping the job tells its caller that the store is closed.
            Err(TrySendError::Disconnected(_)) => {}
        }
    }
}

impl Drop for RedbKv {
    /// Commits what waits, then closes the file.
    fn drop(&mut self) {
        self.sender = None;
        if let Some(writer) = self.writer.take()
            && writer.thread().id() != std::thread::current().id()
            && writer.join().is_err()
        {
            tracing::error!("the store's writer thread had panicked");
        }
    }
}

struct RedbSnapshot {
    table: ReadOnlyTable<&'static [u8], &'static [u8]>,
    file: Arc<StoreFile>,
}

impl RedbSnapshot {
    fn take(file: &Arc<StoreFile>) -> Result<Self, StoreError> {
        let database = file.database()?;
        let table = file.read("beginning to read", || {
            let read = database.begin_read()?;
            Ok::<_, redb::Error>(read.open_table(ROWS)?)
        })?;
        Ok(Self { table, file: Arc::clone(file) })
    }
}

impl Snapshot for RedbSnapshot {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let sealed =
            self.file.read("reading", || self.table.get(key).map(|value| value.map(|guard| guard.value().to_vec())))?;
        sealed.map(|sealed| self.file.plain(key, &sealed)).transpose()
    }

    fn range(&self, range: &KeyRange, reverse: bool, limit: usize) -> Result<Vec<Row>, StoreError> {
        let sealed = self.file.read("scanning", || {
            let mut rows = self.table.range::<&[u8]>(range.bounds())?;
            let mut page = Vec::new();
            while page.len() < limit {
                let Some(row) = (if reverse { rows.next_back() } else { rows.next() }) else { break };
                let (key, value) = row?;
                page.push((key.value().to_vec(), value.value().to_vec()));
            }
            Ok::<_, StorageError>(page)
        })?;
        // A rotten page leads a scan astray: to rows that are true, and are not those that were asked for.
        let in_order = |pair: &[Row]| if reverse { pair[0].0 > pair[1].0 } else { pair[0].0 < pair[1].0 };
        let is_asked_for = |(key, _): &Row| range.start <= *key && range.end.as_ref().is_none_or(|end| key < end);
        if !sealed.iter().all(is_asked_for) || !sealed.windows(2).all(in_order) {
            return Err(damage::damaged(&self.file.path, "scanning", "rows are not where they belong"));
        }
        sealed.into_iter().map(|(key, value)| self.file.plain(&key, &value).map(|value| (key, value))).collect()
    }
}

/// Commits the writes of a group durably.
fn write(file: &StoreFile, writes: Overlay) -> Result<(), StoreError> {
    let mut rows = Vec::new();
    for (key, value) in writes.into_rows() {
        let sealed = value.map(|value| file.seal.seal(&key, &value)).transpose()?;
        rows.push((key, sealed));
    }
    let database = file.database()?;
    file.write("committing", || {
        let mut tx = database.begin_write()?;
        tx.set_quick_repair(true);
        {
            let mut table = tx.open_table(ROWS)?;
            for (key, value) in &rows {
                match value {
                    Some(value) => table.insert(key.as_slice(), value.as_slice()),
                    None => table.remove(key.as_slice()),
                }?;
            }
        }
        Ok::<_, redb::Error>(tx.commit()?)
    })
}

struct Writer {
    file: Arc<StoreFile>,
    jobs: Receiver<Box<dyn Job>>,
    shared: Arc<Shared>,
    publisher: Publisher,
    /// Jobs in the last group.
    company: usize,
    /// Jobs so far, to inject faults into some.
    jobs_seen: u64,
}

impl Writer {
    /// Until every sender is gone, and everything that waited has been settled.
    fn run(mut self) {
        while let Ok(first) = self.jobs.recv() {
            self.group(first);
        }
    }

    /// Runs one job after the other over the same snapshot, commits their writes together and settles them.
    fn group(&mut self, first: Box<dyn Job>) {
        let base: Rc<dyn Snapshot> = match RedbSnapshot::take(&self.file) {
            Ok(snapshot) => Rc::new(snapshot),
            Err(error) => {
                let mut job = first;
                job.spoil(error.clone());
                return job.settle(Err(error));
            }
        };
        let writes = Rc::new(RefCell::new(Overlay::default()));
        let mut head = None;
        let mut group = Vec::new();
        let began = Instant::now();
        let mut next = Some(first);
        while let Some(mut job) = next {
            let number = self.jobs_seen;
            self.jobs_seen += 1;
            if Faults::hits(self.shared.faults.conflict_every, number) {
                // It has lost to another, and runs again.
                prepare(&mut *job, &base, Some(&writes), &self.shared);
            }
            let prepared = prepare(&mut *job, &base, Some(&writes), &self.shared);
            let kept = prepared.writes.is_some();
            if let Prepared { writes: Some(own), head: own_head, .. } = prepared {
                writes.borrow_mut().absorb(own);
                head = own_head.or(head);
            }
            let loses_reply = kept && Faults::hits(self.shared.faults.lost_reply_every, number);
            group.push((job, loses_reply));
            let full = group.len() >= GROUP_JOBS_MAX || writes.borrow().bytes() >= GROUP_BYTES_MAX;
            next = if full { None } else { self.next(group.len(), began) };
        }
        drop(base);
        self.company = group.len();
        let writes = writes.take();
        let committed = if writes.is_empty() { Ok(()) } else { write(&self.file, writes) };
        if let (Ok(()), Some(head)) = (&committed, head) {
            self.publisher.publish(head);
        }
        for (mut job, loses_reply) in group {
            if loses_reply && committed.is_ok() && job.is_recorded() {
                // Committed, and nobody was told: asking again must find the reply and write nothing.
                self.ask_again(&mut *job);
            }
            job.settle(committed.clone());
        }
    }

    fn ask_again(&self, job: &mut dyn Job) {
        match RedbSnapshot::take(&self.file) {
            Ok(snapshot) => {
                let base: Rc<dyn Snapshot> = Rc::new(snapshot);
                prepare(job, &base, None, &self.shared);
            }
            Err(error) => job.spoil(error),
        }
    }

    /// The next job of a group: one that waits already, or one that comes while there is reason to expect it.
    fn next(&self, jobs: usize, began: Instant) -> Option<Box<dyn Job>> {
        if let Ok(job) = self.jobs.try_recv() {
            return Some(job);
        }
        let left = GROUP_WAIT.saturating_sub(began.elapsed());
        if jobs >= self.company || left.is_zero() {
            return None;
        }
        self.jobs.recv_timeout(left.min(GROUP_GAP)).ok()
    }
}
