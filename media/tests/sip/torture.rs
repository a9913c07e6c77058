//! RFC 4475: what becomes of each torture message, bit for bit as the RFC's archive has it.

use auricle_media::sip::message::{Message, Request};
use auricle_media::sip::parse;

use crate::reaction::Answer::{Call, Nothing, Reply};
use crate::reaction::Read::{self, Bad, Noise};
use crate::reaction::{Row, rows};

/// From whom the messages come: an address that none of them names.
const REMOTE: &str = "203.0.113.5:5060";

const NOT_OURS: &str = "we speak no such method; nobody registers with a desk that is called by address";
const STRICT: &str = "the RFC lets us be lenient; who writes this has other faults too, so we say what is wrong";
const NO_REQUEST: &str = "well formed, but a response to nothing that we asked";

const MESSAGES: [Row; 49] = rows! { "rfc4475":
    // Valid: all of them are read.
    "3.1.1.1" "wsinv" 1001 Read::Request, Reply(481), "its To tag names a dialog that is not there";
    "3.1.1.2" "intmeth" 641 Read::Request, Reply(501), "";
    "3.1.1.3" "esc01" 543 Read::Request, Call, "";
    "3.1.1.4" "escnull" 359 Read::Request, Reply(405), NOT_OURS;
    "3.1.1.5" "esc02" 439 Read::Request, Reply(501), "";
    "3.1.1.6" "lwsdisp" 255 Read::Request, Reply(200), "";
    "3.1.1.7" "longreq" 3515 Read::Request, Call, "";
    "3.1.1.8" "dblreq" 750 Read::Request, Reply(405), NOT_OURS;
    "3.1.1.9" "semiuri" 380 Read::Request, Reply(200), "";
    "3.1.1.10" "transports" 503 Read::Request, Reply(200), "";
    "3.1.1.11" "mpart01" 1290 Read::Request, Reply(405), NOT_OURS;
    "3.1.1.12" "unreason" 526 Read::Response, Nothing, NO_REQUEST;
    "3.1.1.13" "noreason" 274 Read::Response, Nothing, NO_REQUEST;
    // Invalid: refused in words, or dropped where there is nobody to tell.
    "3.1.2.1" "badinv01" 472 Bad(400), Reply(400), "";
    "3.1.2.2" "clerr" 498 Bad(400), Reply(400), "";
    "3.1.2.3" "ncl" 486 Bad(400), Reply(400), "";
    "3.1.2.4" "scalar02" 476 Bad(400), Reply(400), "";
    "3.1.2.5" "scalarlg" 385 Noise, Nothing, "";
    "3.1.2.6" "quotbal" 485 Bad(400), Reply(400), "";
    "3.1.2.7" "ltgtruri" 452 Bad(400), Reply(400), "";
    "3.1.2.8" "lwsruri" 541 Bad(400), Reply(400), "";
    "3.1.2.9" "lwsstart" 506 Bad(400), Reply(400), STRICT;
    "3.1.2.10" "trws" 327 Bad(400), Reply(400), STRICT;
    "3.1.2.11" "escruri" 550 Bad(400), Reply(400), "";
    "3.1.2.12" "baddate" 532 Read::Request, Call, "a call does not need its date, and the RFC would not have it refused for that";
    "3.1.2.13" "regbadct" 307 Read::Request, Reply(405), "the Contact is wrong, but a method that we do not speak is refused before it is looked at";
    "3.1.2.14" "badaspec" 346 Bad(400), Reply(400), "";
    "3.1.2.15" "baddn" 331 Bad(400), Reply(400), "";
    "3.1.2.16" "badvers" 291 Bad(505), Reply(505), "";
    "3.1.2.17" "mismatch01" 236 Bad(400), Reply(400), "";
    "3.1.2.18" "mismatch02" 449 Bad(400), Reply(400), "501 would do as well; that the lines contradict each other is the graver fault";
    "3.1.2.19" "bigcode" 332 Noise, Nothing, "";
    // Transaction layer.
    "3.2.1" "badbranch" 262 Read::Request, Reply(200), "a branch of nothing but the cookie is no branch: matched by the rules of RFC 2543";
    // Application layer.
    "3.3.1" "insuf" 304 Bad(400), Reply(400), "";
    "3.3.2" "unkscm" 291 Read::Request, Reply(416), "";
    "3.3.3" "novelsc" 277 Read::Request, Reply(416), "";
    "3.3.4" "unksm2" 282 Read::Request, Reply(405), NOT_OURS;
    "3.3.5" "bext01" 381 Read::Request, Reply(420), "";
    "3.3.6" "invut" 391 Read::Request, Reply(415), "";
    "3.3.7" "regaut01" 304 Read::Request, Reply(405), "";
    "3.3.8" "multi01" 643 Bad(400), Reply(400), "";
    "3.3.9" "mcl01" 382 Bad(400), Reply(400), "";
    "3.3.10" "bcast" 516 Read::Response, Nothing, "";
    "3.3.11" "zeromf" 272 Read::Request, Reply(200), "";
    "3.3.12" "cparam01" 321 Read::Request, Reply(405), NOT_OURS;
    "3.3.13" "cparam02" 311 Read::Request, Reply(405), NOT_OURS;
    "3.3.14" "regescrt" 302 Read::Request, Reply(405), NOT_OURS;
    "3.3.15" "sdp01" 494 Read::Request, Reply(406), "";
    // Backward compatibility.
    "3.4.1" "inv2543" 445 Read::Request, Call, "";
};

fn bytes(name: &str) -> &'static [u8] {
    MESSAGES.iter().find(|row| row.name == name).unwrap().bytes
}

fn request(name: &str) -> Request {
    match parse::message(bytes(name)) {
        Ok(Message::Request(request)) => request,
        other => panic!("{name}: {other:?}"),
    }
}

/// SEC-12, VOICE-09: every message of RFC 4475 has the reaction that the table gives it, and the next call comes through.
#[test]
fn each_message_has_its_reaction() {
    MESSAGES.iter().for_each(|row| row.check(row.bytes, REMOTE, "192.0.2.10:5060"));
}

/// Where we do not do what the RFC would do first, the table says why.
#[test]
fn deviations_have_their_reason() {
    for row in &MESSAGES {
        let deviates = match row.section {
            valid if valid.starts_with("3.1.1.") => !matches!(row.answer, Call | Reply(200 | 501)),
            "3.1.2.9" | "3.1.2.10" | "3.1.2.12" | "3.1.2.13" | "3.1.2.18" | "3.2.1" => true,
            _ => false,
        };
        assert!(!deviates || row.why.len() > 20, "{}", row.name);
    }
}

#[test]
fn what_can_be_read_is_written_back_the_same() {
    let mut count = 0;
    for row in &MESSAGES {
        let Ok(message) = parse::message(row.bytes) else {
            continue;
        };
        let bytes = match &message {
            Message::Request(request) => request.encode(),
            Message::Response(response) => response.encode(),
        };
        assert_eq!(parse::message(&bytes), Ok(message), "{}", row.name);
        count += 1;
    }
    assert_eq!(count, MESSAGES.iter().filter(|row| matches!(row.read, Read::Request | Read::Response)).count());
}

#[test]
fn a_tortuous_invite_says_what_it_means() {
    let folded = bytes("wsinv").split(|byte| *byte == b'\n').filter(|line| line.starts_with(b" ")).count();
    let wsinv = request("wsinv");
    assert_eq!(folded, 13, "lines are folded all over");
    assert_eq!(wsinv.head.from.name(), "J Rosenberg \\\"");
    assert_eq!((wsinv.head.from.tag(), wsinv.head.to.tag()), (Some("98asjd8"), Some("1918181833n")));
    assert_eq!((wsinv.head.cseq.number, wsinv.head.via.len(), wsinv.body.len()), (9, 3, 150));
    assert_eq!(wsinv.head.get("Max-Forwards"), Some("0068"));
    assert_eq!(wsinv.head.get("Subject"), Some(""));
    assert_eq!(wsinv.head.via[2].branch(), Some("z9hG4bK30239"));
    assert_eq!(wsinv.head.get("NewFangledHeader"), Some("newfangled value continued newfangled value"));
    assert_eq!(wsinv.head.get("UnknownHeaderWithUnusualValue"), Some(";;,,;;,;"));
    let contact = wsinv.head.addresses("Contact").unwrap().remove(0);
    assert_eq!((contact.name().as_str(), contact.params.get("newparam")), ("Quoted string \"\"", Some("newvalue")));
    assert_eq!((contact.params.has("secondparam"), contact.params.get("q")), (true, Some("0.33")));
}

/// Characters that are rarely seen: quoted control characters, a null in the middle of a header, Cyrillic, Chinese.
#[test]
fn unusual_characters_are_kept() {
    let intmeth = request("intmeth");
    assert_eq!(intmeth.method.name(), "!interesting-Method0123456789_*+`.%indeed'~");
    assert_eq!(intmeth.head.to.name(), "BEL:\u{7} NUL:\0 DEL:\u{7f}");
    assert_eq!(intmeth.head.from.params.get("fromParam''~+*_!.-%"), Some("\"работающий\""));
    assert_eq!(intmeth.head.call_id, "intmeth.word%ZK-!.*_+'@word`~)(><:\\/\"][?}{");
    assert_eq!(intmeth.head.get("extensionHeader-!.%*+_`'~"), Some("\u{feff}大停電"));
    assert!(intmeth.uri.user().starts_with("1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"));
    let Ok(Message::Response(unreason)) = parse::message(bytes("unreason")) else { panic!() };
    assert_eq!(unreason.reason, "= 2**3 * 5**2 но сто девяносто девять - простое");
    let Ok(Message::Response(noreason)) = parse::message(bytes("noreason")) else { panic!() };
    assert_eq!((noreason.status, noreason.reason.as_str()), (100, ""));
}

#[test]
fn escapes_are_read_where_they_are_escapes_and_nowhere_else() {
    let esc01 = request("esc01");
    assert_eq!((esc01.uri.user().as_str(), esc01.head.to.uri.user().as_str()), ("sips:user@example.com", "user"));
    assert_eq!(esc01.head.from.uri.user(), "I have spaces");
    let escnull = request("escnull");
    assert_eq!(escnull.head.to.uri.user(), "null-\0-null");
    let users: Vec<String> =
        escnull.head.addresses("Contact").unwrap().iter().map(|contact| contact.uri.user()).collect();
    assert_eq!(users, ["\0", "\0\0"], "two contacts, not one");
    let esc02 = request("esc02");
    assert_eq!(esc02.method.name(), "RE%47IST%45R");
    assert_eq!((esc02.head.to.name().as_str(), esc02.head.addresses("Contact").unwrap().len()), ("%Z%45", 2));
    assert_eq!(request("semiuri").uri.user(), "user;par=u@example.net");
}

#[test]
fn long_and_double_and_binary_messages_are_framed_by_their_length() {
    let longreq = request("longreq");
    assert_eq!((longreq.head.via.len(), longreq.body.len()), (34, 150));
    assert_eq!(longreq.head.from.tag().map(str::len), Some(155));
    let dblreq = request("dblreq");
    assert_eq!((dblreq.body.len(), dblreq.head.call_id.as_str()), (0, "dblreq.0ha0isndaksdj99sdfafnl3lk233412"));
    let second = bytes("dblreq").windows(7).filter(|window| window == b"INVITE ").count();
    assert_eq!(second, 1, "the second request is there, and is noise");
    let mpart01 = request("mpart01");
    assert_eq!((mpart01.body.len(), mpart01.body.contains(&0)), (553, true));
    assert!(mpart01.body.ends_with(b"--7a9cbec02ceef655--\r\n"));
    assert_eq!(request("lwsdisp").head.from.name(), "caller");
    assert_eq!(request("transports").head.via[3].transport, "UNKNOWN");
}

/// A refusal repeats the lines that the far end needs to match it, each once.
#[test]
fn refusals_of_what_cannot_be_read_can_be_matched() {
    for row in MESSAGES.iter().filter(|row| matches!(row.read, Bad(_))) {
        let Err(parse::Unreadable::Request(bad)) = parse::message(row.bytes) else { panic!("{}", row.name) };
        let text = String::from_utf8(bad.response("tag")).unwrap();
        for name in ["From:", "To:", "Call-ID:", "CSeq:"] {
            let expected = usize::from(row.name != "insuf" || name == "CSeq:");
            assert_eq!(text.lines().filter(|line| line.starts_with(name)).count(), expected, "{}: {name}", row.name);
        }
        assert!(text.contains("\r\nVia: SIP/") && text.ends_with("\r\nContent-Length: 0\r\n\r\n"), "{text}");
    }
}
