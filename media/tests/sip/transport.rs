//! TCP and TLS: nothing is sent twice, answers go back on the connection, and a lost connection is noticed at once.

use auricle_media::io::{Hop, Transport};
use auricle_media::sip::agent::{AgentCommand, AgentConfig, AgentEnd, AgentEvent, Invite, InviteTo};

use crate::bench::{Bench, OFFER, PEER, answer, config, invite, invite_with, our_sdp, within};

/// The port that a peer's connection comes from.
const FROM: &str = "198.51.100.7:49152";

fn hop(transport: Transport, address: &str) -> Hop {
    Hop { transport, address: address.parse().unwrap() }
}

fn streams() -> Bench {
    let at = |port: u16| Some(format!("192.0.2.10:{port}").parse().unwrap());
    Bench::with(AgentConfig { tcp: at(5060), tls: at(5061), ..config() })
}

fn over(transport: Transport, text: String) -> String {
    let name = transport.name();
    text.replace("SIP/2.0/UDP", &format!("SIP/2.0/{name}"))
        .replace(&format!("<sip:ann@{PEER}>"), &format!("<sip:ann@{PEER};transport={}>", name.to_lowercase()))
}

fn dial(bench: &mut Bench, remote: Hop, uri: &str) -> auricle_media::sip::agent::DialogId {
    let invite = Invite {
        uri: uri.into(),
        to: InviteTo::Hop(remote),
        from_user: "clinic".into(),
        sdp: our_sdp(),
        identity: None,
        replaces: None,
        is_emergency: false,
    };
    let dialog = bench.agent.invite(invite, bench.now).unwrap();
    bench.pass_ms(0);
    bench.drain();
    dialog
}

#[test]
fn a_call_over_a_connection_stays_on_it() {
    for transport in [Transport::Tcp, Transport::Tls] {
        let mut bench = streams();
        let from = hop(transport, FROM);
        bench.message(from, over(transport, invite("1").replace(";rport", "")).as_bytes());
        let AgentEvent::Incoming { dialog, remote, .. } = bench.event() else { panic!() };
        assert_eq!((remote, bench.hops.as_slice()), (from, &[from][..]));
        bench.command(AgentCommand::Accept { dialog, sdp: our_sdp() });
        let ok = bench.last_response();
        let (port, name) = if transport == Transport::Tcp { (5060, "tcp") } else { (5061, "tls") };
        assert_eq!(ok.head.get("Contact"), Some(&*format!("<sip:clinic@192.0.2.10:{port};transport={name}>")));
        // The user agent repeats a 200 over a connection too, for a proxy may stand between (RFC 3261 section 13.3.1.4).
        bench.pass_ms(600);
        assert_eq!(bench.took(), "200/INVITE");
        let tag = ok.head.to.tag().unwrap().to_owned();
        bench.message(from, over(transport, within("ACK", 1, &tag, "ack", "", "")).as_bytes());
        bench.command(AgentCommand::Hangup { dialog });
        assert_eq!(bench.hops, [from]);
        let bye = bench.request("BYE");
        assert_eq!(bye.head.top_via().transport, transport.name());
        bench.message(from, over(transport, answer(&bye, 200, "", "", "")).as_bytes());
        bench.pass_ms(40_000);
        assert_eq!((bench.took().as_str(), bench.agent.load()), ("", (0, 0)));
    }
}

/// RFC 3261 section 17: timers A, E and G do not run over connections; D, I, J and K are zero.
#[test]
fn nothing_is_sent_twice_over_a_connection() {
    let peer = hop(Transport::Tcp, PEER);
    let mut bench = streams();
    dial(&mut bench, peer, &format!("sip:bob@{PEER}"));
    assert_eq!(bench.hops, [peer]);
    let sent = bench.request("INVITE");
    assert_eq!(sent.head.top_via().to_string().split(';').next(), Some("SIP/2.0/TCP 192.0.2.10:5060"));
    bench.pass_ms(31_900);
    assert_eq!(bench.took(), "");
    bench.pass_ms(200);
    assert!(matches!(bench.event(), AgentEvent::Ended { cause: AgentEnd::Timeout, .. }));

    // A refusal of ours, acknowledged, leaves nothing behind; neither does one of theirs.
    let mut bench = streams();
    bench.message(hop(Transport::Tcp, FROM), over(Transport::Tcp, invite("1")).as_bytes());
    let AgentEvent::Incoming { dialog, .. } = bench.event() else { panic!() };
    bench.took();
    bench.command(AgentCommand::Reject { dialog, status: 486, reason: String::new() });
    let tag = bench.response().head.to.tag().unwrap().to_owned();
    bench.pass_ms(5_000);
    assert_eq!((bench.took().as_str(), bench.agent.load().1), ("", 1));
    let ack = within("ACK", 1, &tag, "inv1", "", "");
    bench.message(hop(Transport::Tcp, FROM), over(Transport::Tcp, ack).as_bytes());
    bench.pass_ms(0);
    assert_eq!(bench.agent.load(), (0, 0));
    dial(&mut bench, peer, &format!("sip:bob@{PEER}"));
    let sent = bench.request("INVITE");
    bench.message(peer, answer(&sent, 486, "bob", "", "").as_bytes());
    bench.pass_ms(0);
    assert_eq!((bench.took().as_str(), bench.agent.load()), ("ACK", (0, 0)));
    bench.message(
        hop(Transport::Tcp, FROM),
        over(Transport::Tcp, invite_with("o", "", "")).replace("INVITE", "OPTIONS").as_bytes(),
    );
    assert_eq!((bench.took().as_str(), bench.agent.load()), ("200/OPTIONS", (0, 0)));
}

#[test]
fn a_lost_connection_fails_what_waits_on_it_at_once() {
    let peer = hop(Transport::Tls, PEER);
    for provisional in [None, Some(180)] {
        let mut bench = streams();
        let dialog = dial(&mut bench, peer, &format!("sips:bob@{PEER}"));
        let sent = bench.request("INVITE");
        assert_eq!(sent.head.get("Contact"), Some("<sips:clinic@192.0.2.10:5061>"));
        if let Some(status) = provisional {
            bench.message(peer, answer(&sent, status, "bob", "", "").as_bytes());
        }
        bench.closed(hop(Transport::Tcp, PEER));
        assert_eq!(bench.agent.load(), (1, 1), "another connection");
        bench.closed(peer);
        assert_eq!(bench.events().pop(), Some(AgentEvent::Ended { dialog, cause: AgentEnd::Timeout }));
        assert_eq!(bench.agent.load(), (0, 0));
    }
}

/// RFC 3261 section 18.2.2: without its connection, a response goes to the address in the Via; so do our requests, to the
/// Contact, until the far end comes back by itself.
#[test]
fn a_lost_connection_is_replaced() {
    let mut bench = streams();
    let (first, second) = (hop(Transport::Tcp, FROM), hop(Transport::Tcp, "198.51.100.7:49999"));
    bench.message(first, over(Transport::Tcp, invite("1")).as_bytes());
    let AgentEvent::Incoming { dialog, .. } = bench.event() else { panic!() };
    bench.took();
    bench.closed(first);
    bench.command(AgentCommand::Accept { dialog, sdp: our_sdp() });
    assert_eq!(bench.hops, [hop(Transport::Tcp, PEER)]);
    let tag = bench.last_response().head.to.tag().unwrap().to_owned();
    bench.message(second, over(Transport::Tcp, within("ACK", 1, &tag, "ack", "", "")).as_bytes());
    bench.message(second, over(Transport::Tcp, within("OPTIONS", 2, &tag, "o", "", "")).as_bytes());
    assert_eq!(bench.hops, [second]);
    bench.took();
    bench.command(AgentCommand::Hangup { dialog });
    assert_eq!(bench.hops, [second]);
}

#[test]
fn secure_addresses_are_for_tls_alone() {
    let request = invite("1").replace("INVITE sip:", "INVITE sips:");
    for (transport, taken) in [(Transport::Udp, false), (Transport::Tcp, false), (Transport::Tls, true)] {
        let mut bench = streams();
        bench.message(hop(transport, FROM), over(transport, request.clone()).as_bytes());
        assert_eq!(bench.took(), if taken { "100/INVITE" } else { "416/INVITE" }, "{transport:?}");
        let dialled = Invite {
            uri: "sips:a@b".into(),
            to: InviteTo::Hop(hop(transport, PEER)),
            from_user: String::new(),
            sdp: our_sdp(),
            identity: None,
            replaces: None,
            is_emergency: false,
        };
        assert_eq!(bench.agent.invite(dialled, bench.now).is_ok(), taken, "{transport:?}");
    }
}

/// RFC 3261 section 18.1.1: what does not fit a datagram goes over TCP, and as a datagram where that does not work.
#[test]
fn long_requests_leave_over_tcp_where_it_works() {
    let (udp, tcp) = (hop(Transport::Udp, PEER), hop(Transport::Tcp, PEER));
    let long = format!("sip:{}@{PEER}", "b".repeat(1_000));
    // Nobody can connect to us, so nobody is connected to.
    let mut bench = Bench::new();
    dial(&mut bench, udp, &long);
    assert_eq!(bench.hops, [udp]);
    let mut bench = streams();
    dial(&mut bench, udp, &format!("sip:bob@{PEER}"));
    assert_eq!(bench.hops, [udp], "a short one");

    // It works.
    let mut bench = streams();
    let dialog = dial(&mut bench, udp, &long);
    assert_eq!(bench.hops, [tcp]);
    let sent = bench.request("INVITE");
    assert_eq!(sent.head.top_via().transport, "TCP");
    assert_eq!(sent.head.get("Contact"), Some("<sip:clinic@192.0.2.10:5060>"), "the call itself stays with datagrams");
    bench.message(tcp, answer(&sent, 180, "bob", "", "").as_bytes());
    bench.pass_ms(10_000);
    assert_eq!(bench.took(), "");
    bench.command(AgentCommand::Hangup { dialog });
    assert_eq!(bench.hops, [tcp]);
    assert_eq!(bench.request("CANCEL").head.top_via(), sent.head.top_via());

    // It is refused, or nothing comes of it.
    for refused in [true, false] {
        let mut bench = streams();
        dial(&mut bench, udp, &long);
        let sent = bench.request("INVITE");
        if refused {
            bench.closed(tcp);
        } else {
            bench.pass_ms(2_000);
        }
        assert_eq!(bench.hops, [udp], "{refused}");
        let again = bench.request("INVITE");
        assert_eq!(again.head.top_via().branch(), sent.head.top_via().branch());
        assert_eq!(again.head.top_via().transport, "UDP");
        bench.pass_ms(500);
        assert_eq!(bench.took(), "INVITE");
        bench.receive(&answer(&again, 486, "bob", "", OFFER));
        assert_eq!(bench.hops, [udp]);
        assert_eq!(bench.took(), "ACK");
    }
}
