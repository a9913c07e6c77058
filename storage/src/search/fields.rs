//! The fields of the index.

use super::analysis;
use super::document::SearchDocument;
use crate::codec::{self, Table};
use crate::error::StoreError;
use auricle_domain::code::Lang;
use tantivy::schema::{
    FAST, Field, INDEXED, IndexRecordOption, STORED, STRING, Schema, TextFieldIndexing, TextOptions,
};
use tantivy::tokenizer::TokenizerManager;
use tantivy::{TantivyDocument, Term};

/// How documents are kept in the index, for showing them.
pub(super) const STORED_DOCUMENT: Table = Table { id: 0, name: "search", version: 1 };
/// Characters of a title and of a text that are indexed: together they fit into a stored value.
const TITLE_CHARS_MAX: usize = 1_000;
const TEXT_CHARS_MAX: usize = 10_000;
/// Digits of a telephone number (E.164); of a longer stretch its end counts.
const NUMBER_DIGITS_MAX: usize = 15;
const PLAIN: &str = "plain";

/// The fields by what they hold.
#[derive(Clone)]
pub(super) struct Fields {
    /// `kind:id`.
    pub(super) key: Field,
    /// `kind:parent`.
    pub(super) parent: Field,
    pub(super) kind: Field,
    pub(super) language: Field,
    pub(super) outcome: Field,
    pub(super) agent: Field,
    pub(super) channel: Field,
    /// Milliseconds since 1970.
    pub(super) at: Field,
    pub(super) title: Field,
    /// The ends of the telephone numbers in the title.
    pub(super) number: Field,
    /// Title and text as written.
    pub(super) plain: Field,
    english: Field,
    spanish: Field,
    czech: Field,
    /// The whole [`SearchDocument`].
    pub(super) document: Field,
}

/// The schema and its fields.
pub(super) fn schema() -> (Schema, Fields) {
    let mut schema = Schema::builder();
    let text = |analyzer: &str| {
        let indexing = TextFieldIndexing::default()
            .set_tokenizer(analyzer)
            .set_index_option(IndexRecordOption::WithFreqsAndPositions);
        TextOptions::default().set_indexing_options(indexing)
    };
    let fields = Fields {
        key: schema.add_text_field("key", STRING),
        parent: schema.add_text_field("parent", STRING),
        kind: schema.add_text_field("kind", STRING),
        language: schema.add_text_field("language", STRING),
        outcome: schema.add_text_field("outcome", STRING),
        agent: schema.add_text_field("agent", STRING),
        channel: schema.add_text_field("channel", STRING),
        at: schema.add_i64_field("at", INDEXED | FAST),
        title: schema.add_text_field("title", text(PLAIN)),
        number: schema.add_text_field("number", STRING),
        plain: schema.add_text_field("plain", text(PLAIN)),
        english: schema.add_text_field("english", text(Lang::En.as_str())),
        spanish: schema.add_text_field("spanish", text(Lang::Es.as_str())),
        czech: schema.add_text_field("czech", text(Lang::Cs.as_str())),
        document: schema.add_bytes_field("document", STORED),
    };
    (schema.build(), fields)
}

/// Makes the analyzers known to an index under the names that the schema uses.
pub(super) fn register(tokenizers: &TokenizerManager) {
    tokenizers.register(PLAIN, analysis::plain());
    for language in Lang::ALL {
        tokenizers.register(language.as_str(), analysis::stemmed(*language));
    }
}

impl Fields {
    /// The field of a language's stems.
    pub(super) fn stems(&self, language: Lang) -> Field {
        match language {
            Lang::En => self.english,
            Lang::Es => self.spanish,
            Lang::Cs => self.czech,
        }
    }

    /// What names a document in the index.
    pub(super) fn key_term(&self, kind: &str, id: &str) -> Term {
        Term::from_field_text(self.key, &format!("{kind}:{id}"))
    }

    /// What names all documents of a kind that belong to a parent.
    pub(super) fn parent_term(&self, kind: &str, parent: &str) -> Term {
        Term::from_field_text(self.parent, &format!("{kind}:{parent}"))
    }

    /// A document as the index takes it.
    pub(super) fn indexed(&self, document: &SearchDocument) -> Result<TantivyDocument, StoreError> {
        let kind = document.kind.as_str();
        let mut document = document.clone();
        for (text, chars_max) in [(&mut document.title, TITLE_CHARS_MAX), (&mut document.text, TEXT_CHARS_MAX)] {
            if let Some((end, _)) = text.char_indices().nth(chars_max) {
                text.truncate(end);
            }
        }
        let mut indexed = TantivyDocument::default();
        indexed.add_text(self.key, format!("{kind}:{}", document.id));
        indexed.add_text(self.kind, kind);
        if let Some(parent) = &document.parent {
            indexed.add_text(self.parent, format!("{kind}:{parent}"));
        }
        if let Some(outcome) = document.outcome {
            indexed.add_text(self.outcome, outcome.as_str());
        }
        if let Some(agent) = document.agent {
            indexed.add_text(self.agent, agent.to_string());
        }
        if let Some(channel) = document.channel {
            indexed.add_text(self.channel, channel.as_str());
        }
        indexed.add_i64(self.at, document.at.as_millisecond());
        indexed.add_text(self.title, &document.title);
        for digits in analysis::numbers(&document.title) {
            let shortest = digits.len() - analysis::NUMBER_DIGITS_MIN;
            let longest = digits.len().saturating_sub(NUMBER_DIGITS_MAX);
            (longest..=shortest).for_each(|from| indexed.add_text(self.number, &digits[from..]));
        }
        let mut in_words = vec![self.plain];
        if let Some(language) = document.language {
            indexed.add_text(self.language, language.as_str());
            in_words.push(self.stems(language));
        }
        for field in in_words {
            indexed.add_text(field, &document.title);
            indexed.add_text(field, &document.text);
        }
        indexed.add_bytes(self.document, &codec::encode(STORED_DOCUMENT, &document)?);
        Ok(indexed)
    }
}
