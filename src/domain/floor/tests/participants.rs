//! Calls of several people: conferences and supervision, step by step.

use super::stations::{HERS, HIS};
use super::talks::{ANNA, BEN, NUMBER, dialled, outside, voices, ward, world};
use super::*;
use crate::code::Part;
use crate::id::{AccountId, PhoneId};
use crate::live::LiveParticipant;

/// A supervisor, at her softphone.
pub(super) const EVA: AccountId = AccountId(Uuid::from_u128(53));
pub(super) const EVAS: Leg = Leg(300);
const EVA_IS: Actor = Actor::Account { id: EVA, role: crate::code::Role::Supervisor };

fn joining(part: Part, origin: Origin) -> Joining {
    Joining { part, takes_over: false, origin, shown: "Eva".into(), actor: EVA_IS, world: Box::new(world()) }
}

/// Who hears whom by the last bridge among these, as (listener, heard) in the order of the parties.
fn hearing(outputs: &[Output]) -> Vec<(u64, Vec<u64>)> {
    let parties = outputs.iter().rev().find_map(|output| match output {
        Output::Bridge { parties, .. } => Some(parties),
        _ => None,
    });
    let row = |party: &Party| (party.leg.0, party.hears.iter().map(|leg| leg.0).collect());
    parties.expect("a bridge is set").iter().map(row).collect()
}

fn facts(outputs: &[Output]) -> Vec<(Actor, Fact)> {
    let written = outputs.iter().filter_map(|output| match output {
        Output::Write { actor, fact: fact @ Fact::Participant { .. }, .. } => Some((*actor, fact.clone())),
        _ => None,
    });
    written.collect()
}

fn taking_part(account: AccountId, part: Option<Part>) -> Fact {
    Fact::Participant { account: Some(account), part }
}

impl Desk {
    /// The one who handles call 1 asks this target, who answers as this leg, and all talk.
    pub(super) fn takes_in(&mut self, target: Target, leg: u64) -> Vec<Output> {
        let (tag, _) = dialled(&self.transfer(1, target, true));
        self.put(Input::Dialling { tag, leg: Leg(leg) });
        self.answer(leg);
        self.order(1, Order::Conference { actor: EVA_IS })
    }

    pub(super) fn joins(&mut self, part: Part) -> Vec<Output> {
        self.wants(1, EVA, Order::Join(Box::new(joining(part, Origin::Station(EVAS)))))
    }

    fn takes_over(&mut self, origin: Origin) -> Vec<Output> {
        let joining = Joining { takes_over: true, ..joining(Part::Talk, origin) };
        self.wants(1, EVA, Order::Join(Box::new(joining)))
    }

    fn participants(&self) -> Vec<(u32, Option<AccountId>, String, Part)> {
        let all = self.floor.board().into_iter().flat_map(|call| call.participants);
        all.map(|LiveParticipant { number, account, shown, part, .. }| (number, account, shown, part)).collect()
    }
}

/// Whom one asks comes in and all hear all, one after the other, up to the bound; each of them may be let go, and the rest go on.
#[test]
fn a_conference_grows_by_asking_and_all_hear_all() {
    let mut desk = Desk::new(4);
    desk.talk_from_phone(1, outside(NUMBER), 9);
    let nobody = desk.order(1, Order::Conference { actor: EVA_IS });
    assert_eq!(nobody, [Output::NotDone(ids(1).call, NotPlaced::NotTalking)], "nobody is being asked");
    let up = desk.takes_in(ward(), 10);
    assert_eq!(hearing(&up), [(1, vec![9, 10]), (9, vec![1, 10]), (10, vec![1, 9])]);
    assert!(up.contains(&Output::Music { leg: Leg(9), on: false }), "{up:?}");
    assert_eq!(facts(&up), [(EVA_IS, taking_part(BEN, Some(Part::Talk)))]);
    assert_eq!(desk.participants(), [(1, Some(BEN), "22".into(), Part::Talk)]);
    assert_eq!(desk.record_of().status, CallStatus::WithAgent);

    for leg in 11..=19 {
        let up = desk.takes_in(ward(), leg);
        let rows = hearing(&up);
        assert_eq!(rows.len() as u64, leg - 7, "{rows:?}");
        assert!(rows.iter().all(|(own, heard)| heard.len() == rows.len() - 1 && !heard.contains(own)), "{rows:?}");
    }
    assert_eq!(desk.participants().len(), PARTICIPANTS_MAX);
    let full = desk.takes_in(ward(), 20);
    assert_eq!(full.last(), Some(&Output::NotDone(ids(1).call, NotPlaced::Full)));
    // The one who was asked in vain hangs up: all are together again without asking.
    assert_eq!(hearing(&desk.end(20, EndCause::CallerHungUp)).len(), PARTICIPANTS_MAX + 2);

    let gone = desk.order(1, Order::Remove(4));
    assert!(gone.contains(&Output::HangUp(Leg(13))), "{gone:?}");
    assert!(hearing(&gone).iter().all(|(own, heard)| *own != 13 && !heard.contains(&13)));
    assert_eq!(facts(&gone), [(Actor::System, taking_part(BEN, None))]);
    let again = desk.order(1, Order::Remove(4));
    assert_eq!(again, [Output::NotDone(ids(1).call, NotPlaced::NotTalking)]);
    assert_eq!(hearing(&desk.end(19, EndCause::CallerHungUp)).len(), PARTICIPANTS_MAX);
}

/// Whoever handles a conference may ask somebody else meanwhile: the others go on talking, without music and without hearing that.
#[test]
fn the_others_go_on_while_one_of_them_is_away() {
    let mut desk = Desk::new(4);
    desk.talk_from_phone(1, outside(NUMBER), 9);
    desk.takes_in(ward(), 10);
    let away = desk.order(1, Order::Hold(true));
    assert_eq!(hearing(&away), [(9, vec![10]), (10, vec![9])]);
    assert!(!voices(away).iter().any(|output| matches!(output, Output::Music { .. })));
    let back = desk.order(1, Order::Hold(false));
    assert_eq!(hearing(&back).len(), 3);
    let (tag, _) = dialled(&desk.transfer(1, ward(), true));
    desk.put(Input::Dialling { tag, leg: Leg(11) });
    let asks = desk.answer(11);
    assert_eq!(hearing(&asks), [(1, vec![11]), (9, vec![10]), (11, vec![1]), (10, vec![9])]);
    // The one whom the other talked with leaves: whoever is left alone hears music until the first one is back.
    let alone = desk.end(10, EndCause::CallerHungUp);
    assert_eq!(hearing(&alone), [(1, vec![11]), (11, vec![1])]);
    assert!(alone.contains(&Output::Music { leg: Leg(9), on: true }), "{alone:?}");
    assert_eq!(hearing(&desk.order(1, Order::Conference { actor: EVA_IS })).len(), 3);
}

/// When whoever handled a conference leaves, a colleague who talks in it does so; when the one whom it was about leaves, the others go on.
/// Somebody outside is never left alone with somebody outside.
#[test]
fn those_who_are_left_of_a_conference_go_on() {
    let mut desk = Desk::new(4);
    desk.talk_from_phone(1, outside(NUMBER), 9);
    desk.takes_in(outside("+442079460959"), 8);
    desk.takes_in(ward(), 10);
    let left = desk.end(1, EndCause::CallerHungUp);
    assert_eq!(hearing(&left), [(10, vec![9, 8]), (9, vec![10, 8]), (8, vec![10, 9])]);
    assert_eq!(desk.record_of().agent, Some(BEN));
    let left = desk.end(9, EndCause::CallerHungUp);
    assert_eq!(hearing(&left), [(10, vec![8]), (8, vec![10])], "the other one outside is whom it is about");
    assert!(desk.record_of().outgoing[0].ended_at.is_some() && desk.record_of().outgoing[1].ended_at.is_none());
    desk.end(8, EndCause::CallerHungUp);
    assert_eq!(desk.record_of().cause, Some(EndCause::CalledHungUp));

    let mut desk = Desk::new(4);
    desk.talk_from_phone(1, outside(NUMBER), 9);
    desk.takes_in(outside("+442079460959"), 8);
    let over = desk.end(1, EndCause::CallerHungUp);
    assert!(over.contains(&Output::HangUp(Leg(9))) && over.contains(&Output::HangUp(Leg(8))), "{over:?}");
    assert!(desk.record_of().outgoing.iter().all(|line| line.ended_at.is_some()));
}

/// SUP-05, SUP-06, SUP-08: a supervisor listens, whispers, and talks; whom they may hear and who hears them is what the words say. They
/// leave without a trace in the others' talk, and are free for the next call.
#[test]
fn a_supervisor_listens_whispers_and_talks() {
    let mut desk = Desk::new(4);
    desk.talk_from_phone(1, outside(NUMBER), 9);
    let listens = desk.joins(Part::Listen);
    assert_eq!(hearing(&listens), [(1, vec![9]), (9, vec![1]), (300, vec![1, 9])]);
    assert_eq!(facts(&listens), [(EVA_IS, taking_part(EVA, Some(Part::Listen)))]);
    assert_eq!(desk.participants(), [(1, Some(EVA), "Eva".into(), Part::Listen)]);
    let station = desk.floor.board()[0].stations.iter().find(|station| station.account == EVA).copied().unwrap();
    assert_eq!((station.part, station.is_ringing), (Part::Listen, false));
    assert!(facts(&desk.joins(Part::Listen)).is_empty(), "once more is nothing new");
    assert_eq!(hearing(&desk.joins(Part::Whisper)), [(1, vec![9, 300]), (9, vec![1]), (300, vec![1, 9])]);
    let talks = desk.joins(Part::Talk);
    assert_eq!(hearing(&talks), [(1, vec![9, 300]), (9, vec![1, 300]), (300, vec![1, 9])]);
    assert_eq!(facts(&talks), [(EVA_IS, taking_part(EVA, Some(Part::Talk)))]);
    desk.joins(Part::Listen);
    // While the caller waits nobody talks, and there is nothing to be heard.
    assert!(hearing(&desk.order(1, Order::Hold(true))).is_empty());
    assert_eq!(hearing(&desk.order(1, Order::Hold(false))).len(), 3);
    assert_eq!(
        desk.wants(1, EVA, Order::Hold(true)).last(),
        Some(&Output::NotDone(ids(1).call, NotPlaced::NotTalking)),
        "it is not her call"
    );
    let left = desk.wants(1, EVA, Order::HangUp);
    assert_eq!(hearing(&left), [(1, vec![9]), (9, vec![1])]);
    assert!(left.contains(&Output::Rest(EVAS)) && desk.participants().is_empty(), "{left:?}");
    desk.joins(Part::Listen);
    let over = voices(desk.end(9, EndCause::CallerHungUp));
    assert!(over.contains(&Output::Rest(EVAS)), "{over:?}");
    desk.talk_from_phone(2, outside(NUMBER), 9);
    let again = desk.wants(2, EVA, Order::Join(Box::new(joining(Part::Listen, Origin::Station(EVAS)))));
    assert!(again.contains(&Output::Done(ids(2).call)), "her softphone is free again");
}

/// A supervisor without a softphone is rung, and comes in when they answer; who is in another call comes into none.
#[test]
fn a_supervisor_is_rung_and_comes_into_one_call_only() {
    let phone = Origin::Phone(PhoneId(Uuid::from_u128(63)));
    let mut desk = Desk::new(4);
    desk.talk_from_phone(1, outside(NUMBER), 9);
    let rung = desk.wants(1, EVA, Order::Join(Box::new(joining(Part::Whisper, phone))));
    let (tag, _) = dialled(&rung);
    desk.put(Input::Dialling { tag, leg: Leg(30) });
    assert!(voices(desk.put(Input::Ringing { leg: Leg(30) })).is_empty());
    assert_eq!(hearing(&desk.answer(30)), [(1, vec![9, 30]), (9, vec![1]), (30, vec![1, 9])]);
    assert!(voices(desk.order(1, Order::HangUp)).contains(&Output::HangUp(Leg(30))));

    let mut desk = Desk::new(4);
    desk.talk_from_phone(1, outside(NUMBER), 9);
    let (tag, _) = dialled(&desk.wants(1, EVA, Order::Join(Box::new(joining(Part::Listen, phone)))));
    desk.put(Input::Dialling { tag, leg: Leg(30) });
    // The caller's next minute is paid for before her telephone has rung for long enough.
    desk.wait_for_wake();
    let given_up = desk.wait_for_wake();
    assert!(given_up.contains(&Output::HangUp(Leg(30))) && desk.participants().is_empty(), "{given_up:?}");
    assert_eq!(desk.floor.calls(), 1, "the call goes on");

    let mut desk = Desk::new(4);
    desk.anna_talks_with_ben(1, 9);
    let own = desk.wants(1, ANNA, Order::Join(Box::new(joining(Part::Listen, Origin::Station(HERS)))));
    assert_eq!(own, [Output::NotDone(ids(1).call, NotPlaced::NotTalking)]);
    let busy = desk.wants(1, EVA, Order::Join(Box::new(joining(Part::Listen, Origin::Station(HIS)))));
    assert_eq!(busy, [Output::NotDone(ids(1).call, NotPlaced::Busy)], "that softphone is in a call");
}

/// B-05: a supervisor listens to a caller and the receptionist, takes the caller over, and the receptionist leaves. Nobody talks beside her.
#[test]
fn a_supervisor_listens_to_the_receptionist_and_takes_over() {
    let mut desk = Desk::new(4);
    desk.arrive(1, true);
    assert_eq!(desk.joins(Part::Listen).last(), Some(&Output::NotDone(ids(1).call, NotPlaced::NotTalking)));
    desk.answer(1);
    for part in [Part::Whisper, Part::Talk] {
        assert_eq!(desk.joins(part), [Output::NotDone(ids(1).call, NotPlaced::NotTalking)]);
    }
    let listens = desk.joins(Part::Listen);
    let listener = Party { leg: EVAS, class: Class::Staff, hears: vec![Leg(1)], overhears: true };
    let caller = Party { leg: Leg(1), class: Class::Outside, hears: vec![], overhears: false };
    assert!(listens.contains(&Output::Bridge { bridge: 1, parties: vec![caller, listener] }), "{listens:?}");
    assert_eq!(desk.record_of().status, CallStatus::WithReceptionist);
    let over = voices(desk.takes_over(Origin::Station(EVAS)));
    assert_eq!(over.first(), Some(&Output::Dismiss(ids(1).call)));
    assert_eq!(hearing(&over), [(300, vec![1]), (1, vec![300])]);
    assert_eq!((desk.record_of().agent, desk.record_of().status), (Some(EVA), CallStatus::WithAgent));
    assert!(desk.participants().is_empty());

    // The caller leaves while she listens: she is left in peace.
    let mut desk = Desk::new(4);
    desk.arrive(1, false);
    desk.answer(1);
    desk.joins(Part::Listen);
    let over = voices(desk.end(1, EndCause::CallerHungUp));
    assert_eq!(over, [Output::Bridge { bridge: 1, parties: vec![] }, Output::Rest(EVAS)]);
    // Her page goes while she listens: the caller notices nothing.
    desk.arrive(2, false);
    desk.answer(2);
    let joined = desk.wants(2, EVA, Order::Join(Box::new(joining(Part::Listen, Origin::Station(EVAS)))));
    assert!(joined.contains(&Output::Done(ids(2).call)));
    let gone = voices(desk.end(EVAS.0, EndCause::Failed));
    assert_eq!(gone, [Output::Bridge { bridge: 2, parties: vec![] }]);
    assert_eq!(desk.floor.calls(), 1);
}

/// SUP-07: a supervisor takes a call from a colleague, who leaves it; from a telephone, once that has answered, and gives it back where it
/// does not. Whoever listened goes on listening, also to the receptionist when nobody takes the caller.
#[test]
fn a_supervisor_takes_a_call_over_from_a_colleague() {
    let mut desk = Desk::new(4);
    desk.talk_from_phone(1, outside(NUMBER), 9);
    let over = voices(desk.takes_over(Origin::Station(EVAS)));
    assert_eq!(over.first(), Some(&Output::HangUp(Leg(1))));
    assert_eq!(hearing(&over), [(300, vec![9]), (9, vec![300])]);
    assert!(voices(desk.end(1, EndCause::ClinicHungUp)).is_empty());
    assert_eq!(desk.record_of().agent, Some(EVA));

    let mut desk = Desk::new(4);
    desk.talk_from_phone(1, outside(NUMBER), 9);
    let phone = Origin::Phone(PhoneId(Uuid::from_u128(63)));
    let rung = desk.takes_over(phone);
    let (tag, _) = dialled(&rung);
    assert!(rung.contains(&Output::Music { leg: Leg(9), on: true }) && rung.contains(&Output::HangUp(Leg(1))));
    desk.put(Input::Dialling { tag, leg: Leg(30) });
    let (_, again) = dialled(&desk.end(30, EndCause::NoAnswer));
    assert!(matches!(again, To::Phone { .. }), "the colleague is rung again");

    let mut desk = Desk::new(4);
    desk.arrive(1, false);
    desk.answer(1);
    desk.joins(Part::Listen);
    let (tag, _) = dialled(&desk.transfer(1, ward(), false));
    desk.put(Input::Dialling { tag, leg: Leg(10) });
    desk.answer(10);
    assert_eq!(hearing(&desk.joins(Part::Whisper)), [(10, vec![1, 300]), (1, vec![10]), (300, vec![10, 1])]);
    let (tag, _) = dialled(&desk.transfer(1, ward(), false));
    desk.put(Input::Dialling { tag, leg: Leg(11) });
    let (tag, _) = dialled(&desk.end(11, EndCause::Busy));
    desk.put(Input::Dialling { tag, leg: Leg(12) });
    let back = desk.end(12, EndCause::Busy);
    assert!(back.iter().any(|output| matches!(output, Output::Attend(_))), "{back:?}");
    assert_eq!(hearing(&back), [(1, vec![]), (300, vec![1])]);
    assert_eq!(desk.participants().first().map(|it| it.3), Some(Part::Listen), "nobody whispers to a receptionist");
}
