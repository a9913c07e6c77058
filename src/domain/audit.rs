//! The audit chain: who did or read what, when and why, each entry linked to the one before.
//!
//! An entry says nothing about a person but the identity of their record: what was written is in the record, what happened in
//! the feed. Entry N is about event N of the feed.

use crate::Timestamp;
use crate::account::Actor;
use crate::event::Event;
use crate::id::CauseId;
use serde::{Deserialize, Serialize};
use std::fmt::{Display, Formatter};
use std::str::FromStr;

/// SHA-256 of an entry as it is stored; what the next entry carries as `prev`. As text: 64 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(into = "String", try_from = "String")]
#[schema(value_type = String)]
pub struct Link(pub [u8; 32]);

impl Display for Link {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for Link {
    fn fmt(&self, f: &mut Formatter<'_>) -> std::fmt::Result {
        Display::fmt(self, f)
    }
}

impl From<Link> for String {
    fn from(link: Link) -> Self {
        link.to_string()
    }
}

/// A text that is no link.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a link of the audit chain has 64 hexadecimal digits")]
pub struct NoLink;

impl FromStr for Link {
    type Err = NoLink;
    fn from_str(text: &str) -> Result<Self, NoLink> {
        let mut link = [0; 32];
        if text.len() != 64 || !text.is_ascii() {
            return Err(NoLink);
        }
        for (at, byte) in link.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).map_err(|_| NoLink)?;
        }
        Ok(Self(link))
    }
}

impl TryFrom<String> for Link {
    type Error = NoLink;
    fn try_from(text: String) -> Result<Self, NoLink> {
        text.parse()
    }
}

/// One link of the chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AuditEntry {
    /// Its number, and that of the event it is about; contiguous from 1.
    pub seq: u64,
    /// When it happened.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Who did it.
    pub actor: Actor,
    /// The piece of work it belongs to; also in every log line of that work.
    pub cause: CauseId,
    /// What was done: the type of the event, such as `contact.changed` or `audit.read`.
    pub action: String,
    /// What kind of record it was done to: `call`, `contact`, `recording` and so on.
    pub object: String,
    /// Which one.
    pub id: String,
    /// Why, where whoever did it said so; up to 300 characters.
    #[serde(default)]
    pub reason: Option<String>,
    /// The link of the entry before; of the first, a fixed beginning.
    pub prev: Link,
}

/// The end of a chain at some moment. Kept elsewhere, it shows later that nothing was cut off or changed up to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct AuditHead {
    /// Number of the last entry; 0 when there is none.
    pub seq: u64,
    /// Its link.
    pub link: Link,
}

impl Event {
    /// What the event was done to: kind of record and identity.
    pub fn object(&self) -> (&str, String) {
        match self {
            Self::CallArrived { call, .. }
            | Self::CallAnswered { call, .. }
            | Self::CallAnsweredBy { call, .. }
            | Self::CallPlaced { call, .. }
            | Self::CallAgent { call, .. }
            | Self::CallHeld { call, .. }
            | Self::CallParticipant { call, .. }
            | Self::CallMasked { call, .. }
            | Self::CallUnheard { call, .. }
            | Self::CallLanguageSet { call, .. }
            | Self::CallEmergency { call, .. }
            | Self::CallOutcome { call, .. }
            | Self::CallEnded { call, .. } => ("call", call.to_string()),
            Self::CallRecording { call, .. } => ("recording", call.to_string()),
            Self::TurnCommitted { turn } => ("transcript", turn.call.to_string()),
            Self::ContactChanged { contact } => ("contact", contact.to_string()),
            Self::DocumentChanged { document } | Self::DocumentRemoved { document } => {
                ("document", document.to_string())
            }
            Self::ServiceChanged { service } => ("service", service.to_string()),
            Self::AppointmentChanged { appointment, .. } => ("appointment", appointment.to_string()),
            Self::TextChanged { text, .. } => ("text", text.to_string()),
            Self::TaskChanged { task, .. } => ("task", task.to_string()),
            Self::AccountChanged { account, .. } | Self::SignedIn { account } | Self::SignInLocked { account } => {
                ("account", account.to_string())
            }
            Self::TrunkChanged { trunk } | Self::TrunkRemoved { trunk } | Self::TrunkStateChanged { trunk, .. } => {
                ("trunk", trunk.to_string())
            }
            Self::OutboundChanged { .. } | Self::OutboundRefused { .. } => ("outgoing_calls", String::new()),
            Self::PhoneChanged { phone }
            | Self::PhonePasswordGiven { phone }
            | Self::PhoneRemoved { phone }
            | Self::PhoneStateChanged { phone, .. } => ("phone", phone.to_string()),
            Self::MusicChanged {} | Self::MusicRemoved {} => ("music", String::new()),
            Self::SipCertificateKept { fingerprint } => ("sip_certificate", fingerprint.clone()),
            Self::SourceBanned { source } | Self::SourceHeard { source } => ("source", source.clone()),
            Self::CarrierChanged { carrier } | Self::CarrierRemoved { carrier } => ("carrier", carrier.to_string()),
            Self::NumberConnected { number, .. } | Self::NumberReleased { number, .. } => ("number", number.clone()),
            Self::BackupMade { .. } => ("backup", String::new()),
            Self::SearchRebuilt { .. } => ("search_index", String::new()),
            Self::StoreRestored { .. } => ("store", String::new()),
            Self::SecretsRotated { .. } | Self::SecretsRecovered {} => ("secrets", String::new()),
            Self::TenantChanged { .. } => ("clinic", String::new()),
            Self::RecordRead { kind, id, .. } => (kind, id.clone()),
        }
    }

    /// Why it was done, where somebody said so.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::RecordRead { reason, .. } => reason.as_deref(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_read_as_it_is_written() {
        let link = Link([0xa7; 32]);
        assert_eq!(link.to_string().parse(), Ok(link));
        for wrong in ["", "a7", &"g7".repeat(32), &"é".repeat(32), &"a7".repeat(33)] {
            assert_eq!(wrong.parse::<Link>(), Err(NoLink), "{wrong}");
        }
    }
}
