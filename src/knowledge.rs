//! What the receptionist may say: documents, their passages, and finding the right one (KB-01 to KB-05, KB-09).

mod cut;
mod library;

pub use library::{ANSWER_SCORE_MIN, Library};

use crate::app::App;
use crate::auth::May;
use crate::auth::permissions::{EditKnowledge, ReadKnowledge};
use crate::error::Error;
use crate::events::Writing;
use crate::page::{Checks, Page, PageQuery, cursor_of, limit_of, text_of};
use crate::{clinic, clock};
use auricle_domain::Timestamp;
use auricle_domain::code::{DocumentState, Lang, Role};
use auricle_domain::event::Event;
use auricle_domain::id::{DocumentId, PassageId};
use auricle_domain::knowledge::{CONTENT_CHARS_MAX, Document, NAME_CHARS_MAX, Passage};
use auricle_storage::{BlobId, ReadTx, Scan, schema};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// Longest name of a collection, in characters.
const NAMESPACE_CHARS_MAX: usize = 64;
/// Collection of documents unless told.
const NAMESPACE: &str = "general";
/// Passages written in one transaction: with their vectors they stay well below what a transaction may write.
const PASSAGES_AT_ONCE: usize = 100;
/// Longest question, in characters.
const QUESTION_CHARS_MAX: usize = 1_000;
/// Rows read at a time.
const ROWS: usize = 500;

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
    /// How well it fits, 0 to 1. The receptionist speaks from passages of at least 0.4.
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

/// Documents, newest first.
///
/// # Errors
/// `invalid` for a page that cannot be.
pub fn list(app: &App, _may: &May<ReadKnowledge>, query: &PageQuery) -> Result<Page<Document>, Error> {
    let scan = Scan::<Document>::table().newest_first().limit(query.limit()?).after(cursor_of(query.after.as_deref())?);
    Ok(Page::of(app.store.read(|tx| tx.scan(scan))?, |document| document))
}

/// One document with its text.
///
/// # Errors
/// `not_found`.
pub async fn get(app: &App, _may: &May<ReadKnowledge>, id: DocumentId) -> Result<DocumentWithContent, Error> {
    let document = app.store.read(|tx| known(tx, id))?;
    let blob = blob_of(&document)?;
    let blobs = app.store.blobs().clone();
    let read = tokio::task::spawn_blocking(move || blobs.get(blob)).await;
    let bytes = read.map_err(|error| Error::internal("read a document", &error))??;
    let content = String::from_utf8(bytes).map_err(|error| Error::internal("read a document", &error))?;
    Ok(DocumentWithContent { document, content })
}

/// Passages of live documents that fit a question, best first (KB-05).
///
/// # Errors
/// `invalid` for a question or a limit outside of its range.
pub async fn search(app: &App, _may: &May<ReadKnowledge>, query: PassageQuery) -> Result<PassageMatches, Error> {
    let question = text_of("q", &query.q, 1, QUESTION_CHARS_MAX).map_err(|error| Error::fields(vec![error]))?;
    let limit = limit_of(query.limit, 5, 20)?;
    let language = query.language.map_or_else(|| app.store.read(spoken), Ok)?;
    Ok(PassageMatches { items: app.library.find(question, language, limit).await? })
}

/// Adds a document. When this returns, answers can come from it (KB-03).
///
/// # Errors
/// `invalid` with every field at fault (KB-02); `forbidden` for a supervisor who would publish.
pub async fn create(
    app: &App,
    may: &May<EditKnowledge>,
    key: Option<&str>,
    input: DocumentInput,
) -> Result<Document, Error> {
    let id = clock::fresh(DocumentId::new, (app.clock)());
    let draft = Draft::of(app, may, input).await?;
    let op = may.op("knowledge.create", key);
    let _writing = app.library.writing().await;
    let passages = write(app, may, id, &draft).await?;
    let document = draft.document(id, (app.clock)());
    let added = app.events.commit(op, may.by(), move |tx| {
        let document = Document { created_at: tx.at(), updated_at: tx.at(), ..document.clone() };
        put(tx, document)
    });
    let added: Document = added.await?;
    if added.id != id {
        // The same key came before: what was prepared for a second document goes.
        undo(app, may, id, passages).await?;
    }
    app.library.searchable(app.store.head()).await;
    Ok(added)
}

/// Replaces all fields of a document. When this returns, answers come from the new text, and from the old one no more.
///
/// # Errors
/// `not_found`, `stale`; otherwise as [`create`].
pub async fn replace(
    app: &App,
    may: &May<EditKnowledge>,
    id: DocumentId,
    version: u64,
    input: DocumentInput,
) -> Result<Document, Error> {
    let draft = Draft::of(app, may, input).await?;
    let _writing = app.library.writing().await;
    let old = app.store.read(|tx| known(tx, id))?;
    if old.version != version {
        return Err(Error::stale("document", version, old.version));
    }
    publishes(may, old.state)?;
    let passages = write(app, may, id, &draft).await?;
    let (document, keep) = (draft.document(id, (app.clock)()), passages.clone());
    let changed = app.events.commit(clock::op(), may.by(), move |tx| {
        let old = known(tx, id)?;
        if old.version != version {
            return Err(Error::stale("document", version, old.version));
        }
        remove_passages(tx, id, |passage| !keep.contains(&passage))?;
        let document = Document { created_at: old.created_at, updated_at: tx.at(), version, ..document.clone() };
        put(tx, document)
    });
    let changed = match changed.await {
        Ok(changed) => changed,
        Err(error) => {
            undo(app, may, id, passages).await?;
            return Err(error);
        }
    };
    forget_content(app, &old).await?;
    app.library.searchable(app.store.head()).await;
    Ok(changed)
}

/// Removes a document and its passages. When this returns, no answer comes from it.
///
/// # Errors
/// `not_found`, `stale`; `forbidden` for a supervisor when it is live.
pub async fn remove(app: &App, may: &May<EditKnowledge>, id: DocumentId, version: u64) -> Result<(), Error> {
    let _writing = app.library.writing().await;
    let old = app.store.read(|tx| known(tx, id))?;
    publishes(may, old.state)?;
    let removed = app.events.commit_essential(clock::op(), may.by(), move |tx| {
        let document = known(tx, id)?;
        if document.version != version {
            return Err(Error::stale("document", version, document.version));
        }
        remove_passages(tx, id, |_| true)?;
        tx.delete::<Document>(&id)?;
        tx.event(Event::DocumentRemoved { document: id });
        Ok(())
    });
    removed.await?;
    forget_content(app, &old).await?;
    app.library.searchable(app.store.head()).await;
    Ok(())
}

/// A document that has been checked and cut, before it is written.
struct Draft {
    name: String,
    namespace: String,
    language: Lang,
    state: DocumentState,
    content: String,
    pieces: Vec<cut::Piece>,
    vectors: Vec<Vec<f32>>,
}

impl Draft {
    async fn of(app: &App, may: &May<EditKnowledge>, input: DocumentInput) -> Result<Self, Error> {
        let mut checks = Checks::default();
        let name = checks.text("name", &input.name, 1, NAME_CHARS_MAX);
        let content = checks.text("content", &input.content, 1, CONTENT_CHARS_MAX);
        let namespace = input.namespace.unwrap_or_else(|| NAMESPACE.to_owned());
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let good = (1..=NAMESPACE_CHARS_MAX).contains(&namespace.len()) && namespace.chars().all(allowed);
        checks.require(good, "namespace", "format", || "namespace must have 1 to 64 of a-z, 0-9 and -".to_owned());
        checks.done()?;
        let unless_told = if may.who().role == Role::Admin { DocumentState::Live } else { DocumentState::Draft };
        let state = input.state.unwrap_or(unless_told);
        publishes(may, state)?;
        let language = input.language.map_or_else(|| app.store.read(spoken), Ok)?;
        let library = app.library.clone();
        let prepared = tokio::task::spawn_blocking(move || {
            let pieces = cut::cut(&name, &content);
            let vectors =
                library.embed(pieces.iter().map(|piece| format!("{}\n{}", piece.heading, piece.text)).collect())?;
            Ok(Self { name, namespace, language, state, content, pieces, vectors })
        });
        prepared.await.map_err(|error| Error::internal("cut a document into passages", &error))?
    }

    fn document(&self, id: DocumentId, now: Timestamp) -> Document {
        let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        Document {
            id,
            name: self.name.clone(),
            namespace: self.namespace.clone(),
            language: self.language,
            state: self.state,
            content_chars: count(self.content.chars().count()),
            content_sha256: BlobId::of(self.content.as_bytes()).name(),
            passages: count(self.pieces.len()),
            created_at: now,
            updated_at: now,
            version: 0,
        }
    }
}

/// What callers hear, an administrator decides.
fn publishes(may: &May<EditKnowledge>, state: DocumentState) -> Result<(), Error> {
    if state == DocumentState::Live && may.who().role != Role::Admin {
        return Err(Error::forbidden("publish knowledge, or change what is published: save it as a draft"));
    }
    Ok(())
}

/// Writes a draft's content and passages. Nobody sees them before the document's own record says that they are there.
async fn write(
    app: &App,
    may: &May<EditKnowledge>,
    id: DocumentId,
    draft: &Draft,
) -> Result<HashSet<PassageId>, Error> {
    let (blobs, content) = (app.store.blobs().clone(), draft.content.clone());
    let written = tokio::task::spawn_blocking(move || blobs.put(BlobId::of(content.as_bytes()), content.as_bytes()));
    written.await.map_err(|error| Error::internal("keep a document", &error))??;
    let now = (app.clock)();
    let mut passages: Vec<Passage> = Vec::with_capacity(draft.pieces.len());
    for (index, (piece, vector)) in draft.pieces.iter().zip(&draft.vectors).enumerate() {
        passages.push(Passage {
            id: clock::fresh(PassageId::new, now),
            document: id,
            index: u32::try_from(index).unwrap_or(u32::MAX),
            heading: piece.heading.clone(),
            text: piece.text.clone(),
            language: draft.language,
            vector: vector.clone(),
        });
    }
    for some in passages.chunks(PASSAGES_AT_ONCE) {
        let some = some.to_vec();
        let written = app
            .events
            .commit(clock::op(), may.by(), move |tx| some.iter().try_for_each(|passage| Ok(tx.put(passage)?)));
        written.await?;
    }
    Ok(passages.iter().map(|passage| passage.id).collect())
}

/// Removes passages that were written for nothing.
async fn undo(app: &App, may: &May<EditKnowledge>, id: DocumentId, passages: HashSet<PassageId>) -> Result<(), Error> {
    app.events
        .commit_essential(clock::op(), may.by(), move |tx| {
            remove_passages(tx, id, |passage| passages.contains(&passage))
        })
        .await
}

/// Removes those passages of a document of which `which` says so. Nothing but keys is written, so even the longest document's
/// fit one transaction, and no reader ever finds the passages of two versions.
fn remove_passages(tx: &mut Writing<'_>, id: DocumentId, which: impl Fn(PassageId) -> bool) -> Result<(), Error> {
    let all = passages(tx, id)?;
    for passage in all.iter().map(|passage| passage.id).filter(|passage| which(*passage)) {
        tx.delete::<Passage>(&passage)?;
    }
    Ok(())
}

/// The passages of a document, in order.
///
/// # Errors
/// When the store fails.
pub(crate) fn passages(tx: &ReadTx, document: DocumentId) -> Result<Vec<Passage>, Error> {
    let (mut passages, mut after) = (Vec::new(), None);
    loop {
        let page = tx.scan(Scan::index(schema::PASSAGES_BY_DOCUMENT).prefix(document).after(after).limit(ROWS))?;
        passages.extend(page.items);
        after = page.next;
        if after.is_none() {
            return Ok(passages);
        }
    }
}

/// Removes the content of a document that is gone or has another one now, unless another document has the same.
async fn forget_content(app: &App, old: &Document) -> Result<(), Error> {
    let blob = blob_of(old)?;
    let is_used = app.store.read(|tx| {
        let mut after = None;
        loop {
            let page = tx.scan(Scan::<Document>::table().after(after).limit(ROWS))?;
            if page.items.iter().any(|other| other.content_sha256 == old.content_sha256) {
                return Ok::<_, Error>(true);
            }
            after = page.next;
            if after.is_none() {
                return Ok(false);
            }
        }
    })?;
    if !is_used {
        let blobs = app.store.blobs().clone();
        let removed = tokio::task::spawn_blocking(move || blobs.delete(blob));
        removed.await.map_err(|error| Error::internal("remove a document's content", &error))??;
    }
    Ok(())
}

fn blob_of(document: &Document) -> Result<BlobId, Error> {
    BlobId::from_sha256(&document.content_sha256)
        .ok_or_else(|| Error::internal("find a document's content", &"its hash is none"))
}

fn known(tx: &ReadTx, id: DocumentId) -> Result<Document, Error> {
    tx.get(&id)?.ok_or_else(|| Error::not_found("document"))
}

/// The language the clinic answers in.
fn spoken(tx: &ReadTx) -> Result<Lang, Error> {
    Ok(clinic::known(tx)?.languages.first().copied().unwrap_or(Lang::En))
}

fn put(tx: &mut Writing<'_>, mut document: Document) -> Result<Document, Error> {
    document.version += 1;
    tx.put(&document)?;
    tx.event(Event::DocumentChanged { document: document.id });
    Ok(document)
}
