//! The far ends of all calls: a few sockets, for callers and for those who are called, and packets that carry the time at
//! which they left.
//!
//! What comes is looked for once a millisecond, so that no relay pays for waking whoever measures; a network card would not
//! wake anybody in the relay's time either. Every seventh call is a probe: its sockets are waited at, and delay and the evenness
//! of what the relay sends are measured there.

use crate::Pair;
use crate::side::{LEFT_OVER_BYTES, Side, Source, departure_us, payload, spoken};
use auricle_media::rtp::srtp::Unprotector;
use socket2::{Domain, Protocol, Type};
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Packets of a second and side.
const PER_SECOND: u32 = 50;
/// Length of a packet.
const PACKET_US: u64 = 20_000;
/// Steps in which the packets of 20 ms leave, so that they do not all come at once.
const STEPS: usize = 20;
/// Times are counted in tenths of milliseconds, up to a second.
const TIMES: usize = 10_000;
/// One call of so many is a probe; no divisor of the steps, so that probes are sent to in all of them.
const PROBE_EVERY: usize = 7;
/// How often the other sockets are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(1);
/// What the kernel is asked to keep while a reader sleeps.
const BUFFER_BYTES: usize = 8 << 20;

/// How often each time was seen.
struct Times(Vec<AtomicU64>);

impl Times {
    fn new() -> Self {
        Self((0..TIMES).map(|_| AtomicU64::new(0)).collect())
    }

    fn add(&self, us: u64) {
        self.0[(us as usize / 100).min(TIMES - 1)].fetch_add(1, Ordering::Relaxed);
    }

    fn clear(&self) {
        self.0.iter().for_each(|count| count.store(0, Ordering::Relaxed));
    }

    /// The time in milliseconds that this share does not exceed; none when nothing was seen.
    fn ms(&self, share: f64) -> Option<f64> {
        let counts: Vec<u64> = self.0.iter().map(|count| count.load(Ordering::Relaxed)).collect();
        let wanted = (counts.iter().sum::<u64>() as f64 * share) as u64;
        let mut so_far = 0;
        let at = counts.iter().position(|count| {
            so_far += count;
            so_far > wanted
        });
        at.map(|at| at as f64 / 10.0)
    }
}

/// What came of what was sent, in packets and milliseconds.
pub struct Seen {
    pub sent: u64,
    pub received: u64,
    pub delay_p50: Option<f64>,
    pub delay_p99: Option<f64>,
    /// How far the time between two packets of a leg was from 20 ms.
    pub uneven_p999: Option<f64>,
}

struct Shared {
    origin: Instant,
    stopped: AtomicBool,
    sent: AtomicU64,
    received: AtomicU64,
    delays: Times,
    uneven: Times,
}

impl Shared {
    fn now_us(&self) -> u64 {
        self.origin.elapsed().as_micros() as u64
    }
}

/// Both ends of all calls.
pub struct Traffic {
    callers: Side,
    /// Of both sides, those of most calls and those of probes.
    sockets: [[Arc<UdpSocket>; 2]; 2],
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Traffic {
    pub fn new(callers: Side) -> Self {
        let shared = Shared {
            origin: Instant::now(),
            stopped: AtomicBool::new(false),
            sent: AtomicU64::new(0),
            received: AtomicU64::new(0),
            delays: Times::new(),
            uneven: Times::new(),
        };
        let sockets = [0, 1].map(|_| [false, true].map(|is_probe| Arc::new(socket(is_probe))));
        Self { callers, sockets, shared: Arc::new(shared), threads: Vec::new() }
    }

    /// What a side speaks: callers' is 0.
    pub fn side(&self, side: usize) -> Side {
        if side == 0 { self.callers } else { Side::Plain }
    }

    /// Where a side of a call receives.
    pub fn address(&self, call: usize, side: usize) -> SocketAddr {
        self.sockets[side][usize::from(is_probe(call))].local_addr().unwrap()
    }

    pub fn start(&mut self, pairs: &[Pair]) {
        let spoken = [0, 1].map(|side| spoken(self.side(side)));
        let leg = |(index, (call, side, port)): (usize, (usize, usize, u16))| Leg {
            socket: Arc::clone(&self.sockets[side][usize::from(is_probe(call))]),
            port,
            source: Source::new(self.side(side), index as u32 + 1, &spoken[side]),
        };
        let ports = pairs.iter().enumerate().flat_map(|(call, pair)| [(call, 0, pair.caller), (call, 1, pair.staff)]);
        let legs: Vec<Leg> = ports.enumerate().map(leg).collect();
        let shared = Arc::clone(&self.shared);
        self.threads.push(std::thread::spawn(move || send(legs, &shared)));
        for side in [0, 1] {
            for is_probe in [false, true] {
                let keys = pairs.iter().filter(|_| side == 0);
                let keys = keys.filter_map(|pair| Some((pair.caller, Unprotector::new(pair.key.as_ref()?)))).collect();
                let reader = Reader {
                    socket: Arc::clone(&self.sockets[side][usize::from(is_probe)]),
                    // Nothing comes through two codecs as it was.
                    is_whole: self.callers != Side::Opus,
                    is_probe,
                    keys,
                    last: HashMap::new(),
                    tails: HashMap::new(),
                    shared: Arc::clone(&self.shared),
                };
                self.threads.push(std::thread::spawn(move || reader.run()));
            }
        }
    }

    pub fn count_from_now(&self) {
        self.shared.delays.clear();
        self.shared.uneven.clear();
        self.shared.sent.store(0, Ordering::Relaxed);
        self.shared.received.store(0, Ordering::Relaxed);
    }

    pub fn end(self) -> Seen {
        self.shared.stopped.store(true, Ordering::Relaxed);
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
        let Shared { sent, received, delays, uneven, .. } = &*self.shared;
        Seen {
            sent: sent.load(Ordering::Relaxed),
            received: received.load(Ordering::Relaxed),
            delay_p50: delays.ms(0.5),
            delay_p99: delays.ms(0.99),
            uneven_p999: uneven.ms(0.999),
        }
    }
}

fn is_probe(call: usize) -> bool {
    call.is_multiple_of(PROBE_EVERY)
}

fn socket(is_probe: bool) -> UdpSocket {
    let socket = socket2::Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).unwrap();
    let _sizes = (socket.set_recv_buffer_size(BUFFER_BYTES), socket.set_send_buffer_size(BUFFER_BYTES));
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.set_nonblocking(!is_probe).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    socket.into()
}

/// One side of one call, and its port at the relay.
struct Leg {
    socket: Arc<UdpSocket>,
    port: u16,
    source: Source,
}

/// Asks for the processor before others, as our media thread does: who measures late finds others late.
fn prefer_this_thread() {
    let _only_where_allowed = rustix::process::setpriority_process(None, crate::NICENESS);
}

/// Sends to every leg every 20 ms.
fn send(mut legs: Vec<Leg>, shared: &Shared) {
    prefer_this_thread();
    let step = Duration::from_secs(1) / PER_SECOND / STEPS as u32;
    let mut due = Instant::now();
    while !shared.stopped.load(Ordering::Relaxed) {
        for part in 0..STEPS {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            due += step;
            // The two sides of a call are in different parts, so that both wait for the tick in their own way.
            for Leg { socket, port, source } in legs.iter_mut().skip(part).step_by(STEPS) {
                let packet = source.next(shared.now_us());
                let sent = socket.send_to(packet, (Ipv4Addr::LOCALHOST, *port)).is_ok();
                shared.sent.fetch_add(u64::from(sent), Ordering::Relaxed);
            }
        }
    }
}

/// Reads what comes at one socket.
struct Reader {
    socket: Arc<UdpSocket>,
    /// Only what comes as it was sent counts as relayed.
    is_whole: bool,
    is_probe: bool,
    /// By the relay's port, with what it protects.
    keys: HashMap<u16, Unprotector>,
    /// By the relay's port, number and time of the last packet.
    last: HashMap<u16, (u16, u64)>,
    /// By the relay's port, the end of the last payload.
    tails: HashMap<u16, Vec<u8>>,
    shared: Arc<Shared>,
}

impl Reader {
    fn run(mut self) {
        prefer_this_thread();
        let (mut buffer, mut plain) = ([0; 2_048], Vec::new());
        while !self.shared.stopped.load(Ordering::Relaxed) {
            let Ok((length, from)) = self.socket.recv_from(&mut buffer) else {
                if !self.is_probe {
                    std::thread::sleep(LOOK_EVERY);
                }
                continue;
            };
            match self.keys.get_mut(&from.port()).map(|key| key.rtp(&buffer[..length], &mut plain)) {
                Some(Ok(())) => self.take(from.port(), &plain),
                Some(Err(_)) => {}
                None => self.take(from.port(), &buffer[..length]),
            }
        }
    }

    fn take(&mut self, port: u16, packet: &[u8]) {
        let Some(payload) = payload(packet) else { return };
        let now_us = self.shared.now_us();
        let tail = self.tails.entry(port).or_default();
        let left = if self.is_whole { departure_us(tail, payload) } else { None };
        tail.clear();
        tail.extend_from_slice(&payload[payload.len().saturating_sub(LEFT_OVER_BYTES)..]);
        if left.is_some() || !self.is_whole {
            self.shared.received.fetch_add(1, Ordering::Relaxed);
        }
        if !self.is_probe {
            return;
        }
        if let Some((left_us, later_us)) = left {
            self.shared.delays.add(now_us.saturating_add_signed(later_us).saturating_sub(left_us));
        }
        let number = u16::from_be_bytes([packet[2], packet[3]]);
        if let Some((before, at_us)) = self.last.insert(port, (number, now_us))
            && number == before.wrapping_add(1)
        {
            self.shared.uneven.add((now_us - at_us).abs_diff(PACKET_US));
        }
    }
}
