//! What the receptionist may say: documents, their passages, and finding the right one (KB-01 to KB-05, KB-09).

use auricle_domain::code::{DocumentState, Lang};
use auricle_domain::id::{DocumentId, PassageId};
use auricle_domain::knowledge::Document;
use serde::{Deserialize, Serialize};

/// A document to add, or all of a document's fields when changing.
#[derive(Clone, Debug, PartialEq, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DocumentInput {
    /// Name, 1 to 255 characters after trimming.
    pub name: String,
    /// The text, 1 to 1,000,000 characters after trimming. Lines that begin with `#` are headings.
    pub content: String,
    /// Language of the content; the clinic's first unless told.
    #[serde(default)]
    pub language: Option<Lang>,
    /// Named collection it belongs to, 1 to 64 of `a-z 0-9 -`; `general` unless told.
    #[serde(default)]
    pub namespace: Option<String>,
    /// Whether answers may come from it. Unless told: `live` from an administrator, `draft` from a supervisor.
    #[serde(default)]
    pub state: Option<DocumentState>,
}

/// A document with its text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct DocumentWithContent {
    /// The document.
    #[serde(flatten)]
    pub document: Document,
    /// Its text.
    pub content: String,
}

/// A passage that fits a question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PassageMatch {
    /// The passage.
    pub passage: PassageId,
    /// The document it is from.
    pub document: DocumentId,
    /// That document's name.
    pub name: String,
    /// The heading it stands under.
    pub heading: String,
    /// Its text.
    pub text: String,
    /// How well it fits, 0 to 1. The receptionist speaks from passages of at least 0.5.
    pub score: f32,
}

/// Passages that fit a question, best first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PassageMatches {
    /// The passages.
    pub items: Vec<PassageMatch>,
}

/// A question to the clinic's knowledge.
#[derive(Clone, Debug, PartialEq, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct PassageQuery {
    /// The question, 1 to 1,000 characters.
    pub q: String,
    /// Language of the documents; the clinic's first unless told.
    #[serde(default)]
    pub language: Option<Lang>,
    /// Passages at most, 1 to 20; 5 unless told.
    #[serde(default)]
    #[param(minimum = 1, maximum = 20)]
    pub limit: Option<u32>,
}

/// The name of an imported text.
#[derive(Clone, Debug, PartialEq, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct ImportQuery {
    /// Name, 1 to 255 characters after trimming.
    pub name: String,
    /// Language of the content; the clinic's first unless told.
    #[serde(default)]
    pub language: Option<Lang>,
}
