//! What happens within a call.

use auricle_media::sip::agent::{AgentCommand, AgentEnd, AgentEvent};

use crate::bench::{Bench, OFFER, answer, our_sdp, within};

const SDP: &str = "Content-Type: application/sdp\r\n";

#[test]
fn a_reinvite_is_offered_answered_and_confirmed() {
    let mut bench = Bench::new();
    let (dialog, tag) = bench.call_in();
    let held = OFFER.replace("a=rtpmap:0", "a=sendonly\r\na=rtpmap:0");
    bench.receive(&within("INVITE", 2, &tag, "re1", SDP, &held));
    let AgentEvent::Offer { sdp: Some(_), .. } = bench.event() else { panic!() };
    bench.command(AgentCommand::AnswerOffer { dialog, sdp: Some(our_sdp()) });
    let ok = bench.response();
    assert_eq!((ok.status, ok.head.content_type().as_deref()), (200, Some("application/sdp")));
    // The 200 to a re-INVITE is repeated like the first one.
    bench.pass_ms(600);
    assert_eq!(bench.took(), "200/INVITE");
    bench.receive(&within("ACK", 2, &tag, "ack2", "", ""));
    assert_eq!(bench.event(), AgentEvent::Confirmed { dialog, answer: None });
    bench.pass_ms(40_000);
    assert_eq!((bench.took().as_str(), bench.events().len()), ("", 0));
}

#[test]
fn a_refused_reinvite_leaves_the_call_as_it_was() {
    let mut bench = Bench::new();
    let (dialog, tag) = bench.call_in();
    bench.receive(&within("INVITE", 2, &tag, "re1", SDP, OFFER));
    bench.events();
    bench.command(AgentCommand::AnswerOffer { dialog, sdp: None });
    assert_eq!(bench.took(), "488/INVITE");
    bench.receive(&within("ACK", 2, &tag, "re1", "", ""));
    bench.receive(&within("BYE", 3, &tag, "bye", "", ""));
    assert_eq!(bench.took(), "200/BYE");
    assert_eq!(bench.event(), AgentEvent::Ended { dialog, cause: AgentEnd::RemoteBye });
}

#[test]
fn a_reinvite_without_an_offer_asks_for_ours() {
    let mut bench = Bench::new();
    let (dialog, tag) = bench.call_in();
    bench.receive(&within("INVITE", 2, &tag, "re1", "", ""));
    assert_eq!(bench.event(), AgentEvent::Offer { dialog, sdp: None });
    bench.command(AgentCommand::AnswerOffer { dialog, sdp: Some(our_sdp()) });
    bench.took();
    // Ours is open now: theirs has to wait.
    bench.receive(&within("UPDATE", 3, &tag, "up", SDP, OFFER));
    assert_eq!(bench.took(), "491/UPDATE");
    bench.receive(&within("ACK", 2, &tag, "ack2", SDP, OFFER));
    assert!(matches!(bench.event(), AgentEvent::Confirmed { answer: Some(_), .. }));
}

/// RFC 3261 section 14.2: a second INVITE before the first is answered, and one while our own is open.
#[test]
fn overlapping_invites() {
    let mut bench = Bench::new();
    let (_, tag) = bench.call_in();
    bench.receive(&within("INVITE", 2, &tag, "re1", SDP, OFFER));
    bench.receive(&within("INVITE", 3, &tag, "re2", SDP, OFFER));
    let early = bench.response();
    assert_eq!((early.status, early.head.get("Retry-After")), (500, Some("2")));
    assert_eq!(bench.events().len(), 1);

    let mut bench = Bench::new();
    bench.dial();
    let invite = bench.request("INVITE");
    bench.receive(&answer(&invite, 180, "ann1", "", ""));
    let ours = invite.head.from.tag().unwrap();
    let glare = within("INVITE", 1, ours, "glare", SDP, OFFER)
        .replace("Call-ID: call1", &format!("Call-ID: {}", invite.head.call_id));
    bench.receive(&glare);
    assert_eq!(bench.response().status, 491);
}

#[test]
fn a_cancelled_reinvite_leaves_the_call_as_it_was() {
    let mut bench = Bench::new();
    let (dialog, tag) = bench.call_in();
    let reinvite = within("INVITE", 2, &tag, "re1", SDP, OFFER);
    bench.receive(&reinvite);
    bench.events();
    bench.receive(&within("CANCEL", 2, &tag, "re1", "", ""));
    assert_eq!(bench.took(), "200/CANCEL 487/INVITE");
    bench.command(AgentCommand::AnswerOffer { dialog, sdp: Some(our_sdp()) });
    assert_eq!((bench.took().as_str(), bench.events().len()), ("", 0));
}

#[test]
fn update_refreshes_or_offers() {
    let mut bench = Bench::new();
    let (dialog, tag) = bench.call_in();
    let moved = |text: String| text.replace("<sip:ann@198.51.100.7:5070>", "<sip:ann@198.51.100.7:5099>");
    bench.receive(&moved(within("UPDATE", 2, &tag, "up1", "", "")));
    assert_eq!(bench.took(), "200/UPDATE");
    bench.receive(&moved(within("UPDATE", 3, &tag, "up2", SDP, OFFER)));
    assert!(matches!(bench.event(), AgentEvent::Offer { sdp: Some(_), .. }));
    bench.command(AgentCommand::AnswerOffer { dialog, sdp: Some(our_sdp()) });
    assert_eq!(bench.response().body, our_sdp().to_string().into_bytes());
    // The new Contact is where our BYE goes.
    bench.command(AgentCommand::Hangup { dialog });
    assert_eq!(bench.sent[0].0, "198.51.100.7:5099".parse().unwrap());
}

#[test]
fn digits_come_by_info_once() {
    let mut bench = Bench::new();
    let (dialog, tag) = bench.call_in();
    let table = [
        ("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", Some('5')),
        ("application/dtmf-relay", "Duration=160\nSignal= # \n", Some('#')),
        ("application/dtmf", "10", Some('*')),
        ("application/dtmf", "d", Some('D')),
        ("application/dtmf-relay", "Signal=hello\r\n", None),
        ("application/dtmf", "", None),
    ];
    for (cseq, (kind, body, digit)) in (2..).zip(table) {
        let info = within("INFO", cseq, &tag, &format!("info{cseq}"), &format!("Content-Type: {kind}\r\n"), body);
        bench.receive(&info);
        bench.receive(&info);
        assert_eq!(bench.took(), "200/INFO 200/INFO");
        let told: Vec<_> = digit.map(|digit| AgentEvent::Digit { dialog, digit }).into_iter().collect();
        assert_eq!(bench.events(), told);
    }
    bench.receive(&within("INFO", 20, &tag, "other", "Content-Type: text/plain\r\n", "x"));
    assert_eq!(bench.took(), "415/INFO");
}

/// What a call does with requests that are late, unknown or out of place.
#[test]
fn requests_out_of_place() {
    let table = [
        ("BYE", 1, "", "500/BYE"),
        ("OPTIONS", 2, "", "200/OPTIONS"),
        ("PRACK", 2, "RAck: 1 1 INVITE\r\n", "481/PRACK"),
        ("REFER", 2, "", "400/REFER"),
        ("SUBSCRIBE", 2, "Event: refer\r\n", "405/SUBSCRIBE"),
        ("NOTIFY", 2, "Event: refer\r\n", "481/NOTIFY"),
        ("NOTIFY", 2, "Event: presence\r\n", "489/NOTIFY"),
        ("UPDATE", 2, "Require: timer\r\n", "200/UPDATE"),
        ("UPDATE", 2, "Require: replaces\r\n", "420/UPDATE"),
        ("REFER", 2, "Require: multiple-refer\r\n", "420/REFER"),
        ("ACK", 9, "", ""),
    ];
    for (method, cseq, headers, reply) in table {
        let mut bench = Bench::new();
        let (_, tag) = bench.call_in();
        bench.receive(&within(method, cseq, &tag, "x", headers, ""));
        assert_eq!((bench.took().as_str(), bench.events().len()), (reply, 0), "{method}");
    }
}

#[test]
fn byes_that_cross_both_end() {
    let mut bench = Bench::new();
    let (dialog, tag) = bench.call_in();
    bench.command(AgentCommand::Hangup { dialog });
    bench.receive(&within("BYE", 2, &tag, "bye", "", ""));
    assert_eq!(bench.took(), "BYE 481/BYE");
    assert_eq!(bench.event(), AgentEvent::Ended { dialog, cause: AgentEnd::LocalBye });
}

#[test]
fn commands_for_calls_that_are_over_change_nothing() {
    let mut bench = Bench::new();
    let (dialog, tag) = bench.call_in();
    bench.receive(&within("BYE", 2, &tag, "bye", "", ""));
    bench.took();
    bench.events();
    for command in [
        AgentCommand::Ring { dialog },
        AgentCommand::Accept { dialog, sdp: our_sdp() },
        AgentCommand::Reject { dialog, status: 486, reason: String::new() },
        AgentCommand::AnswerOffer { dialog, sdp: None },
        AgentCommand::Hangup { dialog },
    ] {
        bench.command(command);
    }
    assert_eq!((bench.took().as_str(), bench.events().len()), ("", 0));
}
