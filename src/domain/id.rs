//! Identifiers: UUIDv7 newtypes, one per noun, made from a given instant and given randomness.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Builds a UUIDv7 (RFC 9562 section 5.7) from an instant and ten random bytes, so that the
/// domain needs neither a clock nor a source of randomness of its own.
///
/// Instants before 1970 count as 1970: an identifier must always be made, whatever the clock says.
pub fn uuid_v7(at: Timestamp, random: [u8; 10]) -> Uuid {
    let ms = u64::try_from(at.as_millisecond()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(ms, &random).into_uuid()
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(
            Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, utoipa::ToSchema,
        )]
        #[serde(transparent)]
        #[schema(value_type = String, format = Uuid)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new identifier for something that began at `at`.
            pub fn new(at: Timestamp, random: [u8; 10]) -> Self {
                Self(uuid_v7(at, random))
            }

            /// The sixteen bytes that stand in storage keys; they sort by time.
            pub fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    )+};
}

ids! {
    /// A clinic (or group): every storage key starts with it.
    TenantId,
    /// A person who signs in.
    AccountId,
    /// One signed-in session of an account.
    SessionId,
    /// One caller's whole stay with the clinic.
    CallId,
    /// What was said on one channel with one contact.
    ConversationId,
    /// A person the clinic knows.
    ContactId,
    /// A document the receptionist may speak from.
    DocumentId,
    /// One indexed piece of a document.
    PassageId,
    /// Something that can be booked.
    ServiceId,
    /// A booking of a contact for a service.
    AppointmentId,
    /// Something a person owes: a message to read, a call to return.
    TaskId,
    /// A text message to somebody.
    TextId,
    /// A SIP connection to a provider.
    TrunkId,
    /// A telephone of the clinic that registers here.
    PhoneId,
    /// One piece of work, from request to last consequence: stands in every log line and event of it.
    CauseId,
}
