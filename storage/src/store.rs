//! The store as the application has it.

use crate::blobs::Blobs;
use crate::commit::{self, Commit, OpId};
use crate::error::StoreError;
use crate::fatal::{Fatal, OnFatal};
use crate::files;
use crate::keys::{KeySource, Keys};
use crate::kv::memory::MemoryKv;
use crate::kv::redb::{Opening, RedbKv};
use crate::kv::{self, Kv, Snapshot};
use crate::room::{self, FreeBytes, Room, Watch};
use crate::search::SearchKey;
use crate::tx::{ReadTx, Shared, WriteTx};
use auricle_domain::Timestamp;
use auricle_domain::event::Envelope;
use auricle_domain::id::TenantId;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Arc, Weak};
use tokio::sync::watch;

/// Where the records live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// In a file.
    Redb,
    /// In memory, for tests: nothing survives, and every closure is run twice, made to conflict now and then,
    /// and asked again after a lost reply.
    Memory,
}

/// What to open.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// The store's own directory; made if need be, for the owner alone. Blobs lie in it with either backend.
    pub directory: PathBuf,
    /// Where the records live.
    pub backend: Backend,
    /// Where the key comes from that opens the store. With the memory backend nothing but [`KeySource::Fresh`] makes sense.
    pub keys: KeySource,
    /// The clinic of a new store. A store that exists keeps its own: see [`Store::tenant`].
    pub tenant: TenantId,
}

/// How much depends on a transaction when the disk gets full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Somebody can do it again later.
    Ordinary,
    /// A call, a sign-in or a reading cannot go on without it, or it makes room.
    Essential,
}

/// Room on the disk below which no new recording begins, unless told, in bytes.
pub const LOW_WATER_BYTES: u64 = 1 << 30;

/// Faults that tests inject. Zero means never.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Faults {
    /// Runs every closure twice and refuses it when the second run writes something else.
    pub run_twice: bool,
    /// Makes the first attempt of every n-th transaction conflict.
    pub conflict_every: u64,
    /// Loses the reply of every n-th transaction after its commit and asks again.
    pub lost_reply_every: u64,
}

impl Faults {
    /// Whether a fault of every n-th transaction hits this one.
    pub(crate) fn hits(every: u64, number: u64) -> bool {
        every != 0 && number % every == every - 1
    }
}

/// How the store behaves at its limits; the default is right outside tests.
#[derive(Default)]
pub struct Hooks {
    /// Called when the disk fails under the records; by default logs and ends the process with code 74.
    pub on_fatal: Option<OnFatal>,
    /// Faults to inject; by default none on disk, and all of them in memory.
    pub faults: Option<Faults>,
    /// Room below which no new recording begins, in bytes; by default [`LOW_WATER_BYTES`].
    pub low_water_bytes: Option<u64>,
    /// Says how much room the disk has; by default the file system does.
    pub free_bytes: Option<FreeBytes>,
}

/// What the memory backend injects unless told: a conflict in 10 % of all transactions, a lost reply in 1 %.
const IN_MEMORY: Faults = Faults { run_twice: true, conflict_every: 10, lost_reply_every: 101 };

/// Limits of a transaction that tests make smaller.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// How long it may be open.
    pub(crate) transaction_ms_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { transaction_ms_max: 4_000 }
    }
}

/// Tells watchers how far the feed has come.
#[derive(Clone)]
pub(crate) struct Publisher(Arc<watch::Sender<u64>>);

impl Publisher {
    pub(crate) fn new() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }

    fn head(&self) -> u64 {
        *self.0.borrow()
    }

    fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }

    /// Numbers only grow, in whichever order committers come here.
    pub(crate) fn publish(&self, head: u64) {
        self.0.send_if_modified(|known| {
            let grown = head > *known;
            *known = head.max(*known);
            grown
        });
    }
}

struct Inner {
    directory: PathBuf,
    watch: Watch,
    kv: Box<dyn Kv>,
    shared: Arc<Shared>,
    publisher: Publisher,
    blobs: Blobs,
    keys: Keys,
    /// Goes last: where it is gone, everything before it is closed.
    open: Arc<()>,
}

/// Tells whether a store is closed, without keeping it open.
#[derive(Clone, Debug)]
pub struct Closing(Weak<()>);

impl Closing {
    /// Whether the last clone of the store is gone and its files are closed.
    pub fn is_closed(&self) -> bool {
        self.0.strong_count() == 0
    }
}

/// The records, change feed and blobs of one clinic. Cheap to clone; closes when the last clone is dropped.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

impl Store {
    /// Opens a store, or makes it.
    ///
    /// # Errors
    /// [`StoreError::InUse`] when another process has it open; otherwise when the disk fails.
    pub fn open(options: StoreOptions) -> Result<Self, StoreError> {
        Self::open_with(options, Hooks::default())
    }

    /// Opens a store with hooks, for tests of failure.
    ///
    /// # Errors
    /// As [`Store::open`].
    pub fn open_with(options: StoreOptions, hooks: Hooks) -> Result<Self, StoreError> {
        Self::open_from(options, hooks, RedbKv::open)
    }

    /// Opens a store whose backend on disk is opened by `open_file`.
    pub(crate) fn open_from(
        options: StoreOptions,
        hooks: Hooks,
        open_file: impl FnOnce(&Path, Opening<'_>) -> Result<(RedbKv, Arc<Shared>), StoreError>,
    ) -> Result<Self, StoreError> {
        let StoreOptions { directory, backend, keys, tenant } = options;
        files::create_directory(&directory)?;
        let keys = Keys::open(&directory, &keys, directory.join(kv::redb::FILE).exists())?;
        let blobs = Blobs::at(&directory.join("blobs"), &keys)?;
        let publisher = Publisher::new();
        let lookup = keys.lookup();
        let default = match backend {
            Backend::Memory => IN_MEMORY,
            Backend::Redb => Faults::default(),
        };
        let faults = hooks.faults.unwrap_or(default);
        let share = |tenant| Arc::new(Shared { tenant, lookup: lookup.clone(), limits: Limits::default(), faults });
        let (kv, shared): (Box<dyn Kv>, _) = match backend {
            Backend::Memory => {
                let shared = share(tenant);
                (Box::new(MemoryKv::new(Arc::clone(&shared), publisher.clone())), shared)
            }
            Backend::Redb => {
                let fatal = Arc::new(Fatal::new(hooks.on_fatal));
                let opening = Opening {
                    tenant,
                    seal: keys.seal_key("values"),
                    share: &share,
                    publisher: publisher.clone(),
                    fatal,
                };
                let (kv, shared) = open_file(&directory, opening)?;
                (Box::new(kv), shared)
            }
        };
        let probe = hooks.free_bytes.unwrap_or_else(|| Box::new(room::probe));
        let watch = Watch::new(&directory, hooks.low_water_bytes.unwrap_or(LOW_WATER_BYTES), probe);
        let store =
            Self(Arc::new(Inner { directory, watch, kv, shared, publisher, blobs, keys, open: Arc::default() }));
        store.0.publisher.publish(store.read(ReadTx::head)?);
        store.look_for_room()?;
        Ok(store)
    }

    /// What tells when this store is closed.
    pub fn closing(&self) -> Closing {
        Closing(Arc::downgrade(&self.0.open))
    }

    /// The store's own directory.
    pub fn directory(&self) -> &Path {
        &self.0.directory
    }

    pub(crate) fn keys(&self) -> &Keys {
        &self.0.keys
    }

    /// A view that may be held as long as need be. While it is, what is written over is kept, and the file grows.
    pub(crate) fn long_snapshot(&self) -> Result<Rc<dyn Snapshot>, StoreError> {
        self.0.kv.snapshot()
    }

    /// The key of the search index that belongs to this store.
    pub fn search_key(&self) -> SearchKey {
        SearchKey::new(self.0.keys.seal_key("search"))
    }

    /// The clinic whose store this is: the one it was first opened for.
    pub fn tenant(&self) -> TenantId {
        self.0.shared.tenant
    }

    /// Reads a consistent view of the store. The closure must not wait for anything: a view older than 4 s
    /// gives errors.
    ///
    /// # Errors
    /// The closure's own, or the store's when the disk fails.
    pub fn read<T, E: From<StoreError>>(&self, closure: impl FnOnce(&ReadTx) -> Result<T, E>) -> Result<T, E> {
        let base = self.0.kv.snapshot()?;
        closure(&ReadTx::new(base, None, Arc::clone(&self.0.shared)))
    }

    /// Runs a closure as a transaction: all that it writes and appends is committed together and durably, or, if
    /// it fails, not at all. Its reply is kept under `op`: running the same op again within a week returns that
    /// reply, and nothing is written twice.
    ///
    /// The closure must be pure: it may run several times, so it decides on nothing but what it reads through
    /// the transaction and what it was given. Clocks, randomness and new identifiers are taken before and moved
    /// in. `now` is the caller's clock.
    ///
    /// # Errors
    /// Through the commit: the closure's own error, which writes nothing; [`StoreError::Busy`] when too many
    /// wait; [`StoreError::Conflict`], [`StoreError::Impure`] and the limits of a transaction.
    pub fn run<T, E, F>(&self, op: OpId, now: Timestamp, closure: F) -> Commit<T, E>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnMut(&mut WriteTx) -> Result<T, E> + Send + 'static,
    {
        self.run_as(Need::Ordinary, op, now, closure)
    }

    /// [`Store::run`] for something on which more or less depends when the disk gets full.
    ///
    /// # Errors
    /// As [`Store::run`]; [`StoreError::DiskLow`] when it is refused for want of room.
    pub fn run_as<T, E, F>(&self, need: Need, op: OpId, now: Timestamp, closure: F) -> Commit<T, E>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnMut(&mut WriteTx) -> Result<T, E> + Send + 'static,
    {
        let room = self.0.watch.room();
        if room >= Room::None || (room == Room::Full && need == Need::Ordinary) {
            return Commit::refused(StoreError::DiskLow { free_mib: self.free_bytes() >> 20 });
        }
        self.submit(Some(commit::Record { op, now }), closure)
    }

    /// Whether an op has been run, so that it would not be run again at `now`.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn has_run(&self, op: OpId, now: Timestamp) -> Result<bool, StoreError> {
        self.read(|tx| commit::recorded(tx, commit::Record { op, now })).map(|reply| reply.is_some())
    }

    /// Looks how much room the disk has, and acts on it from now on. To be asked every few seconds: in between, the last
    /// answer holds. Tells the room there is, and whether that is news.
    ///
    /// # Errors
    /// When the disk cannot be measured.
    pub fn look_for_room(&self) -> Result<(Room, bool), StoreError> {
        self.0.watch.look()
    }

    /// How much room the disk had when it was last looked at.
    pub fn room(&self) -> Room {
        self.0.watch.room()
    }

    /// Bytes that could still be written when it was last looked at.
    pub fn free_bytes(&self) -> u64 {
        self.0.watch.free_bytes()
    }

    fn submit<T, E, F>(&self, record: Option<commit::Record>, closure: F) -> Commit<T, E>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        E: From<StoreError> + Send + 'static,
        F: FnMut(&mut WriteTx) -> Result<T, E> + Send + 'static,
    {
        let (job, commit) = commit::job(record, closure);
        self.0.kv.submit(job);
        commit
    }

    /// Up to `limit` (at most 1,000) events after number `after`, in order.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn feed(&self, after: u64, limit: usize) -> Result<Vec<Envelope>, StoreError> {
        self.read(|tx| tx.feed(after, limit))
    }

    /// Number of the last event that was committed; 0 when there is none.
    pub fn head(&self) -> u64 {
        self.0.publisher.head()
    }

    /// Follows [`Store::head`]. A number that is seen here can be read.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.0.publisher.subscribe()
    }

    /// How far the follower `name` has come; 0 when it has not begun.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn cursor(&self, name: &str) -> Result<u64, StoreError> {
        self.read(|tx| tx.cursor(name))
    }

    /// Remembers how far the follower `name` has come. It may be set back, to follow again.
    pub fn set_cursor(&self, name: &str, seq: u64) -> Commit<(), StoreError> {
        let name = name.to_owned();
        self.submit(None, move |tx| tx.set_cursor(&name, seq))
    }

    /// Recordings and the contents of documents.
    pub fn blobs(&self) -> &Blobs {
        &self.0.blobs
    }
}
