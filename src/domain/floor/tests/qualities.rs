//! How both sides of a call sound, and that somebody is not heard, step by step (B-22).

use super::participants::{EVA, EVAS};
use super::stations::{HERS, HIS};
use super::talks::{ANNA, BEN, MAIN, NUMBER, calling, dialled, facts, outside, placing, ward};
use super::*;
use crate::call::PEOPLE_MAX;
use crate::code::{Part, TaskKind, Unheard};
use crate::id::AccountId;

impl Desk {
    /// So many packets of this leg have come, and it is heard or not.
    fn sounds(&mut self, leg: Leg, packets_received: u64, one_way: bool) -> Vec<Output> {
        let quality =
            SideQuality { packets_received, packets_lost: 2, jitter_ms: 3.0, mos: (!one_way).then_some(4.1), one_way };
        self.put(Input::Quality { leg, quality })
    }

    /// Somebody calls outside from there; whom they call is dialled as this leg, and answers.
    fn calls_outside(&mut self, number: u128, origin: Origin, leg: u64) -> Vec<Output> {
        let outputs = self.put(placing(number, origin, outside(NUMBER)));
        let (tag, _) = dialled(&outputs);
        self.put(Input::Dialling { tag, leg: Leg(leg) });
        self.answer(leg);
        outputs
    }

    /// Whose sound the record tells, how many packets of theirs came, and whether they were not heard for a while.
    fn people(&self) -> Vec<(Option<AccountId>, u64, bool)> {
        let people = self.record_of().quality.staff.into_iter();
        people.map(|person| (person.account, person.sound.packets_received, person.sound.one_way)).collect()
    }

    fn unheard(&self) -> Vec<Option<Unheard>> {
        self.floor.board().into_iter().map(|call| call.unheard).collect()
    }
}

fn written(who: Unheard, way: EntranceKind, task: Option<u128>) -> Vec<Fact> {
    vec![Fact::Unheard { who, way, task: task.map(|number| ids(number).unheard) }]
}

#[test]
fn both_sides_are_measured_and_a_softphone_anew_with_each_call() {
    let mut desk = Desk::new(4);
    let begun = desk.calls_outside(1, Origin::Station(HERS), 9);
    assert!(begun.contains(&Output::Measure(HERS)), "{begun:?}");
    desk.sounds(Leg(9), 900, false);
    for (received, one_way) in [(700, false), (800, true), (850, false)] {
        desk.sounds(HERS, received, one_way);
    }
    assert!(desk.sounds(Leg(77), 5, true).is_empty(), "nobody of this call");
    desk.end(9, EndCause::CallerHungUp);
    let quality = desk.record_of().quality;
    assert_eq!((quality.packets_received, quality.mos, quality.one_way), (900, Some(4.1), false));
    assert_eq!(desk.people(), [(Some(ANNA), 850, true)], "a silence is kept");
}

#[test]
fn colleagues_are_measured_as_they_stand_when_the_other_takes_the_call_over() {
    let mut desk = Desk::new(4);
    desk.anna_talks_with_ben(1, 9);
    desk.sounds(HERS, 100, false);
    desk.sounds(HIS, 200, false);
    desk.wants(1, BEN, Order::Hold(true));
    desk.wants(1, BEN, Order::Hold(false));
    desk.sounds(HERS, 300, false);
    desk.sounds(HIS, 400, true);
    assert_eq!(desk.unheard(), [Some(Unheard::Clinic)]);
    desk.wants(1, BEN, Order::HangUp);
    assert_eq!(desk.record_of().quality.packets_received, 300);
    assert_eq!(desk.people(), [(Some(ANNA), 300, false), (Some(BEN), 400, true)]);
}

/// Everybody of the clinic is measured, whatever their part; what is told of the call itself stays that of whom it was about when they
/// leave a conference, and whoever comes again is told of again.
#[test]
fn each_person_of_a_conference_is_measured() {
    let mut desk = Desk::new(4);
    desk.talk_from_phone(1, outside(NUMBER), 9);
    desk.sounds(Leg(9), 100, false);
    desk.sounds(Leg(1), 110, false);
    desk.takes_in(ward(), 10);
    desk.sounds(Leg(10), 120, false);
    desk.joins(Part::Listen);
    assert!(desk.sounds(EVAS, 130, true).is_empty(), "nobody misses who only listens");
    desk.takes_in(outside("+442079460959"), 8);
    desk.sounds(Leg(8), 5, false);
    desk.wants(1, EVA, Order::HangUp);
    desk.joins(Part::Talk);
    desk.sounds(EVAS, 20, false);
    desk.takes_in(ward(), 11);
    desk.sounds(Leg(11), 40, false);
    assert!(desk.order(1, Order::Remove(5)).contains(&Output::HangUp(Leg(11))));
    desk.sounds(Leg(11), 50, false);
    desk.end(9, EndCause::CallerHungUp);
    desk.sounds(Leg(10), 230, false);
    desk.order(1, Order::HangUp);
    desk.end(10, EndCause::CallerHungUp);
    desk.end(8, EndCause::CallerHungUp);
    let expected = [
        (Some(ANNA), 110, false),
        (Some(BEN), 230, false),
        (Some(EVA), 130, true),
        (Some(EVA), 20, false),
        (Some(BEN), 50, false),
    ];
    assert_eq!(desk.people(), expected);
    assert_eq!(desk.record_of().quality.packets_received, 100);
}

/// The record keeps a bounded number of them.
#[test]
fn of_very_many_people_the_first_are_told_of() {
    let mut desk = Desk::new(4);
    desk.talk_from_phone(1, outside(NUMBER), 9);
    desk.sounds(Leg(1), 50, false);
    for leg in 100..120 {
        desk.takes_in(ward(), leg);
        desk.sounds(Leg(leg), leg, false);
        desk.end(leg, EndCause::CallerHungUp);
    }
    desk.sounds(Leg(1), 60, false);
    desk.end(9, EndCause::CallerHungUp);
    let people = desk.people();
    assert_eq!((people.len(), people[0].1, people.last().map(|person| person.1)), (PEOPLE_MAX, 60, Some(114)));
}

#[test]
fn a_call_without_people_has_one_side() {
    let mut desk = Desk::new(4);
    desk.arrive(1, false);
    desk.answer(1);
    desk.sounds(Leg(1), 500, false);
    desk.end(1, EndCause::CallerHungUp);
    assert_eq!(desk.people(), []);
}

#[test]
fn who_is_not_heard_is_shown_while_it_lasts_and_written_down_once() {
    let mut desk = Desk::new(4);
    desk.arrive(1, false);
    desk.answer(1);
    let outputs = desk.sounds(Leg(1), 0, true);
    assert_eq!(facts(&outputs, 1), written(Unheard::Other, EntranceKind::Address, Some(1)));
    assert_eq!((desk.unheard(), desk.events.last()), (vec![Some(Unheard::Other)], Some(&"task.changed")));
    let task = &desk.tasks[0];
    assert_eq!((task.kind, task.call, task.text.as_str()), (TaskKind::OneWay, Some(ids(1).call), "other"));
    assert!(desk.call.as_ref().unwrap().quality.one_way, "at once, should the service end");
    assert!(desk.sounds(Leg(1), 0, true).is_empty(), "it goes on");
    assert_eq!(desk.sounds(Leg(1), 40, false), [Output::Board]);
    assert_eq!(desk.unheard(), [None]);
    assert_eq!(desk.sounds(Leg(1), 40, true), [Output::Board], "once more is nothing new");
    assert_eq!((desk.unheard(), desk.tasks.len()), (vec![Some(Unheard::Other)], 1));
}

#[test]
fn people_are_asked_to_look_at_a_way_once_an_hour() {
    let mut desk = Desk::new(20);
    let arrives = |desk: &mut Desk, number: u128| {
        desk.arrive(number, false);
        desk.answer(number as u64);
        let outputs = desk.sounds(Leg(number as u64), 0, true);
        facts(&outputs, number)
    };
    let by_address = |task| written(Unheard::Other, EntranceKind::Address, task);
    assert_eq!(arrives(&mut desk, 1), by_address(Some(1)));
    for number in 2..10 {
        assert_eq!(arrives(&mut desk, number), by_address(None), "a broken network breaks all of them");
    }
    // Other ways: the trunk that whoever is called comes by, a desk phone and a softphone.
    desk.calls_outside(11, Origin::Station(HERS), 111);
    assert_eq!(desk.call.as_ref().unwrap().outgoing[0].trunk, MAIN);
    let outputs = desk.sounds(Leg(111), 0, true);
    assert_eq!(facts(&outputs, 11), written(Unheard::Other, EntranceKind::Trunk, Some(11)));
    let outputs = desk.sounds(HERS, 0, true);
    assert_eq!((facts(&outputs, 11), desk.unheard().pop()), (vec![], Some(Some(Unheard::Other))), "one is enough");
    desk.end(111, EndCause::CallerHungUp);
    desk.calls_outside(12, calling(12), 112);
    desk.answer(12);
    let outputs = desk.sounds(Leg(12), 0, true);
    assert_eq!(facts(&outputs, 12), written(Unheard::Clinic, EntranceKind::Phone, Some(12)));
    assert_eq!(desk.unheard().pop(), Some(Some(Unheard::Clinic)));
    desk.end(112, EndCause::CallerHungUp);
    desk.calls_outside(13, Origin::Station(HERS), 113);
    let outputs = desk.sounds(HERS, 0, true);
    assert_eq!(facts(&outputs, 13), written(Unheard::Clinic, EntranceKind::Browser, Some(13)));
    desk.now = at(3_600);
    assert_eq!(arrives(&mut desk, 14), by_address(Some(14)));
    assert_eq!(desk.tasks.len(), 5);
}
