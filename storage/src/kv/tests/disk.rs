//! What only the backend on disk has: it survives, and it fails.

use super::{Opened, account, append_one, at, contact, id, op, open, options, put};
use crate::fatal::Fatal;
use crate::keys::Keys;
use crate::kv::Kv;
use crate::kv::redb::{Opening, QUEUE_MAX, RedbKv};
use crate::record::Record;
use crate::schema::{ACCOUNT_BY_EMAIL, CONTACTS_BY_NUMBER};
use crate::store::{Limits, Publisher};
use crate::tx::{ReadTx, Shared};
use crate::{Backend, Faults, OpId, Store, StoreError, StoreOptions};
use auricle_domain::account::Account;
use auricle_domain::contact::Contact;
use auricle_domain::id::TenantId;
use redb::backends::InMemoryBackend;
use redb::{ReadableTable, StorageBackend};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, mpsc};

#[test]
fn everything_is_there_after_a_restart() {
    let Opened { store, directory } = open(Backend::Redb);
    put(&store, 1, contact(1, &["1"]));
    let append = store.run(op(2), at(0), append_one);
    append.wait().unwrap();
    store.run(op(3), at(0), |tx| tx.put(&account(1, "a@b.example"))).wait().unwrap();
    store.set_cursor("search", 1).wait().unwrap();
    let tenant = store.tenant();
    drop(store);
    // Opened for another clinic, it is still that of the first.
    let other = StoreOptions { tenant: TenantId::new(at(9), id(9)), ..options(directory.path(), Backend::Redb) };
    let store = Store::open(other).unwrap();
    assert_eq!((store.tenant(), store.head(), store.cursor("search")), (tenant, 1, Ok(1)));
    let by_number = |tx: &ReadTx| tx.find(CONTACTS_BY_NUMBER, tx.lookup().number("1"));
    assert_eq!(store.read(by_number), Ok(Some(contact(1, &["1"]))));
    let by_email = |tx: &ReadTx| tx.find(ACCOUNT_BY_EMAIL, tx.lookup().email("a@b.example"));
    assert_eq!(store.read(by_email).map(|found: Option<Account>| found.is_some()), Ok(true));
    // An op that ran before the restart does not run again.
    let again = store.run(op(2), at(0), append_one);
    again.wait().unwrap();
    assert_eq!(store.head(), 1);
}

#[test]
fn the_records_are_for_the_owner_alone() {
    let Opened { store: _open, directory } = open(Backend::Redb);
    let files: Vec<_> = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap()).collect();
    assert_eq!(files.len(), 5);
    for file in files {
        let mode = file.metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{}", file.path().display());
    }
}

#[test]
fn a_store_is_open_once() {
    let Opened { store, directory } = open(Backend::Redb);
    let second = Store::open(options(directory.path(), Backend::Redb));
    assert!(matches!(second, Err(StoreError::InUse { .. })));
    drop(store);
    assert!(Store::open(options(directory.path(), Backend::Redb)).is_ok());
}

#[test]
fn no_key_shows_a_number_or_an_address() {
    let Opened { store, directory } = open(Backend::Redb);
    let keys = store
        .run(op(1), at(0), |tx| {
            tx.put(&contact(1, &["420777123456"]))?;
            tx.put(&account(1, "somebody@clinic.example"))?;
            let all = crate::kv::KeyRange { start: vec![], end: None };
            Ok::<_, StoreError>(tx.raw_range(&all, false, 100)?.into_iter().map(|(key, _)| key).collect::<Vec<_>>())
        })
        .wait()
        .unwrap();
    assert!(keys.len() >= 4);
    for key in keys {
        for secret in ["420777123456", "somebody"] {
            assert!(!key.windows(secret.len()).any(|part| part == secret.as_bytes()));
        }
    }
    drop(directory);
}

#[test]
fn writers_that_wait_together_are_committed_together() {
    let Opened { store, directory: _kept } = open(Backend::Redb);
    // The first closure holds the writer until all the others wait behind it.
    let (go, hold) = mpsc::channel::<()>();
    let first = store.run(op(0), at(0), move |_| {
        let _ = hold.recv();
        Ok::<_, StoreError>(())
    });
    let rest: Vec<_> = (1..=100u8)
        .map(|n| store.run(OpId::derive("group", &[&[n]]), at(0), move |tx| tx.put(&contact(n, &[]))))
        .collect();
    drop(go);
    first.wait().unwrap();
    // They were in the same group as the first, so they are all there when it is answered.
    let there = store.read(|tx| tx.scan::<Contact>(crate::Scan::table().limit(200))).unwrap();
    assert_eq!(there.items.len(), 100);
    rest.into_iter().for_each(|commit| commit.wait().unwrap());
}

#[test]
fn when_too_many_wait_the_next_is_told_so() {
    let Opened { store, directory: _kept } = open(Backend::Redb);
    let (go, hold) = mpsc::channel::<()>();
    let (begun, running) = mpsc::channel();
    let first = store.run(op(0), at(0), move |_| {
        let _ = begun.send(());
        let _ = hold.recv();
        Ok::<_, StoreError>(())
    });
    running.recv().unwrap();
    let waiting: Vec<_> = (1..=QUEUE_MAX as u64).map(|n| store.set_cursor("follower", n)).collect();
    let refused = store.set_cursor("follower", 0);
    assert_eq!(refused.wait(), Err(StoreError::Busy { waiting: QUEUE_MAX }));
    drop(go);
    first.wait().unwrap();
    waiting.into_iter().for_each(|commit| commit.wait().unwrap());
    assert_eq!(store.cursor("follower"), Ok(QUEUE_MAX as u64));
}

#[test]
fn a_closure_that_holds_its_transaction_too_long_fails() {
    let shared = shared(TenantId::new(at(0), id(1)), Limits { transaction_ms_max: 0 });
    let kv = crate::kv::memory::MemoryKv::new(Arc::clone(&shared), Publisher::new());
    let tx = ReadTx::new(kv.snapshot().unwrap(), None, shared);
    // However coarse the clock is, it moves on in the end.
    let error = loop {
        if let Err(error) = tx.head() {
            break error;
        }
    };
    assert!(matches!(error, StoreError::TransactionTooSlow { max_ms: 0, .. }));
}

fn shared(tenant: TenantId, limits: Limits) -> Arc<Shared> {
    Arc::new(Shared { tenant, lookup: Keys::fresh().unwrap().lookup(), limits, faults: Faults::default() })
}

/// A disk that fails when it is told to.
#[derive(Debug)]
struct FailingDisk {
    disk: InMemoryBackend,
    broken: Arc<AtomicBool>,
}

impl FailingDisk {
    fn works(&self) -> io::Result<()> {
        if self.broken.load(Ordering::SeqCst) { Err(io::Error::other("the disk is broken")) } else { Ok(()) }
    }
}

impl StorageBackend for FailingDisk {
    fn len(&self) -> io::Result<u64> {
        self.works().and_then(|()| self.disk.len())
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.works().and_then(|()| self.disk.read(offset, out))
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.works().and_then(|()| self.disk.set_len(len))
    }
    fn sync_data(&self) -> io::Result<()> {
        self.works().and_then(|()| self.disk.sync_data())
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.works().and_then(|()| self.disk.write(offset, data))
    }
}

#[test]
fn a_failure_of_the_disk_strikes_once_and_acknowledges_nothing() {
    let broken = Arc::new(AtomicBool::new(false));
    let strikes = Arc::new(AtomicU32::new(0));
    let counted = Arc::clone(&strikes);
    let hook = move |error: &StoreError| {
        assert!(matches!(error, StoreError::Io { .. }));
        counted.fetch_add(1, Ordering::SeqCst);
    };
    let opening = Opening {
        tenant: TenantId::new(at(0), id(1)),
        seal: Keys::fresh().unwrap().seal_key("values"),
        share: &|tenant| shared(tenant, Limits::default()),
        publisher: Publisher::new(),
        fatal: Arc::new(Fatal::new(Some(Box::new(hook)))),
    };
    let disk = FailingDisk { disk: InMemoryBackend::new(), broken: Arc::clone(&broken) };
    let (kv, _) = RedbKv::on(disk, opening).unwrap();
    let run = |n: u64| {
        let record = crate::commit::Record { op: op(n), now: at(0) };
        let (job, commit) = crate::commit::job(Some(record), move |tx| tx.put(&contact(1, &[])));
        kv.submit(job);
        commit.wait()
    };
    assert_eq!(run(1), Ok(()));
    broken.store(true, Ordering::SeqCst);
    assert!(matches!(run(2), Err(StoreError::Io { .. })));
    assert!(matches!(run(3), Err(StoreError::Io { .. })));
    assert_eq!(strikes.load(Ordering::SeqCst), 1);
}

/// B-17: no word of a record is readable in any file of the store.
#[test]
fn nothing_of_a_record_is_readable_on_the_disk() {
    let Opened { store, directory } = open(Backend::Redb);
    let person = Contact { name: "Bartholomew Quixote".to_owned(), ..contact(1, &["+15550100999"]) };
    store.run(op(1), at(0), move |tx| tx.put(&person)).wait().unwrap();
    drop(store);
    for file in ["store.redb", "keys.json"] {
        let bytes = std::fs::read(directory.path().join(file)).unwrap();
        for word in ["Bartholomew", "Quixote", "15550100999", "name"] {
            assert!(!bytes.windows(word.len()).any(|window| window == word.as_bytes()), "{word} in {file}");
        }
    }
}

/// B-17: a value that was changed or exchanged on the disk is refused by name; everything else is served.
#[test]
fn a_value_that_was_exchanged_is_refused_and_the_rest_served() {
    let Opened { store, directory } = open(Backend::Redb);
    for n in 1..=3 {
        store.run(op(u64::from(n)), at(0), move |tx| tx.put(&contact(n, &[]))).wait().unwrap();
    }
    let keys: Vec<Vec<u8>> = (1..=3)
        .map(|n| store.read(|tx| Ok::<_, StoreError>(tx.key_of(Contact::TABLE, &contact(n, &[]).id))).unwrap())
        .collect();
    drop(store);
    {
        let database = redb::Database::open(directory.path().join("store.redb")).unwrap();
        let tx = database.begin_write().unwrap();
        let rows = redb::TableDefinition::<&[u8], &[u8]>::new("sealed");
        let mut table = tx.open_table(rows).unwrap();
        let value = table.get(keys[0].as_slice()).unwrap().unwrap().value().to_vec();
        table.insert(keys[1].as_slice(), value.as_slice()).unwrap();
        drop(table);
        tx.commit().unwrap();
    }
    let store = Store::open(options(directory.path(), Backend::Redb)).unwrap();
    let get = |n: u8| store.read(|tx| tx.get::<Contact>(&contact(n, &[]).id));
    assert_eq!(get(1), Ok(Some(contact(1, &[]))));
    assert_eq!(get(3), Ok(Some(contact(3, &[]))));
    let error = get(2).unwrap_err();
    let words = error.to_string();
    assert!(matches!(error, StoreError::Damaged { .. }));
    assert!(words.contains(&contact(2, &[]).id.to_string()) && words.contains("contact"), "{words}");
    assert!(words.contains("auricle restore"), "{words}");
    // Writing goes on.
    store.run(op(9), at(0), |tx| tx.put(&contact(3, &[]))).wait().unwrap();
}
