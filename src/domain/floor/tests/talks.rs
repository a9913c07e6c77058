//! Calls of several legs, step by step.
//!
//! Long because it also holds the clinic, its people and its trunks, with which the step tables beside it begin.

use super::*;
use crate::account::Actor;
use crate::code::{CallDirection, NumberFormat, Role};
use crate::id::{AccountId, PhoneId, TrunkId};
use crate::outbound::{Outbound, Price, Route, Show, TrunkUse, Usable};

pub(super) const ANNA: AccountId = AccountId(Uuid::from_u128(51));
pub(super) const BEN: AccountId = AccountId(Uuid::from_u128(52));
const DESK: PhoneId = PhoneId(Uuid::from_u128(61));
const WARD: PhoneId = PhoneId(Uuid::from_u128(62));
pub(super) const MAIN: TrunkId = TrunkId(Uuid::from_u128(71));
pub(super) const SPARE: TrunkId = TrunkId(Uuid::from_u128(72));
pub(super) const NUMBER: &str = "+442079460958";

pub(super) fn world() -> World {
    world_that(false)
}

/// The same, with a main trunk that takes on by itself whom it has brought.
pub(super) fn world_that(refers: bool) -> World {
    let trunk = |trunk, number: &str| TrunkUse { trunk, numbers: vec![number.into()], format: NumberFormat::Plus };
    let rules = Outbound {
        is_on: true,
        is_recorded: true,
        calls_max: 2,
        day_money_max: 50,
        minutes_max: 4,
        prices: vec![Price { prefix: "44".into(), minute_price: 10 }],
        routes: vec![Route { prefix: String::new(), trunks: vec![MAIN, SPARE] }],
        trunks: vec![trunk(MAIN, "+442079460000"), trunk(SPARE, "+442079460001")],
        ..Outbound::usual("GB")
    };
    let trunks = vec![
        Usable { trunk: MAIN, is_up: true, refers, withholds: false },
        Usable { trunk: SPARE, is_up: true, refers: false, withholds: false },
    ];
    World { tenant: *tenant(true), rules, trunks }
}

pub(super) fn outside(number: &str) -> Target {
    Target::Outside(number.into())
}

pub(super) fn ward() -> Target {
    Target::Phone { phone: WARD, account: Some(BEN), extension: "22".into(), station: None }
}

pub(super) fn placing(number: u128, origin: Origin, target: Target) -> Input {
    Input::Place(Box::new(Placing {
        ids: ids(number),
        by: Some(ANNA),
        actor: Actor::Account { id: ANNA, role: Role::Agent },
        origin,
        shown: "21".into(),
        target,
        show: Show::Usual,
        world: world(),
    }))
}

pub(super) fn calling(leg: u64) -> Origin {
    Origin::Calling(DESK, Leg(leg))
}

fn to(trunk: TrunkId, caller_id: &str) -> To {
    To::Trunk { trunk, number: NUMBER.into(), caller_id: caller_id.into(), is_withheld: false, line: 0 }
}

/// The tag and place of the one leg that is dialled among these.
pub(super) fn dialled(outputs: &[Output]) -> (Tag, To) {
    let dials = outputs.iter().filter_map(|output| match output {
        Output::Dial { tag, to, .. } => Some((*tag, to.clone())),
        _ => None,
    });
    let dials: Vec<_> = dials.collect();
    assert_eq!(dials.len(), 1, "{outputs:?}");
    dials[0].clone()
}

/// What is done with voices, without what is written down.
pub(super) fn voices(outputs: Vec<Output>) -> Vec<Output> {
    // Each end of a recorded call stops its recording: that is for the tests of recordings.
    let is_other = |output: &Output| {
        matches!(output, Output::Identify { .. } | Output::Done(_) | Output::StopRecording(_)) || !is_voice(output)
    };
    outputs.into_iter().filter(|output| !is_other(output)).collect()
}

pub(super) fn joined(bridge: u64, near: (u64, Class), far: (u64, Class)) -> Output {
    let party = |(leg, class), other: u64| Party { leg: Leg(leg), class, hears: vec![Leg(other)], overhears: false };
    Output::Bridge { bridge, parties: vec![party(near, far.0), party(far, near.0)] }
}

impl Desk {
    /// A call that a telephone (leg 1) places, up to where it is dialled as this leg.
    fn dial_from_phone(&mut self, number: u128, target: Target, leg: u64) -> To {
        let outputs = self.put(placing(number, calling(number as u64), target));
        let (tag, to) = dialled(&outputs);
        self.put(Input::Dialling { tag, leg: Leg(leg) });
        to
    }

    /// The same, until both talk.
    pub(super) fn talk_from_phone(&mut self, number: u128, target: Target, leg: u64) -> Vec<Output> {
        self.dial_from_phone(number, target, leg);
        self.put(Input::Ringing { leg: Leg(leg) });
        self.answer(leg);
        self.answer(number as u64)
    }

    pub(super) fn order(&mut self, number: u128, order: Order) -> Vec<Output> {
        self.put(Input::Order { call: ids(number).call, by: None, order })
    }

    pub(super) fn transfer(&mut self, number: u128, target: Target, attended: bool) -> Vec<Output> {
        self.order(number, Order::Transfer { target, attended, world: Box::new(world()) })
    }

    pub(super) fn record_of(&self) -> Call {
        self.call.clone().unwrap()
    }
}

/// CALL-01, CALL-06: a telephone calls outside: it hears ringing, is answered when the far end is, and both are bridged; the record
/// says who called, by which trunk and at what cost.
#[test]
fn a_telephone_calls_outside() {
    let mut desk = Desk::new(4);
    assert_eq!(desk.dial_from_phone(1, outside("020 7946 0958"), 9), to(MAIN, "+442079460000"));
    let call = desk.record_of();
    assert_eq!((call.direction, call.agent, call.status), (CallDirection::Outgoing, Some(ANNA), CallStatus::Ringing));
    assert_eq!((call.from_number.as_str(), call.to_number.as_str()), ("21", NUMBER));
    assert_eq!(voices(desk.put(Input::Ringing { leg: Leg(9) })), [Output::Ring(Leg(1))]);
    assert!(voices(desk.put(Input::Ringing { leg: Leg(9) })).is_empty());
    let record = Output::Record { call: ids(1).call, leg: Leg(9) };
    assert_eq!(voices(desk.answer(9)), [Output::Answer(Leg(1)), record]);
    let up = voices(desk.answer(1));
    assert_eq!(up.last(), Some(&joined(1, (1, Class::Staff), (9, Class::Outside))));
    assert_eq!(desk.record_of().status, CallStatus::WithAgent);
    assert_eq!(desk.floor.board()[0].agent, Some(ANNA));
    desk.now = at(90);
    assert_eq!(voices(desk.end(9, EndCause::CallerHungUp)), [Output::HangUp(Leg(1))]);
    let call = desk.record_of();
    assert_eq!((call.status, call.cause, call.outcome), (CallStatus::Ended, Some(EndCause::CalledHungUp), None));
    assert_eq!((call.outgoing[0].cost, call.outgoing[0].trunk), (20, MAIN), "two begun minutes");
    assert!(desk.tasks.is_empty());
}

/// CALL-01: from a screen, one's own telephone rings first; then the far end is dialled and one hears it ring.
#[test]
fn a_call_from_a_screen_rings_the_own_telephone_first() {
    let mut desk = Desk::new(4);
    let outputs = desk.put(placing(1, Origin::Phone(DESK), outside(NUMBER)));
    let (tag, first) = dialled(&outputs);
    assert_eq!(first, To::Phone { phone: DESK, shown: NUMBER.into() });
    assert!(outputs.contains(&Output::Done(ids(1).call)));
    desk.put(Input::Dialling { tag, leg: Leg(2) });
    let (tag, far) = dialled(&desk.answer(2));
    assert_eq!(far, to(MAIN, "+442079460000"));
    desk.put(Input::Dialling { tag, leg: Leg(3) });
    let ringback = Output::Signal { leg: Leg(2), signal: Signal::Ringback };
    assert_eq!(voices(desk.put(Input::Ringing { leg: Leg(3) })), [ringback]);
    let up = voices(desk.answer(3));
    assert!(up.contains(&Output::Signal { leg: Leg(2), signal: Signal::Silence }), "{up:?}");
    assert!(up.contains(&joined(1, (2, Class::Staff), (3, Class::Outside))), "{up:?}");
    assert_eq!(voices(desk.order(1, Order::HangUp)), [Output::HangUp(Leg(2)), Output::HangUp(Leg(3))]);
    assert_eq!(desk.record_of().cause, Some(EndCause::ClinicHungUp));
}

/// RFC 3960: what the far end lets us hear before it answers is heard by who calls, one way, in the place of our ringing; nothing of
/// it is recorded or paid for. When the next trunk rings instead, a telephone that hears already is told by ringing of ours.
#[test]
fn an_announcement_before_the_answer_is_heard_by_who_calls() {
    let party = |leg, class, hears| Party { leg: Leg(leg), class, hears, overhears: false };
    let one_way = |far: u64| Output::Bridge {
        bridge: 1,
        parties: vec![party(1, Class::Staff, vec![Leg(far)]), party(far, Class::Outside, vec![])],
    };
    let signal = |signal| Output::Signal { leg: Leg(1), signal };
    let mut desk = Desk::new(4);
    desk.dial_from_phone(1, outside(NUMBER), 9);
    let early = voices(desk.put(Input::Early { leg: Leg(9) }));
    assert_eq!(early, [Output::Early(Leg(1)), signal(Signal::Silence), one_way(9)]);
    assert!(voices(desk.put(Input::Ringing { leg: Leg(9) })).is_empty(), "what it sends is to be heard");
    assert_eq!(desk.record_of().status, CallStatus::Ringing);
    // This trunk fails, the next one rings, then announces something too.
    let (tag, way) = dialled(&desk.end(9, EndCause::Failed));
    assert_eq!(way, to(SPARE, "+442079460001"));
    desk.put(Input::Dialling { tag, leg: Leg(10) });
    assert_eq!(voices(desk.put(Input::Ringing { leg: Leg(10) })), [signal(Signal::Ringback)]);
    assert_eq!(voices(desk.put(Input::Early { leg: Leg(10) })), [signal(Signal::Silence), one_way(10)]);
    let record = Output::Record { call: ids(1).call, leg: Leg(10) };
    assert_eq!(voices(desk.answer(10)), [Output::Answer(Leg(1)), record]);
    let up = voices(desk.answer(1));
    assert_eq!(up.last(), Some(&joined(1, (1, Class::Staff), (10, Class::Outside))), "now both ways");

    // What was announced is that nobody will answer.
    let mut desk = Desk::new(4);
    desk.dial_from_phone(1, outside(NUMBER), 9);
    desk.put(Input::Early { leg: Leg(9) });
    desk.now = at(50);
    assert_eq!(voices(desk.end(9, EndCause::Refused)), [Output::Refuse(Leg(1), 404)]);
    let call = desk.record_of();
    assert_eq!((call.cause, call.answered_at, call.outgoing[0].cost), (Some(EndCause::Refused), None, 0));
    assert_eq!((call.outgoing[0].answered_at, call.recording.state), (None, RecordingState::Off));
}

/// What ends a call before it is answered is told to who calls, and costs nothing.
#[test]
fn a_call_that_is_not_answered_is_told_why() {
    for (cause, status) in [(EndCause::Busy, 486), (EndCause::NoAnswer, 480), (EndCause::Refused, 404)] {
        let mut desk = Desk::new(4);
        desk.dial_from_phone(1, outside(NUMBER), 9);
        assert_eq!(voices(desk.end(9, cause)), [Output::Refuse(Leg(1), status)]);
        let call = desk.record_of();
        assert_eq!((call.cause, call.outgoing[0].cost, call.answered_at), (Some(cause), 0, None));
        assert_eq!(desk.floor.next_wake(), None);
    }
    let mut desk = Desk::new(4);
    desk.dial_from_phone(1, outside(NUMBER), 9);
    let late = voices(desk.wait_for_wake());
    assert_eq!(late, [Output::HangUp(Leg(9)), Output::Refuse(Leg(1), 480)], "nobody rings for ever");
    assert_eq!(desk.now, at(60));

    // Who is rung back first hears the difference between somebody who is busy and no way that is free.
    let table = [
        (EndCause::Busy, Signal::Busy),
        (EndCause::Failed, Signal::Congestion),
        (EndCause::SignIn, Signal::Congestion),
    ];
    for (cause, signal) in table {
        let mut desk = Desk::new(4);
        let (tag, _) = dialled(&desk.put(placing(1, Origin::Phone(DESK), outside(NUMBER))));
        desk.put(Input::Dialling { tag, leg: Leg(2) });
        let (mut tag, _) = dialled(&desk.answer(2));
        desk.put(Input::Dialling { tag, leg: Leg(3) });
        if cause != EndCause::Busy {
            (tag, _) = dialled(&desk.end(3, cause));
            desk.put(Input::Dialling { tag, leg: Leg(3) });
        }
        assert_eq!(voices(desk.end(3, cause)), [Output::Signal { leg: Leg(2), signal }]);
        assert_eq!(voices(desk.wait_for_wake()), [Output::HangUp(Leg(2))]);
        assert_eq!(desk.record_of().cause, Some(cause));
    }
}

/// A trunk that fails is followed by the next one; the record names the one that took the call.
#[test]
fn the_next_trunk_stands_in() {
    let mut desk = Desk::new(4);
    desk.dial_from_phone(1, outside(NUMBER), 9);
    let (tag, next) = dialled(&desk.end(9, EndCause::Failed));
    assert_eq!(next, to(SPARE, "+442079460001"));
    desk.put(Input::Dialling { tag, leg: Leg(10) });
    let call = desk.record_of();
    assert_eq!((call.outgoing.len(), call.outgoing[0].trunk), (1, SPARE));
    assert_eq!(voices(desk.end(10, EndCause::Failed)), [Output::Refuse(Leg(1), 503)]);
}

/// Who calls may give up at any time; a leg that is only now being made is ended as soon as it is there.
#[test]
fn giving_up_ends_what_was_dialled() {
    let mut desk = Desk::new(4);
    let (tag, _) = dialled(&desk.put(placing(1, calling(1), outside(NUMBER))));
    assert!(voices(desk.end(1, EndCause::Cancelled)).is_empty());
    assert_eq!(desk.record_of().cause, Some(EndCause::Cancelled));
    assert_eq!(desk.put(Input::Dialling { tag, leg: Leg(9) }), [Output::HangUp(Leg(9))]);
    desk.dial_from_phone(2, outside(NUMBER), 10);
    assert_eq!(voices(desk.end(2, EndCause::Cancelled)), [Output::HangUp(Leg(10))]);
}

/// SEC-13: what a rule stands against is refused before anything is dialled, and written down; several times are an alarm.
#[test]
fn rules_are_asked_before_anything_is_dialled() {
    let mut desk = Desk::new(4);
    let mut alarms = 0;
    for attempt in 0..200 {
        let outputs = desk.put(placing(attempt, calling(1), outside("0909 879 0123")));
        assert!(!outputs.iter().any(|output| matches!(output, Output::Dial { .. } | Output::Open { .. })));
        assert!(outputs.contains(&Output::Refuse(Leg(1), 403)));
        let rule = NotPlaced::Rule(OutboundRule::Premium);
        assert!(outputs.contains(&Output::NotDone(ids(attempt).call, rule)));
        alarms += outputs.iter().filter(|output| matches!(output, Output::Refused { task: Some(_), .. })).count();
    }
    assert_eq!((alarms, desk.floor.calls()), (1, 0));
}

/// SEC-13: a call ends when its next minute would cost more than may be spent, or when it has lasted long enough.
#[test]
fn a_call_ends_at_its_caps() {
    for (money, minutes, rule, lasts_s) in [(35, 60, OutboundRule::Money, 177), (1_000, 2, OutboundRule::Minutes, 117)]
    {
        let mut desk = Desk::new(4);
        let Input::Place(mut place) = placing(1, calling(1), outside(NUMBER)) else { unreachable!() };
        (place.world.rules.day_money_max, place.world.rules.minutes_max) = (money, minutes);
        let (tag, _) = dialled(&desk.put(Input::Place(place)));
        desk.put(Input::Dialling { tag, leg: Leg(9) });
        desk.answer(9);
        desk.answer(1);
        let ended = loop {
            let outputs = desk.wait_for_wake();
            if desk.record_of().status == CallStatus::Ended {
                break outputs;
            }
        };
        assert_eq!(desk.now, at(lasts_s));
        let is_told = |output: &Output| matches!(output, Output::Refused { rule: told, .. } if *told == rule);
        assert!(ended.iter().any(is_told), "{ended:?}");
        assert!(ended.contains(&Output::HangUp(Leg(1))) && ended.contains(&Output::HangUp(Leg(9))));
        let call = desk.record_of();
        assert_eq!(call.cause, Some(EndCause::Limit));
        assert!(call.outgoing[0].cost <= u64::from(money), "{}", call.outgoing[0].cost);
    }
}

/// SEC-13: two wishes at the same moment do not both take the last place, though the first is not dialled yet.
#[test]
fn a_place_is_taken_before_it_is_dialled() {
    let mut desk = Desk::new(9);
    for number in 1..=2 {
        desk.put(placing(number, Origin::Phone(DESK), outside(NUMBER)));
    }
    let third = desk.put(placing(3, Origin::Phone(DESK), outside(NUMBER)));
    assert!(third.contains(&Output::NotDone(ids(3).call, NotPlaced::Rule(OutboundRule::CallsMax))));
    desk.call = None;
    desk.put(placing(4, calling(4), ward()));
    assert_eq!(desk.record_of().direction, CallDirection::Internal, "colleagues are no outgoing calls");
    let (mut again, past) = (Desk::new(9), Call { outgoing: Vec::new(), ..desk.record_of() });
    again.put(Input::Past(Box::new(past)));
    assert_eq!(dialled(&again.put(placing(5, calling(5), outside(NUMBER)))).1, to(MAIN, "+442079460000"));
}

/// SEC-13: what calls have cost before a restart counts after it.
#[test]
fn caps_survive_a_restart() {
    let mut desk = Desk::new(4);
    desk.talk_from_phone(1, outside(NUMBER), 9);
    desk.now = at(230);
    desk.end(9, EndCause::CallerHungUp);
    let past = desk.record_of();
    assert_eq!(past.outgoing[0].cost, 40);
    let mut again = Desk::new(4);
    (again.now, again.call) = (at(300), None);
    again.put(Input::Past(Box::new(past)));
    again.dial_from_phone(2, outside(NUMBER), 9);
    let refused = again.put(placing(3, calling(3), outside(NUMBER)));
    assert!(refused.contains(&Output::NotDone(ids(3).call, NotPlaced::Rule(OutboundRule::Money))));
}

/// SAFE-01: an emergency number is dialled though everything stands against it, and a person looks after it.
#[test]
fn an_emergency_call_is_placed_in_any_case() {
    let mut desk = Desk::new(0);
    let Input::Place(mut place) = placing(1, calling(1), outside("999")) else { unreachable!() };
    place.world.rules = Outbound::usual("GB");
    desk.put(Input::Drain);
    let outputs = desk.put(Input::Place(place));
    let call = desk.record_of();
    let (number, caller_id) = ("999".into(), String::new());
    assert_eq!(dialled(&outputs).1, To::Trunk { trunk: MAIN, number, caller_id, is_withheld: false, line: 0 });
    assert!(call.emergency && call.outgoing[0].is_emergency);
    assert_eq!(desk.tasks[0].kind, crate::code::TaskKind::Emergency);
}

/// Colleagues reach each other by extension.
#[test]
fn a_telephone_calls_a_colleague() {
    let mut desk = Desk::new(4);
    assert_eq!(desk.dial_from_phone(1, ward(), 9), To::Phone { phone: WARD, shown: "21".into() });
    desk.put(Input::Ringing { leg: Leg(9) });
    desk.answer(9);
    let up = voices(desk.answer(1));
    assert_eq!(up.last(), Some(&joined(1, (1, Class::Staff), (9, Class::Staff))));
    let call = desk.record_of();
    assert_eq!((call.direction, call.agent, call.to_number.as_str()), (CallDirection::Internal, Some(ANNA), "22"));
    assert_eq!(call.recording.state, RecordingState::Off, "colleagues are not recorded");
    assert_eq!(voices(desk.end(1, EndCause::CallerHungUp)), [Output::HangUp(Leg(9))]);
}

/// Hold: the other side hears music, digits go to it, and either order comes from a screen or from the telephone itself.
#[test]
fn the_other_side_waits_with_music() {
    let mut desk = Desk::new(4);
    desk.talk_from_phone(1, outside(NUMBER), 9);
    assert_eq!(voices(desk.order(1, Order::Dtmf("12#".into()))), [Output::Dtmf { leg: Leg(9), digits: "12#".into() }]);
    assert_eq!(
        voices(desk.put(Input::Digit { leg: Leg(1), digit: '5' })),
        [Output::Dtmf { leg: Leg(9), digits: "5".into() }]
    );
    let (apart, music) = (Output::Bridge { bridge: 1, parties: vec![] }, Output::Music { leg: Leg(9), on: true });
    assert_eq!(voices(desk.order(1, Order::Hold(true))), [apart.clone(), music.clone()]);
    assert_eq!(desk.record_of().status, CallStatus::OnHold);
    assert!(voices(desk.order(1, Order::Hold(true))).is_empty());
    let back = voices(desk.order(1, Order::Hold(false)));
    assert_eq!(back.first(), Some(&Output::Music { leg: Leg(9), on: false }));
    assert_eq!(back.last(), Some(&joined(1, (1, Class::Staff), (9, Class::Outside))));
    assert_eq!(voices(desk.put(Input::Held { leg: Leg(1), on: true })), [apart, music]);
    desk.put(Input::Held { leg: Leg(1), on: false });
    assert_eq!(desk.record_of().status, CallStatus::WithAgent);
    let held = desk.events.iter().filter(|kind| **kind == "call.held").count();
    assert_eq!(held, 4);
}

/// Blind transfer: the other side waits with music until a colleague answers; when nobody does, who handed on is rung again.
#[test]
fn a_call_is_handed_on() {
    let mut desk = Desk::new(4);
    desk.talk_from_phone(1, outside(NUMBER), 9);
    let outputs = desk.transfer(1, ward(), false);
    assert!(outputs.contains(&Output::HangUp(Leg(1))) && outputs.contains(&Output::Done(ids(1).call)));
    let (tag, ward_phone) = dialled(&outputs);
    assert_eq!(ward_phone, To::Phone { phone: WARD, shown: NUMBER.into() });
    desk.put(Input::Dialling { tag, leg: Leg(10) });
    assert!(voices(desk.end(1, EndCause::ClinicHungUp)).is_empty(), "who has handed on is out of it");
    let up = voices(desk.answer(10));
    assert_eq!(up.last(), Some(&joined(1, (10, Class::Staff), (9, Class::Outside))));
    assert_eq!(desk.record_of().agent, Some(BEN));

    let mut desk = Desk::new(4);
    desk.talk_from_phone(1, outside(NUMBER), 9);
    let (tag, _) = dialled(&desk.transfer(1, ward(), false));
    desk.put(Input::Dialling { tag, leg: Leg(10) });
    let (tag, again) = dialled(&desk.end(10, EndCause::Busy));
    assert_eq!(again, To::Phone { phone: DESK, shown: NUMBER.into() });
    desk.put(Input::Dialling { tag, leg: Leg(11) });
    assert_eq!(voices(desk.end(11, EndCause::NoAnswer)), [Output::HangUp(Leg(9))]);
    assert_eq!(desk.record_of().cause, Some(EndCause::NoAnswer));
}

/// A supervisor hands the receptionist's caller to a colleague; when nobody takes it, the receptionist does.
#[test]
fn the_receptionists_caller_is_handed_to_a_person() {
    let mut desk = Desk::new(4);
    desk.arrive(1, false);
    desk.answer(1);
    let outputs = desk.transfer(1, ward(), false);
    assert!(outputs.contains(&Output::Dismiss(ids(1).call)));
    let (tag, _) = dialled(&outputs);
    desk.put(Input::Dialling { tag, leg: Leg(10) });
    let back = voices(desk.end(10, EndCause::NoAnswer));
    assert_eq!(back[0], Output::Music { leg: Leg(1), on: false });
    assert!(matches!(&back[1], Output::Attend(next) if next.shift == 2));
    assert_eq!(desk.record_of().status, CallStatus::WithReceptionist);
    // That the one before has gone may be heard of when the next one is at work.
    assert!(desk.put(Input::ReceptionistGone { call: ids(1).call, shift: 1 }).is_empty());
    let (tag, _) = dialled(&desk.transfer(1, ward(), false));
    desk.put(Input::Dialling { tag, leg: Leg(11) });
    desk.answer(11);
    desk.end(1, EndCause::CallerHungUp);
    let call = desk.record_of();
    assert_eq!(
        (call.agent, call.outcome, call.cause),
        (Some(BEN), Some(Outcome::Transferred), Some(EndCause::CallerHungUp))
    );
    assert!(desk.tasks.is_empty());
}

/// Attended transfer: a colleague is asked while the other side waits; hanging up hands on, taking back does not.
#[test]
fn a_colleague_is_asked_first() {
    for answered in [true, false] {
        let mut desk = Desk::new(4);
        desk.talk_from_phone(1, outside(NUMBER), 9);
        let (tag, _) = dialled(&desk.transfer(1, ward(), true));
        desk.put(Input::Dialling { tag, leg: Leg(10) });
        assert_eq!(
            voices(desk.put(Input::Ringing { leg: Leg(10) })),
            [Output::Signal { leg: Leg(1), signal: Signal::Ringback }]
        );
        if answered {
            let asked = voices(desk.answer(10));
            assert_eq!(asked.last(), Some(&joined(1, (1, Class::Staff), (10, Class::Staff))));
            desk.order(1, Order::HangUp);
        } else {
            desk.end(1, EndCause::CallerHungUp);
            desk.answer(10);
        }
        let call = desk.record_of();
        assert_eq!((call.agent, call.status), (Some(BEN), CallStatus::WithAgent), "answered first: {answered}");
        assert_eq!(voices(desk.end(9, EndCause::CallerHungUp)), [Output::HangUp(Leg(10))]);
    }
    let mut desk = Desk::new(4);
    desk.talk_from_phone(1, outside(NUMBER), 9);
    let (tag, _) = dialled(&desk.transfer(1, ward(), true));
    desk.put(Input::Dialling { tag, leg: Leg(10) });
    desk.answer(10);
    let back = voices(desk.order(1, Order::Hold(false)));
    assert_eq!(back[0], Output::HangUp(Leg(10)));
    assert_eq!(back.last(), Some(&joined(1, (1, Class::Staff), (9, Class::Outside))));
    desk.order(1, Order::HangUp);
    assert_eq!(desk.record_of().agent, Some(ANNA));
}

/// SEC-13: handing on to a number outside goes by the rules too, and is paid for by itself.
#[test]
fn handing_on_to_the_outside_goes_by_the_rules() {
    let mut desk = Desk::new(4);
    desk.talk_from_phone(1, outside(NUMBER), 9);
    let refused = desk.transfer(1, outside("0909 879 0123"), false);
    assert!(refused.contains(&Output::NotDone(ids(1).call, NotPlaced::Rule(OutboundRule::Premium))));
    assert!(!refused.contains(&Output::HangUp(Leg(1))), "the call goes on");
    assert!(refused.iter().any(|output| matches!(output, Output::Refused { rule: OutboundRule::Premium, .. })));
    let (tag, _) = dialled(&desk.transfer(1, outside("020 7946 0999"), false));
    desk.put(Input::Dialling { tag, leg: Leg(10) });
    desk.answer(10);
    desk.now = at(65);
    desk.put(Input::Wake);
    desk.end(10, EndCause::CallerHungUp);
    let costs: Vec<u64> = desk.record_of().outgoing.iter().map(|outgoing| outgoing.cost).collect();
    assert_eq!(costs, [20, 20]);
}

/// Orders that do not fit change nothing.
#[test]
fn what_does_not_fit_is_refused() {
    let mut desk = Desk::new(4);
    desk.dial_from_phone(1, outside(NUMBER), 9);
    for order in [Order::Hold(true), Order::Hold(false), Order::Dtmf("1".into())] {
        assert!(desk.order(1, order).contains(&Output::NotDone(ids(1).call, NotPlaced::NotTalking)));
    }
    assert!(desk.transfer(1, ward(), true).contains(&Output::NotDone(ids(1).call, NotPlaced::NotTalking)));
    assert!(desk.transfer(7, ward(), false).contains(&Output::NotDone(ids(7).call, NotPlaced::NotTalking)));
    let full = Desk::new(0).put(placing(1, calling(1), ward()));
    assert_eq!(full, [Output::Refuse(Leg(1), 503), Output::NotDone(ids(1).call, NotPlaced::Full)]);
}

impl Desk {
    fn refer(&mut self, leg: u64, asked: Asked) -> Vec<Output> {
        self.put(Input::TransferAsked { leg: Leg(leg), asked, world: Box::new(world()) })
    }
}

/// RFC 3515: a telephone hands its call on by itself, and hears what came of it before its leg ends; either of two colleagues may.
#[test]
fn a_telephone_hands_on_by_itself() {
    let mut desk = Desk::new(4);
    desk.talk_from_phone(1, outside(NUMBER), 9);
    let outputs = desk.refer(1, Asked::Target(ward()));
    let place = |wanted: &Output| outputs.iter().position(|output| output == wanted).unwrap();
    assert!(place(&Output::TransferTold { leg: Leg(1), status: 200 }) < place(&Output::HangUp(Leg(1))));
    let (tag, _) = dialled(&outputs);
    desk.put(Input::Dialling { tag, leg: Leg(10) });
    assert_eq!(voices(desk.answer(10)).last(), Some(&joined(1, (10, Class::Staff), (9, Class::Outside))));
    assert_eq!(voices(desk.refer(9, Asked::Target(ward()))), [Output::TransferTold { leg: Leg(9), status: 403 }]);

    let mut desk = Desk::new(4);
    desk.talk_from_phone(1, ward(), 9);
    let (_, to) = dialled(&desk.refer(9, Asked::Target(ward())));
    assert_eq!(to, To::Phone { phone: WARD, shown: "21".into() }, "the called one may hand on, too");
}

/// SEC-13: a telephone cannot hand its call on to what the rules do not allow; 200 attempts cost nothing and are an alarm.
#[test]
fn a_telephone_hands_on_within_the_rules() {
    let mut desk = Desk::new(4);
    desk.talk_from_phone(1, outside(NUMBER), 9);
    let mut alarms = 0;
    for _ in 0..200 {
        let outputs = desk.refer(1, Asked::Target(outside("0909 879 0123")));
        assert_eq!(voices(outputs.clone())[0], Output::TransferTold { leg: Leg(1), status: 403 });
        alarms += outputs.iter().filter(|output| matches!(output, Output::Refused { task: Some(_), .. })).count();
    }
    assert_eq!((alarms, desk.record_of().outgoing.len()), (1, 1));
}

/// RFC 3891: a telephone joins its two calls: whom it called outside with a colleague. Nobody joins the calls of another telephone.
#[test]
fn a_telephone_joins_its_two_calls() {
    let mut desk = Desk::new(4);
    desk.talk_from_phone(1, outside(NUMBER), 9);
    desk.put(Input::Held { leg: Leg(1), on: true });
    let first = desk.record_of();
    desk.talk_from_phone(2, ward(), 10);
    let second = desk.record_of();
    desk.call = Some(first);
    let outputs = desk.refer(1, Asked::Leg(Leg(2)));
    assert_eq!(voices(outputs.clone())[0], Output::TransferTold { leg: Leg(1), status: 200 });
    for gone in [1, 2] {
        assert!(outputs.contains(&Output::HangUp(Leg(gone))), "{gone}");
    }
    assert!(outputs.contains(&joined(1, (10, Class::Staff), (9, Class::Outside))), "{outputs:?}");
    assert!(!outputs.contains(&Output::HangUp(Leg(10))) && !outputs.contains(&Output::HangUp(Leg(9))));
    let ended = outputs
        .iter()
        .filter(|output| matches!(output, Output::Write { call, fact: Fact::Ended { .. }, .. } if *call == second.id));
    assert_eq!((ended.count(), desk.floor.calls()), (1, 1));
    assert_eq!(voices(desk.end(10, EndCause::CallerHungUp)), [Output::HangUp(Leg(9))]);

    let mut desk = Desk::new(4);
    desk.talk_from_phone(1, outside(NUMBER), 9);
    desk.talk_from_phone(2, outside(NUMBER), 10);
    let refused = [Output::TransferTold { leg: Leg(1), status: 403 }];
    assert_eq!(voices(desk.refer(1, Asked::Leg(Leg(1)))), refused);
    assert_eq!(voices(desk.refer(1, Asked::Leg(Leg(10)))), refused, "it is not the telephone's own");
}

pub(super) fn facts(outputs: &[Output], of: u128) -> Vec<Fact> {
    let facts = outputs.iter().filter_map(|output| match output {
        Output::Write { call, fact, .. } if *call == ids(of).call => Some(fact.clone()),
        _ => None,
    });
    facts.collect()
}

/// RFC 3891, SEC-13: a telephone joins two people outside as one hands on to the outside in any other way: within the caps, which count
/// on; two callers of the clinic are not joined.
#[test]
fn a_telephone_joins_two_people_outside() {
    const OTHER: &str = "+442079460999";
    for money in [25, 50] {
        let mut desk = Desk::new(4);
        for (number, target, leg) in [(1, NUMBER, 9), (2, OTHER, 10)] {
            let Input::Place(mut place) = placing(number, calling(number as u64), outside(target)) else {
                unreachable!()
            };
            place.world.rules.day_money_max = money;
            let (tag, _) = dialled(&desk.put(Input::Place(place)));
            desk.put(Input::Dialling { tag, leg: Leg(leg) });
            desk.answer(leg);
            desk.answer(number as u64);
        }
        desk.now = at(50);
        let outputs = desk.refer(1, Asked::Leg(Leg(2)));
        let told = voices(outputs.clone());
        if money == 25 {
            // Both have reserved their first minute, and a third one is more than may be spent.
            assert_eq!(told[0], Output::TransferTold { leg: Leg(1), status: 403 });
            assert!(outputs.iter().any(|output| matches!(output, Output::Refused { rule: OutboundRule::Money, .. })));
            assert_eq!(desk.floor.calls(), 2, "both go on");
            continue;
        }
        assert_eq!(told[0], Output::TransferTold { leg: Leg(1), status: 200 });
        assert!(outputs.contains(&joined(1, (10, Class::Outside), (9, Class::Outside))), "{outputs:?}");
        let hung_up: Vec<_> = told.iter().filter(|output| matches!(output, Output::HangUp(_))).collect();
        assert_eq!(hung_up, [&Output::HangUp(Leg(2)), &Output::HangUp(Leg(1))]);
        assert!(matches!(facts(&outputs, 2)[..], [Fact::OutsideEnded { index: 0 }, Fact::Ended { .. }]));
        let begun = facts(&outputs, 1);
        let Fact::Dialled(line) = &begun[0] else { unreachable!("{begun:?}") };
        assert_eq!((line.number.as_str(), line.trunk, line.by, line.placed_at), (OTHER, MAIN, Some(ANNA), at(50)));
        assert_eq!(begun[1], Fact::OutsideAnswered { index: 1 });
        assert_eq!(desk.floor.calls(), 1);
        // The next minute of each is asked for in time: of the first call's line, then of the one that went over.
        desk.wait_for_wake();
        assert_eq!(desk.now, at(57));
        desk.wait_for_wake();
        assert_eq!(desk.now, at(107));
        let ended = desk.end(9, EndCause::CallerHungUp);
        assert!(voices(ended.clone()).contains(&Output::HangUp(Leg(10))));
        let lines = facts(&ended, 1);
        assert!(lines.contains(&Fact::OutsideEnded { index: 0 }) && lines.contains(&Fact::OutsideEnded { index: 1 }));
        // Nothing is on any more: there is room for as many calls as may be at the same time.
        desk.now = at(7_200);
        for number in 5..=6 {
            let outputs = desk.put(placing(number, calling(number as u64), outside(NUMBER)));
            assert_eq!(
                outputs.contains(&Output::Done(ids(number).call)),
                number == 5,
                "the money of the day: {outputs:?}"
            );
        }
    }
}

/// What the one who asks presses is for whom they ask, and the other way round; who waits neither hears it nor is heard.
#[test]
fn digits_are_for_whom_one_talks_with() {
    let mut desk = Desk::new(4);
    desk.talk_from_phone(1, outside(NUMBER), 9);
    let (tag, _) = dialled(&desk.transfer(1, ward(), true));
    desk.put(Input::Dialling { tag, leg: Leg(10) });
    let press = |desk: &mut Desk, leg| voices(desk.put(Input::Digit { leg: Leg(leg), digit: '5' }));
    let sent = |leg| vec![Output::Dtmf { leg: Leg(leg), digits: "5".into() }];
    assert_eq!(press(&mut desk, 1), vec![], "it rings there");
    desk.answer(10);
    assert_eq!([1, 10, 9].map(|leg| press(&mut desk, leg)), [sent(10), sent(1), vec![]]);
    assert_eq!(voices(desk.order(1, Order::Dtmf("5".into()))), sent(10));
    desk.order(1, Order::Hold(false));
    assert_eq!([1, 9].map(|leg| press(&mut desk, leg)), [sent(9), sent(1)]);
}

/// What people place leaves a place to callers; where there is only one, it is for whoever comes first.
#[test]
fn a_place_is_kept_for_callers() {
    for (calls_max, placed) in [(1, 1), (2, 1), (11, 10), (30, 27)] {
        let mut desk = Desk::new(calls_max);
        let is_placed = |number: &u128| {
            desk.put(placing(*number, Origin::Phone(DESK), ward())).contains(&Output::Done(ids(*number).call))
        };
        assert_eq!((1..=40).filter(is_placed).count(), placed, "{calls_max}");
        let answered = |number: &u128| desk.arrive(*number, false)[0] == Output::Answer(Leg(*number as u64));
        assert_eq!((50..=90).filter(answered).count(), calls_max - placed, "{calls_max}");
    }
}

/// A wish that comes a second time, before the first was written down, is the same call.
#[test]
fn the_same_wish_twice_is_one_call() {
    let mut desk = Desk::new(4);
    let (tag, _) = dialled(&desk.put(placing(1, Origin::Phone(DESK), outside(NUMBER))));
    assert_eq!(desk.put(placing(1, Origin::Phone(DESK), outside(NUMBER))), [Output::Done(ids(1).call)]);
    desk.put(Input::Dialling { tag, leg: Leg(2) });
    assert_eq!(dialled(&desk.answer(2)).1, to(MAIN, "+442079460000"), "the first one goes on");
}

/// RFC 3891: a leg that takes another's place is bridged once it is up; the end of the one before changes nothing.
#[test]
fn a_leg_takes_anothers_place() {
    let mut desk = Desk::new(4);
    desk.talk_from_phone(1, outside(NUMBER), 9);
    assert!(desk.put(Input::Replaced { leg: Leg(1), by: Leg(20) }).is_empty());
    assert!(voices(desk.end(1, EndCause::ClinicHungUp)).is_empty());
    assert_eq!(voices(desk.answer(20)).last(), Some(&joined(1, (20, Class::Staff), (9, Class::Outside))));
    assert_eq!(voices(desk.end(20, EndCause::CallerHungUp)), [Output::HangUp(Leg(9))]);
    assert!(desk.put(Input::Replaced { leg: Leg(77), by: Leg(78) }).is_empty());
}
