//! One datagram through the parser. What is read is written back so that it reads the same; what is refused gets a reply
//! that is one message, and not much longer than the request.

use auricle_media::io::Transport;
use auricle_media::sip::message::Message;
use auricle_media::sip::parse::{self, Unreadable};

use super::{Seen, scale};

/// What a refusal may have beyond twice the request: status line, tag, Content-Length.
const REFUSAL_EXTRA: usize = 256;
/// What a message written back may have beyond twice what was read: the long names of 128 headers in place of their letters.
/// Nothing of it but Via, From, To, Call-ID and CSeq goes into a reply.
const WRITTEN_EXTRA: usize = 128 * 20;

pub fn run(bytes: &[u8]) -> u64 {
    let mut seen = Seen::default();
    match parse::message(bytes) {
        Ok(message) => read(message, bytes.len(), &mut seen),
        Err(Unreadable::KeepAlive) => seen.note(0),
        Err(Unreadable::Dropped(why)) => seen.note(why),
        Err(Unreadable::Request(bad)) => {
            let reply = bad.response("0123456789abcdef0123456789abcdef");
            assert!(reply.len() <= 2 * bytes.len() + REFUSAL_EXTRA, "{} octets for {}", reply.len(), bytes.len());
            let ends = reply.windows(4).position(|window| window == b"\r\n\r\n");
            assert_eq!(ends, Some(reply.len() - 4), "a refusal is one head");
            assert!(!reply.split(|byte| *byte == b'\n').rev().skip(1).any(|line| !line.ends_with(b"\r")), "bare LF");
            seen.note((bad.status, bad.reason, bad.echo.len()));
        }
    }
    seen.number()
}

fn read(message: Message, length: usize, seen: &mut Seen) {
    let (head, encoded) = match &message {
        Message::Request(request) => {
            seen.note((request.method.name().len(), request.uri.user().len()));
            (&request.head, request.encode())
        }
        Message::Response(response) => {
            seen.note(response.status);
            (&response.head, response.encode())
        }
    };
    assert!(!head.via.is_empty() && head.via.len() <= 128 && head.fields.len() <= 128);
    assert!(encoded.len() <= 2 * length + WRITTEN_EXTRA, "{} octets of {length}", encoded.len());
    // None of these may panic, whatever the values are.
    for name in ["Contact", "Record-Route", "Route", "P-Asserted-Identity", "Refer-To"] {
        let addresses = head.addresses(name);
        seen.note(addresses.as_ref().map(|addresses| scale(addresses.len())));
        for address in addresses.into_iter().flatten() {
            seen.note((
                scale(address.name().len()),
                address.tag().is_some(),
                address.uri.address(Transport::Udp).is_some(),
            ));
            seen.note(address.uri.user().is_empty());
        }
    }
    seen.note((head.list("Require").map(|list| list.len()), head.content_type().is_some(), scale(head.via.len())));
    seen.note((head.from.name().is_empty(), head.to.tag().is_some(), head.top_via().branch().is_some()));
    assert_eq!(parse::message(&encoded), Ok(message), "what is written reads differently");
}
