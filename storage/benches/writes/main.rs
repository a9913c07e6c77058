//! Acknowledged small writes with 64 writers, reads beside them, the same through one writer, the same by SQLite, the rate of the
//! feed, what sealing costs, and how fast a store opens after a kill; on the disk of the folder named in `AURICLE_BENCH_DIR` (the system's temporary
//! folder unless told).
//!
//! A write is what a use-case does: it reads a record, writes it with its indexes, appends an event and records
//! its op, and is counted when it has been answered, which is after the sync.
#![allow(clippy::unwrap_used, reason = "a benchmark")]

mod reopen;
mod sealing;
mod sqlite;

use auricle_domain::Timestamp;
use auricle_domain::account::Actor;
use auricle_domain::code::{TaskKind, TaskState};
use auricle_domain::event::Event;
use auricle_domain::id::{CauseId, TaskId, TenantId};
use auricle_domain::task::Task;
use auricle_storage::schema::TASKS_BY_STATE;
use auricle_storage::{Backend, EventDraft, KeySource, OpId, Record, Scan, Store, StoreError, StoreOptions, WriteTx};
use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// How long each measurement goes on.
const MEASURED: Duration = Duration::from_secs(5);
/// Writers of the measurement that the requirement names.
const WRITERS: u64 = 64;

/// Between two reads of the one who reads beside the writers.
const READ_EVERY: Duration = Duration::from_millis(1);

/// How long each of many things took, and how long all of them together.
pub struct Waits {
    each: Vec<Duration>,
    all: Duration,
}

impl Waits {
    fn new(mut each: Vec<Duration>, all: Duration) -> Self {
        each.sort_unstable();
        Self { each, all }
    }

    fn per_second(&self) -> f64 {
        self.each.len() as f64 / self.all.as_secs_f64()
    }

    fn percentile_ms(&self, share: f64) -> f64 {
        self.each[((self.each.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3
    }

    fn say(&self, what: &str) {
        let (p50, p99) = (self.percentile_ms(0.5), self.percentile_ms(0.99));
        say(&format!("{what}: {:>7.0}/s, p50 {p50:.2} ms, p99 {p99:.2} ms", self.per_second()));
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let [what, directory] = &arguments[..]
        && what == "fill"
    {
        return reopen::fill(Path::new(directory));
    }
    let parent = std::env::var_os("AURICLE_BENCH_DIR").map_or_else(std::env::temp_dir, Into::into);
    let folder = tempfile::tempdir_in(&parent).unwrap();
    let store = Store::open(StoreOptions {
        directory: folder.path().join("store"),
        backend: Backend::Redb,
        keys: KeySource::Fresh,
        tenant: TenantId::new(Timestamp::UNIX_EPOCH, [1; 10]),
    })
    .unwrap();
    measure(1, |n| write(&store, n, 1)).say("acknowledged writes,  1 writer");
    let (writes, reads) = read_beside(|| measure(WRITERS, |n| write(&store, n, 1)), |n| read(&store, n));
    writes.say("acknowledged writes, 64 writers");
    reads.say("  reads beside them");
    measure(WRITERS, |n| write(&store, n, 10)).say("acknowledged writes of 10 events each, 64 writers");
    feed(&store);
    let bytes = std::fs::metadata(folder.path().join("store/store.redb")).unwrap().len();
    say(&format!(
        "store file: {:.0} MB, {:.0} bytes per event",
        bytes as f64 / 1e6,
        bytes as f64 / store.head() as f64
    ));
    let alone = sqlite::alone(folder.path(), WRITERS);
    alone.say("SQLite, a commit each, 64 writers");
    let (grouped, reads) = sqlite::grouped(folder.path(), WRITERS);
    grouped.say("SQLite, commits in groups, 64 writers");
    reads.say("  reads beside them");
    say(&format!(
        "store : SQLite = {:.1} (a commit each), {:.2} (commits in groups; unsealed and without an audit chain)",
        writes.per_second() / alone.per_second(),
        writes.per_second() / grouped.per_second(),
    ));
    drop(store);
    sealing::measure_both(folder.path());
    reopen::measure(&parent);
}

/// How fast a follower reads.
fn feed(store: &Store) {
    let (began, mut read) = (Instant::now(), 0);
    loop {
        let page = store.feed(read, 1_000).unwrap();
        if page.is_empty() {
            break;
        }
        read += page.len() as u64;
    }
    say(&format!("feed read: {:.0} events/s over {read} events", read as f64 / began.elapsed().as_secs_f64()));
}

/// Numbers that no write has had.
static NEXT: AtomicU64 = AtomicU64::new(0);

/// Lets so many writers write, each waiting for its acknowledgement.
fn measure(writers: u64, write: impl Fn(u64) + Sync) -> Waits {
    let began = Instant::now();
    let write = &write;
    let each = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..writers)
            .map(|_| {
                scope.spawn(move || {
                    let mut waits = Vec::new();
                    while began.elapsed() < MEASURED {
                        let began = Instant::now();
                        write(NEXT.fetch_add(1, Ordering::Relaxed));
                        waits.push(began.elapsed());
                    }
                    waits
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    Waits::new(each, began.elapsed())
}

/// Reads what was written a while ago, at the pace of a busy desk, while others write: the waits of both.
fn read_beside(writes: impl FnOnce() -> Waits + Send, read: impl Fn(u64)) -> (Waits, Waits) {
    let over = AtomicBool::new(false);
    let began = Instant::now();
    std::thread::scope(|scope| {
        let writes = scope.spawn(|| {
            let writes = writes();
            over.store(true, Ordering::Relaxed);
            writes
        });
        let mut waits = Vec::new();
        while !over.load(Ordering::Relaxed) {
            let began = Instant::now();
            read(NEXT.load(Ordering::Relaxed).saturating_sub(1_000));
            waits.push(began.elapsed());
            std::thread::sleep(READ_EVERY.saturating_sub(began.elapsed()));
        }
        (writes.join().unwrap(), Waits::new(waits, began.elapsed()))
    })
}

/// The task of a number.
fn task(n: u64) -> Task {
    let at = Timestamp::from_millisecond(1_800_000_000_000 + n as i64).unwrap();
    let mut random = [0; 10];
    random[..8].copy_from_slice(&n.to_be_bytes());
    Task {
        id: TaskId::new(at, random),
        kind: TaskKind::Message,
        state: TaskState::Open,
        text: "Please ring me back about the results.".to_owned(),
        name: "Somebody".to_owned(),
        number: "+15550100".to_owned(),
        call: None,
        contact: None,
        owner: None,
        created_at: at,
        due_at: at,
        version: 1,
    }
}

/// A record by its key, and the first of a list.
fn read(store: &Store, n: u64) {
    store
        .read(|tx| {
            tx.get::<Task>(&task(n).key())?;
            tx.scan(Scan::index(TASKS_BY_STATE).prefix(TaskState::Open.as_str()).newest_first().limit(1))
        })
        .map_err(|error: StoreError| error)
        .unwrap();
}

fn write(store: &Store, n: u64, events: u64) {
    let task = task(n);
    let at = task.created_at;
    let closure = move |tx: &mut WriteTx| {
        tx.put(&task)?;
        for _ in 0..events {
            tx.append(EventDraft {
                at,
                actor: Actor::System,
                cause: CauseId::new(at, [8; 10]),
                event: Event::TaskChanged { task: task.id, kind: task.kind, state: task.state },
            });
        }
        Ok::<(), StoreError>(())
    };
    store.run(OpId::derive("bench", &[&n.to_be_bytes()]), at, closure).wait().unwrap();
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").unwrap();
}
