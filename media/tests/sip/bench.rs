//! One agent on virtual time, and a hand-driven peer that speaks to it in plain text.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use auricle_media::io::{Codec, Hop};
use auricle_media::sip::agent::{
    AgentCommand, AgentConfig, AgentEvent, AgentInput, AgentOutput, DialogId, Invite, InviteTo, UserAgent,
};
use auricle_media::sip::digest::Algorithm;
use auricle_media::sip::message::{Message, Request, Response};
use auricle_media::sip::parse;
use auricle_media::sip::sdp::{Sdp, Session};

pub const OURS: &str = "192.0.2.10:5060";
pub const PEER: &str = "198.51.100.7:5070";

pub const OFFER: &str = "v=0\r\no=- 1 1 IN IP4 198.51.100.7\r\ns=-\r\nc=IN IP4 198.51.100.7\r\nt=0 0\r\n\
    m=audio 40000 RTP/AVP 0 8 101\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:101 telephone-event/8000\r\n";

pub struct Bench {
    pub agent: UserAgent,
    pub start: Instant,
    pub now: Instant,
    pub sent: Vec<(SocketAddr, Vec<u8>)>,
    /// Where the messages in `sent` went.
    pub hops: Vec<Hop>,
    pub events: Vec<AgentEvent>,
}

pub fn config() -> AgentConfig {
    AgentConfig {
        local: OURS.parse().unwrap(),
        tcp: None,
        tls: None,
        user_agent: "Auricle".into(),
        dialogs_max: 16,
        transactions_max: 64,
        algorithms: vec![Algorithm::Sha256, Algorithm::Md5],
        seed: [1; 32],
    }
}

pub fn our_sdp() -> Sdp {
    Session::new("192.0.2.10".parse().unwrap(), 20_000, 7).offer(&[Codec::G722, Codec::Pcmu])
}

/// When virtual time begins.
#[allow(clippy::disallowed_methods, reason = "the origin of virtual time; only differences from it matter")]
pub fn origin() -> Instant {
    Instant::now()
}

impl Bench {
    pub fn new() -> Self {
        Self::with(config())
    }

    pub fn with(config: AgentConfig) -> Self {
        let now = origin();
        Self { agent: UserAgent::new(config), start: now, now, sent: Vec::new(), hops: Vec::new(), events: Vec::new() }
    }

    pub fn drain(&mut self) {
        while let Some(output) = self.agent.poll() {
            match output {
                AgentOutput::Transmit { remote, bytes } => {
                    self.sent.push((remote.address, bytes));
                    self.hops.push(remote);
                }
                AgentOutput::Event(event) => self.events.push(event),
            }
        }
    }

    pub fn bytes_from(&mut self, remote: &str, bytes: &[u8]) {
        self.message(Hop::udp(remote.parse().unwrap()), bytes);
    }

    pub fn message(&mut self, remote: Hop, bytes: &[u8]) {
        self.agent.handle(AgentInput::Message { remote, bytes }, self.now);
        self.drain();
    }

    pub fn closed(&mut self, hop: Hop) {
        self.agent.handle(AgentInput::Closed { hop }, self.now);
        self.drain();
    }

    pub fn receive(&mut self, text: &str) {
        self.bytes_from(PEER, text.as_bytes());
    }

    pub fn command(&mut self, command: AgentCommand) {
        self.agent.handle(AgentInput::Command(command), self.now);
        self.drain();
    }

    pub fn dial(&mut self) -> DialogId {
        let invite = Invite {
            uri: format!("sip:bob@{PEER}"),
            to: InviteTo::Hop(Hop::udp(PEER.parse().unwrap())),
            from_user: "clinic".into(),
            sdp: our_sdp(),
            identity: None,
            replaces: None,
            is_emergency: false,
        };
        let dialog = self.agent.invite(invite, self.now).unwrap();
        self.drain();
        dialog
    }

    /// Lets time pass, waking the agent exactly when it asks for it.
    pub fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while let Some(at) = self.agent.next_wake().filter(|at| *at <= until) {
            assert!(at >= self.now, "a wake in the past");
            self.now = at;
            self.agent.handle(AgentInput::Wake, at);
            self.drain();
            assert!(self.agent.next_wake().is_none_or(|next| next > at), "a wake that does not move on");
        }
        self.now = until;
    }

    pub fn pass_ms(&mut self, ms: u64) {
        self.pass(Duration::from_millis(ms));
    }

    pub fn at_ms(&self) -> u128 {
        (self.now - self.start).as_millis()
    }

    /// What was sent since the last look, as messages.
    pub fn messages(&mut self) -> Vec<Message> {
        self.hops.clear();
        self.sent.drain(..).map(|(_, bytes)| parse::message(&bytes).expect("we send what we can read")).collect()
    }

    /// What was sent since the last look: statuses and methods.
    pub fn took(&mut self) -> String {
        let word = |message: Message| match message {
            Message::Request(request) => request.method.to_string(),
            Message::Response(response) => {
                format!("{}/{}", response.status, response.head.cseq.method)
            }
        };
        self.messages().into_iter().map(word).collect::<Vec<_>>().join(" ")
    }

    /// The one response sent since the last look.
    pub fn response(&mut self) -> Response {
        let messages = self.messages();
        match messages.as_slice() {
            [Message::Response(response)] => response.clone(),
            other => panic!("not one response: {other:?}"),
        }
    }

    /// The last response sent since the last look.
    pub fn last_response(&mut self) -> Response {
        match self.messages().pop() {
            Some(Message::Response(response)) => response,
            other => panic!("no response: {other:?}"),
        }
    }

    /// The first request of this method sent since the last look.
    pub fn request(&mut self, method: &str) -> Request {
        let requests = self.messages().into_iter().filter_map(|message| match message {
            Message::Request(request) if request.method.name() == method => Some(request),
            _ => None,
        });
        requests.into_iter().next().unwrap_or_else(|| panic!("no {method}"))
    }

    pub fn events(&mut self) -> Vec<AgentEvent> {
        self.events.drain(..).collect()
    }

    /// The one event since the last look.
    pub fn event(&mut self) -> AgentEvent {
        let events = self.events();
        match events.as_slice() {
            [event] => event.clone(),
            other => panic!("not one event: {other:?}"),
        }
    }

    /// An incoming call, up to `Incoming`.
    pub fn ring_in(&mut self) -> DialogId {
        self.receive(&invite("1"));
        match self.event() {
            AgentEvent::Incoming { dialog, .. } => dialog,
            other => panic!("{other:?}"),
        }
    }

    /// An incoming call, answered and confirmed; returns our tag too.
    pub fn call_in(&mut self) -> (DialogId, String) {
        let dialog = self.ring_in();
        self.command(AgentCommand::Accept { dialog, sdp: our_sdp() });
        let tag = self.last_response().head.to.tag().unwrap().to_owned();
        self.receive(&within("ACK", 1, &tag, "ack1", "", ""));
        assert_eq!(self.events(), [AgentEvent::Confirmed { dialog, answer: None }]);
        (dialog, tag)
    }
}

/// An INVITE from the peer; `id` makes it a call of its own.
pub fn invite(id: &str) -> String {
    invite_with(id, "", OFFER)
}

pub fn invite_with(id: &str, headers: &str, body: &str) -> String {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!(
        "INVITE sip:clinic@192.0.2.10 SIP/2.0\r\nVia: SIP/2.0/UDP {PEER};branch=z9hG4bKinv{id};rport\r\n\
         From: \"Ann\" <sip:ann@example.org>;tag=ann{id}\r\nTo: <sip:clinic@192.0.2.10>\r\nCall-ID: call{id}\r\n\
         CSeq: 1 INVITE\r\nContact: <sip:ann@{PEER}>\r\nMax-Forwards: 70\r\n{headers}{kind}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// CANCEL of that INVITE.
pub fn cancel(id: &str) -> String {
    format!(
        "CANCEL sip:clinic@192.0.2.10 SIP/2.0\r\nVia: SIP/2.0/UDP {PEER};branch=z9hG4bKinv{id};rport\r\n\
         From: \"Ann\" <sip:ann@example.org>;tag=ann{id}\r\nTo: <sip:clinic@192.0.2.10>\r\nCall-ID: call{id}\r\n\
         CSeq: 1 CANCEL\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
    )
}

/// A request of the peer within call `1`.
pub fn within(method: &str, cseq: u32, our_tag: &str, branch: &str, headers: &str, body: &str) -> String {
    format!(
        "{method} sip:clinic@{OURS} SIP/2.0\r\nVia: SIP/2.0/UDP {PEER};branch=z9hG4bK{branch};rport\r\n\
         From: \"Ann\" <sip:ann@example.org>;tag=ann1\r\nTo: <sip:clinic@192.0.2.10>;tag={our_tag}\r\nCall-ID: call1\r\n\
         CSeq: {cseq} {method}\r\nContact: <sip:ann@{PEER}>\r\nMax-Forwards: 70\r\n{headers}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The peer's response to a request of ours.
pub fn answer(request: &Request, status: u16, tag: &str, headers: &str, body: &str) -> String {
    let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    let head = &request.head;
    let tag = if tag.is_empty() { String::new() } else { format!(";tag={tag}") };
    format!(
        "SIP/2.0 {status} x\r\nVia: {}\r\nFrom: {}\r\nTo: {}{tag}\r\nCall-ID: {}\r\nCSeq: {}\r\n\
         Contact: <sip:bob@{PEER}>\r\n{headers}{kind}Content-Length: {}\r\n\r\n{body}",
        head.top_via(),
        head.from,
        head.to,
        head.call_id,
        head.cseq,
        body.len()
    )
}
