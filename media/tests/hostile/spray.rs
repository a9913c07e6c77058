//! RTP and RTCP from strangers, by the hundred thousand, at every port of a live call.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use auricle_media::io::{Codec, Command, EngineEvent, LegId, LegQuality, PlayId, Rate};

use crate::netem::{CALLER, CLINIC, Link, Packet, World, purity, tone};

const LAN: Link = Link { loss: 0.0, doubled: 0.0, delay: Duration::from_millis(2), jitter: Duration::from_millis(1) };
/// Packets that are sprayed over a call, and the frames of it over which they are spread.
const SPRAYED: u32 = 100_000;
const FRAMES: u32 = 250;

/// A stream of numbers (xorshift32).
struct Random(u32);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 17;
        self.0 ^= self.0 << 5;
        self.0
    }
}

/// A loud RTP packet, as like the caller's own as a stranger can make it.
fn rtp(payload_type: u8, sequence: u16, timestamp: u32, ssrc: u32) -> Vec<u8> {
    let mut bytes = vec![0x80, payload_type];
    bytes.extend(sequence.to_be_bytes());
    bytes.extend(timestamp.to_be_bytes());
    bytes.extend(ssrc.to_be_bytes());
    bytes.extend([0x2a; 160]);
    bytes
}

/// A sender report that says the worst about `about`, and a goodbye.
fn rtcp(ssrc: u32, about: u32) -> Vec<u8> {
    let mut bytes = vec![0x81, 200, 0, 12];
    bytes.extend(ssrc.to_be_bytes());
    bytes.extend([0xff; 20]);
    bytes.extend(about.to_be_bytes());
    bytes.extend([0xff; 20]);
    bytes.extend([0x81, 203, 0, 1]);
    bytes.extend(ssrc.to_be_bytes());
    bytes
}

/// What is learnt on the path of a call.
#[derive(Clone, Default)]
struct Learnt {
    /// Where the caller's audio comes from, and its source identifier.
    caller: Option<(SocketAddr, u32)>,
    /// The clinic's port and source identifier.
    clinic: Option<(u16, u32)>,
    /// Where the clinic's media went.
    went: BTreeSet<SocketAddr>,
}

/// A datagram of a stranger to some port of the host, or of the caller's own machine but another port.
fn sprayed(random: &mut Random, ports: &[u16], caller: SocketAddr, ssrc: u32, about: u32) -> Packet {
    let dice = random.next();
    let port = ports[(dice >> 8) as usize % ports.len()];
    let own_ssrc = if dice & 1 == 0 { ssrc } else { random.next() };
    let (sequence, kind) = ((random.next() & 0xffff) as u16, [8, 0, 9, 101, 13, 126][(dice >> 16) as usize % 6]);
    let bytes = match dice % 8 {
        0 => rtcp(own_ssrc, about),
        1 => vec![(dice >> 24) as u8; (dice >> 20) as usize % 1_400],
        2 => rtp(kind, sequence, random.next(), own_ssrc)[..(dice >> 24) as usize % 172].to_vec(),
        _ => rtp(kind, sequence, random.next(), own_ssrc),
    };
    let is_rtp = port.is_multiple_of(2) && bytes.get(1).is_none_or(|kind| !(192..=223).contains(kind));
    let from = match random.next() % 4 {
        // RTCP is told by its address alone, so the caller's machine is no stranger there.
        0 if is_rtp => SocketAddr::new(caller.ip(), caller.port() ^ 2),
        1 => SocketAddr::from(([203, 0, 113, 66], caller.port())),
        _ => SocketAddr::from((random.next().to_be_bytes(), (random.next() & 0xffff) as u16)),
    };
    Packet { from, to: SocketAddr::from(([10, 0, 0, 2], port)), bytes }
}

/// A call in which the caller says a tone for five seconds; before each frame `disturb` may do what it likes.
fn call(mut disturb: impl FnMut(&mut World, &Learnt)) -> (World, LegId, Learnt) {
    let mut world = World::new(LAN, 31);
    let learnt = Rc::new(RefCell::new(Learnt::default()));
    let learns = Rc::clone(&learnt);
    // Strangers are given what only a listener on the path could know: the caller's port and both source identifiers.
    world.swallow = Box::new(move |packet| {
        let mut learns = learns.borrow_mut();
        let is_rtp = packet.to.port() >= 20_000 && packet.to.port().is_multiple_of(2);
        let ssrc = || u32::from_be_bytes(packet.bytes[8..12].try_into().unwrap());
        match packet.from.ip().to_string().as_str() {
            "10.0.0.1" if is_rtp => learns.caller = Some((packet.from, ssrc())),
            "10.0.0.2" if packet.to.port() != 5060 => {
                learns.went.insert(packet.to);
                if is_rtp {
                    learns.clinic = Some((packet.from.port(), ssrc()));
                }
            }
            _ => {}
        }
        false
    });
    let (caller, clinic) = world.call(&[Codec::Pcma]);
    world.command(CLINIC, Command::Tap { leg: clinic, on: true });
    world.command(CLINIC, Command::Record { leg: clinic, on: true });
    let pcm = tone(500.0, Rate::Hz8000, 5_000);
    world.command(CALLER, Command::Play { leg: caller, id: PlayId(1), pcm, last: true });
    world.run(100);
    let known = learnt.borrow().clone();
    for _ in 0..FRAMES {
        disturb(&mut world, &known);
        world.run(20);
    }
    world.run(5_000);
    let learnt = learnt.borrow().clone();
    (world, clinic, learnt)
}

/// SEC-11, SEC-12: a hundred thousand packets of strangers change not one sample of what is heard and recorded, draw not one
/// packet, and all of them are counted as refused.
#[test]
fn a_spray_over_a_live_call_injects_nothing_and_draws_nothing() {
    let (quiet, leg, went) = call(|_, _| {});
    let mut random = Random(0x1234_5678);
    let mut delivered = 0;
    let (sprayed, same_leg, still) = call(|world, known| {
        let ((caller, ssrc), (port, about)) = (known.caller.unwrap(), known.clinic.unwrap());
        // Both ports of the call, and ports that are closed.
        let ports = [port, port + 1, port, port + 1, port + 2, port + 3];
        for _ in 0..SPRAYED / FRAMES {
            let packet = sprayed(&mut random, &ports, caller, ssrc, about);
            delivered += u64::from(packet.to.port() <= port + 1);
            let before = world.sent();
            world.inject(&packet);
            assert_eq!(world.sent(), before, "a packet of {} drew another", packet.from);
        }
    });
    assert_eq!((leg, &went.went), (same_leg, &still.went), "what we send goes nowhere else");
    assert!(delivered > 60_000);
    let heard = &quiet.hosts[CLINIC].heard[&leg];
    assert!(purity(&heard[16_000..64_000], 500.0, Rate::Hz16000) > 0.9, "the caller is heard");
    assert!(*heard == sprayed.hosts[CLINIC].heard[&leg], "not one sample differs");
    assert!(quiet.hosts[CLINIC].recorded == sprayed.hosts[CLINIC].recorded, "nor in the recording");
    assert_eq!(quiet.sent(), sprayed.sent(), "and nothing more was sent");
    assert_eq!(quiet.hosts[CLINIC].rtp_sent, sprayed.hosts[CLINIC].rtp_sent);
    assert_eq!(quiet.told(CLINIC, leg), sprayed.told(CLINIC, leg), "no digit, no end");
    let quality = |world: &World| {
        let events = world.hosts[CLINIC].events.iter().rev();
        let last = events.filter_map(|(_, event)| match event {
            EngineEvent::Quality { quality, .. } => Some(*quality),
            _ => None,
        });
        last.into_iter().next().unwrap()
    };
    let (good, refused) = (quality(&quiet), quality(&sprayed));
    assert!(refused.refused > delivered * 9 / 10, "{refused:?} of {delivered}");
    assert_eq!(LegQuality { refused: good.refused, ..refused }, good, "no report is believed");
}

/// A call whose caller is mute: what strangers send before anybody is heard. Returns where our audio went, and what was heard.
fn mute(disturb: impl FnOnce(&mut World, u16)) -> (World, LegId, BTreeSet<SocketAddr>) {
    let mut world = World::new(LAN, 32);
    let went = Rc::new(RefCell::new(BTreeSet::new()));
    let goes = Rc::clone(&went);
    world.swallow = Box::new(move |packet| {
        let media = packet.to.port() != 5060;
        if media && packet.from.ip().to_string() == "10.0.0.2" {
            goes.borrow_mut().insert(packet.to);
        }
        media && packet.to.ip().to_string() == "10.0.0.2"
    });
    let (_, clinic) = world.call(&[Codec::Pcma]);
    world.command(CLINIC, Command::Tap { leg: clinic, on: true });
    let port = *world.hosts[CLINIC].open.iter().next().unwrap();
    disturb(&mut world, port);
    world.run(200);
    let went = went.borrow().clone();
    (world, clinic, went)
}

fn loudest(world: &World, leg: LegId) -> i16 {
    world.hosts[CLINIC].heard[&leg].iter().map(|sample| sample.saturating_abs()).max().unwrap_or(0)
}

/// SEC-11: before the far end is heard, packets that do not follow each other prove nothing, however many there are.
#[test]
fn a_spray_before_the_far_end_speaks_takes_nothing() {
    let mut random = Random(0x9e37_79b9);
    let (world, leg, went) = mute(|world, port| {
        let caller = SocketAddr::from(([10, 0, 0, 1], 20_000));
        for _ in 0..10_000 {
            let packet = sprayed(&mut random, &[port], caller, 7, 8);
            world.inject(&packet);
        }
    });
    let hosts: BTreeSet<IpAddr> = went.iter().map(SocketAddr::ip).collect();
    assert_eq!(hosts, [IpAddr::from([10, 0, 0, 1])].into(), "our audio goes where the caller said");
    assert!(loudest(&world, leg) < 500, "nothing is heard of it: {}", loudest(&world, leg));
}

/// The rules of `rtp/latch.rs` through the engine: three in a row take a leg that nobody holds, until the address of the
/// description is heard soon after; from then on nobody takes it, whatever comes.
#[test]
fn who_came_first_holds_the_leg_until_the_signalled_address_is_heard() {
    let stranger = SocketAddr::from(([10, 7, 7, 7], 4_000));
    let run = |world: &mut World, from: SocketAddr, port: u16, count: u16| {
        for n in 0..count {
            let bytes = rtp(8, n, u32::from(n) * 160, 77);
            world.inject(&Packet { from, to: SocketAddr::from(([10, 0, 0, 2], port)), bytes });
        }
    };
    let (_, _, went) = mute(|world, port| run(world, stranger, port, 2));
    assert!(!went.contains(&stranger), "two are not enough");
    let (_, _, went) = mute(|world, port| run(world, stranger, port, 3));
    assert!(went.contains(&stranger), "a far end behind a NAT has to be found somehow");
    let (mut world, _, _) = mute(|world, port| run(world, stranger, port, 3));
    world.swallow = Box::new(|packet| packet.from.ip().to_string() == "10.0.0.2" && packet.to.port() == 4_000);
    world.run(200);
    let went = Rc::new(RefCell::new(BTreeSet::new()));
    let goes = Rc::clone(&went);
    world.swallow = Box::new(move |packet| {
        if packet.from.ip().to_string() == "10.0.0.2" {
            goes.borrow_mut().insert(packet.to.ip());
        }
        false
    });
    let port = *world.hosts[CLINIC].open.iter().next().unwrap();
    for _ in 0..50 {
        run(&mut world, stranger, port, 20);
        world.run(20);
    }
    assert_eq!(*went.borrow(), [IpAddr::from([10, 0, 0, 1])].into(), "the far end has its leg back, for good");
}

/// Once a far end behind a translator is found and talks, even the address of the description takes its leg no more, be it by one
/// packet or by a hundred that follow each other.
#[test]
fn who_is_found_behind_a_translator_is_not_pushed_out() {
    let far = SocketAddr::from(([10, 7, 7, 7], 4_000));
    let say = |world: &mut World, from: SocketAddr, port: u16, n: u16, ssrc: u32| {
        let bytes = rtp(8, n, u32::from(n) * 160, ssrc);
        world.inject(&Packet { from, to: SocketAddr::from(([10, 0, 0, 2], port)), bytes });
    };
    let (mut world, _, went) = mute(|world, port| {
        for n in 0..200 {
            say(world, far, port, n, 77);
            world.run(20);
        }
    });
    let is_signalled = |to: &&SocketAddr| to.ip() == IpAddr::from([10, 0, 0, 1]) && to.port().is_multiple_of(2);
    let signalled = *went.iter().find(is_signalled).unwrap();
    let went = Rc::new(RefCell::new(BTreeSet::new()));
    let goes = Rc::clone(&went);
    world.swallow = Box::new(move |packet| {
        let media = packet.to.port() != 5060;
        if media && packet.from.ip().to_string() == "10.0.0.2" {
            goes.borrow_mut().insert(packet.to.ip());
        }
        media
    });
    let port = *world.hosts[CLINIC].open.iter().next().unwrap();
    for n in 200..300 {
        say(&mut world, far, port, n, 77);
        say(&mut world, signalled, port, n, 99);
        world.run(20);
    }
    assert_eq!(*went.borrow(), [far.ip()].into());
}
