//! Whoever would call at the clinic's expense: a stolen desk phone and a hostile provider against the whole program.
//!
//! Each story ends with the same question: what has left the machine, what did it cost, and who was told.

use crate::outbound::{E164, Scene};
use crate::support::clinic::{Clinic, PATIENCE, config};
use crate::support::peer::{Peer, Says, Stolen, accepted};
use crate::support::person::read;
use auricle_domain::code::{EndCause, TaskKind};
use auricle_domain::event::Event;
use auricle_media::engine::WRONG_MAX;
use auricle_media::sip::digest::{Algorithm, Count, response};
use auricle_media::sip::message::{Request, Response};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::net::SocketAddr;

/// A number that its country declares to cost more.
const PREMIUM: &str = "09098790123";
/// What the clinic's people dial.
const NUMBER: &str = "02079460958";

/// A clinic that trusts no network but its provider's; phones may be at 127.0.0.1 alone.
pub async fn guarded(more: Value) -> Scene {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.sip.allow = Vec::new();
    config.sip.phones = vec!["127.0.0.1/32".parse().unwrap()];
    Scene::of(Clinic::open_as(config).await.in_folder(folder), more).await
}

/// A hostile provider that is up.
pub async fn provider(scene: &Scene, says: Says) -> Peer {
    let provider = Peer::at(scene.provider_at, scene.clinic.app().voice.sip_addr(), says).await;
    scene.becomes(&format!("/api/trunks/{}", scene.trunk["id"].as_str().unwrap()), "up").await;
    provider
}

/// A phone of the clinic in a thief's hands, registered.
pub async fn stolen(scene: &Scene, extension: &str) -> Stolen {
    let added = scene.phone(extension, Value::Null).await;
    let at = SocketAddr::from(([127, 0, 0, 1], 0));
    let peer = Peer::at(at, scene.clinic.app().voice.sip_addr(), Says::Yes).await;
    let user = added["phone"]["user"].as_str().unwrap();
    let mut stolen = Stolen::new(peer, user, added["password"].as_str().unwrap());
    stolen.register().await;
    stolen
}

/// Whom a call that came to a provider is for.
pub fn called(calls: &[Request]) -> Vec<String> {
    calls.iter().map(|call| call.uri.user()).collect()
}

/// The rules that stood against calls, once so many refusals are written down: that is done beside everything else.
async fn rules_written(scene: &Scene, count: usize) -> BTreeMap<&'static str, usize> {
    let mut head = scene.clinic.app().store.watch();
    let mut rules = BTreeMap::new();
    let reached = async {
        while rules.values().sum::<usize>() < count {
            head.mark_unchanged();
            rules.clear();
            for envelope in scene.clinic.feed() {
                if let Event::OutboundRefused { rule, .. } = envelope.event {
                    *rules.entry(rule.as_str()).or_default() += 1;
                }
            }
            if rules.values().sum::<usize>() < count {
                head.changed().await.unwrap();
            }
        }
    };
    let in_time = tokio::time::timeout(PATIENCE, reached).await;
    in_time.unwrap_or_else(|_| panic!("{count} refusals should be written down"));
    rules
}

/// SEC-13, SEC-11: 200 calls of a stolen phone to premium numbers, abroad, to satellites and to a number that is allowed: what leaves
/// the machine is allowed and within the money; each kind of attempt alarms people once, and is written down.
#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_calls_of_a_stolen_phone_stay_within_the_caps() {
    let scene = guarded(json!({ "day_money_max": 35 })).await;
    let provider = provider(&scene, Says::Yes).await;
    let mut thief = stolen(&scene, "201").await;
    let numbers = [PREMIUM, "0037190000123", "+881612345678", "00882990000001", NUMBER];
    let mut statuses = BTreeMap::<u16, usize>::new();
    for attempt in 0..200 {
        let (invite, response) = thief.call(numbers[attempt % numbers.len()], "").await;
        *statuses.entry(response.status).or_default() += 1;
        if response.status == 200 {
            let bye = thief.peer.within(&invite, &response, false, "BYE", "");
            assert_eq!(thief.peer.ask(&bye).await.status, 200);
            let ended = called(&provider.calls()).len();
            scene.ended_calls(ended).await;
        }
    }
    assert_eq!(called(&provider.calls()), [E164; 3], "{statuses:?}");
    assert_eq!((statuses[&200], statuses.values().sum::<usize>()), (3, 200), "{statuses:?}");
    let spent: u64 = scene.calls().iter().flat_map(|call| &call.outgoing).map(|outgoing| outgoing.cost).sum();
    assert_eq!(spent, 30);
    let written = rules_written(&scene, 64).await;
    assert!(["premium", "country", "day_money_max"].iter().all(|rule| written.get(rule) >= Some(&5)), "{written:?}");
    assert_eq!(written.values().sum::<usize>(), 64, "as many as are written down within an hour: {written:?}");
    assert_eq!(scene.tasks(TaskKind::OutboundAlarm), 3, "premium, abroad, money");
    scene.close().await;
}

/// SEC-13: a call is not handed on to where it could not have been placed: by the phone that is in it, by the far end, with the place of
/// somebody else's call, or outside of any call.
#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_leads_nowhere_that_a_call_may_not_go() {
    let scene = guarded(json!({ "calls_max": 4 })).await;
    let mut provider = provider(&scene, Says::Yes).await;
    let (mut thief, mut other) = (stolen(&scene, "201").await, stolen(&scene, "202").await);
    let (theirs, theirs_accepted) = other.call(NUMBER, "").await;
    let (invite, accepted_by_us) = thief.call(NUMBER, "").await;
    assert_eq!((theirs_accepted.status, accepted_by_us.status), (200, 200));

    // The phone itself.
    let refer_to = |target: &str| format!("Refer-To: <sip:{target}@127.0.0.1>\r\n");
    let refer = thief.peer.within(&invite, &accepted_by_us, false, "REFER", &refer_to(PREMIUM));
    assert_eq!(thief.peer.transfer(&refer).await, 403);
    // With the place of a call that is another phone's, by what a thief on the network may have seen of it.
    let tag = |response: &Response, own: bool| {
        let address = if own { &response.head.from } else { &response.head.to };
        address.tag().unwrap().to_owned()
    };
    let (to_tag, from_tag) = (tag(&theirs_accepted, false), tag(&theirs_accepted, true));
    let replaces = format!("{}%3Bto-tag%3D{to_tag}%3Bfrom-tag%3D{from_tag}", theirs.head.call_id);
    let place = format!("Refer-To: <sip:{PREMIUM}@127.0.0.1?Replaces={replaces}>\r\n");
    let refer = thief.peer.within(&invite, &accepted_by_us, false, "REFER", &place);
    assert_eq!(thief.peer.transfer(&refer).await, 403);
    // With the place of a call that nobody here knows.
    let place = format!("Refer-To: <sip:{PREMIUM}@127.0.0.1?Replaces=1%3Bto-tag%3D2%3Bfrom-tag%3D3>\r\n");
    let refer = thief.peer.within(&invite, &accepted_by_us, false, "REFER", &place);
    assert_eq!(thief.peer.transfer(&refer).await, 603);
    // Whoever was called at the provider wants to be handed on: to a premium number, and to one that the clinic may call.
    let gone = provider.calls().remove(1);
    let taken = accepted(&gone, provider.address);
    for target in [PREMIUM, NUMBER] {
        let refer = provider.within(&gone, &taken, true, "REFER", &refer_to(target));
        assert_eq!(provider.transfer(&refer).await, 403, "{target}");
    }
    // Whoever calls the receptionist by the trunk wants the same.
    let incoming = provider.request("INVITE", "+442079460100", "clinic", "");
    let answered = provider.ask(&incoming).await;
    assert_eq!(answered.status, 200);
    for target in [PREMIUM, NUMBER] {
        let refer = provider.within(&incoming, &answered, false, "REFER", &refer_to(target));
        assert_eq!(provider.transfer(&refer).await, 403, "{target}");
    }
    // Outside of any call nobody is called for anybody.
    let (user, to) = (thief.user.clone(), refer_to(NUMBER));
    let refer = thief.peer.request("REFER", &user, "clinic", &to);
    assert_eq!(thief.ask(refer).await.1.status, 403);
    let refer = provider.request("REFER", "+442079460100", "clinic", &to);
    assert_eq!(provider.ask(&refer).await.status, 403);

    assert_eq!(called(&provider.calls()), [E164; 2], "the two that were allowed");
    assert_eq!(rules_written(&scene, 1).await, BTreeMap::from([("premium", 1)]));
    scene.clinic.happened(|event| matches!(event, Event::CallArrived { .. })).await;
    assert_eq!(scene.calls().len(), 3);
    scene.close().await;
}

/// SEC-13: a provider's answer that sends the call elsewhere is not followed, whatever it names; the call ends, nothing is paid,
/// and nothing has gone to where it pointed.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_not_sent_elsewhere_by_who_was_called() {
    for status in [300, 302, 305] {
        let scene = guarded(json!({})).await;
        let at = SocketAddr::from(([127, 0, 0, 3], 0));
        let mut elsewhere = Peer::at(at, scene.clinic.app().voice.sip_addr(), Says::Yes).await;
        let contact = format!("<sip:{PREMIUM}@{0}>, <sip:{PREMIUM}@{1}>", elsewhere.address, scene.provider_at);
        let provider = provider(&scene, Says::Elsewhere(status, contact)).await;
        let mut phone = stolen(&scene, "201").await;
        assert_eq!(phone.call(NUMBER, "").await.1.status, 503, "{status}");
        assert_eq!(scene.ended().await, EndCause::Failed, "{status}");
        assert_eq!(called(&provider.calls()), [E164], "{status}");
        assert!(elsewhere.is_silent().await, "{status}");
        assert_eq!(scene.calls()[0].outgoing[0].cost, 0);
        scene.close().await;
    }
}

/// SEC-13: what a phone claims about who calls is not believed: neither the record nor the called party sees it, and a phone calls in no
/// other's name.
#[tokio::test(flavor = "multi_thread")]
async fn a_phone_cannot_pass_itself_off_as_somebody_else() {
    let scene = guarded(json!({})).await;
    let provider = provider(&scene, Says::Yes).await;
    let (mut thief, victim) = (stolen(&scene, "201").await, stolen(&scene, "202").await);
    let forged = "Diversion: <sip:+442079460177@example.net>;reason=no-answer\r\n\
                  P-Asserted-Identity: <sip:+442079460199;verstat=TN-Validation-Passed-A@example.net;user=phone>\r\n\
                  Remote-Party-ID: <sip:+442079460199@example.net>\r\n";
    let (invite, accepted) = thief.call(NUMBER, forged).await;
    assert_eq!(accepted.status, 200);
    let sent = provider.calls().remove(0);
    let text = String::from_utf8(sent.encode()).unwrap();
    assert!(!text.contains("460199") && !text.contains("460177"), "{text}");
    assert_eq!(sent.head.from.uri.user(), "+442079460000");
    let bye = thief.peer.within(&invite, &accepted, false, "BYE", "");
    thief.peer.ask(&bye).await;
    scene.ended_calls(1).await;

    // The receptionist is told the extension, and nothing that is vouched for.
    let (invite, accepted) = thief.call("receptionist", forged).await;
    assert_eq!(accepted.status, 200);
    let arrived = scene.clinic.happened(|event| matches!(event, Event::CallArrived { .. })).await;
    let Event::CallArrived { call, from_number, .. } = arrived.event else { unreachable!("it was looked for") };
    let nothing = json!({ "check": null, "diverted_from": null, "level": null });
    let shown = read(scene.admin.get(&format!("/api/calls/{call}")).await, StatusCode::OK).await;
    assert_eq!((from_number.as_str(), &shown["identity"]), ("201", &nothing), "{shown}");
    let bye = thief.peer.within(&invite, &accepted, false, "BYE", "");
    thief.peer.ask(&bye).await;

    // In the name of another phone, or of a number.
    for name in [victim.user.as_str(), "+442079460199"] {
        let invite = thief.peer.request("INVITE", name, NUMBER, "");
        assert_eq!(thief.ask(invite).await.1.status, 403, "{name}");
    }
    assert_eq!(called(&provider.calls()), [E164]);
    // Nor may the API show a number that is not the clinic's.
    let body = json!({ "phone_number": NUMBER, "caller_id": "+442079460199" });
    let refused = scene.admin.send(Method::POST, "/api/calls", body).await;
    assert!(refused.status().is_client_error());
    assert_eq!(called(&provider.calls()), [E164]);
    scene.close().await;
}

/// What a challenge is answered with, by a thief who counts as they like.
fn answered(mut request: Request, challenge: &str, user: &str, password: &str, nc: &str) -> Request {
    let between = |name: &str| challenge.split(&format!("{name}=\"")).nth(1).unwrap().split('"').next().unwrap();
    let (realm, nonce, uri) = (between("realm"), between("nonce"), request.uri.to_string());
    let secret = Algorithm::Md5.secret(user, realm, password);
    let count = Some(Count { nc, cnonce: "thief" });
    let right = response(Algorithm::Md5, &secret, nonce, count, request.method.name(), &uri);
    request.head.push(
        "Authorization",
        format!(
            "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", response=\"{right}\", \
             algorithm=MD5, qop=auth, nc={nc}, cnonce=\"thief\""
        ),
    );
    request
}

/// An answer without what differs from one to the next: which line says what, and the length of it.
fn shape(response: &Response) -> Vec<(String, usize)> {
    let fields = response.head.fields.iter().map(|field| (field.name.clone(), field.value.len()));
    fields.chain([(response.reason.clone(), usize::from(response.status))]).collect()
}

/// SEC-11: an answer to a challenge is good once; one with a wrong count, to another request or of another source is none; a phone that there
/// is and one that there is not are answered alike; who guesses is not heard any more, and nobody outside is heard at all.
#[tokio::test(flavor = "multi_thread")]
async fn passwords_are_neither_guessed_nor_replayed() {
    let scene = guarded(json!({})).await;
    let mut provider = provider(&scene, Says::Yes).await;
    let added = scene.phone("201", Value::Null).await;
    let (user, password) = (added["phone"]["user"].as_str().unwrap(), added["password"].as_str().unwrap());
    let server = scene.clinic.app().voice.sip_addr();
    let mut thief = Peer::at(SocketAddr::from(([127, 0, 0, 1], 0)), server, Says::Yes).await;

    // Before anything else: who there is cannot be told from what is answered.
    let mut shapes = Vec::new();
    for name in [user, "nobody-is-called-so"] {
        for method in ["REGISTER", "INVITE"] {
            let request = thief.request(method, name, if method == "REGISTER" { name } else { NUMBER }, "");
            let challenged = thief.ask(&request).await;
            let challenge = challenged.head.get("WWW-Authenticate").unwrap().to_owned();
            let again = thief.request(method, name, if method == "REGISTER" { name } else { NUMBER }, "");
            let wrong = thief.ask(&answered(again, &challenge, name, "guessed", "00000001")).await;
            shapes.push((method, challenged.status, shape(&challenged), wrong.status, shape(&wrong)));
        }
    }
    assert_eq!(shapes[0], shapes[2]);
    assert_eq!(shapes[1], shapes[3]);
    assert_eq!((shapes[0].1, shapes[0].3), (401, 401));

    // An answer is good once, and for its request alone.
    let first = thief.request("INVITE", user, NUMBER, "");
    let challenge = thief.ask(&first).await.head.get("WWW-Authenticate").unwrap().to_owned();
    let good = |request: Request, nc: &str| answered(request, &challenge, user, password, nc);
    let request = thief.request("INVITE", user, PREMIUM, "");
    let seen = good(request, "00000002");
    assert_eq!(thief.ask(&seen).await.status, 403, "the rules stand against it, not the password");
    let mut replayed = thief.request("INVITE", user, PREMIUM, "");
    replayed.head.fields.extend(seen.head.fields.iter().filter(|field| field.name == "Authorization").cloned());
    assert_eq!(thief.ask(&replayed).await.status, 401, "the same count again");
    let mut another = thief.request("INVITE", user, NUMBER, "");
    another.head.fields.extend(seen.head.fields.iter().filter(|field| field.name == "Authorization").cloned());
    assert_eq!(thief.ask(&another).await.status, 401, "another number than was answered for");
    for nc in ["00000000", "2", "xxxxxxxx", "-0000001"] {
        let request = thief.request("INVITE", user, NUMBER, "");
        assert_eq!(thief.ask(&good(request, nc)).await.status, 401, "{nc}");
    }

    // Who is in none of the networks is not answered, whatever it has seen: what was asked after it is answered first.
    let mut stranger = Peer::at(SocketAddr::from(([127, 0, 0, 9], 0)), server, Says::Yes).await;
    for method in ["REGISTER", "INVITE", "OPTIONS", "REFER"] {
        let request = stranger.request(method, user, NUMBER, "");
        stranger.send(&good(request, "00000003")).await;
    }
    let request = thief.request("REGISTER", user, user, "");
    assert_eq!(thief.ask(&request).await.status, 401);
    assert!(stranger.is_silent().await);

    // Who guesses is not heard any more, not even with the right password; the provider is.
    for _ in 0..WRONG_MAX {
        let request = thief.request("REGISTER", user, user, "");
        thief.send(&answered(request, &challenge, user, "guessed", "00000009")).await;
    }
    while !thief.is_silent().await {}
    let request = thief.request("REGISTER", user, user, "");
    thief.send(&good(request, "00000009")).await;
    let request = provider.request("OPTIONS", "provider", "clinic", "");
    assert_eq!(provider.ask(&request).await.status, 200);
    assert!(thief.is_silent().await);
    assert_eq!(called(&provider.calls()), [""; 0], "nothing has left the machine");
    assert!(scene.calls().is_empty());
    scene.close().await;
}
