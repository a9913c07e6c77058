//! What is let in, what is refused at the door, and where replies and requests go.

use auricle_media::sip::agent::{AgentCommand, AgentConfig, AgentEnd, AgentEvent};

use crate::bench::{Bench, OFFER, PEER, config, invite, invite_with, our_sdp, within};

#[test]
fn a_refusal_for_want_of_room_says_when_to_come_back() {
    let mut bench = Bench::new();
    let dialog = bench.ring_in();
    bench.took();
    bench.command(AgentCommand::Reject { dialog, status: 503, reason: String::new() });
    assert_eq!(bench.response().head.get("Retry-After"), Some("5"));
}

/// With no transaction left new calls are refused, but the ones that are up can still be ended by either side.
#[test]
fn calls_end_when_the_transaction_table_is_full() {
    let mut bench = Bench::with(AgentConfig { transactions_max: 1, ..config() });
    let (_, tag) = bench.call_in();
    bench.receive(&invite("2"));
    assert_eq!(bench.took(), "503/INVITE");
    bench.receive(&within("INVITE", 2, &tag, "re", "Content-Type: application/sdp\r\n", OFFER));
    assert_eq!(bench.took(), "503/INVITE");
    bench.receive(&within("BYE", 3, &tag, "bye", "", ""));
    assert_eq!(bench.took(), "200/BYE");
    assert!(matches!(bench.event(), AgentEvent::Ended { cause: AgentEnd::RemoteBye, .. }));

    let mut bench = Bench::with(AgentConfig { transactions_max: 1, ..config() });
    let (dialog, _) = bench.call_in();
    bench.command(AgentCommand::Hangup { dialog });
    assert_eq!(bench.took(), "BYE");
}

#[test]
fn over_the_limit_is_refused_with_a_time_to_come_back() {
    let mut bench = Bench::with(AgentConfig { dialogs_max: 2, ..config() });
    bench.receive(&invite("1"));
    bench.receive(&invite("2"));
    bench.took();
    bench.receive(&invite("3"));
    let refusal = bench.response();
    assert_eq!((refusal.status, refusal.head.get("Retry-After")), (503, Some("5")));
    assert_eq!((bench.events().len(), bench.agent.load()), (2, (2, 2)));
}

#[test]
fn an_invite_that_came_by_a_second_way_is_a_loop() {
    let mut bench = Bench::new();
    bench.ring_in();
    bench.took();
    bench.receive(&invite("1").replace("branch=z9hG4bKinv1", "branch=z9hG4bKother"));
    assert_eq!((bench.took().as_str(), bench.events().len()), ("482/INVITE", 0));
}

/// What is refused without a call, and what the refusal has to say.
#[test]
fn refusals_say_what_is_wrong() {
    let table = [
        (
            invite("1").replace("INVITE", "PUBLISH"),
            405,
            "Allow",
            "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, PRACK, UPDATE, REFER, NOTIFY",
        ),
        (
            invite("1").replace("INVITE sip:clinic@192.0.2.10", "INVITE sips:clinic@192.0.2.10"),
            416,
            "Server",
            "Auricle",
        ),
        (invite_with("1", "Require: 100rel, timer, gruu\r\n", OFFER), 420, "Unsupported", "gruu"),
        (invite_with("1", "Supported: timer\r\nx: 89\r\n", OFFER), 422, "Min-SE", "90"),
        (
            invite("1").replace("application/sdp", "text/plain"),
            415,
            "Accept",
            "application/sdp, application/dtmf-relay, application/dtmf",
        ),
        (invite_with("1", "Content-Encoding: gzip\r\n", OFFER), 415, "Accept-Encoding", "identity"),
        (
            invite_with("1", "Accept: text/html\r\n", OFFER),
            406,
            "Accept",
            "application/sdp, application/dtmf-relay, application/dtmf",
        ),
        (
            invite("1").replace("m=audio 40000", "m=audio 400000"),
            400,
            "Warning",
            "399 auricle \"session description line 6: bad media port\"",
        ),
        (invite("1").replace("Contact:", "X-Contact:"), 400, "Server", "Auricle"),
        (
            invite("1").replace("To: <sip:clinic@192.0.2.10>", "To: <sip:clinic@192.0.2.10>;tag=gone"),
            481,
            "Server",
            "Auricle",
        ),
        (within("BYE", 2, "gone", "b", "", ""), 481, "Server", "Auricle"),
        (within("BYE", 2, "gone", "b", "", "").replace(";tag=gone", ""), 481, "Server", "Auricle"),
    ];
    for (request, status, header, value) in table {
        let mut bench = Bench::new();
        bench.receive(&request);
        let first = bench.response();
        assert_eq!((first.status, first.head.get(header)), (status, Some(value)), "{request}");
        assert!(first.head.to.tag().is_some());
        // Repeated, the request gets the very same response, though nothing was kept.
        bench.receive(&request);
        assert_eq!(bench.response(), first);
        assert_eq!((bench.events().len(), bench.agent.load()), (0, (0, 0)));
    }
}

#[test]
fn options_outside_of_calls_is_answered_without_memory() {
    let mut bench = Bench::new();
    bench.receive(&invite_with("1", "", "").replace("INVITE", "OPTIONS"));
    let ok = bench.response();
    assert_eq!(ok.status, 200);
    for header in ["Allow", "Accept", "Supported", "Contact"] {
        assert!(ok.head.get(header).is_some(), "{header}");
    }
    assert_eq!(bench.agent.load(), (0, 0));
}

/// RFC 3581 and RFC 3261 section 18.2.2: where responses go, and what the Via says then.
#[test]
fn responses_go_back_the_way_the_request_came() {
    let table = [
        (";rport", "203.0.113.9:3456", "203.0.113.9:3456", Some("203.0.113.9"), Some("3456")),
        ("", "203.0.113.9:3456", "203.0.113.9:5070", Some("203.0.113.9"), None),
        ("", PEER, PEER, None, None),
    ];
    for (rport, source, goes_to, received, port) in table {
        let mut bench = Bench::new();
        bench.bytes_from(source, invite("1").replace(";rport", rport).as_bytes());
        assert_eq!(bench.sent[0].0, goes_to.parse().unwrap());
        let response = bench.response();
        let via = response.head.top_via();
        assert_eq!((via.params.get("received"), via.params.get("rport")), (received, port));
    }
}

#[test]
fn withheld_and_asserted_numbers() {
    let anonymous = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";
    let table = [
        ("P-Asserted-Identity: <tel:+420123456789>\r\n", anonymous, "", None),
        ("P-Asserted-Identity: <tel:+420123456789>\r\n", "<sip:1@x>", "1", Some("+420123456789")),
        ("P-Asserted-Identity: <sip:+420123@t>\r\nPrivacy: id\r\n", anonymous, "", None),
        ("", "<sip:+49%20123@example.org>", "+49 123", None),
    ];
    for (headers, from, user, asserted) in table {
        let mut bench = Bench::new();
        bench.receive(&invite_with("1", headers, OFFER).replace("\"Ann\" <sip:ann@example.org>", from));
        let AgentEvent::Incoming { caller, .. } = bench.event() else { panic!() };
        assert_eq!((caller.from_user.as_str(), caller.identity.asserted.as_deref()), (user, asserted));
        assert_eq!(caller.display_name, "");
    }
}

/// A caller behind proxies: the route is kept, its order and looseness decide the form of our requests.
#[test]
fn our_bye_takes_the_route_of_the_invite() {
    let table = [
        (
            "<sip:198.51.100.1;lr>, <sip:p2.example.net;lr>",
            format!("sip:ann@{PEER}"),
            vec!["<sip:198.51.100.1;lr>", "<sip:p2.example.net;lr>"],
        ),
        (
            "<sip:198.51.100.1>, <sip:p2.example.net;lr>",
            "sip:198.51.100.1".into(),
            vec!["<sip:p2.example.net;lr>", "<sip:ann@198.51.100.7:5070>"],
        ),
    ];
    for (routes, uri, route) in table {
        let mut bench = Bench::new();
        bench.receive(&invite_with("1", &format!("Record-Route: {routes}\r\n"), OFFER));
        let AgentEvent::Incoming { dialog, .. } = bench.event() else { panic!() };
        bench.command(AgentCommand::Accept { dialog, sdp: our_sdp() });
        let ok = bench.last_response();
        assert_eq!(ok.head.get("Record-Route"), Some(routes));
        bench.receive(&within("ACK", 1, ok.head.to.tag().unwrap(), "ack", "", ""));
        bench.command(AgentCommand::Hangup { dialog });
        assert_eq!(bench.sent[0].0, "198.51.100.1:5060".parse().unwrap());
        let bye = bench.request("BYE");
        assert_eq!((bye.uri.to_string(), bye.head.all("Route").collect::<Vec<_>>()), (uri, route));
    }
}

/// A caller behind a NAT: its Contact cannot be reached, so requests go to where its messages come from.
#[test]
fn our_bye_reaches_a_caller_behind_nat() {
    let mut bench = Bench::new();
    let natted = |text: String| text.replace("198.51.100.7:5070", "192.168.1.5:5060");
    bench.bytes_from("203.0.113.9:3456", natted(invite("1")).as_bytes());
    let AgentEvent::Incoming { dialog, .. } = bench.event() else { panic!() };
    bench.command(AgentCommand::Accept { dialog, sdp: our_sdp() });
    let tag = bench.last_response().head.to.tag().unwrap().to_owned();
    bench.bytes_from("203.0.113.9:3456", natted(within("ACK", 1, &tag, "ack", "", "")).as_bytes());
    bench.command(AgentCommand::Hangup { dialog });
    assert_eq!(bench.sent[0].0, "203.0.113.9:3456".parse().unwrap());
    assert_eq!(bench.request("BYE").uri.to_string(), "sip:ann@192.168.1.5:5060");
}

/// VOICE-09: an old PBX writes names in Latin-1. Its calls come through, with a question mark in place of the letter.
#[test]
fn a_name_that_is_not_utf8_does_not_cost_the_call() {
    let mut bench = Bench::new();
    let text = invite("1").into_bytes();
    let at = text.windows(3).position(|window| window == b"Ann").unwrap();
    let latin = [&text[..at], b"J\xf6rg", &text[at + 3..]].concat();
    bench.bytes_from(PEER, &latin);
    let AgentEvent::Incoming { caller, .. } = bench.event() else { panic!() };
    assert_eq!(caller.display_name, "J?rg");
}

/// SEC-12: what a caller calls itself goes into records and on screens: no line ends, no turned writing, no novels.
#[test]
fn names_are_told_without_what_is_no_name() {
    let long = "x".repeat(4_000);
    let table = [
        ("\"a\\\u{7}b\" <sip:%0d%0aann%00@example.org>", "ab", "ann"),
        ("\"\u{202e}nnA\u{2066}\" <sip:%E2%80%AEann@example.org>", "nnA", "ann"),
        (&format!("\"{long}\" <sip:{long}@example.org>"), &long[..128], &long[..128]),
        ("\"Žofie Núñez\" <sip:%C5%BDofie@example.org>", "Žofie Núñez", "Žofie"),
    ];
    for (from, name, user) in table {
        let mut bench = Bench::new();
        bench.receive(&invite("1").replace("\"Ann\" <sip:ann@example.org>", from));
        let AgentEvent::Incoming { caller, .. } = bench.event() else { panic!() };
        assert_eq!((caller.display_name.as_str(), caller.from_user.as_str()), (name, user));
    }
}

/// SEC-12: one message cannot make us read or repeat more hops than any network has, however it lists them.
#[test]
fn hops_are_counted_over_all_lines() {
    for (vias, status) in [(100, 200), (200, 400)] {
        let mut bench = Bench::new();
        let options = invite_with("1", "", "").replace("INVITE", "OPTIONS");
        let line = format!("Via: SIP/2.0/UDP h{}\r\n", ",SIP/2.0/UDP h".repeat(vias / 2 - 1));
        bench.receive(&options.replacen("From:", &format!("{line}{line}From:"), 1));
        let (_, reply) = bench.sent.pop().unwrap();
        assert_eq!(reply[8..11], *status.to_string().as_bytes(), "{vias} hops");
    }
}

/// Folding adds up to one value, however many lines it takes.
#[test]
fn a_value_may_be_folded_over_a_whole_datagram() {
    let mut bench = Bench::new();
    let folded = format!("Subject: a{}\r\n", "\r\n b".repeat(10_000));
    bench.receive(&invite_with("1", &folded, "").replace("INVITE", "OPTIONS"));
    assert_eq!(bench.took(), "200/OPTIONS");
}

/// A peer of RFC 2543: no branch cookie, no tag, no Max-Forwards.
#[test]
fn an_old_peer_can_call_and_acknowledge() {
    let mut bench = Bench::new();
    let old = |text: String| {
        text.replace(";branch=z9hG4bKinv1;rport", "").replace(";tag=ann1", "").replace("Max-Forwards: 70\r\n", "")
    };
    bench.receive(&old(invite("1")));
    bench.receive(&old(invite("1")));
    let AgentEvent::Incoming { dialog, .. } = bench.event() else { panic!() };
    assert_eq!(bench.took(), "100/INVITE 100/INVITE");
    bench.command(AgentCommand::Reject { dialog, status: 486, reason: "Busy".into() });
    let tag = bench.response().head.to.tag().unwrap().to_owned();
    let ack =
        invite_with("1", "", "").replace("INVITE", "ACK").replace("10>\r\nCall", &format!("10>;tag={tag}\r\nCall"));
    bench.receive(&old(ack));
    bench.pass_ms(5_001);
    assert_eq!((bench.took().as_str(), bench.agent.load()), ("", (0, 0)));
}
