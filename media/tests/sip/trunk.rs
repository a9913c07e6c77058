//! Trunks as a provider sees them: REGISTER, challenges, calls both ways, failover.
//!
//! Long because every table plays the same provider against the same agent.

use auricle_media::io::{
    Credentials, DialIdentity, Hop, IdentityHeader, Protection, Transport, Trunk, TrunkId, TrunkState,
};
use auricle_media::sip::agent::{
    AgentCommand, AgentConfig, AgentEnd, AgentEvent, DialogId, Invite, InviteError, InviteTo,
};
use auricle_media::sip::digest::{Algorithm, Count, response};
use auricle_media::sip::message::{Message, Request};
use auricle_media::sip::parse;
use proptest::prelude::*;

use crate::bench::{Bench, OFFER, answer, config, invite, our_sdp, within};

const FIRST: &str = "203.0.113.1:5060";
const SECOND: &str = "203.0.113.2:5060";
const CHALLENGE: &str = "WWW-Authenticate: Digest realm=\"example.org\", nonce=\"abc\", qop=\"auth\"\r\n";
const PROXY: &str =
    "Proxy-Authenticate: Digest realm=\"example.org\", nonce=\"abc\", qop=\"auth\", algorithm=SHA-256\r\n";

fn udp(address: &str) -> Hop {
    Hop::udp(address.parse().unwrap())
}

fn trunk(hops: &[Hop]) -> Trunk {
    Trunk {
        id: TrunkId(7),
        hops: hops.to_vec(),
        name: None,
        domain: "example.org".into(),
        user: "clinic".into(),
        credentials: Some(Credentials { user: "account".into(), password: "secret".into(), realms: Vec::new() }),
        register_s: None,
        probe_s: None,
        sources: Vec::new(),
        protection: Protection::Optional,
        identity: IdentityHeader::None,
        address: None,
    }
}

fn registering(hops: &[Hop]) -> Trunk {
    Trunk { register_s: Some(600), ..trunk(hops) }
}

fn bench_with(trunks: Vec<Trunk>) -> Bench {
    let mut bench = Bench::new();
    bench.command(AgentCommand::Trunks(trunks));
    bench
}

fn states(bench: &mut Bench) -> Vec<TrunkState> {
    let state = |event| match event {
        AgentEvent::Trunk { trunk: TrunkId(7), state } => state,
        other => panic!("{other:?}"),
    };
    bench.events().into_iter().map(state).collect()
}

fn ready(registered_s: Option<u32>, hop: &str) -> TrunkState {
    TrunkState::Ready { registered_s, hop: udp(hop) }
}

fn reply(bench: &mut Bench, from: &str, request: &Request, status: u16, headers: &str) {
    bench.bytes_from(from, answer(request, status, "them", headers, "").as_bytes());
}

fn call(bench: &mut Bench, number: &str) -> DialogId {
    let to = InviteTo::Trunk(TrunkId(7));
    let invite = Invite {
        uri: number.into(),
        to,
        from_user: String::new(),
        sdp: our_sdp(),
        identity: None,
        replaces: None,
        is_emergency: false,
    };
    let dialog = bench.agent.invite(invite, bench.now).unwrap();
    bench.drain();
    dialog
}

/// Whether an answer to [`CHALLENGE`] or [`PROXY`] is right, and which use of the nonce it is.
fn checked(request: &Request, name: &str) -> u32 {
    let text = request.head.get(name).unwrap_or_else(|| panic!("no {name} in {}", request.method));
    let value = |param: &str| {
        let at = text.find(&format!(" {param}=")).unwrap_or_else(|| panic!("no {param} in {text}"));
        text[at + param.len() + 2..].split([',', '"']).find(|part| !part.is_empty()).unwrap()
    };
    let algorithm = Algorithm::of(value("algorithm")).unwrap();
    let secret = algorithm.secret("account", "example.org", "secret");
    let count = Some(Count { nc: value("nc"), cnonce: value("cnonce") });
    let uri = request.uri.to_string();
    let right = response(algorithm, &secret, "abc", count, request.method.name(), &uri);
    assert_eq!((value("response"), value("uri"), value("username")), (&*right, &*uri, "account"));
    u32::from_str_radix(value("nc"), 16).unwrap()
}

/// SEC-13: the registration is made, challenged, granted, refreshed, and given back.
#[test]
fn a_trunk_is_registered_refreshed_and_given_back() {
    let mut bench = bench_with(vec![registering(&[udp(FIRST)])]);
    assert_eq!((states(&mut bench), bench.hops.as_slice()), (vec![TrunkState::Trying], &[udp(FIRST)][..]));
    let first = bench.request("REGISTER");
    assert_eq!(first.uri.to_string(), "sip:example.org");
    assert_eq!(
        (first.head.from.uri.to_string(), first.head.to.to_string()),
        ("sip:clinic@example.org".into(), "<sip:clinic@example.org>".into())
    );
    assert_eq!(
        (first.head.get("Contact"), first.head.get("Expires")),
        (Some("<sip:clinic@192.0.2.10:5060>"), Some("600"))
    );
    assert_eq!(first.head.get("Authorization"), None);
    reply(&mut bench, FIRST, &first, 401, CHALLENGE);
    let second = bench.request("REGISTER");
    assert_eq!(checked(&second, "Authorization"), 1);
    assert_eq!((&second.head.call_id, second.head.from.tag()), (&first.head.call_id, first.head.from.tag()));
    assert_eq!((first.head.cseq.number, second.head.cseq.number), (1, 2));
    assert_ne!(first.head.top_via().branch(), second.head.top_via().branch());
    reply(&mut bench, FIRST, &second, 200, "Expires: 100\r\n");
    assert_eq!(states(&mut bench), [ready(Some(100), FIRST)]);
    bench.pass_ms(84_000);
    assert_eq!(bench.took(), "");
    bench.pass_ms(1_000);
    let third = bench.request("REGISTER");
    assert_eq!(
        (third.head.cseq.number, &third.head.call_id, checked(&third, "Authorization")),
        (3, &first.head.call_id, 2)
    );
    reply(&mut bench, FIRST, &third, 200, "Expires: 100\r\n");
    bench.command(AgentCommand::Trunks(Vec::new()));
    let last = bench.request("REGISTER");
    assert_eq!((last.head.get("Expires"), checked(&last, "Authorization")), (Some("0"), 3));
    reply(&mut bench, FIRST, &last, 200, "");
    assert_eq!(states(&mut bench), [TrunkState::Gone]);
    bench.pass_ms(60_000);
    assert_eq!((bench.took().as_str(), bench.agent.load(), bench.agent.next_wake()), ("", (0, 0), None));
}

/// A trunk may be told another of our addresses than everybody else: where it finds us for calls and for answers; until it has been
/// left, and again where it is told another one.
#[test]
fn a_trunk_is_told_the_address_that_is_meant_for_it() {
    let with = |address: &str| Trunk { address: address.parse().ok(), ..registering(&[udp(FIRST)]) };
    let mut bench = bench_with(vec![with("10.8.0.2")]);
    let told = |request: &Request| {
        let contact = request.head.get("Contact").unwrap().to_owned();
        (request.head.top_via().host.clone(), contact)
    };
    let register = bench.request("REGISTER");
    assert_eq!(told(&register), ("10.8.0.2".to_owned(), "<sip:clinic@10.8.0.2:5060>".to_owned()));
    reply(&mut bench, FIRST, &register, 200, "Expires: 600\r\n");
    call(&mut bench, "100");
    assert_eq!(told(&bench.request("INVITE")).0, "10.8.0.2");
    bench.dial();
    assert_eq!(told(&bench.request("INVITE")).0, "192.0.2.10", "nobody else is told it");
    for (address, now) in [("10.8.0.3", "10.8.0.3"), ("", "192.0.2.10"), ("10.8.0.4", "10.8.0.4")] {
        bench.command(AgentCommand::Trunks(vec![with(address)]));
        assert_eq!(told(&bench.request("REGISTER")).0, now);
    }
    bench.command(AgentCommand::Trunks(Vec::new()));
    let last = bench.request("REGISTER");
    assert_eq!((told(&last).0.as_str(), last.head.get("Expires")), ("10.8.0.4", Some("0")));
}

/// A wrong password is tried once, not until the account is locked; a nonce that grew stale is replaced.
#[test]
fn challenges_are_answered_twice_at_most() {
    let mut bench = bench_with(vec![registering(&[udp(FIRST)])]);
    let first = bench.request("REGISTER");
    reply(&mut bench, FIRST, &first, 401, CHALLENGE);
    let second = bench.request("REGISTER");
    reply(&mut bench, FIRST, &second, 401, &CHALLENGE.replace("abc", "def"));
    assert_eq!(bench.took(), "");
    let refused = TrunkState::Refused { status: 401, reason: "x".into() };
    assert_eq!(states(&mut bench), [TrunkState::Trying, refused]);

    let mut bench = bench_with(vec![registering(&[udp(FIRST)])]);
    for round in 0..3 {
        let request = bench.request("REGISTER");
        let stale = CHALLENGE.replace("abc", &format!("n{round}")).replace("qop", "stale=true, qop");
        reply(&mut bench, FIRST, &request, 401, &stale);
    }
    assert_eq!((bench.took().as_str(), states(&mut bench).len()), ("", 2));
}

/// SEC-11: never a digest answer to anyone but the configured trunk and realm.
#[test]
fn nobody_else_gets_an_answer() {
    // Another realm than the configured one.
    let mut other = registering(&[udp(FIRST)]);
    other.credentials =
        Some(Credentials { user: "account".into(), password: "secret".into(), realms: vec!["r".into()] });
    let mut bench = bench_with(vec![other]);
    let request = bench.request("REGISTER");
    reply(&mut bench, FIRST, &request, 401, CHALLENGE);
    assert_eq!(bench.took(), "");
    // Somebody who is called through a trunk that has told its realm: the trunk's proxy passes the question on as its own.
    let mut bench = bench_with(vec![registering(&[udp(FIRST)])]);
    let register = bench.request("REGISTER");
    reply(&mut bench, FIRST, &register, 401, CHALLENGE);
    let register = bench.request("REGISTER");
    reply(&mut bench, FIRST, &register, 200, "");
    bench.events();
    call(&mut bench, "100");
    let request = bench.request("INVITE");
    reply(&mut bench, FIRST, &request, 401, &CHALLENGE.replace("example.org", "elsewhere.example.net"));
    assert_eq!(bench.took(), "ACK");
    let foreign = AgentEvent::ForeignRealm { trunk: TrunkId(7), realm: "elsewhere.example.net".into() };
    assert_eq!(bench.events().first(), Some(&foreign), "which is told");
    // A challenge that comes from elsewhere.
    let mut bench = bench_with(vec![registering(&[udp(FIRST)])]);
    let request = bench.request("REGISTER");
    reply(&mut bench, SECOND, &request, 401, CHALLENGE);
    assert_eq!(bench.took(), "");
    assert!(!bench.events().iter().any(|event| matches!(event, AgentEvent::ForeignRealm { .. })), "nor told");
    // A call that does not go through the trunk.
    let mut bench = bench_with(vec![trunk(&[udp(FIRST)])]);
    bench.dial();
    let request = bench.request("INVITE");
    reply(&mut bench, "198.51.100.7:5070", &request, 401, CHALLENGE);
    assert_eq!(bench.took(), "ACK");
    // A call that came from one of its sources: others may share that network.
    let mut bench =
        bench_with(vec![Trunk { sources: vec!["198.51.100.0/24".parse().unwrap()], ..trunk(&[udp(FIRST)]) }]);
    bench.events();
    let (dialog, _) = bench.call_in();
    bench.command(AgentCommand::Hangup { dialog });
    let bye = bench.request("BYE");
    reply(&mut bench, "198.51.100.7:5070", &bye, 401, CHALLENGE);
    assert_eq!(bench.took(), "");
    // A call through the trunk whose far end then names another host: neither asked nor unasked.
    let mut bench = bench_with(vec![trunk(&[udp(FIRST)])]);
    let dialog = call(&mut bench, "100");
    let request = bench.request("INVITE");
    reply(&mut bench, FIRST, &request, 401, CHALLENGE);
    let request = bench.request("INVITE");
    let moved = answer(&request, 200, "bob", "", OFFER).replace("198.51.100.7:5070", "198.51.100.99:5060");
    bench.bytes_from(FIRST, moved.as_bytes());
    bench.took();
    bench.command(AgentCommand::Hangup { dialog });
    assert_eq!(bench.hops, [udp("198.51.100.99:5060")]);
    let bye = bench.request("BYE");
    assert_eq!(bye.head.get("Authorization"), None);
    reply(&mut bench, "198.51.100.99:5060", &bye, 401, CHALLENGE);
    assert_eq!(bench.took(), "");
}

#[test]
fn a_call_through_a_trunk_is_challenged_answered_and_ended() {
    let mut bench = bench_with(vec![registering(&[udp(FIRST)])]);
    let register = bench.request("REGISTER");
    reply(&mut bench, FIRST, &register, 200, "Service-Route: <sip:edge.example.org;lr>\r\n");
    bench.events();
    let dialog = call(&mut bench, "+420123456789");
    assert_eq!(bench.hops, [udp(FIRST)]);
    let first = bench.request("INVITE");
    assert_eq!(first.uri.to_string(), "sip:+420123456789@example.org");
    assert_eq!(first.head.from.uri.to_string(), "sip:clinic@example.org");
    assert_eq!(first.head.get("Route"), Some("<sip:edge.example.org;lr>"));
    assert_eq!(first.head.get("Contact"), Some("<sip:clinic@192.0.2.10:5060>"));
    reply(&mut bench, FIRST, &first, 100, "");
    reply(&mut bench, FIRST, &first, 407, PROXY);
    let messages = bench.messages();
    let [Message::Request(ack), Message::Request(second)] = messages.as_slice() else { panic!("{messages:?}") };
    assert_eq!((ack.method.name(), ack.head.cseq.number, ack.head.get("Proxy-Authorization")), ("ACK", 1, None));
    assert_eq!((second.head.cseq.number, checked(second, "Proxy-Authorization")), (2, 1));
    assert_eq!((&second.head.call_id, second.head.from.tag()), (&first.head.call_id, first.head.from.tag()));
    assert_eq!(second.head.get("Route"), first.head.get("Route"));
    // A reliable response and its PRACK, which is challenged for itself.
    let second = second.clone();
    let contact = |text: String| text.replace("198.51.100.7:5070", FIRST);
    let early = answer(&second, 183, "bob", "Require: 100rel\r\nRSeq: 1\r\n", OFFER);
    bench.bytes_from(FIRST, contact(early).as_bytes());
    let prack = bench.request("PRACK");
    assert_eq!((prack.head.cseq.number, checked(&prack, "Proxy-Authorization")), (3, 2));
    reply(&mut bench, FIRST, &prack, 407, &PROXY.replace("qop", "stale=true, qop"));
    let prack = bench.request("PRACK");
    assert_eq!((prack.head.cseq.number, checked(&prack, "Proxy-Authorization")), (4, 1));
    assert_eq!(prack.head.get("RAck"), Some("1 2 INVITE"));
    bench.bytes_from(FIRST, contact(answer(&second, 200, "bob", "", OFFER)).as_bytes());
    let ack = bench.request("ACK");
    assert_eq!(
        (ack.head.cseq.number, ack.head.get("Proxy-Authorization")),
        (2, second.head.get("Proxy-Authorization"))
    );
    bench.command(AgentCommand::Hangup { dialog });
    let bye = bench.request("BYE");
    assert_eq!((bye.head.cseq.number, checked(&bye, "Proxy-Authorization")), (5, 2));
    assert!(matches!(bench.events().last(), Some(AgentEvent::Ended { cause: AgentEnd::LocalBye, .. })));
}

/// A hold is challenged like any other request, and not answered for a call that is over by then.
#[test]
fn a_challenge_to_a_hold_is_answered_while_the_call_lasts() {
    for over in [false, true] {
        let mut bench = bench_with(vec![trunk(&[udp(FIRST)])]);
        let dialog = call(&mut bench, "100");
        let invite = bench.request("INVITE");
        reply(&mut bench, FIRST, &invite, 407, PROXY);
        let invite = bench.messages().into_iter().find_map(|message| match message {
            Message::Request(request) if request.method.name() == "INVITE" => Some(request),
            _ => None,
        });
        let contact = |text: String| text.replace("198.51.100.7:5070", FIRST);
        bench.bytes_from(FIRST, contact(answer(&invite.unwrap(), 200, "them", "", OFFER)).as_bytes());
        bench.took();
        bench.command(AgentCommand::Change { dialog });
        bench.command(AgentCommand::Offer { dialog, sdp: our_sdp() });
        let first = bench.request("INVITE");
        assert_eq!((first.head.cseq.number, checked(&first, "Proxy-Authorization")), (3, 2));
        if over {
            bench.command(AgentCommand::Hangup { dialog });
            bench.took();
            reply(&mut bench, FIRST, &first, 407, &PROXY.replace("qop", "stale=true, qop"));
            assert_eq!(bench.took(), "ACK");
            continue;
        }
        reply(&mut bench, FIRST, &first, 407, &PROXY.replace("qop", "stale=true, qop"));
        let messages = bench.messages();
        let [_, Message::Request(again)] = messages.as_slice() else { panic!("{messages:?}") };
        assert_eq!((again.head.cseq.number, checked(again, "Proxy-Authorization")), (4, 1));
        bench.events();
        bench.bytes_from(FIRST, contact(answer(again, 200, "", "", OFFER)).as_bytes());
        assert_eq!(bench.request("ACK").head.cseq.number, 4);
        assert!(matches!(bench.event(), AgentEvent::Accepted { .. }));
    }
}

/// RFC 3261 section 12.2.1.1: a far end that has a name and no number is reached by the way that its call came, at the port that it is
/// answered at; when that connection is gone, by the trunk's own hop.
#[test]
fn a_far_end_with_a_name_is_reached_by_its_trunk() {
    let peer = "198.51.100.7";
    let named =
        |text: String| text.replace(&format!("<sip:ann@{peer}:5070>"), "<sip:ann@sbc.example.org;transport=tcp>");
    let at = |transport, port: u16| Hop { transport, address: format!("{peer}:{port}").parse().unwrap() };
    let (udp, tcp) = (Transport::Udp, Transport::Tcp);
    // The transport, whether it wants answers where it sends from, whether the connection breaks, and where it is told things.
    for (transport, rport, cut, expected) in [
        (tcp, true, false, at(tcp, 49_152)),
        (tcp, true, true, at(tcp, 5_060)),
        (udp, true, false, at(udp, 49_152)),
        (udp, false, false, at(udp, 5_070)),
    ] {
        let mut bench = Bench::with(AgentConfig { tcp: Some("192.0.2.10:5060".parse().unwrap()), ..config() });
        let other = Hop { transport, ..self::udp(FIRST) };
        bench.command(AgentCommand::Trunks(vec![trunk(&[other, at(transport, 5_060)])]));
        bench.events();
        let from = at(transport, 49_152);
        let sent = |bench: &mut Bench, text: String| {
            let text = named(text).replace("SIP/2.0/UDP", &format!("SIP/2.0/{}", transport.name()));
            let text = if rport { text } else { text.replace(";rport", "") };
            bench.message(from, text.as_bytes());
        };
        sent(&mut bench, invite("1"));
        let AgentEvent::Incoming { dialog, trunk, .. } = bench.event() else { panic!() };
        assert_eq!(trunk, Some(TrunkId(7)));
        bench.command(AgentCommand::Accept { dialog, sdp: our_sdp() });
        let tag = bench.last_response().head.to.tag().unwrap().to_owned();
        sent(&mut bench, within("ACK", 1, &tag, "ack1", "", ""));
        if cut {
            bench.closed(from);
        }
        bench.messages();
        bench.command(AgentCommand::Hangup { dialog });
        assert_eq!(bench.hops, [expected], "{transport:?} {rport} {cut}");
        let bye = bench.request("BYE");
        assert_eq!(bye.uri.to_string(), "sip:ann@sbc.example.org;transport=tcp");
    }
}

/// A call that is cancelled while it is challenged is not sent again.
#[test]
fn a_challenge_to_a_cancelled_call_ends_it() {
    let mut bench = bench_with(vec![trunk(&[udp(FIRST)])]);
    let dialog = call(&mut bench, "100");
    let sent = bench.request("INVITE");
    bench.command(AgentCommand::Hangup { dialog });
    reply(&mut bench, FIRST, &sent, 401, CHALLENGE);
    assert_eq!(bench.took(), "ACK");
    bench.pass_ms(33_000);
    assert_eq!(bench.agent.load(), (0, 0));
}

/// RFC 3263 section 4.3: the next hop after silence, 503 and a lost connection; not after anybody was heard.
#[test]
fn a_call_fails_over_to_the_next_hop() {
    let tcp = Hop { transport: Transport::Tcp, ..udp(FIRST) };
    for (hop, how) in [(udp(FIRST), "silence"), (udp(FIRST), "503"), (udp(FIRST), "100 503"), (tcp, "closed")] {
        let mut bench = bench_with(vec![trunk(&[hop, udp(SECOND)])]);
        let dialog = call(&mut bench, "100");
        assert_eq!(bench.hops, [hop]);
        let first = bench.request("INVITE");
        match how {
            "silence" => {
                bench.pass_ms(4_900);
                bench.took();
                bench.pass_ms(100);
            }
            "closed" => bench.closed(hop),
            how => {
                for status in how.split(' ') {
                    reply(&mut bench, FIRST, &first, status.parse().unwrap(), "");
                }
            }
        }
        assert_eq!(bench.hops.last(), Some(&udp(SECOND)), "{how}");
        let second = bench.request("INVITE");
        assert_eq!((&second.head.call_id, second.head.cseq.number), (&first.head.call_id, 1));
        assert_ne!(second.head.top_via().branch(), first.head.top_via().branch());
        assert_eq!(second.head.get("Contact"), Some("<sip:clinic@192.0.2.10:5060>"), "{how}");
        bench.events();
        bench.bytes_from(SECOND, answer(&second, 200, "bob", "", OFFER).as_bytes());
        assert!(matches!(bench.event(), AgentEvent::Accepted { .. }), "{how}");
        bench.took();
        if how == "silence" {
            // The first one comes to life: it is turned down, and the call goes on.
            reply(&mut bench, FIRST, &first, 180, "");
            let cancel = bench.request("CANCEL");
            assert_eq!(cancel.head.top_via(), first.head.top_via());
            reply(&mut bench, FIRST, &first, 180, "");
            assert_eq!(bench.took(), "", "once");
            let late = answer(&first, 200, "late", "", OFFER).replace("198.51.100.7:5070", "late.example.org");
            bench.bytes_from(FIRST, late.as_bytes());
            assert_eq!(bench.hops, [udp(FIRST), udp(FIRST)]);
            assert_eq!(bench.took(), "ACK BYE");
        }
        bench.command(AgentCommand::Hangup { dialog });
        let bye = bench.request("BYE");
        bench.receive(&answer(&bye, 200, "", "", ""));
        bench.pass_ms(70_000);
        assert_eq!(bench.agent.load(), (0, 0), "{how}");
    }
    for (status, end) in [(180, AgentEnd::Refused(503)), (486, AgentEnd::Refused(486))] {
        let mut bench = bench_with(vec![trunk(&[udp(FIRST), udp(SECOND)])]);
        let dialog = call(&mut bench, "100");
        bench.events();
        let first = bench.request("INVITE");
        reply(&mut bench, FIRST, &first, status, "");
        bench.pass_ms(10_000);
        reply(&mut bench, FIRST, &first, 503, "");
        assert!(bench.hops.iter().all(|hop| *hop == udp(FIRST)), "{status}");
        assert_eq!(bench.events().last(), Some(&AgentEvent::Ended { dialog, cause: end }));
    }
    // Both are silent.
    let mut bench = bench_with(vec![trunk(&[udp(FIRST), udp(SECOND)])]);
    let dialog = call(&mut bench, "100");
    bench.pass_ms(37_000);
    assert_eq!(bench.events().last(), Some(&AgentEvent::Ended { dialog, cause: AgentEnd::Timeout }));
    bench.pass_ms(33_000);
    assert_eq!(bench.agent.load(), (0, 0));
}

/// SAFE-01: an emergency call waits for no hop that says nothing, not for the last one either; one that has said anything keeps its
/// time. What comes to life afterwards is turned down.
#[test]
fn an_emergency_call_leaves_hops_that_are_silent() {
    let place = |bench: &mut Bench| {
        let to = InviteTo::Trunk(TrunkId(7));
        let (uri, from_user, identity, replaces) = ("112".into(), String::new(), None, None);
        let invite = Invite { uri, to, from_user, sdp: our_sdp(), identity, replaces, is_emergency: true };
        let dialog = bench.agent.invite(invite, bench.now).unwrap();
        bench.drain();
        dialog
    };
    let mut bench = bench_with(vec![trunk(&[udp(FIRST), udp(SECOND)])]);
    bench.events();
    let dialog = place(&mut bench);
    bench.pass_ms(5_000);
    assert_eq!(bench.hops.last(), Some(&udp(SECOND)));
    let second = bench.request("INVITE");
    bench.pass_ms(4_900);
    assert_eq!(bench.events(), []);
    bench.pass_ms(100);
    assert_eq!(bench.event(), AgentEvent::Ended { dialog, cause: AgentEnd::Timeout });
    bench.took();
    reply(&mut bench, SECOND, &second, 180, "");
    assert_eq!(bench.took(), "CANCEL");
    bench.bytes_from(SECOND, answer(&second, 200, "late", "", OFFER).as_bytes());
    assert_eq!((bench.took().as_str(), bench.events()), ("ACK BYE", vec![]));
    bench.pass_ms(70_000);
    assert_eq!(bench.agent.load(), (0, 0));

    let mut bench = bench_with(vec![trunk(&[udp(FIRST)])]);
    bench.events();
    place(&mut bench);
    let sent = bench.request("INVITE");
    reply(&mut bench, FIRST, &sent, 100, "");
    bench.pass_ms(60_000);
    assert_eq!(bench.events(), [], "it is being looked after");
}

/// RFC 3325: who we are goes out in the header that the trunk wants, and is kept from who is called where it is withheld.
#[test]
fn calls_say_who_we_are_as_the_trunk_wants_it() {
    use IdentityHeader::{Asserted, None as Bare, Preferred};
    const OWN: &str = "<sip:clinic@example.org>";
    const NUMBER: &str = "<sip:+420123@example.org>";
    const NOBODY: &str = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";
    let identity = |number: &str, withheld| Some(DialIdentity { number: number.into(), withheld });
    let table = [
        (Bare, None, OWN, None, None, None),
        (Asserted, None, OWN, Some(OWN), None, None),
        (Bare, identity("+420123", false), OWN, None, None, None),
        (Asserted, identity("+420123", false), OWN, Some(NUMBER), None, None),
        (Preferred, identity("+420123", false), OWN, None, Some(NUMBER), None),
        (Asserted, identity("", false), OWN, Some(OWN), None, None),
        (Bare, identity("+420123", true), NOBODY, None, None, Some("id")),
        (Asserted, identity("+420123", true), NOBODY, Some(NUMBER), None, Some("id")),
        (Preferred, identity("+420123", true), NOBODY, None, Some(NUMBER), Some("id")),
    ];
    for (header, identity, from, asserted, preferred, privacy) in table {
        let mut bench = bench_with(vec![Trunk { identity: header, ..trunk(&[udp(FIRST)]) }]);
        let to = InviteTo::Trunk(TrunkId(7));
        let (uri, from_user) = ("100".into(), String::new());
        let invite = Invite {
            uri,
            to,
            from_user,
            sdp: our_sdp(),
            identity: identity.clone(),
            replaces: None,
            is_emergency: false,
        };
        bench.agent.invite(invite, bench.now).unwrap();
        bench.drain();
        let sent = bench.request("INVITE");
        let said = |name| sent.head.get(name);
        let (mut own, tag) = (sent.head.from.clone(), sent.head.from.tag().unwrap().to_owned());
        own.params = Default::default();
        assert_eq!((own.to_string().as_str(), tag.len()), (from, 32), "{header:?} {identity:?}");
        let found = (said("P-Asserted-Identity"), said("P-Preferred-Identity"), said("Privacy"));
        assert_eq!(found, (asserted, preferred, privacy), "{header:?} {identity:?}");
    }
}

/// A call knows its trunk by its source; where several share it, by who is called.
#[test]
fn incoming_calls_carry_their_trunk() {
    let mut second = trunk(&[udp(FIRST)]);
    (second.id, second.user) = (TrunkId(8), "other".into());
    let mut sources = trunk(&[]);
    (sources.id, sources.sources) = (TrunkId(9), vec!["198.51.100.0/25".parse().unwrap()]);
    let mut bench = bench_with(vec![trunk(&[udp(FIRST)]), second, sources]);
    bench.events();
    let table = [
        ("203.0.113.1:5060", "clinic", Some(7)),
        ("203.0.113.1:49152", "other", Some(8)),
        ("203.0.113.1:5060", "5550100", Some(7)),
        ("198.51.100.7:5070", "clinic", Some(9)),
        ("198.51.100.200:5060", "clinic", None),
    ];
    for (at, (from, user, expected)) in table.into_iter().enumerate() {
        let text = invite(&at.to_string()).replace("INVITE sip:clinic@", &format!("INVITE sip:{user}@"));
        bench.bytes_from(from, text.as_bytes());
        let AgentEvent::Incoming { trunk, .. } = bench.event() else { panic!() };
        assert_eq!(trunk, expected.map(TrunkId), "{from} {user}");
    }
    // Its BYE is answered for when it is challenged, even after the trunk was removed.
    let mut bench = bench_with(vec![trunk(&[udp("198.51.100.7:5060")])]);
    bench.events();
    let (dialog, tag) = bench.call_in();
    bench.command(AgentCommand::Trunks(Vec::new()));
    assert_eq!(states(&mut bench), [TrunkState::Gone]);
    bench.command(AgentCommand::Hangup { dialog });
    let bye = bench.request("BYE");
    reply(&mut bench, "198.51.100.7:5070", &bye, 401, CHALLENGE);
    assert_eq!(checked(&bench.request("BYE"), "Authorization"), 1);
    assert!(!tag.is_empty());
    bench.receive(&within("BYE", 2, &tag, "late", "", ""));
    assert_eq!(bench.took(), "481/BYE");
}

#[test]
fn trunks_that_stay_equal_stay_as_they_are() {
    let mut bench = bench_with(vec![registering(&[udp(FIRST), udp(SECOND)])]);
    let first = bench.request("REGISTER");
    reply(&mut bench, FIRST, &first, 200, "");
    bench.events();
    bench.command(AgentCommand::Trunks(vec![registering(&[udp(FIRST), udp(SECOND)])]));
    assert_eq!((bench.took().as_str(), bench.events().len()), ("", 0));
    // Another hop: registered anew in the same place.
    bench.command(AgentCommand::Trunks(vec![registering(&[udp(SECOND)])]));
    assert_eq!(bench.hops, [udp(SECOND)]);
    let again = bench.request("REGISTER");
    assert_eq!((&again.head.call_id, again.head.cseq.number), (&first.head.call_id, 2));
    reply(&mut bench, SECOND, &again, 200, "");
    assert_eq!(states(&mut bench), [TrunkState::Trying, ready(Some(600), SECOND)]);
    // Another account: the old one is left, and that is not told as the new one's end.
    let other = Trunk { user: "other".into(), ..registering(&[udp(SECOND)]) };
    bench.command(AgentCommand::Trunks(vec![other]));
    let messages = bench.messages();
    let [Message::Request(left), Message::Request(new)] = messages.as_slice() else { panic!("{messages:?}") };
    assert_eq!((left.head.get("Expires"), new.head.get("Expires")), (Some("0"), Some("600")));
    reply(&mut bench, SECOND, left, 200, "");
    reply(&mut bench, SECOND, new, 200, "");
    assert_eq!(states(&mut bench), [TrunkState::Trying, ready(Some(600), SECOND)]);
    bench.command(AgentCommand::Drain);
    let last = bench.request("REGISTER");
    assert_eq!((last.head.from.uri.user(), last.head.get("Expires")), ("other".into(), Some("0")));
    bench.pass_ms(10_000);
    assert_eq!(states(&mut bench), [TrunkState::Gone]);
}

/// RFC 5626 section 4.4.1: a double line end every 25 s on the connection that calls come by.
#[test]
fn a_registered_connection_is_kept_open() {
    let tls = Hop { transport: Transport::Tls, address: "203.0.113.1:5061".parse().unwrap() };
    let mut bench = Bench::with(AgentConfig { tls: Some("192.0.2.10:5061".parse().unwrap()), ..config() });
    bench.command(AgentCommand::Trunks(vec![registering(&[tls])]));
    let first = bench.request("REGISTER");
    assert_eq!(first.head.get("Contact"), Some("<sip:clinic@192.0.2.10:5061;transport=tls>"));
    assert_eq!(first.head.top_via().transport, "TLS");
    bench.message(tls, answer(&first, 200, "", "", "").as_bytes());
    bench.pass_ms(75_000);
    assert_eq!(bench.sent.drain(..).map(|(_, bytes)| bytes).collect::<Vec<_>>(), [b"\r\n\r\n"; 3]);
    assert_eq!(bench.hops, [tls; 3]);
    bench.closed(tls);
    bench.pass_ms(0);
    assert_eq!(bench.took(), "REGISTER");
    bench.closed(tls);
    assert_eq!(states(&mut bench).last(), Some(&TrunkState::Unreachable));
}

#[test]
fn what_cannot_be_called_through_a_trunk_says_why() {
    let mut bench = bench_with(vec![
        trunk(&[udp(FIRST)]),
        Trunk { id: TrunkId(8), domain: "a b".into(), ..registering(&[udp(FIRST)]) },
    ]);
    let table = [
        (7, "", Some(InviteError::BadUri { uri: String::new() })),
        (7, "1\r\n", Some(InviteError::BadUri { uri: "1\r\n".into() })),
        (8, "100", Some(InviteError::NoTrunk { trunk: 8 })),
        (9, "100", Some(InviteError::NoTrunk { trunk: 9 })),
        (7, "100", None),
        (7, "a b@c;d", None),
    ];
    for (id, uri, error) in table {
        let invite = Invite {
            uri: uri.into(),
            to: InviteTo::Trunk(TrunkId(id)),
            from_user: "+420 1".into(),
            sdp: our_sdp(),
            identity: None,
            replaces: None,
            is_emergency: false,
        };
        assert_eq!(bench.agent.invite(invite, bench.now).err(), error, "{id} {uri}");
    }
    bench.drain();
    let sent: Vec<_> = bench.sent.iter().filter_map(|(_, bytes)| parse::message(bytes).ok()).collect();
    let Some(Message::Request(last)) = sent.last() else { panic!() };
    assert_eq!(last.uri.to_string(), "sip:a%20b%40c;d@example.org");
    assert_eq!(last.head.from.uri.to_string(), "sip:%2B420%201@example.org".replace("%2B", "+"));
}

/// What a registrar may do to us.
const WHIMS: [(u16, &str); 12] = [
    (200, "Expires: 1\r\n"),
    (200, "Expires: 4294967295\r\n"),
    (200, "Contact: <sip:clinic@192.0.2.10:5060>;expires=0\r\n"),
    (401, "WWW-Authenticate: Digest realm=\"r\", nonce=\"n\", stale=true\r\n"),
    (407, "Proxy-Authenticate: Digest realm=\"r\", nonce=\"n\", stale=true, qop=\"auth\"\r\n"),
    (401, "WWW-Authenticate: Digest realm=\r\n"),
    (423, "Min-Expires: 86400\r\n"),
    (423, "Min-Expires: 601\r\n"),
    (503, "Retry-After: 0\r\n"),
    (403, "Retry-After: 99999999999999999999\r\n"),
    (408, ""),
    (302, "Contact: *\r\n"),
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever a registrar answers, however often its connection breaks: an hour brings no storm of requests, nothing piles
    /// up, and what is given back at the end is gone.
    #[test]
    fn no_whim_of_a_registrar_makes_a_storm(whims in proptest::collection::vec(0_usize..14, 1..24), probes in any::<bool>()) {
        let tcp = Hop { transport: Transport::Tcp, ..udp(FIRST) };
        let probe_s = probes.then_some(20);
        let mut bench = bench_with(vec![Trunk { probe_s, ..registering(&[tcp, udp(SECOND)]) }]);
        let (mut sent, mut whims) = (0, whims.into_iter().cycle());
        for _ in 0..7_200 {
            let hops = std::mem::take(&mut bench.hops);
            for (hop, (_, bytes)) in hops.into_iter().zip(std::mem::take(&mut bench.sent)) {
                let Ok(Message::Request(request)) = parse::message(&bytes) else { continue };
                sent += 1;
                match whims.next().unwrap() {
                    12 => bench.closed(hop),
                    13 => {}
                    whim => {
                        let (status, headers) = WHIMS[whim];
                        bench.message(hop, answer(&request, status, "them", headers, "").as_bytes());
                    }
                }
            }
            bench.pass_ms(500);
            prop_assert!(bench.agent.load().1 <= 16, "{} transactions", bench.agent.load().1);
        }
        prop_assert!(sent <= 4_000, "{sent} requests in an hour");
        bench.command(AgentCommand::Trunks(Vec::new()));
        bench.pass_ms(60_000);
        let gone = AgentEvent::Trunk { trunk: TrunkId(7), state: TrunkState::Gone };
        let told = bench.events();
        prop_assert_eq!(told.last(), Some(&gone));
        prop_assert_eq!((bench.agent.load(), bench.agent.next_wake()), ((0, 0), None));
    }
}
