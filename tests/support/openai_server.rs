//! A local server that speaks `POST /v1/chat/completions` as OpenAI-compatible servers do, and can misbehave on demand.

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Json, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures_util::{StreamExt, stream};
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

/// What the server does with its next request.
#[derive(Clone, Debug)]
pub enum Turn {
    /// Streams these texts, then stops properly.
    Say(Vec<&'static str>),
    /// Asks for a tool; the arguments come in two pieces.
    Call { name: &'static str, arguments: &'static str },
    /// Asks for a tool as some compatible servers do: no id, arguments as an object, `finish_reason` `stop`.
    OddCall { name: &'static str, arguments: Value },
    /// Accepts the request and never answers.
    Stall,
    /// Streams these texts, then nothing more, without closing.
    StallAfter(Vec<&'static str>),
    /// Answers with an error status and OpenAI's error body.
    Refuse(u16),
    /// Streams these texts, then closes without an end.
    BreakAfter(Vec<&'static str>),
    /// Streams something that is not JSON.
    Garbage,
}

/// The server: its script, and what it was asked.
#[derive(Clone, Default)]
pub struct OpenAiServer {
    script: Arc<Mutex<VecDeque<Turn>>>,
    requests: Arc<Mutex<Vec<Value>>>,
    keys: Arc<Mutex<Vec<String>>>,
}

impl OpenAiServer {
    /// Starts on a free loopback port; answers with its base URL. It ends with the test's runtime.
    pub async fn start(script: impl IntoIterator<Item = Turn>) -> (Self, String) {
        let server = Self { script: Arc::new(Mutex::new(script.into_iter().collect())), ..Self::default() };
        let app = Router::new().route("/v1/chat/completions", post(answer)).with_state(server.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/v1", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        (server, url)
    }

    /// Request bodies so far.
    pub fn requests(&self) -> Vec<Value> {
        self.requests.lock().unwrap().clone()
    }

    /// `Authorization` headers so far.
    pub fn keys(&self) -> Vec<String> {
        self.keys.lock().unwrap().clone()
    }
}

async fn answer(State(server): State<OpenAiServer>, headers: HeaderMap, Json(body): Json<Value>) -> Response {
    let key = headers.get("authorization").and_then(|value| value.to_str().ok()).unwrap_or_default();
    server.keys.lock().unwrap().push(key.to_owned());
    server.requests.lock().unwrap().push(body);
    let turn = server.script.lock().unwrap().pop_front().unwrap_or(Turn::Refuse(500));
    match turn {
        Turn::Say(texts) => events(texts.into_iter().map(text).chain([finish("stop"), done()]), false),
        Turn::Call { name, arguments } => {
            let (first, second) = arguments.split_at(arguments.len() / 2);
            let open = json!({ "index": 0, "id": "call_abc", "type": "function", "function": { "name": name, "arguments": first } });
            let rest = json!({ "index": 0, "function": { "arguments": second } });
            events([call(&open), call(&rest), finish("tool_calls"), done()], false)
        }
        Turn::OddCall { name, arguments } => {
            let whole = json!({ "function": { "name": name, "arguments": arguments } });
            events([": ping\n\n".to_owned(), call(&whole), finish("stop"), done()], false)
        }
        Turn::Stall => std::future::pending().await,
        Turn::StallAfter(texts) => events(texts.into_iter().map(text), true),
        Turn::BreakAfter(texts) => events(texts.into_iter().map(text), false),
        Turn::Garbage => events(["data: {nonsense\n\n".to_owned()], false),
        Turn::Refuse(status) => {
            let error =
                json!({ "error": { "message": "no more for you", "type": "test", "param": null, "code": null } });
            (StatusCode::from_u16(status).unwrap(), Json(error)).into_response()
        }
    }
}

fn events(lines: impl IntoIterator<Item = String, IntoIter: Send + 'static>, hang: bool) -> Response {
    let sent = stream::iter(lines).map(|line| Ok::<_, std::io::Error>(Bytes::from(line)));
    let body = if hang { Body::from_stream(sent.chain(stream::pending())) } else { Body::from_stream(sent) };
    ([("content-type", "text/event-stream")], body).into_response()
}

fn chunk(delta: &Value, finish: Option<&str>) -> String {
    let choice = json!({ "index": 0, "delta": delta, "finish_reason": finish });
    format!("data: {}\r\n\r\n", json!({ "id": "x", "object": "chat.completion.chunk", "choices": [choice] }))
}

fn text(text: &str) -> String {
    chunk(&json!({ "content": text }), None)
}

fn call(piece: &Value) -> String {
    chunk(&json!({ "tool_calls": [piece] }), None)
}

fn finish(reason: &str) -> String {
    chunk(&json!({}), Some(reason))
}

fn done() -> String {
    "data: [DONE]\n\n".to_owned()
}
