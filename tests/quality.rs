//! How calls sound: who is not heard is told of (B-22).

use crate::attack::{guarded, provider};
use crate::support::peer::Says;
use crate::support::person::read;
use auricle_domain::call::Call;
use auricle_domain::code::{TaskKind, Unheard};
use auricle_domain::event::Event;
use auricle_domain::id::CallId;
use reqwest::StatusCode;
use serde_json::json;

/// B-22: of two callers whose provider sends nothing both are shown and written down, and people are asked once to look at the trunk.
#[tokio::test(flavor = "multi_thread")]
async fn callers_who_are_not_heard_are_told_of() {
    let scene = guarded(json!({})).await;
    let mut provider = provider(&scene, Says::Yes).await;
    for caller in ["+442079460100", "+442079460101"] {
        let incoming = provider.request("INVITE", caller, "clinic", "");
        assert_eq!(provider.ask(&incoming).await.status, 200);
    }
    let mut unheard: Vec<(CallId, bool)> = Vec::new();
    while unheard.len() < 2 {
        let is_new = |event: &Event| matches!(event, Event::CallUnheard { call, .. } if unheard.iter().all(|(known, _)| known != call));
        let told = scene.clinic.happened(is_new).await;
        let Event::CallUnheard { call, who, task } = told.event else { unreachable!("it was looked for") };
        assert_eq!(who, Unheard::Other);
        unheard.push((call, task.is_some()));
    }
    let live = read(scene.admin.get("/api/calls/live").await, StatusCode::OK).await;
    let shown: Vec<_> = live["items"].as_array().unwrap().iter().map(|call| call["unheard"].clone()).collect();
    assert_eq!(shown, ["other", "other"]);
    let asked = unheard.iter().find(|(_, is_asked)| *is_asked).unwrap().0;
    assert_eq!((scene.tasks(TaskKind::OneWay), unheard.iter().filter(|(_, is_asked)| *is_asked).count()), (1, 1));
    let tasks = read(scene.admin.get(&format!("/api/calls/{asked}/tasks")).await, StatusCode::OK).await;
    assert_eq!((&tasks["items"][0]["kind"], &tasks["items"][0]["text"]), (&json!("one_way"), &json!("other")));
    let call = scene.clinic.app().store.read(|tx| tx.get::<Call>(&asked)).unwrap().unwrap();
    assert!(call.quality.one_way);
    let metrics = scene.admin.get("/metrics").await.text().await.unwrap();
    assert!(metrics.contains(r#"auricle_calls_unheard_total{who="other",way="trunk"}"#), "{metrics}");
    scene.close().await;
}
