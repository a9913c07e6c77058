//! Building the search index again while the service runs, and how the index stands to the records.
//!
//! The new index is built beside the one that answers, and takes its place when it has taken in everything: what is searched
//! meanwhile is found as before. Whoever sits at the machine asks through two small files in the store's folder.

use crate::app::App;
use crate::auth::May;
use crate::auth::permissions::{KeepStorage, Search};
use crate::errands::{Errand, Stage};
use crate::error::Error;
use crate::notes;
use auricle_storage::{Room, StoreError};
use serde::{Deserialize, Serialize};
use std::path::Path;

/// File of a request, in the store's folder.
const REQUEST: &str = "search.request";
/// File that tells how far the requested index has come.
const STATE: &str = "search.state";
/// Events that the index may be behind and still count as current: what was said a second ago.
pub const BEHIND_MAX: u64 = 1_000;

/// The errand of building the index again.
pub type Rebuild = Errand<IndexProgress>;

/// Events that an index has taken in, of those that there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct IndexProgress {
    /// Taken in.
    pub done: u64,
    /// There are.
    pub of: u64,
}

/// How the index stands to the records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It has taken in everything but the last moment.
    Current,
    /// It was begun anew, by itself, and has not taken in everything yet.
    CatchingUp,
    /// Somebody has asked for a new one, which is being built beside it.
    Rebuilding,
}

/// How the index stands to the records, and how far it has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct IndexState {
    /// Where it stands.
    pub state: Standing,
    /// Events taken in, by the new index where one is being built.
    pub done: u64,
    /// Events that there are.
    pub of: u64,
    /// What is searched now is found among everything but the last moment. False only while the index that answers catches up.
    pub complete: bool,
    /// Why the last index that somebody asked for was not built; null when it was.
    pub failed: Option<String>,
}

/// How the index stands to the records.
pub fn state(app: &App, _may: &May<Search>) -> IndexState {
    of(app)
}

/// The same, for use-cases that have checked another permission.
pub(crate) fn of(app: &App) -> IndexState {
    let answers = answering(app);
    let complete = answers.of - answers.done <= BEHIND_MAX;
    let at_rest = if complete { Standing::Current } else { Standing::CatchingUp };
    let (state, IndexProgress { done, of }, failed) = match app.rebuild.stage() {
        Stage::Idle { failed } => (at_rest, answers, failed),
        Stage::Asked(_) => (Standing::Rebuilding, IndexProgress { done: 0, of: answers.of }, None),
        Stage::Going(progress) => (Standing::Rebuilding, progress, None),
    };
    IndexState { state, done, of, complete, failed }
}

/// How far the index has come that answers.
pub(crate) fn answering(app: &App) -> IndexProgress {
    // The index first: it is never ahead of the records.
    let done = app.search.cursor();
    IndexProgress { done, of: app.store.head().max(done) }
}

/// Asks for a new index. One that is being built already is the one that was asked for.
///
/// # Errors
/// `disk_low` when the disk has no room for a second index.
pub fn rebuild(app: &App, may: &May<KeepStorage>) -> Result<IndexState, Error> {
    if app.store.room() != Room::Enough {
        return Err(StoreError::DiskLow { free_mib: app.store.free_bytes() >> 20 }.into());
    }
    app.rebuild.ask(may.by());
    Ok(of(app))
}

/// That somebody at the machine wants the index to be built again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Told again in the state, so that nobody takes the state of another request for theirs.
    pub id: String,
}

/// How far a requested index has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    /// Of which request.
    pub id: String,
    /// How far it has come.
    pub progress: IndexProgress,
    /// It answers now.
    pub built: bool,
    /// Why there is none.
    pub failed: Option<String>,
}

/// Leaves a request in the folder of a store that a running service has.
///
/// # Errors
/// When it cannot be written.
pub fn request(directory: &Path, request: &Request) -> Result<(), StoreError> {
    notes::write(&directory.join(REQUEST), request)
}

/// The request that waits in the folder.
pub fn requested(directory: &Path) -> Option<Request> {
    notes::read(&directory.join(REQUEST))
}

/// Tells whoever left the request.
pub fn tell(directory: &Path, told: &Told) {
    notes::tell(&directory.join(STATE), told);
}

/// How far the request of this id has come; none while nobody has begun with it.
pub fn told(directory: &Path, id: &str) -> Option<Told> {
    notes::read::<Told>(&directory.join(STATE)).filter(|told| told.id == id)
}

/// Takes back a request: it is done, or nobody has answered.
pub fn withdraw(directory: &Path) {
    notes::remove(&directory.join(REQUEST));
}
