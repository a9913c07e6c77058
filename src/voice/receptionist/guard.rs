//! Safe Mode on the way out (SAFE-01): what a language model must never say, found by rule.

use auricle_domain::code::Lang;
use auricle_domain::words::{has_any, words};

/// Whether a sentence is medical advice: a dose, a diagnosis, a judgement on symptoms.
pub(super) fn is_medical_advice(sentence: &str, language: Lang) -> bool {
    let said = words(sentence);
    let phrases: &[&str] = match language {
        Lang::En => &[
            "you probably|likely|might|may|could have",
            "sounds like you have",
            "you have a|an infection|allergy|fracture|disease|condition",
            "diagnos*",
            "you should|can|could|may|must take",
            "take two|one|three|four|some|a tablet*|pill*|paracetamol|ibuprofen|aspirin|dose",
            "take some|paracetamol|ibuprofen|aspirin|antibiotics",
            "stop taking",
            "increase|reduce|double your dose",
            "is nothing to worry about",
            "nothing serious",
            "not serious",
            "its|is probably|likely a|an|just|nothing",
            "symptoms suggest|indicate",
            "no need to see a doctor",
        ],
        Lang::Es => &[
            "probablemente tiene|tenga|sea",
            "diagnost*",
            "debe|debería|deberia|puede tomar",
            "tome un|una|dos|tres|paracetamol|ibuprofeno|aspirina",
            "deje de tomar",
            "no es grave",
            "no es nada",
            "no se preocupe",
            "sus sintomas indican|sugieren",
        ],
        Lang::Cs => &[
            "pravdepodobne mate|je|jde",
            "diagnoz*",
            "vezmete si|paralen|ibuprofen|ibalgin",
            "muzete|mela|mel byste|si vzit|brat",
            "prestante brat|uzivat",
            "neni to vazne|nic",
            "nic vazneho",
            "vase priznaky",
        ],
    };
    has_any(&said, phrases) || has_dose(&said)
}

/// A number followed by a unit of medicine.
fn has_dose(said: &[String]) -> bool {
    const UNITS: &[&str] = &[
        "mg",
        "mcg",
        "ml",
        "milligram*",
        "milligramme*",
        "millilit*",
        "tablet*",
        "pill*",
        "capsule*",
        "drops",
        "miligram*",
        "mililitr*",
        "pastilla*",
        "comprimido*",
        "prask*",
        "kapk*",
        "gotas",
    ];
    let counts = |word: &String| {
        word.starts_with(|c: char| c.is_ascii_digit())
            || matches!(
                word.as_str(),
                "one" | "two" | "three" | "four" | "un" | "una" | "dos" | "tres" | "jednu" | "dve" | "tri"
            )
    };
    let glued = |word: &String| {
        word.starts_with(|c: char| c.is_ascii_digit())
            && (word.ends_with("mg") || word.ends_with("ml") || word.ends_with("mcg"))
    };
    said.iter().any(glued) || said.windows(2).any(|pair| counts(&pair[0]) && has_any(&pair[1..], UNITS))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// SAFE-01
    #[test]
    fn advice_is_stopped_and_reception_is_not() {
        for sentence in [
            "You should take two tablets of ibuprofen.",
            "Take 400mg every six hours.",
            "It sounds like you have an infection.",
            "That is nothing to worry about.",
            "You can stop taking it.",
        ] {
            assert!(is_medical_advice(sentence, Lang::En), "{sentence}");
        }
        for sentence in [
            "We are open from nine to six, Monday to Friday.",
            "I can offer you Tuesday at 10:30. Shall I book it?",
            "A consultation costs 40 pounds and takes 30 minutes.",
            "I cannot give medical advice, but I can book you an appointment.",
            "May I have your name?",
        ] {
            assert!(!is_medical_advice(sentence, Lang::En), "{sentence}");
        }
        assert!(is_medical_advice("Tome dos pastillas.", Lang::Es));
        assert!(is_medical_advice("Vezměte si paralen.", Lang::Cs));
    }
}
