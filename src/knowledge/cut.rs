//! Cutting a document into passages: paragraphs under their heading, at most 1,200 characters each (KB-03).

/// Longest passage, in characters.
pub const PASSAGE_CHARS_MAX: usize = 1_200;
/// Longest heading kept, in characters.
const HEADING_CHARS_MAX: usize = 200;
/// Paragraphs under one heading are joined up to this length, so that an answer has its context.
const JOINED_CHARS_MAX: usize = 500;

/// Most passages of a document. One with more, and shorter, sections has several of them in one passage.
pub const PASSAGES_MAX: usize = 2_000;

/// A passage before it has an identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The heading it stands under; the document's name where there is none.
    pub heading: String,
    /// The text, 1 to 1,200 characters.
    pub text: String,
}

/// Cuts a document. A line that begins with `#` is a heading, and so is a short line that is underlined with `=` or `-`.
/// Blank lines part paragraphs; short paragraphs under one heading are joined; long ones are cut between sentences, then
/// between words.
pub fn cut(name: &str, content: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut heading: String = name.chars().take(HEADING_CHARS_MAX).collect();
    let mut paragraph = String::new();
    let mut section: Vec<String> = Vec::new();
    let mut lines = content.lines().map(str::trim).peekable();
    while let Some(line) = lines.next() {
        let underlined =
            lines.peek().is_some_and(|next| is_underline(next)) && !line.is_empty() && paragraph.is_empty();
        if line.starts_with('#') || underlined {
            close_paragraph(&mut paragraph, &mut section);
            close_section(&heading, &mut section, &mut pieces);
            let text = line.trim_start_matches('#').trim();
            if !text.is_empty() {
                heading = text.chars().take(HEADING_CHARS_MAX).collect();
            }
            if underlined {
                lines.next();
            }
        } else if line.is_empty() {
            close_paragraph(&mut paragraph, &mut section);
        } else {
            if !paragraph.is_empty() {
                // A list stays a list: one item a line.
                paragraph.push(if is_item(line) { '\n' } else { ' ' });
            }
            paragraph.push_str(line);
        }
    }
    close_paragraph(&mut paragraph, &mut section);
    close_section(&heading, &mut section, &mut pieces);
    if pieces.len() > PASSAGES_MAX { joined(pieces) } else { pieces }
}

/// Joins neighbours as far as they fit: a million characters then make fewer than [`PASSAGES_MAX`] passages.
fn joined(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut joined: Vec<Piece> = Vec::new();
    let mut heading = String::new();
    for piece in pieces {
        let text = if piece.heading == heading { piece.text } else { format!("{}\n{}", piece.heading, piece.text) };
        match joined.last_mut() {
            Some(last) if last.text.chars().count() + text.chars().count() < PASSAGE_CHARS_MAX => {
                last.text.push('\n');
                last.text.push_str(&text);
            }
            // A heading that would make its text too long stands above it already.
            _ => joined.push(Piece {
                heading: piece.heading.clone(),
                text: text.chars().rev().take(PASSAGE_CHARS_MAX).collect::<Vec<_>>().into_iter().rev().collect(),
            }),
        }
        heading = piece.heading;
    }
    joined
}

fn is_underline(line: &str) -> bool {
    line.len() >= 3 && (line.bytes().all(|b| b == b'=') || line.bytes().all(|b| b == b'-'))
}

fn is_item(line: &str) -> bool {
    line.starts_with("- ")
        || line.starts_with("* ")
        || line.split_once(". ").is_some_and(|(n, _)| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
}

fn close_paragraph(paragraph: &mut String, section: &mut Vec<String>) {
    if !paragraph.is_empty() {
        section.push(std::mem::take(paragraph));
    }
}

fn close_section(heading: &str, section: &mut Vec<String>, pieces: &mut Vec<Piece>) {
    let mut joined = String::new();
    let mut push = |text: &mut String| {
        for text in split(&std::mem::take(text)) {
            pieces.push(Piece { heading: heading.to_owned(), text });
        }
    };
    for paragraph in section.drain(..) {
        let together = joined.chars().count() + paragraph.chars().count();
        if !joined.is_empty() && together > JOINED_CHARS_MAX {
            push(&mut joined);
        }
        if !joined.is_empty() {
            joined.push('\n');
        }
        joined.push_str(&paragraph);
    }
    if !joined.is_empty() {
        push(&mut joined);
    }
}

/// Parts of at most [`PASSAGE_CHARS_MAX`], cut after a sentence where one ends in the second half, else between words,
/// else anywhere.
fn split(text: &str) -> Vec<String> {
    let mut parts = Vec::new();
    let mut rest = text.trim();
    while let Some((limit, _)) = rest.char_indices().nth(PASSAGE_CHARS_MAX) {
        let window = &rest[..limit];
        let sentence = window.char_indices().rfind(|(at, c)| matches!(c, '.' | '!' | '?' | '\n') && *at >= limit / 2);
        let at = match sentence {
            Some((at, c)) => at + c.len_utf8(),
            None => window.rfind(' ').filter(|at| *at > 0).unwrap_or(limit),
        };
        parts.push(rest[..at].trim().to_owned());
        rest = rest[at..].trim_start();
    }
    if !rest.is_empty() {
        parts.push(rest.to_owned());
    }
    parts.retain(|part| !part.is_empty());
    parts
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paragraphs_stand_under_their_heading() {
        let pieces = cut(
            "Clinic",
            "We are near the station.\n\n# Parking\nBehind the house.\nTwo hours free.\n\n## Prices\n\nA visit is 30 euros.",
        );
        let shown: Vec<(&str, &str)> = pieces.iter().map(|p| (p.heading.as_str(), p.text.as_str())).collect();
        assert_eq!(
            shown,
            [
                ("Clinic", "We are near the station."),
                ("Parking", "Behind the house. Two hours free."),
                ("Prices", "A visit is 30 euros."),
            ]
        );
    }

    #[test]
    fn underlined_lines_are_headings_and_lists_stay_lists() {
        let pieces = cut("Clinic", "Hours\n=====\nWe open:\n- Monday\n- Tuesday");
        assert_eq!(pieces, [Piece { heading: "Hours".to_owned(), text: "We open:\n- Monday\n- Tuesday".to_owned() }]);
    }

    #[test]
    fn long_text_is_cut_after_a_sentence() {
        let content = "This sentence has some words in it. ".repeat(100);
        let pieces = cut("Clinic", &content);
        assert!(pieces.len() > 2);
        assert!(pieces.iter().all(|piece| piece.text.ends_with('.')));
    }

    #[test]
    fn a_million_characters_of_headings_make_a_bounded_number_of_passages() {
        let content = "# a\nb\n".repeat(166_000);
        let pieces = cut("name", &content);
        assert!(pieces.len() <= PASSAGES_MAX, "{}", pieces.len());
        assert!(pieces.iter().all(|piece| piece.text.chars().count() <= PASSAGE_CHARS_MAX));
    }

    proptest! {
        /// KB-03: nothing is lost but blanks and headings' marks, and no passage is too long.
        #[test]
        fn nothing_is_lost(content in "[a-z .\n]{0,4000}") {
            let pieces = cut("name", &content);
            let letters = |text: &str| text.chars().filter(|c| c.is_alphabetic()).collect::<String>();
            let kept: String = pieces.iter().map(|piece| letters(&piece.text)).collect();
            prop_assert_eq!(kept, letters(&content));
            prop_assert!(pieces.iter().all(|piece| (1..=PASSAGE_CHARS_MAX).contains(&piece.text.chars().count())));
        }

        #[test]
        fn any_text_is_cut_without_a_panic(content in any::<String>()) {
            cut("name", &content);
        }
    }
}
