//! What is done to the keys at the machine, on its way into the audit chain.
//!
//! Keys are changed whether the service runs or not, and while it runs it alone has the store. So whoever changes them leaves a
//! note in the store's folder; whoever has the store writes it down and removes the note.

use crate::clock;
use crate::error::Error;
use crate::events::{By, Events};
use crate::notes;
use auricle_domain::Timestamp;
use auricle_domain::account::Actor;
use auricle_domain::event::Event;
use auricle_domain::id::CauseId;
use auricle_storage::{OpId, StoreError};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Notes that are written down at once; more wait for the next time.
const NOTES_MAX: usize = 100;
/// How the name of a note begins and ends.
const NAME: (&str, &str) = ("secrets-", ".note");

/// What was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// The key file was replaced.
    KeyFile,
    /// The key file and the recovery passphrase were replaced.
    KeyFileAndPassphrase,
    /// A new key file was made with the recovery passphrase.
    Recovered,
}

impl Change {
    fn event(self) -> Event {
        match self {
            Self::KeyFile => Event::SecretsRotated { passphrase: false },
            Self::KeyFileAndPassphrase => Event::SecretsRotated { passphrase: true },
            Self::Recovered => Event::SecretsRecovered {},
        }
    }
}

#[derive(Clone, Debug, Serialize, Deserialize)]
struct Note {
    cause: CauseId,
    at: Timestamp,
    change: Change,
}

/// Leaves word in the folder of a store that its keys were changed.
///
/// # Errors
/// When it cannot be written.
pub fn note(directory: &Path, change: Change, at: Timestamp) -> Result<(), StoreError> {
    let cause = clock::fresh(CauseId::new, at);
    let (begin, end) = NAME;
    notes::write(&directory.join(format!("{begin}{cause}{end}")), &Note { cause, at, change })
}

/// Writes down what notes in the folder of the store say, each once, and removes them. Tells how many there were.
///
/// # Errors
/// When the folder or the store fails; notes that were not written down stay.
pub async fn write_down(events: &Events, directory: &Path) -> Result<usize, Error> {
    let found = listed(directory).map_err(|error| Error::internal("look for notes about the keys", &error))?;
    for path in &found {
        let Some(Note { cause, at, change }) = notes::read(path) else {
            tracing::error!(path = %path.display(), "a note about the keys cannot be read; it is removed");
            notes::remove(path);
            continue;
        };
        // The note's own name: one that could not be removed is not written down again.
        let op = OpId::derive("secrets", &[cause.as_bytes()]);
        let noted = events.commit_at(at, op, By { actor: Actor::Console, cause }, move |tx| {
            tx.event(change.event());
            Ok(())
        });
        noted.await?;
        notes::remove(path);
    }
    Ok(found.len())
}

fn listed(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        if entry.file_name().to_str().is_some_and(|name| name.starts_with(NAME.0) && name.ends_with(NAME.1)) {
            found.push(entry.path());
        }
    }
    // Names begin with their time.
    found.sort();
    found.truncate(NOTES_MAX);
    Ok(found)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use auricle_domain::id::TenantId;
    use auricle_storage::{Backend, KeySource, Store, StoreOptions};

    /// SEC-20: what was done to the keys is in the chain once, however often the note is found, and what is no note is not.
    #[tokio::test]
    async fn a_change_of_the_keys_is_written_down_once() {
        let folder = tempfile::tempdir().unwrap();
        let now = clock::system();
        let store = Store::open(StoreOptions {
            directory: folder.path().to_owned(),
            backend: Backend::Memory,
            keys: KeySource::Fresh,
            tenant: clock::fresh(TenantId::new, now),
        })
        .unwrap();
        let events = Events::new(store.clone(), clock::system);
        note(folder.path(), Change::KeyFileAndPassphrase, now).unwrap();
        std::fs::write(folder.path().join("secrets-0.note"), b"{").unwrap();
        let kept = listed(folder.path()).unwrap().pop().unwrap();
        let bytes = std::fs::read(&kept).unwrap();
        assert_eq!(write_down(&events, folder.path()).await.unwrap(), 2);
        assert!(listed(folder.path()).unwrap().is_empty());
        // As after a crash before it was removed.
        std::fs::write(&kept, bytes).unwrap();
        assert_eq!(write_down(&events, folder.path()).await.unwrap(), 1);
        let told: Vec<_> =
            store.feed(0, 10).unwrap().into_iter().map(|envelope| (envelope.at, envelope.event)).collect();
        assert_eq!(told, [(now, Event::SecretsRotated { passphrase: true })]);
        assert_eq!(store.verify_audit(&[], |_, _| {}).unwrap().entries, 1);
    }
}
