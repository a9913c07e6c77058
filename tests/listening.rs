//! What there is of a call for those who come later, and for those who look while it is still on.

use crate::support::clinic::{Clinic, PATIENCE};
use crate::support::person::read;
use auricle::voice::caller;
use auricle_domain::call::{Call, Recording};
use auricle_domain::event::Event;
use auricle_domain::id::CallId;
use auricle_storage::{BlobId, OpId, StoreError, WriteTx};
use reqwest::{Method, Response, StatusCode};
use serde_json::json;
use std::time::Duration;

fn header(reply: &Response, name: &str) -> String {
    reply.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

/// REC-03, REC-04: a recording is a WAV file that can be sought in, whole or by ranges, and drawn.
#[tokio::test(flavor = "multi_thread")]
async fn a_recording_can_be_heard_from_any_place() {
    let clinic = Clinic::quiet().await;
    let admin = clinic.admin().await;
    caller::place(clinic.call()).await.unwrap();
    let call = clinic.settled().await;
    let path = format!("/api/calls/{}/recording", call.id);
    let whole = admin.get(&path).await;
    assert_eq!(whole.status(), StatusCode::OK);
    assert_eq!((header(&whole, "content-type"), header(&whole, "accept-ranges")), ("audio/wav".into(), "bytes".into()));
    let whole = whole.bytes().await.unwrap();
    assert_eq!((&whole[..4], &whole[8..12]), (&b"RIFF"[..], &b"WAVE"[..]));
    let length = whole.len();
    for (range, first, last) in [
        ("bytes=0-9".to_owned(), 0, 9),
        ("bytes=40-70000".to_owned(), 40, 70_000.min(length - 1)),
        (format!("bytes={}-", length - 5), length - 5, length - 1),
        ("bytes=-7".to_owned(), length - 7, length - 1),
    ] {
        let part = admin.request(Method::GET, &path).header("range", &range).send().await.unwrap();
        assert_eq!(part.status(), StatusCode::PARTIAL_CONTENT, "{range}");
        assert_eq!(header(&part, "content-range"), format!("bytes {first}-{last}/{length}"), "{range}");
        assert_eq!(part.bytes().await.unwrap(), whole[first..=last], "{range}");
    }
    let beyond = admin.request(Method::GET, &path).header("range", format!("bytes={length}-")).send().await.unwrap();
    assert_eq!(read(beyond, StatusCode::RANGE_NOT_SATISFIABLE).await["code"], "range_not_satisfiable");
    let drawn = read(admin.get(&format!("/api/calls/{}/waveform?points=20", call.id)).await, StatusCode::OK).await;
    assert_eq!(call.recording.channels, 3);
    assert_eq!(whole[22], 3, "channels of the file");
    for channel in ["caller", "receptionist", "staff"] {
        assert_eq!(drawn[channel].as_array().unwrap().len(), 20, "{channel}");
    }
    assert!(drawn["staff"].as_array().unwrap().iter().all(|peak| peak == 0), "{drawn}");
    assert!(drawn["receptionist"].as_array().unwrap().iter().any(|peak| peak.as_u64() > Some(10)), "{drawn}");
}

/// B-03: a recording of before there were calls with staff has two channels, and is heard and drawn as it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_recording_of_two_channels_stays_readable() {
    let clinic = Clinic::quiet().await;
    let admin = clinic.admin().await;
    caller::place(clinic.call()).await.unwrap();
    let call = clinic.settled().await;
    let mut record = serde_json::to_value(&call.recording).unwrap();
    for newer in ["channels", "masked"] {
        assert!(record.as_object_mut().unwrap().remove(newer).is_some(), "{newer}");
    }
    let mut recording: Recording = serde_json::from_value(record).unwrap();
    assert_eq!((recording.channels, recording.masked.len()), (2, 0));
    (recording.rate_hz, recording.length_ms) = (8_000, 1_000);
    let old = Call { id: CallId::new(call.created_at, [9; 10]), recording, ..call };
    let (path, id) = (format!("/api/calls/{}", old.id), old.id);
    let stereo: Vec<u8> = [16_384_i16, -8_192].repeat(8_000).iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let store = &clinic.app().store;
    let mut writer = store.blobs().create(BlobId::Recording(id)).unwrap();
    writer.append(&stereo).unwrap();
    writer.finish().unwrap();
    let put = move |tx: &mut WriteTx| tx.put(&old);
    store.run::<(), StoreError, _>(OpId::derive("old call", &[]), call.created_at, put).wait().unwrap();
    let whole = admin.get(&format!("{path}/recording")).await.bytes().await.unwrap();
    assert_eq!((whole.len(), whole[22], &whole[44..]), (44 + stereo.len(), 2, &stereo[..]));
    let drawn = read(admin.get(&format!("{path}/waveform?points=10")).await, StatusCode::OK).await;
    assert_eq!((&drawn["caller"], &drawn["receptionist"]), (&json!(vec![50; 10]), &json!(vec![25; 10])));
    assert_eq!((&drawn["staff"], &drawn["length_ms"]), (&json!([]), &json!(1_000)));
}

/// B-04, CALL-07, VOICE-18: what is said is found by search while the call is still on, and the call is in the lists.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_is_found_while_the_call_is_on() {
    let clinic = Clinic::quiet().await;
    let admin = clinic.admin().await;
    let calling = tokio::spawn(caller::place(clinic.call()));
    let said = clinic.happened(|event| matches!(event, Event::TurnCommitted { .. })).await;
    let Event::TurnCommitted { turn } = said.event else { unreachable!("it was looked for") };
    let word = turn.text.split(|c: char| !c.is_alphabetic()).max_by_key(|word| word.len()).unwrap().to_owned();
    // What is written to the index is seen by searches a moment later.
    clinic.indexed_to(said.seq).await;
    let found = async {
        loop {
            let page = read(admin.get(&format!("/api/search?kind=turn&q={word}")).await, StatusCode::OK).await;
            if page["seq"].as_u64() >= Some(said.seq) {
                return page;
            }
        }
    };
    let found = tokio::time::timeout(PATIENCE, found).await.unwrap();
    assert_eq!(found["hits"][0]["call"], json!(turn.call), "{word}: {found}");
    assert_eq!(found["hits"][0]["start_ms"], json!(turn.start_ms));
    let turns = read(admin.get(&format!("/api/calls/{}/turns", turn.call)).await, StatusCode::OK).await;
    assert_eq!(turns["items"][0]["text"], json!(turn.text));
    calling.await.unwrap().unwrap();
    let call = clinic.settled().await;
    let ended = read(admin.get("/api/calls?status=ended").await, StatusCode::OK).await;
    assert_eq!(ended["items"][0]["id"], json!(call.id));
    let stats = read(admin.get("/api/calls/stats").await, StatusCode::OK).await;
    assert_eq!((&stats["today"]["calls"], &stats["today"]["answered"]), (&json!(1), &json!(1)));
    clinic.running.stop(Duration::ZERO).await;
}
