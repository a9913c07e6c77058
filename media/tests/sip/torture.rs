//! RFC 4475: what the user agent makes of each torture message.

use auricle_media::sip::agent::AgentEvent;
use auricle_media::sip::message::Message;
use auricle_media::sip::parse;

use crate::bench::{Bench, invite};

/// What has to come of a message.
#[derive(Clone, Copy, PartialEq, Debug)]
enum Reaction {
    /// It is a call.
    Call,
    /// It gets this reply.
    Reply(u16),
    /// It gets no reply, and is counted.
    Dropped,
}
use Reaction::{Call, Dropped, Reply};

macro_rules! messages {
    ($($name:literal => $reaction:expr,)*) => {
        [$(($name, include_str!(concat!("../rfc4475/", $name, ".sip")), $reaction),)*]
    };
}

const MESSAGES: [(&str, &str, Reaction); 49] = messages! {
    // 3.1.1 Valid. Those of methods that we do not speak get 405; the first belongs to a dialog that is not there.
    "wsinv" => Reply(481), "intmeth" => Reply(405), "esc01" => Call, "escnull" => Reply(405), "esc02" => Reply(405),
    "lwsdisp" => Reply(200), "longreq" => Call, "dblreq" => Reply(405), "semiuri" => Reply(200),
    "transports" => Reply(200), "mpart01" => Reply(405), "unreason" => Dropped, "noreason" => Dropped,
    // 3.1.2 Invalid.
    "badinv01" => Reply(400), "clerr" => Reply(400), "ncl" => Reply(400), "scalar02" => Reply(400),
    "scalarlg" => Dropped, "quotbal" => Reply(400), "ltgtruri" => Reply(400), "lwsruri" => Reply(400),
    "lwsstart" => Reply(400), "trws" => Reply(400), "escruri" => Reply(400),
    // A date in another zone is wrong, but a call does not need its date.
    "baddate" => Call,
    "regbadct" => Reply(405), "badaspec" => Reply(400), "baddn" => Reply(400), "badvers" => Reply(505),
    "mismatch01" => Reply(400), "mismatch02" => Reply(400), "bigcode" => Dropped,
    // 3.2 Transaction layer: a branch of nothing but the cookie is no branch.
    "badbranch" => Reply(200),
    // 3.3 Application layer.
    "insuf" => Reply(400), "unkscm" => Reply(416), "novelsc" => Reply(416), "unksm2" => Reply(405),
    "bext01" => Reply(420), "invut" => Reply(415), "regaut01" => Reply(405), "multi01" => Reply(400),
    "mcl01" => Reply(400), "bcast" => Dropped,
    // No hops left is the forwarder's business; who is meant answers (section 3.3.11).
    "zeromf" => Reply(200),
    "cparam01" => Reply(405), "cparam02" => Reply(405), "regescrt" => Reply(405), "sdp01" => Reply(406),
    // 3.4 Backward compatibility.
    "inv2543" => Call,
};

fn wire(text: &str) -> Vec<u8> {
    text.replace('\n', "\r\n").into_bytes()
}

#[test]
fn each_message_gets_its_reaction_and_the_next_call_succeeds() {
    for (name, text, expected) in MESSAGES {
        let mut bench = Bench::new();
        bench.bytes_from("203.0.113.5:5060", &wire(text));
        let calls = bench.events().len();
        // A refusal repeats what could not be read, so only its first line is sure to be readable.
        let sent = bench.sent.pop().map(|(_, bytes)| String::from_utf8(bytes).unwrap());
        let reaction = match sent {
            _ if calls == 1 => Call,
            Some(reply) => Reply(reply[8..11].parse().unwrap()),
            None => {
                assert_eq!(bench.agent.dropped(), 1, "{name}");
                Dropped
            }
        };
        assert_eq!(reaction, expected, "{name}");
        bench.receive(&invite("next"));
        assert!(matches!(bench.event(), AgentEvent::Incoming { .. }), "{name}");
    }
}

#[test]
fn what_can_be_read_is_written_back_the_same() {
    let mut read = 0;
    for (name, text, _) in MESSAGES {
        let Ok(message) = parse::message(&wire(text)) else {
            continue;
        };
        let bytes = match &message {
            Message::Request(request) => request.encode(),
            Message::Response(response) => response.encode(),
        };
        assert_eq!(parse::message(&bytes), Ok(message), "{name}");
        read += 1;
    }
    assert_eq!(read, 29);
}

#[test]
fn the_valid_ones_say_what_they_mean() {
    let of = |name: &str| {
        let (_, text, _) = MESSAGES.into_iter().find(|(found, ..)| *found == name).unwrap();
        match parse::message(&wire(text)) {
            Ok(Message::Request(request)) => request,
            other => panic!("{name}: {other:?}"),
        }
    };
    let wsinv = of("wsinv");
    assert_eq!(wsinv.head.from.name(), "J Rosenberg \\\"");
    assert_eq!((wsinv.head.from.tag(), wsinv.head.to.tag()), (Some("98asjd8"), Some("1918181833n")));
    assert_eq!((wsinv.head.cseq.number, wsinv.head.via.len(), wsinv.body.len()), (9, 3, 150));
    assert_eq!(wsinv.head.via[2].branch(), Some("z9hG4bK30239"));
    assert_eq!(wsinv.head.get("NewFangledHeader"), Some("newfangled value continued newfangled value"));
    let contact = wsinv.head.addresses("Contact").unwrap().remove(0);
    assert_eq!((contact.name().as_str(), contact.params.get("newparam")), ("Quoted string \"\"", Some("newvalue")));
    assert_eq!(of("esc01").uri.user(), "sips:user@example.com");
    assert_eq!(of("esc01").head.to.uri.user(), "user");
    assert_eq!(of("semiuri").uri.user(), "user;par=u@example.net");
    assert_eq!(of("longreq").head.via.len(), 34);
    assert_eq!(of("dblreq").body.len(), 0);
    assert_eq!(of("lwsdisp").head.from.name(), "caller");
    assert_eq!(of("transports").head.via[3].transport, "UNKNOWN");
}
