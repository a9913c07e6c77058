//! One datagram to a user agent that has a call up, one that rings and one of its own under way. `{tag}`, `{branch}`,
//! `{call}` and `{ours}` in the datagram stand for the numbers that these calls have, so that it can belong to them.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use auricle_media::io::{Codec, Hop};
use auricle_media::sip::agent::{
    AgentCommand, AgentConfig, AgentEvent, AgentInput, AgentOutput, Invite, InviteTo, ReferGoal, UserAgent,
};
use auricle_media::sip::digest::Algorithm;
use auricle_media::sip::message::Message;
use auricle_media::sip::parse;
use auricle_media::sip::sdp::{Sdp, Session};

use super::steps::{Names, fill};
use super::{Seen, origin, scale};

const PEER: &str = "198.51.100.7:5070";
const CALLS_MAX: usize = 8;
const TRANSACTIONS_MAX: usize = 32;
/// Datagrams and events that one datagram may cause.
const OUTPUTS_MAX: usize = 8;
/// What our replies to a datagram may have beyond four times its length: two of them, with our own headers and description
/// and those of the INVITE that the calls began with.
const REPLY_EXTRA: usize = 4_096;
/// Longest of all timers: nothing may be left after it.
const ALL_OVER: Duration = Duration::from_secs(900);
/// Times that an agent may want to be woken until all is over.
const WAKES_MAX: usize = 2_000;

struct World {
    agent: UserAgent,
    now: Instant,
    names: Names,
    seen: Seen,
}

pub fn run(bytes: &[u8]) -> u64 {
    let mut world = World::new();
    let datagram = fill(bytes, &world.names);
    // What the parser sees is worth telling apart here too.
    world.seen.note(super::message::run(&datagram));
    // Twice, as a retransmission has to find the same.
    for _ in 0..2 {
        let octets = world.give(&datagram);
        assert!(octets <= 4 * datagram.len() + REPLY_EXTRA, "{octets} octets for {}", datagram.len());
    }
    world.end();
    world.seen.number()
}

fn ours() -> Sdp {
    Session::new([192, 0, 2, 10].into(), 20_000, 7).offer(&[Codec::G722, Codec::Pcmu])
}

/// A request of the peer in the call `id`.
fn request(method: &str, id: &str, tag: &str, body: &str) -> String {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!(
        "{method} sip:clinic@192.0.2.10 SIP/2.0\r\nVia: SIP/2.0/UDP {PEER};branch=z9hG4bK{method}{id};rport\r\n\
         From: <sip:ann@example.org>;tag=a{id}\r\nTo: <sip:clinic@192.0.2.10>{tag}\r\nCall-ID: call{id}\r\n\
         CSeq: 1 {method}\r\nContact: <sip:ann@{PEER}>\r\nMax-Forwards: 70\r\n{kind}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

const OFFER: &str =
    "v=0\r\no=- 1 1 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n";

fn peer() -> Hop {
    Hop::udp(PEER.parse().expect("a constant"))
}

impl World {
    fn new() -> Self {
        let config = AgentConfig {
            local: SocketAddr::from(([192, 0, 2, 10], 5060)),
            tcp: None,
            tls: None,
            user_agent: "Auricle".into(),
            dialogs_max: CALLS_MAX,
            transactions_max: TRANSACTIONS_MAX,
            algorithms: vec![Algorithm::Sha256, Algorithm::Md5],
            seed: [1; 32],
        };
        let mut world =
            Self { agent: UserAgent::new(config), now: origin(), names: Names::default(), seen: Seen::default() };
        // The call that goes out comes first, so that the names of the others are those of the calls that come in.
        let invite = Invite {
            uri: format!("sip:bob@{PEER}"),
            to: InviteTo::Hop(peer()),
            from_user: "clinic".into(),
            sdp: ours(),
            identity: None,
            replaces: None,
            is_emergency: false,
        };
        world.agent.invite(invite, world.now).expect("there is room");
        world.drain();
        world.give(request("INVITE", "2", "", OFFER).as_bytes());
        world.give(request("INVITE", "1", "", OFFER).as_bytes());
        let tag = String::from_utf8_lossy(&world.names.tag).into_owned();
        world.give(request("ACK", "1", &format!(";tag={tag}"), "").as_bytes());
        // A transfer and a change of the session are under way in it. The names stay those of the call that goes out.
        let names = std::mem::take(&mut world.names);
        let dialog = auricle_media::sip::agent::DialogId(3);
        let to = ReferGoal::Address("sip:100@example.org".into());
        for command in [AgentCommand::Refer { dialog, to }, AgentCommand::Change { dialog }] {
            world.agent.handle(AgentInput::Command(command), world.now);
            world.drain();
        }
        world.names = names;
        world.seen = Seen::default();
        world
    }

    /// Gives a datagram and says how many octets were sent for it.
    fn give(&mut self, bytes: &[u8]) -> usize {
        self.agent.handle(AgentInput::Message { remote: peer(), bytes }, self.now);
        let (octets, outputs) = self.drain();
        assert!(outputs <= OUTPUTS_MAX, "{outputs} outputs for one datagram");
        octets
    }

    fn drain(&mut self) -> (usize, usize) {
        let (mut octets, mut outputs) = (0, 0);
        while let Some(output) = self.agent.poll() {
            outputs += 1;
            match output {
                AgentOutput::Transmit { bytes, .. } => {
                    octets += bytes.len();
                    let message = parse::message(&bytes);
                    self.seen.note(bytes.get(..11).map(<[u8]>::to_vec));
                    if let Ok(Message::Request(_)) | Ok(Message::Response(_)) = &message {
                        self.names.learn(&bytes);
                    } else {
                        assert!(bytes.starts_with(b"SIP/2.0 400 ") || bytes.starts_with(b"SIP/2.0 5"), "unreadable");
                    }
                }
                AgentOutput::Event(event) => {
                    self.seen.note(std::mem::discriminant(&event));
                    self.react(event);
                }
            }
            let (calls, transactions) = self.agent.load();
            assert!(
                calls <= CALLS_MAX && transactions <= TRANSACTIONS_MAX,
                "{calls} calls, {transactions} transactions"
            );
        }
        (octets, outputs)
    }

    /// The call whose Call-ID ends in 1 and every new one is answered; the second rings.
    fn react(&mut self, event: AgentEvent) {
        let command = match event {
            AgentEvent::Incoming { dialog, .. } if dialog.0 == 2 => AgentCommand::Ring { dialog },
            AgentEvent::Incoming { dialog, .. } => AgentCommand::Accept { dialog, sdp: ours() },
            AgentEvent::OfferDue { dialog } => AgentCommand::Offer { dialog, sdp: ours() },
            AgentEvent::Refer { dialog, .. } => AgentCommand::ReferProgress { dialog, status: 200 },
            AgentEvent::Offer { dialog, .. } => AgentCommand::AnswerOffer { dialog, sdp: Some(ours()) },
            _ => return,
        };
        self.agent.handle(AgentInput::Command(command), self.now);
    }

    /// Everybody hangs up or is given up, and nothing stays.
    fn end(&mut self) {
        let until = self.now + ALL_OVER;
        let mut wakes = 0;
        for id in 1..=self.agent.load().0 as u64 + 4 {
            let dialog = auricle_media::sip::agent::DialogId(id);
            self.agent.handle(AgentInput::Command(AgentCommand::Hangup { dialog }), self.now);
            self.drain();
        }
        while let Some(at) = self.agent.next_wake().filter(|at| *at <= until) {
            assert!(at >= self.now, "a wake in the past");
            self.now = at;
            self.agent.handle(AgentInput::Wake, at);
            self.drain();
            assert!(self.agent.next_wake().is_none_or(|next| next > at), "a wake that does not move on");
            wakes += 1;
            assert!(wakes < WAKES_MAX, "it wants to be woken for ever");
        }
        assert_eq!(self.agent.load(), (0, 0), "something stays");
        self.seen.note(scale(wakes));
    }
}
