//! What is searched, what is asked, what is found.

use auricle_domain::Timestamp;
use auricle_domain::code::{Channel, Lang, Outcome};
use auricle_domain::id::{AccountId, CallId, PassageId};
use serde::{Deserialize, Serialize};

/// What kind of record a document stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SearchKind {
    /// Something said in a call.
    Turn,
    /// A call.
    Call,
    /// A passage of the clinic's knowledge.
    Passage,
    /// A person the clinic knows.
    Contact,
    /// A booking.
    Appointment,
    /// Something a person owes.
    Task,
}

impl SearchKind {
    /// The word in JSON, filters and the index.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Turn => "turn",
            Self::Call => "call",
            Self::Passage => "passage",
            Self::Contact => "contact",
            Self::Appointment => "appointment",
            Self::Task => "task",
        }
    }
}

/// A document of the index. It replaces one of the same kind and id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SearchDocument {
    /// What it stands for.
    pub kind: SearchKind,
    /// Identity within its kind.
    pub id: String,
    /// What it belongs to and goes with: a passage's document, a turn's call.
    #[serde(default)]
    pub parent: Option<String>,
    /// The call to open.
    #[serde(default)]
    pub call: Option<CallId>,
    /// When it happened or was made.
    pub at: Timestamp,
    /// Where in the call's recording, in milliseconds after the call was answered.
    #[serde(default)]
    pub start_ms: Option<u64>,
    /// Heading, name or number; found with more weight than the text, up to 1,000 characters.
    pub title: String,
    /// The text; what is beyond 10,000 characters is left out.
    pub text: String,
    /// Language of the text; without one its words are found only as they are written.
    #[serde(default)]
    pub language: Option<Lang>,
    /// What the call came to.
    #[serde(default)]
    pub outcome: Option<Outcome>,
    /// The member of staff who handled it; none where the receptionist alone did.
    #[serde(default)]
    pub agent: Option<AccountId>,
    /// By what it was said or written; none for what is no conversation.
    #[serde(default)]
    pub channel: Option<Channel>,
}

/// A change of the index.
#[derive(Clone, Debug, PartialEq)]
pub enum SearchChange {
    /// Adds a document, or replaces it.
    Put(Box<SearchDocument>),
    /// Removes a document.
    Remove {
        /// Its kind.
        kind: SearchKind,
        /// Its id.
        id: String,
    },
    /// Removes all documents of a kind that belong to `parent`.
    RemoveChildren {
        /// Their kind.
        kind: SearchKind,
        /// What they belong to.
        parent: String,
    },
}

/// What is looked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SearchQuery {
    /// Words, all of which must be found, and "phrases in quotes". Empty: everything that passes the filters,
    /// newest first. Beyond 16 words and phrases the rest is ignored.
    pub text: String,
    /// Only these kinds; empty: all.
    pub kinds: Vec<SearchKind>,
    /// Only this language.
    pub language: Option<Lang>,
    /// Only at or after this instant.
    pub from: Option<Timestamp>,
    /// Only before this instant.
    pub to: Option<Timestamp>,
    /// Only of calls that came to this.
    pub outcome: Option<Outcome>,
    /// Only what this member of staff handled.
    pub agent: Option<AccountId>,
    /// Only conversations on this channel.
    pub channel: Option<Channel>,
    /// Hits of a page, 1 to 100; values outside count as the nearest.
    pub limit: usize,
    /// `next` of the page before.
    pub after: Option<String>,
}

/// A page of hits, best first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SearchPage {
    /// The hits.
    pub hits: Vec<SearchHit>,
    /// Where the next page begins; none when this was the last one.
    pub next: Option<String>,
    /// Number of the last event that the index has taken in.
    pub seq: u64,
}

/// Something found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SearchHit {
    /// What it stands for.
    pub kind: SearchKind,
    /// Identity within its kind.
    pub id: String,
    /// What it belongs to: a passage's document, a turn's call.
    pub parent: Option<String>,
    /// The call to open.
    pub call: Option<CallId>,
    /// When it happened or was made.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Where in the call's recording, in milliseconds after the call was answered.
    pub start_ms: Option<u64>,
    /// Heading, name or number.
    pub title: String,
    /// Language of the text.
    pub language: Option<Lang>,
    /// What the call came to.
    pub outcome: Option<Outcome>,
    /// The part of the text where the words stand closest together.
    pub snippet: String,
    /// The words found, as ranges of the snippet: first character and the one after the last, in Unicode
    /// characters.
    #[schema(value_type = Vec<Vec<u32>>)]
    pub highlights: Vec<(usize, usize)>,
    /// How well it fits; comparable within one query.
    pub score: f32,
}

/// A passage that may answer a question.
#[derive(Clone, Debug, PartialEq)]
pub struct PassageHit {
    /// The passage.
    pub passage: PassageId,
    /// BM25 over the question's words without stop words; comparable within one question only.
    pub score: f32,
    /// Share of the question's words (without stop words) that the passage or its heading has, 0 to 1.
    pub coverage: f32,
}
