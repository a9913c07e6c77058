//! A sequence of inputs to an engine: datagrams on its SIP and media sockets, commands, time. Kinds of step: 0 a SIP datagram
//! (argument: from whom), 1 RTP and 2 RTCP to a leg's port (argument: from whom, to which leg), 3 time, 4 a command, 5 the
//! next port cannot be opened, 6 good packets of the far end, 7 bytes of a SIP connection (argument: from whom), 8 that connection
//! is gone, 9 a call by a carrier's socket, 10 audio of one and 11 other news of one (argument: of which leg), 12 a browser opens a
//! TCP connection, 13 bytes of it and 14 its end (argument: of whom). Names in SIP datagrams are filled in, see [`super::steps`].

use std::collections::{BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use auricle_media::engine::{CATCH_UP_MAX, Engine, EngineConfig};
use auricle_media::io::{
    BridgeId, CallerIdentity, CarrierId, CarrierNews, Codec, Command, Credentials, DialTo, EngineEvent, Gain, Hop,
    IdentityHeader, Input, LegId, Output, Party, PartyClass, Pcm, PlayId, Protection, Rate, Socket, TransferTo,
    Transport, Trunk, TrunkId,
};
use auricle_media::rtp::Clock;
use auricle_media::rtp::session::{Seeds, Sender};

use super::steps::{Names, Step, fill, steps};
use super::{Seen, origin, scale};

const CALLS_MAX: usize = 4;
/// Datagrams, events and commands to the shell that one datagram or command may cause.
const OUTPUTS_MAX: usize = 16;
/// Octets of a connection below which there is no message that asks for more than a keep-alive does.
const MESSAGE_OCTETS_MIN: usize = 4;
/// What one wake may cause: ticks that are made up for, of all legs, and SIP's repetitions.
const OUTPUTS_WAKE_MAX: usize = CALLS_MAX * CATCH_UP_MAX as usize * 12 + 64;
/// What a reply may have beyond twice the longest datagram so far: our own headers and description.
const REPLY_EXTRA: usize = 2_048;
/// Wakes of one input at most, before its calls are ended and after.
const WAKES_MAX: usize = 400;
const WAKES_AFTER_MAX: usize = 4_000;
/// Longest of all timers: nothing may be left after it.
const ALL_OVER: Duration = Duration::from_secs(900);

/// Two trusted peers, one of them behind other ports too, and two strangers.
const SOURCES: [([u8; 4], u16); 5] = [
    ([10, 0, 0, 1], 5060),
    ([10, 0, 0, 2], 5070),
    ([10, 0, 0, 1], 4000),
    ([203, 0, 113, 66], 5060),
    ([198, 51, 100, 9], 4000),
];

struct World {
    engine: Engine,
    now: Instant,
    ports: BTreeSet<u16>,
    fails: bool,
    names: Names,
    longest: usize,
    wakes: usize,
    far: Sender,
    seen: Seen,
}

pub fn run(bytes: &[u8]) -> u64 {
    let mut world = World::new();
    for step in steps(bytes) {
        world.step(step);
    }
    world.end();
    world.seen.number()
}

fn stranger(ip: IpAddr) -> bool {
    !ip.to_string().starts_with("10.")
}

/// A provider that wants to be registered with, at one of the peers, and by connection at the other.
/// Any of the legs, and some that there are not, who hear any of them.
fn parties(legs: &[LegId], bytes: &[u8]) -> Vec<Party> {
    let leg = |byte: u8| legs.get(usize::from(byte % 8)).copied().unwrap_or(LegId(u64::from(byte)));
    let classes = [PartyClass::Caller, PartyClass::Receptionist, PartyClass::Staff];
    let hears =
        |bytes: &[u8]| bytes.iter().map(|byte| (leg(*byte), Gain::percent(byte / 3).unwrap_or(Gain::FULL))).collect();
    let party = |bytes: &[u8]| Party {
        leg: leg(bytes[0]),
        class: classes[usize::from(bytes[0] / 8) % 3],
        hears: hears(&bytes[1..]),
        overhears: bytes[0] > 127,
    };
    bytes.chunks(4).map(party).collect()
}

fn trunk() -> Trunk {
    let address = |last| SocketAddr::from(([10, 0, 0, last], 5060));
    Trunk {
        id: TrunkId(1),
        hops: vec![Hop::udp(address(1)), Hop { transport: Transport::Tcp, address: address(2) }],
        name: None,
        domain: "provider.example".into(),
        user: "100".into(),
        credentials: Some(Credentials { user: "100".into(), password: "secret".into(), realms: Vec::new() }),
        register_s: Some(120),
        probe_s: Some(60),
        sources: Vec::new(),
        protection: Protection::Optional,
        identity: IdentityHeader::None,
        address: None,
    }
}

impl World {
    fn new() -> Self {
        let engine = Engine::new(EngineConfig {
            sip_address: SocketAddr::from(([10, 0, 0, 9], 5060)),
            tcp: Some(SocketAddr::from(([10, 0, 0, 9], 5060))),
            tls: None,
            rtp_ports: 20_000..=20_011,
            legs_max: CALLS_MAX,
            trusted: vec!["10.0.0.0/8".parse().expect("a constant")],
            phones: Vec::new(),
            algorithms: Vec::new(),
            spared: Vec::new(),
            codecs: vec![Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus],
            seed: [1; 32],
        });
        Self {
            engine,
            now: origin(),
            ports: BTreeSet::new(),
            fails: false,
            names: Names::default(),
            longest: 0,
            wakes: 0,
            far: Sender::new(Seeds { ssrc: 7, sequence: 65_530, timestamp: 0xffff_ff00, rtcp: 1 }, Clock::NARROW),
            seen: Seen::default(),
        }
    }

    fn step(&mut self, Step { kind, argument, bytes }: Step<'_>) {
        let (address, port) = SOURCES[usize::from(argument) % SOURCES.len()];
        let remote = SocketAddr::from((address, port));
        let to = self.ports.iter().nth(usize::from(argument / 8) % self.ports.len().max(1)).copied().unwrap_or(20_000);
        match kind % 15 {
            0 => self.sip(remote, &fill(bytes, &self.names)),
            1 => self.media(Socket::Rtp(to), remote, bytes),
            2 => self.media(Socket::Rtcp(to), remote, bytes),
            3 if argument < 128 => self.pass(Duration::from_millis(10) * u32::from(argument)),
            3 => self.pass(Duration::from_millis(500) * u32::from(argument)),
            4 => self.command(argument, bytes),
            5 => self.fails = true,
            6 => self.good(argument, to),
            7 => self.stream(Hop { transport: Transport::Tcp, address: remote }, &fill(bytes, &self.names)),
            8 => self.give(Input::Closed { hop: Hop { transport: Transport::Tcp, address: remote } }),
            9 => self.attach(argument, bytes),
            10 => {
                let at_ms = u64::from(argument) * u64::from(bytes.first().copied().unwrap_or_default());
                self.give(Input::Frame { leg: self.leg(argument), at_ms, payload: bytes });
            }
            11 => self.news(argument, bytes),
            12 => self.give(Input::WebOpened { remote }),
            13 => self.give(Input::WebStream { remote, bytes }),
            _ => self.give(Input::WebClosed { remote }),
        }
        assert!(self.engine.legs() <= CALLS_MAX, "{} legs", self.engine.legs());
    }

    fn sip(&mut self, remote: SocketAddr, bytes: &[u8]) {
        self.longest = self.longest.max(bytes.len());
        let before = self.engine.counters().strangers;
        self.engine.handle(Input::Datagram { socket: Socket::Sip, remote, bytes }, self.now);
        let outputs = self.drain(OUTPUTS_MAX);
        // A stranger that we called ourselves is none. Our calls go to trusted peers only, so there is no such.
        if stranger(remote.ip()) {
            assert_eq!((outputs, self.engine.counters().strangers), (0, before + 1), "a stranger is heard");
        }
    }

    fn stream(&mut self, hop: Hop, bytes: &[u8]) {
        self.longest = self.longest.max(bytes.len());
        let before = self.engine.counters().strangers;
        self.engine.handle(Input::Stream { hop, bytes }, self.now);
        // One piece may hold many messages.
        let outputs = self.drain(OUTPUTS_MAX * (1 + bytes.len() / MESSAGE_OCTETS_MIN));
        if stranger(hop.address.ip()) {
            assert_eq!((outputs, self.engine.counters().strangers), (1, before + 1), "a stranger is heard");
        }
    }

    fn media(&mut self, socket: Socket, remote: SocketAddr, bytes: &[u8]) {
        self.engine.handle(Input::Datagram { socket, remote, bytes }, self.now);
        assert_eq!(self.drain(OUTPUTS_MAX), 0, "media is answered by the clock only");
    }

    fn good(&mut self, count: u8, to: u16) {
        for _ in 0..count % 16 {
            let mut packet = Vec::new();
            self.far.audio(0, 0, &[0x55; 160], &mut packet);
            self.far.advance_by(1);
            self.media(Socket::Rtp(to), SocketAddr::from(([10, 0, 0, 1], 4_000)), &packet);
            self.pass(Duration::from_millis(20));
        }
    }

    fn leg(&self, argument: u8) -> LegId {
        let legs = self.engine.leg_ids();
        legs.get(usize::from(argument / 16) % legs.len().max(1)).copied().unwrap_or(LegId(99))
    }

    fn attach(&mut self, argument: u8, bytes: &[u8]) {
        let codec = [Codec::Pcmu, Codec::Pcma, Codec::G722][usize::from(argument) % 3];
        let from = String::from_utf8_lossy(bytes).into_owned();
        let remote = Hop { transport: Transport::Tls, address: SocketAddr::from(([10, 0, 0, 3], 443)) };
        let command = match argument / 16 % 4 {
            3 => {
                let (presses, is_emergency) = (argument.is_multiple_of(2), argument.is_multiple_of(3));
                Command::AttachDialled { tag: 2, dialled: 7, codec, presses, is_emergency }
            }
            _ => Command::Attach {
                tag: 2,
                carrier: CarrierId(1),
                codec,
                presses: argument.is_multiple_of(2),
                from,
                to: "clinic".into(),
                remote,
                identity: CallerIdentity::default(),
            },
        };
        self.give(Input::Command(command));
    }

    fn news(&mut self, argument: u8, bytes: &[u8]) {
        let first = bytes.first().copied().unwrap_or_default();
        let news = match argument % 16 {
            0..=4 => CarrierNews::Mark(u64::from(first)),
            5 => CarrierNews::Ringing,
            6 => CarrierNews::Answered,
            7 => CarrierNews::Refused(u16::from(first) + 300),
            8..=10 => CarrierNews::Digit(char::from(first)),
            11..=12 => CarrierNews::Lost,
            13..=14 => CarrierNews::Back,
            _ => CarrierNews::Over,
        };
        self.give(Input::Carrier { leg: self.leg(argument), news });
    }

    fn command(&mut self, argument: u8, bytes: &[u8]) {
        let (leg, legs) = (self.leg(argument), self.engine.leg_ids());
        let (id, on) = (PlayId(u64::from(argument / 128)), argument & 64 == 0);
        let samples: Arc<[i16]> = bytes.chunks_exact(2).map(|pair| i16::from_be_bytes([pair[0], pair[1]])).collect();
        let pcm = Pcm { rate: if on { Rate::Hz8000 } else { Rate::Hz16000 }, samples };
        let command = match argument % 16 {
            0 | 1 => Command::Answer { leg },
            2 if argument > 128 => Command::Early { leg },
            2 => Command::Ring { leg },
            3 => Command::Reject { leg, status: 300 + u16::from(argument) },
            4 => Command::Hangup { leg },
            5 => Command::Play { leg, id, pcm, last: on },
            6 => Command::Pause { leg, id },
            7 => Command::Resume { leg, id },
            8 => Command::Flush { leg, id },
            9 => Command::Record { leg, on },
            10 => Command::Tap { leg, on },
            11 => Command::Dtmf { leg, digits: String::from_utf8_lossy(bytes).into_owned() },
            12 if argument > 240 => Command::Drain,
            12 if argument > 128 => Command::Hold { leg, on },
            13 if argument > 192 => Command::Bridge { bridge: BridgeId(id.0), parties: parties(&legs, bytes) },
            13 if argument > 128 => Command::Music { leg, on },
            15 if argument > 224 => Command::Mask { leg, on },
            15 if on => Command::TransferProgress { leg, status: 100 + u16::from(argument) },
            15 if bytes.is_empty() => {
                Command::Transfer { leg, to: TransferTo::Leg(legs.first().copied().unwrap_or(leg)) }
            }
            15 => Command::Transfer { leg, to: TransferTo::Uri(String::from_utf8_lossy(bytes).into_owned()) },
            14 => Command::Trunks(if on { vec![trunk()] } else { Vec::new() }),
            _ => Command::Dial {
                tag: 1,
                uri: if bytes.is_empty() {
                    "sip:ann@10.0.0.1".into()
                } else {
                    String::from_utf8_lossy(bytes).into_owned()
                },
                to: match argument % 16 {
                    13 => DialTo::Trunk(TrunkId(1)),
                    _ => DialTo::Address(SocketAddr::from(([10, 0, 0, 1], 5060))),
                },
                from: "clinic".into(),
                codecs: vec![Codec::G722, Codec::Pcmu],
                identity: None,
                replaces: None,
                is_emergency: false,
            },
        };
        self.longest = self.longest.max(bytes.len());
        self.give(Input::Command(command));
    }

    fn give(&mut self, input: Input<'_>) {
        self.engine.handle(input, self.now);
        self.drain(OUTPUTS_MAX);
    }

    /// Lets time pass, waking the engine when it asks for it.
    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some((at, _)) = self.engine.next_wake().filter(|(at, _)| *at <= until) {
            self.wakes += 1;
            if self.wakes > WAKES_MAX {
                return;
            }
            self.wake(at);
        }
        self.now = until;
    }

    fn wake(&mut self, at: Instant) {
        self.now = self.now.max(at);
        self.engine.handle(Input::Wake, self.now);
        self.drain(OUTPUTS_WAKE_MAX);
        assert!(self.engine.next_wake().is_none_or(|(next, _)| next > self.now), "a wake that does not move on");
    }

    /// Carries the outputs out, and says how many there were.
    fn drain(&mut self, max: usize) -> usize {
        let mut count = 0;
        let mut answers = VecDeque::new();
        loop {
            let Some(output) = self.engine.poll() else {
                let Some((port, opened)) = answers.pop_front() else { return count };
                self.engine.handle(Input::Port { port, opened }, self.now);
                continue;
            };
            count += 1;
            assert!(count <= max, "{count} outputs of one input");
            match output {
                Output::Transmit { socket, bytes, .. } => self.transmitted(socket, &bytes),
                Output::Send { hop, bytes, .. } => self.sent(hop, &bytes),
                Output::Close { hop } => self.seen.note(hop.transport),
                Output::WebClose { .. } => self.seen.note("closed"),
                Output::WebSend { .. } => panic!("no browser is served"),
                Output::OpenPort(port) => {
                    let opened = !std::mem::take(&mut self.fails);
                    assert!(!opened || self.ports.insert(port), "port {port} opened twice");
                    answers.push_back((port, opened));
                }
                Output::ClosePort(port) => assert!(self.ports.remove(&port), "port {port} was not open"),
                Output::Frame { payload, .. } => assert!(payload.len() <= 160, "{} octets", payload.len()),
                Output::Carrier { order, .. } => self.seen.note(std::mem::discriminant(&order)),
                Output::Event(EngineEvent::Level { .. }) => {}
                Output::Event(event) => self.seen.note(std::mem::discriminant(&event)),
                Output::Pcm { pcm, .. } => assert_eq!((pcm.rate, pcm.samples.len()), (Rate::Hz16000, 320)),
                Output::Recorded { rate, caller, receptionist, staff, masked, .. } => {
                    for channel in [caller, receptionist, staff] {
                        assert!(channel.is_empty() || !masked && channel.len() == rate.frame());
                    }
                }
            }
        }
    }

    fn sent(&mut self, hop: Hop, bytes: &[u8]) {
        assert!(!stranger(hop.address.ip()), "sent to a stranger");
        assert!(bytes.len() <= 2 * self.longest + REPLY_EXTRA, "{} octets of {}", bytes.len(), self.longest);
        self.names.learn(bytes);
        self.seen.note(bytes.get(..11).map(<[u8]>::to_vec));
    }

    fn transmitted(&mut self, socket: Socket, bytes: &[u8]) {
        match socket {
            Socket::Sip => {
                assert!(bytes.len() <= 2 * self.longest + REPLY_EXTRA, "{} octets of {}", bytes.len(), self.longest);
                self.names.learn(bytes);
                self.seen.note(bytes.get(..11).map(<[u8]>::to_vec));
            }
            Socket::Rtp(port) | Socket::Rtcp(port) => {
                assert!(self.ports.contains(&port), "sent from a port that is not open");
                assert!(bytes.len() <= 172, "{} octets", bytes.len());
            }
            Socket::Web => panic!("no browser is served"),
        }
    }

    /// Everybody hangs up, and nothing stays.
    fn end(&mut self) {
        for leg in self.engine.leg_ids() {
            self.give(Input::Command(Command::Hangup { leg }));
        }
        let until = self.now + ALL_OVER;
        let mut wakes = 0;
        while let Some((at, _)) = self.engine.next_wake().filter(|(at, _)| *at <= until) {
            self.wake(at);
            wakes += 1;
            assert!(wakes < WAKES_AFTER_MAX, "it wants to be woken for ever");
        }
        assert_eq!((self.engine.legs(), self.ports.len()), (0, 0), "something stays");
        self.seen.note(scale(wakes));
    }
}
