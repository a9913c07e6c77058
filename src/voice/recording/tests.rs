//! Recordings on tapes in memory.
#![allow(clippy::unwrap_used)]

use super::track::MOMENT_BYTES;
use super::*;
use auricle_domain::call::MASKED_MAX;
use sha2::{Digest, Sha256};
use std::sync::{Arc, LazyLock, Mutex};

/// When the legs of these tests were answered.
static START: LazyLock<Instant> = LazyLock::new(Instant::now);

#[derive(Clone, Default)]
struct Tape {
    bytes: Arc<Mutex<Vec<u8>>>,
    full_at: Option<usize>,
}

impl RecordingSink for Tape {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut tape = self.bytes.lock().unwrap();
        if self.full_at.is_some_and(|full| tape.len() + bytes.len() > full) {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        tape.extend_from_slice(bytes);
        Ok(())
    }
    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
    fn finish(self: Box<Self>) -> io::Result<()> {
        Ok(())
    }
}

impl Tape {
    fn moments(&self) -> Vec<[i16; 3]> {
        let sample = |moment: &[u8], at: usize| i16::from_le_bytes([moment[at], moment[at + 1]]);
        let bytes = self.bytes.lock().unwrap();
        bytes.chunks_exact(MOMENT_BYTES).map(|moment| [0, 2, 4].map(|at| sample(moment, at))).collect()
    }
}

fn frame_of(rate: Rate, at_ms: u64, levels: [i16; 3]) -> Frame {
    let channels = levels.map(|level| vec![level; rate.frame()].into());
    Frame { rate, at: *START + Duration::from_millis(at_ms), at_ms, channels, masked: false }
}

fn frame(at_ms: u64, levels: [i16; 3]) -> Frame {
    frame_of(Rate::Hz8000, at_ms, levels)
}

fn masked(at_ms: u64) -> Frame {
    Frame { channels: Default::default(), masked: true, ..frame(at_ms, [0; 3]) }
}

fn track(tape: &Tape) -> (Track, watch::Receiver<Meta>) {
    let (report, seen) = watch::channel(Meta::default());
    (Track::new(Box::new(tape.clone()), report), seen)
}

/// REC-04, B-03
#[test]
fn all_channels_are_kept_apart_and_in_order() {
    let tape = Tape::default();
    let mut recordings = Recordings::start().unwrap();
    let (report, seen) = watch::channel(Meta::default());
    assert!(recordings.begin(LegId(1), Box::new(tape.clone()), report));
    for (index, at_ms) in (400..=480).step_by(20).enumerate() {
        assert!(recordings.frame(LegId(1), frame(at_ms, [index as i16, -100, 9])));
    }
    assert!(recordings.frame(LegId(2), frame(0, [7, 7, 7])), "a leg nobody records");
    recordings.end(LegId(1));
    recordings.stop();
    let expected: Vec<[i16; 3]> = (0..5).flat_map(|index| vec![[index, -100, 9]; 160]).collect();
    assert_eq!(tape.moments(), expected);
    let meta = seen.borrow().clone();
    assert_eq!((meta.state, meta.rate_hz, meta.offset_ms), (State::Finished, 8000, 400));
    assert_eq!((meta.length_ms, meta.gap_ms), (100, 0));
    let bytes = tape.bytes.lock().unwrap().clone();
    let expected: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(meta.sha256, Some(expected));
}

#[test]
fn lost_frames_become_silence_of_the_same_length() {
    let tape = Tape::default();
    let (mut track, seen) = track(&tape);
    track.frame(&frame(0, [1, 2, 3]));
    track.frame(&frame(100, [4, 5, 6]));
    track.sync();
    let moments = tape.moments();
    assert_eq!(moments.len(), 6 * 160);
    assert!(moments[160..5 * 160].iter().all(|moment| *moment == [0; 3]));
    assert_eq!(moments[5 * 160], [4, 5, 6]);
    assert_eq!((seen.borrow().length_ms, seen.borrow().gap_ms), (120, 80));
}

/// B-16: what is masked is silent, is no gap, and its spans are told; more of them than there is room for are told as one.
#[test]
fn masked_spans_are_told() {
    let tape = Tape::default();
    let (mut track, seen) = track(&tape);
    track.frame(&frame(40, [1, 2, 3]));
    track.frame(&masked(60));
    track.frame(&masked(80));
    track.frame(&frame(100, [4, 5, 6]));
    track.frame(&masked(120));
    track.sync();
    let moments = tape.moments();
    assert!(moments[160..3 * 160].iter().chain(&moments[4 * 160..]).all(|moment| *moment == [0; 3]));
    assert_eq!((moments.len(), moments[3 * 160]), (5 * 160, [4, 5, 6]));
    let spans = [Span { from_ms: 60, to_ms: 100 }, Span { from_ms: 120, to_ms: 140 }];
    assert_eq!((seen.borrow().masked.as_slice(), seen.borrow().gap_ms), (&spans[..], 0));
    for index in 0..100 {
        track.frame(&frame(140 + index * 40, [1, 2, 3]));
        track.frame(&masked(160 + index * 40));
    }
    track.finish();
    let told = seen.borrow().masked.clone();
    assert_eq!((told.len(), told.last().map(|span| span.to_ms)), (MASKED_MAX, Some(160 + 99 * 40 + 20)));
}

#[test]
fn a_late_frame_is_not_written_twice() {
    let tape = Tape::default();
    let (mut track, _seen) = track(&tape);
    track.frame(&frame(20, [1, 2, 3]));
    track.frame(&frame(20, [9; 3]));
    track.frame(&frame(0, [9; 3]));
    assert_eq!(tape.moments().len(), 160);
}

#[test]
fn another_rate_in_mid_call_keeps_times_true() {
    let tape = Tape::default();
    let (mut track, seen) = track(&tape);
    track.frame(&frame_of(Rate::Hz16000, 0, [5, 6, 7]));
    track.frame(&frame(20, [7, 8, 9]));
    track.sync();
    let moments = tape.moments();
    assert_eq!(moments.len(), 640);
    assert_eq!((moments[0], moments[320], moments[639]), ([5, 6, 7], [7, 8, 9], [7, 8, 9]));
    assert_eq!((seen.borrow().rate_hz, seen.borrow().length_ms), (16_000, 40));
}

#[test]
fn a_full_disk_ends_the_recording_and_says_so() {
    let tape = Tape { full_at: Some(1_000), ..Tape::default() };
    let (mut track, seen) = track(&tape);
    track.frame(&frame(0, [1, 2, 3]));
    track.sync();
    track.frame(&frame(20, [1, 2, 3]));
    track.frame(&frame(40, [1, 2, 3]));
    track.finish();
    let meta = seen.borrow().clone();
    assert_eq!((meta.state, meta.length_ms, meta.sha256), (State::Failed, 20, None));
    assert_eq!(tape.moments().len(), 160);
}

/// Frames of another leg, whose own time is hours later and whose rate is another one, lie where they were said; what is masked of them
/// too. The moment in which nobody could be recorded is silent and no gap, a longer one is.
#[test]
fn a_recording_goes_on_at_another_leg() {
    let tape = Tape::default();
    let (mut track, seen) = track(&tape);
    let other = |ms_later: u64, rate, masked| {
        let at_ms = 9_000_000 + ms_later;
        Frame { at: *START + Duration::from_millis(100 + ms_later), masked, ..frame_of(rate, at_ms, [0, 8, 9]) }
    };
    track.frame(&frame(100, [1, 2, 3]));
    track.leave(*START);
    track.go_on();
    track.frame(&other(80, Rate::Hz16000, false));
    track.frame(&other(100, Rate::Hz16000, true));
    track.sync();
    let moments = tape.moments();
    assert_eq!((moments[0], moments[159], moments.len()), ([1, 2, 3], [1, 2, 3], 6 * 160));
    assert!(moments[160..4 * 160].iter().all(|moment| *moment == [0; 3]));
    assert!(moments[4 * 160..5 * 160].iter().all(|moment| *moment == [0, 8, 9]));
    let meta = seen.borrow().clone();
    assert_eq!((meta.offset_ms, meta.length_ms, meta.gap_ms, meta.rate_hz), (100, 120, 0, 8_000));
    assert_eq!(meta.masked, [Span { from_ms: 200, to_ms: 220 }]);
    assert!(!track.waits_for(Duration::ZERO, *START), "it has a leg");
    track.go_on();
    track.frame(&other(1_120, Rate::Hz8000, false));
    track.sync();
    assert_eq!((seen.borrow().length_ms, seen.borrow().gap_ms), (1_140, 1_000));
}

/// A leg that goes over to another quarter of the tick is served some milliseconds earlier from then on: nothing of it is left out, and
/// nothing put in.
#[test]
fn a_leg_that_is_served_earlier_loses_nothing() {
    let tape = Tape::default();
    let (mut track, seen) = track(&tape);
    for (index, tick_ms) in [0, 20, 25, 45, 50, 70, 75, 95].into_iter().enumerate() {
        let at = *START + Duration::from_millis(tick_ms);
        track.frame(&Frame { at, ..frame(index as u64 * 20, [index as i16, 0, 0]) });
    }
    track.sync();
    let expected: Vec<[i16; 3]> = (0..8).flat_map(|index| vec![[index, 0, 0]; 160]).collect();
    assert_eq!((tape.moments(), seen.borrow().gap_ms), (expected, 0));
}

/// A leg of which nothing had come when another one took its place says nothing of where in the call that was.
#[test]
fn a_recording_that_goes_on_before_it_began_begins_with_the_call() {
    let tape = Tape::default();
    let (mut track, seen) = track(&tape);
    track.go_on();
    track.frame(&frame(9_000_000, [1, 2, 3]));
    track.sync();
    assert_eq!((seen.borrow().offset_ms, seen.borrow().length_ms), (0, 20));
}

/// A recording whose leg is over is complete once nobody goes on with it, at once or after a while.
#[test]
fn a_recording_ends_when_it_is_told_or_left() {
    let mut writer = Writer::default();
    let mut begin = |leg| {
        let (meta, seen) = watch::channel(Meta::default());
        writer.take(Entry::Begin { leg: LegId(leg), sink: Box::new(Tape::default()), meta });
        writer.take(Entry::Frame { leg: LegId(leg), frame: frame(0, [1, 2, 3]) });
        seen
    };
    let [told, left, changed] = [1, 2, 3].map(&mut begin);
    for leg in [1, 2, 3] {
        writer.take(Entry::Leave { leg: LegId(leg) });
    }
    writer.take(Entry::GoOn { from: LegId(3), to: LegId(4) });
    writer.take(Entry::End { leg: LegId(1) });
    let states = || [&told, &left, &changed].map(|seen| seen.borrow().state == State::Finished);
    writer.forsake(Instant::now());
    assert_eq!(states(), [true, false, false]);
    writer.forsake(Instant::now() + LEFT_MAX);
    assert_eq!(states(), [true, true, false]);
    writer.take(Entry::Frame { leg: LegId(4), frame: frame(20, [4, 5, 6]) });
    writer.take(Entry::End { leg: LegId(4) });
    assert_eq!((states(), changed.borrow().length_ms), ([true; 3], 40));
}
