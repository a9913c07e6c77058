//! A provider that takes on by itself whom it has brought, when they are handed on to somebody outside (REFER, RFC 3515).

use crate::attack::{called, provider};
use crate::outbound::{E164, Scene};
use crate::support::peer::{Peer, Says};
use crate::support::person::read;
use auricle_domain::call::Call;
use auricle_domain::code::{EndCause, Outcome};
use auricle_domain::event::Event;
use auricle_domain::id::CallId;
use auricle_media::sip::message::{Request, Response};
use reqwest::{Method, StatusCode};
use serde_json::json;

impl Scene {
    /// The trunk's setting: whether it takes callers on by itself.
    async fn refers(&self, refers: bool) {
        let path = format!("/api/trunks/{}", self.trunk["id"].as_str().unwrap());
        let trunk = read(self.admin.get(&path).await, StatusCode::OK).await;
        let input = json!({
            "name": "Provider", "server": self.provider_at.to_string(), "transport": "udp", "registers": false, "refers": refers,
        });
        let changed = self.admin.change(Method::PUT, &path, &trunk["version"], input).await;
        assert_eq!(read(changed, StatusCode::OK).await["refers"], refers);
    }

    /// A caller whom the provider brings and the receptionist has.
    async fn brought(&self, provider: &mut Peer) -> (Request, Response, CallId) {
        let incoming = provider.request("INVITE", "+447700900321", "clinic", "");
        let answered = provider.ask(&incoming).await;
        assert_eq!(answered.status, 200);
        let mut board = self.clinic.app().floor.watch();
        let is_served = |live: &auricle_domain::live::LiveCall| live.answered_at.is_some();
        let board = board.wait_for(|board| board.iter().any(is_served)).await.unwrap();
        let call = board.iter().find(|live| is_served(live)).unwrap().call;
        drop(board);
        (incoming, answered, call)
    }

    async fn hand_on(&self, call: CallId, to: &str) -> StatusCode {
        self.admin.send(Method::POST, &format!("/api/calls/{call}/transfer"), json!({ "to": to })).await.status()
    }

    async fn over(&self, id: CallId) -> Call {
        self.clinic.happened(|event| matches!(event, Event::CallEnded { call, .. } if *call == id)).await;
        self.clinic.app().store.read(|tx| tx.get::<Call>(&id)).unwrap().unwrap()
    }
}

/// What the provider tells in the end of what it was asked for.
async fn tells(provider: &mut Peer, of: (&Request, &Response), status: &str) {
    let more = "Event: refer\r\nSubscription-State: terminated;reason=noresource\r\nContent-Type: message/sipfrag\r\n";
    let mut notify = provider.within(of.0, of.1, false, "NOTIFY", more);
    notify.body = format!("SIP/2.0 {status}\r\n").into_bytes();
    assert_eq!(provider.ask(&notify).await.status, 200);
}

/// The caller goes where they are handed on to by the provider alone, and the record says to whom; what the provider does not take on goes
/// through us as ever. Rules are asked first: where none lets us call, nobody is asked to.
#[tokio::test(flavor = "multi_thread")]
async fn a_provider_takes_a_caller_on() {
    let scene = Scene::open(json!({})).await;
    let mut provider = provider(&scene, Says::Yes).await;
    scene.refers(true).await;
    let (incoming, answered, call) = scene.brought(&mut provider).await;
    assert_eq!(scene.hand_on(call, "09098790123").await, StatusCode::CONFLICT, "a premium number");
    assert_eq!(scene.hand_on(call, "02079460958").await, StatusCode::NO_CONTENT);
    let refer = provider.comes(|request| request.method.name() == "REFER").await;
    let refer_to = refer.head.get("Refer-To").unwrap();
    assert!(refer_to.contains(&format!("sip:{E164}@127.0.0.2")), "{refer_to}");
    tells(&mut provider, (&incoming, &answered), "200 OK").await;
    provider.comes(|request| request.method.name() == "BYE").await;
    let ended = scene.over(call).await;
    assert_eq!((ended.cause, ended.outcome), (Some(EndCause::HandedOn), Some(Outcome::Transferred)));
    let line = &ended.outgoing[0];
    assert_eq!((ended.outgoing.len(), line.number.as_str(), line.cost), (1, E164, 10));
    assert!(called(&provider.calls()).is_empty(), "nothing was dialled by us");

    let (incoming, answered, call) = scene.brought(&mut provider).await;
    assert_eq!(scene.hand_on(call, "02079460958").await, StatusCode::NO_CONTENT);
    provider.comes(|request| request.method.name() == "REFER").await;
    tells(&mut provider, (&incoming, &answered), "603 Decline").await;
    provider.comes(|request| request.method.name() == "INVITE" && request.uri.user() == E164).await;
    let bye = provider.within(&incoming, &answered, false, "BYE", "");
    assert_eq!(provider.ask(&bye).await.status, 200);
    assert_eq!(scene.over(call).await.cause, Some(EndCause::CallerHungUp));
    scene.close().await;
}
