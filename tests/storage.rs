//! What an administrator looks after while the service runs: backups, the search index, room on the disk.

use crate::support::clinic::{Clinic, PATIENCE, config};
use crate::support::person::{Person, read};
use auricle::errands::{Errand, Stage};
use auricle_domain::Timestamp;
use auricle_domain::code::{Channel, Role};
use auricle_domain::event::Event;
use auricle_domain::id::ContactId;
use auricle_storage::search::{SearchChange, SearchDocument, SearchKind};
use auricle_storage::{Backend, Hooks, set_passphrase};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

async fn found(person: &Person, name: &str) -> usize {
    let page = read(person.get(&format!("/api/search?q={name}")).await, StatusCode::OK).await;
    assert_eq!(page["incomplete"], Value::Null);
    page["hits"].as_array().unwrap().len()
}

/// Something that is in the index and in no record: it shows whether the index was really built again.
fn haunt(clinic: &Clinic) {
    let ghost = SearchDocument {
        kind: SearchKind::Contact,
        id: ContactId::new(Timestamp::UNIX_EPOCH, [7; 10]).to_string(),
        parent: None,
        call: None,
        at: Timestamp::UNIX_EPOCH,
        start_ms: None,
        title: "Ghost".to_owned(),
        text: String::new(),
        language: None,
        outcome: None,
        agent: None,
        channel: None,
    };
    let search = &clinic.app().search;
    search.apply(vec![SearchChange::Put(Box::new(ghost))], search.cursor()).unwrap();
}

/// B-04, SEC-20: an administrator has the index built again; everything is found all the while, and it is written down who wanted it.
#[tokio::test(flavor = "multi_thread")]
async fn the_search_index_is_built_again_while_it_answers() {
    let clinic = Clinic::open(Backend::Redb, None).await;
    let admin = clinic.admin().await;
    let agent = clinic.person("agent@clinic.example", Role::Agent).await;
    for name in ["Bartholomew", "Quixote"] {
        admin.made("/api/contacts", json!({ "name": name })).await;
    }
    clinic.indexed().await;
    haunt(&clinic);
    assert_eq!((found(&admin, "Ghost").await, found(&admin, "Quixote").await), (1, 1));
    read(agent.send(Method::POST, "/api/search/rebuild", json!({})).await, StatusCode::FORBIDDEN).await;
    let asked = read(admin.send(Method::POST, "/api/search/rebuild", json!({})).await, StatusCode::ACCEPTED).await;
    assert_eq!((&asked["state"], &asked["complete"]), (&json!("rebuilding"), &json!(true)));
    let mut stages = clinic.app().rebuild.watch();
    let built = async {
        loop {
            assert_eq!(found(&agent, "Bartholomew").await, 1, "it is found meanwhile");
            let state = read(agent.get("/api/search/state").await, StatusCode::OK).await;
            assert_eq!(state["failed"], Value::Null);
            if state["state"] == "current" {
                return state;
            }
            assert!(state["done"].as_u64() <= state["of"].as_u64(), "{state}");
            stages.changed().await.unwrap();
        }
    };
    let state = tokio::time::timeout(PATIENCE, built).await.expect("the index was not built again in time");
    assert_eq!(state["complete"], json!(true));
    assert_eq!((found(&admin, "Ghost").await, found(&admin, "Quixote").await), (0, 1));
    admin.made("/api/contacts", json!({ "name": "Rosinante" })).await;
    clinic.indexed().await;
    assert_eq!(found(&admin, "Rosinante").await, 1, "it goes on");
    let entries = read(admin.get("/api/audit?limit=100").await, StatusCode::OK).await;
    let entry = entries["items"].as_array().unwrap().iter().find(|entry| entry["action"] == "search.rebuilt").unwrap();
    assert_eq!((&entry["object"], &entry["actor"]["role"]), (&json!("search_index"), &json!("ADMIN")));
    clinic.running.stop(Duration::ZERO).await;
}

/// B-04: somebody at the machine has the running service build the index again, and sees how far it has come.
#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_asks_the_running_service() {
    let folder = tempfile::tempdir().unwrap();
    let clinic = Clinic::open_in(folder.path(), Backend::Redb, None).await;
    let admin = clinic.admin().await;
    admin.made("/api/contacts", json!({ "name": "Quixote" })).await;
    clinic.indexed().await;
    haunt(&clinic);
    let home = folder.path().to_owned();
    let asked = tokio::task::spawn_blocking(move || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_auricle"));
        let command = command.args(["search", "rebuild"]).env("AURICLE_STORAGE_DIRECTORY", &home);
        command.env("AURICLE_STORAGE_KEY_FILE", home.join("store.key")).output().unwrap()
    });
    let output = tokio::time::timeout(PATIENCE, asked).await.expect("it was not done in time").unwrap();
    let printed = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{printed}{}", String::from_utf8_lossy(&output.stderr));
    assert!(printed.contains("was built again") && printed.contains(" events"), "{printed}");
    clinic.happened(|event| matches!(event, Event::SearchRebuilt { .. })).await;
    assert_eq!((found(&admin, "Ghost").await, found(&admin, "Quixote").await), (0, 1));
    assert!(!folder.path().join("search.request").exists() && !folder.path().join("search.new").exists());
    clinic.running.stop(Duration::ZERO).await;
}

/// B-04: where the disk has no room for a second index, none is begun.
#[tokio::test(flavor = "multi_thread")]
async fn no_index_is_built_where_it_has_no_room() {
    let folder = tempfile::tempdir().unwrap();
    let free = Arc::new(AtomicU64::new(900 << 20));
    let shown = Arc::clone(&free);
    let hooks = Hooks { free_bytes: Some(Box::new(move |_| Ok(shown.load(Ordering::SeqCst)))), ..Hooks::default() };
    let clinic = Clinic::open_with(folder.path(), Backend::Redb, None, hooks).await;
    let admin = clinic.admin().await;
    clinic.app().store.look_for_room().unwrap();
    let refused = admin.send(Method::POST, "/api/search/rebuild", json!({})).await;
    assert_eq!(read(refused, StatusCode::INSUFFICIENT_STORAGE).await["code"], "disk_low");
    let state = read(admin.get("/api/storage").await, StatusCode::OK).await;
    assert_eq!((&state["disk"]["room"], &state["disk"]["free_bytes"]), (&json!("low"), &json!(900_u64 << 20)));
    assert_eq!(state["search"]["state"], json!("current"));
    clinic.running.stop(Duration::ZERO).await;
}

/// B-04: an index that cannot be built is told, and the one of before answers and goes on.
#[tokio::test(flavor = "multi_thread")]
async fn an_index_that_cannot_be_built_leaves_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    let clinic = Clinic::open_in(folder.path(), Backend::Redb, None).await;
    let admin = clinic.admin().await;
    admin.made("/api/contacts", json!({ "name": "Quixote" })).await;
    std::fs::write(folder.path().join("search.new"), b"in the way").unwrap();
    read(admin.send(Method::POST, "/api/search/rebuild", json!({})).await, StatusCode::ACCEPTED).await;
    over(&clinic.app().rebuild).await;
    let state = read(admin.get("/api/search/state").await, StatusCode::OK).await;
    assert!(state["failed"].is_string() && state["state"] == "current", "{state}");
    admin.made("/api/contacts", json!({ "name": "Rosinante" })).await;
    clinic.indexed().await;
    assert_eq!((found(&admin, "Quixote").await, found(&admin, "Rosinante").await), (1, 1));
    assert!(!clinic.feed().iter().any(|it| matches!(it.event, Event::SearchRebuilt { .. })));
    clinic.running.stop(Duration::ZERO).await;
}

/// B-26, OBS-15: an administrator has a backup made in the configured folder, sees it made, and finds it in the list.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_is_made_when_an_administrator_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let (home, backups) = (folder.path().join("clinic"), folder.path().join("backups"));
    set_passphrase(&home, &home.join("store.key")).unwrap();
    let clinic = with_backups(&home, Some(&backups)).await;
    // The schedule makes the first one by itself.
    clinic.happened(|event| matches!(event, Event::BackupMade { .. })).await;
    let admin = clinic.admin().await;
    let agent = clinic.person("agent@clinic.example", Role::Agent).await;
    read(agent.send(Method::POST, "/api/backups", json!({})).await, StatusCode::FORBIDDEN).await;
    read(agent.get("/api/storage").await, StatusCode::FORBIDDEN).await;
    over(clinic.app().backups.errand()).await;
    let before = read(admin.get("/api/storage").await, StatusCode::OK).await;
    let first = before["backup"]["last"].clone();
    assert!(first["bytes"].as_u64() > Some(0) && before["backup"]["next_at"].is_string(), "{before}");
    let asked = read(admin.send(Method::POST, "/api/backups", json!({})).await, StatusCode::ACCEPTED).await;
    assert!(asked["making"].is_object(), "{asked}");
    let is_mine = |actor: &Value| actor["role"] == "ADMIN";
    over(clinic.app().backups.errand()).await;
    let after = read(admin.get("/api/storage").await, StatusCode::OK).await;
    assert_eq!((&after["backup"]["failed"], &after["backup"]["making"]), (&Value::Null, &Value::Null));
    let entries = read(admin.get("/api/audit?limit=100").await, StatusCode::OK).await;
    let mut entries = entries["items"].as_array().unwrap().iter();
    assert!(entries.any(|entry| entry["action"] == "backup.made" && is_mine(&entry["actor"])));
    let listed = read(admin.get("/api/backups").await, StatusCode::OK).await;
    let names: Vec<&str> =
        listed["items"].as_array().unwrap().iter().map(|item| item["name"].as_str().unwrap()).collect();
    assert_eq!(names[0], after["backup"]["last"]["name"].as_str().unwrap());
    assert!(names.contains(&first["name"].as_str().unwrap()) && names.len() <= 2, "{names:?}");
    clinic.running.stop(Duration::ZERO).await;
}

/// B-26: where no backup can be made, it is said why.
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_that_cannot_be_made_is_refused_in_words() {
    let folder = tempfile::tempdir().unwrap();
    for (backups, words) in [(None, "backup.directory"), (Some(folder.path().join("b")), "auricle secrets generate")] {
        let home = folder.path().join(words);
        let clinic = with_backups(&home, backups.as_deref()).await;
        let admin = clinic.admin().await;
        let refused = admin.send(Method::POST, "/api/backups", json!({})).await;
        let refused = read(refused, StatusCode::CONFLICT).await;
        assert!(refused["detail"].as_str().unwrap().contains(words), "{refused}");
        assert_eq!(read(admin.get("/api/backups").await, StatusCode::OK).await, json!({ "items": [] }));
        let state = read(admin.get("/api/storage").await, StatusCode::OK).await;
        assert_eq!(state["backup"]["has_passphrase"], json!(false));
        clinic.running.stop(Duration::ZERO).await;
    }
}

async fn with_backups(home: &Path, backups: Option<&Path>) -> Clinic {
    let mut config = config(home);
    config.backup.directory = backups.map(Path::to_owned);
    Clinic::open_as(config).await
}

/// Waits until an errand is over, for good or ill.
async fn over<P: Clone>(errand: &Errand<P>) {
    let mut stages = errand.watch();
    let idle = stages.wait_for(|stage| matches!(stage, Stage::Idle { .. }));
    tokio::time::timeout(PATIENCE, idle).await.expect("it was not over in time").unwrap();
}

/// B-04: what was said in a call, and what somebody took, is found by who handled it and by how it came.
#[tokio::test(flavor = "multi_thread")]
async fn search_is_narrowed_by_agent_and_channel() {
    let clinic = Clinic::open(Backend::Redb, None).await;
    let admin = clinic.admin().await;
    let me = read(admin.get("/api/auth/me").await, StatusCode::OK).await["id"].as_str().unwrap().to_owned();
    auricle::voice::caller::place(clinic.call()).await.unwrap();
    let call = clinic.settled().await;
    clinic.handled(call.id, me.parse().unwrap()).await;
    let turns = read(admin.get(&format!("/api/calls/{}/turns", call.id)).await, StatusCode::OK).await;
    let (said, word) = (turns["items"][0]["text"].as_str().unwrap(), call.to_number.as_str());
    assert!(said.contains(word), "{word}: {said}");
    admin.made("/api/contacts", json!({ "name": word })).await;
    clinic.indexed().await;
    let kinds = async |filter: &str| {
        let page = read(admin.get(&format!("/api/search?q={word}{filter}")).await, StatusCode::OK).await;
        let hits = page["hits"].as_array().unwrap().iter();
        let mut kinds: Vec<String> = hits.map(|hit| hit["kind"].as_str().unwrap().to_owned()).collect();
        kinds.sort();
        kinds.dedup();
        kinds
    };
    assert_eq!(kinds("").await, ["call", "contact", "turn"], "{word} is said, dialled, and somebody's name");
    assert_eq!(kinds(&format!("&agent={me}")).await, ["call", "turn"]);
    let nobody = me.replace(&me[..2], "00");
    assert_eq!(kinds(&format!("&agent={nobody}")).await, [""; 0]);
    assert_eq!(kinds(&format!("&channel={}", Channel::Phone)).await, ["call", "turn"]);
    read(admin.get("/api/search?q=word&channel=pigeon").await, StatusCode::BAD_REQUEST).await;
    clinic.running.stop(Duration::ZERO).await;
}
