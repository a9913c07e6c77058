//! The emergency lexicon (B-07): deterministic, in all languages at once, independent of any model.
//!
//! It prefers a false alarm over a miss: the caller can correct the first, not the second. Wording follows the
//! published red-flag lists of ambulance trusts and practices. It never diagnoses: it says which number to ring.

use crate::code::Lang;
use crate::words;

mod lexicon;

pub use lexicon::spoken_phrases;

/// An emergency phrase in what was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sign {
    /// The lexicon's code, such as `chest_pain`.
    pub code: &'static str,
    /// The language of the phrase, which may differ from that of the call.
    pub language: Lang,
    /// The phrase stands right behind a "no" or "without": ask rather than tell.
    pub denied: bool,
}

/// Words that deny what follows them at once.
const DENIALS: &[&str] = &[
    "no",
    "not",
    "without",
    "never",
    "dont have",
    "doesnt have",
    "do not have",
    "does not have",
    "isnt",
    "havent got",
    "sin",
    "no tengo",
    "no tiene",
    "nemam",
    "nema",
    "bez",
    "zadna|zadne|zadny|zadnou",
];
/// A denial may be this many words before the phrase ("no more chest pain").
const DENIAL_REACH: usize = 2;
/// Words of a pattern may be interrupted by this many others ("pain in my chest", "chest is in a lot of pain").
const SLACK: usize = 4;

/// Looks for an emergency in words of any length, complete or not; the call's language is tried first. A phrase that
/// is not denied wins over one that is.
pub fn detect(text: &str, language: Lang) -> Option<Sign> {
    let said = words::words(text);
    let mut denied = None;
    let order = std::iter::once(language).chain(Lang::ALL.iter().copied().filter(|other| *other != language));
    for language in order {
        for entry in lexicon::of(language) {
            for pattern in entry.patterns {
                let Some(at) = find(&said, pattern) else { continue };
                let sign =
                    Sign { code: entry.code, language, denied: !entry.serious_when_denied && is_denied(&said, at) };
                if !sign.denied {
                    return Some(sign);
                }
                denied.get_or_insert(sign);
            }
        }
    }
    denied
}

/// Whether the caller takes an alarm back: "it is not an emergency", "no emergency".
pub fn is_taken_back(text: &str) -> bool {
    const PHRASES: &[&str] = &[
        "not an|a|any emergency",
        "no emergency",
        "isnt an emergency",
        "not emergency",
        "im fine",
        "i am fine",
        "false alarm",
        "no es una emergencia",
        "no es emergencia",
        "ninguna emergencia",
        "estoy bien",
        "falsa alarma",
        "neni to nouzove|nouzovy|nouze",
        "zadna nouze",
        "nejde o nouzi|nouzovy",
        "nejde o zivot",
        "jsem v poradku",
        "plany poplach",
        "neni to nalehave|akutni|nouzova",
        "neni to zadna nouze",
    ];
    words::has_any(&words::words(text), PHRASES)
}

/// Where a pattern stands. `=` at its start means: in this order without gaps; otherwise its words may come in any
/// order within a narrow window.
fn find(said: &[String], pattern: &str) -> Option<usize> {
    if let Some(phrase) = pattern.strip_prefix('=') {
        return words::find_phrase(said, phrase);
    }
    let parts: Vec<&str> = pattern.split(' ').collect();
    let window = parts.len() + SLACK;
    (0..said.len()).find(|&at| {
        let near = &said[at..said.len().min(at + window)];
        let starts = parts.iter().any(|part| words::fits(&near[0], part));
        starts && parts.iter().all(|part| near.iter().any(|word| words::fits(word, part)))
    })
}

fn is_denied(said: &[String], at: usize) -> bool {
    let before = &said[at.saturating_sub(DENIAL_REACH + 1)..at];
    DENIALS.iter().any(|denial| words::find_phrase(before, denial).is_some())
}

/// The emergency number to tell a caller, by ISO 3166-1 country. Where the country is unknown: 112, which mobile
/// networks everywhere route to an emergency centre.
pub fn number(country: &str) -> &'static str {
    match country.to_ascii_uppercase().as_str() {
        "GB" | "HK" | "MY" | "BH" | "SA" | "OM" | "QA" | "KE" | "GH" | "BD" | "BW" | "MU" | "TT" => "999",
        "US" | "CA" | "MX" | "AR" | "UY" | "PH" | "JO" | "PA" | "CR" | "DO" | "EC" | "SV" | "GT" | "HN" | "NI"
        | "PY" | "VE" | "BO" | "PE" | "PR" | "LR" => "911",
        "AU" => "000",
        "NZ" => "111",
        "JP" | "KR" | "TW" => "119",
        "CN" => "120",
        "BR" => "192",
        "CL" => "131",
        "CO" | "EG" => "123",
        "IL" => "101",
        "AE" => "998",
        "ZA" => "10177",
        "PK" => "1122",
        "SG" => "995",
        "TH" => "1669",
        "VN" => "115",
        "AM" | "BY" => "103",
        "CH" | "AT" => "144",
        "NO" => "113",
        _ => "112",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> Option<(&'static str, bool)> {
        detect(text, Lang::En).map(|sign| (sign.code, sign.denied))
    }

    /// B-07, SAFE-01
    #[test]
    fn callers_own_words_are_caught() {
        for (text, expected) in [
            ("hello I have chest pain", "chest_pain"),
            ("I've got a pain in my chest", "chest_pain"),
            ("chess pains since this morning", "chest_pain"),
            ("there's like an elephant on my chest", "chest_pain"),
            ("he has a tight feeling across the chest", "chest_pain"),
            ("my husband can't breathe", "breathing"),
            ("she cannot breathe properly", "breathing"),
            ("trouble breathing and", "breathing"),
            ("he's choking", "choking"),
            ("her face is drooping", "stroke"),
            ("I think he's having a stroke", "stroke"),
            ("she won't wake up", "unconscious"),
            ("my dad has collapsed", "unconscious"),
            ("the bleeding won't stop", "bleeding"),
            ("I've taken too many tablets", "overdose"),
            ("I don't want to be here any more", "self_harm"),
            ("I want to kill myself", "self_harm"),
            ("her tongue is swelling up", "swelling"),
            ("the baby has gone floppy", "child"),
            ("he is having a seizure", "fit"),
            ("this is an emergency", "emergency"),
            ("please call an ambulance", "emergency"),
            ("the worst headache ever", "headache"),
            ("tengo dolor en el pecho", "chest_pain"),
            ("me duele mucho el pecho", "chest_pain"),
            ("no puedo respirar", "breathing"),
            ("mi madre está inconsciente", "unconscious"),
            ("quiero suicidarme", "self_harm"),
            ("es una emergencia", "emergency"),
            ("bolí mě na hrudi", "chest_pain"),
            ("mám bolest na hrudníku", "chest_pain"),
            ("nemůžu dýchat", "breathing"),
            ("manžel se dusí", "choking"),
            ("otec je v bezvědomí", "unconscious"),
            ("zavolejte záchranku", "emergency"),
            ("chci se zabít", "self_harm"),
        ] {
            assert_eq!(code(text), Some((expected, false)), "{text}");
        }
    }

    #[test]
    fn everyday_requests_raise_no_alarm() {
        for text in [
            "what are your opening hours",
            "I'd like to book a consultation next Tuesday at half past ten",
            "how much does a chemical peel cost",
            "do you have a chest of drawers in the waiting room",
            "can I park behind the building",
            "my name is Paine, I have a question about fillers",
            "is breathing through the nose allowed after a nose job consultation",
            "quiero pedir una cita para el martes",
            "jaká je otevírací doba",
            "chtěla bych se objednat na úterý",
            "stop",
            "I want to stop my membership",
        ] {
            assert_eq!(detect(text, Lang::En), None, "{text}");
        }
    }

    #[test]
    fn a_denied_sign_is_asked_about_and_never_ignored() {
        assert_eq!(code("I have no chest pain"), Some(("chest_pain", true)));
        assert_eq!(code("no chest pain but I can't breathe"), Some(("breathing", false)));
        assert_eq!(code("no puedo respirar"), Some(("breathing", false)));
        assert!(is_taken_back("no it's not an emergency"));
        assert!(is_taken_back("není to nouzový stav") && is_taken_back("no es una emergencia"));
    }

    #[test]
    fn every_country_has_a_number() {
        assert_eq!(number("GB"), "999");
        assert_eq!(number("us"), "911");
        assert_eq!(number("CZ"), "112");
        assert_eq!(number("ES"), "112");
        assert_eq!(number("??"), "112");
    }

    #[test]
    fn phrases_for_spotting_are_themselves_signs() {
        for language in Lang::ALL {
            let phrases = spoken_phrases(*language);
            assert!(phrases.len() >= 10);
            for phrase in phrases {
                assert!(detect(phrase, *language).is_some(), "{phrase}");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_survived(text in "\\PC{0,200}") {
            let _sign = detect(&text, Lang::Cs);
        }
    }
}
