//! Music on hold: an administrator brings a piece of the clinic's own, hears it, and removes it again.
//!
//! It is converted once, when it is brought: to one channel of 16 kHz, as loud as the built-in piece. That is what is kept, sealed,
//! and what is played.

use crate::app::App;
use crate::auth::{May, permissions::EditClinic};
use crate::clock;
use crate::error::Error;
use crate::page::Checks;
use crate::providers::wav;
use crate::voice::VoiceHandle;
use auricle_domain::event::Event;
use auricle_domain::music::HoldMusic;
use auricle_media::audio::music::Piece;
use auricle_media::io::{Command, Rate};
use auricle_storage::{BlobId, Store};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tokio::sync::Mutex;

/// Largest file that is taken: three minutes of 48 kHz with two channels, and its header.
pub const FILE_BYTES_MAX: usize = 35 * 1024 * 1024;
/// Longest piece, in seconds. It is kept in memory while the service runs: 48 KB for each second.
const SECONDS_MAX: usize = 180;
/// Longest name, in characters.
const NAME_CHARS_MAX: usize = 120;

/// Changes wait for each other: two of them may be about the same audio. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Music(Arc<Mutex<()>>);

/// What callers hear while they wait.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct MusicView {
    /// The clinic's own piece; none: the built-in one.
    pub own: Option<HoldMusic>,
}

/// What callers hear while they wait.
///
/// # Errors
/// When the store cannot be reached.
pub fn get(app: &App, _may: &May<EditClinic>) -> Result<MusicView, Error> {
    Ok(MusicView { own: app.store.read(|tx| tx.get::<HoldMusic>(&()))? })
}

/// The clinic's own piece as a WAV file of 16 kHz.
///
/// # Errors
/// `not_found` without one.
pub async fn audio(app: &App, _may: &May<EditClinic>) -> Result<Vec<u8>, Error> {
    let kept = app.store.read(|tx| tx.get::<HoldMusic>(&()))?;
    let blob = kept.as_ref().and_then(blob_of).ok_or_else(|| Error::not_found("music on hold"))?;
    let blobs = app.store.blobs().clone();
    let read = tokio::task::spawn_blocking(move || blobs.get(blob)).await;
    Ok(read.map_err(|error| Error::internal("read the music on hold", &error))??)
}

/// Puts a WAV file in the place of what was played before; whoever is put on hold from now on hears it.
///
/// # Errors
/// `invalid` when it is none that can be played, too long, shorter than a second, or silent.
pub async fn replace(app: &App, may: &May<EditClinic>, name: &str, file: Vec<u8>) -> Result<MusicView, Error> {
    let mut checks = Checks::default();
    let name = checks.text("name", name, 1, NAME_CHARS_MAX);
    checks.done()?;
    let _changing = app.music.0.lock().await;
    let blobs = app.store.blobs().clone();
    let made = tokio::task::spawn_blocking(move || {
        let piece = converted(&file)?;
        let kept = wav::file(Rate::Hz16000.hz(), piece.wide());
        let blob = BlobId::of(&kept);
        blobs.put(blob, &kept)?;
        Ok::<_, Error>((piece, blob))
    });
    let (piece, blob) = made.await.map_err(|error| Error::internal("convert music on hold", &error))??;
    let length_ms = piece.wide().len() as u64 * 1_000 / u64::from(Rate::Hz16000.hz());
    let kept = HoldMusic { name, length_ms, content_sha256: blob.name(), created_at: (app.clock)() };
    let changed = app.events.commit(clock::op(), may.by(), {
        let kept = kept.clone();
        move |tx| {
            let before = tx.get::<HoldMusic>(&())?;
            tx.put(&kept)?;
            tx.event(Event::MusicChanged {});
            Ok(before)
        }
    });
    let before = changed.await?;
    if let Some(old) = before.as_ref().and_then(blob_of).filter(|old| *old != blob) {
        forget(&app.store, old).await;
    }
    tell(&app.voice, Some(piece))?;
    Ok(MusicView { own: Some(kept) })
}

/// Goes back to the built-in piece.
///
/// # Errors
/// `not_found` when that is what is played.
pub async fn remove(app: &App, may: &May<EditClinic>) -> Result<(), Error> {
    let _changing = app.music.0.lock().await;
    let removed = app.events.commit(clock::op(), may.by(), |tx| {
        let before = tx.get::<HoldMusic>(&())?.ok_or_else(|| Error::not_found("music on hold"))?;
        tx.delete::<HoldMusic>(&())?;
        tx.event(Event::MusicRemoved {});
        Ok(before)
    });
    let removed = removed.await?;
    tell(&app.voice, None)?;
    if let Some(blob) = blob_of(&removed) {
        forget(&app.store, blob).await;
    }
    Ok(())
}

/// Hands the clinic's own piece to the engine after a start. Where it cannot be read, the built-in one is played.
pub(crate) async fn begin(music: Music, store: Store, voice: VoiceHandle) {
    let _changing = music.0.lock().await;
    let read = tokio::task::spawn_blocking(move || {
        let kept = store.read(|tx| tx.get::<HoldMusic>(&()))?;
        let Some(blob) = kept.as_ref().and_then(blob_of) else { return Ok(None) };
        let bytes = store.blobs().get(blob)?;
        let wide = wav::read_wideband(&bytes).map_err(|error| Error::internal("read the music on hold", &error))?;
        Ok::<_, Error>(Piece::new(&wide))
    });
    match read.await {
        Ok(Ok(None)) => {}
        Ok(Ok(Some(piece))) => {
            if let Err(error) = tell(&voice, Some(piece)) {
                tracing::error!(%error, "the engine does not know the clinic's music on hold: the built-in piece is played");
            }
        }
        Ok(Err(error)) => {
            tracing::error!(%error, "the clinic's music on hold cannot be read: the built-in piece is played");
        }
        Err(error) => {
            tracing::error!(%error, "reading the clinic's music on hold has failed: the built-in piece is played");
        }
    }
}

fn converted(file: &[u8]) -> Result<Piece, Error> {
    let wide = wav::read_wideband(file).map_err(|error| Error::field("file", "not_wav", error.to_string()))?;
    let seconds = wide.len() / Rate::Hz16000.hz() as usize;
    if seconds > SECONDS_MAX {
        return Err(Error::field(
            "file",
            "too_long",
            format!("the piece lasts {seconds} seconds, allowed are {SECONDS_MAX}"),
        ));
    }
    Piece::new(&wide).ok_or_else(|| Error::field("file", "silent", "the piece is shorter than a second, or silent"))
}

fn blob_of(kept: &HoldMusic) -> Option<BlobId> {
    BlobId::from_sha256(&kept.content_sha256)
}

fn tell(voice: &VoiceHandle, piece: Option<Piece>) -> Result<(), Error> {
    let told = voice.send(Command::MusicPiece(piece.map(Arc::new)));
    told.map_err(|error| Error::internal("tell the engine its music on hold", &error))
}

/// Removes audio that no record names any more. What stays is room that is lost, no more.
async fn forget(store: &Store, blob: BlobId) {
    let blobs = store.blobs().clone();
    match tokio::task::spawn_blocking(move || blobs.delete(blob)).await {
        Ok(Ok(_)) => {}
        Ok(Err(error)) => tracing::error!(%error, "music on hold that was replaced could not be removed"),
        Err(error) => tracing::error!(%error, "removing music on hold has failed"),
    }
}
