//! The side that makes challenges and judges answers.
//!
//! A nonce carries its own time under a seal, so that asking costs no memory: only a nonce that somebody has answered rightly
//! is remembered, until it is too old, to take no answer twice. The seal holds the source too: what one source was asked, another
//! cannot answer.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use super::{Algorithm, Challenge, Count, Params, hex, response};
use crate::sip::message::Request;
use crate::sip::uri::Uri;

/// How long a nonce may be answered. Then the answer is called stale, and the client answers a new one by itself.
pub const NONCE_LIVES: Duration = Duration::from_secs(300);
/// Nonces in use that are remembered. With more, the oldest is forgotten and refused as stale from then on.
pub const NONCES_MAX: usize = 8192;
/// How far behind the highest count of a nonce a count may come: requests overtake each other.
const WINDOW: u32 = 64;

/// What is kept of a user's password, for one realm.
#[derive(Clone, PartialEq, Eq)]
pub struct Secrets {
    /// [`Algorithm::secret`] by MD5.
    pub md5: String,
    /// [`Algorithm::secret`] by SHA-256.
    pub sha256: String,
}

impl Secrets {
    /// Of a password.
    pub fn new(user: &str, realm: &str, password: &str) -> Self {
        let secret = |algorithm: Algorithm| algorithm.secret(user, realm, password);
        Self { md5: secret(Algorithm::Md5), sha256: secret(Algorithm::Sha256) }
    }
}

/// Shows nothing: who has these can answer as the user.
impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secrets").finish_non_exhaustive()
    }
}

/// What becomes of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Judged {
    /// It is from this user.
    Accepted {
        /// As the answer names it.
        user: String,
    },
    /// It carries no answer for our realm: challenge it.
    Unanswered,
    /// The answer is right, but its nonce is too old, of another process or made for another source, or its count was used:
    /// challenge it with `stale`, so that the client comes again by itself.
    Stale,
    /// User or password is wrong, or the answer is to another request. Which of them, nobody is told.
    Refused {
        /// It answers a nonce that was made for this source: it has heard us, its address is not made up.
        heard: bool,
    },
}

/// How a nonce in use was counted.
#[derive(Debug)]
struct Uses {
    highest: u32,
    /// Bit n: the count n below the highest was used.
    seen: u64,
}

/// Makes challenges for one realm and judges what answers them.
pub struct Server {
    realm: String,
    key: [u8; 32],
    began: Instant,
    made: u64,
    uses: BTreeMap<String, Uses>,
    /// The nonces of `uses` in the order in which they were first used, and when they were made.
    order: VecDeque<(String, u64)>,
    /// Nonces made before this are stale: one of them was forgotten.
    forgotten_ms: u64,
    /// Secrets of nobody that were made.
    #[cfg(test)]
    nobodies: std::cell::Cell<u32>,
}

/// Shows nothing that helps to make a nonce.
impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("realm", &self.realm).field("nonces", &self.uses.len()).finish_non_exhaustive()
    }
}

impl Server {
    /// For this realm. `key` is secret and new for every process.
    pub fn new(realm: &str, key: [u8; 32], now: Instant) -> Self {
        Self {
            realm: super::quoted(realm),
            key,
            began: now,
            made: 0,
            uses: BTreeMap::new(),
            order: VecDeque::new(),
            forgotten_ms: 0,
            #[cfg(test)]
            nobodies: std::cell::Cell::default(),
        }
    }

    /// The challenges for a 401 to this source, in the order of `algorithms` (RFC 8760 section 2.4 wants the better one
    /// first). Asking keeps nothing.
    pub fn challenges(
        &mut self,
        algorithms: &[Algorithm],
        stale: bool,
        source: IpAddr,
        now: Instant,
    ) -> Vec<Challenge> {
        let nonce = self.nonce(source, now);
        let challenge = |algorithm: &Algorithm| Challenge {
            realm: self.realm.clone(),
            nonce: nonce.clone(),
            opaque: None,
            algorithm: *algorithm,
            counted: true,
            stale,
        };
        algorithms.iter().map(challenge).collect()
    }

    /// Judges the answer in a request's `Authorization`. `secrets` looks a user up; for one that is not known the same work
    /// is done with a secret that nobody has.
    pub fn judge(
        &mut self,
        request: &Request,
        secrets: impl FnOnce(&str) -> Option<Secrets>,
        source: IpAddr,
        now: Instant,
    ) -> Judged {
        let all = request.head.all("Authorization").filter_map(Params::parse);
        let Some(answer) = all.filter(|answer| answer.get("realm") == Some(&*self.realm)).last() else {
            return Judged::Unanswered;
        };
        let Some(answer) = Answer::read(&answer) else { return Judged::Refused { heard: false } };
        let user = super::unquoted(answer.user);
        // Made for everybody, so that time does not tell who is known.
        let nobody = self.nobody(&user);
        let known = secrets(&user);
        let is_known = known.is_some();
        let secrets = known.unwrap_or(nobody);
        let secret = match answer.algorithm {
            Algorithm::Md5 => &secrets.md5,
            Algorithm::Sha256 => &secrets.sha256,
        };
        let Answer { nonce, nc, cnonce, uri, .. } = answer;
        let count = Some(Count { nc, cnonce });
        let right = response(answer.algorithm, secret, nonce, count, request.method.name(), uri);
        let equal = bool::from(right.as_bytes().ct_eq(answer.response.to_ascii_lowercase().as_bytes()));
        let made_ms = self.made_ms(nonce, source);
        if !(equal && is_known && means(uri, &request.uri)) {
            return Judged::Refused { heard: made_ms.is_some() };
        }
        let Some(made_ms) = made_ms else { return Judged::Stale };
        let age = self.now_ms(now).saturating_sub(made_ms);
        let lives = u128::from(age) <= NONCE_LIVES.as_millis() && made_ms >= self.forgotten_ms;
        if lives && self.count(nonce, made_ms, answer.count, now) { Judged::Accepted { user } } else { Judged::Stale }
    }

    /// A secret that no password gives.
    fn nobody(&self, user: &str) -> Secrets {
        #[cfg(test)]
        self.nobodies.set(self.nobodies.get() + 1);
        let secret = hex(&Sha256::new().chain_update(self.key).chain_update(user).finalize());
        let md5 = secret.get(..32).unwrap_or_default().to_owned();
        Secrets { md5, sha256: secret }
    }

    fn now_ms(&self, now: Instant) -> u64 {
        u64::try_from(now.saturating_duration_since(self.began).as_millis()).unwrap_or(u64::MAX)
    }

    fn nonce(&mut self, source: IpAddr, now: Instant) -> String {
        self.made += 1;
        let body = format!("{:016x}{:016x}", self.now_ms(now), self.made);
        format!("{body}{}", self.seal(&body, source))
    }

    /// A keyed hash, nested so that it cannot be continued by who sees it.
    fn seal(&self, body: &str, source: IpAddr) -> String {
        let inner = Sha256::new().chain_update(self.key).chain_update(format!("{body} {}", source.to_canonical()));
        let outer = Sha256::new().chain_update(self.key).chain_update(inner.finalize()).finalize();
        hex(outer.get(..16).unwrap_or_default())
    }

    /// When a nonce of ours was made for this source, in milliseconds since the beginning; `None` when it is no such one.
    fn made_ms(&self, nonce: &str, source: IpAddr) -> Option<u64> {
        let (body, seal) = nonce.split_at_checked(32)?;
        let ours = bool::from(self.seal(body, source).as_bytes().ct_eq(seal.as_bytes()));
        u64::from_str_radix(body.get(..16)?, 16).ok().filter(|_| ours)
    }

    /// Takes a count; `false` when it was taken before or is too far behind.
    fn count(&mut self, nonce: &str, made_ms: u64, count: u32, now: Instant) -> bool {
        if let Some(uses) = self.uses.get_mut(nonce) {
            if count > uses.highest {
                uses.seen = uses.seen.checked_shl(count - uses.highest).unwrap_or(0) | 1;
                uses.highest = count;
                return true;
            }
            let behind = uses.highest - count;
            let fresh = behind < WINDOW && uses.seen & (1 << behind) == 0;
            if fresh {
                uses.seen |= 1 << behind;
            }
            return fresh;
        }
        self.make_room(now);
        self.uses.insert(nonce.to_owned(), Uses { highest: count, seen: 1 });
        self.order.push_back((nonce.to_owned(), made_ms));
        true
    }

    /// Forgets nonces that are too old, and more where there are too many.
    fn make_room(&mut self, now: Instant) {
        let now_ms = self.now_ms(now);
        while let Some((_, made_ms)) = self.order.front() {
            let made_ms = *made_ms;
            let over = u128::from(now_ms.saturating_sub(made_ms)) > NONCE_LIVES.as_millis();
            if !over && self.order.len() < NONCES_MAX {
                return;
            }
            if !over {
                // Its uses are forgotten, so that it must not be used any more.
                self.forgotten_ms = self.forgotten_ms.max(made_ms + 1);
            }
            if let Some((oldest, _)) = self.order.pop_front() {
                self.uses.remove(&oldest);
            }
        }
    }
}

/// The parameters of an answer with `qop=auth`, which our challenges demand.
struct Answer<'a> {
    user: &'a str,
    nonce: &'a str,
    uri: &'a str,
    response: &'a str,
    algorithm: Algorithm,
    nc: &'a str,
    count: u32,
    cnonce: &'a str,
}

impl<'a> Answer<'a> {
    fn read(params: &Params<'a>) -> Option<Self> {
        let nc = params.get("nc").filter(|nc| nc.len() == 8)?;
        let auth = params.get("qop").is_some_and(|qop| qop.eq_ignore_ascii_case("auth"));
        Some(Self {
            user: params.get("username")?,
            nonce: params.get("nonce").filter(|_| auth)?,
            uri: params.get("uri")?,
            response: params.get("response")?,
            algorithm: Algorithm::of(params.get("algorithm").unwrap_or("MD5"))?,
            nc,
            count: u32::from_str_radix(nc, 16).ok().filter(|count| *count > 0)?,
            cnonce: params.get("cnonce")?,
        })
    }
}

/// Whether the URI in an answer means the same as the request's: user and host. Proxies on the way change ports and
/// parameters.
fn means(answered: &str, requested: &Uri) -> bool {
    match (Uri::parse(answered), requested) {
        (Some(Uri::Sip(answered)), Uri::Sip(requested)) => {
            answered.user == requested.user && answered.host.eq_ignore_ascii_case(&requested.host)
        }
        (Some(answered), requested) => answered == *requested,
        (None, _) => false,
    }
}

#[cfg(test)]
mod tests;
