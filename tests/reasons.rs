//! A clinic that wants to know why past calls are opened.

use crate::support::clinic::{Clinic, PATIENCE};
use crate::support::person::{PASSWORD, Person, read};
use auricle::voice::caller;
use auricle_domain::code::{AccessReasons, Role};
use auricle_storage::Backend;
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;

/// A reason as a browser must send one whose letters are not Latin: `Stížnost pacientky`.
const ENCODED: &str = "UTF-8''St%C3%AD%C5%BEnost%20pacientky";
const REASON: &str = "Stížnost pacientky";

async fn with_reason(person: &Person, path: &str, reason: &str) -> Response {
    person.request(Method::GET, path).header("access-reason", reason).send().await.unwrap()
}

async fn refused(person: &Person, path: &str) {
    let problem = read(person.get(path).await, StatusCode::PRECONDITION_REQUIRED).await;
    assert_eq!(problem["code"], "reason_required", "{path}");
}

async fn open(person: &Person, path: &str) -> Response {
    let reply = person.get(path).await;
    assert_eq!(reply.status(), StatusCode::OK, "{path}");
    reply
}

/// The newest reading of a kind of record.
async fn last_reading(admin: &Person, object: &str) -> Value {
    let page = read(admin.get("/api/audit?limit=50").await, StatusCode::OK).await;
    let entries = page["items"].as_array().unwrap();
    entries.iter().find(|it| it["action"] == "audit.read" && it["object"] == object).unwrap().clone()
}

/// SEC-20, B-17, REC-04: a recording opens for whoever says why; that is kept, letter by letter, and stands for the session and the call.
#[tokio::test(flavor = "multi_thread")]
async fn a_recording_opens_for_a_reason() {
    let clinic = Clinic::open(Backend::Memory, None).await;
    let admin = clinic.admin().await;
    caller::place(clinic.call()).await.unwrap();
    let call = clinic.settled().await;
    let (recording, turns) = (format!("/api/calls/{}/recording", call.id), format!("/api/calls/{}/turns", call.id));
    open(&admin, &recording).await;
    admin.asks_reasons(AccessReasons::Recordings).await;
    refused(&admin, &recording).await;
    open(&admin, &turns).await;
    for wrong in ["no", "UTF-8''a%00b%20c", "UTF-8''%FF%FF%FF%FF", &"x".repeat(301)] {
        let problem = read(with_reason(&admin, &recording, wrong).await, StatusCode::BAD_REQUEST).await;
        assert_eq!(problem["errors"][0]["field"], "Access-Reason", "{wrong}");
    }
    refused(&admin, &recording).await;
    assert_eq!(with_reason(&admin, &recording, ENCODED).await.status(), StatusCode::OK);
    let reading = last_reading(&admin, "recording").await;
    assert_eq!((&reading["reason"], &reading["id"]), (&json!(REASON), &json!(call.id.to_string())));
    // A player asks for one stretch after another, and cannot send a reason with each.
    let stretch = admin.request(Method::GET, &recording).header("range", "bytes=0-99").send().await.unwrap();
    assert_eq!(stretch.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(last_reading(&admin, "recording").await["reason"], json!(REASON));
    let mut elsewhere = clinic.anybody();
    elsewhere.sign_in("admin@clinic.example", PASSWORD).await;
    refused(&elsewhere, &recording).await;
    // As it is, in UTF-8, is right as well.
    assert_eq!(with_reason(&elsewhere, &recording, REASON).await.status(), StatusCode::OK);
    assert_eq!(last_reading(&admin, "recording").await["reason"], json!(REASON));
    clinic.running.stop(Duration::ZERO).await;
}

/// SEC-20, B-17: where transcripts are asked for as well, no list, search or log shows what was said in a past call; whoever handled it,
/// and whoever follows one that is on, is asked nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_transcript_opens_for_a_reason_and_shows_nowhere_else() {
    let clinic = Clinic::open(Backend::Memory, None).await;
    let admin = clinic.admin().await;
    let agent = clinic.person("agent@clinic.example", Role::Agent).await;
    admin.asks_reasons(AccessReasons::All).await;
    let mut board = clinic.app().floor.watch();
    let calling = tokio::spawn(caller::place(clinic.call()));
    let on = board.wait_for(|calls| calls.iter().any(|call| call.answered_at.is_some()));
    let id = tokio::time::timeout(PATIENCE, on).await.unwrap().unwrap()[0].call;
    clinic.happened(|event| matches!(event, auricle_domain::event::Event::CallAnswered { .. })).await;
    let turns = format!("/api/calls/{id}/turns");
    open(&agent, &turns).await;
    calling.await.unwrap().unwrap();
    let call = clinic.settled().await;
    clinic.indexed().await;

    let conversation = format!("/api/conversations/{}", call.conversation);
    for path in [&turns, &conversation, &format!("/api/calls/{id}/recording")] {
        refused(&agent, path).await;
    }
    let words = async |person: &Person| {
        let list = read(person.get("/api/calls").await, StatusCode::OK).await;
        let one = read(person.get(&format!("/api/calls/{id}")).await, StatusCode::OK).await;
        let found = read(person.get("/api/search?q=hello&kind=turn").await, StatusCode::OK).await;
        [&list["items"][0]["last_words"], &one["last_words"], &found["hits"][0]["snippet"]]
            .map(|text| text.as_str().unwrap().to_owned())
    };
    assert_eq!(words(&agent).await, ["", "", ""]);
    let log = read(admin.get("/api/events?limit=500").await, StatusCode::OK).await;
    let said: Vec<&Value> =
        log["items"].as_array().unwrap().iter().filter(|it| it["type"] == "conversation.turn").collect();
    assert!(!said.is_empty() && said.iter().all(|it| it["turn"]["text"] == ""), "{said:?}");

    let read_now = read(with_reason(&agent, &turns, ENCODED).await, StatusCode::OK).await;
    assert!(read_now["items"][0]["text"].as_str().unwrap().contains("Hello"), "{read_now}");
    assert_eq!(last_reading(&admin, "transcript").await["reason"], json!(REASON));
    // It stands for the whole call.
    open(&agent, &conversation).await;
    open(&agent, &format!("/api/calls/{id}/recording")).await;
    refused(&admin, &turns).await;

    let me = read(admin.get("/api/auth/me").await, StatusCode::OK).await["id"].as_str().unwrap().parse().unwrap();
    clinic.handled(call.id, me).await;
    open(&admin, &turns).await;
    assert_eq!(last_reading(&admin, "transcript").await["reason"], Value::Null);
    assert!(words(&admin).await.iter().all(|text| !text.is_empty()));
    clinic.running.stop(Duration::ZERO).await;
}
