//! Which leg a call's recording follows, and until when (REC-04, B-03).

use super::participants::{EVA, EVAS};
use super::talks::{NUMBER, dialled, outside, ward};
use super::*;
use crate::code::Part;

/// What is said of recordings.
fn taped(outputs: &[Output]) -> Vec<Output> {
    let is_it = |output: &&Output| {
        matches!(
            output,
            Output::Record { .. } | Output::RecordOn { .. } | Output::StopRecording(_) | Output::EraseRecording(_)
        )
    };
    outputs.iter().filter(is_it).cloned().collect()
}

fn on(from: u64, to: u64) -> Output {
    Output::RecordOn { from: Leg(from), to: Leg(to) }
}

impl Desk {
    /// A caller (leg 1) whom the receptionist had is with a colleague (leg 10).
    fn is_put_through(&mut self) {
        self.arrive(1, true);
        self.answer(1);
        let (tag, _) = dialled(&self.transfer(1, ward(), false));
        self.put(Input::Dialling { tag, leg: Leg(10) });
        self.answer(10);
    }

    fn complete(&mut self) -> Vec<Output> {
        let recording = Recording { length_ms: 900, ..Recording::empty(RecordingState::Stopped) };
        self.put(Input::Recorded { call: ids(1).call, recording, complete: true })
    }
}

/// When the caller leaves a conference the recording goes on, in the order in which others come into their place, and after whoever
/// handles the call has changed; it ends with the call.
#[test]
fn a_recording_lasts_as_long_as_a_conference() {
    let mut desk = Desk::new(4);
    desk.is_put_through();
    assert_eq!(taped(&desk.takes_in(ward(), 11)), []);
    assert_eq!(taped(&desk.takes_in(outside("+442079460959"), 12)), [], "the others are heard at the caller's leg");
    let left = desk.end(1, EndCause::CallerHungUp);
    assert_eq!(taped(&left), [on(1, 11)]);
    let place = |is_it: &dyn Fn(&Output) -> bool| left.iter().position(is_it).unwrap();
    let bridged = place(&|output| matches!(output, Output::Bridge { .. }));
    assert!(bridged < place(&|output| *output == on(1, 11)), "what they are is known by then");
    assert_eq!(taped(&desk.end(11, EndCause::CallerHungUp)), [on(11, 12)], "somebody outside");
    assert_eq!(desk.record_of().recording.state, RecordingState::Recording);
    assert_eq!(taped(&desk.end(12, EndCause::CallerHungUp)), [Output::StopRecording(Leg(12))]);
    assert_eq!(desk.record_of().recording.state, RecordingState::Recording, "it is being completed");
    desk.complete();
    assert_eq!((desk.record_of().recording.length_ms, desk.floor.next_wake()), (900, None));
}

/// Of two colleagues who are left either may handle the call: whoever does may be whispered to, and is not whom it is recorded at.
#[test]
fn nobody_is_recorded_where_they_may_be_whispered_to() {
    let mut desk = Desk::new(4);
    desk.is_put_through();
    desk.joins(Part::Talk);
    assert_eq!(taped(&desk.end(1, EndCause::CallerHungUp)), [on(1, EVAS.0)]);
    assert_eq!(taped(&desk.wants(1, EVA, Order::Hold(true))), [on(EVAS.0, 10)]);
    assert_eq!(taped(&desk.wants(1, EVA, Order::Hold(false))), []);
    assert_eq!(taped(&desk.wants(1, EVA, Order::HangUp)), [Output::StopRecording(Leg(10))]);
}

/// The leg of whom the call is about is replaced by another one of theirs.
#[test]
fn a_recording_goes_on_at_a_leg_that_takes_the_place_of_another() {
    let mut desk = Desk::new(4);
    desk.talk_from_phone(1, outside(NUMBER), 9);
    assert_eq!(taped(&desk.put(Input::Replaced { leg: Leg(9), by: Leg(19) })), [on(9, 19)]);
    desk.answer(19);
    assert_eq!(taped(&desk.end(9, EndCause::ClinicHungUp)), []);
    assert_eq!(taped(&desk.end(19, EndCause::CallerHungUp)), [Output::StopRecording(Leg(19))]);
}

/// What was refused, or broke off, goes on nowhere.
#[test]
fn what_is_recorded_no_more_goes_on_nowhere() {
    let mut desk = Desk::new(4);
    desk.arrive(1, true);
    desk.answer(1);
    desk.told(1, Told::RecordingRefused);
    let (tag, _) = dialled(&desk.transfer(1, ward(), false));
    desk.put(Input::Dialling { tag, leg: Leg(10) });
    desk.answer(10);
    desk.takes_in(ward(), 11);
    assert_eq!(taped(&desk.end(1, EndCause::CallerHungUp)), []);
    assert_eq!(taped(&desk.complete()), [Output::EraseRecording(ids(1).call)]);
    assert_eq!(taped(&desk.end(11, EndCause::CallerHungUp)), []);

    let mut desk = Desk::new(4);
    desk.is_put_through();
    desk.takes_in(ward(), 11);
    desk.complete();
    assert_eq!(taped(&desk.end(1, EndCause::CallerHungUp)), []);
    assert_eq!(taped(&desk.end(11, EndCause::CallerHungUp)), []);
    assert_eq!(desk.floor.next_wake(), None, "nothing more is expected");
}
