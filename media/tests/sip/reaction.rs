//! What becomes of one datagram: read by the parser, given to a user agent, given to an engine.

use std::net::SocketAddr;
use std::time::Instant;

use auricle_media::engine::{Engine, EngineConfig};
use auricle_media::io::{Codec, EngineEvent, Input, Output, Socket};
use auricle_media::sip::message::Message;
use auricle_media::sip::parse::{self, Unreadable};

use crate::bench::{Bench, origin};

/// What the parser makes of a datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Read {
    /// A request.
    Request,
    /// A response.
    Response,
    /// A request that cannot be read, to be refused with this status.
    Bad(u16),
    /// Nothing that gets a reply.
    Noise,
}

/// What the far end and we have of it in the end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Answer {
    /// 100, and the call is told. A call, a transaction and a leg are kept.
    Call,
    /// This status; nothing is kept.
    Reply(u16),
    /// 100 and this status; a transaction is kept until the ACK comes or 32 s are over, no leg.
    Declined(u16),
    /// No byte; nothing is kept.
    Nothing,
}

/// A message of an RFC, and what has to come of it.
pub struct Row {
    pub section: &'static str,
    pub name: &'static str,
    pub bytes: &'static [u8],
    /// Its length in the RFC's archive.
    pub octets: usize,
    pub read: Read,
    pub answer: Answer,
    /// Why, where it is not what the RFC would have done first.
    pub why: &'static str,
}

pub fn read(bytes: &[u8]) -> Read {
    match parse::message(bytes) {
        Ok(Message::Request(_)) => Read::Request,
        Ok(Message::Response(_)) => Read::Response,
        Err(Unreadable::Request(bad)) => Read::Bad(bad.status),
        Err(Unreadable::Dropped(_) | Unreadable::KeepAlive) => Read::Noise,
    }
}

/// An engine at `local` that trusts everybody.
pub fn engine(local: SocketAddr) -> Engine {
    Engine::new(EngineConfig {
        sip_address: local,
        tcp: None,
        tls: None,
        rtp_ports: 20_000..=20_199,
        legs_max: 8,
        trusted: vec!["0.0.0.0/0".parse().unwrap(), "::/0".parse().unwrap()],
        phones: Vec::new(),
        algorithms: Vec::new(),
        spared: Vec::new(),
        codecs: vec![Codec::Pcmu, Codec::Pcma, Codec::G722],
        seed: [1; 32],
    })
}

/// Statuses sent, and how many calls were told, by an engine that gets this datagram.
pub fn statuses(engine: &mut Engine, remote: SocketAddr, bytes: &[u8], now: Instant) -> (Vec<u16>, usize) {
    let (mut sent, mut calls) = (Vec::new(), 0);
    engine.handle(Input::Datagram { socket: Socket::Sip, remote, bytes }, now);
    while let Some(output) = engine.poll() {
        match output {
            Output::Transmit { socket, remote: to, bytes } => {
                assert_eq!((socket, to.ip()), (Socket::Sip, remote.ip()), "a reply goes to who asked");
                let status = bytes.strip_prefix(b"SIP/2.0 ").expect("only responses are sent");
                sent.push(std::str::from_utf8(&status[..3]).unwrap().parse().unwrap());
            }
            Output::OpenPort(port) => engine.handle(Input::Port { port, opened: true }, now),
            Output::Event(EngineEvent::Incoming { .. }) => calls += 1,
            Output::ClosePort(_) | Output::Event(_) => {}
            other => panic!("{other:?}"),
        }
    }
    (sent, calls)
}

impl Row {
    /// Checks the row against parser, user agent and engine, for a message from `remote` to us at `local`, which on the wire
    /// is `bytes`.
    pub fn check(&self, bytes: &[u8], remote: &str, local: &str) {
        let Self { section, name, octets, .. } = self;
        assert_eq!(self.bytes.len(), *octets, "{name} is not what the RFC holds");
        assert_eq!(read(bytes), self.read, "{section} {name}: how it is read");

        let mut bench = Bench::new();
        bench.bytes_from(remote, bytes);
        let kept = match self.answer {
            Answer::Call | Answer::Declined(_) => (1, 1),
            Answer::Reply(_) | Answer::Nothing => (0, 0),
        };
        assert_eq!(bench.agent.load(), kept, "{section} {name}: calls and transactions kept");
        assert_eq!(bench.agent.dropped(), u64::from(self.answer == Answer::Nothing), "{section} {name}: counted");
        bench.pass_ms(600_000);
        assert_eq!(bench.agent.load(), (0, 0), "{section} {name}: and let go in the end");

        let (now, remote) = (origin(), remote.parse().unwrap());
        let mut engine = engine(local.parse().unwrap());
        let told = statuses(&mut engine, remote, bytes, now);
        let (expected, legs) = match self.answer {
            Answer::Call => ((vec![100], 1), 1),
            Answer::Reply(status) => ((vec![status], 0), 0),
            Answer::Declined(status) => ((vec![100, status], 0), 0),
            Answer::Nothing => ((vec![], 0), 0),
        };
        assert_eq!((told, engine.legs()), (expected, legs), "{section} {name}: what the engine does");
        let next = crate::bench::invite("next");
        assert_eq!(
            statuses(&mut engine, remote, next.as_bytes(), now),
            (vec![100], 1),
            "{name}: the next call comes through"
        );
    }
}

/// A table of messages from files beside the tests.
macro_rules! rows {
    ($folder:literal: $($section:literal $name:literal $octets:literal $read:expr, $answer:expr, $why:expr;)*) => {
        [$($crate::reaction::Row {
            section: $section,
            name: $name,
            bytes: include_bytes!(concat!("../", $folder, "/", $name, ".dat")),
            octets: $octets,
            read: $read,
            answer: $answer,
            why: $why,
        },)*]
    };
}
pub(crate) use rows;
