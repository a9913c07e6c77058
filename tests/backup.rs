//! A clinic that is lost, and brought back from one file.

use crate::support::clinic::{Clinic, PATIENCE, config};
use crate::support::person::{PASSWORD, read};
use auricle::backups::{self, Request};
use auricle::secrets::{self, Change};
use auricle::voice::{caller, certificate};
use auricle_domain::account::Actor;
use auricle_domain::code::Role;
use auricle_domain::event::Event;
use auricle_storage::{Backend, restore, set_passphrase};
use reqwest::StatusCode;
use serde_json::Value;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::aws_lc_rs;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

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

/// A clinic in `home` that listens for TLS, with its key file there.
async fn over_tls(home: &Path, key_file: &Path) -> Clinic {
    let mut config = config(home);
    config.storage.key_file = Some(key_file.to_owned());
    config.sip.tls_listen = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)));
    Clinic::open_as(config).await
}

/// What a telephone does that trusts this certificate and no other.
async fn greets(clinic: &Clinic, trusted: &str) -> std::io::Result<()> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(trusted.as_bytes()).unwrap()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let config = builder.with_safe_default_protocol_versions().unwrap().with_root_certificates(roots);
    let connector = TlsConnector::from(Arc::new(config.with_no_client_auth()));
    let stream = TcpStream::connect(clinic.app().voice.tls_addr().unwrap()).await?;
    connector.connect(ServerName::try_from("127.0.0.1").unwrap(), stream).await.map(drop)
}

/// B-26, SEC-11: telephones that were told to trust the clinic's own certificate know it again after a restore on a new machine; one that
/// an earlier program has kept in a file is taken in first.
#[tokio::test(flavor = "multi_thread")]
async fn telephones_know_the_clinic_again_after_a_restore() {
    let folder = tempfile::tempdir().unwrap();
    let (home, new_home, new_key) =
        (folder.path().join("clinic"), folder.path().join("new"), folder.path().join("new.key"));
    let passphrase = set_passphrase(&home, &home.join("store.key")).unwrap();
    let of_before = certificate::made(&["127.0.0.1".to_owned()], auricle::clock::system()).unwrap();
    let file = folder.path().join("clinic.sip.pem");
    std::fs::write(&file, format!("{}{}", of_before.certificate, of_before.key)).unwrap();
    let clinic = over_tls(&home, &home.join("store.key")).await;
    assert!(!file.exists(), "it is in the store now");
    greets(&clinic, &of_before.certificate).await.unwrap();
    let backup = clinic.app().backups.make(folder.path(), Actor::Console, |_| {}).await.unwrap();
    clinic.running.stop(Duration::ZERO).await;
    std::fs::remove_dir_all(&home).unwrap();

    restore(&backup.path, &new_home, &new_key, &passphrase, auricle::clock::system()).unwrap();
    let clinic = over_tls(&new_home, &new_key).await;
    greets(&clinic, &of_before.certificate).await.unwrap();
    let another = certificate::made(&["127.0.0.1".to_owned()], auricle::clock::system()).unwrap();
    greets(&clinic, &another.certificate).await.unwrap_err();
    let admin = clinic.person("second@clinic.example", Role::Admin).await;
    let list = read(admin.get("/api/phones").await, StatusCode::OK).await;
    assert_eq!(list["server"]["tls_fingerprint"], of_before.fingerprint.as_str());
    assert_eq!(list["tls_certificate"], of_before.certificate.as_str(), "without its key");
    let agent = clinic.person("agent@clinic.example", Role::Agent).await;
    assert_eq!(agent.get("/api/phones").await.status(), StatusCode::FORBIDDEN);
    clinic.running.stop(Duration::ZERO).await;
    let clinic = Clinic::open_as(config(&folder.path().join("other"))).await;
    let admin = clinic.admin().await;
    assert_eq!(read(admin.get("/api/phones").await, StatusCode::OK).await["tls_certificate"], Value::Null);
    clinic.running.stop(Duration::ZERO).await;
}
