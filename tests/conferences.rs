//! Calls that several people are in: a conference, and a supervisor who comes into calls of others.

use crate::support::page::Page;
use crate::support::person::{Person, read};
use crate::support::scene::{Scene, act, done, extension_of};
use crate::support::softphone::Softphone;
use auricle::recordings::Waveform;
use auricle_domain::account::Actor;
use auricle_domain::code::{CallStatus, EndCause, Part, RecordingState, Role};
use auricle_domain::event::Event;
use auricle_domain::id::CallId;
use auricle_domain::live::{LiveAsked, LiveCall};
use auricle_media::io::Codec;
use futures_util::future::join_all;
use reqwest::{Method, StatusCode};
use serde_json::json;

/// People of the large conference.
const PEOPLE: usize = 10;

fn hertz(person: usize) -> f64 {
    350.0 + 170.0 * person as f64
}

async fn supervises(person: &Person, how: &str, call: CallId) -> StatusCode {
    person.send(Method::POST, &format!("/api/supervisor/{how}/{call}"), json!(null)).await.status()
}

/// Ten people at their softphones come together, one asked after the other, and everybody hears the nine others. One is let go; the one
/// who has made it leaves, and so does the one whom it was about: those who are left go on.
#[tokio::test(flavor = "multi_thread")]
async fn ten_people_confer() {
    let scene = Scene::open().await;
    let mut people = vec![&scene.eve, &scene.sam];
    let emails: Vec<String> = (2..PEOPLE).map(|number| format!("p{number}@clinic.example")).collect();
    let others = join_all(emails.iter().map(|email| scene.clinic.person(email, Role::Agent))).await;
    for (number, person) in others.iter().enumerate() {
        extension_of(&scene.admin, person, &(203 + number).to_string()).await;
        people.push(person);
    }
    let mut pages = Vec::new();
    for (number, person) in people.iter().enumerate() {
        pages.push(Page::open_softly(person, hertz(number)).await);
    }
    let placed = people[0].send(Method::POST, "/api/calls", json!({ "phone_number": "202" })).await;
    assert_eq!(placed.status(), StatusCode::OK);
    let call = scene.rings().await;
    done(people[1], call, "answer").await;
    assert_eq!(act(people[0], call, "conference").await, StatusCode::CONFLICT, "nobody is asked");
    for (number, person) in people.iter().enumerate().skip(2) {
        let to = json!({ "to": (201 + number).to_string(), "attended": true });
        let asks = people[0].send(Method::POST, &format!("/api/calls/{call}/transfer"), to).await;
        assert_eq!(asks.status(), StatusCode::NO_CONTENT, "{number}");
        scene.rings().await;
        done(person, call, "answer").await;
        scene.shows("they talk", |call| call.asked == Some(LiveAsked::Talking)).await;
        done(people[0], call, "conference").await;
    }
    let shown = scene.shows("all are in it", |call| call.participants.len() == PEOPLE - 2).await;
    assert!(shown.participants.iter().all(|it| it.part == Part::Talk && !it.is_ringing), "{:?}", shown.participants);
    let all_but = |gone: &[usize]| -> Vec<f64> { (0..PEOPLE).filter(|it| !gone.contains(it)).map(hertz).collect() };
    for (number, page) in pages.iter_mut().enumerate() {
        page.hears_all(&all_but(&[number])).await;
    }

    let last = shown.participants.last().unwrap().number;
    done(people[0], call, &format!("participants/{last}/hangup")).await;
    pages[9].hears_nothing().await;
    pages[8].hears_all(&all_but(&[8, 9])).await;
    done(people[0], call, "hangup").await;
    pages[0].hears_nothing().await;
    pages[8].hears_all(&all_but(&[0, 8, 9])).await;
    done(people[1], call, "hangup").await;
    pages[1].hears_nothing().await;
    pages[8].hears_all(&all_but(&[0, 1, 8, 9])).await;
    for person in &people[2..8] {
        done(person, call, "hangup").await;
    }
    scene.ended(call).await;
    pages[8].hears_nothing().await;
    scene.close().await;
}

/// REC-04, B-03, B-16: when the caller leaves a conference, what the others say is in the same recording until they are done, among what
/// the clinic's people said; what is masked of it is silent.
#[tokio::test(flavor = "multi_thread")]
async fn a_conference_is_recorded_to_its_end() {
    let scene = Scene::open().await;
    let (mut eve, mut sam) = (Page::open(&scene.eve, 600.0).await, Page::open(&scene.sam, 900.0).await);
    let uri = format!("sip:clinic@{}", scene.clinic.app().voice.sip_addr());
    let caller = Softphone::call(&uri, 90, Codec::Pcma, &["ctrl_tcp"], "");
    let call = scene.shows("the receptionist has it", |call| call.status == CallStatus::WithReceptionist).await.call;
    let path = format!("/api/calls/{call}/transfer");
    let handed = scene.admin.send(Method::POST, &path, json!({ "to": "202" })).await;
    assert_eq!(handed.status(), StatusCode::NO_CONTENT);
    scene.rings().await;
    done(&scene.sam, call, "answer").await;
    sam.hears(440.0).await;
    let asks = scene.sam.send(Method::POST, &path, json!({ "to": "201", "attended": true })).await;
    assert_eq!(asks.status(), StatusCode::NO_CONTENT);
    scene.rings().await;
    done(&scene.eve, call, "answer").await;
    scene.shows("they talk", |call| call.asked == Some(LiveAsked::Talking)).await;
    done(&scene.sam, call, "conference").await;
    eve.hears_all(&[440.0, 900.0]).await;

    caller.press("hangup", "").await;
    eve.hears_on(75, 900.0).await;
    sam.hears(600.0).await;
    done(&scene.sam, call, "mask").await;
    eve.hears_on(40, 900.0).await;
    done(&scene.sam, call, "unmask").await;
    eve.hears_on(75, 900.0).await;
    done(&scene.sam, call, "hangup").await;
    let stopped = |event: &Event| matches!(event, Event::CallRecording { state: RecordingState::Stopped, call: of, .. } if *of == call);
    scene.clinic.happened(stopped).await;
    let ended = scene.ended(call).await;
    let (recording, talk_ms) = (&ended.recording, ended.talk_ms(ended.ended_at.unwrap()));
    assert!(recording.length_ms + recording.offset_ms + 2_000 > talk_ms, "{recording:?} of {talk_ms} ms");

    // A point for each tenth of a second.
    let points = recording.length_ms / 100;
    let wave = scene.admin.get(&format!("/api/calls/{call}/waveform?points={points}")).await;
    let wave: Waveform = serde_json::from_value(read(wave, StatusCode::OK).await).unwrap();
    let left = wave.caller.iter().rposition(|peak| *peak > 5).unwrap() + 1;
    let heard = |from: usize, to: usize| wave.staff[from..to].iter().filter(|peak| **peak > 5).count();
    let [masked] = recording.masked[..] else { panic!("{:?}", recording.masked) };
    let place = |at_ms: u64| usize::try_from(at_ms.saturating_sub(recording.offset_ms) / 100).unwrap();
    let (from, to) = (place(masked.from_ms) + 1, place(masked.to_ms));
    assert!(left < from && to - from > 4, "the caller left at {left}, masked were {from} to {to} of {points}");
    let counted = [heard(left, from), heard(from, to), heard(to, wave.staff.len())];
    assert!(counted[0] > 10 && counted[1] == 0 && counted[2] > 10, "{counted:?}: {wave:?}");
    scene.close().await;
}

/// SUP-05 to SUP-08: somebody who may supervise listens to a caller whom the receptionist serves, takes the caller over, and hands on to a
/// colleague; then listens to both, whispers so that the colleague alone hears it, and talks with both. Everything of it is written down, and
/// who may not supervise does not.
#[tokio::test(flavor = "multi_thread")]
async fn a_supervisor_comes_into_calls() {
    let scene = Scene::open().await;
    let (mut admin, mut eve) = (Page::open(&scene.admin, 900.0).await, Page::open(&scene.eve, 600.0).await);
    let uri = format!("sip:clinic@{}", scene.clinic.app().voice.sip_addr());
    let caller = Softphone::call(&uri, 60, Codec::Pcma, &[], "");
    let call = scene.shows("the receptionist has it", |call| call.status == CallStatus::WithReceptionist).await.call;
    for how in ["monitor", "whisper", "barge", "takeover"] {
        assert_eq!(supervises(&scene.eve, how, call).await, StatusCode::FORBIDDEN, "{how}");
    }
    for how in ["whisper", "barge"] {
        assert_eq!(supervises(&scene.admin, how, call).await, StatusCode::CONFLICT, "{how} beside the receptionist");
    }
    assert_eq!(supervises(&scene.admin, "monitor", call).await, StatusCode::NO_CONTENT);
    admin.hears(440.0).await;
    let live = scene.shows("she listens", |call| !call.participants.is_empty()).await;
    assert_eq!((live.status, live.participants[0].part), (CallStatus::WithReceptionist, Part::Listen));
    assert_eq!(supervises(&scene.admin, "takeover", call).await, StatusCode::NO_CONTENT);
    caller.has_heard(900.0).await;
    admin.hears(440.0).await;

    let handed = scene.admin.send(Method::POST, &format!("/api/calls/{call}/transfer"), json!({ "to": "201" })).await;
    assert_eq!(handed.status(), StatusCode::NO_CONTENT);
    scene.rings().await;
    done(&scene.eve, call, "answer").await;
    eve.hears(440.0).await;
    assert_eq!(supervises(&scene.admin, "monitor", call).await, StatusCode::NO_CONTENT);
    admin.hears_all(&[440.0, 600.0]).await;
    eve.hears(440.0).await;
    let me = read(scene.eve.get("/api/auth/me").await, StatusCode::OK).await;
    let coach = format!("/api/supervisor/coach/{}", me["id"].as_str().unwrap());
    assert_eq!(scene.admin.send(Method::POST, &coach, json!(null)).await.status(), StatusCode::NO_CONTENT);
    eve.hears_all(&[440.0, 900.0]).await;
    caller.has_heard(600.0).await;
    assert_eq!(supervises(&scene.admin, "barge", call).await, StatusCode::NO_CONTENT);
    caller.has_heard_all(&[600.0, 900.0]).await;
    let shown = scene.shows("she talks", |call: &LiveCall| call.participants[0].part == Part::Talk).await;
    assert_eq!(shown.agent, serde_json::from_value(me["id"].clone()).unwrap());
    done(&scene.admin, call, "hangup").await;
    eve.hears(440.0).await;
    admin.hears_nothing().await;
    done(&scene.eve, call, "hangup").await;
    assert_eq!(scene.ended(call).await.cause, Some(EndCause::ClinicHungUp));
    assert_eq!(supervises(&scene.admin, "monitor", call).await, StatusCode::CONFLICT, "it is over");

    let told: Vec<(bool, Option<Part>)> = scene
        .clinic
        .feed()
        .into_iter()
        .filter_map(|envelope| match envelope.event {
            Event::CallParticipant { part, .. } => {
                Some((matches!(envelope.actor, Actor::Account { role: Role::Admin, .. }), part))
            }
            _ => None,
        })
        .collect();
    let expected = [
        (true, Some(Part::Listen)),
        (true, Some(Part::Listen)),
        (true, Some(Part::Whisper)),
        (true, Some(Part::Talk)),
        (false, None),
    ];
    assert_eq!(told, expected);
    drop(caller);
    scene.close().await;
}
