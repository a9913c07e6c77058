//! Keeps the search index up to date: a follower of the feed that looks at the records which events name (B-04).
//!
//! The index knows in its own commits how far it has come, so a crash, a slow disk or an index that is damaged or deleted, even under
//! the running service, mean catching up, never
//! a missed record. Events are looked at in batches; a record that several of them name is indexed once, as it is now.
//!
//! When somebody asks for a new index, it is built beside the one that answers, in turns with it: what is said meanwhile is found.

mod documents;

use crate::clock;
use crate::errands::Stage;
use crate::error::Error;
use crate::events::{By, Events};
use crate::knowledge::Library;
use crate::search::rebuild::{self, IndexProgress, Rebuild, Request, Told};
use auricle_domain::account::Actor;
use auricle_domain::event::Event;
use auricle_domain::id::CauseId;
use auricle_storage::search::Search;
use auricle_storage::{Store, StoreError};
use documents::Dirty;
use std::path::Path;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Events of one batch.
const BATCH: usize = 500;
/// Shortest time between two commits of the index: each costs tens of milliseconds, and what is said shows up within a second.
const COMMIT_EVERY: Duration = Duration::from_millis(300);
/// Wait after a failure.
const RETRY_AFTER: Duration = Duration::from_secs(5);
/// How often somebody at the machine is looked for.
const LOOK_EVERY: Duration = Duration::from_secs(2);

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

/// Who keeps the index up to date.
pub struct Indexer {
    /// Whose records and feed.
    pub store: Store,
    /// The index that answers.
    pub search: Search,
    /// What the clinic knows; told of what was taken in.
    pub library: Library,
    /// Where it is written down that an index was built again.
    pub events: Events,
    /// Whether somebody has asked for that, and how far it has come.
    pub rebuild: Rebuild,
}

/// An index that is being built beside the one that answers.
struct Building {
    index: Search,
    by: By,
}

/// Follows the feed until it is told to stop.
pub async fn run(indexer: Indexer, stop: CancellationToken) {
    let Indexer { store, search, library, .. } = &indexer;
    let (mut head, mut damage) = (store.watch(), search.damage());
    let (mut building, mut request) = (None, None);
    while !stop.is_cancelled() {
        head.mark_unchanged();
        damage.mark_unchanged();
        let was_damaged = *damage.borrow();
        let taken_in = step(store, search, Some(library)).await;
        indexer.hear(&mut request);
        indexer.build(&mut building).await;
        indexer.answer(&mut request);
        let pause = match taken_in {
            Ok(Step::More) => continue,
            Ok(Step::CaughtUp) if building.is_some() => continue,
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
            () = indexer.rebuild.wanted() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

impl Indexer {
    /// Takes a request that somebody at the machine has left. While an index is being built already, that is theirs, too.
    fn hear(&self, request: &mut Option<Request>) {
        if request.is_some() {
            return;
        }
        *request = rebuild::requested(self.store.directory());
        if request.is_some() {
            self.rebuild.ask(By { actor: Actor::Console, cause: clock::fresh(CauseId::new, self.events.now()) });
        }
    }

    /// Tells whoever left the request how far it has come.
    fn answer(&self, request: &mut Option<Request>) {
        let Some(Request { id }) = request.clone() else { return };
        let head = self.store.head();
        let (progress, built, failed) = match self.rebuild.stage() {
            Stage::Asked(_) => (IndexProgress { done: 0, of: head }, false, None),
            Stage::Going(progress) => (progress, false, None),
            Stage::Idle { failed } => (IndexProgress { done: head, of: head }, failed.is_none(), failed),
        };
        let over = built || failed.is_some();
        rebuild::tell(self.store.directory(), &Told { id, progress, built, failed });
        if over {
            rebuild::withdraw(self.store.directory());
            *request = None;
        }
    }

    /// Begins a new index when somebody has asked for one, feeds it, and puts it in its place when it has come as far as the one
    /// that answers.
    async fn build(&self, building: &mut Option<Building>) {
        if let Some(by) = self.rebuild.asked().filter(|_| building.is_none()) {
            tracing::info!(cause = %by.cause, "the search index is built again beside the one that answers");
            self.rebuild.tell(IndexProgress { done: 0, of: self.store.head() });
            let search = self.search.clone();
            match blocking("begin a search index", move || Ok(search.beside()?)).await {
                Ok(index) => *building = Some(Building { index, by }),
                Err(error) => self.fail(&error),
            }
        }
        let Some(Building { index, .. }) = &building else { return };
        let stepped = step(&self.store, index, None).await;
        self.rebuild.tell(IndexProgress { done: index.cursor(), of: self.store.head() });
        let stays = stepped.is_ok() && index.cursor() < self.search.cursor();
        let Some(Building { index, by }) = building.take_if(|_| !stays) else { return };
        let replaced = match stepped {
            Ok(_) => self.replace(index).await,
            Err(error) => Err(error),
        };
        match replaced {
            Ok(()) => self.note(by).await,
            Err(error) => self.fail(&error),
        }
    }

    async fn replace(&self, index: Search) -> Result<(), Error> {
        let search = self.search.clone();
        blocking("put a search index in its place", move || Ok(search.replace_with(index)?)).await
    }

    /// Writes down that the index was built again.
    async fn note(&self, by: By) {
        let feed_head = self.search.cursor();
        let noted = self.events.commit_essential(clock::op(), by, move |tx| {
            tx.event(Event::SearchRebuilt { feed_head });
            Ok(())
        });
        if let Err(error) = noted.await {
            tracing::error!(%error, "the search index was built again, and it could not be written down that it was");
        }
        tracing::info!(cause = %by.cause, feed_head, "the search index was built again");
        self.rebuild.end(None);
    }

    fn fail(&self, error: &Error) {
        tracing::error!(%error, "the search index could not be built again; the one of before answers");
        self.rebuild.end(Some(error.detail.clone()));
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
    blocking("empty the search index", move || Ok(emptied.reset()?)).await?;
    loop {
        let step = step(store, search, Some(library)).await?;
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

/// Takes in the next batch. The library hears of it where the index is the one that answers.
async fn step(store: &Store, search: &Search, library: Option<&Library>) -> Result<Step, Error> {
    let (store, search, library) = (store.clone(), search.clone(), library.cloned());
    blocking("index what has happened", move || {
        if library.is_some() && *search.damage().borrow() {
            tracing::warn!("the search index is damaged and is built again");
            search.reset()?;
        }
        let after = search.cursor();
        let events = store.feed(after, BATCH)?;
        let last = events.last().map_or(after, |event| event.seq);
        if last > after {
            let dirty = Dirty::of(&events);
            let changes = store.read(|tx| dirty.changes(tx))?;
            if let Some(library) = &library {
                dirty.documents.iter().try_for_each(|document| library.refresh(*document, last))?;
                if dirty.words {
                    library.touch(last);
                }
            }
            search.apply(changes, last)?;
        }
        if let Some(library) = &library {
            library.indexed(last);
        }
        Ok(if last < store.head() { Step::More } else { Step::CaughtUp })
    })
    .await
}

/// Does work that waits for the disk beside the tasks.
async fn blocking<T: Send + 'static>(
    attempt: &str,
    work: impl FnOnce() -> Result<T, Error> + Send + 'static,
) -> Result<T, Error> {
    tokio::task::spawn_blocking(work).await.map_err(|error| Error::internal(attempt, &error))?
}
