//! Signing in, staying signed in, and what nobody may do without.

use crate::support::clinic::Clinic;
use crate::support::person::{PASSWORD, read};
use auricle::http::openapi;
use auricle_domain::code::Role;
use reqwest::{Method, StatusCode};
use serde_json::json;

/// AUTH-01, AUTH-04: an invited person can do nothing but choose a password; then they are in until they sign out.
#[tokio::test]
async fn a_one_time_password_opens_nothing_but_its_own_change() {
    let clinic = Clinic::quiet().await;
    let first = clinic.add("ann@clinic.example", Role::Admin).await;
    let mut ann = clinic.anybody();
    ann.sign_in(" ANN@clinic.example", &first).await;
    let me = read(ann.get("/api/auth/me").await, StatusCode::OK).await;
    assert_eq!(me["must_change_password"], true);
    let refused = read(ann.get("/api/accounts").await, StatusCode::FORBIDDEN).await;
    assert_eq!(refused["code"], "password_change_required");
    let weak = json!({ "current_password": first, "new_password": "short" });
    let refused = read(ann.send(Method::PATCH, "/api/auth/me", weak).await, StatusCode::BAD_REQUEST).await;
    assert_eq!(refused["errors"][0]["field"], "new_password");
    let good = json!({ "current_password": first, "new_password": PASSWORD, "language": "cs" });
    let me = read(ann.send(Method::PATCH, "/api/auth/me", good).await, StatusCode::OK).await;
    assert_eq!((&me["must_change_password"], &me["language"]), (&json!(false), &json!("cs")));
    let accounts = read(ann.get("/api/accounts").await, StatusCode::OK).await;
    assert_eq!(accounts["items"][0]["email"], "ann@clinic.example");
    assert!(!accounts.to_string().contains("argon2"), "no hash leaves the process");
    assert_eq!(ann.send(Method::POST, "/api/auth/logout", json!({})).await.status(), StatusCode::NO_CONTENT);
    read(ann.get("/api/auth/me").await, StatusCode::UNAUTHORIZED).await;
}

/// AUTH-04: a browser's session lives in a cookie that scripts and other sites cannot use.
#[tokio::test]
async fn a_browser_gets_a_cookie_and_no_token() {
    let clinic = Clinic::quiet().await;
    let first = clinic.add("ann@clinic.example", Role::Agent).await;
    let anybody = clinic.anybody();
    let login = json!({ "email": "ann@clinic.example", "password": first });
    let reply = anybody.send(Method::POST, "/api/auth/login", login.clone()).await;
    let cookie = reply.headers()["set-cookie"].to_str().unwrap().to_owned();
    for flag in ["__Host-auricle=", "; Path=/", "; HttpOnly", "; Secure", "; SameSite=Strict"] {
        assert!(cookie.contains(flag), "{cookie}");
    }
    assert_eq!(read(reply, StatusCode::OK).await.get("token"), None);
    let cookie = cookie.split(';').next().unwrap().to_owned();
    let me = anybody.request(Method::GET, "/api/auth/me").header("cookie", &cookie).send().await.unwrap();
    assert_eq!(read(me, StatusCode::OK).await["email"], "ann@clinic.example");
    let elsewhere = anybody.request(Method::POST, "/api/auth/logout").header("cookie", &cookie);
    let refused = elsewhere.header("origin", "https://evil.example").send().await.unwrap();
    assert_eq!(read(refused, StatusCode::FORBIDDEN).await["code"], "forbidden");
}

/// AUTH-07: ten wrong passwords lock, for somebody who exists as for somebody who does not.
#[tokio::test]
async fn ten_wrong_passwords_lock_and_tell_nothing() {
    let clinic = Clinic::quiet().await;
    clinic.person("ann@clinic.example", Role::Agent).await;
    let anybody = clinic.anybody();
    for email in ["ann@clinic.example", "nobody@clinic.example"] {
        let login = |password: &str| {
            anybody.send(Method::POST, "/api/auth/login", json!({ "email": email, "password": password }))
        };
        for _ in 0..10 {
            assert_eq!(read(login("wrong").await, StatusCode::UNAUTHORIZED).await["code"], "wrong_password");
        }
        let reply = login(PASSWORD).await;
        let seconds: u32 = reply.headers()["retry-after"].to_str().unwrap().parse().unwrap();
        assert!((800..=901).contains(&seconds), "{email}: {seconds}");
        assert_eq!(read(reply, StatusCode::TOO_MANY_REQUESTS).await["code"], "locked", "{email}");
    }
}

/// AUTH-08: without a session every path of the API says 401, and says it as a problem.
#[tokio::test]
async fn nothing_is_open_without_a_session() {
    let document = serde_json::to_value(openapi::document()).unwrap();
    let mut operations = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            // Health, sign-in and the description are open; figures are, from the machine itself.
            if operation.get("security") == Some(&json!([{}])) || path == "/metrics" {
                continue;
            }
            let path = path.replace("{id}", "01890a5d-ac96-774b-bcce-b302099a8057");
            operations.push((method.to_uppercase().parse::<Method>().unwrap(), path));
        }
    }
    assert!(operations.len() > 40, "{operations:?}");
    // One service answers a stranger no more than a hundred times.
    for some in operations.chunks(80) {
        let clinic = Clinic::quiet().await;
        let anybody = clinic.anybody();
        for (method, path) in some {
            let reply = anybody.request(method.clone(), path).send().await.unwrap();
            assert_eq!(reply.headers()["content-type"], "application/problem+json", "{method} {path}");
            let problem = read(reply, StatusCode::UNAUTHORIZED).await;
            assert_eq!(problem["code"], "unauthenticated", "{method} {path}");
            assert!(!problem["request_id"].as_str().unwrap().is_empty());
        }
    }
}

/// ROLE-01: what a role may not do is refused, and a disabled account is out at once.
#[tokio::test]
async fn roles_hold_and_the_last_administrator_stays() {
    let clinic = Clinic::quiet().await;
    let admin = clinic.admin().await;
    let agent = clinic.person("agent@clinic.example", Role::Agent).await;
    for path in ["/api/accounts", "/api/events"] {
        assert_eq!(read(agent.get(path).await, StatusCode::FORBIDDEN).await["code"], "forbidden");
    }
    let document = json!({ "name": "Hours", "content": "We open at nine." });
    read(agent.send(Method::POST, "/api/knowledge-base", document).await, StatusCode::FORBIDDEN).await;
    let accounts = read(admin.get("/api/accounts").await, StatusCode::OK).await;
    for account in accounts["items"].as_array().unwrap() {
        let path = format!("/api/accounts/{}", account["id"].as_str().unwrap());
        let disable = json!({ "state": "disabled" });
        let reply = admin.change(Method::PATCH, &path, &account["version"], disable).await;
        let expected = if account["role"] == "ADMIN" { StatusCode::CONFLICT } else { StatusCode::OK };
        read(reply, expected).await;
    }
    read(agent.get("/api/auth/me").await, StatusCode::UNAUTHORIZED).await;
}
