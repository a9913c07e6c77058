//! Ordered keys and transactions: what a backend is, and what all backends share.
//!
//! A backend gives snapshots and runs jobs. A job is a closure with its caller waiting behind it; the backend
//! decides when it runs and with whom it shares a commit. While it runs, its writes lie in an [`Overlay`] of its
//! own over a snapshot, so that a failure leaves no trace and running it again costs nothing.

mod damage;
pub(crate) mod memory;
pub(crate) mod redb;
#[cfg(test)]
pub(crate) mod tests;

use crate::error::StoreError;
use crate::tx::{Seen, Shared, WriteTx};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::rc::Rc;
use std::sync::Arc;

/// Rows of one page of a scan, at most.
pub const PAGE_ROWS_MAX: usize = 1_000;
/// Bytes a transaction may write, keys and values together.
pub const TRANSACTION_BYTES_MAX: usize = 1_000_000;

/// A key and its value.
pub(crate) type Row = (Vec<u8>, Vec<u8>);

/// A range of keys: from the first, up to but without the second (none: to the end).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct KeyRange {
    /// First key of the range.
    pub(crate) start: Vec<u8>,
    /// First key after the range.
    pub(crate) end: Option<Vec<u8>>,
}

impl KeyRange {
    /// Whether no key can lie in it; such a range must not reach a B-tree, which would panic.
    pub(crate) fn is_empty(&self) -> bool {
        self.end.as_ref().is_some_and(|end| *end <= self.start)
    }

    /// The range as a pair of bounds.
    pub(crate) fn bounds(&self) -> (Bound<&[u8]>, Bound<&[u8]>) {
        let end = self.end.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        (Bound::Included(self.start.as_slice()), end)
    }
}

/// The whole store at one instant.
pub(crate) trait Snapshot {
    /// The value of a key.
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;
    /// Up to `limit` rows of a range that is not empty, from its start or, `reverse`, from its end.
    fn range(&self, range: &KeyRange, reverse: bool, limit: usize) -> Result<Vec<Row>, StoreError>;
}

/// A backend: ordered keys and transactions. All of them pass the same tests.
pub(crate) trait Kv: Send + Sync {
    /// The store as last committed.
    fn snapshot(&self) -> Result<Rc<dyn Snapshot>, StoreError>;
    /// Runs a job at some time soon, and settles it when its fate is certain.
    fn submit(&self, job: Box<dyn Job>);
}

/// A closure and the caller who waits for it. It may be prepared any number of times and is settled once.
pub(crate) trait Job: Send {
    /// Runs the closure. True when its writes are to be kept; its reply waits inside until it is settled.
    fn prepare(&mut self, tx: &mut WriteTx) -> bool;
    /// Replaces the reply by an error.
    fn spoil(&mut self, error: StoreError);
    /// Whether its op id is written with it, so that it can be asked again after a lost reply.
    fn is_recorded(&self) -> bool;
    /// Answers the caller: with the reply when its writes are durable, with the error otherwise.
    fn settle(self: Box<Self>, committed: Result<(), StoreError>);
}

/// Writes that are not committed yet; none is a deletion.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Overlay {
    rows: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    bytes: usize,
}

impl Overlay {
    /// The value written for a key: none when it was not touched, `Some(None)` when it was deleted.
    pub(crate) fn get(&self, key: &[u8]) -> Option<Option<&[u8]>> {
        self.rows.get(key).map(Option::as_deref)
    }

    /// Writes or deletes (`None`).
    pub(crate) fn set(&mut self, key: Vec<u8>, value: Option<Vec<u8>>) {
        self.bytes += key.len() + value.as_ref().map_or(0, Vec::len);
        self.rows.insert(key, value);
    }

    /// Bytes written so far, rewritten rows counted each time.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether nothing was written.
    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Lays the writes of another over these.
    pub(crate) fn absorb(&mut self, later: Overlay) {
        self.bytes += later.bytes;
        self.rows.extend(later.rows);
    }

    /// The writes within a range, in key order.
    pub(crate) fn range(&self, range: &KeyRange) -> impl Iterator<Item = (&Vec<u8>, &Option<Vec<u8>>)> {
        self.rows.range::<[u8], _>(range.bounds())
    }

    /// All writes, in key order.
    pub(crate) fn into_rows(self) -> impl Iterator<Item = (Vec<u8>, Option<Vec<u8>>)> {
        self.rows.into_iter()
    }
}

/// What came of preparing a job.
pub(crate) struct Prepared {
    /// The writes to commit; none when the closure failed.
    pub(crate) writes: Option<Overlay>,
    /// What the closure read, where the backend asked to know.
    pub(crate) seen: Seen,
    /// Number of the last event in the feed with these writes; none when they append none.
    pub(crate) head: Option<u64>,
}

/// Runs a job over a snapshot and the writes of the group so far. In test mode it runs twice, and the two runs
/// must write the same.
pub(crate) fn prepare(
    job: &mut dyn Job,
    base: &Rc<dyn Snapshot>,
    group: Option<&Rc<RefCell<Overlay>>>,
    shared: &Arc<Shared>,
) -> Prepared {
    let run = |job: &mut dyn Job| {
        let mut tx = WriteTx::new(Rc::clone(base), group.map(Rc::clone), Arc::clone(shared));
        let keep = job.prepare(&mut tx);
        let (writes, seen, head) = tx.into_parts();
        Prepared { writes: keep.then_some(writes), seen, head: if keep { head } else { None } }
    };
    if !shared.faults.run_twice {
        return run(job);
    }
    let first = run(job);
    let second = run(job);
    if first.writes == second.writes {
        return second;
    }
    job.spoil(StoreError::Impure);
    Prepared { writes: None, seen: second.seen, head: None }
}
