//! Calls to an emergency number, step by step: nothing that a telephone, a trunk or a softphone says keeps them from going out.

use super::talks::{ANNA, MAIN, NUMBER, SPARE, calling, dialled, outside, placing, voices};
use super::*;
use crate::id::TrunkId;

/// Anna's softphone.
const HERS: Leg = Leg(100);

fn is_marked(outputs: &[Output]) -> bool {
    outputs.iter().any(|output| matches!(output, Output::Dial { is_emergency: true, .. }))
}

impl Desk {
    /// The one leg that was dialled among these is this one; by which trunk.
    fn gets(&mut self, outputs: &[Output], leg: u64) -> TrunkId {
        let (tag, to) = dialled(outputs);
        assert!(is_marked(outputs), "{outputs:?}");
        self.put(Input::Dialling { tag, leg: Leg(leg) });
        let To::Trunk { trunk, number, .. } = to else { unreachable!("{to:?}") };
        assert_eq!(number, "999");
        trunk
    }
}

/// SAFE-01: whatever ends it before it is answered, the next trunk is tried; after the last one the first again, three times in all.
#[test]
fn every_way_is_tried_whatever_the_one_before_said() {
    let rows = [
        (EndCause::Failed, 503),
        (EndCause::Refused, 404),
        (EndCause::Busy, 486),
        (EndCause::NoAnswer, 480),
        (EndCause::Rejected, 503),
        (EndCause::CallerHungUp, 503),
    ];
    for (cause, status) in rows {
        let mut desk = Desk::new(4);
        let mut outputs = desk.put(placing(1, calling(1), outside("999")));
        let mut tried = Vec::new();
        for leg in 9..15 {
            tried.push(desk.gets(&outputs, leg));
            outputs = desk.end(leg, cause);
            if tried.len() == 2 || tried.len() == 4 {
                assert!(voices(outputs).is_empty(), "a moment's rest");
                let before = desk.now;
                outputs = desk.wait_for_wake();
                assert_eq!(desk.now.duration_since(before), SignedDuration::from_secs(2));
            }
        }
        assert_eq!(tried, [MAIN, SPARE].repeat(3), "{cause:?}");
        assert_eq!(voices(outputs), [Output::Refuse(Leg(1), status)], "{cause:?}");
        let call = desk.record_of();
        assert_eq!((call.outgoing.len(), call.outgoing[0].trunk, call.cause), (1, SPARE, Some(cause)));
        assert_eq!(desk.floor.next_wake(), None);
    }
}

/// SAFE-01: a way by which nobody rings is left after a while, one that rings unanswered after a minute; the last one rings on.
#[test]
fn the_last_way_rings_until_somebody_answers() {
    let mut desk = Desk::new(4);
    desk.floor.handle(Input::Wake, desk.now);
    let outputs = desk.put(placing(1, calling(1), outside("999")));
    assert_eq!(desk.gets(&outputs, 9), MAIN);
    let outputs = desk.wait_for_wake();
    assert_eq!((desk.now, voices(outputs.clone())[0].clone()), (at(20), Output::HangUp(Leg(9))));
    assert_eq!(desk.gets(&outputs, 10), SPARE);
    desk.put(Input::Ringing { leg: Leg(10) });
    assert_eq!(desk.floor.next_wake(), None, "whoever helps is not hung up on");
    // What was given up may answer as late as it likes.
    assert!(voices(desk.answer(9)).is_empty());
    desk.now = at(500);
    assert_eq!(voices(desk.answer(10))[0], Output::Answer(Leg(1)));

    let mut desk = Desk::new(4);
    let outputs = desk.put(placing(1, calling(1), outside("999")));
    desk.gets(&outputs, 9);
    desk.now = at(5);
    desk.put(Input::Ringing { leg: Leg(9) });
    let outputs = desk.wait_for_wake();
    assert_eq!((desk.now, desk.gets(&outputs, 10)), (at(65), SPARE));
}

/// Who gives up while a way is rested from ends the call; what the media thread ends by itself is not dialled again.
#[test]
fn giving_up_ends_an_emergency_call_too() {
    for pauses in [false, true] {
        let mut desk = Desk::new(4);
        let outputs = desk.put(placing(1, calling(1), outside("999")));
        desk.gets(&outputs, 9);
        let outputs = desk.end(9, EndCause::Failed);
        desk.gets(&outputs, 10);
        if pauses {
            desk.end(10, EndCause::Failed);
        }
        let expected = if pauses { vec![] } else { vec![Output::HangUp(Leg(10))] };
        assert_eq!(voices(desk.end(1, EndCause::Cancelled)), expected);
        assert_eq!((desk.record_of().cause, desk.floor.next_wake()), (Some(EndCause::Cancelled), None));
    }
    let mut desk = Desk::new(4);
    let outputs = desk.put(placing(1, calling(1), outside("999")));
    desk.gets(&outputs, 9);
    assert_eq!(voices(desk.end(9, EndCause::ClinicHungUp)), [Output::Refuse(Leg(1), 503)]);
}

/// RFC 5031: a telephone that knows no number asks for the service, and the clinic's emergency number is dialled.
#[test]
fn a_telephone_may_ask_for_the_emergency_service() {
    let mut desk = Desk::new(0);
    let outputs = desk.put(placing(1, calling(1), outside("urn:service:sos")));
    assert_eq!(desk.gets(&outputs, 9), MAIN);
    assert!(desk.record_of().emergency && desk.record_of().to_number == "999");
}

/// SAFE-01: from a softphone that is in a call of the clinic's own making, or rings, an emergency number is dialled all the same.
#[test]
fn a_softphone_leaves_its_call_for_an_emergency() {
    let mut desk = Desk::new(4);
    let (tag, _) = dialled(&desk.put(placing(1, Origin::Station(HERS), outside(NUMBER))));
    desk.put(Input::Dialling { tag, leg: Leg(9) });
    desk.answer(9);
    let outputs = desk.put(placing(2, Origin::Station(HERS), outside("999")));
    let apart = Output::Bridge { bridge: 1, parties: vec![] };
    assert_eq!(voices(outputs.clone())[..3], [apart, Output::Rest(HERS), Output::HangUp(Leg(9))]);
    desk.gets(&outputs, 10);
    assert_eq!(desk.floor.board().len(), 1);
    let up = voices(desk.answer(10));
    assert!(up.iter().any(|output| matches!(output, Output::Bridge { parties, .. } if parties.len() == 2)), "{up:?}");
    // Twice the same wish is no reason to hang up on whoever helps.
    let again = desk.put(placing(3, Origin::Station(HERS), outside("999")));
    assert_eq!(again, [Output::NotDone(ids(3).call, NotPlaced::Busy)]);

    // It rings: it rings no more, and her telephone goes on.
    let mut desk = Desk::new(4);
    let anna = Target::Phone {
        phone: crate::id::PhoneId(Uuid::from_u128(64)),
        account: Some(ANNA),
        extension: "24".into(),
        station: Some(HERS),
    };
    let (tag, _) = dialled(&desk.put(placing(1, calling(1), anna)));
    desk.put(Input::Dialling { tag, leg: Leg(9) });
    let outputs = desk.put(placing(2, Origin::Station(HERS), outside("999")));
    assert!(!voices(outputs.clone()).contains(&Output::HangUp(Leg(9))), "{outputs:?}");
    desk.gets(&outputs, 10);
    let rings: Vec<_> = desk.floor.board().iter().map(|call| call.stations.len()).collect();
    assert_eq!(rings, [0, 1]);
}

/// Whoever called the clinic is not hung up on because the person they talk with has an emergency: the receptionist goes on.
#[test]
fn a_caller_is_handed_back_when_an_emergency_comes_up() {
    let mut desk = Desk::new(4);
    desk.arrive(1, false);
    desk.answer(1);
    let anna = Target::Phone {
        phone: crate::id::PhoneId(Uuid::from_u128(64)),
        account: Some(ANNA),
        extension: "24".into(),
        station: Some(HERS),
    };
    desk.transfer(1, anna, false);
    desk.put(Input::Order { call: ids(1).call, by: Some(ANNA), order: Order::Answer });
    let outputs = desk.put(placing(2, Origin::Station(HERS), outside("999")));
    assert!(outputs.contains(&Output::Rest(HERS)) && !outputs.contains(&Output::HangUp(Leg(1))), "{outputs:?}");
    assert!(outputs.iter().any(|output| matches!(output, Output::Attend(attended) if attended.leg == Leg(1))));
    desk.gets(&outputs, 10);
    let statuses: Vec<_> = desk.floor.board().iter().map(|call| call.status).collect();
    assert_eq!(statuses, [CallStatus::WithReceptionist, CallStatus::Ringing]);
}
