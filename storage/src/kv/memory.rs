//! The backend that forgets: ordered rows in memory, with optimistic transactions.
//!
//! A closure runs on its caller's thread over a snapshot, side by side with others. At its end the store checks
//! that nothing it has read was changed meanwhile; otherwise it runs again. This is how a remote database would
//! treat it, so a closure that decides on anything but what it reads through its transaction fails here.

use super::{Job, KeyRange, Kv, Overlay, Prepared, Row, Snapshot, prepare};
use crate::error::StoreError;
use crate::store::{Faults, Publisher};
use crate::tx::{Seen, Shared};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Attempts before a closure is given up. Whenever one loses, another has won, so this needs a hot row and
/// very many writers.
const ATTEMPTS_MAX: u32 = 1_000;

/// Versions of one row, oldest first; none is a deletion.
type Versions = Vec<(u64, Option<Vec<u8>>)>;

#[derive(Default)]
struct Rows {
    rows: BTreeMap<Vec<u8>, Versions>,
    version: u64,
    /// Versions that snapshots still look at, with their number of snapshots.
    held: BTreeMap<u64, usize>,
}

/// The memory backend.
pub(crate) struct MemoryKv {
    rows: Arc<Mutex<Rows>>,
    shared: Arc<Shared>,
    publisher: Publisher,
    jobs: AtomicU64,
}

struct MemorySnapshot {
    rows: Arc<Mutex<Rows>>,
    version: u64,
}

fn lock(rows: &Mutex<Rows>) -> MutexGuard<'_, Rows> {
    // Nothing panics while it holds this lock.
    rows.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The value at a version.
fn at(versions: &Versions, version: u64) -> Option<&Vec<u8>> {
    versions.iter().rev().find(|(written, _)| *written <= version)?.1.as_ref()
}

impl MemoryKv {
    pub(crate) fn new(shared: Arc<Shared>, publisher: Publisher) -> Self {
        Self { rows: Arc::default(), shared, publisher, jobs: AtomicU64::new(0) }
    }

    fn hold(&self) -> MemorySnapshot {
        let mut rows = lock(&self.rows);
        let version = rows.version;
        *rows.held.entry(version).or_default() += 1;
        MemorySnapshot { rows: Arc::clone(&self.rows), version }
    }

    /// Writes what a closure wrote over snapshot `base`. False when something it has seen was changed since.
    fn commit(&self, base: u64, seen: &Seen, writes: Overlay) -> bool {
        let mut rows = lock(&self.rows);
        let changed = |versions: &Versions| versions.last().is_some_and(|(written, _)| *written > base);
        let stale = seen.keys.iter().any(|key| rows.rows.get(key).is_some_and(changed))
            || seen.ranges.iter().any(|range| rows.rows.range::<[u8], _>(range.bounds()).any(|(_, row)| changed(row)));
        if stale {
            return false;
        }
        rows.version += 1;
        let version = rows.version;
        let oldest = rows.held.keys().next().copied().unwrap_or(version);
        for (key, value) in writes.into_rows() {
            let versions = rows.rows.entry(key).or_default();
            versions.push((version, value));
            // Keep one version that the oldest snapshot can see, and everything after it.
            let seen = versions.iter().rposition(|(written, _)| *written <= oldest).unwrap_or(0);
            versions.drain(..seen);
        }
        true
    }

    fn attempt(&self, job: &mut dyn Job) -> (u64, Prepared) {
        let snapshot = self.hold();
        let version = snapshot.version;
        let base: Rc<dyn Snapshot> = Rc::new(snapshot);
        (version, prepare(job, &base, None, &self.shared))
    }

    /// Runs a job until it has committed or failed by itself.
    fn run(&self, job: &mut dyn Job) -> Result<(), StoreError> {
        let number = self.jobs.fetch_add(1, Ordering::Relaxed);
        let hits = |every: u64| Faults::hits(every, number);
        for attempt in 0..ATTEMPTS_MAX {
            let (base, Prepared { writes, seen, head }) = self.attempt(job);
            let Some(writes) = writes else { return Ok(()) };
            if attempt == 0 && hits(self.shared.faults.conflict_every) {
                continue;
            }
            if !self.commit(base, &seen, writes) {
                continue;
            }
            if let Some(head) = head {
                self.publisher.publish(head);
            }
            if hits(self.shared.faults.lost_reply_every) && job.is_recorded() {
                // Committed, and nobody was told: asking again must find the reply and write nothing.
                self.attempt(job);
            }
            return Ok(());
        }
        Err(StoreError::Conflict { attempts: ATTEMPTS_MAX })
    }
}

impl Kv for MemoryKv {
    fn snapshot(&self) -> Result<Rc<dyn Snapshot>, StoreError> {
        Ok(Rc::new(self.hold()))
    }

    fn submit(&self, mut job: Box<dyn Job>) {
        let outcome = self.run(&mut *job);
        job.settle(outcome);
    }
}

impl Snapshot for MemorySnapshot {
    fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(lock(&self.rows).rows.get(key).and_then(|versions| at(versions, self.version)).cloned())
    }

    fn range(&self, range: &KeyRange, reverse: bool, limit: usize) -> Result<Vec<Row>, StoreError> {
        let rows = lock(&self.rows);
        let live = rows
            .rows
            .range::<[u8], _>(range.bounds())
            .filter_map(|(key, versions)| Some((key, at(versions, self.version)?)));
        let copied = |(key, value): (&Vec<u8>, &Vec<u8>)| (key.clone(), value.clone());
        Ok(if reverse { live.rev().take(limit).map(copied).collect() } else { live.take(limit).map(copied).collect() })
    }
}

impl Drop for MemorySnapshot {
    fn drop(&mut self) {
        let mut rows = lock(&self.rows);
        if let Some(count) = rows.held.get_mut(&self.version) {
            *count -= 1;
            if *count == 0 {
                rows.held.remove(&self.version);
            }
        }
    }
}
