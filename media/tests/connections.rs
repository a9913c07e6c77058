//! SIP connections through the engine: admission, framing, keep-alives.

#![allow(clippy::unwrap_used, clippy::panic)]
#![allow(clippy::disallowed_methods, reason = "the one reading of the clock; what it says is never looked at")]

use auricle_media::engine::{Engine, EngineConfig};
use auricle_media::io::{Codec, EngineEvent, Hop, Input, Output, Transport};
use std::time::Instant;

fn engine() -> Engine {
    Engine::new(EngineConfig {
        sip_address: "192.0.2.10:5060".parse().unwrap(),
        tcp: Some("192.0.2.10:5060".parse().unwrap()),
        tls: None,
        rtp_ports: 20000..=20199,
        calls_max: 8,
        trusted: vec!["198.51.100.0/24".parse().unwrap()],
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
            Output::Send { hop, name: None, bytes } => {
                let text = String::from_utf8(bytes).unwrap();
                left.push(format!("{} {:?}", hop.address, text.lines().next().unwrap()));
            }
            Output::Close { hop } => left.push(format!("{} closed", hop.address)),
            Output::Event(EngineEvent::Incoming { transport, .. }) => left.push(format!("a call over {transport:?}")),
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
