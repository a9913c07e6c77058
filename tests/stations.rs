//! Softphones in the browser, as people work with them: str0m plays their pages, baresip the telephones.

use crate::support::page::Page;
use crate::support::person::{PASSWORD, read};
use crate::support::scene::{Scene, act, done, on_session};
use crate::support::softphone::{Line, Softphone};
use auricle_domain::call::{Entrance, SideQuality};
use auricle_domain::code::{CallDirection, CallStatus, EndCause, EntranceKind, RecordingState};
use auricle_domain::event::Event;
use auricle_domain::id::CallId;
use auricle_domain::live::LiveCall;
use auricle_media::io::Codec;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::net::SocketAddr;

/// CALL-01, B-24: one page calls the other's extension, which rings and is answered; both hear each other. Who is muted is not heard,
/// also when their page has been loaded again in the middle of it. Afterwards both softphones are free.
#[tokio::test(flavor = "multi_thread")]
async fn two_pages_talk_and_one_is_loaded_again() {
    let scene = Scene::open().await;
    let (mut eve, mut sam) = (Page::open(&scene.eve, 500.0).await, Page::open(&scene.sam, 900.0).await);
    let placed = scene.eve.send(Method::POST, "/api/calls", json!({ "phone_number": "202" })).await;
    let placed = read(placed, StatusCode::OK).await;
    let call = scene.rings().await;
    assert_eq!((&json!(call), on_session(&scene.eve).await), (&placed["id"], placed["id"].clone()));
    assert_eq!(act(&scene.eve, call, "answer").await, StatusCode::CONFLICT, "it does not ring for her");
    assert_eq!(act(&scene.sam, call, "hold").await, StatusCode::FORBIDDEN, "he has not answered");
    done(&scene.sam, call, "answer").await;
    sam.hears(500.0).await;
    eve.hears(900.0).await;
    let second = scene.eve.send(Method::POST, "/api/calls", json!({ "phone_number": "202" })).await;
    assert_eq!(second.status(), StatusCode::CONFLICT, "she is in a call");

    done(&scene.eve, call, "mute").await;
    sam.hears_nothing().await;
    eve.hears(900.0).await;
    let mut again = Page::open(&scene.eve, 700.0).await;
    assert!(again.resumed);
    drop(eve);
    again.hears(900.0).await;
    sam.hears_nothing().await;
    let shown = scene.shows("she is muted", |call| call.stations.iter().any(|it| it.is_muted)).await;
    assert_eq!((shown.call, shown.status), (call, CallStatus::WithAgent));
    done(&scene.eve, call, "unmute").await;
    sam.hears(700.0).await;

    done(&scene.sam, call, "hold").await;
    sam.hears_nothing().await;
    done(&scene.sam, call, "resume").await;
    // Long enough to be measured.
    sam.hears_on(300, 700.0).await;
    done(&scene.sam, call, "hangup").await;
    let ended = scene.ended(call).await;
    let people = &ended.quality.staff;
    let is_heard = |sound: &SideQuality| sound.packets_received > 200 && sound.mos.is_some_and(|mos| mos > 2.0);
    assert!(people.len() == 2 && people.iter().all(|person| is_heard(&person.sound)), "{people:?}");
    let view = read(scene.admin.get(&format!("/api/calls/{call}")).await, StatusCode::OK).await;
    assert_eq!(view["staff_names"], json!(["Somebody", "Somebody"]));
    assert_eq!((ended.direction, ended.status), (CallDirection::Internal, CallStatus::Ended));
    assert_eq!(ended.entrance, Some(Entrance::of(EntranceKind::Browser)));
    again.hears_nothing().await;
    assert_eq!((on_session(&scene.eve).await, on_session(&scene.sam).await), (Value::Null, Value::Null));

    // One switches the telephone off, the other is disabled: neither is there any more.
    let gone = scene.sam.send(Method::DELETE, "/api/softphone/session?purpose=station", json!(null)).await;
    assert_eq!(gone.status(), StatusCode::NO_CONTENT);
    let eve = read(scene.eve.get("/api/auth/me").await, StatusCode::OK).await;
    let path = format!("/api/accounts/{}", eve["id"].as_str().unwrap());
    let disabled = scene.admin.change(Method::PATCH, &path, &eve["version"], json!({ "state": "disabled" })).await;
    assert_eq!(read(disabled, StatusCode::OK).await["state"], "disabled");
    scene.is_silent().await;
    scene.close().await;
}

/// AUTH-04: a new password ends the softphone as it ends the sessions: the person's own choice those of their other sessions, an
/// administrator's all of them.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_ends_the_softphone_of_sessions_that_end() {
    let scene = Scene::open().await;
    let mut elsewhere = scene.clinic.anybody();
    elsewhere.sign_in("eve@clinic.example", PASSWORD).await;
    let change = |from: &str, to: &str| json!({ "current_password": from, "new_password": to });
    let _page = Page::open(&scene.eve, 500.0).await;
    let own = scene.eve.send(Method::PATCH, "/api/auth/me", change(PASSWORD, "eight green bottles")).await;
    assert_eq!(own.status(), StatusCode::OK);
    let again = Page::open(&scene.eve, 500.0).await;
    assert!(again.resumed, "it is that of the session that stays");
    assert_eq!(elsewhere.get("/api/auth/me").await.status(), StatusCode::UNAUTHORIZED);
    elsewhere.sign_in("eve@clinic.example", "eight green bottles").await;
    let other =
        elsewhere.send(Method::PATCH, "/api/auth/me", change("eight green bottles", "nine green bottles")).await;
    assert_eq!(other.status(), StatusCode::OK);
    scene.is_silent().await;

    let _page = Page::open(&scene.sam, 900.0).await;
    let sam = read(scene.sam.get("/api/auth/me").await, StatusCode::OK).await;
    let path = format!("/api/accounts/{}/reset-password", sam["id"].as_str().unwrap());
    read(scene.admin.send(Method::POST, &path, json!(null)).await, StatusCode::OK).await;
    scene.is_silent().await;
    scene.close().await;
}

/// CALL-06: a caller whom the receptionist has is handed to a person, whose page rings; what is declined goes back, what is answered
/// is theirs. What they mask is kept nowhere.
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_is_put_through_to_a_page() {
    let scene = Scene::open().await;
    let mut sam = Page::open(&scene.sam, 900.0).await;
    let uri = format!("sip:clinic@{}", scene.clinic.app().voice.sip_addr());
    let caller = Softphone::call(&uri, 40, Codec::Pcma, &[], "");
    let with_receptionist = |call: &LiveCall| call.status == CallStatus::WithReceptionist && call.stations.is_empty();
    let call = scene.shows("the receptionist has it", with_receptionist).await.call;
    let path = format!("/api/calls/{call}/transfer");
    let hand_on = async || {
        let handed = scene.admin.send(Method::POST, &path, json!({ "to": "202" })).await;
        assert_eq!((handed.status(), handed.text().await.unwrap().as_str()), (StatusCode::NO_CONTENT, ""));
    };
    hand_on().await;
    assert_eq!(scene.rings().await, call);
    done(&scene.sam, call, "decline").await;
    scene.shows("the receptionist has it again", with_receptionist).await;
    assert_eq!(act(&scene.sam, call, "answer").await, StatusCode::CONFLICT);
    hand_on().await;
    scene.rings().await;
    done(&scene.sam, call, "answer").await;
    sam.hears(440.0).await;

    // B-16: while a card's number is told he keeps nothing of it; he alone may say so, and both still hear each other.
    assert_eq!(act(&scene.admin, call, "mask").await, StatusCode::CONFLICT, "it is not hers");
    done(&scene.sam, call, "mask").await;
    scene.shows("it is masked", |call| call.masked_until.is_some()).await;
    sam.hears_on(25, 440.0).await;
    done(&scene.sam, call, "unmask").await;
    scene.shows("it is masked no more", |call| call.masked_until.is_none()).await;
    sam.hears_on(25, 440.0).await;
    done(&scene.sam, call, "hangup").await;
    scene.ended(call).await;
    let stopped = |event: &Event| matches!(event, Event::CallRecording { state: RecordingState::Stopped, call: of, .. } if *of == call);
    scene.clinic.happened(stopped).await;
    let ended = scene.ended(call).await;
    let (masked, length_ms) = (&ended.recording.masked, ended.recording.length_ms);
    assert!(
        matches!(masked[..], [span] if span.from_ms < span.to_ms && span.to_ms < length_ms),
        "{masked:?} of {length_ms}"
    );
    let me = read(scene.sam.get("/api/auth/me").await, StatusCode::OK).await;
    assert_eq!((json!(ended.agent), ended.cause), (me["id"].clone(), Some(EndCause::ClinicHungUp)));
    drop(caller);
    scene.close().await;
}

/// CALL-01: a desk phone calls a person whose own desk phone is away: their page rings, and both hear each other.
#[tokio::test(flavor = "multi_thread")]
async fn a_desk_phone_calls_a_page() {
    let scene = Scene::open().await;
    let lab = scene.admin.made("/api/phones", json!({ "label": "Lab", "extension": "203" })).await;
    let mut sam = Page::open(&scene.sam, 700.0).await;
    let host = lab["server"]["host"].as_str().unwrap().parse().unwrap();
    let line = Line {
        server: SocketAddr::new(host, scene.clinic.app().voice.sip_addr().port()),
        transport: "udp",
        user: lab["phone"]["user"].as_str().unwrap(),
        password: lab["password"].as_str().unwrap(),
        modules: &[],
        account: "",
    };
    let desk = Softphone::desk(&line, Some("202"), 12);
    let call = scene.rings().await;
    done(&scene.sam, call, "answer").await;
    sam.hears(440.0).await;
    let heard = desk.heard_tone(700.0).await;
    assert!(heard > 0.8, "the desk phone heard {heard}");
    scene.ended(call).await;
    assert_eq!(on_session(&scene.sam).await, Value::Null, "the softphone stays");
    assert_eq!(scene.phone["phone"]["extension"], "202");
    scene.close().await;
}

/// Whoever has no call that rings, no softphone, or no such call, is told so.
#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_ring_is_not_answered() {
    let scene = Scene::open().await;
    let nothing = CallId::new(Default::default(), [7; 10]);
    for what in ["answer", "decline", "mute", "unmute", "mask", "unmask"] {
        assert_eq!(act(&scene.eve, nothing, what).await, StatusCode::NOT_FOUND, "{what}");
    }
    let none = scene.eve.get("/api/softphone/session?purpose=station").await;
    assert_eq!(none.status(), StatusCode::NOT_FOUND);
    let placed = scene.eve.send(Method::POST, "/api/calls", json!({ "phone_number": "202" })).await;
    assert_eq!(placed.status(), StatusCode::CONFLICT, "neither a softphone nor a telephone is there");
    // She calls; nobody is there, so that she hears so and it ends.
    let _eve = Page::open(&scene.eve, 500.0).await;
    let placed = scene.eve.send(Method::POST, "/api/calls", json!({ "phone_number": "202" })).await;
    let id: CallId = serde_json::from_value(read(placed, StatusCode::OK).await["id"].clone()).unwrap();
    assert_eq!(scene.ended(id).await.cause, Some(EndCause::NoAnswer));
    scene.close().await;
}
