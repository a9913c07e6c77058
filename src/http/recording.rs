//! A recording as a WAV file, whole or in ranges (RFC 9110 section 14), also while it is being written.

use crate::app::App;
use crate::auth::May;
use crate::auth::permissions::ReadCalls;
use crate::error::Error;
use crate::recordings::{self, Audio};
use auricle_domain::id::CallId;
use axum::body::Body;
use axum::http::header::{ACCEPT_RANGES, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, RANGE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use std::io;

/// Bytes read from the disk at a time, for one listener.
const CHUNK_BYTES: usize = 64 * 1024;

/// Serves the recording of a call.
///
/// # Errors
/// `not_found` without a recording; `range_not_satisfiable`.
pub async fn serve(app: &App, may: &May<ReadCalls>, id: CallId, headers: &HeaderMap) -> Result<Response, Error> {
    let audio = recordings::open(app, may, id).await?;
    let length = audio.bytes();
    let asked = headers.get(RANGE).and_then(|value| value.to_str().ok());
    let range = recordings::range(asked, length)?;
    let (first, end) = range.as_ref().map_or((0, length), |range| (*range.start(), *range.end() + 1));
    // What is complete never changes again; what is being written is longer next time.
    let cache = if audio.complete { "private, max-age=3600" } else { "no-store" };
    let mut response =
        Body::from_stream(stream::try_unfold((audio, first), move |place| chunk(place, end))).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("audio/wav"));
    headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(end - first));
    if range.is_some() {
        let text = format!("bytes {first}-{}/{length}", end - 1);
        headers.insert(
            CONTENT_RANGE,
            HeaderValue::try_from(text).map_err(|error| Error::internal("name a range", &error))?,
        );
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

/// The next bytes before `end`, read on a blocking thread.
async fn chunk((mut audio, at): (Audio, u64), end: u64) -> io::Result<Option<(Vec<u8>, (Audio, u64))>> {
    let most = usize::try_from(end - at).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
    if most == 0 {
        return Ok(None);
    }
    let read = tokio::task::spawn_blocking(move || audio.read(at, most).map(|bytes| (bytes, audio)));
    let (bytes, audio) = read.await.map_err(io::Error::other)??;
    if bytes.is_empty() {
        return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
    }
    let next = at + bytes.len() as u64;
    Ok(Some((bytes, (audio, next))))
}
