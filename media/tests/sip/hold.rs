//! Changes of the session that we offer: hold and resume (VOICE-10).

use auricle_media::sip::agent::AgentCommand;

use crate::script::{Placed, SESSION, Script};

fn word(script: &mut Script, step: &str) {
    script.holds = match step {
        "hold" => true,
        "resume" => false,
        other => panic!("{other}?"),
    };
    script.bench.command(AgentCommand::Change { dialog: script.dialog });
}

/// RFC 3261 section 14.1: every way in which a hold can go, by who placed the call.
#[test]
fn a_hold_goes_every_way_that_it_can() {
    use Placed::{ByThem, ByUs};
    let table: &[(&str, &[Placed], &str, &[&str])] = &[
        (
            "on and off",
            &[ByUs, ByThem],
            "",
            &[
                "hold",
                "sent INVITE",
                "100",
                "told ",
                "ok",
                "sent ACK",
                "told accepted",
                "ok",
                "sent ACK",
                "resume",
                "sent INVITE",
                "ok",
                "sent ACK",
                "told accepted",
                "wait 890000",
                "told ",
            ],
        ),
        (
            "refused",
            &[ByUs, ByThem],
            "",
            &[
                "hold",
                "sent INVITE",
                "488",
                "sent ACK",
                "told unchanged",
                "488",
                "sent ACK",
                "wait 100000",
                "hold",
                "sent INVITE",
            ],
        ),
        ("not understood", &[ByUs], "", &["hold", "sent INVITE", "501", "sent ACK", "told unchanged"]),
        ("the call is not known", &[ByUs, ByThem], "", &["hold", "sent INVITE", "481", "sent ACK BYE", "told timeout"]),
        ("a proxy waited in vain", &[ByUs], "", &["hold", "sent INVITE", "408", "sent ACK BYE", "told timeout"]),
        (
            "nobody answers",
            &[ByThem],
            "",
            &[
                "hold",
                "wait 31900",
                "sent INVITE INVITE INVITE INVITE INVITE INVITE INVITE",
                "wait 100",
                "sent BYE",
                "told timeout",
            ],
        ),
        (
            "glare, in a call of ours",
            &[ByUs],
            "",
            &[
                "hold",
                "sent INVITE",
                "far INVITE",
                "sent 491/INVITE",
                "491",
                "sent ACK",
                "told again",
                "wait 2090",
                "sent ",
                "far INVITE",
                "sent 200/INVITE",
                "told offer",
                "ack",
                "told confirmed",
                "wait 1910",
                "sent INVITE",
                "ok",
                "sent ACK",
                "told accepted",
            ],
        ),
        (
            "glare, in a call of theirs",
            &[ByThem],
            "",
            &[
                "hold",
                "sent INVITE",
                "far UPDATE",
                "sent 491/UPDATE",
                "491",
                "sent ACK",
                "told again",
                "wait 2010",
                "sent INVITE",
                "ok",
                "sent ACK",
                "told accepted",
            ],
        ),
        (
            "glare without end",
            &[ByThem],
            "",
            &[
                "hold",
                "sent INVITE",
                "491",
                "sent ACK",
                "told again",
                "wait 2010",
                "sent INVITE",
                "491",
                "sent ACK",
                "told again",
                "wait 2010",
                "sent INVITE",
                "491",
                "sent ACK",
                "told again",
                "wait 2010",
                "sent INVITE",
                "491",
                "sent ACK",
                "told again",
                "wait 2010",
                "sent INVITE",
                "491",
                "sent ACK",
                "told unchanged",
                "wait 10000",
            ],
        ),
        (
            "their re-INVITE is not answered yet there",
            &[ByUs],
            "",
            &[
                "hold",
                "sent INVITE",
                "500 Retry-After: 3",
                "sent ACK",
                "told again",
                "wait 2900",
                "sent ",
                "wait 100",
                "sent INVITE",
            ],
        ),
        ("too long a wait", &[ByUs], "", &["hold", "sent INVITE", "500 Retry-After: 11", "sent ACK", "told unchanged"]),
        (
            "theirs came first",
            &[ByThem],
            "",
            &[
                "far INVITE",
                "sent 200/INVITE",
                "told offer",
                "hold",
                "sent ",
                "ack",
                "sent INVITE",
                "told confirmed",
                "ok",
                "sent ACK",
                "told accepted",
            ],
        ),
        (
            "their ACK never comes",
            &[ByThem],
            "",
            &[
                "far INVITE",
                "hold",
                "wait 32000",
                "sent 200/INVITE 200/INVITE 200/INVITE 200/INVITE 200/INVITE 200/INVITE 200/INVITE 200/INVITE 200/INVITE 200/INVITE 200/INVITE BYE",
                "told offer timeout",
            ],
        ),
        (
            "other requests meanwhile",
            &[ByUs, ByThem],
            "",
            &[
                "hold",
                "sent INVITE",
                "far UPDATE bare",
                "sent 200/UPDATE",
                "far OPTIONS",
                "sent 200/OPTIONS",
                "far INFO",
                "sent 200/INFO",
                "far INVITE bare",
                "sent 491/INVITE",
                "ok",
                "sent ACK",
                "told accepted",
            ],
        ),
        (
            "they hang up meanwhile",
            &[ByUs, ByThem],
            "",
            &["hold", "sent INVITE", "far BYE", "sent 200/BYE", "told bye", "487", "sent ACK", "wait 40000"],
        ),
        (
            "their BYE crosses, and they accept",
            &[ByUs, ByThem],
            "",
            &["hold", "sent INVITE", "far BYE", "sent 200/BYE", "told bye", "ok", "sent ACK", "ok", "sent ACK"],
        ),
        ("we hang up meanwhile", &[ByUs, ByThem], "", &["hold", "sent INVITE", "hangup", "sent BYE", "told hungup"]),
        (
            "accepted without an answer",
            &[ByUs],
            "",
            &["hold", "sent INVITE", "ok bare", "sent ACK BYE", "told Protocol"],
        ),
        (
            "worked on for ever",
            &[ByUs],
            "",
            &["hold", "100", "sent INVITE", "wait 20000", "100", "wait 11900", "sent ", "wait 100", "sent CANCEL"],
        ),
        (
            "a refresh is under way",
            &[ByUs],
            SESSION,
            &[
                "wait 300000",
                "sent INVITE",
                "hold",
                "sent ",
                "ok Session-Expires: 600;refresher=uac",
                "sent ACK INVITE",
                "told accepted",
                "ok",
                "sent ACK",
                "told accepted",
            ],
        ),
        (
            "a refresh falls due meanwhile",
            &[ByUs],
            SESSION,
            &[
                "wait 299000",
                "hold",
                "sent INVITE",
                "100",
                "wait 5000",
                "sent ",
                "ok Session-Expires: 600;refresher=uac",
                "sent ACK",
                "told accepted",
                "wait 299900",
                "sent ",
                "wait 100",
                "sent INVITE",
            ],
        ),
        (
            "too short an interval",
            &[ByUs],
            SESSION,
            &[
                "hold",
                "sent INVITE",
                "422 Min-SE: 700",
                "sent ACK",
                "told again",
                "wait 1000",
                "sent INVITE",
                "ok Session-Expires: 700",
                "sent ACK",
                "told accepted",
            ],
        ),
    ];
    for (name, callers, headers, steps) in table {
        for placed in *callers {
            Script::new(*placed, headers).run(&format!("{name} ({placed:?})"), steps, word);
        }
    }
}

/// RFC 3264 section 8: who sends in our offers and answers, and when the version rises.
#[test]
fn what_we_offer_says_who_sends_and_rises_only_with_changes() {
    const HOLD: &str = "Content-Type: application/sdp||v=0\\no=- 1 2 IN IP4 198.51.100.7\\ns=-\\nc=IN IP4 198.51.100.7\\nt=0 0\\nm=audio 40000 RTP/AVP 0\\na=sendonly\\n";
    let hold = format!("far INVITE {HOLD}");
    let resume = "far INVITE";
    type Row<'a> = (&'a str, &'a [&'a str], &'a [(&'a str, u64)]);
    let table: &[Row<'_>] = &[
        ("hold and resume", &["hold", "ok", "resume", "ok"], &[("sendonly", 2), ("sendrecv", 3)]),
        ("refused, then theirs", &["hold", "488", resume, "ack"], &[("sendonly", 2), ("sendrecv", 1)]),
        ("refused twice", &["hold", "488", "hold", "488"], &[("sendonly", 2), ("sendonly", 3)]),
        ("they hold us too", &[&hold, "ack", "hold", "ok"], &[("recvonly", 2), ("inactive", 3)]),
        (
            "held by both, we resume",
            &[&hold, "ack", "hold", "ok", "resume", "ok"],
            &[("recvonly", 2), ("inactive", 3), ("sendrecv", 4)],
        ),
        ("they hold us while we hold", &["hold", "ok", &hold, "ack"], &[("sendonly", 2), ("inactive", 3)]),
        ("they resume while we hold", &["hold", "ok", resume, "ack"], &[("sendonly", 2), ("sendonly", 2)]),
        (
            "they ask for an offer while we hold",
            &["hold", "ok", "far INVITE bare"],
            &[("sendonly", 2), ("sendonly", 2)],
        ),
    ];
    for (name, steps, expected) in table {
        let mut script = Script::new(Placed::ByThem, "");
        for step in *steps {
            script.quietly(name, step, word);
        }
        let said: Vec<(&str, u64)> =
            script.described.iter().map(|sdp| (sdp.direction_of(&sdp.media[0]).name(), sdp.origin.version)).collect();
        assert_eq!(said, *expected, "{name}");
        assert!(script.described.iter().all(|sdp| sdp.media.len() == 1 && sdp.origin.id == 7), "{name}");
    }
}
