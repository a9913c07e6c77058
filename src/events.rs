//! The one path for facts: records and the events about them are written in one transaction, or not at all.
//!
//! Whoever wants to know follows the log from a sequence number ([`Events::watch`] says when it has grown). What only matters now
//! goes past the disk, through [`Events::show`].

use crate::clock::{self, Clock};
use crate::error::Error;
use auricle_domain::Timestamp;
use auricle_domain::account::Actor;
use auricle_domain::event::Event;
use auricle_domain::id::CauseId;
use auricle_domain::live::Live;
use auricle_storage::{Commit, EventDraft, Need, OpId, Store, WriteTx};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::ops::{Deref, DerefMut};
use tokio::sync::{broadcast, watch};

/// Passing facts a slow watcher may be behind; older ones it has missed, which is what they are for.
const LIVE_MAX: usize = 1_024;

/// Writes facts and tells of them. Cheap to clone.
#[derive(Clone)]
pub struct Events {
    store: Store,
    live: broadcast::Sender<Live>,
    clock: Clock,
}

/// In whose name something is written, and as which piece of work.
#[derive(Clone, Copy, Debug)]
pub struct By {
    /// Who does it.
    pub actor: Actor,
    /// The piece of work; also in every log line of it.
    pub cause: CauseId,
}

/// In whose name something is read, and why.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Who reads.
    pub by: By,
    /// Why, where they said so.
    pub reason: Option<String>,
}

/// A transaction that also says what happened. Reads and writes like [`WriteTx`].
pub struct Writing<'a> {
    tx: &'a mut WriteTx,
    at: Timestamp,
    by: By,
}

impl Writing<'_> {
    /// Appends an event; it gets its number when the transaction is committed.
    pub fn event(&mut self, event: Event) {
        self.tx.append(EventDraft { at: self.at, actor: self.by.actor, cause: self.by.cause, event });
    }

    /// The instant of this piece of work: the same when the closure runs again.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// Who does it.
    pub fn actor(&self) -> Actor {
        self.by.actor
    }
}

impl Deref for Writing<'_> {
    type Target = WriteTx;
    fn deref(&self) -> &WriteTx {
        self.tx
    }
}

impl DerefMut for Writing<'_> {
    fn deref_mut(&mut self) -> &mut WriteTx {
        self.tx
    }
}

impl Events {
    /// Over this store.
    pub fn new(store: Store, clock: Clock) -> Self {
        Self { store, live: broadcast::channel(LIVE_MAX).0, clock }
    }

    /// Writes records and events in one transaction, now. It is queued when this returns; await the commit for its end.
    ///
    /// The closure is pure: it may run twice. The same `op` again gives the first reply and writes nothing, so an operation that a
    /// client may repeat takes its `op` from the client, and any other one [`clock::op`].
    ///
    /// # Errors
    /// What the closure returns (nothing is written then), or that the store cannot be reached.
    pub fn commit<T>(
        &self,
        op: OpId,
        by: By,
        work: impl FnMut(&mut Writing<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Commit<T, Error>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
    {
        self.commit_at((self.clock)(), op, by, work)
    }

    /// [`Self::commit`] for something that happened at `at`.
    ///
    /// # Errors
    /// As [`Self::commit`].
    pub fn commit_at<T>(
        &self,
        at: Timestamp,
        op: OpId,
        by: By,
        mut work: impl FnMut(&mut Writing<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Commit<T, Error>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
    {
        // What a person changes can be changed later; what a call brings cannot.
        let need = if matches!(by.actor, Actor::Account { .. }) { Need::Ordinary } else { Need::Essential };
        self.store.run_as(need, op, at, move |tx: &mut WriteTx| work(&mut Writing { tx, at, by }))
    }

    /// [`Self::commit`] for what a call brings at `at`, whoever placed it: it cannot be brought again later.
    ///
    /// # Errors
    /// As [`Self::commit`].
    pub fn commit_of_call<T>(
        &self,
        at: Timestamp,
        op: OpId,
        by: By,
        mut work: impl FnMut(&mut Writing<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Commit<T, Error>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
    {
        self.store.run_as(Need::Essential, op, at, move |tx: &mut WriteTx| work(&mut Writing { tx, at, by }))
    }

    /// [`Self::commit`] for what people need even when the disk is nearly full: signing in, reading, removing.
    ///
    /// # Errors
    /// As [`Self::commit`].
    pub fn commit_essential<T>(
        &self,
        op: OpId,
        by: By,
        mut work: impl FnMut(&mut Writing<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Commit<T, Error>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
    {
        let at = (self.clock)();
        self.store.run_as(Need::Essential, op, at, move |tx: &mut WriteTx| work(&mut Writing { tx, at, by }))
    }

    /// Whether an operation was carried out.
    ///
    /// # Errors
    /// When the store fails.
    pub fn has_run(&self, op: OpId) -> Result<bool, Error> {
        Ok(self.store.has_run(op, self.now())?)
    }

    /// Notes that somebody read a record about a person. Reading goes on only once that is written.
    ///
    /// # Errors
    /// When the store cannot be reached.
    pub async fn record_read(&self, reading: Reading, kind: &'static str, id: impl ToString) -> Result<(), Error> {
        let Reading { by, reason } = reading;
        let id = id.to_string();
        self.commit_essential(clock::op(), by, move |tx| {
            tx.event(Event::RecordRead { kind: kind.to_owned(), id: id.clone(), reason: reason.clone() });
            Ok(())
        })
        .await
    }

    /// The time of day, as the next commit will have it.
    pub fn now(&self) -> Timestamp {
        (self.clock)()
    }

    /// Says how far the log has come, now and whenever it grows.
    pub fn watch(&self) -> watch::Receiver<u64> {
        self.store.watch()
    }

    /// Tells a passing fact to whoever watches at this moment.
    pub fn show(&self, live: Live) {
        // Nobody watching is no failure.
        let _watchers = self.live.send(live);
    }

    /// Hears passing facts from now on.
    pub fn live(&self) -> broadcast::Receiver<Live> {
        self.live.subscribe()
    }
}
