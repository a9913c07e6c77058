//! Twilio's REST API, as far as the clinic uses it.

use super::{ACCOUNT, Form, NUMBER, NUMBER_SID, Shared};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

type Server = State<Arc<Mutex<Shared>>>;

/// Why a request is refused: a fault that is due, or the wrong user and password.
fn refusal(shared: &mut Shared, headers: &HeaderMap) -> Option<Response> {
    if let Some(status) = shared.faults.pop_front() {
        let body = json!({ "code": 20500, "message": "Internal Server Error", "status": status });
        return Some((StatusCode::from_u16(status).unwrap(), axum::Json(body)).into_response());
    }
    let given = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    let good = |token: &String| given == format!("Basic {}", STANDARD.encode(format!("{ACCOUNT}:{token}")));
    if shared.tokens.iter().any(good) {
        return None;
    }
    let more_info = "https://www.twilio.com/docs/errors/20003";
    let body = json!({ "code": 20003, "message": "Authenticate", "more_info": more_info, "status": 401 });
    Some((StatusCode::UNAUTHORIZED, axum::Json(body)).into_response())
}

fn answer(shared: &mut Shared, headers: &HeaderMap, body: impl FnOnce(&mut Shared) -> Value) -> Response {
    refusal(shared, headers).unwrap_or_else(|| axum::Json(body(shared)).into_response())
}

pub async fn account(State(shared): Server, headers: HeaderMap) -> Response {
    let body = |shared: &mut Shared| json!({ "sid": ACCOUNT, "friendly_name": "The clinic's account", "status": shared.status, "type": "Full" });
    answer(&mut shared.lock().unwrap(), &headers, body)
}

fn number(shared: &Shared) -> Value {
    let field = |name: &str| shared.number.get(name).filter(|value| !value.is_empty());
    json!({
        "sid": NUMBER_SID, "phone_number": NUMBER, "friendly_name": "(555) 0199", "capabilities": { "voice": true, "sms": true },
        "voice_url": field("VoiceUrl"), "voice_method": "POST", "trunk_sid": field("TrunkSid"), "status_callback": field("StatusCallback"),
    })
}

pub async fn numbers(
    State(shared): Server,
    headers: HeaderMap,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    assert_eq!(query["PageSize"], "1000");
    let body = |shared: &mut Shared| json!({ "incoming_phone_numbers": [number(shared)], "next_page_uri": null });
    answer(&mut shared.lock().unwrap(), &headers, body)
}

pub async fn change_number(
    State(shared): Server,
    Path((_, sid)): Path<(String, String)>,
    headers: HeaderMap,
    axum::Form(form): axum::Form<HashMap<String, String>>,
) -> Response {
    if sid != format!("{NUMBER_SID}.json") {
        return (StatusCode::NOT_FOUND, axum::Json(json!({ "code": 20404 }))).into_response();
    }
    let body = |shared: &mut Shared| {
        shared.number.extend(form);
        number(shared)
    };
    answer(&mut shared.lock().unwrap(), &headers, body)
}

/// A call is wanted. Its form may name a field several times.
pub async fn place_call(shared: Server, headers: HeaderMap, body: String) -> Response {
    make(shared, &headers, &body, "CA", |shared| &shared.asked)
}

/// A text message is to be sent.
pub async fn take_text(shared: Server, headers: HeaderMap, body: String) -> Response {
    make(shared, &headers, &body, "SM", |shared| &shared.written)
}

type Taken = tokio::sync::mpsc::UnboundedSender<(String, Form)>;

fn make(
    State(shared): Server,
    headers: &HeaderMap,
    body: &str,
    kind: &str,
    taken: impl FnOnce(&Shared) -> &Taken,
) -> Response {
    let form: Form = form_urlencoded::parse(body.as_bytes()).into_owned().collect();
    let mut shared = shared.lock().unwrap();
    if let Some(refusal) = refusal(&mut shared, headers) {
        return refusal;
    }
    if let Some(code) = shared.refusals.pop_front() {
        let body = json!({ "code": code, "message": "The number is not valid", "status": 400 });
        return (StatusCode::BAD_REQUEST, axum::Json(body)).into_response();
    }
    shared.calls += 1;
    let sid = format!("{kind}{:032x}", 0xb0_0000 + shared.calls);
    taken(&shared).send((sid.clone(), form)).unwrap();
    if shared.faulty_answers > 0 {
        shared.faulty_answers -= 1;
        return StatusCode::BAD_GATEWAY.into_response();
    }
    (StatusCode::CREATED, axum::Json(json!({ "sid": sid, "status": "queued" }))).into_response()
}

pub async fn change_call(
    State(shared): Server,
    Path((_, sid)): Path<(String, String)>,
    headers: HeaderMap,
    axum::Form(form): axum::Form<HashMap<String, String>>,
) -> Response {
    let body = |shared: &mut Shared| {
        let call = sid.trim_end_matches(".json").to_owned();
        match form.get("Twiml") {
            Some(twiml) => drop(shared.redirected.insert(call, twiml.clone())),
            None => {
                assert_eq!(form["Status"], "completed");
                shared.completed.send_modify(|completed| completed.push(call));
            }
        }
        json!({ "sid": sid, "status": "in-progress" })
    };
    answer(&mut shared.lock().unwrap(), &headers, body)
}
