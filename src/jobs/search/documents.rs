//! From the records that events name to the documents of the index.

use crate::error::Error;
use crate::knowledge;
use crate::search::caller;
use auricle_domain::appointment::Appointment;
use auricle_domain::call::Call;
use auricle_domain::code::{AppointmentStatus, Channel, DocumentState};
use auricle_domain::contact::Contact;
use auricle_domain::conversation::Turn;
use auricle_domain::event::{Envelope, Event};
use auricle_domain::id::{AppointmentId, CallId, ContactId, ConversationId, DocumentId, TaskId};
use auricle_domain::knowledge::Document;
use auricle_domain::task::Task;
use auricle_storage::ReadTx;
use auricle_storage::search::{SearchChange, SearchDocument, SearchKind};
use std::collections::BTreeSet;

/// Records that events name.
#[derive(Debug, Default)]
pub(super) struct Dirty {
    turns: BTreeSet<(ConversationId, u32)>,
    calls: BTreeSet<CallId>,
    /// Calls whose turns show what the call came to.
    outcomes: BTreeSet<CallId>,
    contacts: BTreeSet<ContactId>,
    pub(super) documents: BTreeSet<DocumentId>,
    appointments: BTreeSet<AppointmentId>,
    tasks: BTreeSet<TaskId>,
    /// Words that callers may use have changed.
    pub(super) words: bool,
}

impl Dirty {
    pub(super) fn of(events: &[Envelope]) -> Self {
        let mut dirty = Self::default();
        for envelope in events {
            match &envelope.event {
                Event::TurnCommitted { turn } => {
                    dirty.turns.insert((turn.conversation, turn.index));
                }
                Event::CallArrived { call, .. }
                | Event::CallPlaced { call, .. }
                | Event::CallLanguageSet { call, .. } => {
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

    pub(super) fn changes(&self, tx: &ReadTx) -> Result<Vec<SearchChange>, Error> {
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
        agent: call.agent,
        channel: Some(Channel::Phone),
    }))
}

fn of_turn(tx: &ReadTx, turn: Turn) -> Result<SearchChange, Error> {
    let call = tx.get::<Call>(&turn.call)?;
    let begin = call.as_ref().map(|call| call.answered_at.unwrap_or(call.created_at)).unwrap_or_default();
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
        outcome: call.as_ref().and_then(|call| call.outcome),
        agent: call.and_then(|call| call.agent),
        channel: Some(Channel::Phone),
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
        agent: None,
        channel: None,
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
        agent: None,
        channel: None,
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
        agent: None,
        channel: None,
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
        agent: task.owner,
        channel: None,
    })
}
