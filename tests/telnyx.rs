//! Calls through Telnyx: set up in the browser, heard, understood, lost and found, and what is not believed.

use crate::support::clinic::{Clinic, Hum, PATIENCE, config};
use crate::support::person::{Person, read};
use crate::support::telnyx::{API_KEY, CallEnd, KEY, NEXT_KEY, NUMBER, NUMBER_ID, Region, Telnyx, public_key, sign};
use crate::support::twilio::PUBLIC;
use crate::twilio::{arrivals, greeted, is_closed, noted, speech, turns, understood};
use auricle::app::{Options, Running, Speech};
use auricle::clock;
use auricle_domain::call::Entrance;
use auricle_domain::code::{AttestationLevel, CarrierKind, EndCause, NumberCheck, Role, Speaker, TaskKind};
use auricle_domain::event::Event;
use auricle_storage::{Backend, BlobId, Hooks};
use futures_util::SinkExt;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;
use tokio_tungstenite::tungstenite::{Error, Message};

const FROM: &str = "+15550100";
const ACCOUNT: &str = "/api/carriers/telnyx";
const CALLS: &str = "/api/webhooks/telnyx/calls";
const MEDIA: &str = "wss://desk.clinic.example/api/carriers/telnyx/media/";

/// A clinic that knows its public address and this Telnyx. It hums, or it has the speech of the default configuration.
async fn clinic(telnyx: &Telnyx, real: bool) -> Clinic {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.server.public_url = PUBLIC.to_owned();
    config.carriers.telnyx_api = telnyx.api.clone();
    let speech = (!real).then(|| Speech { stt: None, tts: std::sync::Arc::new(Hum), llm: None });
    let options = Options { backend: Backend::Memory, speech, clock: clock::system, hooks: Hooks::default() };
    let clinic = Clinic::of(Running::start(config, options).await.unwrap());
    clinic.in_folder(folder)
}

fn account(more: Value) -> Value {
    let mut account = json!({ "api_key": API_KEY, "public_keys": [public_key(KEY)] });
    account.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    account
}

async fn put(admin: &Person, version: &Value, body: Value, status: StatusCode) -> Value {
    read(admin.change(Method::PUT, ACCOUNT, version, body).await, status).await
}

/// A clinic with its account set up.
async fn set_up(telnyx: &Telnyx, real: bool) -> (Clinic, Person) {
    let clinic = clinic(telnyx, real).await;
    let admin = clinic.admin().await;
    put(&admin, &json!(0), account(json!({})), StatusCode::OK).await;
    (clinic, admin)
}

/// INT-02, SEC-11, VOICE-24: an administrator connects a number with one click; whoever calls it hears the greeting, asks, is understood
/// and answered from the clinic's knowledge, and may interrupt; what Telnyx knows of the caller is on record. What the caller says is decoded as the socket says, though another law
/// was asked for.
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_through_telnyx_is_heard_and_understood() {
    let telnyx = Telnyx::start().await;
    let (clinic, admin) = set_up(&telnyx, true).await;
    let document = json!({
        "name": "Getting here",
        "content": "# Parking\nYou can park in the yard behind the brewery. Parking is free for two hours, and after that it costs \
                    three crowns for every hour that has begun, which is paid at the machine beside the gate."
    });
    admin.made("/api/knowledge-base", document).await;
    let listed = read(admin.get(&format!("{ACCOUNT}/numbers")).await, StatusCode::OK).await;
    assert_eq!((&listed[0]["number"], &listed[0]["goes_to"]), (&json!(NUMBER), &json!("The old system")));
    let path = format!("{ACCOUNT}/numbers/{NUMBER_ID}/connect");
    let connected = read(admin.send(Method::POST, &path, json!({})).await, StatusCode::OK).await;
    assert_eq!((&connected["is_connected"], telnyx.webhook_url()), (&json!(true), Some(format!("{PUBLIC}{CALLS}"))));

    let (question, interruption) =
        (speech("Where can I park?").await, speech("Stop please. I would like to book an appointment.").await);
    let region = Region { offers: "G722,PCMU,PCMA", encoding: "PCMA" };
    let mut caller = telnyx.call_from(clinic.running.web_addr, FROM, region);
    greeted(&clinic).await;
    understood(&clinic, "park", || caller.say(question.clone())).await;
    let before = caller.until("what was heard so far", |heard| heard.marks > 0).await;
    caller.until("the answer goes on", |heard| heard.sound() > before.sound() + 6_000).await;
    caller.say(interruption);
    caller.until("the interruption", |heard| heard.clears > before.clears).await;
    let call = caller.call.clone();
    caller.hang_up();
    assert_eq!(caller.ended().await, CallEnd::CallerHungUp);

    let record = clinic.settled().await;
    assert_eq!((record.from_number.as_str(), record.to_number.as_str()), (FROM, NUMBER));
    assert_eq!(record.entrance, Some(Entrance::by_carrier(Some(CarrierKind::Telnyx))));
    assert_eq!(record.cause, Some(EndCause::CallerHungUp));
    let known = (record.identity.check, record.identity.level, record.identity.diverted_from.as_deref());
    assert_eq!(known, (Some(NumberCheck::Passed), Some(AttestationLevel::A), Some("+15550142")));
    assert!(record.quality.packets_received > 200 && record.quality.packets_lost == 0, "{:?}", record.quality);
    assert!(!turns(&clinic, Speaker::Receptionist).is_empty());
    let commands = telnyx.commands(&call);
    assert_eq!(
        (commands[0].0.name.as_str(), &commands[0].0.fields["stream_bidirectional_codec"]),
        ("answer", &json!("PCMU"))
    );
    let tape = clinic.app().store.blobs().get(BlobId::Recording(record.id)).unwrap();
    let loudest = |offset: usize| {
        let sample = |frame: &[u8]| i16::from_le_bytes([frame[offset], frame[offset + 1]]).unsigned_abs();
        tape.chunks_exact(6).map(sample).max().unwrap()
    };
    assert!(loudest(0) > 3_000 && loudest(2) > 3_000, "caller {}, clinic {}", loudest(0), loudest(2));
    clinic.running.stop(Duration::ZERO).await;
}

/// SEC-11, SEC-12, SEC-13, SEC-14, API-12: what is not signed, was signed long ago or comes from elsewhere is refused, each with its code,
/// and nothing happens; while the key is changed both hold; a socket without a ticket is refused as well; thirty failures a minute are
/// enough.
#[tokio::test(flavor = "multi_thread")]
async fn what_telnyx_has_not_signed_changes_nothing() {
    let telnyx = Telnyx::start().await;
    let clinic = clinic(&telnyx, false).await;
    let (admin, web) = (clinic.admin().await, clinic.running.web_addr);
    let initiated = || telnyx.initiated(&telnyx.new_call().0, json!({}));
    let code = |reply, status| async move { read(reply, status).await["code"].clone() };

    let unset = telnyx.post(web, &initiated()).await;
    assert_eq!(code(unset, StatusCode::INTERNAL_SERVER_ERROR).await, "not_configured");
    put(&admin, &json!(0), account(json!({})), StatusCode::OK).await;

    let now_s = clock::system().as_second();
    let (now, old, early) = (now_s.to_string(), (now_s - 400).to_string(), (now_s + 400).to_string());
    let body = initiated().to_string();
    let good = sign(KEY, &now, &body);
    let table = [
        (body.as_str(), now.as_str(), String::new()),
        (&body, &now, "AAAA".to_owned()),
        (&body, &now, sign(NEXT_KEY, &now, &body)),
        (&body, &old, sign(KEY, &old, &body)),
        (&body, &early, sign(KEY, &early, &body)),
        (&body, &old, good.clone()),
        (&body[..body.len() - 1], &now, good),
    ];
    for (body, timestamp, signature) in &table {
        let forged = telnyx.post_signed(web, CALLS, body, timestamp, signature).await;
        assert_eq!(code(forged, StatusCode::UNAUTHORIZED).await, "bad_signature", "{timestamp}");
    }
    let Err(refused) = telnyx.open_socket(web, &format!("{MEDIA}pcmu/guess")).await else {
        panic!("a socket without a ticket was taken")
    };
    let Error::Http(refused) = *refused else { panic!("{refused}") };
    assert_eq!(refused.status(), 401);
    let nonsense = telnyx.post(web, &json!({ "data": 7 })).await;
    assert_eq!(code(nonsense, StatusCode::BAD_REQUEST).await, "invalid");
    let nameless = telnyx.post(web, &telnyx.initiated("", json!({}))).await;
    assert_eq!(code(nameless, StatusCode::BAD_REQUEST).await, "invalid");

    // The next key is told to the clinic first, then Telnyx signs with it.
    let unrelated = || telnyx.event(&telnyx.new_call().0, "call.answered", json!({}));
    let both = account(json!({ "public_keys": [public_key(KEY), public_key(NEXT_KEY)] }));
    let both = put(&admin, &json!(1), both, StatusCode::OK).await;
    assert_eq!(both["public_keys"].as_array().unwrap().len(), 2);
    assert_eq!(telnyx.post(web, &unrelated()).await.status(), StatusCode::NO_CONTENT);
    telnyx.signs_with(NEXT_KEY);
    assert_eq!(telnyx.post(web, &unrelated()).await.status(), StatusCode::NO_CONTENT);

    let next = json!({ "public_keys": [public_key(NEXT_KEY)], "sources": ["192.76.120.0/24"] });
    put(&admin, &both["version"], account(next), StatusCode::OK).await;
    assert_eq!(code(telnyx.post(web, &initiated()).await, StatusCode::FORBIDDEN).await, "forbidden");
    let here = json!({ "public_keys": [public_key(NEXT_KEY)], "sources": ["192.76.120.0/24", "127.0.0.1"] });
    put(&admin, &json!(3), account(here), StatusCode::OK).await;

    // Good ones are not counted, however many.
    for _ in 0..40 {
        assert_eq!(telnyx.post(web, &unrelated()).await.status(), StatusCode::NO_CONTENT);
    }
    let mut refused = None;
    for _ in 0..30 {
        let reply = telnyx.post_signed(web, CALLS, "{}", &now, "").await;
        if reply.status() == StatusCode::TOO_MANY_REQUESTS {
            assert!(reply.headers().contains_key("retry-after"));
            refused = Some(read(reply, StatusCode::TOO_MANY_REQUESTS).await);
            break;
        }
    }
    assert_eq!(refused.expect("thirty failures are enough")["detail"], "Too many requests, please try again later");
    assert_eq!(arrivals(&clinic), 0, "nothing of all that was a call");
    clinic.running.stop(Duration::ZERO).await;
}

/// SEC-12: an event that is repeated makes no second call, a ticket opens one socket, and the end of a call that comes before its
/// beginning leaves nothing behind.
#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_event_makes_no_second_call() {
    let telnyx = Telnyx::start().await;
    let (clinic, _admin) = set_up(&telnyx, false).await;
    let web = clinic.running.web_addr;
    let (call, mut commands) = telnyx.new_call();
    let initiated = telnyx.initiated(&call, json!({ "from": "anonymous" }));
    for _ in 0..3 {
        assert_eq!(telnyx.post(web, &initiated).await.status(), StatusCode::NO_CONTENT);
    }
    let answer = tokio::time::timeout(PATIENCE, commands.recv()).await.unwrap().unwrap();
    assert_eq!(answer.name, "answer");
    let url = answer.fields["stream_url"].as_str().unwrap().to_owned();
    assert!(url.starts_with(MEDIA), "{url}");
    let mut other = telnyx.open_socket(web, &url).await.unwrap();
    other.send(Message::text(started("v3:another"))).await.unwrap();
    assert!(is_closed(&mut other).await, "a ticket is good for its own call");
    let mut second = telnyx.open_socket(web, &url).await.unwrap();
    let mut socket = telnyx.open_socket(web, &url).await.unwrap();
    socket.send(Message::text(started(&call))).await.unwrap();
    let arrived = clinic.happened(|event| matches!(event, Event::CallArrived { .. })).await;
    let Event::CallArrived { from_number, .. } = arrived.event else { unreachable!("it was looked for") };
    assert_eq!(from_number, "", "a withheld number is none");
    second.send(Message::text(started(&call))).await.unwrap();
    assert!(is_closed(&mut second).await, "a second socket with the same ticket");
    assert!(telnyx.open_socket(web, &url).await.is_err(), "it is used up");
    // The end is told twice, which ends it once.
    telnyx.over(&call);
    let over = telnyx.event(&call, "call.hangup", json!({ "state": "hangup", "hangup_cause": "normal_clearing" }));
    for _ in 0..2 {
        assert_eq!(telnyx.post(web, &over).await.status(), StatusCode::NO_CONTENT);
    }
    clinic.happened(|event| matches!(event, Event::CallEnded { end: EndCause::CallerHungUp, .. })).await;

    // A call that is over before its beginning is told.
    let (call, mut commands) = telnyx.new_call();
    telnyx.over(&call);
    let over = telnyx.event(&call, "call.hangup", json!({ "state": "hangup" }));
    assert_eq!(telnyx.post(web, &over).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(telnyx.post(web, &telnyx.initiated(&call, json!({}))).await.status(), StatusCode::NO_CONTENT);
    assert!(commands.recv().await.is_none(), "it takes no commands any more");
    let told = telnyx.told(&call, 1).await;
    assert_eq!((told.len(), told[0].0.name.as_str(), told[0].1), (1, "answer", false), "{told:?}");
    let url = told[0].0.fields["stream_url"].as_str().unwrap();
    let refused = async {
        while telnyx.open_socket(web, url).await.is_ok() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, refused).await.expect("the ticket of a call that is over is good for nothing");
    assert_eq!(arrivals(&clinic), 1);
    clinic.running.stop(Duration::ZERO).await;
}

/// VOICE-22: a socket that is lost for a moment comes back into the same call, as Telnyx is told to open another; for three seconds, and
/// the call is over, and a task to ring back.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_socket_of_telnyx_may_come_back() {
    let telnyx = Telnyx::start().await;
    let (clinic, _admin) = set_up(&telnyx, false).await;
    let region = Region { offers: "PCMA,PCMU", encoding: "PCMA" };
    let mut caller = telnyx.call_from(clinic.running.web_addr, FROM, region);
    caller.until("the greeting begins", |heard| heard.sound() > 4_000).await;
    caller.cut(600);
    let back = caller.until("another socket", |heard| heard.sockets == 2).await;
    caller.until("the greeting goes on", |heard| heard.sound() > back.sound() + 4_000).await;
    assert_eq!(arrivals(&clinic), 1, "it is the same call");
    assert!(clinic.last_call().unwrap().ended_at.is_none());
    let again = telnyx.commands(&caller.call).last().unwrap().0.clone();
    assert_eq!((again.name.as_str(), &again.fields["stream_bidirectional_codec"]), ("streaming_start", &json!("PCMA")));
    caller.cut(3_000);
    assert_eq!(caller.ended().await, CallEnd::HungUp, "Telnyx is told, as it holds the call");
    let call = clinic.settled().await;
    assert_eq!(call.cause, Some(EndCause::NoMedia));
    clinic.happened(|event| matches!(event, Event::TaskChanged { .. })).await;
    clinic.running.stop(Duration::ZERO).await;
}

/// B-06: a call that the clinic ends is over at Telnyx too; a clinic that takes no calls writes them down and rings back.
#[tokio::test(flavor = "multi_thread")]
async fn the_clinic_ends_a_call_at_telnyx() {
    let telnyx = Telnyx::start().await;
    let (clinic, admin) = set_up(&telnyx, false).await;
    let mut caller = telnyx.call(clinic.running.web_addr, FROM);
    caller.until("the greeting begins", |heard| heard.sound() > 4_000).await;
    let call = clinic.last_call().unwrap();
    let ended = admin.send(Method::POST, &format!("/api/calls/{}/hangup", call.id), json!({})).await;
    assert_eq!(ended.status(), StatusCode::NO_CONTENT);
    assert_eq!(caller.ended().await, CallEnd::HungUp);
    assert_eq!(clinic.settled().await.cause, Some(EndCause::ClinicHungUp));
    clinic.app().floor.drain().await;
    assert_eq!(telnyx.call(clinic.running.web_addr, FROM).ended().await, CallEnd::HungUp);
    clinic.happened(|event| matches!(event, Event::CallEnded { end: EndCause::Rejected, .. })).await;
    clinic.happened(|event| matches!(event, Event::TaskChanged { kind: TaskKind::MissedCall, .. })).await;
    clinic.running.stop(Duration::ZERO).await;
}

/// INT-02: frames that come out of order, late and all at once, that are too long, or are none at all cost the call nothing but
/// themselves; a command that is answered with a fault is sent again and carried out once; another codec than G.711 ends the call.
#[tokio::test(flavor = "multi_thread")]
async fn a_telnyx_that_misbehaves_does_not_cost_the_call() {
    let telnyx = Telnyx::start().await;
    let (clinic, _admin) = set_up(&telnyx, false).await;
    // Not carried out, then carried out but not said so.
    telnyx.fails(&[503]);
    telnyx.lies(&[500]);
    let mut caller = telnyx.call(clinic.running.web_addr, FROM);
    caller.until("the greeting begins", |heard| heard.sound() > 1_000).await;
    let answers = telnyx.told(&caller.call, 2).await;
    assert_eq!(answers.iter().map(|(_, is_new)| *is_new).collect::<Vec<_>>(), [true, false], "{answers:?}");
    assert_eq!(answers[0].0.fields, answers[1].0.fields, "the identical command");
    let media = |octets: usize| {
        use base64::Engine as _;
        let payload = base64::engine::general_purpose::STANDARD.encode(vec![0x55; octets]);
        json!({ "event": "media", "media": { "track": "inbound", "chunk": "2", "timestamp": "20", "payload": payload } }).to_string()
    };
    caller.send(&media(5_000));
    caller.send(&media(0));
    caller.send("{\"event\":");
    caller.send(r#"{"event":"error","payload":{"code":100005,"title":"rate_limit_reached","detail":""}}"#);
    caller.send(r#"{"event":"mark","mark":{"name":"nobody's"}}"#);
    caller.swap(400);
    caller.press('0');
    let seen = caller.until("the greeting goes on", |heard| heard.sound() > 9_000).await;
    assert_eq!(seen.sockets, 1);
    caller.stall(600);
    caller.until("the greeting still goes on", |heard| heard.sound() > seen.sound() + 6_000).await;
    caller.hang_up();
    assert_eq!(caller.ended().await, CallEnd::CallerHungUp);
    let call = clinic.settled().await;
    assert_eq!(call.cause, Some(EndCause::CallerHungUp));

    let region = Region { offers: "OPUS", encoding: "OPUS" };
    let wrong = telnyx.call_from(clinic.running.web_addr, FROM, region);
    assert_eq!(wrong.ended().await, CallEnd::HungUp);
    assert_eq!(arrivals(&clinic), 1);
    clinic.running.stop(Duration::ZERO).await;
}

/// How a socket says that it is this call's.
fn started(call: &str) -> String {
    json!({ "event": "start", "sequence_number": "1", "stream_id": "s", "start": {
        "user_id": "u", "call_control_id": call, "call_session_id": "x", "from": "", "to": NUMBER,
        "media_format": { "encoding": "audio/x-mulaw", "sample_rate": 8000, "channels": 1 } } })
    .to_string()
}

/// SEC-12, API-12: a call whose answer came to nothing is answered when its arrival is told again, also after a restart; what was carried
/// out before a restart is not carried out again after it, and a call of before is ended when Telnyx tells of it.
#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_before_a_restart_is_carried_out_once() {
    let telnyx = Telnyx::start().await;
    let folder = tempfile::tempdir().unwrap();
    let open = || async {
        let mut config = config(folder.path());
        config.server.public_url = PUBLIC.to_owned();
        config.carriers.telnyx_api = telnyx.api.clone();
        Clinic::open_as(config).await
    };
    let first = open().await;
    put(&first.admin().await, &json!(0), account(json!({})), StatusCode::OK).await;
    let (call, mut commands) = telnyx.new_call();
    let initiated = telnyx.initiated(&call, json!({}));
    let mut command = async || tokio::time::timeout(PATIENCE, commands.recv()).await.unwrap().unwrap();
    telnyx.post(first.running.web_addr, &initiated).await;
    // Whoever goes down before the call is answered has not taken its news, so they come again.
    assert_eq!(telnyx.commands(&call).len(), 1);
    assert_eq!(command().await.name, "answer");
    first.running.stop(PATIENCE).await;
    let second = open().await;
    for _ in 0..2 {
        assert_eq!(telnyx.post(second.running.web_addr, &initiated).await.status(), StatusCode::NO_CONTENT);
    }
    let answer = command().await;
    assert_eq!(answer.name, "answer", "no socket had come of the first one");
    let url = answer.fields["stream_url"].as_str().unwrap();
    let mut socket = telnyx.open_socket(second.running.web_addr, url).await.unwrap();
    socket.send(Message::text(started(&call))).await.unwrap();
    second.happened(|event| matches!(event, Event::CallArrived { .. })).await;
    noted(&second, "telnyx.call", &call).await;
    // Stopping ends the call there.
    second.running.stop(Duration::ZERO).await;
    assert_eq!(command().await.name, "hangup", "the second of the two was no other");

    let third = open().await;
    let web = third.running.web_addr;
    assert_eq!(telnyx.post(web, &initiated).await.status(), StatusCode::NO_CONTENT);
    let stopped = telnyx.event(&call, "streaming.stopped", json!({ "stream_url": MEDIA }));
    assert_eq!(telnyx.post(web, &stopped).await.status(), StatusCode::NO_CONTENT);
    assert_eq!(command().await.name, "hangup", "it is not answered again");
    assert_eq!(arrivals(&third), 1);
    third.running.stop(Duration::ZERO).await;
}

/// SEC-20: the account is set up only with what Telnyx accepts; what is wrong is told by field and code; the API key is never shown; who
/// may not, sees nothing. Numbers come and go, and an application that was lost is made again.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_set_up_with_what_telnyx_accepts() {
    let telnyx = Telnyx::start().await;
    let clinic = clinic(&telnyx, false).await;
    let admin = clinic.admin().await;
    let fresh = read(admin.get(ACCOUNT).await, StatusCode::OK).await;
    assert_eq!((&fresh["is_set_up"], &fresh["version"]), (&json!(false), &json!(0)));
    assert_eq!(fresh["webhook_url"], format!("{PUBLIC}{CALLS}"));
    let fields = |wrong: &Value| {
        wrong["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| (it["field"].clone(), it["code"].clone()))
            .collect::<Vec<_>>()
    };

    let nonsense = json!({ "api_key": "a b", "public_keys": ["x"], "sources": ["x"] });
    let wrong = put(&admin, &json!(0), nonsense, StatusCode::BAD_REQUEST).await;
    assert_eq!(
        fields(&wrong),
        [("api_key", "format"), ("public_keys[0]", "format"), ("sources[0]", "format")]
            .map(|(f, c)| (json!(f), json!(c)))
    );
    let none = account(json!({ "public_keys": [] }));
    let wrong = put(&admin, &json!(0), none, StatusCode::BAD_REQUEST).await;
    assert_eq!(fields(&wrong), [(json!("public_keys"), json!("out_of_range"))]);
    let keyless = json!({ "public_keys": [public_key(KEY)] });
    let wrong = put(&admin, &json!(0), keyless.clone(), StatusCode::BAD_REQUEST).await;
    assert_eq!(fields(&wrong), [(json!("api_key"), json!("required"))]);
    let wrong = put(&admin, &json!(0), account(json!({ "api_key": "KEY1" })), StatusCode::BAD_REQUEST).await;
    assert_eq!(fields(&wrong), [(json!("api_key"), json!("refused"))]);
    telnyx.fails(&[500, 503, 429]);
    let down = put(&admin, &json!(0), account(json!({})), StatusCode::SERVICE_UNAVAILABLE).await;
    assert_eq!(down["code"], "carrier_silent");
    // Twice is not for good.
    telnyx.fails(&[503, 429]);
    let made = put(&admin, &json!(0), account(json!({})), StatusCode::OK).await;
    assert_eq!((&made["is_set_up"], &made["application"]), (&json!(true), &json!("")));
    assert_eq!(put(&admin, &json!(0), account(json!({})), StatusCode::PRECONDITION_FAILED).await["code"], "stale");
    let kept = put(&admin, &made["version"], keyless, StatusCode::OK).await;

    let number = |what: &str| format!("{ACCOUNT}/numbers/{NUMBER_ID}/{what}");
    let post = |path: String| {
        let admin = &admin;
        async move { read(admin.send(Method::POST, &path, json!({})).await, StatusCode::OK).await }
    };
    for (applications, lose) in [(1, false), (1, true), (1, false)] {
        assert_eq!(post(number("connect")).await["is_connected"], true);
        assert_eq!((telnyx.applications(), telnyx.webhook_url()), (applications, Some(format!("{PUBLIC}{CALLS}"))));
        let listed = read(admin.get(&format!("{ACCOUNT}/numbers")).await, StatusCode::OK).await;
        assert_eq!(listed[0]["is_connected"], true);
        let free = post(number("disconnect")).await;
        assert_eq!((&free["is_connected"], &free["goes_to"]), (&json!(false), &json!(null)));
        assert_eq!(telnyx.webhook_url(), None);
        if lose {
            telnyx.loses_applications();
        }
    }
    let nobody = admin.send(Method::POST, &format!("{ACCOUNT}/numbers/1/connect"), json!({})).await;
    read(nobody, StatusCode::NOT_FOUND).await;
    let view = read(admin.get(ACCOUNT).await, StatusCode::OK).await;
    assert_eq!(view["application"], "Auricle");
    assert!(view["version"].as_u64() > kept["version"].as_u64());

    let shown = format!("{view} {:?}", clinic.feed());
    assert!(!shown.contains(API_KEY) && shown.contains("NumberReleased"), "{shown}");
    let agent = clinic.person("agent@clinic.example", Role::Agent).await;
    for path in [ACCOUNT.to_owned(), format!("{ACCOUNT}/numbers")] {
        assert_eq!(agent.get(&path).await.status(), StatusCode::FORBIDDEN, "{path}");
    }
    let removed = admin.change(Method::DELETE, ACCOUNT, &view["version"], json!(null)).await;
    assert_eq!(removed.status(), StatusCode::NO_CONTENT);
    let after = telnyx.post(clinic.running.web_addr, &telnyx.initiated(&telnyx.new_call().0, json!({}))).await;
    assert_eq!(read(after, StatusCode::INTERNAL_SERVER_ERROR).await["code"], "not_configured");
    clinic.running.stop(Duration::ZERO).await;
}
