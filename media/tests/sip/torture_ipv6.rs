//! RFC 5118: what becomes of each torture message with IPv6 addresses, bit for bit as the RFC's archive has it.

use auricle_media::sip::message::{Message, Request};
use auricle_media::sip::parse;
use auricle_media::sip::sdp::Sdp;

use crate::reaction::Answer::{Call, Declined, Reply};
use crate::reaction::Read::{self, Bad};
use crate::reaction::{Row, rows};

const NOT_OURS: &str = "read as the RFC wants it; we speak no REGISTER";
const NO_DIALOG: &str = "read as the RFC wants it; it names a dialog that is not there";
const NO_CODEC: &str = "read as the RFC wants it; it offers G.726 and video only, which we do not speak";

static MESSAGES: [Row; 12] = rows! { "rfc5118":
    "4.1" "ipv6-good" 293 Read::Request, Reply(405), NOT_OURS;
    "4.2" "ipv6-bad" 291 Bad(400), Reply(400), "";
    "4.3" "port-ambiguous" 298 Read::Request, Reply(405), NOT_OURS;
    "4.4" "port-unambiguous" 298 Read::Request, Reply(405), NOT_OURS;
    "4.5" "via-received-param-with-delim" 274 Read::Request, Reply(481), NO_DIALOG;
    "4.5" "via-received-param-no-delim" 307 Read::Request, Reply(200), "";
    "4.6" "ipv6-in-sdp" 570 Read::Request, Declined(488), NO_CODEC;
    "4.7" "mult-ip-in-header" 386 Read::Request, Reply(481), NO_DIALOG;
    "4.8" "mult-ip-in-sdp" 510 Read::Request, Call, "";
    "4.9" "ipv4-mapped-ipv6" 636 Read::Request, Declined(488), NO_CODEC;
    "4.10" "ipv6-bug-abnf-3-colons" 272 Read::Request, Reply(200), "";
    "4.10" "ipv6-correct-abnf-2-colons" 270 Read::Request, Reply(200), "";
};

fn row(name: &str) -> &'static Row {
    MESSAGES.iter().find(|row| row.name == name).unwrap()
}

/// The message as it would be sent. The archive has Unix line ends, leaves the last empty line out of two messages, and
/// gives three bodies a length that they do not have.
fn wire(row: &Row) -> Vec<u8> {
    let text = std::str::from_utf8(row.bytes).unwrap().replace('\n', "\r\n");
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or((text.trim_end(), ""));
    let lines = head.lines().map(|line| match line.split_once(':') {
        Some(("Content-Length", _)) => format!("Content-Length: {}\r\n", body.len()),
        _ => format!("{line}\r\n"),
    });
    format!("{}\r\n{body}", lines.collect::<String>()).into_bytes()
}

fn request(name: &str) -> Request {
    match parse::message(&wire(row(name))) {
        Ok(Message::Request(request)) => request,
        other => panic!("{name}: {other:?}"),
    }
}

/// SEC-12, VOICE-09: every message of RFC 5118 has the reaction that the table gives it, and the next call comes through.
#[test]
fn each_message_has_its_reaction() {
    MESSAGES.iter().for_each(|row| row.check(&wire(row), "[2001:db8::77]:5060", "[2001:db8::10]:5060"));
}

#[test]
fn deviations_have_their_reason() {
    for row in &MESSAGES {
        assert!(matches!(row.answer, Call | Reply(200 | 400)) || row.why.len() > 20, "{}", row.name);
    }
}

#[test]
fn what_can_be_read_is_written_back_the_same() {
    for row in MESSAGES.iter().filter(|row| row.read == Read::Request) {
        let read = request(row.name);
        assert_eq!(parse::message(&read.encode()), Ok(Message::Request(read)), "{}", row.name);
    }
}

/// Sections 4.3 and 4.4: a port is one only behind the bracket.
#[test]
fn ports_stand_behind_brackets() {
    let table = [
        ("ipv6-good", "[2001:db8::10]:5060"),
        ("port-ambiguous", "[2001:db8::10:5070]:5060"),
        ("port-unambiguous", "[2001:db8::10]:5070"),
        ("ipv6-bug-abnf-3-colons", "[2001:db8::192.0.2.1]:5060"),
        ("ipv6-correct-abnf-2-colons", "[2001:db8::192.0.2.1]:5060"),
    ];
    for (name, address) in table {
        assert_eq!(
            request(name).uri.address(auricle_media::io::Transport::Udp),
            Some(address.parse().unwrap()),
            "{name}"
        );
    }
}

/// Section 4.5: `received` with brackets and without.
#[test]
fn both_ways_to_write_received_are_read() {
    let with = request("via-received-param-with-delim");
    let without = request("via-received-param-no-delim");
    assert_eq!(with.head.top_via().params.get("received"), Some("[2001:db8::9:255]"));
    assert_eq!(without.head.top_via().params.get("received"), Some("2001:db8::9:255"));
    let mixed = request("mult-ip-in-header");
    let hosts: Vec<&str> = mixed.head.via.iter().map(|via| via.host.as_str()).collect();
    assert_eq!(hosts, ["[2001:db8::9:1]", "192.0.2.1", "[2001:db8::9:255]"]);
}

/// Sections 4.6, 4.8, 4.9: addresses in descriptions have no brackets, and each section its own.
#[test]
fn descriptions_name_ipv6_addresses() {
    let addresses = |name: &str| -> Vec<String> {
        let sdp = Sdp::parse(&request(name).body).unwrap();
        sdp.media.iter().map(|media| sdp.address_of(media).unwrap().to_string()).collect()
    };
    assert_eq!(addresses("ipv6-in-sdp"), ["2001:db8::20", "2001:db8::20"]);
    assert_eq!(addresses("mult-ip-in-sdp"), ["192.0.2.1", "2001:db8::1"]);
    assert_eq!(addresses("ipv4-mapped-ipv6"), ["::ffff:192.0.2.2", "::ffff:192.0.2.2"]);
}

/// Section 4.6 as the archive has it: its length is 17 octets beyond the datagram, and that is refused (RFC 4475 section
/// 3.1.2.2).
#[test]
fn a_length_beyond_the_datagram_is_refused_here_too() {
    let original = std::str::from_utf8(row("ipv6-in-sdp").bytes).unwrap().replace('\n', "\r\n");
    assert_eq!(crate::reaction::read(original.as_bytes()), Bad(400));
}
