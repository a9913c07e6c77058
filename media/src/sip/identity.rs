//! Who calls, as an INVITE says: From, and what those in between vouch for (RFC 3325, RFC 5806, RFC 7044, RFC 8588).
//!
//! All of it is read here and believed nowhere: who may vouch is for who knows the source to decide.

use super::address::NameAddr;
use super::header::split;
use super::message::Head;
use super::uri::{Uri, unescape};
use crate::io::{Attestation, AttestationLevel, CallerIdentity, NumberCheck};

/// The longest name or number that is told, in letters; RFC 3261 knows no limit, and telephones show a tenth of it.
const NAME_LETTERS_MAX: usize = 128;
/// Where carriers write how well they know who calls, when the number itself does not say.
const LEVEL_HEADERS: [&str; 2] = ["Attestation-Info", "P-Attestation-Indicator"];
/// Where carriers write what came of checking the number, when the number itself does not say.
const CHECK_HEADERS: [&str; 1] = ["X-Twilio-VerStat"];

/// The number or user of From; `None` when it is withheld.
pub fn from_user(from: &NameAddr) -> Option<String> {
    let anonymous = match &from.uri {
        Uri::Sip(uri) => uri.host.eq_ignore_ascii_case("anonymous.invalid"),
        Uri::Other { .. } => false,
    };
    Some(user(&from.uri)).filter(|user| !anonymous && !user.eq_ignore_ascii_case("anonymous"))
}

/// What the INVITE says beyond From.
pub fn identity(head: &Head) -> CallerIdentity {
    let identities = head.addresses("P-Asserted-Identity").unwrap_or_default();
    // `Privacy: id` (RFC 3325 section 9.3) lets a number pass between trusted servers but not to who is called.
    let withheld = private(head.all("Privacy"), &["id", "user", "full"]) || from_user(&head.from).is_none();
    let asserted = identities.iter().map(|identity| user(&identity.uri)).find(|user| !user.is_empty());
    let said = identities.iter().chain([&head.from]).find_map(check);
    let said = said.or_else(|| CHECK_HEADERS.iter().filter_map(|name| head.get(name)).find_map(verdict));
    let level = LEVEL_HEADERS.iter().filter_map(|name| head.get(name)).find_map(level);
    CallerIdentity {
        asserted: asserted.filter(|_| !withheld).as_deref().map(told),
        diverted_from: diverted_by(head).filter(|number| !number.is_empty()).as_deref().map(told),
        attestation: said.map(|said| Attestation { level: said.level.or(level), ..said }),
    }
}

/// A name or number as it may be told: it goes into records, on screens and into what a language model reads. Line ends,
/// other control characters and marks that turn the direction of writing are left out, and so is what is too long for a name.
pub fn told(text: &str) -> String {
    let turns = |letter: char| matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.chars().filter(|letter| !letter.is_control() && !turns(*letter)).take(NAME_LETTERS_MAX).collect()
}

/// The user part; of a telephone number, without its parameters (RFC 3261 section 19.1.6).
pub fn user(uri: &Uri) -> String {
    let user = uri.user();
    match user.split_once(';') {
        Some((number, _)) if is_number(number) => number.to_owned(),
        _ => user,
    }
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix('+').unwrap_or(text);
    !digits.is_empty() && digits.chars().all(|letter| letter.is_ascii_digit() || "-.()*#".contains(letter))
}

/// Whether one of the values of Privacy (RFC 3323 section 4.2) is among these.
fn private<'a>(mut lines: impl Iterator<Item = &'a str>, wanted: &[&str]) -> bool {
    lines.any(|line| {
        line.split([';', ',']).any(|value| wanted.iter().any(|wanted| value.trim().eq_ignore_ascii_case(wanted)))
    })
}

/// `verstat`, a parameter of the telephone number (TS 24.229 section 7.2A.20): in the user part, after a `tel:` number, or (from some) of
/// the URI. Of an address without brackets it is the header's (RFC 3261 section 20.10), where some write it in any case.
fn check(address: &NameAddr) -> Option<Attestation> {
    of_uri(&address.uri).or_else(|| address.params.get("verstat").and_then(verdict))
}

fn of_uri(uri: &Uri) -> Option<Attestation> {
    let of_number = |text: &str| {
        let mut params = text.split(';').skip(1).filter_map(|param| param.split_once('='));
        params.find(|(name, _)| name.eq_ignore_ascii_case("verstat")).and_then(|(_, value)| verdict(value))
    };
    match uri {
        Uri::Sip(uri) => uri
            .user
            .as_deref()
            .and_then(|user| of_number(&unescape(user)))
            .or_else(|| uri.params.get("verstat").and_then(verdict)),
        Uri::Other { scheme, rest } if scheme == "tel" => of_number(rest),
        Uri::Other { .. } => None,
    }
}

/// What a `verstat` says: `TN-Validation-Passed-A` and its siblings, in any case of letters; none for what is none.
pub fn verdict(value: &str) -> Option<Attestation> {
    const VERDICTS: [(&str, NumberCheck); 3] = [
        ("tn-validation-passed", NumberCheck::Passed),
        ("tn-validation-failed", NumberCheck::Failed),
        ("no-tn-validation", NumberCheck::Unchecked),
    ];
    let value = value.trim().to_ascii_lowercase();
    let (rest, check) = VERDICTS.iter().find_map(|(name, check)| Some((value.strip_prefix(name)?, *check)))?;
    // Some add that the call was diverted on its way; by whom is told elsewhere.
    let rest = rest.strip_suffix("-diverted").unwrap_or(rest);
    match rest.strip_prefix('-') {
        None if rest.is_empty() => Some(Attestation { check, level: None }),
        None => None,
        Some(letter) => Some(Attestation { check, level: level(letter) }),
    }
}

fn level(value: &str) -> Option<AttestationLevel> {
    match value.trim() {
        "a" | "A" => Some(AttestationLevel::A),
        "b" | "B" => Some(AttestationLevel::B),
        "c" | "C" => Some(AttestationLevel::C),
        _ => None,
    }
}

/// The number that was called first, as a Diversion header says (RFC 5806); `None` where it is to be hidden.
pub fn diverted_from(value: &str) -> Option<String> {
    let first = NameAddr::parse(split(value, b',')?.pop()?)?;
    first_of(&first).filter(|number| !number.is_empty()).as_deref().map(told)
}

fn first_of(entry: &NameAddr) -> Option<String> {
    let hidden = entry.params.get("privacy").is_some_and(|value| !value.eq_ignore_ascii_case("off"));
    Some(user(&entry.uri)).filter(|_| !hidden)
}

/// The number that was called first. Diversion lists the latest first (RFC 5806 section 4), History-Info the first.
fn diverted_by(head: &Head) -> Option<String> {
    if let Some(first) = head.addresses("Diversion").unwrap_or_default().pop() {
        return first_of(&first);
    }
    let entries = head.addresses("History-Info").unwrap_or_default();
    let (first, later) = entries.split_first()?;
    // Later entries name proxies and contacts too; a diversion says why, or that another user is meant (RFC 7044).
    let diverts = |entry: &NameAddr| match &entry.uri {
        Uri::Sip(uri) => uri.params.has("cause") || entry.params.has("mp"),
        Uri::Other { .. } => entry.params.has("mp"),
    };
    let Uri::Sip(uri) = &first.uri else { return later.iter().any(diverts).then(|| user(&first.uri)) };
    let headers = uri.headers.as_deref().and_then(|headers| split(headers, b'&')).unwrap_or_default();
    let hides = |header: &&str| unescape(header).to_ascii_lowercase().starts_with("privacy=");
    let hidden = headers.iter().any(hides) || private(head.all("Privacy"), &["history"]);
    (later.iter().any(diverts) && !hidden).then(|| user(&first.uri))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]
    use super::*;
    use crate::sip::message::Message;
    use crate::sip::parse;

    fn read(from: &str, headers: &[&str]) -> (Option<String>, CallerIdentity) {
        let text = format!(
            "INVITE sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx\r\nFrom: {from};tag=1\r\n\
             To: <sip:c@d>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n{}Content-Length: 0\r\n\r\n",
            headers.iter().map(|header| format!("{header}\r\n")).collect::<String>()
        );
        match parse::message(text.as_bytes()) {
            Ok(Message::Request(request)) => (from_user(&request.head.from), identity(&request.head)),
            other => panic!("{other:?}"),
        }
    }

    const ANN: &str = "<sip:+4201@example.org>";
    const NOBODY: &str = "\"Anonymous\" <sip:anonymous@anonymous.invalid>";

    /// RFC 3325 and RFC 3323: whom the network names, and when that is not to be told.
    #[test]
    fn asserted_numbers() {
        type Row<'a> = (&'a str, &'a [&'a str], Option<&'a str>, Option<&'a str>);
        let table: [Row<'_>; 9] = [
            (ANN, &[], Some("+4201"), None),
            (ANN, &["P-Asserted-Identity: <tel:+420777>"], Some("+4201"), Some("+420777")),
            (ANN, &["P-Asserted-Identity: <sip:gate@t>, <tel:+420777>"], Some("+4201"), Some("gate")),
            (ANN, &["P-Asserted-Identity: <sip:+420777;phone-context=x@t;user=phone>"], Some("+4201"), Some("+420777")),
            (ANN, &["P-Asserted-Identity: <tel:+420777>", "Privacy: id"], Some("+4201"), None),
            (ANN, &["P-Asserted-Identity: <tel:+420777>", "Privacy: none;critical"], Some("+4201"), Some("+420777")),
            (NOBODY, &["P-Asserted-Identity: <tel:+420777>"], None, None),
            ("<sip:a;b@example.org>", &["P-Asserted-Identity: nonsense <"], Some("a;b"), None),
            ("<tel:+420-777;isub=1>", &[], Some("+420-777"), None),
        ];
        for (from, headers, user, asserted) in table {
            let (from_user, identity) = read(from, headers);
            assert_eq!((from_user.as_deref(), identity.asserted.as_deref()), (user, asserted), "{from} {headers:?}");
        }
    }

    /// TS 24.229 section 7.2A.20 and RFC 8588.
    #[test]
    fn attestations() {
        use AttestationLevel::{A, B, C};
        use NumberCheck::{Failed, Passed, Unchecked};
        type Row<'a> = (&'a str, &'a [&'a str], Option<(NumberCheck, Option<AttestationLevel>)>);
        let table: [Row<'_>; 17] = [
            (ANN, &["P-Asserted-Identity: <tel:+4201;verstat=TN-Validation-Passed>"], Some((Passed, None))),
            (
                ANN,
                &["P-Asserted-Identity: <sip:+4201;verstat=TN-Validation-Passed-A@t;user=phone>"],
                Some((Passed, Some(A))),
            ),
            (ANN, &["P-Asserted-Identity: <sip:+4201@t;verstat=TN-Validation-Failed-C>"], Some((Failed, Some(C)))),
            (ANN, &["P-Asserted-Identity: <sip:+4201;verstat=no-tn-validation@t>"], Some((Unchecked, None))),
            ("<sip:+4201;verstat=TN-Validation-Passed-B@t>", &[], Some((Passed, Some(B)))),
            ("sip:+4201@t;verstat=TN-Validation-Passed-C", &[], Some((Passed, Some(C)))),
            ("<sip:+4201@t>;verstat=TN-Validation-Failed", &[], Some((Failed, None))),
            (
                "<sip:+4201@t>;verstat=TN-Validation-Passed",
                &["P-Asserted-Identity: <tel:+4201;verstat=No-TN-Validation>"],
                Some((Unchecked, None)),
            ),
            (
                "<sip:+4201;verstat=TN-Validation-Failed@t>",
                &["P-Asserted-Identity: <tel:+4201;verstat=TN-Validation-Passed-A>"],
                Some((Passed, Some(A))),
            ),
            (
                ANN,
                &["P-Asserted-Identity: <tel:+4201;verstat=TN-Validation-Passed>", "P-Attestation-Indicator: B"],
                Some((Passed, Some(B))),
            ),
            (ANN, &["Attestation-Info: A"], None),
            (ANN, &["X-Twilio-VerStat: TN-Validation-Passed-A"], Some((Passed, Some(A)))),
            (ANN, &["P-Asserted-Identity: <tel:+4201;verstat=TN-Validation-Passed-X>"], Some((Passed, None))),
            (ANN, &["P-Asserted-Identity: <tel:+4201;verstat=TN-Validation-PassedA>"], None),
            (ANN, &["P-Asserted-Identity: <tel:+4201;verstat=yes>"], None),
            (ANN, &["P-Asserted-Identity: <tel:+4201>"], None),
            // A withheld number may have been checked all the same.
            (NOBODY, &["P-Asserted-Identity: <tel:+4201;verstat=TN-Validation-Passed-A>"], Some((Passed, Some(A)))),
        ];
        for (from, headers, expected) in table {
            let attestation = read(from, headers).1.attestation;
            let expected = expected.map(|(check, level)| Attestation { check, level });
            assert_eq!(attestation, expected, "{from} {headers:?}");
        }
    }

    /// RFC 5806 and RFC 7044: whom the caller called first.
    #[test]
    fn diversions() {
        let table: [(&[&str], Option<&str>); 11] = [
            (&["Diversion: <sip:+4202@t>;reason=no-answer;counter=1"], Some("+4202")),
            (
                &["Diversion: <sip:late@t>;reason=user-busy", "Diversion: <sip:first@t>;reason=unconditional"],
                Some("first"),
            ),
            (&["Diversion: <sip:late@t>, <tel:+4203;x=y>;reason=away"], Some("+4203")),
            (&["Diversion: <sip:+4202@t>;privacy=full"], None),
            (&["Diversion: <sip:+4202@t>;privacy=off"], Some("+4202")),
            (&["Diversion: <sip:t>"], None),
            (&["History-Info: <sip:+4202@t>;index=1, <sip:us@t;cause=302>;index=1.1"], Some("+4202")),
            (&["History-Info: <sip:+4202@t>;index=1", "History-Info: <sip:us@t>;index=1.1;mp=1"], Some("+4202")),
            (&["History-Info: <sip:us@t>;index=1, <sip:us@10.0.0.1>;index=1.1;rc=1"], None),
            (&["History-Info: <sip:+4202@t?Privacy=history>;index=1, <sip:us@t;cause=486>;index=1.1"], None),
            (&["History-Info: <sip:us@t>;index=1"], None),
        ];
        for (headers, expected) in table {
            assert_eq!(read(ANN, headers).1.diverted_from.as_deref(), expected, "{headers:?}");
        }
    }
}
