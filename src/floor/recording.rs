//! The recording of one call, as the floor follows it: made, begun, complete.

use crate::recordings::BlobSink;
use crate::voice::VoiceHandle;
use crate::voice::recording::{Meta, State};
use auricle_domain::call::{CHANNELS, Recording};
use auricle_domain::code::RecordingState;
use auricle_domain::floor::Input;
use auricle_domain::id::CallId;
use auricle_media::io::LegId;
use auricle_storage::{BlobId, Room, Store, StoreError};
use tokio::sync::{mpsc, watch};

/// Makes the file of a recording, has the engine write into it, and tells the floor of its begin and its end.
pub(super) async fn record(store: Store, voice: VoiceHandle, mailbox: mpsc::Sender<Input>, call: CallId, leg: LegId) {
    let opened = tokio::task::spawn_blocking(move || match store.room() {
        Room::Enough => store.blobs().create(BlobId::Recording(call)),
        Room::Low | Room::Full | Room::None => Err(StoreError::DiskLow { free_mib: store.free_bytes() >> 20 }),
    });
    let progress = match opened.await {
        Ok(Ok(writer)) => voice.record(leg, Box::new(BlobSink(writer))).map_err(|error| error.to_string()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(error) => Err(error.to_string()),
    };
    let last = match progress {
        Ok(progress) => follow(progress, &mailbox, call).await,
        Err(reason) => {
            tracing::error!(%call, reason, "a call is not recorded");
            Meta::default()
        }
    };
    let recording = told(&last, if last.rate_hz == 0 { RecordingState::Off } else { RecordingState::Stopped });
    let _gone = mailbox.send(Input::Recorded { call, recording, complete: true }).await;
}

/// Waits for the first second, tells of it, then waits for the end.
async fn follow(mut progress: watch::Receiver<Meta>, mailbox: &mpsc::Sender<Input>, call: CallId) -> Meta {
    let mut begun = false;
    loop {
        let meta = progress.borrow_and_update().clone();
        match meta.state {
            State::Finished => return meta,
            State::Failed => {
                tracing::error!(%call, "a recording broke off; what was written is kept");
                return meta;
            }
            State::Writing if !begun => {
                begun = true;
                let recording = told(&meta, RecordingState::Recording);
                let _gone = mailbox.send(Input::Recorded { call, recording, complete: false }).await;
            }
            State::Waiting | State::Writing => {}
        }
        if progress.changed().await.is_err() {
            return progress.borrow().clone();
        }
    }
}

fn told(meta: &Meta, state: RecordingState) -> Recording {
    Recording {
        state,
        rate_hz: meta.rate_hz,
        length_ms: meta.length_ms,
        offset_ms: meta.offset_ms,
        gap_ms: meta.gap_ms,
        sha256: meta.sha256.clone(),
        channels: CHANNELS,
        masked: meta.masked.clone(),
    }
}
