//! IPv6 beside IPv4: telephones of either, and of both in one call.

use crate::outbound::{E164, Scene};
use crate::speech::{AFTER_S, BEFORE_S, CLEAR, LATER_S, Voices, line};
use crate::support::clinic::{Clinic, Hum, config};
use crate::support::judge::score;
use crate::support::ports;
use crate::support::softphone::Softphone;
use crate::support::sound::Sound;
use auricle::app::{Options, Running, Speech};
use auricle::clock;
use auricle::config::Config;
use auricle::providers::Stt;
use auricle::providers::pocketsphinx::PocketSphinx;
use auricle_domain::code::{EndCause, EntranceKind, Speaker};
use auricle_domain::event::Event;
use auricle_media::io::Codec;
use auricle_storage::{Backend, Hooks};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

/// Silence before the question: the greeting is over by then (seconds).
const GREETING_S: f64 = 6.0;
/// Silence after it, in which the answer is heard: seconds.
const LISTENING_S: f64 = 8.0;
/// How often it is asked.
const ASKED: usize = 4;

/// Both families by one socket, as `docs/running.md` says.
fn both(folder: &Path) -> Config {
    let mut config = config(folder);
    config.sip.listen = SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0));
    config.sip.advertise = Some(Ipv4Addr::LOCALHOST.into());
    config
}

/// Where the clinic is for telephones of IPv6.
fn by_ipv6(clinic: &Clinic) -> SocketAddr {
    SocketAddr::from((Ipv6Addr::LOCALHOST, clinic.app().voice.sip_addr().port()))
}

/// CALL-01, VOICE-09: a desk phone of IPv6 registers where IPv4 is spoken as well, asks the receptionist something, is understood, and
/// hears her.
#[tokio::test(flavor = "multi_thread")]
async fn a_phone_of_ipv6_is_heard_and_understood() {
    let folder = tempfile::tempdir().unwrap();
    let config = both(folder.path());
    let (library, model) = (&config.speech.pocketsphinx_library, config.speech.pocketsphinx_model.clone());
    let stt: Arc<dyn Stt> = Arc::new(PocketSphinx::open(library, model, 1).unwrap());
    let speech = Some(Speech { stt: Some(stt), tts: Arc::new(Hum), llm: None });
    let options = Options { backend: Backend::Memory, speech, clock: clock::system, hooks: Hooks::default() };
    let clinic = Clinic::of(Running::start(config, options).await.unwrap());
    let admin = clinic.admin().await;
    let phone = admin.made("/api/phones", json!({ "label": "Front desk", "extension": "201" })).await;
    let question = Sound::spoken("Where can I park?", "rms").await.at(8_000).between(GREETING_S, LISTENING_S);
    // Who is not understood on a busy machine asks again.
    let question = Sound { samples: question.samples.repeat(ASKED), ..question };
    let desk = Softphone::speaking(&line(&phone, by_ipv6(&clinic), ""), Some("receptionist"), Codec::Pcma, &question);
    let is_asked = |event: &Event| match event {
        Event::TurnCommitted { turn } => turn.speaker == Speaker::Caller && turn.text.to_lowercase().contains("park"),
        _ => false,
    };
    clinic.happened(is_asked).await;
    // The receptionist hums.
    desk.has_heard(220.0).await;
    desk.press("quit", "").await;
    let call = clinic.settled().await;
    assert_eq!((call.cause, call.from_number.as_str()), (Some(EndCause::CallerHungUp), "201"));
    assert!(call.quality.packets_received > 100, "{:?}", call.quality);
    let entrance = call.entrance.unwrap();
    assert_eq!((entrance.kind, json!(entrance.phone)), (EntranceKind::Phone, phone["phone"]["id"].clone()));
    clinic.running.stop(std::time::Duration::ZERO).await;
}

/// VOICE-09, CALL-01: a desk phone of IPv4 calls a number outside by a provider of IPv6: both hear each other clearly.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_from_ipv4_to_ipv6_is_clear() {
    let folder = tempfile::tempdir().unwrap();
    let clinic = Clinic::open_as(both(folder.path())).await.in_folder(folder);
    let provider_at = SocketAddr::from((Ipv6Addr::LOCALHOST, *ports::free(2).start()));
    let scene = Scene::with(clinic, provider_at, json!({})).await;
    let voices = Voices::new().await;
    let provider = Softphone::provider_saying(
        provider_at,
        &[E164],
        90,
        Codec::Pcma,
        &voices.other.at(8_000).between(BEFORE_S, AFTER_S),
    );
    scene.becomes(&format!("/api/trunks/{}", scene.trunk["id"].as_str().unwrap()), "up").await;
    let phone = scene.phone("201", Value::Null).await;
    let server = SocketAddr::from((Ipv4Addr::LOCALHOST, by_ipv6(&scene.clinic).port()));
    let desk = Softphone::speaking(
        &line(&phone, server, ""),
        Some("02079460958"),
        Codec::G722,
        &voices.one.between(BEFORE_S, AFTER_S),
    );
    for (phone, said) in [(&provider, &voices.one), (&desk, &voices.other)] {
        let heard = phone.has_heard_for(BEFORE_S + said.seconds() + LATER_S).await;
        let found = score(said, &heard);
        assert!(found.speech.most > CLEAR, "{found:?}");
    }
    desk.press("quit", "").await;
    assert_eq!(scene.ended().await, EndCause::ClinicHungUp);
    let call = scene.calls().remove(0);
    assert!(call.quality.packets_received > 100, "{:?}", call.quality);
    scene.close().await;
}
