//! Transactions as closures see them.

use crate::codec::{self, Table};
use crate::error::StoreError;
use crate::key::{self, KEY_BYTES_MAX, KeyPart};
use crate::kv::{KeyRange, Overlay, PAGE_ROWS_MAX, Row, Snapshot, TRANSACTION_BYTES_MAX};
use crate::lookup::LookupKey;
use crate::record::{Entries, Index, Record};
use crate::scan::{Page, Scan};
use crate::store::{Faults, Limits};
use auricle_domain::id::TenantId;
use std::cell::RefCell;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

/// What all transactions of a store share.
pub(crate) struct Shared {
    pub(crate) tenant: TenantId,
    pub(crate) lookup: LookupKey,
    pub(crate) limits: Limits,
    pub(crate) faults: Faults,
}

/// What a transaction has read: the base of its decisions.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Single keys.
    pub(crate) keys: Vec<Vec<u8>>,
    /// Stretches of keys, as far as they were really looked at.
    pub(crate) ranges: Vec<KeyRange>,
}

/// A consistent view of the store. It must be dropped within 4 s; later reads fail.
pub struct ReadTx {
    base: Rc<dyn Snapshot>,
    group: Option<Rc<RefCell<Overlay>>>,
    own: RefCell<Overlay>,
    seen: RefCell<Seen>,
    began: Instant,
    shared: Arc<Shared>,
}

/// A transaction that writes. It reads like a [`ReadTx`], and sees what it has written itself.
pub struct WriteTx {
    read: ReadTx,
    pub(crate) drafts: Vec<crate::log::EventDraft>,
    pub(crate) head: Option<u64>,
}

impl Deref for WriteTx {
    type Target = ReadTx;
    fn deref(&self) -> &ReadTx {
        &self.read
    }
}

impl ReadTx {
    pub(crate) fn new(base: Rc<dyn Snapshot>, group: Option<Rc<RefCell<Overlay>>>, shared: Arc<Shared>) -> Self {
        Self { base, group, own: RefCell::default(), seen: RefCell::default(), began: Instant::now(), shared }
    }

    /// The clinic whose records these are.
    pub fn tenant(&self) -> TenantId {
        self.shared.tenant
    }

    /// The record with this key.
    ///
    /// # Errors
    /// When the store fails, or the transaction has been open for too long.
    pub fn get<R: Record>(&self, key: &R::Key) -> Result<Option<R>, StoreError> {
        let key = self.key_of(R::TABLE, key);
        self.raw_get(&key)?.map(|bytes| codec::decode(R::TABLE, &bytes)).transpose()
    }

    /// One page of records, in the order of their key or of an index.
    ///
    /// # Errors
    /// When the store fails, or the transaction has been open for too long.
    pub fn scan<R: Record>(&self, scan: Scan<R>) -> Result<Page<R>, StoreError> {
        scan.run(self)
    }

    /// The first record under `part` of an index; for a unique index, the only one.
    ///
    /// # Errors
    /// When the store fails, or the transaction has been open for too long.
    pub fn find<R: Record>(&self, index: Index<R>, part: impl KeyPart) -> Result<Option<R>, StoreError> {
        Ok(self.scan(Scan::index(index).prefix(part).limit(1))?.items.into_iter().next())
    }

    /// How personal data stand in index keys: as HMACs under the store's own key.
    pub fn lookup(&self) -> &LookupKey {
        &self.shared.lookup
    }

    /// `tenant | table | part`.
    pub(crate) fn key_of(&self, table: Table, part: &impl KeyPart) -> Vec<u8> {
        key::encode(&(self.shared.tenant, table.id, part))
    }

    /// The value of a whole key.
    pub(crate) fn raw_get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.in_time()?;
        if let Some(value) = self.own.borrow().get(key) {
            return Ok(value.map(<[u8]>::to_vec));
        }
        self.seen.borrow_mut().keys.push(key.to_vec());
        if let Some(group) = &self.group
            && let Some(value) = group.borrow().get(key)
        {
            return Ok(value.map(<[u8]>::to_vec));
        }
        self.base.get(key)
    }

    /// Up to `limit` rows of a range, own writes included.
    pub(crate) fn raw_range(&self, range: &KeyRange, reverse: bool, limit: usize) -> Result<Vec<Row>, StoreError> {
        let limit = limit.min(PAGE_ROWS_MAX);
        let rows = self.peek_range(range, reverse, limit)?;
        self.note_range(range, reverse, limit, &rows);
        Ok(rows)
    }

    /// The same, without making the transaction depend on what it finds.
    pub(crate) fn peek_range(&self, range: &KeyRange, reverse: bool, limit: usize) -> Result<Vec<Row>, StoreError> {
        self.in_time()?;
        if range.is_empty() || limit == 0 {
            return Ok(Vec::new());
        }
        let mut written = Overlay::default();
        if let Some(group) = &self.group {
            for (key, value) in group.borrow().range(range) {
                written.set(key.clone(), value.clone());
            }
        }
        for (key, value) in self.own.borrow().range(range) {
            written.set(key.clone(), value.clone());
        }
        // Every written row hides at most one row of the base, so this many are enough.
        let hidden = written.range(range).count();
        let base = self.base.range(range, reverse, limit + hidden)?;
        Ok(if hidden == 0 { base } else { merge(base, written, reverse, limit) })
    }

    /// Remembers as much of a range as was looked at: to its end, or to the last row when the limit was reached.
    fn note_range(&self, range: &KeyRange, reverse: bool, limit: usize, rows: &[Row]) {
        if range.is_empty() {
            return;
        }
        let mut looked_at = range.clone();
        if let (true, Some((last, _))) = (rows.len() >= limit, rows.last()) {
            if reverse {
                looked_at.start.clone_from(last);
            } else {
                let mut end = last.clone();
                end.push(0);
                looked_at.end = Some(end);
            }
        }
        self.seen.borrow_mut().ranges.push(looked_at);
    }

    fn in_time(&self) -> Result<(), StoreError> {
        let elapsed = self.began.elapsed();
        let max = self.shared.limits.transaction_ms_max;
        let elapsed_ms = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
        if elapsed_ms > max {
            return Err(StoreError::TransactionTooSlow { elapsed_ms, max_ms: max });
        }
        Ok(())
    }
}

/// Lays written rows over a page of the base that is long enough.
fn merge(base: Vec<Row>, written: Overlay, reverse: bool, limit: usize) -> Vec<Row> {
    let mut all: std::collections::BTreeMap<Vec<u8>, Option<Vec<u8>>> =
        base.into_iter().map(|(key, value)| (key, Some(value))).collect();
    all.extend(written.into_rows());
    let live = all.into_iter().filter_map(|(key, value)| Some((key, value?)));
    if reverse {
        let mut rows: Vec<Row> = live.collect();
        rows.reverse();
        rows.truncate(limit);
        rows
    } else {
        live.take(limit).collect()
    }
}

impl WriteTx {
    pub(crate) fn new(base: Rc<dyn Snapshot>, group: Option<Rc<RefCell<Overlay>>>, shared: Arc<Shared>) -> Self {
        Self { read: ReadTx::new(base, group, shared), drafts: Vec::new(), head: None }
    }

    pub(crate) fn into_parts(self) -> (Overlay, Seen, Option<u64>) {
        (self.read.own.into_inner(), self.read.seen.into_inner(), self.head)
    }

    /// Writes a record and brings its indexes up to date.
    ///
    /// # Errors
    /// [`StoreError::Duplicate`] when a unique index has the value already, [`StoreError::ValueTooLong`],
    /// [`StoreError::TransactionTooBig`]; or when the store fails.
    pub fn put<R: Record>(&mut self, record: &R) -> Result<(), StoreError> {
        let key = self.key_of(R::TABLE, &record.key());
        let bytes = codec::encode(R::TABLE, record)?;
        let old = match self.raw_get(&key)? {
            Some(bytes) => self.entries_of(&codec::decode::<R>(R::TABLE, &bytes)?),
            None => Vec::new(),
        };
        let new = self.entries_of(record);
        let primary = key::encode(&record.key());
        for entry in &new {
            if entry.unique && self.raw_get(&entry.key)?.is_some_and(|owner| owner != primary) {
                return Err(StoreError::Duplicate { index: entry.index });
            }
        }
        self.raw_set(R::TABLE.name, key, Some(bytes))?;
        for entry in old.iter().filter(|entry| !new.contains(entry)) {
            self.raw_set(entry.index, entry.key.clone(), None)?;
        }
        for entry in new.into_iter().filter(|entry| !old.contains(entry)) {
            self.raw_set(entry.index, entry.key, Some(primary.clone()))?;
        }
        Ok(())
    }

    /// Removes a record and its index entries. False when there was none.
    ///
    /// # Errors
    /// When the store fails, or the transaction has grown too big.
    pub fn delete<R: Record>(&mut self, key: &R::Key) -> Result<bool, StoreError> {
        let key = self.key_of(R::TABLE, key);
        let Some(bytes) = self.raw_get(&key)? else { return Ok(false) };
        for entry in self.entries_of(&codec::decode::<R>(R::TABLE, &bytes)?) {
            self.raw_set(entry.index, entry.key, None)?;
        }
        self.raw_set(R::TABLE.name, key, None)?;
        Ok(true)
    }

    fn entries_of<R: Record>(&self, record: &R) -> Vec<crate::record::Entry> {
        let mut entries = Entries::new(self.tenant(), self.lookup(), key::encode(&record.key()));
        record.index(&mut entries);
        entries.into_vec()
    }

    /// Writes or deletes the row of a whole key, within the limits of a transaction.
    pub(crate) fn raw_set(
        &mut self,
        table: &'static str,
        key: Vec<u8>,
        value: Option<Vec<u8>>,
    ) -> Result<(), StoreError> {
        self.in_time()?;
        if key.len() > KEY_BYTES_MAX {
            return Err(StoreError::KeyTooLong { table, bytes: key.len(), max: KEY_BYTES_MAX });
        }
        let own = self.read.own.get_mut();
        if own.bytes() + key.len() + value.as_ref().map_or(0, Vec::len) > TRANSACTION_BYTES_MAX {
            return Err(StoreError::TransactionTooBig { max: TRANSACTION_BYTES_MAX });
        }
        own.set(key, value);
        Ok(())
    }
}
