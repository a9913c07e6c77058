//! A bad network between a telephone and the program: what is said goes through it both ways, some of it is lost, and the rest comes
//! late, by more or less. The same for the same seed.
//!
//! It stands between them as a router does that reads SIP: the telephone has it for its server, and each side is told its ports for
//! the other's audio. SIP itself passes unharmed.

use auricle_media::sip::message::Message;
use auricle_media::sip::parse;
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// Packets under way in one direction at most; what comes beyond them is lost.
const UNDER_WAY_MAX: usize = 256;
/// The largest datagram.
const DATAGRAM_BYTES_MAX: usize = 4_096;
/// How long a network lasts.
const LASTS: Duration = Duration::from_secs(120);

/// What it does to audio.
#[derive(Clone, Copy)]
pub struct Link {
    /// Share of packets that vanish, 0.0 to 1.0.
    pub loss: f64,
    /// Most that a packet is held back, evenly spread; more than the spacing of packets shuffles them.
    pub jitter: Duration,
}

/// What became of the audio that a telephone sent, and what the program said of it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Passed {
    pub carried: u64,
    pub dropped: u64,
    /// Packets missing in all, as the program reports them by RTCP.
    pub reported: Option<u32>,
}

/// A network that lasts as long as this.
pub struct Network {
    /// What the telephone has for its server.
    pub address: SocketAddr,
    passed: Arc<Mutex<Passed>>,
    /// Ended when this is dropped.
    _ways: JoinSet<()>,
}

/// The sockets of one side.
struct Side {
    sip: UdpSocket,
    rtp: UdpSocket,
    rtcp: UdpSocket,
    /// Where the one on this side speaks SIP, and has its audio.
    far: Mutex<(Option<SocketAddr>, Option<SocketAddr>)>,
}

/// What is carried, and how.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Cargo {
    Sip,
    Rtp,
    Rtcp,
}

impl Network {
    /// One between a telephone and this server.
    pub async fn before(server: SocketAddr, link: Link, seed: u64) -> Self {
        let (near, far) = (Arc::new(Side::open().await), Arc::new(Side::open().await));
        far.far.lock().unwrap().0 = Some(server);
        let address = near.sip.local_addr().unwrap();
        let passed = Arc::new(Mutex::new(Passed::default()));
        let mut ways = JoinSet::new();
        for (number, cargo) in (1..).zip([Cargo::Sip, Cargo::Rtp, Cargo::Rtcp]) {
            let link = if cargo == Cargo::Sip { Link { loss: 0.0, jitter: Duration::ZERO } } else { link };
            for (number, is_up) in [(2 * number, true), (2 * number + 1, false)] {
                let (from, to) = if is_up { (&near, &far) } else { (&far, &near) };
                let (from, to, passed) = (Arc::clone(from), Arc::clone(to), Arc::clone(&passed));
                let way = Way { from, to, cargo, is_up, link, random: seed.wrapping_mul(2 * number + 1) | 1, passed };
                ways.spawn(async move {
                    let _over = tokio::time::timeout(LASTS, way.carry()).await;
                });
            }
        }
        Self { address, passed, _ways: ways }
    }

    /// What has become of the audio that the telephone has sent so far.
    pub fn passed(&self) -> Passed {
        *self.passed.lock().unwrap()
    }
}

impl Side {
    async fn open() -> Self {
        let sip = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let first = *super::ports::free(2).start();
        let rtp = UdpSocket::bind((Ipv4Addr::LOCALHOST, first)).await.unwrap();
        let rtcp = UdpSocket::bind((Ipv4Addr::LOCALHOST, first + 1)).await.unwrap();
        Self { sip, rtp, rtcp, far: Mutex::default() }
    }

    fn socket(&self, cargo: Cargo) -> &UdpSocket {
        match cargo {
            Cargo::Sip => &self.sip,
            Cargo::Rtp => &self.rtp,
            Cargo::Rtcp => &self.rtcp,
        }
    }

    /// Where something goes on this side, once that is known.
    fn destination(&self, cargo: Cargo) -> Option<SocketAddr> {
        let (sip, audio) = *self.far.lock().unwrap();
        match cargo {
            Cargo::Sip => sip,
            Cargo::Rtp => audio,
            Cargo::Rtcp => audio.map(|audio| SocketAddr::new(audio.ip(), audio.port() + 1)),
        }
    }
}

/// One direction of one kind of datagrams.
struct Way {
    from: Arc<Side>,
    to: Arc<Side>,
    cargo: Cargo,
    /// Whether it leads from the telephone to the program.
    is_up: bool,
    link: Link,
    random: u64,
    passed: Arc<Mutex<Passed>>,
}

impl Way {
    async fn carry(mut self) {
        let (from, to) = (Arc::clone(&self.from), Arc::clone(&self.to));
        let (from, to) = (from.socket(self.cargo), to.socket(self.cargo));
        let mut under_way: BinaryHeap<Reverse<(Instant, u64, Vec<u8>)>> = BinaryHeap::new();
        let (mut buffer, mut count) = (vec![0; DATAGRAM_BYTES_MAX], 0);
        loop {
            let next = under_way.peek().map(|Reverse((at, ..))| *at);
            tokio::select! {
                received = from.recv_from(&mut buffer) => {
                    // What a closed port answers is no datagram.
                    let Ok((length, sender)) = received else { continue };
                    if let Some((at, bytes)) = self.takes(&buffer[..length], sender)
                        && under_way.len() < UNDER_WAY_MAX
                    {
                        count += 1;
                        under_way.push(Reverse((at, count, bytes)));
                    }
                }
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {
                    if let Some((Reverse((_, _, bytes)), far)) = under_way.pop().zip(self.to.destination(self.cargo)) {
                        // Nobody may be there any more.
                        let _sent = to.send_to(&bytes, far).await;
                    }
                }
            }
        }
    }

    /// What goes on of a datagram, and when.
    fn takes(&mut self, bytes: &[u8], sender: SocketAddr) -> Option<(Instant, Vec<u8>)> {
        if self.cargo == Cargo::Sip {
            self.from.far.lock().unwrap().0 = Some(sender);
            return Some((Instant::now(), self.told_otherwise(bytes)));
        }
        let is_lost = self.chance() < self.link.loss;
        let at = Instant::now() + self.link.jitter.mul_f64(self.chance());
        let mut passed = self.passed.lock().unwrap();
        match self.cargo {
            Cargo::Rtp if self.is_up && is_lost => passed.dropped += 1,
            Cargo::Rtp if self.is_up => passed.carried += 1,
            Cargo::Rtcp if !self.is_up => passed.reported = lost_by(bytes).or(passed.reported),
            _ => {}
        }
        (!is_lost).then(|| (at, bytes.to_vec()))
    }

    /// A message in whose description our port stands for the sender's, which is remembered.
    fn told_otherwise(&self, bytes: &[u8]) -> Vec<u8> {
        let Ok(mut message) = parse::message(bytes) else { return bytes.to_vec() };
        let body = match &mut message {
            Message::Request(request) => &mut request.body,
            Message::Response(response) => &mut response.body,
        };
        let text = String::from_utf8_lossy(body).into_owned();
        let Some(port) = text.split("m=audio ").nth(1).and_then(|rest| rest.split(' ').next()) else {
            return bytes.to_vec();
        };
        let host = text.split("c=IN IP4 ").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap();
        self.from.far.lock().unwrap().1 = Some(SocketAddr::new(host.parse().unwrap(), port.parse().unwrap()));
        let ours = self.to.rtp.local_addr().unwrap();
        *body = text
            .replace(&format!("m=audio {port} "), &format!("m=audio {} ", ours.port()))
            .replace(&format!("c=IN IP4 {host}"), &format!("c=IN IP4 {}", ours.ip()))
            .into_bytes();
        match message {
            Message::Request(request) => request.encode(),
            Message::Response(response) => response.encode(),
        }
    }

    /// Evenly spread over 0.0 to 1.0 (xorshift64*).
    fn chance(&mut self) -> f64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        (self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Packets missing in all by the first block of a report (RFC 3550 section 6.4), where it has one.
fn lost_by(report: &[u8]) -> Option<u32> {
    let block = match report.get(1)? {
        200 => 28,
        201 => 8,
        _ => return None,
    };
    (report[0] & 0x1f > 0).then_some(())?;
    let lost = report.get(block + 5..block + 8)?;
    Some(u32::from_be_bytes([0, lost[0], lost[1], lost[2]]))
}
