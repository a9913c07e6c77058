//! Incoming calls.

use auricle_media::sip::agent::{AgentCommand, AgentEnd, AgentEvent};
use auricle_media::sip::message::Message;

use auricle_media::io::Hop;

use crate::bench::{Bench, OFFER, PEER, cancel, invite, invite_with, our_sdp, within};

#[test]
fn a_call_is_taken_rung_answered_and_hung_up_by_the_caller() {
    let mut bench = Bench::new();
    bench.receive(&invite("1"));
    assert_eq!(bench.took(), "100/INVITE");
    let AgentEvent::Incoming { dialog, caller, remote, offer, received, trunk, phone, .. } = bench.event() else {
        panic!()
    };
    assert_eq!(
        (caller.from_user.as_str(), caller.display_name.as_str(), caller.to_user.as_str()),
        ("ann", "Ann", "clinic")
    );
    assert_eq!((remote, received, trunk, phone), (Hop::udp(PEER.parse().unwrap()), bench.now, None, None));
    assert_eq!(offer.unwrap().media.len(), 1);

    bench.command(AgentCommand::Ring { dialog });
    let ringing = bench.response();
    assert_eq!(ringing.status, 180);
    let tag = ringing.head.to.tag().unwrap().to_owned();
    bench.command(AgentCommand::Accept { dialog, sdp: our_sdp() });
    let ok = bench.response();
    assert_eq!((ok.status, ok.head.to.tag()), (200, Some(tag.as_str())));
    assert_eq!(ok.head.get("Contact"), Some("<sip:clinic@192.0.2.10:5060>"));
    assert_eq!(ok.head.content_type().as_deref(), Some("application/sdp"));

    bench.receive(&within("ACK", 1, &tag, "ack", "", ""));
    assert_eq!(bench.event(), AgentEvent::Confirmed { dialog, answer: None });
    bench.receive(&within("BYE", 2, &tag, "bye", "", ""));
    assert_eq!(bench.took(), "200/BYE");
    assert_eq!(bench.event(), AgentEvent::Ended { dialog, cause: AgentEnd::RemoteBye });
    // A repeated BYE gets the same reply and ends nothing twice.
    bench.receive(&within("BYE", 2, &tag, "bye", "", ""));
    assert_eq!(bench.took(), "200/BYE");
    bench.pass_ms(60_000);
    assert_eq!((bench.events().len(), bench.agent.load()), (0, (0, 0)));
}

/// RFC 5031: a telephone that knows no emergency number asks for the service by its name.
#[test]
fn the_emergency_service_may_be_called() {
    for (uri, wanted) in [("urn:service:sos", Some("urn:service:sos")), ("urn:service:counseling", None)] {
        let mut bench = Bench::new();
        let (begin, rest) = (format!("INVITE {uri} SIP/2.0"), invite("1"));
        bench.receive(&format!("{begin}{}", rest.split_once(" SIP/2.0").unwrap().1));
        assert_eq!(bench.took(), if wanted.is_some() { "100/INVITE" } else { "416/INVITE" });
        let called = bench.events().into_iter().find_map(|event| match event {
            AgentEvent::Incoming { caller, .. } => Some(caller.to_user),
            _ => None,
        });
        assert_eq!(called.as_deref(), wanted);
    }
}

/// RFC 3960: 183 with our answer, which the 200 repeats. Who demands reliable responses gets the ringing alone.
#[test]
fn a_caller_hears_what_comes_before_the_answer() {
    let mut bench = Bench::new();
    let dialog = bench.ring_in();
    bench.took();
    bench.command(AgentCommand::Progress { dialog, sdp: our_sdp() });
    let progress = bench.response();
    assert_eq!((progress.status, progress.head.content_type().as_deref()), (183, Some("application/sdp")));
    assert!(progress.head.to.tag().is_some() && progress.head.get("Contact").is_some());
    bench.receive(&invite("1"));
    assert_eq!(bench.took(), "183/INVITE", "a repeated INVITE gets it again");
    bench.command(AgentCommand::Accept { dialog, sdp: our_sdp() });
    let ok = bench.response();
    assert_eq!((ok.status, ok.head.to.tag(), &ok.body), (200, progress.head.to.tag(), &progress.body));
    bench.command(AgentCommand::Progress { dialog, sdp: our_sdp() });
    assert_eq!(bench.took(), "", "too late");

    let mut bench = Bench::new();
    bench.receive(&invite_with("1", "Require: 100rel\r\n", OFFER));
    let AgentEvent::Incoming { dialog, .. } = bench.event() else { panic!() };
    bench.took();
    bench.command(AgentCommand::Progress { dialog, sdp: our_sdp() });
    let ringing = bench.response();
    assert_eq!((ringing.status, ringing.body.len()), (180, 0));
    assert!(ringing.head.lists("Require", "100rel"));
}

#[test]
fn a_repeated_invite_gets_the_last_response_and_no_second_call() {
    let mut bench = Bench::new();
    let dialog = bench.ring_in();
    bench.took();
    bench.receive(&invite("1"));
    assert_eq!(bench.took(), "100/INVITE");
    bench.command(AgentCommand::Ring { dialog });
    bench.took();
    bench.receive(&invite("1"));
    assert_eq!(bench.took(), "180/INVITE");
    assert_eq!(bench.events().len(), 0);
}

#[test]
fn a_200_is_repeated_until_ack_and_then_the_call_is_given_up() {
    let mut bench = Bench::new();
    let dialog = bench.ring_in();
    bench.took();
    bench.command(AgentCommand::Accept { dialog, sdp: our_sdp() });
    bench.sent.clear();
    let mut at = Vec::new();
    for _ in 0..319 {
        bench.pass_ms(100);
        if bench.took() == "200/INVITE" {
            at.push(bench.at_ms());
        }
    }
    assert_eq!(at, [500, 1_500, 3_500, 7_500, 11_500, 15_500, 19_500, 23_500, 27_500, 31_500]);
    bench.pass_ms(100);
    assert_eq!(bench.took(), "BYE");
    assert_eq!(bench.event(), AgentEvent::Ended { dialog, cause: AgentEnd::Timeout });
    bench.pass_ms(64_000);
    assert_eq!(bench.agent.load(), (0, 0));
}

#[test]
fn a_late_offer_is_made_in_the_200_and_answered_in_the_ack() {
    for (answer, good) in [(OFFER, true), ("", false)] {
        let mut bench = Bench::new();
        bench.receive(&invite_with("1", "", ""));
        let AgentEvent::Incoming { dialog, offer: None, .. } = bench.event() else { panic!() };
        bench.command(AgentCommand::Accept { dialog, sdp: our_sdp() });
        let tag = bench.last_response().head.to.tag().unwrap().to_owned();
        bench.receive(&within("ACK", 1, &tag, "ack", "Content-Type: application/sdp\r\n", answer));
        match bench.event() {
            AgentEvent::Confirmed { answer: Some(answer), .. } => assert!(good && answer.media[0].port == 40_000),
            AgentEvent::Ended { cause: AgentEnd::Protocol, .. } => {
                assert!(!good);
                assert_eq!(bench.took(), "BYE");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_refusal_is_repeated_until_its_ack() {
    let mut bench = Bench::new();
    let dialog = bench.ring_in();
    bench.took();
    bench.command(AgentCommand::Reject { dialog, status: 486, reason: String::new() });
    let busy = bench.response();
    assert_eq!((busy.status, busy.reason.as_str()), (486, "Busy Here"));
    assert_eq!(bench.event(), AgentEvent::Ended { dialog, cause: AgentEnd::Rejected(486) });
    bench.pass_ms(1_600);
    assert_eq!(bench.took(), "486/INVITE 486/INVITE");
    // The ACK to a refusal has the INVITE's branch.
    bench.receive(&within("ACK", 1, busy.head.to.tag().unwrap(), "inv1", "", ""));
    bench.pass_ms(40_000);
    assert_eq!((bench.took().as_str(), bench.agent.load()), ("", (0, 0)));
}

#[test]
fn a_reason_phrase_cannot_begin_a_header() {
    let mut bench = Bench::new();
    let dialog = bench.ring_in();
    bench.took();
    bench.command(AgentCommand::Reject { dialog, status: 999, reason: "No\r\nEvil: yes".into() });
    let refusal = bench.response();
    assert_eq!((refusal.status, refusal.reason.as_str(), refusal.head.get("Evil")), (500, "NoEvil: yes", None));
}

#[test]
fn cancel_ends_a_ringing_call_and_comes_too_late_for_an_answered_one() {
    let mut bench = Bench::new();
    let dialog = bench.ring_in();
    bench.took();
    bench.receive(&cancel("1"));
    assert_eq!(bench.took(), "200/CANCEL 487/INVITE");
    assert_eq!(bench.event(), AgentEvent::Ended { dialog, cause: AgentEnd::Cancelled });
    bench.receive(&cancel("1"));
    assert_eq!(bench.took(), "200/CANCEL");
    bench.receive(&cancel("unknown"));
    assert_eq!(bench.took(), "481/CANCEL");

    bench.receive(&invite("2"));
    let AgentEvent::Incoming { dialog, .. } = bench.event() else { panic!() };
    bench.command(AgentCommand::Accept { dialog, sdp: our_sdp() });
    bench.took();
    bench.receive(&cancel("2"));
    assert_eq!((bench.took().as_str(), bench.events().len()), ("200/CANCEL", 0));
}

#[test]
fn hanging_up_before_the_ack_waits_for_it() {
    let mut bench = Bench::new();
    let dialog = bench.ring_in();
    bench.command(AgentCommand::Accept { dialog, sdp: our_sdp() });
    let tag = bench.last_response().head.to.tag().unwrap().to_owned();
    bench.command(AgentCommand::Hangup { dialog });
    assert_eq!(bench.event(), AgentEvent::Ended { dialog, cause: AgentEnd::LocalBye });
    assert_eq!(bench.took(), "");
    bench.receive(&within("ACK", 1, &tag, "ack", "", ""));
    assert_eq!((bench.took().as_str(), bench.events().len()), ("BYE", 0));
}

#[test]
fn hanging_up_a_ringing_call_declines_it() {
    let mut bench = Bench::new();
    let dialog = bench.ring_in();
    bench.took();
    bench.command(AgentCommand::Hangup { dialog });
    assert_eq!(bench.took(), "603/INVITE");
    assert_eq!(bench.event(), AgentEvent::Ended { dialog, cause: AgentEnd::Rejected(603) });
}

#[test]
fn an_unanswered_call_rings_out_after_three_minutes() {
    let mut bench = Bench::new();
    let dialog = bench.ring_in();
    bench.pass_ms(179_999);
    assert_eq!(bench.events().len(), 0);
    bench.took();
    bench.pass_ms(1);
    assert_eq!(bench.took(), "480/INVITE");
    assert_eq!(bench.event(), AgentEvent::Ended { dialog, cause: AgentEnd::Timeout });
}

#[test]
fn bye_before_we_answer_ends_the_call() {
    let mut bench = Bench::new();
    let dialog = bench.ring_in();
    bench.command(AgentCommand::Ring { dialog });
    let tag = bench.last_response().head.to.tag().unwrap().to_owned();
    bench.receive(&within("BYE", 2, &tag, "bye", "", ""));
    assert_eq!(bench.took(), "200/BYE 487/INVITE");
    assert_eq!(bench.event(), AgentEvent::Ended { dialog, cause: AgentEnd::RemoteBye });
}

#[test]
fn identifiers_are_never_used_twice() {
    let mut bench = Bench::new();
    let mut tags = std::collections::BTreeSet::new();
    for id in 0..10 {
        bench.receive(&invite(&id.to_string()));
        let AgentEvent::Incoming { dialog, .. } = bench.event() else { panic!() };
        bench.command(AgentCommand::Ring { dialog });
        bench.messages().iter().for_each(|message| {
            if let Message::Response(response) = message
                && let Some(tag) = response.head.to.tag()
            {
                assert!(tags.insert(tag.to_owned()));
            }
        });
    }
    assert_eq!(tags.len(), 10);
}

/// RFC 3262, as the callee: only when the caller requires it.
#[test]
fn a_required_reliable_180_is_repeated_until_prack() {
    let mut bench = Bench::new();
    bench.receive(&invite_with("1", "Require: 100rel\r\n", OFFER));
    let AgentEvent::Incoming { dialog, .. } = bench.event() else { panic!() };
    bench.took();
    bench.command(AgentCommand::Ring { dialog });
    let ringing = bench.response();
    assert!(ringing.head.lists("Require", "100rel"));
    let rseq = ringing.head.get("RSeq").unwrap().to_owned();
    let tag = ringing.head.to.tag().unwrap().to_owned();
    bench.pass_ms(1_500);
    assert_eq!(bench.took(), "180/INVITE 180/INVITE");
    bench.command(AgentCommand::Ring { dialog });
    assert_eq!(bench.took(), "");
    for (cseq, rack, reply) in [
        (2, "7 1 INVITE".to_owned(), "481/PRACK"),
        (3, format!("{rseq} 1 INVITE"), "200/PRACK"),
        (4, format!("{rseq} 1 INVITE"), "481/PRACK"),
    ] {
        let header = format!("RAck: {rack}\r\n");
        bench.receive(&within("PRACK", cseq, &tag, &format!("p{cseq}"), &header, ""));
        assert_eq!(bench.took(), reply);
    }
    bench.pass_ms(60_000);
    assert_eq!(bench.took(), "");
    bench.command(AgentCommand::Accept { dialog, sdp: our_sdp() });
    assert_eq!(bench.took(), "200/INVITE");
}

#[test]
fn a_reliable_180_without_prack_ends_the_call() {
    let mut bench = Bench::new();
    bench.receive(&invite_with("1", "Require: 100rel\r\n", OFFER));
    let AgentEvent::Incoming { dialog, .. } = bench.event() else { panic!() };
    bench.took();
    bench.command(AgentCommand::Ring { dialog });
    bench.pass_ms(31_999);
    assert_eq!(bench.took(), ["180/INVITE"; 7].join(" "));
    bench.pass_ms(1);
    assert_eq!(bench.took(), "504/INVITE");
    assert_eq!(bench.event(), AgentEvent::Ended { dialog, cause: AgentEnd::Timeout });
}

/// A reliable 180 would have to make the offer, so there is none: the 200 makes it.
#[test]
fn a_late_offer_gets_no_reliable_180() {
    let mut bench = Bench::new();
    bench.receive(&invite_with("1", "Require: 100rel\r\n", ""));
    let AgentEvent::Incoming { dialog, .. } = bench.event() else { panic!() };
    bench.took();
    bench.command(AgentCommand::Ring { dialog });
    assert_eq!(bench.took(), "");
    bench.command(AgentCommand::Accept { dialog, sdp: our_sdp() });
    assert_eq!(bench.took(), "200/INVITE");
}
