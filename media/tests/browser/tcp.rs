//! Pages whose network lets no UDP out come by TCP (RFC 6544).

use super::*;
use auricle_media::engine::{PROVE_WITHIN, UNPROVED_OF_SOURCE_MAX};
use str0m::net::Protocol::{Tcp, Udp};

const SECOND: u64 = 1_000;

/// The first request of a page, which has not been sent.
fn request(page: &mut Page, now: Instant) -> Vec<u8> {
    page.wake(now + STEP);
    page.out.first().cloned().expect("a STUN request").1
}

fn far(last: u8, port: u16) -> SocketAddr {
    SocketAddr::from(([198, 51, 100, last], port))
}

impl World {
    /// Both sides hear each other now.
    fn converses(&mut self, leg: LegId, page: usize, hz: f64) {
        self.command(Command::Tap { leg, on: true });
        self.play(leg, hz);
        self.run(2_500);
        assert!(hears(&self.tapped, 500.0) > 0.9, "the clinic hears the page: {}", hears(&self.tapped, 500.0));
        let heard = hears(&self.pages[page].heard, hz);
        assert!(heard > 0.9, "the page hears the clinic: {heard}");
    }

    fn holds(&self) -> Vec<(u64, bool)> {
        let hold = |(at, event): &(u64, EngineEvent)| match event {
            EngineEvent::Held { on, .. } => Some((*at, *on)),
            _ => None,
        };
        self.events.iter().filter_map(hold).collect()
    }
}

#[test]
fn a_page_without_udp_calls_and_both_sides_hear_each_other() {
    // As connections bring it: all at once, in pieces, octet by octet.
    for piece in [100_000, 7, 1] {
        let mut world = World::new();
        world.piece = piece;
        let leg = world.open_by(&[Tcp], call());
        world.run(SECOND);
        world.command(Command::Answer { leg });
        assert!(world.told(answered(leg)).is_some(), "pieces of {piece}");
        world.converses(leg, 0, 1_100.0);
        assert_eq!(world.engine.browsers_by_tcp(), 1);
        world.command(Command::WebClose { leg });
        world.run(100);
        assert!(world.pages[0].closed, "the page is told before its connection is closed");
        assert_eq!(world.closed, [world.pages[0].tcp]);
        assert_eq!((world.engine.legs(), world.engine.next_wake()), (0, None), "nothing is left behind");
        assert_eq!((world.elsewhere, world.engine.counters().web_streams_closed), (0, 0));
    }
}

#[test]
fn browsers_are_told_of_udp_before_tcp_and_only_where_there_is_tcp() {
    let mut world = World::new();
    let mut told = |tcp: Option<SocketAddr>| {
        world.engine.serve_browsers(SERVER.parse().unwrap(), tcp, None);
        let (_, offer) = Page::new(50_000, world.now);
        world.command(Command::Web { tag: 1, offer, purpose: WebPurpose::Station });
        let Some((_, EngineEvent::WebAnswer { sdp, .. })) = world.events.pop() else { panic!("not answered") };
        let candidates = sdp.lines().filter_map(|line| line.strip_prefix("a=candidate:"));
        candidates.map(|it| it.split(' ').map(str::to_owned).collect::<Vec<_>>()).collect::<Vec<_>>()
    };
    let both = told(Some(SERVER.parse().unwrap()));
    assert_eq!(both.len(), 2, "{both:?}");
    let (udp, tcp) = (&both[0], &both[1]);
    assert_eq!((udp[2].as_str(), tcp[2].as_str()), ("udp", "tcp"));
    assert!(udp[3].parse::<u32>().unwrap() > tcp[3].parse::<u32>().unwrap(), "{both:?}");
    assert_eq!(tcp[4..8].join(" "), "192.0.2.80 7882 typ host");
    assert_eq!(tcp[tcp.len().min(10) - 2..].join(" ").split(" ufrag").next(), Some("tcptype passive"), "{tcp:?}");
    let alone = told(None);
    assert_eq!(alone.iter().map(|it| it[2].as_str()).collect::<Vec<_>>(), ["udp"]);
}

#[test]
fn a_page_with_both_takes_udp_and_goes_over_to_tcp_when_udp_is_lost() {
    let mut world = World::new();
    let leg = world.open_by(&[Udp, Tcp], WebPurpose::Station);
    world.run(3 * SECOND);
    assert!(world.told(answered(leg)).is_some());
    assert_eq!((world.engine.browsers_by_tcp(), world.streams.len()), (0, 1), "both are proved, UDP carries audio");
    world.converses(leg, 0, 1_100.0);
    world.cut = true;
    // str0m, which plays the page, gives a way up late.
    world.run(40 * SECOND);
    assert_eq!(world.told(ended(leg, LegEnd::RemoteHangup)), None, "{:?}", world.events);
    assert_eq!(world.engine.browsers_by_tcp(), 1);
    world.converses(leg, 0, 900.0);
}

/// A connection that breaks is a network that is lost: the leg rests at once, and goes on when its browser is there again.
#[test]
fn a_connection_that_ends_is_waited_for() {
    let mut world = World::new();
    let leg = world.open_by(&[Tcp], WebPurpose::Station);
    world.run(SECOND);
    for (round, hz) in [(1, 700.0), (2, 1_100.0)] {
        let broken = world.pages[0].tcp;
        world.streams.remove(&broken);
        world.tcp_cut = true;
        let at = (world.now - world.start).as_millis() as u64;
        world.give(Input::WebClosed { remote: broken });
        assert_eq!(world.holds().last(), Some(&(at, true)), "at once");
        world.run(2 * SECOND);
        world.tcp_cut = false;
        world.pages[0].tcp = far(7, 1_000 + round);
        world.run(4 * SECOND);
        assert_eq!(world.holds().last().map(|(_, on)| *on), Some(false), "round {round}");
        world.converses(leg, 0, hz);
    }
    let last = world.pages[0].tcp;
    world.streams.remove(&last);
    world.tcp_cut = true;
    let at = (world.now - world.start).as_millis() as u64;
    world.give(Input::WebClosed { remote: last });
    world.run(20 * SECOND);
    let over = world.told(ended(leg, LegEnd::RemoteHangup)).expect("it did not come back");
    assert!((at + 14_900..=at + 15_300).contains(&over), "lost {at}, over {over}");
    assert_eq!(world.engine.next_wake(), None);
}

/// SEC-12: before a request was answered nothing else is read, and nothing at all is said.
#[test]
fn a_connection_that_proves_nothing_is_closed_without_an_answer() {
    let mut world = World::new();
    world.open(WebPurpose::Station);
    let request = request(&mut world.pages[0], world.now);
    let mut forged = request.clone();
    let end = forged.len() - 10;
    forged[end] ^= 1;
    let mut renamed = request.clone();
    let name = renamed.windows(2).position(|pair| pair == [0, 6]).unwrap() + 4;
    renamed[name] ^= 1;
    let packet = |bytes: &[u8]| framed(bytes).unwrap();
    let table: [(&str, Vec<u8>); 9] = [
        ("another name", packet(&renamed)),
        ("another password", packet(&forged)),
        ("DTLS", packet(&[22, 254, 253, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1])),
        ("RTP", packet(&[0x80, 111, 0, 1, 0, 0])),
        ("no packet", vec![0, 0]),
        ("no length", vec![0x07, 0xd1]),
        ("a request behind something else", [packet(b"x"), packet(&request)].concat()),
        ("a page", b"GET / HTTP/1.1\r\n\r\n".repeat(300)),
        ("a response", packet(&[1, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])),
    ];
    for (port, (what, bytes)) in (1..).zip(table) {
        let remote = far(66, port);
        world.stream(remote, &bytes);
        assert_eq!((world.closed.pop(), world.elsewhere), (Some(remote), 0), "{what}");
    }
    assert!(world.streams.is_empty() && world.closed.is_empty());
    // The same request, unharmed, is answered: who knows the password is the browser.
    world.stream(far(66, 99), &packet(&request));
    assert_eq!((world.elsewhere, world.closed.len()), (1, 0));
}

#[test]
fn a_connection_that_says_nothing_is_closed_in_time() {
    let mut world = World::new();
    world.stream(far(66, 1), &[]);
    world.stream(far(66, 2), &[0]);
    assert_eq!(world.engine.next_wake().map(|(at, _)| at - world.now), Some(PROVE_WITHIN));
    world.run(PROVE_WITHIN.as_millis() as u64 - 10);
    assert_eq!(world.closed, []);
    world.run(20);
    assert_eq!(world.closed, [far(66, 1), far(66, 2)]);
    assert_eq!(world.engine.next_wake(), None);
}

#[test]
fn floods_of_connections_take_nobody_elses_place() {
    let mut world = World::new();
    let leg = world.open_by(&[Tcp], WebPurpose::Station);
    world.run(SECOND);
    // One source: so many and no more.
    for port in 0..UNPROVED_OF_SOURCE_MAX as u16 {
        world.stream(far(66, port), &[]);
    }
    assert_eq!(world.closed, []);
    world.stream(far(66, 60_000), &[]);
    assert_eq!(world.closed, [far(66, 60_000)]);
    world.closed.clear();
    // Many sources: the oldest of those that have proved nothing gives way.
    for last in 1..=10 {
        world.run(10);
        for port in 0..UNPROVED_OF_SOURCE_MAX as u16 {
            world.stream(far(last, port), &[]);
        }
    }
    assert_eq!(world.streams.len(), 256 + 1);
    assert!(world.closed.iter().all(|it| it.port() < 60_000) && world.closed.contains(&far(66, 0)));
    // Whoever has a password comes in meanwhile, and who was there stays.
    let other = world.open_by(&[Tcp], WebPurpose::Station);
    world.run(SECOND);
    assert!(world.told(answered(other)).is_some());
    world.converses(leg, 0, 1_100.0);
}

#[test]
fn a_connection_is_one_browsers_and_a_browser_has_a_few() {
    let mut world = World::new();
    let (one, other) = (world.open_by(&[Tcp], WebPurpose::Station), world.open_by(&[Tcp], WebPurpose::Station));
    let requests = [0, 1].map(|page| request(&mut world.pages[page], world.now));
    world.run(SECOND);
    let tcp = world.pages[0].tcp;
    world.stream(tcp, &framed(&requests[1]).unwrap());
    assert_eq!(world.closed, [tcp], "another's name");
    world.closed.clear();
    world.pages[0].tcp = far(7, 1);
    world.run(SECOND);
    assert!(world.told(answered(one)).is_some() && world.told(answered(other)).is_some());
    // The ninth takes the place of the one that has been silent for longest.
    for port in 1..=8 {
        world.stream(far(5, port), &framed(&requests[1]).unwrap());
        world.run(5);
    }
    assert_eq!(world.closed, [far(5, 1)]);
    assert!(world.streams.contains_key(&world.pages[1].tcp), "the one that is in use stays");
}

#[test]
fn a_connection_that_falls_silent_is_closed_and_the_call_goes_on() {
    let mut world = World::new();
    let leg = world.open_by(&[Udp, Tcp], WebPurpose::Station);
    world.run(3 * SECOND);
    world.tcp_cut = true;
    world.run(58 * SECOND);
    assert_eq!(world.closed, []);
    world.run(3 * SECOND);
    assert_eq!(world.closed, [world.pages[0].tcp]);
    assert_eq!(world.holds(), []);
    world.converses(leg, 0, 1_100.0);
}

/// What a proved connection brings that is no browser's is dropped as on UDP, as long as packets can be told apart.
#[test]
fn damaged_packets_are_survived_and_lengths_are_not() {
    let mut world = World::new();
    let leg = world.open_by(&[Tcp], WebPurpose::Station);
    world.run(SECOND);
    let tcp = world.pages[0].tcp;
    let before = world.engine.counters().stray_web;
    for bytes in [&[0x80, 111, 0, 1, 0, 0][..], &[0x80, 200, 0, 1], &[9; 2_000], &[22, 254, 253, 0, 0, 0, 0]] {
        world.stream(tcp, &framed(bytes).unwrap());
    }
    assert_eq!((world.closed.len(), world.engine.counters().stray_web), (0, before));
    world.converses(leg, 0, 1_100.0);
    world.stream(tcp, &[0, 0]);
    assert_eq!(world.closed, [tcp]);
    assert!(matches!(world.holds().last(), Some((_, true))), "the browser is lost, not the leg");
}
