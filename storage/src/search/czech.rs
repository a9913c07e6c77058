//! A light stemmer for Czech, on words without diacritics.
//!
//! It takes off the endings of declension and of the commonest verbal nouns, then evens out the two alternations
//! that would part the forms of one word: a fleeting *e* (pojišťoven, pojišťovna) and a softened last consonant
//! (Praze, Praha). Like every light stemmer it joins a few words that do not belong together; the exact word
//! weighs more in a search, so those stand first.

use tantivy::tokenizer::{Token, TokenFilter, TokenStream, Tokenizer};

/// Letters that must remain of a word.
const STEM_LETTERS_MIN: usize = 3;

/// Endings, the longest first: the first one that fits is taken off.
const ENDINGS: &[&str] = &[
    "oviste", "ovani", "ovanim", "ejsich", "ejsimi", "ejsiho", "ejsimu", "ovat", "ejsi", "iste", "anim", "enim", "ani",
    "eni", "ach", "ech", "ich", "ych", "ami", "emi", "imi", "ymi", "ovi", "ove", "eho", "iho", "emu", "imu", "ym",
    "im", "em", "am", "um", "ou", "at", "it", "et", "mi", "a", "e", "i", "o", "u", "y",
];

/// The stem of a lower-case word without diacritics.
pub(super) fn stem(word: &str) -> String {
    if !word.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return word.to_owned();
    }
    let ending =
        ENDINGS.iter().find(|ending| word.len() >= STEM_LETTERS_MIN + ending.len() && word.ends_with(**ending));
    let mut stem = word[..word.len() - ending.map_or(0, |ending| ending.len())].to_owned();
    drop_fleeting_e(&mut stem);
    // c and z stand for k and h before a soft ending.
    match stem.pop() {
        Some('c') => stem.push('k'),
        Some('z') => stem.push('h'),
        Some(other) => stem.push(other),
        None => {}
    }
    stem
}

/// In a longer word, *e* between two consonants at the end comes and goes.
fn drop_fleeting_e(stem: &mut String) {
    let is_consonant = |byte: u8| !b"aeiouy".contains(&byte);
    if let [.., before, b'e', last @ (b'n' | b'c' | b'k' | b'l')] = stem.as_bytes()
        && stem.len() > STEM_LETTERS_MIN + 1
        && is_consonant(*before)
    {
        let last = char::from(*last);
        stem.truncate(stem.len() - 2);
        stem.push(last);
    }
}

/// [`stem`] as a filter of tokens.
#[derive(Clone)]
pub(super) struct CzechStemmer;

/// A tokenizer with the filter behind it.
#[derive(Clone)]
pub(super) struct CzechTokenizer<T>(T);

/// Its tokens.
pub(super) struct CzechTokens<T>(T);

impl TokenFilter for CzechStemmer {
    type Tokenizer<T: Tokenizer> = CzechTokenizer<T>;
    fn transform<T: Tokenizer>(self, tokenizer: T) -> CzechTokenizer<T> {
        CzechTokenizer(tokenizer)
    }
}

impl<T: Tokenizer> Tokenizer for CzechTokenizer<T> {
    type TokenStream<'a> = CzechTokens<T::TokenStream<'a>>;
    fn token_stream<'a>(&'a mut self, text: &'a str) -> Self::TokenStream<'a> {
        CzechTokens(self.0.token_stream(text))
    }
}

impl<T: TokenStream> TokenStream for CzechTokens<T> {
    fn advance(&mut self) -> bool {
        if !self.0.advance() {
            return false;
        }
        let token = self.0.token_mut();
        token.text = stem(&token.text);
        true
    }
    fn token(&self) -> &Token {
        self.0.token()
    }
    fn token_mut(&mut self) -> &mut Token {
        self.0.token_mut()
    }
}
