//! Calls that Telnyx places for the clinic: by the rules of outgoing calls, told by events in any order, and not believed when forged.

use crate::support::clinic::{Clinic, Hum, PATIENCE, config};
use crate::support::person::{Person, read};
use crate::support::telnyx::{API_KEY, CallEnd, Caller, KEY, Placed, Telnyx, public_key};
use crate::support::twilio::PUBLIC;
use crate::twilio_outgoing::tone;
use auricle::app::{Options, Running, Speech};
use auricle::clock;
use auricle_domain::call::Call;
use auricle_domain::code::{AnsweredBy, CallStatus, EndCause};
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

/// A clinic that calls by Telnyx alone.
struct Scene {
    telnyx: Telnyx,
    clinic: Clinic,
    admin: Person,
    web: SocketAddr,
}

impl Scene {
    async fn open() -> Self {
        let telnyx = Telnyx::start().await;
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(folder.path());
        config.server.public_url = PUBLIC.to_owned();
        config.carriers.telnyx_api = telnyx.api.clone();
        let speech = Some(Speech { stt: None, tts: std::sync::Arc::new(Hum), llm: None });
        let options = Options { backend: Backend::Memory, speech, clock: clock::system, hooks: Hooks::default() };
        let clinic = Clinic::of(Running::start(config, options).await.unwrap()).in_folder(folder);
        let admin = clinic.admin().await;
        let account = json!({ "api_key": API_KEY, "public_keys": [public_key(KEY)], "machine_detection": "answer" });
        let account = admin.change(Method::PUT, "/api/carriers/telnyx", &json!(0), account).await;
        let account = read(account, StatusCode::OK).await;
        let (web, trunk) = (clinic.running.web_addr, account["trunk"].clone());
        let rules = json!({
            "is_on": true, "countries": ["GB"], "calls_max": 4, "minutes_max": 5, "hour_calls_max": 500,
            "account_hour_calls_max": 500, "day_money_max": 1_000, "currency": "GBP", "minute_price_unknown": 1_000,
            "prices": [{ "prefix": "44", "minute_price": 10 }], "routes": [{ "prefix": "", "trunks": [trunk] }],
            "trunks": [{ "trunk": trunk, "numbers": [SHOWN], "format": "plus" }],
        });
        read(admin.change(Method::PUT, "/api/outbound", &json!(0), rules).await, StatusCode::OK).await;
        Self { telnyx, clinic, admin, web }
    }

    /// Somebody calls through Telnyx, and a person hands them on to a number outside.
    async fn handed_on(&self) -> (CallId, Caller, Placed) {
        let mut caller = self.telnyx.call(self.web, FROM);
        caller.until("the greeting begins", |heard| heard.sound() > 2_000).await;
        let call = self.clinic.last_call().unwrap().id;
        self.hand_on(call).await;
        let placed = self.telnyx.placed(self.web).await;
        (call, caller, placed)
    }

    async fn hand_on(&self, call: CallId) {
        let handed = self.act(call, "transfer", json!({ "to": "020 7946 0958" })).await;
        assert_eq!(handed, StatusCode::NO_CONTENT);
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
}

/// INT-02, VOICE-09, CALL-01: a caller is handed on to a number outside, which Telnyx calls: what is asked for is what the rules allow; a
/// question whose answer is lost is asked again and placed once; both hear each other; who answered is a fact; a lost socket comes back;
/// the end ends both. Keys that are told out of order and twice are pressed in order and once, by command.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_placed_by_telnyx() {
    let scene = Scene::open().await;
    let mut caller = scene.telnyx.call(scene.web, FROM);
    caller.until("the greeting begins", |heard| heard.sound() > 2_000).await;
    let call = scene.clinic.last_call().unwrap().id;
    scene.telnyx.lies(&[500]);
    scene.hand_on(call).await;
    let placed = scene.telnyx.placed(scene.web).await;
    for (name, value) in [
        ("to", json!(OUTSIDE)),
        ("from", json!(SHOWN)),
        ("timeout_secs", json!(60)),
        ("answering_machine_detection", json!("detect")),
        ("stream_track", json!("inbound_track")),
    ] {
        assert_eq!(placed.fields[name], value, "{name}");
    }
    placed.tell("call.initiated", json!({ "state": "bridging" })).await;
    let machine = placed.event("call.machine.detection.ended", json!({ "result": "machine" }));
    let human = placed.event("call.machine.detection.ended", json!({ "result": "human" }));
    for event in [&machine, &machine, &human] {
        placed.send(event).await;
    }
    let mut callee = placed.answer();
    let joined = scene.until(call, "both are there", |call| call.status == CallStatus::WithAgent).await;
    assert_eq!((joined.outgoing.len(), joined.outgoing[0].caller_id.as_str()), (1, SHOWN));
    assert!(joined.outgoing[0].answered_at.is_some());
    assert_eq!(scene.telnyx.unseen(), 0, "it is placed once");
    let before = caller.until("something was heard", |heard| heard.sound() > 0).await.sound();
    callee.say(tone(1_000));
    caller.until("the caller hears who was called", |heard| heard.sound() > before + 5_000).await;
    caller.say(tone(1_000));
    callee.until("who was called hears the caller", |heard| heard.sound() > 5_000).await;
    caller.jumble("15#");
    let heard = callee.until("the caller's keys", |heard| heard.keys.len() == 3).await;
    assert_eq!(heard.keys, "15#", "in the order in which they were pressed, each once");
    assert_eq!(scene.act(call, "dtmf", json!({ "digits": "42" })).await, StatusCode::NO_CONTENT);
    caller.until("the clinic's keys", |heard| heard.keys == "42").await;
    let known = scene.until(call, "who answered", |call| call.outgoing[0].answered_by.is_some()).await;
    assert_eq!(
        known.outgoing[0].answered_by,
        Some(AnsweredBy::Machine),
        "told twice, then otherwise: the first stands"
    );
    callee.cut(200);
    callee.until("another socket", |heard| heard.sockets == 2).await;
    callee.hang_up();
    assert_eq!(callee.ended().await, CallEnd::CallerHungUp);
    assert_eq!(scene.clinic.settled().await.outgoing[0].cost, 10);
    assert_eq!(caller.ended().await, CallEnd::HungUp);
    scene.clinic.running.stop(Duration::ZERO).await;
}

/// CALL-01, SEC-12: what Telnyx tells in the wrong order, twice, late or forged: who is busy is busy, what is over stays over, a forged end
/// ends nothing, and a call that rings though nobody waits for it is ended.
#[tokio::test(flavor = "multi_thread")]
async fn events_of_a_placed_call_may_come_in_any_order() {
    let scene = Scene::open().await;
    let (call, caller, mut placed) = scene.handed_on().await;
    assert_eq!(placed.tell_forged().await, StatusCode::UNAUTHORIZED);
    let busy = placed.event("call.hangup", json!({ "hangup_cause": "user_busy", "sip_hangup_cause": "486" }));
    placed.send(&busy).await;
    // Nobody takes the caller: the receptionist goes on.
    scene.until(call, "back with the receptionist", |call| call.status == CallStatus::WithReceptionist).await;
    placed.send(&busy).await;
    placed.tell("call.initiated", json!({})).await;
    placed.hung_up().await;
    assert_eq!((scene.call(call).outgoing[0].cost, scene.call(call).outgoing[0].answered_at), (0, None));

    // Another time it is told that it rings when it was answered already, and the clinic hangs up.
    scene.hand_on(call).await;
    let placed = scene.telnyx.placed(scene.web).await;
    let late = placed.event("call.initiated", json!({}));
    placed.tell("call.answered", json!({})).await;
    placed.send(&late).await;
    let callee = placed.answer();
    scene.until(call, "both are there", |call| call.status == CallStatus::WithAgent).await;
    assert_eq!(scene.act(call, "hangup", json!(null)).await, StatusCode::NO_CONTENT);
    assert_eq!(callee.ended().await, CallEnd::HungUp);
    assert_eq!(caller.ended().await, CallEnd::HungUp);
    assert_eq!(scene.clinic.settled().await.cause, Some(EndCause::ClinicHungUp));
    scene.clinic.running.stop(Duration::ZERO).await;
}

/// CALL-01: what Telnyx refuses is not asked again, and where it does not answer at all nobody waits for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_telnyx_does_not_place_has_failed() {
    let scene = Scene::open().await;
    let mut caller = scene.telnyx.call(scene.web, FROM);
    caller.until("the greeting begins", |heard| heard.sound() > 2_000).await;
    let call = scene.clinic.last_call().unwrap().id;
    let back =
        |count: usize| move |call: &Call| call.outgoing.len() == count && call.status == CallStatus::WithReceptionist;
    let none = scene.act(call, "transfer", json!({ "to": "020 7946 0404" })).await;
    assert_eq!(none, StatusCode::NO_CONTENT);
    scene.until(call, "it is no number", back(1)).await;
    // The application exists by now: it is asked for once, and three times the question itself.
    scene.telnyx.fails(&[500, 500, 500, 500]);
    scene.hand_on(call).await;
    scene.until(call, "nobody places it", back(2)).await;
    assert_eq!(scene.telnyx.unseen(), 0);
    caller.hang_up();
    assert_eq!(caller.ended().await, CallEnd::CallerHungUp);
    scene.clinic.running.stop(Duration::ZERO).await;
}
