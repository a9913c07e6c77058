//! Step tables: one call, and line by line what the far end does, what we want, what has to leave and what has to be told.
//!
//! A line is `far METHOD [headers]` (a request of the far end), `ok`/`486 [headers]` (its response to our last request), `ack`
//! (its ACK to our last 2xx), `wait MS`, `sent WORDS` (exactly this has left since the last look), `told WORDS` (exactly this
//! was told since), or a word that the table knows itself. Headers are separated by `|`.

use auricle_media::io::Codec;
use auricle_media::sip::agent::{AgentCommand, AgentEnd, AgentEvent, DialogId};
use auricle_media::sip::message::{Head, Message, Request, Response};
use auricle_media::sip::sdp::{Agreed, Sdp, Session};

use crate::bench::{Bench, OFFER, PEER, answer, invite_with};

/// Who placed the call.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Placed {
    ByUs,
    ByThem,
}

pub struct Script {
    pub bench: Bench,
    pub dialog: DialogId,
    pub session: Session,
    pub agreed: Agreed,
    /// Whether the next offer of ours holds.
    pub holds: bool,
    /// Our last request that was no ACK.
    pub asked: Option<Request>,
    /// Our last response.
    pub answered: Option<Response>,
    /// The descriptions that we have sent.
    pub described: Vec<Sdp>,
    call_id: String,
    our_tag: String,
    their_tag: &'static str,
    cseq: u32,
    sent: Vec<String>,
    told: Vec<String>,
    place: String,
}

pub const SESSION: &str = "Supported: timer|Session-Expires: 600;refresher=uac";

impl Script {
    /// A call that is up; headers go into the far end's INVITE or its 200.
    pub fn new(placed: Placed, headers: &str) -> Self {
        let headers = lines(headers);
        let mut bench = Bench::new();
        let mut session = Session::new("192.0.2.10".parse().unwrap(), 20_000, 7);
        let codecs = [Codec::Pcmu, Codec::Pcma];
        let offer = Sdp::parse(OFFER.as_bytes()).unwrap();
        let (dialog, call_id, our_tag, their_tag, agreed) = match placed {
            Placed::ByThem => {
                bench.receive(&invite_with("1", &headers, OFFER));
                let AgentEvent::Incoming { dialog, .. } = bench.event() else { panic!() };
                let (sdp, agreed) = session.answer(&offer, &codecs).unwrap();
                bench.command(AgentCommand::Accept { dialog, sdp });
                let tag = bench.last_response().head.to.tag().unwrap().to_owned();
                (dialog, "call1".to_owned(), tag, "ann1", agreed)
            }
            Placed::ByUs => {
                session.offer(&codecs);
                let dialog = bench.dial();
                let invite = bench.request("INVITE");
                bench.receive(&answer(&invite, 200, "bob", &headers, OFFER));
                let agreed = session.accept(&offer).unwrap();
                (dialog, invite.head.call_id.clone(), invite.head.from.tag().unwrap().to_owned(), "bob", agreed)
            }
        };
        let mut script = Self {
            bench,
            dialog,
            session,
            agreed,
            holds: true,
            asked: None,
            answered: None,
            described: Vec::new(),
            call_id,
            our_tag,
            their_tag,
            cseq: 1,
            sent: Vec::new(),
            told: Vec::new(),
            place: String::new(),
        };
        if placed == Placed::ByThem {
            script.ack();
        }
        script.look();
        (script.sent, script.told) = (Vec::new(), Vec::new());
        script
    }

    /// Runs the lines; `extra` knows the words that are none of ours.
    pub fn run(&mut self, name: &str, steps: &[&str], extra: impl Fn(&mut Self, &str)) {
        for (at, step) in steps.iter().enumerate() {
            self.step(&format!("{name}, step {at}: {step}"), step, &extra);
        }
        assert_eq!((self.sent.join(" "), self.told.join(" ")), Default::default(), "{}: and more", self.place);
    }

    /// Runs one line, whatever is sent and told for it.
    pub fn quietly(&mut self, name: &str, step: &str, extra: impl Fn(&mut Self, &str)) {
        self.step(&format!("{name}: {step}"), step, &extra);
        (self.sent, self.told) = (Vec::new(), Vec::new());
    }

    fn step(&mut self, place: &str, step: &str, extra: &impl Fn(&mut Self, &str)) {
        self.place = place.to_owned();
        let (word, rest) = step.split_once(' ').unwrap_or((step, ""));
        match word {
            "far" => self.far(rest),
            "ok" => self.respond(200, rest),
            "ack" => self.ack(),
            "wait" => self.bench.pass_ms(rest.parse().unwrap()),
            "sent" => {
                let sent = std::mem::take(&mut self.sent).join(" ");
                assert_eq!(sent, rest, "{}", self.place);
            }
            "told" => {
                let told = std::mem::take(&mut self.told).join(" ");
                assert_eq!(told, rest, "{}", self.place);
            }
            // A header of our last request or response, or the first line of its body.
            "asked" => self.check(self.asked.as_ref().map(|asked| (&asked.head, &asked.body)), rest),
            "answered" => self.check(self.answered.as_ref().map(|answered| (&answered.head, &answered.body)), rest),
            "hangup" => self.bench.command(AgentCommand::Hangup { dialog: self.dialog }),
            word => match word.parse() {
                Ok(status) => self.respond(status, rest),
                Err(_) => extra(self, step),
            },
        }
        self.look();
    }

    fn check(&self, message: Option<(&Head, &Vec<u8>)>, expected: &str) {
        let (head, body) = message.unwrap_or_else(|| panic!("{}: nothing was said", self.place));
        let (name, value) = expected.split_once(": ").unwrap();
        let found = match name {
            "body" => String::from_utf8_lossy(body).lines().next().map(str::to_owned),
            _ => head.get(name).map(str::to_owned),
        };
        assert_eq!(found.as_deref(), Some(value), "{}", self.place);
    }

    /// A request of the far end; INVITE and UPDATE offer unless `bare` stands before the headers.
    fn far(&mut self, what: &str) {
        let (method, headers) = what.split_once(' ').unwrap_or((what, ""));
        let (headers, body) = match headers.split_once("||") {
            Some((headers, body)) => (headers, body.replace("\\n", "\r\n")),
            None if headers == "bare" => ("", String::new()),
            None if matches!(method, "INVITE" | "UPDATE") => (headers, OFFER.to_owned()),
            None => (headers, String::new()),
        };
        let kind = if body == OFFER { "Content-Type: application/sdp\r\n" } else { "" };
        self.cseq += 1;
        let headers = format!("{kind}{}", lines(headers));
        self.request(method, self.cseq, &format!("far{}", self.cseq), &headers, &body);
    }

    fn request(&mut self, method: &str, cseq: u32, branch: &str, headers: &str, body: &str) {
        let Self { call_id, our_tag, their_tag, .. } = self;
        let text = format!(
            "{method} sip:clinic@192.0.2.10 SIP/2.0\r\nVia: SIP/2.0/UDP {PEER};branch=z9hG4bK{branch};rport\r\n\
             From: <sip:far@example.org>;tag={their_tag}\r\nTo: <sip:clinic@192.0.2.10>;tag={our_tag}\r\nCall-ID: {call_id}\r\n\
             CSeq: {cseq} {method}\r\nContact: <sip:far@{PEER}>\r\nMax-Forwards: 70\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.bench.receive(&text);
    }

    fn ack(&mut self) {
        let cseq = self.cseq;
        self.request("ACK", cseq, &format!("ack{cseq}"), "", "");
    }

    /// The far end's response to our last request; a 2xx to an INVITE has an answer, `bare` leaves it out.
    fn respond(&mut self, status: u16, headers: &str) {
        let asked = self.asked.clone().unwrap_or_else(|| panic!("{}: nothing was asked", self.place));
        let answers = asked.method.name() == "INVITE" && (200..300).contains(&status) && headers != "bare";
        let body = if answers { self.their_answer(&asked) } else { String::new() };
        let headers = if headers == "bare" { String::new() } else { lines(headers) };
        self.bench.receive(&answer(&asked, status, "", &headers, &body));
    }

    /// The opposite of what we offered.
    fn their_answer(&self, asked: &Request) -> String {
        let offer = Sdp::parse(&asked.body).unwrap();
        let direction = offer.direction_of(&offer.media[0]).reversed().name();
        OFFER.replace("a=rtpmap:0 ", &format!("a={direction}\r\na=rtpmap:0 "))
    }

    /// Takes what has left and what was told, and does what an engine does at once.
    fn look(&mut self) {
        loop {
            for message in self.bench.messages() {
                match message {
                    Message::Request(request) => {
                        self.sent.push(request.method.to_string());
                        if request.head.content_type().as_deref() == Some("application/sdp") {
                            self.described.push(Sdp::parse(&request.body).unwrap());
                        }
                        if request.method.name() != "ACK" {
                            self.asked = Some(request);
                        }
                    }
                    Message::Response(response) => {
                        self.sent.push(format!("{}/{}", response.status, response.head.cseq.method));
                        let number = response.head.cseq.number;
                        if response.status >= 300 && response.head.cseq.method.name() == "INVITE" {
                            self.request("ACK", number, &format!("far{number}"), "", "");
                        }
                        self.answered = Some(response);
                    }
                }
            }
            let events = self.bench.events();
            if events.is_empty() {
                return;
            }
            for event in events {
                let word = self.react(event);
                self.told.extend(word);
            }
        }
    }

    /// What was told, in a word; nothing for what an engine answers by itself.
    fn react(&mut self, event: AgentEvent) -> Option<String> {
        let dialog = self.dialog;
        match event {
            AgentEvent::OfferDue { .. } => {
                let sdp = self.session.offer_hold(&self.agreed, self.holds);
                self.bench.command(AgentCommand::Offer { dialog, sdp });
                None
            }
            AgentEvent::Offer { sdp, .. } => {
                let sdp = match sdp {
                    Some(offer) => {
                        let (sdp, agreed) = self.session.answer(&offer, &[self.agreed.codec]).unwrap();
                        self.agreed = agreed;
                        sdp
                    }
                    None => self.session.offer(&[self.agreed.codec]),
                };
                self.described.push(sdp.clone());
                self.bench.command(AgentCommand::AnswerOffer { dialog, sdp: Some(sdp) });
                Some("offer".into())
            }
            AgentEvent::Accepted { answer, .. } => {
                self.agreed = self.session.accept(&answer).unwrap();
                Some("accepted".into())
            }
            AgentEvent::Unchanged { again, .. } => {
                self.session.withdraw();
                Some(if again { "again".into() } else { "unchanged".into() })
            }
            AgentEvent::Confirmed { .. } => Some("confirmed".into()),
            AgentEvent::Transferred { status, .. } => Some(format!("transferred:{status}")),
            AgentEvent::Refer { to, call, .. } => {
                let (replaces, ours) = (to.replaces.map(|replaces| format!("?{replaces}")), call.is_some());
                Some(format!("refer:{}{}{}", to.uri, replaces.unwrap_or_default(), if ours { "(ours)" } else { "" }))
            }
            AgentEvent::Ended { cause, .. } => Some(match cause {
                AgentEnd::Timeout => "timeout".into(),
                AgentEnd::RemoteBye => "bye".into(),
                AgentEnd::LocalBye => "hungup".into(),
                other => format!("{other:?}"),
            }),
            other => Some(format!("{other:?}")),
        }
    }
}

fn lines(headers: &str) -> String {
    headers.split('|').filter(|line| !line.is_empty()).map(|line| format!("{line}\r\n")).collect()
}
