//! kill -9 in mid-call, and what is there after the next start.

use crate::support::clinic::{Clinic, PATIENCE};
use crate::support::served::Served;
use auricle::calls;
use auricle::voice::caller::{self, CallScript};
use auricle_domain::call::CHANNELS;
use auricle_domain::code::{CallStatus, EndCause, RecordingState, TaskKind};
use auricle_domain::event::Event;
use auricle_domain::task::Task;
use auricle_storage::{Backend, Scan};
use std::path::Path;
use std::time::{Duration, Instant};

/// Bytes of two seconds of a G.722 call's recording: a sample of each channel, and 16 bits of each.
const TWO_SECONDS: u64 = 2 * 16_000 * CHANNELS as u64 * 2;

/// Waits until the recording has so many bytes.
async fn recorded(folder: &Path, bytes: u64) {
    let recordings = folder.join("blobs/recordings");
    let deadline = Instant::now() + PATIENCE;
    let length = || -> u64 {
        let files = std::fs::read_dir(&recordings).into_iter().flatten().flatten();
        files.filter_map(|file| file.metadata().ok()).map(|metadata| metadata.len()).max().unwrap_or(0)
    };
    let mut look = tokio::time::interval(Duration::from_millis(20));
    while length() < bytes {
        assert!(Instant::now() < deadline, "the recording does not grow");
        look.tick().await;
    }
}

/// B-02, CALL-05: the call is closed with a cause, its recording plays to within a second of the kill, what was said is there, somebody is to
/// ring back, and no number is used twice.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_kill_in_mid_call_everything_up_to_the_last_second_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let mut served = Served::begin(folder.path(), "127.0.0.1:0");
    let mut script = CallScript::to(format!("sip:clinic@{}", served.sip));
    script.from = "+442079460177".to_owned();
    // The far end never finishes for this caller: it stays on the line until the kill.
    script.quiet = PATIENCE;
    script.length_max = PATIENCE;
    let calling = tokio::spawn(caller::place(script));
    // By then the greeting has been said and written down.
    recorded(folder.path(), 8 * TWO_SECONDS).await;
    let killed_at = served.kill();
    calling.abort();

    let clinic = Clinic::open_in(folder.path(), Backend::Redb, None).await;
    let call = clinic.last_call().unwrap();
    assert_eq!((call.status, call.cause), (CallStatus::Ended, Some(EndCause::Lost)));
    assert_eq!(call.recording.state, RecordingState::Stopped);
    let recording_ms = i64::try_from(call.recording.offset_ms + call.recording.length_ms).unwrap();
    let missing_ms = killed_at.as_millisecond() - call.answered_at.unwrap().as_millisecond() - recording_ms;
    assert!(missing_ms <= 1_000, "{missing_ms} ms of the recording are missing");
    assert_eq!(
        call.ended_at.map(|at| at.as_millisecond()),
        call.answered_at.map(|at| at.as_millisecond() + recording_ms)
    );
    let turns = clinic.app().store.read(|tx| calls::said_in(tx, call.id)).unwrap();
    assert!(!turns.is_empty(), "nothing of what was said is there");
    let tasks = clinic.app().store.read(|tx| tx.scan(Scan::<Task>::table())).unwrap().items;
    assert!(tasks.iter().any(|task| task.kind == TaskKind::MissedCall && task.call == Some(call.id)));

    caller::place(clinic.call()).await.unwrap();
    clinic.happened(|event| matches!(event, Event::CallEnded { call: ended, .. } if *ended != call.id)).await;
    let feed = clinic.feed();
    assert!(
        feed.iter().enumerate().all(|(index, envelope)| envelope.seq == index as u64 + 1),
        "a number is missing or used twice"
    );
    clinic.running.stop(Duration::ZERO).await;
}
