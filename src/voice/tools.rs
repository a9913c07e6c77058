//! What a receptionist may do with the clinic's records while a caller is on the line (VOICE-07).
//!
//! The same tools serve the local receptionist and a language model. Writing tools are idempotent within a
//! conversation (B-10): the same slot held or confirmed twice, or the same message left twice, is written once.

use auricle_domain::Timestamp;
use auricle_domain::appointment::{Appointment, Service, Slot};
use auricle_domain::code::Lang;
use auricle_domain::id::{AppointmentId, CallId, CauseId, ConversationId, ServiceId, TaskId};
use futures_util::future::BoxFuture;
use std::sync::Arc;

use crate::providers::Vocabulary;
pub use auricle_domain::dialog::tool::{Found, Message};

/// In whose name a tool writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The call.
    pub call: CallId,
    /// Its conversation; holds and bookings belong to it.
    pub conversation: ConversationId,
    /// The piece of work, for events and log lines.
    pub cause: CauseId,
}

/// Why a tool could not do its work. Never carries what the caller said.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ToolError {
    /// Somebody else has the slot, or it is no longer offered.
    #[error("the slot is taken")]
    SlotTaken,
    /// The hold ran out, or belongs to another conversation.
    #[error("the hold is gone")]
    HoldGone,
    /// An argument is out of its range.
    #[error("{field} is not acceptable: {reason}")]
    Invalid {
        /// Which argument.
        field: &'static str,
        /// The allowed range, in words.
        reason: String,
    },
    /// The records cannot be reached.
    #[error("the clinic's records cannot be reached: {0}")]
    Unavailable(String),
}

/// A tool's answer, when it comes. A dropped future may or may not have written: writers are spawned, never dropped.
pub type Answer<'a, T> = BoxFuture<'a, Result<T, ToolError>>;

/// The clinic's records, as a receptionist may use them.
pub trait Tools: Send + Sync {
    /// Passages of live documents that may answer `query`, best first, at most `limit` (KB-04).
    fn answer(&self, query: &str, language: Lang, limit: usize) -> Answer<'_, Vec<Found>>;

    /// Services that callers may book.
    fn services(&self) -> Answer<'_, Vec<Service>>;

    /// Free slots that begin in `from..to`, earliest first, at most `limit`. Slots held by others are not free.
    fn find_slots(&self, service: ServiceId, from: Timestamp, to: Timestamp, limit: usize) -> Answer<'_, Vec<Slot>>;

    /// Holds a slot for 120 s. Holding the same slot again in the same conversation gives the same id.
    fn hold(&self, scope: Scope, slot: Slot) -> Answer<'_, AppointmentId>;

    /// Books a held slot. Confirming again gives the same appointment.
    fn confirm(
        &self,
        scope: Scope,
        appointment: AppointmentId,
        name: String,
        number: String,
    ) -> Answer<'_, Appointment>;

    /// Gives a held slot back. A hold that is gone is no error; a booked appointment stays booked.
    fn release(&self, scope: Scope, appointment: AppointmentId) -> Answer<'_, ()>;

    /// Leaves a message for the clinic's people. The same text in the same conversation is kept once.
    fn take_message(&self, scope: Scope, message: Message) -> Answer<'_, TaskId>;

    /// The clinic's own words, for recognition; see [`crate::voice::vocabulary`].
    fn vocabulary(&self, language: Lang) -> Answer<'_, Arc<Vocabulary>>;
}
