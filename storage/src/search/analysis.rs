//! From text to the words that are indexed and looked for.
//!
//! Words are cut at everything that is neither letter nor digit, put in lower case and freed of diacritics,
//! then, in the field of their language, cut to their stem. Diacritics go first so that a caller's name or a
//! question typed without them is found all the same.

use super::czech::CzechStemmer;
use auricle_domain::code::Lang;
use tantivy::tokenizer::{
    AsciiFoldingFilter, Language, LowerCaser, RemoveLongFilter, SimpleTokenizer, Stemmer, TextAnalyzer, TokenStream,
};

/// Changes whenever words come out differently: an index of another number is built again.
pub(super) const VERSION: u32 = 1;
/// Words longer than this, in bytes, are not words.
const WORD_BYTES_MAX: usize = 60;

/// Words as they are written, without case and diacritics.
pub(super) fn plain() -> TextAnalyzer {
    TextAnalyzer::builder(SimpleTokenizer::default())
        .filter(RemoveLongFilter::limit(WORD_BYTES_MAX))
        .filter(LowerCaser)
        .filter(AsciiFoldingFilter)
        .build()
}

/// Stems of a language.
pub(super) fn stemmed(language: Lang) -> TextAnalyzer {
    let words = TextAnalyzer::builder(SimpleTokenizer::default())
        .filter(RemoveLongFilter::limit(WORD_BYTES_MAX))
        .filter(LowerCaser)
        .filter(AsciiFoldingFilter);
    match language {
        Lang::En => words.filter(Stemmer::new(Language::English)).build(),
        Lang::Es => words.filter(Stemmer::new(Language::Spanish)).build(),
        Lang::Cs => words.filter(CzechStemmer).build(),
    }
}

/// A word of a text and where it stands, in bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) from: usize,
    pub(super) to: usize,
}

/// The words of a text.
pub(super) fn words(mut analyzer: TextAnalyzer, text: &str) -> Vec<Word> {
    let mut stream = analyzer.token_stream(text);
    let mut words = Vec::new();
    while let Some(token) = stream.next() {
        words.push(Word { text: token.text.clone(), from: token.offset_from, to: token.offset_to });
    }
    words
}

/// Digits that a telephone number must have to be found by its end.
pub(super) const NUMBER_DIGITS_MIN: usize = 6;

/// The telephone numbers of a text, as their digits: stretches of digits and of what people put between them.
pub(super) fn numbers(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !(c.is_ascii_digit() || " +-()./".contains(c)))
        .map(|stretch| stretch.chars().filter(char::is_ascii_digit).collect::<String>())
        .filter(|digits| digits.len() >= NUMBER_DIGITS_MIN)
}

/// Whether a word (plain) says nothing about what is asked.
pub(super) fn is_stop_word(language: Lang, word: &str) -> bool {
    let words = match language {
        Lang::En => ENGLISH,
        Lang::Es => SPANISH,
        Lang::Cs => CZECH,
    };
    words.binary_search(&word).is_ok()
}

/// Sorted, as [`is_stop_word`] needs them; likewise below, without diacritics.
const ENGLISH: &[&str] = &[
    "a", "about", "am", "an", "and", "any", "are", "as", "at", "be", "been", "but", "by", "can", "could", "d", "did",
    "do", "does", "for", "from", "get", "give", "had", "has", "have", "hello", "hi", "how", "i", "if", "in", "is",
    "it", "its", "just", "know", "like", "ll", "m", "may", "me", "my", "of", "on", "or", "our", "please", "re", "s",
    "say", "shall", "should", "so", "some", "t", "tell", "thank", "thanks", "that", "the", "their", "them", "then",
    "there", "these", "they", "this", "to", "us", "ve", "want", "was", "we", "were", "what", "when", "where", "which",
    "who", "why", "will", "with", "would", "you", "your",
];
const SPANISH: &[&str] = &[
    "a", "al", "algo", "ante", "aqui", "como", "con", "cual", "cuales", "cuando", "de", "decir", "decirme", "del",
    "desde", "donde", "e", "el", "ella", "ellos", "en", "entre", "era", "es", "esa", "ese", "eso", "esta", "estan",
    "estar", "este", "esto", "favor", "fue", "gracias", "ha", "hacia", "han", "hasta", "hay", "hola", "la", "las",
    "le", "les", "lo", "los", "mas", "me", "mi", "mis", "muy", "ni", "no", "nos", "o", "para", "pero", "por", "porque",
    "puede", "puedo", "que", "quien", "quiero", "quisiera", "saber", "se", "ser", "si", "sin", "sobre", "son", "soy",
    "su", "sus", "te", "tengo", "ti", "tiene", "tienen", "tu", "tus", "u", "un", "una", "unos", "usted", "ustedes",
    "y", "ya", "yo",
];
const CZECH: &[&str] = &[
    "a",
    "aby",
    "aj",
    "ale",
    "ani",
    "asi",
    "az",
    "bude",
    "budete",
    "by",
    "bych",
    "byl",
    "byla",
    "bylo",
    "byt",
    "chci",
    "chtel",
    "chtela",
    "co",
    "coz",
    "dekuji",
    "dnes",
    "do",
    "dobry",
    "ho",
    "i",
    "ja",
    "jak",
    "jake",
    "jaky",
    "je",
    "jeho",
    "jej",
    "jeji",
    "jen",
    "ji",
    "jsem",
    "jsi",
    "jsme",
    "jsou",
    "jste",
    "k",
    "kam",
    "kde",
    "kdo",
    "kdy",
    "kdyz",
    "ke",
    "ktera",
    "ktere",
    "ktery",
    "ma",
    "maji",
    "mam",
    "mate",
    "me",
    "mi",
    "mit",
    "mne",
    "mohl",
    "mohla",
    "mohu",
    "moje",
    "muj",
    "muze",
    "muzete",
    "my",
    "na",
    "nad",
    "nam",
    "nas",
    "ne",
    "nebo",
    "neni",
    "o",
    "od",
    "on",
    "ona",
    "pak",
    "po",
    "pod",
    "podle",
    "pokud",
    "potrebuji",
    "pro",
    "proc",
    "prosim",
    "protoze",
    "s",
    "se",
    "si",
    "sve",
    "svuj",
    "ta",
    "tak",
    "take",
    "tam",
    "te",
    "ten",
    "to",
    "toho",
    "tu",
    "ty",
    "u",
    "uz",
    "v",
    "vam",
    "vas",
    "vase",
    "ve",
    "vy",
    "z",
    "za",
    "zda",
    "ze",
];

#[cfg(test)]
mod tests {
    use super::*;

    fn stems(language: Lang, text: &str) -> Vec<String> {
        words(stemmed(language), text).into_iter().map(|word| word.text).collect()
    }

    #[test]
    fn forms_of_a_word_have_one_stem() {
        for (language, forms) in [
            (Lang::En, &["appointment", "Appointments"][..]),
            (Lang::Es, &["citas", "cita"]),
            (Lang::Es, &["vacunación", "vacunacion"]),
            (Lang::Cs, &["ordinace", "ordinaci", "ordinacích", "ordinacemi"]),
            (Lang::Cs, &["hodina", "hodiny", "hodin", "hodinách", "hodinám"]),
            (Lang::Cs, &["doktor", "doktora", "doktorovi", "doktorem", "Doktoři"]),
            (Lang::Cs, &["parkování", "parkovat", "parkoviště"]),
            (Lang::Cs, &["pojišťovna", "pojišťovny", "pojišťoven", "POJISTOVNU"]),
            (Lang::Cs, &["Praha", "Praze", "Prahy"]),
            (Lang::Cs, &["otevřeno", "otevřený", "otevřené", "otevřeného"]),
        ] {
            let expected = stems(language, forms[0]);
            for form in forms {
                assert_eq!(stems(language, form), expected, "{form}");
            }
        }
    }

    #[test]
    fn short_words_and_numbers_stay_whole() {
        assert_eq!(stems(Lang::Cs, "den dne rok 2024"), ["den", "dne", "rok", "2024"]);
    }

    #[test]
    fn stop_words_are_sorted_and_folded() {
        for list in [ENGLISH, SPANISH, CZECH] {
            assert!(list.is_sorted());
            assert!(list.iter().all(|word| word.is_ascii()));
        }
    }
}
