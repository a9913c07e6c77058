//! Passwords that are asked for in another realm than the trunk's.

use crate::attack;
use crate::support::clinic::PATIENCE;
use crate::support::peer::Says;
use crate::support::person::read;
use auricle_domain::code::EndCause;
use auricle_domain::event::Event;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;

/// What the clinic's people dial.
const NUMBER: &str = "02079460958";
const REALM: &str = "calls.provider.example";
/// How often somebody looks who cannot be told.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// SEC-11: a call that is asked for a password in a realm of somebody's own gets none; the call says so, and the trunk says which realm,
/// until it is entered. Then it is answered.
#[tokio::test(flavor = "multi_thread")]
async fn a_realm_that_is_not_the_trunks_is_told() {
    let scene = attack::guarded(json!({})).await;
    let _provider = attack::provider(&scene, Says::Asks(REALM)).await;
    let mut phone = attack::stolen(&scene, "201").await;
    let path = format!("/api/trunks/{}", scene.trunk["id"].as_str().unwrap());
    let shown = async || read(scene.admin.get(&path).await, StatusCode::OK).await;
    let asked = async |realm: Value| {
        let told = async {
            let mut look = tokio::time::interval(LOOK_EVERY);
            while shown().await["status"]["asked_realm"] != realm {
                look.tick().await;
            }
        };
        tokio::time::timeout(PATIENCE, told).await.unwrap_or_else(|_| panic!("{realm} is not told"));
    };
    asked(Value::Null).await;
    assert_eq!(phone.call(NUMBER, "").await.1.status, 503);
    assert_eq!(scene.ended().await, EndCause::SignIn);
    asked(json!(REALM)).await;

    let set = async |realms: Value| {
        let before = shown().await;
        let input = json!({
            "name": before["name"], "server": before["server"], "transport": "udp", "registers": false, "user": "clinic",
            "password": "secret", "realms": realms,
        });
        read(scene.admin.change(Method::PUT, &path, &before["version"], input).await, StatusCode::OK).await;
        asked(Value::Null).await;
        scene.becomes(&path, "up").await;
    };
    set(json!(["provider.example"])).await;
    assert_eq!(phone.call(NUMBER, "").await.1.status, 503, "the password is not for everybody");
    asked(json!(REALM)).await;
    scene.ended_calls(2).await;
    set(json!(["provider.example", REALM])).await;
    assert_eq!(phone.call(NUMBER, "").await.1.status, 200);
    let is_sign_in = |event: &Event| matches!(event, Event::CallEnded { end: EndCause::SignIn, .. });
    assert_eq!(scene.clinic.feed().iter().filter(|it| is_sign_in(&it.event)).count(), 2);
    scene.close().await;
}
