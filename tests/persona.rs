//! Who the caller meets.

use crate::support::clinic::Clinic;
use crate::support::person::read;
use auricle::providers::Tts;
use auricle::providers::espeak::Espeak;
use auricle::voice::caller::{self, Act};
use auricle_domain::code::{Lang, Speaker};
use auricle_domain::event::Event;
use futures_util::StreamExt;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;

/// VOICE-02: the receptionist has a name, which the clinic can change: the next caller is greeted with it.
#[tokio::test(flavor = "multi_thread")]
async fn the_receptionist_greets_with_the_name_the_clinic_gave_her() {
    let clinic = Clinic::quiet().await;
    let admin = clinic.admin().await;
    let mut settings = read(admin.get("/api/clinic").await, StatusCode::OK).await;
    assert_eq!(settings["receptionist"], "Sarah");
    let version = settings["version"].clone();
    for field in ["id", "version"] {
        settings.as_object_mut().unwrap().remove(field);
    }
    settings["receptionist"] = json!("");
    let nameless = admin.change(Method::PUT, "/api/clinic", &version, settings.clone()).await;
    let problem: Value = read(nameless, StatusCode::BAD_REQUEST).await;
    assert_eq!(problem["errors"][0]["field"], "receptionist", "{problem}");
    settings["receptionist"] = json!("Alice");
    read(admin.change(Method::PUT, "/api/clinic", &version, settings).await, StatusCode::OK).await;
    let mut script = clinic.call();
    // Silence keeps the caller on the line until the greeting is over: only what was heard is written down.
    script.acts = vec![Act::Play(vec![0; 6 * 16_000].into())];
    caller::place(script).await.unwrap();
    let greeted = clinic.happened(|event| matches!(event, Event::TurnCommitted { .. })).await;
    let Event::TurnCommitted { turn } = greeted.event else { unreachable!("it was looked for") };
    assert_eq!(turn.speaker, Speaker::Receptionist);
    assert!(turn.text.contains("I am Alice") && !turn.text.contains("Sarah"), "{}", turn.text);
    clinic.running.stop(Duration::ZERO).await;
}

/// VOICE-02: a British female voice can be chosen, and it is another one than the male voice of the same program.
#[tokio::test]
async fn a_british_female_voice_speaks() {
    let spoken = |voice: &'static str| async move {
        let pieces: Vec<_> =
            Espeak::new("espeak-ng", voice).speak("Hello, this is the clinic.", Lang::En).collect().await;
        pieces.into_iter().flat_map(|piece| piece.unwrap().samples.to_vec()).collect::<Vec<i16>>()
    };
    let (she, he) = (spoken("en-gb-x-rp+f3").await, spoken("en-gb-x-rp").await);
    assert!(she.len() > 16_000 / 2 && she.iter().any(|sample| sample.unsigned_abs() > 3_000));
    assert!(she != he, "the variant is not known to espeak-ng, which then speaks with the male voice");
}
