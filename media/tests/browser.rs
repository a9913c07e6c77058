//! Browsers call over WebRTC, in virtual time: str0m plays the browser, with full ICE, behind its own address.

#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "browser/inside.rs"]
mod inside;
mod netem;
#[path = "browser/page.rs"]
mod page;
#[path = "browser/tcp.rs"]
mod tcp;

use auricle_media::engine::{Engine, EngineConfig};
use auricle_media::io::{
    BridgeId, Codec, Command, EngineEvent, Input, LegEnd, LegId, Output, Party, PartyClass, PlayId, Rate, Socket,
    WebPurpose, WebRefusal,
};
use auricle_media::rtp::framing::{Framer, framed};
use netem::{purity, tone};
use page::Page;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use str0m::change::SdpOffer;
use str0m::media::Frequency;
use str0m::net::Protocol;

const SERVER: &str = "192.0.2.80:7882";
const STEP: Duration = Duration::from_millis(5);

/// A clinic and the pages that call it.
struct World {
    engine: Engine,
    pages: Vec<Page>,
    now: Instant,
    start: Instant,
    spoken_at: Instant,
    events: Vec<(u64, EngineEvent)>,
    tapped: Vec<i16>,
    /// Packets from the engine to addresses that no page has.
    elsewhere: usize,
    /// Whether datagrams arrive at all.
    cut: bool,
    /// Whether TCP brings anything.
    tcp_cut: bool,
    /// TCP connections that are open, with what reads them at their far end.
    streams: BTreeMap<SocketAddr, Framer>,
    /// Those that the engine has closed.
    closed: Vec<SocketAddr>,
    /// Octets of the pieces in which TCP brings what a page sends.
    piece: usize,
}

impl World {
    #[allow(clippy::disallowed_methods, reason = "the one reading of the clock; what it says is never looked at")]
    fn new() -> Self {
        let mut engine = Engine::new(EngineConfig {
            sip_address: "192.0.2.80:5060".parse().unwrap(),
            tcp: None,
            tls: None,
            rtp_ports: 20_000..=20_019,
            legs_max: 4,
            trusted: Vec::new(),
            phones: Vec::new(),
            algorithms: Vec::new(),
            spared: Vec::new(),
            codecs: vec![Codec::Pcma],
            seed: [1; 32],
        });
        engine.serve_browsers(SERVER.parse().unwrap(), Some(SERVER.parse().unwrap()), None);
        let now = Instant::now();
        Self {
            engine,
            pages: Vec::new(),
            now,
            start: now,
            spoken_at: now,
            events: Vec::new(),
            tapped: Vec::new(),
            elsewhere: 0,
            cut: false,
            tcp_cut: false,
            streams: BTreeMap::new(),
            closed: Vec::new(),
            piece: 1_000,
        }
    }

    /// A page is opened; its leg.
    fn open(&mut self, purpose: WebPurpose) -> LegId {
        self.open_by(&[Protocol::Udp], purpose)
    }

    /// The same from a network that lets these out.
    fn open_by(&mut self, protocols: &[Protocol], purpose: WebPurpose) -> LegId {
        let opened = Page::by(protocols, self.port(), self.now);
        self.welcome(opened, purpose)
    }

    /// The port of the page that is opened next.
    fn port(&self) -> u16 {
        40_000 + self.pages.len() as u16
    }

    fn welcome(&mut self, (mut page, offer): (Page, String), purpose: WebPurpose) -> LegId {
        let port = page.address.port();
        self.command(Command::Web { tag: port.into(), offer, purpose });
        let answer = self.events.iter().find_map(|(_, event)| match event {
            EngineEvent::WebAnswer { tag, leg, sdp } if *tag == u64::from(port) => Some((*leg, sdp.clone())),
            _ => None,
        });
        let (leg, sdp) = answer.unwrap_or_else(|| panic!("not answered at once: {:?}", self.events));
        page.answered(&sdp);
        self.pages.push(page);
        leg
    }

    fn command(&mut self, command: Command) {
        self.engine.handle(Input::Command(command), self.now);
        self.drain();
    }

    fn datagram(&mut self, remote: SocketAddr, bytes: &[u8]) {
        self.give(Input::Datagram { socket: Socket::Web, remote, bytes });
    }

    fn give(&mut self, input: Input<'_>) {
        self.engine.handle(input, self.now);
        self.drain();
    }

    /// Bytes of a TCP connection, which is opened where there is none.
    fn stream(&mut self, remote: SocketAddr, bytes: &[u8]) {
        let known = self.streams.len();
        self.streams.entry(remote).or_default();
        if self.streams.len() > known {
            self.give(Input::WebOpened { remote });
        }
        for bytes in bytes.chunks(self.piece) {
            self.give(Input::WebStream { remote, bytes });
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.engine.poll() {
            match output {
                Output::Transmit { socket, remote, bytes } => {
                    assert_eq!(socket, Socket::Web, "nothing leaves by another socket");
                    match self.pages.iter_mut().find(|page| page.address == remote) {
                        Some(page) if !self.cut => page.receive(Protocol::Udp, &bytes, self.now),
                        Some(_) => {}
                        None => self.elsewhere += 1,
                    }
                }
                Output::WebSend { remote, bytes } => {
                    let mut packets = Vec::new();
                    let framer = self.streams.get_mut(&remote).expect("nothing is sent where no connection is");
                    framer.receive(&bytes, &mut packets).unwrap();
                    match self.pages.iter_mut().find(|page| page.tcp == remote) {
                        Some(page) => packets.iter().for_each(|it| page.receive(Protocol::Tcp, it, self.now)),
                        None => self.elsewhere += 1,
                    }
                }
                Output::WebClose { remote } => {
                    self.streams.remove(&remote);
                    self.closed.push(remote);
                }
                Output::Event(EngineEvent::Level { .. }) => {}
                Output::Event(event) => {
                    self.events.push(((self.now - self.start).as_millis() as u64, event));
                }
                Output::Pcm { pcm, .. } => self.tapped.extend_from_slice(&pcm.samples),
                Output::OpenPort(_) | Output::ClosePort(_) => panic!("a browser's leg needs no port"),
                _ => {}
            }
        }
    }

    fn run(&mut self, ms: u64) {
        let until = self.now + Duration::from_millis(ms);
        while self.now < until {
            self.now += STEP;
            if self.now >= self.spoken_at + Duration::from_millis(20) {
                self.spoken_at = self.now;
                self.pages.iter_mut().for_each(|page| page.speak(self.now));
            }
            self.pages.iter_mut().for_each(|page| page.wake(self.now));
            for index in 0..self.pages.len() {
                let (remote, tcp) = (self.pages[index].address, self.pages[index].tcp);
                for (protocol, bytes) in std::mem::take(&mut self.pages[index].out) {
                    match protocol {
                        Protocol::Udp if !self.cut => self.datagram(remote, &bytes),
                        // On a new connection browsers send nothing but STUN until it is answered, and on one that we have
                        // closed nothing more.
                        Protocol::Tcp if !self.streams.contains_key(&tcp) && bytes[0] >= 4 => {}
                        Protocol::Tcp if !self.tcp_cut && !self.closed.contains(&tcp) => {
                            self.stream(tcp, &framed(&bytes).unwrap())
                        }
                        _ => {}
                    }
                }
            }
            if self.engine.next_wake().is_some_and(|(at, _)| at <= self.now) {
                self.engine.handle(Input::Wake, self.now);
                self.drain();
            }
        }
    }

    fn told(&self, wanted: impl Fn(&EngineEvent) -> bool) -> Option<u64> {
        self.events.iter().find(|(_, event)| wanted(event)).map(|(at, _)| *at)
    }

    /// The keys that were told of.
    fn digits(&self) -> String {
        let digit = |event: &EngineEvent| match event {
            EngineEvent::Dtmf { digit, .. } => Some(*digit),
            _ => None,
        };
        self.events.iter().filter_map(|(_, event)| digit(event)).collect()
    }

    fn play(&mut self, leg: LegId, hz: f64) {
        let pcm = tone(hz, Rate::Hz16000, 3_000);
        self.command(Command::Play { leg, id: PlayId(hz as u64), pcm, last: true });
    }
}

fn answered(leg: LegId) -> impl Fn(&EngineEvent) -> bool {
    move |event| matches!(event, EngineEvent::Answered { leg: other, codec: Codec::Opus, .. } if *other == leg)
}

fn ended(leg: LegId, cause: LegEnd) -> impl Fn(&EngineEvent) -> bool {
    move |event| *event == EngineEvent::Ended { leg, cause }
}

fn held(on: bool) -> impl Fn(&EngineEvent) -> bool {
    move |event| matches!(event, EngineEvent::Held { on: is, .. } if *is == on)
}

fn call() -> WebPurpose {
    WebPurpose::Call { from: String::new(), name: "Test".into(), to: "desk".into() }
}

/// How much of the end of what was heard is this tone.
fn hears(samples: &[i16], hz: f64) -> f64 {
    let last = samples.len().saturating_sub(16_000);
    purity(&samples[last..samples.len().saturating_sub(1_600)], hz, Rate::Hz16000)
}

/// B-31: a page calls, is answered, and both sides hear each other in Opus.
#[test]
fn a_page_calls_and_both_sides_hear_each_other() {
    let mut world = World::new();
    let leg = world.open(call());
    world.run(1_000);
    let is_incoming = |event: &EngineEvent| matches!(event, EngineEvent::Incoming { leg: other, to, name, .. } if *other == leg && to == "desk" && name == "Test");
    assert!(world.told(is_incoming).is_some(), "{:?}", world.events);
    assert_eq!(world.told(answered(leg)), None, "nobody has answered");
    world.command(Command::Answer { leg });
    assert!(world.told(answered(leg)).is_some());
    world.command(Command::Tap { leg, on: true });
    world.play(leg, 1_100.0);
    world.run(2_500);
    assert!(hears(&world.tapped, 500.0) > 0.9, "the clinic hears the page: {}", hears(&world.tapped, 500.0));
    let page = &world.pages[0];
    assert!(hears(&page.heard, 1_100.0) > 0.9, "the page hears the clinic: {}", hears(&page.heard, 1_100.0));
    world.pages[0].keys = vec![11, 5];
    world.run(8_000);
    assert_eq!(world.digits(), "5#", "each key once");
    let quality = world.events.iter().rev().find_map(|(_, event)| match event {
        EngineEvent::Quality { quality, .. } => Some(*quality),
        _ => None,
    });
    let quality = quality.expect("every five seconds");
    assert!(quality.mos > 4.2 && quality.lost == 0 && quality.refused == 0 && !quality.one_way, "{quality:?}");
    world.command(Command::WebClose { leg });
    world.run(100);
    assert!(world.told(ended(leg, LegEnd::RemoteHangup)).is_some());
    assert!(world.pages[0].closed, "the page is told");
    assert_eq!((world.engine.legs(), world.engine.next_wake()), (0, None), "nothing is left behind");
    assert_eq!(world.elsewhere, 0);
}

/// Firefox offers events at the clock of old telephones alone, not at Opus's.
#[test]
fn keys_arrive_from_a_browser_whose_events_have_the_slow_clock() {
    let mut world = World::new();
    let opened = Page::with_events(world.port(), 101, Frequency::EIGHT_KHZ, world.now);
    world.welcome(opened, WebPurpose::Station);
    world.run(1_000);
    world.pages[0].keys = vec![11, 5, 5];
    world.run(1_000);
    assert_eq!(world.digits(), "55#", "each key once");
}

#[test]
fn a_station_is_up_as_soon_as_it_is_connected_and_a_refused_call_ends() {
    let mut world = World::new();
    let station = world.open(WebPurpose::Station);
    let caller = world.open(call());
    world.run(1_000);
    assert!(world.told(answered(station)).is_some());
    world.command(Command::Reject { leg: caller, status: 486 });
    assert!(world.told(ended(caller, LegEnd::Rejected(486))).is_some());
    world.run(100);
    assert!(world.pages[1].closed && !world.pages[0].closed);
    world.command(Command::Hangup { leg: station });
    assert!(world.told(ended(station, LegEnd::LocalHangup)).is_some());
}

/// B-24: the page is loaded again in the middle of a call, and the same leg goes on with the new page.
#[test]
fn a_page_that_is_loaded_again_takes_its_leg_over() {
    let mut world = World::new();
    let leg = world.open(WebPurpose::Station);
    world.run(1_000);
    // Gone without a word, as pages go.
    world.pages.clear();
    world.run(300);
    world.pages.push(Page::new(40_000, world.now).0);
    let renewed = world.open(WebPurpose::Renew(leg));
    assert_eq!(renewed, leg);
    assert!(world.told(held(true)).is_some(), "what is said while nobody listens waits");
    world.run(1_000);
    assert!(world.told(held(false)).is_some());
    world.command(Command::Tap { leg, on: true });
    world.pages[1].says = 700.0;
    world.play(leg, 900.0);
    world.run(2_500);
    assert!(hears(&world.tapped, 700.0) > 0.9 && hears(&world.pages[1].heard, 900.0) > 0.9);
    assert_eq!(world.told(ended(leg, LegEnd::RemoteHangup)), None);
    assert_eq!(world.engine.legs(), 1);
}

#[test]
fn a_page_that_vanishes_is_waited_for_and_then_given_up() {
    let mut world = World::new();
    let leg = world.open(WebPurpose::Station);
    world.run(1_000);
    world.cut = true;
    world.run(25_000);
    let (lost, over) = (world.told(held(true)).unwrap(), world.told(ended(leg, LegEnd::RemoteHangup)).unwrap());
    assert!((6_900..=7_200).contains(&lost) && (15_900..=16_300).contains(&over), "lost {lost}, over {over}");
    assert_eq!(world.engine.next_wake(), None);
}

#[test]
fn a_network_that_comes_back_in_time_costs_nothing_but_the_pause() {
    let mut world = World::new();
    let leg = world.open(WebPurpose::Station);
    world.run(1_000);
    world.cut = true;
    world.run(8_000);
    world.cut = false;
    world.run(3_000);
    assert!(world.told(held(true)).is_some() && world.told(held(false)).is_some());
    world.command(Command::Tap { leg, on: true });
    world.run(2_000);
    assert!(hears(&world.tapped, 500.0) > 0.9);
}

#[test]
fn a_page_that_never_comes_is_given_up() {
    let mut world = World::new();
    world.cut = true;
    let leg = world.open(call());
    world.run(25_000);
    assert!((19_900..=20_200).contains(&world.told(ended(leg, LegEnd::Timeout)).unwrap()));
}

/// SEC-12: nothing that has not proved to be the browser is read by DTLS or answered.
#[test]
fn strangers_are_neither_read_nor_answered() {
    let mut world = World::new();
    let leg = world.open(WebPurpose::Station);
    let stranger: SocketAddr = "198.51.100.66:4000".parse().unwrap();
    // What the page sends first, from somewhere else and with its check made wrong.
    world.pages[0].wake(world.now + STEP);
    let (_, request) = world.pages[0].out.first().cloned().expect("a STUN request");
    let mut forged = request.clone();
    let end = forged.len() - 10;
    forged[end] ^= 1;
    world.datagram(stranger, &forged);
    let mut renamed = request.clone();
    let name = renamed.windows(2).position(|pair| pair == [0, 6]).unwrap() + 4;
    renamed[name] ^= 1;
    world.datagram(stranger, &renamed);
    assert_eq!((world.elsewhere, world.engine.counters().stray_web), (0, 2));
    world.run(1_000);
    assert!(world.told(answered(leg)).is_some());
    let before = world.engine.counters().stray_web;
    for bytes in [
        &[22_u8, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1][..],
        &[0x80, 111, 0, 1, 0, 0],
        &[0x80, 200, 0, 1],
        &[],
        &[0; 20],
    ] {
        world.datagram(stranger, bytes);
    }
    assert_eq!((world.elsewhere, world.engine.counters().stray_web - before), (0, 5));
}

/// The same request from another address moves nothing but adds a way: who knows the password is the browser.
#[test]
fn a_browser_may_come_from_another_address() {
    let mut world = World::new();
    let leg = world.open(WebPurpose::Station);
    world.run(1_000);
    world.pages[0].address = "203.0.113.99:50000".parse().unwrap();
    world.run(8_000);
    world.command(Command::Tap { leg, on: true });
    world.run(2_000);
    assert_eq!(world.told(ended(leg, LegEnd::RemoteHangup)), None);
}

#[test]
fn offers_that_cannot_be_taken_are_refused_by_name() {
    let mut world = World::new();
    let (_, good) = Page::new(50_000, world.now);
    let without_opus = good.replace("opus/48000/2", "speex/48000/2");
    let without_fingerprint: String =
        good.lines().filter(|line| !line.starts_with("a=fingerprint")).flat_map(|line| [line, "\r\n"]).collect();
    for (offer, expected) in [
        (String::new(), WebRefusal::Description),
        ("v=0\r\n".repeat(9), WebRefusal::Description),
        (without_fingerprint, WebRefusal::Description),
        (format!("{good}{good}"), WebRefusal::Description),
        (without_opus, WebRefusal::Codec),
    ] {
        world.command(Command::Web { tag: 9, offer, purpose: WebPurpose::Station });
        let told = world.events.pop().unwrap().1;
        assert_eq!(told, EngineEvent::WebRefused { tag: 9, refusal: expected });
    }
    world.command(Command::Web { tag: 9, offer: good.clone(), purpose: WebPurpose::Renew(LegId(77)) });
    assert_eq!(world.events.pop().unwrap().1, EngineEvent::WebRefused { tag: 9, refusal: WebRefusal::Gone });
    // People who wait for calls take no caller's place.
    world.open(WebPurpose::Station);
    for _ in 0..4 {
        world.open(call());
    }
    world.command(Command::Web { tag: 9, offer: good, purpose: call() });
    assert_eq!(world.events.pop().unwrap().1, EngineEvent::WebRefused { tag: 9, refusal: WebRefusal::Full });
    world.open(WebPurpose::Station);
    assert!(SdpOffer::from_sdp_string("nonsense").is_err());
}

/// What a browser may send, made wrong in places, from itself and from strangers: nothing breaks, no stranger is answered, and
/// the call goes on.
#[test]
fn damaged_datagrams_are_survived() {
    let mut world = World::new();
    let leg = world.open(WebPurpose::Station);
    world.pages[0].wake(world.now + STEP);
    let mut seen: Vec<Vec<u8>> = world.pages[0].out.iter().map(|(_, bytes)| bytes.clone()).collect();
    // Who can write in the browser's name before keys are agreed on can spoil the handshake, as with any TLS; not after.
    world.run(1_000);
    let mut random = 7_u64;
    let mut next = |below: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize % below
    };
    let stranger: SocketAddr = "198.51.100.66:4000".parse().unwrap();
    for _ in 0..600 {
        world.run(5);
        let page = &mut world.pages[0];
        page.wake(world.now);
        page.speak(world.now);
        seen.extend(page.out.iter().map(|(_, bytes)| bytes.clone()));
        for _ in 0..5 {
            let Some(bytes) = seen.get(next(seen.len().max(1))) else { break };
            let mut bytes = bytes.clone();
            for _ in 0..next(4) {
                let at = next(bytes.len());
                bytes[at] = next(256) as u8;
            }
            bytes.truncate(if next(3) == 0 { next(bytes.len() + 1) } else { bytes.len() });
            // An unchanged request proves that somebody knows the password; it is the browser then, from wherever.
            let changed = !seen.contains(&bytes);
            let remote = if changed && next(2) == 0 { stranger } else { world.pages[0].address };
            world.datagram(remote, &bytes);
        }
    }
    assert_eq!(world.elsewhere, 0, "a stranger was answered");
    assert!(world.told(answered(leg)).is_some());
    world.command(Command::Tap { leg, on: true });
    world.run(2_000);
    assert!(hears(&world.tapped, 500.0) > 0.9, "{}", hears(&world.tapped, 500.0));
}

/// A packet in the browser's name that claims to be its microphone from now on changes nothing: who wrote it knows no key.
#[test]
fn a_forged_source_does_not_take_the_voice_over() {
    let mut world = World::new();
    let leg = world.open(WebPurpose::Station);
    world.run(500);
    let page = &mut world.pages[0];
    page.speak(world.now);
    let is_rtp = |bytes: &Vec<u8>| bytes[0] & 0xc0 == 0x80 && bytes[1] & 0x7f == 111;
    let mut forged = page.out.iter().map(|(_, bytes)| bytes.clone()).rfind(is_rtp).expect("an RTP packet");
    assert_eq!(forged[0] & 0x10, 0x10, "it names its media section");
    // By then packets do not name it any more, so that nothing would lead back to the right source.
    world.run(10_000);
    forged[8..12].copy_from_slice(&[1, 2, 3, 4]);
    let from = world.pages[0].address;
    world.datagram(from, &forged);
    world.command(Command::Tap { leg, on: true });
    world.run(1_000);
    assert!(hears(&world.tapped, 500.0) > 0.9, "{}", hears(&world.tapped, 500.0));
}

/// Two people at their browsers are put through to each other; one is put on hold, hears our music, and is taken back.
#[test]
fn pages_are_bridged_and_held_like_any_other_leg() {
    let mut world = World::new();
    let (one, other) = (world.open(WebPurpose::Station), world.open(WebPurpose::Station));
    world.pages[1].says = 900.0;
    world.run(1_000);
    let parties = Party::all(&[(one, PartyClass::Staff), (other, PartyClass::Caller)]);
    world.command(Command::Bridge { bridge: BridgeId(1), parties: parties.clone() });
    world.run(2_500);
    let hears_now = |world: &World, page: usize, hz: f64| hears(&world.pages[page].heard, hz);
    assert!(hears_now(&world, 0, 900.0) > 0.9, "{}", hears_now(&world, 0, 900.0));
    assert!(hears_now(&world, 1, 500.0) > 0.9, "{}", hears_now(&world, 1, 500.0));

    world.command(Command::Bridge { bridge: BridgeId(1), parties: Vec::new() });
    world.command(Command::Hold { leg: other, on: true });
    world.command(Command::Music { leg: other, on: true });
    world.run(2_500);
    assert!(hears_now(&world, 1, 500.0) < 0.5, "the other is not heard");
    let last = &world.pages[1].heard[world.pages[1].heard.len() - 16_000..];
    assert!(last.iter().any(|sample| sample.abs() > 300), "our music is");
    world.command(Command::Music { leg: other, on: false });
    world.command(Command::Hold { leg: other, on: false });
    world.command(Command::Bridge { bridge: BridgeId(1), parties });
    world.run(3_500);
    assert!(hears_now(&world, 1, 500.0) > 0.9, "{}", hears_now(&world, 1, 500.0));

    // B-24: the page of one of them is loaded again in the middle of it.
    world.pages[0].address = "203.0.113.200:1".parse().unwrap();
    let renewed = world.open(WebPurpose::Renew(one));
    assert_eq!(renewed, one);
    world.pages[2].says = 700.0;
    world.run(4_000);
    assert!(hears_now(&world, 1, 700.0) > 0.9, "the new page is in the bridge");
    assert!(hears_now(&world, 2, 900.0) > 0.9);
}

/// People who wait for calls at their browsers take no place of a call that a carrier places.
#[test]
fn stations_leave_room_for_the_calls_of_carriers() {
    let mut world = World::new();
    for _ in 0..6 {
        world.open(WebPurpose::Station);
    }
    let mut dial = |dialled| {
        let (codec, is_emergency) = (Codec::Pcmu, false);
        world.command(Command::AttachDialled { tag: dialled, dialled, codec, presses: false, is_emergency });
        !world.events.drain(..).any(|(_, event)| matches!(event, EngineEvent::Ended { .. }))
    };
    let placed: Vec<bool> = (1..=5).map(&mut dial).collect();
    assert_eq!(placed, [true, true, true, true, false]);
}
