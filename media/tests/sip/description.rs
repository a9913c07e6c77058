//! Session descriptions: what is agreed on, what is refused, and how the version counts.

use std::net::IpAddr;

use auricle_media::io::Codec::{self, G722, Opus, Pcma, Pcmu};
use auricle_media::io::Protection;
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
        m=audio 20000 RTP/AVP 9 0 8 13 101\r\na=rtpmap:9 G722/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\n\
        a=rtpmap:13 CN/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n";
    assert_eq!(offer, expected);
    assert_eq!(Sdp::parse(offer.as_bytes()).unwrap().to_string(), expected);
}

/// B-31: Opus is written as RFC 7587 section 7 wants it, and its events run at its clock.
#[test]
fn opus_in_full() {
    let mut session = session();
    let offer = session.offer(&[Opus, Pcma]).to_string();
    let lines: Vec<&str> = offer.lines().filter(|line| line.starts_with("m=") || line.contains(':')).collect();
    assert_eq!(
        lines,
        [
            "m=audio 20000 RTP/AVP 96 8 13 101 102",
            "a=rtpmap:96 opus/48000/2",
            "a=rtpmap:8 PCMA/8000",
            "a=rtpmap:13 CN/8000",
            "a=rtpmap:101 telephone-event/8000",
            "a=rtpmap:102 telephone-event/48000",
            "a=fmtp:96 useinbandfec=1;maxplaybackrate=16000;sprop-maxcapturerate=16000",
            "a=fmtp:101 0-15",
            "a=fmtp:102 0-15",
            "a=ptime:20"
        ]
    );
    let answer = described(
        "m=audio 4000 RTP/AVP 107 111 101\na=rtpmap:107 opus/48000/2\na=rtpmap:111 telephone-event/48000\n\
         a=rtpmap:101 telephone-event/8000",
    );
    let agreed = session.accept(&answer).unwrap();
    assert_eq!((agreed.codec, agreed.payload_send, agreed.payload_receive), (Opus, 107, 96));
    assert_eq!((agreed.events_send, agreed.events_receive), (Some(111), Some(102)));
}

#[test]
fn events_at_another_clock_than_the_audios_are_not_agreed_on() {
    let offer = described("m=audio 4000 RTP/AVP 96 101\na=rtpmap:96 opus/48000/2\na=rtpmap:101 telephone-event/8000");
    let (answer, agreed) = session().answer(&offer, &[Opus]).unwrap();
    assert_eq!((agreed.codec, agreed.events_send), (Opus, None));
    assert_eq!(answer.media[0].formats, ["96"]);
}

#[test]
fn the_offers_first_codec_that_we_have_is_taken() {
    let table: [(&str, &[Codec], Chosen); 13] = [
        ("m=audio 4000 RTP/AVP 0 8 9", &ALL, Ok((Pcmu, 0))),
        ("m=audio 4000 RTP/AVP 9 8", &ALL, Ok((G722, 9))),
        ("m=audio 4000 RTP/AVP 18 8", &ALL, Ok((Pcma, 8))),
        ("m=audio 4000 RTP/AVP 8 0", &[Pcmu], Ok((Pcmu, 0))),
        ("m=audio 4000 RTP/AVP 96\na=rtpmap:96 pcma/8000/1", &ALL, Ok((Pcma, 96))),
        // A number that is mapped to something else is no longer the static codec.
        ("m=audio 4000 RTP/AVP 0\na=rtpmap:0 opus/48000/2", &ALL, Err(SdpRefusal::NoCodec)),
        ("m=audio 4000 RTP/AVP 111 8\na=rtpmap:111 OPUS/48000/2", &[Pcma, Opus], Ok((Opus, 111))),
        ("m=audio 4000 RTP/AVP 111 8\na=rtpmap:111 opus/48000/2", &ALL, Ok((Pcma, 8))),
        // RFC 7587 section 7: two channels and 48 kHz, always.
        ("m=audio 4000 RTP/AVP 111\na=rtpmap:111 opus/16000/2", &[Opus], Err(SdpRefusal::NoCodec)),
        ("m=audio 4000 RTP/AVP 18", &ALL, Err(SdpRefusal::NoCodec)),
        ("m=audio 4000 RTP/SAVP 0", &ALL, Err(SdpRefusal::NoKey)),
        ("m=audio 4000 UDP/TLS/RTP/SAVPF 0", &ALL, Err(SdpRefusal::NoAudio)),
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

/// RFC 3389 section 4: comfort noise is answered where it is offered beside a codec of its clock, and offered in the same way, on hold too.
#[test]
fn comfort_noise_is_agreed_on_beside_codecs_of_its_clock() {
    let opus = "m=audio 4000 RTP/AVP 96 13\na=rtpmap:96 opus/48000/2\na=rtpmap:13 CN/8000";
    let table = [
        ("m=audio 4000 RTP/AVP 8 13", vec!["8", "13"]),
        (
            "m=audio 4000 RTP/AVP 9 13 101\na=rtpmap:13 CN/8000\na=rtpmap:101 telephone-event/8000",
            vec!["9", "13", "101"],
        ),
        ("m=audio 4000 RTP/AVP 8", vec!["8"]),
        (opus, vec!["96"]),
    ];
    for (lines, formats) in table {
        let (answer, _) = session().answer(&described(lines), &[G722, Pcmu, Pcma, Opus]).unwrap();
        assert_eq!(answer.media[0].formats, formats, "{lines}");
        assert_eq!(answer.to_string().contains("a=rtpmap:13 CN/8000"), formats.contains(&"13"), "{lines}");
    }
    assert_eq!(session().offer(&[Opus]).media[0].formats, ["96", "102"], "no noise of another clock");
    let mut session = session();
    let (_, agreed) = session.answer(&described("m=audio 4000 RTP/AVP 8 13"), &ALL).unwrap();
    assert_eq!(session.offer_hold(&agreed, true).media[0].formats, ["8", "13"]);
    let agreed = session.accept(&described("m=audio 4000 RTP/AVP 8\na=recvonly")).unwrap();
    assert_eq!(session.offer_hold(&agreed, false).media[0].formats, ["8"], "what was left is not asked for again");
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

fn secured() -> Session {
    session().secure([3; 32])
}

const CRYPTO: &str = "a=crypto:4 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";

/// What an answer says of protection: the protocol, then the tag and suite of its key.
fn protection(answer: &Sdp) -> String {
    let media = &answer.media[0];
    let keys = media.crypto.iter().map(|crypto| format!(" {} {}", crypto.tag, crypto.key.suite().name()));
    format!("{}{}", media.protocol, keys.collect::<String>())
}

/// Keys are told only where signalling is secure, and protection that is demanded is not left out.
#[test]
fn srtp_is_agreed_on_where_signalling_is_secure() {
    let long =
        "a=crypto:9 AES_CM_256_HMAC_SHA1_80 inline:8AbZePWwsKhLGX3GlXA+yHYPQ3cgraer/9DkFJYCOPZZy3o9wC0NIbIFYZfyHw==";
    let unknown = "a=crypto:1 F8_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz";
    let known = "RTP/SAVP 4 AES_CM_128_HMAC_SHA1_80";
    let table = [
        (format!("m=audio 4000 RTP/SAVP 0\n{CRYPTO}"), Err(SdpRefusal::NoKey), Ok(known)),
        (format!("m=audio 4000 RTP/SAVP 0\n{unknown}\n{CRYPTO}\n{long}"), Err(SdpRefusal::NoKey), Ok(known)),
        (
            format!("m=audio 4000 RTP/SAVPF 0\n{long}\n{CRYPTO}"),
            Err(SdpRefusal::NoKey),
            Ok("RTP/SAVPF 9 AES_256_CM_HMAC_SHA1_80"),
        ),
        (format!("m=audio 4000 RTP/SAVP 0\n{unknown}"), Err(SdpRefusal::NoKey), Err(SdpRefusal::NoKey)),
        ("m=audio 4000 RTP/SAVP 0".to_owned(), Err(SdpRefusal::NoKey), Err(SdpRefusal::NoKey)),
        (format!("m=audio 4000 RTP/SAVP 0\n{CRYPTO}|2^20|1:4"), Err(SdpRefusal::NoKey), Err(SdpRefusal::NoKey)),
        // SRTP that is only offered, not demanded.
        (format!("m=audio 4000 RTP/AVP 0\n{CRYPTO}"), Ok("RTP/AVP"), Ok("RTP/AVP 4 AES_CM_128_HMAC_SHA1_80")),
        (format!("m=audio 4000 RTP/AVP 0\n{unknown}"), Ok("RTP/AVP"), Ok("RTP/AVP")),
        ("m=audio 4000 RTP/AVP 0".to_owned(), Ok("RTP/AVP"), Ok("RTP/AVP")),
    ];
    for (lines, plain, secure) in table {
        for (mut session, expected) in [(session(), plain), (secured(), secure)] {
            let answered = session.answer(&described(&lines), &ALL);
            let told = answered.as_ref().map(|(answer, _)| protection(answer)).map_err(|refusal| *refusal);
            assert_eq!(told, expected.map(str::to_owned), "{lines}");
            if let Ok((answer, agreed)) = answered {
                let sent = agreed.keys.as_ref().map(|keys| keys.send.clone());
                assert_eq!(sent, answer.media[0].crypto.first().map(|crypto| crypto.key.clone()), "{lines}");
                let theirs = described(&lines).media[0].crypto.clone();
                assert!(agreed.keys.is_none_or(|keys| theirs.iter().any(|crypto| crypto.key == keys.receive)));
            }
        }
    }
    // A section in the clear beside one with keys: the first that can be used is.
    let both = format!("m=audio 4000 RTP/SAVP 0\n{CRYPTO}\nm=audio 4002 RTP/AVP 0");
    let (answer, agreed) = session().answer(&described(&both), &ALL).unwrap();
    assert_eq!((answer.media[0].port, answer.media[1].port, agreed.keys), (0, 20_000, None));
    assert!(answer.media[0].crypto.is_empty());
    let (answer, _) = secured().answer(&described(&both), &ALL).unwrap();
    assert_eq!((answer.media[0].port, answer.media[1].port), (20_000, 0));
}

/// Our offer of SRTP, and the answers that fit it.
#[test]
fn our_offer_of_srtp_takes_only_its_own_keys_back() {
    let mut session = secured();
    let offer = session.offer(&[Pcmu]);
    let suites: Vec<&str> = offer.media[0].crypto.iter().map(|crypto| crypto.key.suite().name()).collect();
    assert_eq!(
        (offer.media[0].protocol.as_str(), suites),
        (
            "RTP/SAVP",
            vec!["AES_CM_128_HMAC_SHA1_80", "AES_256_CM_HMAC_SHA1_80", "AEAD_AES_128_GCM", "AEAD_AES_256_GCM"]
        )
    );
    let plain = self::session().offer(&ALL).to_string();
    assert!(!plain.contains("crypto") && plain.contains("RTP/AVP "));
    let first = CRYPTO.replace(":4", ":1");
    let table = [
        ("m=audio 4000 RTP/AVP 0".to_owned(), Err(SdpRefusal::NoAudio)),
        (format!("m=audio 4000 RTP/AVP 0\n{first}"), Err(SdpRefusal::NoAudio)),
        ("m=audio 4000 RTP/SAVP 0".to_owned(), Err(SdpRefusal::NoKey)),
        (format!("m=audio 4000 RTP/SAVP 0\n{CRYPTO}"), Err(SdpRefusal::NoKey)),
        (format!("m=audio 4000 RTP/SAVP 0\n{}", first.replace("_80", "_32")), Err(SdpRefusal::NoKey)),
        (format!("m=audio 4000 RTP/SAVP 0\n{first}"), Ok(true)),
    ];
    for (lines, expected) in table {
        let accepted = session.accept(&described(&lines));
        assert_eq!(accepted.map(|agreed| agreed.keys.is_some()), expected, "{lines}");
    }
}

/// What is demanded, offered or left out follows the policy, whoever offers; without secure signalling there are no keys.
#[test]
fn a_policy_says_whether_audio_is_encrypted() {
    let none = "m=audio 4000 RTP/AVP 0".to_owned();
    let some = format!("m=audio 4000 RTP/AVP 0\n{CRYPTO}");
    let must = format!("m=audio 4000 RTP/SAVP 0\n{CRYPTO}");
    let refused = Err(SdpRefusal::NoKey);
    // The policy, whether signalling is secure, and whether there are keys with each of the three offers above.
    let table = [
        (Protection::Off, true, [Ok(false), Ok(false), refused]),
        (Protection::Optional, true, [Ok(false), Ok(true), Ok(true)]),
        (Protection::Required, true, [refused, Ok(true), Ok(true)]),
        (Protection::Off, false, [Ok(false), Ok(false), refused]),
        (Protection::Optional, false, [Ok(false), Ok(false), refused]),
        (Protection::Required, false, [refused, refused, refused]),
    ];
    for (policy, secure, expected) in table {
        for (lines, expected) in [&none, &some, &must].into_iter().zip(expected) {
            let mut session = if secure { secured() } else { session() }.protected(policy);
            let answered = session.answer(&described(lines), &ALL).map(|(_, agreed)| agreed.keys.is_some());
            assert_eq!(answered, expected, "{policy:?} {secure} {lines}");
        }
    }
}

/// An offer that does not press for keys takes a plain answer, and one with a key of its own.
#[test]
fn keys_that_are_only_offered_may_be_left() {
    let first = CRYPTO.replace(":4", ":1");
    let table = [
        ("m=audio 4000 RTP/AVP 0".to_owned(), Ok(false)),
        (format!("m=audio 4000 RTP/AVP 0\n{first}"), Ok(true)),
        (format!("m=audio 4000 RTP/SAVP 0\n{first}"), Ok(true)),
        (format!("m=audio 4000 RTP/AVP 0\n{CRYPTO}"), Err(SdpRefusal::NoKey)),
        ("m=audio 4000 RTP/SAVP 0".to_owned(), Err(SdpRefusal::NoKey)),
    ];
    for (lines, expected) in table {
        let mut session = secured().protected(Protection::Optional);
        let offer = session.offer(&[Pcmu]);
        assert_eq!((offer.media[0].protocol.as_str(), offer.media[0].crypto.len()), ("RTP/AVP", 4));
        assert!(!offer.without_keys().to_string().contains("crypto"));
        assert_eq!(session.accept(&described(&lines)).map(|agreed| agreed.keys.is_some()), expected, "{lines}");
        if expected.is_ok() {
            // The next offer changes nothing about it.
            assert_eq!(session.offer(&[Pcmu]).media[0].crypto.len(), usize::from(expected == Ok(true)), "{lines}");
        }
    }
    let mut session = secured().protected(Protection::Required);
    assert_eq!(session.offer(&[Pcmu]).media[0].protocol, "RTP/SAVP");
    let mut session = secured().protected(Protection::Off);
    assert!(session.offer(&[Pcmu]).media[0].crypto.is_empty());
}

/// Our key stays through re-INVITEs, and is another one after a time without protection.
#[test]
fn our_key_stays_while_it_is_in_use() {
    let mut session = secured();
    let offer = described(&format!("m=audio 4000 RTP/AVP 0\n{CRYPTO}"));
    let keys = |session: &mut Session, offer: &Sdp| session.answer(offer, &ALL).unwrap().1.keys;
    let first = keys(&mut session, &offer);
    assert!(first.is_some());
    let held = described(&format!("m=audio 4000 RTP/AVP 0\n{CRYPTO}\na=sendonly"));
    assert_eq!(keys(&mut session, &held), first);
    let ours = session.offer(&[Pcmu]);
    assert_eq!(protection(&ours), "RTP/AVP 1 AES_CM_128_HMAC_SHA1_80");
    assert_eq!(Some(&ours.media[0].crypto[0].key), first.as_ref().map(|keys| &keys.send));
    assert_eq!(keys(&mut session, &described("m=audio 4000 RTP/AVP 0")), None);
    assert_eq!(protection(&session.offer(&[Pcmu])), "RTP/AVP", "both agreed to do without");
    let again = keys(&mut session, &offer);
    assert!(again.is_some() && again != first, "never the same key with counters at zero");
}

/// RFC 5761: RTCP shares the port where that was offered, and only there.
#[test]
fn rtcp_shares_the_port_where_it_is_offered() {
    let mut session = session();
    assert!(!session.offer(&ALL).to_string().contains("rtcp-mux"));
    let offer = described("m=audio 4000 RTP/AVP 0\na=rtcp:4009\na=rtcp-mux");
    let (answer, agreed) = session.answer(&offer, &ALL).unwrap();
    assert!(answer.to_string().contains("a=rtcp-mux\r\n"));
    assert_eq!((agreed.rtcp_mux, agreed.remote_rtcp), (true, Some("198.51.100.7:4000".parse().unwrap())));
    assert!(session.offer(&ALL).to_string().contains("a=rtcp-mux\r\n"), "stays as agreed");
    assert!(session.accept(&offer).unwrap().rtcp_mux);
    let (answer, agreed) = session.answer(&described("m=audio 4000 RTP/AVP 0"), &ALL).unwrap();
    assert!(!answer.to_string().contains("rtcp-mux") && !agreed.rtcp_mux);
    assert_eq!(agreed.remote_rtcp, Some("198.51.100.7:4001".parse().unwrap()));
    session.offer(&ALL);
    let unasked = session.accept(&offer).unwrap();
    assert_eq!((unasked.rtcp_mux, unasked.remote_rtcp), (false, Some("198.51.100.7:4009".parse().unwrap())));
}
