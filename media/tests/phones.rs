//! Phones and the engine: the door, bans, and calls that ring a phone at all of its places.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use auricle_media::engine::{BANNED, EMERGENCY_LEGS, Engine, EngineConfig, WRONG_MAX};
use auricle_media::io::{
    Codec, Command, Credentials, DialTo, EngineEvent, Hop, Input, LegEnd, LegId, Output, PHONE_REALM, Phone, PhoneId,
    Protection, Socket, Transport,
};
use auricle_media::sip::digest::server::Secrets;
use auricle_media::sip::digest::{Algorithm, Client};
use auricle_media::sip::message::{Message, Request, Response};
use auricle_media::sip::parse;
use auricle_media::sip::tokens::Tokens;
use std::net::SocketAddr;
use std::time::Instant;

const ANSWER: &str =
    "v=0\r\no=- 1 1 IN IP4 10.0.0.7\r\ns=-\r\nc=IN IP4 10.0.0.7\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n";

struct World {
    engine: Engine,
    now: Instant,
    sent: Vec<(SocketAddr, Vec<u8>)>,
    closed: Vec<Hop>,
    events: Vec<EngineEvent>,
}

fn phone(password: &str) -> Phone {
    Phone {
        id: PhoneId(1),
        user: "201".into(),
        secrets: Secrets::new("201", PHONE_REALM, password),
        protection: Protection::Optional,
    }
}

#[allow(clippy::disallowed_methods, reason = "the origin of virtual time; only differences from it matter")]
fn origin() -> Instant {
    Instant::now()
}

impl World {
    fn new(change: impl FnOnce(&mut EngineConfig)) -> Self {
        let mut config = EngineConfig {
            sip_address: "192.0.2.10:5060".parse().unwrap(),
            tcp: None,
            tls: None,
            rtp_ports: 20_000..=20_099,
            legs_max: 10,
            trusted: Vec::new(),
            phones: vec!["10.0.0.0/8".parse().unwrap()],
            algorithms: vec![Algorithm::Sha256, Algorithm::Md5],
            spared: Vec::new(),
            codecs: vec![Codec::Pcmu],
            seed: [5; 32],
        };
        change(&mut config);
        let (engine, now) = (Engine::new(config), origin());
        Self { engine, now, sent: Vec::new(), closed: Vec::new(), events: Vec::new() }
    }

    fn give(&mut self, input: Input<'_>) {
        self.engine.handle(input, self.now);
        while let Some(output) = self.engine.poll() {
            match output {
                Output::Transmit { socket: Socket::Sip, remote, bytes } => self.sent.push((remote, bytes)),
                Output::Send { hop, bytes, .. } => self.sent.push((hop.address, bytes)),
                Output::Close { hop } => self.closed.push(hop),
                Output::OpenPort(port) => self.engine.handle(Input::Port { port, opened: true }, self.now),
                Output::Event(event) => self.events.push(event),
                _ => {}
            }
        }
    }

    fn command(&mut self, command: Command) {
        self.give(Input::Command(command));
    }

    fn receive(&mut self, remote: SocketAddr, bytes: &[u8]) -> Vec<Message> {
        self.sent.clear();
        self.give(Input::Datagram { socket: Socket::Sip, remote, bytes });
        self.sent.iter().map(|(_, bytes)| parse::message(bytes).unwrap()).collect()
    }

    /// A REGISTER from there; the status that came of it, 0 for none.
    fn register(&mut self, remote: SocketAddr, password: &str, id: u32) -> u16 {
        let credentials = Credentials { user: "201".into(), password: password.into(), realms: Vec::new() };
        let (mut client, mut tokens) = (Client::new(credentials), Tokens::new([id as u8; 32]));
        let mut request = register(remote, id);
        for branch in 0..2 {
            let replies = self.receive(remote, &request.encode());
            let [Message::Response(response)] = replies.as_slice() else { return 0 };
            if response.status != 401 || branch == 1 {
                return response.status;
            }
            assert!(client.challenged(&request, response));
            request.head.cseq.number += 1;
            request.head.via[0].params.set("branch", format!("z9hG4bKb{id}"));
            client.authorize(&mut request, &mut tokens);
        }
        0
    }

    /// The same over a TLS connection.
    fn register_over_tls(&mut self, remote: SocketAddr, password: &str, id: u32) {
        let credentials = Credentials { user: "201".into(), password: password.into(), realms: Vec::new() };
        let (mut client, mut tokens) = (Client::new(credentials), Tokens::new([id as u8; 32]));
        let mut request = register(remote, id);
        request.head.via[0].transport = "TLS".into();
        let hop = Hop { transport: Transport::Tls, address: remote };
        for status in [401, 200] {
            self.sent.clear();
            self.give(Input::Stream { hop, bytes: &request.encode() });
            let Ok(Message::Response(response)) = parse::message(&self.sent[0].1) else { panic!("no response") };
            assert_eq!(response.status, status);
            if status == 401 {
                assert!(client.challenged(&request, &response));
                request.head.cseq.number += 1;
                request.head.via[0].params.set("branch", format!("z9hG4bKb{id}"));
                client.authorize(&mut request, &mut tokens);
            }
        }
    }

    /// Calls the phone; the port is answered at once.
    fn dial(&mut self) {
        let to = DialTo::Phone(PhoneId(1));
        let from = "+420123".into();
        let (uri, codecs) = (String::new(), vec![Codec::Pcmu]);
        self.command(Command::Dial {
            tag: 3,
            uri,
            to,
            from,
            codecs,
            identity: None,
            replaces: None,
            is_emergency: false,
        });
        self.give(Input::Wake);
    }

    fn events(&mut self) -> Vec<EngineEvent> {
        self.events.drain(..).collect()
    }
}

fn register(remote: SocketAddr, id: u32) -> Request {
    let text = format!(
        "REGISTER sip:192.0.2.10 SIP/2.0\r\nVia: SIP/2.0/UDP {remote};branch=z9hG4bKa{id};rport\r\n\
         From: <sip:201@192.0.2.10>;tag=f\r\nTo: <sip:201@192.0.2.10>\r\nCall-ID: r{id}\r\nCSeq: 1 REGISTER\r\n\
         Contact: <sip:201@{remote}>\r\nContent-Length: 0\r\n\r\n"
    );
    match parse::message(text.as_bytes()).unwrap() {
        Message::Request(request) => request,
        Message::Response(_) => panic!("a request"),
    }
}

fn place(last: u8) -> SocketAddr {
    SocketAddr::from(([10, 0, 0, last], 5070))
}

fn banned(events: &[EngineEvent]) -> usize {
    events.iter().filter(|event| matches!(event, EngineEvent::Banned { .. })).count()
}

/// SEC-11: nobody from outside the trusted networks is heard before there are phones, nor then from outside of theirs.
#[test]
fn phones_open_the_door_for_phones_alone() {
    let mut world = World::new(|_| {});
    assert_eq!((world.register(place(7), "secret", 1), world.engine.counters().strangers), (0, 1));
    world.command(Command::Phones(vec![phone("secret")]));
    assert_eq!(world.register("192.168.0.7:5070".parse().unwrap(), "secret", 2), 0);
    assert_eq!(world.register(place(7), "secret", 3), 200);
    assert!(world.engine.admits(place(8).ip(), world.now) && !world.engine.admits([192, 168, 0, 7].into(), world.now));
    world.command(Command::Phones(Vec::new()));
    assert_eq!(world.register(place(7), "secret", 4), 0);
}

/// SEC-11: ten wrong passwords, and the source is not heard for an hour. Others are.
#[test]
fn who_guesses_passwords_is_not_heard_any_more() {
    let mut world = World::new(|_| {});
    world.command(Command::Phones(vec![phone("secret")]));
    for id in 0..WRONG_MAX as u32 {
        assert_eq!(world.register(place(7), "guess", id), 401);
    }
    assert_eq!(world.events(), [EngineEvent::Banned { source: place(7).ip(), until: world.now + BANNED }]);
    let before = world.engine.counters();
    assert_eq!((before.wrong_passwords, before.strangers), (10, 0));
    assert_eq!(world.register(place(7), "secret", 50), 0, "not even with the right one");
    assert_eq!(world.engine.counters().strangers, 1);
    assert!(!world.engine.admits(place(7).ip(), world.now));
    let hop = Hop { transport: Transport::Tcp, address: place(7) };
    world.give(Input::Stream { hop, bytes: b"REGISTER sip:x SIP/2.0\r\n" });
    assert_eq!(world.closed, [hop]);
    assert_eq!(world.register(place(8), "secret", 51), 200);
    world.now += BANNED;
    assert_eq!(world.register(place(7), "secret", 52), 200);
}

/// SEC-11: a restart does not let a banned source in before its time; who is spared by now is heard.
#[test]
fn a_ban_outlives_a_restart() {
    let mut world = World::new(|config| config.spared = vec!["10.0.0.9/32".parse().unwrap()]);
    world.command(Command::Phones(vec![phone("secret")]));
    let until = world.now + BANNED / 3;
    world.command(Command::Bans(vec![(place(7).ip(), until), (place(8).ip(), world.now), (place(9).ip(), until)]));
    assert_eq!(world.events(), [EngineEvent::Banned { source: place(7).ip(), until }]);
    assert_eq!([7, 8, 9].map(|last| world.register(place(last), "secret", u32::from(last))), [0, 200, 200]);
    world.command(Command::Unban { source: place(7).ip() });
    assert_eq!(world.register(place(7), "secret", 10), 200);
}

/// SEC-11: a phone that works is not locked out by one beside it that is set up wrongly, and neither are trunks and whom the
/// configuration spares.
#[test]
fn who_is_known_is_not_locked_out() {
    let mut world = World::new(|_| {});
    world.command(Command::Phones(vec![phone("secret")]));
    assert_eq!(world.register(place(7), "secret", 100), 200);
    world.events();
    let neighbour = SocketAddr::new(place(7).ip(), 6000);
    for id in 0..2 * WRONG_MAX as u32 {
        assert_eq!(world.register(neighbour, "guess", id), 401);
    }
    assert_eq!((banned(&world.events()), world.register(place(7), "secret", 101)), (0, 200));

    let mut world = World::new(|config| config.spared = vec!["10.0.0.7/32".parse().unwrap()]);
    world.command(Command::Phones(vec![phone("secret")]));
    for id in 0..2 * WRONG_MAX as u32 {
        assert_eq!(world.register(place(7), "guess", id), 401);
    }
    assert_eq!((banned(&world.events()), world.register(place(7), "secret", 101)), (0, 200));
}

/// A phone at two places, called.
fn ringing() -> (World, LegId, Vec<Request>) {
    let mut world = World::new(|_| {});
    world.command(Command::Phones(vec![phone("secret")]));
    for last in [7, 8] {
        assert_eq!(world.register(place(last), "secret", u32::from(last)), 200);
    }
    world.events();
    world.sent.clear();
    world.dial();
    let events = world.events();
    let [EngineEvent::Dialing { tag: 3, leg }] = events.as_slice() else { panic!("{events:?}") };
    let invites = invites_of(&world);
    (world, *leg, invites)
}

fn invites_of(world: &World) -> Vec<Request> {
    let request = |bytes: &Vec<u8>| match parse::message(bytes).unwrap() {
        Message::Request(request) => request,
        Message::Response(_) => panic!("a request"),
    };
    world.sent.iter().map(|(_, bytes)| request(bytes)).collect()
}

fn reply(request: &Request, status: u16, body: &str) -> Vec<u8> {
    let mut response = Response::to(request, status, "").tagged("phone").with("Contact", "<sip:201@10.0.0.7>");
    if !body.is_empty() {
        response = response.with("Content-Type", "application/sdp");
        response.body = body.as_bytes().to_vec();
    }
    response.encode()
}

fn methods(world: &World) -> Vec<(SocketAddr, String)> {
    let method = |(to, bytes): &(SocketAddr, Vec<u8>)| match parse::message(bytes).unwrap() {
        Message::Request(request) => (*to, request.method.to_string()),
        Message::Response(response) => (*to, response.status.to_string()),
    };
    world.sent.iter().map(method).collect()
}

/// CALL-01: all places of a phone ring; the first that answers has the call, the others are told why they stop.
#[test]
fn the_first_place_that_answers_has_the_call() {
    let (mut world, leg, invites) = ringing();
    assert_eq!(methods(&world), [(place(8), "INVITE".into()), (place(7), "INVITE".into())]);
    for (invite, at) in invites.iter().zip([8, 7]) {
        world.receive(place(at), &reply(invite, 180, ""));
    }
    assert!(world.events().iter().all(|event| *event == EngineEvent::Ringing { leg }));
    world.receive(place(7), &reply(&invites[1], 200, ANSWER));
    assert_eq!(methods(&world), [(place(7), "ACK".into()), (place(8), "CANCEL".into())]);
    let cancel = invites_of(&world).pop().unwrap();
    assert_eq!(cancel.head.get("Reason"), Some("SIP;cause=200;text=\"Call completed elsewhere\""));
    assert!(matches!(world.events().as_slice(), [EngineEvent::Answered { .. }]));
    world.receive(place(8), &reply(&invites[0], 487, ""));
    assert_eq!((world.events(), world.engine.legs()), (vec![], 1));
    world.sent.clear();
    world.command(Command::Hangup { leg });
    assert_eq!(methods(&world), [(place(7), "BYE".into())]);
    assert!(matches!(world.events().last(), Some(EngineEvent::Ended { cause: LegEnd::LocalHangup, .. })));
}

/// RFC 3261 section 16.7: the call is over when the last place has refused, or one has declined for all.
#[test]
fn a_call_to_a_phone_ends_when_nobody_is_left() {
    let rows: [(&[(usize, u16)], u16); 5] = [
        (&[(0, 480), (1, 404)], 404),
        (&[(0, 486), (1, 480)], 486),
        (&[(1, 480), (0, 486)], 486),
        (&[(0, 603)], 603),
        (&[(1, 603)], 603),
    ];
    for (replies, expected) in rows {
        let (mut world, leg, invites) = ringing();
        for (at, invite) in invites.iter().enumerate() {
            world.receive(place(8 - at as u8), &reply(invite, 180, ""));
        }
        world.events();
        for (at, status) in replies {
            assert_eq!(world.events(), [], "not before the last");
            world.receive(place(8 - *at as u8), &reply(&invites[*at], *status, ""));
        }
        let ended = EngineEvent::Ended { leg, cause: LegEnd::Refused(expected) };
        assert_eq!((world.events(), world.engine.legs()), (vec![ended], 0), "{replies:?}");
    }
}

#[test]
fn a_hung_up_call_stops_ringing_everywhere() {
    let (mut world, leg, invites) = ringing();
    for (at, invite) in invites.iter().enumerate() {
        world.receive(place(8 - at as u8), &reply(invite, 180, ""));
    }
    world.events();
    world.sent.clear();
    world.command(Command::Hangup { leg });
    let mut methods = methods(&world);
    methods.sort();
    assert_eq!(methods, [(place(7), "CANCEL".into()), (place(8), "CANCEL".into())]);
    assert_eq!(world.events(), [EngineEvent::Ended { leg, cause: LegEnd::LocalHangup }]);
}

/// SEC-11: keys are told to no place that others could listen to; where there must be keys, only the others ring.
#[test]
fn keys_are_told_over_tls_alone() {
    let rows: [(Protection, &[(u8, bool)]); 3] = [
        (Protection::Off, &[(8, false), (7, false)]),
        (Protection::Optional, &[(8, true), (7, false)]),
        (Protection::Required, &[(8, true)]),
    ];
    for (protection, expected) in rows {
        let mut world = World::new(|_| {});
        world.command(Command::Phones(vec![Phone { protection, ..phone("secret") }]));
        assert_eq!(world.register(place(7), "secret", 7), 200);
        world.register_over_tls(place(8), "secret", 8);
        world.sent.clear();
        world.dial();
        let offers: Vec<(u8, bool)> = world
            .sent
            .iter()
            .map(|(to, bytes)| {
                (if *to == place(8) { 8 } else { 7 }, String::from_utf8_lossy(bytes).contains("a=crypto"))
            })
            .collect();
        assert_eq!(offers, expected, "{protection:?}");
    }
    let mut world = World::new(|_| {});
    world.command(Command::Phones(vec![Phone { protection: Protection::Required, ..phone("secret") }]));
    assert_eq!(world.register(place(7), "secret", 7), 200);
    world.events();
    world.dial();
    assert!(matches!(world.events().last(), Some(EngineEvent::Ended { cause: LegEnd::Refused(488), .. })));
}

/// A phone that nobody knows the place of, and one that does not exist.
#[test]
fn a_phone_that_is_away_is_told_so() {
    let mut world = World::new(|_| {});
    world.command(Command::Phones(vec![phone("secret")]));
    for id in [1, 9] {
        let to = DialTo::Phone(PhoneId(id));
        world.command(Command::Dial {
            tag: 1,
            uri: String::new(),
            to,
            from: String::new(),
            codecs: vec![Codec::Pcmu],
            identity: None,
            replaces: None,
            is_emergency: false,
        });
        world.give(Input::Wake);
        let events = world.events();
        let [EngineEvent::Dialing { leg, .. }, ended] = events.as_slice() else { panic!("{events:?}") };
        assert_eq!(*ended, EngineEvent::Ended { leg: *leg, cause: LegEnd::Refused(480) });
    }
    assert_eq!(world.engine.legs(), 0);
}

/// The phone rings this; the port is answered at once. The status of its last answer, 0 for none.
fn rings(world: &mut World, target: &str, id: u32) -> u16 {
    let remote = place(7);
    let text = format!(
        "INVITE {target} SIP/2.0\r\nVia: SIP/2.0/UDP {remote};branch=z9hG4bKc{id};rport\r\n\
         From: <sip:201@192.0.2.10>;tag=f{id}\r\nTo: <{target}>\r\nCall-ID: i{id}\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:201@{remote}>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{ANSWER}",
        ANSWER.len()
    );
    let Ok(Message::Request(mut request)) = parse::message(text.as_bytes()) else { panic!("{text}") };
    let credentials = Credentials { user: "201".into(), password: "secret".into(), realms: Vec::new() };
    let (mut client, mut tokens) = (Client::new(credentials), Tokens::new([id as u8; 32]));
    let replies = world.receive(remote, &request.encode());
    let Some(Message::Response(challenge)) = replies.last() else { panic!("no challenge") };
    assert!(client.challenged(&request, challenge));
    request.head.cseq.number += 1;
    request.head.via[0].params.set("branch", format!("z9hG4bKd{id}"));
    client.authorize(&mut request, &mut tokens);
    match world.receive(remote, &request.encode()).last() {
        Some(Message::Response(response)) => response.status,
        Some(Message::Request(_)) | None => 0,
    }
}

/// SAFE-01: where there is no room, and while the service stops, a phone still rings an emergency number, and whoever dials for such a
/// call gets its leg; nobody else does, and the room for emergencies has an end, too.
#[test]
fn there_is_room_for_emergencies() {
    for drains in [false, true] {
        let mut world = World::new(|config| {
            config.legs_max = if drains { 10 } else { 1 };
            config.trusted = vec!["192.0.2.0/24".parse().unwrap()];
        });
        world.command(Command::Phones(vec![phone("secret")]));
        world.command(Command::EmergencyNumbers(vec!["112".into(), "999".into()]));
        assert_eq!(world.register(place(7), "secret", 1), 200);
        world.dial();
        if drains {
            world.command(Command::Drain);
        }
        world.events();
        let incoming = |events: Vec<EngineEvent>| {
            events.into_iter().find_map(|event| match event {
                EngineEvent::Incoming { to, .. } => Some(to),
                _ => None,
            })
        };
        assert_eq!(rings(&mut world, "sip:202@192.0.2.10", 2), 503);
        assert_eq!(rings(&mut world, "sip:1120@192.0.2.10", 3), 503);
        assert_eq!((incoming(world.events()), world.engine.counters().calls_refused), (None, 2));
        for (id, target, to) in
            [(4, "sip:999@192.0.2.10", "999"), (5, "tel:112", "112"), (6, "urn:service:sos", "urn:service:sos")]
        {
            assert_eq!(rings(&mut world, target, id), 100, "{target}");
            assert_eq!(incoming(world.events()).as_deref(), Some(to));
        }
        // A stranger's call to the same number is a call like any other.
        let text = String::from_utf8(register(place(7), 9).encode()).unwrap().replace("REGISTER", "INVITE");
        let other = "192.0.2.77:5060".parse().unwrap();
        let stranger = text.replace("sip:192.0.2.10 SIP", "sip:999@192.0.2.10 SIP").replace("201", "someone");
        let refused = world.receive(other, stranger.as_bytes());
        assert!(matches!(refused.last(), Some(Message::Response(response)) if response.status == 503), "{refused:?}");
        let mut dial = |is_emergency| {
            let (uri, codecs) = ("sip:999@192.0.2.50".to_owned(), vec![Codec::Pcmu]);
            let (to, from) = (DialTo::Address("192.0.2.50:5060".parse().unwrap()), String::new());
            let (identity, replaces) = (None, None);
            world.command(Command::Dial { tag: 9, uri, to, from, codecs, identity, replaces, is_emergency });
            let overloaded =
                |event: &EngineEvent| matches!(event, EngineEvent::Ended { cause: LegEnd::Overloaded, .. });
            !world.events().iter().any(overloaded)
        };
        assert!(!dial(false) && dial(true), "draining: {drains}");
        let more = (0..50).filter(|_| dial(true)).count();
        let most = if drains { 10 + EMERGENCY_LEGS } else { 1 + EMERGENCY_LEGS };
        assert_eq!((world.engine.legs(), more), (most, most - 5), "draining: {drains}");
    }
}
