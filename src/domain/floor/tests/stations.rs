//! Softphones in calls, step by step.

use super::talks::{ANNA, BEN, NUMBER, dialled, joined, outside, placing, voices};
use super::*;
use crate::code::CallDirection;
use crate::id::PhoneId;
use crate::live::{LiveAsked, LiveStation};

const WARD: PhoneId = PhoneId(Uuid::from_u128(62));
/// Anna's softphone, and Ben's.
pub(super) const HERS: Leg = Leg(100);
pub(super) const HIS: Leg = Leg(200);

/// Ben, at his desk phone and his softphone.
fn ben() -> Target {
    Target::Phone { phone: WARD, account: Some(BEN), extension: "22".into(), station: Some(HIS) }
}

/// Of each bridge those whom nobody hears.
fn muted(outputs: &[Output]) -> Vec<Vec<Leg>> {
    let muted = outputs.iter().filter_map(|output| match output {
        Output::Bridge { parties, .. } => {
            let is_heard = |leg: &Leg| parties.iter().any(|party| party.hears.contains(leg));
            Some(parties.iter().map(|party| party.leg).filter(|leg| !is_heard(leg)).collect())
        }
        _ => None,
    });
    muted.collect()
}

impl Desk {
    pub(super) fn wants(&mut self, number: u128, by: crate::id::AccountId, order: Order) -> Vec<Output> {
        self.put(Input::Order { call: ids(number).call, by: Some(by), order })
    }

    /// Anna calls from her softphone, and Ben's desk phone is dialled as this leg.
    pub(super) fn anna_calls_ben(&mut self, number: u128, leg: u64) -> Vec<Output> {
        let outputs = self.put(placing(number, Origin::Station(HERS), ben()));
        let (tag, _) = dialled(&outputs);
        self.put(Input::Dialling { tag, leg: Leg(leg) });
        outputs
    }

    /// The same, until both talk at their softphones.
    pub(super) fn anna_talks_with_ben(&mut self, number: u128, leg: u64) -> Vec<Output> {
        self.anna_calls_ben(number, leg);
        self.wants(number, BEN, Order::Answer)
    }

    fn stations(&self) -> Vec<(crate::id::AccountId, bool, bool)> {
        let all = self.floor.board().into_iter().flat_map(|call| call.stations);
        all.map(|LiveStation { account, is_ringing, is_muted, .. }| (account, is_ringing, is_muted)).collect()
    }
}

const STAFF: Class = Class::Staff;

/// CALL-01: from a softphone the far end is dialled at once; the softphone stays when the call ends, and is free for the next one.
#[test]
fn a_softphone_calls_outside_and_stays() {
    let mut desk = Desk::new(4);
    let (tag, _) = dialled(&desk.put(placing(1, Origin::Station(HERS), outside(NUMBER))));
    desk.put(Input::Dialling { tag, leg: Leg(9) });
    let ringback = Output::Signal { leg: HERS, signal: Signal::Ringback };
    assert_eq!(voices(desk.put(Input::Ringing { leg: Leg(9) })), [ringback]);
    let early = desk.put(Input::Early { leg: Leg(9) });
    assert!(
        early.contains(&Output::Signal { leg: HERS, signal: Signal::Silence }),
        "no ringing of ours beside the far end's"
    );
    assert_eq!(muted(&early), [[HERS]], "the far end does not hear her before it answers");
    assert_eq!(desk.stations(), [(ANNA, false, false)]);
    let up = voices(desk.answer(9));
    assert!(up.contains(&joined(1, (HERS.0, STAFF), (9, Class::Outside))), "{up:?}");
    // While she talks she places no second call.
    let second = desk.put(placing(2, Origin::Station(HERS), outside(NUMBER)));
    assert_eq!(second, [Output::NotDone(ids(2).call, NotPlaced::Busy)]);
    let apart = Output::Bridge { bridge: 1, parties: vec![] };
    assert_eq!(voices(desk.end(9, EndCause::CallerHungUp)), [apart, Output::Rest(HERS)]);
    assert_eq!(desk.record_of().cause, Some(EndCause::CalledHungUp));
    assert!(desk.stations().is_empty());
    desk.now = at(5);
    assert!(desk.put(placing(3, Origin::Station(HERS), outside(NUMBER))).contains(&Output::Done(ids(3).call)));
    assert_eq!(voices(desk.wants(3, ANNA, Order::HangUp)).last(), Some(&Output::Rest(HERS)));
    assert_eq!(desk.record_of().cause, Some(EndCause::Cancelled));
}

/// CALL-06: a colleague is rung at desk phone and softphone; whichever answers first has the call, the other one rings no more.
#[test]
fn the_first_of_desk_phone_and_softphone_has_the_call() {
    let mut desk = Desk::new(4);
    let outputs = desk.anna_calls_ben(1, 9);
    assert!(outputs.contains(&Output::Signal { leg: HERS, signal: Signal::Ringback }), "{outputs:?}");
    assert_eq!(desk.stations(), [(ANNA, false, false), (BEN, true, false)]);
    let up = voices(desk.wants(1, BEN, Order::Answer));
    assert_eq!(up.first(), Some(&Output::HangUp(Leg(9))));
    assert_eq!(up.last(), Some(&joined(1, (HERS.0, STAFF), (HIS.0, STAFF))));
    assert_eq!(desk.stations(), [(ANNA, false, false), (BEN, false, false)]);
    assert!(voices(desk.end(9, EndCause::NoAnswer)).is_empty());
    assert_eq!((desk.record_of().direction, desk.record_of().status), (CallDirection::Internal, CallStatus::WithAgent));
    let over = voices(desk.end(HIS.0, EndCause::CallerHungUp));
    let apart = Output::Bridge { bridge: 1, parties: vec![] };
    assert_eq!(over, [apart, Output::Rest(HERS)]);

    let mut desk = Desk::new(4);
    desk.anna_calls_ben(1, 9);
    assert_eq!(voices(desk.answer(9)).last(), Some(&joined(1, (HERS.0, STAFF), (9, STAFF))));
    assert_eq!(desk.stations(), [(ANNA, false, false)]);
    let late = desk.wants(1, BEN, Order::Answer);
    assert_eq!(late, [Output::NotDone(ids(1).call, NotPlaced::NotTalking)]);
}

/// A desk phone that is not there does not silence the softphone, and the other way round; who declines is rung by neither.
#[test]
fn one_rings_on_without_the_other_and_declining_ends_both() {
    let mut desk = Desk::new(4);
    desk.anna_calls_ben(1, 9);
    assert!(voices(desk.end(9, EndCause::NoAnswer)).is_empty());
    assert_eq!(desk.stations().last(), Some(&(BEN, true, false)));
    let busy = voices(desk.wants(1, BEN, Order::Decline));
    assert_eq!(busy, [Output::Signal { leg: HERS, signal: Signal::Busy }]);
    desk.wait_for_wake();
    assert_eq!(desk.record_of().cause, Some(EndCause::Busy));

    let mut desk = Desk::new(4);
    desk.anna_calls_ben(1, 9);
    assert!(voices(desk.end(HIS.0, EndCause::CallerHungUp)).is_empty(), "his page is gone");
    assert_eq!(voices(desk.answer(9)).last(), Some(&joined(1, (HERS.0, STAFF), (9, STAFF))));

    let mut desk = Desk::new(4);
    desk.anna_calls_ben(1, 9);
    let declined = voices(desk.wants(1, BEN, Order::Decline));
    assert_eq!(declined, [Output::HangUp(Leg(9)), Output::Signal { leg: HERS, signal: Signal::Busy }]);

    let mut desk = Desk::new(4);
    desk.anna_calls_ben(1, 9);
    let given_up = voices(desk.wait_for_wake());
    assert_eq!(given_up, [Output::HangUp(Leg(9)), Output::Signal { leg: HERS, signal: Signal::Busy }]);
    assert_eq!(desk.stations(), [(ANNA, false, false)], "after a minute it rings no more");
}

/// A softphone that is in a call, or rings, is left in peace: the desk phone alone rings.
#[test]
fn a_softphone_in_a_call_is_not_rung() {
    let mut desk = Desk::new(4);
    desk.anna_talks_with_ben(1, 9);
    let calling = Origin::Calling(PhoneId(Uuid::from_u128(63)), Leg(5));
    let outputs = desk.put(placing(2, calling, ben()));
    dialled(&outputs);
    assert_eq!(desk.stations().len(), 2, "both in the first call");
    assert_eq!(desk.wants(2, BEN, Order::Answer), [Output::NotDone(ids(2).call, NotPlaced::NotTalking)]);
}

/// CALL-06, REC-04: who is muted is heard by nobody, until they are heard again; also after holding and taking back.
#[test]
fn a_muted_softphone_is_heard_by_nobody() {
    let mut desk = Desk::new(4);
    desk.anna_talks_with_ben(1, 9);
    assert_eq!(muted(&desk.wants(1, BEN, Order::Mute(true))), [[HIS]]);
    assert_eq!(desk.stations(), [(ANNA, false, false), (BEN, false, true)]);
    desk.wants(1, ANNA, Order::Hold(true));
    assert_eq!(muted(&desk.wants(1, ANNA, Order::Hold(false))), [[HIS]]);
    // Her page is loaded again: that is no hold.
    assert!(desk.put(Input::Held { leg: HERS, on: true }).is_empty());
    assert_eq!(muted(&desk.wants(1, BEN, Order::Mute(false))), [Vec::<Leg>::new()]);
    let stranger = crate::id::AccountId(Uuid::from_u128(99));
    let refused = [Output::NotDone(ids(1).call, NotPlaced::NotTalking)];
    assert_eq!(desk.wants(1, stranger, Order::Mute(true)), refused);
}

/// Between colleagues both may hold, hand on and leave; who is held may only leave.
#[test]
fn both_colleagues_may_handle_their_call() {
    let mut desk = Desk::new(4);
    desk.anna_talks_with_ben(1, 9);
    let held = voices(desk.wants(1, BEN, Order::Hold(true)));
    assert_eq!(held.last(), Some(&Output::Music { leg: HERS, on: true }));
    let refused = [Output::NotDone(ids(1).call, NotPlaced::NotTalking)];
    assert_eq!(desk.wants(1, ANNA, Order::Hold(false)), refused);
    assert_eq!(voices(desk.wants(1, ANNA, Order::HangUp)).last(), Some(&Output::Rest(HIS)));
    assert_eq!(desk.record_of().status, CallStatus::Ended);
}

/// VOICE-22: the receptionist's caller is put through to a softphone; when nobody takes it, the receptionist goes on.
#[test]
fn a_caller_is_put_through_to_a_softphone() {
    let mut desk = Desk::new(4);
    desk.arrive(1, false);
    desk.answer(1);
    let outputs = desk.transfer(1, ben(), false);
    let (tag, _) = dialled(&outputs);
    desk.put(Input::Dialling { tag, leg: Leg(9) });
    assert_eq!(desk.stations(), [(BEN, true, false)]);
    let up = voices(desk.wants(1, BEN, Order::Answer));
    assert_eq!(up.last(), Some(&joined(1, (HIS.0, STAFF), (1, Class::Outside))));
    assert_eq!(desk.record_of().agent, Some(BEN));
    assert_eq!(voices(desk.end(1, EndCause::CallerHungUp)).last(), Some(&Output::Rest(HIS)));

    let mut desk = Desk::new(4);
    desk.arrive(1, false);
    desk.answer(1);
    desk.transfer(1, ben(), false);
    let back = desk.wants(1, BEN, Order::Decline);
    assert!(back.iter().any(|output| matches!(output, Output::Attend(_))), "{back:?}");
    assert!(desk.stations().is_empty());
}

/// VOICE-22: a colleague is asked at their softphone before the caller is handed on; the one who asks is free afterwards.
#[test]
fn a_colleague_is_asked_at_their_softphone() {
    let mut desk = Desk::new(4);
    let (tag, _) = dialled(&desk.put(placing(1, Origin::Station(HERS), outside(NUMBER))));
    desk.put(Input::Dialling { tag, leg: Leg(9) });
    desk.answer(9);
    desk.transfer(1, ben(), true);
    assert_eq!(desk.floor.board()[0].asked, Some(LiveAsked::Ringing));
    let asked = voices(desk.wants(1, BEN, Order::Answer));
    assert_eq!(asked.last(), Some(&joined(1, (HERS.0, STAFF), (HIS.0, STAFF))));
    assert_eq!(desk.floor.board()[0].asked, Some(LiveAsked::Talking));
    assert_eq!(muted(&desk.wants(1, ANNA, Order::Mute(true))), [[HERS]]);
    let handed = voices(desk.wants(1, ANNA, Order::HangUp));
    assert_eq!(handed.first(), Some(&Output::Rest(HERS)));
    assert_eq!(handed.last(), Some(&joined(1, (HIS.0, STAFF), (9, Class::Outside))));
    assert_eq!(desk.stations(), [(BEN, false, false)]);

    // Whom nobody takes what she hands on rings at her again.
    desk.put(placing(2, Origin::Station(HERS), outside(NUMBER)));
    desk.wants(2, ANNA, Order::HangUp);
    let declined =
        desk.transfer(1, Target::Phone { phone: WARD, account: None, extension: "23".into(), station: None }, false);
    let (tag, _) = dialled(&declined);
    desk.put(Input::Dialling { tag, leg: Leg(12) });
    desk.end(12, EndCause::Busy);
    assert_eq!(desk.stations(), [(BEN, true, false)]);
    assert_eq!(voices(desk.wants(1, BEN, Order::Answer)).last(), Some(&joined(1, (HIS.0, STAFF), (9, Class::Outside))));
}
