//! The remote language model against a server that stalls, refuses and breaks off.

use crate::support::openai_server::{OpenAiServer, Turn};
use auricle::providers::openai::{OpenAi, OpenAiOptions};
use auricle::providers::{Llm, LlmDelta, LlmMessage, LlmRequest, LlmTool, LlmToolCall, ProviderError};
use futures_util::StreamExt;
use serde_json::json;

fn model(base_url: String) -> OpenAi {
    let options = OpenAiOptions {
        base_url,
        model: "m".into(),
        api_key: "k-1".into(),
        first_token_ms_max: 300,
        stall_ms_max: 300,
    };
    OpenAi::new(options)
}

fn request() -> LlmRequest {
    let tool = LlmTool { name: "find_slots", description: "Finds free times", parameters: json!({ "type": "object" }) };
    LlmRequest {
        system: "Be brief".into(),
        messages: vec![
            LlmMessage::Caller("hello".into()),
            LlmMessage::Receptionist {
                text: String::new(),
                calls: vec![LlmToolCall { id: "c1".into(), name: "find_slots".into(), arguments: "{}".into() }],
            },
            LlmMessage::Tool { call: "c1".into(), result: "[]".into() },
        ],
        tools: vec![tool],
        tokens_max: 200,
    }
}

async fn ask(turn: Turn) -> (OpenAiServer, Vec<Result<LlmDelta, ProviderError>>) {
    let (server, url) = OpenAiServer::start([turn]).await;
    let deltas = model(url).reply(request()).collect().await;
    (server, deltas)
}

fn text(text: &str) -> Result<LlmDelta, ProviderError> {
    Ok(LlmDelta::Text(text.into()))
}

#[tokio::test]
async fn text_streams_and_the_request_is_what_such_servers_expect() {
    let (server, deltas) = ask(Turn::Say(vec!["We open ", "at nine."])).await;
    assert_eq!(deltas, [text("We open "), text("at nine."), Ok(LlmDelta::Done)]);
    let body = &server.requests()[0];
    assert_eq!(body["model"], "m");
    assert_eq!(body["stream"], true);
    assert_eq!(body["max_tokens"], 200);
    assert_eq!(body["messages"][0], json!({ "role": "system", "content": "Be brief" }));
    assert_eq!(body["messages"][2]["tool_calls"][0]["function"]["name"], "find_slots");
    assert_eq!(body["messages"][3], json!({ "role": "tool", "tool_call_id": "c1", "content": "[]" }));
    assert_eq!(body["tools"][0]["function"]["name"], "find_slots");
    assert_eq!(server.keys(), ["Bearer k-1"]);
}

/// VOICE-07
#[tokio::test]
async fn a_tool_call_is_put_together_from_its_pieces() {
    let (_, deltas) = ask(Turn::Call { name: "find_slots", arguments: r#"{"day":"2026-11-24"}"# }).await;
    let call =
        LlmToolCall { id: "call_abc".into(), name: "find_slots".into(), arguments: r#"{"day":"2026-11-24"}"#.into() };
    assert_eq!(deltas, [Ok(LlmDelta::Call(call)), Ok(LlmDelta::Done)]);
}

#[tokio::test]
async fn a_tool_call_as_odd_servers_send_it_is_understood_too() {
    let (_, deltas) = ask(Turn::OddCall { name: "end_call", arguments: json!({ "reason": "goodbye" }) }).await;
    let call =
        LlmToolCall { id: "call_0".into(), name: "end_call".into(), arguments: r#"{"reason":"goodbye"}"#.into() };
    assert_eq!(deltas, [Ok(LlmDelta::Call(call)), Ok(LlmDelta::Done)]);
}

/// TEST-13
#[tokio::test]
async fn every_way_to_fail_has_its_own_error_and_keeps_what_came_before() {
    let stalled = Err(ProviderError::Timeout { provider: "openai", limit_ms: 300 });
    assert_eq!(ask(Turn::Stall).await.1, std::slice::from_ref(&stalled));
    assert_eq!(ask(Turn::StallAfter(vec!["We open"])).await.1, [text("We open"), stalled]);
    let broken = ask(Turn::BreakAfter(vec!["We"])).await.1;
    assert!(matches!(&broken[..], [Ok(LlmDelta::Text(_)), Err(ProviderError::Broken { .. })]), "{broken:?}");
    let garbage = ask(Turn::Garbage).await.1;
    assert!(matches!(&garbage[..], [Err(ProviderError::Broken { .. })]), "{garbage:?}");
    let refused = ask(Turn::Refuse(401)).await.1;
    assert!(matches!(&refused[..], [Err(ProviderError::Refused { status: 401, .. })]), "{refused:?}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unavailable() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    drop(listener);
    let deltas: Vec<_> = model(url).reply(request()).collect().await;
    assert!(
        matches!(&deltas[..], [Err(ProviderError::Unavailable { .. } | ProviderError::Timeout { .. })]),
        "{deltas:?}"
    );
}
