//! Phones that register, as a phone sees it: challenges, expiry, places, probing.

use auricle_media::io::{
    Binding, Credentials, Hop, PHONE_REALM, Phone, PhoneContact, PhoneId, PhoneState, Protection, Transport,
};
use auricle_media::sip::agent::{AgentCommand, AgentConfig, AgentEvent, AgentInput};
use auricle_media::sip::digest::server::Secrets;
use auricle_media::sip::digest::{Algorithm, Client};
use auricle_media::sip::message::{Message, Request, Response};
use auricle_media::sip::parse;
use auricle_media::sip::tokens::Tokens;
use std::time::Duration;

use crate::bench::{Bench, answer, config};

pub const PHONE: &str = "198.51.100.7:5070";
const OTHER: &str = "198.51.100.8:5070";

pub fn phone(id: u64, user: &str, password: &str) -> Phone {
    Phone {
        id: PhoneId(id),
        user: user.into(),
        secrets: Secrets::new(user, PHONE_REALM, password),
        protection: Protection::Optional,
    }
}

/// A phone with its password, at one place.
pub struct Desk {
    client: Client,
    tokens: Tokens,
    cseq: u32,
    user: String,
    pub hop: Hop,
}

impl Desk {
    pub fn new(user: &str, password: &str, hop: Hop) -> Self {
        let credentials = Credentials { user: user.into(), password: password.into(), realms: Vec::new() };
        let tokens = Tokens::new([hop.address.port() as u8; 32]);
        Self { client: Client::new(credentials), tokens, cseq: 0, user: user.into(), hop }
    }

    pub fn udp(user: &str, password: &str) -> Self {
        Self::new(user, password, Hop::udp(PHONE.parse().unwrap()))
    }

    fn contact(&self) -> String {
        let transport = match self.hop.transport {
            Transport::Udp => String::new(),
            other => format!(";transport={}", other.name().to_lowercase()),
        };
        format!("<sip:{}@{}{transport}>", self.user, self.hop.address)
    }

    pub fn request(&mut self, method: &str, uri: &str, headers: &str, body: &str) -> Request {
        self.cseq += 1;
        let (user, hop, cseq) = (&self.user, self.hop, self.cseq);
        let text = format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/{} {};branch=z9hG4bK{method}{cseq}{};rport\r\n\
             From: <sip:{user}@192.0.2.10>;tag=f{cseq}\r\nTo: <{uri}>\r\nCall-ID: {method}{}\r\nCSeq: {cseq} {method}\r\n\
             User-Agent: Desk 1\r\nMax-Forwards: 70\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            hop.transport.name(),
            hop.address,
            hop.address.port(),
            hop.address,
            body.len()
        );
        match parse::message(text.as_bytes()).unwrap() {
            Message::Request(request) => request,
            Message::Response(_) => panic!("a request"),
        }
    }

    pub fn send(&self, bench: &mut Bench, request: &Request) {
        bench.message(self.hop, &request.encode());
    }

    pub fn guest(&self, bench: &mut Bench, request: &Request) {
        bench.agent.handle(AgentInput::Guest { remote: self.hop, bytes: &request.encode() }, bench.now);
        bench.drain();
    }

    /// Answers what the response asks.
    pub fn again(&mut self, request: &Request, refusal: &Response) -> Request {
        assert!(self.client.challenged(request, refusal), "{refusal:?}");
        self.signed(request)
    }

    pub fn signed(&mut self, request: &Request) -> Request {
        let mut request = request.clone();
        self.cseq += 1;
        request.head.cseq.number = self.cseq;
        request.head.via[0].params.set("branch", format!("z9hG4bKs{}{}", self.cseq, self.hop.address.port()));
        self.client.authorize(&mut request, &mut self.tokens);
        request
    }

    /// Sends a REGISTER with these headers until it is not challenged any more.
    pub fn register_with(&mut self, bench: &mut Bench, headers: &str) -> Response {
        let uri = "sip:192.0.2.10";
        let mut request = self.request("REGISTER", uri, headers, "");
        request.head.to.uri = auricle_media::sip::uri::Uri::parse(&format!("sip:{}@192.0.2.10", self.user)).unwrap();
        let request = self.signed(&request);
        self.send(bench, &request);
        let response = bench.response();
        if response.status != 401 {
            return response;
        }
        let request = self.again(&request, &response);
        self.send(bench, &request);
        bench.response()
    }

    pub fn register(&mut self, bench: &mut Bench, expires_s: u32) -> Response {
        let headers = format!("Contact: {};expires={expires_s}\r\n", self.contact());
        self.register_with(bench, &headers)
    }
}

pub fn bench() -> Bench {
    let mut bench = Bench::with(AgentConfig { tcp: Some("192.0.2.10:5060".parse().unwrap()), ..config() });
    bench.command(AgentCommand::Phones(vec![phone(1, "201", "secret"), phone(2, "202", "hidden")]));
    assert_eq!(bench.events(), []);
    bench
}

pub fn hop(transport: Transport, address: &str) -> Hop {
    Hop { transport, address: address.parse().unwrap() }
}

fn at(hop: Hop, answers: bool) -> PhoneContact {
    PhoneContact { hop, agent: "Desk 1".into(), answers, kept: None }
}

fn registered(contacts: Vec<PhoneContact>) -> AgentEvent {
    AgentEvent::Phone { phone: PhoneId(1), state: PhoneState::Registered { contacts } }
}

/// What was told, without what is kept of places.
fn told(bench: &mut Bench) -> Vec<AgentEvent> {
    let mut events = bench.events();
    for event in &mut events {
        if let AgentEvent::Phone { state: PhoneState::Registered { contacts }, .. } = event {
            contacts.iter_mut().for_each(|contact| contact.kept = None);
        }
    }
    events
}

/// The places of the phone, as they were told last.
fn places(bench: &mut Bench) -> Vec<(PhoneId, PhoneContact)> {
    match bench.events().pop() {
        Some(AgentEvent::Phone { phone, state: PhoneState::Registered { contacts } }) => {
            contacts.into_iter().map(|contact| (phone, contact)).collect()
        }
        other => panic!("{other:?}"),
    }
}

fn uris(bench: &Bench) -> Vec<String> {
    bench.agent.ways(PhoneId(1)).into_iter().map(|(_, uri)| uri.to_string()).collect()
}

fn away() -> AgentEvent {
    AgentEvent::Phone { phone: PhoneId(1), state: PhoneState::Away }
}

fn contacts(response: &Response) -> Vec<&str> {
    response.head.all("Contact").collect()
}

/// SEC-11: a phone is challenged, let in with its password, refreshed, and forgotten when it does not come back.
#[test]
fn a_phone_registers_stays_and_is_forgotten() {
    let mut bench = bench();
    bench.command(AgentCommand::Clock { unix_s: 1_289_690_940 });
    let mut desk = Desk::udp("201", "secret");
    let first = desk.request("REGISTER", "sip:192.0.2.10", "", "");
    desk.send(&mut bench, &first);
    let refusal = bench.response();
    let challenges: Vec<&str> = refusal.head.all("WWW-Authenticate").collect();
    assert_eq!(refusal.status, 401);
    assert!(challenges[0].contains("algorithm=SHA-256") && challenges[1].contains("algorithm=MD5"), "{challenges:?}");
    assert!(challenges.iter().all(|text| text.contains("realm=\"auricle\"") && text.contains("qop=\"auth\"")));
    let granted = desk.register(&mut bench, 300);
    assert_eq!((granted.status, contacts(&granted)), (200, vec!["<sip:201@198.51.100.7:5070>;expires=300"]));
    assert_eq!(granted.head.get("Date"), Some("Sat, 13 Nov 2010 23:29:00 GMT"));
    assert!(granted.head.to.tag().is_some());
    assert_eq!(told(&mut bench), [registered(vec![at(desk.hop, true)])]);
    bench.pass_ms(59_000);
    assert_eq!(desk.register(&mut bench, 300).status, 200);
    assert_eq!(bench.events(), [], "nothing is new");
    // It is asked now and then, and answers.
    for _ in 0..4 {
        bench.pass_ms(60_000);
        let probe = bench.request("OPTIONS");
        assert_eq!(probe.uri.to_string(), "sip:201@198.51.100.7:5070");
        bench.bytes_from(PHONE, answer(&probe, 486, "x", "", "").as_bytes());
    }
    assert_eq!(bench.events(), []);
    bench.pass_ms(60_000);
    assert_eq!(bench.events(), [away()]);
    bench.pass_ms(60_000);
    assert_eq!((bench.agent.load(), bench.agent.next_wake()), ((0, 0), None));
}

/// What a REGISTER may ask for, and what comes of it.
#[test]
fn expiry_is_bounded() {
    let rows = [
        (Transport::Udp, "Contact: <sip:201@198.51.100.7:5070>;expires=59\r\n", 423, None),
        (Transport::Udp, "Contact: <sip:201@198.51.100.7:5070>;expires=60\r\n", 200, Some("60")),
        (Transport::Udp, "Contact: <sip:201@198.51.100.7:5070>\r\n", 200, Some("600")),
        (Transport::Udp, "Contact: <sip:201@198.51.100.7:5070>\r\nExpires: 3600\r\n", 200, Some("600")),
        (Transport::Tcp, "Contact: <sip:201@198.51.100.7:5070>\r\nExpires: 1800\r\n", 200, Some("1800")),
        (Transport::Tcp, "Contact: <sip:201@198.51.100.7:5070>;expires=4294967295\r\n", 200, Some("3600")),
        (Transport::Udp, "Contact: <sip:201@198.51.100.7:5070>;expires=0\r\n", 200, None),
        (Transport::Udp, "", 200, None),
        (Transport::Udp, "Contact: *\r\n", 400, None),
        (Transport::Udp, "Contact: <sip:201@198.51.100.7:5070\r\n", 400, None),
        (Transport::Udp, "Require: gruu\r\n", 420, None),
    ];
    for (transport, headers, status, granted) in rows {
        let mut bench = bench();
        let mut desk = Desk::new("201", "secret", hop(transport, PHONE));
        let response = desk.register_with(&mut bench, headers);
        let expected = granted.map(|granted| format!("<sip:201@198.51.100.7:5070>;expires={granted}"));
        assert_eq!((response.status, response.head.get("Contact")), (status, expected.as_deref()), "{headers}");
        assert_eq!(bench.events().len(), usize::from(granted.is_some()), "{headers}");
        if status == 423 {
            assert_eq!(response.head.get("Min-Expires"), Some("60"));
        }
    }
}

/// SEC-11: a wrong password, an unknown user and a removed phone get the very same words.
#[test]
fn a_wrong_password_and_an_unknown_user_look_the_same() {
    let mut replies = Vec::new();
    for (user, password) in [("201", "wrong"), ("209", "wrong")] {
        let mut bench = bench();
        let mut desk = Desk::udp(user, password);
        let response = desk.register(&mut bench, 300);
        assert_eq!(response.status, 401);
        let wrong = bench.event();
        assert!(matches!(wrong, AgentEvent::WrongPassword { source, .. } if source == desk.hop.ip()), "{wrong:?}");
        let mut bytes = String::from_utf8(response.encode()).unwrap().replace(user, "USER");
        let tag = response.head.to.tag().unwrap();
        bytes = bytes.replace(tag, "TAG");
        replies.push(bytes);
    }
    assert_eq!(replies[0], replies[1]);
    // Who was not asked yet does not count, nor who answers what was asked of somebody else.
    let mut bench = bench();
    let mut desk = Desk::udp("201", "wrong");
    let request = desk.request("REGISTER", "sip:192.0.2.10", "", "");
    desk.send(&mut bench, &request);
    let refusal = bench.response();
    let request = desk.again(&request, &refusal);
    bench.bytes_from(OTHER, &request.encode());
    assert_eq!(bench.events(), []);
}

/// SEC-11: an answer is taken once; what is sent again gets the same reply and nothing else.
#[test]
fn an_answer_is_not_taken_twice() {
    let mut bench = bench();
    let mut desk = Desk::udp("201", "secret");
    desk.register(&mut bench, 300);
    let request = desk.request("REGISTER", "sip:192.0.2.10", "", "");
    let request = desk.signed(&request);
    desk.send(&mut bench, &request);
    let first = bench.response();
    desk.send(&mut bench, &request);
    assert_eq!(bench.response(), first, "a repeated request");
    let mut replayed = request.clone();
    replayed.head.via[0].params.set("branch", "z9hG4bKreplay".into());
    desk.send(&mut bench, &replayed);
    let refusal = bench.response();
    assert_eq!(refusal.status, 401);
    assert!(refusal.head.get("WWW-Authenticate").unwrap().contains("stale=true"));
    bench.pass_ms(301_000);
    bench.took();
    assert_eq!(desk.register(&mut bench, 300).status, 200, "a nonce that is too old is replaced by itself");
}

#[test]
fn an_account_speaks_for_itself_alone() {
    let mut bench = bench();
    let mut desk = Desk::udp("201", "secret");
    let mut request = desk.request("REGISTER", "sip:192.0.2.10", "Contact: <sip:x@198.51.100.7>\r\n", "");
    request.head.to.uri = auricle_media::sip::uri::Uri::parse("sip:202@192.0.2.10").unwrap();
    desk.send(&mut bench, &request);
    let refusal = bench.response();
    let request = desk.again(&request, &refusal);
    desk.send(&mut bench, &request);
    assert_eq!((bench.took().as_str(), bench.events()), ("403/REGISTER", vec![]));
}

/// Several places, the preferred first; one of them is taken back, or all.
#[test]
fn a_phone_is_at_several_places() {
    let mut bench = bench();
    let mut desk = Desk::udp("201", "secret");
    let headers = "Contact: <sip:201@198.51.100.7:5070>;q=0.2, <sip:201@198.51.100.7:5071>;q=0.7;\
                   +sip.instance=\"<urn:uuid:1>\";reg-id=1\r\n";
    let response = desk.register_with(&mut bench, headers);
    let (low, high) = (
        "<sip:201@198.51.100.7:5070>;expires=600;q=0.200",
        "<sip:201@198.51.100.7:5071>;expires=600;q=0.700;+sip.instance=\"<urn:uuid:1>\";reg-id=1",
    );
    assert_eq!(contacts(&response), [high, low]);
    assert_eq!(uris(&bench), ["sip:201@198.51.100.7:5071", "sip:201@198.51.100.7:5070"]);
    // The same device at another address takes its own place.
    let moved = "Contact: <sip:201@198.51.100.7:6000>;q=0.7;+sip.instance=\"<urn:uuid:1>\";reg-id=1\r\n";
    assert_eq!(contacts(&desk.register_with(&mut bench, moved)), [high.replace("5071", "6000").as_str(), low]);
    let gone = "Contact: <sip:201@198.51.100.7:5070>;expires=0\r\n";
    assert_eq!(contacts(&desk.register_with(&mut bench, gone)).len(), 1);
    assert_eq!(desk.register_with(&mut bench, "Contact: *\r\nExpires: 0\r\n").head.get("Contact"), None);
    assert_eq!(bench.events().last(), Some(&away()));
}

/// A fifth place takes the place of the one that was heard of longest ago.
#[test]
fn places_are_bounded() {
    let mut bench = bench();
    let mut desk = Desk::udp("201", "secret");
    for port in 1..=6 {
        bench.pass_ms(1_000);
        let response = desk.register_with(&mut bench, &format!("Contact: <sip:201@198.51.100.7:{port}>\r\n"));
        assert_eq!(contacts(&response).len(), port.min(4));
    }
    assert_eq!(uris(&bench), [6, 5, 4, 3].map(|port| format!("sip:201@198.51.100.7:{port}")));
}

/// Behind a NAT the way is kept open, and a phone that does not answer is told so, but stays.
#[test]
fn a_phone_behind_a_nat_is_kept_and_asked() {
    let mut bench = bench();
    let mut desk = Desk::udp("201", "secret");
    let request = desk.request("REGISTER", "sip:192.0.2.10", "Contact: <sip:201@192.168.1.5:5060>\r\n", "");
    let mut request = desk.signed(&request);
    request.head.to = request.head.from.clone();
    request.head.to.params = Default::default();
    request.head.via[0].host = "192.168.1.5".into();
    desk.send(&mut bench, &request);
    let refusal = bench.response();
    let request = desk.again(&request, &refusal);
    desk.send(&mut bench, &request);
    assert_eq!(bench.took(), "200/REGISTER");
    assert_eq!(told(&mut bench), [registered(vec![at(desk.hop, true)])]);
    bench.pass_ms(25_000);
    let sent: Vec<_> = bench.sent.drain(..).collect();
    assert_eq!(sent, [(desk.hop.address, b"\r\n\r\n".to_vec())], "to where it came from, not to what it says");
    bench.pass_ms(35_500);
    assert!(bench.hops.iter().all(|hop| *hop == desk.hop));
    bench.sent.retain(|(_, bytes)| bytes.len() > 4);
    assert_eq!(bench.request("OPTIONS").uri.to_string(), "sip:201@192.168.1.5:5060");
    bench.pass_ms(70_000);
    assert_eq!(told(&mut bench), [registered(vec![at(desk.hop, false)])]);
    bench.sent.retain(|(_, bytes)| bytes.len() > 4);
    assert_eq!(bench.agent.ways(PhoneId(1)).len(), 1);
    bench.sent.clear();
    bench.pass_ms(55_000);
    bench.sent.retain(|(_, bytes)| bytes.len() > 4);
    let probe = bench.request("OPTIONS");
    bench.bytes_from(PHONE, answer(&probe, 200, "x", "", "").as_bytes());
    assert_eq!(told(&mut bench), [registered(vec![at(desk.hop, true)])]);
}

/// The connection is the phone's place: when it closes, the phone is gone.
#[test]
fn a_closed_connection_ends_a_registration() {
    for transport in [Transport::Tcp, Transport::Tls] {
        let mut bench = bench();
        let mut desk = Desk::new("201", "secret", hop(transport, PHONE));
        assert_eq!(desk.register(&mut bench, 300).status, 200);
        assert_eq!(told(&mut bench), [registered(vec![at(desk.hop, true)])]);
        bench.closed(hop(transport, OTHER));
        assert_eq!(bench.events(), []);
        bench.closed(desk.hop);
        assert_eq!(bench.events(), [away()]);
    }
}

/// Removed, disabled, or with a new password: it is gone at once. Otherwise it stays.
#[test]
fn a_changed_phone_is_gone_at_once() {
    let rows = [
        (vec![phone(1, "201", "secret")], false),
        (vec![phone(1, "201", "secret"), phone(3, "203", "new")], false),
        (vec![phone(1, "201", "another")], true),
        (vec![phone(2, "202", "hidden")], true),
        (vec![], true),
    ];
    for (phones, gone) in rows {
        let mut bench = bench();
        let mut desk = Desk::udp("201", "secret");
        desk.register(&mut bench, 300);
        bench.events();
        bench.command(AgentCommand::Phones(phones.clone()));
        assert_eq!(bench.events(), if gone { vec![away()] } else { vec![] }, "{phones:?}");
        assert_eq!(bench.agent.ways(PhoneId(1)).is_empty(), gone);
        let status = desk.register(&mut bench, 300).status;
        assert_eq!(
            status,
            if phones.is_empty() {
                405
            } else if gone {
                401
            } else {
                200
            }
        );
    }
}

/// Who is only heard because phones may be there is not answered unless it is about a phone.
#[test]
fn a_guest_is_not_told_that_somebody_is_here() {
    let mut bench = bench();
    let mut desk = Desk::udp("201", "secret");
    for (method, replies) in
        [("OPTIONS", 0), ("BYE", 0), ("INFO", 0), ("SUBSCRIBE", 0), ("ACK", 0), ("REGISTER", 1), ("INVITE", 1)]
    {
        let request = desk.request(method, "sip:192.0.2.10", "Contact: <sip:a@198.51.100.7>\r\n", "");
        desk.guest(&mut bench, &request);
        assert_eq!(bench.messages().len(), replies, "{method}");
    }
    bench.agent.handle(AgentInput::Guest { remote: desk.hop, bytes: b"INVITE sip:x SIP/2.0\r\n\r\n" }, bench.now);
    bench.drain();
    assert_eq!(bench.took(), "");
    desk.register(&mut bench, 300);
    let request = desk.request("OPTIONS", "sip:192.0.2.10", "", "");
    desk.guest(&mut bench, &request);
    assert_eq!(bench.took(), "200/OPTIONS", "a phone that is registered may ask");
}

/// Which algorithms are offered is a matter of the configuration: not every phone reads what it does not know.
#[test]
fn what_is_offered_is_configured() {
    let mut bench = Bench::with(AgentConfig { algorithms: vec![Algorithm::Md5], ..config() });
    bench.command(AgentCommand::Phones(vec![phone(1, "201", "secret")]));
    let mut desk = Desk::udp("201", "secret");
    let request = desk.request("REGISTER", "sip:192.0.2.10", "", "");
    desk.send(&mut bench, &request);
    let refusal = bench.response();
    let challenges: Vec<&str> = refusal.head.all("WWW-Authenticate").collect();
    assert!(challenges.len() == 1 && challenges[0].contains("algorithm=MD5"), "{challenges:?}");
    assert_eq!(desk.register(&mut bench, 300).status, 200);
}

/// After a restart of ours a phone is called where it was, best place first, and asked whether it still is; it refreshes what it had.
#[test]
fn a_phone_is_found_again_after_a_restart() {
    let mut before = bench();
    let mut desk = Desk::udp("201", "secret");
    let headers = "Contact: <sip:201@192.168.1.5:5070>;q=0.2, <sip:201@198.51.100.7:5071>;q=0.7;\
                   +sip.instance=\"<urn:uuid:1>\";reg-id=1, <sip:201@198.51.100.7:5072>;q=0.2\r\n";
    assert_eq!(desk.register_with(&mut before, headers).status, 200);
    let (order, kept) = (uris(&before), places(&mut before));
    assert_eq!(order, ["sip:201@198.51.100.7:5071", "sip:201@198.51.100.7:5072", "sip:201@192.168.1.5:5070"]);

    let mut after = bench();
    after.now = before.now + Duration::from_secs(100);
    after.command(AgentCommand::Registrations(kept.clone()));
    assert_eq!((places(&mut after), uris(&after)), (kept, order));
    after.pass_ms(100);
    let mut asked: Vec<String> = Vec::new();
    for message in after.messages() {
        let Message::Request(probe) = message else { panic!("a request") };
        asked.push(probe.uri.to_string());
        after.bytes_from(PHONE, answer(&probe, 200, "x", "", "").as_bytes());
    }
    asked.sort();
    let mut expected = uris(&after);
    expected.sort();
    assert_eq!(asked, expected);
    assert_eq!(desk.register_with(&mut after, headers).status, 200);
    assert_eq!(uris(&after).len(), 3, "they are the same places");
    assert_eq!(desk.register_with(&mut after, "Contact: *\r\nExpires: 0\r\n").status, 200);
    assert_eq!(after.events().last(), Some(&away()));
}

/// What holds no more, was a connection, is nobody's or has come again by itself is passed over; nothing is kept longer than it could
/// have been granted.
#[test]
fn not_all_that_was_kept_comes_back() {
    let mut before = bench();
    let mut desk = Desk::udp("201", "secret");
    assert_eq!(desk.register(&mut before, 300).status, 200);
    let kept = places(&mut before);
    let with = |change: &dyn Fn(&mut PhoneContact)| {
        let (phone, mut contact) = kept[0].clone();
        change(&mut contact);
        (phone, contact)
    };
    let binding = |change: fn(&mut Binding)| with(&|contact| change(contact.kept.as_mut().unwrap()));
    let rows = [
        ("an hour ago", binding(|kept| kept.expires_at -= Duration::from_secs(300))),
        ("no address", binding(|kept| kept.uri = "tel:201".into())),
        ("a connection", with(&|contact| contact.hop.transport = Transport::Tls)),
        ("nothing kept", with(&|contact| contact.kept = None)),
        ("somebody else", (PhoneId(9), kept[0].1.clone())),
    ];
    for (name, row) in rows {
        let mut after = bench();
        after.now = before.now;
        after.command(AgentCommand::Registrations(vec![row]));
        assert_eq!((after.events(), after.agent.next_wake()), (vec![], None), "{name}");
    }

    // The clock was set back while nobody was there.
    let mut after = bench();
    after.now = before.now;
    let late = binding(|kept| kept.expires_at += Duration::from_secs(86_400));
    after.command(AgentCommand::Registrations(vec![late]));
    assert_eq!(told(&mut after), [registered(vec![at(desk.hop, true)])]);
    after.pass_ms(600_000);
    assert_eq!(after.events().last(), Some(&away()));

    // It was faster.
    let mut after = bench();
    after.now = before.now;
    assert_eq!(desk.register(&mut after, 60).status, 200);
    after.events();
    after.command(AgentCommand::Registrations(kept.clone()));
    assert_eq!((after.events(), uris(&after).len()), (vec![], 1));
    let other =
        |port: u16| with(&|contact| contact.kept.as_mut().unwrap().uri = format!("sip:201@198.51.100.7:{port}"));
    let others = (1..=6).map(other).collect();
    after.command(AgentCommand::Registrations(others));
    assert_eq!(uris(&after).len(), 4, "no more than there may be");
    assert!(uris(&after).contains(&"sip:201@198.51.100.7:5070".to_owned()), "and none for one that came");
}

/// What is to be kept is told when a place is new or another, and of a refreshed one before what was told has passed: a phone that
/// registers all the time is not written down all the time.
#[test]
fn a_refreshed_place_is_told_of_before_it_is_over() {
    for (expires_s, every_s, told_at_most) in [(60, 10, 15), (60, 35, 18), (600, 10, 2), (600, 299, 2), (600, 550, 2)] {
        let mut bench = bench();
        let mut desk = Desk::udp("201", "secret");
        let (mut passed_s, mut times, mut kept_until) = (0, 0, bench.now);
        while passed_s < 600 {
            assert_eq!(desk.register(&mut bench, expires_s).status, 200);
            for event in bench.events() {
                let AgentEvent::Phone { state: PhoneState::Registered { contacts }, .. } = event else { panic!() };
                kept_until = contacts[0].kept.as_ref().unwrap().expires_at;
                times += 1;
            }
            bench.now += Duration::from_secs(every_s);
            assert!(kept_until >= bench.now, "{expires_s} s, every {every_s} s: it would be lost for a while");
            passed_s += every_s;
        }
        assert!(times <= told_at_most, "{expires_s} s, every {every_s} s: told {times} times");
    }
    // One that is to hold less long is told of at once.
    let mut bench = bench();
    let mut desk = Desk::udp("201", "secret");
    for expires_s in [600, 60] {
        assert_eq!(desk.register(&mut bench, expires_s).status, 200);
        let kept = places(&mut bench).remove(0).1.kept.unwrap();
        assert_eq!(kept.expires_at, bench.now + Duration::from_secs(u64::from(expires_s)));
    }
}
