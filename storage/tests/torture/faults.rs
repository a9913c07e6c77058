//! Failing (R6) and full (R7) disks under the record store.

use crate::disk::{self, Behaviour, Disk, Step};
use crate::model::{self, check};
use crate::rng::Rng;
use crate::workload::{self, Workload, open_on};
use crate::{Losses, Scratch};
use auricle_storage::{FreeBytes, Hooks, StoreError};
use redb::Database;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};

/// Ops of a workload in which every step of the disk fails once.
const FAILING_OPS: usize = 12;
/// Ops that are tried after a failure, none of which may be acknowledged.
const OPS_AFTER: usize = 3;
/// Ops that fill a disk, at most.
const FILLING_OPS: usize = 400;
/// Size of the small disk that is mounted, in bytes.
const MOUNTED_BYTES: u64 = 8 << 20;

/// A workload, and what came after its first failure.
struct Outcome {
    workload: Workload,
    strikes: u32,
    acked_after: usize,
}

/// Runs a workload until an op fails, then a few more.
fn run_past_failure(
    open: impl FnOnce(&Arc<Mutex<u32>>) -> Result<auricle_storage::Store, StoreError>,
    position: impl Fn() -> usize,
    rng: &mut Rng,
    ops: usize,
) -> Outcome {
    let strikes = Arc::new(Mutex::new(0));
    let Ok(store) = open(&strikes) else {
        return Outcome { workload: Workload::default(), strikes: *strikes.lock().unwrap(), acked_after: 0 };
    };
    let mut workload = workload::run(&store, &position, rng, ops);
    let failed = workload.ops.iter().any(|noted| noted.acked_at.is_none());
    let mut acked_after = 0;
    if failed {
        for _ in 0..OPS_AFTER {
            // Each of another entity, so that none depends on the op that failed.
            let op = model::Op { entity: 100 + u32::try_from(workload.ops.len()).unwrap(), version: 1 };
            workload.ops.push(workload::Noted { op, sent_at: position(), acked_at: None });
            acked_after += usize::from(op.run(&store).is_ok());
        }
    }
    drop(store);
    let strikes = *strikes.lock().unwrap();
    Outcome { workload, strikes, acked_after }
}

impl Outcome {
    /// What holds for every failure: one strike, and nothing is acknowledged after it.
    fn check(&self, fails: bool) -> Result<(), String> {
        let expected = u32::from(fails);
        if self.strikes != expected {
            return Err(format!("{} strikes instead of {expected}", self.strikes));
        }
        match self.acked_after {
            0 => Ok(()),
            more => Err(format!("{more} ops were acknowledged after the failure")),
        }
    }

    /// The store on a disk that works again has what was acknowledged.
    fn check_file(&self, file: Vec<u8>, directory: &Path) -> Result<(), String> {
        let disk = Disk::holding(file, Behaviour::default());
        let store = open_on(&disk, directory, &Arc::default()).map_err(|error| format!("does not open: {error}"))?;
        check(&store, &self.workload.ledger_at(usize::MAX))?;
        drop(store);
        let mut database = Database::builder().create_with_backend(disk).map_err(|error| error.to_string())?;
        match database.check_integrity() {
            Ok(true) => Ok(()),
            other => Err(format!("the pages are not sound: {other:?}")),
        }
    }
}

/// R6: lets every step of a workload fail, once with the disk working again afterwards and once without. Returns how many
/// faults were injected.
pub fn failing(seed: u64, losses: &Losses) -> usize {
    let scratch = Scratch::fresh();
    let empty = Disk::default();
    drop(Database::builder().create_with_backend(empty.clone()).unwrap());
    let made = empty.file();
    let mut injected = 0;
    for stays_broken in [false, true] {
        for fails_at in 1.. {
            let behaviour = Behaviour { records: true, fails_at: Some(fails_at), stays_broken, ..Behaviour::default() };
            let disk = Disk::holding(made.clone(), behaviour);
            let open = |strikes: &Arc<Mutex<u32>>| open_on(&disk, scratch.path(), strikes);
            let outcome = run_past_failure(open, || disk.position(), &mut Rng::new(seed), FAILING_OPS);
            if outcome.workload.ops.iter().all(|noted| noted.acked_at.is_some()) && !outcome.workload.ops.is_empty() {
                // The workload was over before its turn.
                break;
            }
            injected += 1;
            // After a failed sync nobody knows which pages are on the disk: perhaps none of them, perhaps all.
            let steps = disk.steps();
            let synced = steps.iter().rposition(|step| matches!(step, Step::Sync)).map_or(0, |at| at + 1);
            let (mut least, mut most) = (made.clone(), made.clone());
            steps[..synced].iter().for_each(|step| disk::apply(&mut least, step));
            steps.iter().for_each(|step| disk::apply(&mut most, step));
            let opened = !outcome.workload.ops.is_empty();
            // A failure while the store is being opened is an error of the opening, which redb may also meet before we do.
            let result = if opened { outcome.check(true) } else { Ok(()) }
                .and_then(|()| outcome.check_file(least, scratch.path()))
                .and_then(|()| outcome.check_file(most, scratch.path()));
            if let Err(loss) = result {
                losses.note(seed, &format!("step {fails_at} fails, stays broken {stays_broken}: {loss}"));
            }
        }
    }
    injected
}

/// R7: fills a disk in memory at a random moment. True when it was full before the workload was over.
pub fn full_in_memory(seed: u64, losses: &Losses) -> bool {
    let scratch = Scratch::fresh();
    let mut rng = Rng::new(seed);
    let disk = Disk::default();
    let filled = run_past_failure(
        |strikes| {
            let store = open_on(&disk, scratch.path(), strikes)?;
            let bytes_max = disk.bytes_used() + 4_096 * rng.index(100);
            disk.behave(Behaviour { bytes_max: Some(bytes_max), ..Behaviour::default() });
            Ok(store)
        },
        || 0,
        &mut Rng::new(seed),
        FILLING_OPS,
    );
    let fails = filled.workload.ops.iter().any(|noted| noted.acked_at.is_none());
    let outcome = filled.check(fails).and_then(|()| filled.check_file(disk.file(), scratch.path()));
    if let Err(loss) = outcome {
        losses.note(seed, &format!("a full disk in memory: {loss}"));
    }
    fails
}

/// A small file system of its own, where this process may mount one.
struct Mounted(tempfile::TempDir);

impl Mounted {
    fn new() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={MOUNTED_BYTES}");
        let mount =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(folder.path()).output().ok()?;
        mount.status.success().then(|| Self(folder))
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(self.0.path()).status();
        assert!(unmounted.is_ok_and(|status| status.success()), "{} stays mounted", self.0.path().display());
    }
}

/// R7: the same on a real file system. None when this process may not mount one.
pub fn full_for_real(seed: u64, losses: &Losses) -> Option<bool> {
    let mounted = Mounted::new()?;
    let mut rng = Rng::new(seed);
    let directory = mounted.0.path().join("store");
    let filler = mounted.0.path().join("filler");
    let filled = run_past_failure(
        |strikes| {
            let counted = Arc::clone(strikes);
            let on_fatal = Box::new(move |_: &StoreError| *counted.lock().unwrap() += 1);
            // The store would refuse to write before the disk is full; here it has to meet it.
            crate::reserve_nothing(&directory);
            let free_bytes: FreeBytes = Box::new(|_: &Path| Ok(u64::MAX));
            let hooks = Hooks { on_fatal: Some(on_fatal), free_bytes: Some(free_bytes), ..Hooks::default() };
            let store = model::open(&directory, hooks)?;
            // Everything, and then a little less.
            let mut file = std::fs::File::create(&filler).unwrap();
            while file.write_all(&[1; 4_096]).is_ok() {}
            let length = file.metadata().unwrap().len();
            file.set_len(length.saturating_sub(4_096 * rng.below(100))).unwrap();
            Ok(store)
        },
        || 0,
        &mut Rng::new(seed),
        FILLING_OPS,
    );
    std::fs::remove_file(&filler).unwrap();
    let fails = filled.workload.ops.iter().any(|noted| noted.acked_at.is_none());
    let outcome = filled.check(fails).and_then(|()| {
        let free_bytes: FreeBytes = Box::new(|_: &Path| Ok(u64::MAX));
        let hooks = Hooks { free_bytes: Some(free_bytes), ..Hooks::default() };
        let store = model::open(&directory, hooks).map_err(|error| format!("does not open: {error}"))?;
        check(&store, &filled.workload.ledger_at(usize::MAX)).map(drop)
    });
    if let Err(loss) = outcome {
        losses.note(seed, &format!("a full disk: {loss}"));
    }
    Some(fails)
}
