//! Who did or read what, as an administrator finds it.

use crate::support::clinic::Clinic;
use crate::support::person::read;
use auricle_domain::code::Role;
use reqwest::{Method, StatusCode};
use serde_json::json;

/// SEC-20, B-17: every write and every reading of a record about a person is in the chain, with who, what, when and why.
#[tokio::test]
async fn a_reading_is_found_with_its_reader_and_its_reason() {
    let clinic = Clinic::quiet().await;
    let admin = clinic.admin().await;
    let agent = clinic.person("agent@clinic.example", Role::Agent).await;
    let contact = admin.made("/api/contacts", json!({ "name": "Ann", "numbers": ["+420 777 123 456"] })).await;
    let path = format!("/api/contacts/{}", contact["id"].as_str().unwrap());
    let why = "she asked for her number";
    read(agent.request(Method::GET, &path).header("access-reason", why).send().await.unwrap(), StatusCode::OK).await;
    let page = read(admin.get("/api/audit?limit=10").await, StatusCode::OK).await;
    let entries = page["items"].as_array().unwrap();
    let reading = &entries[0];
    assert_eq!((&reading["action"], &reading["object"]), (&json!("audit.read"), &json!("contact")));
    assert_eq!((&reading["id"], &reading["reason"]), (&contact["id"], &json!(why)));
    assert_eq!((&reading["actor"]["kind"], &reading["actor"]["role"]), (&json!("account"), &json!("AGENT")));
    let made = entries.iter().find(|entry| entry["action"] == "contact.changed").unwrap();
    assert_eq!((&made["id"], &made["actor"]["role"]), (&contact["id"], &json!("ADMIN")));
    // The list is read page by page, down to the first entry.
    let mut seen = Vec::new();
    let mut after = String::new();
    loop {
        let page = read(admin.get(&format!("/api/audit?limit=3{after}")).await, StatusCode::OK).await;
        seen.extend(page["items"].as_array().unwrap().iter().map(|entry| entry["seq"].as_u64().unwrap()));
        let Some(next) = page["next"].as_str() else { break };
        after = format!("&after={next}");
    }
    assert!(seen.is_sorted_by(|newer, older| *newer == older + 1) && seen.last() == Some(&1), "{seen:?}");
    let too_long = agent.request(Method::GET, &path).header("access-reason", "x".repeat(301)).send().await.unwrap();
    read(too_long, StatusCode::BAD_REQUEST).await;
    read(agent.get("/api/audit").await, StatusCode::FORBIDDEN).await;
}

/// B-17: the chain is checked against heads that were kept elsewhere.
#[tokio::test]
async fn a_head_that_was_kept_is_compared() {
    let clinic = Clinic::quiet().await;
    let admin = clinic.admin().await;
    let head = read(admin.get("/api/audit/head").await, StatusCode::OK).await;
    admin.made("/api/contacts", json!({ "name": "Ann" })).await;
    let verify = |heads| admin.send(Method::POST, "/api/audit/verify", json!({ "heads": heads }));
    let checked = read(verify(json!([head])).await, StatusCode::OK).await;
    assert_eq!(checked["broken"], json!(null), "{checked}");
    assert!(checked["entries"].as_u64() > head["seq"].as_u64());
    let of_another_chain = json!({ "seq": head["seq"], "link": "ab".repeat(32) });
    let checked = read(verify(json!([of_another_chain])).await, StatusCode::OK).await;
    assert!(checked["broken"].as_str().unwrap().contains("written anew"), "{checked}");
    let later = json!({ "seq": 1_000_000, "link": "ab".repeat(32) });
    let checked = read(verify(json!([later])).await, StatusCode::OK).await;
    assert!(checked["broken"].as_str().unwrap().contains("cut off"), "{checked}");
}
