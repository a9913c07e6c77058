//! Calls through Twilio: set up in the browser, heard, understood, interrupted, lost and found, and what is not believed.

use crate::support::clinic::{Clinic, Hum, PATIENCE, config};
use crate::support::person::{Person, read};
use crate::support::twilio::{
    self, ACCOUNT, CallEnd, Form, NUMBER, NUMBER_SID, PUBLIC, SECOND, TOKEN, Twilio, about, attribute,
};
use auricle::app::{Options, Running, Speech};
use auricle::carriers::taken::Taken;
use auricle::clock;
use auricle::providers::Tts;
use auricle::providers::flite::Flite;
use auricle_domain::call::Entrance;
use auricle_domain::code::{CarrierKind, EndCause, Lang, Role, Speaker, TaskKind};
use auricle_domain::event::Event;
use auricle_media::audio::resample::Downsampler;
use auricle_media::codec::Encoder;
use auricle_media::io::{Codec, Rate};
use auricle_storage::{Backend, BlobId, Hooks};
use futures_util::{SinkExt, StreamExt};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;
use tokio_tungstenite::tungstenite::{Error, Message};

const FROM: &str = "+15550100";
const VOICE: &str = "/api/webhooks/twilio/voice";
const STATUS: &str = "/api/webhooks/twilio/status";
const MEDIA: &str = "wss://desk.clinic.example/api/carriers/twilio/media";

/// A clinic that knows its public address and this Twilio. It hums, or it has the speech of the default configuration.
async fn clinic(twilio: &Twilio, real: bool) -> Clinic {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.server.public_url = PUBLIC.to_owned();
    config.carriers.twilio_api = twilio.api.clone();
    let speech = (!real).then(|| Speech { stt: None, tts: std::sync::Arc::new(Hum), llm: None });
    let options = Options { backend: Backend::Memory, speech, clock: clock::system, hooks: Hooks::default() };
    let clinic = Clinic::of(Running::start(config, options).await.unwrap());
    clinic.in_folder(folder)
}

fn account(more: Value) -> Value {
    let mut account = json!({ "account_sid": ACCOUNT, "auth_token": TOKEN });
    account.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    account
}

async fn put(admin: &Person, version: &Value, body: Value, status: StatusCode) -> Value {
    read(admin.change(Method::PUT, "/api/carriers/twilio", version, body).await, status).await
}

/// A clinic with its account set up.
async fn set_up(twilio: &Twilio, real: bool) -> (Clinic, Person) {
    let clinic = clinic(twilio, real).await;
    let admin = clinic.admin().await;
    put(&admin, &json!(0), account(json!({})), StatusCode::OK).await;
    (clinic, admin)
}

/// What flite says, as mu-law.
pub async fn speech(text: &str) -> Vec<u8> {
    let pieces: Vec<_> = Flite::new("flite", "rms").speak(text, Lang::En).collect().await;
    let mut narrow = Vec::new();
    for piece in pieces.into_iter().map(Result::unwrap) {
        if piece.rate == Rate::Hz8000 {
            narrow.extend_from_slice(&piece.samples);
            continue;
        }
        let even = &piece.samples[..piece.samples.len() / 2 * 2];
        let mut half = vec![0; even.len() / 2];
        Downsampler::default().run(even, &mut half);
        narrow.extend(half);
    }
    let mut coded = Vec::new();
    Encoder::new(Codec::Pcmu).encode(&narrow, &mut coded);
    coded
}

pub fn turns(clinic: &Clinic, speaker: Speaker) -> Vec<String> {
    let said = clinic.feed().into_iter().filter_map(|envelope| match envelope.event {
        Event::TurnCommitted { turn } if turn.speaker == speaker => Some(turn.text),
        _ => None,
    });
    said.collect()
}

/// How often a caller asks who is not understood.
const ASKED_MAX: usize = 4;

/// How long such a caller waits for an answer.
const ASK_AGAIN: Duration = Duration::from_secs(20);

/// Asks until what was understood has this word in it: a machine that is too busy to listen is asked again, as people do.
pub async fn understood(clinic: &Clinic, word: &str, ask: impl Fn()) {
    for _ in 0..ASKED_MAX {
        let before = turns(clinic, Speaker::Caller).len();
        ask();
        let mut head = clinic.app().store.watch();
        let said = async {
            loop {
                head.mark_unchanged();
                if let Some(text) = turns(clinic, Speaker::Caller).get(before) {
                    return text.to_lowercase();
                }
                head.changed().await.unwrap();
            }
        };
        if tokio::time::timeout(ASK_AGAIN, said).await.is_ok_and(|text| text.contains(word)) {
            return;
        }
    }
    panic!("{word} is not understood: {:?}", turns(clinic, Speaker::Caller));
}

/// Waits until the greeting was heard to its end. A second of silence may as well be a pause of a machine that is busy.
pub async fn greeted(clinic: &Clinic) {
    let is_greeting =
        |event: &Event| matches!(event, Event::TurnCommitted { turn } if turn.speaker == Speaker::Receptionist);
    clinic.happened(is_greeting).await;
}

pub fn arrivals(clinic: &Clinic) -> usize {
    clinic.feed().iter().filter(|envelope| matches!(envelope.event, Event::CallArrived { .. })).count()
}

/// INT-01, SEC-11, VOICE-24: an administrator connects a number with one click; whoever calls it hears the greeting, asks, is
/// understood and answered from the clinic's knowledge, interrupts, and is silenced at Twilio too; transcript and recording are there.
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_through_twilio_is_heard_understood_and_may_interrupt() {
    let twilio = Twilio::start().await;
    let (clinic, admin) = set_up(&twilio, true).await;
    let document = json!({
        "name": "Getting here",
        "content": "# Parking\nYou can park in the yard behind the brewery. Parking is free for two hours, and after that it costs \
                    three crowns for every hour that has begun, which is paid at the machine beside the gate."
    });
    admin.made("/api/knowledge-base", document).await;
    let listed = read(admin.get("/api/carriers/twilio/numbers").await, StatusCode::OK).await;
    assert_eq!((&listed[0]["number"], &listed[0]["goes_to"]), (&json!(NUMBER), &json!("url")));
    let path = format!("/api/carriers/twilio/numbers/{NUMBER_SID}/connect");
    let connected = read(admin.send(Method::POST, &path, json!({})).await, StatusCode::OK).await;
    assert_eq!((&connected["is_connected"], twilio.voice_url()), (&json!(true), format!("{PUBLIC}{VOICE}")));

    // Made before it is needed: the answer does not wait until a busy machine has made the interruption.
    let (question, interruption) =
        (speech("Where can I park?").await, speech("Stop please. I would like to book an appointment.").await);
    let mut caller = twilio.call(clinic.running.web_addr, FROM);
    greeted(&clinic).await;
    understood(&clinic, "park", || caller.say(question.clone())).await;
    let before = caller.until("what was heard so far", |heard| heard.marks > 0).await;
    caller.until("the answer goes on", |heard| heard.sound() > before.sound() + 6_000).await;
    caller.say(interruption);
    caller.until("the interruption", |heard| heard.clears > before.clears).await;
    let is_cut = |event: &Event| matches!(event, Event::TurnCommitted { turn } if turn.heard.as_str() == "partly" && turn.text.contains("park"));
    let Event::TurnCommitted { turn } = clinic.happened(is_cut).await.event else { unreachable!("it was looked for") };
    assert!(!turn.text.contains("gate"), "what was not heard is not on record: {}", turn.text);
    caller.hang_up();
    assert_eq!(caller.ended().await, CallEnd::CallerHungUp);

    let call = clinic.settled().await;
    assert_eq!((call.from_number.as_str(), call.to_number.as_str()), (FROM, NUMBER));
    assert_eq!(call.entrance, Some(Entrance::by_carrier(Some(CarrierKind::Twilio))));
    assert_eq!(call.cause, Some(EndCause::CallerHungUp));
    assert!(call.quality.packets_received > 200 && call.quality.packets_lost == 0, "{:?}", call.quality);
    assert!(!turns(&clinic, Speaker::Receptionist).is_empty());
    let tape = clinic.app().store.blobs().get(BlobId::Recording(call.id)).unwrap();
    let loudest = |offset: usize| {
        let sample = |frame: &[u8]| i16::from_le_bytes([frame[offset], frame[offset + 1]]).unsigned_abs();
        tape.chunks_exact(6).map(sample).max().unwrap()
    };
    assert!(loudest(0) > 3_000 && loudest(2) > 3_000, "caller {}, clinic {}", loudest(0), loudest(2));
    clinic.running.stop(Duration::ZERO).await;
}

/// SEC-11, SEC-12, SEC-13, SEC-14, API-12: what is not signed, comes from elsewhere or is about another account is refused, each with
/// its code, and nothing happens; while a token is being replaced both hold; thirty failures a minute are enough.
#[tokio::test(flavor = "multi_thread")]
async fn what_twilio_has_not_signed_changes_nothing() {
    let twilio = Twilio::start().await;
    let clinic = clinic(&twilio, false).await;
    let (admin, web) = (clinic.admin().await, clinic.running.web_addr);
    let form = || about(&twilio.new_call(), FROM, "ringing");
    let code = |reply, status| async move { read(reply, status).await["code"].clone() };

    let unset = twilio.post(web, VOICE, &form()).await;
    assert_eq!(code(unset, StatusCode::INTERNAL_SERVER_ERROR).await, "not_configured");
    put(&admin, &json!(0), account(json!({})), StatusCode::OK).await;

    for signature in
        ["", "AAAAAAAAAAAAAAAAAAAAAAAAAAA=", &twilio::signature(SECOND, &format!("{PUBLIC}{VOICE}"), &form())]
    {
        let forged = twilio.post_signed(web, VOICE, &form(), signature).await;
        assert_eq!(code(forged, StatusCode::UNAUTHORIZED).await, "bad_signature");
    }
    let sent = form();
    let mut changed = sent.clone();
    changed[3].1 = "+15550666".to_owned();
    let signature = twilio::signature(TOKEN, &format!("{PUBLIC}{VOICE}"), &sent);
    let changed = twilio.post_signed(web, VOICE, &changed, &signature).await;
    assert_eq!(code(changed, StatusCode::UNAUTHORIZED).await, "bad_signature");
    let mut other = form();
    other[1].1 = ACCOUNT.replace("0123", "9999");
    assert_eq!(code(twilio.post(web, VOICE, &other).await, StatusCode::FORBIDDEN).await, "forbidden");
    let Err(refused) = twilio.open_signed(web, MEDIA, "AAAAAAAAAAAAAAAAAAAAAAAAAAA=").await else {
        panic!("a socket that is not signed was taken")
    };
    let Error::Http(refused) = *refused else { panic!("{refused}") };
    assert_eq!(refused.status(), 401);

    // The next token is told to the clinic first, then promoted at Twilio.
    twilio.has_tokens(&[TOKEN, SECOND]);
    let both = put(&admin, &json!(1), account(json!({ "second_token": SECOND })), StatusCode::OK).await;
    assert_eq!(both["has_second_token"], true);
    twilio.has_tokens(&[SECOND]);
    assert_eq!(
        twilio.post(web, STATUS, &about(&twilio.new_call(), FROM, "completed")).await.status(),
        StatusCode::NO_CONTENT
    );
    read(admin.get("/api/carriers/twilio/numbers").await, StatusCode::OK).await;

    let elsewhere = json!({ "auth_token": SECOND, "second_token": "", "sources": ["54.172.60.0/30"] });
    put(&admin, &both["version"], account(elsewhere), StatusCode::OK).await;
    assert_eq!(code(twilio.post(web, VOICE, &form()).await, StatusCode::FORBIDDEN).await, "forbidden");
    let here = json!({ "auth_token": SECOND, "sources": ["54.172.60.0/30", "127.0.0.1"] });
    put(&admin, &json!(3), account(here), StatusCode::OK).await;

    // Good ones are not counted, however many.
    for _ in 0..40 {
        let good = twilio.post(web, STATUS, &about(&twilio.new_call(), FROM, "in-progress")).await;
        assert_eq!(good.status(), StatusCode::NO_CONTENT);
    }
    let mut refused = None;
    for _ in 0..30 {
        let reply = twilio.post_signed(web, VOICE, &form(), "").await;
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

/// SEC-12: a request that is repeated makes no second call, and a ticket opens one socket.
#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_request_makes_no_second_call() {
    let twilio = Twilio::start().await;
    let (clinic, _admin) = set_up(&twilio, false).await;
    let web = clinic.running.web_addr;
    let call = twilio.new_call();
    let ask = || async { twilio.post(web, VOICE, &about(&call, "+266696687", "ringing")).await.text().await.unwrap() };
    let (first, again) = (ask().await, ask().await);
    let ticket = attribute(&first, "Parameter", "value");
    assert_eq!(ticket, attribute(&again, "Parameter", "value"), "as if the first answer had been lost");
    assert_eq!(attribute(&first, "Stream", "url"), MEDIA);

    let start = |ticket: &str| started(&call, ticket);
    let mut guessed = twilio.open_socket(web, MEDIA).await.unwrap();
    guessed.send(Message::text(start("guess"))).await.unwrap();
    assert!(is_closed(&mut guessed).await, "a socket with a guessed ticket");
    let mut socket = twilio.open_socket(web, MEDIA).await.unwrap();
    socket.send(Message::text(start(&ticket))).await.unwrap();
    let arrived = clinic.happened(|event| matches!(event, Event::CallArrived { .. })).await;
    let Event::CallArrived { from_number, .. } = arrived.event else { unreachable!("it was looked for") };
    assert_eq!(from_number, "", "a withheld number is none");

    let mut second = twilio.open_socket(web, MEDIA).await.unwrap();
    second.send(Message::text(start(&ticket))).await.unwrap();
    assert!(is_closed(&mut second).await, "a second socket with the same ticket");
    let late = ask().await;
    assert!(!late.contains("<Connect"), "a repeated request learns nothing of a call that is on: {late}");
    // The end is told twice, which ends it once.
    let mut over = about(&call, "+266696687", "completed");
    over.push(("SequenceNumber".to_owned(), "3".to_owned()));
    for _ in 0..2 {
        assert_eq!(twilio.post(web, STATUS, &over).await.status(), StatusCode::NO_CONTENT);
    }
    clinic.happened(|event| matches!(event, Event::CallEnded { end: EndCause::CallerHungUp, .. })).await;
    assert_eq!(arrivals(&clinic), 1);
    clinic.running.stop(Duration::ZERO).await;
}

/// How a socket says that it is this call's.
fn started(call: &str, ticket: &str) -> String {
    json!({ "event": "start", "sequenceNumber": "1", "streamSid": "MZ1", "start": {
        "streamSid": "MZ1", "accountSid": ACCOUNT, "callSid": call, "tracks": ["inbound"],
        "customParameters": { "ticket": ticket },
        "mediaFormat": { "encoding": "audio/x-mulaw", "sampleRate": 8000, "channels": 1 } } })
    .to_string()
}

/// Waits until it is noted that a carrier has brought a call.
pub async fn noted(clinic: &Clinic, scope: &str, call: &str) {
    let taken = Taken::new(scope, &[call.as_bytes()]);
    let noted = async {
        while !taken.is_done(&clinic.app().events).unwrap() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, noted).await.expect("that a call was brought is not noted");
}

/// SEC-12, API-12: a request whose answer came to nothing is carried out when it is repeated, also after a restart; what was carried out
/// before a restart is not carried out again after it, and a call of before is ended when Twilio asks.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_of_before_a_restart_is_carried_out_once() {
    let twilio = Twilio::start().await;
    let folder = tempfile::tempdir().unwrap();
    let open = || async {
        let mut config = config(folder.path());
        config.server.public_url = PUBLIC.to_owned();
        config.carriers.twilio_api = twilio.api.clone();
        Clinic::open_as(config).await
    };
    let first = open().await;
    put(&first.admin().await, &json!(0), account(json!({})), StatusCode::OK).await;
    let call = twilio.new_call();
    let form = about(&call, FROM, "ringing");
    let ask = |clinic: &Clinic, path: String| {
        let (twilio, form, web) = (twilio.clone(), form.clone(), clinic.running.web_addr);
        async move { twilio.post(web, &path, &form).await.text().await.unwrap() }
    };
    let taken = ask(&first, VOICE.to_owned()).await;
    assert!(taken.contains("<Connect"), "{taken}");
    first.running.stop(Duration::ZERO).await;
    let second = open().await;
    let again = ask(&second, VOICE.to_owned()).await;
    let ticket = attribute(&again, "Parameter", "value");
    assert_ne!(ticket, attribute(&taken, "Parameter", "value"), "the ticket of before is good for nothing");
    assert_eq!(ticket, attribute(&ask(&second, VOICE.to_owned()).await, "Parameter", "value"));
    let mut socket = twilio.open_socket(second.running.web_addr, MEDIA).await.unwrap();
    socket.send(Message::text(started(&call, &ticket))).await.unwrap();
    second.happened(|event| matches!(event, Event::CallArrived { .. })).await;
    noted(&second, "twilio.call", &call).await;
    second.running.stop(Duration::ZERO).await;

    let third = open().await;
    let late = ask(&third, VOICE.to_owned()).await;
    assert!(late.contains("<Reject"), "{late}");
    let next = attribute(&again, "Connect", "action").replace(PUBLIC, "");
    assert!(ask(&third, next).await.contains("<Hangup/>"), "the call of before is over");
    assert_eq!(arrivals(&third), 1);
    third.running.stop(Duration::ZERO).await;
}

pub async fn is_closed(socket: &mut tokio_tungstenite::WebSocketStream<tokio::net::TcpStream>) -> bool {
    let closed = async {
        loop {
            match socket.next().await {
                None | Some(Err(_) | Ok(Message::Close(_))) => return true,
                Some(Ok(_)) => {}
            }
        }
    };
    tokio::time::timeout(PATIENCE, closed).await.unwrap_or(false)
}

/// VOICE-22: a socket that is lost comes back into the same call within two seconds, because Twilio notices or because it is told; later
/// the call is over, and a task to ring back.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_socket_may_come_back() {
    let twilio = Twilio::start().await;
    let (clinic, _admin) = set_up(&twilio, false).await;
    let mut caller = twilio.call(clinic.running.web_addr, FROM);
    caller.until("the greeting begins", |heard| heard.sound() > 4_000).await;
    caller.cut(1_000);
    let back = caller.until("another socket", |heard| heard.sockets == 2).await;
    caller.until("the greeting goes on", |heard| heard.sound() > back.sound() + 4_000).await;
    assert_eq!(arrivals(&clinic), 1, "it is the same call");
    assert!(clinic.last_call().unwrap().ended_at.is_none());
    // Twilio does not notice for long: it is told.
    caller.cut(60_000);
    let told = caller.until("a socket that was asked for", |heard| heard.sockets == 3).await;
    caller.until("the greeting goes on again", |heard| heard.sound() > told.sound() + 1_000).await;
    // It does not notice, and cannot be told.
    twilio.fails(&[500, 503, 500]);
    caller.cut(60_000);
    assert_eq!(caller.ended().await, CallEnd::Completed, "Twilio is told, as it holds the call");
    let call = clinic.settled().await;
    assert_eq!(call.cause, Some(EndCause::NoMedia));
    clinic.happened(|event| matches!(event, Event::TaskChanged { .. })).await;
    clinic.running.stop(Duration::ZERO).await;
}

/// B-06: a call that the clinic ends is over at Twilio too, whether or not it asks what comes next.
#[tokio::test(flavor = "multi_thread")]
async fn the_clinic_ends_a_call() {
    let twilio = Twilio::start().await;
    let (clinic, admin) = set_up(&twilio, false).await;
    let mut caller = twilio.call(clinic.running.web_addr, FROM);
    caller.until("the greeting begins", |heard| heard.sound() > 4_000).await;
    let call = clinic.last_call().unwrap();
    let sid = caller.sid.clone();
    let ended = admin.send(Method::POST, &format!("/api/calls/{}/hangup", call.id), json!({})).await;
    assert_eq!(ended.status(), StatusCode::NO_CONTENT);
    let end = caller.ended().await;
    assert!(matches!(end, CallEnd::HangUp | CallEnd::Completed), "{end:?}");
    assert_eq!(clinic.settled().await.cause, Some(EndCause::ClinicHungUp));
    assert!(twilio.completed(&sid) || end == CallEnd::HangUp);
    // A clinic that takes no calls refuses, writes that down, and has somebody ring back.
    clinic.app().floor.drain().await;
    let refused = twilio.call(clinic.running.web_addr, FROM).ended().await;
    assert!(matches!(refused, CallEnd::HangUp | CallEnd::Completed), "{refused:?}");
    clinic.happened(|event| matches!(event, Event::CallEnded { end: EndCause::Rejected, .. })).await;
    clinic.happened(|event| matches!(event, Event::TaskChanged { kind: TaskKind::MissedCall, .. })).await;
    clinic.running.stop(PATIENCE).await;
    assert!(twilio.completed(&sid), "the API was told as well");
}

/// As many callers as there are places are all heard at once; the next one is refused, and hears no ringing for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_house_through_twilio() {
    let twilio = Twilio::start().await;
    let (clinic, _admin) = set_up(&twilio, false).await;
    let web = clinic.running.web_addr;
    let places = clinic.app().config.sip.calls_max;
    let mut callers: Vec<_> = (0..places).map(|index| twilio.call(web, &format!("+1555010{index}"))).collect();
    for caller in &mut callers {
        caller.until("the greeting begins", |heard| heard.sound() > 4_000).await;
    }
    assert_eq!(clinic.app().floor.snapshot().len(), places);
    let refused = twilio.call(web, FROM).ended().await;
    assert!(matches!(refused, CallEnd::HangUp | CallEnd::Completed), "{refused:?}");
    for caller in callers {
        caller.hang_up();
        assert_eq!(caller.ended().await, CallEnd::CallerHungUp);
    }
    assert_eq!(arrivals(&clinic), places + 1, "the one that was refused is written down, too");
    clinic.running.stop(Duration::ZERO).await;
}

/// INT-01: frames that come late and all at once, that are too long, or are none at all cost the call nothing but themselves; another
/// codec than the agreed one ends it; a key is a key.
#[tokio::test(flavor = "multi_thread")]
async fn a_carrier_that_misbehaves_does_not_cost_the_call() {
    let twilio = Twilio::start().await;
    let (clinic, _admin) = set_up(&twilio, false).await;
    let mut caller = twilio.call(clinic.running.web_addr, FROM);
    caller.until("the greeting begins", |heard| heard.sound() > 1_000).await;
    let media = |octets: usize| {
        use base64::Engine as _;
        let payload = base64::engine::general_purpose::STANDARD.encode(vec![0x55; octets]);
        json!({ "event": "media", "streamSid": "{stream}", "media": { "track": "inbound", "timestamp": "20", "payload": payload } }).to_string()
    };
    caller.send(&media(5_000));
    caller.send(&media(0));
    caller.send("{\"event\":");
    caller.send(r#"{"event":"mark","streamSid":"{stream}","mark":{"name":"nobody's"}}"#);
    caller.stall(600);
    caller.press('0');
    let seen = caller.until("the greeting goes on", |heard| heard.sound() > 9_000).await;
    assert_eq!(seen.sockets, 1);
    caller.hang_up();
    assert_eq!(caller.ended().await, CallEnd::CallerHungUp);
    assert_eq!(clinic.settled().await.cause, Some(EndCause::CallerHungUp));

    let wrong = twilio.call_as(clinic.running.web_addr, FROM, "audio/x-l16");
    let end = wrong.ended().await;
    assert!(matches!(end, CallEnd::HangUp | CallEnd::Completed), "{end:?}");
    assert_eq!(arrivals(&clinic), 1);
    clinic.running.stop(Duration::ZERO).await;
}

/// SEC-20: the account is set up only with what Twilio accepts; what is wrong is told by field and code; tokens are never shown, and do
/// not follow to another account; who may not, sees nothing.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_set_up_with_what_twilio_accepts() {
    let twilio = Twilio::start().await;
    let clinic = clinic(&twilio, false).await;
    let admin = clinic.admin().await;
    let fresh = read(admin.get("/api/carriers/twilio").await, StatusCode::OK).await;
    assert_eq!((&fresh["is_set_up"], &fresh["version"]), (&json!(false), &json!(0)));
    assert_eq!(fresh["voice_url"], format!("{PUBLIC}{VOICE}"));
    let fields = |wrong: &Value| {
        wrong["errors"]
            .as_array()
            .unwrap()
            .iter()
            .map(|it| (it["field"].clone(), it["code"].clone()))
            .collect::<Vec<_>>()
    };

    let nonsense = json!({ "account_sid": "AC12", "auth_token": "a b", "sources": ["x"] });
    let wrong = put(&admin, &json!(0), nonsense, StatusCode::BAD_REQUEST).await;
    assert_eq!(
        fields(&wrong),
        [("account_sid", "format"), ("auth_token", "format"), ("sources[0]", "format")]
            .map(|(f, c)| (json!(f), json!(c)))
    );
    let wrong = put(&admin, &json!(0), json!({ "account_sid": ACCOUNT }), StatusCode::BAD_REQUEST).await;
    assert_eq!(fields(&wrong), [(json!("auth_token"), json!("required"))]);
    let wrong = put(&admin, &json!(0), account(json!({ "auth_token": SECOND })), StatusCode::BAD_REQUEST).await;
    assert_eq!(fields(&wrong), [(json!("auth_token"), json!("refused"))]);
    let wrong = put(&admin, &json!(0), account(json!({ "second_token": SECOND })), StatusCode::BAD_REQUEST).await;
    assert_eq!(fields(&wrong), [(json!("second_token"), json!("refused"))]);
    twilio.is("suspended");
    let wrong = put(&admin, &json!(0), account(json!({})), StatusCode::BAD_REQUEST).await;
    assert_eq!(fields(&wrong), [(json!("account_sid"), json!("inactive"))]);
    twilio.is("active");
    twilio.fails(&[500, 503, 429]);
    let down = put(&admin, &json!(0), account(json!({})), StatusCode::SERVICE_UNAVAILABLE).await;
    assert_eq!(down["code"], "carrier_silent");
    // Twice is not for good.
    twilio.fails(&[503, 429]);
    let made = put(&admin, &json!(0), account(json!({})), StatusCode::OK).await;
    assert_eq!((&made["is_set_up"], &made["account_name"]), (&json!(true), &json!("The clinic's account")));
    assert_eq!(put(&admin, &json!(0), account(json!({})), StatusCode::PRECONDITION_FAILED).await["code"], "stale");
    let kept = json!({ "account_sid": ACCOUNT, "sources": ["192.0.2.0/24"] });
    let kept = put(&admin, &made["version"], kept, StatusCode::OK).await;
    assert_eq!(kept["sources"], json!(["192.0.2.0/24"]));
    let moved = json!({ "account_sid": ACCOUNT.replace("0123", "9999") });
    let moved = put(&admin, &kept["version"], moved, StatusCode::BAD_REQUEST).await;
    assert_eq!(fields(&moved), [(json!("auth_token"), json!("required"))]);
    let nobody = admin.send(Method::POST, &format!("/api/carriers/twilio/numbers/{ACCOUNT}/connect"), json!({})).await;
    read(nobody, StatusCode::NOT_FOUND).await;

    let shown = format!("{} {:?}", read(admin.get("/api/carriers/twilio").await, StatusCode::OK).await, clinic.feed());
    assert!(!shown.contains(TOKEN) && shown.contains("CarrierChanged"), "{shown}");
    let agent = clinic.person("agent@clinic.example", Role::Agent).await;
    for path in ["/api/carriers/twilio", "/api/carriers/twilio/numbers"] {
        assert_eq!(agent.get(path).await.status(), StatusCode::FORBIDDEN, "{path}");
    }
    let removed = admin.change(Method::DELETE, "/api/carriers/twilio", &kept["version"], json!(null)).await;
    assert_eq!(removed.status(), StatusCode::NO_CONTENT);
    let form: Form = about(&twilio.new_call(), FROM, "ringing");
    let after = twilio.post(clinic.running.web_addr, VOICE, &form).await;
    assert_eq!(read(after, StatusCode::INTERNAL_SERVER_ERROR).await["code"], "not_configured");
    clinic.running.stop(Duration::ZERO).await;
}
