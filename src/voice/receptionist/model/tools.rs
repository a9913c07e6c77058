//! The tools in a model's words, and their execution. Arguments are validated, identities are resolved here: a model
//! names a service and a time, it never makes up an id.

use super::{Change, Note, Task};
use crate::providers::{LlmTool, LlmToolCall};
use crate::voice::receptionist::session::Job;
use crate::voice::tools::{Message, ToolError};
use auricle_domain::Timestamp;
use auricle_domain::appointment::{Service, Slot};
use auricle_domain::code::Outcome;
use auricle_domain::conversation::{Citation, ToolUse};
use auricle_domain::dialog::PASSAGES;
use auricle_domain::{intent, phrases};
use jiff::ToSpan;
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Slots shown to a model.
const SLOTS: usize = 8;
/// Longest arguments, in bytes.
const ARGUMENTS_MAX: usize = 8_000;

/// All tools, as JSON schemas.
pub(super) fn all() -> Vec<LlmTool> {
    let text = |description: &str| json!({ "type": "string", "description": description });
    let object = |properties: Value, required: Value| json!({ "type": "object", "properties": properties, "required": required, "additionalProperties": false });
    vec![
        LlmTool {
            name: "answer_from_knowledge",
            description: "Look up the clinic's own documents. Use it for every factual question about the clinic.",
            parameters: object(
                json!({ "question": text("The caller's question in their words") }),
                json!(["question"]),
            ),
        },
        LlmTool {
            name: "find_slots",
            description: "Find free appointment times of a service, earliest first.",
            parameters: object(
                json!({
                    "service": text("Name of the service"),
                    "from_date": text("First day, YYYY-MM-DD"),
                    "to_date": text("Last day, YYYY-MM-DD"),
                }),
                json!(["service", "from_date", "to_date"]),
            ),
        },
        LlmTool {
            name: "book",
            description: "Book a free time. Only after the caller said yes to service, day and time.",
            parameters: object(
                json!({
                    "service": text("Name of the service"),
                    "start": text("The start exactly as find_slots gave it"),
                    "name": text("The caller's full name"),
                    "number": text("Number to ring back; empty for the number they call from"),
                    "another": { "type": "boolean", "description": "The caller wants one more appointment of a service already booked in this call" },
                }),
                json!(["service", "start", "name"]),
            ),
        },
        LlmTool {
            name: "take_message",
            description: "Leave a message for the clinic's team, who will ring the caller back.",
            parameters: object(
                json!({ "text": text("The message in the caller's words"), "name": text("The caller's name"), "number": text("Number to ring back; empty for the number they call from") }),
                json!(["text"]),
            ),
        },
        LlmTool {
            name: "end_call",
            description: "Hang up, after goodbye has been said.",
            parameters: object(json!({}), json!([])),
        },
    ]
}

#[derive(Deserialize)]
struct Question {
    question: String,
}

#[derive(Deserialize)]
struct Find {
    service: String,
    from_date: Date,
    to_date: Date,
}

#[derive(Deserialize)]
struct Book {
    service: String,
    start: Timestamp,
    #[serde(default)]
    name: String,
    #[serde(default)]
    number: String,
    #[serde(default)]
    another: bool,
}

#[derive(Deserialize)]
struct Leave {
    text: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    number: String,
}

/// A tool's answer to the model, and what goes on record.
struct Answered {
    ok: bool,
    code: &'static str,
    body: Value,
    citations: Vec<Citation>,
}

impl Answered {
    fn done(code: &'static str, body: Value) -> Self {
        Self { ok: true, code, body, citations: Vec::new() }
    }

    fn failed(code: &'static str, advice: &str) -> Self {
        Self { ok: false, code, body: json!({ "error": code, "advice": advice }), citations: Vec::new() }
    }
}

fn parse<T: for<'de> Deserialize<'de>>(call: &LlmToolCall) -> Result<T, Answered> {
    if call.arguments.len() > ARGUMENTS_MAX {
        return Err(Answered::failed("invalid_arguments", "the arguments are too long"));
    }
    serde_json::from_str(&call.arguments).map_err(|error| Answered::failed("invalid_arguments", &error.to_string()))
}

impl From<ToolError> for Answered {
    fn from(error: ToolError) -> Self {
        match error {
            ToolError::SlotTaken => Self::failed("slot_taken", "somebody else has it; offer another time"),
            ToolError::HoldGone => Self::failed("hold_gone", "find free times again"),
            ToolError::Invalid { field, reason } => Self::failed("invalid_arguments", &format!("{field}: {reason}")),
            ToolError::Unavailable(_) => {
                Self::failed("unavailable", "the records cannot be reached; offer to take a message")
            }
        }
    }
}

impl Task {
    /// Runs a tool and tells the model, as JSON text, what came of it.
    pub(super) async fn use_tool(&mut self, call: &LlmToolCall) -> String {
        let (name, answered) = match call.name.as_str() {
            "answer_from_knowledge" => ("answer_from_knowledge", self.knowledge(call).await),
            "find_slots" => ("find_slots", self.find(call).await),
            "book" => ("book", self.book(call).await),
            "take_message" => ("take_message", self.leave(call).await),
            "end_call" => ("end_call", Ok(Answered::done("ended", json!({ "ok": true })))),
            _ => ("unknown", Err(Answered::failed("unknown_tool", "use one of the tools given"))),
        };
        let answered = answered.unwrap_or_else(|failed| failed);
        let record = ToolUse { name: name.to_owned(), ok: answered.ok, result: answered.code.to_owned() };
        self.note(Note::Tool { record, citations: answered.citations }).await;
        answered.body.to_string()
    }

    async fn knowledge(&self, call: &LlmToolCall) -> Result<Answered, Answered> {
        let Question { question } = parse(call)?;
        let found = self.desk.tools.answer(&question, self.language, PASSAGES).await?;
        if found.is_empty() {
            return Ok(Answered::done("nothing_found", json!({ "passages": [] })));
        }
        let passages: Vec<Value> =
            found.iter().map(|found| json!({ "heading": found.heading, "text": found.text })).collect();
        let citations = found.into_iter().take(1).map(|found| found.citation).collect();
        self.note(Note::Outcome(Outcome::AnsweredQuestion)).await;
        Ok(Answered { ok: true, code: "found", body: json!({ "passages": passages }), citations })
    }

    fn service(&self, name: &str) -> Result<Service, Answered> {
        let found = intent::service(name, &self.services);
        found
            .cloned()
            .ok_or_else(|| Answered::failed("unknown_service", "use one of the services named in your instructions"))
    }

    async fn find(&self, call: &LlmToolCall) -> Result<Answered, Answered> {
        let Find { service, from_date, to_date } = parse(call)?;
        let service = self.service(&service)?;
        let zone = self.now.time_zone();
        let invalid = |_| Answered::failed("invalid_arguments", "the days are out of range");
        let from = from_date.to_zoned(zone.clone()).map_err(invalid)?.timestamp().max(self.now.timestamp());
        let last = to_date.max(from_date).checked_add(1.day()).map_err(invalid)?;
        let to = last.to_zoned(zone.clone()).map_err(invalid)?.timestamp();
        let slots = self.desk.tools.find_slots(service.id, from, to, SLOTS).await?;
        let code = if slots.is_empty() { "no_slots" } else { "slots_found" };
        let spoken = |slot: &Slot| phrases::spoken_when(slot.start, zone, self.language);
        let slots: Vec<Value> =
            slots.iter().map(|slot| json!({ "start": slot.start, "spoken": spoken(slot) })).collect();
        Ok(Answered::done(code, json!({ "service": service.name, "slots": slots })))
    }

    async fn book(&mut self, call: &LlmToolCall) -> Result<Answered, Answered> {
        let Book { service, start, name, number, another } = parse(call)?;
        let service = self.service(&service)?;
        let made =
            self.ledger.made.iter().find(|made| made.service == service.id && (!another || made.slot.start == start));
        if let Some(made) = made {
            let spoken = phrases::spoken_when(made.slot.start, self.now.time_zone(), self.language);
            return Ok(Answered::done("already_booked", json!({ "already_booked": spoken })));
        }
        let until = start.checked_add(1.minute()).unwrap_or(start);
        let free = self.desk.tools.find_slots(service.id, start, until, 1).await?;
        let Some(slot) = free.into_iter().find(|slot| slot.start == start) else {
            return Err(ToolError::SlotTaken.into());
        };
        let number = if number.is_empty() { self.number.clone() } else { number };
        let (tools, scope, jobs, reply) = (Arc::clone(&self.desk.tools), self.scope, self.jobs.clone(), self.reply);
        let (taken, patient) = (slot.clone(), name.clone());
        // Spawned, so that an interruption of the answer cannot leave a booking half done or unknown.
        let booking = tokio::spawn(async move {
            let appointment = tools.hold(scope, taken.clone()).await?;
            tools.confirm(scope, appointment, patient.clone(), number).await?;
            let change = Change::Made { slot: taken, appointment, name: patient };
            let _gone = jobs.send(Job::Model(reply, Note::Wrote(change))).await;
            let _gone = jobs.send(Job::Model(reply, Note::Outcome(Outcome::Booked))).await;
            Ok::<_, ToolError>(appointment)
        });
        let appointment = booking.await.map_err(|_| ToolError::Unavailable("the booking was cut off".to_owned()))??;
        let spoken = phrases::spoken_when(slot.start, self.now.time_zone(), self.language);
        Change::Made { slot, appointment, name }.apply(&mut self.ledger);
        Ok(Answered::done("booked", json!({ "booked": service.name, "when": spoken })))
    }

    async fn leave(&mut self, call: &LlmToolCall) -> Result<Answered, Answered> {
        let Leave { text, name, number } = parse(call)?;
        let number = if number.is_empty() { self.number.clone() } else { number };
        let message = Message { text, name, number };
        let (tools, scope, jobs, reply) = (Arc::clone(&self.desk.tools), self.scope, self.jobs.clone(), self.reply);
        let taking = tokio::spawn(async move {
            tools.take_message(scope, message).await?;
            let _gone = jobs.send(Job::Model(reply, Note::Wrote(Change::Message))).await;
            let _gone = jobs.send(Job::Model(reply, Note::Outcome(Outcome::MessageTaken))).await;
            Ok::<_, ToolError>(())
        });
        taking.await.map_err(|_| ToolError::Unavailable("the message was cut off".to_owned()))??;
        Ok(Answered::done("message_taken", json!({ "ok": true })))
    }
}
