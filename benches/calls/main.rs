//! What signalling costs: short calls from SIPp to SIPp, with ourselves between them in a process of its own, which takes every
//! call, calls the other side, rings, answers, bridges both and hangs up; and beside it Debian's Kamailio, a proxy that passes
//! the same messages on, stays in their route, and carries no media.
//!
//! `cargo bench --bench calls`. `CALLS_RATES` says which rates are tried in turn (until one has a failure or a retransmission),
//! `CALLS_SECONDS` how long each lasts (default 5), `CALLS_COUNT` after how many calls memory is compared (default 100,000; 0 leaves
//! that out), `CALLS_RATE` at which rate those are placed (default 300 a second).
//!
//! Memory is what the process has from the system, and shows the most that it ever needed at once: both legs of a short call are
//! remembered for 32 s, and take up to 20 kB. What they leave is used for the next ones, and not given back. Beside that the tables by which
//! messages find their transactions become as large as they ever will, which takes some ten thousands of calls: a hash table whose places
//! have all been used once is made twice as large where more than half of it is in use. From then on it is flat: at 300 calls a second 9.5 MB
//! more after 70,000 calls than after 10,000, and nothing more after 100,000; 13.7 MB were in use both times (`malloc_stats`).
//!
//! SIPp counts time in whole milliseconds. So the time from INVITE to 200 is measured by ends of our own, which answer at once,
//! one call after the other; with nobody between them as well.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a bench prints, and ends when it cannot")]

mod between;
mod ends;
mod kamailio;
mod sipp;

use between::Between;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Rates tried in turn. One source may send us 2,000 messages a second, three for each call.
const RATES: [u32; 6] = [100, 200, 300, 400, 500, 600];
/// Calls whose setup is measured, one after the other.
const SETUPS: usize = 500;
/// Calls of the first measurement of memory: as many as are remembered at once, and a few more.
const FIRST_CALLS: u32 = 10_000;
/// Calls after which memory is compared.
const CALLS: u32 = 100_000;
/// The longest that anything of a call is remembered (RFC 3261: 32 s).
const FORGOTTEN: Duration = Duration::from_secs(34);
/// What our media thread asks for; the peer and our own ends run with it as well, where the system lets them.
const NICENESS: i32 = -11;
/// Clock ticks a second in `/proc` (`getconf CLK_TCK`; 100 on every Linux that we run on).
const CLOCK_TICKS: f64 = 100.0;

/// Puts one between, calling whom it is told; why not, where it cannot be.
type Start = fn(SocketAddr) -> Result<Between, String>;

fn main() {
    if let Ok(called) = std::env::var(between::TASK) {
        return between::run(&called);
    }
    let load = std::fs::read_to_string("/proc/loadavg").unwrap();
    println!("load of the machine before (1, 5, 15 minutes): {}", load.trim());
    setups();
    costs();
    let calls = number("CALLS_COUNT", CALLS);
    if calls > 0 {
        memory(calls);
    }
}

/// Asks for the processor before others.
fn prefer_this_thread() {
    let _only_where_allowed = rustix::process::setpriority_process(None, NICENESS);
}

fn number(name: &str, otherwise: u32) -> u32 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(otherwise)
}

fn setups() {
    println!("| between | calls | INVITE to 200, 180 first, p50 | p95 |");
    println!("|---|---|---|---|");
    let called = ends::Called::start();
    let row = |name: &str, spans: &[Duration]| {
        let at = |share: f64| spans[(spans.len() as f64 * share) as usize].as_secs_f64() * 1_000.0;
        println!("| {name} | {} | {:.2} ms | {:.2} ms |", spans.len(), at(0.5), at(0.95));
    };
    row("nobody", &ends::setups(called.address, SETUPS));
    let own = between::start(called.address);
    row("Auricle", &ends::setups(own.address, SETUPS));
    own.end();
    match kamailio::start(called.address) {
        Ok(peer) => {
            row("Kamailio, no media", &ends::setups(peer.address, SETUPS));
            peer.end();
        }
        Err(why) => println!("| Kamailio | not measured: {why} | | |"),
    }
}

fn costs() {
    println!("| between | calls a second | calls | CPU per call | failed | retransmitted |");
    println!("|---|---|---|---|---|---|");
    let rates: Vec<u32> = match std::env::var("CALLS_RATES") {
        Ok(text) => text.split(',').map(|rate| rate.parse().unwrap()).collect(),
        Err(_) => RATES.to_vec(),
    };
    let seconds = number("CALLS_SECONDS", 5);
    let Ok(called) = sipp::Called::start() else {
        return println!("| not measured: SIPp (Debian: sip-tester) does not start | | | | | |");
    };
    let starts: [(&str, Start); 2] =
        [("Auricle", |called| Ok(between::start(called))), ("Kamailio, no media", kamailio::start)];
    for (name, start) in starts {
        let between = match start(called.address) {
            Ok(between) => between,
            Err(why) => {
                println!("| {name} | not measured: {why} | | | | |");
                continue;
            }
        };
        let cost = |rate: u32| {
            let used = between.processor_seconds();
            let seen = called.call(between.address, rate, rate * seconds);
            let cpu_ms = (between.processor_seconds() - used) * 1_000.0 / f64::from(seen.calls.max(1));
            let (calls, failed, again) = (seen.calls, seen.failed, seen.retransmitted);
            println!("| {name} | {rate} | {calls} | {cpu_ms:.3} ms | {failed} | {again} |");
            failed == 0 && again == 0
        };
        let highest = rates.iter().take_while(|rate| cost(**rate)).last();
        println!("| {name} | highest rate without a failure: {} | | | | |", highest.map_or(0, |rate| *rate));
        between.end();
    }
}

/// Resident memory once everything of the first calls is forgotten, and once everything of many more is: the last two rows are the same.
fn memory(calls: u32) {
    println!("| Auricle after short calls | resident | failed | retransmitted | seconds |");
    println!("|---|---|---|---|---|");
    let Ok(called) = sipp::Called::start() else { return };
    let own = between::start(called.address);
    let (rate, began) = (number("CALLS_RATE", 300), Instant::now());
    let mut placed = 0;
    for until in [calls.min(FIRST_CALLS), calls / 4 * 3, calls] {
        if until <= placed {
            continue;
        }
        let seen = called.call(own.address, rate, until - placed);
        placed = until;
        std::thread::sleep(FORGOTTEN);
        let (megabytes, seconds) = (own.resident_mb(), began.elapsed().as_secs());
        println!("| {placed} | {megabytes:.1} MB | {} | {} | {seconds} |", seen.failed, seen.retransmitted);
    }
    own.end();
}
