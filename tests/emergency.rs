//! Calls to an emergency number: they go out, whatever providers say of them, when every line is taken, and while the service stops.

use crate::attack::{called, guarded, provider, stolen};
use crate::outbound::{E164, Scene};
use crate::support::clinic::{Clinic, PATIENCE, config};
use crate::support::page::Page;
use crate::support::peer::{Peer, Says, Stolen, accepted};
use crate::support::person::read;
use crate::support::softphone::{Softphone, free_address};
use auricle_domain::code::{EndCause, TaskKind};
use auricle_domain::event::Event;
use auricle_media::sip::uri::Uri;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::net::SocketAddr;

/// Another provider, and waits until calls can go through it.
async fn another(scene: &Scene, at: SocketAddr) -> Value {
    let trunk = json!({ "name": at.to_string(), "server": at.to_string(), "transport": "udp", "registers": false });
    let trunk = scene.admin.made("/api/trunks", trunk).await;
    scene.becomes(&format!("/api/trunks/{}", trunk["id"].as_str().unwrap()), "up").await;
    trunk
}

/// SAFE-01: of three providers the first says nothing to the call and the second does not know the number: the third connects it.
#[tokio::test(flavor = "multi_thread")]
async fn an_emergency_call_goes_by_whichever_provider_takes_it() {
    let scene = Scene::open(json!({})).await;
    let silent = provider(&scene, Says::Nothing).await;
    let refuses = Peer::at(free_address("127.0.0.3"), scene.clinic.app().voice.sip_addr(), Says::No(404)).await;
    another(&scene, refuses.address).await;
    let third_at = free_address("127.0.0.4");
    let third = Softphone::provider(third_at, &["999"], 40);
    let trunk = another(&scene, third_at).await;
    let phone = scene.phone("201", Value::Null).await;
    let desk = scene.switched_on_with(&phone, Some("999"), 16, &[]).await;
    scene.clinic.happened(|event| matches!(event, Event::CallAnswered { .. })).await;
    let heard = desk.heard_tone(700.0).await;
    scene.ended().await;
    assert!(heard > 0.8, "{heard}");
    assert_eq!((called(&silent.calls()), called(&refuses.calls())), (vec!["999".to_owned()], vec!["999".to_owned()]));
    let call = scene.calls().remove(0);
    assert_eq!((json!(call.outgoing[0].trunk), call.outgoing.len()), (trunk["id"].clone(), 1));
    drop(third);
    scene.close().await;
}

/// SAFE-01: a person whose page is in a call dials an emergency number: the page leaves the call for it, and talks there.
#[tokio::test(flavor = "multi_thread")]
async fn a_page_leaves_its_call_for_an_emergency() {
    let scene = Scene::open(json!({})).await;
    let provider = scene.provider(40).await;
    let mut page = Page::open(&scene.admin, 500.0).await;
    let dial =
        async |number: &str| scene.admin.send(Method::POST, "/api/calls", json!({ "phone_number": number })).await;
    read(dial(E164).await, StatusCode::OK).await;
    page.hears(700.0).await;
    assert_eq!(dial("+442079460959").await.status(), StatusCode::CONFLICT, "no other number is dialled in a call");
    let helped = read(dial("999").await, StatusCode::OK).await;
    assert_eq!(scene.ended().await, EndCause::ClinicHungUp, "the call that it was in");
    let is_it = |event: &Event| matches!(event, Event::CallAnswered { call, .. } if json!(call) == helped["id"]);
    scene.clinic.happened(is_it).await;
    page.hears(700.0).await;
    let live = read(scene.admin.get("/api/calls/live").await, StatusCode::OK).await;
    let shown = live["items"].as_array().unwrap();
    assert_eq!((shown.len(), &shown[0]["call"], &shown[0]["to_number"]), (1, &helped["id"], &json!("999")));
    assert_eq!(dial("112").await.status(), StatusCode::CONFLICT, "a call to such a number is not left for another");
    drop(provider);
    scene.close().await;
}

/// RFC 5031: a phone that asks for the emergency service by its name reaches the clinic's emergency number.
#[tokio::test(flavor = "multi_thread")]
async fn a_phone_asks_for_the_emergency_service() {
    let scene = guarded(json!({ "is_on": false })).await;
    let provider = provider(&scene, Says::Yes).await;
    let mut phone = stolen(&scene, "201").await;
    let user = phone.user.clone();
    for (service, status) in [("urn:service:sos.ambulance", 200), ("urn:service:counseling", 416)] {
        let mut invite = phone.peer.request("INVITE", &user, "sos", "");
        invite.uri = Uri::parse(service).unwrap();
        assert_eq!(phone.ask(invite).await.1.status, status, "{service}");
    }
    assert_eq!(called(&provider.calls()), ["999"]);
    scene.clinic.happened(|event| matches!(event, Event::CallEmergency { number, .. } if number == "999")).await;
    assert_eq!(scene.tasks(TaskKind::Emergency), 1);
    scene.close().await;
}

/// Another call of a caller's to the receptionist, by the trunk; what it is told.
async fn rings_in(provider: &mut Peer) -> u16 {
    let incoming = provider.request("INVITE", "+442079460100", "clinic", "");
    provider.ask(&incoming).await.status
}

/// Nobody else is let in where a phone reaches the emergency number.
async fn only_emergencies_get_through(phone: &mut Stolen, provider: &Peer) {
    assert_eq!(phone.call("receptionist", "").await.1.status, 503);
    assert_eq!(phone.call("02079460958", "").await.1.status, 503);
    assert_eq!(phone.call("999", "").await.1.status, 200);
    assert_eq!(called(&provider.calls()), ["999"]);
}

/// SAFE-01: every port that others may have is taken by callers: a phone reaches the emergency number by those that are kept for it.
#[tokio::test(flavor = "multi_thread")]
async fn an_emergency_call_goes_out_when_there_is_no_room() {
    const PORTS: u16 = 16;
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    let first = *config.sip.rtp_ports.start();
    config.sip.rtp_ports = first..=first + 2 * PORTS - 1;
    config.sip.calls_max = usize::from(PORTS);
    let scene = Scene::of(Clinic::open_as(config).await.in_folder(folder), json!({})).await;
    let mut provider = provider(&scene, Says::Yes).await;
    let mut phone = stolen(&scene, "201").await;
    let mut taken = 0;
    while rings_in(&mut provider).await == 200 {
        taken += 1;
    }
    assert_eq!(taken, PORTS - 2);
    only_emergencies_get_through(&mut phone, &provider).await;
    scene.clinic.happened(|event| matches!(event, Event::CallPlaced { to_number, .. } if to_number == "999")).await;
    scene.close().await;
}

/// SAFE-01: while the service waits for its last call to end, a phone still reaches the emergency number.
#[tokio::test(flavor = "multi_thread")]
async fn an_emergency_call_goes_out_while_the_service_stops() {
    let scene = guarded(json!({})).await;
    let mut provider = provider(&scene, Says::Yes).await;
    let mut phone = stolen(&scene, "201").await;
    let incoming = provider.request("INVITE", "+442079460100", "clinic", "");
    let answered = provider.ask(&incoming).await;
    assert_eq!(answered.status, 200);
    let store = scene.clinic.app().store.clone();
    let stopping = tokio::spawn(scene.clinic.running.stop(PATIENCE));
    // Until it has begun to stop.
    loop {
        let more = provider.request("INVITE", "+442079460101", "clinic", "");
        let response = provider.ask(&more).await;
        if response.status != 200 {
            break;
        }
        let bye = provider.within(&more, &response, false, "BYE", "");
        provider.ask(&bye).await;
    }
    only_emergencies_get_through(&mut phone, &provider).await;
    let bye = provider.within(&incoming, &answered, false, "BYE", "");
    assert_eq!(provider.ask(&bye).await.status, 200);
    let helped = provider.calls().remove(0);
    let taken = accepted(&helped, provider.address);
    let bye = provider.within(&helped, &taken, true, "BYE", "");
    assert_eq!(provider.ask(&bye).await.status, 200);
    stopping.await.unwrap();
    let ended = store.feed(0, 900).unwrap().into_iter().filter(|it| matches!(it.event, Event::CallEnded { .. }));
    assert!(ended.count() >= 2, "both are written down");
}
