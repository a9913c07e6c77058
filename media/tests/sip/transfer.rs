//! Transfers that we ask for (RFC 3515, RFC 4488).

use auricle_media::sip::agent::{AgentCommand, DialogId, ReferGoal};

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

/// Runs a script with the words of transfers.
pub fn run(name: &str, placed: Placed, steps: &[&str]) {
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
