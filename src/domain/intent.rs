//! What a caller wants, from the words alone.

mod lexicon;

use crate::appointment::Service;
use crate::code::Lang;
use crate::words::{fold, has_any, words};

/// What was wanted, where words alone say so. What is none of these is a question for the clinic's knowledge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Intent {
    /// An appointment.
    Book,
    /// To leave a message, to be rung back.
    Message,
    /// A member of staff (B-09).
    Person,
    /// What may never be given (SAFE-01): an opinion on symptoms, doses, diagnoses.
    MedicalAdvice,
    /// No recording (B-08).
    NoRecording,
    /// To hear the last words again.
    Repeat,
    /// To stop what is going on.
    Cancel,
    /// The end.
    Goodbye,
    /// When the clinic is open.
    Hours,
}

/// Finds the intent; the first that fits in the order of gravity.
pub fn of(text: &str, language: Lang) -> Option<Intent> {
    let said = words(text);
    let found =
        lexicon::intents(language).iter().find(|(_, phrases)| has_any(&said, phrases)).map(|(intent, _)| *intent)?;
    // "Thank you, bye" ends a call; "goodbye" inside a long sentence does not, nor does "thanks" before a question.
    let long = said.len() > 8 || asks(text, language);
    (!(found == Intent::Goodbye && long)).then_some(found)
}

/// Yes or no, where the answer is clear.
pub fn yes_no(text: &str, language: Lang) -> Option<bool> {
    let said = words(text);
    let (yes, no) = lexicon::yes_no(language);
    if has_any(&said, no) {
        return Some(false);
    }
    has_any(&said, yes).then_some(true)
}

/// Whether the words ask something, so that they are a question even where an answer was expected.
pub fn asks(text: &str, language: Lang) -> bool {
    if text.contains('?') {
        return true;
    }
    let said = words(text);
    let phrases: &[&str] = match language {
        Lang::En => &[
            "how much|many|long|far",
            "what|whats|where|wheres|which|who|why",
            "do you",
            "is there",
            "are there",
            "can i",
            "how do|does|can",
        ],
        Lang::Es => {
            &["cuanto|cuanta|cuantos|cuantas|cuesta", "que|cual|donde|quien|por que", "tienen|hay|puedo", "como"]
        }
        Lang::Cs => &["kolik", "co|kde|kdo|proc|jak|jaky|jaka|jake|ktery|ktera", "mate|muzu|je u vas"],
    };
    has_any(&said, phrases)
}

/// The service that was named, by its name or one of its aliases; the longest match wins.
pub fn service<'a>(text: &str, services: &'a [Service]) -> Option<&'a Service> {
    let said = format!(" {} ", fold(text));
    let bookable = services.iter().filter(|service| service.active);
    let scored = bookable.filter_map(|service| {
        let names = std::iter::once(&service.name).chain(&service.aliases);
        names.map(|name| match_of(&said, &fold(name))).max().filter(|score| *score > 0).map(|score| (score, service))
    });
    scored
        .fold(None, |best: Option<(usize, &Service)>, next| match best {
            Some(best) if best.0 >= next.0 => Some(best),
            _ => Some(next),
        })
        .map(|(_, service)| service)
}

/// The whole name counts most; a telling word of it (five letters or more) counts a little.
fn match_of(said: &str, name: &str) -> usize {
    if name.is_empty() {
        return 0;
    }
    if said.contains(&format!(" {name} ")) || said.contains(&format!(" {name}s ")) {
        return 1_000 + name.len();
    }
    const COMMON: &[&str] = &[
        "appointment",
        "consultation",
        "treatment",
        "session",
        "consulta",
        "cita",
        "konzultace",
        "osetreni",
        "vysetreni",
    ];
    let telling = |word: &&str| word.len() >= 5 && !COMMON.contains(word);
    let stem = |word: &str| -> String { word.chars().take((word.chars().count() - 1).max(5)).collect() };
    name.split(' ').filter(telling).filter(|word| said.contains(&format!(" {}", stem(word)))).map(str::len).sum()
}

/// A name from an answer such as "my name is Jane Smith" or "J A N E Smith"; none when there is no name in it.
pub fn person_name(text: &str, language: Lang) -> Option<String> {
    let leads: &[&str] = match language {
        Lang::En => &[
            "my name is",
            "the name is",
            "my names",
            "name is",
            "this is",
            "its",
            "it is",
            "i am",
            "im",
            "sure",
            "yes",
            "okay",
            "um",
            "uh",
            "er",
            "hello",
            "hi",
        ],
        Lang::Es => &["me llamo", "mi nombre es", "soy", "a nombre de", "si", "claro", "es"],
        Lang::Cs => &["jmenuji se", "jmenuju se", "moje jmeno je", "jmeno je", "ja jsem", "jsem", "ano", "tady"],
    };
    let mut kept: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || ",.;:!?".contains(c)).filter(|word| !word.is_empty()).collect();
    loop {
        let plain: Vec<String> = kept.iter().map(|word| fold(word)).collect();
        let lead = leads.iter().find(|lead| {
            let parts: Vec<&str> = lead.split(' ').collect();
            plain.len() >= parts.len() && parts.iter().zip(&plain).all(|(part, word)| part == word)
        });
        match lead {
            Some(lead) => drop(kept.drain(..lead.split(' ').count())),
            None => break,
        }
    }
    let mut name = String::new();
    let mut spelled = false;
    for word in kept
        .into_iter()
        .filter(|word| !matches!(fold(word).as_str(), "please" | "thanks" | "thank" | "you" | "gracias" | "prosim"))
    {
        let single = word.chars().count() == 1;
        if !(name.is_empty() || single && spelled) {
            name.push(' ');
        }
        let mut chars = word.chars();
        if let Some(first) = chars.next() {
            if single && spelled { name.extend(first.to_lowercase()) } else { name.extend(first.to_uppercase()) }
        }
        name.extend(chars);
        spelled = single;
        if name.len() > 100 {
            break;
        }
    }
    (name.chars().any(char::is_alphabetic)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intents_in_three_languages() {
        for (text, language, expected) in [
            ("I'd like to book an appointment for Botox", Lang::En, Some(Intent::Book)),
            ("can I speak to a human please", Lang::En, Some(Intent::Person)),
            ("could somebody call me back", Lang::En, Some(Intent::Message)),
            ("what are your opening hours", Lang::En, Some(Intent::Hours)),
            ("should I take ibuprofen before it", Lang::En, Some(Intent::MedicalAdvice)),
            ("please don't record this", Lang::En, Some(Intent::NoRecording)),
            ("no thank you goodbye", Lang::En, Some(Intent::Goodbye)),
            ("thanks bye how much is a peel", Lang::En, None),
            ("could you repeat that", Lang::En, Some(Intent::Repeat)),
            ("is there a lift in the building", Lang::En, None),
            ("quiero pedir una cita", Lang::Es, Some(Intent::Book)),
            ("quiero hablar con una persona", Lang::Es, Some(Intent::Person)),
            ("¿cuál es el horario?", Lang::Es, Some(Intent::Hours)),
            ("¿qué dosis debo tomar?", Lang::Es, Some(Intent::MedicalAdvice)),
            ("chtěla bych se objednat", Lang::Cs, Some(Intent::Book)),
            ("jaká je otevírací doba", Lang::Cs, Some(Intent::Hours)),
            ("spojte mě s recepční", Lang::Cs, Some(Intent::Person)),
            ("nechte mi prosím vzkaz", Lang::Cs, Some(Intent::Message)),
            ("na shledanou", Lang::Cs, Some(Intent::Goodbye)),
        ] {
            assert_eq!(of(text, language), expected, "{text}");
        }
    }

    #[test]
    fn yes_and_no() {
        for (text, language, expected) in [
            ("yes please", Lang::En, Some(true)),
            ("that's perfect", Lang::En, Some(true)),
            ("no thanks", Lang::En, Some(false)),
            ("I can't make that, do you have another time", Lang::En, Some(false)),
            ("Wednesday", Lang::En, None),
            ("sí, claro", Lang::Es, Some(true)),
            ("no me viene bien", Lang::Es, Some(false)),
            ("ano, hodí se to", Lang::Cs, Some(true)),
            ("to se mi nehodí", Lang::Cs, Some(false)),
        ] {
            assert_eq!(yes_no(text, language), expected, "{text}");
        }
    }

    #[test]
    fn names_lose_what_leads_to_them_and_spelling_is_joined() {
        assert_eq!(person_name("my name is jane smith", Lang::En).as_deref(), Some("Jane Smith"));
        assert_eq!(person_name("It's J A N E Smith, please", Lang::En).as_deref(), Some("Jane Smith"));
        assert_eq!(person_name("me llamo José García", Lang::Es).as_deref(), Some("José García"));
        assert_eq!(person_name("jmenuji se Eva Nováková", Lang::Cs).as_deref(), Some("Eva Nováková"));
        assert_eq!(person_name("yes", Lang::En), None);
    }
}
