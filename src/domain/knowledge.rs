//! What the receptionist may say: documents and their passages (KB-01 to KB-05).

use crate::Timestamp;
use crate::code::{DocumentState, Lang};
use crate::id::{DocumentId, PassageId};
use serde::{Deserialize, Serialize};

/// Longest name of a document, in characters (KB-02).
pub const NAME_CHARS_MAX: usize = 255;
/// Longest content of a document, in characters (KB-02).
pub const CONTENT_CHARS_MAX: usize = 1_000_000;

/// A document of the clinic's knowledge. Its content lies in a blob of its own, since it may be a megabyte.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Document {
    /// Identity.
    pub id: DocumentId,
    /// Name, 1 to 255 characters, trimmed.
    pub name: String,
    /// Named collection it belongs to; `general` unless told.
    pub namespace: String,
    /// Language of the content.
    pub language: Lang,
    /// Whether answers may come from it.
    pub state: DocumentState,
    /// Length of the content in characters.
    pub content_chars: u32,
    /// SHA-256 of the content, hexadecimal; also the name of its blob.
    pub content_sha256: String,
    /// How many passages it was cut into.
    pub passages: u32,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
    /// Grows by one with every change.
    pub version: u64,
}

/// One indexed piece of a document: a paragraph or two under their heading.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Passage {
    /// Identity.
    pub id: PassageId,
    /// The document.
    pub document: DocumentId,
    /// Place in the document, from 0.
    pub index: u32,
    /// Heading it stands under; the document's name where there is none.
    pub heading: String,
    /// The text, at most 1,200 characters.
    pub text: String,
    /// Language of the text.
    pub language: Lang,
    /// Its embedding, unit length, for similarity; empty where no embedder is configured.
    #[serde(default)]
    pub vector: Vec<f32>,
}
