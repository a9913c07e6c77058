//! The receptionist's tools over the clinic's records.

use crate::appointments;
use crate::clock;
use crate::error::{Error, ErrorCode};
use crate::events::{By, Events};
use crate::knowledge::{ANSWER_SCORE_MIN, Library};
use crate::providers::Vocabulary;
use crate::tasks_owed;
use crate::voice::tools::{Answer, Found, Message, Scope, ToolError, Tools};
use crate::voice::vocabulary;
use auricle_domain::Timestamp;
use auricle_domain::account::Actor;
use auricle_domain::appointment::{Appointment, Service, Slot};
use auricle_domain::call::Call;
use auricle_domain::code::{Lang, TaskKind, TaskState};
use auricle_domain::conversation::Citation;
use auricle_domain::id::{AppointmentId, ServiceId, TaskId};
use auricle_domain::task::Task;
use auricle_storage::{Scan, Store, schema};
use futures_util::FutureExt;
use jiff::SignedDuration;
use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

/// A message is to be answered within a day.
const MESSAGE_DUE: SignedDuration = SignedDuration::from_hours(24);
/// Longest message, in characters; what is beyond is cut, the recording has it.
const MESSAGE_CHARS_MAX: usize = 4_000;
/// Longest name and number as they were understood, in characters; what is beyond is cut.
const NAME_CHARS_MAX: usize = 255;
const NUMBER_CHARS_MAX: usize = 64;
/// Longest question, in characters; what is beyond is cut.
const QUESTION_CHARS_MAX: usize = 1_000;
/// Tasks of one call that are compared with a new message.
const TASKS_OF_CALL: usize = 100;

/// The clinic's records, as a receptionist may use them.
pub struct StoreTools {
    store: Store,
    events: Events,
    library: Library,
    vocabularies: Mutex<HashMap<Lang, Arc<Vocabulary>>>,
}

impl StoreTools {
    /// Over these records.
    pub fn new(store: Store, events: Events, library: Library) -> Self {
        Self { store, events, library, vocabularies: Mutex::default() }
    }

    fn build_vocabulary(&self, generation: u64, language: Lang) -> Result<Vocabulary, Error> {
        let services = self.store.read(appointments::bookable)?;
        let passages = self.library.texts(language)?;
        Ok(vocabulary::build(generation, language, &services, &mut passages.into_iter()))
    }
}

fn by(scope: Scope) -> By {
    By { actor: Actor::Receptionist { call: scope.call }, cause: scope.cause }
}

/// What went wrong, in the receptionist's terms.
fn told(error: Error) -> ToolError {
    match error.code {
        ErrorCode::SlotTaken | ErrorCode::Conflict => ToolError::SlotTaken,
        ErrorCode::NotFound => ToolError::HoldGone,
        _ => ToolError::Unavailable(error.detail),
    }
}

/// Runs a writing tool to its end, even when the conversation that asked for it is over.
async fn finished<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> Result<T, ToolError> {
    match tokio::spawn(work).await {
        Ok(done) => done.map_err(told),
        Err(error) => Err(told(Error::internal("run a tool", &error))),
    }
}

fn cut(text: &str, chars_max: usize) -> String {
    text.trim().chars().take(chars_max).collect()
}

impl Tools for StoreTools {
    fn answer(&self, query: &str, language: Lang, limit: usize) -> Answer<'_, Vec<Found>> {
        let question = cut(query, QUESTION_CHARS_MAX);
        async move {
            metrics::counter!("auricle_knowledge_queries_total").increment(1);
            let found = self.library.find(question, language, limit).await.map_err(told)?;
            let good = found.into_iter().filter(|found| found.score >= ANSWER_SCORE_MIN);
            let shown = good.map(|found| Found {
                citation: Citation { document: found.document, name: found.name, passage: found.passage },
                heading: found.heading,
                text: found.text,
                score: found.score,
            });
            Ok(shown.collect())
        }
        .boxed()
    }

    fn services(&self) -> Answer<'_, Vec<Service>> {
        async move { self.store.read(appointments::bookable).map_err(told) }.boxed()
    }

    fn find_slots(&self, service: ServiceId, from: Timestamp, to: Timestamp, limit: usize) -> Answer<'_, Vec<Slot>> {
        async move {
            let now = self.events.now();
            self.store.read(|tx| appointments::free(tx, service, from, to, now, limit)).map_err(told)
        }
        .boxed()
    }

    fn hold(&self, scope: Scope, slot: Slot) -> Answer<'_, AppointmentId> {
        let events = self.events.clone();
        finished(async move { appointments::hold(&events, by(scope), scope, slot).await }).boxed()
    }

    fn confirm(
        &self,
        scope: Scope,
        appointment: AppointmentId,
        name: String,
        number: String,
    ) -> Answer<'_, Appointment> {
        let events = self.events.clone();
        let (name, number) = (cut(&name, NAME_CHARS_MAX), cut(&number, NUMBER_CHARS_MAX));
        finished(async move { appointments::confirm(&events, by(scope), scope, appointment, name, number).await })
            .boxed()
    }

    fn release(&self, scope: Scope, appointment: AppointmentId) -> Answer<'_, ()> {
        let events = self.events.clone();
        finished(async move { appointments::release(&events, by(scope), scope, appointment).await }).boxed()
    }

    fn take_message(&self, scope: Scope, message: Message) -> Answer<'_, TaskId> {
        let text = cut(&message.text, MESSAGE_CHARS_MAX);
        if text.is_empty() {
            let reason = format!("it is empty; 1 to {MESSAGE_CHARS_MAX} characters are allowed");
            return async move { Err(ToolError::Invalid { field: "text", reason }) }.boxed();
        }
        let (name, number) = (cut(&message.name, NAME_CHARS_MAX), cut(&message.number, NUMBER_CHARS_MAX));
        let events = self.events.clone();
        finished(async move { keep_message(&events, scope, text, name, number).await }).boxed()
    }

    fn vocabulary(&self, language: Lang) -> Answer<'_, Arc<Vocabulary>> {
        async move {
            let generation = self.library.generation();
            let known = self.vocabularies.lock().unwrap_or_else(PoisonError::into_inner).get(&language).cloned();
            if let Some(known) = known.filter(|known| known.generation == generation) {
                return Ok(known);
            }
            let built = Arc::new(self.build_vocabulary(generation, language).map_err(told)?);
            self.vocabularies.lock().unwrap_or_else(PoisonError::into_inner).insert(language, Arc::clone(&built));
            Ok(built)
        }
        .boxed()
    }
}

/// Keeps a message as a task; the same words in the same call once.
async fn keep_message(
    events: &Events,
    scope: Scope,
    text: String,
    name: String,
    number: String,
) -> Result<TaskId, Error> {
    let id = clock::fresh(TaskId::new, events.now());
    let kept = events.commit(clock::op(), by(scope), move |tx| {
        let others = tx.scan(Scan::index(schema::TASKS_BY_CALL).prefix(scope.call).limit(TASKS_OF_CALL))?.items;
        if let Some(same) = others.iter().find(|task| task.kind == TaskKind::Message && task.text == text) {
            return Ok(same.id);
        }
        let contact = tx.get::<Call>(&scope.call)?.and_then(|call| call.contact);
        let task = Task {
            id,
            kind: TaskKind::Message,
            state: TaskState::Open,
            text: text.clone(),
            name: name.clone(),
            number: number.clone(),
            call: Some(scope.call),
            contact,
            owner: None,
            created_at: tx.at(),
            due_at: tx.at() + MESSAGE_DUE,
            version: 0,
        };
        Ok(tasks_owed::put(tx, task)?.id)
    });
    kept.await
}
