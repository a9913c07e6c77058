//! Session timers (RFC 4028), in both roles.

use auricle_media::sip::agent::{AgentCommand, AgentEnd, AgentEvent, DialogId};
use auricle_media::sip::message::{Message, Request};

use crate::bench::{Bench, OFFER, answer, invite_with, our_sdp, within};

const SDP: &str = "Content-Type: application/sdp\r\n";
const UPDATE: &str = "Allow: INVITE, UPDATE\r\n";

/// A call of ours that is up, its 200 with these headers.
fn called(headers: &str) -> (Bench, DialogId, Request) {
    let mut bench = Bench::new();
    let dialog = bench.dial();
    let invite = bench.request("INVITE");
    assert!(invite.head.lists("Supported", "timer") && invite.head.get("Session-Expires") == Some("1800"));
    bench.receive(&answer(&invite, 200, "bob", headers, OFFER));
    bench.events();
    bench.took();
    (bench, dialog, invite)
}

/// A call of theirs that is up, its INVITE with these headers; gives our Session-Expires and Require.
fn received(headers: &str) -> (Bench, DialogId, String, [Option<String>; 2]) {
    let mut bench = Bench::new();
    bench.receive(&invite_with("1", headers, OFFER));
    let AgentEvent::Incoming { dialog, .. } = bench.event() else { panic!() };
    bench.command(AgentCommand::Accept { dialog, sdp: our_sdp() });
    let ok = bench.last_response();
    let tag = ok.head.to.tag().unwrap().to_owned();
    bench.receive(&within("ACK", 1, &tag, "ack1", "", ""));
    bench.events();
    let granted = ["Session-Expires", "Require"].map(|name| ok.head.get(name).map(str::to_owned));
    (bench, dialog, tag, granted)
}

fn ended(dialog: DialogId) -> AgentEvent {
    AgentEvent::Ended { dialog, cause: AgentEnd::Timeout }
}

/// Who refreshes, as the one who is called.
#[test]
fn the_far_end_gets_the_timer_that_it_asks_for() {
    let table = [
        ("", None, None, None),
        ("Supported: timer\r\n", Some("1800;refresher=uas"), Some("timer"), None),
        ("Supported: timer\r\nSession-Expires: 300\r\n", Some("300;refresher=uac"), Some("timer"), None),
        ("Supported: timer\r\nx: 300;refresher=uac\r\n", Some("300;refresher=uac"), Some("timer"), None),
        ("Supported: timer\r\nx: 300;refresher=uas\r\n", Some("300;refresher=uas"), Some("timer"), Some("INVITE")),
        ("Session-Expires: 300\r\n", Some("300;refresher=uas"), None, Some("INVITE")),
        ("Session-Expires: 300\r\nAllow: UPDATE\r\n", Some("300;refresher=uas"), None, Some("UPDATE")),
        ("Session-Expires: 20\r\nAllow: UPDATE\r\n", Some("90;refresher=uas"), None, Some("UPDATE")),
        ("Session-Expires: soon\r\n", None, None, None),
    ];
    for (headers, expires, required, refreshed) in table {
        let (mut bench, _, _, granted) = received(headers);
        assert_eq!((granted[0].as_deref(), granted[1].as_deref()), (expires, required), "{headers}");
        bench.pass_ms(150_000);
        assert_eq!(bench.took().split(' ').next().unwrap(), refreshed.unwrap_or_default(), "{headers}");
    }
}

/// Section 10: BYE comes before the interval is over, and not while it is refreshed.
#[test]
fn a_far_end_that_does_not_refresh_is_hung_up_on() {
    let (mut bench, dialog, tag, _) = received("Supported: timer\r\nSession-Expires: 300\r\n");
    for cseq in 2..5 {
        bench.pass_ms(267_000);
        let headers = "Supported: timer\r\nSession-Expires: 300\r\n";
        bench.receive(&within("UPDATE", cseq, &tag, &format!("up{cseq}"), headers, ""));
        let ok = bench.response();
        assert_eq!((ok.status, ok.head.get("Session-Expires")), (200, Some("300;refresher=uac")));
    }
    bench.pass_ms(267_900);
    assert_eq!(bench.took(), "");
    bench.pass_ms(100);
    assert_eq!((bench.took().as_str(), bench.event()), ("BYE", ended(dialog)));
    // A re-INVITE refreshes too; one without a timer takes it away, and leaves the refreshing to us.
    let (mut bench, dialog, tag, _) = received("Supported: timer\r\nSession-Expires: 90\r\n");
    for (cseq, headers) in [(2, "Supported: timer\r\nSession-Expires: 90\r\n"), (3, "")] {
        bench.pass_ms(59_000);
        bench.receive(&within("INVITE", cseq, &tag, &format!("re{cseq}"), &format!("{SDP}{headers}"), OFFER));
        bench.command(AgentCommand::AnswerOffer { dialog, sdp: Some(our_sdp()) });
        bench.receive(&within("ACK", cseq, &tag, &format!("ack{cseq}"), "", ""));
    }
    bench.took();
    bench.pass_ms(899_900);
    assert_eq!(bench.took(), "");
    bench.pass_ms(100);
    assert_eq!(bench.request("INVITE").head.get("Session-Expires"), None);
}

/// With a far end that knows no timers we refresh alone, every quarter of an hour: as long as it answers, whatever it answers, the call
/// is on; it ends when the far end knows of no such call, or says nothing any more (section 7.4).
#[test]
fn a_far_end_without_timers_is_asked_whether_it_is_still_there() {
    for (allow, method) in [(UPDATE, "UPDATE"), ("", "INVITE")] {
        for status in [200, 405, 422, 488, 500] {
            let (mut bench, _, first) = called(allow);
            let mut method = method;
            for _ in 0..5 {
                bench.pass_ms(899_000);
                assert_eq!(bench.took(), "", "{method} {status}");
                bench.pass_ms(2_000);
                let mut refresh = bench.request(method);
                let sdp = if method == "INVITE" { OFFER } else { "" };
                bench.receive(&answer(&refresh, status, "", "", if status == 200 { sdp } else { "" }));
                if status == 405 && method == "UPDATE" {
                    // It lists UPDATE and takes none.
                    method = "INVITE";
                    bench.pass_ms(1_000);
                    refresh = bench.request(method);
                    bench.receive(&answer(&refresh, status, "", "", ""));
                }
                assert_eq!(refresh.head.get("Session-Expires"), None);
                assert!(method == "UPDATE" || refresh.body == first.body, "nothing changes");
                bench.took();
            }
            assert!(!bench.events().iter().any(|event| matches!(event, AgentEvent::Ended { .. })), "{method} {status}");
        }
        for status in [Some(408), Some(481), None] {
            let (mut bench, dialog, _) = called(allow);
            bench.pass_ms(900_000);
            let refresh = bench.request(method);
            match status {
                Some(status) => bench.receive(&answer(&refresh, status, "", "", "")),
                None => bench.pass_ms(32_000),
            }
            assert_eq!(bench.events(), [ended(dialog)], "{method} {status:?}");
        }
    }
    // The same in a call of theirs.
    let (mut bench, dialog, _, _) = received("");
    bench.pass_ms(900_000);
    let refresh = bench.request("INVITE");
    bench.receive(&answer(&refresh, 481, "", "", ""));
    assert_eq!(bench.events(), [ended(dialog)]);
}

#[test]
fn our_call_is_refreshed_at_half_its_interval() {
    // By UPDATE where it is allowed.
    let (mut bench, dialog, _) = called(&format!("{UPDATE}Require: timer\r\nSession-Expires: 600;refresher=uac\r\n"));
    for cseq in 2..5 {
        bench.pass_ms(299_900);
        assert_eq!(bench.took(), "");
        bench.pass_ms(100);
        let update = bench.request("UPDATE");
        assert_eq!((update.head.cseq.number, update.body.len()), (cseq, 0));
        assert_eq!(update.head.get("Session-Expires"), Some("600;refresher=uac"));
        bench.receive(&answer(&update, 200, "", "Session-Expires: 600;refresher=uac\r\n", ""));
    }
    // The last answer took the timer to the other side.
    bench.pass_ms(300_000);
    let update = bench.request("UPDATE");
    bench.receive(&answer(&update, 200, "", "Session-Expires: 600;refresher=uas\r\n", ""));
    bench.pass_ms(567_900);
    assert_eq!((bench.took().as_str(), bench.events().len()), ("", 0));
    bench.pass_ms(100);
    assert_eq!((bench.took().as_str(), bench.event()), ("BYE", ended(dialog)));

    // By re-INVITE with the same description where it is not.
    let (mut bench, dialog, first) = called("Session-Expires: 600;refresher=uac\r\n");
    bench.pass_ms(300_000);
    let again = bench.request("INVITE");
    assert_eq!((again.head.cseq.number, &again.body), (2, &first.body));
    assert_eq!(again.head.get("Contact"), first.head.get("Contact"));
    // Theirs has to wait meanwhile.
    let glare = within("INVITE", 1, again.head.from.tag().unwrap(), "glare", SDP, OFFER)
        .replace("Call-ID: call1", &format!("Call-ID: {}", again.head.call_id))
        .replace("tag=ann1", "tag=bob");
    bench.receive(&glare);
    assert_eq!(bench.took(), "491/INVITE");
    let ok = answer(&again, 200, "", "Session-Expires: 600;refresher=uac\r\n", OFFER);
    bench.receive(&ok);
    let ack = bench.request("ACK");
    assert_eq!(ack.head.cseq.number, 2);
    assert!(matches!(bench.event(), AgentEvent::Accepted { dialog: same, .. } if same == dialog));
    bench.receive(&ok);
    assert_eq!((bench.request("ACK"), bench.events().len()), (ack, 0), "repeated, and not told twice");
    bench.pass_ms(300_000);
    assert_eq!(bench.request("INVITE").head.cseq.number, 3);
}

/// What becomes of a refresh that is refused or not answered.
#[test]
fn a_refresh_that_fails() {
    let table = [
        (Some(481), 0, "BYE"),
        (Some(408), 0, "BYE"),
        (None, 32_000, "BYE"),
        (Some(422), 1_000, "UPDATE"),
        (Some(491), 4_000, "UPDATE"),
        (Some(405), 1_000, "INVITE"),
        (Some(500), 134_000, "UPDATE"),
    ];
    for (status, wait_ms, expected) in table {
        let (mut bench, _, _) = called(&format!("{UPDATE}Session-Expires: 600;refresher=uac\r\n"));
        bench.pass_ms(300_000);
        let update = bench.request("UPDATE");
        if let Some(status) = status {
            bench.receive(&answer(&update, status, "", "Min-SE: 700\r\n", ""));
            bench.pass_ms(wait_ms);
        } else {
            bench.pass_ms(31_900);
            bench.took();
            bench.pass_ms(100);
        }
        let sent = bench.messages().into_iter().find_map(|message| match message {
            Message::Request(request) => Some(request),
            _ => None,
        });
        let sent = sent.unwrap();
        assert_eq!(sent.method.name(), expected, "{status:?}");
        if status == Some(422) {
            assert_eq!(sent.head.get("Session-Expires"), Some("700;refresher=uac"));
        }
    }
    // Refused for ever: the call ends with its interval.
    let (mut bench, dialog, _) = called(&format!("{UPDATE}Session-Expires: 600;refresher=uac\r\n"));
    let mut last = String::new();
    while bench.at_ms() < 568_000 {
        bench.pass_ms(1_000);
        for message in bench.messages() {
            let Message::Request(request) = message else { panic!() };
            last = request.method.to_string();
            bench.receive(&answer(&request, 500, "", "", ""));
        }
    }
    assert_eq!((last.as_str(), bench.events().as_slice()), ("BYE", &[ended(dialog)][..]));
}

/// Section 7.4: a longer interval is asked for where it is demanded, twice at most.
#[test]
fn a_longer_interval_is_asked_for_where_it_is_demanded() {
    let mut bench = Bench::new();
    let dialog = bench.dial();
    let mut invite = bench.request("INVITE");
    for (cseq, least) in [(2, "2000"), (3, "3000")] {
        bench.receive(&answer(&invite, 422, "bob", &format!("Min-SE: {least}\r\n"), ""));
        let messages = bench.messages();
        let [_, Message::Request(again)] = messages.as_slice() else { panic!("{messages:?}") };
        assert_eq!((again.head.get("Session-Expires"), again.head.get("Min-SE")), (Some(least), Some(least)));
        assert_eq!((again.head.cseq.number, &again.head.call_id), (cseq, &invite.head.call_id));
        invite = again.clone();
    }
    bench.receive(&answer(&invite, 422, "bob", "Min-SE: 4000\r\n", ""));
    assert_eq!(bench.took(), "ACK");
    assert_eq!(bench.event(), AgentEvent::Ended { dialog, cause: AgentEnd::Refused(422) });
}
