//! Calls that are over leave nothing behind, however they went and whatever of them was lost: what is kept is counted.

#![allow(clippy::unwrap_used, clippy::panic)]

mod netem;

use auricle_media::io::{BridgeId, Codec, Command, EngineEvent, LegId, Party, PartyClass, PlayId, Rate, TransferTo};
use netem::{CALLER, CLINIC, Link, World, tone};
use std::time::Duration;

const LAN: Link = Link { loss: 0.0, doubled: 0.0, delay: Duration::from_millis(2), jitter: Duration::from_millis(1) };
/// Messages are lost, come twice and overtake each other: goodbyes, answers and acknowledgements as well.
const BAD: Link =
    Link { loss: 0.15, doubled: 0.1, delay: Duration::from_millis(20), jitter: Duration::from_millis(700) };
/// What is remembered for longest: an INVITE that rings out, and what is left of its transaction after that.
const FORGOTTEN_MS: u64 = 600_000;
/// Ways in which a call may go.
const WAYS: usize = 9;

/// Waits for an event for a while; in a bad network it may never come.
fn within(world: &mut World, host: usize, ms: u64, what: impl Fn(&EngineEvent) -> bool) -> Option<LegId> {
    let seen = world.hosts[host].events.len();
    for _ in 0..ms / 100 {
        if let Some((_, event)) = world.hosts[host].events[seen..].iter().find(|(_, event)| what(event)) {
            return event.leg();
        }
        world.run(100);
    }
    None
}

/// One call that goes in this way, as far as the network lets it.
fn call(world: &mut World, way: usize) {
    let codecs = if way == 1 { &[Codec::Opus][..] } else { &[Codec::Pcma] };
    let caller = world.dial(codecs);
    let clinic = within(world, CLINIC, 3_000, |event| matches!(event, EngineEvent::Incoming { .. }));
    let both = |world: &mut World, command: &dyn Fn(LegId) -> Command| {
        world.command(CALLER, command(caller));
        clinic.into_iter().for_each(|clinic| world.command(CLINIC, command(clinic)));
    };
    let Some(clinic) = clinic else { return world.command(CALLER, Command::Hangup { leg: caller }) };
    world.command(CLINIC, Command::Ring { leg: clinic });
    match way {
        2 => return world.command(CLINIC, Command::Reject { leg: clinic, status: 486 }),
        3 => {
            world.run(300);
            return world.command(CALLER, Command::Hangup { leg: caller });
        }
        // Nobody answers, and nobody gives up: it rings out.
        4 => return,
        _ => world.command(CLINIC, Command::Answer { leg: clinic }),
    }
    // Both give up at once, whether the answer has come or not.
    if way == 5 {
        return both(world, &|leg| Command::Hangup { leg });
    }
    within(world, CALLER, 3_000, |event| matches!(event, EngineEvent::Answered { .. }));
    match way {
        6 => {
            both(world, &|leg| Command::Hold { leg, on: true });
            world.run(400);
            both(world, &|leg| Command::Hold { leg, on: false });
        }
        7 => {
            let to = TransferTo::Uri("sip:desk@10.0.0.9".to_owned());
            world.command(CLINIC, Command::Transfer { leg: clinic, to });
            world.run(400);
            world.command(CALLER, Command::TransferProgress { leg: caller, status: 180 });
        }
        8 => {
            let pcm = tone(500.0, Rate::Hz16000, 2_000);
            both(world, &|leg| Command::Play { leg, id: PlayId(1), pcm: pcm.clone(), last: false });
            both(world, &|leg| Command::Dtmf { leg, digits: "12".to_owned() });
            world.dial(&[Codec::Pcmu]);
            if let Some(other) = within(world, CLINIC, 3_000, |event| matches!(event, EngineEvent::Incoming { .. })) {
                let parties = Party::all(&[(clinic, PartyClass::Caller), (other, PartyClass::Staff)]);
                world.command(CLINIC, Command::Answer { leg: other });
                world.command(CLINIC, Command::Bridge { bridge: BridgeId(clinic.0), parties });
            }
        }
        _ => world.run(100),
    }
    match way {
        0 => world.command(CLINIC, Command::Hangup { leg: clinic }),
        // Nobody says goodbye: the far end is gone, which is found out by its silence.
        8 => world.swallow = Box::new(|_| true),
        _ => world.command(CALLER, Command::Hangup { leg: caller }),
    }
    if way == 8 {
        world.run(60_000);
        world.swallow = Box::new(|_| false);
    }
}

/// PERF-32
#[test]
fn whatever_becomes_of_calls_nothing_is_kept_of_them() {
    for (link, seed) in [(LAN, 1), (BAD, 2), (BAD, 3)] {
        let mut world = World::new(link, seed);
        let mut most = 0;
        for way in (0..WAYS).cycle().take(WAYS * 10) {
            call(&mut world, way);
            most = most.max(world.hosts.iter().flat_map(|host| host.engine.kept()).map(|(_, count)| count).sum());
        }
        assert!(most > 100, "the calls were there: {most}");
        world.run(FORGOTTEN_MS);
        for host in &world.hosts {
            let left: Vec<_> = host.engine.kept().into_iter().filter(|(_, count)| *count > 0).collect();
            assert!(left.is_empty(), "{link:?}: {left:?}");
            assert_eq!(host.open.len(), 0, "{link:?}");
        }
    }
}
