//! Numbers as people say them, and telephone numbers.

use crate::code::Lang;
use crate::words;

/// Digits of a telephone number that can be rung back: E.164 allows 15, shorter than 6 is an internal number.
const NUMBER_DIGITS: std::ops::RangeInclusive<usize> = 6..=15;

const ENGLISH: &[(&str, u32)] = &[
    ("zero|oh|o|nought", 0),
    ("one|first", 1),
    ("two|second", 2),
    ("three|third", 3),
    ("four|fourth", 4),
    ("five|fifth", 5),
    ("six|sixth", 6),
    ("seven|seventh", 7),
    ("eight|eighth", 8),
    ("nine|ninth", 9),
    ("ten|tenth", 10),
    ("eleven|eleventh", 11),
    ("twelve|twelfth", 12),
    ("thirteen|thirteenth", 13),
    ("fourteen|fourteenth", 14),
    ("fifteen|fifteenth", 15),
    ("sixteen|sixteenth", 16),
    ("seventeen|seventeenth", 17),
    ("eighteen|eighteenth", 18),
    ("nineteen|nineteenth", 19),
    ("twenty|twentieth", 20),
    ("thirty|thirtieth", 30),
    ("forty|fortieth", 40),
    ("fifty|fiftieth", 50),
    ("sixty|sixtieth", 60),
    ("seventy", 70),
    ("eighty", 80),
    ("ninety", 90),
];

const SPANISH: &[(&str, u32)] = &[
    ("cero", 0),
    ("uno|un|una|primero", 1),
    ("dos", 2),
    ("tres", 3),
    ("cuatro", 4),
    ("cinco", 5),
    ("seis", 6),
    ("siete", 7),
    ("ocho", 8),
    ("nueve", 9),
    ("diez", 10),
    ("once", 11),
    ("doce", 12),
    ("trece", 13),
    ("catorce", 14),
    ("quince", 15),
    ("dieciseis", 16),
    ("diecisiete", 17),
    ("dieciocho", 18),
    ("diecinueve", 19),
    ("veinte", 20),
    ("veintiuno|veintiun|veintiuna", 21),
    ("veintidos", 22),
    ("veintitres", 23),
    ("veinticuatro", 24),
    ("veinticinco", 25),
    ("veintiseis", 26),
    ("veintisiete", 27),
    ("veintiocho", 28),
    ("veintinueve", 29),
    ("treinta", 30),
    ("cuarenta", 40),
    ("cincuenta", 50),
    ("sesenta", 60),
    ("setenta", 70),
    ("ochenta", 80),
    ("noventa", 90),
];

const CZECH: &[(&str, u32)] = &[
    ("nula|nultou", 0),
    ("jedna|jeden|jedno|jednu|jedne|prvni|prvniho", 1),
    ("dva|dve|druhe|druheho|druhou", 2),
    ("tri|treti|tretiho", 3),
    ("ctyri|ctvrte|ctvrteho|ctvrtou", 4),
    ("pet|pate|pateho|patou", 5),
    ("sest|seste|sesteho|sestou", 6),
    ("sedm|sedme|sedmeho|sedmou", 7),
    ("osm|osme|osmeho|osmou", 8),
    ("devet|devate|devateho|devatou", 9),
    ("deset|desate|desateho|desatou", 10),
    ("jedenact|jedenacte|jedenacteho|jedenactou", 11),
    ("dvanact|dvanacte|dvanacteho|dvanactou", 12),
    ("trinact|trinacte|trinacteho", 13),
    ("ctrnact|ctrnacte|ctrnacteho", 14),
    ("patnact|patnacte|patnacteho", 15),
    ("sestnact|sestnacte|sestnacteho", 16),
    ("sedmnact|sedmnacte|sedmnacteho", 17),
    ("osmnact|osmnacte|osmnacteho", 18),
    ("devatenact|devatenacte|devatenacteho", 19),
    ("dvacet|dvacate|dvacateho", 20),
    ("tricet|tricate|tricateho", 30),
    ("ctyricet", 40),
    ("padesat", 50),
    ("sedesat", 60),
    ("sedmdesat", 70),
    ("osmdesat", 80),
    ("devadesat", 90),
];

fn table(language: Lang) -> &'static [(&'static str, u32)] {
    match language {
        Lang::En => ENGLISH,
        Lang::Es => SPANISH,
        Lang::Cs => CZECH,
    }
}

fn simple(word: &str, language: Lang) -> Option<u32> {
    let digits = word.trim_end_matches(|c: char| c.is_ascii_lowercase());
    if !digits.is_empty() && matches!(&word[digits.len()..], "" | "st" | "nd" | "rd" | "th" | "am" | "pm" | "h") {
        return digits.parse().ok();
    }
    table(language).iter().find(|(pattern, _)| words::fits(word, pattern)).map(|(_, value)| *value)
}

/// A cardinal or ordinal number below 100 (or any in digits) at the start of folded words, and how many words it takes.
pub fn number_at(said: &[String], language: Lang) -> Option<(u32, usize)> {
    let first = simple(said.first()?, language)?;
    let tens = (20..100).contains(&first) && first % 10 == 0 && !said[0].starts_with(|c: char| c.is_ascii_digit());
    if tens {
        let joined = usize::from(language == Lang::Es && said.get(1).is_some_and(|word| word == "y"));
        let unit = said.get(1 + joined).filter(|word| !word.starts_with(|c: char| c.is_ascii_digit()));
        if let Some(unit @ 1..=9) = unit.and_then(|word| simple(word, language)) {
            return Some((first + unit, 2 + joined));
        }
    }
    Some((first, 1))
}

/// A number written out, for recognisers that know words only. Below one thousand in English and below one hundred in
/// the others as one number; above that digit by digit, as telephone numbers and years are often read.
pub fn in_words(value: u32, language: Lang) -> String {
    let word = |value: u32| {
        let entry = table(language).iter().find(|(_, known)| *known == value);
        entry.map_or("", |(pattern, _)| pattern.split('|').next().unwrap_or_default())
    };
    match value {
        0..100 if !word(value).is_empty() => word(value).to_owned(),
        0..100 => {
            let joint = if language == Lang::Es { " y " } else { " " };
            format!("{}{joint}{}", word(value / 10 * 10), word(value % 10))
        }
        100..1_000 if language == Lang::En && value.is_multiple_of(100) => format!("{} hundred", word(value / 100)),
        100..1_000 if language == Lang::En => {
            format!("{} hundred and {}", word(value / 100), in_words(value % 100, language))
        }
        _ => value.to_string().bytes().map(|digit| word(u32::from(digit - b'0'))).collect::<Vec<_>>().join(" "),
    }
}

/// The digits in what was said, in order: "oh seven double five twenty one" is `0755` and `21`.
pub fn digits(text: &str, language: Lang) -> String {
    let said = words::words(text);
    let mut out = String::new();
    let mut times = 1;
    let mut at = 0;
    while at < said.len() {
        let word = said[at].as_str();
        match word {
            "double" | "doble" | "dvakrat" => times = 2,
            "triple" | "trikrat" => times = 3,
            "plus" | "mas" if out.is_empty() => out.push('+'),
            _ if word.chars().all(|c| c.is_ascii_digit()) => {
                out.push_str(&word.repeat(std::mem::replace(&mut times, 1)))
            }
            _ => {
                if let Some((value, used)) = number_at(&said[at..], language) {
                    out.push_str(&value.to_string().repeat(std::mem::replace(&mut times, 1)));
                    at += used - 1;
                }
            }
        }
        at += 1;
    }
    if text.trim_start().starts_with('+') && !out.starts_with('+') {
        out.insert(0, '+');
    }
    out
}

/// A telephone number in what was said, if there is one that can be rung back.
pub fn phone(text: &str, language: Lang) -> Option<String> {
    let found = digits(text, language);
    is_phone(&found).then_some(found)
}

/// Whether a signalled caller can be rung back by it: digits, perhaps with a leading `+`.
pub fn is_phone(number: &str) -> bool {
    let plain = number.strip_prefix('+').unwrap_or(number);
    NUMBER_DIGITS.contains(&plain.len()) && plain.bytes().all(|byte| byte.is_ascii_digit())
}

/// A number as it is read out: digit by digit, in groups of three.
pub fn spoken_digits(number: &str) -> String {
    let digits: Vec<char> = number.chars().filter(char::is_ascii_digit).collect();
    let group = |group: &[char]| group.iter().map(char::to_string).collect::<Vec<_>>().join(" ");
    digits.chunks(3).map(group).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_three_languages() {
        for (text, language, expected) in [
            ("twenty third of", Lang::En, Some((23, 2))),
            ("twenty past", Lang::En, Some((20, 1))),
            ("23rd", Lang::En, Some((23, 1))),
            ("treinta y uno", Lang::Es, Some((31, 3))),
            ("veintitrés de", Lang::Es, Some((23, 1))),
            ("dvacátého třetího listopadu", Lang::Cs, Some((23, 2))),
            ("hello", Lang::En, None),
            ("", Lang::En, None),
        ] {
            assert_eq!(number_at(&words::words(text), language), expected, "{text}");
        }
    }

    #[test]
    fn numbers_are_written_out() {
        assert_eq!(in_words(23, Lang::En), "twenty three");
        assert_eq!(in_words(120, Lang::En), "one hundred and twenty");
        assert_eq!(in_words(31, Lang::Es), "treinta y uno");
        assert_eq!(in_words(1_850, Lang::En), "one eight five zero");
    }

    #[test]
    fn telephone_numbers_as_people_say_them() {
        assert_eq!(phone("oh seven seven double oh nine hundred", Lang::En), Some("077009".to_owned()));
        assert_eq!(phone("it's 07700 900 123", Lang::En), Some("07700900123".to_owned()));
        assert_eq!(phone("+44 7700 900123", Lang::En), Some("+447700900123".to_owned()));
        assert_eq!(phone("seis uno dos, tres cuatro cinco, seis siete ocho", Lang::Es), Some("612345678".to_owned()));
        assert_eq!(phone("sedm set", Lang::Cs), None);
        assert_eq!(phone("šest nula dva, jedna dva tři, čtyři pět šest", Lang::Cs), Some("602123456".to_owned()));
        assert!(is_phone("+442079460000") && !is_phone("sip-user") && !is_phone("101"));
        assert_eq!(spoken_digits("+44770"), "4 4 7, 7 0");
    }
}
