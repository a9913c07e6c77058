//! What sealing costs: the same writes, reads and recording to a store that seals and to one that does not, in turns, so that both
//! have the same weather.

use crate::{Waits, measure, read, say, write};
use auricle_domain::Timestamp;
use auricle_domain::id::{CallId, TenantId};
use auricle_storage::{Backend, BlobId, KeySource, Store, StoreOptions};
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// Turns of each of the two.
const ROUNDS: usize = 3;
/// Bytes of a recording, a second of it, and recordings of a turn.
const SECOND_BYTES: usize = 32_000;
const SECONDS: usize = 600;
/// Records that are read in a turn.
const READS: u64 = 20_000;

/// What one turn came to, in things a second.
#[derive(Clone, Copy)]
struct Turn {
    alone: f64,
    writes: f64,
    reads: f64,
    recorded: f64,
    played: f64,
}

/// One of them.
type Figure = fn(&Turn) -> f64;

fn open(folder: &Path, name: &str, keys: KeySource) -> Store {
    let tenant = TenantId::new(Timestamp::UNIX_EPOCH, [1; 10]);
    Store::open(StoreOptions { directory: folder.join(name), backend: Backend::Redb, keys, tenant }).unwrap()
}

/// Prints the median of each, and their ratios.
pub fn measure_both(folder: &Path) {
    let stores = [open(folder, "with", KeySource::Fresh), open(folder, "without", KeySource::Unsealed)];
    let mut turns: [Vec<Turn>; 2] = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (store, turns) in stores.iter().zip(&mut turns) {
            turns.push(take_turn(store));
        }
    }
    let kinds: [(&str, Figure); 5] = [
        ("acknowledged writes,  1 writer, a second", |turn| turn.alone),
        ("acknowledged writes, 64 writers, a second", |turn| turn.writes),
        ("records read by key, a second", |turn| turn.reads),
        ("MB recorded a second, synced once", |turn| turn.recorded),
        ("MB played a second", |turn| turn.played),
    ];
    for (what, of) in kinds {
        let [sealed, unsealed] = turns.each_ref().map(|turns| median(turns.iter().map(of).collect()));
        say(&format!("{what}: sealed {sealed:.0}, unsealed {unsealed:.0}, ratio {:.2}", sealed / unsealed));
    }
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn take_turn(store: &Store) -> Turn {
    let first = AtomicU64::new(u64::MAX);
    let alone = measure(1, |n| write(store, n, 1));
    let writes: Waits = measure(crate::WRITERS, |n| {
        first.fetch_min(n, Ordering::Relaxed);
        write(store, n, 1);
    });
    let began = Instant::now();
    let written = writes.each.len() as u64;
    (0..READS).for_each(|n| read(store, first.load(Ordering::Relaxed) + n % written));
    let reads = READS as f64 / began.elapsed().as_secs_f64();
    let (recorded, played) = record(store);
    Turn { alone: alone.per_second(), writes: writes.per_second(), reads, recorded, played }
}

/// MB a second into a recording and out of it.
fn record(store: &Store) -> (f64, f64) {
    static CALLS: AtomicU64 = AtomicU64::new(0);
    let mut random = [0; 10];
    random[..8].copy_from_slice(&CALLS.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    let id = BlobId::Recording(CallId::new(Timestamp::UNIX_EPOCH, random));
    let megabytes = (SECOND_BYTES * SECONDS) as f64 / 1e6;
    let second: Vec<u8> = (0..SECOND_BYTES).map(|at| (at * 31 % 251) as u8).collect();
    let began = Instant::now();
    let mut writer = store.blobs().create(id).unwrap();
    (0..SECONDS).for_each(|_| writer.append(&second).unwrap());
    writer.finish().unwrap();
    let recorded = megabytes / began.elapsed().as_secs_f64();
    let began = Instant::now();
    let mut heard = Vec::with_capacity(SECOND_BYTES * SECONDS);
    store.blobs().open(id).unwrap().read_to_end(&mut heard).unwrap();
    assert_eq!(heard.len(), SECOND_BYTES * SECONDS);
    (recorded, megabytes / began.elapsed().as_secs_f64())
}
