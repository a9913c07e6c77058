//! A workload on a disk that records: what was asked for and acknowledged, and at which step of the recording.

use crate::disk::Disk;
use crate::model::{Bounds, Ledger, Op, options};
use crate::rng::Rng;
use auricle_storage::{Hooks, Store, StoreError, testing};
use std::path::Path;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};

/// Entities of a workload.
const ENTITIES: u32 = 12;
/// Ops that are handed in together, at most.
const BATCH_MAX: u64 = 4;

/// An op, and where in the recording it was asked for and acknowledged.
#[derive(Clone, Copy)]
pub struct Noted {
    pub op: Op,
    pub sent_at: usize,
    pub acked_at: Option<usize>,
}

/// What was written, in the order of the ops.
#[derive(Clone, Default)]
pub struct Workload {
    pub ops: Vec<Noted>,
}

impl Workload {
    /// What may be found when the power goes after `step` steps.
    pub fn ledger_at(&self, step: usize) -> Ledger {
        let mut ledger: Ledger = (0..ENTITIES).map(|entity| (entity, Bounds::default())).collect();
        for noted in self.ops.iter().filter(|noted| noted.sent_at <= step) {
            let bounds = ledger.entry(noted.op.entity).or_default();
            bounds.sent = noted.op.version;
            if noted.acked_at.is_some_and(|at| at <= step) {
                bounds.acked = noted.op.version;
            }
        }
        ledger
    }

    /// One writer's ops come in their order or not at all: what is there must be a beginning of what was asked for.
    pub fn check_order(&self, feed: &[u32]) -> Result<(), String> {
        let expected = self.ops.iter().map(|noted| noted.op.entity).take(feed.len());
        if feed.iter().copied().eq(expected) { Ok(()) } else { Err(format!("ops out of order: {feed:?}")) }
    }
}

/// Opens the store on a disk, counting how often it is told that the disk failed.
pub fn open_on(disk: &Disk, directory: &Path, strikes: &Arc<Mutex<u32>>) -> Result<Store, StoreError> {
    let counted = Arc::clone(strikes);
    let on_fatal = Box::new(move |_: &StoreError| *counted.lock().unwrap() += 1);
    let hooks = Hooks { on_fatal: Some(on_fatal), ..Hooks::default() };
    testing::open_on(options(directory), hooks, disk.clone())
}

/// Runs about `count` ops, alone and in groups, until one fails. Ops of a group are committed together.
pub fn run(store: &Store, position: impl Fn() -> usize, rng: &mut Rng, count: usize) -> Workload {
    let mut versions = [0; ENTITIES as usize];
    let mut workload = Workload::default();
    while workload.ops.len() < count {
        let size = if rng.chance(60) { 1 } else { 1 + rng.below(BATCH_MAX) };
        // The first closure of a group holds the writer until the others wait behind it.
        let (go, hold) = channel::<()>();
        let hold = Mutex::new(hold);
        let mut gate = Some(move || {
            let _ = hold.lock().unwrap().recv();
        });
        let first = workload.ops.len();
        let mut commits = Vec::new();
        for _ in 0..size {
            let entity = u32::try_from(rng.below(u64::from(ENTITIES))).unwrap();
            versions[entity as usize] += 1;
            let op = Op { entity, version: versions[entity as usize] };
            workload.ops.push(Noted { op, sent_at: position(), acked_at: None });
            commits.push(match gate.take() {
                Some(gate) => op.submit(store, gate),
                None => op.submit(store, || {}),
            });
        }
        drop(go);
        let mut failed = false;
        for (at, commit) in commits.into_iter().enumerate() {
            match commit.wait() {
                Ok(_) => workload.ops[first + at].acked_at = Some(position()),
                Err(_) => failed = true,
            }
        }
        if failed {
            break;
        }
    }
    workload
}
