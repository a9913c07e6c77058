//! Calls to an emergency number: they go out, whatever providers say of them.

use crate::attack::{called, guarded, provider, stolen};
use crate::outbound::Scene;
use crate::support::peer::{Peer, Says};
use crate::support::softphone::{Softphone, free_address};
use auricle_domain::code::TaskKind;
use auricle_domain::event::Event;
use auricle_media::sip::uri::Uri;
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
