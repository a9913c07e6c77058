//! Recordings as they are listened to: a WAV file over the raw samples of a call, also while they are being written.
//!
//! A blob holds interleaved 16-bit little-endian samples, caller, receptionist, staff, without a header: what was written before
//! a crash is a recording as it is. The header is made when somebody listens. How many channels there are is in the call's
//! record: recordings of before there were calls with staff have the first two.

use crate::app::App;
use crate::auth::May;
use crate::auth::permissions::ReadCalls;
use crate::calls;
use crate::error::{Error, ErrorCode};
use crate::reasons::{self, Part};
use crate::voice::recording::RecordingSink;
use auricle_domain::call::{Call, Recording};
use auricle_domain::code::RecordingState;
use auricle_domain::id::CallId;
use auricle_storage::{BlobId, BlobReader, BlobWriter, Blobs, StoreError};
use serde::{Deserialize, Serialize};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::RangeInclusive;

/// Bytes of one sample of one channel.
const SAMPLE_BYTES: u64 = 2;
/// Bytes of the body of a plain `fmt ` chunk, for one or two channels.
const FORMAT_BYTES: u32 = 16;
/// The same for more: `WAVE_FORMAT_EXTENSIBLE` says which loudspeaker each channel is for.
const EXTENSIBLE_BYTES: u32 = 40;
/// Loudspeakers of caller, receptionist and staff: front left, right and centre. Players without a centre put it on both sides.
const SPEAKERS: u32 = 0x7;
/// `KSDATAFORMAT_SUBTYPE_PCM` after its first two bytes, which are the format's tag.
const PCM_GUID: [u8; 14] = [0, 0, 0, 0, 0x10, 0, 0x80, 0, 0, 0xaa, 0, 0x38, 0x9b, 0x71];
/// Points of a drawn recording.
pub const POINTS: RangeInclusive<u32> = 10..=4_000;
/// Points unless told.
pub const POINTS_DEFAULT: u32 = 600;
/// Of a point's stretch, so many moments are looked at: a long call is drawn from samples of it, not from all of it.
const LOOKED_AT_MAX: u64 = 8_192;

/// The loudness of a recording over time. All channels have as many points, evenly spaced over `length_ms`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Waveform {
    /// Samples a second of the recording.
    pub rate_hz: u32,
    /// Length, in milliseconds.
    pub length_ms: u64,
    /// Peaks of the caller, 0 to 100.
    pub caller: Vec<u8>,
    /// Peaks of the receptionist, 0 to 100.
    pub receptionist: Vec<u8>,
    /// Peaks of the clinic's people, 0 to 100; empty where the recording has no channel of theirs.
    pub staff: Vec<u8>,
}

/// A recording, opened: a WAV file as long as the recording was at that moment.
pub struct Audio {
    reader: BlobReader,
    header: Vec<u8>,
    rate_hz: u32,
    /// Bytes of one moment of all channels.
    frame_bytes: u64,
    frames: u64,
    /// Nothing more will be written: the same bytes come for every later request.
    pub complete: bool,
}

impl Audio {
    fn open(blobs: &Blobs, call: &Call) -> Result<Self, Error> {
        let there_is_none = || Error::new(ErrorCode::NotFound, "There is no recording of this call");
        if matches!(call.recording.state, RecordingState::Off | RecordingState::Refused) || call.recording.rate_hz == 0
        {
            return Err(there_is_none());
        }
        let reader = blobs.open(BlobId::Recording(call.id)).map_err(|error| match error.is_missing() {
            true => there_is_none(),
            false => error.into(),
        })?;
        let channels = call.recording.channels;
        let frame_bytes = frame_bytes(channels);
        let frames = reader.len()? / frame_bytes;
        let rate_hz = call.recording.rate_hz;
        let complete = call.recording.state == RecordingState::Stopped;
        if complete && frames < call.recording.length_ms * u64::from(rate_hz) / 1_000 {
            return Err(reader.damaged("its end is missing").into());
        }
        let header = header(rate_hz, channels, frames * frame_bytes);
        Ok(Self { header, reader, rate_hz, frame_bytes, frames, complete })
    }

    /// Length of the WAV file in bytes.
    pub fn bytes(&self) -> u64 {
        self.header_bytes() + self.frames * self.frame_bytes
    }

    fn header_bytes(&self) -> u64 {
        self.header.len() as u64
    }

    /// Length of what is heard, in milliseconds.
    pub fn length_ms(&self) -> u64 {
        self.frames * 1_000 / u64::from(self.rate_hz)
    }

    /// Up to `max` bytes of the WAV file from `at` on; empty at its end. Blocks on the disk.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn read(&mut self, at: u64, max: usize) -> io::Result<Vec<u8>> {
        let end = self.bytes().min(at.saturating_add(max as u64));
        if at >= end {
            return Ok(Vec::new());
        }
        let mut bytes = Vec::with_capacity(usize::try_from(end - at).unwrap_or(max));
        let header_bytes = self.header_bytes();
        if at < header_bytes {
            let (from, to) = (at as usize, end.min(header_bytes) as usize);
            bytes.extend_from_slice(&self.header[from..to]);
        }
        if end > header_bytes {
            let from = at.max(header_bytes) - header_bytes;
            self.reader.seek(SeekFrom::Start(from))?;
            (&mut self.reader).take(end - header_bytes - from).read_to_end(&mut bytes)?;
        }
        Ok(bytes)
    }

    /// Peaks of all channels at `points` places. Blocks on the disk.
    ///
    /// # Errors
    /// When the disk fails.
    fn waveform(&mut self, points: u64) -> io::Result<Waveform> {
        let mut peaks = [vec![], vec![], vec![]];
        let channels = usize::try_from(self.frame_bytes / SAMPLE_BYTES).unwrap_or(0);
        for point in 0..points {
            let (from, to) = (self.frames * point / points, self.frames * (point + 1) / points);
            let looked_at = (to - from).min(LOOKED_AT_MAX);
            let bytes =
                self.read(self.header_bytes() + from * self.frame_bytes, (looked_at * self.frame_bytes) as usize)?;
            for (channel, peaks) in peaks.iter_mut().enumerate().take(channels) {
                peaks.push(peak(&bytes, channel, channels));
            }
        }
        let [caller, receptionist, staff] = peaks;
        Ok(Waveform { rate_hz: self.rate_hz, length_ms: self.length_ms(), caller, receptionist, staff })
    }
}

/// Bytes of one moment of so many channels.
pub fn frame_bytes(channels: u8) -> u64 {
    SAMPLE_BYTES * u64::from(channels.max(1))
}

/// The loudest sample of one channel out of `channels`, 0 to 100.
fn peak(bytes: &[u8], channel: usize, channels: usize) -> u8 {
    let samples = bytes.as_chunks().0.iter().skip(channel).step_by(channels.max(1));
    let loudest = samples.map(|bytes| i16::from_le_bytes(*bytes).unsigned_abs()).max().unwrap_or(0);
    u8::try_from(u32::from(loudest) * 100 / 32_768).unwrap_or(100)
}

/// A header (RIFF, one `fmt ` and one `data` chunk) for so many bytes of 16-bit samples. Beyond 4 GiB, which is 12 hours of
/// three wideband channels, the length stays at the format's largest.
fn header(rate_hz: u32, channels: u8, data_bytes: u64) -> Vec<u8> {
    let is_plain = channels <= 2;
    let format_bytes = if is_plain { FORMAT_BYTES } else { EXTENSIBLE_BYTES };
    // The word WAVE, the heads of both chunks, and the body of the first.
    let rest = 4 + 8 + format_bytes + 8;
    let data = u32::try_from(data_bytes).unwrap_or(u32::MAX).min(u32::MAX - rest);
    let frame_bytes = u16::from(channels) * SAMPLE_BYTES as u16;
    let mut header = Vec::with_capacity(rest as usize + 8);
    let mut put = |bytes: &[u8]| header.extend_from_slice(bytes);
    put(b"RIFF");
    put(&(data + rest).to_le_bytes());
    put(b"WAVEfmt ");
    put(&format_bytes.to_le_bytes());
    put(&(if is_plain { 1_u16 } else { 0xfffe }).to_le_bytes());
    put(&u16::from(channels).to_le_bytes());
    put(&rate_hz.to_le_bytes());
    put(&(rate_hz * u32::from(frame_bytes)).to_le_bytes());
    put(&frame_bytes.to_le_bytes());
    put(&16_u16.to_le_bytes());
    if !is_plain {
        put(&22_u16.to_le_bytes());
        put(&16_u16.to_le_bytes());
        put(&SPEAKERS.to_le_bytes());
        put(&1_u16.to_le_bytes());
        put(&PCM_GUID);
    }
    put(b"data");
    put(&data.to_le_bytes());
    header
}

/// The bytes that a `Range` header (RFC 9110 section 14.2) asks for, out of `length`; none when all are wanted: without a header,
/// with several ranges, or with a unit other than bytes, which a server may ignore.
///
/// # Errors
/// `range_not_satisfiable` when nothing of it exists.
pub fn range(header: Option<&str>, length: u64) -> Result<Option<RangeInclusive<u64>>, Error> {
    let Some((first, last)) = header.and_then(|text| text.strip_prefix("bytes=")).and_then(|spec| spec.split_once('-'))
    else {
        return Ok(None);
    };
    let (first, last) = (first.trim(), last.trim());
    if last.contains(',') {
        return Ok(None);
    }
    let range = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => first..=last.min(length.saturating_sub(1)),
        (Ok(first), Err(_)) if last.is_empty() => first..=length.saturating_sub(1),
        (Err(_), Ok(suffix)) if first.is_empty() && suffix > 0 => {
            length.saturating_sub(suffix)..=length.saturating_sub(1)
        }
        (Err(_), Ok(0)) if first.is_empty() => length..=length,
        _ => return Ok(None),
    };
    if *range.start() >= length {
        let detail = format!("The recording has {length} bytes; asked for were those from {}", range.start());
        return Err(Error::new(ErrorCode::RangeNotSatisfiable, detail));
    }
    Ok(Some(range))
}

/// Opens the recording of a call; that it was listened to is noted.
///
/// # Errors
/// `not_found` when there is no such call or no recording of it; `reason_required` of a past call, where the clinic asks why.
pub async fn open(app: &App, may: &May<ReadCalls>, id: CallId) -> Result<Audio, Error> {
    let call = app.store.read(|tx| calls::known(tx, id))?;
    let audio = Audio::open(app.store.blobs(), &call)?;
    let reading = reasons::reading(app, may, &call, Part::Recording)?;
    app.events.record_read(reading, "recording", id).await?;
    Ok(audio)
}

/// The loudness of a recording over time, for drawing.
///
/// # Errors
/// `not_found` without a recording, `invalid` for a number of points outside of [`POINTS`].
pub async fn waveform(app: &App, _may: &May<ReadCalls>, id: CallId, points: Option<u32>) -> Result<Waveform, Error> {
    let points = points.unwrap_or(POINTS_DEFAULT);
    if !POINTS.contains(&points) {
        let detail = format!("points is {points}, allowed are {} to {}", POINTS.start(), POINTS.end());
        return Err(Error::field("points", "out_of_range", detail));
    }
    let call = app.store.read(|tx| calls::known(tx, id))?;
    let mut audio = Audio::open(app.store.blobs(), &call)?;
    let drawn = tokio::task::spawn_blocking(move || audio.waveform(u64::from(points))).await;
    let drawn = drawn.map_err(|error| Error::internal("draw the recording", &error))?;
    drawn.map_err(|error| Error::internal("read the recording", &error))
}

/// What there is of a recording whose writer was killed: as long as its file is.
///
/// # Errors
/// When the disk fails; a missing file is an empty recording.
pub fn recovered(blobs: &Blobs, call: &Call) -> Result<Recording, StoreError> {
    let frames = match blobs.finish(BlobId::Recording(call.id)) {
        Ok(bytes) => bytes / frame_bytes(call.recording.channels),
        Err(error) if error.is_missing() => 0,
        Err(error) => return Err(error),
    };
    let recording = call.recording.clone();
    let length_ms = (frames * 1_000).checked_div(u64::from(recording.rate_hz)).unwrap_or(0);
    Ok(Recording { state: RecordingState::Stopped, length_ms, ..recording })
}

/// A growing blob as the place of a recording.
pub struct BlobSink(pub BlobWriter);

impl RecordingSink for BlobSink {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.0.append(bytes).map_err(io::Error::other)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.0.sync().map_err(io::Error::other)
    }

    fn finish(self: Box<Self>) -> io::Result<()> {
        self.0.finish().map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// REC-04: byte ranges, as players ask for them.
    #[test]
    fn ranges_are_cut_to_what_there_is() {
        for (header, expected) in [
            (None, Some(None)),
            (Some("bytes=0-99"), Some(Some(0..=99))),
            (Some("bytes=900-"), Some(Some(900..=999))),
            (Some("bytes=-100"), Some(Some(900..=999))),
            (Some("bytes=-5000"), Some(Some(0..=999))),
            (Some("bytes=0-99999"), Some(Some(0..=999))),
            (Some("bytes=1000-"), None),
            (Some("bytes=-0"), None),
            (Some("bytes=5-2"), Some(None)),
            (Some("bytes=0-1,5-6"), Some(None)),
            (Some("bytes=x-y"), Some(None)),
            (Some("seconds=1-2"), Some(None)),
            (Some("bytes=99999999999999999999-"), Some(None)),
        ] {
            assert_eq!(range(header, 1_000).ok(), expected, "{header:?}");
        }
        assert_eq!(range(Some("bytes=0-"), 0).unwrap_err().code, ErrorCode::RangeNotSatisfiable);
    }

    #[test]
    fn the_header_says_what_follows() {
        for (channels, length, tag) in [(2, 44, 1), (3, 68, 0xfffe)] {
            let header = header(16_000, channels, 96_000);
            let word = |at: usize| u32::from_le_bytes(header[at..at + 4].try_into().unwrap());
            let half = |at: usize| u16::from_le_bytes(header[at..at + 2].try_into().unwrap());
            assert_eq!((header.len(), &header[..4], half(20), half(22)), (length, &b"RIFF"[..], tag, channels.into()));
            assert_eq!(word(4) as usize, 96_000 + length - 8, "all that follows");
            assert_eq!(word(16) as usize, length - 28, "the format's own length");
            assert_eq!((word(24), word(28)), (16_000, 32_000 * u32::from(channels)), "bytes a second");
            assert_eq!((&header[length - 8..length - 4], word(length - 4)), (&b"data"[..], 96_000));
        }
        let endless = header(8_000, 3, u64::MAX);
        assert_eq!(endless[4..8], u32::MAX.to_le_bytes());
    }

    #[test]
    fn a_peak_is_of_its_own_channel() {
        let bytes = |samples: &[i16]| -> Vec<u8> { samples.iter().flat_map(|sample| sample.to_le_bytes()).collect() };
        let stereo = bytes(&[100, -32_768, -16_384, 5, 0, 0]);
        assert_eq!([0, 1].map(|channel| peak(&stereo, channel, 2)), [50, 100]);
        let three = bytes(&[100, -32_768, 0, -16_384, 5, 8_192]);
        assert_eq!([0, 1, 2].map(|channel| peak(&three, channel, 3)), [50, 100, 25]);
        assert_eq!(peak(&[], 0, 3), 0);
    }
}
