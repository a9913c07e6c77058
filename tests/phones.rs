//! Desk phones: an ordinary softphone is told what the clinic shows for it, and works.

use crate::support::clinic::{Clinic, PATIENCE, config};
use crate::support::person::{Person, read};
use crate::support::ports;
use crate::support::softphone::{Line, Softphone};
use auricle::voice::{EngineEvents, OwnCertificate, TlsFiles, VoiceConfig, VoiceHandle, VoiceShell, certificate};
use auricle_domain::code::{EndCause, Role};
use auricle_domain::event::Event;
use auricle_media::engine::WRONG_MAX;
use auricle_media::io::{
    self as engine, Codec, Command, Credentials, DialTo, EngineEvent, PHONE_REALM, Pcm, Phone, PlayId, Protection, Rate,
};
use auricle_media::sip::digest::server::Secrets;
use auricle_media::sip::digest::{Algorithm, Client};
use auricle_media::sip::message::{Message, Request, Response};
use auricle_media::sip::parse;
use auricle_media::sip::tokens::Tokens;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::UdpSocket;

/// How long a packet that is not to be answered is waited for.
const SILENCE: Duration = Duration::from_millis(300);

async fn add(admin: &Person, label: &str, extension: &str) -> Value {
    admin.made("/api/phones", json!({ "label": label, "extension": extension })).await
}

fn path(phone: &Value) -> String {
    format!("/api/phones/{}", phone["id"].as_str().unwrap())
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap()
}

/// What is typed into a phone.
fn line<'a>(added: &'a Value, transport: &'a str) -> Line<'a> {
    let server = &added["server"];
    let port = if transport == "tls" { &server["tls_port"] } else { &server["port"] };
    Line {
        server: SocketAddr::new(text(server, "host").parse().unwrap(), port.as_u64().unwrap().try_into().unwrap()),
        transport,
        user: text(&added["phone"], "user"),
        password: text(added, "password"),
        modules: &[],
        account: "",
    }
}

/// Waits until the phone stands like this, and answers with what the API shows of it.
async fn stands(clinic: &Clinic, admin: &Person, phone: &Value, state: &str) -> Value {
    let mut head = clinic.app().store.watch();
    let mut last = Value::Null;
    let reached = async {
        loop {
            head.mark_unchanged();
            let shown = read(admin.get(&path(phone)).await, StatusCode::OK).await;
            if shown["status"]["state"] == state {
                return shown;
            }
            last = shown;
            head.changed().await.unwrap();
        }
    };
    match tokio::time::timeout(PATIENCE, reached).await {
        Ok(shown) => shown,
        Err(_) => panic!("the phone should be {state}: {last}"),
    }
}

/// CALL-01, SEC-11: over UDP and TCP a softphone registers with what the clinic shows, calls the receptionist, both hear each
/// other, and it signs off when it is switched off.
#[tokio::test(flavor = "multi_thread")]
async fn a_softphone_registers_and_calls_the_receptionist() {
    for transport in ["udp", "tcp"] {
        let clinic = Clinic::quiet().await;
        let admin = clinic.admin().await;
        let added = add(&admin, "Front desk", "201").await;
        let desk = Softphone::desk(&line(&added, transport), Some("receptionist"), 6);
        let shown = stands(&clinic, &admin, &added["phone"], "registered").await;
        let place = &shown["status"]["places"][0];
        assert_eq!((&place["transport"], &place["answers"]), (&json!(transport), &json!(true)), "{shown}");
        assert!(text(place, "agent").starts_with("baresip"), "{shown}");
        let arrived = clinic.happened(|event| matches!(event, Event::CallArrived { .. })).await;
        let Event::CallArrived { from_number, .. } = arrived.event else { unreachable!("it was looked for") };
        assert_eq!(from_number, "201", "a phone is known by its extension");
        clinic.happened(|event| matches!(event, Event::TurnCommitted { .. })).await;
        let heard = desk.heard().await;
        assert!(heard > 3_000, "{transport}: the phone heard {heard}");
        let call = clinic.settled().await;
        assert_eq!(call.cause, Some(EndCause::CallerHungUp), "{transport}");
        assert!(call.quality.packets_received > 100, "{transport}: {:?}", call.quality);
        let entrance = call.entrance.unwrap();
        assert_eq!(json!(entrance.phone), added["phone"]["id"], "{entrance:?}");
        stands(&clinic, &admin, &added["phone"], "away").await;
        clinic.running.stop(Duration::ZERO).await;
    }
}

/// A clinic in `folder` that listens for TLS.
async fn over_tls(folder: &Path) -> Clinic {
    let mut config = config(folder);
    config.sip.tls_listen = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    Clinic::open_as(config).await
}

/// CALL-01, SEC-11: over TLS too, with a certificate that is made at the first start, kept sealed, and shown by its fingerprint.
#[tokio::test(flavor = "multi_thread")]
async fn a_softphone_registers_over_tls_with_a_certificate_of_our_own() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store");
    let clinic = over_tls(&store).await;
    let admin = clinic.admin().await;
    let added = add(&admin, "Front desk", "201").await;
    let fingerprint = text(&added["server"], "tls_fingerprint").to_owned();
    assert_eq!(fingerprint.len(), 95, "{fingerprint}");
    clinic.happened(|event| matches!(event, Event::SipCertificateKept { fingerprint: it } if *it == fingerprint)).await;
    assert!(!folder.path().join("store.sip.pem").exists(), "its key is in the store alone, sealed");
    let desk = Softphone::desk(&line(&added, "tls"), Some("receptionist"), 6);
    let shown = stands(&clinic, &admin, &added["phone"], "registered").await;
    assert_eq!(shown["status"]["places"][0]["transport"], "tls");
    clinic.happened(|event| matches!(event, Event::TurnCommitted { .. })).await;
    let heard = desk.heard().await;
    let call = clinic.settled().await;
    assert!(heard > 3_000 && call.quality.packets_received > 100, "{heard} {:?}", call.quality);
    clinic.running.stop(Duration::ZERO).await;

    let clinic = over_tls(&store).await;
    let admin = clinic.person("second@clinic.example", Role::Admin).await;
    let list = read(admin.get("/api/phones").await, StatusCode::OK).await;
    assert_eq!(list["server"]["tls_fingerprint"], fingerprint, "it is kept");
    clinic.running.stop(Duration::ZERO).await;
}

/// SEC-11: keys go over TLS alone. There audio is encrypted where the phone offers it or demands it; a phone that has to and does not
/// is refused, and so is one that has to over TCP.
#[tokio::test(flavor = "multi_thread")]
async fn audio_is_encrypted_as_the_phone_is_set() {
    let folder = tempfile::tempdir().unwrap();
    let clinic = over_tls(&folder.path().join("store")).await;
    let admin = clinic.admin().await;
    let add = async |extension: &str, policy: &str| {
        let input = json!({ "label": "Desk", "extension": extension, "srtp": policy });
        admin.made("/api/phones", input).await
    };
    let rows = [
        ("201", "required", "tls", ";mediaenc=srtp-mand"),
        ("202", "optional", "tls", ";mediaenc=srtp"),
        ("203", "off", "tls", ""),
    ];
    for (extension, policy, transport, account) in rows {
        let added = add(extension, policy).await;
        let line = Line { modules: &["srtp"], account, ..line(&added, transport) };
        let heard = Softphone::desk(&line, Some("receptionist"), 6).heard().await;
        assert!(heard > 3_000, "{policy} {account}: {heard}");
        let id = clinic.last_call().unwrap().id;
        clinic.happened(|event| matches!(event, Event::CallEnded { call, .. } if *call == id)).await;
        let call = clinic.last_call().unwrap();
        assert_eq!(call.from_number, extension);
        assert!(call.quality.packets_received > 100, "{policy} {account}: {:?}", call.quality);
    }
    let added = add("204", "required").await;
    let mut phone = Guess::at("127.0.0.5", &line(&added, "udp")).await;
    assert_eq!(phone.ask("INVITE", "receptionist", text(&added, "password")).await, Some(488));
    clinic.running.stop(Duration::ZERO).await;
}

/// SEC-11: a wrong password registers nothing, rings nobody, and is written down nowhere; a number that nobody has is refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_phone_is_refused_what_it_may_not() {
    let clinic = Clinic::quiet().await;
    let admin = clinic.admin().await;
    let (front, lab) = (add(&admin, "Front desk", "201").await, add(&admin, "Lab", "202").await);
    let wrong = Line { password: "yellow-heron-43", ..line(&front, "udp") };
    let wrong = Softphone::desk(&wrong, Some("receptionist"), 60);
    // What the other one does takes longer than what this one is refused.
    let right = Softphone::desk(&line(&lab, "tcp"), Some("0"), 6);
    clinic.happened(|event| matches!(event, Event::TurnCommitted { .. })).await;
    right.ended().await;
    drop(wrong);
    let shown = read(admin.get(&path(&front["phone"])).await, StatusCode::OK).await;
    assert_eq!(shown["status"]["state"], "away");
    let callers: Vec<String> = clinic
        .feed()
        .into_iter()
        .filter_map(|it| match it.event {
            Event::CallArrived { from_number, .. } => Some(from_number),
            _ => None,
        })
        .collect();
    assert_eq!(callers, ["202"]);
    let logged = format!("{:?}", clinic.feed());
    assert!(!logged.contains("heron") && !logged.contains(text(&lab, "password")), "the log has a password");

    let mut phone = Guess::at("127.0.0.6", &line(&lab, "udp")).await;
    assert_eq!(phone.ask("INVITE", "299", text(&lab, "password")).await, Some(404));
    assert_eq!(phone.ask("INVITE", "receptionist", "guessed").await, Some(401));
    clinic.running.stop(Duration::ZERO).await;
}

/// A phone in a few lines, to do what no softphone does: guess.
struct Guess {
    socket: UdpSocket,
    server: SocketAddr,
    user: String,
    sent: u32,
}

impl Guess {
    async fn at(address: &str, line: &Line<'_>) -> Self {
        let socket = UdpSocket::bind(format!("{address}:0")).await.unwrap();
        Self { socket, server: line.server, user: line.user.to_owned(), sent: 0 }
    }

    /// The status that a REGISTER with this password gets in the end; none when there is no answer.
    async fn register(&mut self, password: &str) -> Option<u16> {
        let user = self.user.clone();
        self.ask("REGISTER", &user, password).await
    }

    /// The same for any request to this user.
    async fn ask(&mut self, method: &str, to: &str, password: &str) -> Option<u16> {
        let credentials = Credentials { user: self.user.clone(), password: password.to_owned(), realms: Vec::new() };
        let (mut client, mut tokens) = (Client::new(credentials), Tokens::new([7; 32]));
        let mut request = self.request(method, to);
        loop {
            self.sent += 1;
            request.head.cseq.number = self.sent;
            request.head.via[0].params.set("branch", format!("z9hG4bK{}", self.sent));
            self.socket.send_to(&request.encode(), self.server).await.unwrap();
            let response = self.answer().await?;
            if response.status != 401 || request.head.get("Authorization").is_some() {
                return Some(response.status);
            }
            assert!(client.challenged(&request, &response));
            client.authorize(&mut request, &mut tokens);
        }
    }

    /// The final response.
    async fn answer(&self) -> Option<Response> {
        loop {
            let mut bytes = [0; 2_048];
            let (length, _) = tokio::time::timeout(SILENCE, self.socket.recv_from(&mut bytes)).await.ok()?.unwrap();
            match parse::message(&bytes[..length]) {
                Ok(Message::Response(response)) if response.status >= 200 => return Some(response),
                Ok(Message::Response(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    fn request(&self, method: &str, to: &str) -> Request {
        let (user, server, own) = (&self.user, self.server, self.socket.local_addr().unwrap());
        let uri = if method == "REGISTER" { format!("sip:{server}") } else { format!("sip:{to}@{server}") };
        let body = if method == "INVITE" {
            "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 40000 RTP/AVP 0\r\n"
        } else {
            ""
        };
        let kind = if body.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
        let text = format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK0;rport\r\nFrom: <sip:{user}@{server}>;tag=1\r\n\
             To: <sip:{to}@{server}>\r\nCall-ID: {method}{own}{}\r\nCSeq: 1 {method}\r\nContact: <sip:{user}@{own}>\r\n\
             Max-Forwards: 70\r\n{kind}Content-Length: {}\r\n\r\n{body}",
            self.sent,
            body.len()
        );
        match parse::message(text.as_bytes()) {
            Ok(Message::Request(request)) => request,
            other => panic!("{other:?}"),
        }
    }
}

/// SEC-11: after ten wrong passwords a source is not heard any more, not even with the right one; a phone elsewhere is.
#[tokio::test(flavor = "multi_thread")]
async fn who_guesses_is_not_heard_any_more() {
    let clinic = Clinic::quiet().await;
    let admin = clinic.admin().await;
    let added = add(&admin, "Front desk", "201").await;
    let line = line(&added, "udp");
    let mut guess = Guess::at("127.0.0.9", &line).await;
    let mut known = Guess::at("127.0.0.8", &line).await;
    // The engine hears of a phone a moment after it was added.
    stands(&clinic, &admin, &added["phone"], "away").await;
    while known.register(line.password).await != Some(200) {}
    for _ in 0..WRONG_MAX {
        assert_eq!(guess.register("guessed").await, Some(401));
    }
    assert_eq!(guess.register(line.password).await, None);
    assert_eq!(known.register(line.password).await, Some(200));

    // It is shown and written down; an administrator has it heard again.
    let banned = |event: &Event| matches!(event, Event::SourceBanned { source } if source == "127.0.0.9");
    clinic.happened(banned).await;
    let bans = read(admin.get("/api/phones/bans").await, StatusCode::OK).await;
    assert_eq!((bans["items"].as_array().unwrap().len(), text(&bans["items"][0], "source")), (1, "127.0.0.9"));
    let until: auricle_domain::Timestamp = text(&bans["items"][0], "until").parse().unwrap();
    let left_s = until.duration_since(auricle::clock::system()).as_secs();
    assert!((3_000..=3_600).contains(&left_s), "{left_s}");
    let metrics = read(admin.get("/metrics?format=json").await, StatusCode::OK).await;
    assert!(metrics["auricle_sources_banned"].is_number() && metrics["auricle_phones_registered"].is_number());
    let agent = clinic.person("agent@clinic.example", Role::Agent).await;
    let lift = |person: &Person| person.request(Method::DELETE, "/api/phones/bans/127.0.0.9").send();
    assert_eq!(agent.get("/api/phones/bans").await.status(), StatusCode::FORBIDDEN);
    assert_eq!(lift(&agent).await.unwrap().status(), StatusCode::FORBIDDEN);
    assert_eq!(lift(&admin).await.unwrap().status(), StatusCode::NO_CONTENT);
    assert_eq!(lift(&admin).await.unwrap().status(), StatusCode::NOT_FOUND);
    clinic.happened(|event| matches!(event, Event::SourceHeard { .. })).await;
    assert_eq!(guess.register(line.password).await, Some(200));
    clinic.running.stop(Duration::ZERO).await;
}

/// SEC-11: a restart lets nobody in whose time is not over, and keeps nobody out whom an administrator has let in again.
#[tokio::test(flavor = "multi_thread")]
async fn a_ban_outlives_a_restart_and_what_was_lifted_stays_lifted() {
    let folder = tempfile::tempdir().unwrap();
    let clinic = Clinic::open_as(config(folder.path())).await;
    let admin = clinic.admin().await;
    let added = add(&admin, "Front desk", "201").await;
    let (password, line) = (text(&added, "password"), line(&added, "udp"));
    let (mut guess, mut other) = (Guess::at("127.0.0.9", &line).await, Guess::at("127.0.0.10", &line).await);
    for guess in [&mut guess, &mut other] {
        for _ in 0..WRONG_MAX {
            assert_eq!(guess.register("guessed").await, Some(401));
        }
    }
    for source in ["127.0.0.9", "127.0.0.10"] {
        clinic.happened(|event| matches!(event, Event::SourceBanned { source: it } if it == source)).await;
    }
    let lift = async |person: &Person, source: &str| {
        person.request(Method::DELETE, &format!("/api/phones/bans/{source}")).send().await.unwrap().status()
    };
    assert_eq!(lift(&admin, "127.0.0.10").await, StatusCode::NO_CONTENT);
    let bans = async |person: &Person| {
        let bans = read(person.get("/api/phones/bans").await, StatusCode::OK).await;
        let until = |ban: &Value| text(ban, "until").parse::<auricle_domain::Timestamp>().unwrap().as_second();
        let of = |ban: &Value| (text(ban, "source").to_owned(), until(ban));
        bans["items"].as_array().unwrap().iter().map(of).collect::<Vec<_>>()
    };
    let before = bans(&admin).await;
    assert_eq!(before.len(), 1);
    clinic.running.stop(Duration::ZERO).await;

    let clinic = Clinic::open_as(config(folder.path())).await;
    let admin = clinic.person("second@clinic.example", Role::Admin).await;
    (guess.server, other.server) = (clinic.app().voice.sip_addr(), clinic.app().voice.sip_addr());
    while other.register(password).await != Some(200) {}
    // What was kept is known before it is told how phones stand.
    stands(&clinic, &admin, &added["phone"], "registered").await;
    assert_eq!(guess.register(password).await, None, "it is not heard, with the right password either");
    let after = bans(&admin).await;
    assert_eq!((after.len(), after[0].0.as_str()), (1, "127.0.0.9"));
    assert!((after[0].1 - before[0].1).abs() <= 2, "{before:?} {after:?}");
    assert_eq!(lift(&admin, "127.0.0.9").await, StatusCode::NO_CONTENT);
    assert_eq!(guess.register(password).await, Some(200));
    clinic.running.stop(Duration::ZERO).await;

    let clinic = Clinic::open_as(config(folder.path())).await;
    let admin = clinic.person("third@clinic.example", Role::Admin).await;
    stands(&clinic, &admin, &added["phone"], "registered").await;
    assert_eq!(bans(&admin).await, []);
    let times = clinic.feed().iter().filter(|it| matches!(it.event, Event::SourceBanned { .. })).count();
    assert_eq!(times, 2, "each is written down once");
    clinic.running.stop(Duration::ZERO).await;
}

/// SEC-11: with a new password, switched off, or removed, a phone is gone at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_phone_that_is_changed_is_gone_at_once() {
    let clinic = Clinic::quiet().await;
    let admin = clinic.admin().await;
    let added = add(&admin, "Front desk", "201").await;
    let mut phone = Guess::at("127.0.0.7", &line(&added, "udp")).await;
    while phone.register(text(&added, "password")).await != Some(200) {}
    let shown = stands(&clinic, &admin, &added["phone"], "registered").await;

    let renew = format!("{}/password", path(&shown));
    let renewed = read(admin.change(Method::POST, &renew, &shown["version"], json!(null)).await, StatusCode::OK).await;
    assert_ne!((&renewed["phone"]["user"], &renewed["password"]), (&shown["user"], &added["password"]));
    stands(&clinic, &admin, &shown, "away").await;
    assert_eq!(phone.register(text(&added, "password")).await, Some(401));
    phone.user = text(&renewed["phone"], "user").to_owned();
    assert_eq!(phone.register(text(&renewed, "password")).await, Some(200));
    let shown = stands(&clinic, &admin, &shown, "registered").await;

    let off = json!({ "label": "Front desk", "extension": "201", "is_on": false });
    let off = read(admin.change(Method::PUT, &path(&shown), &shown["version"], off).await, StatusCode::OK).await;
    assert_eq!(off["status"]["state"], "off");
    while phone.register(text(&renewed, "password")).await == Some(200) {}
    let on = json!({ "label": "Front desk", "extension": "201", "is_on": true });
    let on = read(admin.change(Method::PUT, &path(&shown), &off["version"], on).await, StatusCode::OK).await;
    assert_eq!(on["version"], json!(off["version"].as_u64().unwrap() + 1));
    stands(&clinic, &admin, &shown, "away").await;
    while phone.register(text(&renewed, "password")).await != Some(200) {}
    let on = stands(&clinic, &admin, &shown, "registered").await;

    let removed = admin.change(Method::DELETE, &path(&on), &on["version"], json!(null)).await;
    assert_eq!(removed.status(), StatusCode::NO_CONTENT);
    assert_eq!(admin.get(&path(&on)).await.status(), StatusCode::NOT_FOUND);
    while phone.register(text(&renewed, "password")).await == Some(200) {}
    clinic.running.stop(Duration::ZERO).await;
}

/// The telephone side alone, with one phone `201` whose audio is encrypted as told.
fn telephone(protection: Protection) -> (VoiceHandle, EngineEvents) {
    let own = certificate::made(&["127.0.0.1".to_owned()], auricle::clock::system()).unwrap();
    let (voice, events) = VoiceShell::start(VoiceConfig {
        sip_listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
        tls_listen: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))),
        tls: TlsFiles { own: Some(OwnCertificate::Kept(Arc::new(own))), ..TlsFiles::default() },
        advertise: None,
        rtp_ports: ports::free(8),
        legs_max: 4,
        trusted: Vec::new(),
        phones: vec!["127.0.0.0/8".parse().unwrap()],
        algorithms: vec![Algorithm::Md5],
        spared: Vec::new(),
        codecs: vec![Codec::Pcma],
    })
    .unwrap();
    let secrets = Secrets::new("201", PHONE_REALM, "secret");
    let phone = Phone { id: engine::PhoneId(1), user: "201".to_owned(), secrets, protection };
    voice.send(Command::Phones(vec![phone])).unwrap();
    (voice, events)
}

/// Waits for an event of the engine.
async fn told(events: &mut EngineEvents, what: impl Fn(&EngineEvent) -> bool) -> EngineEvent {
    let found = async {
        loop {
            let event = events.recv().await.unwrap();
            if what(&event) {
                return event;
            }
        }
    };
    tokio::time::timeout(PATIENCE, found).await.expect("it was not told in time")
}

/// CALL-01: a phone that has registered from outside the trusted networks is called, answers, and both sides are heard; over TLS encrypted.
#[tokio::test(flavor = "multi_thread")]
async fn a_registered_phone_is_called_and_heard() {
    let rows = [
        ("udp", Protection::Optional, ""),
        ("tcp", Protection::Off, ""),
        ("tls", Protection::Required, ";mediaenc=srtp-mand"),
        ("tls", Protection::Optional, ";mediaenc=srtp"),
    ];
    for (transport, protection, account) in rows {
        let (voice, mut events) = telephone(protection);
        let server = if transport == "tls" { voice.tls_addr().unwrap() } else { voice.sip_addr() };
        let modules: &[&str] = if account.is_empty() { &[] } else { &["srtp"] };
        let account = format!(";answermode=auto{account}");
        let line = Line { server, transport, user: "201", password: "secret", modules, account: &account };
        let desk = Softphone::desk(&line, None, 8);
        let mut places = voice.phone_states();
        let registered = places.wait_for(|places| places.contains_key(&engine::PhoneId(1)));
        tokio::time::timeout(PATIENCE, registered).await.expect("it did not register").unwrap();

        let to = DialTo::Phone(engine::PhoneId(1));
        let codecs = vec![Codec::Pcma];
        let (uri, from) = (String::new(), "300".to_owned());
        voice
            .send(Command::Dial { tag: 1, uri, to, from, codecs, identity: None, replaces: None, is_emergency: false })
            .unwrap();
        let answered = told(&mut events, |event| matches!(event, EngineEvent::Answered { .. })).await;
        let leg = answered.leg().unwrap();
        let tone: Vec<i16> = (0..16_000).map(|at| ((f64::from(at) * 0.3).sin() * 9_000.0) as i16).collect();
        let pcm = Pcm { rate: Rate::Hz8000, samples: tone.into() };
        voice.send(Command::Play { leg, id: PlayId(1), pcm, last: true }).unwrap();
        let mut tap = voice.tap(leg).unwrap();
        let loud = async {
            while let Some((pcm, _)) = tap.recv().await {
                if pcm.samples.iter().any(|sample| sample.unsigned_abs() > 3_000) {
                    return;
                }
            }
            panic!("{transport}: the phone was not heard");
        };
        tokio::time::timeout(PATIENCE, loud).await.unwrap();
        told(&mut events, |event| matches!(event, EngineEvent::PlayedTo { done: true, .. })).await;
        voice.send(Command::Hangup { leg }).unwrap();
        let heard = desk.heard().await;
        assert!(heard > 3_000, "{transport} {protection:?}: the phone heard {heard}");
        voice.stop(Duration::ZERO).await;
    }
}

/// What a phone may be called, and who may see it. A request that is repeated adds no second phone and shows no password.
#[tokio::test(flavor = "multi_thread")]
async fn phones_are_an_administrators_matter() {
    let clinic = Clinic::quiet().await;
    let admin = clinic.admin().await;
    let added = add(&admin, "Front desk", "201").await;
    assert_eq!(text(&added, "password").len(), 26);
    let rows = [
        (json!({ "label": "", "extension": "202" }), "label", "required"),
        (json!({ "label": "Lab", "extension": "2" }), "extension", "format"),
        (json!({ "label": "Lab", "extension": "112" }), "extension", "format"),
        (json!({ "label": "Lab", "extension": "201" }), "extension", "taken"),
        (json!({ "label": "Lab", "extension": "202", "account": added["phone"]["id"] }), "account", "unknown"),
    ];
    for (body, field, code) in rows {
        let wrong = read(admin.send(Method::POST, "/api/phones", body).await, StatusCode::BAD_REQUEST).await;
        assert_eq!((text(&wrong["errors"][0], "field"), text(&wrong["errors"][0], "code")), (field, code));
    }
    let list = read(admin.get("/api/phones").await, StatusCode::OK).await;
    assert_eq!(list["phones"].as_array().unwrap().len(), 1);
    assert_eq!(list["server"]["port"], clinic.app().voice.sip_addr().port());
    let shown = format!("{list} {}", read(admin.get(&path(&added["phone"])).await, StatusCode::OK).await);
    assert!(!shown.contains(text(&added, "password")) && !shown.contains("secret"), "{shown}");

    let agent = clinic.person("agent@clinic.example", Role::Agent).await;
    for path in ["/api/phones", &path(&added["phone"])] {
        assert_eq!(agent.get(path).await.status(), StatusCode::FORBIDDEN);
    }
    clinic.running.stop(Duration::ZERO).await;
}
