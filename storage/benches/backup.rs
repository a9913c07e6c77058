//! How fast a backup is made, verified and restored, and how much memory that takes: in a process of its own for each, so that the
//! peak is that of the one thing. On the disk of the folder named in `AURICLE_BENCH_DIR` (the system's temporary folder unless told).
//!
//! `AURICLE_BENCH_BACKUP_MB` names the sizes of the stores, in MB, with commas between: 200 and 1,000 unless told. A quarter of the
//! bytes are records with words, the rest recordings of five minutes each, with noise of ten bits in samples of sixteen.
#![allow(clippy::unwrap_used, reason = "a benchmark")]

use auricle_domain::Timestamp;
use auricle_domain::code::{TaskKind, TaskState};
use auricle_domain::id::{CallId, TaskId, TenantId};
use auricle_domain::task::Task;
use auricle_storage::{
    Backend, BlobId, KeySource, OpId, Passphrase, Store, StoreError, StoreOptions, WriteTx, restore, set_passphrase,
};
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

/// Sizes unless told, in MB.
const SIZES: &str = "200,1000";
/// Bytes of a recording.
const RECORDING_BYTES: u64 = 9_600_000;
/// Words of a record, and records of a transaction.
const WORDS: u64 = 600;
const RECORDS: u64 = 100;
/// What records are made of.
const VOCABULARY: &[&str] = &[
    "please",
    "appointment",
    "tomorrow",
    "morning",
    "rash",
    "mole",
    "doctor",
    "would",
    "like",
    "before",
    "noon",
    "call",
    "back",
    "results",
    "prescription",
    "number",
    "name",
    "thank",
    "clinic",
    "parking",
];

/// Numbers that look random and come again.
struct Rng(u64);

impl Rng {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["fill", folder, bytes] => fill(Path::new(folder), bytes.parse().unwrap()),
        ["back_up", folder] => back_up(Path::new(folder)),
        ["restore", folder] => bring_back(Path::new(folder)),
        _ => measure(),
    }
}

fn measure() {
    let parent = std::env::var_os("AURICLE_BENCH_DIR").map_or_else(std::env::temp_dir, Into::into);
    let sizes = std::env::var("AURICLE_BENCH_BACKUP_MB").unwrap_or_else(|_| SIZES.to_owned());
    for size in sizes.split(',') {
        let megabytes: u64 = size.trim().parse().unwrap();
        let folder = tempfile::tempdir_in(&parent).unwrap();
        let path = folder.path().to_str().unwrap();
        child(&["fill", path, &(megabytes * 1_000_000).to_string()]);
        child(&["back_up", path]);
        child(&["restore", path]);
    }
}

fn child(arguments: &[&str]) {
    let status = Command::new(std::env::current_exe().unwrap()).args(arguments).status().unwrap();
    assert!(status.success(), "{arguments:?} failed");
}

fn at(n: u64) -> Timestamp {
    Timestamp::from_millisecond(1_800_000_000_000 + n as i64).unwrap()
}

fn random(n: u64) -> [u8; 10] {
    let mut random = [0; 10];
    random[..8].copy_from_slice(&n.to_be_bytes());
    random
}

fn open(folder: &Path) -> Store {
    let keys = KeySource::File(folder.join("clinic.key"));
    let tenant = TenantId::new(Timestamp::UNIX_EPOCH, [1; 10]);
    Store::open(StoreOptions { directory: folder.join("clinic"), backend: Backend::Redb, keys, tenant }).unwrap()
}

fn fill(folder: &Path, bytes: u64) {
    let passphrase = set_passphrase(&folder.join("clinic"), &folder.join("clinic.key")).unwrap();
    std::fs::write(folder.join("passphrase"), passphrase.to_text().as_bytes()).unwrap();
    let store = open(folder);
    let mut rng = Rng(0x9e37_79b9_7f4a_7c15);
    let (mut written, mut n) = (0, 0);
    while written < bytes / 4 {
        let tasks: Vec<Task> = (0..RECORDS).map(|i| task(n * RECORDS + i, &mut rng)).collect();
        written += tasks.iter().map(|task| task.text.len() as u64).sum::<u64>();
        let put = move |tx: &mut WriteTx| tasks.iter().try_for_each(|task| tx.put(task));
        store.run::<(), StoreError, _>(OpId::derive("bench", &[&n.to_be_bytes()]), at(n), put).wait().unwrap();
        n += 1;
    }
    let records = n * RECORDS;
    let mut recordings = 0;
    while written < bytes {
        let length = RECORDING_BYTES.min(bytes - written);
        let audio: Vec<u8> = (0..length / 2).flat_map(|_| ((rng.next() % 1_024) as i16 - 512).to_le_bytes()).collect();
        let mut writer =
            store.blobs().create(BlobId::Recording(CallId::new(at(recordings), random(recordings)))).unwrap();
        audio.chunks(32_000).for_each(|second| writer.append(second).unwrap());
        writer.finish().unwrap();
        written += length;
        recordings += 1;
    }
    say(&format!("{} MB: {records} records, {recordings} recordings", written / 1_000_000));
}

fn task(n: u64, rng: &mut Rng) -> Task {
    let mut word = || VOCABULARY[(rng.next() % VOCABULARY.len() as u64) as usize];
    let text: Vec<&str> = (0..WORDS).map(|_| word()).collect();
    Task {
        id: TaskId::new(at(n), random(n)),
        kind: TaskKind::Message,
        state: TaskState::Open,
        text: text.join(" "),
        name: "Somebody".to_owned(),
        number: format!("+1555{n:07}"),
        call: None,
        contact: None,
        owner: None,
        created_at: at(n),
        due_at: at(n),
        version: 1,
    }
}

/// Bytes of all files below a folder.
fn bytes_below(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    entries
        .map(|entry| match entry.metadata().unwrap() {
            metadata if metadata.is_dir() => bytes_below(&entry.path()),
            metadata => metadata.len(),
        })
        .sum()
}

/// The most memory this process has had, in MB.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1_000
}

fn back_up(folder: &Path) {
    let store = open(folder);
    let mut content = bytes_below(&folder.join("clinic/blobs"));
    content += std::fs::metadata(folder.join("clinic/store.redb")).unwrap().len();
    let (began, mut written) = (Instant::now(), None);
    let made = store.back_up(&folder.join("backups"), None, at(0), |step| {
        if step.verifying {
            written = Some(began.elapsed());
        }
    });
    let (all, written) = (began.elapsed().as_secs_f64(), written.unwrap().as_secs_f64());
    let megabytes = content as f64 / 1e6;
    let made = made.unwrap();
    std::fs::rename(&made.path, folder.join("clinic.backup")).unwrap();
    say(&format!(
        "  backup: {:.0} MB/s while it is written, {:.0} MB/s with its verification ({megabytes:.0} MB of files in {all:.1} s, \
         {:.0} MB of backup), peak memory {} MB",
        megabytes / written,
        megabytes / all,
        made.bytes as f64 / 1e6,
        peak()
    ));
}

fn bring_back(folder: &Path) {
    let passphrase = Passphrase::parse(&std::fs::read_to_string(folder.join("passphrase")).unwrap()).unwrap();
    let (backup, into) = (folder.join("clinic.backup"), folder.join("restored"));
    let began = Instant::now();
    restore(&backup, &into, &folder.join("restored.key"), &passphrase, at(0)).unwrap();
    let took = began.elapsed().as_secs_f64();
    let megabytes = bytes_below(&into) as f64 / 1e6;
    say(&format!(
        "  restore: {:.0} MB/s ({megabytes:.0} MB of files in {took:.1} s, the passphrase and reading all of it twice included), \
         peak memory {} MB (checking the passphrase alone takes 67)",
        megabytes / took,
        peak()
    ));
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").unwrap();
}
