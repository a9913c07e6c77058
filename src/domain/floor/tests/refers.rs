//! Callers whom their provider takes on by itself, step by step.

use super::talks::{MAIN, NUMBER, dialled, outside, voices, world_that};
use super::*;
use crate::call::Outgoing;

/// A caller by the main trunk, with the receptionist, who is handed on to somebody outside.
fn handed_on(refers: bool) -> (Desk, Vec<Output>) {
    let mut desk = Desk::new(4);
    desk.put(Input::Arrived {
        leg: Leg(1),
        ids: ids(1),
        from: "+447700900321".into(),
        to: "clinic".into(),
        entrance: Entrance { trunk: Some(MAIN), ..Entrance::of(EntranceKind::Trunk) },
        identity: Box::default(),
        tenant: tenant(false),
    });
    desk.answer(1);
    let world = Box::new(world_that(refers));
    let order = Order::Transfer { target: outside(NUMBER), attended: false, world };
    let outputs = desk.order(1, order);
    (desk, outputs)
}

fn line(desk: &Desk) -> (usize, Option<Outgoing>) {
    let outgoing = desk.record_of().outgoing;
    (outgoing.len(), outgoing.first().cloned())
}

/// RFC 3515, RFC 5589: the provider takes the caller on: the clinic's side is over, and the record says to whom and at what price.
#[test]
fn a_provider_takes_a_caller_on() {
    let (mut desk, outputs) = handed_on(true);
    let refer = Output::Refer { leg: Leg(1), trunk: MAIN, number: NUMBER.into() };
    assert!(outputs.contains(&refer) && outputs.contains(&Output::Music { leg: Leg(1), on: true }), "{outputs:?}");
    assert_eq!(line(&desk), (0, None), "nobody has been called yet");
    let over = voices(desk.put(Input::Referred { leg: Leg(1), status: 200 }));
    assert_eq!(over, [Output::HangUp(Leg(1))]);
    let call = desk.record_of();
    assert_eq!((call.cause, call.outcome), (Some(EndCause::HandedOn), Some(Outcome::Transferred)));
    let (count, outgoing) = line(&desk);
    let outgoing = outgoing.unwrap();
    assert_eq!((count, outgoing.number.as_str(), outgoing.trunk), (1, NUMBER, MAIN));
    assert!(outgoing.answered_at.is_some() && outgoing.ended_at.is_some() && outgoing.cost > 0, "{outgoing:?}");
    assert!(desk.put(Input::Referred { leg: Leg(1), status: 200 }).is_empty(), "once is enough");
}

/// A provider that refuses, or says nothing, is not waited for: we dial. One that is not to be asked is not.
#[test]
fn what_a_provider_does_not_take_on_is_dialled() {
    for status in [405, 503, 603] {
        let (mut desk, _) = handed_on(true);
        dialled(&desk.put(Input::Referred { leg: Leg(1), status }));
        assert!(desk.put(Input::Referred { leg: Leg(1), status: 200 }).is_empty(), "it is too late for that");
    }
    let (mut desk, _) = handed_on(true);
    dialled(&desk.wait_for_wake());
    let (mut desk, outputs) = handed_on(false);
    dialled(&outputs);
    assert!(desk.put(Input::Referred { leg: Leg(1), status: 200 }).is_empty());
    // The caller leaves meanwhile: nothing is left of it.
    let (mut desk, _) = handed_on(true);
    assert!(voices(desk.end(1, EndCause::CallerHungUp)).is_empty());
    assert_eq!((desk.record_of().cause, line(&desk).0), (Some(EndCause::CallerHungUp), 0));
}
