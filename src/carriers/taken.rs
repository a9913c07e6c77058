//! The last layer in front of what carriers send: what was carried out is not carried out again. What was not, because this service
//! went down before it could, or gave an answer that never arrived, is carried out when the carrier repeats it.
//!
//! So a request is noted once it has been carried out, not when it comes. Whatever is done about it in between may be done twice without
//! harm, or is the same transaction as its note. What was noted is remembered in the store for a week at least, also over a restart.

use crate::clock;
use crate::error::Error;
use crate::events::{By, Events};
use auricle_domain::Timestamp;
use auricle_domain::account::Actor;
use auricle_domain::id::CauseId;
use auricle_storage::OpId;
use jiff::SignedDuration;

/// How long a carrier may repeat the news of a call that has come: after that its caller has given up, or was sent elsewhere.
const REPEATED_WITHIN: SignedDuration = SignedDuration::from_mins(2);

/// What may be carried out once: a request, or the call that it brings.
#[derive(Clone, Copy, Debug)]
pub struct Taken {
    op: OpId,
    first: OpId,
}

impl Taken {
    /// By what it is about; `scope` keeps uses apart, such as `twilio.call`.
    pub fn new(scope: &str, name: &[&[u8]]) -> Self {
        Self { op: OpId::derive(scope, name), first: OpId::derive(&format!("{scope}.first"), name) }
    }

    /// The same as an operation: what writes by it is carried out by writing.
    pub fn op(self) -> OpId {
        self.op
    }

    /// Whether it was carried out.
    ///
    /// # Errors
    /// When the store fails.
    pub fn is_done(self, events: &Events) -> Result<bool, Error> {
        events.has_run(self.op)
    }

    /// Notes that it was carried out. True where that was not known.
    ///
    /// # Errors
    /// When the store cannot be reached.
    pub async fn done(self, events: &Events) -> Result<bool, Error> {
        let mine: u64 = rand::random();
        // The same operation again gives the first one's reply.
        Ok(events.commit(self.op, by(events), move |_| Ok(mine)).await? == mine)
    }

    /// Whether it may be begun: it was not carried out, and came for the first time a short while ago at most.
    ///
    /// # Errors
    /// When the store cannot be reached.
    pub async fn may_begin(self, events: &Events) -> Result<bool, Error> {
        let now = events.now();
        let first: Timestamp = events.commit(self.first, by(events), move |_| Ok(now)).await?;
        Ok(now.duration_since(first).abs() <= REPEATED_WITHIN && !self.is_done(events)?)
    }
}

fn by(events: &Events) -> By {
    By { actor: Actor::System, cause: clock::fresh(CauseId::new, events.now()) }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use auricle_domain::id::TenantId;
    use auricle_storage::{Backend, KeySource, Store, StoreOptions};
    use std::sync::atomic::{AtomicI64, Ordering};

    static NOW_S: AtomicI64 = AtomicI64::new(1_800_000_000);

    fn set_clock() -> Timestamp {
        Timestamp::from_second(NOW_S.load(Ordering::Relaxed)).unwrap()
    }

    /// SEC-12: a call that has come may be begun until it was, and not for long.
    #[tokio::test]
    async fn what_was_not_carried_out_is_when_it_comes_again() {
        let folder = tempfile::tempdir().unwrap();
        let tenant = TenantId::new(Timestamp::UNIX_EPOCH, [7; 10]);
        let (directory, backend, keys) = (folder.path().to_owned(), Backend::Memory, KeySource::Fresh);
        let store = Store::open(StoreOptions { directory, backend, keys, tenant }).unwrap();
        let events = Events::new(store, set_clock);
        let [call, other] = [b"CA1", b"CA2"].map(|name| Taken::new("twilio.call", &[name]));
        assert!(call.may_begin(&events).await.unwrap(), "it is new");
        NOW_S.fetch_add(REPEATED_WITHIN.as_secs(), Ordering::Relaxed);
        assert!(call.may_begin(&events).await.unwrap(), "nobody has carried it out");
        assert!(!call.is_done(&events).unwrap() && call.done(&events).await.unwrap());
        assert!(!call.may_begin(&events).await.unwrap(), "now somebody has");
        assert!(call.is_done(&events).unwrap() && !call.done(&events).await.unwrap());
        assert!(other.may_begin(&events).await.unwrap(), "another call");
        NOW_S.fetch_add(REPEATED_WITHIN.as_secs() + 1, Ordering::Relaxed);
        assert!(!other.may_begin(&events).await.unwrap(), "its caller does not wait any more");
    }
}
