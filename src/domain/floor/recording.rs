//! What is recorded of a call: the leg of whom it is about, and with it all that is said to them.
//!
//! A call has one recording. When whom it is about leaves a conference, it goes on at the leg of whoever comes into their place, so that
//! it lasts as long as the call. Nobody is whispered to at that leg: a whisper to who handles the call is in no recording.

use super::fact::Fact;
use super::side::Who;
use super::stay::{Phase, Stay};
use super::talk::{Seat, Talk};
use super::{Hands, Leg, Output};
use crate::Timestamp;
use crate::account::Actor;
use crate::call::Recording;
use crate::code::RecordingState;
use std::collections::VecDeque;

/// The recording of a call, as far as the floor follows it.
#[derive(Debug, Default)]
pub(super) struct Taping {
    /// The leg that is recorded, until all has been written.
    leg: Option<Leg>,
}

impl Taping {
    /// Whether nothing more will be written.
    pub(super) fn is_complete(&self) -> bool {
        self.leg.is_none()
    }

    /// It ends now.
    pub(super) fn stop(&self, out: &mut VecDeque<Output>) {
        out.extend(self.leg.map(Output::StopRecording));
    }
}

impl Stay {
    /// Records the other side's leg from now on.
    pub(super) fn record(&mut self, rate_hz: u32, now: Timestamp, out: &mut VecDeque<Output>) {
        let Some(leg) = self.leg else { return };
        self.taping.leg = Some(leg);
        self.call.recording = Recording { rate_hz, ..Recording::empty(RecordingState::Recording) };
        out.push_back(Output::Record { call: self.id(), leg });
        self.write(Actor::System, Fact::Recording(self.call.recording.clone()), now, out);
    }

    /// Whom we call outside is recorded where the rules say so; whoever called the clinic is recorded already.
    pub(super) fn record_far(&mut self, seat: Seat, rate_hz: u32, hands: &mut Hands<'_>) {
        let wanted = |talk: &Talk| {
            matches!(talk.far.who, Who::Outside(_)) && talk.world.rules.is_recorded && talk.world.tenant.record_calls
        };
        if seat == Seat::Far && self.talk.as_ref().is_some_and(wanted) {
            self.record(rate_hz, hands.now, hands.out);
        }
    }

    /// Somebody else is whom the call is about: the recording goes on at their leg.
    pub(super) fn settle_recording(&mut self, hands: &mut Hands<'_>) {
        let is_wanted = self.is_on() && self.call.recording.state != RecordingState::Refused;
        let (Some(from), Some(to)) = (self.taping.leg.filter(|_| is_wanted), self.other()) else { return };
        if from != to {
            self.taping.leg = Some(to);
            hands.out.push_back(Output::RecordOn { from, to });
        }
    }

    /// The caller does not want to be recorded.
    pub(super) fn recording_refused(&mut self, now: Timestamp, out: &mut VecDeque<Output>) {
        if self.call.recording.state == RecordingState::Refused {
            return;
        }
        self.call.recording = Recording::empty(RecordingState::Refused);
        let fact = Fact::Recording(self.call.recording.clone());
        self.write(Actor::Caller { call: self.id() }, fact, now, out);
        match self.taping.is_complete() {
            true => out.push_back(Output::EraseRecording(self.id())),
            // What there is of it is erased once it is complete.
            false => self.taping.stop(out),
        }
    }

    /// The recording has come so far.
    pub(super) fn recorded(
        &mut self,
        recording: Recording,
        complete: bool,
        now: Timestamp,
        out: &mut VecDeque<Output>,
    ) {
        if complete {
            self.taping.leg = None;
        }
        if self.call.recording.state == RecordingState::Refused {
            if complete {
                out.push_back(Output::EraseRecording(self.id()));
            }
        } else {
            self.call.recording = recording.clone();
            self.write(Actor::System, Fact::Recording(recording), now, out);
        }
        if complete && matches!(self.phase, Phase::Closing { .. }) {
            self.phase = Phase::Gone;
        }
    }
}
