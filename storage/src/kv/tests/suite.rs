//! One suite, instantiated for both backends.

use crate::schema::*;
use crate::*;
use auricle_domain::Timestamp;
use auricle_domain::account::Actor;
use auricle_domain::code::*;
use auricle_domain::contact::Contact;
use auricle_domain::event::Event;
use auricle_domain::id::*;

/// A store in a directory that is removed with it.
pub(super) struct Opened {
    pub(super) store: Store,
    pub(super) directory: tempfile::TempDir,
}

pub(super) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

pub(super) fn id(n: u8) -> [u8; 10] {
    [n; 10]
}

pub(super) fn op(n: u64) -> OpId {
    OpId::derive("test", &[&n.to_be_bytes()])
}

pub(super) fn open(backend: Backend) -> Opened {
    let directory = tempfile::tempdir().unwrap();
    let tenant = TenantId::new(at(0), id(1));
    let store = Store::open(StoreOptions { directory: directory.path().to_owned(), backend, tenant }).unwrap();
    Opened { store, directory }
}

pub(super) fn contact(n: u8, numbers: &[&str]) -> Contact {
    Contact {
        id: ContactId::new(at(i64::from(n)), id(n)),
        name: format!("Person {n}"),
        numbers: numbers.iter().map(|number| (*number).to_owned()).collect(),
        emails: vec![],
        language: None,
        notes: String::new(),
        created_at: at(i64::from(n)),
        version: 1,
    }
}

fn draft(n: u8) -> EventDraft {
    let event = Event::ContactChanged { contact: ContactId::new(at(0), id(n)) };
    EventDraft { at: at(0), actor: Actor::System, cause: CauseId::new(at(0), id(9)), event }
}

fn put(store: &Store, n: u64, record: Contact) {
    store.run(op(n), at(0), move |tx| tx.put(&record)).wait().unwrap();
}

fn a_record_is_found_by_key_and_by_index_until_it_is_deleted(Opened { store, .. }: Opened) {
    put(&store, 1, contact(1, &["+420 111", "+420 222"]));
    put(&store, 2, contact(1, &["+420 222", "+420 333"]));
    let by = |number: &'static str| {
        store.read(|tx| tx.find(CONTACTS_BY_NUMBER, tx.lookup().number(number))).map_err(|e: StoreError| e).unwrap()
    };
    assert_eq!(by("+420111"), None);
    assert_eq!(by("+420333"), Some(contact(1, &["+420 222", "+420 333"])));
    let key = contact(1, &[]).id;
    assert!(store.run(op(3), at(0), move |tx| tx.delete::<Contact>(&key)).wait().unwrap());
    assert_eq!(by("+420333"), None);
    assert_eq!(store.read(|tx| tx.get::<Contact>(&key)), Ok(None));
}

fn pages_follow_each_other_in_both_directions(Opened { store, .. }: Opened) {
    for n in 1..=7 {
        put(&store, u64::from(n), contact(n, &[]));
    }
    for newest_first in [false, true] {
        let mut names = Vec::new();
        let mut after = None;
        loop {
            let mut scan = Scan::<Contact>::table().limit(3).after(after);
            if newest_first {
                scan = scan.newest_first();
            }
            let page = store.read(|tx| tx.scan(scan)).unwrap();
            assert!(page.items.len() <= 3);
            names.extend(page.items.iter().map(|contact| contact.name.clone()));
            match page.next {
                // A cursor survives its way through a URL.
                Some(next) => after = Some(next.to_string().parse().unwrap()),
                None => break,
            }
        }
        let mut expected: Vec<String> = (1..=7).map(|n| format!("Person {n}")).collect();
        if newest_first {
            expected.reverse();
        }
        assert_eq!(names, expected);
    }
}

fn the_feed_is_numbered_without_holes_whoever_appends(Opened { store, .. }: Opened) {
    let threads: Vec<_> = (0..8u64)
        .map(|thread| {
            let store = store.clone();
            std::thread::spawn(move || {
                for n in 0..25 {
                    let fails = n % 5 == 4;
                    let outcome = store
                        .run(op(thread * 1_000 + n), at(0), move |tx| {
                            tx.append(draft(1));
                            tx.append(draft(2));
                            if fails { Err(StoreError::BadCursor) } else { Ok(()) }
                        })
                        .wait();
                    assert_eq!(outcome.is_err(), fails);
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let feed = store.feed(0, 1_000).unwrap();
    assert_eq!(store.head(), 8 * 20 * 2);
    assert_eq!(feed.iter().map(|envelope| envelope.seq).collect::<Vec<_>>(), (1..=320).collect::<Vec<_>>());
    assert_eq!(store.feed(318, 1_000).unwrap().len(), 2);
    assert_eq!(store.feed(u64::MAX, 1_000), Ok(vec![]));
}

macro_rules! for_both_backends {
    ($($test:ident),+ $(,)?) => {
        mod redb { $(#[test] fn $test() { super::$test(super::open(crate::Backend::Redb)); })+ }
        mod memory { $(#[test] fn $test() { super::$test(super::open(crate::Backend::Memory)); })+ }
    };
}
for_both_backends!(
    a_record_is_found_by_key_and_by_index_until_it_is_deleted,
    pages_follow_each_other_in_both_directions,
    the_feed_is_numbered_without_holes_whoever_appends,
);
