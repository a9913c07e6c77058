#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use super::*;
use crate::io::{IdentityHeader, Protection, Transport, TrunkId};
use crate::sip::digest::tests::register;

const CONTACT: &str = "sip:clinic@192.0.2.10:5060";

fn trunk(hops: usize) -> Trunk {
    let hop = |port: usize| Hop::udp(format!("198.51.100.7:{port}").parse().unwrap());
    Trunk {
        id: TrunkId(1),
        hops: (1..=hops).map(hop).collect(),
        name: None,
        domain: "example.org".into(),
        user: "clinic".into(),
        credentials: None,
        register_s: Some(600),
        probe_s: None,
        sources: Vec::new(),
        protection: Protection::Optional,
        identity: IdentityHeader::None,
        address: None,
    }
}

struct Bench {
    link: Link,
    tokens: Tokens,
    start: Instant,
    now: Instant,
    /// The last REGISTER and the last OPTIONS.
    asks: [Option<Ask>; 2],
}

impl Bench {
    fn new(trunk: Trunk) -> Self {
        let now = crate::epoch();
        Self { link: Link::new(trunk, now), tokens: Tokens::new([1; 32]), start: now, now, asks: [None; 2] }
    }

    /// What the link wanted since the last look; `@n` is the n-th hop.
    fn told(&mut self) -> String {
        let mut told = Vec::new();
        while let Some(output) = self.link.poll() {
            told.push(match output {
                LinkOutput::Register { ask, hop, expires_s } => {
                    self.asks[0] = Some(ask);
                    format!("REGISTER {expires_s} @{}", hop.address.port())
                }
                LinkOutput::Probe { ask, hop } => {
                    self.asks[1] = Some(ask);
                    format!("OPTIONS @{}", hop.address.port())
                }
                LinkOutput::KeepAlive { hop } => format!("CRLF @{}", hop.address.port()),
                LinkOutput::State(TrunkState::Ready { registered_s, hop }) => {
                    format!("Ready {} @{}", registered_s.unwrap_or_default(), hop.address.port())
                }
                LinkOutput::State(TrunkState::Refused { status, reason }) => format!("Refused {status} {reason}"),
                LinkOutput::State(state) => format!("{state:?}"),
            });
        }
        told.join(", ")
    }

    fn took(&mut self, which: usize, response: Option<Response>) -> String {
        let contact = Uri::parse(CONTACT).unwrap();
        let outcome = match &response {
            Some(response) => Outcome::Answered { response, contact: &contact },
            None => Outcome::Failed,
        };
        self.link.took(self.asks[which].unwrap(), outcome, &mut self.tokens, self.now);
        self.told()
    }

    /// The answer to the last REGISTER.
    fn answer(&mut self, status: u16, headers: &[(&str, &str)]) -> String {
        let response = Response::to(&register(""), status, "Words");
        let response = headers.iter().fold(response, |response, (name, value)| response.with(name, *value));
        self.took(0, Some(response))
    }

    fn probed(&mut self, status: u16) -> String {
        self.took(1, Some(Response::to(&register(""), status, "")))
    }

    /// Lets the next timer run; says after how many milliseconds, and what it wanted.
    fn wake(&mut self) -> (u128, String) {
        let at = self.link.next_wake().unwrap();
        assert!(at >= self.now);
        let waited = (at - self.now).as_millis();
        self.now = at;
        self.link.wake(at);
        (waited, self.told())
    }
}

/// RFC 3261 section 10.2.4: the expiry of our own Contact counts, and 85 % of it are waited.
#[test]
fn the_granted_expiry_decides_when_to_register_again() {
    let own = format!("<{CONTACT}>;expires=100");
    let both = format!("<sip:clinic@203.0.113.1>;expires=9, {own}");
    type Headers<'a> = &'a [(&'a str, &'a str)];
    let table: [(Headers<'_>, u32, u128); 6] = [
        (&[("Contact", &own)], 100, 85_000),
        (&[("Contact", &both), ("Expires", "30")], 100, 85_000),
        (&[("Contact", "<sip:clinic@203.0.113.1>;expires=9"), ("Expires", "200")], 200, 170_000),
        (&[], 600, 510_000),
        (&[("Expires", "nonsense")], 600, 510_000),
        (&[("Expires", "1")], 1, 5_000),
    ];
    for (headers, granted, wait) in table {
        let mut bench = Bench::new(trunk(1));
        assert_eq!(bench.told(), "Trying, REGISTER 600 @1");
        assert_eq!(bench.answer(200, headers), format!("Ready {granted} @1"));
        assert_eq!(bench.wake(), (wait, "REGISTER 600 @1".into()));
        assert_eq!(bench.answer(200, headers), "", "nothing new");
    }
}

/// RFC 5626 section 4.4.1: the far end may say how long it waits for line ends; a shorter wait than ours is kept to.
#[test]
fn the_way_to_us_is_kept_open_as_the_far_end_wants() {
    for (wanted, shortest, longest) in
        [("10", 8_000, 10_000), ("120", 25_000, 25_000), ("1", 5_000, 5_000), ("18446744073709551615", 25_000, 25_000)]
    {
        let mut bench = Bench::new(trunk(1));
        bench.told();
        bench.answer(200, &[("Flow-Timer", wanted)]);
        for _ in 0..2 {
            let (waited, told) = bench.wake();
            assert!((shortest..=longest).contains(&waited), "{wanted}: {waited}");
            assert_eq!(told, "CRLF @1", "{wanted}");
        }
        // It does not say so any more.
        bench.asks[0] = None;
        while bench.asks[0].is_none() {
            bench.wake();
        }
        bench.answer(200, &[]);
        assert_eq!(bench.wake(), (510_000, "REGISTER 600 @1".into()), "{wanted}");
    }
    for nonsense in ["0", "x", "-1"] {
        let mut bench = Bench::new(trunk(1));
        bench.told();
        bench.answer(200, &[("Flow-Timer", nonsense)]);
        assert_eq!(bench.wake(), (510_000, "REGISTER 600 @1".into()), "{nonsense}");
    }
}

#[test]
fn a_longer_expiry_is_asked_for_where_it_is_demanded() {
    let mut bench = Bench::new(trunk(1));
    bench.told();
    for least in ["700", "800", "900"] {
        assert_eq!(bench.answer(423, &[("Min-Expires", least)]), format!("REGISTER {least} @1"));
    }
    assert_eq!(bench.answer(423, &[("Min-Expires", "1000")]), "Refused 423 Words", "it demands without end");
    for wrong in ["86401", "600", "x"] {
        let mut bench = Bench::new(trunk(1));
        bench.told();
        assert_eq!(bench.answer(423, &[("Min-Expires", wrong)]), "Refused 423 Words", "{wrong}");
    }
}

/// Waits grow to a bound, half of each by chance; `Retry-After` makes them longer.
#[test]
fn a_refusal_is_tried_again_later_and_later() {
    let mut bench = Bench::new(trunk(2));
    bench.told();
    for round in 0..10 {
        let expected = if round == 0 { "Refused 403 Words" } else { "" };
        assert_eq!(bench.answer(403, &[]), expected);
        let (waited, told) = bench.wake();
        let longest = (60_000 << round).min(1_800_000);
        assert!((longest / 2..=longest).contains(&waited), "{waited} of {longest}");
        assert_eq!(told, "REGISTER 600 @1", "a refusal is no reason to go elsewhere");
    }
    let mut bench = Bench::new(trunk(1));
    bench.told();
    bench.answer(480, &[("Retry-After", "900 (maintenance)")]);
    assert_eq!(bench.wake().0, 900_000);
}

#[test]
fn hops_are_tried_in_turn_and_all_again_after_a_while() {
    let mut bench = Bench::new(trunk(3));
    bench.told();
    for round in 0..8 {
        assert_eq!(bench.took(0, None), "REGISTER 600 @2");
        assert_eq!(bench.answer(503, &[]), "REGISTER 600 @3");
        assert_eq!(bench.answer(408, &[]), if round == 0 { "Unreachable" } else { "" });
        let (waited, told) = bench.wake();
        let longest = (10_000 << round).min(300_000);
        assert!((longest / 2..=longest).contains(&waited), "{waited} of {longest}");
        assert_eq!(told, "REGISTER 600 @1");
    }
    assert_eq!(bench.answer(200, &[]), "Ready 600 @1");
    let ports: Vec<u16> = bench.link.hops().iter().map(|hop| hop.address.port()).collect();
    assert_eq!(ports, [1, 2, 3]);
}

#[test]
fn the_first_hop_is_used_again_once_it_answers() {
    let mut bench = Bench::new(trunk(2));
    bench.told();
    bench.took(0, None);
    assert_eq!(bench.answer(200, &[]), "Ready 600 @2");
    assert_eq!(bench.link.hops().first().unwrap().address.port(), 2);
    assert_eq!(bench.wake(), (60_000, "OPTIONS @1".into()));
    assert_eq!(bench.took(1, None), "");
    assert_eq!(bench.wake(), (60_000, "OPTIONS @1".into()));
    assert_eq!(bench.probed(200), "REGISTER 600 @1");
    assert_eq!(bench.answer(200, &[]), "Ready 600 @1");
    assert_eq!(bench.wake().0, 510_000, "and asked no more");
}

/// Any final answer shows that somebody is there, but 408 and 503 (they come from a proxy that finds nobody).
#[test]
fn a_trunk_without_registration_is_probed() {
    let probed = |hops| Trunk { register_s: None, probe_s: Some(30), ..trunk(hops) };
    for (status, alive) in [(200, true), (405, true), (404, true), (500, true), (603, true), (408, false), (503, false)]
    {
        let mut bench = Bench::new(probed(1));
        assert_eq!(bench.told(), "Trying, OPTIONS @1");
        assert_eq!(bench.probed(status), if alive { "Ready 0 @1" } else { "OPTIONS @1" }, "{status}");
    }
    let mut bench = Bench::new(probed(2));
    bench.told();
    bench.probed(200);
    assert_eq!(bench.wake(), (30_000, "OPTIONS @1".into()));
    assert_eq!(bench.took(1, None), "OPTIONS @1", "one may be lost");
    assert_eq!(bench.took(1, None), "OPTIONS @2");
    assert_eq!(bench.probed(200), "Ready 0 @2");
    assert_eq!(bench.wake(), (30_000, "OPTIONS @1".into()), "the first is asked whether it is back");
    assert_eq!(bench.probed(200), "Ready 0 @1");
    assert_eq!(bench.wake(), (30_000, "OPTIONS @1".into()));
    bench.took(1, None);
    bench.took(1, None);
    assert_eq!(bench.took(1, None), "Unreachable");
    for _ in 0..3 {
        assert_eq!(bench.wake(), (30_000, "OPTIONS @1".into()));
        assert_eq!(bench.took(1, None), "OPTIONS @2");
        assert_eq!(bench.took(1, None), "");
    }
    bench.wake();
    assert_eq!(bench.probed(200), "Ready 0 @1");
}

#[test]
fn a_registered_trunk_whose_probes_are_missed_registers_elsewhere() {
    let mut bench = Bench::new(Trunk { probe_s: Some(30), ..trunk(2) });
    assert_eq!(bench.told(), "Trying, REGISTER 600 @1");
    bench.answer(200, &[]);
    assert_eq!(bench.wake(), (30_000, "OPTIONS @1".into()));
    bench.took(1, None);
    assert_eq!(bench.took(1, None), "REGISTER 600 @2");
    assert_eq!(bench.took(0, None), "Unreachable");
    // Probing goes on; who is there again is registered with at once.
    let mut found = None;
    while found.is_none() {
        let (_, told) = bench.wake();
        match told.as_str() {
            "OPTIONS @1" => found = Some(bench.probed(200)),
            "REGISTER 600 @1" => {
                assert_eq!(bench.took(0, None), "REGISTER 600 @2");
                assert_eq!(bench.took(0, None), "");
            }
            other => panic!("{other}"),
        }
        assert!(bench.now - bench.start < Duration::from_secs(600));
    }
    assert_eq!(found.unwrap(), "REGISTER 600 @1");
}

/// RFC 5626 section 4.4: every 25 s over a connection; over UDP only where a NAT stands between.
#[test]
fn the_way_to_us_is_kept_open() {
    let over = |transport| {
        let mut trunk = trunk(1);
        trunk.hops[0].transport = transport;
        trunk
    };
    let table = [
        (Transport::Tcp, "h:5060;rport=5060", true),
        (Transport::Tls, "h:5060;rport", true),
        (Transport::Udp, "192.0.2.10:5060;rport=5060;received=192.0.2.10", false),
        (Transport::Udp, "192.0.2.10:5060;rport", false),
        (Transport::Udp, "192.0.2.10:5060;rport=1024", true),
        (Transport::Udp, "192.0.2.10:5060;received=203.0.113.4", true),
    ];
    for (transport, via, kept) in table {
        let mut bench = Bench::new(over(transport));
        bench.told();
        let mut response = Response::to(&register(""), 200, "");
        response.head.via = vec![crate::sip::header::Via::parse(&format!("SIP/2.0/UDP {via}")).unwrap()];
        bench.took(0, Some(response));
        let expected = if kept { (25_000, "CRLF @1".into()) } else { (510_000, "REGISTER 600 @1".into()) };
        assert_eq!(bench.wake(), expected, "{transport:?} {via}");
        if kept {
            assert_eq!(bench.wake(), expected, "and again");
        }
    }
}

#[test]
fn a_lost_connection_is_registered_anew_but_not_without_end() {
    let mut trunk = trunk(1);
    trunk.hops[0].transport = Transport::Tcp;
    let hop = trunk.hops[0];
    let mut bench = Bench::new(trunk);
    bench.told();
    bench.answer(200, &[]);
    bench.now += Duration::from_secs(60);
    let closed = |bench: &mut Bench, hop| {
        let (now, mut tokens) = (bench.now, Tokens::new([2; 32]));
        bench.link.closed(hop, &mut tokens, now);
        bench.told()
    };
    assert_eq!(closed(&mut bench, Hop::udp(hop.address)), "", "another one");
    assert_eq!(closed(&mut bench, hop), "Trying");
    assert_eq!(bench.wake(), (0, "REGISTER 600 @1".into()));
    // Closed again and again right after: longer and longer waits.
    let mut waits = Vec::new();
    for _ in 0..4 {
        assert_eq!(bench.answer(200, &[]), "Ready 600 @1");
        assert_eq!(closed(&mut bench, hop), "Trying");
        waits.push(bench.wake().0);
    }
    assert!(waits[0] >= 5_000 && waits[3] >= 40_000, "{waits:?}");
}

#[test]
fn leaving_takes_the_registration_back() {
    let mut bench = Bench::new(trunk(1));
    bench.told();
    bench.answer(200, &[]);
    bench.link.leave();
    assert_eq!(bench.told(), "REGISTER 0 @1");
    bench.link.leave();
    assert_eq!((bench.told().as_str(), bench.link.next_wake()), ("", None));
    assert_eq!(bench.took(0, None), "Gone");
    // The answer to an earlier request is not the answer to the last one.
    let mut bench = Bench::new(trunk(1));
    bench.told();
    let early = bench.asks[0];
    bench.link.leave();
    bench.told();
    let last = std::mem::replace(&mut bench.asks[0], early);
    assert_eq!(bench.answer(200, &[]), "");
    bench.asks[0] = last;
    assert_eq!(bench.answer(200, &[]), "Gone");
    for unregistered in [Trunk { register_s: None, ..trunk(1) }, trunk(0)] {
        let mut bench = Bench::new(unregistered);
        bench.told();
        bench.link.leave();
        assert_eq!(bench.told(), "Gone");
    }
}

#[test]
fn a_trunk_that_asks_nothing_is_ready_and_one_without_hops_is_not() {
    assert_eq!(Bench::new(Trunk { register_s: None, ..trunk(2) }).told(), "Ready 0 @1");
    let mut none = Bench::new(trunk(0));
    assert_eq!((none.told().as_str(), none.link.next_wake()), ("Unreachable", None));
}

#[test]
fn a_changed_trunk_keeps_the_hop_that_works() {
    let mut bench = Bench::new(trunk(3));
    bench.told();
    bench.took(0, None);
    bench.answer(200, &[]);
    let mut changed = trunk(3);
    changed.register_s = Some(300);
    changed.hops.remove(0);
    bench.link.change(changed, bench.now);
    assert_eq!(bench.told(), "Trying, REGISTER 300 @2");
    assert_eq!(bench.answer(200, &[]), "Ready 300 @2");
    assert_eq!(bench.wake().0, 255_000, "the second is the first now");
}
