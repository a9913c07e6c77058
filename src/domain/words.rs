//! Words as they are compared: lower case, without accents and punctuation.

use unicode_normalization::UnicodeNormalization;

/// Lower case, accents folded, apostrophes dropped ("can't" is "cant"), everything else that is no letter or digit a
/// single space.
pub fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut gap = false;
    for c in text.nfd().flat_map(char::to_lowercase) {
        if c.is_alphanumeric() {
            if gap && !out.is_empty() {
                out.push(' ');
            }
            gap = false;
            out.push(c);
        } else if !matches!(c, '\'' | '\u{2019}' | '\u{0300}'..='\u{036f}') {
            gap = true;
        }
    }
    out
}

/// The folded words of a text.
pub fn words(text: &str) -> Vec<String> {
    fold(text).split(' ').filter(|word| !word.is_empty()).map(str::to_owned).collect()
}

/// Whether a folded word fits a pattern: alternatives are separated by `|`, a `*` at the end stands for any ending.
pub fn fits(word: &str, pattern: &str) -> bool {
    pattern.split('|').any(|one| match one.strip_suffix('*') {
        Some(stem) => word.starts_with(stem),
        None => word == one,
    })
}

/// Where a phrase of patterns stands in the words, one after the other.
pub fn find_phrase(words: &[String], phrase: &str) -> Option<usize> {
    let patterns: Vec<&str> = phrase.split(' ').collect();
    if patterns.len() > words.len() {
        return None;
    }
    (0..=words.len() - patterns.len())
        .find(|&at| patterns.iter().zip(&words[at..]).all(|(pattern, word)| fits(word, pattern)))
}

/// Whether any of the phrases stands in the words.
pub fn has_any(words: &[String], phrases: &[&str]) -> bool {
    phrases.iter().any(|phrase| find_phrase(words, phrase).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accents_case_and_apostrophes_do_not_matter() {
        assert_eq!(fold("I CAN'T breathe!"), "i cant breathe");
        assert_eq!(fold("¿Dónde está, señor?"), "donde esta senor");
        assert_eq!(fold("Příští úterý v půl desáté"), "pristi utery v pul desate");
    }

    #[test]
    fn phrases_know_alternatives_and_endings() {
        let said = words("there are chest pains");
        assert_eq!(find_phrase(&said, "chest|chess pain*"), Some(2));
        assert_eq!(find_phrase(&said, "pain* chest"), None);
    }
}
