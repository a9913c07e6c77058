//! What stands between a leg's audio and a carrier's media socket: marks say how far the far end has really heard.
//!
//! Frames leave at the pace of the tick and wait at the carrier before they are heard. After each report of a playing a
//! mark is sent, and the report is told when the mark comes back. What is flushed is cleared at the carrier too; how far it was
//! heard then follows from how long marks took to come back.

use super::{Audio, Kept};
use crate::io::{CARRIER_GRACE, CarrierOrder, Codec, Command, EngineEvent, LegId, Output, PlayId};
use crate::sip::sdp::{Agreed, Direction};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Marks that are awaited at most: more than six seconds of them. The oldest is then taken as played.
const MARKS_MAX: usize = 64;
/// A mark that has not come back for this long is taken as played: whoever plays must not wait for ever.
const MARK_WAIT: Duration = Duration::from_secs(3);
/// Marks in a row that never came back, after which none are awaited any more: this carrier has none.
const MARKS_MISSED_MAX: u32 = 3;

/// The carrier of one leg.
pub(crate) struct Carrier {
    leg: LegId,
    codec: Codec,
    /// It presses keys when told.
    presses: bool,
    next_mark: u64,
    marks: VecDeque<Mark>,
    missed: u32,
    /// What was last told as heard.
    heard: Option<(PlayId, u64)>,
    /// How long the last mark took to come back.
    way: Option<Duration>,
    lost_at: Option<Instant>,
    /// What the audio wants to say, on its way through.
    inner: VecDeque<Output>,
}

/// A report that waits for its mark.
#[derive(Clone, Copy, Debug)]
struct Mark {
    number: u64,
    left_at: Instant,
    report: Report,
}

/// How far a playing has come; the contents of [`EngineEvent::PlayedTo`].
#[derive(Clone, Copy, Debug)]
struct Report {
    id: PlayId,
    samples: u64,
    started_ms: u64,
    done: bool,
}

impl Carrier {
    pub(crate) fn new(leg: LegId, codec: Codec, presses: bool) -> Self {
        Self {
            leg,
            codec,
            presses,
            next_mark: 1,
            marks: VecDeque::new(),
            missed: 0,
            heard: None,
            way: None,
            lost_at: None,
            inner: VecDeque::new(),
        }
    }

    /// What there is to agree on: the codec. No packets are sent, so there is no address.
    pub(crate) fn agreed(&self) -> Agreed {
        Agreed {
            codec: self.codec,
            payload_send: self.codec.payload_type(),
            payload_receive: self.codec.payload_type(),
            events_send: None,
            events_receive: None,
            remote: None,
            remote_rtcp: None,
            rtcp_mux: false,
            keys: None,
            direction: Direction::SendRecv,
            ptime_ms: 20,
        }
    }

    /// 20 ms of both directions.
    pub(crate) fn speak(&mut self, audio: &mut Audio, at: Instant, kept: Kept, outputs: &mut VecDeque<Output>) {
        audio.speak(at, kept, &mut self.inner);
        if let Some(payload) = audio.outgoing().filter(|_| self.lost_at.is_none()) {
            outputs.push_back(Output::Frame { leg: self.leg, payload: payload.into() });
        }
        self.pass(at, outputs);
        while self.marks.front().is_some_and(|mark| at.saturating_duration_since(mark.left_at) >= MARK_WAIT) {
            self.missed += 1;
            self.give_up(outputs);
        }
    }

    /// Something about playing.
    pub(crate) fn play(&mut self, audio: &mut Audio, command: Command, now: Instant, outputs: &mut VecDeque<Output>) {
        // Pressed keys are told as such on the whole way, where tones have to survive every codec on it.
        if let Command::Dtmf { digits, leg } = &command
            && self.presses
        {
            let order = CarrierOrder::Press(digits.clone());
            return outputs.push_back(Output::Carrier { leg: *leg, order });
        }
        let flushes = matches!(command, Command::Flush { .. });
        audio.play(command, &mut self.inner);
        if flushes { self.cut(now, outputs) } else { self.pass(now, outputs) }
    }

    /// A mark has come back: everything up to it was heard.
    pub(crate) fn marked(&mut self, number: u64, now: Instant, outputs: &mut VecDeque<Output>) {
        // An echo of what was cleared or given up says nothing any more.
        let Some(place) = self.marks.iter().position(|mark| mark.number == number) else { return };
        self.missed = 0;
        for mark in self.marks.drain(..=place) {
            self.way = Some(now.saturating_duration_since(mark.left_at));
            self.heard = Some((mark.report.id, mark.report.samples));
            outputs.push_back(told(self.leg, mark.report));
        }
    }

    /// The socket is gone. What was under way is taken as heard: a syllable repeated would be worse than one lost.
    pub(crate) fn lost(&mut self, audio: &mut Audio, now: Instant, outputs: &mut VecDeque<Output>) {
        self.lost_at.get_or_insert(now);
        audio.rest(true);
        while !self.marks.is_empty() {
            self.give_up(outputs);
        }
    }

    /// There is another socket.
    pub(crate) fn back(&mut self, audio: &mut Audio, now: Instant) {
        self.lost_at = None;
        audio.rest(false);
        audio.renew(now);
    }

    /// Whether the socket has been gone for too long.
    pub(crate) fn is_lost(&self, at: Instant) -> bool {
        self.lost_at.is_some_and(|lost| at.saturating_duration_since(lost) >= CARRIER_GRACE)
    }

    /// The end: nothing is awaited any more.
    pub(crate) fn close(&mut self, audio: &mut Audio, now: Instant, outputs: &mut VecDeque<Output>) {
        audio.close(now, &mut self.inner);
        self.cut(now, outputs);
    }

    /// Passes on what the audio says; reports of playings wait for a mark.
    fn pass(&mut self, now: Instant, outputs: &mut VecDeque<Output>) {
        while let Some(output) = self.inner.pop_front() {
            match report(&output).filter(|report| self.waits(report)) {
                Some(report) => self.mark(report, now, outputs),
                None => outputs.push_back(output),
            }
        }
    }

    /// Whether a report waits for a mark: where the carrier has marks, and something was sent.
    fn waits(&self, report: &Report) -> bool {
        self.is_at_carrier(report) && self.missed < MARKS_MISSED_MAX
    }

    /// Whether some of a playing may wait at the carrier.
    fn is_at_carrier(&self, report: &Report) -> bool {
        self.lost_at.is_none() && report.samples > 0
    }

    fn mark(&mut self, report: Report, now: Instant, outputs: &mut VecDeque<Output>) {
        if self.marks.len() == MARKS_MAX {
            self.give_up(outputs);
        }
        let number = self.next_mark;
        self.next_mark += 1;
        self.marks.push_back(Mark { number, left_at: now, report });
        outputs.push_back(Output::Carrier { leg: self.leg, order: CarrierOrder::Mark(number) });
    }

    /// Takes the oldest mark as played.
    fn give_up(&mut self, outputs: &mut VecDeque<Output>) {
        if let Some(mark) = self.marks.pop_front() {
            self.heard = Some((mark.report.id, mark.report.samples));
            outputs.push_back(told(self.leg, mark.report));
        }
    }

    /// Playings are over before their time: what waits at the carrier is cleared, and told is what was heard by now.
    fn cut(&mut self, now: Instant, outputs: &mut VecDeque<Output>) {
        while let Some(output) = self.inner.pop_front() {
            let Some(cut) = report(&output).filter(|report| self.is_at_carrier(report)) else {
                outputs.push_back(output);
                continue;
            };
            outputs.push_back(Output::Carrier { leg: self.leg, order: CarrierOrder::Clear });
            let waited = self.marks.iter().any(|mark| mark.report.id == cut.id);
            let samples = if waited { self.heard(cut.id, now) } else { cut.samples };
            for mark in std::mem::take(&mut self.marks) {
                // Those of other playings are owed their last report.
                if mark.report.id != cut.id {
                    outputs.push_back(told(self.leg, mark.report));
                }
            }
            outputs.push_back(told(self.leg, Report { samples, ..cut }));
        }
    }

    /// Samples of a playing that must have been heard by now, if marks take as long as the last one took: that of the newest mark
    /// that left so long ago.
    fn heard(&self, id: PlayId, now: Instant) -> u64 {
        let surely = self.heard.filter(|(heard, _)| *heard == id).map_or(0, |(_, samples)| samples);
        let Some(way) = self.way else { return surely };
        let arrived = |mark: &&Mark| now.saturating_duration_since(mark.left_at) >= way && mark.report.id == id;
        self.marks.iter().filter(arrived).map(|mark| mark.report.samples).max().unwrap_or(surely)
    }
}

fn report(output: &Output) -> Option<Report> {
    match output {
        Output::Event(EngineEvent::PlayedTo { id, samples, started_ms, done, .. }) => {
            Some(Report { id: *id, samples: *samples, started_ms: *started_ms, done: *done })
        }
        _ => None,
    }
}

fn told(leg: LegId, report: Report) -> Output {
    let Report { id, samples, started_ms, done } = report;
    Output::Event(EngineEvent::PlayedTo { leg, id, samples, started_ms, done })
}
