//! People the clinic knows.

use crate::Timestamp;
use crate::code::Lang;
use crate::id::ContactId;
use serde::{Deserialize, Serialize};

/// A person the clinic knows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Contact {
    /// Identity.
    pub id: ContactId,
    /// Full name, up to 255 characters; empty while only a number is known.
    pub name: String,
    /// Telephone numbers, E.164 where possible, at most 10.
    pub numbers: Vec<String>,
    /// E-mail addresses, at most 10.
    #[serde(default)]
    pub emails: Vec<String>,
    /// Language they prefer.
    pub language: Option<Lang>,
    /// Notes of staff, up to 10,000 characters.
    #[serde(default)]
    pub notes: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// Grows by one with every change.
    pub version: u64,
}
