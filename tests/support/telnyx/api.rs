//! Telnyx's REST API, as far as the clinic uses it.

use super::{API_KEY, NUMBER, NUMBER_ID, Shared};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex};

type Server = State<Arc<Mutex<Shared>>>;

/// What a call was told.
#[derive(Clone, Debug)]
pub struct Command {
    pub call: String,
    pub name: String,
    pub fields: Value,
}

fn error(status: u16, code: &str, title: &str) -> Response {
    let body = json!({ "errors": [{ "code": code, "title": title, "detail": format!("{title}.") }] });
    (StatusCode::from_u16(status).unwrap(), axum::Json(body)).into_response()
}

/// Why a request is refused: a fault that is due, or the wrong key.
fn refusal(shared: &mut Shared, headers: &HeaderMap) -> Option<Response> {
    if let Some(status) = shared.faults.pop_front() {
        return Some(error(status, "10011", "Internal error"));
    }
    let given = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    (given != format!("Bearer {API_KEY}")).then(|| error(401, "10009", "Authentication failed"))
}

fn answer(shared: &mut Shared, headers: &HeaderMap, body: impl FnOnce(&mut Shared) -> Response) -> Response {
    refusal(shared, headers).unwrap_or_else(|| body(shared))
}

fn data(data: Value) -> Response {
    axum::Json(json!({ "data": data })).into_response()
}

pub async fn applications(
    State(shared): Server,
    headers: HeaderMap,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    assert_eq!((query["page[number]"].as_str(), query["page[size]"].as_str()), ("1", "250"));
    answer(&mut shared.lock().unwrap(), &headers, |shared| data(json!(shared.applications)))
}

pub async fn make_application(
    State(shared): Server,
    headers: HeaderMap,
    axum::Json(mut body): axum::Json<Value>,
) -> Response {
    answer(&mut shared.lock().unwrap(), &headers, |shared| {
        assert!(body["application_name"].is_string() && body["webhook_event_url"].is_string(), "{body}");
        body["id"] = json!(format!("88{:03}", shared.applications.len() + 1));
        body["record_type"] = json!("call_control_application");
        shared.applications.push(body.clone());
        (StatusCode::CREATED, axum::Json(json!({ "data": body }))).into_response()
    })
}

pub async fn application(State(shared): Server, headers: HeaderMap, Path(id): Path<String>) -> Response {
    answer(&mut shared.lock().unwrap(), &headers, |shared| {
        let found = shared.applications.iter().find(|one| one["id"] == json!(id));
        found.map_or_else(|| error(404, "10005", "Resource not found"), |found| data(found.clone()))
    })
}

pub async fn change_application(
    State(shared): Server,
    headers: HeaderMap,
    Path(id): Path<String>,
    axum::Json(body): axum::Json<Value>,
) -> Response {
    answer(&mut shared.lock().unwrap(), &headers, |shared| {
        let Some(found) = shared.applications.iter_mut().find(|one| one["id"] == json!(id)) else {
            return error(404, "10005", "Resource not found");
        };
        found.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
        data(found.clone())
    })
}

fn number(shared: &Shared) -> Value {
    let ours = shared.applications.iter().find(|one| one["id"] == json!(shared.connection));
    let name = ours.map_or(json!("The old system"), |one| one["application_name"].clone());
    json!({
        "id": NUMBER_ID, "record_type": "phone_number", "phone_number": NUMBER, "status": "active",
        "connection_id": shared.connection, "connection_name": if shared.connection.is_empty() { json!(null) } else { name },
    })
}

pub async fn numbers(
    State(shared): Server,
    headers: HeaderMap,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    assert_eq!(query["page[size]"], "250");
    answer(&mut shared.lock().unwrap(), &headers, |shared| data(json!([number(shared)])))
}

pub async fn change_number(
    State(shared): Server,
    headers: HeaderMap,
    Path(id): Path<String>,
    axum::Json(body): axum::Json<Value>,
) -> Response {
    answer(&mut shared.lock().unwrap(), &headers, |shared| {
        if id != NUMBER_ID {
            return error(404, "10005", "Resource not found");
        }
        body["connection_id"].as_str().unwrap().clone_into(&mut shared.connection);
        data(number(shared))
    })
}

pub async fn command(
    State(shared): Server,
    headers: HeaderMap,
    Path((call, name)): Path<(String, String)>,
    axum::Json(fields): axum::Json<Value>,
) -> Response {
    answer(&mut shared.lock().unwrap(), &headers, |shared| {
        let id = fields["command_id"].as_str().expect("each command has a name").to_owned();
        assert_eq!(uuid_version(&id), Some('4'), "{id}");
        let command = Command { call: call.clone(), name, fields };
        let Some(to) = shared.on.get(&call).cloned() else {
            shared.commands.send_modify(|commands| commands.push((command, false)));
            return error(422, "90018", "Call has already ended");
        };
        // Within a minute the same name is the same command.
        let is_new = shared.taken.insert(format!("{call} {id}"));
        shared.commands.send_modify(|commands| commands.push((command.clone(), is_new)));
        if is_new && to.send(command).is_err() {
            return error(422, "90018", "Call has already ended");
        }
        match shared.lies.pop_front() {
            Some(status) => error(status, "10011", "Internal error"),
            None => data(json!({ "result": "ok" })),
        }
    })
}

pub async fn dial(State(shared): Server, headers: HeaderMap, axum::Json(fields): axum::Json<Value>) -> Response {
    answer(&mut shared.lock().unwrap(), &headers, |shared| {
        let id = fields["command_id"].as_str().expect("each command has a name").to_owned();
        if !shared.applications.iter().any(|one| one["id"] == fields["connection_id"]) {
            return error(422, "10015", "Invalid value for connection_id (Call Control App ID)");
        }
        if fields["to"].as_str().is_none_or(|to| to == "+442079460404") {
            return error(422, "10016", "Phone number must be in +E164 format");
        }
        let call = shared.dialled.get(&id).cloned().unwrap_or_else(|| {
            let call = shared.new_call().0;
            shared.dialled.insert(id, call.clone());
            shared.wanted.send_modify(|wanted| wanted.push_back((call.clone(), fields)));
            call
        });
        match shared.lies.pop_front() {
            Some(status) => error(status, "10011", "Internal error"),
            None => data(
                json!({ "call_control_id": call, "call_leg_id": "leg", "call_session_id": "session", "is_alive": false, "record_type": "call" }),
            ),
        }
    })
}

fn uuid_version(text: &str) -> Option<char> {
    (text.len() == 36).then(|| text.chars().nth(14)).flatten()
}
