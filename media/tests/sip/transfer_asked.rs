//! Transfers that the far end asks for (RFC 3515, RFC 4488).

use crate::bench::{Bench, PEER};
use crate::script::Placed;
use crate::transfer::run;

/// VOICE-22: a transfer that the far end asks for is told on, and how it goes is told back.
#[test]
fn the_far_end_asks_for_a_transfer() {
    use Placed::{ByThem, ByUs};
    const REFER: &str = "far REFER Refer-To: <sip:100@192.0.2.10>";
    let silent = format!("{REFER}|Refer-Sub: false");
    let required = format!("{REFER}|Require: norefersub|Refer-Sub: false");
    let table: &[(&str, &[Placed], &[&str])] = &[
        (
            "answered",
            &[ByUs, ByThem],
            &[
                REFER,
                "sent 202/REFER NOTIFY",
                "told refer:sip:100@192.0.2.10",
                "asked body: SIP/2.0 100 Trying",
                "asked Subscription-State: active;expires=212",
                "asked Event: refer",
                "asked Content-Type: message/sipfrag;version=2.0",
                "200",
                "wait 2000",
                "progress 180",
                "sent NOTIFY",
                "asked body: SIP/2.0 180 Ringing",
                "asked Subscription-State: active;expires=210",
                "200",
                "progress 200",
                "sent NOTIFY",
                "asked body: SIP/2.0 200 OK",
                "asked Subscription-State: terminated;reason=noresource",
                "200",
                "progress 200",
                "far BYE",
                "sent 200/BYE",
                "told bye",
            ],
        ),
        (
            "refused",
            &[ByThem],
            &[
                REFER,
                "sent 202/REFER NOTIFY",
                "told refer:sip:100@192.0.2.10",
                "200",
                "progress 603",
                "sent NOTIFY",
                "asked body: SIP/2.0 603 Decline",
                "200",
                "wait 400000",
            ],
        ),
        (
            "nobody says",
            &[ByThem],
            &[
                REFER,
                "sent 202/REFER NOTIFY",
                "told refer:sip:100@192.0.2.10",
                "200",
                "wait 211900",
                "sent ",
                "wait 100",
                "sent NOTIFY",
                "asked body: SIP/2.0 408 Request Timeout",
            ],
        ),
        (
            "nobody says, and their ACK is late besides",
            &[ByThem],
            &[
                REFER,
                "sent 202/REFER NOTIFY",
                "told refer:sip:100@192.0.2.10",
                "200",
                "wait 211000",
                "far INVITE",
                "sent 200/INVITE",
                "told offer",
                "wait 1100",
                "sent 200/INVITE NOTIFY",
                "ack",
                "told confirmed",
            ],
        ),
        (
            "nonsense is said",
            &[ByThem],
            &[
                REFER,
                "sent 202/REFER NOTIFY",
                "told refer:sip:100@192.0.2.10",
                "200",
                "progress 0",
                "sent NOTIFY",
                "asked body: SIP/2.0 500 Server Internal Error",
            ],
        ),
        (
            "a second one meanwhile",
            &[ByThem],
            &[REFER, "sent 202/REFER NOTIFY", "told refer:sip:100@192.0.2.10", "200", REFER, "sent 491/REFER"],
        ),
        (
            "a second one afterwards",
            &[ByThem],
            &[
                REFER,
                "sent 202/REFER NOTIFY",
                "told refer:sip:100@192.0.2.10",
                "200",
                "progress 486",
                "sent NOTIFY",
                "200",
                REFER,
                "sent 202/REFER NOTIFY",
                "told refer:sip:100@192.0.2.10",
                "asked Event: refer;id=3",
            ],
        ),
        (
            "it does not want to know",
            &[ByThem],
            &[
                &silent,
                "sent 202/REFER",
                "answered Refer-Sub: false",
                "told refer:sip:100@192.0.2.10",
                "progress 180",
                "progress 200",
                "sent ",
            ],
        ),
        ("it requires not to be told", &[ByThem], &[&required, "sent 202/REFER", "told refer:sip:100@192.0.2.10"]),
        (
            "it does not hear the word",
            &[ByThem],
            &[
                REFER,
                "sent 202/REFER NOTIFY",
                "told refer:sip:100@192.0.2.10",
                "481",
                "progress 200",
                "sent NOTIFY",
                "481",
            ],
        ),
        (
            "it hangs up at once",
            &[ByUs, ByThem],
            &[
                REFER,
                "sent 202/REFER NOTIFY",
                "told refer:sip:100@192.0.2.10",
                "200",
                "far BYE",
                "sent 200/BYE",
                "told bye",
                "progress 200",
                "wait 300000",
            ],
        ),
        (
            "we hang up",
            &[ByThem],
            &[
                REFER,
                "sent 202/REFER NOTIFY",
                "told refer:sip:100@192.0.2.10",
                "200",
                "hangup",
                "sent NOTIFY BYE",
                "told hungup",
            ],
        ),
        ("nobody is named", &[ByThem], &["far REFER", "sent 400/REFER"]),
        ("two are named", &[ByThem], &["far REFER Refer-To: <sip:a@b>|Refer-To: <sip:c@d>", "sent 400/REFER"]),
        ("a web page", &[ByThem], &["far REFER Refer-To: <https://example.org>", "sent 416/REFER"]),
        ("another method", &[ByThem], &["far REFER Refer-To: <sip:a@b;method=MESSAGE>", "sent 403/REFER"]),
        (
            "another's call",
            &[ByThem],
            &[
                "far REFER Refer-To: <sip:a@b?Replaces=c%3Bto-tag%3D1%3Bfrom-tag%3D2>",
                "sent 202/REFER NOTIFY",
                "told refer:sip:a@b?c;to-tag=1;from-tag=2",
            ],
        ),
    ];
    for (name, callers, steps) in table {
        for placed in *callers {
            run(name, *placed, steps);
        }
    }
}

/// Nobody who is let in to call us can make us call others.
#[test]
fn refer_outside_of_a_call_is_forbidden() {
    let mut bench = Bench::new();
    for (method, status) in [("REFER", 403), ("NOTIFY", 481)] {
        bench.receive(&format!(
            "{method} sip:clinic@192.0.2.10 SIP/2.0\r\nVia: SIP/2.0/UDP {PEER};branch=z9hG4bK{method};rport\r\n\
             From: <sip:ann@example.org>;tag=1\r\nTo: <sip:clinic@192.0.2.10>\r\nCall-ID: x\r\nCSeq: 1 {method}\r\n\
             Contact: <sip:ann@{PEER}>\r\nRefer-To: <sip:+19005551234@example.org>\r\nEvent: refer\r\nMax-Forwards: 70\r\n\
             Content-Length: 0\r\n\r\n"
        ));
        assert_eq!(
            (bench.response().status, bench.events().len(), bench.agent.load()),
            (status, 0, (0, 0)),
            "{method}"
        );
    }
}
