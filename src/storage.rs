//! Where everything is kept, as an administrator looks after it: room on the disk, backups, the search index (B-26).

use crate::app::App;
use crate::auth::May;
use crate::auth::permissions::KeepStorage;
use crate::backups::{self, Last, Making};
use crate::errands::Stage;
use crate::error::{Error, ErrorCode};
use crate::search::rebuild::{self, IndexState};
use auricle_domain::Timestamp;
use auricle_storage::{Room, StoreError, has_passphrase};
use jiff::SignedDuration;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Backups that are listed at most, the newest.
const LISTED_MAX: usize = 200;

/// Room on the disk, backups and the search index.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct StorageState {
    /// Room on the disk.
    pub disk: DiskState,
    /// Backups.
    pub backup: BackupState,
    /// The search index.
    pub search: IndexState,
}

/// Room on the disk that the store lies on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DiskState {
    /// What the room allows.
    pub room: DiskRoom,
    /// Bytes that may still be written.
    pub free_bytes: u64,
    /// Below so many bytes new calls are not recorded, below a quarter of it staff change nothing.
    pub low_water_bytes: u64,
}

/// What the room on the disk allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DiskRoom {
    /// Everything.
    Enough,
    /// Everything but new recordings.
    Low,
    /// What calls, sign-in and reading need.
    Full,
    /// Nothing is written.
    None,
}

/// Backups: the schedule, the last one, and the one that is being made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct BackupState {
    /// The folder for them, as configured; null where none is, and then none are made by themselves.
    pub directory: Option<String>,
    /// Hours between two of the schedule.
    pub every_hours: u32,
    /// So many are kept.
    pub keep: usize,
    /// There is a recovery passphrase. Without one no backup can be made.
    pub has_passphrase: bool,
    /// The last one that was made and verified, by the schedule or by hand.
    pub last: Option<BackupFile>,
    /// What was lost before the last one was made, in words for an administrator; the first 20.
    pub lost: Vec<String>,
    /// When the schedule makes the next one; null without a folder.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_at: Option<Timestamp>,
    /// How far the one that is being made has come; null while none is.
    pub making: Option<Making>,
    /// Why the last attempt came to nothing; null when it was good.
    pub failed: Option<String>,
}

/// A backup: it was verified when it was made, before it got its name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct BackupFile {
    /// The file's name.
    pub name: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Its length.
    pub bytes: u64,
    /// Things that the store had lost before it was made, and that are not in it: an older one may have them.
    pub missing: u64,
}

/// Backups in the configured folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct BackupFiles {
    /// The newest 200, newest first.
    pub items: Vec<BackupFile>,
}

/// Room on the disk, backups and the search index.
///
/// # Errors
/// When the disk fails.
pub async fn get(app: &App, _may: &May<KeepStorage>) -> Result<StorageState, Error> {
    let room = match app.store.room() {
        Room::Enough => DiskRoom::Enough,
        Room::Low => DiskRoom::Low,
        Room::Full => DiskRoom::Full,
        Room::None => DiskRoom::None,
    };
    let (free_bytes, low_water_bytes) = (app.store.free_bytes(), app.config.storage.low_water_bytes);
    let disk = DiskState { room, free_bytes, low_water_bytes };
    Ok(StorageState { disk, backup: backup(app).await?, search: rebuild::of(app) })
}

/// Asks for a backup in the configured folder. One that is being made already is the one that was asked for.
///
/// # Errors
/// `conflict` in words for an administrator where no folder is configured, or there is no recovery passphrase.
pub async fn back_up(app: &App, may: &May<KeepStorage>) -> Result<BackupState, Error> {
    let state = backup(app).await?;
    if state.directory.is_none() {
        let detail = "No folder for backups is configured: set backup.directory, and start the service again";
        return Err(Error::new(ErrorCode::Conflict, detail));
    }
    if !state.has_passphrase {
        let detail = "There is no recovery passphrase, and nobody could open the backup: run auricle secrets generate";
        return Err(Error::new(ErrorCode::Conflict, detail));
    }
    app.backups.errand().ask(may.by());
    Ok(BackupState { making: state.making.or_else(|| Some(Making::default())), failed: None, ..state })
}

/// The backups in the configured folder; none where none is configured, or it is not there yet.
///
/// # Errors
/// `unavailable` when the folder cannot be read, as when another disk is not mounted.
pub async fn backups(app: &App, _may: &May<KeepStorage>) -> Result<BackupFiles, Error> {
    let Some(folder) = app.config.backup.directory.clone().filter(|folder| folder.exists()) else {
        return Ok(BackupFiles { items: Vec::new() });
    };
    let listed = tokio::task::spawn_blocking(move || {
        let all = backups::listed(&folder).map_err(|error| {
            tracing::error!(%error, folder = %folder.display(), "the folder for backups cannot be read");
            Error::new(ErrorCode::Unavailable, "The folder for backups cannot be read. The service's log says why")
        })?;
        let newest = all.iter().rev().take(LISTED_MAX);
        Ok(BackupFiles { items: newest.filter_map(|path| described(path)).collect() })
    });
    listed.await.map_err(|error| Error::internal("list the backups", &error))?
}

async fn backup(app: &App) -> Result<BackupState, Error> {
    let home: PathBuf = app.store.directory().to_owned();
    let read = tokio::task::spawn_blocking(move || {
        let last = backups::last(&home);
        Ok::<_, StoreError>((last, has_passphrase(&home)?.unwrap_or(false)))
    });
    let (last, has_passphrase) = read.await.map_err(|error| Error::internal("look at the backups", &error))??;
    let schedule = &app.config.backup;
    let (now, every) = ((app.clock)(), SignedDuration::from_hours(i64::from(schedule.every_hours)));
    let due = last.as_ref().map_or(now, |last| last.at.saturating_add(every).unwrap_or(now).max(now));
    let (making, failed) = match app.backups.errand().stage() {
        Stage::Idle { failed } => (None, failed),
        Stage::Asked(_) => (Some(Making::default()), None),
        Stage::Going(progress) => (Some(progress), None),
    };
    Ok(BackupState {
        directory: schedule.directory.as_ref().map(|folder| folder.display().to_string()),
        every_hours: schedule.every_hours,
        keep: schedule.keep,
        has_passphrase,
        lost: last.as_ref().map(|last| last.missing.first.clone()).unwrap_or_default(),
        last: last.map(|last| {
            let Last { at, path, bytes, missing } = last;
            BackupFile { name: name_of(&path), at, bytes, missing: missing.count }
        }),
        next_at: schedule.directory.as_ref().map(|_| due),
        making,
        failed,
    })
}

/// A backup by its file. One that is gone meanwhile is left out.
fn described(path: &Path) -> Option<BackupFile> {
    let name = name_of(path);
    let bytes = std::fs::metadata(path).ok()?.len();
    let missing = backups::heads(&backups::heads_file(path)).map_or(0, |kept| kept.missing);
    Some(BackupFile { at: made_at(&name)?, bytes, name, missing })
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// When a backup was made, from its name.
fn made_at(name: &str) -> Option<Timestamp> {
    let time = name.strip_prefix("auricle-")?.strip_suffix("Z.backup")?;
    let time = DateTime::strptime("%Y%m%dT%H%M%S", time).ok()?;
    Some(time.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_name_tells_when_a_backup_was_made() {
        assert_eq!(made_at("auricle-20261101T013005Z.backup").unwrap().to_string(), "2026-11-01T01:30:05Z");
        for wrong in ["auricle-20261301T013005Z.backup", "auricle-notes.backup", "letter.txt", ""] {
            assert_eq!(made_at(wrong), None, "{wrong}");
        }
    }
}
