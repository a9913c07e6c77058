//! What a relayed call costs: two SIP legs that are bridged, G.711 both ways, at 100, 400 and 600 calls, plain and recorded, in
//! a process of its own; and beside it rtpengine in user space, which relays packets without looking into them.
//! `cargo bench --bench relay`; `RELAY_SECONDS` is how long each row is measured (default 6), `RELAY_CALLS` says other sizes.
//!
//! Our rows play every packet through jitter buffer, voice activity, levels, bridge and encoder; recorded ones are sealed to a
//! disk. The far ends are one process that sends and reads bare packets. Each carries the time at which it left, which comes
//! out of the relay unchanged, as G.711 of one law passes our mixer bit for bit: so the delay is measured as well.
//!
//! A row with less than all packets relayed says that the machine had no room for it, and nothing about what a call costs:
//! the load before the first row is printed.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a bench prints, and ends when it cannot")]

mod clinic;
mod far;
mod rtpengine;

use far::Traffic;
use std::time::{Duration, Instant};

/// Sizes measured.
const CALLS: [usize; 3] = [100, 400, 600];
/// From the last answer to the begin of the measurement: jitter buffers have found their wait.
const SETTLE: Duration = Duration::from_secs(3);
/// Clock ticks a second in `/proc` (`getconf CLK_TCK`; 100 on every Linux that we run on).
const CLOCK_TICKS: f64 = 100.0;

/// Where both sides of a call receive at the relay.
pub struct Pair {
    pub caller: u16,
    pub staff: u16,
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
    let seconds = std::env::var("RELAY_SECONDS").ok().and_then(|text| text.parse().ok()).unwrap_or(6);
    let sizes: Vec<usize> = match std::env::var("RELAY_CALLS") {
        Ok(text) => text.split(',').map(|size| size.parse().unwrap()).collect(),
        Err(_) => CALLS.to_vec(),
    };
    let load = std::fs::read_to_string("/proc/loadavg").unwrap();
    println!("load of the machine before (1, 5, 15 minutes): {}", load.trim());
    println!("| relay | calls | CPU, % of a core | per call | MB per call | packets relayed | delay p50 | p99 |");
    println!("|---|---|---|---|---|---|---|---|");
    for recorded in [false, true] {
        for calls in &sizes {
            let what = if recorded { ", recorded" } else { "" };
            let own = clinic::start(*calls, recorded);
            measure(&format!("Auricle{what}"), Box::new(own), *calls, Duration::from_secs(seconds));
            match rtpengine::start(recorded) {
                Ok(peer) => measure(&format!("rtpengine{what}"), Box::new(peer), *calls, Duration::from_secs(seconds)),
                Err(why) => println!("| rtpengine{what} | {calls} | not measured: {why} | | | | | |"),
            }
        }
    }
}

fn measure(name: &str, mut relay: Box<dyn Relay>, calls: usize, span: Duration) {
    let process = relay.process();
    let mut traffic = Traffic::new();
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
    println!(
        "| {name} | {calls} | {share:.1} | {:.3} % | {memory:.2} | {:.2} % of {} | {:.1} ms | {:.1} ms |",
        share / calls as f64,
        seen.received as f64 / seen.sent as f64 * 100.0,
        seen.sent,
        seen.delay_ms(0.5),
        seen.delay_ms(0.99),
    );
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
