//! Kills, power cuts, failing and full disks, and rotten bits: what an acknowledged write has to survive.
//!
//! `cargo test` runs each harness at a small size; `make torture` runs them over and over with seeds of its own, for as long as
//! `TORTURE` says (`90s`, `30m`, `2h`) or as many times (`10`). A loss is printed with the command that brings it back.
//! `TORTURE_SEED` fixes the seed and `TORTURE_ONLY` the harness. The binary runs itself as the process that is killed.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test")]

mod clinic;
mod disk;
mod faults;
mod images;
mod kill;
mod model;
mod mutate;
mod rng;
mod workload;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Losses that are printed in full; the rest is counted.
const PRINTED_MAX: usize = 10;
/// Disks with a planted bug in a round.
const LIES: u64 = 5;
/// Disks that are filled in a round, of each kind.
const FILLS: u64 = 12;

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).unwrap();
}

/// What was lost, or is wrong otherwise.
pub struct Losses {
    harness: &'static str,
    found: Mutex<Vec<String>>,
}

impl Losses {
    fn of(harness: &'static str) -> Self {
        Self { harness, found: Mutex::default() }
    }

    /// For bugs that were planted.
    pub fn silent() -> Self {
        Self::of("")
    }

    /// Notes a loss and prints how to have it again.
    pub fn note(&self, seed: u64, what: &str) {
        let mut found = self.found.lock().unwrap();
        if !self.harness.is_empty() && found.len() < PRINTED_MAX {
            say(&format!("  {}: {what}", self.harness));
            say(&format!("  again: make torture TORTURE=1 TORTURE_ONLY={} TORTURE_SEED={seed}", self.harness));
        }
        found.push(what.to_owned());
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.found.lock().unwrap().len()
    }
}

/// A directory in memory where there is one: what the harnesses crash is not what syncs a real disk.
pub struct Scratch(tempfile::TempDir);

impl Scratch {
    /// A new one.
    pub fn fresh() -> Self {
        let memory = Path::new("/dev/shm");
        let parent = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
        let scratch = Self(tempfile::tempdir_in(parent).unwrap());
        reserve_nothing(scratch.path());
        scratch
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

/// Makes the store believe that its reserve of room is there already: 64 MiB for each of thousands of stores would take longer
/// than everything else.
pub fn reserve_nothing(directory: &Path) {
    std::fs::create_dir_all(directory).unwrap();
    std::fs::File::create(directory.join("ballast")).unwrap();
}

/// How long the harnesses go on.
enum Until {
    Rounds(u64),
    Time(Duration),
}

fn until() -> Until {
    let Ok(text) = std::env::var("TORTURE") else { return Until::Rounds(1) };
    let number = |text: &str| {
        text.parse::<u64>().unwrap_or_else(|_| panic!("TORTURE is {text:?}; 10, 90s, 30m or 2h are known"))
    };
    match text.chars().last() {
        Some('s') => Until::Time(Duration::from_secs(number(&text[..text.len() - 1]))),
        Some('m') => Until::Time(Duration::from_secs(60 * number(&text[..text.len() - 1]))),
        Some('h') => Until::Time(Duration::from_secs(3_600 * number(&text[..text.len() - 1]))),
        _ => Until::Rounds(number(&text)),
    }
}

/// A harness: its name, and a round of it at the size of `cargo test`. It notes its losses and returns its figures.
type Harness = (&'static str, fn(u64, &Losses) -> Vec<(&'static str, usize)>);

const HARNESSES: &[Harness] =
    &[("images", images_round), ("faults", faults_round), ("kills", kills_round), ("mutations", mutations_round)];

/// R3
fn images_round(seed: u64, losses: &Losses) -> Vec<(&'static str, usize)> {
    let made = images::run(seed, 3_000, losses);
    let mut found = 0;
    for lie in 0..LIES {
        // What such a disk leaves can end the process; then nobody but us cleans up.
        let scratch = Scratch::fresh();
        let lie = (seed ^ (lie << 32)).to_string();
        let mut child = this(&["lie", &lie, scratch.path().to_str().unwrap()]);
        let child = child.stderr(Stdio::null()).status().unwrap();
        // Found out in words, or by dying of what it found; 101 would be a panic of the harness itself.
        if matches!(child.code(), Some(1) | None) {
            found += 1;
        } else {
            losses.note(seed, "a disk that left out a sync was not found out");
        }
    }
    vec![("images", made.images), ("cut off again", made.again), ("planted bugs found", found)]
}

/// R6, R7
fn faults_round(seed: u64, losses: &Losses) -> Vec<(&'static str, usize)> {
    let injected = faults::failing(seed, losses);
    let seeds = || (0..FILLS).map(|n| seed ^ (n << 32));
    let full = seeds().filter(|seed| faults::full_in_memory(*seed, losses)).count();
    let real = seeds().map_while(|seed| faults::full_for_real(seed, losses)).filter(|full| *full).count();
    if full == 0 {
        losses.note(seed, "no disk in memory was filled");
    }
    vec![("injected faults", injected), ("full disks in memory", full), ("full disks for real", real)]
}

/// R1, R2
fn kills_round(seed: u64, losses: &Losses) -> Vec<(&'static str, usize)> {
    let kills = kill::run(seed, 200, 50, losses);
    say(&format!("  longest opening after a kill: {} ms", kills.open_ms_max));
    vec![
        ("kills under load", kills.under_load),
        ("kills while opening", kills.while_opening),
        ("ops acknowledged", kills.ops),
    ]
}

/// R9
fn mutations_round(seed: u64, losses: &Losses) -> Vec<(&'static str, usize)> {
    let outcomes = mutate::run(seed, 300, losses);
    std::iter::once(("mutations", 300)).chain(outcomes).collect()
}

/// This program again, as something that may die.
fn this(arguments: &[&str]) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(arguments);
    command
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["lie", seed, directory] => {
            let found = images::finds_a_lie(seed.parse().unwrap(), Path::new(directory));
            std::process::exit(i32::from(found));
        }
        ["victim", directory, round] => kill::victim(Path::new(directory), round.parse().unwrap()),
        ["mutants", pristine, from, until] => {
            mutate::mutants(Path::new(pristine), from.parse().unwrap(), until.parse().unwrap());
        }
        ["start", root, seed] => std::process::exit(mutate::start(Path::new(root), seed.parse().unwrap())),
        _ => torture(),
    }
}

fn torture() {
    let only =
        std::env::var("TORTURE_ONLY").ok().or_else(|| std::env::args().nth(1).filter(|name| !name.starts_with('-')));
    let fixed = std::env::var("TORTURE_SEED").ok().map(|seed| seed.parse::<u64>().unwrap());
    let chosen: Vec<_> = HARNESSES.iter().filter(|(name, _)| only.as_ref().is_none_or(|only| only == name)).collect();
    let long = std::env::var_os("TORTURE").is_some();
    // `make test` gives the same answer every time.
    let drawn = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let first = fixed.unwrap_or(if long { drawn } else { 1 });
    let totals: Vec<_> =
        chosen.iter().map(|(name, _)| (Losses::of(name), Mutex::new(Vec::<(&str, usize)>::new()))).collect();
    let began = Instant::now();
    let mut round = 0;
    loop {
        let more = match until() {
            Until::Rounds(rounds) => round < rounds,
            Until::Time(time) => began.elapsed() < time,
        };
        if !more || chosen.is_empty() {
            break;
        }
        let seed = first.wrapping_add(round);
        for ((name, harness), (losses, figures)) in chosen.iter().zip(&totals) {
            let at = Instant::now();
            let more = harness(seed, losses);
            let text: Vec<_> = more.iter().map(|(what, count)| format!("{count} {what}")).collect();
            say(&format!("{name} seed {seed}: {} in {:.1} s", text.join(", "), at.elapsed().as_secs_f64()));
            let mut figures = figures.lock().unwrap();
            for (what, count) in more {
                match figures.iter_mut().find(|(known, _)| *known == what) {
                    Some((_, total)) => *total += count,
                    None => figures.push((what, count)),
                }
            }
        }
        round += 1;
    }
    let mut lost = 0;
    for ((name, _), (losses, figures)) in chosen.iter().zip(&totals) {
        let text: Vec<_> = figures.lock().unwrap().iter().map(|(what, count)| format!("{count} {what}")).collect();
        say(&format!("{name}: {} rounds, {}, {} losses", round, text.join(", "), losses.count()));
        lost += losses.count();
    }
    assert_eq!(lost, 0, "losses; see above how to have them again");
}
