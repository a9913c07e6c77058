//! What the receptionist may say.

use crate::support::clinic::Clinic;
use crate::support::person::read;
use auricle_domain::code::{Lang, Role};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

const CLINIC: &str = "# Opening hours\nWe are open Monday to Friday from eight in the morning until six in the evening. On Saturday we are \
    open from nine until noon.\n\n# Parking\nThere is free parking behind the building for patients. The entrance is on Mill Lane.\n\n\
    # Vaccination\nFlu vaccination is free for patients over sixty five. You do not need an appointment for it.\n\n\
    # Prescriptions\nRepeat prescriptions are ready within two working days. Order them by telephone before noon.\n\n\
    # Payment\nWe accept cash and all common cards. A consultation costs forty euros without insurance.";

/// KB-01 to KB-03, KB-05: a document is found as soon as it has been added, and not any more once it is changed or gone.
#[tokio::test]
async fn a_document_answers_from_the_moment_it_is_added() {
    let clinic = Clinic::quiet().await;
    let admin = clinic.admin().await;
    let added = admin.made("/api/knowledge-base", json!({ "name": " About us ", "content": CLINIC })).await;
    assert_eq!((&added["name"], &added["passages"], &added["state"]), (&json!("About us"), &json!(5), &json!("live")));
    let path = format!("/api/knowledge-base/{}", added["id"].as_str().unwrap());
    let best = |q: &'static str| {
        let admin = &admin;
        async move {
            let found = read(admin.get(&format!("/api/knowledge-base/search?q={q}")).await, StatusCode::OK).await;
            found["items"][0].clone()
        }
    };
    assert_eq!(best("where can I park").await["heading"], "Parking");
    assert_eq!(best("how much is a consultation").await["heading"], "Payment");
    let whole = read(admin.get(&path).await, StatusCode::OK).await;
    assert_eq!(whole["content"], CLINIC);
    let changed = json!({ "name": "About us", "content": "# Parking\nThe garage in Brewery Street is ours." });
    let changed = read(admin.change(Method::PUT, &path, &added["version"], changed).await, StatusCode::OK).await;
    assert_eq!(best("where can I park").await["text"], "The garage in Brewery Street is ours.");
    let gone = admin.change(Method::DELETE, &path, &changed["version"], Value::Null).await;
    assert_eq!(gone.status(), StatusCode::NO_CONTENT);
    assert_eq!(best("where can I park").await, Value::Null);
    read(admin.get(&path).await, StatusCode::NOT_FOUND).await;
}

/// KB-02: names of 1 to 255 characters and contents of 1 to 1,000,000, trimmed; everything at fault is named.
#[tokio::test]
async fn names_and_contents_have_limits() {
    let clinic = Clinic::quiet().await;
    let admin = clinic.admin().await;
    let post = |name: &str, content: String| {
        admin.send(Method::POST, "/api/knowledge-base", json!({ "name": name, "content": content }))
    };
    let both = read(post(&"n".repeat(256), "   ".to_owned()).await, StatusCode::BAD_REQUEST).await;
    assert_eq!((&both["errors"][0]["field"], &both["errors"][0]["code"]), (&json!("name"), &json!("too_long")));
    assert_eq!((&both["errors"][1]["field"], &both["errors"][1]["code"]), (&json!("content"), &json!("required")));
    let long = read(post("Long", "word ".repeat(200_000) + "x").await, StatusCode::BAD_REQUEST).await;
    assert!(long["errors"][0]["detail"].as_str().unwrap().contains("1000001"), "{long}");
    read(post("Longest", "a word.\n".repeat(125_000)).await, StatusCode::CREATED).await;
    read(post("Huge", "x".repeat(2_200_000)).await, StatusCode::PAYLOAD_TOO_LARGE).await;
}

/// KB-09, SEC-16: text is text, whatever it looks like.
#[tokio::test]
async fn imported_text_that_looks_like_an_attack_is_just_text() {
    let clinic = Clinic::quiet().await;
    let admin = clinic.admin().await;
    let attack = "Robert'); DROP TABLE passages;-- <script>alert(1)</script> \" OR 1=1 {{7*7}} %00 \u{202e}";
    let import = admin.request(Method::POST, "/api/knowledge-base/import?name=Little%20Bobby").body(attack);
    let added = read(import.send().await.unwrap(), StatusCode::CREATED).await;
    let path = format!("/api/knowledge-base/{}", added["id"].as_str().unwrap());
    assert_eq!(read(admin.get(&path).await, StatusCode::OK).await["content"], attack);
    let q = "%27)%3B%20DROP%20TABLE%20%22%20OR%20*%20%5B%20%2B%20-%20passages";
    let found = read(admin.get(&format!("/api/knowledge-base/search?q={q}")).await, StatusCode::OK).await;
    assert_eq!(found["items"][0]["name"], "Little Bobby");
    read(admin.get(&format!("/api/search?q={q}")).await, StatusCode::OK).await;
    assert_eq!(
        read(admin.get("/api/knowledge-base").await, StatusCode::OK).await["items"].as_array().unwrap().len(),
        1
    );
}

/// KB-04, VOICE-07: the receptionist answers what the clinic knows, and nothing else.
#[tokio::test]
async fn unrelated_questions_find_nothing() {
    let clinic = Clinic::quiet().await;
    let admin = clinic.admin().await;
    admin.made("/api/knowledge-base", json!({ "name": "About us", "content": CLINIC })).await;
    let tools = &clinic.running.app.desk.tools;
    for (question, heading) in [
        ("what are your opening hours", "Opening hours"),
        ("when do you open on saturday", "Opening hours"),
        ("are you open on saturday", "Opening hours"),
        ("can i park there", "Parking"),
        ("is there parking", "Parking"),
        ("do i need an appointment for the flu vaccination", "Vaccination"),
        ("how do i order a repeat prescription", "Prescriptions"),
        ("can i pay by card", "Payment"),
        ("how much does a consultation cost", "Payment"),
    ] {
        let found = tools.answer(question, Lang::En, 3).await.unwrap();
        assert_eq!(found.first().map(|found| found.heading.as_str()), Some(heading), "{question}: {found:?}");
    }
    for question in [
        "what is the capital of france",
        "who won the football match yesterday",
        "can you recommend a restaurant",
        "do you sell bicycles",
        "what is the meaning of life",
        "tell me a joke",
    ] {
        let found = tools.answer(question, Lang::En, 3).await.unwrap();
        assert!(found.is_empty(), "{question}: {found:?}");
    }
}

/// A supervisor writes drafts; what callers hear an administrator decides.
#[tokio::test]
async fn supervisors_stage_and_administrators_publish() {
    let clinic = Clinic::quiet().await;
    let admin = clinic.admin().await;
    let supervisor = clinic.person("sue@clinic.example", Role::Supervisor).await;
    let draft = supervisor
        .made("/api/knowledge-base", json!({ "name": "Parking", "content": "Parking is on the roof." }))
        .await;
    assert_eq!(draft["state"], "draft");
    let found = read(admin.get("/api/knowledge-base/search?q=parking").await, StatusCode::OK).await;
    assert_eq!(found["items"], json!([]));
    let path = format!("/api/knowledge-base/{}", draft["id"].as_str().unwrap());
    let live = json!({ "name": "Parking", "content": "Parking is on the roof.", "state": "live" });
    read(supervisor.change(Method::PUT, &path, &draft["version"], live.clone()).await, StatusCode::FORBIDDEN).await;
    read(admin.change(Method::PUT, &path, &draft["version"], live).await, StatusCode::OK).await;
    let found = read(admin.get("/api/knowledge-base/search?q=parking").await, StatusCode::OK).await;
    assert_eq!(found["items"].as_array().unwrap().len(), 1);
}
