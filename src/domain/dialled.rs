//! Numbers as people dial them, and what they are: a number of the world (E.164) with its country, or an emergency number.

mod plans;

use crate::emergency;
use plans::{PLANS, PREMIUM, Plan, SHARED};

/// Most digits of a number of the world (ITU-T E.164 section 6.2.1).
const DIGITS_MAX: usize = 15;
/// What is dialled is cut off unread beyond this many bytes: no number is that long.
const DIALLED_BYTES_MAX: usize = 64;
/// Understood as emergency numbers in every country, beside its own: telephones and visitors know them.
const EMERGENCY_ANYWHERE: &[&str] = &["112", "911", "999"];

/// How a telephone asks for whoever helps in an emergency, without knowing their number (RFC 5031). What may follow after a dot,
/// such as `ambulance`, makes no other number of it.
const EMERGENCY_SERVICE: &str = "urn:service:sos";

/// What somebody dialled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dialled {
    /// Whom one rings in an emergency; dialled to the provider as it is.
    Emergency(String),
    /// A number of the world.
    Number(Number),
}

/// A number of the world (E.164).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Number {
    digits: String,
    code_len: usize,
    country: Option<&'static str>,
}

impl Number {
    /// Its digits, country code first, without the plus sign.
    pub fn digits(&self) -> &str {
        &self.digits
    }

    /// The country it belongs to (ISO 3166-1 alpha-2); none for satellites and services that belong to no country.
    pub fn country(&self) -> Option<&'static str> {
        self.country
    }

    /// Its digits without the country code.
    pub fn within_country(&self) -> &str {
        &self.digits[self.code_len..]
    }

    /// Whether its country declares that it costs more than others.
    pub fn is_premium(&self) -> bool {
        PREMIUM.split_ascii_whitespace().any(|prefix| self.digits.starts_with(prefix))
    }
}

/// With the plus sign.
impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "+{}", self.digits)
    }
}

/// Reads what was dialled as the clinic's country dials: `+`, the country's prefix for abroad, its trunk prefix, or a number of
/// the country without one. Spaces and the signs that people write between digits do not count; `(0)` after a country code, as
/// in `+44 (0)20`, is left out. None when it is no number that could exist: wrong signs, too short, too long, an unknown country
/// code.
pub fn read(text: &str, country: &str) -> Option<Dialled> {
    if text.len() > DIALLED_BYTES_MAX {
        return None;
    }
    let text = text.trim();
    if is_emergency_service(text) {
        return Some(Dialled::Emergency(emergency::number(country).to_owned()));
    }
    let (plus, rest) = match text.strip_prefix('+') {
        Some(rest) => (true, rest.replace("(0)", "")),
        None => (false, text.to_owned()),
    };
    let is_between = |letter: char| matches!(letter, ' ' | '-' | '.' | '/' | '(' | ')' | '\u{a0}');
    let digits: String = rest.chars().filter(|letter| !is_between(*letter)).collect();
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let home = PLANS.iter().find(|plan| plan.country == country);
    if !plus && emergencies(country).any(|number| number == digits) {
        return Some(Dialled::Emergency(digits));
    }
    let digits = match home {
        _ if plus => digits,
        Some(home) => at_home(&digits, home)?,
        // A country without a plan of its own: abroad is dialled as nearly everywhere.
        None => digits.strip_prefix("00")?.to_owned(),
    };
    number(digits).map(Dialled::Number)
}

/// The numbers that are dialled in an emergency from a clinic in this country, digits alone.
pub fn emergencies(country: &str) -> impl Iterator<Item = &'static str> + use<> {
    let home = PLANS.iter().find(|plan| plan.country == country);
    let own = home.map_or("", |plan| plan.emergency);
    EMERGENCY_ANYWHERE.iter().copied().chain(own.split_ascii_whitespace())
}

/// A number with its country code, with or without the plus sign.
pub fn number(text: impl AsRef<str>) -> Option<Number> {
    let digits = text.as_ref().strip_prefix('+').unwrap_or(text.as_ref()).to_owned();
    if digits.len() > DIGITS_MAX || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let with_code = |plan: &&Plan| digits.starts_with(plan.code);
    // No country code begins with another one, so the first plan with the code decides.
    let Some(plan) = PLANS.iter().find(with_code) else {
        // Shared services and satellites (ITU-T E.164.1): +800, +870, +881 and so on.
        let is_service = digits.starts_with('8') || digits.starts_with('9');
        return (is_service && digits.len() >= 8).then_some(Number { digits, code_len: 3, country: None });
    };
    let country = shared_country(&digits).unwrap_or(plan.country);
    let plan = PLANS.iter().find(|plan| plan.country == country).unwrap_or(plan);
    let code_len = plan.code.len();
    let fits = (plan.digits.0..=plan.digits.1).contains(&(digits.len() - code_len));
    fits.then_some(Number { digits, code_len, country: Some(country) })
}

/// A number as one dials it within its country; with the plus sign when it belongs to none.
pub fn within(number: &Number) -> String {
    let plan = PLANS.iter().find(|plan| Some(plan.country) == number.country());
    plan.map_or_else(|| number.to_string(), |plan| format!("{}{}", plan.trunk, number.within_country()))
}

/// Whether a country is known here.
pub fn is_country(country: &str) -> bool {
    PLANS.iter().any(|plan| plan.country == country)
}

fn shared_country(digits: &str) -> Option<&'static str> {
    let has = |prefixes: &&str| prefixes.split_ascii_whitespace().any(|prefix| digits.starts_with(prefix));
    SHARED.iter().find(|(_, prefixes)| has(prefixes)).map(|(country, _)| *country)
}

fn is_emergency_service(text: &str) -> bool {
    let known = text.get(..EMERGENCY_SERVICE.len()).is_some_and(|begin| begin.eq_ignore_ascii_case(EMERGENCY_SERVICE));
    known && matches!(text.as_bytes().get(EMERGENCY_SERVICE.len()), None | Some(b'.'))
}

/// A number dialled within a country, with its country code.
fn at_home(digits: &str, home: &Plan) -> Option<String> {
    let fits = |rest: &str| (home.digits.0..=home.digits.1).contains(&rest.len());
    // The longest prefix for abroad first: `0011` is not `00` and `11`.
    let abroad = home.abroad.split_ascii_whitespace().filter_map(|prefix| digits.strip_prefix(prefix));
    if let Some(rest) = abroad.min_by_key(|rest| rest.len()) {
        return Some(rest.to_owned());
    }
    if !home.trunk.is_empty()
        && let Some(rest) = digits.strip_prefix(home.trunk)
        && fits(rest)
    {
        return Some(format!("{}{rest}", home.code));
    }
    fits(digits).then(|| format!("{}{digits}", home.code))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn dial(text: &str, country: &str) -> Option<(String, Option<&'static str>)> {
        match read(text, country)? {
            Dialled::Number(number) => Some((number.to_string(), number.country())),
            Dialled::Emergency(digits) => Some((digits, Some("emergency"))),
        }
    }

    /// CALL-01: what people dial is one number of the world, whichever way they dial it.
    #[test]
    fn a_number_is_the_same_however_it_is_dialled() {
        let rows = [
            ("GB", "020 7946 0958", "+442079460958", "GB"),
            ("GB", "+44 (0)20 7946 0958", "+442079460958", "GB"),
            ("GB", "0044 20 7946 0958", "+442079460958", "GB"),
            ("GB", "07624 000000", "+447624000000", "IM"),
            ("CZ", "602 123 456", "+420602123456", "CZ"),
            ("CZ", "00420602123456", "+420602123456", "CZ"),
            ("CZ", "+1 202 555 0123", "+12025550123", "US"),
            ("ES", "912 345 678", "+34912345678", "ES"),
            ("US", "(202) 555-0123", "+12025550123", "US"),
            ("US", "1 202 555 0123", "+12025550123", "US"),
            ("US", "1 876 555 0123", "+18765550123", "JM"),
            ("US", "416 555 0123", "+14165550123", "CA"),
            ("US", "011 44 20 7946 0958", "+442079460958", "GB"),
            ("RU", "8 495 123 4567", "+74951234567", "RU"),
            ("RU", "810 420 602 123 456", "+420602123456", "CZ"),
            ("AU", "0011 420 602 123 456", "+420602123456", "CZ"),
            ("IT", "06 1234 5678", "+390612345678", "IT"),
            ("DE", "030/1234567", "+49301234567", "DE"),
            ("KZ", "+7 727 123 4567", "+77271234567", "KZ"),
        ];
        for (country, text, number, of) in rows {
            assert_eq!(dial(text, country), Some((number.to_owned(), Some(of))), "{text} in {country}");
        }
        assert_eq!(
            dial("+8816 1234 5678", "GB"),
            Some(("+881612345678".to_owned(), None)),
            "a satellite is in no country"
        );
    }

    #[test]
    fn an_emergency_number_is_no_other_number() {
        for (country, digits) in
            [("CZ", "155"), ("CZ", "112"), ("GB", "999"), ("US", "911"), ("AU", "000"), ("??", "112")]
        {
            assert_eq!(dial(digits, country), Some((digits.to_owned(), Some("emergency"))), "{digits} in {country}");
        }
        for (country, service, digits) in [
            ("GB", "urn:service:sos", "999"),
            ("CZ", "URN:Service:SOS.ambulance", "112"),
            ("US", "urn:service:sos.fire", "911"),
            ("??", "urn:service:sos", "112"),
        ] {
            assert_eq!(dial(service, country), Some((digits.to_owned(), Some("emergency"))), "{service} in {country}");
        }
        assert_eq!(dial("urn:service:sosigonos", "CZ"), None);
        assert_eq!(dial("155", "GB"), None);
        assert_eq!(dial("+112", "CZ"), None, "a plus begins a number of the world");
    }

    #[test]
    fn nonsense_is_no_number() {
        let long = "0".repeat(65);
        for text in
            ["", "+", "00", "sales", "0207;ext=9", "12", "+0123456789", "0044", "+4420794609581234", "٠٢٠٧", &long]
        {
            assert_eq!(dial(text, "GB"), None, "{text}");
        }
    }

    /// SEC-13: numbers at which swindlers earn are known as such in every country.
    #[test]
    fn premium_numbers_are_known() {
        for premium in ["+420906123456", "+449098790123", "+19005551234", "+34803123456", "+499001234567"] {
            assert!(number(premium).is_some_and(|it| it.is_premium()), "{premium}");
        }
        for usual in ["+420602123456", "+442079460958", "+12025550123", "+34912345678", "+447700900123"] {
            assert!(number(usual).is_some_and(|it| !it.is_premium()), "{usual}");
        }
    }

    #[test]
    fn no_country_code_begins_with_another() {
        for one in PLANS {
            let clash = PLANS.iter().find(|other| other.code != one.code && other.code.starts_with(one.code));
            assert!(clash.is_none(), "{one:?} and {clash:?}");
        }
    }

    proptest! {
        /// Whatever is dialled: what comes out is dialled again as the same number, in any country.
        #[test]
        fn a_number_reads_back_as_itself(text in "[+0-9 ()]{1,20}", country in prop::sample::select(vec!["GB", "US", "CZ", "ES", "RU", "AU"])) {
            if let Some(Dialled::Number(number)) = read(&text, country) {
                prop_assert_eq!(read(&number.to_string(), "CZ"), Some(Dialled::Number(number.clone())));
                prop_assert!(number.digits().len() <= DIGITS_MAX);
            }
        }

        #[test]
        fn any_text_is_survived(text in "\\PC{0,80}", country in "\\PC{0,3}") {
            let _read = read(&text, &country);
        }
    }
}
