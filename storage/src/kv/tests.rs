//! The tests that every backend passes, and those of what only one of them has.
#![allow(clippy::unwrap_used)]

mod disk;
mod faults;
mod model;
mod records;
mod suite;

use crate::{Backend, EventDraft, KeySource, OpId, Store, StoreError, StoreOptions, WriteTx};
use auricle_domain::Timestamp;
use auricle_domain::account::{Account, Actor};
use auricle_domain::code::{AccountState, Lang, Role};
use auricle_domain::contact::Contact;
use auricle_domain::event::Event;
use auricle_domain::id::{AccountId, CauseId, ContactId, TenantId};

/// A store in a directory that is removed with it.
pub(crate) struct Opened {
    pub(crate) store: Store,
    pub(crate) directory: tempfile::TempDir,
}

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

pub(crate) fn id(n: u8) -> [u8; 10] {
    [n; 10]
}

pub(crate) fn op(n: u64) -> OpId {
    OpId::derive("test", &[&n.to_be_bytes()])
}

pub(super) fn options(directory: &std::path::Path, backend: Backend) -> StoreOptions {
    StoreOptions {
        directory: directory.to_owned(),
        backend,
        keys: KeySource::File(directory.join("store.key")),
        tenant: TenantId::new(at(0), id(1)),
    }
}

pub(crate) fn open(backend: Backend) -> Opened {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(options(directory.path(), backend)).unwrap();
    Opened { store, directory }
}

fn contact(n: u8, numbers: &[&str]) -> Contact {
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

fn account(n: u8, email: &str) -> Account {
    Account {
        id: AccountId::new(at(i64::from(n)), id(n)),
        email: email.to_owned(),
        name: format!("Person {n}"),
        role: Role::Agent,
        language: Lang::En,
        state: AccountState::Active,
        password_hash: String::new(),
        failures: 0,
        locked_until: None,
        created_at: at(i64::from(n)),
        version: 1,
    }
}

pub(crate) fn draft(n: u8) -> EventDraft {
    let event = Event::ContactChanged { contact: ContactId::new(at(0), id(n)) };
    EventDraft { at: at(0), actor: Actor::System, cause: CauseId::new(at(0), id(9)), event }
}

fn put(store: &Store, n: u64, record: Contact) {
    store.run(op(n), at(0), move |tx| tx.put(&record)).wait().unwrap();
}

fn append_one(tx: &mut WriteTx) -> Result<(), StoreError> {
    tx.append(draft(1));
    Ok(())
}
