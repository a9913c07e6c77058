//! SIP connections and trunks through the engine: admission, framing, keep-alives, certificates' names.

#![allow(clippy::unwrap_used, clippy::panic)]
#![allow(clippy::disallowed_methods, reason = "the one reading of the clock; what it says is never looked at")]

use auricle_media::engine::{Engine, EngineConfig};
use auricle_media::io::{
    Codec, Command, DialTo, EngineEvent, Hop, IdentityHeader, Input, LegEnd, LegId, Output, Protection, Socket,
    Transport, Trunk, TrunkId, TrunkState,
};
use proptest::prelude::*;
use std::sync::Arc;
use std::time::{Duration, Instant};

fn engine() -> Engine {
    Engine::new(EngineConfig {
        sip_address: "192.0.2.10:5060".parse().unwrap(),
        tcp: Some("192.0.2.10:5060".parse().unwrap()),
        tls: None,
        rtp_ports: 20000..=20199,
        legs_max: 8,
        trusted: vec!["198.51.100.0/24".parse().unwrap()],
        phones: Vec::new(),
        algorithms: Vec::new(),
        spared: Vec::new(),
        codecs: vec![Codec::Pcmu],
        seed: [1; 32],
    })
}

fn hop(address: &str) -> Hop {
    Hop { transport: Transport::Tcp, address: address.parse().unwrap() }
}

const PEER: &str = "198.51.100.7:49152";

fn options(id: u32) -> String {
    format!(
        "OPTIONS sip:192.0.2.10 SIP/2.0\r\nVia: SIP/2.0/TCP 198.51.100.7;branch=z9hG4bK{id}\r\n\
         From: <sip:a@b>;tag=1\r\nTo: <sip:c@d>\r\nCall-ID: {id}\r\nCSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
    )
}

/// What left: first lines over connections, and which were closed.
fn left(engine: &mut Engine) -> Vec<String> {
    let mut left = Vec::new();
    while let Some(output) = engine.poll() {
        match output {
            Output::Send { hop, name, bytes } => {
                let text = String::from_utf8(bytes).unwrap();
                let name = name.map(|name| format!(" ({name})")).unwrap_or_default();
                left.push(format!("{}{name} {:?}", hop.address, text.lines().next().unwrap()));
            }
            Output::Close { hop } => left.push(format!("{} closed", hop.address)),
            Output::Event(event) => left.push(format!("{event:?}")),
            Output::Transmit { socket: Socket::Sip, remote, bytes } => {
                left.push(format!("{remote} {:?}", String::from_utf8(bytes).unwrap().lines().next().unwrap()));
            }
            Output::Transmit { .. } | Output::ClosePort(_) => {}
            Output::OpenPort(port) => engine.handle(Input::Port { port, opened: true }, Instant::now()),
            other => panic!("{other:?}"),
        }
    }
    left
}

#[test]
fn requests_on_a_connection_are_answered_in_order_however_they_are_cut() {
    let bytes = format!("\r\n\r\n{}{}\r\n\r\n{}", options(1), options(2), options(3)).into_bytes();
    let now = Instant::now();
    let expected: Vec<String> = ["", "SIP/2.0 200 OK", "SIP/2.0 200 OK", "", "SIP/2.0 200 OK"]
        .iter()
        .map(|line| format!("{PEER} {line:?}"))
        .collect();
    for size in [1, 7, 100, bytes.len()] {
        let mut engine = engine();
        let mut found = Vec::new();
        for bytes in bytes.chunks(size) {
            engine.handle(Input::Stream { hop: hop(PEER), bytes }, now);
            found.extend(left(&mut engine));
        }
        assert_eq!(found, expected, "cut every {size} bytes");
    }
}

/// SEC-11: a stranger's connection is closed unread.
#[test]
fn a_strangers_connection_is_closed_unread() {
    let mut engine = engine();
    let now = Instant::now();
    let stranger = "203.0.113.5:4000";
    assert!(engine.admits("198.51.100.7".parse().unwrap(), now) && !engine.admits("203.0.113.5".parse().unwrap(), now));
    engine.handle(Input::Stream { hop: hop(stranger), bytes: options(1).as_bytes() }, now);
    assert_eq!(left(&mut engine), [format!("{stranger} closed")]);
    assert_eq!((engine.counters().strangers, engine.counters().not_sip), (1, 0));
}

#[test]
fn what_is_no_sip_ends_its_connection_and_no_other() {
    let mut engine = engine();
    let now = Instant::now();
    let (web, phone) = (hop(PEER), hop("198.51.100.8:4000"));
    let request = options(1);
    let (first, second) = request.as_bytes().split_at(40);
    engine.handle(Input::Stream { hop: phone, bytes: first }, now);
    engine.handle(Input::Stream { hop: web, bytes: b"GET / HTTP/1.1\r\n" }, now);
    assert_eq!(left(&mut engine), [format!("{PEER} closed")]);
    engine.handle(Input::Stream { hop: phone, bytes: second }, now);
    assert_eq!(left(&mut engine), ["198.51.100.8:4000 \"SIP/2.0 200 OK\""]);
    // A new connection from the same place begins anew; so does one after a close in the midst of a message.
    engine.handle(Input::Stream { hop: web, bytes: first }, now);
    engine.handle(Input::Closed { hop: web }, now);
    engine.handle(Input::Stream { hop: web, bytes: request.as_bytes() }, now);
    assert_eq!(left(&mut engine), [format!("{PEER} \"SIP/2.0 200 OK\"")]);
    assert_eq!(engine.counters().not_sip, 1);
}

#[test]
fn one_flood_over_a_connection_is_cut_to_its_rate() {
    let mut engine = engine();
    let now = Instant::now();
    let flood = "\r\n\r\n".repeat(10_000);
    engine.handle(Input::Stream { hop: hop(PEER), bytes: flood.as_bytes() }, now);
    assert_eq!((left(&mut engine).len(), engine.counters().too_many), (4_000, 6_000));
}

const TRUNK: &str = "203.0.113.1:5061";

fn trunk() -> Trunk {
    Trunk {
        id: TrunkId(7),
        hops: vec![Hop { transport: Transport::Tls, address: TRUNK.parse().unwrap() }],
        name: Some(Arc::from("sip.example.org")),
        domain: "example.org".into(),
        user: "clinic".into(),
        credentials: None,
        register_s: Some(600),
        probe_s: None,
        sources: vec!["203.0.113.64/26".parse().unwrap()],
        protection: Protection::Optional,
        identity: IdentityHeader::None,
        address: None,
    }
}

fn admits(engine: &Engine, address: &str, now: Instant) -> bool {
    engine.admits(address.parse().unwrap(), now)
}

/// Lets time pass, waking the engine exactly when it asks for it; says what left.
fn pass(engine: &mut Engine, now: &mut Instant, time: Duration) -> Vec<String> {
    let until = *now + time;
    let mut found = Vec::new();
    while let Some((at, _)) = engine.next_wake().filter(|(at, _)| *at <= until) {
        *now = at;
        engine.handle(Input::Wake, at);
        found.extend(left(engine));
    }
    *now = until;
    found
}

/// SEC-11: a trunk is let in by being configured, and stays so for the calls that it still has when it is removed.
#[test]
fn the_door_knows_the_trunks() {
    let mut now = Instant::now();
    let mut engine = engine();
    let (hop, source) = ("203.0.113.1", "203.0.113.65");
    assert!(!admits(&engine, hop, now) && !admits(&engine, source, now));
    engine.handle(Input::Command(Command::Trunks(vec![Trunk { register_s: None, ..trunk() }])), now);
    assert!(admits(&engine, hop, now) && admits(&engine, source, now) && !admits(&engine, "203.0.113.2", now));
    left(&mut engine);
    engine.handle(Input::Command(Command::Trunks(Vec::new())), now);
    assert_eq!(left(&mut engine), ["Trunk { trunk: TrunkId(7), state: Gone }"]);
    assert!(admits(&engine, hop, now), "its answers are awaited");
    now += Duration::from_secs(33);
    assert!(!admits(&engine, hop, now) && !admits(&engine, source, now));

    engine.handle(Input::Command(Command::Trunks(vec![Trunk { register_s: None, ..trunk() }])), now);
    left(&mut engine);
    let offer =
        "v=0\r\no=- 1 1 IN IP4 203.0.113.65\r\ns=-\r\nc=IN IP4 203.0.113.65\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n";
    let remote = "203.0.113.65:5060".parse().unwrap();
    let message = |method: &str, cseq: u32, tag: &str, headers: &str, body: &str| {
        format!(
            "{method} sip:clinic@192.0.2.10 SIP/2.0\r\nVia: SIP/2.0/UDP 203.0.113.65;branch=z9hG4bK{method}\r\n\
             From: <sip:ann@example.org>;tag=1\r\nTo: <sip:clinic@192.0.2.10>{tag}\r\nCall-ID: c\r\nCSeq: {cseq} {method}\r\n\
             Contact: <sip:ann@203.0.113.65>\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let asserted =
        "Content-Type: application/sdp\r\nP-Asserted-Identity: <tel:+4201;verstat=TN-Validation-Passed-A>\r\n";
    let text = message("INVITE", 1, "", asserted, offer);
    engine.handle(Input::Datagram { socket: Socket::Sip, remote, bytes: text.as_bytes() }, now);
    let told = left(&mut engine).pop().unwrap();
    assert!(told.starts_with("Incoming") && told.contains("transport: Udp, entrance: Trunk(TrunkId(7)), "), "{told}");
    assert!(told.contains("from: \"+4201\"") && told.contains("check: Passed, level: Some(A)"), "{told}");
    // Who is no trunk may call, and vouches for nobody.
    let (text, other) =
        (text.replace("203.0.113.65", "198.51.100.7").replace("Call-ID: c", "Call-ID: d"), "198.51.100.7:5060");
    engine.handle(Input::Datagram { socket: Socket::Sip, remote: other.parse().unwrap(), bytes: text.as_bytes() }, now);
    let told = left(&mut engine).pop().unwrap();
    let believed = "identity: CallerIdentity { asserted: None, diverted_from: None, attestation: None }";
    assert!(told.contains("from: \"ann\"") && told.contains(believed), "{told}");
    engine.handle(Input::Command(Command::Hangup { leg: LegId(2) }), now);
    left(&mut engine);
    engine.handle(Input::Command(Command::Answer { leg: LegId(1) }), now);
    let mut tag = String::new();
    while let Some(output) = engine.poll() {
        if let Output::Transmit { bytes, .. } = output {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            tag = text
                .lines()
                .find(|line| line.starts_with("To:"))
                .and_then(|to| to.split(";tag=").nth(1))
                .unwrap()
                .into();
        }
    }
    let tag = format!(";tag={tag}");
    let ack = message("ACK", 1, &tag, "", "");
    engine.handle(Input::Datagram { socket: Socket::Sip, remote, bytes: ack.as_bytes() }, now);
    engine.handle(Input::Command(Command::Trunks(Vec::new())), now);
    pass(&mut engine, &mut now, Duration::from_secs(20));
    pass(&mut engine, &mut now, Duration::from_secs(9));
    assert!(admits(&engine, source, now) && !admits(&engine, "203.0.113.2", now));
    let bye = message("BYE", 2, &tag, "", "");
    engine.handle(Input::Datagram { socket: Socket::Sip, remote, bytes: bye.as_bytes() }, now);
    let told = left(&mut engine);
    assert!(told.iter().any(|line| line.contains("Ended") && line.contains("RemoteHangup")), "{told:?}");
    assert!(!admits(&engine, source, now), "with its last call it is a stranger");
}

/// The name goes with every message to a TLS hop of a trunk; the answer to our question is no question.
#[test]
fn a_trunk_over_tls_is_registered_called_and_kept_open() {
    let mut now = Instant::now();
    let mut engine = engine();
    let hop = trunk().hops[0];
    engine.handle(Input::Command(Command::Trunks(vec![trunk()])), now);
    let mut register = String::new();
    let mut told = Vec::new();
    while let Some(output) = engine.poll() {
        match output {
            Output::Send { hop: to, name: Some(name), bytes } => {
                assert_eq!((to, &*name), (hop, "sip.example.org"));
                register = String::from_utf8(bytes).unwrap();
            }
            Output::Event(EngineEvent::Trunk { trunk: TrunkId(7), state }) => told.push(state),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(told, [TrunkState::Trying]);
    let head: String = register
        .lines()
        .filter(|line| ["Via", "From", "To", "Call", "CSeq"].iter().any(|name| line.starts_with(name)))
        .map(|line| format!("{line}\r\n"))
        .collect();
    let ok = format!("SIP/2.0 200 OK\r\n{head}Expires: 600\r\nContent-Length: 0\r\n\r\n");
    engine.handle(Input::Stream { hop, bytes: ok.as_bytes() }, now);
    let ready = TrunkState::Ready { registered_s: Some(600), hop };
    assert_eq!(left(&mut engine), [format!("{:?}", EngineEvent::Trunk { trunk: TrunkId(7), state: ready })]);
    assert_eq!(pass(&mut engine, &mut now, Duration::from_secs(25)), [format!("{TRUNK} (sip.example.org) \"\"")]);
    engine.handle(Input::Stream { hop, bytes: b"\r\n" }, now);
    engine.handle(Input::Stream { hop, bytes: b"\r\n" }, now);
    assert_eq!(left(&mut engine), [""; 0], "an answer, and half a question");
    let dial = |trunk| Command::Dial {
        tag: 1,
        uri: "+420123456789".into(),
        to: DialTo::Trunk(TrunkId(trunk)),
        from: String::new(),
        codecs: vec![Codec::Pcmu],
        identity: None,
        replaces: None,
        is_emergency: false,
    };
    engine.handle(Input::Command(dial(7)), now);
    let expected = format!("{TRUNK} (sip.example.org) \"INVITE sip:+420123456789@example.org SIP/2.0\"");
    assert_eq!(left(&mut engine), ["Dialing { tag: 1, leg: LegId(1) }".into(), expected]);
    engine.handle(Input::Command(dial(8)), now);
    let ended = EngineEvent::Ended { leg: LegId(2), cause: LegEnd::Protocol };
    assert_eq!(left(&mut engine), ["Dialing { tag: 1, leg: LegId(2) }".into(), format!("{ended:?}")]);
    // The server was about to close the connection: the call goes out once more over a new one.
    engine.handle(Input::Closed { hop }, now);
    let told = left(&mut engine);
    let counts = |told: &[String], word: &str| told.iter().filter(|line| line.contains(word)).count();
    assert_eq!((counts(&told, "INVITE"), counts(&told, "Trying"), counts(&told, "Ended")), (1, 1, 0), "{told:?}");
    engine.handle(Input::Closed { hop }, now);
    let told = left(&mut engine);
    assert!(told.iter().any(|line| line.contains("Ended") && line.contains("Timeout")), "{told:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Bytes that nobody meant on one connection: nothing panics, and the one beside it is served.
    #[test]
    fn garbage_on_one_connection_leaves_the_others_alone(
        changes in proptest::collection::vec((any::<u16>(), any::<u8>()), 0..8),
        size in 1_usize..200,
    ) {
        let now = Instant::now();
        let mut engine = engine();
        let mut bytes = format!("{}{}", options(1), options(2)).into_bytes();
        for (at, byte) in changes {
            let at = usize::from(at) % bytes.len();
            bytes[at] = byte;
        }
        for bytes in bytes.chunks(size) {
            engine.handle(Input::Stream { hop: hop("198.51.100.9:4000"), bytes }, now);
        }
        while engine.poll().is_some() {}
        engine.handle(Input::Stream { hop: hop(PEER), bytes: options(3).as_bytes() }, now);
        prop_assert_eq!(left(&mut engine), [format!("{PEER} \"SIP/2.0 200 OK\"")]);
        engine.handle(Input::Closed { hop: hop("198.51.100.9:4000") }, now);
        engine.handle(Input::Stream { hop: hop("198.51.100.9:4000"), bytes: options(4).as_bytes() }, now);
        prop_assert_eq!(left(&mut engine), ["198.51.100.9:4000 \"SIP/2.0 200 OK\""]);
    }
}
