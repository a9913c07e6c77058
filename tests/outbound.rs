//! Calls to the outside: real telephones on both ends, and whoever would call at the clinic's expense.

use crate::attack;
use crate::support::clinic::{Clinic, PATIENCE, config};
use crate::support::peer::Says;
use crate::support::person::{Person, read};
use crate::support::softphone::{Line, Softphone, free_address};
use auricle_domain::call::Call;
use auricle_domain::code::{CallDirection, CallStatus, EndCause, OutboundRule, Role, TaskKind};
use auricle_domain::event::Event;
use auricle_domain::id::CallId;
use auricle_domain::task::Task;
use auricle_media::io::Codec;
use auricle_storage::{Scan, schema::CALLS_BY_TIME};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;

/// A number that costs nothing where it rings: Ofcom keeps it for plays and films.
const NUMBER: &str = "020 7946 0958";
pub const E164: &str = "+442079460958";

/// A clinic with a provider that answers, and what an administrator needs.
pub struct Scene {
    pub clinic: Clinic,
    pub admin: Person,
    pub provider_at: SocketAddr,
    pub trunk: Value,
}

impl Scene {
    /// Outgoing calls are on, at 10 a minute.
    pub async fn open(more: Value) -> Self {
        Self::of(Clinic::quiet().await, more).await
    }

    /// The same in this clinic.
    pub async fn of(clinic: Clinic, more: Value) -> Self {
        Self::with(clinic, free_address("127.0.0.2"), more).await
    }

    /// The same with a provider that will be there.
    pub async fn with(clinic: Clinic, provider_at: SocketAddr, more: Value) -> Self {
        let admin = clinic.admin().await;
        let trunk = json!({
            "name": "Provider", "server": provider_at.to_string(), "transport": "udp", "registers": false,
        });
        let trunk = admin.made("/api/trunks", trunk).await;
        let mut rules = json!({
            "is_on": true, "countries": ["GB"], "calls_max": 2, "minutes_max": 5, "hour_calls_max": 500,
            "account_hour_calls_max": 500, "day_money_max": 100, "currency": "GBP", "minute_price_unknown": 1_000,
            "prices": [{ "prefix": "44", "minute_price": 10 }], "routes": [{ "prefix": "", "trunks": [trunk["id"]] }],
            "trunks": [{ "trunk": trunk["id"], "numbers": ["+442079460000", "+442079460001"], "format": "plus" }],
        });
        rules.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let rules = admin.change(Method::PUT, "/api/outbound", &json!(0), rules).await;
        assert_eq!(read(rules, StatusCode::OK).await["version"], 1);
        Self { clinic, admin, provider_at, trunk }
    }

    /// Starts the provider and waits until the trunk takes calls.
    pub async fn provider(&self, seconds: u32) -> Softphone {
        let provider = Softphone::provider(self.provider_at, &[E164, "999"], seconds);
        let path = format!("/api/trunks/{}", self.trunk["id"].as_str().unwrap());
        self.becomes(&path, "up").await;
        provider
    }

    /// Waits until a trunk or a telephone stands like this.
    pub async fn becomes(&self, path: &str, state: &str) {
        let mut head = self.clinic.app().store.watch();
        let reached = async {
            loop {
                head.mark_unchanged();
                let shown = read(self.admin.get(path).await, StatusCode::OK).await;
                if shown["status"]["state"] == state {
                    return;
                }
                head.changed().await.unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, reached).await.unwrap_or_else(|_| panic!("{path} does not become {state}"));
    }

    pub async fn phone(&self, extension: &str, account: Value) -> Value {
        let phone = json!({ "label": extension, "extension": extension, "account": account });
        self.admin.made("/api/phones", phone).await
    }

    /// Switches a telephone on that calls a number, or waits for calls and takes them.
    async fn switched_on(&self, phone: &Value, number: Option<&str>, seconds: u32) -> Softphone {
        self.switched_on_with(phone, number, seconds, &[]).await
    }

    /// The same with these modules.
    pub async fn switched_on_with(
        &self,
        phone: &Value,
        number: Option<&str>,
        seconds: u32,
        modules: &[&str],
    ) -> Softphone {
        let server = &phone["server"];
        let line = Line {
            server: SocketAddr::new(
                server["host"].as_str().unwrap().parse().unwrap(),
                self.clinic.app().voice.sip_addr().port(),
            ),
            transport: "udp",
            user: phone["phone"]["user"].as_str().unwrap(),
            password: phone["password"].as_str().unwrap(),
            modules,
            account: if number.is_some() { "" } else { ";answermode=auto" },
        };
        let softphone = Softphone::desk(&line, number, seconds);
        if number.is_none() {
            let path = format!("/api/phones/{}", phone["phone"]["id"].as_str().unwrap());
            self.becomes(&path, "registered").await;
        }
        softphone
    }

    pub async fn ended(&self) -> EndCause {
        let ended = self.clinic.happened(|event| matches!(event, Event::CallEnded { .. })).await;
        let Event::CallEnded { end, .. } = ended.event else { unreachable!("it was looked for") };
        end
    }

    /// Waits until so many calls have ended.
    pub async fn ended_calls(&self, count: usize) {
        let mut head = self.clinic.app().store.watch();
        let is_end = |event: &Event| matches!(event, Event::CallEnded { .. });
        let reached = async {
            loop {
                head.mark_unchanged();
                if self.clinic.feed().iter().filter(|it| is_end(&it.event)).count() >= count {
                    return;
                }
                head.changed().await.unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, reached).await.unwrap_or_else(|_| panic!("{count} calls have not ended"));
    }

    pub fn calls(&self) -> Vec<Call> {
        self.clinic.app().store.read(|tx| tx.scan(Scan::index(CALLS_BY_TIME).limit(500))).unwrap().items
    }

    pub fn tasks(&self, kind: TaskKind) -> usize {
        let tasks = self.clinic.app().store.read(|tx| tx.scan(Scan::<Task>::table().limit(500))).unwrap().items;
        tasks.iter().filter(|task| task.kind == kind).count()
    }

    pub async fn close(self) {
        self.clinic.running.stop(Duration::ZERO).await;
    }
}

/// CALL-01, VOICE-09: a desk phone dials a number as people do; it goes out by the trunk, both hear each other, and the record says
/// which way it went, who called and what it cost.
#[tokio::test(flavor = "multi_thread")]
async fn a_desk_phone_calls_a_number_outside() {
    let scene = Scene::open(json!({})).await;
    let provider = scene.provider(20).await;
    let me = read(scene.admin.get("/api/auth/me").await, StatusCode::OK).await;
    let phone = scene.phone("201", me["id"].clone()).await;
    let desk = scene.switched_on(&phone, Some("02079460958"), 8).await;
    let placed = scene.clinic.happened(|event| matches!(event, Event::CallPlaced { .. })).await;
    let Event::CallPlaced { from_number, to_number, .. } = placed.event else { unreachable!("it was looked for") };
    assert_eq!((from_number.as_str(), to_number.as_str()), ("201", E164));
    scene.clinic.happened(|event| matches!(event, Event::CallAnswered { .. })).await;
    let live = read(scene.admin.get("/api/calls/live").await, StatusCode::OK).await;
    assert_eq!((&live["items"][0]["agent"], &live["items"][0]["status"]), (&me["id"], &json!("with_agent")));
    let heard = desk.heard_tone(700.0).await;
    assert_eq!(scene.ended().await, EndCause::ClinicHungUp);
    let heard_there = provider.heard_tone(440.0).await;
    assert!(heard > 0.8 && heard_there > 0.8, "the phone heard {heard}, the far end {heard_there}");
    let call = scene.calls().remove(0);
    assert_eq!((call.direction, call.outcome, call.outgoing[0].cost), (CallDirection::Outgoing, None, 10));
    assert_eq!(call.outgoing[0].caller_id, "+442079460000");
    let filter = format!("/api/calls?direction=outgoing&agent={}", me["id"].as_str().unwrap());
    let listed = read(scene.admin.get(&filter).await, StatusCode::OK).await;
    assert_eq!((listed["items"].as_array().unwrap().len(), &listed["items"][0]["agent_name"]), (1, &me["name"]));
    scene.close().await;
}

/// CALL-01, CALL-06: from the API one's own phone rings first; the call is held, taken back and ended; a request that came to nothing is
/// carried out when it is repeated, and one that was carried out places no second call, also when the telephone is gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_placed_held_and_ended_by_the_api() {
    let scene = Scene::open(json!({})).await;
    let provider = scene.provider(20).await;
    let me = read(scene.admin.get("/api/auth/me").await, StatusCode::OK).await;
    let phone = scene.phone("201", me["id"].clone()).await;
    let place_as = async |status| {
        let request = scene.admin.request(Method::POST, "/api/calls").header("idempotency-key", "call-1");
        read(request.json(&json!({ "phone_number": NUMBER })).send().await.unwrap(), status).await
    };
    assert_eq!(place_as(StatusCode::CONFLICT).await["code"], "conflict", "no phone is registered");
    let desk = scene.switched_on(&phone, None, 12).await;
    let place = || place_as(StatusCode::OK);
    let placed = place().await;
    assert_eq!(placed["status"], "queued");
    scene.clinic.happened(|event| matches!(event, Event::CallAnswered { .. })).await;
    assert_eq!(place().await["id"], placed["id"]);
    assert_eq!(scene.calls().len(), 1);
    let act = async |what: &str, body: Value| {
        let path = format!("/api/calls/{}/{what}", placed["id"].as_str().unwrap());
        scene.admin.send(Method::POST, &path, body).await.status()
    };
    let agent = scene.clinic.person("agent@clinic.example", Role::Agent).await;
    let path = format!("/api/calls/{}/hold", placed["id"].as_str().unwrap());
    assert_eq!(
        agent.send(Method::POST, &path, json!(null)).await.status(),
        StatusCode::FORBIDDEN,
        "not an agent's own"
    );
    assert_eq!(act("hold", json!(null)).await, StatusCode::NO_CONTENT);
    scene.clinic.happened(|event| matches!(event, Event::CallHeld { on: true, .. })).await;
    assert_eq!(scene.calls()[0].status, CallStatus::OnHold);
    assert_eq!(act("resume", json!(null)).await, StatusCode::NO_CONTENT);
    scene.clinic.happened(|event| matches!(event, Event::CallHeld { on: false, .. })).await;
    assert_eq!(act("dtmf", json!({ "digits": "12#" })).await, StatusCode::NO_CONTENT);
    assert_eq!(act("dtmf", json!({ "digits": "12x" })).await, StatusCode::BAD_REQUEST);
    assert_eq!(act("hangup", json!(null)).await, StatusCode::NO_CONTENT);
    assert_eq!(scene.ended().await, EndCause::ClinicHungUp);
    assert_eq!(act("hangup", json!(null)).await, StatusCode::CONFLICT);
    let path = format!("/api/phones/{}", phone["phone"]["id"].as_str().unwrap());
    let removed = scene.admin.change(Method::DELETE, &path, &phone["phone"]["version"], json!(null)).await;
    assert_eq!(removed.status(), StatusCode::NO_CONTENT);
    assert_eq!((&place().await["id"], scene.calls().len()), (&placed["id"], 1), "it was carried out");
    let campaign =
        scene.admin.send(Method::POST, "/api/calls", json!({ "phone_number": NUMBER, "campaign_id": "x" })).await;
    assert_eq!(read(campaign, StatusCode::BAD_REQUEST).await["errors"][0]["field"], "campaign_id");
    drop((desk, provider));
    scene.close().await;
}

/// CALL-01: whoever calls is told which of the clinic's numbers may be shown, and the one that they choose is. Another one is refused
/// by name, and an emergency call shows the usual one.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_shows_the_number_that_was_chosen() {
    let scene = Scene::open(json!({})).await;
    let provider = attack::provider(&scene, Says::Yes).await;
    let agent = scene.clinic.person("agent@clinic.example", Role::Agent).await;
    let me = read(agent.get("/api/auth/me").await, StatusCode::OK).await;
    let phone = scene.phone("201", me["id"].clone()).await;
    let desk = scene.switched_on(&phone, None, 30).await;
    let offered = read(agent.get("/api/calls/dialling").await, StatusCode::OK).await;
    let numbers = json!(["+442079460000", "+442079460001"]);
    assert_eq!((&offered["is_on"], &offered["usual"], &offered["numbers"]), (&json!(true), &numbers[0], &numbers));
    assert_eq!(offered["emergency"][0], "999", "the clinic's country has it");
    let place = async |number: &str, shown: &Value| {
        agent.send(Method::POST, "/api/calls", json!({ "phone_number": number, "caller_id": shown })).await
    };
    let refused = read(place(NUMBER, &json!("+442079460002")).await, StatusCode::CONFLICT).await;
    assert_eq!((&refused["code"], &refused["errors"][0]["code"]), (&json!("outbound_refused"), &json!("caller_id")));
    for (number, chosen, shown) in [(NUMBER, 1, 1), (NUMBER, 0, 0), ("999", 1, 0)] {
        let placed = read(place(number, &numbers[chosen]).await, StatusCode::OK).await;
        let is_it = |call: &CallId| json!(call) == placed["id"];
        scene.clinic.happened(|event| matches!(event, Event::CallAnswered { call, .. } if is_it(call))).await;
        assert_eq!(json!(provider.calls().pop().unwrap().head.from.uri.user()), numbers[shown], "{number}");
        let path = format!("/api/calls/{}/hangup", placed["id"].as_str().unwrap());
        assert_eq!(agent.send(Method::POST, &path, json!(null)).await.status(), StatusCode::NO_CONTENT);
        scene.clinic.happened(|event| matches!(event, Event::CallEnded { call, .. } if is_it(call))).await;
    }
    assert_eq!(offered["may_withhold"], false);
    let withheld = json!({ "phone_number": NUMBER, "is_withheld": true });
    let refused = read(agent.send(Method::POST, "/api/calls", withheld).await, StatusCode::CONFLICT).await;
    assert_eq!(refused["errors"][0]["code"], "withheld", "the trunk would not know whose call it is");
    drop(desk);
    scene.close().await;
}

/// RFC 3323, RFC 3325: a trunk that is told the number in a header of its own is asked to keep it from who is called; in an emergency
/// it is shown.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_withholds_the_number_where_the_trunk_knows_it() {
    let scene = Scene::open(json!({})).await;
    let server = scene.provider_at.to_string();
    let trunk =
        json!({ "name": "Provider", "server": server, "transport": "udp", "registers": false, "identity": "pai" });
    let path = format!("/api/trunks/{}", scene.trunk["id"].as_str().unwrap());
    read(scene.admin.change(Method::PUT, &path, &json!(1), trunk).await, StatusCode::OK).await;
    let provider = attack::provider(&scene, Says::Yes).await;
    let me = read(scene.admin.get("/api/auth/me").await, StatusCode::OK).await;
    let phone = scene.phone("201", me["id"].clone()).await;
    let desk = scene.switched_on(&phone, None, 30).await;
    assert_eq!(read(scene.admin.get("/api/calls/dialling").await, StatusCode::OK).await["may_withhold"], true);
    for (number, from, privacy) in [(NUMBER, "anonymous", Some("id")), ("999", "+442079460000", None)] {
        let wish = json!({ "phone_number": number, "is_withheld": true });
        let placed = read(scene.admin.send(Method::POST, "/api/calls", wish).await, StatusCode::OK).await;
        let is_it = |call: &CallId| json!(call) == placed["id"];
        scene.clinic.happened(|event| matches!(event, Event::CallAnswered { call, .. } if is_it(call))).await;
        let sent = provider.calls().pop().unwrap().head;
        assert_eq!((sent.from.uri.user().as_str(), sent.get("Privacy")), (from, privacy), "{number}");
        assert!(sent.get("P-Asserted-Identity").unwrap().contains("+442079460000@"), "{number}");
        let path = format!("/api/calls/{}", placed["id"].as_str().unwrap());
        let hung_up = scene.admin.send(Method::POST, &format!("{path}/hangup"), json!(null)).await;
        assert_eq!(hung_up.status(), StatusCode::NO_CONTENT);
        scene.clinic.happened(|event| matches!(event, Event::CallEnded { call, .. } if is_it(call))).await;
        let shown = read(scene.admin.get(&path).await, StatusCode::OK).await;
        assert_eq!(shown["outgoing"][0]["is_withheld"], privacy.is_some(), "{number}");
    }
    drop(desk);
    scene.close().await;
}

/// CALL-01: requests with one key that come at the same time place one call.
#[tokio::test(flavor = "multi_thread")]
async fn requests_that_come_at_the_same_time_place_one_call() {
    let scene = Scene::open(json!({})).await;
    let provider = attack::provider(&scene, Says::Yes).await;
    let me = read(scene.admin.get("/api/auth/me").await, StatusCode::OK).await;
    let phone = scene.phone("201", me["id"].clone()).await;
    let desk = scene.switched_on(&phone, None, 30).await;
    let place = |_| async {
        let request = scene.admin.request(Method::POST, "/api/calls").header("idempotency-key", "call-1");
        read(request.json(&json!({ "phone_number": NUMBER })).send().await.unwrap(), StatusCode::OK).await
    };
    let placed = futures_util::future::join_all((0..8).map(place)).await;
    assert!(placed.iter().all(|it| it["id"] == placed[0]["id"]), "{placed:?}");
    scene.clinic.happened(|event| matches!(event, Event::CallAnswered { .. })).await;
    let is_placed = |event: &Event| matches!(event, Event::CallPlaced { .. });
    assert_eq!(scene.clinic.feed().iter().filter(|it| is_placed(&it.event)).count(), 1);
    assert_eq!((attack::called(&provider.calls()), scene.calls().len()), (vec![E164.to_owned()], 1));
    let path = format!("/api/calls/{}/hangup", placed[0]["id"].as_str().unwrap());
    assert_eq!(scene.admin.send(Method::POST, &path, json!(null)).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(scene.ended().await, EndCause::ClinicHungUp);
    drop(desk);
    scene.close().await;
}

/// CALL-01: calls that are placed offer what `sip.codecs` names: with Opus at the far end, both hear each other.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_outside_speaks_opus_where_it_is_configured() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.sip.codecs = vec![Codec::Opus, Codec::Pcma];
    let scene = Scene::of(Clinic::open_as(config).await.in_folder(folder), json!({})).await;
    let provider = Softphone::provider_speaking(scene.provider_at, &[E164], 20, Codec::Opus);
    scene.becomes(&format!("/api/trunks/{}", scene.trunk["id"].as_str().unwrap()), "up").await;
    let phone = scene.phone("201", Value::Null).await;
    let desk = scene.switched_on(&phone, Some("02079460958"), 8).await;
    scene.clinic.happened(|event| matches!(event, Event::CallAnswered { .. })).await;
    let heard = desk.heard_tone(700.0).await;
    assert_eq!(scene.ended().await, EndCause::ClinicHungUp);
    let heard_there = provider.heard_tone(440.0).await;
    assert!(heard > 0.8 && heard_there > 0.8, "the phone heard {heard}, the far end {heard_there}");
    scene.close().await;
}

/// CALL-06: a colleague is rung by extension, both hear each other, nobody is recorded and nothing is paid.
#[tokio::test(flavor = "multi_thread")]
async fn a_desk_phone_calls_another() {
    let scene = Scene::open(json!({ "is_on": false })).await;
    let (front, lab) = (scene.phone("201", Value::Null).await, scene.phone("202", Value::Null).await);
    let there = scene.switched_on(&lab, None, 14).await;
    let here = scene.switched_on(&front, Some("202"), 8).await;
    scene.clinic.happened(|event| matches!(event, Event::CallAnswered { .. })).await;
    let heard = here.heard_tone(440.0).await;
    assert_eq!(scene.ended().await, EndCause::ClinicHungUp);
    let heard_there = there.heard_tone(440.0).await;
    assert!(heard > 0.8 && heard_there > 0.8, "one heard {heard}, the other {heard_there}");
    let call = scene.calls().remove(0);
    assert_eq!(
        (call.direction, call.from_number.as_str(), call.to_number.as_str()),
        (CallDirection::Internal, "201", "202")
    );
    assert!(call.outgoing.is_empty());
    scene.close().await;
}

/// SAFE-01: an emergency number is dialled though outgoing calls are off and nothing may be spent, and a person is told.
#[tokio::test(flavor = "multi_thread")]
async fn an_emergency_number_is_dialled_in_any_case() {
    let scene = Scene::open(json!({ "is_on": false, "day_money_max": 0, "routes": [], "trunks": [] })).await;
    let provider = scene.provider(20).await;
    let phone = scene.phone("201", Value::Null).await;
    let desk = scene.switched_on(&phone, Some("999"), 8).await;
    scene.clinic.happened(|event| matches!(event, Event::CallAnswered { .. })).await;
    let heard = desk.heard_tone(700.0).await;
    scene.ended().await;
    assert!(heard > 0.8, "{heard}");
    let call = scene.calls().remove(0);
    assert!(call.emergency && call.outgoing[0].is_emergency && call.to_number == "999");
    assert_eq!(scene.tasks(TaskKind::Emergency), 1);
    drop(provider);
    scene.close().await;
}

/// SEC-13: 200 attempts by an account and by a phone, at a premium number and at one that the rules allow: not more is spent than
/// may be, and people are alarmed.
#[tokio::test(flavor = "multi_thread")]
async fn an_attacker_spends_no_more_than_the_ceiling() {
    let scene = Scene::open(json!({ "day_money_max": 35, "calls_max": 2 })).await;
    let provider = scene.provider(60).await;
    let me = read(scene.admin.get("/api/auth/me").await, StatusCode::OK).await;
    let phone = scene.phone("201", me["id"].clone()).await;
    let desk = scene.switched_on(&phone, None, 60).await;
    let mut refused = std::collections::BTreeMap::<String, usize>::new();
    for attempt in 0..200 {
        let number = if attempt % 4 == 0 { "0909 879 0123" } else { NUMBER };
        let answer = scene.admin.send(Method::POST, "/api/calls", json!({ "phone_number": number })).await;
        match answer.status() {
            StatusCode::OK => {
                let placed: Value = answer.json().await.unwrap();
                let id = placed["id"].clone();
                let is_it = |event: &Event| matches!(event, Event::CallAnswered { call, .. } if json!(call) == id);
                scene.clinic.happened(is_it).await;
                let path = format!("/api/calls/{}/hangup", id.as_str().unwrap());
                scene.admin.send(Method::POST, &path, json!(null)).await;
                let is_it = |event: &Event| matches!(event, Event::CallEnded { call, .. } if json!(call) == id);
                scene.clinic.happened(is_it).await;
            }
            StatusCode::TOO_MANY_REQUESTS => *refused.entry("rate".to_owned()).or_default() += 1,
            _ => {
                let problem: Value = answer.json().await.unwrap();
                *refused.entry(problem["errors"][0]["code"].as_str().unwrap().to_owned()).or_default() += 1;
            }
        }
    }
    let spent: u64 = scene.calls().iter().flat_map(|call| &call.outgoing).map(|outgoing| outgoing.cost).sum();
    assert_eq!(spent, 30, "{refused:?}");
    assert!(refused["premium"] > 5 && refused[OutboundRule::Money.as_str()] > 5, "{refused:?}");
    assert_eq!(scene.tasks(TaskKind::OutboundAlarm), 2, "one for the ceiling, one for the premium numbers");
    let thief = scene.switched_on(&phone, Some("09098790123"), 4).await;
    thief.ended().await;
    let thief = scene.switched_on(&phone, Some("02079460958"), 4).await;
    thief.ended().await;
    assert_eq!(scene.calls().iter().filter(|call| call.direction == CallDirection::Outgoing).count(), 3);
    drop((desk, provider));
    scene.close().await;
}
