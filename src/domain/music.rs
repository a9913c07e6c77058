//! Music on hold that the clinic has brought itself.

use crate::Timestamp;
use serde::{Deserialize, Serialize};

/// The piece that callers hear while they wait, in place of the built-in one. Its audio is a blob of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct HoldMusic {
    /// What the file was called, 1 to 120 characters.
    pub name: String,
    /// Its length, in milliseconds.
    pub length_ms: u64,
    /// SHA-256 of its audio as it is kept, hexadecimal.
    pub content_sha256: String,
    /// When it was brought.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
}
