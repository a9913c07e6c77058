//! A language model as the brain of an answer: it streams, uses the clinic's tools, and is checked on the way out.

mod tools;

use super::session::Job;
use super::speech;
use super::{Brief, Desk, guard};
use crate::providers::{Llm, LlmDelta, LlmMessage, LlmRequest, LlmToolCall, ProviderError};
use crate::voice::tools::Scope;
use auricle_domain::appointment::{Service, Slot};
use auricle_domain::code::{Lang, Outcome};
use auricle_domain::conversation::{Citation, ToolUse};
use auricle_domain::dialog::{Ledger, Line, Made};
use auricle_domain::id::AppointmentId;
use auricle_domain::phrases::{self, Phrase};
use auricle_media::turn::ReplyId;
use futures_util::StreamExt;
use jiff::Zoned;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

/// Times a model may use tools within one turn.
const STEPS_MAX: usize = 5;
/// Longest answer, in tokens.
const TOKENS_MAX: u32 = 400;
/// Silence of the provider inside a stream, after which it counts as broken; providers have tighter limits of their own.
const STALL_MAX: Duration = Duration::from_secs(8);
/// Longest text of one answer, in bytes: more than a minute of speech is no answer.
const TEXT_MAX: usize = 1_500;

const PROMPT: &str = include_str!("../../../config/prompts/receptionist.md");

/// What a model did, told to the conversation.
#[derive(Debug)]
pub(super) enum Note {
    /// A tool ran.
    Tool { record: ToolUse, citations: Vec<Citation> },
    /// Records were changed.
    Wrote(Change),
    /// The call came to something.
    Outcome(Outcome),
    /// The model ended the call.
    EndCall,
    /// The answer cannot be given, or not to its end.
    Failed,
    /// The answer is complete.
    Done,
}

/// A change of the call's ledger.
#[derive(Debug)]
pub(super) enum Change {
    /// Booked.
    Made { slot: Slot, appointment: AppointmentId, name: String },
    /// A message was left.
    Message,
}

impl Change {
    pub(super) fn apply(self, ledger: &mut Ledger) {
        match self {
            Self::Made { slot, appointment, name } => {
                ledger.name = Some(name).filter(|name| !name.is_empty()).or(ledger.name.take());
                ledger.made.push(Made { service: slot.service, slot, appointment });
            }
            Self::Message => ledger.message = true,
        }
    }
}

/// The instructions, with the clinic's facts filled in.
pub(super) fn system(brief: &Brief, services: &[Service], language: Lang, now: &Zoned) -> String {
    let names: Vec<&str> =
        services.iter().filter(|service| service.active).map(|service| service.name.as_str()).collect();
    let language = match language {
        Lang::En => "English",
        Lang::Es => "Spanish",
        Lang::Cs => "Czech",
    };
    let number = if brief.from.is_empty() { "withheld" } else { brief.from.as_str() };
    PROMPT
        .replace("{clinic}", &brief.tenant.name)
        .replace("{receptionist}", &brief.tenant.receptionist)
        .replace("{language}", language)
        .replace("{now}", &now.strftime("%A, %d %B %Y, %H:%M").to_string())
        .replace("{number}", number)
        .replace("{services}", &names.join(", "))
        .replace("{emergency}", auricle_domain::emergency::number(&brief.tenant.country))
}

/// One answer in the making.
pub(super) struct Task {
    pub(super) llm: Arc<dyn Llm>,
    pub(super) desk: Desk,
    pub(super) scope: Scope,
    pub(super) language: Lang,
    pub(super) reply: ReplyId,
    pub(super) system: String,
    pub(super) messages: Vec<LlmMessage>,
    pub(super) services: Vec<Service>,
    pub(super) ledger: Ledger,
    pub(super) number: String,
    pub(super) emergency: &'static str,
    pub(super) now: Zoned,
    pub(super) jobs: mpsc::Sender<Job>,
}

/// What one request to the model gave.
struct Step {
    text: String,
    calls: Vec<LlmToolCall>,
    /// A sentence was replaced: nothing more of this answer is said.
    stopped: bool,
}

impl Task {
    pub(super) async fn run(mut self) {
        let note = match self.answer().await {
            Ok(()) => Note::Done,
            Err(error) => {
                tracing::warn!(%error, "the model's answer failed; the local receptionist carries on");
                Note::Failed
            }
        };
        self.note(note).await;
    }

    async fn note(&self, note: Note) {
        let _gone = self.jobs.send(Job::Model(self.reply, note)).await;
    }

    async fn answer(&mut self) -> Result<(), ProviderError> {
        let mut said = 0;
        for _ in 0..STEPS_MAX {
            let step = self.step().await?;
            said += step.text.len();
            if step.calls.is_empty() || step.stopped {
                break;
            }
            self.messages.push(LlmMessage::Receptionist { text: step.text, calls: step.calls.clone() });
            let mut ends = false;
            for call in step.calls {
                ends |= call.name == "end_call";
                let result = self.use_tool(&call).await;
                self.messages.push(LlmMessage::Tool { call: call.id, result });
            }
            if ends {
                if said == 0 {
                    self.speak(phrases::say(Phrase::Goodbye, self.language, &[])).await?;
                }
                self.note(Note::EndCall).await;
                return Ok(());
            }
        }
        if said == 0 {
            let reason = "no words after all steps".to_owned();
            return Err(ProviderError::Broken { provider: "model", reason });
        }
        Ok(())
    }

    /// One request: sentences are spoken as soon as they are complete and checked.
    async fn step(&mut self) -> Result<Step, ProviderError> {
        let request = LlmRequest {
            system: self.system.clone(),
            messages: self.messages.clone(),
            tools: tools::all(),
            tokens_max: TOKENS_MAX,
        };
        let mut stream = self.llm.reply(request);
        let mut step = Step { text: String::new(), calls: Vec::new(), stopped: false };
        let mut pending = String::new();
        loop {
            let next = tokio::time::timeout(STALL_MAX, stream.next()).await;
            let limit_ms = STALL_MAX.as_millis() as u64;
            match next.map_err(|_| ProviderError::Timeout { provider: "model", limit_ms })? {
                Some(Ok(LlmDelta::Text(text))) => {
                    pending.push_str(&text);
                    while let Some(end) = sentence_end(&pending) {
                        let sentence: String = pending.drain(..end).collect();
                        self.say(&mut step, sentence.trim()).await?;
                    }
                }
                Some(Ok(LlmDelta::Call(call))) => step.calls.push(call),
                Some(Ok(LlmDelta::Done)) | None => break,
                Some(Err(error)) => return Err(error),
            }
            if step.stopped || step.text.len() > TEXT_MAX {
                break;
            }
        }
        if !step.stopped {
            let rest = std::mem::take(&mut pending);
            self.say(&mut step, rest.trim()).await?;
        }
        Ok(step)
    }

    async fn say(&self, step: &mut Step, sentence: &str) -> Result<(), ProviderError> {
        if sentence.is_empty() || step.stopped {
            return Ok(());
        }
        let mut text = sentence.to_owned();
        if guard::is_medical_advice(sentence, self.language) {
            step.stopped = true;
            text = phrases::say(Phrase::NoMedicalAdvice, self.language, &[("number", self.emergency)]);
            let record = ToolUse { name: "safe_mode".to_owned(), ok: true, result: "replaced".to_owned() };
            self.note(Note::Tool { record, citations: Vec::new() }).await;
        }
        if !step.text.is_empty() {
            step.text.push(' ');
        }
        step.text.push_str(&text);
        self.speak(text).await
    }

    async fn speak(&self, text: String) -> Result<(), ProviderError> {
        let line = Line { text, lasting: false };
        speech::speak_line(&self.desk.tts, self.language, self.reply, &line, &self.jobs).await
    }
}

/// Where the first complete sentence ends, if there is one: behind its mark and a space, so that "10.30" stays whole.
fn sentence_end(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    (1..bytes.len())
        .find(|&at| bytes[at].is_ascii_whitespace() && matches!(bytes[at - 1], b'.' | b'!' | b'?') && at >= 12)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_cut_where_they_end() {
        assert_eq!(sentence_end("We open at 9.30 and"), None);
        assert_eq!(sentence_end("We open at 9.30. Then"), Some(16));
        assert_eq!(sentence_end("Dr. Novak is in"), None);
    }
}
