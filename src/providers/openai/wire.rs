//! The shapes of `POST /chat/completions` with `stream: true`, as much of them as we use.

use crate::providers::{LlmMessage, LlmRequest};
use serde::Deserialize;
use serde_json::{Value, json};

/// The request body.
pub(super) fn request(model: &str, request: &LlmRequest) -> Value {
    let mut messages = vec![json!({ "role": "system", "content": request.system })];
    messages.extend(request.messages.iter().map(message));
    let mut body = json!({
        "model": model,
        "messages": messages,
        "stream": true,
        "max_tokens": request.tokens_max,
    });
    if !request.tools.is_empty() {
        let tool = |tool: &crate::providers::LlmTool| {
            json!({ "type": "function", "function": {
                "name": tool.name, "description": tool.description, "parameters": tool.parameters,
            }})
        };
        body["tools"] = request.tools.iter().map(tool).collect();
    }
    body
}

fn message(message: &LlmMessage) -> Value {
    match message {
        LlmMessage::Caller(text) => json!({ "role": "user", "content": text }),
        LlmMessage::Receptionist { text, calls } if calls.is_empty() => json!({ "role": "assistant", "content": text }),
        LlmMessage::Receptionist { text, calls } => {
            let calls: Vec<Value> = calls
                .iter()
                .map(|call| {
                    let function = json!({ "name": call.name, "arguments": call.arguments });
                    json!({ "id": call.id, "type": "function", "function": function })
                })
                .collect();
            json!({ "role": "assistant", "content": text, "tool_calls": calls })
        }
        LlmMessage::Tool { call, result } => json!({ "role": "tool", "tool_call_id": call, "content": result }),
    }
}

/// One server-sent event. Unknown fields are ignored.
#[derive(Debug, Deserialize)]
pub(super) struct Chunk {
    #[serde(default)]
    pub choices: Vec<Choice>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Choice {
    #[serde(default)]
    pub delta: Delta,
    #[serde(default)]
    pub finish_reason: Option<String>,
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct Delta {
    #[serde(default)]
    pub content: Option<String>,
    #[serde(default)]
    pub tool_calls: Option<Vec<CallPiece>>,
}

#[derive(Debug, Deserialize)]
pub(super) struct CallPiece {
    #[serde(default)]
    pub index: Option<u32>,
    #[serde(default)]
    pub id: Option<String>,
    #[serde(default)]
    pub function: Option<FunctionPiece>,
}

#[derive(Debug, Deserialize)]
pub(super) struct FunctionPiece {
    #[serde(default)]
    pub name: Option<String>,
    /// A string in pieces by the standard; some servers send the whole object.
    #[serde(default)]
    pub arguments: Option<Value>,
}

/// A tool call as far as it has come.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct PartialCall {
    pub id: String,
    pub name: String,
    pub arguments: String,
}

impl PartialCall {
    pub fn add(&mut self, piece: CallPiece) {
        if let Some(id) = piece.id.filter(|_| self.id.is_empty()) {
            self.id = id;
        }
        let Some(function) = piece.function else { return };
        if let Some(name) = function.name.filter(|_| self.name.is_empty()) {
            self.name = name;
        }
        match function.arguments {
            Some(Value::String(text)) => self.arguments.push_str(&text),
            Some(Value::Null) | None => {}
            Some(whole) => self.arguments = whole.to_string(),
        }
    }
}
