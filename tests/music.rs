//! Music on hold that the clinic brings itself.

use crate::outbound::Scene;
use crate::support::clinic::{Clinic, config};
use crate::support::person::{Person, read};
use auricle::providers::wav;
use auricle_domain::account::Actor;
use auricle_domain::code::Role;
use auricle_domain::event::Event;
use auricle_storage::{restore, set_passphrase};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::f64::consts::TAU;
use std::time::Duration;

/// A WAV file of 48 kHz and two channels with a quiet tone on one of them.
fn piece(hertz: f64, seconds: usize) -> Vec<u8> {
    let tone = |at: usize| ((at as f64 * TAU * hertz / 48_000.0).sin() * 900.0) as i16;
    let samples: Vec<i16> = (0..seconds * 48_000).flat_map(|at| [tone(at), 0]).collect();
    let mut file = wav::file(48_000, &samples);
    file[22] = 2;
    file
}

async fn bring(person: &Person, name: &str, file: Vec<u8>) -> reqwest::Response {
    person.request(Method::PUT, "/api/music").query(&[("name", name)]).body(file).send().await.unwrap()
}

/// CALL-06: a piece of the clinic's own is heard by whoever waits, also after a restart, as loud as the built-in one; it is listened to,
/// kept sealed, and removed.
#[tokio::test(flavor = "multi_thread")]
async fn a_clinics_own_music_is_heard_by_who_waits() {
    let folder = tempfile::tempdir().unwrap();
    let clinic = Clinic::open_as(config(folder.path())).await;
    let boss = clinic.person("boss@clinic.example", Role::Admin).await;
    assert_eq!(read(boss.get("/api/music").await, StatusCode::OK).await, json!({ "own": null }));
    let brought = read(bring(&boss, "Waiting.wav", piece(1_000.0, 4)).await, StatusCode::OK).await;
    assert_eq!((&brought["own"]["name"], &brought["own"]["length_ms"]), (&json!("Waiting.wav"), &json!(4_000)));
    clinic.running.stop(Duration::ZERO).await;

    let scene = Scene::of(Clinic::open_as(config(folder.path())).await, json!({})).await;
    let audio = scene.admin.get("/api/music/audio").await;
    assert_eq!((audio.status(), audio.headers()["content-type"].to_str().unwrap()), (StatusCode::OK, "audio/wav"));
    let samples = wav::read_wideband(&audio.bytes().await.unwrap()).unwrap();
    let power = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / samples.len() as f64;
    let decibels = 10.0 * (power / 32_768_f64.powi(2)).log10();
    assert!((decibels + 24.0).abs() < 0.3, "{decibels} dBFS");

    let provider = scene.provider(90).await;
    let phone = scene.phone("201", Value::Null).await;
    let desk = scene.switched_on_with(&phone, Some("02079460958"), 90, &["ctrl_tcp"]).await;
    scene.clinic.happened(|event| matches!(event, Event::CallAnswered { .. })).await;
    desk.has_heard(700.0).await;
    provider.has_heard(440.0).await;
    desk.press("hold", "").await;
    provider.has_heard(1_000.0).await;
    drop((desk, provider));

    let removed = scene.admin.send(Method::DELETE, "/api/music", json!(null)).await;
    assert_eq!(removed.status(), StatusCode::NO_CONTENT);
    assert_eq!(scene.admin.get("/api/music/audio").await.status(), StatusCode::NOT_FOUND);
    let removed = scene.admin.send(Method::DELETE, "/api/music", json!(null)).await;
    assert_eq!(removed.status(), StatusCode::NOT_FOUND);
    scene.clinic.happened(|event| matches!(event, Event::MusicRemoved {})).await;
    scene.close().await;
}

/// B-26, CALL-06: a piece of the clinic's own is in its backups, and heard again by whoever waits after it was restored into an empty
/// folder.
#[tokio::test(flavor = "multi_thread")]
async fn a_clinics_own_music_is_heard_again_after_it_was_restored() {
    let folder = tempfile::tempdir().unwrap();
    let (home, new_home) = (folder.path().join("clinic"), folder.path().join("new"));
    let passphrase = set_passphrase(&home, &home.join("store.key")).unwrap();
    let clinic = Clinic::open_as(config(&home)).await;
    let boss = clinic.person("boss@clinic.example", Role::Admin).await;
    read(bring(&boss, "Waiting.wav", piece(1_000.0, 4)).await, StatusCode::OK).await;
    let before = boss.get("/api/music/audio").await.bytes().await.unwrap();
    let backup = clinic.app().backups.make(folder.path(), Actor::Console, |_| {}).await.unwrap();
    clinic.running.stop(Duration::ZERO).await;
    std::fs::remove_dir_all(&home).unwrap();

    let key_file = folder.path().join("new.key");
    let restored = restore(&backup.path, &new_home, &key_file, &passphrase, auricle::clock::system()).unwrap();
    assert_eq!(restored.missing.count, 0);
    let mut config = config(&new_home);
    config.storage.key_file = Some(key_file);
    let scene = Scene::of(Clinic::open_as(config).await, json!({})).await;
    let shown = read(scene.admin.get("/api/music").await, StatusCode::OK).await;
    assert_eq!(shown["own"]["name"], "Waiting.wav");
    assert_eq!(scene.admin.get("/api/music/audio").await.bytes().await.unwrap(), before);
    let provider = scene.provider(90).await;
    let phone = scene.phone("201", Value::Null).await;
    let desk = scene.switched_on_with(&phone, Some("02079460958"), 90, &["ctrl_tcp"]).await;
    scene.clinic.happened(|event| matches!(event, Event::CallAnswered { .. })).await;
    provider.has_heard(440.0).await;
    desk.press("hold", "").await;
    provider.has_heard(1_000.0).await;
    drop((desk, provider));
    scene.close().await;
}

/// What cannot be played is refused in words, what was there before stays; others than administrators change nothing.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_music_is_refused() {
    let clinic = Clinic::quiet().await;
    let admin = clinic.admin().await;
    let first = read(bring(&admin, "First.wav", piece(1_000.0, 2)).await, StatusCode::OK).await;
    let rows = [
        ("Text.wav", b"hello".to_vec(), "file", "not_wav"),
        ("Silence.wav", wav::file(8_000, &[0; 20_000]), "file", "silent"),
        ("Short.wav", wav::file(8_000, &[3_000; 7_000]), "file", "silent"),
        ("Long.wav", wav::file(8_000, &vec![3_000; 8_000 * 182]), "file", "too_long"),
        ("", piece(1_000.0, 2), "name", "required"),
    ];
    for (name, file, field, code) in rows {
        let refused = read(bring(&admin, name, file).await, StatusCode::BAD_REQUEST).await;
        assert_eq!(
            (&refused["errors"][0]["field"], &refused["errors"][0]["code"]),
            (&json!(field), &json!(code)),
            "{name}"
        );
    }
    assert_eq!(read(admin.get("/api/music").await, StatusCode::OK).await, first);
    // Another one takes its place, and its audio is kept no more.
    let kept = || std::fs::read_dir(clinic.app().config.storage.directory.join("blobs/contents")).unwrap().count();
    read(bring(&admin, "Second.wav", piece(1_200.0, 2)).await, StatusCode::OK).await;
    assert_eq!(kept(), 1);
    let agent = clinic.person("agent@clinic.example", Role::Agent).await;
    assert_eq!(agent.get("/api/music").await.status(), StatusCode::FORBIDDEN);
    assert_eq!(bring(&agent, "Mine.wav", piece(1_000.0, 2)).await.status(), StatusCode::FORBIDDEN);
    clinic.running.stop(Duration::ZERO).await;
}
