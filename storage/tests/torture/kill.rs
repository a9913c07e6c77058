//! Kills (R1, R2): a process that writes is killed at any moment, and what it had acknowledged is there.
//!
//! The ledger is outside: this process writes down durably what it is about to ask for before it asks the victim, through a pipe,
//! and what was acknowledged when the answer has come. The victim is this program again. A recording beside the records is
//! appended to and synced at every beat.

use crate::Losses;
use crate::model::{Bounds, Ledger, Op, check, open};
use crate::rng::Rng;
use auricle_domain::Timestamp;
use auricle_domain::id::CallId;
use auricle_storage::{BlobId, Hooks, Store};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

/// Entities that are written to side by side.
const ENTITIES: u32 = 48;
/// Threads of the victim that write.
const WRITERS: u32 = 8;
/// Kills of one store, after which a new one is begun: looking at everything takes longer the more there is.
const KILLS_PER_STORE: usize = 10;
/// Latest kill after the victim has opened the store, in milliseconds.
const LOAD_MS_MAX: u64 = 120;
/// Latest kill after the start, when it is to meet the opening, in milliseconds.
const START_MS_MAX: u64 = 200;
/// Acknowledgements between two beats of the recording.
const ACKS_PER_BEAT: u64 = 8;
/// Bytes of a beat.
const BEAT_BYTES: usize = 3_200;

/// The durable notes of what was asked for and acknowledged.
struct Notes {
    file: File,
    path: PathBuf,
}

impl Notes {
    fn begin(path: PathBuf) -> Self {
        let file = File::options().create_new(true).append(true).open(&path).unwrap();
        Self { file, path }
    }

    fn write(&mut self, lines: &str) {
        self.file.write_all(lines.as_bytes()).unwrap();
    }

    /// Before the victim is asked, what it is asked for is on the disk.
    fn sync(&mut self) {
        self.file.sync_data().unwrap();
    }

    /// What may be found, and for each recording how many bytes must be.
    fn read(&self) -> (Ledger, BTreeMap<u64, u64>) {
        let mut ledger: Ledger = (0..ENTITIES).map(|entity| (entity, Bounds::default())).collect();
        let mut recordings = BTreeMap::new();
        for line in BufReader::new(File::open(&self.path).unwrap()).lines() {
            match fields(&line.unwrap()) {
                Some(("ask", entity, version)) => ledger.get_mut(&number(entity)).unwrap().sent = number(version),
                Some(("ack", entity, version)) => ledger.get_mut(&number(entity)).unwrap().acked = number(version),
                Some(("audio", round, bytes)) => drop(recordings.insert(round, bytes)),
                other => panic!("{other:?} in the notes"),
            }
        }
        (ledger, recordings)
    }
}

fn number(wide: u64) -> u32 {
    u32::try_from(wide).unwrap()
}

fn fields(line: &str) -> Option<(&str, u64, u64)> {
    let mut words = line.split(' ');
    Some((words.next()?, words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

fn recording(round: u64) -> BlobId {
    let mut bytes = [9; 10];
    bytes[..8].copy_from_slice(&round.to_be_bytes());
    BlobId::Recording(CallId::new(Timestamp::UNIX_EPOCH, bytes))
}

/// The bytes of a recording: each follows from its place.
fn audio(from: u64, length: usize) -> Vec<u8> {
    (from..).take(length).map(|at| (at * 31 % 251) as u8).collect()
}

/// The victim: does what it is asked for on its standard input, and says on its standard output what is durable.
pub fn victim(directory: &Path, round: u64) {
    let store = open(directory, Hooks::default()).unwrap();
    crate::say("open 0 0");
    std::thread::scope(|scope| {
        let writers: Vec<Sender<Op>> = (0..WRITERS)
            .map(|_| {
                let (sender, ops) = channel::<Op>();
                let store = store.clone();
                scope.spawn(move || {
                    for op in ops {
                        op.run(&store).unwrap();
                        crate::say(&format!("ack {} {}", op.entity, op.version));
                    }
                });
                sender
            })
            .collect();
        let (beat, beats) = channel::<()>();
        let store = store.clone();
        scope.spawn(move || record(&store, round, &beats));
        for line in std::io::stdin().lines() {
            match fields(&line.unwrap()) {
                Some(("op", entity, version)) => {
                    let op = Op { entity: number(entity), version: number(version) };
                    writers[(op.entity % WRITERS) as usize].send(op).unwrap();
                }
                _ => beat.send(()).unwrap(),
            }
        }
    });
}

fn record(store: &Store, round: u64, beats: &Receiver<()>) {
    let mut writer = store.blobs().create(recording(round)).unwrap();
    let mut length = 0;
    for () in beats {
        writer.append(&audio(length, BEAT_BYTES)).unwrap();
        writer.sync().unwrap();
        length += BEAT_BYTES as u64;
        crate::say(&format!("audio {round} {length}"));
    }
}

/// One victim from its start to its death.
struct Round<'a> {
    notes: &'a mut Notes,
    versions: &'a mut [u32],
    acks: u64,
}

impl Round<'_> {
    /// Asks for the next version of some entities, having written it down.
    fn ask(&mut self, entities: &[u32], input: &mut impl Write) {
        let (mut notes, mut lines) = (String::new(), String::new());
        for entity in entities {
            self.versions[*entity as usize] += 1;
            let version = self.versions[*entity as usize];
            notes.push_str(&format!("ask {entity} {version}\n"));
            lines.push_str(&format!("op {entity} {version}\n"));
            self.acks += 1;
            if self.acks.is_multiple_of(ACKS_PER_BEAT) {
                lines.push_str("beat\n");
            }
        }
        self.notes.write(&notes);
        self.notes.sync();
        // The victim may be dead by now; then nothing of this is acknowledged.
        let _ = input.write_all(lines.as_bytes());
    }

    /// Takes in what the victim says until it is time to kill it. `ms` count from its start or, with `opened`, from when it has
    /// opened the store.
    fn drive(&mut self, child: &mut Child, lines: &Receiver<String>, ms: u64, opened: bool) {
        let mut input = child.stdin.take().unwrap();
        // However slow the machine is, a start comes to an end.
        let mut until = Instant::now() + Duration::from_millis(if opened { 60_000 } else { ms });
        loop {
            let mut free = Vec::new();
            let mut next = lines.recv_timeout(until.saturating_duration_since(Instant::now()));
            loop {
                match next {
                    Ok(line) if line.starts_with("open") => {
                        free.extend(0..ENTITIES);
                        if opened {
                            until = Instant::now() + Duration::from_millis(ms);
                        }
                    }
                    Ok(line) => free.extend(self.heard(&line)),
                    Err(RecvTimeoutError::Timeout) => return,
                    Err(RecvTimeoutError::Disconnected) => return,
                }
                match lines.try_recv() {
                    Ok(line) => next = Ok(line),
                    Err(_) => break,
                }
            }
            if Instant::now() >= until {
                return;
            }
            self.ask(&free, &mut input);
        }
    }

    /// Writes down what was acknowledged, and returns the entity that is free for its next version.
    fn heard(&mut self, line: &str) -> Option<u32> {
        self.notes.write(&format!("{line}\n"));
        match fields(line) {
            Some(("ack", entity, _)) => Some(number(entity)),
            _ => None,
        }
    }
}

/// Starts a victim and kills it. What was asked for before and not acknowledged is asked for again: it may have been done.
fn kill_once(directory: &Path, round: u64, notes: &mut Notes, ms: u64, opened: bool) {
    let (ledger, _) = notes.read();
    let mut versions: Vec<u32> = ledger.values().map(|bounds| bounds.acked).collect();
    let path = directory.to_str().unwrap();
    let mut child = crate::this(&["victim", path, &round.to_string()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (sender, lines) = channel();
    let output = child.stdout.take().unwrap();
    let reader = std::thread::spawn(move || {
        // A line is shorter than a pipe's atomic write, so it is whole.
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    let mut victim = Round { notes, versions: &mut versions, acks: 0 };
    victim.drive(&mut child, &lines, ms, opened);
    let ended_itself = child.try_wait().unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap();
    // What it had said before it died.
    for line in lines.try_iter().filter(|line| !line.starts_with("open")) {
        victim.heard(&line);
    }
    assert!(ended_itself.is_none(), "the victim of round {round} ended by itself: {ended_itself:?}");
}

/// Opens what is left and looks at everything.
fn look(directory: &Path, notes: &Notes) -> Result<Duration, String> {
    let (ledger, recordings) = notes.read();
    let began = Instant::now();
    let store = open(directory, Hooks::default()).map_err(|error| format!("it does not open: {error}"))?;
    let took = began.elapsed();
    check(&store, &ledger)?;
    for (round, bytes) in recordings {
        let mut found = Vec::new();
        let reader = store.blobs().open(recording(round)).map_err(|error| error.to_string());
        reader?.read_to_end(&mut found).map_err(|error| error.to_string())?;
        if (found.len() as u64) < bytes {
            return Err(format!("LOST: recording {round} has {} bytes, {bytes} were acknowledged", found.len()));
        }
        if found != audio(0, found.len()) {
            return Err(format!("recording {round} has other bytes than were written"));
        }
    }
    Ok(took)
}

/// Kills, the ops acknowledged around them, and the longest opening after one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Kills {
    pub under_load: usize,
    pub while_opening: usize,
    pub ops: usize,
    pub open_ms_max: u128,
}

/// Kills `loads` times under load and, after some of those, `openings` times while the store is being opened again.
pub fn run(seed: u64, loads: usize, openings: usize, losses: &Losses) -> Kills {
    let mut rng = Rng::new(seed);
    let mut kills = Kills::default();
    while kills.under_load < loads || kills.while_opening < openings {
        let scratch = tempfile::tempdir().unwrap();
        let directory = scratch.path().join("store");
        crate::reserve_nothing(&directory);
        let mut notes = Notes::begin(scratch.path().join("notes"));
        for round in 0..KILLS_PER_STORE as u64 {
            let opening_left = openings - kills.while_opening;
            if opening_left > 0 && (kills.under_load >= loads || rng.chance(20)) {
                // Half of them in the first moments, where the opening is.
                let ms = if rng.chance(50) { rng.below(START_MS_MAX / 5) } else { rng.below(START_MS_MAX) };
                kill_once(&directory, 1_000 + round, &mut notes, ms, false);
                kills.while_opening += 1;
                if rng.chance(30) {
                    // What the first one left is not looked at: the next opening meets it.
                    continue;
                }
            } else if kills.under_load < loads {
                kill_once(&directory, round, &mut notes, rng.below(LOAD_MS_MAX), true);
                kills.under_load += 1;
            } else {
                break;
            }
            match look(&directory, &notes) {
                Ok(took) => kills.open_ms_max = kills.open_ms_max.max(took.as_millis()),
                Err(loss) => {
                    losses.note(seed, &format!("after kill {round} of a store: {loss}"));
                    break;
                }
            }
        }
        kills.ops += notes.read().0.values().map(|bounds| bounds.acked as usize).sum::<usize>();
    }
    kills
}
