//! What a restart does not forget: where telephones are.

use crate::support::clinic::{Clinic, Hum, PATIENCE, config};
use crate::support::peer::{Peer, Says, Stolen};
use crate::support::person::{PASSWORD, Person, read};
use crate::support::served::Served;
use crate::support::softphone::{Line, Softphone, free_address};
use auricle::app::{Options, Running, Speech};
use auricle::clock::{self, Clock};
use auricle_domain::Timestamp;
use auricle_domain::code::{PhoneState, Role};
use auricle_domain::event::Event;
use auricle_domain::registration::Registration;
use auricle_storage::{Backend, Hooks, Scan};
use jiff::SignedDuration;
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// How often somebody looks who cannot be told.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The clinic in this folder, at this time of day, which listens for SIP there.
async fn started(folder: &Path, sip: SocketAddr, clock: Clock) -> Clinic {
    let mut config = config(folder);
    config.sip.listen = sip;
    let speech = Some(Speech { stt: None, tts: Arc::new(Hum), llm: None });
    let options = Options { backend: Backend::Redb, speech, clock, hooks: Hooks::default() };
    Clinic::of(Running::start(config, options).await.unwrap())
}

async fn add(admin: &Person, extension: &str) -> Value {
    admin.made("/api/phones", json!({ "label": extension, "extension": extension })).await
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap()
}

/// A telephone of the clinic that does what it is told.
async fn telephone(added: &Value, sip: SocketAddr) -> Stolen {
    let peer = Peer::at(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), sip, Says::Yes).await;
    Stolen::new(peer, text(&added["phone"], "user"), text(added, "password"))
}

/// Waits until what was kept has been told to the engine: after that a telephone is where it was, or away.
async fn begun(clinic: &Clinic, phone: &Value, state: PhoneState) {
    let stands = async {
        let mut look = tokio::time::interval(LOOK_EVERY);
        let is_it = |clinic: &Clinic| {
            let status = clinic.app().phones.status();
            status.iter().any(|(id, status)| json!(id) == phone["phone"]["id"] && status.state == state)
        };
        while !is_it(clinic) {
            look.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, stands).await.unwrap_or_else(|_| panic!("the telephone should be {state}"));
}

/// Whether the log has a telephone come or go, in order.
fn came_and_went(clinic: &Clinic, phone: &Value) -> Vec<PhoneState> {
    let states = clinic.feed().into_iter().filter_map(|envelope| match envelope.event {
        Event::PhoneStateChanged { phone: it, state } if json!(it) == phone["phone"]["id"] => Some(state),
        _ => None,
    });
    states.collect()
}

/// CALL-01: the program is killed and started again, and an ordinary telephone that has registered rings at once.
#[tokio::test(flavor = "multi_thread")]
async fn a_telephone_rings_at_once_after_a_kill() {
    let (folder, sip) = (tempfile::tempdir().unwrap(), free_address("127.0.0.1"));
    let clinic = started(folder.path(), sip, clock::system).await;
    let admin = clinic.admin().await;
    let (lab, front) = (add(&admin, "201").await, add(&admin, "202").await);
    clinic.running.stop(Duration::ZERO).await;

    let mut served = Served::begin(folder.path(), &sip.to_string());
    let mut admin = Person::of(served.web.clone());
    admin.sign_in("admin@clinic.example", PASSWORD).await;
    let (user, password) = (text(&lab["phone"], "user"), text(&lab, "password"));
    let line = Line { server: sip, transport: "udp", user, password, modules: &[], account: ";answermode=auto" };
    let softphone = Softphone::desk(&line, None, 60);
    let path = format!("/api/phones/{}", text(&lab["phone"], "id"));
    let registered = async {
        let mut look = tokio::time::interval(LOOK_EVERY);
        while read(admin.get(&path).await, StatusCode::OK).await["status"]["state"] != "registered" {
            look.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, registered).await.expect("the telephone does not register");
    served.kill();

    let clinic = started(folder.path(), sip, clock::system).await;
    begun(&clinic, &lab, PhoneState::Registered).await;
    let mut caller = telephone(&front, sip).await;
    caller.register().await;
    assert_eq!(caller.call("201", "").await.1.status, 200, "it takes the call");
    // Nothing of a call waits for the disk.
    clinic.happened(|event| matches!(event, Event::CallAnswered { .. })).await;
    let call = clinic.last_call().unwrap();
    assert_eq!((call.from_number.as_str(), call.to_number.as_str()), ("202", "201"));
    // That it came may have been cut off by the kill: it is written down after where it is.
    assert!(!came_and_went(&clinic, &lab).contains(&PhoneState::Away), "it was never away");
    drop(softphone);
    clinic.running.stop(Duration::ZERO).await;
}

/// The telephones that are written down as being somewhere.
fn kept(clinic: &Clinic) -> Vec<Value> {
    let kept = clinic.app().store.read(|tx| tx.scan(Scan::<Registration>::table())).unwrap().items;
    kept.into_iter().map(|registration| json!(registration.phone)).collect()
}

fn an_hour_later() -> Timestamp {
    clock::system().saturating_add(SignedDuration::from_hours(1)).unwrap()
}

/// CALL-01: what is kept of a telephone is what it has told; when its time is over, nobody calls it in vain, and the log says that it went.
#[tokio::test(flavor = "multi_thread")]
async fn a_telephone_that_does_not_come_back_is_called_until_its_time_is_over() {
    let (folder, sip) = (tempfile::tempdir().unwrap(), free_address("127.0.0.1"));
    let clinic = started(folder.path(), sip, clock::system).await;
    let admin = clinic.admin().await;
    let (lab, front) = (add(&admin, "201").await, add(&admin, "202").await);
    let mut here = telephone(&lab, sip).await;
    here.register().await;
    clinic.happened(|event| matches!(event, Event::PhoneStateChanged { .. })).await;
    assert_eq!(kept(&clinic), [lab["phone"]["id"].clone()], "it is written down before it is told");
    clinic.running.stop(Duration::ZERO).await;

    let clinic = started(folder.path(), sip, clock::system).await;
    begun(&clinic, &lab, PhoneState::Registered).await;
    let mut caller = telephone(&front, sip).await;
    caller.register().await;
    assert_eq!(caller.call("201", "").await.1.status, 200);
    assert_eq!(here.peer.calls().len(), 1);
    clinic.running.stop(Duration::ZERO).await;

    let clinic = started(folder.path(), sip, an_hour_later).await;
    clinic.happened(|event| matches!(event, Event::PhoneStateChanged { state: PhoneState::Away, .. })).await;
    assert_eq!(came_and_went(&clinic, &lab), [PhoneState::Registered, PhoneState::Away]);
    caller.register().await;
    assert_eq!(caller.call("201", "").await.1.status, 480);
    assert_eq!(here.peer.calls().len(), 1);
    let only_front = [front["phone"]["id"].clone()];
    let written = async {
        let mut look = tokio::time::interval(LOOK_EVERY);
        while kept(&clinic) != only_front {
            look.tick().await;
        }
    };
    tokio::time::timeout(PATIENCE, written).await.expect("what is over is kept");
    let admin = clinic.person("second@clinic.example", Role::Admin).await;
    let path = format!("/api/phones/{}", text(&lab["phone"], "id"));
    assert_eq!(read(admin.get(&path).await, StatusCode::OK).await["status"]["state"], "away");
    clinic.running.stop(Duration::ZERO).await;
}
