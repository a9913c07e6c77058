//! Finding the passage that answers a question: full-text ranking and similarity of vectors, fused into one score (KB-05).

use super::{PassageMatch, passages};
use crate::error::Error;
use crate::providers::Embed;
use auricle_domain::code::{DocumentState, Lang};
use auricle_domain::id::{DocumentId, PassageId};
use auricle_domain::knowledge::{Document, Passage};
use auricle_storage::{Scan, Search, Store};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::{Mutex, MutexGuard, watch};

/// The receptionist speaks from passages that fit at least this well; below it, the clinic's knowledge has no answer.
/// Measured on the questions of `tests/knowledge.rs`: those that have an answer came to 0.42 and more, others to 0.24 at most.
pub const ANSWER_SCORE_MIN: f32 = 0.4;
/// Candidates that each way of ranking brings.
const CANDIDATES: usize = 20;
/// Weight of the share of the question's words that a passage has; the rest is similarity.
const COVERAGE_WEIGHT: f32 = 0.75;
/// Similarity that counts as full: a short question is never as long as its answer.
const SIMILARITY_FULL: f32 = 0.5;
/// Texts embedded at a time.
const EMBEDDED_AT_ONCE: usize = 64;
/// Longest wait for the index to have taken in a change. Later the change is found as well, only not yet.
const INDEXED_WITHIN: Duration = Duration::from_secs(10);

/// What the clinic knows, ready to be asked. Cheap to clone.
#[derive(Clone)]
pub struct Library(Arc<Inner>);

struct Inner {
    store: Store,
    search: Search,
    embed: Option<Arc<dyn Embed>>,
    shelf: RwLock<Shelf>,
    writing: Mutex<()>,
    indexed: watch::Sender<u64>,
}

/// The vectors of live passages. They are small enough to be compared one by one: thousands in a millisecond.
#[derive(Default)]
struct Shelf {
    places: HashMap<PassageId, Place>,
    generation: u64,
}

struct Place {
    document: DocumentId,
    language: Lang,
    vector: Vec<f32>,
}

impl Library {
    /// Over this store and its index. Reads the vectors of live passages.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn open(store: Store, search: Search, embed: Option<Arc<dyn Embed>>) -> Result<Self, Error> {
        let (generation, indexed) = (store.head(), watch::Sender::new(search.cursor()));
        let shelf = RwLock::new(Shelf { generation, ..Shelf::default() });
        let library = Self(Arc::new(Inner { store, search, embed, shelf, writing: Mutex::default(), indexed }));
        let mut after = None;
        loop {
            let page = library.0.store.read(|tx| tx.scan(Scan::<Document>::table().after(after.clone()).limit(500)))?;
            for document in &page.items {
                library.refresh(document.id, generation)?;
            }
            after = page.next;
            if after.is_none() {
                return Ok(library);
            }
        }
    }

    /// Takes in a document as it is now: changed, or gone. `seq` is the event's number.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn refresh(&self, id: DocumentId, seq: u64) -> Result<(), Error> {
        let passages = self.0.store.read(|tx| match tx.get::<Document>(&id)? {
            Some(document) if document.state == DocumentState::Live => passages(tx, id),
            _ => Ok(Vec::new()),
        })?;
        let mut shelf = self.0.shelf.write().unwrap_or_else(PoisonError::into_inner);
        shelf.places.retain(|_, place| place.document != id);
        let place =
            |passage: Passage| (passage.id, Place { document: id, language: passage.language, vector: passage.vector });
        shelf.places.extend(passages.into_iter().map(place));
        shelf.generation = shelf.generation.max(seq);
        Ok(())
    }

    /// Says that words callers may use have changed with event `seq`: services, the clinic.
    pub fn touch(&self, seq: u64) {
        let mut shelf = self.0.shelf.write().unwrap_or_else(PoisonError::into_inner);
        shelf.generation = shelf.generation.max(seq);
    }

    /// Headings and texts of live passages in a language, older documents first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn texts(&self, language: Lang) -> Result<Vec<String>, Error> {
        let mut ids: Vec<PassageId> = {
            let shelf = self.0.shelf.read().unwrap_or_else(PoisonError::into_inner);
            shelf.places.iter().filter(|(_, place)| place.language == language).map(|(id, _)| *id).collect()
        };
        ids.sort_unstable();
        self.0.store.read(|tx| {
            let read = ids.iter().filter_map(|id| tx.get::<Passage>(id).transpose());
            read.map(|passage| {
                passage.map(|passage| format!("{}\n{}", passage.heading, passage.text)).map_err(Error::from)
            })
            .collect()
        })
    }

    /// Grows with every change of knowledge and services.
    pub fn generation(&self) -> u64 {
        self.0.shelf.read().unwrap_or_else(PoisonError::into_inner).generation
    }

    /// Changes of knowledge wait for each other: they are rare, and two documents may share their content.
    pub(super) async fn writing(&self) -> MutexGuard<'_, ()> {
        self.0.writing.lock().await
    }

    /// The vectors of these texts; empty ones without an embedder. Blocks.
    pub(super) fn embed(&self, texts: Vec<String>) -> Result<Vec<Vec<f32>>, Error> {
        let Some(embed) = &self.0.embed else { return Ok(vec![Vec::new(); texts.len()]) };
        let mut vectors = Vec::with_capacity(texts.len());
        for some in texts.chunks(EMBEDDED_AT_ONCE) {
            vectors.extend(embed.embed(some).map_err(|error| Error::internal("embed a document", &error))?);
        }
        Ok(vectors)
    }

    /// Says that the index has taken in all events up to `seq`.
    pub(crate) fn indexed(&self, seq: u64) {
        self.0.indexed.send_if_modified(|known| {
            let grown = seq > *known;
            *known = seq.max(*known);
            grown
        });
    }

    /// Waits until the index has taken in event `seq`.
    pub(super) async fn searchable(&self, seq: u64) {
        let mut indexed = self.0.indexed.subscribe();
        let waited = tokio::time::timeout(INDEXED_WITHIN, indexed.wait_for(|known| *known >= seq)).await;
        if waited.is_err() {
            tracing::warn!(seq, "the search index is late; the change will be found once it has caught up");
        }
    }

    /// Passages of live documents in `language` that fit a question, best first.
    ///
    /// # Errors
    /// When the store or the index cannot be read.
    pub async fn find(&self, question: String, language: Lang, limit: usize) -> Result<Vec<PassageMatch>, Error> {
        let library = self.clone();
        let found = tokio::task::spawn_blocking(move || library.find_now(question, language, limit)).await;
        found.map_err(|error| Error::internal("search the knowledge", &error))?
    }

    fn find_now(&self, question: String, language: Lang, limit: usize) -> Result<Vec<PassageMatch>, Error> {
        let ranked = self.0.search.passages(&question, Some(language), CANDIDATES)?;
        let mut coverage: HashMap<PassageId, f32> = ranked.iter().map(|hit| (hit.passage, hit.coverage)).collect();
        let vector = self.embed(vec![question])?.pop().unwrap_or_default();
        let mut scores: Vec<(PassageId, f32)> = {
            let shelf = self.0.shelf.read().unwrap_or_else(PoisonError::into_inner);
            let spoken = shelf.places.iter().filter(|(_, place)| place.language == language);
            let mut similar: Vec<(PassageId, f32)> =
                spoken.map(|(id, place)| (*id, dot(&vector, &place.vector))).collect();
            similar.sort_by(|a, b| b.1.total_cmp(&a.1));
            let nearest = similar.iter().take(CANDIDATES).map(|(id, _)| *id);
            for id in nearest {
                coverage.entry(id).or_insert(0.0);
            }
            let candidates =
                similar.into_iter().filter_map(|(id, similarity)| Some((id, coverage.get(&id)?, similarity)));
            candidates.map(|(id, coverage, similarity)| (id, fused(*coverage, similarity))).collect()
        };
        scores.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        scores.truncate(limit);
        self.0.store.read(|tx| {
            let mut matches = Vec::with_capacity(scores.len());
            for (id, score) in scores {
                let Some(passage) = tx.get::<Passage>(&id)? else { continue };
                let Some(document) = tx.get::<Document>(&passage.document)? else { continue };
                let Passage { heading, text, .. } = passage;
                matches.push(PassageMatch {
                    passage: id,
                    document: document.id,
                    name: document.name,
                    heading,
                    text,
                    score,
                });
            }
            Ok(matches)
        })
    }
}

/// One score of 0 to 1.
fn fused(coverage: f32, similarity: f32) -> f32 {
    COVERAGE_WEIGHT * coverage + (1.0 - COVERAGE_WEIGHT) * (similarity / SIMILARITY_FULL).clamp(0.0, 1.0)
}

fn dot(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}
