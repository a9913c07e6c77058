//! Hold and resume between two engines, over a simulated network in virtual time.

#![allow(clippy::unwrap_used, clippy::panic)]

mod netem;

use auricle_media::io::{Codec, Command, EngineEvent, LegId, PlayId, Rate};
use netem::{CALLER, CLINIC, Link, World, purity, tone};
use std::time::Duration;

const LAN: Link = Link { loss: 0.0, doubled: 0.0, delay: Duration::from_millis(2), jitter: Duration::from_millis(1) };
const LOSSY: Link = Link { loss: 0.2, ..LAN };

fn hold(leg: LegId, on: bool) -> Command {
    Command::Hold { leg, on }
}

fn holding(leg: LegId, on: bool) -> EngineEvent {
    EngineEvent::Holding { leg, on }
}

/// What a host was told of holds, in order.
fn holds(world: &World, host: usize, leg: LegId) -> Vec<EngineEvent> {
    let is_hold = |event: &EngineEvent| matches!(event, EngineEvent::Held { .. } | EngineEvent::Holding { .. });
    world.told(host, leg).into_iter().filter(is_hold).collect()
}

/// What the far end sent between two times of the recording, and its rate. A tap would say nothing of what a held leg hears.
fn heard(world: &World, host: usize, leg: LegId, from_ms: u64, to_ms: u64) -> (Vec<i16>, Rate) {
    let frames = world.hosts[host].recorded[&leg].iter().filter(|frame| (from_ms..to_ms).contains(&frame.at_ms));
    let frames: Vec<_> = frames.collect();
    (frames.iter().flat_map(|frame| frame.caller.clone()).collect(), frames[0].rate)
}

fn share(world: &World, host: usize, leg: LegId, hz: f64, from_ms: u64, to_ms: u64) -> f64 {
    let (samples, rate) = heard(world, host, leg, from_ms, to_ms);
    purity(&samples, hz, rate)
}

/// VOICE-10: on hold the far end is silent and hears what we play; afterwards all is as before. With every codec.
#[test]
fn who_is_on_hold_hears_us_and_is_not_heard() {
    for codec in [Codec::Pcmu, Codec::Pcma, Codec::G722] {
        let mut world = World::new(LAN, 1);
        let (caller, clinic) = world.call(&[codec]);
        for (host, leg, hz) in [(CALLER, caller, 500.0), (CLINIC, clinic, 1_100.0)] {
            world.command(host, Command::Record { leg, on: true });
            let pcm = tone(hz, Rate::Hz16000, 9_000);
            world.command(host, Command::Play { leg, id: PlayId(1), pcm, last: true });
        }
        world.run(1_000);
        world.command(CLINIC, hold(clinic, true));
        world.run(3_000);
        world.command(CLINIC, hold(clinic, false));
        world.run(2_000);
        assert_eq!(holds(&world, CLINIC, clinic), [holding(clinic, true), holding(clinic, false)], "{codec:?}");
        let held = |on| EngineEvent::Held { leg: caller, on };
        assert_eq!(holds(&world, CALLER, caller), [held(true), held(false)], "{codec:?}");
        assert!(share(&world, CLINIC, clinic, 500.0, 500, 900) > 0.9, "{codec:?}: before");
        let (silence, _) = heard(&world, CLINIC, clinic, 1_500, 3_900);
        assert!(silence.iter().all(|sample| sample.abs() < 100), "{codec:?}: who is on hold is heard");
        assert!(share(&world, CLINIC, clinic, 500.0, 4_500, 5_500) > 0.9, "{codec:?}: afterwards");
        for (from_ms, to_ms) in [(500, 900), (1_500, 3_900), (4_500, 5_500)] {
            let share = share(&world, CALLER, caller, 1_100.0, from_ms, to_ms);
            assert!(share > 0.9, "{codec:?}: who is on hold hears us, {share} from {from_ms}");
        }
    }
}

/// Who is on hold for an hour is not taken for gone.
#[test]
fn a_long_hold_ends_nothing() {
    let mut world = World::new(LAN, 2);
    let (caller, clinic) = world.call(&[Codec::Pcma]);
    world.command(CALLER, hold(caller, true));
    world.run(3_600_000);
    let quality = world.hosts[CALLER].events.iter().rev().find_map(|(_, event)| match event {
        EngineEvent::Quality { quality, .. } => Some(*quality),
        _ => None,
    });
    assert!(!quality.unwrap().one_way, "nothing is missing");
    world.command(CALLER, hold(caller, false));
    world.run(1_000);
    assert_eq!(holds(&world, CALLER, caller), [holding(caller, true), holding(caller, false)]);
    assert_eq!(holds(&world, CLINIC, clinic).len(), 2);
    assert_eq!((world.hosts[CALLER].engine.legs(), world.hosts[CLINIC].engine.legs()), (1, 1));
}

/// Both hold each other, at the same moment and over a bad line: in the end both do, and after both have resumed nobody does.
#[test]
fn both_sides_hold_at_once() {
    for (link, seed) in [(LAN, 3), (LOSSY, 4), (LOSSY, 5), (LOSSY, 6)] {
        let mut world = World::new(link, seed);
        let (caller, clinic) = world.call(&[Codec::Pcmu]);
        world.run(2_000);
        for on in [true, false] {
            world.command(CALLER, hold(caller, on));
            world.command(CLINIC, hold(clinic, on));
            world.run(40_000);
            for (host, leg) in [(CALLER, caller), (CLINIC, clinic)] {
                let told = holds(&world, host, leg);
                let last = |held: bool| {
                    told.iter().rev().find_map(|event| match event {
                        EngineEvent::Held { on, .. } if held => Some(*on),
                        EngineEvent::Holding { on, .. } if !held => Some(*on),
                        _ => None,
                    })
                };
                assert_eq!((last(true), last(false)), (Some(on), Some(on)), "seed {seed}, host {host}: {told:?}");
            }
        }
    }
}

/// What is wanted changes faster than the far end answers: the last wish stands, and is told.
#[test]
fn the_last_wish_stands() {
    for (wishes, expected) in [(&[true, false, true][..], true), (&[true, false], false), (&[false], false)] {
        let mut world = World::new(LAN, 7);
        let (caller, _) = world.call(&[Codec::G722]);
        world.run(500);
        for on in wishes {
            world.command(CALLER, hold(caller, *on));
        }
        world.run(5_000);
        assert_eq!(holds(&world, CALLER, caller).last(), Some(&holding(caller, expected)), "{wishes:?}");
    }
}

/// A leg that is not up yet is not on hold, and is told so.
#[test]
fn a_call_that_rings_is_not_held() {
    let mut world = World::new(LAN, 8);
    let caller = world.dial(&[Codec::Pcma]);
    world.command(CALLER, hold(caller, true));
    assert_eq!(holds(&world, CALLER, caller), [holding(caller, false)]);
}
