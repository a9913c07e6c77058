//! Bookings confirmed by text message through Twilio: once each, within limits, and told whether they have arrived.

use crate::support::clinic::{Clinic, Hum, PATIENCE, config};
use crate::support::person::{Person, read};
use crate::support::twilio::{ACCOUNT, NUMBER, PUBLIC, Placed, TOKEN, Twilio};
use auricle::app::{Options, Running, Speech};
use auricle::clock;
use auricle::voice::tools::Scope;
use auricle_domain::Timestamp;
use auricle_domain::code::Role;
use auricle_domain::event::Event;
use auricle_domain::id::{CallId, CauseId, ConversationId, ServiceId};
use auricle_storage::{Backend, Hooks};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

/// Numbers that reach nobody: Ofcom keeps them for plays and films.
const ANN: &str = "07700 900123";
const BEA: &str = "+447700900124";

struct Scene {
    twilio: Twilio,
    clinic: Clinic,
    admin: Person,
    web: SocketAddr,
    service: ServiceId,
}

async fn started(folder: &Path, twilio: &Twilio, backend: Backend) -> Clinic {
    let mut config = config(folder);
    config.server.public_url = PUBLIC.to_owned();
    config.carriers.twilio_api = twilio.api.clone();
    let speech = Some(Speech { stt: None, tts: std::sync::Arc::new(Hum), llm: None });
    let options = Options { backend, speech, clock: clock::system, hooks: Hooks::default() };
    Clinic::of(Running::start(config, options).await.unwrap())
}

async fn set_up(admin: &Person, version: &Value, text_number: &str, status: StatusCode) -> Value {
    let account = json!({ "account_sid": ACCOUNT, "auth_token": TOKEN, "text_number": text_number });
    read(admin.change(Method::PUT, "/api/carriers/twilio", version, account).await, status).await
}

/// A clinic in Britain where something can be booked at any time.
async fn ready(admin: &Person) -> ServiceId {
    let clinic = read(admin.get("/api/clinic").await, StatusCode::OK).await;
    let mut settings = clinic.clone();
    for (name, value) in [("name", json!("Lumen")), ("country", json!("GB")), ("zone", json!("Europe/London"))] {
        settings[name] = value;
    }
    for name in ["id", "version"] {
        settings.as_object_mut().unwrap().remove(name);
    }
    read(admin.change(Method::PUT, "/api/clinic", &clinic["version"], settings).await, StatusCode::OK).await;
    let days: Vec<Value> = (1..=7).map(|day| json!({ "weekday": day, "from_minute": 0, "to_minute": 1_440 })).collect();
    let service = json!({ "name": "Biopsy", "duration_min": 30, "resource": "Room 1", "hours": days, "lead_min": 60 });
    admin.made("/api/services", service).await["id"].as_str().unwrap().parse().unwrap()
}

fn scope(random: u8) -> Scope {
    let (at, random) = (Timestamp::now(), [random; 10]);
    Scope {
        call: CallId::new(at, random),
        conversation: ConversationId::new(at, random),
        cause: CauseId::new(at, random),
    }
}

impl Scene {
    async fn open() -> Self {
        let twilio = Twilio::start().await;
        let folder = tempfile::tempdir().unwrap();
        let clinic = started(folder.path(), &twilio, Backend::Memory).await.in_folder(folder);
        let admin = clinic.admin().await;
        let (web, service) = (clinic.running.web_addr, ready(&admin).await);
        Self { twilio, clinic, admin, web, service }
    }

    /// The call that the next bookings are made in.
    async fn call(&self) -> Scope {
        let mut caller = self.twilio.call(self.web, "+447700900123");
        caller.until("the greeting begins", |heard| heard.sound() > 1_000).await;
        let call = self.clinic.last_call().unwrap();
        caller.hang_up();
        self.clinic.happened(|event| matches!(event, Event::CallEnded { call: over, .. } if *over == call.id)).await;
        Scope { call: call.id, conversation: call.conversation, cause: scope(1).cause }
    }

    async fn book(&self, scope: Scope, number: &str) {
        book(&self.clinic, scope, self.service, number).await;
    }

    async fn texts(&self, scope: Scope) -> Vec<Value> {
        let path = format!("/api/calls/{}/texts", scope.call);
        read(self.admin.get(&path).await, StatusCode::OK).await["items"].as_array().unwrap().clone()
    }

    /// Waits until the last text of a call stands like this.
    async fn becomes(&self, scope: Scope, count: usize, state: &str, fault: Value) -> Value {
        let mut head = self.clinic.app().store.watch();
        let reached = async {
            loop {
                head.mark_unchanged();
                let texts = self.texts(scope).await;
                match texts.last() {
                    Some(last) if texts.len() == count && last["state"] == state => return last.clone(),
                    _ => head.changed().await.unwrap(),
                }
            }
        };
        let Ok(last) = tokio::time::timeout(PATIENCE, reached).await else {
            panic!("not {count} and {state}: {:?}", self.texts(scope).await)
        };
        assert_eq!(last["fault"], fault);
        last
    }

    async fn close(self) {
        self.clinic.running.stop(Duration::ZERO).await;
    }
}

async fn book(clinic: &Clinic, scope: Scope, service: ServiceId, number: &str) {
    let tools = &clinic.running.app.desk.tools;
    let now = Timestamp::now();
    let slots = tools.find_slots(service, now, now + jiff::SignedDuration::from_hours(48), 1).await.unwrap();
    let held = tools.hold(scope, slots[0].clone()).await.unwrap();
    let booked = tools.confirm(scope, held, "Ann Novak".to_owned(), number.to_owned()).await.unwrap();
    // Asked again, as when the caller says yes twice.
    assert_eq!(tools.confirm(scope, held, "Ann Novak".to_owned(), number.to_owned()).await.unwrap(), booked);
}

/// INT-01: a booking is confirmed once, to the number that was given, without what it is for; how it fares is told in any order, and shown;
/// what is forged, of another message, or known already changes nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_booking_is_confirmed_by_text_message() {
    let scene = Scene::open().await;
    set_up(&scene.admin, &json!(0), "", StatusCode::OK).await;
    let off = scene.call().await;
    scene.book(off, ANN).await;
    let wrong = set_up(&scene.admin, &json!(1), "+15550111", StatusCode::BAD_REQUEST).await;
    assert_eq!((&wrong["errors"][0]["field"], &wrong["errors"][0]["code"]), (&json!("text_number"), &json!("unknown")));
    let account = set_up(&scene.admin, &json!(1), NUMBER, StatusCode::OK).await;
    assert_eq!(account["text_number"], NUMBER);
    let scope = scene.call().await;
    scene.book(scope, ANN).await;
    let text = scene.twilio.text(scene.web).await;
    assert_eq!((text.field("To"), text.field("From")), ("+447700900123".to_owned(), NUMBER.to_owned()));
    let body = text.field("Body");
    assert!(body.starts_with("Lumen: your appointment is booked on "), "{body}");
    assert!(!body.contains("Biopsy") && !body.contains("Novak") && body.chars().count() < 320, "{body}");
    scene.becomes(scope, 1, "queued", Value::Null).await;
    assert!(scene.texts(off).await.is_empty(), "what was booked while it was off is not confirmed");

    let other = format!("SM{:032x}", 7);
    assert_eq!(text.tell_text_as(&other, "failed", "30008").await, StatusCode::NO_CONTENT);
    assert_eq!(text.tell_text_as("SM7", "failed", "30008").await, StatusCode::BAD_REQUEST);
    for status in ["sent", "delivered", "sent", "queued", "delivered", "undelivered"] {
        assert_eq!(text.tell_text(status, "").await, StatusCode::NO_CONTENT, "{status}");
    }
    let shown = scene.becomes(scope, 1, "delivered", Value::Null).await;
    assert_eq!((&shown["carrier_name"], &shown["version"]), (&json!(text.sid), &json!(4)));
    let told = |event: &Event| matches!(event, Event::TextChanged { .. });
    assert_eq!(scene.clinic.feed().iter().filter(|envelope| told(&envelope.event)).count(), 4);
    assert_eq!(scene.twilio.unseen_texts().await, 0, "one booking, one message");
    let agent = scene.clinic.person("agent@clinic.example", Role::Agent).await;
    let path = format!("/api/calls/{}/texts", scope.call);
    read(agent.get(&path).await, StatusCode::OK).await;
    scene.close().await;
}

/// INT-01: what does not arrive says why; what Twilio refuses is not tried again; where its answer is lost, it is not sent twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_text_message_that_does_not_arrive_says_why() {
    let scene = Scene::open().await;
    set_up(&scene.admin, &json!(0), NUMBER, StatusCode::OK).await;
    let scope = scene.call().await;
    scene.book(scope, ANN).await;
    let text = scene.twilio.text(scene.web).await;
    assert_eq!(text.tell_text("undelivered", "30006").await, StatusCode::NO_CONTENT);
    let landline = scene.becomes(scope, 1, "undelivered", json!("landline")).await;
    assert_eq!(landline["carrier_code"], 30_006);
    scene.twilio.refuses(&[21_610]);
    scene.book(scope, ANN).await;
    let refused = scene.becomes(scope, 2, "failed", json!("opted_out")).await;
    assert_eq!(refused["carrier_code"], 21_610);
    scene.twilio.answers_wrongly(1);
    scene.book(scope, BEA).await;
    let lost: Placed = scene.twilio.text(scene.web).await;
    scene.becomes(scope, 3, "unsure", json!("silent")).await;
    assert_eq!(lost.tell_text("sent", "").await, StatusCode::NO_CONTENT);
    scene.becomes(scope, 3, "sent", Value::Null).await;
    assert_eq!(scene.twilio.unseen_texts().await, 0);
    scene.close().await;
}

/// SEC-13: three a day to one number, and none to where the clinic does not call.
#[tokio::test(flavor = "multi_thread")]
async fn text_messages_keep_within_limits() {
    let scene = Scene::open().await;
    set_up(&scene.admin, &json!(0), NUMBER, StatusCode::OK).await;
    let scope = scene.call().await;
    for count in 1..=3 {
        scene.book(scope, ANN).await;
        scene.becomes(scope, count, "queued", Value::Null).await;
    }
    scene.book(scope, ANN).await;
    scene.becomes(scope, 4, "withheld", json!("limit")).await;
    let abroad = scene.call().await;
    scene.book(abroad, "+12025550123").await;
    scene.becomes(abroad, 1, "withheld", json!("number")).await;
    let nobody = scene.call().await;
    scene.book(nobody, "12").await;
    scene.book(nobody, BEA).await;
    scene.becomes(nobody, 1, "queued", Value::Null).await;
    for _ in 0..4 {
        scene.twilio.text(scene.web).await;
    }
    assert_eq!(scene.twilio.unseen_texts().await, 0);
    scene.close().await;
}

/// INT-01: over a restart nothing is sent again.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_sends_nothing_again() {
    let twilio = Twilio::start().await;
    let folder = tempfile::tempdir().unwrap();
    let first = started(folder.path(), &twilio, Backend::Redb).await;
    let admin = first.admin().await;
    let service = ready(&admin).await;
    set_up(&admin, &json!(0), NUMBER, StatusCode::OK).await;
    book(&first, scope(1), service, ANN).await;
    twilio.text(first.running.web_addr).await;
    first.happened(|event| matches!(event, Event::TextChanged { state, .. } if state.as_str() == "queued")).await;
    first.running.stop(Duration::ZERO).await;
    let second = started(folder.path(), &twilio, Backend::Redb).await;
    book(&second, scope(2), service, BEA).await;
    let next = twilio.text(second.running.web_addr).await;
    assert_eq!(next.field("To"), BEA, "the new one alone");
    assert_eq!(twilio.unseen_texts().await, 0);
    second.running.stop(Duration::ZERO).await;
}
