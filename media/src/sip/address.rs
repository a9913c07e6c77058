//! Addresses with a display name and parameters (RFC 3261 section 20.10).

use std::fmt;

use super::header::{LWS, Params, closing_quote, is_token};
use super::uri::Uri;

/// A From, To, Contact, Route or Record-Route value.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NameAddr {
    /// Display name as written: tokens, or a quoted string with its quotes.
    pub display: Option<String>,
    /// The address.
    pub uri: Uri,
    /// Header parameters, such as `tag`.
    pub params: Params,
}

impl NameAddr {
    /// Just an address.
    pub fn new(uri: Uri) -> Self {
        Self { display: None, uri, params: Params::default() }
    }

    /// The same with a tag.
    pub fn tagged(mut self, tag: &str) -> Self {
        self.params.set("tag", tag.into());
        self
    }

    /// The tag; `None` when there is none or it is empty.
    pub fn tag(&self) -> Option<&str> {
        self.params.get("tag").filter(|tag| !tag.is_empty())
    }

    /// The display name without quotes and escapes; empty when there is none.
    pub fn name(&self) -> String {
        let display = self.display.as_deref().unwrap_or_default();
        let Some(quoted) = display.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
            return display.into();
        };
        let mut name = String::with_capacity(quoted.len());
        let mut escaped = false;
        for letter in quoted.chars() {
            escaped = letter == '\\' && !escaped;
            if !escaped {
                name.push(letter);
            }
        }
        name
    }

    /// Reads one value; `None` when it breaks the grammar.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim_matches(LWS);
        let (display, rest) = match text.strip_prefix('"') {
            Some(rest) => {
                let end = closing_quote(rest)? + 2;
                let (display, rest) = text.split_at(end);
                (Some(display), rest.trim_start_matches(LWS).strip_prefix('<')?)
            }
            None => match text.split_once('<') {
                Some((display, rest)) => {
                    let display = display.trim_end_matches(LWS);
                    if !display.split(LWS).all(|word| word.is_empty() || is_token(word)) {
                        return None;
                    }
                    (Some(display).filter(|display| !display.is_empty()), rest)
                }
                None => return Self::parse_bare(text),
            },
        };
        let (uri, params) = rest.split_once('>')?;
        Some(Self { display: display.map(str::to_owned), uri: Uri::parse(uri)?, params: Params::parse(params)? })
    }

    /// Without brackets every parameter belongs to the header, and `?` or `,` cannot be in the URI (section 20.10).
    fn parse_bare(text: &str) -> Option<Self> {
        let (uri, params) = text.split_at(text.find(';').unwrap_or(text.len()));
        let uri = uri.trim_end_matches(LWS);
        if uri.contains([',', '?']) {
            return None;
        }
        Some(Self { display: None, uri: Uri::parse(uri)?, params: Params::parse(params)? })
    }
}

impl fmt::Display for NameAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(display) = &self.display {
            write!(f, "{display} ")?;
        }
        write!(f, "<{}>{}", self.uri, self.params)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_and_written() {
        let table = [
            ("\"A \\\" <B>\" <sip:a@b;lr>;tag=1", "A \" <B>", Some("1"), "\"A \\\" <B>\" <sip:a@b;lr>;tag=1"),
            ("Ann Bee  <sip:a@b> ; tag = x", "Ann Bee", Some("x"), "Ann Bee <sip:a@b>;tag=x"),
            ("sip:a@b;tag=2;x=\"y;z\"", "", Some("2"), "<sip:a@b>;tag=2;x=\"y;z\""),
            ("<sip:a@b>;tag=", "", None, ""),
            ("<sip:a@b>;tag", "", None, "<sip:a@b>;tag"),
        ];
        for (text, name, tag, written) in table {
            match NameAddr::parse(text) {
                Some(address) => {
                    assert_eq!((address.name().as_str(), address.tag()), (name, tag));
                    assert_eq!(address.to_string(), written);
                }
                None => assert_eq!(written, "", "{text}"),
            }
        }
    }

    #[test]
    fn bad_addresses_are_refused() {
        for text in [
            "",
            "*",
            "\"A <sip:a@b>",
            "A, B <sip:a@b>",
            "<sip:a@b",
            "sip:a@b>",
            "< sip:a@b>",
            "<sip:a@b>x",
            "<sip:a@b>;;",
            "sip:a@b,sip:c@d",
            "sip:a@b?x=y",
            "\"A\" sip:a@b",
            "<sip:a@b>;tag=\"x",
            "<sip:a@b>;t g=1",
        ] {
            assert_eq!(NameAddr::parse(text), None, "{text}");
        }
    }
}
