//! From the words of a person to a query of the index.

use super::analysis;
use super::document::{SearchKind, SearchQuery};
use super::fields::Fields;
use auricle_domain::Timestamp;
use auricle_domain::code::Lang;
use std::ops::Bound;
use tantivy::Term;
use tantivy::query::{
    AllQuery, BooleanQuery, BoostQuery, ConstScoreQuery, FuzzyTermQuery, Occur, PhraseQuery, Query, RangeQuery,
    TermQuery,
};
use tantivy::schema::{Field, IndexRecordOption};

/// Words and phrases of a query; more are ignored.
const WANTED_MAX: usize = 16;
/// Letters from which on a word may be misspelt in one place, and in two.
const TYPO_LETTERS: usize = 5;
const TWO_TYPOS_LETTERS: usize = 9;
/// What a hit in each way weighs, against 1 for the stem.
const WEIGHT_EXACT: f32 = 0.5;
const WEIGHT_TITLE: f32 = 1.5;
const WEIGHT_TYPO: f32 = 0.2;

/// One thing that is looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Item {
    Word { plain: String, stems: Vec<(Lang, String)>, stop: bool },
    Phrase(Vec<String>),
}

/// All that is looked for, once taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    items: Vec<Item>,
    /// The digits, when all that is looked for is a telephone number.
    number: Option<String>,
}

impl Wanted {
    /// Takes a query apart: quotes make phrases, everything else is words.
    pub(super) fn of(text: &str, language: Option<Lang>) -> Self {
        let mut items = Vec::new();
        for (at, part) in text.split('"').enumerate() {
            let words = analysis::words(analysis::plain(), part);
            // Between the first and the second quote, the third and the fourth, and so on.
            if at % 2 == 1 && words.len() > 1 {
                items.push(Item::Phrase(words.into_iter().map(|word| word.text).collect()));
                continue;
            }
            items.extend(words.into_iter().map(|word| {
                let languages: &[Lang] = language.as_ref().map_or(Lang::ALL, std::slice::from_ref);
                let stem = |language: &Lang| {
                    let stem = analysis::words(analysis::stemmed(*language), &word.text).into_iter().next();
                    stem.map(|stem| (*language, stem.text))
                };
                let stop = languages.iter().any(|language| analysis::is_stop_word(*language, &word.text));
                Item::Word { stems: languages.iter().filter_map(stem).collect(), plain: word.text, stop }
            }));
        }
        items.truncate(WANTED_MAX);
        let number = if text.chars().any(char::is_alphabetic) { None } else { analysis::numbers(text).next() };
        Self { items, number }
    }

    /// Without words that say nothing; with them when there are no others.
    pub(super) fn without_stop_words(mut self) -> Self {
        if self.items.iter().any(|item| !matches!(item, Item::Word { stop: true, .. })) {
            self.items.retain(|item| !matches!(item, Item::Word { stop: true, .. }));
        }
        self
    }

    /// Whether nothing is looked for.
    pub(super) fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// Number of different things looked for.
    pub(super) fn len(&self) -> usize {
        self.items.len()
    }

    /// Which of them a word of a text is; the ways are those of [`Wanted::query`].
    pub(super) fn matches(&self, word: &str, stem: Option<(Lang, &str)>) -> Option<usize> {
        self.items.iter().position(|item| match item {
            Item::Phrase(words) => words.iter().any(|wanted| wanted == word),
            Item::Word { plain, stems, .. } => {
                plain == word
                    || stem.is_some_and(|(language, stem)| {
                        stems.iter().any(|(of, wanted)| *of == language && wanted == stem)
                    })
                    || typos_allowed(plain).is_some_and(|typos| within_typos(plain, word, typos))
            }
        })
    }

    /// All of them, each in whichever way; stop words add to the score but are not needed. A telephone number is
    /// also found by its end, however it is grouped.
    pub(super) fn query(&self, fields: &Fields) -> Box<dyn Query> {
        let only_stop_words = self.items.iter().all(|item| matches!(item, Item::Word { stop: true, .. }));
        let clauses = self.items.iter().map(|item| match item {
            Item::Phrase(words) => {
                let terms = words.iter().map(|word| Term::from_field_text(fields.plain, word)).collect();
                (Occur::Must, Box::new(PhraseQuery::new(terms)) as Box<dyn Query>)
            }
            Item::Word { plain, stems, stop } => {
                let occur = if *stop && !only_stop_words { Occur::Should } else { Occur::Must };
                (occur, word_query(fields, plain, stems))
            }
        });
        let words: Box<dyn Query> = Box::new(BooleanQuery::new(clauses.collect()));
        match &self.number {
            Some(digits) => Box::new(BooleanQuery::union(vec![word_is(fields.number, digits), words])),
            None => words,
        }
    }

    /// Any of them, by stem alone: for ranking passages.
    pub(super) fn any_stem(&self, fields: &Fields) -> Box<dyn Query> {
        let mut clauses = Vec::new();
        for item in &self.items {
            let Item::Word { plain, stems, .. } = item else { continue };
            for (language, stem) in stems {
                clauses.push((Occur::Should, term(fields.stems(*language), stem)));
            }
            clauses.push((Occur::Should, weigh(term(fields.title, plain), WEIGHT_TITLE)));
        }
        Box::new(BooleanQuery::new(clauses))
    }
}

fn word_query(fields: &Fields, plain: &str, stems: &[(Lang, String)]) -> Box<dyn Query> {
    let mut ways = vec![
        (Occur::Should, weigh(term(fields.plain, plain), WEIGHT_EXACT)),
        (Occur::Should, weigh(term(fields.title, plain), WEIGHT_TITLE)),
    ];
    ways.extend(stems.iter().map(|(language, stem)| (Occur::Should, term(fields.stems(*language), stem))));
    if let Some(typos) = typos_allowed(plain) {
        let fuzzy = FuzzyTermQuery::new(Term::from_field_text(fields.plain, plain), typos, true);
        ways.push((Occur::Should, weigh(Box::new(fuzzy), WEIGHT_TYPO)));
    }
    Box::new(BooleanQuery::new(ways))
}

fn term(field: Field, text: &str) -> Box<dyn Query> {
    Box::new(TermQuery::new(Term::from_field_text(field, text), IndexRecordOption::WithFreqs))
}

fn weigh(query: Box<dyn Query>, weight: f32) -> Box<dyn Query> {
    Box::new(BoostQuery::new(query, weight))
}

/// How many letters of a word may be wrong; a number must be right.
fn typos_allowed(word: &str) -> Option<u8> {
    if word.bytes().any(|byte| byte.is_ascii_digit()) {
        return None;
    }
    match word.chars().count() {
        ..TYPO_LETTERS => None,
        TYPO_LETTERS..TWO_TYPOS_LETTERS => Some(1),
        _ => Some(2),
    }
}

/// Whether two words differ in at most `typos` letters added, left out, changed or swapped with a neighbour.
fn within_typos(a: &str, b: &str, typos: u8) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let typos = usize::from(typos);
    if a.len().abs_diff(b.len()) > typos {
        return false;
    }
    // Rows of the table of optimal string alignment: the one before last, the last, the current one.
    let mut before: Vec<usize> = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let changed = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = changed.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(before[j - 2] + 1);
            }
        }
        before = std::mem::replace(&mut last, row);
    }
    last[b.len()] <= typos
}

/// The filters of a query; they do not change the score.
pub(super) fn filters(fields: &Fields, query: &SearchQuery) -> Vec<(Occur, Box<dyn Query>)> {
    let mut filters = Vec::new();
    let mut only = |query: Box<dyn Query>| {
        filters.push((Occur::Must, Box::new(ConstScoreQuery::new(query, 0.0)) as Box<dyn Query>));
    };
    if !query.kinds.is_empty() {
        let kinds = query.kinds.iter().map(|kind| (Occur::Should, kind_is(fields, *kind)));
        only(Box::new(BooleanQuery::new(kinds.collect())));
    }
    if let Some(language) = query.language {
        only(word_is(fields.language, language.as_str()));
    }
    if let Some(outcome) = query.outcome {
        only(word_is(fields.outcome, outcome.as_str()));
    }
    if let Some(agent) = query.agent {
        only(word_is(fields.agent, &agent.to_string()));
    }
    if let Some(channel) = query.channel {
        only(word_is(fields.channel, channel.as_str()));
    }
    if query.from.is_some() || query.to.is_some() {
        let bound = |at: Timestamp| Term::from_field_i64(fields.at, at.as_millisecond());
        let from = query.from.map_or(Bound::Unbounded, |at| Bound::Included(bound(at)));
        let to = query.to.map_or(Bound::Unbounded, |at| Bound::Excluded(bound(at)));
        only(Box::new(RangeQuery::new(from, to)));
    }
    filters
}

/// Everything; the base of a query without words.
pub(super) fn everything() -> Box<dyn Query> {
    Box::new(AllQuery)
}

/// Documents of a kind.
pub(super) fn kind_is(fields: &Fields, kind: SearchKind) -> Box<dyn Query> {
    word_is(fields.kind, kind.as_str())
}

/// Documents with this word in a field of codes.
pub(super) fn word_is(field: Field, code: &str) -> Box<dyn Query> {
    Box::new(TermQuery::new(Term::from_field_text(field, code), IndexRecordOption::Basic))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typos_are_counted_as_people_make_them() {
        for (a, b, typos, close) in [
            ("appointment", "apointment", 1, true),
            ("appointment", "appiontment", 1, true),
            ("doctor", "docktor", 1, true),
            ("doctor", "tractor", 1, false),
            ("parking", "parking", 1, true),
            ("opening", "oepnnig", 2, true),
            ("opening", "oepnnig", 1, false),
        ] {
            assert_eq!(within_typos(a, b, typos), close, "{a} {b}");
        }
    }

    #[test]
    fn quotes_make_phrases_and_an_open_quote_is_one_too() {
        let phrase = |words: &[&str]| Item::Phrase(words.iter().map(|word| (*word).to_owned()).collect());
        let wanted = Wanted::of("\"free parking\" near \"the door", Some(Lang::En));
        assert_eq!(wanted.items[0], phrase(&["free", "parking"]));
        assert!(matches!(&wanted.items[1], Item::Word { plain, stop: false, .. } if plain == "near"));
        assert_eq!(wanted.items[2], phrase(&["the", "door"]));
    }

    #[test]
    fn a_query_of_stop_words_alone_keeps_them() {
        assert_eq!(Wanted::of("where is it", Some(Lang::En)).without_stop_words().len(), 3);
        assert_eq!(Wanted::of("where is parking", Some(Lang::En)).without_stop_words().len(), 1);
        assert_eq!(Wanted::of(&"word ".repeat(100), None).len(), WANTED_MAX);
    }
}
