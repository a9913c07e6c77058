//! Why somebody opens a recording or a transcript of a past call, where the clinic wants to know (SEC-20, B-17).
//!
//! A reason stands for its call and its session until nothing of the call was read for a while, so that one answer is enough for the
//! transcript, for the recording and for every stretch of it that a player asks for. What is kept of it is in the audit chain, with
//! every reading; here it lies in memory alone.

use crate::app::App;
use crate::auth::May;
use crate::auth::permissions::ReadCalls;
use crate::clinic;
use crate::error::{Error, ErrorCode};
use crate::events::Reading;
use auricle_domain::Timestamp;
use auricle_domain::call::Call;
use auricle_domain::code::{AccessReasons, CallStatus};
use auricle_domain::event::{Envelope, Event};
use auricle_domain::id::{AccountId, CallId, SessionId};
use auricle_storage::{ReadTx, Store};
use jiff::SignedDuration;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

/// How long a reason stands after the last reading that it was for.
const STANDS: SignedDuration = SignedDuration::from_mins(15);
/// Reasons that are remembered; when there are more, the one that was used longest ago is asked for again.
const REMEMBERED_MAX: usize = 10_000;

/// What is opened of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What was said, in words.
    Transcript,
    /// What was said, to be heard.
    Recording,
}

/// Reasons that were given and still stand.
#[derive(Debug, Default)]
pub struct Reasons(Mutex<HashMap<(SessionId, CallId), Given>>);

#[derive(Clone, Debug)]
struct Given {
    reason: String,
    used_at: Timestamp,
}

impl Reasons {
    /// The reason that stands for a call, after taking in a new one where there is one.
    fn standing(&self, key: (SessionId, CallId), new: Option<&str>, now: Timestamp) -> Option<String> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, given| now.duration_since(given.used_at) < STANDS);
        if let Some(reason) = new {
            if all.len() >= REMEMBERED_MAX
                && let Some(oldest) = all.iter().min_by_key(|(_, given)| given.used_at).map(|(key, _)| *key)
            {
                all.remove(&oldest);
            }
            all.insert(key, Given { reason: reason.to_owned(), used_at: now });
        }
        let given = all.get_mut(&key)?;
        given.used_at = now;
        Some(given.reason.clone())
    }
}

/// In whose name a part of a call is read, and why.
///
/// # Errors
/// `reason_required` when the clinic wants to know why, and they have not said so.
pub fn reading(app: &App, may: &May<ReadCalls>, call: &Call, part: Part) -> Result<Reading, Error> {
    let asks = app.store.read(asked)?;
    if !is_asked(asks, part) || is_own(call, may.who().account) {
        return Ok(may.reading());
    }
    match app.reasons.standing((may.who().session, call.id), may.reason(), (app.clock)()) {
        Some(reason) => Ok(Reading { by: may.by(), reason: Some(reason) }),
        None => Err(Error::new(
            ErrorCode::ReasonRequired,
            "This clinic asks why a past call is opened: send the header Access-Reason. It is kept with your name",
        )),
    }
}

/// Whether words of a call may stand in a list, where nobody says why they read it.
pub fn shows_words(asks: AccessReasons, call: &Call, reader: AccountId) -> bool {
    !is_asked(asks, Part::Transcript) || is_own(call, reader)
}

/// Numbers of those events that say what was said in a past call, where the clinic asks why that is read.
///
/// # Errors
/// When the store cannot be read.
pub fn hidden(store: &Store, events: &[Envelope], reader: AccountId) -> Result<BTreeSet<u64>, Error> {
    store.read(|tx| {
        let (asks, mut hidden) = (asked(tx)?, BTreeSet::new());
        for envelope in events.iter().filter(|_| is_asked(asks, Part::Transcript)) {
            if let Event::TurnCommitted { turn } = &envelope.event
                && tx.get::<Call>(&turn.call)?.is_none_or(|call| !is_own(&call, reader))
            {
                hidden.insert(envelope.seq);
            }
        }
        Ok(hidden)
    })
}

/// Of which past calls the clinic asks why they are opened.
///
/// # Errors
/// When the store cannot be read.
pub fn asked(tx: &ReadTx) -> Result<AccessReasons, Error> {
    Ok(clinic::known(tx)?.access_reasons)
}

fn is_asked(asks: AccessReasons, part: Part) -> bool {
    match asks {
        AccessReasons::Off => false,
        AccessReasons::Recordings => part == Part::Recording,
        AccessReasons::All => true,
    }
}

/// A call that is on may need somebody at once, and whoever handled one knows what was said.
fn is_own(call: &Call, reader: AccountId) -> bool {
    call.status != CallStatus::Ended || call.agent == Some(reader)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn key(n: u8) -> (SessionId, CallId) {
        (SessionId::new(Timestamp::UNIX_EPOCH, [1; 10]), CallId::new(Timestamp::UNIX_EPOCH, [n; 10]))
    }

    /// SEC-20
    #[test]
    fn a_reason_stands_while_its_call_is_read_and_for_no_other() {
        let reasons = Reasons::default();
        let minute = |n: i64| Timestamp::from_second(1_800_000_000 + n * 60).unwrap();
        assert_eq!(reasons.standing(key(1), None, minute(0)), None);
        assert_eq!(reasons.standing(key(1), Some("complaint"), minute(0)).unwrap(), "complaint");
        assert_eq!(reasons.standing(key(2), None, minute(1)), None);
        assert_eq!(reasons.standing(key(1), None, minute(14)).unwrap(), "complaint");
        assert_eq!(reasons.standing(key(1), None, minute(28)).unwrap(), "complaint", "it was read in between");
        assert_eq!(reasons.standing(key(1), Some("training"), minute(29)).unwrap(), "training");
        assert_eq!(reasons.standing(key(1), None, minute(44)), None);
    }

    /// SEC-20
    #[test]
    fn the_oldest_reason_goes_when_there_are_too_many() {
        let reasons = Reasons::default();
        let key = |n: usize| {
            let mut random = [0; 10];
            random[..8].copy_from_slice(&n.to_be_bytes());
            (key(1).0, CallId::new(Timestamp::UNIX_EPOCH, random))
        };
        let at = |n: usize| Timestamp::from_millisecond(1_800_000_000_000 + n as i64).unwrap();
        for n in 0..=REMEMBERED_MAX {
            reasons.standing(key(n), Some("audit"), at(n));
        }
        assert_eq!(reasons.standing(key(0), None, at(REMEMBERED_MAX)), None);
        assert!(reasons.standing(key(1), None, at(REMEMBERED_MAX)).is_some());
    }
}
