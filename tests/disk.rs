//! A disk that gets full, and one that is stolen.

use crate::support::clinic::Clinic;
use crate::support::person::{PASSWORD, read};
use auricle::voice::caller::{self, Act};
use auricle_domain::code::{CallStatus, RecordingState};
use auricle_domain::event::Event;
use auricle_storage::{Backend, Hooks, Room};
use reqwest::{Method, StatusCode};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const MIB: u64 = 1 << 20;

/// As the disk fills, recordings stop first, then changes are refused in words, while calls, sign-in and reading go
/// on; it resumes by itself.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_stops_what_can_wait_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let free = Arc::new(AtomicU64::new(10_000 * MIB));
    let shown = Arc::clone(&free);
    let hooks = Hooks { free_bytes: Some(Box::new(move |_| Ok(shown.load(Ordering::SeqCst)))), ..Hooks::default() };
    let clinic = Clinic::open_with(folder.path(), Backend::Redb, None, hooks).await;
    let mut admin = clinic.admin().await;
    let store = clinic.app().store.clone();
    let becomes = |free_mib: u64, room: Room| {
        free.store(free_mib * MIB, Ordering::SeqCst);
        store.look_for_room().unwrap();
        assert_eq!(store.room(), room);
    };
    let ring = async || {
        let mut script = clinic.call();
        script.acts = vec![Act::Play(vec![0; 8_000].into())];
        caller::place(script).await.unwrap();
        clinic.happened(|event| matches!(event, Event::CallEnded { .. })).await;
        clinic.last_call().unwrap()
    };
    let disk = async || {
        let ready = read(clinic.anybody().get("/health/ready").await, StatusCode::SERVICE_UNAVAILABLE).await;
        ready["checks"].as_array().unwrap().iter().find(|check| check["name"] == "disk").unwrap().clone()
    };

    becomes(900, Room::Low);
    let call = ring().await;
    assert_eq!((call.status, call.recording.state), (CallStatus::Ended, RecordingState::Off));
    assert_eq!(disk().await["ok"], json!(false));
    let contact = admin.made("/api/contacts", json!({ "name": "Ann" })).await;

    becomes(200, Room::Full);
    let refused = admin.send(Method::POST, "/api/contacts", json!({ "name": "Bob" })).await;
    let refused = read(refused, StatusCode::INSUFFICIENT_STORAGE).await;
    assert_eq!(refused["code"], "disk_low");
    assert!(refused["detail"].as_str().unwrap().contains("200 MiB"), "{refused}");
    admin.sign_in("admin@clinic.example", PASSWORD).await;
    read(admin.get(&format!("/api/contacts/{}", contact["id"].as_str().unwrap())).await, StatusCode::OK).await;
    let calls = |page: serde_json::Value| page["items"].as_array().unwrap().len();
    let before = calls(read(admin.get("/api/calls").await, StatusCode::OK).await);
    caller::place(clinic.call()).await.unwrap();
    assert_eq!(calls(read(admin.get("/api/calls").await, StatusCode::OK).await), before + 1, "calls go on");

    becomes(10_000, Room::Enough);
    admin.made("/api/contacts", json!({ "name": "Bob" })).await;
    clinic.running.stop(Duration::ZERO).await;
}

fn every_file(folder: &Path, look: &mut impl FnMut(&Path, &[u8])) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            every_file(&path, look);
        } else {
            look(&path, &std::fs::read(&path).unwrap());
        }
    }
}

/// B-17: no file of a clinic shows a name, a number or a word of what it holds.
#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_disk_shows_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let clinic = Clinic::open_in(folder.path(), Backend::Redb, None).await;
    let admin = clinic.admin().await;
    let person = json!({ "name": "Bartholomew Quixote", "numbers": ["+442079460777"], "emails": ["barty@example.org"],
        "notes": "Allergic to penicillin." });
    admin.made("/api/contacts", person).await;
    let document = json!({ "name": "Parking", "content": "The garage behind the pharmacy is free for patients." });
    admin.made("/api/knowledge-base", document).await;
    caller::place(clinic.call()).await.unwrap();
    clinic.settled().await;
    clinic.indexed().await;
    clinic.running.stop(Duration::ZERO).await;
    let words = [
        "Bartholomew",
        "bartholomew",
        "Quixote",
        "quixote",
        "442079460",
        "barty",
        "penicillin",
        "garage",
        "pharmacy",
        "recorded",
        "receptionist",
        "clinic.example",
        "RIFF",
    ];
    let mut files = 0;
    every_file(folder.path(), &mut |path, bytes| {
        files += 1;
        for word in words {
            let there = bytes.windows(word.len()).any(|window| window == word.as_bytes());
            assert!(!there, "{word} is readable in {}", path.display());
        }
    });
    assert!(files > 4, "only {files} files were looked at");
}

/// B-17: a search index that is deleted under the running service is built again at once, and everything is found.
#[tokio::test(flavor = "multi_thread")]
async fn a_deleted_search_index_is_built_again_while_the_service_runs() {
    let folder = tempfile::tempdir().unwrap();
    let clinic = Clinic::open_in(folder.path(), Backend::Redb, None).await;
    let admin = clinic.admin().await;
    let found = async |name: &str| {
        clinic.indexed().await;
        let page = read(admin.get(&format!("/api/search?q={name}")).await, StatusCode::OK).await;
        assert_eq!(page["hits"].as_array().unwrap().len(), 1, "{name}: {page}");
    };
    admin.made("/api/contacts", json!({ "name": "Bartholomew" })).await;
    found("Bartholomew").await;
    let index = folder.path().join("search");
    std::fs::remove_dir_all(&index).unwrap();
    admin.made("/api/contacts", json!({ "name": "Quixote" })).await;
    found("Quixote").await;
    found("Bartholomew").await;
    assert!(index.join("meta.json").exists(), "it lies where it lay");
    clinic.running.stop(Duration::ZERO).await;
}
