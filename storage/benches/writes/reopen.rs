//! How long a store takes to open after the process that wrote to it was killed. `AURICLE_BENCH_STORE_BYTES` says how big its file is
//! to be; 1 GiB is the size that the requirement names.

use crate::{say, task};
use auricle_domain::Timestamp;
use auricle_domain::id::TenantId;
use auricle_domain::task::Task;
use auricle_storage::{Backend, KeySource, OpId, Scan, Store, StoreError, StoreOptions};
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

/// Size of the file unless told.
const BYTES: u64 = 64 << 20;
/// Text of a record, in bytes, and records of a transaction.
const TEXT_BYTES: usize = 30_000;
const RECORDS: u64 = 25;

fn open(directory: &Path) -> Store {
    Store::open(StoreOptions {
        directory: directory.to_owned(),
        backend: Backend::Redb,
        keys: KeySource::File(directory.join("store.key")),
        tenant: TenantId::new(Timestamp::UNIX_EPOCH, [1; 10]),
    })
    .unwrap()
}

fn bytes() -> u64 {
    std::env::var("AURICLE_BENCH_STORE_BYTES").map_or(BYTES, |bytes| bytes.parse().unwrap())
}

/// The process that is killed: fills the store, says so, and goes on writing.
pub fn fill(directory: &Path) {
    let store = open(directory);
    let mut told = false;
    for batch in 0.. {
        let closure = move |tx: &mut auricle_storage::WriteTx| {
            (0..RECORDS).try_for_each(|n| {
                let n = batch * RECORDS + n;
                tx.put(&Task { text: format!("{n} ").repeat(TEXT_BYTES / format!("{n} ").len()), ..task(n) })
            })
        };
        let op = OpId::derive("fill", &[&batch.to_be_bytes()]);
        store.run::<(), StoreError, _>(op, Timestamp::UNIX_EPOCH, closure).wait().unwrap();
        let length = std::fs::metadata(directory.join("store.redb")).unwrap().len();
        if !told && length >= bytes() {
            told = true;
            say("full");
        }
    }
}

/// Prints how long the opening took, and the first read after it.
pub fn measure(parent: &Path) {
    let folder = tempfile::tempdir_in(parent).unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["fill", folder.path().to_str().unwrap()])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(line, "full\n", "the process that fills the store has failed");
    let megabytes = std::fs::metadata(folder.path().join("store.redb")).unwrap().len() / 1_000_000;
    let began = Instant::now();
    let store = open(folder.path());
    let opened = began.elapsed();
    let page = store.read(|tx| tx.scan(Scan::<Task>::table().newest_first().limit(20))).unwrap();
    say(&format!(
        "opening a store of {megabytes} MB after a kill: {:.0} ms, its last {} records {:.0} ms later",
        opened.as_secs_f64() * 1e3,
        page.items.len(),
        (began.elapsed() - opened).as_secs_f64() * 1e3,
    ));
}
