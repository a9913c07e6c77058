//! The far ends of all calls: two sockets, one for every caller and one for everybody who is called, and packets that carry the
//! time at which they left.

use crate::Pair;
use socket2::{Domain, Protocol, Type};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Packets of a second and side.
const PER_SECOND: u32 = 50;
/// Steps in which the packets of 20 ms leave, so that they do not all come at once.
const STEPS: usize = 20;
/// After the time of its departure every packet holds this: what is concealed or shifted is not taken for a packet.
const MARK: [u8; 8] = *b"auricle!";
const HEADER_BYTES: usize = 12;
const PACKET_BYTES: usize = 172;
/// A delay is counted in tenths of milliseconds, up to a second.
const DELAYS: usize = 10_000;
/// What the kernel is asked to keep while a reader sleeps.
const BUFFER_BYTES: usize = 8 << 20;

/// What came of what was sent.
pub struct Seen {
    pub sent: u64,
    pub received: u64,
    delays: Vec<u64>,
}

impl Seen {
    pub fn delay_ms(&self, share: f64) -> f64 {
        let wanted = (self.delays.iter().sum::<u64>() as f64 * share) as u64;
        let mut so_far = 0;
        let at = self.delays.iter().position(|count| {
            so_far += count;
            so_far > wanted
        });
        at.unwrap_or(0) as f64 / 10.0
    }
}

struct Shared {
    origin: Instant,
    stopped: AtomicBool,
    sent: AtomicU64,
    delays: Vec<AtomicU64>,
    received: AtomicU64,
}

/// Both ends of all calls.
pub struct Traffic {
    sockets: [Arc<UdpSocket>; 2],
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

impl Traffic {
    pub fn new() -> Self {
        let shared = Shared {
            origin: Instant::now(),
            stopped: AtomicBool::new(false),
            sent: AtomicU64::new(0),
            delays: (0..DELAYS).map(|_| AtomicU64::new(0)).collect(),
            received: AtomicU64::new(0),
        };
        Self { sockets: [Arc::new(socket()), Arc::new(socket())], shared: Arc::new(shared), threads: Vec::new() }
    }

    /// Where callers, and where those who are called, receive.
    pub fn addresses(&self) -> [SocketAddr; 2] {
        [0, 1].map(|side| self.sockets[side].local_addr().unwrap())
    }

    pub fn start(&mut self, pairs: &[Pair]) {
        let ports: Vec<(usize, u16)> = pairs.iter().flat_map(|pair| [(0, pair.caller), (1, pair.staff)]).collect();
        let (sockets, shared) = (self.sockets.clone(), Arc::clone(&self.shared));
        self.threads.push(std::thread::spawn(move || send(&sockets, &ports, &shared)));
        for socket in &self.sockets {
            let (socket, shared) = (Arc::clone(socket), Arc::clone(&self.shared));
            self.threads.push(std::thread::spawn(move || receive(&socket, &shared)));
        }
    }

    pub fn count_from_now(&self) {
        self.shared.delays.iter().for_each(|delay| delay.store(0, Ordering::Relaxed));
        self.shared.sent.store(0, Ordering::Relaxed);
        self.shared.received.store(0, Ordering::Relaxed);
    }

    pub fn end(self) -> Seen {
        self.shared.stopped.store(true, Ordering::Relaxed);
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
        let load = |count: &AtomicU64| count.load(Ordering::Relaxed);
        Seen {
            sent: load(&self.shared.sent),
            received: load(&self.shared.received),
            delays: self.shared.delays.iter().map(load).collect(),
        }
    }
}

fn socket() -> UdpSocket {
    let socket = socket2::Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP)).unwrap();
    let _sizes = (socket.set_recv_buffer_size(BUFFER_BYTES), socket.set_send_buffer_size(BUFFER_BYTES));
    socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
    socket.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    socket.into()
}

/// Sends to every leg every 20 ms.
fn send(sockets: &[Arc<UdpSocket>; 2], ports: &[(usize, u16)], shared: &Shared) {
    let step = Duration::from_secs(1) / PER_SECOND / STEPS as u32;
    let mut packets: Vec<[u8; PACKET_BYTES]> = (0..ports.len()).map(first_packet).collect();
    let mut due = Instant::now();
    for round in 0_u32.. {
        for part in 0..STEPS {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            due += step;
            for index in (part..ports.len()).step_by(STEPS) {
                let ((side, port), packet) = (ports[index], &mut packets[index]);
                let now_us = shared.origin.elapsed().as_micros() as u64;
                packet[2..4].copy_from_slice(&(round as u16).to_be_bytes());
                packet[4..8].copy_from_slice(&round.wrapping_mul(160).to_be_bytes());
                packet[HEADER_BYTES..HEADER_BYTES + 8].copy_from_slice(&now_us.to_be_bytes());
                sockets[side].send_to(packet, (Ipv4Addr::LOCALHOST, port)).unwrap();
                shared.sent.fetch_add(1, Ordering::Relaxed);
            }
            if shared.stopped.load(Ordering::Relaxed) {
                return;
            }
        }
    }
}

/// A-law with a synchronisation source of its own; after the mark something that is no silence.
fn first_packet(index: usize) -> [u8; PACKET_BYTES] {
    let mut packet = [0; PACKET_BYTES];
    packet[..2].copy_from_slice(&[0x80, 8]);
    packet[8..12].copy_from_slice(&(index as u32 + 1).to_be_bytes());
    packet[HEADER_BYTES + 8..HEADER_BYTES + 16].copy_from_slice(&MARK);
    for (at, byte) in packet[HEADER_BYTES + 16..].iter_mut().enumerate() {
        *byte = (at * 31 % 251) as u8;
    }
    packet
}

fn receive(socket: &UdpSocket, shared: &Shared) {
    let mut buffer = [0; 2_048];
    while !shared.stopped.load(Ordering::Relaxed) {
        let Ok(length) = socket.recv(&mut buffer) else { continue };
        let payload = &buffer[HEADER_BYTES.min(length)..length];
        if length != PACKET_BYTES || payload[8..16] != MARK {
            continue;
        }
        let mut left = [0; 8];
        left.copy_from_slice(&payload[..8]);
        let delay_us = (shared.origin.elapsed().as_micros() as u64).saturating_sub(u64::from_be_bytes(left));
        shared.received.fetch_add(1, Ordering::Relaxed);
        shared.delays[(delay_us as usize / 100).min(DELAYS - 1)].fetch_add(1, Ordering::Relaxed);
    }
}
