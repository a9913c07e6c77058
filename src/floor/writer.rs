//! The writer of one call: its facts, one after the other, until each is certain.

use crate::clock;
use crate::error::{Error, ErrorCode};
use crate::events::{By, Events};
use auricle_domain::Timestamp;
use auricle_domain::account::Actor;
use auricle_domain::call::Call;
use auricle_domain::code::CallDirection;
use auricle_domain::conversation::Conversation;
use auricle_domain::event::Event;
use auricle_domain::floor::Fact;
use auricle_domain::id::{CallId, CauseId};
use auricle_storage::OpId;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;

/// Facts of one call that wait for the disk. When it is full the floor waits: new calls are refused by the engine before long, and
/// nothing is lost.
pub(super) const FACTS_MAX: usize = 1_024;
/// A store with too much to do is asked again after this long, with the same op.
const BUSY_WAIT: Duration = Duration::from_millis(50);
/// How often it is asked again: a minute altogether.
const BUSY_TRIES_MAX: u32 = 1_200;

/// Something to write down about a call.
#[derive(Debug)]
pub(super) enum Entry {
    /// It has arrived, or was placed; by whom.
    Open(Actor, Box<Call>, Box<Conversation>),
    /// Something happened in it.
    Fact(Actor, Timestamp, Box<Fact>),
}

/// Starts a writer; it ends when its sender is dropped and all is written.
pub(super) async fn write(
    events: Events,
    call: CallId,
    cause: CauseId,
    mut entries: mpsc::Receiver<Entry>,
    changes: Arc<AtomicU64>,
) {
    while let Some(entry) = entries.recv().await {
        if let Err(error) = written(&events, call, cause, entry).await {
            tracing::error!(%cause, %call, %error, "a fact of a call could not be written");
        }
        changes.fetch_add(1, Ordering::AcqRel);
    }
}

async fn written(events: &Events, call: CallId, cause: CauseId, entry: Entry) -> Result<(), Error> {
    let op = clock::op();
    let entry = Arc::new(entry);
    for _ in 0..BUSY_TRIES_MAX {
        let outcome = commit(events, op, call, cause, Arc::clone(&entry)).await;
        match outcome {
            Err(error) if error.code == ErrorCode::Unavailable => tokio::time::sleep(BUSY_WAIT).await,
            settled => return settled,
        }
    }
    Err(Error::new(ErrorCode::Unavailable, "The store did not take it for a minute"))
}

async fn commit(events: &Events, op: OpId, call: CallId, cause: CauseId, entry: Arc<Entry>) -> Result<(), Error> {
    match &*entry {
        Entry::Open(actor, opened, _) => {
            let by = By { actor: *actor, cause };
            let at = opened.created_at;
            events.commit_of_call(at, op, by, move |tx| {
                let Entry::Open(_, call, conversation) = &*entry else { return Ok(()) };
                tx.put(&**call)?;
                tx.put(&**conversation)?;
                tx.event(opening(call, conversation));
                Ok(())
            })
        }
        Entry::Fact(actor, at, _) => {
            let by = By { actor: *actor, cause };
            events.commit_of_call(*at, op, by, move |tx| {
                let Entry::Fact(_, at, fact) = &*entry else { return Ok(()) };
                apply(tx, call, fact, *at)
            })
        }
    }
    .await
}

/// How the log tells of a new call.
fn opening(call: &Call, conversation: &Conversation) -> Event {
    let (id, conversation, direction) = (call.id, conversation.id, call.direction);
    let (from_number, to_number) = (call.from_number.clone(), call.to_number.clone());
    match direction {
        CallDirection::Incoming => Event::CallArrived { call: id, conversation, from_number, to_number },
        CallDirection::Outgoing | CallDirection::Internal => {
            Event::CallPlaced { call: id, conversation, direction, from_number, to_number }
        }
    }
}

/// Applies one fact to the records of a call within a transaction.
pub(super) fn apply(tx: &mut crate::events::Writing<'_>, id: CallId, fact: &Fact, at: Timestamp) -> Result<(), Error> {
    let mut call = tx.get::<Call>(&id)?.ok_or_else(|| Error::not_found("call"))?;
    let mut conversation =
        tx.get::<Conversation>(&call.conversation)?.ok_or_else(|| Error::not_found("conversation"))?;
    let applied = fact.apply(&mut call, &mut conversation, at);
    tx.put(&call)?;
    tx.put(&conversation)?;
    if let Some(turn) = &applied.turn {
        tx.put(turn)?;
    }
    if let Some(task) = &applied.task {
        tx.put(task)?;
    }
    applied.events.into_iter().for_each(|event| tx.event(event));
    Ok(())
}
