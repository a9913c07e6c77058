//! Softphones of people who work with them, as stories need them.

use super::clinic::{Clinic, PATIENCE};
use super::person::{Person, read};
use auricle_domain::call::Call;
use auricle_domain::code::Role;
use auricle_domain::event::Event;
use auricle_domain::id::CallId;
use auricle_domain::live::LiveCall;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use std::time::Duration;

/// A clinic with two people, who have extensions.
pub struct Scene {
    pub clinic: Clinic,
    pub admin: Person,
    /// Extension 201.
    pub eve: Person,
    /// Extension 202.
    pub sam: Person,
    /// Sam's desk phone, which nobody has switched on.
    pub phone: Value,
}

impl Scene {
    /// Opens it.
    pub async fn open() -> Self {
        let clinic = Clinic::quiet().await;
        let admin = clinic.admin().await;
        let (eve, sam) = (
            clinic.person("eve@clinic.example", Role::Agent).await,
            clinic.person("sam@clinic.example", Role::Agent).await,
        );
        let mut phone = Value::Null;
        for (person, extension) in [(&eve, "201"), (&sam, "202")] {
            phone = extension_of(&admin, person, extension).await;
        }
        Self { clinic, admin, eve, sam, phone }
    }

    /// Waits until a call on the board is like this.
    pub async fn shows(&self, what: &str, is_it: impl Fn(&LiveCall) -> bool) -> LiveCall {
        let mut board = self.clinic.app().floor.watch();
        let found = tokio::time::timeout(PATIENCE, board.wait_for(|board| board.iter().any(&is_it))).await;
        let board = found.unwrap_or_else(|_| panic!("{what}: {:?}", self.clinic.feed())).unwrap();
        board.iter().find(|call| is_it(call)).unwrap().clone()
    }

    /// Waits until it rings at somebody's softphone.
    pub async fn rings(&self) -> CallId {
        self.shows("it should ring", |call| call.stations.iter().any(|it| it.is_ringing)).await.call
    }

    /// Waits until a call has ended.
    pub async fn ended(&self, id: CallId) -> Call {
        self.clinic.happened(|event| matches!(event, Event::CallEnded { call, .. } if *call == id)).await;
        self.clinic.app().store.read(|tx| tx.get::<Call>(&id)).unwrap().unwrap()
    }

    /// Waits until nobody's softphone is on.
    pub async fn is_silent(&self) {
        let stations = &self.clinic.app().softphones.stations;
        let away = async {
            while !stations.legs().is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(PATIENCE, away).await.expect("no softphone should be left");
    }

    /// Closes it.
    pub async fn close(self) {
        self.clinic.running.stop(Duration::ZERO).await;
    }
}

/// Does something with a call.
pub async fn act(person: &Person, call: CallId, what: &str) -> StatusCode {
    person.send(Method::POST, &format!("/api/calls/{call}/{what}"), json!(null)).await.status()
}

/// The same, and it is done.
pub async fn done(person: &Person, call: CallId, what: &str) {
    assert_eq!(act(person, call, what).await, StatusCode::NO_CONTENT, "{what}");
}

/// The call that a person's softphone is in.
pub async fn on_session(person: &Person) -> Value {
    read(person.get("/api/softphone/session?purpose=station").await, StatusCode::OK).await["call"].clone()
}

/// Gives a person a desk phone of this extension.
pub async fn extension_of(admin: &Person, person: &Person, extension: &str) -> Value {
    let me = read(person.get("/api/auth/me").await, StatusCode::OK).await;
    let input = json!({ "label": extension, "extension": extension, "account": me["id"] });
    admin.made("/api/phones", input).await
}
