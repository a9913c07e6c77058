//! Transfers (RFC 3515, RFC 3891, RFC 4488), in both directions.

use auricle_media::sip::agent::{AgentCommand, AgentEvent, DialogId, ReferGoal};

use crate::bench::{Bench, OFFER, PEER, answer, cancel, invite_with, our_sdp};
use crate::script::{Placed, Script};

const ACTIVE: &str =
    "far NOTIFY Event: refer|Subscription-State: active;expires=60|Content-Type: message/sipfrag;version=2.0||";
const LAST: &str =
    "far NOTIFY Event: refer|Subscription-State: terminated;reason=noresource|Content-Type: message/sipfrag||";

fn word(script: &mut Script, step: &str) {
    let dialog = script.dialog;
    let (word, rest) = step.split_once(' ').unwrap_or((step, ""));
    script.bench.command(match word {
        "refer" => AgentCommand::Refer { dialog, to: ReferGoal::Address(rest.into()) },
        "refer-to-call" => AgentCommand::Refer { dialog, to: ReferGoal::Call(DialogId(rest.parse().unwrap())) },
        "progress" => AgentCommand::ReferProgress { dialog, status: rest.parse().unwrap() },
        other => panic!("{other}?"),
    });
}

fn run(name: &str, placed: Placed, steps: &[&str]) {
    Script::new(placed, "").run(&format!("{name} ({placed:?})"), steps, word);
}

/// VOICE-22: a transfer that we ask for, and every way in which it can go.
#[test]
fn the_far_end_is_asked_to_call_somebody_else() {
    use Placed::{ByThem, ByUs};
    let active = |status: &str| format!("{ACTIVE}SIP/2.0 {status}\\n");
    let last = |status: &str| format!("{LAST}SIP/2.0 {status}\\n");
    let table: &[(&str, &[Placed], &[&str])] = &[
        (
            "it is answered there",
            &[ByUs, ByThem],
            &[
                "refer sip:bob@example.org",
                "sent REFER",
                "asked Refer-To: <sip:bob@example.org>",
                "202",
                &active("100 Trying"),
                "sent 200/NOTIFY",
                &active("180 Ringing"),
                "sent 200/NOTIFY",
                "told ",
                &last("200 OK"),
                "sent 200/NOTIFY",
                "told transferred:200",
                "far BYE",
                "sent 200/BYE",
                "told bye",
                "wait 300000",
            ],
        ),
        (
            "busy there",
            &[ByUs],
            &[
                "refer 100",
                "sent REFER",
                "202",
                &last("486 Busy Here"),
                "sent 200/NOTIFY",
                "told transferred:486",
                "wait 300000",
            ],
        ),
        (
            "declined there",
            &[ByThem],
            &["refer 100", "sent REFER", "200", &last("603 Decline"), "sent 200/NOTIFY", "told transferred:603"],
        ),
        (
            "a server's fault there",
            &[ByUs],
            &["refer 100", "sent REFER", "202", &last("503"), "sent 200/NOTIFY", "told transferred:503"],
        ),
        (
            "a final status, and then the last word",
            &[ByUs],
            &[
                "refer 100",
                "sent REFER",
                "202",
                &active("404 Not Found"),
                "sent 200/NOTIFY",
                "told transferred:404",
                &last("404 Not Found"),
                "sent 200/NOTIFY",
            ],
        ),
        (
            "the word overtakes 202",
            &[ByUs],
            &["refer 100", "sent REFER", &last("200 OK"), "sent 200/NOTIFY", "told transferred:200", "202"],
        ),
        (
            "the last word says nothing",
            &[ByUs],
            &["refer 100", "sent REFER", "202", &last("100 Trying"), "sent 200/NOTIFY", "told transferred:408"],
        ),
        (
            "not wanted there",
            &[ByUs],
            &[
                "refer 100",
                "sent REFER",
                "202",
                "far NOTIFY Event: refer|Subscription-State: terminated;reason=rejected",
                "sent 200/NOTIFY",
                "told transferred:403",
            ],
        ),
        (
            "nothing is told for too long",
            &[ByUs],
            &[
                "refer 100",
                "sent REFER",
                "202",
                "wait 211900",
                "told ",
                "wait 100",
                "told transferred:408",
                &last("200 OK"),
                "sent 200/NOTIFY",
            ],
        ),
        (
            "it will not tell",
            &[ByUs],
            &[
                "refer 100",
                "sent REFER",
                "202 Refer-Sub: false",
                "told transferred:202",
                "far BYE",
                "sent 200/BYE",
                "told bye",
            ],
        ),
        (
            "it does not know how",
            &[ByUs, ByThem],
            &["refer 100", "sent REFER", "405", "told transferred:405", "wait 100000"],
        ),
        ("it may not", &[ByUs], &["refer 100", "sent REFER", "603", "told transferred:603"]),
        (
            "the call is not known",
            &[ByUs],
            &["refer 100", "sent REFER", "481", "sent BYE", "told transferred:481 timeout"],
        ),
        (
            "it does not answer",
            &[ByThem],
            &[
                "refer 100",
                "wait 31900",
                "sent REFER REFER REFER REFER REFER REFER REFER REFER REFER REFER REFER",
                "told ",
                "wait 100",
                "told transferred:408",
                "wait 100000",
            ],
        ),
        (
            "one at a time",
            &[ByUs],
            &[
                "refer 100",
                "sent REFER",
                "refer 101",
                "told transferred:491",
                "202",
                &last("486 x"),
                "sent 200/NOTIFY",
                "told transferred:486",
                "refer 101",
                "sent REFER",
                "asked Refer-To: <sip:101@198.51.100.7:5070>",
            ],
        ),
        ("to itself", &[ByUs], &["refer-to-call 1", "told transferred:481"]),
        ("to nobody", &[ByUs], &["refer-to-call 9", "told transferred:481"]),
        ("to no address", &[ByUs], &["refer a b", "told transferred:484"]),
        ("to an address with headers", &[ByUs], &["refer sip:a@b?Replaces=x", "told transferred:484"]),
        ("to another line", &[ByUs], &["refer 1\r\nX: y", "told transferred:484"]),
        (
            "to a telephone number",
            &[ByUs],
            &["refer tel:+420123456789", "sent REFER", "asked Refer-To: <tel:+420123456789>"],
        ),
        (
            "who asks",
            &[ByUs],
            &[
                "refer *21#",
                "sent REFER",
                "asked Referred-By: <sip:clinic@192.0.2.10:5060>",
                "asked Refer-To: <sip:*21%23@198.51.100.7:5070>",
                "asked Contact: <sip:clinic@192.0.2.10:5060>",
            ],
        ),
        (
            "it hangs up before it has answered",
            &[ByThem],
            &["refer 100", "sent REFER", "far BYE", "sent 200/BYE", "told transferred:487 bye", "202", "wait 40000"],
        ),
        (
            "it hangs up and tells afterwards",
            &[ByUs, ByThem],
            &[
                "refer 100",
                "sent REFER",
                "202",
                "far BYE",
                "sent 200/BYE",
                "told transferred:202 bye",
                &active("180 x"),
                "sent 200/NOTIFY",
                &last("200 OK"),
                "sent 200/NOTIFY",
                &last("200 OK"),
                "sent 481/NOTIFY",
            ],
        ),
        (
            "it tells long afterwards",
            &[ByThem],
            &[
                "refer 100",
                "sent REFER",
                "202",
                "far BYE",
                "sent 200/BYE",
                "told transferred:202 bye",
                "wait 32000",
                &last("200 OK"),
                "sent 481/NOTIFY",
            ],
        ),
        (
            "we hang up and it tells afterwards",
            &[ByThem],
            &[
                "refer 100",
                "sent REFER",
                "202",
                "hangup",
                "sent BYE",
                "told transferred:202 hungup",
                &last("200 OK"),
                "sent 200/NOTIFY",
            ],
        ),
        (
            "both hang up",
            &[ByUs, ByThem],
            &[
                "refer 100",
                "sent REFER",
                "202",
                "hangup",
                "sent BYE",
                "ok",
                "told transferred:202 hungup",
                "far BYE",
                "sent 200/BYE",
                "wait 33000",
            ],
        ),
        (
            "told of another transfer",
            &[ByUs],
            &[
                "refer 100",
                "sent REFER",
                "202",
                "far NOTIFY Event: refer;id=77|Subscription-State: terminated",
                "sent 481/NOTIFY",
                "far NOTIFY Event: refer;id=2|Subscription-State: terminated||SIP/2.0 200 OK\\n",
                "sent 200/NOTIFY",
                "told transferred:200",
            ],
        ),
        (
            "told of something else",
            &[ByUs],
            &[
                "refer 100",
                "sent REFER",
                "202",
                "far NOTIFY Event: presence|Subscription-State: active",
                "sent 489/NOTIFY",
                "answered Allow-Events: refer",
            ],
        ),
    ];
    for (name, callers, steps) in table {
        for placed in *callers {
            // Where the call was placed to somebody, that is whose domain a number belongs to.
            run(name, *placed, steps);
        }
    }
}

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

/// An attended transfer names the other call as the far end of that one knows it, and the one who is asked finds it.
#[test]
fn an_attended_transfer_names_the_other_call() {
    let mut bench = Bench::new();
    let (first, tag) = bench.call_in();
    let second = bench.dial();
    let invite = bench.request("INVITE");
    bench.receive(&answer(&invite, 200, "bob", "", OFFER));
    bench.took();
    bench.events();
    bench.command(AgentCommand::Refer { dialog: first, to: ReferGoal::Call(second) });
    let refer = bench.request("REFER");
    let (call_id, ours) = (&invite.head.call_id, invite.head.from.tag().unwrap());
    let named = format!("<sip:bob@{PEER}?Replaces={call_id}%3Bto-tag%3Dbob%3Bfrom-tag%3D{ours}>");
    assert_eq!(refer.head.get("Refer-To"), Some(named.as_str()));
    // The other way round: the far end of the call that it asks us to join names our own tag first.
    bench.receive(&answer(&refer, 603, "", "", ""));
    bench.took();
    bench.events();
    let to = format!("Refer-To: <sip:clinic@192.0.2.10?Replaces={call_id}%3Bto-tag%3D{ours}%3Bfrom-tag%3Dbob>\r\n");
    bench.receive(&crate::bench::within("REFER", 2, &tag, "refer", &to, ""));
    assert_eq!(bench.took(), "202/REFER NOTIFY");
    let AgentEvent::Refer { dialog, call, .. } = bench.event() else { panic!() };
    assert_eq!((dialog, call), (first, Some(second)));
    // A call of ours whose place is taken without being asked about it goes out with what is needed.
    let replaces = Some("c@h;to-tag=1;from-tag=2".to_owned());
    let to = auricle_media::sip::agent::InviteTo::Hop(auricle_media::io::Hop::udp(PEER.parse().unwrap()));
    let invite = auricle_media::sip::agent::Invite {
        uri: "sip:x@y".into(),
        to,
        from_user: "a".into(),
        sdp: our_sdp(),
        identity: None,
        replaces,
        is_emergency: false,
    };
    bench.agent.invite(invite.clone(), bench.now).unwrap();
    bench.drain();
    let sent = bench.request("INVITE");
    assert_eq!(
        (sent.head.get("Replaces"), sent.head.get("Require")),
        (Some("c@h;to-tag=1;from-tag=2"), Some("replaces"))
    );
    for bad in ["", "c", "c;to-tag=1;from-tag=2\r\nX: y"] {
        let invite = auricle_media::sip::agent::Invite { replaces: Some(bad.into()), ..invite.clone() };
        assert_eq!(
            bench.agent.invite(invite, bench.now),
            Err(auricle_media::sip::agent::InviteError::BadReplaces),
            "{bad}"
        );
    }
}

/// RFC 3891 section 3: which calls can be replaced, and what is said of the others.
#[test]
fn an_invite_replaces_a_call_or_says_why_not() {
    type Case = (&'static str, &'static str, Result<bool, u16>);
    let table: [Case; 9] = [
        ("up", "{call};to-tag={ours};from-tag={theirs}", Ok(true)),
        ("up", "{call};from-tag={theirs};to-tag={ours};x=y", Ok(true)),
        ("up", "{call};to-tag={theirs};from-tag={ours}", Err(481)),
        ("up", "{call};to-tag={ours};from-tag={theirs};early-only", Err(486)),
        ("up", "{call};to-tag={ours}", Err(400)),
        ("calling", "{call};to-tag={ours};from-tag={theirs};early-only", Ok(true)),
        ("ringing", "{call};to-tag={ours};from-tag={theirs}", Err(481)),
        ("over", "{call};to-tag={ours};from-tag={theirs}", Err(603)),
        ("none", "x;to-tag=1;from-tag=2", Err(481)),
    ];
    for (state, replaces, expected) in table {
        let mut bench = Bench::new();
        let (call, ours, theirs) = match state {
            "up" | "over" => {
                let (dialog, ours) = bench.call_in();
                if state == "over" {
                    // It is kept for what is still to be heard of its transfer.
                    bench.command(AgentCommand::Refer { dialog, to: ReferGoal::Address("sip:a@b".into()) });
                    let refer = bench.request("REFER");
                    bench.receive(&answer(&refer, 202, "", "", ""));
                    bench.command(AgentCommand::Hangup { dialog });
                }
                ("call1".to_owned(), ours, "ann1")
            }
            "calling" => {
                bench.dial();
                let invite = bench.request("INVITE");
                bench.receive(&answer(&invite, 180, "bob", "", ""));
                (invite.head.call_id.clone(), invite.head.from.tag().unwrap().to_owned(), "bob")
            }
            _ => {
                let dialog = bench.ring_in();
                bench.took();
                bench.command(AgentCommand::Ring { dialog });
                ("call1".to_owned(), bench.last_response().head.to.tag().unwrap().to_owned(), "ann1")
            }
        };
        bench.took();
        bench.events();
        let value = replaces.replace("{call}", &call).replace("{ours}", &ours).replace("{theirs}", theirs);
        bench.receive(&invite_with("2", &format!("Require: replaces\r\nReplaces: {value}\r\n"), OFFER));
        match expected {
            Ok(_) => {
                assert_eq!(bench.took(), "100/INVITE", "{state} {replaces}");
                assert!(matches!(bench.event(), AgentEvent::Incoming { replaces: Some(DialogId(1)), .. }), "{state}");
                bench.receive(&cancel("2"));
                assert_eq!(bench.took(), "200/CANCEL 487/INVITE");
            }
            Err(status) => {
                assert_eq!((bench.response().status, bench.events().len()), (status, 0), "{state} {replaces}");
            }
        }
    }
    let mut bench = Bench::new();
    bench.receive(&invite_with("2", "Replaces: a;to-tag=1;from-tag=2\r\nReplaces: b;to-tag=1;from-tag=2\r\n", OFFER));
    assert_eq!(bench.response().status, 400);
}
