//! A clinic that is lost, and brought back from one file.

use crate::support::clinic::{Clinic, PATIENCE};
use crate::support::person::{PASSWORD, read};
use auricle::backups::{self, Request};
use auricle::secrets::{self, Change};
use auricle::voice::caller;
use auricle_domain::account::Actor;
use auricle_domain::event::Event;
use auricle_storage::{Backend, restore, set_passphrase};
use reqwest::StatusCode;
use std::time::Duration;

/// B-26, OBS-15, OBS-16, CALL-05: a backup that is asked for while the service runs restores into an empty folder; the service starts on it, and
/// calls, recordings and what search finds are those of before.
#[tokio::test(flavor = "multi_thread")]
async fn a_clinic_comes_back_from_one_file() {
    let folder = tempfile::tempdir().unwrap();
    let (home, new_home, backups) =
        (folder.path().join("clinic"), folder.path().join("new"), folder.path().join("backups"));
    let passphrase = set_passphrase(&home, &home.join("store.key")).unwrap();
    let clinic = Clinic::open_in(&home, Backend::Redb, None).await;
    let admin = clinic.admin().await;
    let contact = admin.made("/api/contacts", serde_json::json!({ "name": "Ludmila Novotna" })).await;
    caller::place(clinic.call()).await.unwrap();
    let call = clinic.settled().await;
    let recording = format!("/api/calls/{}/recording", call.id);
    let before = admin.get(&recording).await.bytes().await.unwrap();
    assert!(before.len() > 10_000, "{} bytes", before.len());

    backups::request(&home, &Request { id: "one".to_owned(), to: backups.clone() }).unwrap();
    clinic.happened(|event| matches!(event, Event::BackupMade { .. })).await;
    let answered = async {
        loop {
            let state = backups::state(&home, "one").unwrap();
            assert_eq!(state.failed, None);
            match state.made {
                Some(made) => return made,
                None => tokio::task::yield_now().await,
            }
        }
    };
    let backup = tokio::time::timeout(PATIENCE, answered).await.expect("nobody was told of the backup");
    assert_eq!(backups::listed(&backups).unwrap(), std::slice::from_ref(&backup));
    assert_eq!(backups::last(&home).unwrap().path, backup);
    let figures = read(clinic.anybody().get("/metrics?format=json").await, StatusCode::OK).await;
    assert!(figures["auricle_backup_verified_age_seconds"].is_number());
    clinic.running.stop(Duration::ZERO).await;
    std::fs::remove_dir_all(&home).unwrap();

    let heads = backups::heads(&backups::heads_file(&backup)).unwrap().heads;
    let now = auricle::clock::system();
    restore(&backup, &new_home, &folder.path().join("new.key"), &passphrase, now).unwrap();
    std::fs::rename(folder.path().join("new.key"), new_home.join("store.key")).unwrap();
    secrets::note(&new_home, Change::KeyFile, now).unwrap();
    let clinic = Clinic::open_in(&new_home, Backend::Redb, None).await;
    let restored = clinic.happened(|event| matches!(event, Event::StoreRestored { .. })).await;
    assert_eq!((restored.actor, restored.at), (Actor::Console, now));
    clinic.happened(|event| *event == Event::SecretsRotated { passphrase: false }).await;
    let check = clinic.app().store.verify_audit(&heads, |_, _| {}).unwrap();
    assert_eq!((heads.len(), check.broken), (1, None), "the chain goes on from where the backup says that it ended");
    let mut admin = clinic.anybody();
    admin.sign_in("admin@clinic.example", PASSWORD).await;
    let listed = read(admin.get("/api/calls").await, StatusCode::OK).await;
    assert_eq!(listed["items"][0]["id"], call.id.to_string());
    assert_eq!(admin.get(&recording).await.bytes().await.unwrap(), before);
    clinic.indexed().await;
    let found = read(admin.get("/api/search?q=ludmila").await, StatusCode::OK).await;
    let hit = &found["hits"][0];
    assert_eq!(hit["id"], contact["id"]);
    clinic.running.stop(Duration::ZERO).await;
}
