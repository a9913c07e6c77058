//! Looks after the room on the disk: the store acts on what is found here.

use auricle_storage::{Room, Store};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often the disk is looked at. At full speed the store writes a fraction of its reserve in this time.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// Looks until it is told to stop.
pub async fn run(store: Store, stop: CancellationToken) {
    loop {
        let looking = store.clone();
        match tokio::task::spawn_blocking(move || looking.look_for_room()).await {
            Ok(Ok((room, true))) => tell(&store, room),
            Ok(Ok((_, false))) => {}
            Ok(Err(error)) => tracing::error!(%error, "nobody knows how much room the disk has"),
            Err(error) => tracing::error!(%error, "the disk could not be looked at"),
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
}

fn tell(store: &Store, room: Room) {
    let free_mib = store.free_bytes() >> 20;
    match room {
        Room::Enough => tracing::info!(free_mib, "the disk has room again: everything is written"),
        Room::Low => tracing::warn!(free_mib, "the disk is getting full: new calls are not recorded"),
        Room::Full => tracing::error!(free_mib, "the disk is nearly full: only what calls and sign-in need is written"),
        Room::None => tracing::error!(free_mib, "the disk is full: nothing is written, calls go on without a trace"),
    }
}
