//! Two engines call each other over a simulated network, in virtual time.

#![allow(clippy::unwrap_used, clippy::panic)]

mod netem;

use auricle_media::io::{
    CallerIdentity, Codec, Command, EngineEvent, Entrance, LegEnd, LegId, Pcm, PlayId, Rate, Transport,
};
use netem::{CALLER, CLINIC, Link, Packet, World, purity, tone};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

const LAN: Link = Link { loss: 0.0, doubled: 0.0, delay: Duration::from_millis(2), jitter: Duration::from_millis(1) };
const MOBILE: Link =
    Link { loss: 0.05, doubled: 0.01, delay: Duration::from_millis(40), jitter: Duration::from_millis(40) };
const ALL: [Codec; 3] = [Codec::G722, Codec::Pcma, Codec::Pcmu];

fn play(leg: LegId, id: u64, pcm: Pcm) -> Command {
    Command::Play { leg, id: PlayId(id), pcm, last: true }
}

fn ended(cause: LegEnd) -> impl Fn(&EngineEvent) -> bool {
    move |event| matches!(event, EngineEvent::Ended { cause: why, .. } if *why == cause)
}

fn incoming(event: &EngineEvent) -> bool {
    matches!(event, EngineEvent::Incoming { .. })
}

/// The tone in the middle of what was heard, away from its edges.
fn heard(world: &World, host: usize, leg: LegId, hz: f64, from_ms: usize, to_ms: usize) -> f64 {
    let samples = &world.hosts[host].heard[&leg];
    purity(&samples[from_ms * 16..to_ms * 16], hz, Rate::Hz16000)
}

/// VOICE-01: a call comes in, is answered, both sides hear each other, the caller hangs up.
#[test]
fn a_call_from_ring_to_goodbye() {
    for codec in ALL {
        let mut world = World::new(LAN, 1);
        let caller = world.dial(&[codec]);
        let clinic = world.wait_for(CLINIC, incoming);
        world.command(CLINIC, Command::Ring { leg: clinic });
        world.wait_for(CALLER, |event| matches!(event, EngineEvent::Ringing { .. }));
        world.command(CLINIC, Command::Answer { leg: clinic });
        world.wait_for(CALLER, |event| matches!(event, EngineEvent::Answered { .. }));
        for (host, leg) in [(CALLER, caller), (CLINIC, clinic)] {
            world.command(host, Command::Tap { leg, on: true });
        }
        world.command(CALLER, play(caller, 1, tone(500.0, Rate::Hz16000, 2_000)));
        world.command(CLINIC, play(clinic, 1, tone(1_100.0, Rate::Hz8000, 2_000)));
        world.run(2_500);
        assert!(heard(&world, CLINIC, clinic, 500.0, 600, 1_600) > 0.9, "{codec:?}: the clinic hears the caller");
        assert!(heard(&world, CALLER, caller, 1_100.0, 600, 1_600) > 0.9, "{codec:?}: the caller hears the clinic");
        world.command(CALLER, Command::Hangup { leg: caller });
        world.run(1_000);
        let from = SocketAddr::from(([10, 0, 0, 1], 5060));
        let told = world.told(CLINIC, clinic);
        let expected_first = EngineEvent::Incoming {
            leg: clinic,
            from: "420777123456".to_owned(),
            name: String::new(),
            to: "clinic".to_owned(),
            remote: from,
            transport: Transport::Udp,
            entrance: Entrance::Address,
            identity: CallerIdentity::default(),
        };
        assert_eq!(told.first(), Some(&expected_first));
        assert!(matches!(told[1], EngineEvent::Answered { codec: agreed, .. } if agreed == codec));
        assert_eq!(told.last(), Some(&EngineEvent::Ended { leg: clinic, cause: LegEnd::RemoteHangup }));
        let told = world.told(CALLER, caller);
        assert_eq!(told.last(), Some(&EngineEvent::Ended { leg: caller, cause: LegEnd::LocalHangup }));
        world.run(40_000);
        for host in &world.hosts {
            assert_eq!((host.engine.legs(), host.open.len()), (0, 0), "nothing is left behind");
            assert_eq!(host.engine.next_wake(), None, "and nobody wants to be woken");
        }
    }
}

/// VOICE-01
#[test]
fn the_offer_decides_the_codec_within_what_we_accept() {
    type Row = (&'static [Codec], &'static [Codec], Result<Codec, u16>);
    let rows: [Row; 5] = [
        (&[Codec::G722, Codec::Pcmu], &ALL, Ok(Codec::G722)),
        (&[Codec::Pcmu, Codec::G722], &ALL, Ok(Codec::Pcmu)),
        (&[Codec::G722, Codec::Pcma], &[Codec::Pcmu, Codec::Pcma], Ok(Codec::Pcma)),
        (&[Codec::Pcma], &ALL, Ok(Codec::Pcma)),
        (&[Codec::G722], &[Codec::Pcmu], Err(488)),
    ];
    for (offered, accepted, expected) in rows {
        let mut world = World::configured(LAN, 2, |config| config.codecs = accepted.to_vec());
        match expected {
            Ok(codec) => {
                let (caller, _) = world.call(offered);
                let answered = |event: &EngineEvent| matches!(event, EngineEvent::Answered { codec: agreed, .. } if *agreed == codec);
                assert!(world.told(CALLER, caller).iter().any(answered), "{offered:?} to {accepted:?}");
            }
            Err(status) => {
                world.dial(offered);
                world.wait_for(CALLER, ended(LegEnd::Refused(status)));
                assert!(world.hosts[CLINIC].events.is_empty(), "nobody is bothered with a call that cannot be");
            }
        }
    }
}

#[test]
fn playing_is_counted_at_the_wire() {
    let mut world = World::new(LAN, 3);
    let (_, clinic) = world.call(&[Codec::G722]);
    world.command(CLINIC, play(clinic, 1, tone(500.0, Rate::Hz8000, 1_000)));
    world.run(500);
    world.command(CLINIC, Command::Pause { leg: clinic, id: PlayId(1) });
    let paused = world.hosts[CLINIC].events.clone();
    world.run(3_000);
    assert_eq!(played(&paused), played(&world.hosts[CLINIC].events), "a paused playing stands still");
    let (samples, done) = played(&paused);
    assert!((3_000..=4_200).contains(&samples) && !done, "{samples} samples of 8 kHz in half a second");
    world.command(CLINIC, Command::Resume { leg: clinic, id: PlayId(1) });
    world.run(1_000);
    assert_eq!(played(&world.hosts[CLINIC].events), (8_000, true));
    let reports: Vec<u64> =
        world.hosts[CLINIC].events.iter().filter(|(_, e)| is_played(e)).map(|(at, _)| *at).collect();
    assert!(reports.windows(2).filter(|pair| pair[1] - pair[0] <= 100).count() >= 8, "{reports:?}");
    world.command(CLINIC, play(clinic, 2, tone(500.0, Rate::Hz8000, 1_000)));
    world.run(200);
    world.command(CLINIC, Command::Flush { leg: clinic, id: PlayId(2) });
    let (samples, done) = played(&world.hosts[CLINIC].events);
    assert!((1_280..=1_760).contains(&samples) && done, "{samples} samples before the flush");
    world.command(CLINIC, play(clinic, 3, tone(500.0, Rate::Hz8000, 1_000)));
    world.run(100);
    world.command(CLINIC, Command::Hangup { leg: clinic });
    assert!(played(&world.hosts[CLINIC].events).1, "a hang-up ends what plays, and says how far it came");
}

fn is_played(event: &EngineEvent) -> bool {
    matches!(event, EngineEvent::PlayedTo { .. })
}

fn played(events: &[(u64, EngineEvent)]) -> (u64, bool) {
    let last = events.iter().rev().find_map(|(_, event)| match event {
        EngineEvent::PlayedTo { samples, done, .. } => Some((*samples, *done)),
        _ => None,
    });
    last.unwrap()
}

#[test]
fn digits_arrive_once_each() {
    for link in [LAN, Link { loss: 0.1, ..LAN }] {
        let mut world = World::new(link, 4);
        let (caller, clinic) = world.call(&ALL);
        world.run(200);
        world.command(CALLER, Command::Dtmf { leg: caller, digits: "1590*#".to_owned() });
        world.run(3_000);
        let digit = |event: &EngineEvent| match event {
            EngineEvent::Dtmf { digit, .. } => Some(*digit),
            _ => None,
        };
        let digits: String = world.told(CLINIC, clinic).iter().filter_map(digit).collect();
        assert_eq!(digits, "1590*#");
    }
}

/// Both channels of a recording, in step, without holes.
#[test]
fn both_sides_are_recorded_every_tick() {
    let mut world = World::new(LAN, 5);
    let (caller, clinic) = world.call(&[Codec::Pcma]);
    world.command(CLINIC, Command::Record { leg: clinic, on: true });
    world.command(CALLER, play(caller, 1, tone(500.0, Rate::Hz8000, 2_000)));
    world.command(CLINIC, play(clinic, 1, tone(1_100.0, Rate::Hz8000, 2_000)));
    world.run(2_000);
    world.command(CLINIC, Command::Record { leg: clinic, on: false });
    world.run(1_000);
    let frames = &world.hosts[CLINIC].recorded[&clinic];
    assert!((99..=101).contains(&frames.len()), "{} frames in 2 s", frames.len());
    assert!(frames.windows(2).all(|pair| pair[1].at_ms - pair[0].at_ms == 20));
    let caller: Vec<i16> = frames[30..80].iter().flat_map(|frame| frame.caller.clone()).collect();
    let clinic: Vec<i16> = frames[30..80].iter().flat_map(|frame| frame.receptionist.clone()).collect();
    assert!(purity(&caller, 500.0, Rate::Hz8000) > 0.9, "the caller's channel");
    assert!(purity(&clinic, 1_100.0, Rate::Hz8000) > 0.9, "the receptionist's channel");
}

/// REC-04: a wideband call is recorded as such, with what only wideband carries on both channels.
#[test]
fn hd_audio_is_recorded_as_it_was_heard() {
    for (codec, rate) in [(Codec::G722, Rate::Hz16000), (Codec::Pcmu, Rate::Hz8000)] {
        let mut world = World::new(LAN, 5);
        let (caller, clinic) = world.call(&[codec]);
        world.command(CLINIC, Command::Record { leg: clinic, on: true });
        world.command(CALLER, play(caller, 1, tone(6_000.0, Rate::Hz16000, 2_000)));
        world.command(CLINIC, play(clinic, 1, tone(5_500.0, Rate::Hz16000, 2_000)));
        world.run(2_000);
        let frames = &world.hosts[CLINIC].recorded[&clinic];
        assert!(frames.iter().all(|frame| frame.rate == rate && frame.caller.len() == rate.frame()), "{codec:?}");
        let caller: Vec<i16> = frames[30..80].iter().flat_map(|frame| frame.caller.clone()).collect();
        let clinic: Vec<i16> = frames[30..80].iter().flat_map(|frame| frame.receptionist.clone()).collect();
        let both = [purity(&caller, 6_000.0, rate) > 0.9, purity(&clinic, 5_500.0, rate) > 0.9];
        assert_eq!(both, [rate == Rate::Hz16000; 2], "{codec:?}");
    }
}

/// VOICE-22: a bad mobile link does not end the call or silence it.
#[test]
fn a_lossy_late_network_is_survived() {
    for seed in 1..=8 {
        let mut world = World::new(MOBILE, seed);
        let (caller, clinic) = world.call(&ALL);
        world.command(CLINIC, Command::Tap { leg: clinic, on: true });
        world.command(CALLER, play(caller, 1, tone(500.0, Rate::Hz16000, 10_000)));
        world.run(10_000);
        let purity = heard(&world, CLINIC, clinic, 500.0, 2_000, 9_000);
        assert!(purity > 0.7, "seed {seed}: {purity}");
        world.command(CALLER, Command::Hangup { leg: caller });
        world.wait_for(CLINIC, ended(LegEnd::RemoteHangup));
        let quality = world.hosts[CLINIC].events.iter().rev().find_map(|(_, event)| match event {
            EngineEvent::Quality { quality, .. } => Some(*quality),
            _ => None,
        });
        let quality = quality.unwrap();
        let loss = quality.lost as f64 / (quality.received + quality.lost) as f64;
        assert!((0.02..0.09).contains(&loss), "seed {seed}: {loss} lost");
        assert!(quality.jitter_ms > 2.0 && quality.jitter_ms < 40.0, "seed {seed}: {quality:?}");
    }
}

#[test]
fn the_tick_never_drifts_and_catches_up_a_little() {
    let mut world = World::new(LAN, 6);
    let (_, clinic) = world.call(&[Codec::Pcma]);
    world.command(CLINIC, Command::Record { leg: clinic, on: true });
    world.run(60_000);
    let sent = &world.hosts[CLINIC].rtp_sent;
    let first = sent[0];
    assert!(
        sent.iter().enumerate().all(|(n, at)| (at - first - 20.0 * n as f64).abs() < 0.001),
        "on the grid for a minute"
    );
    let before = sent.len();
    world.stall(70);
    world.run(0);
    assert_eq!(world.hosts[CLINIC].rtp_sent.len() - before, 3, "60 ms late: all made up for");
    let skipped = world.hosts[CLINIC].engine.counters().ticks_skipped;
    world.stall(1_000);
    world.run(0);
    assert_eq!(world.hosts[CLINIC].rtp_sent.len() - before, 8, "a second late: five are made up for");
    assert_eq!(world.hosts[CLINIC].engine.counters().ticks_skipped - skipped, 45);
    world.run(1_000);
    let frames = &world.hosts[CLINIC].recorded[&clinic];
    let holes: Vec<u64> =
        frames.windows(2).map(|pair| pair[1].at_ms - pair[0].at_ms).filter(|step| *step != 20).collect();
    assert_eq!(holes, [46 * 20], "the recording's clock went on");
    let grid = world.hosts[CLINIC].rtp_sent.last().unwrap() - first;
    assert!((grid / 20.0 - (grid / 20.0).round()).abs() < 0.001, "and the grid is the same");
}

#[test]
fn hold_parks_the_watchdog_and_resume_wakes_it() {
    let mut world = World::new(LAN, 7);
    let (_, clinic) = world.call(&[Codec::Pcma]);
    world.reinvite("sendonly");
    assert!(world.told(CLINIC, clinic).contains(&EngineEvent::Held { leg: clinic, on: true }));
    // The far end is mute from here on; only signalling passes.
    world.swallow = Box::new(|packet| packet.to.port() != 5060 && packet.to.ip().to_string() == "10.0.0.2");
    world.run(120_000);
    assert_eq!(world.hosts[CLINIC].engine.legs(), 1, "on hold, silence is no fault");
    world.reinvite("sendrecv");
    assert!(world.told(CLINIC, clinic).contains(&EngineEvent::Held { leg: clinic, on: false }));
    let resumed = world.elapsed_ms();
    world.wait_for(CLINIC, ended(LegEnd::NoMedia));
    let waited = world.elapsed_ms() - resumed;
    assert!((29_800..31_000).contains(&waited), "{waited} ms");
}

/// An INVITE without an offer: ours goes out in the 200, the answer comes in the ACK (RFC 3264 section 5, "late offer").
#[test]
fn an_invite_without_an_offer_is_answered_with_ours() {
    let mut world = World::new(LAN, 23);
    let (from, to) = (SocketAddr::from(([10, 0, 0, 9], 5060)), SocketAddr::from(([10, 0, 0, 2], 5060)));
    let request = |method: &str, tag: &str, body: &str| {
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let text = format!(
            "{method} sip:clinic@10.0.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bK{method}\r\n\
             From: <sip:gateway@10.0.0.9>;tag=a\r\nTo: <sip:clinic@10.0.0.2>{tag}\r\nCall-ID: late\r\n\
             CSeq: 1 {method}\r\nContact: <sip:gateway@10.0.0.9>\r\nMax-Forwards: 70\r\n{kind}\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        Packet { from, to, bytes: text.into_bytes() }
    };
    world.send(request("INVITE", "", ""));
    let clinic = world.wait_for(CLINIC, incoming);
    world.command(CLINIC, Command::Answer { leg: clinic });
    world.run(100);
    let (_, answer) = world.sip.iter().rev().find(|(_, packet)| packet.is_sip("SIP/2.0 200")).unwrap();
    let answer = String::from_utf8(answer.bytes.clone()).unwrap();
    assert!(answer.contains("m=audio") && answer.contains("G722/8000"), "{answer}");
    assert!(world.hosts[CLINIC].rtp_sent.is_empty(), "nobody knows where to yet");
    let tag = answer.lines().find_map(|line| line.strip_prefix("To:")?.split_once(";tag=")).unwrap().1.to_owned();
    let body = "v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n";
    world.send(request("ACK", &format!(";tag={tag}"), body));
    world.run(100);
    let answered = |event: &EngineEvent| matches!(event, EngineEvent::Answered { codec: Codec::Pcma, .. });
    assert!(world.told(CLINIC, clinic).iter().any(answered));
    assert!(world.hosts[CLINIC].rtp_sent.len() >= 4);
}

#[test]
fn no_media_ends_the_call() {
    let mut world = World::new(LAN, 8);
    let (_, clinic) = world.call(&[Codec::Pcmu]);
    world.run(10_000);
    world.swallow = Box::new(|packet| packet.to.port() != 5060 && packet.to.ip().to_string() == "10.0.0.2");
    let muted = world.elapsed_ms();
    assert_eq!(world.wait_for(CLINIC, ended(LegEnd::NoMedia)), clinic);
    assert!((29_900..31_000).contains(&(world.elapsed_ms() - muted)));
    world.wait_for(CALLER, ended(LegEnd::RemoteHangup));
}

#[test]
fn a_caller_who_gives_up_is_cancelled() {
    let mut world = World::new(LAN, 9);
    let caller = world.dial(&ALL);
    let clinic = world.wait_for(CLINIC, incoming);
    world.command(CALLER, Command::Hangup { leg: caller });
    assert_eq!(world.wait_for(CLINIC, ended(LegEnd::Cancelled)), clinic);
    world.run(10_000);
    assert_eq!((world.hosts[CALLER].engine.legs(), world.hosts[CLINIC].engine.legs()), (0, 0));
}

/// CANCEL and 200 cross: whoever loses, both sides end, and nobody is left in a call alone.
#[test]
fn cancel_and_answer_may_cross() {
    let mut world = World::new(Link { delay: Duration::from_millis(50), ..Link::default() }, 10);
    let caller = world.dial(&ALL);
    let clinic = world.wait_for(CLINIC, incoming);
    world.run(60);
    world.command(CLINIC, Command::Answer { leg: clinic });
    world.command(CALLER, Command::Hangup { leg: caller });
    world.run(40_000);
    assert_eq!((world.hosts[CALLER].engine.legs(), world.hosts[CLINIC].engine.legs()), (0, 0));
    assert!(world.told(CLINIC, clinic).iter().any(ended(LegEnd::RemoteHangup)));
}

#[test]
fn both_hang_up_at_once() {
    let mut world = World::new(LAN, 11);
    let (caller, clinic) = world.call(&ALL);
    world.command(CALLER, Command::Hangup { leg: caller });
    world.command(CLINIC, Command::Hangup { leg: clinic });
    world.run(40_000);
    for host in &world.hosts {
        assert_eq!((host.engine.legs(), host.open.len()), (0, 0));
        assert_eq!(host.engine.next_wake(), None);
    }
}

#[test]
fn a_refusal_reaches_the_caller() {
    for status in [486, 480, 603] {
        let mut world = World::new(LAN, 12);
        world.dial(&ALL);
        let clinic = world.wait_for(CLINIC, incoming);
        world.command(CLINIC, Command::Reject { leg: clinic, status });
        world.wait_for(CALLER, ended(LegEnd::Refused(status)));
        assert!(world.told(CLINIC, clinic).iter().any(ended(LegEnd::Rejected(status))));
    }
}

/// What is lost once is sent again; what is lost for ever ends the call.
#[test]
fn lost_signalling_is_sent_again() {
    let rows: [(&str, &str); 4] = [("INVITE", "INVITE"), ("200", "SIP/2.0 200"), ("ACK", "ACK"), ("BYE", "BYE")];
    for (name, start) in rows {
        let mut world = World::new(LAN, 13);
        let mut left = 2;
        world.swallow = Box::new(move |packet| {
            let lost = packet.is_sip(start) && left > 0;
            left -= i32::from(lost);
            lost
        });
        let (caller, clinic) = world.call(&ALL);
        world.run(8_000);
        world.command(CALLER, Command::Hangup { leg: caller });
        world.run(40_000);
        let told = world.told(CLINIC, clinic);
        assert_eq!(told.last(), Some(&EngineEvent::Ended { leg: clinic, cause: LegEnd::RemoteHangup }), "{name}");
        assert_eq!(
            told.iter().filter(|event| incoming(event)).count(),
            1,
            "{name}: one call, however often it is asked"
        );
        assert_eq!(world.hosts[CALLER].engine.legs() + world.hosts[CLINIC].engine.legs(), 0, "{name}");
    }
}

#[test]
fn an_ack_that_never_comes_ends_the_call() {
    let mut world = World::new(LAN, 14);
    world.swallow = Box::new(|packet| packet.is_sip("ACK"));
    let (_, clinic) = world.call(&ALL);
    assert_eq!(world.wait_for(CLINIC, ended(LegEnd::Timeout)), clinic);
    world.wait_for(CALLER, ended(LegEnd::RemoteHangup));
}

#[test]
fn a_strangers_media_is_not_heard() {
    let mut world = World::new(LAN, 15);
    let (caller, clinic) = world.call(&[Codec::Pcma]);
    world.command(CLINIC, Command::Tap { leg: clinic, on: true });
    world.command(CALLER, play(caller, 1, tone(500.0, Rate::Hz8000, 4_000)));
    world.run(500);
    let port = *world.hosts[CLINIC].open.iter().next().unwrap();
    for sequence in 0..100_u16 {
        let mut bytes = vec![0x80, 8, 0, 0, 0, 0, 0, 0, 0xde, 0xad, 0xbe, 0xef];
        bytes[2..4].copy_from_slice(&sequence.to_be_bytes());
        bytes[4..8].copy_from_slice(&(u32::from(sequence) * 160).to_be_bytes());
        bytes.extend([0x2a; 160]);
        let from = SocketAddr::from(([10, 9, 9, 9], 4000));
        world.send(Packet { from, to: SocketAddr::new(world.hosts[CLINIC].address, port), bytes });
        world.run(20);
    }
    assert!(heard(&world, CLINIC, clinic, 500.0, 700, 2_200) > 0.9);
    world.command(CALLER, Command::Hangup { leg: caller });
    world.wait_for(CLINIC, ended(LegEnd::RemoteHangup));
    let refused = world.hosts[CLINIC].events.iter().rev().find_map(|(_, event)| match event {
        EngineEvent::Quality { quality, .. } => Some(quality.refused),
        _ => None,
    });
    assert_eq!(refused, Some(100));
}

#[test]
fn a_strangers_invite_is_not_even_refused() {
    let mut world = World::configured(LAN, 16, |config| config.trusted = vec!["192.168.0.0/16".parse().unwrap()]);
    world.dial(&ALL);
    world.run(5_000);
    let answers = world.sip.iter().filter(|(_, packet)| packet.from.ip() == world.hosts[CLINIC].address).count();
    assert_eq!(answers, 0);
    assert!(world.hosts[CLINIC].events.is_empty());
    assert!(world.hosts[CLINIC].engine.counters().strangers >= 3);
}

#[test]
fn garbage_harms_nobody() {
    let mut world = World::new(LAN, 17);
    let (caller, clinic) = world.call(&ALL);
    let port = *world.hosts[CLINIC].open.iter().next().unwrap();
    let mut state = 99_u32;
    for round in 0..2_000_u32 {
        let length = (round % 200) as usize;
        let bytes: Vec<u8> = (0..length)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (state >> 24) as u8
            })
            .collect();
        let to = [5060, port, port + 1][(round % 3) as usize];
        let from = SocketAddr::from(([10, 0, 0, 1], 20_000 + (round % 5) as u16));
        world.send(Packet { from, to: SocketAddr::new(world.hosts[CLINIC].address, to), bytes });
        world.run(1);
    }
    world.command(CALLER, Command::Hangup { leg: caller });
    assert_eq!(world.wait_for(CLINIC, ended(LegEnd::RemoteHangup)), clinic);
}

#[test]
fn one_call_too_many_is_refused_and_the_place_comes_back() {
    let mut world = World::configured(LAN, 18, |config| config.legs_max = 2);
    let first = world.call(&ALL);
    world.call(&ALL);
    world.dial(&ALL);
    world.wait_for(CALLER, ended(LegEnd::Refused(503)));
    assert_eq!(world.hosts[CLINIC].engine.counters().calls_refused, 1);
    world.command(CALLER, Command::Hangup { leg: first.0 });
    world.wait_for(CLINIC, ended(LegEnd::RemoteHangup));
    world.call(&ALL);
}

#[test]
fn a_port_that_another_process_has_is_passed_over() {
    let mut world = World::new(LAN, 19);
    world.hosts[CLINIC].taken = [20000, 20002].into();
    world.call(&ALL);
    assert_eq!(world.hosts[CLINIC].open, [20004].into());
    let mut world = World::configured(LAN, 20, |config| config.rtp_ports = 20000..=20003);
    world.hosts[CLINIC].taken = [20000, 20002].into();
    world.dial(&ALL);
    world.wait_for(CALLER, ended(LegEnd::Refused(503)));
    assert!(world.hosts[CLINIC].events.is_empty());
}

#[test]
fn draining_refuses_the_new_and_keeps_the_old() {
    let mut world = World::new(LAN, 21);
    let (caller, _) = world.call(&ALL);
    world.command(CLINIC, Command::Drain);
    world.dial(&ALL);
    world.wait_for(CALLER, ended(LegEnd::Refused(503)));
    world.run(5_000);
    assert_eq!(world.hosts[CLINIC].engine.legs(), 1);
    world.command(CALLER, Command::Hangup { leg: caller });
    world.wait_for(CLINIC, ended(LegEnd::RemoteHangup));
}

/// Commands for legs that are gone, and for states that do not fit, change nothing.
#[test]
fn late_commands_change_nothing() {
    let mut world = World::new(LAN, 22);
    let (caller, clinic) = world.call(&ALL);
    world.command(CLINIC, Command::Answer { leg: clinic });
    world.command(CLINIC, Command::Reject { leg: clinic, status: 486 });
    world.command(CLINIC, Command::Ring { leg: clinic });
    world.run(500);
    assert_eq!(world.hosts[CLINIC].engine.legs(), 1);
    world.command(CLINIC, Command::Hangup { leg: clinic });
    world.wait_for(CALLER, ended(LegEnd::RemoteHangup));
    let silence = Pcm { rate: Rate::Hz8000, samples: Arc::from([]) };
    for leg in [clinic, LegId(99)] {
        world.command(CLINIC, Command::Answer { leg });
        world.command(CLINIC, Command::Hangup { leg });
        world.command(CLINIC, play(leg, 1, silence.clone()));
        world.command(CLINIC, Command::Dtmf { leg, digits: "1".to_owned() });
        world.command(CLINIC, Command::Record { leg, on: true });
    }
    world.run(40_000);
    assert_eq!(world.told(CLINIC, clinic).iter().filter(|e| matches!(e, EngineEvent::Ended { .. })).count(), 1);
    let _ = caller;
}

/// RFC 4028: two of us refresh a long call by UPDATE, which nobody hears; when the far end falls silent, the call ends.
#[test]
fn a_long_call_is_refreshed() {
    let mut world = World::new(LAN, 31);
    let (caller, clinic) = world.call(&[Codec::Pcmu]);
    world.run(1_850_000);
    let updates: Vec<u64> =
        world.sip.iter().filter(|(_, packet)| packet.is_sip("UPDATE")).map(|(at, _)| *at / 1_000).collect();
    assert_eq!(updates, [900, 1_800]);
    for (host, leg) in [(CALLER, caller), (CLINIC, clinic)] {
        assert!(world.hosts[host].engine.has(leg));
        let told = world.told(host, leg);
        assert_eq!(told.iter().filter(|event| matches!(event, EngineEvent::Answered { .. })).count(), 1);
        assert!(!told.iter().any(|event| matches!(event, EngineEvent::Held { .. } | EngineEvent::Ended { .. })));
    }
}
