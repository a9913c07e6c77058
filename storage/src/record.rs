//! What makes a type a record: a table, a key, and the indexes that follow it.

use crate::codec::Table;
use crate::key::{self, KeyPart};
use crate::lookup::LookupKey;
use auricle_domain::id::TenantId;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::marker::PhantomData;

/// A type with a table of its own. `schema.rs` has them all.
pub trait Record: Serialize + DeserializeOwned + 'static {
    /// Its table.
    const TABLE: Table;
    /// What identifies it.
    type Key: KeyPart;
    /// Its key.
    fn key(&self) -> Self::Key;
    /// Its entries in indexes; they depend on nothing but the record.
    fn index(&self, entries: &mut Entries<'_>) {
        let _ = entries;
    }
}

/// A second order over the records of a table.
#[derive(Debug)]
pub struct Index<R> {
    pub(crate) id: u16,
    pub(crate) name: &'static str,
    pub(crate) unique: bool,
    record: PhantomData<fn() -> R>,
}

impl<R> Clone for Index<R> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<R> Copy for Index<R> {}

impl<R> Index<R> {
    /// An order in which several records may stand at the same place.
    pub(crate) const fn new(id: u16, name: &'static str) -> Self {
        Self { id, name, unique: false, record: PhantomData }
    }

    /// An order in which each place is taken once.
    pub(crate) const fn unique(id: u16, name: &'static str) -> Self {
        Self { id, name, unique: true, record: PhantomData }
    }
}

/// One row of an index.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) index: &'static str,
    pub(crate) unique: bool,
    pub(crate) key: Vec<u8>,
}

/// Collects the index entries of one record.
pub struct Entries<'a> {
    tenant: TenantId,
    lookup: &'a LookupKey,
    primary: Vec<u8>,
    entries: Vec<Entry>,
}

impl<'a> Entries<'a> {
    pub(crate) fn new(tenant: TenantId, lookup: &'a LookupKey, primary: Vec<u8>) -> Self {
        Self { tenant, lookup, primary, entries: Vec::new() }
    }

    /// Adds the record to an index under `part`.
    pub(crate) fn add<R>(&mut self, index: Index<R>, part: impl KeyPart) {
        let mut key = key::encode(&(self.tenant, index.id, part));
        if !index.unique {
            key.extend_from_slice(&self.primary);
        }
        let entry = Entry { index: index.name, unique: index.unique, key };
        // A contact may carry the same number twice; the index has it once.
        if !self.entries.contains(&entry) {
            self.entries.push(entry);
        }
    }

    /// How personal data stand in index keys.
    pub fn lookup(&self) -> &'a LookupKey {
        self.lookup
    }

    pub(crate) fn into_vec(self) -> Vec<Entry> {
        self.entries
    }
}
