//! A clinic's folder with every kind of file that can rot, and what may be found in each of them.

use crate::model::{Op, open};
use crate::mutate::{ENTITIES, Outcome, VERSIONS, check_store, speaks};
use auricle_domain::Timestamp;
use auricle_domain::id::CallId;
use auricle_storage::search::{SearchChange, SearchDocument, SearchKind, SearchQuery};
use auricle_storage::{BlobId, Hooks, Passphrase, Search, Store, StoreError, Verified, set_passphrase, verify_backup};
use std::io::Read;
use std::path::{Path, PathBuf};

const STORE: &str = "clinic";
const INDEX: &str = "index";
const BACKUPS: &str = "backups";
const PASSPHRASE: &str = "passphrase";
/// Bytes of the recording: several frames.
const AUDIO_BYTES: usize = 200_000;

fn recording() -> BlobId {
    BlobId::Recording(CallId::new(Timestamp::UNIX_EPOCH, [5; 10]))
}

fn audio() -> Vec<u8> {
    (0..AUDIO_BYTES).map(|at| (at * 31 % 251) as u8).collect()
}

fn content() -> Vec<u8> {
    b"Parking is behind the house. ".repeat(500)
}

/// A document of the index. All have two words in common.
fn document(n: u32) -> SearchDocument {
    SearchDocument {
        kind: SearchKind::Contact,
        id: n.to_string(),
        parent: None,
        call: None,
        at: Timestamp::UNIX_EPOCH,
        start_ms: None,
        title: format!("Person {n}"),
        text: format!("prefers mornings, says number{n}"),
        language: None,
        outcome: None,
        agent: None,
        channel: None,
    }
}

/// Makes the clinic whose copies are damaged.
pub fn write(root: &Path) {
    let directory = root.join(STORE);
    crate::reserve_nothing(&directory);
    let passphrase = set_passphrase(&directory, &directory.join("store.key")).unwrap();
    std::fs::write(root.join(PASSPHRASE), passphrase.to_text().as_bytes()).unwrap();
    let store = open(&directory, Hooks::default()).unwrap();
    for version in 1..=VERSIONS {
        let commits: Vec<_> = (0..ENTITIES).map(|entity| Op { entity, version }.submit(&store, || {})).collect();
        for commit in commits {
            commit.wait().unwrap();
        }
    }
    let mut writer = store.blobs().create(recording()).unwrap();
    writer.append(&audio()).unwrap();
    writer.finish().unwrap();
    store.blobs().put(BlobId::of(&content()), &content()).unwrap();
    let search = Search::open(&root.join(INDEX), &store.search_key()).unwrap();
    search.apply((0..ENTITIES).map(|n| SearchChange::Put(Box::new(document(n)))).collect(), 1).unwrap();
    store.back_up(&root.join(BACKUPS), None, Timestamp::UNIX_EPOCH, |_| {}).unwrap();
}

fn files_in(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() > 0))
        .collect();
    files.sort();
    files
}

/// The file that a seed damages: most often the records.
pub fn victim(root: &Path, seed: u64) -> PathBuf {
    let blobs = root.join(STORE).join("blobs");
    let number = usize::try_from(seed / 10).expect("a 64-bit machine");
    match seed % 10 {
        0..=5 => root.join(STORE).join("store.redb"),
        6 => files_in(&blobs.join("recordings"))[0].clone(),
        7 if number.is_multiple_of(2) => files_in(&blobs.join("contents"))[0].clone(),
        7 => root.join(STORE).join("keys.json"),
        8 => {
            let files = files_in(&root.join(INDEX));
            files[number % files.len()].clone()
        }
        _ => files_in(&root.join(BACKUPS))[0].clone(),
    }
}

/// Uses the clinic whose file `victim` is damaged.
pub fn check(root: &Path, victim: &Path) -> Result<Outcome, String> {
    let inside = |part: &str| victim.starts_with(root.join(part));
    if inside(BACKUPS) {
        return check_backup(root, victim);
    }
    if victim.extension().is_some_and(|extension| extension == "redb" || extension == "json") && inside(STORE) {
        return check_store(&root.join(STORE));
    }
    let store = open(&root.join(STORE), Hooks::default()).map_err(|error| format!("it does not open: {error}"))?;
    if inside(INDEX) { check_index(root, &store) } else { check_blobs(&store) }
}

/// As a player reads it: what came before an error counts as well.
fn play(store: &Store, id: BlobId) -> (Vec<u8>, Result<(), StoreError>) {
    let mut heard = Vec::new();
    let outcome = store.blobs().open(id).and_then(|mut reader| match reader.read_to_end(&mut heard) {
        Ok(_) => Ok(()),
        Err(error) => Err(error.downcast::<StoreError>().unwrap()),
    });
    (heard, outcome)
}

/// A recording may be cut off where it was: then it is shorter, like that of a call that was on when the power went.
fn check_blobs(store: &Store) -> Result<Outcome, String> {
    let mut outcome = Outcome::Whole;
    match store.blobs().get(BlobId::of(&content())) {
        Ok(found) if found == content() => {}
        Ok(found) => return Err(format!("WRONG: {} other bytes as a document", found.len())),
        Err(error) => {
            speaks(&error)?;
            outcome = Outcome::Errors;
        }
    }
    let (heard, ended) = play(store, recording());
    if !audio().starts_with(&heard) {
        return Err(format!("WRONG: {} other bytes as a recording", heard.len()));
    }
    match ended {
        Ok(()) if heard.len() < AUDIO_BYTES => outcome = Outcome::Shorter,
        Ok(()) => {}
        Err(error) => {
            speaks(&error)?;
            outcome = Outcome::Errors;
        }
    }
    Ok(outcome)
}

/// The index is derived: it may be built again from nothing, and must never find what was not put into it.
fn check_index(root: &Path, store: &Store) -> Result<Outcome, String> {
    let search = Search::open(&root.join(INDEX), &store.search_key()).map_err(|error| error.to_string())?;
    let query = SearchQuery { text: "prefers mornings".to_owned(), limit: 100, ..SearchQuery::default() };
    let Ok(page) = search.query(&query) else { return Ok(Outcome::Errors) };
    for hit in &page.hits {
        let known = (0..ENTITIES).map(document).any(|document| document.id == hit.id && document.title == hit.title);
        if !known {
            return Err(format!("WRONG: the index found {} with the title {}", hit.id, hit.title));
        }
    }
    match page.hits.len() {
        all if all == ENTITIES as usize => Ok(Outcome::Whole),
        // What it lacks it says itself: it has taken in less than there is.
        0 if search.cursor() == 0 => Ok(Outcome::Refused),
        some => Err(format!("the index found {some} of {ENTITIES} and says that it has taken in all")),
    }
}

fn check_backup(root: &Path, backup: &Path) -> Result<Outcome, String> {
    let passphrase = Passphrase::parse(&std::fs::read_to_string(root.join(PASSPHRASE)).unwrap()).unwrap();
    let pristine = open(&root.join(STORE), Hooks::default()).map_err(|error| error.to_string())?.head();
    match verify_backup(backup, &passphrase) {
        Ok(Verified { summary, missing }) if summary.feed_head == pristine && missing.count == 0 => Ok(Outcome::Whole),
        Ok(verified) => Err(format!("WRONG: the backup says that it is good, and holds {verified:?}")),
        Err(_) => Ok(Outcome::Refused),
    }
}
