//! A call that the clinic wants placed: how it fares is the test's to say.

use super::super::twilio::PUBLIC;
use super::api::Command;
use super::call::{Caller, Region};
use super::{NEXT_KEY, Telnyx, sign};
use auricle::clock;
use reqwest::StatusCode;
use serde_json::{Value, json};
use std::net::SocketAddr;
use tokio::sync::mpsc;

/// A call that is wanted.
pub struct Placed {
    pub call: String,
    /// What the clinic said about it.
    pub fields: Value,
    telnyx: Telnyx,
    clinic: SocketAddr,
    commands: mpsc::UnboundedReceiver<Command>,
}

impl Placed {
    pub(super) fn new(
        telnyx: Telnyx,
        clinic: SocketAddr,
        call: String,
        fields: Value,
        commands: mpsc::UnboundedReceiver<Command>,
    ) -> Self {
        Self { call, fields, telnyx, clinic, commands }
    }

    fn path(&self) -> &str {
        self.fields["webhook_url"].as_str().unwrap().strip_prefix(PUBLIC).expect("a path of the public address")
    }

    /// An event about it.
    pub fn event(&self, kind: &str, more: Value) -> Value {
        let mut fields = json!({ "direction": "outgoing", "from": self.fields["from"], "to": self.fields["to"] });
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.telnyx.event(&self.call, kind, fields)
    }

    /// Tells how it fares.
    pub async fn tell(&self, kind: &str, more: Value) {
        let event = self.event(kind, more);
        self.send(&event).await;
    }

    /// Sends an event, perhaps again.
    pub async fn send(&self, event: &Value) {
        let reply = self.telnyx.post_to(self.clinic, self.path(), event).await;
        assert_eq!(reply.status(), StatusCode::NO_CONTENT, "{event}");
    }

    /// Tells that it is over, with a signature of somebody else.
    pub async fn tell_forged(&self) -> StatusCode {
        let body = self.event("call.hangup", json!({ "hangup_cause": "user_busy" })).to_string();
        let now = clock::system().as_second().to_string();
        let forged = sign(NEXT_KEY, &now, &body);
        self.telnyx.post_signed(self.clinic, self.path(), &body, &now, &forged).await.status()
    }

    /// Somebody answers: what the clinic has asked for begins.
    pub fn answer(self) -> Caller {
        let region = Region { offers: "PCMA", encoding: "PCMA" };
        let path = self.path().to_owned();
        Caller::answer(self.telnyx, self.clinic, region, (self.call, self.commands), (self.fields, path))
    }

    /// Waits until the clinic has told it to end.
    pub async fn hung_up(&mut self) {
        let told = tokio::time::timeout(super::PATIENCE, self.commands.recv()).await;
        assert_eq!(told.expect("the call is told nothing").unwrap().name, "hangup");
    }
}
