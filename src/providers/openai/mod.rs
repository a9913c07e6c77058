//! Any OpenAI-compatible server as a language model: OpenAI itself, llama.cpp, vLLM, Ollama and the like.
//!
//! The transport is async-openai's; the shapes are our own and tolerant, because compatible servers differ: usage and
//! roles may be missing, tool-call ids may be missing, arguments may come whole, in pieces, or as an object, and
//! `finish_reason` may say `stop` after tool calls.

mod wire;

use super::{Llm, LlmDelta, LlmRequest, LlmToolCall, ProviderError};
use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::error::OpenAIError;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;
use wire::{Chunk, PartialCall};

const NAME: &str = "openai";
/// Pieces that wait for a slow reader.
const DELTAS_MAX: usize = 64;
/// Longest answer that is read, in bytes: a runaway model is cut off.
const TEXT_BYTES_MAX: usize = 16 * 1024;
/// Tool calls in one answer.
const CALLS_MAX: u32 = 8;
/// Arguments of one tool call, in bytes.
const ARGUMENTS_BYTES_MAX: usize = 16 * 1024;
/// Cut of a server's own words in an error.
const REASON_CHARS_MAX: usize = 200;

/// How to reach the server.
#[derive(Clone)]
pub struct OpenAiOptions {
    /// Such as `http://127.0.0.1:11434/v1`.
    pub base_url: String,
    /// The model's name there.
    pub model: String,
    /// Bearer key; empty for servers that need none.
    pub api_key: String,
    /// Longest wait for the first piece of an answer.
    pub first_token_ms_max: u64,
    /// Longest silence between two pieces.
    pub stall_ms_max: u64,
}

/// An OpenAI-compatible language model.
pub struct OpenAi {
    client: Client<OpenAIConfig>,
    options: OpenAiOptions,
}

impl std::fmt::Debug for OpenAi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OpenAi({})", self.options.model)
    }
}

impl OpenAi {
    /// Prepares the client; nothing is sent before the first [`Llm::reply`].
    pub fn new(options: OpenAiOptions) -> Self {
        let config = OpenAIConfig::new().with_api_base(&options.base_url).with_api_key(&options.api_key);
        Self { client: Client::with_config(config), options }
    }
}

impl Llm for OpenAi {
    fn name(&self) -> &str {
        &self.options.model
    }

    fn reply(&self, request: LlmRequest) -> BoxStream<'static, Result<LlmDelta, ProviderError>> {
        let (out, deltas) = mpsc::channel(DELTAS_MAX);
        let body = wire::request(&self.options.model, &request);
        let answer = Answer { client: self.client.clone(), options: self.options.clone(), out };
        tokio::spawn(answer.run(body));
        stream::unfold(deltas, |mut deltas| async move { Some((deltas.recv().await?, deltas)) }).boxed()
    }
}

/// One answer being fetched. Ends as soon as nobody reads it.
struct Answer {
    client: Client<OpenAIConfig>,
    options: OpenAiOptions,
    out: mpsc::Sender<Result<LlmDelta, ProviderError>>,
}

impl Answer {
    async fn run(self, body: serde_json::Value) {
        let out = self.out.clone();
        let fetched = tokio::select! {
            () = out.closed() => return,
            fetched = self.fetch(body) => fetched,
        };
        if let Err(error) = fetched {
            // The reader may have gone at this very moment; then nobody needs to know.
            let _ = out.send(Err(error)).await;
        }
    }

    async fn fetch(&self, body: serde_json::Value) -> Result<(), ProviderError> {
        let first = self.options.first_token_ms_max;
        let late = |limit_ms| ProviderError::Timeout { provider: NAME, limit_ms };
        let begin = async {
            let chat = self.client.chat();
            let mut chunks = chat.create_stream_byot::<_, Chunk>(body).await.map_err(explain)?;
            let chunk = chunks.next().await;
            Ok::<_, ProviderError>((chunks, chunk))
        };
        let (mut chunks, mut next) = timeout(Duration::from_millis(first), begin).await.map_err(|_| late(first))??;
        let stall = self.options.stall_ms_max;
        let mut assembly = Assembly::default();
        while let Some(chunk) = next {
            if let Some(text) = assembly.add(chunk.map_err(explain)?)? {
                // A reader that has gone ends the whole answer through `closed` above.
                let _ = self.out.send(Ok(LlmDelta::Text(text))).await;
            }
            next = timeout(Duration::from_millis(stall), chunks.next()).await.map_err(|_| late(stall))?;
        }
        for delta in assembly.finish()? {
            let _ = self.out.send(Ok(delta)).await;
        }
        Ok(())
    }
}

/// An answer as far as it has come.
#[derive(Default)]
struct Assembly {
    text_bytes: usize,
    calls: BTreeMap<u32, PartialCall>,
    finished: bool,
}

impl Assembly {
    /// Takes a chunk; gives back new text.
    fn add(&mut self, chunk: Chunk) -> Result<Option<String>, ProviderError> {
        let Some(choice) = chunk.choices.into_iter().next() else { return Ok(None) };
        self.finished |= choice.finish_reason.is_some();
        for (position, piece) in choice.delta.tool_calls.unwrap_or_default().into_iter().enumerate() {
            let index = piece.index.unwrap_or(u32::try_from(position).unwrap_or(CALLS_MAX));
            if index >= CALLS_MAX {
                return Err(broken(format!("more than {CALLS_MAX} tool calls in one answer")));
            }
            let call = self.calls.entry(index).or_default();
            call.add(piece);
            if call.arguments.len() > ARGUMENTS_BYTES_MAX {
                return Err(broken(format!("arguments of a tool call exceed {ARGUMENTS_BYTES_MAX} bytes")));
            }
        }
        let text = choice.delta.content.filter(|text| !text.is_empty());
        self.text_bytes += text.as_ref().map_or(0, String::len);
        if self.text_bytes > TEXT_BYTES_MAX {
            return Err(broken(format!("the answer exceeds {TEXT_BYTES_MAX} bytes")));
        }
        Ok(text)
    }

    /// The tool calls and the end; an error when the server closed the stream in the middle of an answer.
    fn finish(self) -> Result<Vec<LlmDelta>, ProviderError> {
        if !self.finished {
            return Err(broken("the stream ended in the middle of an answer".to_owned()));
        }
        let mut deltas = Vec::new();
        for (index, call) in self.calls {
            if call.name.is_empty() {
                return Err(broken("a tool call has no name".to_owned()));
            }
            let id = if call.id.is_empty() { format!("call_{index}") } else { call.id };
            let arguments = if call.arguments.trim().is_empty() { "{}".to_owned() } else { call.arguments };
            deltas.push(LlmDelta::Call(LlmToolCall { id, name: call.name, arguments }));
        }
        deltas.push(LlmDelta::Done);
        Ok(deltas)
    }
}

fn broken(reason: String) -> ProviderError {
    ProviderError::Broken { provider: NAME, reason }
}

/// The transport's errors in our words. The request's text never stands in them: it holds what the caller said.
fn explain(error: OpenAIError) -> ProviderError {
    match error {
        OpenAIError::ApiError(response) => {
            let reason = response.api_error.message.chars().take(REASON_CHARS_MAX).collect();
            ProviderError::Refused { provider: NAME, status: response.status_code.as_u16(), reason }
        }
        OpenAIError::Reqwest(error) if error.is_connect() => {
            let reason = "no connection to the server".to_owned();
            ProviderError::Unavailable { provider: NAME, reason }
        }
        OpenAIError::Reqwest(error) => match error.status() {
            Some(status) => {
                let reason = status.canonical_reason().unwrap_or("refused").to_owned();
                ProviderError::Refused { provider: NAME, status: status.as_u16(), reason }
            }
            None => broken("the connection failed in the middle of an answer".to_owned()),
        },
        OpenAIError::JSONDeserialize(error, _) => broken(format!("an answer that is not as documented: {error}")),
        OpenAIError::StreamError(_) => broken("the stream broke off".to_owned()),
        OpenAIError::InvalidArgument(reason) => ProviderError::Unavailable { provider: NAME, reason },
        _ => broken("the client library failed".to_owned()),
    }
}
