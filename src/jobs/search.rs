//! Keeps the search index up to date: a follower of the feed that looks at the records which events name (B-04).
//!
//! The index knows in its own commits how far it has come, so a crash, a slow disk or an index that is damaged or deleted, even under
//! the running service, mean catching up, never
//! a missed record. Events are looked at in batches; a record that several of them name is indexed once, as it is now.

use crate::error::Error;
use crate::knowledge::{self, Library};
use crate::search::caller;
use auricle_domain::appointment::Appointment;
use auricle_domain::call::Call;
use auricle_domain::code::{AppointmentStatus, DocumentState};
use auricle_domain::contact::Contact;
use auricle_domain::conversation::Turn;
use auricle_domain::event::{Envelope, Event};
use auricle_domain::id::{AppointmentId, CallId, ContactId, DocumentId, TaskId};
use auricle_domain::knowledge::Document;
use auricle_domain::task::Task;
use auricle_storage::search::{Search, SearchChange, SearchDocument, SearchKind};
use auricle_storage::{ReadTx, Store, StoreError};
use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Events of one batch.
const BATCH: usize = 500;
/// Shortest time between two commits of the index: each costs tens of milliseconds, and what is said shows up within a second.
const COMMIT_EVERY: Duration = Duration::from_millis(300);
/// Wait after a failure.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Opens the index in its directory. One that is further than the store belongs to another store, and is built again.
///
/// # Errors
/// When another process has it open, or the disk fails.
pub fn open(directory: &Path, store: &Store) -> Result<Search, StoreError> {
    let search = Search::open(directory, &store.search_key())?;
    if search.cursor() <= store.head() {
        return Ok(search);
    }
    tracing::warn!("the search index is ahead of the store and is built again");
    drop(search);
    std::fs::remove_dir_all(directory)
        .map_err(|error| StoreError::Search { attempt: "removing the index", reason: error.to_string() })?;
    Search::open(directory, &store.search_key())
}

/// Follows the feed until it is told to stop.
pub async fn run(store: Store, search: Search, library: Library, stop: CancellationToken) {
    let (mut head, mut damage) = (store.watch(), search.damage());
    loop {
        head.mark_unchanged();
        damage.mark_unchanged();
        let was_damaged = *damage.borrow();
        let pause = match step(&store, &search, &library).await {
            Ok(Step::More) => continue,
            Ok(Step::CaughtUp) => COMMIT_EVERY,
            Err(error) => {
                tracing::error!(%error, "the search index could not take in what has happened");
                // Damage that was just met is healed at once; what could not be healed waits, as the disk may be full.
                if *damage.borrow() && !was_damaged {
                    continue;
                }
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(RETRY_AFTER) => continue,
                }
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(pause) => {}
        }
        tokio::select! {
            () = stop.cancelled() => return,
            changed = head.changed() => if changed.is_err() { return },
            _ = damage.wait_for(|found| *found) => {}
        }
    }
}

/// Builds the index again from the first event on, while nobody else uses the store. `progress` hears the events taken in, and
/// how many there are.
///
/// # Errors
/// When the disk fails.
pub async fn rebuild(
    store: &Store,
    search: &Search,
    library: &Library,
    mut progress: impl FnMut(u64, u64),
) -> Result<(), Error> {
    let emptied = search.clone();
    let reset = tokio::task::spawn_blocking(move || emptied.reset()).await;
    reset.map_err(|error| Error::internal("empty the search index", &error))??;
    loop {
        let step = step(store, search, library).await?;
        progress(search.cursor(), store.head());
        if matches!(step, Step::CaughtUp) {
            return Ok(());
        }
    }
}

enum Step {
    More,
    CaughtUp,
}

/// Takes in the next batch.
async fn step(store: &Store, search: &Search, library: &Library) -> Result<Step, Error> {
    let (store, search, library) = (store.clone(), search.clone(), library.clone());
    let stepped = tokio::task::spawn_blocking(move || {
        if *search.damage().borrow() {
            tracing::warn!("the search index is damaged and is built again");
            search.reset()?;
        }
        let after = search.cursor();
        let events = store.feed(after, BATCH)?;
        let Some(last) = events.last().map(|event| event.seq) else {
            library.indexed(after);
            return Ok(Step::CaughtUp);
        };
        let dirty = Dirty::of(&events);
        let changes = store.read(|tx| dirty.changes(tx))?;
        for document in &dirty.documents {
            library.refresh(*document, last)?;
        }
        if dirty.words {
            library.touch(last);
        }
        search.apply(changes, last)?;
        library.indexed(last);
        Ok(if last < store.head() { Step::More } else { Step::CaughtUp })
    });
    stepped.await.map_err(|error| Error::internal("index what has happened", &error))?
}

/// Records that events name.
#[derive(Debug, Default)]
struct Dirty {
    turns: BTreeSet<(auricle_domain::id::ConversationId, u32)>,
    calls: BTreeSet<CallId>,
    /// Calls whose turns show what the call came to.
    outcomes: BTreeSet<CallId>,
    contacts: BTreeSet<ContactId>,
    documents: BTreeSet<DocumentId>,
    appointments: BTreeSet<AppointmentId>,
    tasks: BTreeSet<TaskId>,
    /// Words that callers may use have changed.
    words: bool,
}

impl Dirty {
    fn of(events: &[Envelope]) -> Self {
        let mut dirty = Self::default();
        for envelope in events {
            match &envelope.event {
                Event::TurnCommitted { turn } => {
                    dirty.turns.insert((turn.conversation, turn.index));
                }
                Event::CallArrived { call, .. } | Event::CallLanguageSet { call, .. } => {
                    dirty.calls.insert(*call);
                }
                Event::CallOutcome { call, .. } | Event::CallEnded { call, .. } => {
                    dirty.calls.insert(*call);
                    dirty.outcomes.insert(*call);
                }
                Event::ContactChanged { contact } => {
                    dirty.contacts.insert(*contact);
                }
                Event::DocumentChanged { document } | Event::DocumentRemoved { document } => {
                    dirty.documents.insert(*document);
                }
                Event::AppointmentChanged { appointment, .. } => {
                    dirty.appointments.insert(*appointment);
                }
                Event::TaskChanged { task, .. } => {
                    dirty.tasks.insert(*task);
                }
                Event::ServiceChanged { .. } | Event::TenantChanged { .. } => dirty.words = true,
                _ => {}
            }
        }
        dirty
    }

    fn changes(&self, tx: &ReadTx) -> Result<Vec<SearchChange>, Error> {
        let mut changes = Vec::new();
        for id in &self.calls {
            changes.extend(tx.get::<Call>(id)?.map(|call| of_call(tx, &call)).transpose()?);
        }
        for key in &self.turns {
            changes.extend(tx.get::<Turn>(key)?.map(|turn| of_turn(tx, turn)).transpose()?);
        }
        for id in &self.outcomes {
            for turn in crate::calls::said_in(tx, *id)? {
                changes.push(of_turn(tx, turn)?);
            }
        }
        for id in &self.contacts {
            changes.extend(tx.get::<Contact>(id)?.map(of_contact));
        }
        for id in &self.documents {
            changes.push(SearchChange::RemoveChildren { kind: SearchKind::Passage, parent: id.to_string() });
            if let Some(document) = tx.get::<Document>(id)?.filter(|document| document.state == DocumentState::Live) {
                let passages = knowledge::passages(tx, *id)?;
                changes.extend(passages.into_iter().map(|passage| of_passage(&document, passage)));
            }
        }
        for id in &self.appointments {
            changes.extend(tx.get::<Appointment>(id)?.map(of_appointment));
        }
        for id in &self.tasks {
            changes.extend(tx.get::<Task>(id)?.map(of_task));
        }
        Ok(changes)
    }
}

fn put(document: SearchDocument) -> SearchChange {
    SearchChange::Put(Box::new(document))
}

fn of_call(tx: &ReadTx, call: &Call) -> Result<SearchChange, Error> {
    Ok(put(SearchDocument {
        kind: SearchKind::Call,
        id: call.id.to_string(),
        parent: None,
        call: Some(call.id),
        at: call.created_at,
        start_ms: None,
        title: caller(tx, call)?,
        text: format!("{} {}", call.from_number, call.to_number),
        language: Some(call.language),
        outcome: call.outcome,
    }))
}

fn of_turn(tx: &ReadTx, turn: Turn) -> Result<SearchChange, Error> {
    let call = tx.get::<Call>(&turn.call)?;
    let (begin, outcome) = call.map_or((None, None), |call| (call.answered_at.or(Some(call.created_at)), call.outcome));
    let begin = begin.unwrap_or_default();
    let offset = std::time::Duration::from_millis(turn.start_ms);
    Ok(put(SearchDocument {
        kind: SearchKind::Turn,
        id: format!("{}:{}", turn.conversation, turn.index),
        parent: Some(turn.call.to_string()),
        call: Some(turn.call),
        at: begin.checked_add(offset).unwrap_or(begin),
        start_ms: Some(turn.start_ms),
        title: String::new(),
        text: turn.text,
        language: Some(turn.language),
        outcome,
    }))
}

fn of_contact(contact: Contact) -> SearchChange {
    put(SearchDocument {
        kind: SearchKind::Contact,
        id: contact.id.to_string(),
        parent: None,
        call: None,
        at: contact.created_at,
        start_ms: None,
        title: contact.name,
        text: [contact.numbers.join(" "), contact.emails.join(" "), contact.notes].join("\n"),
        language: contact.language,
        outcome: None,
    })
}

fn of_passage(document: &Document, passage: auricle_domain::knowledge::Passage) -> SearchChange {
    put(SearchDocument {
        kind: SearchKind::Passage,
        id: passage.id.to_string(),
        parent: Some(document.id.to_string()),
        call: None,
        at: document.updated_at,
        start_ms: None,
        title: passage.heading,
        text: passage.text,
        language: Some(passage.language),
        outcome: None,
    })
}

/// A held slot is nobody's appointment yet.
fn of_appointment(appointment: Appointment) -> SearchChange {
    let id = appointment.id.to_string();
    if appointment.status == AppointmentStatus::Proposed || appointment.patient_name.is_empty() {
        return SearchChange::Remove { kind: SearchKind::Appointment, id };
    }
    put(SearchDocument {
        kind: SearchKind::Appointment,
        id,
        parent: None,
        call: appointment.call,
        at: appointment.start,
        start_ms: None,
        title: appointment.patient_name,
        text: [appointment.service_name, appointment.resource, appointment.patient_number].join("\n"),
        language: None,
        outcome: None,
    })
}

fn of_task(task: Task) -> SearchChange {
    put(SearchDocument {
        kind: SearchKind::Task,
        id: task.id.to_string(),
        parent: task.call.map(|call| call.to_string()),
        call: task.call,
        at: task.created_at,
        start_ms: None,
        title: task.name,
        text: [task.text, task.number].join("\n"),
        language: None,
        outcome: None,
    })
}
