//! A network in virtual time: engines on hosts, datagrams that are lost, delayed, shuffled or doubled, always in the same
//! way for the same seed. Two hours of a call take as long as their arithmetic.

#![allow(clippy::unwrap_used, clippy::panic)]
#![allow(dead_code, reason = "each of the tests that share it wants a part of it")]
#![allow(clippy::disallowed_methods, reason = "the one reading of the clock; what it says is never looked at")]

use auricle_media::engine::{Engine, EngineConfig};
use auricle_media::io::{Codec, Command, DialTo, EngineEvent, Input, LegId, Output, Pcm, Rate, Socket};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashSet};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

/// What a link does to datagrams.
#[derive(Clone, Copy, Debug, Default)]
pub struct Link {
    /// Share of datagrams that vanish, 0.0 to 1.0.
    pub loss: f64,
    /// Share that arrive twice.
    pub doubled: f64,
    /// Least time under way.
    pub delay: Duration,
    /// Most that is added to it, evenly spread; more than the spacing of packets shuffles them.
    pub jitter: Duration,
}

/// A datagram under way.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Packet {
    pub from: SocketAddr,
    pub to: SocketAddr,
    pub bytes: Vec<u8>,
}

impl Packet {
    /// Whether this is SIP and begins like that.
    pub fn is_sip(&self, start: &str) -> bool {
        self.to.port() == 5060 && self.bytes.starts_with(start.as_bytes())
    }
}

/// A recorded frame, its channels as long as its rate has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub rate: Rate,
    /// Where it begins, in milliseconds.
    pub at_ms: u64,
    pub caller: Vec<i16>,
    pub receptionist: Vec<i16>,
    pub staff: Vec<i16>,
    pub masked: bool,
}

/// A machine with an engine and what it was told.
pub struct Host {
    pub address: IpAddr,
    pub engine: Engine,
    pub open: HashSet<u16>,
    /// Ports that another process has.
    pub taken: HashSet<u16>,
    /// Every event but levels, with its time in milliseconds since the beginning.
    pub events: Vec<(u64, EngineEvent)>,
    pub levels: usize,
    /// What taps heard, 16 kHz.
    pub heard: BTreeMap<LegId, Vec<i16>>,
    pub recorded: BTreeMap<LegId, Vec<Frame>>,
    /// Times of RTP packets sent, in milliseconds since the beginning.
    pub rtp_sent: Vec<f64>,
}

impl Host {
    fn new(address: &str, seed: u8, configure: impl FnOnce(&mut EngineConfig)) -> Self {
        let address: IpAddr = address.parse().unwrap();
        let mut config = EngineConfig {
            sip_address: SocketAddr::new(address, 5060),
            tcp: None,
            tls: None,
            rtp_ports: 20000..=20199,
            legs_max: 50,
            trusted: vec!["10.0.0.0/8".parse().unwrap()],
            phones: Vec::new(),
            algorithms: Vec::new(),
            spared: Vec::new(),
            codecs: vec![Codec::G722, Codec::Pcma, Codec::Pcmu],
            seed: [seed; 32],
        };
        configure(&mut config);
        Self {
            address,
            engine: Engine::new(config),
            open: HashSet::new(),
            taken: HashSet::new(),
            events: Vec::new(),
            levels: 0,
            heard: BTreeMap::new(),
            recorded: BTreeMap::new(),
            rtp_sent: Vec::new(),
        }
    }

    fn address_of(&self, socket: Socket) -> SocketAddr {
        let port = match socket {
            Socket::Sip => 5060,
            Socket::Rtp(port) => port,
            Socket::Rtcp(port) => port + 1,
            Socket::Web => 7882,
        };
        SocketAddr::new(self.address, port)
    }

    fn socket_at(&self, port: u16) -> Option<Socket> {
        match port {
            5060 => Some(Socket::Sip),
            even if even % 2 == 0 => self.open.contains(&even).then_some(Socket::Rtp(even)),
            odd => self.open.contains(&(odd - 1)).then_some(Socket::Rtcp(odd - 1)),
        }
    }
}

type Filter = Box<dyn FnMut(&Packet) -> bool>;

/// Hosts, the links between them, and the time.
pub struct World {
    start: Instant,
    now: Instant,
    pub hosts: Vec<Host>,
    pub link: Link,
    under_way: BinaryHeap<Reverse<(Instant, u64, Packet)>>,
    sent: u64,
    random: u64,
    /// Datagrams for which this says true vanish.
    pub swallow: Filter,
    /// Every SIP datagram that was sent, even if it vanished.
    pub sip: Vec<(u64, Packet)>,
}

/// The engine that calls.
pub const CALLER: usize = 0;
/// The engine that is called.
pub const CLINIC: usize = 1;

impl World {
    /// Two hosts, 10.0.0.1 and 10.0.0.2, over this link.
    pub fn new(link: Link, seed: u64) -> Self {
        Self::configured(link, seed, |_| {})
    }

    /// The same with another configuration of the second host.
    pub fn configured(link: Link, seed: u64, configure: impl FnOnce(&mut EngineConfig)) -> Self {
        let now = Instant::now();
        Self {
            start: now,
            now,
            hosts: vec![Host::new("10.0.0.1", 1, |_| {}), Host::new("10.0.0.2", 2, configure)],
            link,
            under_way: BinaryHeap::new(),
            sent: 0,
            random: seed,
            swallow: Box::new(|_| false),
            sip: Vec::new(),
        }
    }

    /// Time since the beginning.
    pub fn elapsed_ms(&self) -> u64 {
        (self.now - self.start).as_millis() as u64
    }

    /// Evenly spread over 0.0 to 1.0 (xorshift64*).
    fn chance(&mut self) -> f64 {
        self.random ^= self.random >> 12;
        self.random ^= self.random << 25;
        self.random ^= self.random >> 27;
        (self.random.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Puts a datagram on the wire.
    pub fn send(&mut self, packet: Packet) {
        if packet.to.port() == 5060 {
            self.sip.push((self.elapsed_ms(), packet.clone()));
        }
        if (self.swallow)(&packet) || self.chance() < self.link.loss {
            return;
        }
        let copies = if self.chance() < self.link.doubled { 2 } else { 1 };
        for _ in 0..copies {
            let at = self.now + self.link.delay + self.link.jitter.mul_f64(self.chance());
            self.sent += 1;
            self.under_way.push(Reverse((at, self.sent, packet.clone())));
        }
    }

    /// Hands a datagram over at once, past the link and its chances, so that all else happens as it would have without it.
    pub fn inject(&mut self, packet: &Packet) {
        let Some(index) = self.hosts.iter().position(|host| host.address == packet.to.ip()) else { return };
        if let Some(socket) = self.hosts[index].socket_at(packet.to.port()) {
            self.give(index, Input::Datagram { socket, remote: packet.from, bytes: &packet.bytes });
        }
    }

    /// How many datagrams were put on the wire.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Tells an engine to do something.
    pub fn command(&mut self, host: usize, command: Command) {
        self.give(host, Input::Command(command));
    }

    fn give(&mut self, host: usize, input: Input<'_>) {
        let now = self.now;
        self.hosts[host].engine.handle(input, now);
        self.drain(host);
    }

    fn drain(&mut self, index: usize) {
        let at_ms = self.elapsed_ms();
        while let Some(output) = self.hosts[index].engine.poll() {
            let host = &mut self.hosts[index];
            match output {
                Output::Transmit { socket, remote, bytes } => {
                    let from = host.address_of(socket);
                    if let Socket::Rtp(port) = socket {
                        assert!(host.open.contains(&port), "sent from a port that is not open");
                        host.rtp_sent.push((self.now - self.start).as_secs_f64() * 1000.0);
                    }
                    self.send(Packet { from, to: remote, bytes });
                }
                Output::Send { hop, .. } | Output::Close { hop } => panic!("a connection to {hop}"),
                Output::WebSend { remote, .. } | Output::WebClose { remote } => panic!("a browser at {remote}"),
                Output::OpenPort(port) => {
                    let opened = !host.taken.contains(&port);
                    if opened {
                        assert!(host.open.insert(port), "port {port} opened twice");
                    }
                    let now = self.now;
                    host.engine.handle(Input::Port { port, opened }, now);
                }
                Output::ClosePort(port) => assert!(host.open.remove(&port), "port {port} was not open"),
                Output::Frame { leg, .. } | Output::Carrier { leg, .. } => panic!("{leg:?} is not attached"),
                Output::Event(EngineEvent::Level { .. }) => host.levels += 1,
                Output::Event(event) => host.events.push((at_ms, event)),
                Output::Pcm { leg, pcm, .. } => {
                    assert_eq!((pcm.rate, pcm.samples.len()), (Rate::Hz16000, 320));
                    host.heard.entry(leg).or_default().extend_from_slice(&pcm.samples);
                }
                Output::Recorded { leg, rate, at_ms, caller, receptionist, staff, masked, .. } => {
                    let [caller, receptionist, staff] = [caller, receptionist, staff].map(|channel| {
                        assert!(channel.is_empty() || !masked && channel.len() == rate.frame());
                        if channel.is_empty() { vec![0; rate.frame()] } else { channel.into_vec() }
                    });
                    let frame = Frame { rate, at_ms, caller, receptionist, staff, masked };
                    host.recorded.entry(leg).or_default().push(frame);
                }
            }
        }
    }

    /// The next thing to happen, if it happens by `until`.
    fn step(&mut self, until: Instant) -> bool {
        let arrival = self.under_way.peek().map(|Reverse((at, _, _))| *at);
        let wake = |host: &Host| host.engine.next_wake().map(|(at, _)| at);
        let wakes: Vec<Option<Instant>> = self.hosts.iter().map(wake).collect();
        let Some(next) = wakes.iter().copied().flatten().chain(arrival).min().filter(|next| *next <= until) else {
            self.now = until;
            return false;
        };
        self.now = self.now.max(next);
        if arrival == Some(next) {
            let Reverse((_, _, packet)) = self.under_way.pop().unwrap();
            let Some(index) = self.hosts.iter().position(|host| host.address == packet.to.ip()) else { return true };
            if let Some(socket) = self.hosts[index].socket_at(packet.to.port()) {
                self.give(index, Input::Datagram { socket, remote: packet.from, bytes: &packet.bytes });
            }
            return true;
        }
        let index = wakes.iter().position(|wake| *wake == Some(next)).unwrap();
        self.give(index, Input::Wake);
        true
    }

    /// Lets time pass.
    pub fn run(&mut self, duration_ms: u64) {
        let until = self.now + Duration::from_millis(duration_ms);
        let mut steps = 0_u64;
        while self.step(until) {
            steps += 1;
            assert!(steps < 1_000 * (duration_ms + 100), "an engine asks to be woken without end");
        }
    }

    /// The machine stands still: nothing is served, and what arrives waits.
    pub fn stall(&mut self, duration_ms: u64) {
        self.now += Duration::from_millis(duration_ms);
    }

    /// Lets time pass until a host is told this, at most a minute; says of which leg.
    pub fn wait_for(&mut self, host: usize, what: impl Fn(&EngineEvent) -> bool) -> LegId {
        let seen = self.hosts[host].events.len();
        let until = self.now + Duration::from_secs(60);
        loop {
            if let Some((_, event)) = self.hosts[host].events[seen..].iter().find(|(_, event)| what(event)) {
                return event.leg().unwrap();
            }
            assert!(self.step(until), "it never came; host {host} was told {:?}", self.hosts[host].events);
        }
    }

    /// What a host was told of a leg, without figures.
    pub fn told(&self, host: usize, leg: LegId) -> Vec<EngineEvent> {
        let of_leg = |(_, event): &(u64, EngineEvent)| event.leg() == Some(leg);
        let plain = |event: &EngineEvent| !matches!(event, EngineEvent::Quality { .. } | EngineEvent::PlayedTo { .. });
        self.hosts[host].events.iter().filter(|e| of_leg(e)).map(|(_, event)| event.clone()).filter(plain).collect()
    }

    /// The caller dials with these codecs.
    pub fn dial(&mut self, codecs: &[Codec]) -> LegId {
        let command = Command::Dial {
            tag: 7,
            uri: "sip:clinic@10.0.0.2:5060".to_owned(),
            to: DialTo::Address(SocketAddr::from(([10, 0, 0, 2], 5060))),
            from: "420777123456".to_owned(),
            codecs: codecs.to_vec(),
            identity: None,
            replaces: None,
            is_emergency: false,
        };
        self.command(CALLER, command);
        match self.hosts[CALLER].events.last() {
            Some((_, EngineEvent::Dialing { tag: 7, leg })) => *leg,
            other => panic!("dialling said {other:?}"),
        }
    }

    /// A call that is up: both legs.
    pub fn call(&mut self, codecs: &[Codec]) -> (LegId, LegId) {
        let caller = self.dial(codecs);
        let clinic = self.wait_for(CLINIC, |event| matches!(event, EngineEvent::Incoming { .. }));
        self.command(CLINIC, Command::Answer { leg: clinic });
        self.wait_for(CALLER, |event| matches!(event, EngineEvent::Answered { .. }));
        (caller, clinic)
    }

    /// Sends a re-INVITE in the dialog of the first call, made from the INVITE that the caller itself sent, as a telephone that puts
    /// us on hold would.
    pub fn reinvite(&mut self, direction: &str) {
        let text = |packet: &Packet| String::from_utf8(packet.bytes.clone()).unwrap();
        let invite =
            self.sip.iter().find(|(_, packet)| packet.is_sip("INVITE")).map(|(_, packet)| text(packet)).unwrap();
        let answer = |(_, packet): &&(u64, Packet)| packet.is_sip("SIP/2.0 200") && text(packet).contains("INVITE");
        let answer = self.sip.iter().find(answer).map(|(_, packet)| text(packet)).unwrap();
        let to = answer.lines().find(|line| line.starts_with("To:")).unwrap().to_owned();
        let nth = self.sip.iter().filter(|(_, packet)| packet.is_sip("INVITE")).count();
        let (head, body) = invite.split_once("\r\n\r\n").unwrap();
        let body = body.replace("a=sendrecv", &format!("a={direction}"));
        assert!(body.contains(direction), "{body}");
        let request = |method: &str, body: &str| {
            let lines = head.lines().enumerate().map(|(index, line)| match line.split(':').next().unwrap() {
                _ if index == 0 => line.replace("INVITE", method),
                "To" => to.clone(),
                "CSeq" => format!("CSeq: {} {method}", 100_000 + nth),
                "Via" => format!("Via: SIP/2.0/UDP 10.0.0.1:5060;rport;branch=z9hG4bK{method}{nth}"),
                "Content-Length" => format!("Content-Length: {}", body.len()),
                _ => line.to_owned(),
            });
            let head: Vec<String> = lines.collect();
            let (from, to) = (SocketAddr::from(([10, 0, 0, 1], 5060)), SocketAddr::from(([10, 0, 0, 2], 5060)));
            Packet { from, to, bytes: format!("{}\r\n\r\n{body}", head.join("\r\n")).into_bytes() }
        };
        self.send(request("INVITE", &body));
        self.run(100);
        self.send(request("ACK", ""));
    }
}

/// A tone of half the full level.
pub fn tone(hz: f64, rate: Rate, ms: u64) -> Pcm {
    let samples = u64::from(rate.hz()) * ms / 1000;
    let at = |i: u64| (f64::sin(std::f64::consts::TAU * hz * i as f64 / f64::from(rate.hz())) * 12_000.0) as i16;
    Pcm { rate, samples: (0..samples).map(at).collect() }
}

/// How much of the signal's power lies at this frequency, 0.0 to 1.0 (Goertzel).
pub fn purity(samples: &[i16], hz: f64, rate: Rate) -> f64 {
    let coefficient = 2.0 * f64::cos(std::f64::consts::TAU * hz / f64::from(rate.hz()));
    let (mut first, mut second, mut total) = (0.0, 0.0, 0.0);
    for sample in samples {
        let value = f64::from(*sample);
        total += value * value;
        (first, second) = (value + coefficient * first - second, first);
    }
    let power = first * first + second * second - coefficient * first * second;
    if total == 0.0 { 0.0 } else { 2.0 * power / (total * samples.len() as f64) }
}

/// Amplitude of one frequency.
pub fn amplitude(samples: &[i16], hz: f64, rate: Rate) -> f64 {
    let turn = std::f64::consts::TAU * hz / f64::from(rate.hz());
    let (mut re, mut im) = (0.0, 0.0);
    for (index, sample) in samples.iter().enumerate() {
        let (sin, cos) = (turn * index as f64).sin_cos();
        (re, im) = (re + f64::from(*sample) * cos, im + f64::from(*sample) * sin);
    }
    f64::hypot(re, im) * 2.0 / samples.len().max(1) as f64
}
