#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]
use super::contact::Wanted;
use super::*;
use crate::sip::message::Message;
use crate::sip::parse;

fn head(lines: &str) -> Request {
    let text = format!(
        "REGISTER sip:x SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\r\nFrom: <sip:a@b>;tag=1\r\n\
         To: <sip:a@b>\r\nCall-ID: c\r\nCSeq: 1 REGISTER\r\n{lines}\r\n"
    );
    match parse::message(text.as_bytes()).unwrap() {
        Message::Request(request) => request,
        Message::Response(_) => panic!("a request"),
    }
}

fn asked(lines: &str) -> Option<Asked> {
    Asked::read(&head(lines).head, 600)
}

/// RFC 3261 section 10.3, steps 6 and 7, as far as they can be read from the message alone.
#[test]
fn what_contacts_ask_for() {
    let rows: [(&str, &[(u32, u16)]); 9] = [
        ("", &[]),
        ("Contact: <sip:a@192.0.2.1>\r\n", &[(600, 1_000)]),
        ("Contact: sip:a@192.0.2.1;expires=90;q=0.5\r\nExpires: 70\r\n", &[(90, 500)]),
        ("m: <sip:a@192.0.2.1>\r\nExpires: 70\r\n", &[(70, 1_000)]),
        ("Contact: <sip:a@192.0.2.1>;expires=0, <sips:b@c>;q=0.25\r\n", &[(0, 1_000), (600, 250)]),
        ("Contact: <sip:a@192.0.2.1>;expires=soon\r\n", &[(600, 1_000)]),
        ("Contact: <sip:a@192.0.2.1>;expires=99999999999\r\nExpires: 80\r\n", &[(80, 1_000)]),
        ("Contact: <sip:a@192.0.2.1>;q=2\r\n", &[(600, 1_000)]),
        (
            "Contact: <sip:a@192.0.2.1>\r\nContact: <sip:b@192.0.2.1>\r\nExpires: 4294967295\r\n",
            &[(4_294_967_295, 1_000), (4_294_967_295, 1_000)],
        ),
    ];
    for (lines, expected) in rows {
        let Some(Asked::Some(wanted)) = asked(lines) else { panic!("{lines}") };
        let found: Vec<(u32, u16)> = wanted.iter().map(|wanted| (wanted.expires_s, wanted.q)).collect();
        assert_eq!(found, expected, "{lines}");
    }
    assert_eq!(asked("Contact: *\r\nExpires: 0\r\n"), Some(Asked::AllGone));
    for lines in [
        "Contact: *\r\n",
        "Contact: *\r\nExpires: 1\r\n",
        "Contact: *, <sip:a@192.0.2.1>\r\nExpires: 0\r\n",
        "Contact: <tel:+420123>\r\n",
        "Contact: <sip:a@192.0.2.1\r\n",
        &format!("Contact: <sip:{}@192.0.2.1>\r\n", "a".repeat(512)),
    ] {
        assert_eq!(asked(lines), None, "{lines}");
    }
}

/// RFC 5626 section 6: the same way of the same device replaces the old one, whatever its address.
#[test]
fn the_same_place_is_known_by_device_or_address() {
    let rows = [
        ("<sip:a@192.0.2.1>", "<sip:a@192.0.2.1>", true),
        ("<sip:a@EXAMPLE.org;transport=tcp>", "<sip:a@example.ORG;transport=TCP>", true),
        ("<sip:a@192.0.2.1;transport=tcp>", "<sip:a@192.0.2.1>", false),
        ("<sip:a@192.0.2.1>", "<sip:a@192.0.2.1:5070>", false),
        ("<sip:a@192.0.2.1>", "<sips:a@192.0.2.1>", false),
        ("<sip:a@x>;+sip.instance=\"<urn:uuid:1>\"", "<sip:a@y>;+sip.instance=\"<urn:uuid:1>\"", true),
        ("<sip:a@x>;+sip.instance=\"<urn:uuid:1>\"", "<sip:a@x>;+sip.instance=\"<urn:uuid:2>\"", false),
        (
            "<sip:a@x>;+sip.instance=\"<urn:uuid:1>\";reg-id=1",
            "<sip:a@x>;+sip.instance=\"<urn:uuid:1>\";reg-id=2",
            false,
        ),
        ("<sip:a@x>;+sip.instance=\"<urn:uuid:1>\"", "<sip:a@x>", true),
    ];
    let wanted = |contact: &str| -> Wanted {
        let Some(Asked::Some(wanted)) = asked(&format!("Contact: {contact}\r\n")) else { panic!("{contact}") };
        wanted.into_iter().next().unwrap()
    };
    let hop = Hop::udp("192.0.2.1:5060".parse().unwrap());
    for (one, other, same) in rows {
        let contact = Contact::new(wanted(one), &head(""), hop, 60, crate::epoch());
        assert_eq!(contact.is_same(&wanted(other)), same, "{one} {other}");
    }
}
