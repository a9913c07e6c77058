#![allow(clippy::unwrap_used)]
use super::format::{BackupSummary, Kind, damaged, read_entry, read_head, write_entry, write_head};
use super::restore::backup_key;
use super::stream::{Opening, Sealing};
use super::*;
use crate::keys::{KeySource, Passphrase, set_passphrase};
use crate::kv::tests::{at, draft, id, op};
use crate::record::Record;
use crate::schema;
use crate::seal::SealKey;
use crate::tx::WriteTx;
use crate::{Backend, BlobId, Scan, Store, StoreError, StoreOptions};
use auricle_domain::account::Actor;
use auricle_domain::code::{DocumentState, Lang};
use auricle_domain::contact::Contact;
use auricle_domain::event::Event;
use auricle_domain::id::{CallId, ContactId, DocumentId, TenantId};
use auricle_domain::knowledge::Document;
use proptest::prelude::*;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

struct Clinic {
    folder: tempfile::TempDir,
    store: Store,
    passphrase: Passphrase,
}

fn open(directory: &Path, key_file: &Path) -> Store {
    let keys = KeySource::File(key_file.to_owned());
    let tenant = TenantId::new(at(0), id(1));
    Store::open(StoreOptions { directory: directory.to_owned(), backend: Backend::Redb, keys, tenant }).unwrap()
}

fn contact(n: u64) -> Contact {
    let made = at(i64::try_from(n).unwrap());
    Contact {
        id: ContactId::new(made, id(2)),
        name: format!("Person {n}"),
        numbers: vec![],
        emails: vec![],
        language: None,
        notes: "n".repeat(300),
        created_at: made,
        version: 1,
    }
}

fn add(store: &Store, n: u64) {
    let person = contact(n);
    let closure = move |tx: &mut WriteTx| {
        tx.put(&person)?;
        tx.append(draft(3));
        Ok::<(), StoreError>(())
    };
    store.run(op(n), at(0), closure).wait().unwrap();
}

/// Adds a document whose content is this text.
fn add_document(store: &Store, n: u8, text: &str) -> Document {
    let content = BlobId::of(text.as_bytes());
    store.blobs().put(content, text.as_bytes()).unwrap();
    let document = Document {
        id: DocumentId::new(at(1), id(n)),
        name: format!("Document {n}"),
        namespace: "general".to_owned(),
        language: Lang::En,
        state: DocumentState::Live,
        content_chars: 7,
        content_sha256: content.name(),
        passages: 0,
        created_at: at(1),
        updated_at: at(1),
        version: 1,
    };
    let put = document.clone();
    store.run(op(1_000_000 + u64::from(n)), at(0), move |tx| tx.put(&put)).wait().unwrap();
    document
}

fn remove_document(store: &Store, document: &Document) {
    let id = document.id;
    store.run(op(2_000_000), at(0), move |tx: &mut WriteTx| tx.delete::<Document>(&id)).wait().unwrap();
    assert!(store.blobs().delete(BlobId::from_sha256(&document.content_sha256).unwrap()).unwrap());
}

fn recording(n: u8) -> BlobId {
    BlobId::Recording(CallId::new(at(0), id(n)))
}

impl Clinic {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (directory, key_file) = (folder.path().join("clinic"), folder.path().join("clinic.key"));
        let passphrase = set_passphrase(&directory, &key_file).unwrap();
        Self { store: open(&directory, &key_file), folder, passphrase }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn back_up(&self) -> Backup {
        self.store.back_up(&self.path("backups"), None, at(0), |_| {}).unwrap()
    }

    fn restore(&self, backup: &Path) -> Result<Restored, StoreError> {
        restore(backup, &self.path("restored"), &self.path("restored.key"), &self.passphrase, at(9))
    }
}

/// Writes a backup anew without some of its entries, as another program might have made it.
fn rewrite(clinic: &Clinic, backup: &Path, keep: impl Fn(Kind, &[u8]) -> bool, change: impl Fn(&mut BackupSummary)) {
    let bytes = std::fs::read(backup).unwrap();
    let mut from = bytes.as_slice();
    let (head, bound) = read_head(&mut from).unwrap();
    let key = backup_key(clinic.store.keys().data(), &head.id);
    let mut entries = zstd::Decoder::new(Opening::new(from, key.clone(), bound)).unwrap();
    let mut file = Vec::new();
    let bound = write_head(&mut file, &head).unwrap();
    let mut out = zstd::Encoder::new(Sealing::new(file, key, bound), 1).unwrap();
    loop {
        let entry = read_entry(&mut entries).unwrap();
        if entry.kind == Kind::End {
            let mut summary = serde_json::from_slice(&entry.first).unwrap();
            change(&mut summary);
            write_entry(&mut out, Kind::End, &serde_json::to_vec(&summary).unwrap(), &[]).unwrap();
            break;
        }
        if keep(entry.kind, &entry.first) {
            write_entry(&mut out, entry.kind, &entry.first, &entry.second).unwrap();
        }
    }
    std::fs::write(backup, out.finish().unwrap().finish().unwrap()).unwrap();
}

/// Everything in a folder, to see whether anything was changed.
fn listed(folder: &Path) -> Vec<PathBuf> {
    let mut all: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    all.sort();
    all
}

/// B-26, OBS-15, OBS-16: with nothing but the file and the passphrase, everything of before is there again.
#[test]
fn a_backup_brings_everything_back_on_a_bare_folder() {
    let clinic = Clinic::new();
    (1..=2_500).for_each(|n| add(&clinic.store, n));
    let mut whole = clinic.store.blobs().create(recording(1)).unwrap();
    whole.append(&[7; 200_000]).unwrap();
    whole.finish().unwrap();
    let mut growing = clinic.store.blobs().create(recording(2)).unwrap();
    growing.append(b"so far").unwrap();
    growing.sync().unwrap();
    clinic.store.blobs().put(BlobId::of(b"Parking"), b"Parking").unwrap();
    std::fs::write(clinic.path("auricle.toml"), "[sip]\n").unwrap();
    let mut steps = Vec::new();
    let config = clinic.path("auricle.toml");
    let backup = clinic.store.back_up(&clinic.path("backups"), Some(&config), at(0), |step| steps.push(step)).unwrap();
    assert_eq!((backup.summary.feed_head, backup.summary.blobs, backup.summary.blob_bytes), (2_500, 3, 200_013));
    assert!(steps.iter().any(|step| step.rows > 1_000) && steps.last().unwrap().verifying);
    assert_eq!(listed(&clinic.path("backups")), std::slice::from_ref(&backup.path), "nothing is left beside it");
    let verified = verify(&backup.path, &clinic.passphrase).unwrap();
    assert_eq!((verified.summary, verified.missing), (backup.summary.clone(), Missing::default()));
    let before = clinic.store.verify_audit(&[], |_, _| {}).unwrap();

    let restored = clinic.restore(&backup.path).unwrap();
    assert_eq!(restored.summary, backup.summary);
    assert_eq!(std::fs::read_to_string(restored.config.unwrap()).unwrap(), "[sip]\n");
    let store = open(&clinic.path("restored"), &clinic.path("restored.key"));
    let people = store.read(|tx| tx.scan(Scan::<Contact>::table().limit(3))).unwrap();
    assert_eq!(people.items, [contact(1), contact(2), contact(3)]);
    assert_eq!((store.head(), store.tenant()), (2_501, clinic.store.tenant()));
    let audited = store.verify_audit(&[before.head], |_, _| {}).unwrap();
    assert_eq!((audited.entries, audited.broken), (2_501, None), "the chain goes on from the head of before");
    let last = store.feed(2_500, 1).unwrap().remove(0);
    assert_eq!(last.event, Event::StoreRestored { backup_at: Some(at(0)), feed_head: 2_500 });
    assert_eq!((last.at, last.actor), (at(9), Actor::Console));
    assert_eq!(store.blobs().get(recording(1)).unwrap(), [7; 200_000]);
    assert_eq!(store.blobs().get(recording(2)).unwrap(), b"so far");
    assert_eq!(store.blobs().get(BlobId::of(b"Parking")).unwrap(), b"Parking");
    // An op that ran before does not run again, and the passphrase is the same.
    let again = store.run(op(5), at(0), |tx| tx.put(&contact(9_999)));
    again.wait().unwrap();
    assert_eq!(store.read(|tx| tx.get::<Contact>(&contact(9_999).id)).unwrap(), None);
    let second = store.back_up(&clinic.path("second"), None, at(0), |_| {}).unwrap();
    assert_eq!(verify(&second.path, &clinic.passphrase).unwrap().summary.feed_head, 2_501);
}

/// B-17: what was sealed before a restore does not open after it, and nothing in a backup is readable.
#[test]
fn a_restored_store_takes_nothing_of_the_old_disk() {
    let clinic = Clinic::new();
    add(&clinic.store, 1);
    clinic.store.blobs().put(BlobId::of(b"Parking"), b"Parking").unwrap();
    let backup = clinic.back_up();
    let bytes = std::fs::read(&backup.path).unwrap();
    for word in ["Person", "Parking", "nnnn", "contact"] {
        assert!(!bytes.windows(word.len()).any(|window| window == word.as_bytes()), "{word}");
    }
    clinic.restore(&backup.path).unwrap();
    let store = open(&clinic.path("restored"), &clinic.path("restored.key"));
    std::fs::copy(clinic.store.blobs().path(BlobId::of(b"Parking")), store.blobs().path(BlobId::of(b"Parking")))
        .unwrap();
    assert!(matches!(store.blobs().get(BlobId::of(b"Parking")), Err(StoreError::Damaged { .. })));
}

/// R11: a backup that is made while others write holds exactly the beginning of the feed.
#[test]
fn a_backup_under_load_is_a_prefix_of_the_feed() {
    let clinic = Clinic::new();
    (1..=200).for_each(|n| add(&clinic.store, n));
    let over = AtomicBool::new(false);
    let backup = std::thread::scope(|scope| {
        for writer in 1..=4u64 {
            let (store, over) = (clinic.store.clone(), &over);
            scope.spawn(move || {
                let mut n = writer * 100_000;
                while !over.load(Ordering::SeqCst) {
                    n += 1;
                    add(&store, n);
                }
            });
        }
        let backup = clinic.back_up();
        over.store(true, Ordering::SeqCst);
        backup
    });
    let kept = backup.summary.feed_head;
    assert!((200..=clinic.store.head()).contains(&kept));
    clinic.restore(&backup.path).unwrap();
    let store = open(&clinic.path("restored"), &clinic.path("restored.key"));
    let (mut after, mut read) = (0, 0);
    while after < kept {
        let page = store.feed(after, 1_000.min(usize::try_from(kept - after).unwrap())).unwrap();
        assert_eq!(page, clinic.store.feed(after, page.len()).unwrap());
        after += page.len() as u64;
        read += page.len() as u64;
    }
    assert_eq!((read, store.head()), (kept, kept + 1));
    let people = backup.summary.rows[&Contact::TABLE.id];
    assert_eq!(people, kept, "each event has its record");
}

/// B-26: a wrong passphrase, a folder that is in use, and a newer file are refused before anything is touched.
#[test]
fn what_cannot_be_restored_is_refused_before_anything_is_touched() {
    let clinic = Clinic::new();
    add(&clinic.store, 1);
    let backup = clinic.back_up();
    let before = listed(clinic.folder.path());
    let other = Passphrase::generate().unwrap();
    let target = (clinic.path("restored"), clinic.path("restored.key"));
    assert!(matches!(restore(&backup.path, &target.0, &target.1, &other, at(9)), Err(StoreError::Keys(_))));
    assert!(matches!(verify(&backup.path, &other), Err(StoreError::Keys(_))));
    let busy = clinic.path("clinic");
    let refused = restore(&backup.path, &busy, &target.1, &clinic.passphrase, at(9));
    assert_eq!(refused, Err(StoreError::NotEmpty { path: busy }));
    let refused = restore(&backup.path, &target.0, &clinic.path("clinic.key"), &clinic.passphrase, at(9));
    assert!(matches!(refused, Err(StoreError::NotEmpty { .. })), "a key file in use");
    let text = std::fs::read(&backup.path).unwrap();
    let at_format = text.windows(10).position(|window| window == b"\"format\":1").unwrap();
    let mut changed = text;
    changed[at_format + 9] = b'9';
    std::fs::write(clinic.path("backups").join("newer.backup"), changed).unwrap();
    let refused = clinic.restore(&clinic.path("backups").join("newer.backup"));
    let said = "the backup has format 9; this program reads up to 1: install the newer program again";
    assert_eq!(refused.unwrap_err().to_string(), said);
    assert_eq!(listed(clinic.folder.path()), before);
    assert!(clinic.restore(&clinic.path("missing.backup")).unwrap_err().is_missing());
}

/// B-26: a backup of a store that a newer program had is refused in one sentence, and nothing is made of it.
#[test]
fn a_backup_of_a_newer_store_is_refused() {
    let clinic = Clinic::new();
    add(&clinic.store, 1);
    let backup = clinic.back_up();
    rewrite(&clinic, &backup.path, |_, _| true, |summary| summary.store_format = 99);
    let before = listed(clinic.folder.path());
    let said = clinic.restore(&backup.path).unwrap_err().to_string();
    let known = crate::FORMAT;
    let wanted = format!(
        "the store in the backup has format 99; this program reads up to {known}: install the newer program again"
    );
    assert_eq!(said, wanted);
    assert_eq!(listed(clinic.folder.path()), before);
}

/// OBS-14, B-26: a backup of a store of the first format, which had no audit chain, comes back as one of this format.
#[test]
fn a_backup_of_an_older_store_is_migrated_as_it_is_restored() {
    let clinic = Clinic::new();
    (1..=700).for_each(|n| add(&clinic.store, n));
    let before = clinic.store.verify_audit(&[], |_, _| {}).unwrap();
    let backup = clinic.back_up();
    let since = [schema::FORMAT.id, schema::AUDIT.id, schema::AUDIT_HEAD.id];
    rewrite(
        &clinic,
        &backup.path,
        |kind, key| kind != Kind::Row || !since.contains(&schema::table_of(key)),
        |summary| {
            (summary.store_format, summary.audit_head, summary.made_at) = (1, None, None);
            summary.rows.retain(|table, _| !since.contains(table));
        },
    );
    assert_eq!(verify(&backup.path, &clinic.passphrase).unwrap().summary.store_format, 1);
    clinic.restore(&backup.path).unwrap();
    let snapshots = listed(&clinic.path("restored")).iter().any(|path| path.ends_with("before-format-2.redb"));
    assert!(!snapshots, "the backup is the way back");
    let store = open(&clinic.path("restored"), &clinic.path("restored.key"));
    let audited = store.verify_audit(&[before.head], |_, _| {}).unwrap();
    assert_eq!((audited.entries, audited.broken), (701, None), "the chain is the one of before, and the restoring");
    assert_eq!(store.feed(700, 1).unwrap()[0].event, Event::StoreRestored { backup_at: None, feed_head: 700 });
}

/// R9: whatever is done to a backup, it is refused, and nothing is made of it.
#[test]
fn a_damaged_backup_is_refused() {
    let clinic = Clinic::new();
    (1..=300).for_each(|n| add(&clinic.store, n));
    clinic.store.blobs().put(BlobId::of(b"Parking"), b"Parking").unwrap();
    let backup = clinic.back_up();
    let whole = std::fs::read(&backup.path).unwrap();
    let before = listed(clinic.folder.path());
    let data = clinic.store.keys().data().clone();
    let head_end = 12 + u32::from_le_bytes(whole[8..12].try_into().unwrap()) as usize;
    let places = (0..200).map(|n| n * whole.len() / 200).chain([0, 8, 11, head_end, head_end + 1, whole.len() - 1]);
    for place in places {
        let mut flipped = whole.clone();
        flipped[place] ^= 1 << (place % 8);
        let mut zeroed = whole.clone();
        let end = whole.len().min(place + 4_096);
        zeroed[place..end].fill(0);
        // Zeroes over what happens to be zero change nothing.
        for changed in [flipped, zeroed, whole[..place].to_vec()].into_iter().filter(|changed| *changed != whole) {
            std::fs::write(&backup.path, changed).unwrap();
            let refused = super::restore::verify_with(&backup.path, &data);
            assert!(refused.is_err(), "{place}: {refused:?}");
        }
    }
    std::fs::write(&backup.path, [whole.as_slice(), b"x"].concat()).unwrap();
    assert!(clinic.restore(&backup.path).is_err(), "something follows");
    std::fs::write(&backup.path, &whole[..whole.len() / 2]).unwrap();
    assert!(clinic.restore(&backup.path).is_err());
    assert_eq!(listed(clinic.folder.path()), before, "nothing was made");
    std::fs::write(&backup.path, &whole).unwrap();
    assert!(clinic.restore(&backup.path).is_ok());
}

/// B-26: what the records of a backup name is in it, also when it is removed while the backup is made.
#[test]
fn a_document_that_is_removed_while_a_backup_is_made_is_whole_in_it() {
    let clinic = Clinic::new();
    let removed = add_document(&clinic.store, 1, "Parking");
    let content = BlobId::of(b"Parking");
    let path = clinic.store.blobs().path(content);
    let held = path.parent().unwrap().with_file_name("removed");
    let mut first = true;
    let remove = |_| {
        if std::mem::take(&mut first) {
            remove_document(&clinic.store, &removed);
            assert!(clinic.store.blobs().get(content).unwrap_err().is_missing(), "it is gone for everybody else");
            assert_eq!(listed(&held).len(), 1);
        }
    };
    let backup = clinic.store.back_up(&clinic.path("backups"), None, at(0), remove).unwrap();
    assert!(!first);
    assert_eq!(backup.summary.blobs, 1);
    assert!(!path.exists() && listed(&held).is_empty(), "nothing of it is left behind");
    let restored = clinic.restore(&backup.path).unwrap();
    assert_eq!(restored.missing, Missing::default());
    let store = open(&clinic.path("restored"), &clinic.path("restored.key"));
    assert_eq!(store.read(|tx| tx.get::<Document>(&removed.id)).unwrap().unwrap(), removed);
    assert_eq!(store.blobs().get(content).unwrap(), b"Parking");
}

/// B-26: a content that was lost, or has rotted, keeps nobody from a backup of the rest; its record is named each time.
#[test]
fn a_content_that_is_lost_or_rotten_is_named_and_the_rest_is_backed_up() {
    for rots in [false, true] {
        let clinic = Clinic::new();
        let lost = add_document(&clinic.store, 1, "Parking");
        add_document(&clinic.store, 2, "Opening hours");
        let path = clinic.store.blobs().path(BlobId::of(b"Parking"));
        if rots {
            flip(&path, 60);
        } else {
            std::fs::remove_file(path).unwrap();
        }
        let backup = clinic.back_up();
        assert_eq!(backup.missing, named(&[format!("the content of document {}", lost.id)]), "{rots}");
        assert_eq!(verify(&backup.path, &clinic.passphrase).unwrap().missing, backup.missing);
        assert_eq!(clinic.restore(&backup.path).unwrap().missing, backup.missing);
        let store = open(&clinic.path("restored"), &clinic.path("restored.key"));
        assert!(
            store.blobs().get(BlobId::of(b"Parking")).unwrap_err().is_missing(),
            "nobody takes a part for the whole"
        );
        assert_eq!(store.blobs().get(BlobId::of(b"Opening hours")).unwrap(), b"Opening hours");
    }
}

/// B-26: of a recording that has rotted, a backup keeps what comes before the damage, and says so in the file itself.
#[test]
fn a_recording_is_backed_up_as_far_as_it_can_be_read() {
    let clinic = Clinic::new();
    let call = CallId::new(at(1), [1; 10]);
    let sound: Vec<u8> = (0..400_000_u32).map(|n| (n % 251) as u8).collect();
    let mut writer = clinic.store.blobs().create(BlobId::Recording(call)).unwrap();
    sound.chunks(50_000).for_each(|piece| writer.append(piece).unwrap());
    writer.finish().unwrap();
    let path = clinic.store.blobs().path(BlobId::Recording(call));
    flip(&path, usize::try_from(std::fs::metadata(&path).unwrap().len()).unwrap() * 3 / 5);
    let backup = clinic.back_up();
    assert_eq!((backup.summary.blobs, backup.missing.count), (1, 1));
    assert!(backup.missing.first[0].starts_with(&format!("the end of the recording of call {call} (")));
    assert_eq!(clinic.restore(&backup.path).unwrap().missing, backup.missing);
    let store = open(&clinic.path("restored"), &clinic.path("restored.key"));
    let kept = store.blobs().get(BlobId::Recording(call)).unwrap();
    assert!(kept.len() >= 131_072 && sound.starts_with(&kept), "{} bytes", kept.len());
}

fn flip(path: &Path, place: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[place] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

fn named(first: &[String]) -> Missing {
    Missing { count: first.len() as u64, first: first.to_vec() }
}

/// B-17, B-26: a row that a damaged key hides is missed by verifying, whichever row it is that others speak of.
#[test]
fn rows_that_are_not_found_are_missed() {
    let clinic = Clinic::new();
    (1..=3).for_each(|n| add(&clinic.store, n));
    let person = Contact { numbers: vec!["+420777000111".to_owned()], ..contact(4) };
    clinic.store.run(op(4), at(0), move |tx: &mut WriteTx| tx.put(&person)).wait().unwrap();
    let backup = clinic.back_up();
    let whole = std::fs::read(&backup.path).unwrap();
    let index = schema::CONTACTS_BY_NUMBER;
    let last_contact = |key: &[u8]| key.ends_with(contact(4).id.as_bytes());
    for (table, which, said) in [
        (Contact::TABLE.id, true, "a record of the index contacts_by_number (0 of 1 are there)"),
        (index.id, true, "a row of the index contacts_by_number (0 of 1 are there)"),
        (schema::FEED.id, false, "a row of feed (2 of 3 are there)"),
        (schema::AUDIT.id, false, "a row of audit (2 of 3 are there)"),
    ] {
        std::fs::write(&backup.path, &whole).unwrap();
        let hidden = std::cell::Cell::new(false);
        let keep = |kind, key: &[u8]| {
            let is_it = kind == Kind::Row && schema::table_of(key) == table && (!which || last_contact(key));
            !is_it || hidden.replace(true)
        };
        rewrite(&clinic, &backup.path, keep, |summary| {
            *summary.rows.get_mut(&table).unwrap() -= 1;
            summary.rows.retain(|_, rows| *rows > 0);
        });
        let missing = verify(&backup.path, &clinic.passphrase).unwrap().missing;
        assert!(hidden.get() && missing.first.iter().any(|what| what == said), "{table}: {missing:?}");
    }
}

/// B-26: of a backup that lacks contents, as earlier programs could make them, verifying says so, and restoring brings the rest.
#[test]
fn contents_that_a_backup_lacks_are_named_and_the_rest_is_restored() {
    let clinic = Clinic::new();
    let lost = add_document(&clinic.store, 1, "Parking");
    add_document(&clinic.store, 2, "Opening hours");
    let backup = clinic.back_up();
    rewrite(
        &clinic,
        &backup.path,
        |kind, _| !matches!(kind, Kind::Blob | Kind::Piece | Kind::BlobEnd),
        |summary| (summary.blobs, summary.blob_bytes) = (0, 0),
    );
    assert_eq!(verify(&backup.path, &clinic.passphrase).unwrap().missing.count, 2);
    let missing = clinic.restore(&backup.path).unwrap().missing;
    assert_eq!(missing.count, 2);
    assert_eq!(missing.first[0], format!("the content of document {}", lost.id));
    let store = open(&clinic.path("restored"), &clinic.path("restored.key"));
    assert_eq!(store.read(|tx| tx.get::<Document>(&lost.id)).unwrap().unwrap(), lost);
}

#[test]
fn without_a_passphrase_there_is_no_backup() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("clinic"), &folder.path().join("clinic.key"));
    let refused = store.back_up(&folder.path().join("backups"), None, at(0), |_| {}).unwrap_err();
    assert!(refused.to_string().contains("auricle secrets generate"), "{refused}");
}

#[test]
fn what_was_cut_off_is_cleared_away_and_nothing_else() {
    let clinic = Clinic::new();
    let backups = clinic.path("backups");
    std::fs::create_dir_all(backups.join("auricle-20260101T000000Z.backup.draft.verify")).unwrap();
    std::fs::write(backups.join("auricle-20260101T000000Z.backup.draft"), b"half").unwrap();
    std::fs::write(backups.join("letter.draft"), b"somebody's").unwrap();
    let backup = clinic.back_up();
    assert_eq!(listed(&backups), [backup.path, backups.join("letter.draft")]);
}

proptest! {
    #[test]
    fn a_stream_comes_back_as_it_was_written(pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..90_000), 0..4)) {
        let key = SealKey::new(&[5; 32]);
        let mut out = Sealing::new(Vec::new(), key.clone(), b"head".to_vec());
        pieces.iter().for_each(|piece| out.write_all(piece).unwrap());
        let sealed = out.finish().unwrap();
        let mut opening = Opening::new(sealed.as_slice(), key.clone(), b"head".to_vec());
        let mut read = Vec::new();
        opening.read_to_end(&mut read).unwrap();
        prop_assert!(opening.is_over());
        prop_assert_eq!(read, pieces.concat());
        let mut other = Opening::new(sealed.as_slice(), key, b"other".to_vec());
        prop_assert!(other.read_to_end(&mut Vec::new()).is_err());
    }
}

#[test]
fn the_words_for_damage_say_that_nothing_was_changed() {
    assert!(damaged("it is short").to_string().contains("nothing was changed"));
}
