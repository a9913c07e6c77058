//! Acknowledged small writes with 64 writers, the same through one writer, and the rate of the feed, on the disk
//! of the folder named in `AURICLE_BENCH_DIR` (the system's temporary folder unless told).
//!
//! A write is what a use-case does: it reads a record, writes it with its indexes, appends an event and records
//! its op, and is counted when it has been answered, which is after the sync.
#![allow(clippy::unwrap_used, reason = "a benchmark")]

use auricle_domain::Timestamp;
use auricle_domain::account::Actor;
use auricle_domain::code::{TaskKind, TaskState};
use auricle_domain::event::Event;
use auricle_domain::id::{CauseId, TaskId, TenantId};
use auricle_domain::task::Task;
use auricle_storage::{Backend, EventDraft, KeySource, OpId, Store, StoreError, StoreOptions, WriteTx};
use std::io::Write;
use std::time::{Duration, Instant};

/// How long each measurement goes on.
const MEASURED: Duration = Duration::from_secs(3);

fn main() {
    let parent = std::env::var_os("AURICLE_BENCH_DIR").map_or_else(std::env::temp_dir, Into::into);
    let folder = tempfile::tempdir_in(parent).unwrap();
    let tenant = TenantId::new(Timestamp::UNIX_EPOCH, [1; 10]);
    let store = Store::open(StoreOptions {
        directory: folder.path().to_owned(),
        backend: Backend::Redb,
        keys: KeySource::Fresh,
        tenant,
    })
    .unwrap();
    for (writers, events) in [(1, 1), (64, 1), (64, 10)] {
        let began = Instant::now();
        let head = store.head();
        let mut waits = measure(&store, writers, events);
        let seconds = began.elapsed().as_secs_f64();
        waits.sort_unstable();
        let percentile = |share: f64| waits[((waits.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
        say(&format!(
            "{writers:>3} writers, {events:>2} events each: {:>7.0} acknowledged writes/s, {:>7.0} events/s, p50 {:.2} ms, p99 {:.2} ms",
            waits.len() as f64 / seconds,
            (store.head() - head) as f64 / seconds,
            percentile(0.5),
            percentile(0.99),
        ));
    }
    let (began, mut read) = (Instant::now(), 0);
    loop {
        let page = store.feed(read, 1_000).unwrap();
        if page.is_empty() {
            break;
        }
        read += page.len() as u64;
    }
    say(&format!("feed read: {:.0} events/s over {read} events", read as f64 / began.elapsed().as_secs_f64()));
    let bytes = std::fs::metadata(folder.path().join("store.redb")).unwrap().len();
    say(&format!("store file: {:.0} MB, {:.0} bytes per event", bytes as f64 / 1e6, bytes as f64 / read as f64));
}

/// How long each write waited for its acknowledgement.
fn measure(store: &Store, writers: u64, events: u64) -> Vec<Duration> {
    let until = Instant::now() + MEASURED;
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..writers)
            .map(|writer| {
                scope.spawn(move || {
                    let mut waits = Vec::new();
                    while Instant::now() < until {
                        let n = (events * 1_000 + writer) * 1_000_000_000 + waits.len() as u64 + 1_000_000 * writers;
                        let began = Instant::now();
                        write(store, n, events);
                        waits.push(began.elapsed());
                    }
                    waits
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    })
}

fn write(store: &Store, n: u64, events: u64) {
    let at = Timestamp::from_millisecond(1_800_000_000_000 + (n % 1_000_000_000) as i64).unwrap();
    let mut random = [0; 10];
    random[..8].copy_from_slice(&n.to_be_bytes());
    let task = Task {
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
    };
    let closure = move |tx: &mut WriteTx| {
        tx.put(&task)?;
        for _ in 0..events {
            tx.append(EventDraft {
                at,
                actor: Actor::System,
                cause: CauseId::new(at, random),
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
