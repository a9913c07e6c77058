//! A desk phone does by itself what people do with it during a call: hold, take back, hand on.

use crate::outbound::{E164, Scene};
use crate::support::clinic::PATIENCE;
use crate::support::person::read;
use auricle_domain::code::{EndCause, OutboundRule, Role};
use auricle_domain::event::Event;
use reqwest::StatusCode;
use serde_json::{Value, json};

/// Waits until a call has been held and taken back so many times.
async fn held(scene: &Scene, on: bool, times: usize) {
    let mut head = scene.clinic.app().store.watch();
    let reached = async {
        loop {
            head.mark_unchanged();
            let is_it = |event: &Event| matches!(event, Event::CallHeld { on: is_on, .. } if *is_on == on);
            if scene.clinic.feed().iter().filter(|it| is_it(&it.event)).count() >= times {
                return;
            }
            head.changed().await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, reached).await.unwrap_or_else(|_| panic!("it was not held ({on}) {times} times"));
}

/// CALL-06, VOICE-22: baresip calls outside, holds, takes back, and hands its call on to a colleague, who is heard by the far end and
/// hears it.
#[tokio::test(flavor = "multi_thread")]
async fn a_desk_phone_holds_and_hands_its_call_on() {
    let scene = Scene::open(json!({})).await;
    let provider = scene.provider(90).await;
    let me = read(scene.admin.get("/api/auth/me").await, StatusCode::OK).await;
    let colleague = scene.clinic.person("lab@clinic.example", Role::Agent).await;
    let lab = read(colleague.get("/api/auth/me").await, StatusCode::OK).await;
    let (front, lab_phone) = (scene.phone("201", me["id"].clone()).await, scene.phone("202", lab["id"].clone()).await);
    let there = scene.switched_on_with(&lab_phone, None, 90, &["ctrl_tcp"]).await;
    let here = scene.switched_on_with(&front, Some("02079460958"), 90, &["ctrl_tcp"]).await;
    scene.clinic.happened(|event| matches!(event, Event::CallAnswered { .. })).await;
    // The phone hears a little later that it is answered: its keys mean nothing before that.
    here.has_heard(700.0).await;

    here.press("hold", "").await;
    held(&scene, true, 1).await;
    here.press("resume", "").await;
    held(&scene, false, 1).await;

    here.press("transfer", "202").await;
    let is_theirs =
        |event: &Event| matches!(event, Event::CallAgent { agent: Some(agent), .. } if json!(agent) == lab["id"]);
    scene.clinic.happened(is_theirs).await;
    drop(here);
    // What each of them hears last is the other, not the music before it.
    there.has_heard(700.0).await;
    provider.has_heard(440.0).await;
    there.press("quit", "").await;
    assert_eq!(scene.ended().await, EndCause::ClinicHungUp);
    scene.close().await;
}

/// SEC-13: a transfer to a premium number is refused; baresip hears why, and hangs up of its own accord. Nobody was called.
#[tokio::test(flavor = "multi_thread")]
async fn a_desk_phone_is_refused_to_hand_on_to_a_premium_number() {
    let scene = Scene::open(json!({})).await;
    let provider = scene.provider(90).await;
    let phone = scene.phone("201", Value::Null).await;
    let here = scene.switched_on_with(&phone, Some("02079460958"), 90, &["ctrl_tcp"]).await;
    scene.clinic.happened(|event| matches!(event, Event::CallAnswered { .. })).await;
    // The phone hears a little later that it is answered: its keys mean nothing before that.
    here.has_heard(700.0).await;
    here.press("transfer", "09098790123").await;
    let refused = scene.clinic.happened(|event| matches!(event, Event::OutboundRefused { .. })).await;
    assert!(matches!(refused.event, Event::OutboundRefused { rule: OutboundRule::Premium, .. }), "{refused:?}");
    assert_eq!(scene.ended().await, EndCause::ClinicHungUp);
    let call = scene.calls().remove(0);
    assert_eq!((call.outgoing.len(), call.outgoing[0].number.as_str()), (1, E164));
    drop((here, provider));
    scene.close().await;
}
