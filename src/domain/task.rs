//! What a person owes: messages to read, calls to return.

use crate::Timestamp;
use crate::code::{TaskKind, TaskState};
use crate::id::{AccountId, CallId, ContactId, TaskId};
use serde::{Deserialize, Serialize};

/// Something a person owes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Task {
    /// Identity.
    pub id: TaskId,
    /// What is asked.
    pub kind: TaskKind,
    /// Where it stands.
    pub state: TaskState,
    /// The caller's words, for a message; empty otherwise. Up to 4,000 characters.
    #[serde(default)]
    pub text: String,
    /// Name given.
    #[serde(default)]
    pub name: String,
    /// Number to ring back.
    #[serde(default)]
    pub number: String,
    /// The call it came from.
    pub call: Option<CallId>,
    /// The contact, once known.
    pub contact: Option<ContactId>,
    /// Who has it.
    pub owner: Option<AccountId>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it should be done.
    #[schema(value_type = String, format = DateTime)]
    pub due_at: Timestamp,
    /// Grows by one with every change.
    pub version: u64,
}
