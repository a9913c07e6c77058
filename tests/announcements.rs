//! What a provider says before it takes a call, such as that a number is not in service, is heard by who called.

use crate::outbound::{E164, Scene};
use crate::support::announcer::Announcer;
use crate::support::page::Page;
use crate::support::person::read;
use auricle_domain::call::Call;
use auricle_domain::code::{EndCause, RecordingState};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

/// What the provider says.
const HERTZ: f64 = 600.0;
/// Below this, nobody speaks: what G.711 makes of silence.
const QUIET: u16 = 64;

/// A clinic whose provider announces something, and records what it may.
async fn open() -> (Scene, Announcer) {
    let scene = Scene::open(json!({ "is_recorded": true })).await;
    let provider = Announcer::at(scene.provider_at, HERTZ).await;
    let path = format!("/api/trunks/{}", scene.trunk["id"].as_str().unwrap());
    scene.becomes(&path, "up").await;
    (scene, provider)
}

/// Nobody has talked: nothing was paid, nothing recorded.
async fn came_to_nothing(scene: &Scene) {
    assert_eq!(scene.ended().await, EndCause::Refused);
    let Call { answered_at, recording, outgoing, .. } = scene.calls().remove(0);
    assert_eq!((answered_at, recording.state, recording.length_ms), (None, RecordingState::Off, 0));
    assert_eq!((outgoing[0].answered_at, outgoing[0].cost), (None, 0));
}

/// CALL-01, VOICE-10: a desk phone that calls outside hears the provider's words, is told the refusal after them, and is not heard.
#[tokio::test(flavor = "multi_thread")]
async fn a_desk_phone_hears_that_a_number_is_not_in_service() {
    let (scene, provider) = open().await;
    let phone = scene.phone("201", Value::Null).await;
    let desk = scene.switched_on_with(&phone, Some("02079460958"), 60, &[]).await;
    desk.has_heard(HERTZ).await;
    provider.refuse(404);
    came_to_nothing(&scene).await;
    assert!(provider.loudest() < QUIET, "the phone is heard before the answer: {}", provider.loudest());
    drop(desk);
    scene.close().await;
}

/// CALL-01, VOICE-10: the same at a softphone in the browser, which hears it in the place of our ringing.
#[tokio::test(flavor = "multi_thread")]
async fn a_softphone_hears_that_a_number_is_not_in_service() {
    let (scene, provider) = open().await;
    let mut page = Page::open(&scene.admin, 900.0).await;
    let placed = scene.admin.send(Method::POST, "/api/calls", json!({ "phone_number": E164 })).await;
    read(placed, StatusCode::OK).await;
    page.hears(HERTZ).await;
    provider.refuse(404);
    came_to_nothing(&scene).await;
    assert!(provider.loudest() < QUIET, "the page is heard before the answer: {}", provider.loudest());
    page.hears_nothing().await;
    scene.close().await;
}
