//! A call from its arrival to its last trace: answered, on the board, recorded, closed; and what happens when things go wrong.

use crate::support::clinic::{Clinic, PATIENCE};
use auricle::recordings;
use auricle::voice::caller::{self, Act};
use auricle_domain::code::{CallStatus, EndCause, Outcome, RecordingState, Speaker, TaskKind};
use auricle_domain::event::Event;
use auricle_media::io::LegEnd;
use auricle_storage::{Backend, BlobId};
use std::time::Duration;

/// CALL-02, CALL-07, CALL-09, REC-04: the status goes from in progress to completed, the call is on the board while it is on,
/// both sides are recorded, and what was said is kept in order.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_goes_from_ringing_to_ended_and_leaves_everything_behind() {
    let clinic = Clinic::open(Backend::Memory, None).await;
    let mut board = clinic.app().floor.watch();
    let calling = tokio::spawn(caller::place(clinic.call()));
    let on =
        tokio::time::timeout(PATIENCE, board.wait_for(|calls| calls.iter().any(|call| call.answered_at.is_some())));
    let card = on.await.unwrap().unwrap()[0].clone();
    assert_eq!((card.from_number.as_str(), card.status), ("+442079460199", CallStatus::WithReceptionist));
    clinic.happened(|event| matches!(event, Event::CallAnswered { call, .. } if *call == card.call)).await;
    assert_eq!(clinic.last_call().map(|call| call.status), Some(CallStatus::WithReceptionist));
    let report = calling.await.unwrap().unwrap();
    assert!(report.greeting_ms.is_some(), "the caller heard nothing");

    let call = clinic.settled().await;
    assert_eq!((call.id, call.cause), (card.call, Some(EndCause::CallerHungUp)));
    assert_eq!(call.outcome, Some(Outcome::Abandoned));
    assert!(call.quality.answer_ms.is_some() && call.quality.packets_received > 0);
    assert_eq!(call.recording.state, RecordingState::Stopped);
    let bytes = clinic.app().store.blobs().open(BlobId::Recording(call.id)).unwrap().len().unwrap();
    let length_ms =
        bytes / recordings::frame_bytes(call.recording.channels) * 1_000 / u64::from(call.recording.rate_hz);
    assert_eq!(length_ms, call.recording.length_ms);
    assert!(call.recording.sha256.is_some());
    tokio::time::timeout(PATIENCE, board.wait_for(|calls| calls.is_empty())).await.unwrap().unwrap();

    let feed = clinic.feed();
    assert!(feed.iter().enumerate().all(|(index, envelope)| envelope.seq == index as u64 + 1), "the feed has holes");
    let kinds: Vec<&str> =
        feed.iter().filter(|it| it.event.kind().starts_with("call.")).map(|it| it.event.kind()).collect();
    assert_eq!(kinds[..2], ["call.arrived", "call.answered"]);
    let causes: std::collections::HashSet<_> =
        feed.iter().filter(|it| it.event.kind().starts_with("call.")).map(|it| it.cause).collect();
    assert_eq!(causes.len(), 1, "one call is one piece of work");
    let said: Vec<u32> = feed
        .iter()
        .filter_map(|it| match &it.event {
            Event::TurnCommitted { turn } => Some(turn.index),
            _ => None,
        })
        .collect();
    assert!(!said.is_empty() && said.iter().enumerate().all(|(index, turn)| index as u32 == *turn), "{said:?}");
    clinic.running.stop(Duration::ZERO).await;
}

/// Told to stop, the service takes no new calls, and those that are on end by themselves and are written down.
#[tokio::test(flavor = "multi_thread")]
async fn a_stopping_service_lets_its_calls_end() {
    let clinic = Clinic::open(Backend::Memory, None).await;
    let store = clinic.app().store.clone();
    let mut script = clinic.call();
    script.acts = vec![Act::Play(vec![0; 3 * 16_000].into())];
    let late = clinic.call();
    let calling = tokio::spawn(caller::place(script));
    clinic.happened(|event| matches!(event, Event::CallAnswered { .. })).await;
    let stopping = tokio::spawn(clinic.running.stop(PATIENCE));
    let report = calling.await.unwrap().unwrap();
    assert_eq!(report.cause, Some(LegEnd::LocalHangup), "the call was cut off");
    assert_eq!(caller::place(late).await.unwrap().answered_ms, None, "a stopping service answered");
    stopping.await.unwrap();
    let ended = store.feed(0, 900).unwrap().into_iter().any(|it| matches!(it.event, Event::CallEnded { .. }));
    assert!(ended, "the end of the call was not written");
}

/// A caller beyond the capacity is refused with words of the protocol, and somebody is to ring back.
#[tokio::test(flavor = "multi_thread")]
async fn beyond_the_capacity_a_caller_is_refused_and_rung_back() {
    let clinic = Clinic::open(Backend::Memory, None).await;
    clinic.app().floor.drain().await;
    let report = caller::place(clinic.call()).await.unwrap();
    assert_eq!(report.cause, Some(LegEnd::Refused(503)));
    clinic.happened(|event| matches!(event, Event::CallEnded { end: EndCause::Rejected, .. })).await;
    clinic.happened(|event| matches!(event, Event::TaskChanged { kind: TaskKind::MissedCall, .. })).await;
    clinic.running.stop(Duration::ZERO).await;
}

/// REC-03, B-03: both sides are audible in the recording, each in its own channel; that of the clinic's people is silent.
#[tokio::test(flavor = "multi_thread")]
async fn the_recording_has_a_channel_for_each_class() {
    let clinic = Clinic::open(Backend::Memory, None).await;
    let mut script = clinic.call();
    let square = |at: usize| if (at / 40).is_multiple_of(2) { 8_000 } else { -8_000 };
    script.acts = vec![Act::Play((0..16_000).map(square).collect())];
    caller::place(script).await.unwrap();
    let call = clinic.settled().await;
    let bytes = clinic.app().store.blobs().get(BlobId::Recording(call.id)).unwrap();
    let loudest = |offset: usize| {
        let sample = |frame: &[u8]| i16::from_le_bytes([frame[offset], frame[offset + 1]]).unsigned_abs();
        bytes.chunks_exact(6).map(sample).max().unwrap()
    };
    assert!(loudest(0) > 3_000, "caller: {}", loudest(0));
    assert!(loudest(2) > 3_000, "receptionist: {}", loudest(2));
    assert_eq!(loudest(4), 0, "staff");
    let said = clinic.feed().into_iter().filter_map(|it| match it.event {
        Event::TurnCommitted { turn } => Some(turn),
        _ => None,
    });
    assert!(said.into_iter().any(|turn| turn.speaker == Speaker::Receptionist));
    clinic.running.stop(Duration::ZERO).await;
}
