//! How Twilio signs: HMAC-SHA1 with the account's auth token over the address and the form, in base64, in `X-Twilio-Signature`.
//!
//! For a form, each name and its values follow the address, sorted by name. A body that is no form is named by its hash in the query
//! (`bodySHA256`), and the address alone is signed. The signing side is not consistent about default ports and about how a query is
//! encoded, so each of the four ways of writing the address is accepted, as Twilio's own libraries do.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use subtle::{Choice, ConstantTimeEq};

/// A form as it was sent: names with their values.
pub type Form = Vec<(String, String)>;

/// What was signed.
pub struct Signed<'a> {
    /// Scheme and authority under which Twilio knows us, such as `https://desk.clinic.example`.
    pub base: &'a str,
    /// Path and query, as sent.
    pub path: &'a str,
    /// The form; none for bodies of other kinds and for sockets.
    pub form: Option<&'a Form>,
    /// The body, byte for byte.
    pub body: &'a [u8],
}

impl Signed<'_> {
    /// Whether this is the signature of one of these tokens. Takes as long whichever it is.
    pub fn is_by<'t>(&self, tokens: impl Iterator<Item = &'t str>, signature: &str) -> bool {
        let Ok(signature) = STANDARD.decode(signature.trim()) else { return false };
        if !self.body_is_named() {
            return false;
        }
        let parameters = self.parameters();
        let addresses = addresses(self.base, self.path);
        let mut found = Choice::from(0);
        for token in tokens {
            for address in &addresses {
                found |= mac(token, address, &parameters).ct_eq(&signature);
            }
        }
        found.into()
    }

    /// Where the query names the body's hash, the body has it.
    fn body_is_named(&self) -> bool {
        let query = self.path.split_once('?').map_or("", |(_, query)| query);
        let named = form_urlencoded::parse(query.as_bytes()).find(|(name, _)| name == "bodySHA256");
        match (named, self.form) {
            (Some((_, hash)), _) => {
                let own = Sha256::digest(self.body).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
                own.as_bytes().ct_eq(hash.to_ascii_lowercase().as_bytes()).into()
            }
            // A body that is neither named nor a form is covered by nothing.
            (None, None) => self.body.is_empty(),
            (None, Some(_)) => true,
        }
    }

    /// The form's part of what is signed: sorted by name, each value of a name once and sorted.
    fn parameters(&self) -> String {
        let mut sorted: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        let is_named = self.path.contains("bodySHA256=");
        for (name, value) in self.form.filter(|_| !is_named).into_iter().flatten() {
            sorted.entry(name).or_default().insert(value);
        }
        let pairs = sorted.into_iter().flat_map(|(name, values)| values.into_iter().map(move |value| [name, value]));
        pairs.flatten().collect()
    }
}

/// The signature itself, as Twilio makes it.
#[cfg(test)]
fn sign(token: &str, address: &str, form: &Form) -> String {
    let signed = Signed { base: "", path: "", form: Some(form), body: &[] };
    STANDARD.encode(mac(token, address, &signed.parameters()))
}

fn mac(token: &str, address: &str, parameters: &str) -> [u8; 20] {
    let mut mac = Hmac::<Sha1>::new_from_slice(token.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(address.as_bytes());
    mac.update(parameters.as_bytes());
    mac.finalize().into_bytes().into()
}

/// The ways in which one address may be written.
fn addresses(base: &str, path: &str) -> Vec<String> {
    let (scheme, authority) = base.split_once("://").unwrap_or(("", base));
    let usual = if matches!(scheme, "http" | "ws") { "80" } else { "443" };
    let has_port = |(_, port): (&str, &str)| !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let (host, port) = authority.rsplit_once(':').filter(|parts| has_port(*parts)).unwrap_or((authority, usual));
    let path_again = path.split_once('?').map(|(before, query)| {
        let again: String = form_urlencoded::Serializer::new(String::new())
            .extend_pairs(form_urlencoded::parse(query.as_bytes()))
            .finish();
        format!("{before}?{again}")
    });
    let paths = std::iter::once(path.to_owned()).chain(path_again);
    paths.flat_map(|path| [format!("{scheme}://{host}{path}"), format!("{scheme}://{host}:{port}{path}")]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "12345";

    fn form(pairs: &[(&str, &str)]) -> Form {
        pairs.iter().map(|&(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    fn documented() -> Form {
        form(&[
            ("CallSid", "CA1234567890ABCDE"),
            ("Caller", "+14158675309"),
            ("Digits", "1234"),
            ("From", "+14158675309"),
            ("To", "+18005551212"),
        ])
    }

    /// SEC-11: the example of Twilio's own documentation and libraries.
    #[test]
    fn the_documented_example_is_signed_as_documented() {
        let signature = "RSOYDt4T1cUTdK1PDd93/VVr8B8=";
        let form = documented();
        let path = "/myapp.php?foo=1&bar=2";
        assert_eq!(sign(TOKEN, "https://mycompany.com/myapp.php?foo=1&bar=2", &form), signature);
        let signed = Signed { base: "https://mycompany.com", path, form: Some(&form), body: b"" };
        assert!(signed.is_by([TOKEN].into_iter(), signature));
        assert!(signed.is_by(["other", TOKEN].into_iter(), signature), "the second token holds as well");
        for (tokens, signature) in [
            (vec!["other"], signature),
            (vec![], signature),
            (vec![TOKEN], "RSOYDt4T1cUTdK1PDd93/VVr8B9="),
            (vec![TOKEN], ""),
            (vec![TOKEN], "no base64!"),
        ] {
            assert!(!signed.is_by(tokens.iter().copied(), signature), "{tokens:?} {signature}");
        }
    }

    /// SEC-11: anything that is changed on the way shows.
    #[test]
    fn a_changed_request_does_not_pass() {
        let form_sent = documented();
        let signature = sign(TOKEN, "https://desk.example/voice", &form_sent);
        let is_by = |base, path, form: &Form| {
            Signed { base, path, form: Some(form), body: b"" }.is_by([TOKEN].into_iter(), &signature)
        };
        assert!(is_by("https://desk.example", "/voice", &form_sent));
        assert!(!is_by("http://desk.example", "/voice", &form_sent));
        assert!(!is_by("https://desk.example", "/voice?a=1", &form_sent));
        assert!(!is_by("https://other.example", "/voice", &form_sent));
        let mut changed = form_sent.clone();
        changed[4].1 = "+18005551213".to_owned();
        assert!(!is_by("https://desk.example", "/voice", &changed));
        changed = form_sent.clone();
        changed.push(("Extra".to_owned(), String::new()));
        assert!(!is_by("https://desk.example", "/voice", &changed));
    }

    #[test]
    fn ports_and_encodings_are_taken_in_every_way_they_are_signed() {
        let form = form(&[("b", "2"), ("A", "1"), ("b", "1"), ("b", "2"), ("a", "é")]);
        let table = [
            ("https://desk.example", "https://desk.example:443/v?x=a%20b"),
            ("https://desk.example", "https://desk.example/v?x=a+b"),
            ("https://desk.example:8443", "https://desk.example:8443/v?x=a%20b"),
            ("https://desk.example:8443", "https://desk.example/v?x=a%20b"),
            ("wss://desk.example", "wss://desk.example:443/v?x=a%20b"),
        ];
        for (base, address) in table {
            let signature = STANDARD.encode(mac(TOKEN, address, "A1aéb1b2"));
            let signed = Signed { base, path: "/v?x=a%20b", form: Some(&form), body: b"" };
            assert!(signed.is_by([TOKEN].into_iter(), &signature), "{base} signed as {address}");
        }
    }

    #[test]
    fn a_body_that_is_no_form_is_named_by_its_hash() {
        let body = br#"{"a":1}"#;
        let hash: String = Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect();
        let path = format!("/events?bodySHA256={hash}");
        let signature = sign(TOKEN, &format!("https://desk.example{path}"), &Form::new());
        let is_by = |path: &str, body: &[u8]| {
            Signed { base: "https://desk.example", path, form: None, body }.is_by([TOKEN].into_iter(), &signature)
        };
        assert!(is_by(&path, body));
        assert!(!is_by(&path, br#"{"a":2}"#));
        let bare = sign(TOKEN, "https://desk.example/events", &Form::new());
        let unnamed = Signed { base: "https://desk.example", path: "/events", form: None, body };
        assert!(!unnamed.is_by([TOKEN].into_iter(), &bare), "a body that no signature covers");
    }
}
