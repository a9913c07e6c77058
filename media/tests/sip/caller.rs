//! Outgoing calls.

use auricle_media::sip::agent::{AgentCommand, AgentConfig, AgentEnd, AgentEvent, Invite, InviteError, InviteTo};

use auricle_media::io::Hop;
use auricle_media::sip::message::Request;

use crate::bench::{Bench, OFFER, PEER, answer, config, our_sdp};

#[test]
fn a_call_is_placed_answered_and_hung_up_by_us() {
    let mut bench = Bench::new();
    let dialog = bench.dial();
    assert_eq!(bench.sent[0].0, PEER.parse().unwrap());
    let invite = bench.request("INVITE");
    assert_eq!(invite.uri.to_string(), format!("sip:bob@{PEER}"));
    assert_eq!(invite.head.from.uri.user(), "clinic");
    assert!(invite.head.top_via().params.has("rport"));
    bench.receive(&answer(&invite, 100, "", "", ""));
    bench.receive(&answer(&invite, 180, "bob", "", ""));
    bench.receive(&answer(&invite, 180, "bob", "", ""));
    assert_eq!(bench.events(), [AgentEvent::Ringing { dialog }]);
    bench.receive(&answer(&invite, 183, "bob", "", OFFER));
    assert!(matches!(bench.event(), AgentEvent::Early { .. }));
    bench.receive(&answer(&invite, 200, "bob", "", OFFER));
    assert!(matches!(bench.event(), AgentEvent::Accepted { .. }));
    let ack = bench.request("ACK");
    assert_eq!((ack.head.cseq.number, ack.head.to.tag()), (1, Some("bob")));
    assert_ne!(ack.head.top_via().branch(), invite.head.top_via().branch());
    // A repeated 200 means that the ACK was lost: the same one goes out again, and nothing is told twice.
    bench.receive(&answer(&invite, 200, "bob", "", OFFER));
    assert_eq!(bench.request("ACK"), ack);
    assert_eq!(bench.events().len(), 0);

    bench.command(AgentCommand::Hangup { dialog });
    assert_eq!(bench.event(), AgentEvent::Ended { dialog, cause: AgentEnd::LocalBye });
    let bye = bench.request("BYE");
    assert_eq!((bye.head.cseq.number, bye.uri.to_string()), (2, format!("sip:bob@{PEER}")));
    // Even after BYE a repeated 200 is acknowledged.
    bench.receive(&answer(&invite, 200, "bob", "", OFFER));
    assert_eq!(bench.request("ACK"), ack);
    bench.receive(&answer(&bye, 200, "", "", ""));
    bench.pass_ms(64_000);
    assert_eq!((bench.took().as_str(), bench.agent.load()), ("", (0, 0)));
}

#[test]
fn an_unheard_invite_is_repeated_and_given_up_after_32_seconds() {
    let mut bench = Bench::new();
    let dialog = bench.dial();
    let mut at = vec![];
    for _ in 0..320 {
        bench.took();
        bench.pass_ms(100);
        if !bench.sent.is_empty() {
            at.push(bench.at_ms());
        }
    }
    assert_eq!(at, [500, 1_500, 3_500, 7_500, 15_500, 31_500]);
    assert_eq!(bench.event(), AgentEvent::Ended { dialog, cause: AgentEnd::Timeout });
    assert_eq!(bench.agent.load(), (0, 0));
}

#[test]
fn a_refusal_is_acknowledged_as_often_as_it_comes() {
    let mut bench = Bench::new();
    let dialog = bench.dial();
    let invite = bench.request("INVITE");
    for _ in 0..2 {
        bench.receive(&answer(&invite, 486, "bob", "", ""));
        let ack = bench.request("ACK");
        assert_eq!(ack.head.top_via(), invite.head.top_via());
        assert_eq!((ack.head.to.tag(), ack.uri), (Some("bob"), invite.uri.clone()));
    }
    assert_eq!(bench.event(), AgentEvent::Ended { dialog, cause: AgentEnd::Refused(486) });
    bench.pass_ms(32_000);
    assert_eq!(bench.agent.load(), (0, 0));
}

#[test]
fn cancel_waits_for_a_provisional_response() {
    let mut bench = Bench::new();
    let dialog = bench.dial();
    let invite = bench.request("INVITE");
    bench.command(AgentCommand::Hangup { dialog });
    assert_eq!(bench.event(), AgentEvent::Ended { dialog, cause: AgentEnd::LocalBye });
    assert_eq!(bench.took(), "");
    bench.receive(&answer(&invite, 100, "", "", ""));
    let cancel = bench.request("CANCEL");
    assert_eq!(cancel.head.top_via(), invite.head.top_via());
    assert_eq!((cancel.head.cseq.number, cancel.uri.clone()), (1, invite.uri.clone()));
    bench.receive(&answer(&cancel, 200, "bob", "", ""));
    bench.receive(&answer(&invite, 487, "bob", "", ""));
    assert_eq!((bench.took().as_str(), bench.events().len()), ("ACK", 0));
    bench.pass_ms(32_000);
    assert_eq!(bench.agent.load(), (0, 0));
}

/// The 200 crosses our CANCEL: it has to be acknowledged and ended.
#[test]
fn an_answer_that_crosses_cancel_is_acknowledged_and_ended() {
    let mut bench = Bench::new();
    let dialog = bench.dial();
    let invite = bench.request("INVITE");
    bench.receive(&answer(&invite, 180, "bob", "", ""));
    bench.command(AgentCommand::Hangup { dialog });
    assert_eq!(bench.took(), "CANCEL");
    bench.receive(&answer(&invite, 200, "bob", "", OFFER));
    assert_eq!(bench.took(), "ACK BYE");
    bench.receive(&answer(&invite, 200, "bob", "", OFFER));
    assert_eq!(bench.took(), "ACK");
    let told = [AgentEvent::Ringing { dialog }, AgentEvent::Ended { dialog, cause: AgentEnd::LocalBye }];
    assert_eq!(bench.events(), told);
}

#[test]
fn a_cancelled_call_without_487_is_let_go() {
    let mut bench = Bench::new();
    let dialog = bench.dial();
    let invite = bench.request("INVITE");
    bench.receive(&answer(&invite, 180, "bob", "", ""));
    bench.command(AgentCommand::Hangup { dialog });
    bench.pass_ms(33_000);
    assert_eq!((bench.events().len(), bench.agent.load()), (2, (0, 0)));
}

#[test]
fn a_second_fork_is_acknowledged_and_ended() {
    let mut bench = Bench::new();
    let dialog = bench.dial();
    let invite = bench.request("INVITE");
    bench.receive(&answer(&invite, 180, "one", "", ""));
    bench.receive(&answer(&invite, 180, "two", "", ""));
    bench.receive(&answer(&invite, 200, "two", "", OFFER));
    assert_eq!(bench.request("ACK").head.to.tag(), Some("two"));
    bench.receive(&answer(&invite, 200, "one", "", OFFER));
    let messages = bench.took();
    assert_eq!(messages, "ACK BYE");
    bench.receive(&answer(&invite, 200, "one", "", OFFER));
    let ack = bench.request("ACK");
    assert_eq!(ack.head.to.tag(), Some("one"));
    // The call with the first one goes on.
    bench.command(AgentCommand::Hangup { dialog });
    assert_eq!(bench.request("BYE").head.to.tag(), Some("two"));
}

/// RFC 3262, as the caller.
#[test]
fn reliable_provisional_responses_are_acknowledged_in_order() {
    let mut bench = Bench::new();
    bench.dial();
    let invite = bench.request("INVITE");
    assert!(invite.head.lists("Supported", "100rel"));
    let reliable = |rseq: u32| format!("Require: 100rel\r\nRSeq: {rseq}\r\n");
    bench.receive(&answer(&invite, 183, "bob", &reliable(41), OFFER));
    let prack = bench.request("PRACK");
    assert_eq!((prack.head.get("RAck"), prack.head.cseq.number), (Some("41 1 INVITE"), 2));
    assert!(matches!(bench.event(), AgentEvent::Early { .. }));
    // Repeated, and out of order: neither acknowledged nor told.
    bench.receive(&answer(&invite, 183, "bob", &reliable(41), OFFER));
    bench.receive(&answer(&invite, 180, "bob", &reliable(43), ""));
    assert_eq!(bench.took(), "");
    bench.receive(&answer(&invite, 180, "bob", &reliable(42), ""));
    let second = bench.request("PRACK");
    assert_eq!((second.head.get("RAck"), second.head.cseq.number), (Some("42 1 INVITE"), 3));
    bench.receive(&answer(&prack, 200, "", "", ""));
    bench.events();
    // The answer came reliably: the 200 need not repeat it, and BYE counts on.
    bench.receive(&answer(&invite, 200, "bob", "", ""));
    let AgentEvent::Accepted { dialog, .. } = bench.event() else { panic!() };
    bench.took();
    bench.command(AgentCommand::Hangup { dialog });
    assert_eq!(bench.request("BYE").head.cseq.number, 4);
}

/// RFC 3311 section 5.2: UPDATE changes what a reliable response has settled, before the answer; nothing else may.
#[test]
fn an_early_dialog_is_updated() {
    let update = |invite: &Request, tag: &str, cseq: u32, port: &str| {
        let (call_id, ours) = (&invite.head.call_id, invite.head.from.tag().unwrap());
        let body = OFFER.replace("40000", port);
        format!(
            "UPDATE sip:clinic@192.0.2.10 SIP/2.0\r\nVia: SIP/2.0/UDP {PEER};branch=z9hG4bKup{cseq}{tag};rport\r\n\
             From: <sip:bob@{PEER}>;tag={tag}\r\nTo: <sip:clinic@192.0.2.10>;tag={ours}\r\nCall-ID: {call_id}\r\n\
             CSeq: {cseq} UPDATE\r\nContact: <sip:bob@{PEER}>\r\nMax-Forwards: 70\r\nContent-Type: application/sdp\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let mut bench = Bench::new();
    let dialog = bench.dial();
    let invite = bench.request("INVITE");
    bench.receive(&answer(&invite, 183, "bob", "Require: 100rel\r\nRSeq: 1\r\n", OFFER));
    bench.receive(&answer(&invite, 183, "eve", "", OFFER));
    bench.took();
    bench.events();
    bench.receive(&update(&invite, "eve", 1, "40100"));
    assert_eq!((bench.took().as_str(), bench.events().len()), ("491/UPDATE", 0), "a preview has settled nothing");
    bench.receive(&update(&invite, "bob", 1, "40200"));
    let AgentEvent::Offer { sdp: Some(offer), .. } = bench.event() else { panic!() };
    assert_eq!(offer.media[0].port, 40_200);
    bench.receive(&update(&invite, "bob", 2, "40300"));
    assert_eq!(bench.took(), "500/UPDATE", "one at a time");
    bench.command(AgentCommand::AnswerOffer { dialog, sdp: Some(our_sdp()) });
    assert_eq!(bench.response().body, our_sdp().to_string().into_bytes());
    bench.receive(&answer(&invite, 200, "bob", "", ""));
    let AgentEvent::Accepted { answer, .. } = bench.event() else { panic!() };
    assert_eq!(answer.media[0].port, 40_200, "the last word holds where the 200 repeats nothing");
    assert_eq!(bench.took(), "ACK");
}

#[test]
fn a_200_without_an_answer_ends_the_call() {
    for body in ["", "v=0\r\nnonsense"] {
        let mut bench = Bench::new();
        let dialog = bench.dial();
        let invite = bench.request("INVITE");
        bench.receive(&answer(&invite, 200, "bob", "", body));
        assert_eq!(bench.took(), "ACK BYE");
        assert_eq!(bench.event(), AgentEvent::Ended { dialog, cause: AgentEnd::Protocol });
    }
}

/// The route set of the caller is the Record-Route turned round (RFC 3261 section 12.1.2).
#[test]
fn our_ack_and_bye_take_the_route_of_the_200() {
    let mut bench = Bench::new();
    let dialog = bench.dial();
    let invite = bench.request("INVITE");
    let routes = "Record-Route: <sip:far.example.net;lr>\r\nRecord-Route: <sip:198.51.100.1:5080;lr>\r\n";
    bench.receive(&answer(&invite, 200, "bob", routes, OFFER));
    assert_eq!(bench.sent[0].0, "198.51.100.1:5080".parse().unwrap());
    let expected = ["<sip:198.51.100.1:5080;lr>", "<sip:far.example.net;lr>"];
    assert_eq!(bench.request("ACK").head.all("Route").collect::<Vec<_>>(), expected);
    bench.command(AgentCommand::Hangup { dialog });
    assert_eq!(bench.request("BYE").head.all("Route").collect::<Vec<_>>(), expected);
}

#[test]
fn an_unanswered_call_of_ours_is_cancelled_after_three_minutes() {
    let mut bench = Bench::new();
    let dialog = bench.dial();
    let invite = bench.request("INVITE");
    bench.receive(&answer(&invite, 180, "bob", "", ""));
    bench.events();
    bench.pass_ms(180_000);
    assert_eq!(bench.took(), "CANCEL");
    assert_eq!(bench.event(), AgentEvent::Ended { dialog, cause: AgentEnd::Timeout });
}

#[test]
fn a_bye_without_reply_is_repeated_up_to_four_seconds_apart() {
    let mut bench = Bench::new();
    let dialog = bench.dial();
    let invite = bench.request("INVITE");
    bench.receive(&answer(&invite, 200, "bob", "", OFFER));
    bench.command(AgentCommand::Hangup { dialog });
    bench.took();
    let mut at = vec![];
    for _ in 0..320 {
        bench.pass_ms(100);
        if bench.took() == "BYE" {
            at.push(bench.at_ms());
        }
    }
    assert_eq!(at, [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
    assert_eq!(bench.agent.load(), (0, 0));
}

#[test]
fn what_cannot_be_dialled_says_why() {
    let mut bench = Bench::with(AgentConfig { dialogs_max: 1, ..config() });
    let place = |bench: &mut Bench, uri: &str| {
        let invite = Invite {
            uri: uri.into(),
            to: InviteTo::Hop(Hop::udp(PEER.parse().unwrap())),
            from_user: String::new(),
            sdp: our_sdp(),
            identity: None,
            replaces: None,
            is_emergency: false,
        };
        bench.agent.invite(invite, bench.now)
    };
    for uri in
        ["", "bob", "tel:123", "sips:bob@example.org", "sip:bob@exa mple.org", "sip:b@h?Subject=x", "sip:b@h\r\n"]
    {
        assert_eq!(place(&mut bench, uri), Err(InviteError::BadUri { uri: uri.into() }));
    }
    place(&mut bench, "sip:bob@example.org").unwrap();
    let full = InviteError::Full { calls: 1, calls_max: 1, transactions: 1, transactions_max: 64 };
    assert_eq!(place(&mut bench, "sip:bob@example.org"), Err(full));
}

#[test]
fn a_caller_without_a_name_is_anonymous() {
    let mut bench = Bench::new();
    let uri = "sip:bob@example.org".into();
    let invite = Invite {
        uri,
        to: InviteTo::Hop(Hop::udp(PEER.parse().unwrap())),
        from_user: String::new(),
        sdp: our_sdp(),
        identity: None,
        replaces: None,
        is_emergency: false,
    };
    bench.agent.invite(invite, bench.now).unwrap();
    bench.pass_ms(500);
    assert_eq!(bench.request("INVITE").head.from.uri.to_string(), "sip:anonymous@anonymous.invalid");
}

#[test]
fn responses_to_nothing_of_ours_are_dropped_and_counted() {
    let mut bench = Bench::new();
    bench.dial();
    let invite = bench.request("INVITE");
    let stranger = answer(&invite, 200, "eve", "", OFFER).replace("z9hG4bK", "z9hG4bKx");
    bench.receive(&stranger);
    assert_eq!((bench.took().as_str(), bench.events().len(), bench.agent.dropped()), ("", 0, 1));
}
