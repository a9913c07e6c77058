//! Calls that Twilio places for the clinic: by the rules of outgoing calls, told by callbacks in any order, and not believed when forged.

use crate::support::clinic::{Clinic, Hum, PATIENCE, config};
use crate::support::person::{Person, read};
use crate::support::softphone::{Line, Softphone};
use crate::support::twilio::{ACCOUNT, CallEnd, Caller, PUBLIC, Placed, TOKEN, Twilio};
use auricle::app::{Options, Running, Speech};
use auricle::clock;
use auricle_domain::call::Call;
use auricle_domain::code::{AnsweredBy, AttestationLevel, CallStatus, EndCause, NumberCheck, OutboundRule};
use auricle_domain::event::Event;
use auricle_domain::id::CallId;
use auricle_storage::{Backend, Hooks};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;

const FROM: &str = "+15550100";
/// A number that costs nothing where it rings: Ofcom keeps it for plays and films.
const OUTSIDE: &str = "+442079460958";
/// A number of the account.
const SHOWN: &str = "+442079460000";

/// A clinic that calls by Twilio alone.
struct Scene {
    twilio: Twilio,
    clinic: Clinic,
    admin: Person,
    web: SocketAddr,
}

impl Scene {
    async fn open() -> Self {
        let twilio = Twilio::start().await;
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(folder.path());
        config.server.public_url = PUBLIC.to_owned();
        config.carriers.twilio_api = twilio.api.clone();
        let speech = Some(Speech { stt: None, tts: std::sync::Arc::new(Hum), llm: None });
        let options = Options { backend: Backend::Memory, speech, clock: clock::system, hooks: Hooks::default() };
        let clinic = Clinic::of(Running::start(config, options).await.unwrap()).in_folder(folder);
        let admin = clinic.admin().await;
        let account = json!({ "account_sid": ACCOUNT, "auth_token": TOKEN, "machine_detection": "answer" });
        let account = admin.change(Method::PUT, "/api/carriers/twilio", &json!(0), account).await;
        let account = read(account, StatusCode::OK).await;
        let (web, trunk) = (clinic.running.web_addr, account["trunk"].clone());
        let mut rules = json!({
            "is_on": true, "countries": ["GB"], "calls_max": 4, "minutes_max": 5, "hour_calls_max": 500,
            "account_hour_calls_max": 500, "day_money_max": 1_000, "currency": "GBP", "minute_price_unknown": 1_000,
            "prices": [{ "prefix": "44", "minute_price": 10 }], "routes": [{ "prefix": "", "trunks": [trunk] }],
        });
        let mute = admin.change(Method::PUT, "/api/outbound", &json!(0), rules.clone()).await;
        let mute = read(mute, StatusCode::BAD_REQUEST).await;
        assert_eq!((&mute["errors"][0]["field"], &mute["errors"][0]["code"]), (&json!("trunks"), &json!("required")));
        rules["trunks"] = json!([{ "trunk": trunk, "numbers": [SHOWN], "format": "national" }]);
        read(admin.change(Method::PUT, "/api/outbound", &json!(0), rules).await, StatusCode::OK).await;
        Self { twilio, clinic, admin, web }
    }

    /// Somebody calls through Twilio, and a person hands them on to a number outside.
    async fn handed_on(&self) -> (CallId, Caller, Placed) {
        let mut caller = self.twilio.call(self.web, FROM);
        caller.until("the greeting begins", |heard| heard.sound() > 2_000).await;
        let call = self.clinic.last_call().unwrap().id;
        let handed = self.act(call, "transfer", json!({ "to": "020 7946 0958" })).await;
        assert_eq!(handed, StatusCode::NO_CONTENT);
        let placed = self.twilio.placed(self.web).await;
        (call, caller, placed)
    }

    async fn act(&self, call: CallId, what: &str, body: Value) -> StatusCode {
        self.admin.send(Method::POST, &format!("/api/calls/{call}/{what}"), body).await.status()
    }

    fn call(&self, id: CallId) -> Call {
        self.clinic.app().store.read(|tx| tx.get::<Call>(&id)).unwrap().unwrap()
    }

    /// Waits until a call's record is like this.
    async fn until(&self, id: CallId, what: &str, is: impl Fn(&Call) -> bool) -> Call {
        let mut head = self.clinic.app().store.watch();
        let reached = async {
            loop {
                head.mark_unchanged();
                let call = self.call(id);
                if is(&call) {
                    return call;
                }
                head.changed().await.unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, reached).await.unwrap_or_else(|_| panic!("{what}: {:?}", self.call(id)))
    }

    async fn close(self) {
        self.clinic.running.stop(Duration::ZERO).await;
    }
}

/// 700 Hz, as loud as a voice, in mu-law.
pub fn tone(ms: usize) -> Vec<u8> {
    use auricle_media::codec::Encoder;
    use auricle_media::io::Codec;
    let wave = |at: usize| ((at as f64 * std::f64::consts::TAU * 700.0 / 8_000.0).sin() * 9_000.0) as i16;
    let samples: Vec<i16> = (0..ms * 8).map(wave).collect();
    let mut coded = Vec::new();
    Encoder::new(Codec::Pcmu).encode(&samples, &mut coded);
    coded
}

/// INT-01, VOICE-09, CALL-01: a caller is handed on to a number outside, which Twilio calls: what is asked for is what the rules allow;
/// both hear each other; who answered and what Twilio knows of the caller are facts; keys are heard as tones; the end ends both.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_placed_by_twilio() {
    let scene = Scene::open().await;
    let (call, mut caller, placed) = scene.handed_on().await;
    for (name, value) in [
        ("To", OUTSIDE),
        ("From", SHOWN),
        ("Timeout", "60"),
        ("StatusCallbackEvent", "initiated ringing answered completed"),
        ("MachineDetection", "Enable"),
        ("AsyncAmd", "true"),
    ] {
        assert_eq!(placed.field(name), value, "{name}");
    }
    assert!(placed.field("Twiml").len() < 4_000, "Twilio takes no more");
    placed.tell("initiated", 0, &[]).await;
    placed.tell("ringing", 1, &[]).await;
    let mut callee = placed.answer();
    placed.tell("in-progress", 2, &[]).await;
    let joined = scene.until(call, "both are there", |call| call.status == CallStatus::WithAgent).await;
    assert_eq!((joined.outgoing.len(), joined.outgoing[0].caller_id.as_str()), (1, SHOWN));
    assert!(joined.outgoing[0].answered_at.is_some());
    assert_eq!((joined.identity.check, joined.identity.level), (Some(NumberCheck::Passed), Some(AttestationLevel::A)));
    let before = caller.until("something was heard", |heard| heard.sound() > 0).await.sound();
    callee.say(tone(1_000));
    caller.until("the caller hears who was called", |heard| heard.sound() > before + 5_000).await;
    caller.say(tone(1_000));
    let heard = callee.until("who was called hears the caller", |heard| heard.sound() > 5_000).await;
    assert_eq!(scene.act(call, "dtmf", json!({ "digits": "12" })).await, StatusCode::NO_CONTENT);
    caller.until("keys are heard", |now| now.sound() > before + 7_000).await;
    assert!(heard.sockets == 1);
    // Told twice, and then otherwise: the first stands.
    for by in ["machine_start", "machine_start", "human"] {
        assert_eq!(placed.tell_who(by).await, StatusCode::NO_CONTENT);
    }
    let known = scene.until(call, "who answered", |call| call.outgoing[0].answered_by.is_some()).await;
    assert_eq!(known.outgoing[0].answered_by, Some(AnsweredBy::Machine));
    let shown = read(scene.admin.get(&format!("/api/calls/{call}")).await, StatusCode::OK).await;
    assert_eq!(shown["outgoing"][0]["answered_by"], "machine");
    let told = |event: &Event| matches!(event, Event::CallAnsweredBy { .. });
    assert_eq!(scene.clinic.feed().iter().filter(|envelope| told(&envelope.event)).count(), 1);
    // It is lost for a second, and comes back into the same call.
    callee.cut(400);
    callee.until("another socket", |heard| heard.sockets == 2).await;
    let sid = callee.sid.clone();
    callee.hang_up();
    assert_eq!(callee.ended().await, CallEnd::CallerHungUp);
    assert_eq!(scene.clinic.settled().await.outgoing[0].cost, 10);
    let end = caller.ended().await;
    assert!(matches!(end, CallEnd::HangUp | CallEnd::Completed), "{end:?}");
    assert!(!scene.twilio.completed(&sid), "it had ended there already");
    scene.close().await;
}

/// CALL-01, SEC-12: what Twilio tells in the wrong order, twice, late or forged: who is busy is busy, what is over stays over, and a
/// forged end ends nothing.
#[tokio::test(flavor = "multi_thread")]
async fn callbacks_may_come_in_any_order() {
    let scene = Scene::open().await;
    let (call, caller, placed) = scene.handed_on().await;
    assert_eq!(placed.tell_forged("busy").await, StatusCode::UNAUTHORIZED);
    placed.tell("busy", 2, &[]).await;
    // Nobody takes the caller: the receptionist goes on.
    scene.until(call, "back with the receptionist", |call| call.status == CallStatus::WithReceptionist).await;
    for _ in 0..2 {
        placed.tell("ringing", 1, &[]).await;
    }
    placed.tell("busy", 2, &[]).await;
    assert_eq!(placed.tell_who("unknown").await, StatusCode::NO_CONTENT, "late, and a fact all the same");
    let known = scene.until(call, "who answered", |call| call.outgoing[0].answered_by.is_some()).await;
    assert_eq!(known.outgoing[0].answered_by, Some(AnsweredBy::Unknown));
    assert_eq!((known.outgoing[0].cost, known.outgoing[0].answered_at), (0, None));
    // A call that rings though nobody here knows of it any more is ended there.
    scene.twilio.until_completed(&placed.sid).await;

    // Another time its socket comes before anything is told.
    assert_eq!(scene.act(call, "transfer", json!({ "to": "020 7946 0958" })).await, StatusCode::NO_CONTENT);
    let placed = scene.twilio.placed(scene.web).await;
    let callee = placed.answer();
    scene.until(call, "both are there", |call| call.status == CallStatus::WithAgent).await;
    for (number, status) in [(3, "in-progress"), (1, "ringing"), (0, "initiated"), (1, "ringing")] {
        placed.tell(status, number, &[]).await;
    }
    assert_eq!(placed.tell_forged("completed").await, StatusCode::UNAUTHORIZED);
    assert_eq!(scene.call(call).status, CallStatus::WithAgent);
    placed.tell("completed", 4, &[("CallDuration", "3")]).await;
    scene.until(call, "over", |call| call.ended_at.is_some()).await;
    drop((caller, callee));
    scene.close().await;
}

/// CALL-01, VOICE-10: what Twilio refuses is not asked again; after 429 it is; where the answer is lost it is not asked twice, and what
/// Twilio tells then counts; nobody waits for a call that never comes.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_asked_for_once() {
    let scene = Scene::open().await;
    scene.twilio.fails(&[429, 429]);
    let (call, _caller, placed) = scene.handed_on().await;
    placed.tell("no-answer", 1, &[]).await;
    scene.until(call, "back", |call| call.status == CallStatus::WithReceptionist).await;
    let hand_on = || async {
        assert_eq!(scene.act(call, "transfer", json!({ "to": "020 7946 0958" })).await, StatusCode::NO_CONTENT);
    };
    scene.twilio.refuses(&[21_211]);
    hand_on().await;
    scene.until(call, "refused", |call| call.outgoing.len() == 2 && call.status == CallStatus::WithReceptionist).await;
    scene.twilio.answers_wrongly(1);
    hand_on().await;
    let unsure = scene.twilio.placed(scene.web).await;
    let callee = unsure.answer();
    unsure.tell("in-progress", 2, &[]).await;
    scene.until(call, "taken though the answer was lost", |call| call.status == CallStatus::WithAgent).await;
    assert_eq!(scene.twilio.unseen().await, 0, "it was asked for once");
    assert_eq!(scene.act(call, "hangup", json!(null)).await, StatusCode::NO_CONTENT);
    scene.twilio.until_completed(&unsure.sid).await;
    let end = callee.ended().await;
    assert!(matches!(end, CallEnd::HangUp | CallEnd::Completed), "{end:?}");
    assert_eq!(scene.clinic.settled().await.cause, Some(EndCause::ClinicHungUp));

    // Taken there, and never heard of again: it has failed after a moment.
    let mut caller = scene.twilio.call(scene.web, FROM);
    caller.until("the greeting begins", |heard| heard.sound() > 2_000).await;
    let call = scene.clinic.last_call().unwrap().id;
    scene.twilio.answers_wrongly(1);
    assert_eq!(scene.act(call, "transfer", json!({ "to": "020 7946 0958" })).await, StatusCode::NO_CONTENT);
    let lost = scene.twilio.placed(scene.web).await;
    let back = |call: &Call| call.outgoing.len() == 1 && call.status == CallStatus::WithReceptionist;
    scene.until(call, "given up", back).await;
    assert_eq!(scene.twilio.unseen().await, 0);
    lost.tell("ringing", 1, &[]).await;
    scene.twilio.until_completed(&lost.sid).await;
    scene.close().await;
}

/// CALL-01: a carrier that does not accept the account's keys is asked once, and then passed over until the account is entered anew; that
/// it is, is told to whoever watches.
#[tokio::test(flavor = "multi_thread")]
async fn a_carrier_that_refuses_the_keys_is_passed_over() {
    let scene = Scene::open().await;
    let mut caller = scene.twilio.call(scene.web, FROM);
    caller.until("the greeting begins", |heard| heard.sound() > 2_000).await;
    let call = scene.clinic.last_call().unwrap().id;
    let hand_on = || scene.act(call, "transfer", json!({ "to": "020 7946 0958" }));
    let check = async || {
        let ready = read(scene.clinic.anybody().get("/health/ready").await, StatusCode::SERVICE_UNAVAILABLE).await;
        ready["checks"].as_array().unwrap().iter().find(|check| check["name"] == "carriers").unwrap().clone()
    };
    assert_eq!(check().await["ok"], true);
    scene.twilio.has_tokens(&["another"]);
    assert_eq!(hand_on().await, StatusCode::NO_CONTENT);
    let back = |call: &Call| call.outgoing.len() == 1 && call.status == CallStatus::WithReceptionist;
    scene.until(call, "back", back).await;
    assert_eq!(hand_on().await, StatusCode::CONFLICT);
    scene.clinic.happened(|event| matches!(event, Event::OutboundRefused { rule: OutboundRule::TrunksDown, .. })).await;
    let told = check().await;
    assert_eq!((&told["ok"], &told["detail"]), (&json!(false), &json!("twilio does not accept the account's keys")));

    scene.twilio.has_tokens(&[TOKEN]);
    let account = json!({ "account_sid": ACCOUNT, "auth_token": TOKEN });
    read(scene.admin.change(Method::PUT, "/api/carriers/twilio", &json!(1), account).await, StatusCode::OK).await;
    assert_eq!(check().await["ok"], true);
    assert_eq!(hand_on().await, StatusCode::NO_CONTENT);
    let placed = scene.twilio.placed(scene.web).await;
    assert_eq!((scene.twilio.unseen().await, placed.field("To").as_str()), (0, OUTSIDE));
    scene.close().await;
}

/// CALL-01, VOICE-09: a desk phone dials a number as people do; Twilio calls it, and both hear each other.
#[tokio::test(flavor = "multi_thread")]
async fn a_desk_phone_calls_through_twilio() {
    let scene = Scene::open().await;
    let me = read(scene.admin.get("/api/auth/me").await, StatusCode::OK).await;
    let phone = json!({ "label": "201", "extension": "201", "account": me["id"] });
    let phone = scene.admin.made("/api/phones", phone).await;
    let host = phone["server"]["host"].as_str().unwrap().parse().unwrap();
    let line = Line {
        server: SocketAddr::new(host, scene.clinic.app().voice.sip_addr().port()),
        transport: "udp",
        user: phone["phone"]["user"].as_str().unwrap(),
        password: phone["password"].as_str().unwrap(),
        modules: &[],
        account: "",
    };
    let desk = Softphone::desk(&line, Some("02079460958"), 12);
    let placed = scene.twilio.placed(scene.web).await;
    assert_eq!(placed.field("To"), OUTSIDE);
    let mut callee = placed.answer();
    callee.say(tone(6_000));
    callee.until("who was called hears the phone", |heard| heard.sound() > 16_000).await;
    let heard = desk.heard_tone(700.0).await;
    assert!(heard > 0.3, "the phone heard {heard}");
    scene.twilio.until_completed(&placed.sid).await;
    scene.clinic.happened(|event| matches!(event, Event::CallEnded { end: EndCause::ClinicHungUp, .. })).await;

    scene.close().await;
}

/// CALL-01: a call that is given up while it rings, rings no more, and costs nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_given_up_rings_no_more() {
    let scene = Scene::open().await;
    let (call, caller, placed) = scene.handed_on().await;
    placed.tell("ringing", 1, &[]).await;
    assert_eq!(scene.act(call, "hangup", json!(null)).await, StatusCode::NO_CONTENT);
    scene.twilio.until_completed(&placed.sid).await;
    let over = scene.until(call, "over", |call| call.ended_at.is_some()).await;
    assert_eq!(
        (over.cause, over.outgoing[0].answered_at, over.outgoing[0].cost),
        (Some(EndCause::ClinicHungUp), None, 0)
    );
    drop(caller);
    scene.close().await;
}
