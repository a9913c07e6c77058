//! Power cuts (R3): every state that the disk may be in when the power goes, opened as the next start would open it.
//!
//! A workload is recorded. Between two syncs the disk may have carried out any part of what it was given, so for every such
//! gap images are made of what was synced before and a choice of what came after: every beginning, random choices, writes torn
//! at sectors of 512 and 4,096 bytes, the file's new length kept or lost. Writes to different sectors may come in any
//! order, which is the same as a choice of them; two writes of one sector do not overtake each other. In one image of a hundred
//! the power goes again while the store is being opened.
//!
//! The order of checks: the store opens without a panic; whatever was acknowledged before the cut is there, once; the rest
//! is there wholly or not at all (see `model.rs`); ops are there in their order; redb's own check of every page passes.

use crate::disk::{self, Behaviour, Disk, Step};
use crate::model::{Ledger, check};
use crate::rng::Rng;
use crate::workload::{self, Workload, open_on};
use crate::{Losses, Scratch};
use redb::Database;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Ops of one recording.
const OPS: usize = 60;
/// Images of one recording, about.
const IMAGES_PER_RECORDING: usize = 1_500;
/// Images of the one gap that a lie has made too long.
const IMAGES_PER_LIE: usize = 200;
/// Images of one opening that is cut off itself, at most.
const AGAIN_MAX: usize = 24;

/// Which of the writes after the last sync reached the disk.
#[derive(Clone, Copy, Debug)]
enum Kept {
    /// All of them.
    All,
    /// All but the last, of which the pieces of this size came or did not.
    LastTorn(usize),
    /// Any of them, each whole.
    Any,
    /// Any pieces of this size.
    AnyTorn(usize),
}

/// One way in which the power may go.
#[derive(Clone, Copy, Debug)]
struct Cut {
    /// Step after the last sync.
    gap: usize,
    /// The power goes before this step.
    at: usize,
    kept: Kept,
    /// Whether a change of the file's length is on the disk.
    length: bool,
    seed: u64,
}

/// The image of a cut.
fn image(synced: &[u8], steps: &[Step], cut: Cut) -> Vec<u8> {
    let mut rng = Rng::new(cut.seed);
    let mut file = synced.to_vec();
    let after = &steps[cut.gap..cut.at];
    let length = after.iter().rev().find_map(|step| if let Step::SetLen(length) = step { Some(*length) } else { None });
    let length = length.filter(|_| cut.length).unwrap_or(synced.len());
    file.resize(length.max(file.len()), 0);
    let last = after.iter().rposition(|step| matches!(step, Step::Write { .. }));
    for (number, step) in after.iter().enumerate() {
        let Step::Write { offset, bytes } = step else { continue };
        let piece = match cut.kept {
            Kept::All => None,
            Kept::LastTorn(sector) => (Some(number) == last).then_some(sector),
            Kept::Any => Some(usize::MAX),
            Kept::AnyTorn(sector) => Some(sector),
        };
        match piece {
            None => disk::write(&mut file, *offset, bytes),
            Some(sector) => some_pieces(&mut file, *offset, bytes, sector, &mut rng),
        }
    }
    // What lies behind the end of the file is not there, however it was written.
    file.truncate(length);
    file
}

/// Writes a half of the pieces, cut where the disk's sectors begin.
fn some_pieces(file: &mut Vec<u8>, offset: usize, bytes: &[u8], sector: usize, rng: &mut Rng) {
    let mut from = 0;
    while from < bytes.len() {
        let until = sector.saturating_sub((offset + from) % sector).saturating_add(from).min(bytes.len());
        if rng.chance(50) {
            disk::write(file, offset + from, &bytes[from..until]);
        }
        from = until;
    }
}

/// All cuts of a recording from step `first` that are tried: every beginning of every gap, then random ones up to `count`.
fn cuts(steps: &[Step], first: usize, count: usize, rng: &mut Rng) -> Vec<Cut> {
    let mut beginnings = Vec::new();
    let mut gap = first;
    for at in first..=steps.len() {
        let grows = steps[gap..at].iter().any(|step| matches!(step, Step::SetLen(_)));
        beginnings.push(Cut { gap, at, kept: Kept::All, length: true, seed: 0 });
        if grows {
            beginnings.push(Cut { gap, at, kept: Kept::All, length: false, seed: 0 });
        }
        if matches!(steps.get(at), Some(Step::Sync)) {
            gap = at + 1;
        }
    }
    let mut cuts = beginnings.clone();
    let kinds = [Kept::LastTorn(512), Kept::LastTorn(4_096), Kept::Any, Kept::AnyTorn(512), Kept::AnyTorn(4_096)];
    while cuts.len() < count {
        let Cut { gap, at, .. } = beginnings[rng.index(beginnings.len())];
        // Most cuts choose among all writes of a gap, where there is most to choose from.
        let end =
            steps[gap..].iter().position(|step| matches!(step, Step::Sync)).map_or(steps.len(), |sync| gap + sync);
        let at = if rng.chance(50) { end } else { at };
        cuts.push(Cut { gap, at, kept: kinds[rng.index(kinds.len())], length: rng.chance(50), seed: rng.next() });
    }
    if cuts.len() > count {
        // Too few asked for: take those that lie evenly.
        let step = cuts.len() as f64 / count as f64;
        cuts = (0..count).map(|n| cuts[(n as f64 * step) as usize]).collect();
    }
    cuts.sort_by_key(|cut| cut.gap);
    cuts
}

/// Opens an image as the next start would, and looks at everything.
fn examine(disk: &Disk, directory: &Path, workload: &Workload, ledger: &Ledger) -> Result<(), String> {
    let looked = catch_unwind(AssertUnwindSafe(|| {
        let store = open_on(disk, directory, &Arc::default()).map_err(|error| format!("it does not open: {error}"))?;
        let feed = check(&store, ledger)?;
        drop(store);
        workload.check_order(&feed)
    }));
    looked.unwrap_or_else(|_| Err("a panic".to_owned()))
}

/// redb's own opinion of what is left.
fn examine_pages(disk: &Disk) -> Result<(), String> {
    let clean = catch_unwind(AssertUnwindSafe(|| {
        let mut database = Database::builder().create_with_backend(disk.clone()).map_err(|error| error.to_string())?;
        database.check_integrity().map_err(|error| error.to_string())
    }));
    match clean {
        Ok(Ok(true)) => Ok(()),
        Ok(other) => Err(format!("the pages are not sound: {other:?}")),
        Err(_) => Err("a panic in the check of pages".to_owned()),
    }
}

/// Images made, and those of them that were cut off a second time.
#[derive(Clone, Copy, Debug, Default)]
pub struct Made {
    pub images: usize,
    pub again: usize,
}

struct Recording {
    workload: Workload,
    steps: Vec<Step>,
    /// Where a sync was left out.
    lied_at: Option<usize>,
    /// The step at which the empty database had been made, and could be found by its name.
    made_at: usize,
}

/// Records a workload on a fresh disk.
fn record(directory: &Path, rng: &mut Rng, behaviour: Behaviour) -> Recording {
    let disk = Disk::holding(Vec::new(), Behaviour { records: true, ..behaviour });
    // As the store does it: the empty database is made, and closed, under another name.
    drop(Database::builder().create_with_backend(disk.clone()).unwrap());
    let made_at = disk.position();
    let store = open_on(&disk, directory, &Arc::default()).unwrap();
    let workload = workload::run(&store, || disk.position(), rng, OPS);
    assert!(workload.ops.iter().all(|noted| noted.acked_at.is_some()), "a healthy disk acknowledges everything");
    // Not the closing: a power cut comes while the store is open.
    let steps = disk.steps();
    drop(store);
    Recording { workload, steps, lied_at: disk.lied_at(), made_at }
}

/// What is tried; every `again_every`-th image is cut off again.
struct Plan {
    cuts: Vec<Cut>,
    again_every: usize,
    seed: u64,
}

/// Tries every cut of a plan, on as many threads as there are processors.
fn try_all(recording: &Recording, directory: &Path, plan: &Plan, losses: &Losses) -> Made {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let made = Mutex::new(Made::default());
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                // Cuts lie in the order of their gaps, so what is synced only grows.
                let (mut synced, mut synced_to) = (Vec::new(), 0);
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(cut) = plan.cuts.get(number) else { break };
                    recording.steps[synced_to..cut.gap].iter().for_each(|step| disk::apply(&mut synced, step));
                    synced_to = cut.gap;
                    let again = number % plan.again_every == plan.again_every / 2;
                    let more = try_one(recording, directory, &synced, *cut, again, plan.seed, losses);
                    let mut made = made.lock().unwrap();
                    made.images += 1;
                    made.again += more;
                }
            });
        }
    });
    made.into_inner().unwrap()
}

fn try_one(
    recording: &Recording,
    directory: &Path,
    synced: &[u8],
    cut: Cut,
    again: bool,
    seed: u64,
    losses: &Losses,
) -> usize {
    let ledger = recording.workload.ledger_at(cut.at);
    let file = image(synced, &recording.steps, cut);
    let disk = Disk::holding(file.clone(), Behaviour { records: again, ..Behaviour::default() });
    let outcome = examine(&disk, directory, &recording.workload, &ledger).and_then(|()| examine_pages(&disk));
    if let Err(loss) = outcome {
        losses.note(seed, &format!("{cut:?}: {loss}"));
    }
    if !again {
        return 0;
    }
    // The opening's own writes, cut off in the same ways.
    let steps = disk.steps();
    let cuts = cuts(&steps, 0, AGAIN_MAX, &mut Rng::new(seed ^ cut.at as u64));
    let (mut synced, mut synced_to) = (file, 0);
    for second in &cuts {
        steps[synced_to..second.gap].iter().for_each(|step| disk::apply(&mut synced, step));
        synced_to = second.gap;
        let disk = Disk::holding(image(&synced, &steps, *second), Behaviour::default());
        let outcome = examine(&disk, directory, &recording.workload, &ledger).and_then(|()| examine_pages(&disk));
        if let Err(loss) = outcome {
            losses.note(seed, &format!("{cut:?}, then {second:?} while opening: {loss}"));
        }
    }
    cuts.len()
}

/// Makes about `count` images of workloads that follow from `seed`.
pub fn run(seed: u64, count: usize, losses: &Losses) -> Made {
    let mut made = Made::default();
    let mut rng = Rng::new(seed);
    while made.images < count {
        let scratch = Scratch::fresh();
        let recording = record(scratch.path(), &mut rng, Behaviour::default());
        let cuts = cuts(&recording.steps, recording.made_at, IMAGES_PER_RECORDING.min(count - made.images), &mut rng);
        let plan = Plan { cuts, again_every: 100, seed };
        let more = try_all(&recording, scratch.path(), &plan, losses);
        made = Made { images: made.images + more.images, again: made.again + more.again };
    }
    made
}

/// A disk that says once that it has synced when it has not: whether the harness finds it out.
pub fn finds_a_lie(seed: u64, directory: &Path) -> bool {
    let mut rng = Rng::new(seed);
    // Those of the store's making come before.
    let behaviour = Behaviour { lies_from: Some(20 + rng.index(60)), ..Behaviour::default() };
    let recording = record(directory, &mut rng, behaviour);
    // Only the gap that the lie has made too long needs looking at.
    let lied_at = recording.lied_at.expect("a workload has more syncs than that");
    let is_sync = |step: &Step| matches!(step, Step::Sync);
    let gap = recording.steps[..lied_at].iter().rposition(is_sync).map_or(0, |sync| sync + 1);
    let end = recording.steps[lied_at..].iter().position(is_sync).map_or(recording.steps.len(), |sync| lied_at + sync);
    let cuts = cuts(&recording.steps[..end], gap, IMAGES_PER_LIE, &mut rng);
    let losses = Losses::silent();
    try_all(&recording, directory, &Plan { cuts, again_every: usize::MAX, seed }, &losses);
    losses.count() > 0
}
