//! Backups: made by hand or by the schedule, each good only when it has been restored beside itself (B-26).
//!
//! While the service runs it alone has the store. Whoever wants a backup then leaves a request in the store's folder, and reads
//! there how far it has come: two small files, for the owner of the store alone, which need no account and no open port.

use crate::clock::{self, Clock};
use crate::errands::Errand;
use crate::error::Error;
use crate::events::{By, Events};
use crate::notes;
use auricle_domain::Timestamp;
use auricle_domain::account::Actor;
use auricle_domain::audit::AuditHead;
use auricle_domain::event::Event;
use auricle_domain::id::CauseId;
use auricle_storage::{Backup, BackupProgress, Missing, Store, StoreError};
use serde::{Deserialize, Serialize};
use std::io;
use std::path::{Path, PathBuf};

/// File of a request, in the store's folder.
const REQUEST: &str = "backup.request";
/// File that tells how far the requested backup has come.
const STATE: &str = "backup.state";
/// File that tells of the last good backup.
const LAST: &str = "backup.last";
/// What the name of a file of heads adds to that of its backup.
const HEADS: &str = ".heads.json";
/// Rows between two notes of how far a backup has come.
const TOLD_EVERY_ROWS: u64 = 20_000;

/// That somebody wants a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Told again in the state, so that nobody takes the state of another request for theirs.
    pub id: String,
    /// The folder for the backup.
    pub to: PathBuf,
}

/// How far a requested backup has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// Of which request.
    pub id: String,
    /// Rows written.
    pub rows: u64,
    /// Recordings and documents written.
    pub blobs: u64,
    /// It is being restored beside itself.
    pub verifying: bool,
    /// The good backup.
    pub made: Option<PathBuf>,
    /// What the store had lost before, and is not in it.
    #[serde(default)]
    pub missing: Missing,
    /// Why there is none.
    pub failed: Option<String>,
}

/// The last good backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Last {
    /// When it was made.
    pub at: Timestamp,
    /// Where.
    pub path: PathBuf,
    /// Its length, in bytes.
    pub bytes: u64,
    /// What the store had lost before, and is not in it.
    #[serde(default)]
    pub missing: Missing,
}

/// Where audit chains ended when a backup was made. Kept away from the machine, it shows later that nothing up to there was
/// changed or cut off; it says nothing about anybody.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heads {
    /// When the backup was made.
    pub at: Timestamp,
    /// The end of the clinic's chain; none for one that had no entry.
    pub heads: Vec<AuditHead>,
    /// Things that the store had lost before, and that are not in the backup.
    #[serde(default)]
    pub missing: u64,
}

/// Makes backups of one store.
#[derive(Clone)]
pub struct Backups {
    store: Store,
    events: Events,
    clock: Clock,
    config: Option<PathBuf>,
    errand: Errand<Making>,
}

/// How far the backup that is being made has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Making {
    /// Rows written.
    pub rows: u64,
    /// Recordings and documents written.
    pub blobs: u64,
    /// It is being restored beside itself.
    pub verifying: bool,
}

impl Backups {
    /// Of this store, each with this configuration file.
    pub fn new(store: Store, events: Events, clock: Clock, config: Option<PathBuf>) -> Self {
        Self { store, events, clock, config, errand: Errand::default() }
    }

    /// Asks for one in the configured folder, and tells how far the one that is being made has come, whoever asked for it.
    pub fn errand(&self) -> &Errand<Making> {
        &self.errand
    }

    /// Makes a backup in the folder `to`, and writes down that it was made. It takes as long as writing everything twice.
    ///
    /// # Errors
    /// The store's, in words for an administrator.
    pub async fn make(
        &self,
        to: &Path,
        actor: Actor,
        progress: impl FnMut(BackupProgress) + Send + 'static,
    ) -> Result<Backup, StoreError> {
        let by = By { actor, cause: clock::fresh(CauseId::new, (self.clock)()) };
        self.make_by(to, by, progress).await
    }

    /// [`Self::make`] as part of a piece of work.
    ///
    /// # Errors
    /// As [`Self::make`].
    pub async fn make_by(
        &self,
        to: &Path,
        by: By,
        progress: impl FnMut(BackupProgress) + Send + 'static,
    ) -> Result<Backup, StoreError> {
        self.errand.tell(Making::default());
        let made = self.make_now(to, by, progress).await;
        self.errand.end(made.as_ref().err().map(ToString::to_string));
        made
    }

    async fn make_now(
        &self,
        to: &Path,
        by: By,
        mut progress: impl FnMut(BackupProgress) + Send + 'static,
    ) -> Result<Backup, StoreError> {
        let (store, to, config, now) = (self.store.clone(), to.to_owned(), self.config.clone(), (self.clock)());
        let errand = self.errand.clone();
        let progress = move |step: BackupProgress| {
            let BackupProgress { rows, blobs, verifying, .. } = step;
            errand.tell(Making { rows, blobs, verifying });
            progress(step);
        };
        let made = tokio::task::spawn_blocking(move || store.back_up(&to, config.as_deref(), now, progress)).await;
        let backup = made.map_err(|_| StoreError::Panicked)??;
        let Backup { summary, missing, .. } = &backup;
        let (feed_head, rows) = (summary.feed_head, summary.rows_all());
        let event = Event::BackupMade { feed_head, rows, missing: missing.count };
        let noted: Result<(), Error> = self
            .events
            .commit(clock::op(), by, move |tx| {
                tx.event(event.clone());
                Ok(())
            })
            .await;
        if let Err(error) = noted {
            tracing::error!(%error, "a backup was made, and it could not be written down that it was");
        }
        let last = Last { at: now, path: backup.path.clone(), bytes: backup.bytes, missing: backup.missing.clone() };
        notes::write(&self.store.directory().join(LAST), &last)?;
        if let Err(error) = keep_heads(&backup, now) {
            tracing::error!(%error, "a backup was made, and the head of the audit chain could not be put beside it");
        }
        tracing::info!(path = %backup.path.display(), bytes = backup.bytes, "a backup was made and verified");
        for what in &backup.missing.first {
            tracing::error!(what, "the store has lost something, and the backup is made without it");
        }
        Ok(backup)
    }

    /// Answers the request that waits, if any. True when there was one.
    pub async fn answer(&self) -> bool {
        let directory = self.store.directory().to_owned();
        let Some(request) = notes::read::<Request>(&directory.join(REQUEST)) else { return false };
        let (mut told, at) = (0, directory.join(STATE));
        let begun = State { id: request.id.clone(), ..State::default() };
        let (telling, path) = (begun.clone(), at.clone());
        notes::tell(&at, &begun);
        let made = self.make(&request.to, Actor::Console, move |step| {
            if step.verifying || step.rows >= told + TOLD_EVERY_ROWS {
                told = step.rows;
                let BackupProgress { rows, blobs, verifying, .. } = step;
                notes::tell(&path, &State { rows, blobs, verifying, ..telling.clone() });
            }
        });
        let end = match made.await {
            Ok(backup) => {
                let (rows, blobs) = (backup.summary.rows_all(), backup.summary.blobs);
                State { made: Some(backup.path), missing: backup.missing, rows, blobs, ..begun }
            }
            Err(error) => State { failed: Some(error.to_string()), ..begun },
        };
        notes::tell(&at, &end);
        notes::remove(&directory.join(REQUEST));
        true
    }
}

/// Leaves a request in the folder of a store that a running service has.
///
/// # Errors
/// When it cannot be written.
pub fn request(directory: &Path, request: &Request) -> Result<(), StoreError> {
    notes::write(&directory.join(REQUEST), request)
}

/// How far the request of this id has come; none while nobody has begun with it.
pub fn state(directory: &Path, id: &str) -> Option<State> {
    notes::read::<State>(&directory.join(STATE)).filter(|state| state.id == id)
}

/// Takes back a request that nobody has answered.
pub fn withdraw(directory: &Path) {
    notes::remove(&directory.join(REQUEST));
}

/// The last good backup of the store in this folder.
pub fn last(directory: &Path) -> Option<Last> {
    notes::read(&directory.join(LAST))
}

/// The file of heads that belongs to a backup.
pub fn heads_file(backup: &Path) -> PathBuf {
    let mut name = backup.as_os_str().to_owned();
    name.push(HEADS);
    PathBuf::from(name)
}

/// The heads in a file that was put beside a backup; none when it is not one.
pub fn heads(file: &Path) -> Option<Heads> {
    notes::read(file)
}

fn keep_heads(backup: &Backup, at: Timestamp) -> Result<(), StoreError> {
    let heads = backup.summary.audit_head.into_iter().collect();
    notes::write_as_self(&heads_file(&backup.path), &Heads { at, heads, missing: backup.missing.count })
}

/// The backups in a folder, oldest first: those with our own names, which tell the time.
///
/// # Errors
/// When the folder cannot be read.
pub fn listed(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let is_ours = |name: &str| {
        name.strip_prefix("auricle-")
            .and_then(|name| name.strip_suffix("Z.backup"))
            .is_some_and(|time| time.len() == 15 && time.bytes().all(|byte| byte.is_ascii_digit() || byte == b'T'))
    };
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(is_ours) {
            all.push(entry.path());
        }
    }
    all.sort();
    Ok(all)
}

/// Removes the oldest backups of a folder beyond `keep`, and their files of heads. The newest one from before the store lost
/// something stays however old it is: it is the way back.
///
/// # Errors
/// When the folder cannot be read, or one cannot be removed.
pub fn prune(folder: &Path, keep: usize) -> io::Result<usize> {
    let all = listed(folder)?;
    let lacks = |backup: &PathBuf| heads(&heads_file(backup)).is_some_and(|kept| kept.missing > 0);
    let whole = all.iter().rposition(|backup| !lacks(backup));
    let old = all.iter().enumerate().take(all.len().saturating_sub(keep)).filter(|(number, _)| Some(*number) != whole);
    let mut removed = 0;
    for (_, backup) in old {
        std::fs::remove_file(backup)?;
        notes::remove(&heads_file(backup));
        removed += 1;
    }
    Ok(removed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_oldest_go_and_other_files_stay() {
        let folder = tempfile::tempdir().unwrap();
        let names =
            ["auricle-20261101T010000Z.backup", "auricle-20261102T010000Z.backup", "auricle-20261103T010000Z.backup"];
        let heads = |name: &str| format!("{name}.heads.json");
        let with_heads = [heads(names[0]), heads(names[1])];
        let others = ["auricle-notes.backup", "letter.txt", "auricle-20261104T010000Z.backup.draft"];
        for name in names.into_iter().chain(others).chain(with_heads.iter().map(String::as_str)) {
            std::fs::write(folder.path().join(name), b"x").unwrap();
        }
        assert_eq!(prune(folder.path(), 5).unwrap(), 0);
        assert_eq!(prune(folder.path(), 2).unwrap(), 1);
        let left: Vec<_> = listed(folder.path()).unwrap();
        assert_eq!(left, [folder.path().join(names[1]), folder.path().join(names[2])]);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 6);
        assert!(!folder.path().join(heads(names[0])).exists(), "heads go with their backup");
    }

    /// B-26: backups of a store that has lost something do not push out the last one from before.
    #[test]
    fn the_newest_backup_with_nothing_missing_stays() {
        let folder = tempfile::tempdir().unwrap();
        let backups: Vec<PathBuf> =
            (1..=5).map(|day| folder.path().join(format!("auricle-2026110{day}T010000Z.backup"))).collect();
        for (day, backup) in backups.iter().enumerate() {
            std::fs::write(backup, b"x").unwrap();
            let kept = Heads { at: Timestamp::UNIX_EPOCH, heads: Vec::new(), missing: if day >= 2 { 3 } else { 0 } };
            notes::write_as_self(&heads_file(backup), &kept).unwrap();
        }
        assert_eq!(prune(folder.path(), 2).unwrap(), 2);
        assert_eq!(listed(folder.path()).unwrap(), [&backups[1], &backups[3], &backups[4]].map(Clone::clone));
        assert_eq!(prune(folder.path(), 2).unwrap(), 0);
    }

    #[test]
    fn the_state_of_another_request_is_not_taken_for_ones_own() {
        let folder = tempfile::tempdir().unwrap();
        notes::tell(&folder.path().join(STATE), &State { id: "a".to_owned(), rows: 5, ..State::default() });
        assert_eq!(state(folder.path(), "a").unwrap().rows, 5);
        assert_eq!(state(folder.path(), "b"), None);
        std::fs::write(folder.path().join(STATE), b"{").unwrap();
        assert_eq!(state(folder.path(), "a"), None);
    }
}
