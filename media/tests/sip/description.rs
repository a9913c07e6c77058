//! Session descriptions: what is agreed on, what is refused, and how the version counts.

use std::net::IpAddr;

use auricle_media::io::Codec::{self, G722, Pcma, Pcmu};
use auricle_media::sip::sdp::{Direction, LINES_MAX, MEDIA_MAX, Sdp, SdpError, SdpRefusal, Session};

fn host() -> IpAddr {
    "192.0.2.10".parse().unwrap()
}

fn session() -> Session {
    Session::new(host(), 20_000, 7)
}

/// A description with these lines after the time.
fn described(lines: &str) -> Sdp {
    let text = format!("v=0\no=- 1 1 IN IP4 198.51.100.7\ns=-\nc=IN IP4 198.51.100.7\nt=0 0\n{lines}");
    Sdp::parse(text.as_bytes()).unwrap()
}

/// A codec and the number to send it with.
type Chosen = Result<(Codec, u8), SdpRefusal>;

const ALL: [Codec; 3] = [G722, Pcmu, Pcma];

#[test]
fn our_offer_in_full() {
    let offer = session().offer(&ALL).to_string();
    let expected = "v=0\r\no=- 7 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n\
        m=audio 20000 RTP/AVP 9 0 8 101\r\na=rtpmap:9 G722/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
        a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n";
    assert_eq!(offer, expected);
    assert_eq!(Sdp::parse(offer.as_bytes()).unwrap().to_string(), expected);
}

#[test]
fn the_offers_first_codec_that_we_have_is_taken() {
    let table: [(&str, &[Codec], Chosen); 9] = [
        ("m=audio 4000 RTP/AVP 0 8 9", &ALL, Ok((Pcmu, 0))),
        ("m=audio 4000 RTP/AVP 9 8", &ALL, Ok((G722, 9))),
        ("m=audio 4000 RTP/AVP 18 8", &ALL, Ok((Pcma, 8))),
        ("m=audio 4000 RTP/AVP 8 0", &[Pcmu], Ok((Pcmu, 0))),
        ("m=audio 4000 RTP/AVP 96\na=rtpmap:96 pcma/8000/1", &ALL, Ok((Pcma, 96))),
        // A number that is mapped to something else is no longer the static codec.
        ("m=audio 4000 RTP/AVP 0\na=rtpmap:0 opus/48000/2", &ALL, Err(SdpRefusal::NoCodec)),
        ("m=audio 4000 RTP/AVP 18", &ALL, Err(SdpRefusal::NoCodec)),
        ("m=audio 4000 RTP/SAVP 0", &ALL, Err(SdpRefusal::NoAudio)),
        ("m=audio 0 RTP/AVP 0\nm=video 4000 RTP/AVP 31", &ALL, Err(SdpRefusal::NoAudio)),
    ];
    for (lines, codecs, expected) in table {
        let answered = session().answer(&described(lines), codecs);
        let agreed = answered.map(|(_, agreed)| (agreed.codec, agreed.payload_send));
        assert_eq!(agreed, expected, "{lines}");
    }
}

#[test]
fn the_answer_refuses_every_other_section_in_its_place() {
    let offer = described(
        "m=video 5000 RTP/AVP 31 32\nm=audio 4000 RTP/AVP 8 97\na=rtpmap:97 telephone-event/8000\na=fmtp:97 0-16\n\
         m=audio 4002 RTP/AVP 0\nm=image 6000 udptl t38",
    );
    let mut session = session();
    let (answer, agreed) = session.answer(&offer, &ALL).unwrap();
    let lines: Vec<String> =
        answer.to_string().lines().filter(|line| line.starts_with("m=")).map(str::to_owned).collect();
    let expected = ["m=video 0 RTP/AVP 31", "m=audio 20000 RTP/AVP 8 97", "m=audio 0 RTP/AVP 0", "m=image 0 udptl t38"];
    assert_eq!(lines, expected);
    assert_eq!((agreed.events_send, agreed.events_receive), (Some(97), Some(97)));
    assert_eq!(agreed.remote, Some("198.51.100.7:4000".parse().unwrap()));
    assert_eq!(agreed.remote_rtcp, Some("198.51.100.7:4001".parse().unwrap()));
    // A later offer of ours keeps all four sections in their places.
    let later = session.offer(&ALL);
    let ports: Vec<u16> = later.media.iter().map(|media| media.port).collect();
    assert_eq!(ports, [0, 20_000, 0, 0]);
}

/// SEC-12: our audio goes to one address and never to a group or to everybody.
#[test]
fn addresses_of_many_are_no_addresses() {
    for (family, address) in [
        ("IP4", "224.2.17.12"),
        ("IP4", "224.2.17.12/127"),
        ("IP4", "239.255.255.255"),
        ("IP4", "255.255.255.255"),
        ("IP6", "ff15::101"),
        ("IP6", "::ffff:224.0.0.1"),
    ] {
        let offer = described(&format!("m=audio 4000 RTP/AVP 0\nc=IN {family} {address}"));
        assert_eq!(session().answer(&offer, &ALL).err(), Some(SdpRefusal::NoAddress), "{address}");
    }
}

/// RFC 3264 section 6.1, and the old way to hold.
#[test]
fn holding() {
    let audio = "m=audio 4000 RTP/AVP 0";
    let table = [
        (audio.to_owned(), Direction::SendRecv, "sendrecv", false, true),
        (format!("{audio}\na=sendonly"), Direction::RecvOnly, "recvonly", true, true),
        (format!("a=sendonly\n{audio}"), Direction::RecvOnly, "recvonly", true, true),
        (format!("a=sendonly\n{audio}\na=sendrecv"), Direction::SendRecv, "sendrecv", false, true),
        (format!("{audio}\na=recvonly"), Direction::SendOnly, "sendonly", false, true),
        (format!("{audio}\na=inactive"), Direction::Inactive, "inactive", true, true),
        (format!("{audio}\nc=IN IP4 0.0.0.0"), Direction::RecvOnly, "recvonly", true, false),
    ];
    for (lines, direction, attribute, held, has_address) in table {
        let (answer, agreed) = session().answer(&described(&lines), &ALL).unwrap();
        assert_eq!(
            (agreed.direction, agreed.held(), agreed.remote.is_some()),
            (direction, held, has_address),
            "{lines}"
        );
        assert!(answer.to_string().contains(&format!("a={attribute}\r\n")), "{lines}");
    }
}

#[test]
fn the_version_rises_only_with_a_change() {
    let mut session = session();
    let offer = described("m=audio 4000 RTP/AVP 0");
    let versions: Vec<u64> = [
        session.answer(&offer, &ALL).unwrap().0,
        session.answer(&offer, &ALL).unwrap().0,
        session.answer(&described("m=audio 4000 RTP/AVP 0\na=sendonly"), &ALL).unwrap().0,
        session.answer(&offer, &ALL).unwrap().0,
    ]
    .iter()
    .map(|answer| answer.origin.version)
    .collect();
    assert_eq!(versions, [1, 1, 2, 3]);
}

#[test]
fn an_answer_has_to_fit_our_offer() {
    let table = [
        ("m=audio 4000 RTP/AVP 8 101\na=rtpmap:101 telephone-event/8000", Ok(Pcma)),
        ("m=audio 4000 RTP/AVP 0 8", Ok(Pcmu)),
        ("m=audio 4000 RTP/AVP 18", Err(SdpRefusal::NoCodec)),
        ("m=audio 0 RTP/AVP 0", Err(SdpRefusal::NoAudio)),
        ("m=audio 4000 RTP/AVP 0\nm=video 0 RTP/AVP 31", Err(SdpRefusal::Mismatch)),
        ("", Err(SdpRefusal::Mismatch)),
        ("m=audio 4000 RTP/AVP 0\nc=IN IP4 media.example.org", Err(SdpRefusal::NoAddress)),
    ];
    for (lines, expected) in table {
        let mut session = session();
        session.offer(&[Pcmu, Pcma]);
        assert_eq!(session.accept(&described(lines)).map(|agreed| agreed.codec), expected, "{lines}");
    }
    assert_eq!(session().accept(&described("m=audio 4000 RTP/AVP 0")), Err(SdpRefusal::Mismatch));
}

/// Each side sends with the number that the other listed.
#[test]
fn payload_numbers_may_differ_by_direction() {
    let mut session = session();
    session.offer(&ALL);
    let answer = described("m=audio 4000 RTP/AVP 9 96\na=rtpmap:96 telephone-event/8000\na=ptime:40\na=rtcp:4444");
    let agreed = session.accept(&answer).unwrap();
    assert_eq!((agreed.payload_send, agreed.payload_receive), (9, 9));
    assert_eq!((agreed.events_send, agreed.events_receive, agreed.ptime_ms), (Some(96), Some(101), 40));
    assert_eq!(agreed.remote_rtcp.map(|remote| remote.port()), Some(4444));
}

#[test]
fn packet_times_are_kept_sane() {
    for (lines, ptime_ms) in
        [("", 20), ("a=ptime:1", 10), ("a=ptime:500", 60), ("a=ptime:40\na=maxptime:30", 30), ("a=ptime:x", 20)]
    {
        let offer = described(&format!("m=audio 4000 RTP/AVP 0\n{lines}"));
        assert_eq!(session().answer(&offer, &ALL).unwrap().1.ptime_ms, ptime_ms, "{lines}");
    }
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let head = "v=0\no=- 1 1 IN IP4 h\ns=-\n";
    let bad = |line, what| SdpError::Line { line, what };
    let table = [
        (String::new(), SdpError::Missing('v')),
        ("o=- 1 1 IN IP4 h\n".into(), SdpError::Missing('v')),
        ("v=1\n".into(), bad(1, "version, only 0 is known")),
        ("v=0\ns=-\n".into(), SdpError::Missing('o')),
        ("v=0\no=- 1 1 IN IP4 h\n".into(), SdpError::Missing('s')),
        ("v=0\no=- x 1 IN IP4 h\n".into(), bad(2, "origin")),
        (format!("{head}c=IN IP4\n"), bad(4, "connection")),
        (format!("{head}m=audio 70000 RTP/AVP 0\n"), bad(4, "media port")),
        (format!("{head}m=audio 7000 RTP/AVP\n"), bad(4, "media")),
        (format!("{head}hello\n"), bad(4, "line without =")),
        (
            format!("{head}{}", "m=audio 1 RTP/AVP 0\n".repeat(17)),
            SdpError::TooMany { line: 20, what: "media sections", max: MEDIA_MAX },
        ),
        (format!("{head}{}", "b=AS:1\n".repeat(600)), SdpError::TooMany { line: 513, what: "lines", max: LINES_MAX }),
        ("v".repeat(16_385), SdpError::TooLong(16_385)),
    ];
    for (text, error) in table {
        assert_eq!(Sdp::parse(text.as_bytes()), Err(error));
    }
    assert_eq!(Sdp::parse(b"v=0\r\n\xff"), Err(SdpError::NotText));
}
