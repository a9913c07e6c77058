//! Writes down what was done to the keys while the service had the store.

use crate::events::Events;
use crate::secrets;
use std::path::PathBuf;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often notes are looked for.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Looks until it is told to stop.
pub async fn run(events: Events, directory: PathBuf, stop: CancellationToken) {
    loop {
        if let Err(error) = secrets::write_down(&events, &directory).await {
            tracing::warn!(%error, "a change of the keys could not be written down yet");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}
