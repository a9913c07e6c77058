//! Bit rot (R9): a file of the store is damaged at a place that follows from a seed, and the store is used.
//!
//! Damaged are the records, the wrapped keys, a recording, a document's content, files of the search index, and a backup.
//! Accepted is what was written, or an error that says what is damaged and the way back; never other bytes, never a start that
//! ends the process, never one that hangs. Each mutation runs in a process of its own kind, so that a death is seen.

use crate::clinic;
use crate::model::{self, Bounds, Ledger, Op, open};
use crate::rng::Rng;
use crate::{Losses, Scratch};
use auricle_domain::contact::Contact;
use auricle_storage::schema::CONTACTS_BY_NUMBER;
use auricle_storage::{Hooks, Record, Scan, Store, StoreError};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::ops::RangeInclusive;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::mpsc::channel;
use std::time::Duration;

/// Whether wrong bytes inside a value must be found; they must, since every value is sealed.
const VALUES_ARE_SEALED: bool = true;
/// Entities of the store that is damaged.
pub const ENTITIES: u32 = 40;
/// Versions that each of them has been through.
pub const VERSIONS: u32 = 6;
/// How long one mutation may take before it counts as hanging.
const HANGS_AFTER: Duration = Duration::from_secs(60);
/// Places that are tried before one is taken that holds nothing.
const PLACES_TRIED: usize = 30;

/// Damages a file: flips a bit, zeroes 4 KiB or cuts it off, at a place that follows from the seed and mostly holds something.
/// Says what it did.
pub fn mutate(path: &Path, seed: u64) -> String {
    let mut rng = Rng::new(seed);
    let file = File::options().read(true).write(true).open(path).unwrap();
    let length = file.metadata().unwrap().len();
    assert!(length > 0, "{} is empty", path.display());
    let kind = rng.below(3);
    let mut at = rng.below(length);
    for _ in 0..PLACES_TRIED {
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        if byte[0] != 0 {
            break;
        }
        at = rng.below(length);
    }
    match kind {
        0 => {
            let mut byte = [0];
            file.read_exact_at(&mut byte, at).unwrap();
            let bit = rng.below(8);
            file.write_all_at(&[byte[0] ^ (1 << bit)], at).unwrap();
            format!("bit {bit} of byte {at} flipped")
        }
        1 => {
            let from = at - at % 4_096;
            let zeros = vec![0; usize::try_from((length - from).min(4_096)).unwrap()];
            file.write_all_at(&zeros, from).unwrap();
            format!("4 KiB from byte {from} zeroed")
        }
        _ => {
            file.set_len(at).unwrap();
            format!("cut off at byte {at} of {length}")
        }
    }
}

/// Entities that are written to the damaged store.
fn added() -> RangeInclusive<u32> {
    1_000..=1_019
}

/// What came of using a damaged file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Everything was there.
    Whole,
    /// Something was an error, the rest was there.
    Errors,
    /// The store was not opened.
    Refused,
    /// A recording ends before it did.
    Shorter,
    /// Something was not found, and nothing said why: the damage lay in the key of a row or of a page.
    Absent,
}

impl Outcome {
    const ALL: [(Self, &'static str); 5] = [
        (Self::Whole, "whole"),
        (Self::Errors, "errors"),
        (Self::Refused, "refused"),
        (Self::Shorter, "shorter"),
        (Self::Absent, "absent"),
    ];

    fn name(self) -> &'static str {
        Self::ALL[self as usize].1
    }
}

/// What must be there, with so many versions of the entities that are written to the damaged store.
fn ledger(versions: u32) -> Ledger {
    let written = (0..ENTITIES).map(|entity| (entity, Bounds { acked: VERSIONS, sent: VERSIONS }));
    written.chain(added().map(|entity| (entity, Bounds { acked: versions, sent: versions }))).collect()
}

/// An error must be one of the damaged file, and say the way back.
pub fn speaks(error: &StoreError) -> Result<(), String> {
    let text = error.to_string();
    match error {
        StoreError::Damaged { .. } if text.contains("auricle restore") => Ok(()),
        StoreError::Keys(_) => Ok(()),
        other => Err(format!("an error that names no way back: {other:?}")),
    }
}

/// Reads everything there is. An error is fine, another value is not.
fn read_all(store: &Store, ledger: &Ledger) -> Result<Outcome, String> {
    let mut outcome = Outcome::Whole;
    let worse = |outcome: &mut Outcome, new: Outcome| {
        if *outcome == Outcome::Whole || new == Outcome::Errors {
            *outcome = new;
        }
    };
    for entity in 0..ENTITIES {
        let Some(written) = model::contact(entity, VERSIONS) else { continue };
        let by_key = store.read(|tx| tx.get::<Contact>(&written.key()));
        let by_number = store.read(|tx| tx.find(CONTACTS_BY_NUMBER, tx.lookup().number(&written.numbers[0])));
        for found in [by_key, by_number] {
            match found {
                Ok(Some(found)) if found == written => {}
                Ok(Some(_)) if !VALUES_ARE_SEALED => {}
                Ok(Some(other)) => return Err(format!("WRONG: entity {entity} came as {}", other.name)),
                Ok(None) => worse(&mut outcome, Outcome::Absent),
                Err(error) => {
                    speaks(&error)?;
                    worse(&mut outcome, Outcome::Errors);
                }
            }
        }
    }
    let scanned = store.read(|tx| tx.scan(Scan::<Contact>::table().limit(500)));
    match scanned {
        Ok(page) => {
            let known = |found: &Contact, entity, version| model::contact(entity, version).as_ref() == Some(found);
            let wrong = |found: &&Contact| {
                !(0..ENTITIES).any(|entity| known(found, entity, VERSIONS))
                    && !added().any(|entity| known(found, entity, 1))
            };
            if VALUES_ARE_SEALED && let Some(wrong) = page.items.iter().find(wrong) {
                return Err(format!("WRONG: a scan gave {}", wrong.name));
            }
        }
        Err(error) => {
            speaks(&error)?;
            worse(&mut outcome, Outcome::Errors);
        }
    }
    // The whole of it: feed, audit chain, ops, every index. It finds what single look-ups cannot.
    if outcome == Outcome::Whole
        && let Err(found) = model::check(store, ledger)
    {
        outcome = if found.starts_with(model::SAID) { Outcome::Errors } else { Outcome::Absent };
    }
    Ok(outcome)
}

/// Uses a damaged store as a clinic would: opens it, reads, writes, closes, opens it again.
pub fn check_store(directory: &Path) -> Result<Outcome, String> {
    let hooks = || Hooks { on_fatal: Some(Box::new(|_: &StoreError| {})), ..Hooks::default() };
    let store = match open(directory, hooks()) {
        Ok(store) => store,
        Err(error) => {
            speaks(&error)?;
            return match open(directory, hooks()) {
                Ok(_) => Err("refused once and then opened".to_owned()),
                Err(error) => speaks(&error).map(|()| Outcome::Refused),
            };
        }
    };
    let outcome = read_all(&store, &ledger(0))?;
    let written = added().try_for_each(|entity| Op { entity, version: 1 }.run(&store));
    drop(store);
    match open(directory, hooks()) {
        Ok(store) => {
            written.as_ref().map_or_else(speaks, |()| Ok(()))?;
            let again = read_all(&store, &ledger(u32::from(written.is_ok())))?;
            if outcome == Outcome::Whole && again != Outcome::Whole {
                return Err(format!("whole at first, and {again:?} after it was written to and opened again"));
            }
            Ok(if written.is_ok() { outcome } else { Outcome::Errors })
        }
        Err(error) => speaks(&error).map(|()| Outcome::Refused),
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The process that may die: one mutation after the other, each on a copy of its own.
pub fn mutants(pristine: &Path, from: u64, until: u64) {
    for seed in from..until {
        let scratch = Scratch::fresh();
        copy(pristine, scratch.path());
        let victim = clinic::victim(scratch.path(), seed);
        let what = mutate(&victim, seed);
        crate::say(&format!("begin {seed} {}: {what}", victim.strip_prefix(scratch.path()).unwrap().display()));
        match clinic::check(scratch.path(), &victim) {
            Ok(outcome) => crate::say(&format!("end {seed} {}", outcome.name())),
            Err(wrong) => crate::say(&format!("wrong {seed} {}", wrong.replace('\n', " "))),
        }
    }
}

/// Damages `count` copies of a store, each once.
pub fn run(seed: u64, count: u64, losses: &Losses) -> BTreeMap<&'static str, usize> {
    let pristine = Scratch::fresh();
    clinic::write(pristine.path());
    let path = pristine.path().to_str().unwrap();
    // Seeds of neighbouring rounds do not overlap.
    let (mut next, until) = (seed.wrapping_mul(1_000_003), seed.wrapping_mul(1_000_003) + count);
    let mut outcomes: BTreeMap<&'static str, usize> = Outcome::ALL.iter().map(|(_, name)| (*name, 0)).collect();
    while next < until {
        let mut child = crate::this(&["mutants", path, &next.to_string(), &until.to_string()])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let (sender, lines) = channel();
        let output = child.stdout.take().unwrap();
        let reader = std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                let _ = sender.send(line);
            }
        });
        let mut last = String::new();
        while let Ok(line) = lines.recv_timeout(HANGS_AFTER) {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["begin", ..] => last.clone_from(&line),
                ["end", _, outcome] => {
                    let known = Outcome::ALL.iter().find(|(_, name)| *name == outcome).unwrap().1;
                    *outcomes.entry(known).or_default() += 1;
                    next += 1;
                    last.clear();
                }
                _ => {
                    losses.note(seed, &format!("{last}: {line}"));
                    next += 1;
                    last.clear();
                }
            }
        }
        child.kill().unwrap();
        let status = child.wait().unwrap();
        reader.join().unwrap();
        if next < until {
            let died = abort_is_remembered(pristine.path(), next);
            losses_of_death(&died, losses, seed, &format!("{last}: died or hung ({status})"), &mut outcomes);
            next += 1;
        }
    }
    outcomes
}

/// After a mutation that ended the process: the store in that state must be refused in words at the next start.
fn abort_is_remembered(pristine: &Path, seed: u64) -> Result<(), String> {
    let scratch = Scratch::fresh();
    copy(pristine, scratch.path());
    mutate(&clinic::victim(scratch.path(), seed), seed);
    let start = || {
        crate::this(&["start", scratch.path().to_str().unwrap(), &seed.to_string()])
            .stderr(Stdio::null())
            .output()
            .unwrap()
    };
    let first = start();
    let second = start();
    // 2: refused in words. Dying once is a restart; dying twice is a loop.
    match second.status.code() {
        Some(0 | 2) => Ok(()),
        other => Err(format!("starts ended with {:?} and then {other:?}", first.status)),
    }
}

fn losses_of_death(
    remembered: &Result<(), String>,
    losses: &Losses,
    seed: u64,
    what: &str,
    outcomes: &mut BTreeMap<&'static str, usize>,
) {
    match remembered {
        Ok(()) => *outcomes.entry("died once, then refused").or_default() += 1,
        Err(loop_of) => losses.note(seed, &format!("{what}; {loop_of}")),
    }
}

/// A start as the program makes it, with reads and writes: 0 when all went well, 2 when the store was refused in words.
pub fn start(root: &Path, seed: u64) -> i32 {
    match clinic::check(root, &clinic::victim(root, seed)) {
        Ok(Outcome::Refused) => 2,
        Ok(_) => 0,
        Err(_) => 3,
    }
}
