//! A transaction on its way: the closure with its op id, and the caller who waits for the outcome.

use crate::codec;
use crate::error::StoreError;
use crate::key;
use crate::kv::{Job, KeyRange};
use crate::schema;
use crate::tx::{ReadTx, WriteTx};
use auricle_domain::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// Op ids are kept by the week they ran in, and found during that week and the next.
const WEEK_S: i64 = 7 * 24 * 3600;
/// Op ids of earlier weeks that each transaction removes: more than it adds, so that they cannot pile up.
const SWEPT_PER_TRANSACTION: usize = 2;

/// Names one intended change. Running the same op again gives the first run's reply and changes nothing, for at
/// least a week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct OpId([u8; 16]);

impl OpId {
    /// The op of a random or time-ordered UUID: one intention, made once.
    pub fn new(id: uuid::Uuid) -> Self {
        Self(*id.as_bytes())
    }

    /// The op that follows from its parts: the same parts name the same intention, now and after a restart.
    /// `scope` keeps uses apart, such as `http.idempotency` or `call.turn`.
    pub fn derive(scope: &str, parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in std::iter::once(scope.as_bytes()).chain(parts.iter().copied()) {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let mut id = [0; 16];
        id.copy_from_slice(&hash.finalize()[..16]);
        Self(id)
    }
}

impl From<uuid::Uuid> for OpId {
    fn from(id: uuid::Uuid) -> Self {
        Self::new(id)
    }
}

/// The outcome of [`Store::run`](crate::Store::run): await it, or [`wait`](Commit::wait) for it.
///
/// The transaction goes its way whether or not anyone waits.
#[must_use = "the outcome of a transaction is known only by waiting for it"]
pub struct Commit<T, E>(Arc<Slot<T, E>>);

struct Slot<T, E> {
    state: Mutex<State<T, E>>,
    settled: Condvar,
}

enum State<T, E> {
    Waiting(Option<Waker>),
    Settled(Option<Result<T, E>>),
}

impl<T, E> Slot<T, E> {
    fn state(&self) -> MutexGuard<'_, State<T, E>> {
        // Nothing panics while it holds this lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T, E: From<StoreError>> Commit<T, E> {
    /// One that was not even begun.
    pub(crate) fn refused(error: StoreError) -> Self {
        Self(Arc::new(Slot { state: Mutex::new(State::Settled(Some(Err(error.into())))), settled: Condvar::new() }))
    }

    /// Blocks the thread until the outcome is certain. Not for async code: await the commit there.
    ///
    /// # Errors
    /// The closure's own error, or the store's.
    pub fn wait(self) -> Result<T, E> {
        let mut state = self.0.state();
        loop {
            if let State::Settled(outcome) = &mut *state {
                return outcome.take().unwrap_or_else(|| Err(StoreError::Closed.into()));
            }
            state = self.0.settled.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl<T, E: From<StoreError>> Future for Commit<T, E> {
    type Output = Result<T, E>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut *self.0.state() {
            State::Settled(outcome) => Poll::Ready(outcome.take().unwrap_or_else(|| Err(StoreError::Closed.into()))),
            State::Waiting(waker) => {
                *waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// The other end of a [`Commit`]. Dropped without a word, it says that the store is closed.
struct Answer<T, E: From<StoreError>>(Arc<Slot<T, E>>);

impl<T, E: From<StoreError>> Answer<T, E> {
    fn give(&self, outcome: Result<T, E>) {
        let before = {
            let mut state = self.0.state();
            if matches!(*state, State::Settled(_)) {
                return;
            }
            std::mem::replace(&mut *state, State::Settled(Some(outcome)))
        };
        self.0.settled.notify_all();
        if let State::Waiting(Some(waker)) = before {
            waker.wake();
        }
    }
}

impl<T, E: From<StoreError>> Drop for Answer<T, E> {
    fn drop(&mut self) {
        self.give(Err(StoreError::Closed.into()));
    }
}

/// What an op is recorded under.
#[derive(Clone, Copy)]
pub(crate) struct Record {
    pub(crate) op: OpId,
    pub(crate) now: Timestamp,
}

struct Work<T, E: From<StoreError>, F> {
    record: Option<Record>,
    closure: F,
    reply: Option<Result<T, E>>,
    answer: Answer<T, E>,
}

/// A closure as a job, and the commit its caller waits for. Without a record it is not remembered: for writes
/// that are the same however often they are made.
pub(crate) fn job<T, E, F>(record: Option<Record>, closure: F) -> (Box<dyn Job>, Commit<T, E>)
where
    T: Serialize + DeserializeOwned + Send + 'static,
    E: From<StoreError> + Send + 'static,
    F: FnMut(&mut WriteTx) -> Result<T, E> + Send + 'static,
{
    let slot = Arc::new(Slot { state: Mutex::new(State::Waiting(None)), settled: Condvar::new() });
    let work = Work { record, closure, reply: None, answer: Answer(Arc::clone(&slot)) };
    (Box::new(work), Commit(slot))
}

impl<T, E, F> Work<T, E, F>
where
    T: Serialize + DeserializeOwned + Send,
    E: From<StoreError> + Send,
    F: FnMut(&mut WriteTx) -> Result<T, E> + Send,
{
    fn run(&mut self, tx: &mut WriteTx) -> Result<T, E> {
        if let Some(record) = self.record
            && let Some(bytes) = recorded(tx, record)?
        {
            return Ok(codec::decode(schema::OP, &bytes)?);
        }
        // The closure is run again only on a fresh transaction, so what it left half-done is never seen.
        let reply = catch_unwind(AssertUnwindSafe(|| (self.closure)(tx)))
            .unwrap_or_else(|_| Err(StoreError::Panicked.into()))?;
        if let Some(record) = self.record {
            let value = codec::encode(schema::OP, &reply)?;
            tx.raw_set(schema::OP.name, op_key(tx, week(record.now), record.op), Some(value))?;
            sweep(tx, record.now)?;
        }
        tx.number_drafts()?;
        Ok(reply)
    }
}

impl<T, E, F> Job for Work<T, E, F>
where
    T: Serialize + DeserializeOwned + Send,
    E: From<StoreError> + Send,
    F: FnMut(&mut WriteTx) -> Result<T, E> + Send,
{
    fn prepare(&mut self, tx: &mut WriteTx) -> bool {
        let reply = self.run(tx);
        let keep = reply.is_ok();
        self.reply = Some(reply);
        keep
    }

    fn spoil(&mut self, error: StoreError) {
        self.reply = Some(Err(error.into()));
    }

    fn is_recorded(&self) -> bool {
        self.record.is_some()
    }

    fn settle(mut self: Box<Self>, committed: Result<(), StoreError>) {
        let reply = self.reply.take().unwrap_or_else(|| Err(StoreError::Closed.into()));
        // A closure that failed keeps its own error: it did not depend on the commit.
        let outcome = match (reply, committed) {
            (Ok(_), Err(error)) => Err(error.into()),
            (reply, _) => reply,
        };
        self.answer.give(outcome);
    }
}

fn week(now: Timestamp) -> u32 {
    u32::try_from(now.as_second().div_euclid(WEEK_S)).unwrap_or(0)
}

fn op_key(tx: &ReadTx, week: u32, op: OpId) -> Vec<u8> {
    tx.key_of(schema::OP, &(week, op.0))
}

/// The reply that an op was given before, if it ran.
pub(crate) fn recorded(tx: &ReadTx, Record { op, now }: Record) -> Result<Option<Vec<u8>>, StoreError> {
    let week = week(now);
    // The next week too: the clock may have been set back since.
    for week in [week, week.saturating_sub(1), week.saturating_add(1)] {
        if let Some(reply) = tx.raw_get(&op_key(tx, week, op))? {
            return Ok(Some(reply));
        }
    }
    Ok(None)
}

/// Removes a few ops that are too old to be asked again. It changes no decision, so it is not read through the
/// transaction, where it would make every two of them conflict.
fn sweep(tx: &mut WriteTx, now: Timestamp) -> Result<(), StoreError> {
    let range = KeyRange {
        start: key::encode(&(tx.tenant(), schema::OP.id)),
        end: Some(tx.key_of(schema::OP, &week(now).saturating_sub(1))),
    };
    for (key, _) in tx.peek_range(&range, false, SWEPT_PER_TRANSACTION)? {
        tx.raw_set(schema::OP.name, key, None)?;
    }
    Ok(())
}
