//! The words callers are likely to say, from the clinic's own records, for the recogniser's language model.
//!
//! General language is the recogniser's own business; this is what makes it expect "book a consultation" rather than
//! "put in a blind man": services, knowledge, days, times, numbers, the usual requests and answers, emergencies.

use crate::providers::Vocabulary;
use auricle_domain::appointment::Service;
use auricle_domain::code::Lang;
use auricle_domain::dialog::answer;
use auricle_domain::emergency;
use auricle_domain::numbers::in_words;

mod usual;

/// Most sentences a vocabulary holds: beyond it a language model grows without becoming better.
pub const SENTENCES_MAX: usize = 6_000;
/// Words of one sentence; longer ones are cut.
const WORDS_MAX: usize = 40;

/// Builds the vocabulary of a language. `passages` are the texts of live knowledge passages in that language;
/// what exceeds [`SENTENCES_MAX`] is left out, knowledge last.
pub fn build(
    generation: u64,
    language: Lang,
    services: &[Service],
    passages: &mut dyn Iterator<Item = String>,
) -> Vocabulary {
    let usual = usual::of(language);
    let mut out = Sentences { language, kept: Vec::new() };
    let emergency: Vec<String> =
        emergency::spoken_phrases(language).iter().map(|phrase| (*phrase).to_owned()).collect();
    for phrase in &emergency {
        for lead in usual.emergency_leads {
            out.add(&format!("{lead} {phrase}"));
        }
    }
    for sentence in usual.sentences {
        out.add(sentence);
    }
    for service in services.iter().filter(|service| service.active) {
        for name in std::iter::once(&service.name).chain(&service.aliases) {
            for template in usual.services {
                out.add(&template.replace("{}", name));
            }
        }
    }
    times(&mut out, &usual);
    numbers(&mut out);
    for name in usual.names {
        for template in usual.name_templates {
            out.add(&template.replace("{}", name));
        }
    }
    for passage in passages {
        if out.is_full() {
            break;
        }
        for sentence in answer::sentences(&passage) {
            out.add(&sentence);
        }
    }
    Vocabulary { generation, sentences: out.kept, emergency }
}

struct Sentences {
    language: Lang,
    kept: Vec<String>,
}

impl Sentences {
    fn is_full(&self) -> bool {
        self.kept.len() >= SENTENCES_MAX
    }

    /// Lower case, no punctuation, digits written out.
    fn add(&mut self, text: &str) {
        let words = spoken_words(text, self.language);
        if !words.is_empty() && !self.is_full() {
            self.kept.push(words.join(" "));
        }
    }
}

fn spoken_words(text: &str, language: Lang) -> Vec<String> {
    let mut out = Vec::new();
    let parts = text.split(|c: char| !(c.is_alphanumeric() || c == '\''));
    for part in parts.map(|part| part.trim_matches('\'')).filter(|part| !part.is_empty()).take(WORDS_MAX) {
        let digits = part.trim_end_matches(char::is_alphabetic);
        let number = digits.parse().ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_digit()));
        match number {
            Some(value) => {
                out.extend(in_words(value, language).split(' ').map(str::to_owned));
                match &part[digits.len()..] {
                    "am" => out.extend(["a", "m"].map(str::to_owned)),
                    "pm" => out.extend(["p", "m"].map(str::to_owned)),
                    _ => {}
                }
            }
            None => out.push(part.to_lowercase()),
        }
    }
    out
}

fn times(out: &mut Sentences, usual: &usual::Usual) {
    let hours: Vec<String> = (1..=12).map(|hour| in_words(hour, out.language)).collect();
    for hour in &hours {
        for template in usual.times {
            out.add(&template.replace("{}", hour));
        }
    }
    for (at, day) in usual.days.iter().enumerate() {
        for template in usual.day_templates {
            out.add(&template.replace("{}", day));
        }
        for (shift, hour) in hours.iter().enumerate() {
            // Every day meets every hour once, with one of the ways to say a time each.
            if let Some(time) = usual.times.get((at + shift) % usual.times.len().max(1)) {
                out.add(&format!("{day} {}", time.replace("{}", hour)));
            }
        }
    }
    for month in usual.months {
        for day in usual.ordinals {
            out.add(&usual.date.replace("{day}", day).replace("{month}", month));
        }
    }
}

/// Every digit after every other, as in telephone numbers.
fn numbers(out: &mut Sentences) {
    for first in 0..10 {
        let row: Vec<String> =
            (0..10).flat_map(|second| [in_words(first, out.language), in_words(second, out.language)]).collect();
        for pair in row.chunks(2) {
            out.add(&format!("{} {}", pair.join(" "), pair.join(" ")));
        }
    }
    if out.language == Lang::En {
        for digit in 0..10 {
            let word = in_words(digit, Lang::En);
            out.add(&format!("oh {word} double {word} oh {word}"));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use auricle_domain::Timestamp;
    use auricle_domain::id::ServiceId;

    fn service() -> Service {
        Service {
            id: ServiceId::new(Timestamp::UNIX_EPOCH, [1; 10]),
            name: "Skin Consultation".to_owned(),
            aliases: vec!["Juvéderm".to_owned()],
            duration_min: 30,
            resource: "Room 1".to_owned(),
            hours: Vec::new(),
            lead_min: 0,
            active: true,
            version: 1,
        }
    }

    #[test]
    fn sentences_are_words_only() {
        let mut passages = ["We close at 6pm on the 24th. A peel costs £120!".to_owned()].into_iter();
        let vocabulary = build(3, Lang::En, &[service()], &mut passages);
        assert_eq!(vocabulary.generation, 3);
        let has = |text: &str| vocabulary.sentences.iter().any(|sentence| sentence == text);
        assert!(has("we close at six p m on the twenty four"));
        assert!(has("a peel costs one hundred and twenty"));
        assert!(has("i'd like to book a skin consultation"));
        assert!(has("i have chest pain"));
        assert!(has("what are your opening hours"));
        let odd = |c: char| !(c.is_alphabetic() || c == ' ' || c == '\'');
        assert!(!vocabulary.sentences.iter().any(|sentence| sentence.contains(odd)), "only words");
        assert!(vocabulary.emergency.iter().any(|phrase| phrase == "chest pain"));
    }

    #[test]
    fn knowledge_gives_way_when_it_is_too_much() {
        let mut passages = (0..20_000).map(|at| format!("Sentence number {at} of a long book."));
        let vocabulary = build(1, Lang::En, &[service()], &mut passages);
        assert_eq!(vocabulary.sentences.len(), SENTENCES_MAX);
        assert!(vocabulary.sentences.iter().any(|sentence| sentence.contains("skin consultation")));
    }

    #[test]
    fn every_language_has_its_own() {
        for language in Lang::ALL {
            assert!(build(1, *language, &[service()], &mut std::iter::empty()).sentences.len() > 200);
        }
    }
}
