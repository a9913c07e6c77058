//! People at the clinic's desk, as its API sees them.

use super::clinic::Clinic;
use auricle::accounts::{self, NewAccount};
use auricle::clock;
use auricle::events::By;
use auricle_domain::account::Actor;
use auricle_domain::code::{AccessReasons, Role};
use auricle_domain::id::CauseId;
use auricle_storage::Backend;
use reqwest::{Method, RequestBuilder, Response, StatusCode};
use serde_json::{Value, json};

/// The password that every person of a test clinic chooses.
pub const PASSWORD: &str = "seven green bottles";

/// Somebody who talks to the clinic's API, signed in or not.
pub struct Person {
    client: reqwest::Client,
    base: String,
    pub token: Option<String>,
}

impl Clinic {
    /// One with its records in memory, and nobody who listens.
    pub async fn quiet() -> Self {
        Self::open(Backend::Memory, None).await
    }

    pub fn anybody(&self) -> Person {
        Person::of(format!("http://{}", self.running.web_addr))
    }

    /// Adds an account; answers with its one-time password.
    pub async fn add(&self, email: &str, role: Role) -> String {
        let by = By { actor: Actor::Console, cause: clock::fresh(CauseId::new, clock::system()) };
        let new = NewAccount { email: email.to_owned(), name: "Somebody".to_owned(), role, language: None };
        accounts::add(&self.running.app.events, by, clock::op(), new).await.unwrap().one_time_password
    }

    /// Somebody with this role, signed in, with a password of their own.
    pub async fn person(&self, email: &str, role: Role) -> Person {
        let first = self.add(email, role).await;
        let mut person = self.anybody();
        person.sign_in(email, &first).await;
        let change = json!({ "current_password": first, "new_password": PASSWORD });
        let changed = person.send(Method::PATCH, "/api/auth/me", change).await;
        assert_eq!(changed.status(), StatusCode::OK);
        person
    }

    pub async fn admin(&self) -> Person {
        self.person("admin@clinic.example", Role::Admin).await
    }
}

impl Person {
    /// Somebody who talks to the service there, such as `http://127.0.0.1:8080`.
    pub fn of(base: String) -> Self {
        Self { client: reqwest::Client::new(), base, token: None }
    }

    pub async fn sign_in(&mut self, email: &str, password: &str) {
        let login = json!({ "email": email, "password": password, "client": "terminal" });
        let reply = read(self.send(Method::POST, "/api/auth/login", login).await, StatusCode::OK).await;
        self.token = Some(reply["token"].as_str().unwrap().to_owned());
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.client.request(method, format!("{}{path}", self.base));
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    pub async fn get(&self, path: &str) -> Response {
        self.request(Method::GET, path).send().await.unwrap()
    }

    pub async fn send(&self, method: Method, path: &str, body: Value) -> Response {
        self.request(method, path).json(&body).send().await.unwrap()
    }

    /// A change based on a version.
    pub async fn change(&self, method: Method, path: &str, version: &Value, body: Value) -> Response {
        self.request(method, path).header("if-match", format!("\"{version}\"")).json(&body).send().await.unwrap()
    }

    /// Adds something; it must work.
    pub async fn made(&self, path: &str, body: Value) -> Value {
        read(self.send(Method::POST, path, body).await, StatusCode::CREATED).await
    }

    /// Has the clinic ask why past calls are opened, or not.
    pub async fn asks_reasons(&self, reasons: AccessReasons) {
        let mut clinic = read(self.get("/api/clinic").await, StatusCode::OK).await;
        let version = clinic["version"].clone();
        clinic["access_reasons"] = json!(reasons);
        let fields = clinic.as_object_mut().unwrap();
        fields.retain(|name, _| name != "id" && name != "version");
        read(self.change(Method::PUT, "/api/clinic", &version, clinic).await, StatusCode::OK).await;
    }

    /// The socket's address.
    pub fn socket_url(&self) -> String {
        self.base.replace("http://", "ws://") + "/ws"
    }
}

/// The body of a reply that must have this status.
pub async fn read(reply: Response, status: StatusCode) -> Value {
    let found = reply.status();
    let text = reply.text().await.unwrap();
    assert_eq!(found, status, "{text}");
    if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() }
}
