//! Every fuzz target over its corpus, and over mutations of it that are the same in every run.
//!
//! `FUZZ_RUNS` is how many mutations each target tries instead of its own number, `FUZZ_SEED` where they begin: for hours in a
//! release build, `FUZZ_RUNS=10000000 FUZZ_SEED=7 cargo test -p auricle-media --release --test fuzz`. A failure says with
//! which seed, in which run and with which input, which belongs into `fuzz/regressions.rs`.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

#[path = "fuzz/mutate.rs"]
mod mutate;
#[path = "fuzz/regressions.rs"]
mod regressions;
#[path = "fuzz/targets/mod.rs"]
mod targets;

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use mutate::{Random, mutate};
use targets::{TARGETS, Target};

/// Inputs kept because the target saw something new in them.
const KEPT_MAX: usize = 4_096;
/// Octets of all seeds, so that the corpus stays a small part of the repository.
const SEEDS_OCTETS_MAX: usize = 300_000;

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name)
        .map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name}={text:?} is no number")))
}

fn seeds(target: &Target) -> Vec<Vec<u8>> {
    let mut files = Vec::new();
    for folder in target.seeds {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz").join(folder);
        let entries = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        files.extend(
            entries.map(|entry| entry.unwrap().path()).filter(|path| path.extension().is_some_and(|e| e != "md")),
        );
    }
    // The order of a folder is the file system's; ours is always the same.
    files.sort();
    files.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

fn call(target: &Target, input: &[u8], what: &str) -> u64 {
    catch_unwind(AssertUnwindSafe(|| (target.run)(input))).unwrap_or_else(|_| {
        panic!("target {}, {what}, failed on b\"{}\"", target.name, input.escape_ascii());
    })
}

/// SEC-12, SEC-13: no bytes from the network make a reader panic or break what the target promises.
fn fuzz(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    let (seed, runs) = (setting("FUZZ_SEED", 1), setting("FUZZ_RUNS", u64::from(target.runs)));
    let mut kept = seeds(target);
    assert!(kept.len() >= 3, "a corpus to begin with");
    let mut seen: HashSet<u64> = HashSet::new();
    for (index, input) in kept.iter().enumerate() {
        seen.insert(call(target, input, &format!("seed file {index}")));
    }
    let mut random = Random::new(seed);
    for run in 0..runs {
        let (one, other) = (random.below(kept.len()), random.below(kept.len()));
        let input = mutate(&kept[one], &kept[other], &mut random);
        let saw = call(target, &input, &format!("FUZZ_SEED={seed} run {run}"));
        if seen.len() < KEPT_MAX && seen.insert(saw) {
            kept.push(input);
        }
    }
    assert!(runs < 100 || seen.len() > 10, "the target sees no difference between its inputs: {}", seen.len());
}

#[test]
fn message() {
    fuzz("message");
}

#[test]
fn agent() {
    fuzz("agent");
}

#[test]
fn description() {
    fuzz("description");
}

#[test]
fn framing() {
    fuzz("framing");
}

#[test]
fn digest() {
    fuzz("digest");
}

#[test]
fn registrar() {
    fuzz("registrar");
}

#[test]
fn rfc4571() {
    fuzz("rfc4571");
}

#[test]
fn srtp() {
    fuzz("srtp");
}

#[test]
fn packet() {
    fuzz("packet");
}

#[test]
fn dtmf() {
    fuzz("dtmf");
}

#[test]
fn stream() {
    fuzz("stream");
}

#[test]
fn engine() {
    fuzz("engine");
}

#[test]
fn wire() {
    fuzz("wire");
}

#[test]
fn the_corpus_is_small() {
    let octets: usize = TARGETS.iter().flat_map(seeds).map(|seed| seed.len()).sum();
    assert!(octets < SEEDS_OCTETS_MAX, "{octets} octets of seeds");
}
