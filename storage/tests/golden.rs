//! Stores as earlier programs wrote them, and what this one makes of them.
//!
//! `golden/format-N/` holds a store of each format there has been. Each is opened, migrated on the way, and must hold what was
//! put into it. A new format needs a new folder: `UPDATE=1 cargo test -p auricle-storage --test golden` writes it, once.
//! `golden/backup-N/` holds a backup of each of those formats that there has been a backup of, with its passphrase.
#![allow(clippy::unwrap_used, reason = "a test")]

use auricle_domain::Timestamp;
use auricle_domain::account::Actor;
use auricle_domain::code::{Heard, Lang, Speaker, TaskKind, TaskState};
use auricle_domain::contact::Contact;
use auricle_domain::conversation::{Turn, Word};
use auricle_domain::event::Event;
use auricle_domain::id::{CallId, CauseId, ContactId, ConversationId, TaskId, TenantId};
use auricle_domain::task::Task;
use auricle_storage::schema::{CONTACTS_BY_NUMBER, TASKS_BY_STATE};
use auricle_storage::{
    Backend, BlobId, EventDraft, FORMAT, KeySource, Missing, OpId, Passphrase, Scan, Store, StoreError, StoreOptions,
    Verified, restore, set_passphrase, verify_backup,
};
use std::path::{Path, PathBuf};

/// Events of a golden store: enough for a migration to need more than one transaction.
const EVENTS: u64 = 1_200;

fn golden(format: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/format-{format}"))
}

/// The first format that backups were made of.
const BACKUPS_FROM: u32 = 2;

fn golden_backup(format: u32) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/backup-{format}"))
}

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_795_000_000 + seconds).unwrap()
}

fn open(directory: &Path) -> Result<Store, StoreError> {
    let keys = KeySource::File(directory.join("store.key"));
    let tenant = TenantId::new(at(0), [1; 10]);
    Store::open(StoreOptions { directory: directory.to_owned(), backend: Backend::Redb, keys, tenant })
}

fn call() -> CallId {
    CallId::new(at(1), [2; 10])
}

fn contact() -> Contact {
    Contact {
        id: ContactId::new(at(2), [3; 10]),
        name: "Ludmila Příkladová".to_owned(),
        numbers: vec!["+420 777 000 111".to_owned()],
        emails: vec!["ludmila@example.org".to_owned()],
        language: Some(Lang::Cs),
        notes: "Prefers mornings.".to_owned(),
        created_at: at(2),
        version: 3,
    }
}

fn turn() -> Turn {
    Turn {
        conversation: ConversationId::new(at(3), [4; 10]),
        call: call(),
        index: 0,
        speaker: Speaker::Caller,
        text: "When do you open?".to_owned(),
        language: Lang::En,
        start_ms: 1_500,
        end_ms: 2_900,
        heard: Heard::Full,
        words: vec![Word { text: "when".to_owned(), start_ms: 1_500, end_ms: 1_800 }],
        citations: vec![],
        tools: vec![],
        reply_ms: None,
        engine: "local".to_owned(),
    }
}

fn task() -> Task {
    Task {
        id: TaskId::new(at(4), [5; 10]),
        kind: TaskKind::Message,
        state: TaskState::Open,
        text: "Please ring back.".to_owned(),
        name: "Ludmila".to_owned(),
        number: "+420777000111".to_owned(),
        call: Some(call()),
        contact: Some(contact().id),
        owner: None,
        created_at: at(4),
        due_at: at(3_600),
        version: 1,
    }
}

fn write(directory: &Path) {
    let store = open(directory).unwrap();
    let op = |n: u64| OpId::derive("golden", &[&n.to_be_bytes()]);
    let fill = |tx: &mut auricle_storage::WriteTx| {
        tx.put(&contact())?;
        tx.put(&turn())?;
        tx.put(&task())
    };
    store.run::<(), StoreError, _>(op(0), at(5), fill).wait().unwrap();
    for batch in 0..EVENTS / 100 {
        let append = move |tx: &mut auricle_storage::WriteTx| {
            for n in 0..100 {
                let event = match n {
                    0 => Event::TurnCommitted { turn: Box::new(turn()) },
                    _ => Event::ContactChanged { contact: contact().id },
                };
                let cause = CauseId::new(at(6), [6; 10]);
                tx.append(EventDraft { at: at(6 + n), actor: Actor::Receptionist { call: call() }, cause, event });
            }
            Ok::<(), StoreError>(())
        };
        store.run(op(1 + batch), at(5), append).wait().unwrap();
    }
    let mut recording = store.blobs().create(BlobId::Recording(call())).unwrap();
    recording.append(&[1; 5_000]).unwrap();
    recording.finish().unwrap();
    store.blobs().put(BlobId::of(b"Opening hours"), b"Opening hours").unwrap();
}

fn write_backup(directory: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let passphrase = set_passphrase(folder.path(), &folder.path().join("store.key")).unwrap();
    write(folder.path());
    let made = open(folder.path()).unwrap().back_up(directory, None, at(1_000), |_| {}).unwrap();
    std::fs::rename(made.path, directory.join("clinic.backup")).unwrap();
    std::fs::write(directory.join("passphrase"), format!("{}\n", *passphrase.to_text())).unwrap();
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn check(store: &Store, format: u32) {
    check_with(store, format, EVENTS);
}

/// Everything is there, with so many events.
fn check_with(store: &Store, format: u32, events: u64) {
    store
        .read(|tx| {
            assert_eq!(tx.get::<Contact>(&contact().id)?, Some(contact()), "format {format}");
            assert_eq!(tx.get::<Turn>(&(turn().conversation, 0))?, Some(turn()), "format {format}");
            let number = tx.lookup().number("+420777000111");
            assert_eq!(tx.find(CONTACTS_BY_NUMBER, number)?, Some(contact()), "format {format}");
            let open = tx.scan(Scan::index(TASKS_BY_STATE).prefix(TaskState::Open.as_str()))?;
            assert_eq!(open.items, [task()], "format {format}");
            Ok::<(), StoreError>(())
        })
        .unwrap();
    assert_eq!(store.head(), events, "format {format}");
    assert_eq!(store.blobs().get(BlobId::Recording(call())).unwrap(), [1; 5_000], "format {format}");
    assert_eq!(store.blobs().get(BlobId::of(b"Opening hours")).unwrap(), b"Opening hours", "format {format}");
    let audited = store.verify_audit(&[], |_, _| {}).unwrap();
    assert_eq!((audited.entries, audited.broken), (events, None), "format {format}");
}

/// OBS-14, B-26: every format there has been opens, and holds what was put into it.
#[test]
fn stores_of_every_format_open_with_what_they_held() {
    if std::env::var_os("UPDATE").is_some() && !golden(FORMAT).exists() {
        write(&golden(FORMAT));
    }
    for format in 1..=FORMAT {
        let folder = tempfile::tempdir().unwrap();
        copy(&golden(format), folder.path());
        check(&open(folder.path()).unwrap(), format);
        let snapshot = folder.path().join(format!("before-format-{FORMAT}.redb"));
        assert_eq!(snapshot.exists(), format < FORMAT, "format {format}");
        check(&open(folder.path()).unwrap(), format);
    }
}

/// B-26: backups of every format there has been are good, and bring back what was put into them.
#[test]
fn backups_of_every_format_are_restored_with_what_they_held() {
    if std::env::var_os("UPDATE").is_some() && !golden_backup(FORMAT).exists() {
        write_backup(&golden_backup(FORMAT));
    }
    for format in BACKUPS_FROM..=FORMAT {
        let from = golden_backup(format);
        let passphrase = Passphrase::parse(&std::fs::read_to_string(from.join("passphrase")).unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("clinic.backup");
        std::fs::copy(from.join("clinic.backup"), &file).unwrap();
        let Verified { summary, missing } = verify_backup(&file, &passphrase).unwrap();
        assert_eq!(missing, Missing::default());
        assert_eq!((summary.store_format, summary.feed_head, summary.blobs), (format, EVENTS, 2));
        let home = folder.path().join("clinic");
        let restored = restore(&file, &home, &folder.path().join("clinic.key"), &passphrase, at(2_000)).unwrap();
        assert_eq!((&restored.summary, restored.missing), (&summary, Missing::default()));
        std::fs::rename(restored.key_file, home.join("store.key")).unwrap();
        let store = open(&home).unwrap();
        check_with(&store, format, EVENTS + 1);
        let restored = Event::StoreRestored { backup_at: summary.made_at, feed_head: EVENTS };
        let last = store.feed(EVENTS, 1).unwrap().remove(0);
        assert_eq!((last.event, last.at), (restored, at(2_000)), "format {format}");
    }
}

/// The snapshot that is made before a migration is the store as it was.
#[test]
fn the_snapshot_before_a_migration_brings_the_store_back() {
    let folder = tempfile::tempdir().unwrap();
    copy(&golden(1), folder.path());
    drop(open(folder.path()).unwrap());
    let snapshot = folder.path().join(format!("before-format-{FORMAT}.redb"));
    std::fs::rename(snapshot, folder.path().join("store.redb")).unwrap();
    check(&open(folder.path()).unwrap(), 1);
}
