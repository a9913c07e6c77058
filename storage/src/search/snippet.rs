//! The part of a text that shows why it was found.

use super::analysis::{self, Word};
use super::query::Wanted;
use auricle_domain::code::Lang;

/// Length of a snippet, in bytes of the text, before it is widened to whole words.
const SNIPPET_BYTES: usize = 200;

/// A piece of text, and the ranges of it, in characters, that were looked for.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Snippet {
    pub(super) text: String,
    pub(super) highlights: Vec<(usize, usize)>,
}

/// The stretch of `text` with the most different words that were looked for.
pub(super) fn cut(text: &str, language: Option<Lang>, wanted: &Wanted) -> Snippet {
    let words = analysis::words(analysis::plain(), text);
    let stems = language.map(|language| (language, analysis::words(analysis::stemmed(language), text)));
    let found: Vec<(usize, usize, usize)> = words
        .iter()
        .enumerate()
        .filter_map(|(at, word)| {
            let stem = stems.as_ref().and_then(|(language, stems)| Some((*language, stems.get(at)?.text.as_str())));
            Some((word.from, word.to, wanted.matches(&word.text, stem)?))
        })
        .collect();
    let (from, to) = window(text, &words, &found);
    let piece = &text[from..to];
    let characters = |byte: usize| text[from..byte].chars().count();
    let highlights = found
        .iter()
        .filter(|(start, end, _)| *start >= from && *end <= to)
        .map(|(start, end, _)| (characters(*start), characters(*end)))
        .collect();
    Snippet { text: piece.to_owned(), highlights }
}

/// The bytes of the snippet: it begins and ends with a whole word, with a little before the first one found.
fn window(text: &str, words: &[Word], found: &[(usize, usize, usize)]) -> (usize, usize) {
    if text.len() <= SNIPPET_BYTES {
        return (0, text.len());
    }
    let different = |start: usize| {
        let mut seen: Vec<usize> = found
            .iter()
            .filter(|(from, to, _)| *from >= start && *to <= start + SNIPPET_BYTES)
            .map(|hit| hit.2)
            .collect();
        let all = seen.len();
        seen.sort_unstable();
        seen.dedup();
        (seen.len(), all)
    };
    // Of the places with equally many, the first: `max_by_key` would give the last.
    let mut best = (0, (0, 0));
    for (start, _, _) in found {
        let count = different(*start);
        if count > best.1 {
            best = (*start, count);
        }
    }
    let lead = best.0.saturating_sub(SNIPPET_BYTES / 4);
    let from = if best.0 <= SNIPPET_BYTES / 4 {
        0
    } else {
        words.iter().map(|word| word.from).find(|from| *from >= lead).unwrap_or(best.0)
    };
    let to = words.iter().map(|word| word.to).take_while(|to| *to <= from + SNIPPET_BYTES).last().unwrap_or(text.len());
    // What was found must be inside even where a word is longer than the lead.
    let needed = found.iter().find(|hit| hit.0 == best.0).map_or(to, |hit| hit.1);
    if to + 1 >= text.len() { (from, text.len()) } else { (from, to.max(needed)) }
}
