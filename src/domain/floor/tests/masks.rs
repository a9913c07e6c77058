//! What nobody may keep, step by step (B-16).

use super::stations::{HERS, HIS};
use super::talks::{ANNA, BEN, facts};
use super::*;
use crate::account::Actor;
use crate::code::Role;
use crate::floor::mask::MASK_MAX;

impl Desk {
    fn masks(&mut self, by: crate::id::AccountId, on: bool) -> Vec<Output> {
        let actor = Actor::Account { id: by, role: Role::Agent };
        self.wants(1, by, Order::Mask { on, actor })
    }

    fn masked_until(&self) -> Option<Timestamp> {
        self.floor.board()[0].masked_until
    }
}

fn masked(outputs: &[Output]) -> Vec<(Leg, bool)> {
    let masked = outputs.iter().filter_map(|output| match output {
        Output::Mask { leg, on } => Some((*leg, *on)),
        _ => None,
    });
    masked.collect()
}

#[test]
fn who_handles_a_call_masks_it_and_nobody_else() {
    let mut desk = Desk::new(4);
    let refused = [Output::NotDone(ids(1).call, NotPlaced::NotTalking)];
    desk.anna_calls_ben(1, 9);
    assert_eq!(desk.masks(ANNA, true), refused, "nobody talks yet");
    desk.wants(1, BEN, Order::Answer);
    assert_eq!(desk.masks(BEN, true), refused, "she handles it");
    let outputs = desk.masks(ANNA, true);
    assert_eq!((masked(&outputs), facts(&outputs, 1)), (vec![(HERS, true)], vec![Fact::Masked { on: true }]));
    let by = outputs.iter().find_map(|output| match output {
        Output::Write { actor, fact: Fact::Masked { .. }, .. } => Some(*actor),
        _ => None,
    });
    assert_eq!(by, Some(Actor::Account { id: ANNA, role: Role::Agent }));
    let until = desk.masked_until();
    assert!(until.is_some());
    assert_eq!(desk.masks(ANNA, true), [Output::Done(ids(1).call)], "once more gives no more time");
    assert_eq!(desk.masked_until(), until);
    let outputs = desk.masks(ANNA, false);
    assert_eq!((masked(&outputs), desk.masked_until()), (vec![(HERS, false)], None));
}

#[test]
fn a_mask_ends_when_its_leg_no_longer_talks_with_the_other_side() {
    let mut desk = Desk::new(4);
    desk.anna_talks_with_ben(1, 9);
    desk.masks(ANNA, true);
    let outputs = desk.wants(1, ANNA, Order::Hold(true));
    assert_eq!(masked(&outputs), [], "the engine's is over with the bridge");
    assert!(facts(&outputs, 1).contains(&Fact::Masked { on: false }), "{outputs:?}");
    desk.wants(1, ANNA, Order::Hold(false));
    assert_eq!(desk.masked_until(), None, "taking back begins none");
    desk.masks(ANNA, true);
    let outputs = desk.put(Input::LegEnded { leg: HIS, cause: EndCause::CallerHungUp });
    assert!(masked(&outputs).is_empty() && desk.floor.board().is_empty(), "it ends with the call: {outputs:?}");
}

#[test]
fn a_forgotten_mask_ends_by_itself() {
    let mut desk = Desk::new(4);
    desk.anna_talks_with_ben(1, 9);
    let began = desk.now;
    desk.masks(ANNA, true);
    let outputs = desk.wait_for_wake();
    assert_eq!((masked(&outputs), desk.now), (vec![(HERS, false)], began.saturating_add(MASK_MAX).unwrap_or(began)));
    assert_eq!(facts(&outputs, 1), [Fact::Masked { on: false }]);
}
