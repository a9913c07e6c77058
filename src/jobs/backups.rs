//! Makes backups by the schedule, and those that somebody has asked for: in the browser, or at the machine (B-26).

use crate::backups::{self, Backups};
use crate::clock::{self, Clock};
use crate::config::BackupConfig;
use crate::events::By;
use auricle_domain::Timestamp;
use auricle_domain::account::Actor;
use auricle_domain::id::CauseId;
use jiff::SignedDuration;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often requests and the schedule are looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// How long a backup that failed waits for the next attempt.
const RETRY_AFTER: SignedDuration = SignedDuration::from_mins(30);

/// Looks until it is told to stop.
pub async fn run(backups: Backups, directory: PathBuf, config: BackupConfig, clock: Clock, stop: CancellationToken) {
    let mut not_before = Timestamp::MIN;
    loop {
        if let Some((by, folder)) = backups.errand().asked().zip(config.directory.as_ref()) {
            made(&backups, folder, config.keep, by).await;
        } else if !backups.answer().await
            && let Some(folder) = &config.directory
        {
            let now = clock();
            let last = backups::last(&directory).map(|last| last.at);
            if now >= not_before
                && is_due(last, now, config.every_hours)
                && !made(&backups, folder, config.keep, by_schedule(now)).await
            {
                not_before = now.saturating_add(RETRY_AFTER).unwrap_or(now);
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = backups.errand().wanted() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

/// Whether the next backup of the schedule is to be made. A clock that was set back does not stop them for long.
fn is_due(last: Option<Timestamp>, now: Timestamp, every_hours: u32) -> bool {
    let Some(last) = last else { return true };
    let every = SignedDuration::from_hours(i64::from(every_hours));
    now.duration_since(last) >= every || last.duration_since(now) >= every
}

fn by_schedule(now: Timestamp) -> By {
    By { actor: Actor::System, cause: clock::fresh(CauseId::new, now) }
}

/// Makes one in the configured folder, and removes those that are too old once it is good. False when it failed.
async fn made(backups: &Backups, folder: &Path, keep: usize, by: By) -> bool {
    if let Err(error) = backups.make_by(folder, by, |_| {}).await {
        tracing::error!(%error, cause = %by.cause, "no backup could be made; the schedule tries again in half an hour");
        return false;
    }
    if let Err(error) = backups::prune(folder, keep) {
        tracing::warn!(%error, "old backups could not be removed");
    }
    true
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_is_due_when_the_last_is_old_enough_or_there_is_none() {
        let hour = |n: i64| Timestamp::from_second(1_800_000_000 + n * 3_600).unwrap();
        for (last, now, due) in
            [(None, 0, true), (Some(0), 23, false), (Some(0), 24, true), (Some(10), 0, false), (Some(30), 0, true)]
        {
            assert_eq!(is_due(last.map(hour), hour(now), 24), due, "{last:?} {now}");
        }
    }
}
