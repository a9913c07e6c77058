//! What comes back to whom: not one byte to strangers, and to those whom we know no more than a bound that they can work out.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use auricle_media::engine::{Engine, EngineConfig};
use auricle_media::io::{Codec, Command, EngineEvent, Hop, Input, LegId, Output, Socket, Transport};

/// What a reply may have beyond twice its request: status line, our own headers, our description.
const REPLY_EXTRA: usize = 640;
/// Datagrams that one request may draw over all time, when nobody acknowledges anything: 100, 180, a final response, and ten
/// repetitions of it (RFC 3261 section 17.2.1: at 0.5, 1, 2, 4, 4, ... s, for 32 s).
const REPLIES_MAX: usize = 13;

const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";

#[allow(clippy::disallowed_methods, reason = "the origin of virtual time; only differences from it matter")]
fn origin() -> Instant {
    Instant::now()
}

/// A well-formed request as anybody could send it.
fn request(method: &str, headers: &str, body: &str) -> Vec<u8> {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!(
        "{method} sip:clinic@10.0.0.9 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK1;rport\r\n\
         From: <sip:100@10.0.0.1>;tag=a\r\nTo: <sip:100@10.0.0.9>\r\nCall-ID: probe\r\nCSeq: 1 {method}\r\n\
         Contact: <sip:100@10.0.0.1>\r\nMax-Forwards: 70\r\n{headers}{kind}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

/// What scanners and attackers send, and all messages of RFC 4475 and RFC 5118, with names.
fn probes() -> Vec<(String, Vec<u8>)> {
    let long = |count: usize| format!("X-Long: {}\r\n", "x".repeat(count));
    let plain: [(&str, Vec<u8>); 24] = [
        ("nothing", vec![]),
        ("one byte", vec![b'\r']),
        ("keep-alive", b"\r\n\r\n".to_vec()),
        ("zeros", vec![0; 4]),
        ("REGISTER", request("REGISTER", "Expires: 3600\r\n", "")),
        ("REGISTER with digest", request("REGISTER", "Authorization: Digest username=\"100\", realm=\"x\"\r\n", "")),
        ("INVITE", request("INVITE", "", OFFER)),
        ("INVITE without an offer", request("INVITE", "", "")),
        ("INVITE that requires", request("INVITE", "Require: a,b,c,d,e,f\r\n", OFFER)),
        ("INVITE with a long route", request("INVITE", &"Record-Route: <sip:10.0.0.7;lr>\r\n".repeat(30), OFFER)),
        ("OPTIONS", request("OPTIONS", "Accept: application/sdp\r\n", "")),
        ("BYE", request("BYE", "", "")),
        ("CANCEL", request("CANCEL", "", "")),
        ("ACK", request("ACK", "", "")),
        ("SUBSCRIBE", request("SUBSCRIBE", "Event: presence\r\n", "")),
        ("unknown method", request("PROBE", "", "")),
        ("short request", b"OPTIONS sip:a SIP/2.0\r\n\r\n".to_vec()),
        (
            "compact request",
            [b"OPTIONS sip:a SIP/2.0\r\n".as_slice(), &b"v:SIP/2.0/UDP h\r\ni:\r\n".repeat(60)].concat(),
        ),
        ("bad version", b"OPTIONS sip:a SIP/7.0\r\nVia: SIP/2.0/UDP h\r\n\r\n".to_vec()),
        ("response", b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKx\r\n\r\n".to_vec()),
        ("huge INVITE", request("INVITE", &long(60_000), OFFER)),
        ("beyond a datagram", request("INVITE", &long(80_000), OFFER)),
        ("huge garbage", vec![0xa5; 65_507]),
        ("STUN", [&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42][..], &[7; 12]].concat()),
    ];
    let mut probes: Vec<(String, Vec<u8>)> = plain.map(|(name, bytes)| (name.to_owned(), bytes)).into();
    for folder in ["rfc4475", "rfc5118"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let messages = files.filter(|path| path.extension().is_some_and(|extension| extension == "dat"));
        probes.extend(messages.map(|path| (path.display().to_string(), std::fs::read(&path).unwrap())));
    }
    assert_eq!(probes.len(), 24 + 49 + 12);
    probes
}

struct Bench {
    engine: Engine,
    now: Instant,
    /// Everything sent, over datagrams and connections: from which socket, to whom, how long.
    sent: Vec<(Socket, SocketAddr, usize)>,
    /// Connections closed.
    closed: usize,
    legs: Vec<LegId>,
}

impl Bench {
    fn new() -> Self {
        let engine = Engine::new(EngineConfig {
            sip_address: "10.0.0.9:5060".parse().unwrap(),
            tcp: Some("10.0.0.9:5060".parse().unwrap()),
            tls: None,
            rtp_ports: 20_000..=20_011,
            legs_max: 4,
            trusted: vec!["10.0.0.0/8".parse().unwrap()],
            phones: Vec::new(),
            algorithms: Vec::new(),
            spared: Vec::new(),
            codecs: vec![Codec::Pcmu, Codec::Pcma, Codec::G722],
            seed: [1; 32],
        });
        Self { engine, now: origin(), sent: Vec::new(), closed: 0, legs: Vec::new() }
    }

    fn give(&mut self, input: Input<'_>) {
        self.engine.handle(input, self.now);
        while let Some(output) = self.engine.poll() {
            match output {
                Output::Transmit { socket, remote, bytes } => self.sent.push((socket, remote, bytes.len())),
                Output::Send { hop, bytes, .. } => self.sent.push((Socket::Sip, hop.address, bytes.len())),
                Output::Close { .. } => self.closed += 1,
                Output::OpenPort(port) => self.engine.handle(Input::Port { port, opened: true }, self.now),
                Output::Event(EngineEvent::Incoming { leg, .. }) => self.legs.push(leg),
                _ => {}
            }
        }
    }

    fn datagram(&mut self, socket: Socket, remote: &str, bytes: &[u8]) {
        self.give(Input::Datagram { socket, remote: remote.parse().unwrap(), bytes });
    }

    fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some((at, _)) = self.engine.next_wake().filter(|(at, _)| *at <= until) {
            self.now = at;
            self.give(Input::Wake);
        }
        self.now = until;
    }

    fn octets(&self) -> usize {
        self.sent.iter().map(|(_, _, octets)| octets).sum()
    }
}

/// SEC-11: whatever an unknown source sends, to whichever socket, it gets not one byte back, at once or later, and nothing is
/// kept of it.
#[test]
fn strangers_get_not_one_byte() {
    for remote in ["203.0.113.66:5060", "[2001:db8::66]:5060", "11.0.0.1:5060", "127.0.0.1:5060"] {
        let mut bench = Bench::new();
        let mut count = 0;
        for (_, bytes) in probes() {
            bench.datagram(Socket::Sip, remote, &bytes);
            count += 1;
        }
        assert_eq!(bench.engine.counters().strangers, count, "{remote}: every one is counted");
        assert_eq!(bench.engine.next_wake(), None, "{remote}: and nothing is planned");
        bench.pass(Duration::from_secs(600));
        assert_eq!((bench.sent.len(), bench.engine.legs(), bench.legs.len()), (0, 0, 0), "{remote}");
    }
}

/// SEC-11: a stranger's connection is closed over its first bytes, without one of ours.
#[test]
fn strangers_get_not_one_byte_over_connections() {
    let probes = probes();
    let sent = probes.iter().filter(|(_, bytes)| !bytes.is_empty());
    for (name, bytes) in sent {
        let mut bench = Bench::new();
        let hop = Hop { transport: Transport::Tcp, address: "203.0.113.66:40000".parse().unwrap() };
        bench.give(Input::Stream { hop, bytes });
        bench.pass(Duration::from_secs(600));
        assert_eq!((bench.sent.len(), bench.closed, bench.engine.legs()), (0, 1, 0), "{name}");
    }
}

/// SEC-11: nor do strangers while a call is up, on its ports as on the SIP socket.
#[test]
fn strangers_get_not_one_byte_beside_a_call() {
    let mut bench = Bench::new();
    bench.datagram(Socket::Sip, "10.0.0.1:5060", &request("INVITE", "", OFFER));
    let leg = bench.legs[0];
    bench.give(Input::Command(Command::Answer { leg }));
    bench.sent.clear();
    for (name, bytes) in probes() {
        for socket in
            [Socket::Sip, Socket::Rtp(20_000), Socket::Rtcp(20_000), Socket::Rtp(20_002), Socket::Rtcp(20_002)]
        {
            bench.datagram(socket, "203.0.113.66:5060", &bytes);
            assert!(bench.sent.is_empty(), "{name} on {socket:?}");
        }
    }
    bench.pass(Duration::from_secs(2));
    assert!(bench.sent.len() > 90, "the call goes on");
    assert!(bench.sent.iter().all(|(_, remote, _)| remote.ip().to_string() == "10.0.0.1"), "to the caller alone");
}

/// SEC-12: a source that we know gets replies of at most twice its request and a constant, and if it never acknowledges
/// anything, a bounded number of them.
#[test]
fn replies_to_the_known_are_bounded_by_their_requests() {
    for (name, bytes) in probes() {
        let mut bench = Bench::new();
        bench.datagram(Socket::Sip, "10.0.0.1:5060", &bytes);
        let bound = 2 * bytes.len() + REPLY_EXTRA;
        assert!(bench.octets() <= bound, "{name}: {} octets at once for {}", bench.octets(), bytes.len());
        if let Some(leg) = bench.legs.first().copied() {
            bench.give(Input::Command(Command::Ring { leg }));
            bench.give(Input::Command(Command::Reject { leg, status: 486 }));
        }
        bench.pass(Duration::from_secs(600));
        assert!(bench.sent.len() <= REPLIES_MAX, "{name}: {} datagrams", bench.sent.len());
        assert!(bench.sent.iter().all(|(_, _, octets)| *octets <= bound), "{name}: {:?}", bench.sent);
        assert!(bench.sent.iter().all(|(_, remote, _)| remote.ip().to_string() == "10.0.0.1"), "{name}");
        assert_eq!(bench.engine.legs(), 0, "{name}");
    }
}

/// SEC-11: known and unknown names get equal replies, octet for octet but for the name, so that nothing can be found out by
/// asking.
#[test]
fn a_name_cannot_be_probed() {
    for method in ["OPTIONS", "REGISTER", "SUBSCRIBE", "BYE", "MESSAGE"] {
        let replies = ["clinic", "100200", "zzzzzz"].map(|name| {
            let mut bench = Bench::new();
            let text = String::from_utf8(request(method, "", "")).unwrap();
            let text = text.replace("sip:clinic@", &format!("sip:{name}@"));
            bench.datagram(Socket::Sip, "10.0.0.1:5060", text.as_bytes());
            bench.sent
        });
        assert_eq!(replies[0].len(), 1, "{method}");
        assert!(replies.iter().all(|reply| *reply == replies[0]), "{method}: {replies:?}");
    }
}
