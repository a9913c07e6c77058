//! The API's description is committed, and says what the program does (API-02).

#![allow(clippy::unwrap_used)]

use auricle::http::openapi::document;
use std::collections::HashSet;
use std::path::Path;

/// API-02: `webui/openapi.json` is what the program says of itself. After a change of routes or types:
/// `UPDATE=1 cargo test --test stories openapi`.
#[test]
fn the_committed_description_is_current() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("webui/openapi.json");
    let now = document().to_pretty_json().unwrap() + "\n";
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, &now).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    let differs = committed.lines().zip(now.lines()).position(|(a, b)| a != b);
    assert!(committed == now, "webui/openapi.json is out of date from line {differs:?} on: run with UPDATE=1");
}

#[test]
fn every_operation_has_a_name_of_its_own_words_and_a_problem_body() {
    let document = serde_json::to_value(document()).unwrap();
    let mut names = HashSet::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap();
            assert!(names.insert(name.to_owned()), "{method} {path}: {name} is used twice");
            assert!(
                operation["summary"].as_str().is_some_and(|text| !text.is_empty()),
                "{method} {path} has no summary"
            );
            let problem = &operation["responses"]["default"]["content"]["application/problem+json"];
            assert_eq!(problem["schema"]["$ref"], "#/components/schemas/Problem", "{method} {path}");
        }
    }
    assert!(names.len() > 45, "{}", names.len());
}
