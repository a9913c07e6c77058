//! After a crash: calls that were on are closed, with what is left of them.

use crate::clock::{self, Clock};
use crate::error::Error;
use crate::events::{By, Events};
use crate::floor::writer;
use crate::recordings;
use auricle_domain::Timestamp;
use auricle_domain::account::Actor;
use auricle_domain::call::Call;
use auricle_domain::code::{CallDirection, EndCause, RecordingState};
use auricle_domain::floor::Fact;
use auricle_domain::id::{CauseId, TaskId};
use auricle_storage::schema::CALLS_OPEN;
use auricle_storage::{Scan, Store};
use jiff::SignedDuration;

/// Calls looked at in one read.
const PAGE: usize = 500;

/// Closes every call that a former run of the program left open: cause `lost`, the recording as long as its file, a task to ring
/// back. Says how many there were. To be done before the first call is taken.
///
/// # Errors
/// When the store or the disk fails.
pub async fn close_lost_calls(store: &Store, events: &Events, now: Clock) -> Result<usize, Error> {
    let mut closed = 0;
    loop {
        let open = store.read(|tx| Ok::<_, Error>(tx.scan(Scan::index(CALLS_OPEN).limit(PAGE))?.items))?;
        if open.is_empty() {
            return Ok(closed);
        }
        for call in open {
            close(store, events, now(), call).await?;
            closed += 1;
        }
    }
}

async fn close(store: &Store, events: &Events, now: Timestamp, call: Call) -> Result<(), Error> {
    let recording = match call.recording.state {
        RecordingState::Recording => Some(recordings::recovered(store.blobs(), &call)?),
        RecordingState::Off | RecordingState::Refused | RecordingState::Stopped => None,
    };
    let ended_at = ended_at(&call, recording.as_ref().map_or(0, |it| it.offset_ms + it.length_ms));
    // A call that we placed is nobody's to return.
    let is_theirs = call.direction == CallDirection::Incoming;
    let (id, missed) = (call.id, is_theirs.then(|| clock::fresh(TaskId::new, now)));
    let by = By { actor: Actor::System, cause: clock::fresh(CauseId::new, now) };
    tracing::warn!(cause = %by.cause, call = %id, "a call was on when the service stopped; it is closed as lost");
    events
        .commit_at(now, clock::op(), by, move |tx| {
            if let Some(recording) = &recording {
                writer::apply(tx, id, &Fact::Recording(recording.clone()), now)?;
            }
            let fact = Fact::Ended { cause: EndCause::Lost, quality: call.quality.clone(), missed };
            writer::apply(tx, id, &fact, now)?;
            if let Some(mut call) = tx.get::<Call>(&id)? {
                call.ended_at = Some(ended_at);
                tx.put(&call)?;
            }
            Ok(())
        })
        .await
}

/// The last moment that is known of a call: the end of its recording, or its answer, or its arrival.
fn ended_at(call: &Call, recorded_ms: u64) -> Timestamp {
    let began = call.answered_at.unwrap_or(call.created_at);
    let recorded = SignedDuration::from_millis(i64::try_from(recorded_ms).unwrap_or(0));
    began.saturating_add(recorded).unwrap_or(began)
}
