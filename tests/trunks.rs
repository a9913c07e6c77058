//! Trunks, with a real registrar and proxy as the provider: Kamailio.

use crate::attack::{guarded, provider, stolen};
use crate::support::clinic::{Clinic, Hum, PATIENCE, config};
use crate::support::kamailio::{Kamailio, PASSWORD, USER};
use crate::support::peer::Says;
use crate::support::person::{Person, read};
use crate::support::softphone::Softphone;
use auricle::app::{Options, Running, Speech};
use auricle::clock;
use auricle::config::SttKind;
use auricle_domain::code::{EndCause, TrunkState};
use auricle_domain::event::Event;
use auricle_media::io::Codec;
use auricle_media::sip::message::Request;
use auricle_storage::{Backend, Hooks};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

/// A clinic in `folder` that believes the provider's certificate.
async fn clinic(folder: &Path, provider: &Kamailio) -> Clinic {
    let mut config = config(folder);
    config.speech.stt = SttKind::None;
    config.sip.tls_roots = Some(provider.certificate());
    let speech = Some(Speech { stt: None, tts: Arc::new(Hum), llm: None });
    let options = Options { backend: Backend::Memory, speech, clock: clock::system, hooks: Hooks::default() };
    Clinic::of(Running::start(config, options).await.unwrap())
}

fn trunk(provider: &Kamailio, transport: &str) -> Value {
    let address = if transport == "tls" { provider.tls_address } else { provider.address };
    json!({
        "name": "Main number", "server": address.to_string(), "transport": transport, "user": USER,
        "password": PASSWORD, "registers": true, "expires_s": 60,
    })
}

/// Waits until the trunk stands like this, and answers with what the API shows of it.
async fn stands(clinic: &Clinic, admin: &Person, id: &Value, state: TrunkState) -> Value {
    let mut head = clinic.app().store.watch();
    let mut last = Value::Null;
    let reached = async {
        loop {
            head.mark_unchanged();
            let shown = read(admin.get(&format!("/api/trunks/{}", id.as_str().unwrap())).await, StatusCode::OK).await;
            if shown["status"]["state"] == state.as_str() {
                return shown;
            }
            last = shown;
            head.changed().await.unwrap();
        }
    };
    match tokio::time::timeout(PATIENCE, reached).await {
        Ok(shown) => shown,
        Err(_) => panic!("the trunk should be {state}: {last}"),
    }
}

/// VOICE-09: over UDP and over TCP a trunk registers with a password, a call by way of the provider reaches the receptionist, and
/// ends when the caller hangs up.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_comes_in_by_a_trunk_that_has_registered() {
    for (transport, algorithm) in [("udp", "SHA-256"), ("tcp", "MD5")] {
        let provider = Kamailio::start(algorithm);
        let folder = tempfile::tempdir().unwrap();
        let clinic = clinic(folder.path(), &provider).await;
        let admin = clinic.admin().await;
        let made = admin.made("/api/trunks", trunk(&provider, transport)).await;
        assert_eq!(made["has_password"], true);
        assert!(!made.to_string().contains(PASSWORD), "{made}");
        let up = stands(&clinic, &admin, &made["id"], TrunkState::Up).await;
        assert_eq!(up["status"]["fault"], Value::Null, "{transport}");

        let phone = Softphone::call(&format!("sip:{USER}@{}", provider.address), 6, Codec::Pcma, &[], "");
        let arrived = clinic.happened(|event| matches!(event, Event::CallArrived { .. })).await;
        let Event::CallArrived { from_number, to_number, .. } = arrived.event else {
            unreachable!("it was looked for")
        };
        assert_eq!((from_number.as_str(), to_number.as_str()), ("+442079460199", USER), "{transport}");
        clinic.happened(|event| matches!(event, Event::TurnCommitted { .. })).await;
        phone.ended().await;
        let call = clinic.settled().await;
        assert_eq!(call.cause, Some(EndCause::CallerHungUp), "{transport}");
        assert!(call.quality.packets_received > 100, "{transport}: {:?}", call.quality);

        let removed = admin.change(Method::DELETE, &path(&made), &up["version"], json!(null)).await;
        assert_eq!(removed.status(), StatusCode::NO_CONTENT);
        clinic.running.stop(std::time::Duration::ZERO).await;
    }
}

/// A trunk that reaches the clinic at an address of its own is told that one, in signalling and for audio; nobody else is.
#[tokio::test(flavor = "multi_thread")]
async fn a_trunk_is_told_the_address_that_is_meant_for_it() {
    let scene = guarded(json!({})).await;
    let mut provider = provider(&scene, Says::Yes).await;
    let mut phone = stolen(&scene, "201").await;
    let own = scene.clinic.app().voice.sip_addr().ip().to_string();
    let mut trunk =
        json!({ "name": "Provider", "server": scene.provider_at.to_string(), "transport": "udp", "registers": false });
    for (wrong, version) in [("clinic.example", 1), ("0.0.0.0", 1)] {
        trunk["advertise"] = json!(wrong);
        let refused = scene.admin.change(Method::PUT, &path(&scene.trunk), &json!(version), trunk.clone()).await;
        assert_eq!(read(refused, StatusCode::BAD_REQUEST).await["errors"][0]["field"], "advertise", "{wrong}");
    }
    for (advertise, version) in [("127.0.0.9", 1), ("", 2)] {
        trunk["advertise"] = json!(advertise);
        let changed = scene.admin.change(Method::PUT, &path(&scene.trunk), &json!(version), trunk.clone()).await;
        assert_eq!(read(changed, StatusCode::OK).await["advertise"], advertise);
        let told = if advertise.is_empty() { own.clone() } else { advertise.to_owned() };
        // The engine has heard of it once its probes say so.
        let is_probe = |request: &Request| request.method.name() == "OPTIONS" && request.head.top_via().host == told;
        provider.comes(is_probe).await;
        // It is up again once its answer has come round.
        let connected = async {
            loop {
                let (invite, response) = phone.call("02079460958", "").await;
                if response.status == 200 {
                    return (invite, response);
                }
            }
        };
        let (invite, accepted) = tokio::time::timeout(PATIENCE, connected).await.expect("the trunk should be up again");
        let sent = provider.calls().pop().unwrap();
        let (via, body) = (sent.head.top_via().host.clone(), String::from_utf8(sent.body.clone()).unwrap());
        assert_eq!(via, told);
        assert!(sent.head.get("Contact").unwrap().contains(&format!("{told}:")), "{:?}", sent.head.get("Contact"));
        assert!(body.contains(&format!("c=IN IP4 {told}\r\n")), "{body}");
        let description = String::from_utf8(accepted.body.clone()).unwrap();
        assert!(description.contains(&format!("c=IN IP4 {own}\r\n")), "{description}");
        let bye = phone.peer.within(&invite, &accepted, false, "BYE", "");
        phone.peer.ask(&bye).await;
        scene.ended_calls(usize::try_from(version).unwrap()).await;
    }
    scene.close().await;
}

fn path(trunk: &Value) -> String {
    format!("/api/trunks/{}", trunk["id"].as_str().unwrap())
}

/// VOICE-10: what keeps a trunk from working is told by its code, is written down, and goes away when it is put right: a wrong
/// password, a user nobody knows, a provider that is gone and comes back. Over TLS a trunk registers where its certificate is believed.
#[tokio::test(flavor = "multi_thread")]
async fn a_trunk_says_what_is_wrong_and_comes_back_by_itself() {
    let mut provider = Kamailio::start("MD5");
    let folder = tempfile::tempdir().unwrap();
    let clinic = clinic(folder.path(), &provider).await;
    let admin = clinic.admin().await;

    let wrong = |more: Value| {
        let mut trunk = trunk(&provider, "tcp");
        trunk.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        trunk
    };
    for (more, fault) in
        [(json!({ "password": "red heron 42" }), "wrong_password"), (json!({ "user": "101" }), "unknown_user")]
    {
        let made = admin.made("/api/trunks", wrong(more)).await;
        let down = stands(&clinic, &admin, &made["id"], TrunkState::Down).await;
        assert_eq!(down["status"]["fault"], fault, "{down}");
        let removed = admin.change(Method::DELETE, &path(&made), &down["version"], json!(null)).await;
        assert_eq!(removed.status(), StatusCode::NO_CONTENT);
    }

    let sealed = admin.made("/api/trunks", trunk(&provider, "tls")).await;
    stands(&clinic, &admin, &sealed["id"], TrunkState::Up).await;
    let made = admin.made("/api/trunks", trunk(&provider, "tcp")).await;
    stands(&clinic, &admin, &made["id"], TrunkState::Up).await;
    provider.pause();
    let down = stands(&clinic, &admin, &made["id"], TrunkState::Down).await;
    assert_eq!(down["status"]["fault"], "unreachable", "{down}");
    // Callers are helped all the same: the service is degraded, no more. The trunk is named by its id.
    let ready = read(clinic.anybody().get("/health/ready").await, StatusCode::OK).await;
    assert_eq!(ready["status"], "degraded");
    let of =
        |name: &str| ready["checks"].as_array().unwrap().iter().find(|check| check["name"] == name).unwrap().clone();
    let (trunks, id) = (of("trunks"), made["id"].as_str().unwrap());
    assert_eq!((&trunks["ok"], &of("phones")["ok"]), (&json!(false), &json!(true)), "{ready}");
    let detail = trunks["detail"].as_str().unwrap();
    assert!(detail.contains(&format!("{id} is down (unreachable)")) && !detail.contains("Main number"), "{detail}");
    let metrics = read(admin.get("/metrics?format=json").await, StatusCode::OK).await;
    let is_in = |state: &str| {
        metrics["auricle_trunk_state"]
            .as_array()
            .unwrap()
            .iter()
            .any(|it| it["labels"]["trunk"] == id && it["labels"]["state"] == state && it["value"] == 1.0)
    };
    assert!(is_in("down") && !is_in("up"), "{metrics}");
    provider.resume();
    let up = stands(&clinic, &admin, &made["id"], TrunkState::Up).await;
    assert_eq!(up["status"]["fault"], Value::Null);

    let off = json!({ "name": "Main", "server": up["server"], "transport": "tcp", "user": USER, "registers": true, "identity": "pai", "is_on": false });
    let off = read(admin.change(Method::PUT, &path(&made), &up["version"], off).await, StatusCode::OK).await;
    assert_eq!((&off["status"]["state"], &off["has_password"]), (&json!("off"), &json!(true)));
    assert_eq!((&up["identity"], &off["identity"]), (&json!("none"), &json!("pai")));
    clinic.running.stop(std::time::Duration::ZERO).await;
}

/// SEC-20: a password is not sent to a server that the administrator has not typed it for; people without the right see nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_does_not_follow_a_trunk_to_another_server() {
    let clinic = Clinic::quiet().await;
    let admin = clinic.admin().await;
    let trunk = json!({
        "name": "Main", "server": "127.0.0.1:9", "transport": "tcp", "user": USER, "password": PASSWORD, "registers": true,
    });
    let made = admin.made("/api/trunks", trunk).await;
    let moved = json!({ "name": "Main", "server": "127.0.0.2:9", "transport": "tcp", "user": USER, "registers": true });
    let refused = admin.change(Method::PUT, &path(&made), &made["version"], moved).await;
    let refused = read(refused, StatusCode::BAD_REQUEST).await;
    assert_eq!(
        (&refused["errors"][0]["field"], &refused["errors"][0]["code"]),
        (&json!("password"), &json!("required"))
    );

    let wide = json!({
        "name": "", "server": "no server", "transport": "udp", "registers": true, "expires_s": 5, "sources": ["0.0.0.0/0", "x"],
    });
    let wrong = read(admin.send(Method::POST, "/api/trunks", wide).await, StatusCode::BAD_REQUEST).await;
    let fields: Vec<_> = wrong["errors"].as_array().unwrap().iter().map(|error| error["field"].clone()).collect();
    assert_eq!(json!(fields), json!(["name", "server", "user", "expires_s", "sources[0]", "sources[1]"]));

    let agent = clinic.person("agent@clinic.example", auricle_domain::code::Role::Agent).await;
    assert_eq!(agent.get("/api/trunks").await.status(), StatusCode::FORBIDDEN);
    assert_eq!(agent.get(&path(&made)).await.status(), StatusCode::FORBIDDEN);
    let logged = format!("{:?}", clinic.feed());
    assert!(!logged.contains(PASSWORD), "the log has the password");
    clinic.running.stop(std::time::Duration::ZERO).await;
}

/// What a provider vouches for is in the call's record: the number, where the call was diverted, what came of checking it.
#[tokio::test(flavor = "multi_thread")]
async fn a_call_by_a_trunk_keeps_what_the_carrier_says() {
    let clinic = Clinic::quiet().await;
    let admin = clinic.admin().await;
    let provider = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = provider.local_addr().unwrap();
    let trunk = json!({ "name": "Main", "server": address.to_string(), "transport": "udp", "registers": false });
    let made = admin.made("/api/trunks", trunk).await;
    // The engine asks whether the provider is there: it knows the trunk by then.
    let mut asked = [0; 2_000];
    let length = tokio::time::timeout(PATIENCE, provider.recv(&mut asked)).await.unwrap().unwrap();
    assert!(asked[..length].starts_with(b"OPTIONS "));
    let body = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 8\r\n";
    let invite = format!(
        "INVITE sip:clinic@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP {address};branch=z9hG4bK1\r\n\
         From: <sip:+442079460100@example.net>;tag=1\r\nTo: <sip:clinic@127.0.0.1>\r\nCall-ID: 1\r\nCSeq: 1 INVITE\r\n\
         Contact: <sip:gate@{address}>\r\nMax-Forwards: 70\r\nDiversion: <sip:+442079460177@example.net>;reason=no-answer\r\n\
         P-Asserted-Identity: <sip:+442079460199;verstat=TN-Validation-Passed-A@example.net;user=phone>\r\n\
         Content-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    provider.send_to(invite.as_bytes(), clinic.app().voice.sip_addr()).await.unwrap();
    let arrived = clinic.happened(|event| matches!(event, Event::CallArrived { .. })).await;
    let Event::CallArrived { call, from_number, .. } = arrived.event else { unreachable!("it was looked for") };
    assert_eq!(from_number, "+442079460199", "the number that is vouched for");
    let shown = read(admin.get(&format!("/api/calls/{call}")).await, StatusCode::OK).await;
    let expected = json!({ "diverted_from": "+442079460177", "check": "passed", "level": "A" });
    assert_eq!(shown["identity"], expected, "{shown}");

    // So is the trunk that it came by, under its present name; calls are found by it, also when it is gone.
    let trunk = made["id"].as_str().unwrap().to_owned();
    assert_eq!(shown["entrance"], json!({ "kind": "trunk", "trunk": trunk, "carrier": null, "phone": null }));
    assert_eq!((&shown["entrance_name"], &shown["to_number"]), (&json!("Main"), &json!("clinic")));
    let renamed =
        json!({ "name": "Second line", "server": address.to_string(), "transport": "udp", "registers": false });
    let made = read(admin.change(Method::PUT, &path(&made), &made["version"], renamed).await, StatusCode::OK).await;
    let found = async |query: &str| {
        let list = read(admin.get(&format!("/api/calls?{query}")).await, StatusCode::OK).await;
        list["items"].as_array().unwrap().iter().map(|call| call["entrance_name"].clone()).collect::<Vec<_>>()
    };
    assert_eq!(found(&format!("trunk={trunk}")).await, [json!("Second line")]);
    assert_eq!(found("entrance=trunk").await, [json!("Second line")]);
    assert_eq!(found("entrance=phone").await, [json!(null); 0]);
    assert_eq!(found("trunk=0193e6c0-0000-7000-8000-000000000001").await, [json!(null); 0]);
    let removed = admin.change(Method::DELETE, &path(&made), &made["version"], json!(null)).await;
    assert_eq!(removed.status(), StatusCode::NO_CONTENT);
    assert_eq!(found(&format!("trunk={trunk}")).await, [json!(null)]);
    clinic.running.stop(std::time::Duration::ZERO).await;
}
