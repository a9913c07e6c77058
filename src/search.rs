//! Finding what was said and written, while the call is still on (B-04).

pub mod rebuild;

use crate::app::App;
use crate::auth::May;
use crate::auth::permissions::Search;
use crate::error::Error;
use crate::page::{limit_of, text_of};
use crate::reasons;
use crate::search::rebuild::IndexProgress;
use auricle_domain::Timestamp;
use auricle_domain::call::Call;
use auricle_domain::code::{AccessReasons, Channel, Lang, Outcome};
use auricle_domain::contact::Contact;
use auricle_domain::id::{AccountId, CallId};
use auricle_storage::ReadTx;
use auricle_storage::search::{SearchHit, SearchKind, SearchQuery};
use serde::{Deserialize, Serialize};

/// What to search for.
#[derive(Clone, Debug, PartialEq, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct SearchInput {
    /// Words, all of which must be found, and "phrases in quotes"; 1 to 1,000 characters.
    pub q: String,
    /// This kind alone.
    #[serde(default)]
    #[param(inline)]
    pub kind: Option<SearchKind>,
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
    /// Handled by this member of staff alone: calls they were on and what was said in them, messages they took.
    #[serde(default)]
    pub agent: Option<AccountId>,
    /// On this channel alone: calls and what was said in them.
    #[serde(default)]
    #[param(inline)]
    pub channel: Option<Channel>,
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
    pub kind: SearchKind,
    /// Its identity; of a turn `<conversation>:<index>`.
    pub id: String,
    /// What it belongs to: a passage's document, a turn's call.
    pub parent: Option<String>,
    /// The call it belongs to.
    pub call: Option<CallId>,
    /// When it happened or was made.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Of a turn: where it begins, milliseconds after the call was answered.
    pub start_ms: Option<u64>,
    /// A line that names it: a person, a document, a service.
    pub title: String,
    /// The words around the match; empty of what was said in a past call, where the clinic asks why transcripts are read.
    pub snippet: String,
    /// Matches within `snippet`, as `[begin, end]` in characters, the end not included.
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
    /// How far the index has come while it was begun anew and has not taken in everything yet: something may be missing among the
    /// finds. Null otherwise.
    pub incomplete: Option<IndexProgress>,
}

/// Longest query, in characters.
const QUERY_CHARS_MAX: usize = 1_000;

/// Finds turns, calls, contacts, appointments, tasks and passages; that was searched is noted, not what for.
///
/// # Errors
/// `invalid` for a query or page that cannot be.
pub async fn search(app: &App, may: &May<Search>, input: SearchInput) -> Result<SearchPage, Error> {
    let text = text_of("q", &input.q, 1, QUERY_CHARS_MAX).map_err(|error| Error::fields(vec![error]))?;
    let query = SearchQuery {
        text,
        kinds: input.kind.into_iter().collect(),
        language: input.language,
        from: input.from,
        to: input.to,
        outcome: input.outcome,
        agent: input.agent,
        channel: input.channel,
        limit: limit_of(input.limit, 20, 100)?,
        after: input.after,
    };
    let answers = rebuild::answering(app);
    let incomplete = (answers.of - answers.done > rebuild::BEHIND_MAX).then_some(answers);
    let (search, store, reader) = (app.search.clone(), app.store.clone(), may.who().account);
    let found = tokio::task::spawn_blocking(move || {
        let page = search.query(&query)?;
        let hits = store.read(|tx| {
            let asks = reasons::asked(tx)?;
            page.hits.into_iter().map(|hit| show(tx, asks, reader, hit)).collect::<Result<_, Error>>()
        })?;
        Ok::<_, Error>(SearchPage { hits, next: page.next, seq: page.seq, incomplete })
    });
    let found = found.await.map_err(|error| Error::internal("search", &error))??;
    app.events.record_read(may.reading(), "search", "results").await?;
    Ok(found)
}

/// A hit as the API shows it. What was said is named by who called, and left out where the clinic asks why it is read: that it was
/// said, and when, remains.
fn show(tx: &ReadTx, asks: AccessReasons, reader: AccountId, hit: SearchHit) -> Result<Found, Error> {
    let SearchHit { kind, id, parent, call, at, start_ms, mut title, mut snippet, mut highlights, score, .. } = hit;
    if let Some(said_in) = call.filter(|_| kind == SearchKind::Turn || title.is_empty())
        && let Some(said_in) = tx.get::<Call>(&said_in)?
    {
        if title.is_empty() {
            title = caller(tx, &said_in)?;
        }
        if kind == SearchKind::Turn && !reasons::shows_words(asks, &said_in, reader) {
            (snippet, highlights) = (String::new(), Vec::new());
        }
    }
    Ok(Found { kind, id, parent, call, at, start_ms, title, snippet, highlights, score })
}

/// Who called: the contact's name where there is one, the number otherwise.
pub(crate) fn caller(tx: &ReadTx, call: &Call) -> Result<String, Error> {
    let contact = call.contact.map(|contact| tx.get::<Contact>(&contact)).transpose()?.flatten();
    let name = contact.map(|contact| contact.name).filter(|name| !name.is_empty());
    Ok(name.unwrap_or_else(|| call.from_number.clone()))
}
