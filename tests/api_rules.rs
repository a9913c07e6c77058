//! What holds for every request.

use crate::support::clinic::Clinic;
use crate::support::person::read;
use reqwest::{Method, StatusCode};
use serde_json::json;

/// API-03: what is not acceptable is refused with the field at fault, never half taken.
#[tokio::test]
async fn bad_requests_are_told_what_is_wrong_with_them() {
    let clinic = Clinic::quiet().await;
    let admin = clinic.admin().await;
    let post = |body| admin.send(Method::POST, "/api/contacts", body);
    let unknown = read(post(json!({ "name": "Ann", "colour": "red" })).await, StatusCode::BAD_REQUEST).await;
    assert!(unknown["errors"][0]["detail"].as_str().unwrap().contains("colour"), "{unknown}");
    let wrong = read(post(json!({ "numbers": [5] })).await, StatusCode::BAD_REQUEST).await;
    assert_eq!(wrong["errors"][0]["field"], "numbers[0]");
    let both = json!({ "name": "x".repeat(256), "numbers": [""], "notes": "n".repeat(10_001) });
    let both = read(post(both).await, StatusCode::BAD_REQUEST).await;
    let fields: Vec<&str> =
        both["errors"].as_array().unwrap().iter().map(|error| error["field"].as_str().unwrap()).collect();
    assert_eq!(fields, ["name", "notes", "numbers[0]"]);
    let request = |body: &str| admin.request(Method::POST, "/api/contacts").body(body.to_owned());
    read(request("{}").send().await.unwrap(), StatusCode::UNSUPPORTED_MEDIA_TYPE).await;
    let broken = request("{\"name\": ").header("content-type", "application/json").send().await.unwrap();
    read(broken, StatusCode::BAD_REQUEST).await;
    let large = read(post(json!({ "notes": "n".repeat(70_000) })).await, StatusCode::PAYLOAD_TOO_LARGE).await;
    assert_eq!(large["code"], "too_large");
    read(admin.get("/api/contacts?limit=201").await, StatusCode::BAD_REQUEST).await;
    read(admin.get("/api/contacts?after=nonsense").await, StatusCode::BAD_REQUEST).await;
    read(admin.get("/api/contacts?colour=red").await, StatusCode::BAD_REQUEST).await;
    read(admin.get("/api/calls?status=asleep").await, StatusCode::BAD_REQUEST).await;
    assert_eq!(read(admin.get("/api/contacts/17").await, StatusCode::NOT_FOUND).await["code"], "not_found");
    assert_eq!(read(admin.get("/api/nothing").await, StatusCode::NOT_FOUND).await["code"], "not_found");
    let wrong_method = admin.send(Method::DELETE, "/api/clinic", json!({})).await;
    assert_eq!(read(wrong_method, StatusCode::METHOD_NOT_ALLOWED).await["code"], "method_not_allowed");
}

/// Changes name the version they are based on; the same key twice adds one record.
#[tokio::test]
async fn changes_are_based_on_a_version_and_additions_on_a_key() {
    let clinic = Clinic::quiet().await;
    let admin = clinic.admin().await;
    let add =
        || admin.request(Method::POST, "/api/contacts").header("idempotency-key", "k1").json(&json!({ "name": "Ann" }));
    let first = read(add().send().await.unwrap(), StatusCode::CREATED).await;
    let again = read(add().send().await.unwrap(), StatusCode::CREATED).await;
    assert_eq!(first, again);
    let listed = read(admin.get("/api/contacts").await, StatusCode::OK).await;
    assert_eq!(listed["items"].as_array().unwrap().len(), 1);
    let path = format!("/api/contacts/{}", first["id"].as_str().unwrap());
    let new = json!({ "name": "Ann Novak", "numbers": ["+420 777 123 456"] });
    let unversioned = admin.send(Method::PUT, &path, new.clone()).await;
    assert_eq!(read(unversioned, StatusCode::PRECONDITION_REQUIRED).await["code"], "version_required");
    let changed = read(admin.change(Method::PUT, &path, &json!(1), new.clone()).await, StatusCode::OK).await;
    assert_eq!((&changed["name"], &changed["version"]), (&json!("Ann Novak"), &json!(2)));
    let late = read(admin.change(Method::PUT, &path, &json!(1), new).await, StatusCode::PRECONDITION_FAILED).await;
    assert_eq!(late["code"], "stale");
}

/// SEC-14, MISC-08: an address without a session is told to try later, in the agreed words.
#[tokio::test]
async fn too_many_requests_are_told_so() {
    let clinic = Clinic::quiet().await;
    let anybody = clinic.anybody();
    let mut refused = None;
    for _ in 0..130 {
        let reply = anybody.get("/api/clinic").await;
        if reply.status() == StatusCode::TOO_MANY_REQUESTS {
            assert!(reply.headers().contains_key("retry-after"));
            refused = Some(read(reply, StatusCode::TOO_MANY_REQUESTS).await);
            break;
        }
    }
    let refused = refused.expect("130 requests in a row are too many");
    assert_eq!(refused["detail"], "Too many requests, please try again later");
    read(anybody.get("/health").await, StatusCode::OK).await;
}

/// API-09, API-10, SEC-08: health, figures, and headers that hold browsers to what the page is.
#[tokio::test]
async fn health_and_figures_are_there_for_machines() {
    let clinic = Clinic::quiet().await;
    let anybody = clinic.anybody();
    for path in ["/health", "/api/health"] {
        let health = read(anybody.get(path).await, StatusCode::OK).await;
        assert_eq!(health["status"], "ok");
        assert!(health["timestamp"].is_string() && health["uptime_s"].is_u64() && health["environment"].is_string());
    }
    // Nobody listens in this clinic, and it was not configured so.
    let ready = read(anybody.get("/health/ready").await, StatusCode::SERVICE_UNAVAILABLE).await;
    let well: Vec<bool> = ready["checks"].as_array().unwrap().iter().map(|check| check["ok"] == true).collect();
    assert_eq!(well, [true, true, true, false, true, true, true, true, true, true], "{ready}");
    let names: Vec<&str> =
        ready["checks"].as_array().unwrap().iter().map(|check| check["name"].as_str().unwrap()).collect();
    let parts = ["store", "search", "voice", "speech", "disk", "backup", "trunks", "carriers", "phones", "callers"];
    assert_eq!(names, parts);
    let figures = read(anybody.get("/metrics?format=json").await, StatusCode::OK).await;
    assert!(
        figures["auricle_uptime_seconds"].is_number() && figures["auricle_memory_resident_bytes"].as_f64() > Some(1e6)
    );
    let text = anybody.get("/metrics").await.text().await.unwrap();
    assert!(text.contains("# TYPE auricle_http_requests_total counter"), "{text}");
    let page = anybody.get("/").await;
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(page.headers()["x-content-type-options"], "nosniff");
    assert_eq!(anybody.get("/api/openapi.json").await.status(), StatusCode::OK);
}
