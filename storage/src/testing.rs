//! A narrow way in for the harnesses under `tests/torture`; compiled with the feature `testing` alone.

use crate::commit::{self, OpId, Record};
use crate::error::StoreError;
use crate::kv::redb::RedbKv;
use crate::kv::{KeyRange, PAGE_ROWS_MAX};
use crate::seal::SEAL_BYTES;
use crate::store::{Hooks, Store, StoreOptions};
use crate::tx::ReadTx;
use auricle_domain::Timestamp;
use redb::StorageBackend;
use std::collections::BTreeMap;

/// Opens a store whose records lie on a disk of the test's own, the rest in the directory of `options`.
///
/// # Errors
/// As [`Store::open`].
pub fn open_on(options: StoreOptions, hooks: Hooks, disk: impl StorageBackend) -> Result<Store, StoreError> {
    Store::open_from(options, hooks, |_, opening| RedbKv::on(disk, opening))
}

/// Whether an op has been recorded, that is, would not run again at `now`.
///
/// # Errors
/// When the store fails.
pub fn is_recorded(tx: &ReadTx, op: OpId, now: Timestamp) -> Result<bool, StoreError> {
    commit::recorded(tx, Record { op, now }).map(|reply| reply.is_some())
}

/// Bytes of all rows as they are sealed, keys included: what the file holds without its pages' own structure and room to grow.
///
/// # Errors
/// When the store fails.
pub fn sealed_bytes(store: &Store) -> Result<u64, StoreError> {
    let mut bytes = 0;
    let mut range = KeyRange { start: Vec::new(), end: None };
    loop {
        // A read of its own for each page: all of them may take longer than one may.
        let rows = store.read(|tx| tx.peek_range(&range, false, PAGE_ROWS_MAX))?;
        bytes += rows.iter().map(|(key, value)| (key.len() + value.len() + SEAL_BYTES) as u64).sum::<u64>();
        let Some((mut last, _)) = rows.into_iter().next_back() else { return Ok(bytes) };
        last.push(0);
        range.start = last;
    }
}

/// How many rows each table and each index has, by their numbers in `schema.rs`.
///
/// # Errors
/// When the store fails.
pub fn rows_by_table(tx: &ReadTx) -> Result<BTreeMap<u16, u64>, StoreError> {
    let mut counts = BTreeMap::new();
    let mut range = KeyRange { start: Vec::new(), end: None };
    loop {
        let rows = tx.peek_range(&range, false, PAGE_ROWS_MAX)?;
        for (key, _) in &rows {
            // `tenant (16 bytes) | table or index (2 bytes) | parts`; no key is shorter.
            if let Some(&[high, low]) = key.get(16..18) {
                *counts.entry(u16::from_be_bytes([high, low])).or_default() += 1;
            }
        }
        let Some((mut last, _)) = rows.into_iter().next_back() else { return Ok(counts) };
        last.push(0);
        range.start = last;
    }
}
