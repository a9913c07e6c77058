//! Answers from the clinic's knowledge: which sentences of which passage answer a question (KB-04).
//!
//! Nothing is phrased here: what is said stands in a document, word for word. Where no passage shares enough with the
//! question, there is no answer.

use super::tool::Found;
use crate::code::Lang;
use crate::conversation::Citation;
use crate::words::{fits, words};

/// A spoken answer is not longer than this, in bytes: about 20 seconds.
const ANSWER_MAX: usize = 320;
/// A passage must share this part of the question's telling words.
const COVERAGE_MIN: f32 = 0.5;

/// What to say, and from where.
#[derive(Clone, Debug, PartialEq)]
pub struct Composed {
    /// Sentences of the passage.
    pub sentences: Vec<String>,
    /// The passage.
    pub citations: Vec<Citation>,
}

/// The sentences that answer a question; none when no passage is about it.
pub fn compose(question: &str, found: &[Found], language: Lang) -> Option<Composed> {
    let asked = telling(question, language);
    if asked.is_empty() {
        return None;
    }
    let mut best: Option<(f32, &Found)> = None;
    for passage in found {
        let coverage = coverage(&asked, &telling(&format!("{} {}", passage.heading, passage.text), language));
        if coverage >= COVERAGE_MIN && best.is_none_or(|(before, _)| coverage > before) {
            best = Some((coverage, passage));
        }
    }
    let (_, passage) = best?;
    let sentences = choose(&asked, &passage.heading, &passage.text, language);
    (!sentences.is_empty()).then(|| Composed { sentences, citations: vec![passage.citation.clone()] })
}

/// Whether there is anything in the words that knowledge could be about.
pub fn is_question(text: &str, language: Lang) -> bool {
    !telling(text, language).is_empty()
}

fn choose(asked: &[String], heading: &str, text: &str, language: Lang) -> Vec<String> {
    let sentences = sentences(text);
    let whole: usize = sentences.iter().map(|sentence| sentence.len() + 1).sum();
    let scores: Vec<usize> = sentences.iter().map(|sentence| hits(asked, &telling(sentence, language))).collect();
    let best = scores.iter().copied().max().unwrap_or(0);
    let about = hits(asked, &telling(heading, language));
    // The heading says what the passage is about: then its sentences belong together.
    if whole <= ANSWER_MAX && (about >= best || sentences.len() <= 2) {
        return sentences;
    }
    let mut out: Vec<String> = Vec::new();
    let mut length = 0;
    let from = if about >= best && best == 0 { 0 } else { scores.iter().position(|score| *score == best).unwrap_or(0) };
    for (at, sentence) in sentences.into_iter().enumerate().skip(from) {
        let wanted =
            about > best || scores[at] * 2 > best || at == from || at == from + 1 && out.len() == 1 && length < 80;
        if !wanted {
            continue;
        }
        if length + sentence.len() > ANSWER_MAX && !out.is_empty() {
            break;
        }
        length += sentence.len() + 1;
        out.push(sentence);
    }
    out
}

/// Sentences and lines of a text, trimmed, without bullets.
pub fn sentences(text: &str) -> Vec<String> {
    let mut out = Vec::new();
    for line in text.lines() {
        let line = line.trim().trim_start_matches(['-', '*', '#', '•']).trim();
        let mut start = 0;
        let marks: Vec<(usize, char)> = line.char_indices().collect();
        for (index, &(at, mark)) in marks.iter().enumerate() {
            let next = marks.get(index + 1).map(|(_, c)| *c);
            let after = marks.get(index + 2).map(|(_, c)| *c);
            let ends = matches!(mark, '.' | '!' | '?')
                && next.is_none_or(char::is_whitespace)
                && after.is_none_or(|c| !c.is_lowercase())
                && !abbreviates(&line[start..at]);
            if ends {
                push(&mut out, &line[start..at + mark.len_utf8()]);
                start = at + mark.len_utf8();
            }
        }
        push(&mut out, &line[start..]);
    }
    out
}

fn push(out: &mut Vec<String>, sentence: &str) {
    let sentence = sentence.trim();
    if sentence.chars().any(char::is_alphanumeric) {
        out.push(sentence.to_owned());
    }
}

fn abbreviates(before: &str) -> bool {
    let last = before.rsplit(char::is_whitespace).next().unwrap_or_default();
    matches!(
        last,
        "Dr" | "Mr" | "Mrs" | "Ms" | "St" | "e.g" | "i.e" | "Sr" | "Sra" | "MUDr" | "tel" | "č" | "a.m" | "p.m"
    )
}

/// Words that carry meaning, with synonyms brought to one word.
fn telling(text: &str, language: Lang) -> Vec<String> {
    let (empty, concepts): (&[&str], &[(&str, &str)]) = match language {
        Lang::En => (ENGLISH_EMPTY, ENGLISH_CONCEPTS),
        Lang::Es => (SPANISH_EMPTY, SPANISH_CONCEPTS),
        Lang::Cs => (CZECH_EMPTY, CZECH_CONCEPTS),
    };
    let mut out: Vec<String> = Vec::new();
    for word in words(text) {
        let concept =
            concepts.iter().find(|(pattern, _)| fits(&word, pattern)).map(|(_, concept)| (*concept).to_owned());
        let one = match concept {
            Some(concept) => concept,
            None if word.len() < 2 || empty.iter().any(|pattern| fits(&word, pattern)) => continue,
            None => word,
        };
        if !out.contains(&one) {
            out.push(one);
        }
    }
    out
}

/// Which part of the question a passage is about. Concepts count double: they are what the question turns on.
fn coverage(asked: &[String], text: &[String]) -> f32 {
    let weight = |word: &&String| if word.starts_with('#') { 2 } else { 1 };
    let all: u32 = asked.iter().map(|word| weight(&word)).sum();
    let matched: Vec<&String> = asked.iter().filter(|word| text.iter().any(|other| is_same(word, other))).collect();
    // A price or a duration is one of something: without that something any price would do.
    let of_something = asked.iter().any(|word| matches!(word.as_str(), "#price" | "#duration" | "#pain"));
    let named = asked.iter().any(|word| !word.starts_with('#'));
    if of_something && named && matched.iter().all(|word| word.starts_with('#')) {
        return 0.0;
    }
    matched.iter().map(weight).sum::<u32>() as f32 / all.max(1) as f32
}

fn hits(asked: &[String], text: &[String]) -> usize {
    asked.iter().filter(|word| text.iter().any(|other| is_same(word, other))).count()
}

/// The same word in another form: one is the beginning of the other, or they share most of their letters.
fn is_same(one: &str, other: &str) -> bool {
    if one == other {
        return true;
    }
    if one.starts_with('#') || other.starts_with('#') {
        return false;
    }
    let (one_len, other_len) = (one.chars().count(), other.chars().count());
    let shared = one.chars().zip(other.chars()).take_while(|(a, b)| a == b).count();
    let (short, long) = (one_len.min(other_len), one_len.max(other_len));
    (short >= 4 && shared == short && long - short <= 4) || (shared >= 5 && shared * 10 >= long * 7)
}

const ENGLISH_EMPTY: &[&str] = &[
    "a",
    "an",
    "the",
    "and",
    "or",
    "but",
    "of",
    "in",
    "on",
    "at",
    "to",
    "for",
    "from",
    "with",
    "by",
    "about",
    "as",
    "into",
    "i",
    "im",
    "ive",
    "id",
    "me",
    "my",
    "we",
    "our",
    "us",
    "you",
    "your",
    "youre",
    "he",
    "his",
    "him",
    "she",
    "her",
    "it",
    "its",
    "they",
    "their",
    "them",
    "this",
    "that",
    "these",
    "those",
    "is",
    "are",
    "was",
    "were",
    "be",
    "been",
    "am",
    "do",
    "does",
    "did",
    "have",
    "has",
    "had",
    "can",
    "could",
    "would",
    "should",
    "will",
    "shall",
    "may",
    "might",
    "what",
    "whats",
    "which",
    "who",
    "how",
    "why",
    "there",
    "theres",
    "here",
    "if",
    "so",
    "not",
    "no",
    "yes",
    "um",
    "uh",
    "er",
    "hello",
    "hi",
    "hey",
    "please",
    "thanks",
    "thank",
    "just",
    "like",
    "want",
    "know",
    "tell",
    "ask",
    "wondering",
    "question",
    "need",
    "get",
    "got",
    "any",
    "some",
    "also",
    "then",
    "than",
    "ok",
    "okay",
    "well",
    "good",
    "morning",
    "afternoon",
    "clinic",
    "wanted",
    "let",
    "lets",
    "sorry",
    "because",
    "uses",
    "use",
    "make",
    "go",
    "come",
    "up",
    "out",
    "one",
];
const ENGLISH_CONCEPTS: &[(&str, &str)] = &[
    ("open|opens|opening|close|closes|closed|closing|hours", "#hours"),
    (
        "much|cost|costs|price|prices|priced|pricing|charge|charges|fee|fees|expensive|pound|pounds|dollars|euros",
        "#price",
    ),
    ("where|address|located|location|find|directions|street|situated", "#place"),
    ("park|parking|car|garage", "#parking"),
    ("lift|elevator|wheelchair|stairs|step|steps|disabled|accessible|access|accessibility", "#access"),
    ("pay|paying|payment|payments|card|cards|cash|instalments|finance", "#pay"),
    ("cancel|cancelling|cancellation|cancellations|reschedule", "#cancel"),
    ("insurance|insurer|insurers|insured", "#insurance"),
    ("long|duration|minutes|takes|take|last|lasts", "#duration"),
    ("hurt|hurts|pain|painful|painless|sore", "#pain"),
];
const SPANISH_EMPTY: &[&str] = &[
    "el", "la", "los", "las", "un", "una", "unos", "unas", "y", "o", "u", "e", "de", "del", "en", "a", "al", "por",
    "para", "con", "sin", "sobre", "que", "cual", "cuales", "quien", "como", "si", "no", "yo", "me", "mi", "mis", "su",
    "sus", "se", "le", "les", "lo", "nos", "es", "son", "esta", "estan", "este", "esto", "ser", "hay", "tiene",
    "tienen", "tengo", "puedo", "puede", "pueden", "quiero", "quisiera", "querria", "saber", "decirme", "hola",
    "buenos", "buenas", "dias", "tardes", "favor", "gracias", "muy", "mas", "clinica", "pregunta", "ustedes", "usted",
];
const SPANISH_CONCEPTS: &[(&str, &str)] = &[
    ("horario|horarios|abre|abren|abierto|abierta|abiertos|cierra|cierran|cerrado|cerrados|apertura", "#hours"),
    ("cuanto|cuesta|cuestan|precio|precios|vale|valen|coste|costes|tarifa|tarifas|caro|euros", "#price"),
    ("donde|direccion|ubicacion|ubicada|situada|calle|llegar", "#place"),
    ("aparcar|aparcamiento|parking|coche|garaje", "#parking"),
    ("ascensor|silla|ruedas|accesible|acceso|escaleras|escalones|discapacidad", "#access"),
    ("pagar|pago|pagos|tarjeta|efectivo|plazos|financiar", "#pay"),
    ("cancelar|cancelacion|anular|cambiar", "#cancel"),
    ("seguro|seguros|aseguradora|mutua", "#insurance"),
    ("dura|duracion|minutos|tarda", "#duration"),
    ("duele|dolor|doloroso", "#pain"),
];
const CZECH_EMPTY: &[&str] = &[
    "a", "i", "o", "u", "v", "ve", "na", "do", "za", "s", "se", "si", "k", "ke", "z", "ze", "po", "od", "pro", "pri",
    "je", "jsou", "jsem", "jste", "byt", "bude", "to", "ten", "ta", "te", "tom", "ty", "co", "kdo", "jak", "jaky",
    "jaka", "jake", "jakou", "ktery", "ktera", "ktere", "ze", "zda", "jestli", "mam", "mate", "ma", "muzu", "muzete",
    "mohu", "muze", "chci", "chtel", "chtela", "bych", "by", "prosim", "dekuji", "dobry", "den", "ano", "ne", "vas",
    "vase", "nas", "nase", "me", "mi", "muj", "moje", "tam", "tady", "taky", "take", "vedet", "zeptat", "dotaz",
    "otazka", "ordinace", "klinika", "klinice",
];
const CZECH_CONCEPTS: &[(&str, &str)] = &[
    ("otevir*|otevren*|zavir*|zavren*|hodiny|doba|dobu|kdy", "#hours"),
    ("kolik|stoji|cena|ceny|cenu|cenik|plati*|korun|drahe", "#price"),
    ("kde|adresa|adresu|adrese|ulice|ulici|sidli*|najdu|dostanu", "#place"),
    ("parkovat|parkovani|parkoviste|zaparkovat|auto|autem|garaz", "#parking"),
    ("vytah|vytahem|vozik|vozicku|bezbarier*|schody|pristup", "#access"),
    ("kartou|karta|karty|hotove|hotovost|splatky|platba|platby", "#pay"),
    ("zrusit|zruseni|presunout|storno", "#cancel"),
    ("pojistovna|pojistovny|pojisten*|pojistka", "#insurance"),
    ("trva|trvani|dlouho|minut", "#duration"),
    ("boli|bolest|bolestive", "#pain"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;
    use crate::id::{DocumentId, PassageId};

    fn found(heading: &str, text: &str) -> Found {
        let citation = Citation {
            document: DocumentId::new(Timestamp::UNIX_EPOCH, [1; 10]),
            name: heading.to_owned(),
            passage: PassageId::new(Timestamp::UNIX_EPOCH, [2; 10]),
        };
        Found { citation, heading: heading.to_owned(), text: text.to_owned(), score: 1.0 }
    }

    fn spoken(question: &str, found: &[Found], language: Lang) -> Option<String> {
        compose(question, found, language).map(|composed| composed.sentences.join(" "))
    }

    /// KB-04
    #[test]
    fn the_answer_is_the_documents_own_words() {
        let clinic = [
            found(
                "Opening hours",
                "We are open from Monday to Friday, 9 a.m. to 6 p.m. On Saturday we close at 1 p.m. We are closed on Sunday.",
            ),
            found("Parking", "There is a car park behind the building. It is free for two hours."),
            found(
                "Prices",
                "A chemical peel costs 120 pounds. A consultation costs 40 pounds, taken off your first treatment. Laser sessions start at 90 pounds.",
            ),
            found(
                "Access",
                "The clinic is on the second floor. There is a lift at the back entrance. Please ring the bell marked reception and somebody will come down to help you with a wheelchair, a pushchair or heavy luggage. The lift is 80 centimetres wide and takes one wheelchair and one companion at a time. Guide dogs are welcome everywhere.",
            ),
        ];
        let ask = |question| spoken(question, &clinic, Lang::En).unwrap_or_default();
        assert!(ask("what are your opening hours").starts_with("We are open from Monday to Friday"));
        assert!(ask("hello um when do you close on saturday").contains("Saturday we close at 1 p.m."));
        assert!(ask("how much is a chemical peel").contains("120 pounds"));
        assert!(ask("can I park the car somewhere").contains("behind the building"));
        assert!(ask("is there a lift in the building because my father uses a wheelchair").contains("There is a lift"));
        assert_eq!(spoken("do you remove tattoos", &clinic, Lang::En), None);
        assert_eq!(spoken("how much is a tattoo removal", &clinic, Lang::En), None);
        assert_eq!(spoken("um", &clinic, Lang::En), None);
    }

    #[test]
    fn spanish_and_czech_words_bend() {
        let horario = [found("Horario", "Abrimos de lunes a viernes de 9 a 18 horas. Los sábados cerramos a las 13.")];
        assert!(spoken("¿cuál es el horario?", &horario, Lang::Es).is_some());
        let cenik = [found("Ceník", "Chemický peeling stojí 2500 korun. Konzultace stojí 800 korun.")];
        assert!(spoken("kolik stojí chemický peeling", &cenik, Lang::Cs).is_some_and(|text| text.contains("2500")));
    }

    #[test]
    fn sentences_end_where_they_end() {
        assert_eq!(
            sentences("# Team\n- Dr. Novak works at 9.30 a.m. on Mondays. Ask for her!\n\n* Room 2"),
            ["Team", "Dr. Novak works at 9.30 a.m. on Mondays.", "Ask for her!", "Room 2"]
        );
    }
}
