//! Full-text search: a follower of the change feed.
//!
//! The index is derived. Its place in the feed lies in its own commits, so that a crash never leaves documents
//! without their number or a number without its documents: whoever feeds it goes on from [`Search::cursor`].
//! When it is missing, damaged or of another format, it begins again from nothing at number 0, also while it is open
//! ([`Search::reset`]). Another one can be built beside it and take its place while it answers ([`Search::beside`]). Its files
//! are sealed.

mod analysis;
mod czech;
mod document;
mod fields;
mod query;
mod replace;
mod sealed;
mod snippet;
#[cfg(test)]
mod tests;

pub use document::{PassageHit, SearchChange, SearchDocument, SearchHit, SearchKind, SearchPage, SearchQuery};
pub use sealed::SearchKey;

use crate::codec;
use crate::error::StoreError;
use crate::files;
use auricle_domain::code::Lang;
use fields::{Fields, STORED_DOCUMENT};
use query::Wanted;
use sealed::{Damage, SealedDirectory};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tantivy::collector::TopDocs;
use tantivy::directory::MmapDirectory;
use tantivy::directory::error::{OpenReadError, OpenWriteError};
use tantivy::query::{BooleanQuery, Occur, Query};
use tantivy::schema::Value;
use tantivy::{
    DocAddress, Index, IndexReader, IndexWriter, Order, ReloadPolicy, Searcher, TantivyDocument, TantivyError,
};
use tokio::sync::watch;

/// Memory for documents that are not committed yet; the least that the index allows is 15 MB.
const WRITER_BYTES: usize = 20_000_000;
/// Hits of a page.
const LIMIT_MAX: usize = 100;
/// Hits that can be paged through; who has not found it by then asks otherwise.
const DEPTH_MAX: usize = 10_000;

/// The search index. Cheap to clone.
#[derive(Clone)]
pub struct Search(Arc<Inner>);

struct Inner {
    directory: PathBuf,
    /// None only of an index that is not sealed.
    key: Option<SearchKey>,
    fields: Fields,
    /// None after a reset that failed; the next one begins there.
    writer: Mutex<Option<IndexWriter>>,
    reader: RwLock<IndexReader>,
    cursor: AtomicU64,
    damage: Damage,
}

/// What opening an index gives.
struct Parts {
    fields: Fields,
    writer: IndexWriter,
    reader: IndexReader,
    cursor: u64,
}

fn failed(attempt: &'static str) -> impl Fn(TantivyError) -> StoreError {
    move |error| StoreError::Search { attempt, reason: error.to_string() }
}

/// Whether a failure says that the files are not what was written; a full disk, for one, does not.
fn is_damage(error: &TantivyError) -> bool {
    let kind = |error: &io::Error| {
        matches!(error.kind(), ErrorKind::NotFound | ErrorKind::InvalidData | ErrorKind::UnexpectedEof)
    };
    match error {
        TantivyError::DataCorruption(_) => true,
        TantivyError::OpenReadError(OpenReadError::IoError { io_error, .. }) => kind(io_error),
        TantivyError::OpenReadError(_) => true,
        TantivyError::OpenWriteError(OpenWriteError::IoError { io_error, .. }) => kind(io_error),
        TantivyError::IoError(io_error) => kind(io_error),
        _ => false,
    }
}

impl Search {
    /// Opens the index in a directory of its own; one that is missing, damaged or of another format is begun
    /// anew, and its cursor is 0.
    ///
    /// # Errors
    /// When another process has it open, or the disk fails.
    pub fn open(directory: &Path, key: &SearchKey) -> Result<Self, StoreError> {
        replace::clear(directory)?;
        files::create_directory(directory)?;
        let damage = Damage::default();
        let parts = match open_parts(directory, Some(key), &damage) {
            Ok(parts) => parts,
            Err(error @ TantivyError::LockFailure(..)) => return Err(failed("locking")(error)),
            Err(error) => {
                tracing::warn!(%error, "the search index cannot be used and is built again");
                begin_anew(directory, Some(key), &damage)?
            }
        };
        Ok(Self::of(parts, directory, Some(key), damage))
    }

    /// Opens an index whose files are not sealed: only the benchmark compares with it, no clinic's words may go there.
    ///
    /// # Errors
    /// When it is damaged or in use, or the disk fails.
    #[doc(hidden)]
    pub fn open_unsealed(directory: &Path) -> Result<Self, StoreError> {
        files::create_directory(directory)?;
        let damage = Damage::default();
        let parts = open_parts(directory, None, &damage).map_err(failed("opening"))?;
        Ok(Self::of(parts, directory, None, damage))
    }

    fn of(parts: Parts, directory: &Path, key: Option<&SearchKey>, damage: Damage) -> Self {
        Self(Arc::new(Inner {
            directory: directory.to_owned(),
            key: key.cloned(),
            fields: parts.fields,
            writer: Mutex::new(Some(parts.writer)),
            reader: RwLock::new(parts.reader),
            cursor: AtomicU64::new(parts.cursor),
            damage,
        }))
    }

    /// Throws the index away and begins it from nothing at number 0, for all who have it open. What is asked until
    /// events were taken in again finds less. Waits for merges that are on, which takes seconds at most.
    ///
    /// # Errors
    /// When the disk fails; then nothing can be applied until a later reset succeeds.
    pub fn reset(&self) -> Result<(), StoreError> {
        let mut writer = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner);
        // A merge that goes on would write into the new directory.
        if let Some(Err(error)) = writer.take().map(IndexWriter::wait_merging_threads) {
            tracing::warn!(%error, "the search index that is thrown away did not end well");
        }
        self.0.cursor.store(0, Ordering::Release);
        let parts = begin_anew(&self.0.directory, self.0.key.as_ref(), &self.0.damage)?;
        *self.0.reader.write().unwrap_or_else(PoisonError::into_inner) = parts.reader;
        *writer = Some(parts.writer);
        Ok(())
    }

    /// Whether the index was found damaged and needs a [`Search::reset`]; it can be waited for.
    pub fn damage(&self) -> watch::Receiver<bool> {
        self.0.damage.watch()
    }

    fn searcher(&self) -> Searcher {
        self.0.reader.read().unwrap_or_else(PoisonError::into_inner).searcher()
    }

    /// An error in words, and a note when it means damage.
    fn failed(&self, attempt: &'static str) -> impl Fn(TantivyError) -> StoreError + '_ {
        move |error| {
            if is_damage(&error) {
                self.0.damage.found();
            }
            failed(attempt)(error)
        }
    }

    /// Number of the last event that the index has taken in.
    pub fn cursor(&self) -> u64 {
        self.0.cursor.load(Ordering::Acquire)
    }

    /// Applies changes in order and commits them together with the number of the last event they come from.
    /// Applying them again changes nothing. A commit takes tens of milliseconds: put what there is into one.
    ///
    /// # Errors
    /// When the disk fails; then none of the changes is there, and the cursor is where it was.
    pub fn apply(&self, changes: Vec<SearchChange>, cursor: u64) -> Result<(), StoreError> {
        let mut guard = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(writer) = guard.as_mut() else {
            let reason = "the index was thrown away and could not be begun anew yet".to_owned();
            return Err(StoreError::Search { attempt: "applying changes", reason });
        };
        if let Err(error) = self.write(writer, changes, cursor) {
            if let Err(error) = writer.rollback() {
                tracing::error!(%error, "the search index could not be rolled back");
                // A writer that could not go back is of no more use.
                *guard = None;
                self.0.damage.found();
            }
            return Err(error);
        }
        self.0.reader.read().unwrap_or_else(PoisonError::into_inner).reload().map_err(self.failed("reloading"))?;
        self.0.cursor.store(cursor, Ordering::Release);
        Ok(())
    }

    fn write(&self, writer: &mut IndexWriter, changes: Vec<SearchChange>, cursor: u64) -> Result<(), StoreError> {
        let fields = &self.0.fields;
        for change in changes {
            match change {
                SearchChange::Put(document) => {
                    writer.delete_term(fields.key_term(document.kind.as_str(), &document.id));
                    writer.add_document(fields.indexed(&document)?).map_err(self.failed("adding"))?;
                }
                SearchChange::Remove { kind, id } => {
                    writer.delete_term(fields.key_term(kind.as_str(), &id));
                }
                SearchChange::RemoveChildren { kind, parent } => {
                    writer.delete_term(fields.parent_term(kind.as_str(), &parent));
                }
            }
        }
        let mut commit = writer.prepare_commit().map_err(self.failed("preparing a commit"))?;
        commit.set_payload(&write_cursor(cursor));
        commit.commit().map_err(self.failed("committing"))?;
        Ok(())
    }

    /// A page of hits.
    ///
    /// # Errors
    /// [`StoreError::BadCursor`] for an `after` that is not one of ours; otherwise when the disk fails.
    pub fn query(&self, query: &SearchQuery) -> Result<SearchPage, StoreError> {
        let seq = self.cursor();
        let limit = query.limit.clamp(1, LIMIT_MAX);
        let offset: usize = query.after.as_deref().map_or(Ok(0), str::parse).map_err(|_| StoreError::BadCursor)?;
        let wanted = Wanted::of(&query.text, query.language);
        let asked = !query.text.trim().is_empty();
        if offset > DEPTH_MAX || (asked && wanted.is_empty()) {
            return Ok(SearchPage { hits: Vec::new(), next: None, seq });
        }
        let fields = &self.0.fields;
        let base = if asked { wanted.query(fields) } else { query::everything() };
        let mut clauses = query::filters(fields, query);
        clauses.push((Occur::Must, base));
        let searcher = self.searcher();
        let mut found =
            top(&searcher, &BooleanQuery::new(clauses), asked, offset, limit + 1).map_err(self.failed("searching"))?;
        let more = found.len() > limit && offset + limit <= DEPTH_MAX;
        found.truncate(limit);
        let hits =
            found.into_iter().map(|(score, at)| self.hit(&searcher, at, score, &wanted)).collect::<Result<_, _>>()?;
        Ok(SearchPage { hits, next: more.then(|| (offset + limit).to_string()), seq })
    }

    /// The passages, at most 100, that may answer a question, best first. With a language, only those in it.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn passages(&self, text: &str, language: Option<Lang>, limit: usize) -> Result<Vec<PassageHit>, StoreError> {
        let wanted = Wanted::of(&text.replace('"', " "), language).without_stop_words();
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let fields = &self.0.fields;
        let only = SearchQuery { kinds: vec![SearchKind::Passage], language, ..SearchQuery::default() };
        let mut clauses = query::filters(fields, &only);
        clauses.push((Occur::Must, wanted.any_stem(fields)));
        let searcher = self.searcher();
        let found = top(&searcher, &BooleanQuery::new(clauses), true, 0, limit.clamp(1, LIMIT_MAX))
            .map_err(self.failed("searching"))?;
        let mut hits = Vec::with_capacity(found.len());
        for (score, at) in found {
            let document = self.document(&searcher, at)?;
            // An id that is no passage's is none we have written.
            let Ok(passage) = document.id.parse() else { continue };
            hits.push(PassageHit { passage, score, coverage: coverage(&document, &wanted) });
        }
        Ok(hits)
    }

    fn document(&self, searcher: &Searcher, at: DocAddress) -> Result<SearchDocument, StoreError> {
        let stored: TantivyDocument = searcher.doc(at).map_err(self.failed("reading a document"))?;
        let bytes = stored.get_first(self.0.fields.document).and_then(|value| value.as_bytes()).unwrap_or_default();
        codec::decode(STORED_DOCUMENT, bytes)
    }

    fn hit(&self, searcher: &Searcher, at: DocAddress, score: f32, wanted: &Wanted) -> Result<SearchHit, StoreError> {
        let document = self.document(searcher, at)?;
        let SearchDocument { kind, id, parent, call, at, start_ms, title, text, language, outcome, .. } = document;
        let snippet::Snippet { text: snippet, highlights } = snippet::cut(&text, language, wanted);
        Ok(SearchHit { kind, id, parent, call, at, start_ms, title, language, outcome, snippet, highlights, score })
    }
}

fn open_parts(directory: &Path, key: Option<&SearchKey>, damage: &Damage) -> Result<Parts, TantivyError> {
    let (schema, fields) = fields::schema();
    let index = match key {
        Some(key) => Index::open_or_create(SealedDirectory::open(directory, key, damage.clone())?, schema)?,
        None => Index::open_or_create(MmapDirectory::open(directory)?, schema)?,
    };
    fields::register(index.tokenizers());
    let cursor = read_cursor(index.load_metas()?.payload.as_deref())?;
    let writer = index.writer_with_num_threads(1, WRITER_BYTES)?;
    let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
    Ok(Parts { fields, writer, reader, cursor })
}

/// Opens an empty index where there was one, or none any more.
fn begin_anew(directory: &Path, key: Option<&SearchKey>, damage: &Damage) -> Result<Parts, StoreError> {
    match std::fs::remove_dir_all(directory) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(StoreError::io("removing the search index", directory, &error));
        }
        _ => files::create_directory(directory)?,
    }
    damage.forget();
    open_parts(directory, key, damage).map_err(|error| {
        damage.found();
        failed("opening")(error)
    })
}

/// The best documents by score, or, where nothing is scored, the newest.
fn top(
    searcher: &Searcher,
    query: &dyn Query,
    by_score: bool,
    offset: usize,
    limit: usize,
) -> Result<Vec<(f32, DocAddress)>, TantivyError> {
    let top = TopDocs::with_limit(limit).and_offset(offset);
    if by_score {
        return searcher.search(query, &top.order_by_score());
    }
    let newest = searcher.search(query, &top.order_by_fast_field::<i64>("at", Order::Desc))?;
    Ok(newest.into_iter().map(|(_, at)| (0.0, at)).collect())
}

/// Share of what was asked that a passage and its heading have.
fn coverage(document: &SearchDocument, wanted: &Wanted) -> f32 {
    let text = format!("{}\n{}", document.title, document.text);
    let words = analysis::words(analysis::plain(), &text);
    let stems = document.language.map(|language| (language, analysis::words(analysis::stemmed(language), &text)));
    let mut found: Vec<usize> = words
        .iter()
        .enumerate()
        .filter_map(|(at, word)| {
            let stem = stems.as_ref().and_then(|(language, stems)| Some((*language, stems.get(at)?.text.as_str())));
            wanted.matches(&word.text, stem)
        })
        .collect();
    found.sort_unstable();
    found.dedup();
    found.len() as f32 / wanted.len() as f32
}

/// The payload of a commit: the version of the analysis, and the number of the last event.
fn write_cursor(cursor: u64) -> String {
    format!("{}:{cursor}", analysis::VERSION)
}

fn read_cursor(payload: Option<&str>) -> Result<u64, TantivyError> {
    let Some(payload) = payload else { return Ok(0) };
    payload
        .split_once(':')
        .filter(|(version, _)| *version == analysis::VERSION.to_string())
        .and_then(|(_, cursor)| cursor.parse().ok())
        .ok_or_else(|| TantivyError::SchemaError("it was written by another version of the analysis".to_owned()))
}
