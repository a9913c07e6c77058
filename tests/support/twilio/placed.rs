//! A call that the clinic has asked Twilio for, or a text message that it has handed over: how it fares is the test's to say.

use super::call::Caller;
use super::{ACCOUNT, Form, PUBLIC, Twilio};
use reqwest::StatusCode;
use std::net::SocketAddr;

/// A call that is wanted, or a text message.
pub struct Placed {
    pub sid: String,
    twilio: Twilio,
    clinic: SocketAddr,
    form: Form,
}

impl Placed {
    pub(super) fn new(twilio: Twilio, clinic: SocketAddr, (sid, form): (String, Form)) -> Self {
        Self { sid, twilio, clinic, form }
    }

    /// What the clinic gave for a field; several values are joined.
    pub fn field(&self, name: &str) -> String {
        let values = self.form.iter().filter(|(field, _)| field == name).map(|(_, value)| value.as_str());
        values.collect::<Vec<_>>().join(" ")
    }

    /// What a webhook about it says.
    pub fn about(&self, more: &[(&str, &str)]) -> Form {
        let (from, to) = (self.field("From"), self.field("To"));
        let own = [
            ("CallSid", self.sid.as_str()),
            ("AccountSid", ACCOUNT),
            ("Direction", "outbound-api"),
            ("From", &from),
            ("To", &to),
        ];
        own.iter().chain(more).map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    fn path(&self, field: &str) -> String {
        self.field(field).strip_prefix(PUBLIC).unwrap_or_else(|| panic!("no {field} of the public address")).to_owned()
    }

    /// Tells how it fares; `number` is the callback's place among those of the call.
    pub async fn tell(&self, status: &str, number: u32, more: &[(&str, &str)]) {
        let number = number.to_string();
        let form = self.about(&[&[("CallStatus", status), ("SequenceNumber", number.as_str())], more].concat());
        let reply = self.twilio.post(self.clinic, &self.path("StatusCallback"), &form).await;
        assert_eq!(reply.status(), StatusCode::NO_CONTENT, "{status}");
    }

    /// Tells how it fares with a signature of somebody else.
    pub async fn tell_forged(&self, status: &str) -> StatusCode {
        let form = self.about(&[("CallStatus", status), ("SequenceNumber", "9")]);
        let path = self.path("StatusCallback");
        self.twilio.post_signed(self.clinic, &path, &form, "AAAAAAAAAAAAAAAAAAAAAAAAAAA=").await.status()
    }

    /// Tells how a text message fares.
    pub async fn tell_text(&self, status: &str, code: &str) -> StatusCode {
        self.tell_text_as(&self.sid, status, code).await
    }

    /// The same under another name of Twilio's.
    pub async fn tell_text_as(&self, sid: &str, status: &str, code: &str) -> StatusCode {
        let pairs = [("MessageSid", sid), ("AccountSid", ACCOUNT), ("MessageStatus", status), ("ErrorCode", code)];
        let form = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
        self.twilio.post(self.clinic, &self.path("StatusCallback"), &form).await.status()
    }

    /// Tells who answered.
    pub async fn tell_who(&self, answered_by: &str) -> StatusCode {
        let form = self.about(&[("AnsweredBy", answered_by), ("MachineDetectionDuration", "2100")]);
        self.twilio.post(self.clinic, &self.path("AsyncAmdStatusCallback"), &form).await.status()
    }

    /// Somebody answers: what the clinic has asked for begins.
    pub fn answer(&self) -> Caller {
        let asked = (self.field("Twiml"), self.path("StatusCallback"));
        Caller::answer(self.twilio.clone(), self.clinic, self.sid.clone(), asked)
    }
}
