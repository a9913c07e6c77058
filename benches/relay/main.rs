//! What a relayed call costs: two SIP legs that are bridged, at 100, 400 and 600 calls with RTP both ways, in a process of its own;
//! and beside it, in the same run, rtpengine in user space. Rows are A-law on both sides, the same recorded, Opus on one side, and
//! SRTP on one side.
//!
//! `cargo bench --bench relay`. `RELAY_SECONDS` is how long each row is measured (default 4), `RELAY_CALLS` says other sizes,
//! `RELAY_ROWS` picks among `plain`, `recorded`, `opus` and `srtp`.
//!
//! Our rows play every packet through jitter buffer, levels, bridge and encoder; recorded ones are sealed to a disk. rtpengine
//! passes packets on without looking into them, but for the row with Opus, where both convert. The far ends are in one process.
//! What is said is speech with its pauses. Packets of A-law begin with the time at which they left, which comes out of the relay
//! unchanged, as it passes our mixer bit for bit: so the delay of each is measured as well, of its first sample. Unevenness is how far the time between two packets that a relay sends is from 20 ms; rtpengine's is its senders'.
//!
//! A row with less than all packets relayed says that the machine had no room for it, and nothing about what a call costs:
//! the load before the first row is printed.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a bench prints, and ends when it cannot")]

mod clinic;
mod far;
mod line;
mod rtpengine;
mod side;

use auricle_media::rtp::srtp::MasterKey;
use far::Traffic;
use side::Side;
use std::time::{Duration, Instant};

/// Sizes measured.
const CALLS: [usize; 3] = [100, 400, 600];
/// Rows: their name, whether they are recorded, and what callers speak.
const ROWS: [(&str, bool, Side); 4] = [
    ("plain", false, Side::Plain),
    ("recorded", true, Side::Plain),
    ("opus", false, Side::Opus),
    ("srtp", false, Side::Secure),
];
/// From the last answer to the begin of the measurement: jitter buffers have found their wait, and everybody has paused.
const SETTLE: Duration = Duration::from_secs(6);
/// What our media thread asks for; the far ends and the peer run with it as well, where the system lets them.
const NICENESS: i32 = -11;
/// Clock ticks a second in `/proc` (`getconf CLK_TCK`; 100 on every Linux that we run on).
const CLOCK_TICKS: f64 = 100.0;

/// Where both sides of a call receive at the relay, and with what it protects what it sends to the caller.
pub struct Pair {
    pub caller: u16,
    pub staff: u16,
    pub key: Option<MasterKey>,
}

/// A relay that is up, with its calls.
pub trait Relay {
    fn process(&self) -> u32;
    /// Sets up so many calls more.
    fn calls(&mut self, count: usize, traffic: &Traffic) -> Vec<Pair>;
    /// Ends everything.
    fn end(self: Box<Self>);
}

fn main() {
    if let Ok(task) = std::env::var(clinic::TASK) {
        return clinic::run(&task);
    }
    let seconds = std::env::var("RELAY_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(4);
    let span = Duration::from_secs(seconds);
    let sizes: Vec<usize> = match std::env::var("RELAY_CALLS") {
        Ok(text) => text.split(',').map(|size| size.parse().unwrap()).collect(),
        Err(_) => CALLS.to_vec(),
    };
    let rows = std::env::var("RELAY_ROWS").unwrap_or_else(|_| ROWS.map(|(name, ..)| name).join(","));
    let load = std::fs::read_to_string("/proc/loadavg").unwrap();
    println!("load of the machine before (1, 5, 15 minutes): {}", load.trim());
    println!(
        "| row | relay | calls | CPU, % of a core | per call | of rtpengine's | MB per call | packets relayed | delay p50 | p99 | uneven p99.9 |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    for (row, recorded, callers) in ROWS.into_iter().filter(|(name, ..)| rows.split(',').any(|row| row == *name)) {
        for calls in &sizes {
            let theirs = match rtpengine::start(recorded) {
                Ok(peer) => Some(measure(&format!("| {row} | rtpengine"), Box::new(peer), *calls, callers, span, None)),
                Err(why) => {
                    println!("| {row} | rtpengine | {calls} | not measured: {why} | | | | | | | |");
                    None
                }
            };
            let own = clinic::start(*calls, recorded, callers);
            measure(&format!("| {row} | Auricle"), Box::new(own), *calls, callers, span, theirs);
        }
    }
}

/// Prints a row; what the relay used of a core, in percent.
fn measure(
    name: &str,
    mut relay: Box<dyn Relay>,
    calls: usize,
    callers: Side,
    span: Duration,
    theirs: Option<f64>,
) -> f64 {
    let process = relay.process();
    let mut traffic = Traffic::new(callers);
    let idle = resident_mb(process);
    let pairs = relay.calls(calls, &traffic);
    traffic.start(&pairs);
    std::thread::sleep(SETTLE);
    traffic.count_from_now();
    let (cpu, began) = (processor_seconds(process), Instant::now());
    std::thread::sleep(span);
    let share = (processor_seconds(process) - cpu) / began.elapsed().as_secs_f64() * 100.0;
    let memory = (resident_mb(process) - idle) / calls as f64;
    let seen = traffic.end();
    relay.end();
    let ms = |time: Option<f64>| time.map_or("-".to_owned(), |ms| format!("{ms:.1} ms"));
    println!(
        "{name} | {calls} | {share:.1} | {:.3} % | {} | {memory:.2} | {:.2} % of {} | {} | {} | {} |",
        share / calls as f64,
        theirs.map_or("-".to_owned(), |theirs| format!("{:.2}", share / theirs)),
        seen.received as f64 / seen.sent as f64 * 100.0,
        seen.sent,
        ms(seen.delay_p50),
        ms(seen.delay_p99),
        ms(seen.uneven_p999),
    );
    share
}

/// Processor time of a process so far, in all its threads, user and system.
fn processor_seconds(process: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    (fields[11].parse::<f64>().unwrap() + fields[12].parse::<f64>().unwrap()) / CLOCK_TICKS
}

fn resident_mb(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").trim().parse::<f64>().unwrap() / 1024.0
}
