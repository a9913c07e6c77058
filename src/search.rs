//! Finding what was said and written, while the call is still on (B-04).

use auricle_domain::Timestamp;
use auricle_domain::code::{Lang, Outcome};
use auricle_domain::id::CallId;
use serde::{Deserialize, Serialize};

/// What kind of record was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FoundKind {
    /// Something said in a call.
    Turn,
    /// A call.
    Call,
    /// A piece of the clinic's knowledge.
    Passage,
    /// A person the clinic knows.
    Contact,
    /// A booking.
    Appointment,
    /// Something a person owes.
    Task,
}

/// What to search for.
#[derive(Clone, Debug, PartialEq, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct SearchInput {
    /// Words, 1 to 1,000 characters. `"exact phrase"`, `word*` for beginnings, `-word` to leave out.
    pub q: String,
    /// This kind alone.
    #[serde(default)]
    #[param(inline)]
    pub kind: Option<FoundKind>,
    /// This language alone.
    #[serde(default)]
    #[param(inline)]
    pub language: Option<Lang>,
    /// At or after.
    #[serde(default)]
    #[param(value_type = Option<String>, format = DateTime)]
    pub from: Option<Timestamp>,
    /// Before.
    #[serde(default)]
    #[param(value_type = Option<String>, format = DateTime)]
    pub to: Option<Timestamp>,
    /// Of calls with this outcome alone.
    #[serde(default)]
    #[param(inline)]
    pub outcome: Option<Outcome>,
    /// `next` of the page before; none for the first page.
    #[serde(default)]
    pub after: Option<String>,
    /// Items of a page, 1 to 100; 20 unless told.
    #[serde(default)]
    #[param(minimum = 1, maximum = 100)]
    pub limit: Option<u32>,
}

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Found {
    /// What it is.
    pub kind: FoundKind,
    /// Its identity; of a turn `<conversation>:<index>`.
    pub id: String,
    /// The call it belongs to.
    pub call: Option<CallId>,
    /// When it happened or was made.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Of a turn: where it begins, milliseconds after the call was answered.
    pub start_ms: Option<u64>,
    /// A line that names it: a person, a document, a service.
    pub title: String,
    /// The words around the match.
    pub snippet: String,
    /// Matches within `snippet`, as `[begin, end)` in UTF-16 code units.
    pub highlights: Vec<(usize, usize)>,
    /// How well it fits; comparable within one answer.
    pub score: f32,
}

/// What was found, best first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SearchPage {
    /// The finds.
    pub hits: Vec<Found>,
    /// Give it as `after` to get the next page; null on the last page.
    pub next: Option<String>,
    /// The index knows every event up to this number.
    pub seq: u64,
}
