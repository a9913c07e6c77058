//! Digest authentication (RFC 3261 section 22, RFC 8760, RFC 7616, RFC 2617): what both sides compute, and the side that
//! answers challenges. [`server`] is the side that makes them.

pub mod server;

use std::fmt;

use md5::{Digest as _, Md5};
use sha2::Sha256;

use super::header::{closing_quote, split};
use super::message::{Method, Request, Response};
use super::tokens::Tokens;
use crate::io::{Credentials, TRUNK_REALMS_MAX};

/// Challenges of one response that are looked at.
const CHALLENGES_MAX: usize = 8;
/// Letters of a realm that are told to people.
const REALM_CHARS_MAX: usize = 253;

/// How secrets are mixed in. Ordered: the better one is greater.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Algorithm {
    /// MD5 (RFC 2617): all that many providers have.
    Md5,
    /// SHA-256 (RFC 8760).
    Sha256,
}

impl Algorithm {
    /// Its name in a header.
    pub fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }

    /// The algorithm of this name, compared without case.
    pub fn of(name: &str) -> Option<Self> {
        [Self::Md5, Self::Sha256].into_iter().find(|algorithm| algorithm.name().eq_ignore_ascii_case(name))
    }

    /// The hash of a text as lower-case hex digits.
    pub fn hash(self, text: &str) -> String {
        match self {
            Self::Md5 => hex(&Md5::digest(text)),
            Self::Sha256 => hex(&Sha256::digest(text)),
        }
    }

    /// What a server keeps instead of a password: the hash of user, realm and password.
    pub fn secret(self, user: &str, realm: &str, password: &str) -> String {
        self.hash(&format!("{user}:{realm}:{password}"))
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The parts of a response that count its use, where the challenge has `qop=auth`.
#[derive(Clone, Copy, Debug)]
pub struct Count<'a> {
    /// How often the nonce has been used, this use included: eight hex digits.
    pub nc: &'a str,
    /// The client's own nonce.
    pub cnonce: &'a str,
}

/// The response to a challenge (RFC 7616 section 3.4.1); `secret` is what [`Algorithm::secret`] made.
pub fn response(
    algorithm: Algorithm,
    secret: &str,
    nonce: &str,
    count: Option<Count<'_>>,
    method: &str,
    uri: &str,
) -> String {
    let request = algorithm.hash(&format!("{method}:{uri}"));
    match count {
        Some(Count { nc, cnonce }) => algorithm.hash(&format!("{secret}:{nonce}:{nc}:{cnonce}:auth:{request}")),
        None => algorithm.hash(&format!("{secret}:{nonce}:{request}")),
    }
}

/// What a server wants to have answered.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Challenge {
    /// Whose passwords are meant. As written between the quotes, like the texts below.
    pub realm: String,
    /// The server's nonce.
    pub nonce: String,
    /// To be sent back as it is.
    pub opaque: Option<String>,
    /// How to answer.
    pub algorithm: Algorithm,
    /// `qop=auth`: uses of the nonce are counted.
    pub counted: bool,
    /// The answer was right, its nonce too old.
    pub stale: bool,
}

impl Challenge {
    /// Reads a `WWW-Authenticate` or `Proxy-Authenticate` value; `None` when it is no challenge that we can answer.
    pub fn parse(text: &str) -> Option<Self> {
        let params = Params::parse(text)?;
        let counted = match params.get("qop") {
            Some(offered) => {
                offered.split(',').find(|qop| qop.trim().eq_ignore_ascii_case("auth"))?;
                true
            }
            None => false,
        };
        Some(Self {
            realm: params.get("realm")?.to_owned(),
            nonce: params.get("nonce")?.to_owned(),
            opaque: params.get("opaque").map(str::to_owned),
            algorithm: Algorithm::of(params.get("algorithm").unwrap_or("MD5"))?,
            counted,
            stale: params.get("stale").is_some_and(|stale| stale.eq_ignore_ascii_case("true")),
        })
    }
}

impl fmt::Display for Challenge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { realm, nonce, opaque, algorithm, counted, stale } = self;
        write!(f, "Digest realm=\"{realm}\", nonce=\"{nonce}\", algorithm={}", algorithm.name())?;
        if let Some(opaque) = opaque {
            write!(f, ", opaque=\"{opaque}\"")?;
        }
        if *counted {
            f.write_str(", qop=\"auth\"")?;
        }
        if *stale {
            f.write_str(", stale=true")?;
        }
        Ok(())
    }
}

/// The parameters of a challenge or of an answer.
struct Params<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Params<'a> {
    fn parse(text: &'a str) -> Option<Self> {
        let (scheme, rest) = text.trim().split_once([' ', '\t'])?;
        if !scheme.eq_ignore_ascii_case("Digest") {
            return None;
        }
        let param = |text: &'a str| {
            let (name, value) = text.split_once('=')?;
            let value = value.trim();
            let Some(inner) = value.strip_prefix('"') else {
                // A quote within would end another text where the value is written between quotes.
                return (!value.contains(['"', '\\'])).then_some((name.trim(), value));
            };
            let ends = closing_quote(inner).filter(|at| at + 1 == inner.len())?;
            Some((name.trim(), &inner[..ends]))
        };
        let parts = split(rest, b',')?.into_iter().filter(|part| !part.is_empty());
        parts.map(param).collect::<Option<Vec<_>>>().map(Self)
    }

    /// The value of a parameter, compared without case; of one that stands twice, none.
    fn get(&self, name: &str) -> Option<&'a str> {
        let mut values = self.0.iter().filter(|(param, _)| param.eq_ignore_ascii_case(name)).map(|(_, value)| *value);
        values.next().filter(|_| values.next().is_none())
    }
}

/// A text as it stands between quotes.
fn quoted(text: &str) -> String {
    let printable = text.chars().filter(|letter| !letter.is_control());
    printable.flat_map(|letter| matches!(letter, '"' | '\\').then_some('\\').into_iter().chain([letter])).collect()
}

/// Who asked: the far end itself (401) or a proxy before it (407).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Asker {
    Server,
    Proxy,
}

impl Asker {
    fn of(status: u16) -> Option<Self> {
        match status {
            401 => Some(Self::Server),
            407 => Some(Self::Proxy),
            _ => None,
        }
    }

    fn asks(self) -> &'static str {
        match self {
            Self::Server => "WWW-Authenticate",
            Self::Proxy => "Proxy-Authenticate",
        }
    }

    fn is_answered(self) -> &'static str {
        match self {
            Self::Server => "Authorization",
            Self::Proxy => "Proxy-Authorization",
        }
    }
}

/// Whether a response demands credentials.
pub fn is_challenge(response: &Response) -> bool {
    Asker::of(response.status).is_some()
}

/// The realm in which a response asks for a password, as people read it; of several the first. None where it asks in a way that we do
/// not know, or for nothing.
pub fn realm_of(response: &Response) -> Option<String> {
    let mut offered = response.head.all(Asker::of(response.status)?.asks()).take(CHALLENGES_MAX);
    let challenge = offered.find_map(Challenge::parse)?;
    let plain =
        unquoted(&challenge.realm).chars().filter(|letter| !letter.is_control()).take(REALM_CHARS_MAX).collect();
    Some(plain)
}

/// The side that answers challenges, for one account. It keeps the last challenge of the far end and of its proxy, so that
/// the next request is answered for before anybody asks.
///
/// Whoever is called through a trunk may ask for credentials as well, and the trunk's proxy passes that on as if it had asked
/// itself: the answer would be something to try passwords on. So realms count. Where none are configured, they are learned:
/// from what the trunk says to REGISTER and OPTIONS, which go no further, else from who asks first.
pub struct Client {
    credentials: Credentials,
    learned: Vec<String>,
    known: Vec<Known>,
}

struct Known {
    asker: Asker,
    challenge: Challenge,
    /// Uses of the nonce.
    count: u32,
}

/// Shows nothing that helps to answer a challenge.
impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("credentials", &self.credentials).finish_non_exhaustive()
    }
}

impl Client {
    /// Answers for these credentials.
    pub fn new(credentials: Credentials) -> Self {
        Self { credentials, learned: Vec::new(), known: Vec::new() }
    }

    /// Takes the challenge of a 401 or 407 to this request: `true` when another try can help. That is, when there is a
    /// challenge of the right realm that we can answer, and it is not our answer that was refused.
    pub fn challenged(&mut self, request: &Request, response: &Response) -> bool {
        let Some(asker) = Asker::of(response.status) else { return false };
        let goes_no_further = matches!(request.method, Method::Register | Method::Options);
        let learns = self.credentials.realms.is_empty() && (goes_no_further || self.learned.is_empty());
        let fits = |challenge: &Challenge| learns || self.is_ours(&challenge.realm);
        let offered = response.head.all(asker.asks()).take(CHALLENGES_MAX);
        let best = offered.filter_map(Challenge::parse).filter(fits).max_by_key(|challenge| challenge.algorithm);
        let Some(challenge) = best else { return false };
        let answers = request.head.all(asker.is_answered()).filter_map(Params::parse);
        let refused = answers.filter(|answer| answer.get("realm") == Some(&*challenge.realm)).any(|answer| {
            // A new nonce without `stale` for an old one means that the answer was wrong, unless the nonce was from an
            // earlier request: that a server forgets nonces without saying so is common.
            answer.get("nonce") == Some(&*challenge.nonce) || answer.get("nc") == Some(FIRST)
        });
        if refused && !challenge.stale {
            self.known.retain(|known| known.asker != asker);
            return false;
        }
        if learns {
            self.learn(&challenge.realm);
        }
        self.known.retain(|known| known.asker != asker);
        self.known.push(Known { asker, challenge, count: 0 });
        true
    }

    /// Whether a challenge asks in other realms than the account's alone, so that it is not answered.
    pub fn is_foreign(&self, response: &Response) -> bool {
        let Some(asker) = Asker::of(response.status) else { return false };
        let offered = response.head.all(asker.asks()).take(CHALLENGES_MAX).filter_map(Challenge::parse);
        let mut realms = offered.map(|challenge| challenge.realm).peekable();
        realms.peek().is_some() && !realms.any(|realm| self.is_ours(&realm))
    }

    fn is_ours(&self, realm: &str) -> bool {
        let configured = self.credentials.realms.iter().take(TRUNK_REALMS_MAX);
        self.learned.iter().any(|one| one == realm) || configured.map(|one| quoted(one)).any(|one| one == realm)
    }

    /// The oldest goes where there are too many.
    fn learn(&mut self, realm: &str) {
        self.learned.retain(|one| one != realm);
        if self.learned.len() == TRUNK_REALMS_MAX {
            self.learned.remove(0);
        }
        self.learned.push(realm.to_owned());
    }

    /// Answers all challenges that are known, in place of what the request may carry.
    pub fn authorize(&mut self, request: &mut Request, tokens: &mut Tokens) {
        let answers = [Asker::Server.is_answered(), Asker::Proxy.is_answered()];
        request.head.fields.retain(|field| !answers.contains(&field.name.as_str()));
        let (method, uri) = (request.method.name().to_owned(), request.uri.to_string());
        for known in &mut self.known {
            known.count = known.count.saturating_add(1);
            let answer = known.answer(&self.credentials, &method, &uri, &tokens.tag());
            request.head.push(known.asker.is_answered(), answer);
        }
    }
}

/// The count of a nonce's first use.
const FIRST: &str = "00000001";

impl Known {
    fn answer(&self, credentials: &Credentials, method: &str, uri: &str, cnonce: &str) -> String {
        let Challenge { realm, nonce, opaque, algorithm, counted, .. } = &self.challenge;
        let Credentials { user, password, .. } = credentials;
        let secret = algorithm.secret(user, &unquoted(realm), password);
        let nc = format!("{:08x}", self.count);
        let count = counted.then_some(Count { nc: &nc, cnonce });
        let response = response(*algorithm, &secret, nonce, count, method, uri);
        let mut answer = format!(
            "Digest username=\"{}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", response=\"{response}\", \
             algorithm={}",
            quoted(user),
            algorithm.name()
        );
        if let Some(opaque) = opaque {
            answer.push_str(&format!(", opaque=\"{opaque}\""));
        }
        if *counted {
            answer.push_str(&format!(", qop=auth, nc={nc}, cnonce=\"{cnonce}\""));
        }
        answer
    }
}

/// What a text between quotes means.
fn unquoted(text: &str) -> String {
    let mut escaped = false;
    let meant = text.chars().filter(|letter| {
        escaped = *letter == '\\' && !escaped;
        !escaped
    });
    meant.collect()
}

#[cfg(test)]
pub(super) mod tests;
