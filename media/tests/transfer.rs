//! Transfers between engines, over a simulated network in virtual time. Host 0 calls, host 1 is the clinic.

#![allow(clippy::unwrap_used, clippy::panic)]

mod netem;

use auricle_media::io::{
    BridgeId, Codec, Command, DialTo, EngineEvent, Gain, LegEnd, LegId, Party, PartyClass, PlayId, Rate, TransferTo,
};
use netem::{CALLER, CLINIC, Link, World, purity, tone};
use std::net::SocketAddr;
use std::time::Duration;

const LAN: Link = Link { loss: 0.0, doubled: 0.0, delay: Duration::from_millis(2), jitter: Duration::from_millis(1) };
const LOSSY: Link = Link { loss: 0.15, ..LAN };

fn asked(event: &EngineEvent) -> bool {
    matches!(event, EngineEvent::TransferAsked { .. })
}

fn done(event: &EngineEvent) -> bool {
    matches!(event, EngineEvent::TransferDone { .. })
}

fn last(world: &World, host: usize, what: impl Fn(&EngineEvent) -> bool) -> EngineEvent {
    world.hosts[host].events.iter().rev().map(|(_, event)| event.clone()).find(|event| what(event)).unwrap()
}

/// What a host was told of a leg, in words.
fn story(world: &World, host: usize, leg: LegId) -> Vec<String> {
    let word = |event: EngineEvent| match event {
        EngineEvent::Incoming { .. } => "incoming".to_owned(),
        EngineEvent::Dialing { .. } => "dialing".to_owned(),
        EngineEvent::Answered { .. } => "answered".to_owned(),
        EngineEvent::TransferAsked { target, .. } => format!("asked {}", target.user),
        EngineEvent::TransferDone { status, .. } => format!("done {status}"),
        EngineEvent::Replaced { by, .. } => format!("replaced by {}", by.0),
        EngineEvent::Ended { cause, .. } => format!("{cause:?}"),
        other => panic!("{other:?}"),
    };
    world.told(host, leg).into_iter().map(word).collect()
}

/// VOICE-22: the clinic sends a caller on, and hears how that went; over a bad line too.
#[test]
fn a_caller_is_sent_on() {
    for (link, seed) in [(LAN, 1), (LOSSY, 2), (LOSSY, 3), (LOSSY, 4)] {
        for status in [200, 486, 603] {
            let mut world = World::new(link, seed);
            let (caller, clinic) = world.call(&[Codec::Pcma]);
            world.run(3_000);
            world.command(CLINIC, Command::Transfer { leg: clinic, to: TransferTo::Uri("+420777".into()) });
            world.wait_for(CALLER, asked);
            let EngineEvent::TransferAsked { target, .. } = last(&world, CALLER, asked) else { panic!() };
            assert_eq!((target.uri.as_str(), target.user.as_str()), ("sip:+420777@10.0.0.1:5060", "+420777"));
            assert_eq!((target.leg, target.replaces), (None, None));
            for status in [180, status] {
                world.command(CALLER, Command::TransferProgress { leg: caller, status });
                world.run(1_000);
            }
            world.run(32_000);
            assert_eq!(story(&world, CLINIC, clinic)[2..], [format!("done {status}")], "seed {seed}");
            world.command(CALLER, Command::Hangup { leg: caller });
            world.run(70_000);
            let over: Vec<_> = world.hosts.iter().map(|host| (host.engine.legs(), host.engine.next_wake())).collect();
            assert_eq!(over, [(0, None), (0, None)], "nothing is left behind");
        }
    }
}

/// VOICE-22: the far end that knows both calls replaces one by the other: INVITE with Replaces, the old leg ends, the new one
/// goes on with what was recorded and tapped of the old.
#[test]
fn a_new_leg_takes_the_place_of_another() {
    let mut world = World::new(LAN, 5);
    let (first, clinic) = world.call(&[Codec::Pcmu]);
    for command in [Command::Record { leg: clinic, on: true }, Command::Tap { leg: clinic, on: true }] {
        world.command(CLINIC, command);
    }
    world.run(1_000);
    // The name of the first call, as the clinic knows it, is in the 200 that it sent.
    let ok = world.sip.iter().find(|(_, packet)| packet.is_sip("SIP/2.0 200")).unwrap().1.clone();
    let replaces = replaces(&String::from_utf8(ok.bytes).unwrap(), "To", "From");
    let second = dial(&mut world, Some(replaces));
    world.run(1_000);
    let by = LegId(clinic.0 + 1);
    assert_eq!(
        story(&world, CLINIC, clinic),
        ["incoming", "answered", &format!("replaced by {}", by.0), "LocalHangup"]
    );
    assert_eq!(story(&world, CLINIC, by), ["answered"], "the new leg is told of as the other's");
    assert_eq!(story(&world, CALLER, first), ["dialing", "answered", "RemoteHangup"]);
    assert_eq!(story(&world, CALLER, second), ["dialing", "answered"]);
    assert!(world.hosts[CLINIC].recorded[&by].len() > 40, "it is recorded like the other");
    assert!(world.hosts[CLINIC].heard[&by].len() > 40 * 320, "and tapped");
}

/// The new leg is bridged where the old one was.
#[test]
fn a_new_leg_is_bridged_in_the_place_of_another() {
    let mut world = World::new(LAN, 9);
    let (_, clinic) = world.call(&[Codec::Pcmu]);
    let ok = world.sip.iter().find(|(_, packet)| packet.is_sip("SIP/2.0 200")).unwrap().1.clone();
    let replaces = replaces(&String::from_utf8(ok.bytes).unwrap(), "To", "From");
    let (other, clinic_other) = world.call(&[Codec::Pcmu]);
    let party = |leg, class, hears| Party { leg, class, hears: vec![(hears, Gain::FULL)], overhears: false };
    let parties = vec![party(clinic, PartyClass::Caller, clinic_other), party(clinic_other, PartyClass::Staff, clinic)];
    world.command(CLINIC, Command::Bridge { bridge: BridgeId(1), parties });
    let second = dial(&mut world, Some(replaces));
    world.run(500);
    world.command(CALLER, Command::Tap { leg: second, on: true });
    let pcm = tone(500.0, Rate::Hz8000, 2_000);
    world.command(CALLER, Command::Play { leg: other, id: PlayId(1), pcm, last: true });
    world.run(2_000);
    let heard = &world.hosts[CALLER].heard[&second];
    assert!(purity(&heard[heard.len() / 4..heard.len() * 3 / 4], 500.0, Rate::Hz16000) > 0.9);
}

/// Who is heard only because we called it cannot take another call's place, however well it knows that call.
#[test]
fn a_stranger_replaces_nobody() {
    let mut world = World::configured(LAN, 6, |config| config.trusted = vec!["192.0.2.0/24".parse().unwrap()]);
    let to = DialTo::Address(SocketAddr::from(([10, 0, 0, 1], 5060)));
    let command = Command::Dial {
        tag: 1,
        uri: "sip:ann@10.0.0.1".into(),
        to,
        from: "clinic".into(),
        codecs: vec![Codec::Pcma],
        identity: None,
        replaces: None,
        is_emergency: false,
    };
    world.command(CLINIC, command);
    let called = world.wait_for(CALLER, |event| matches!(event, EngineEvent::Incoming { .. }));
    world.command(CALLER, Command::Answer { leg: called });
    let clinic = world.wait_for(CLINIC, |event| matches!(event, EngineEvent::Answered { .. }));
    let ok = world.sip.iter().find(|(_, packet)| packet.is_sip("SIP/2.0 200")).unwrap().1.clone();
    let replaces = replaces(&String::from_utf8(ok.bytes).unwrap(), "From", "To");
    let second = dial(&mut world, Some(replaces));
    world.run(2_000);
    assert_eq!(story(&world, CALLER, second), ["dialing", "Refused(403)"]);
    assert_eq!(story(&world, CLINIC, clinic), ["dialing", "answered"]);
}

/// VOICE-22: the far end asks for its two calls with us to be joined, and we ask a far end for the same.
#[test]
fn attended_transfers_name_both_legs() {
    let mut world = World::new(LAN, 7);
    let (first, clinic_first) = world.call(&[Codec::Pcma]);
    let (second, clinic_second) = world.call(&[Codec::Pcma]);
    world.command(CALLER, Command::Transfer { leg: first, to: TransferTo::Leg(second) });
    world.wait_for(CLINIC, asked);
    let EngineEvent::TransferAsked { leg, target } = last(&world, CLINIC, asked) else { panic!() };
    assert_eq!((leg, target.leg, target.replaces), (clinic_first, Some(clinic_second), None));
    world.command(CLINIC, Command::TransferProgress { leg: clinic_first, status: 200 });
    world.wait_for(CALLER, done);
    assert_eq!(last(&world, CALLER, done), EngineEvent::TransferDone { leg: first, status: 200 });
    for leg in [first, second] {
        world.command(CALLER, Command::Hangup { leg });
    }
    world.run(1_000);
    assert_eq!(story(&world, CLINIC, clinic_first).last().unwrap(), &format!("{:?}", LegEnd::RemoteHangup));
}

/// What cannot be transferred is told at once; a leg that is gone is not told of.
#[test]
fn what_cannot_be_transferred_is_told() {
    let mut world = World::new(LAN, 8);
    let ringing = world.dial(&[Codec::Pcma]);
    let uri = || TransferTo::Uri("100".into());
    world.command(CALLER, Command::Transfer { leg: ringing, to: uri() });
    assert_eq!(last(&world, CALLER, done), EngineEvent::TransferDone { leg: ringing, status: 481 });
    let mut world = World::new(LAN, 8);
    let (caller, _) = world.call(&[Codec::Pcma]);
    for (to, status) in
        [(TransferTo::Leg(LegId(99)), 481), (TransferTo::Leg(caller), 481), (TransferTo::Uri(String::new()), 484)]
    {
        world.command(CALLER, Command::Transfer { leg: caller, to });
        assert_eq!(last(&world, CALLER, done), EngineEvent::TransferDone { leg: caller, status });
    }
    let told = world.hosts[CALLER].events.len();
    world.command(CALLER, Command::Transfer { leg: LegId(99), to: uri() });
    world.command(CALLER, Command::TransferProgress { leg: caller, status: 200 });
    assert_eq!(world.hosts[CALLER].events.len(), told);
}

/// A Replaces value for the one whose tag stands in the header `own`.
fn replaces(text: &str, own: &str, far: &str) -> String {
    let line = |name: &str| text.lines().find(|line| line.starts_with(&format!("{name}: "))).unwrap().to_owned();
    let tag = |name: &str| line(name).split_once("tag=").unwrap().1.to_owned();
    format!("{};to-tag={};from-tag={}", line("Call-ID").split_once(' ').unwrap().1, tag(own), tag(far))
}

fn dial(world: &mut World, replaces: Option<String>) -> LegId {
    let command = Command::Dial {
        tag: 9,
        uri: "sip:clinic@10.0.0.2:5060".to_owned(),
        to: DialTo::Address(SocketAddr::from(([10, 0, 0, 2], 5060))),
        from: "420777123456".to_owned(),
        codecs: vec![Codec::Pcmu],
        identity: None,
        replaces,
        is_emergency: false,
    };
    world.command(CALLER, command);
    let EngineEvent::Dialing { leg, .. } = last(world, CALLER, |event| matches!(event, EngineEvent::Dialing { .. }))
    else {
        panic!()
    };
    leg
}
