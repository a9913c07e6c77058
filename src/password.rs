//! Passwords: hashing with Argon2id (AUTH-07), comparing, and one-time passwords.
//!
//! A hash takes 19 MiB and tens of milliseconds, so at most two run at a time, on blocking threads, and a bounded number
//! waits: a flood of sign-ins can slow down sign-ins, not calls.

use crate::error::{Error, ErrorCode};
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use rand::Rng;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::Semaphore;

/// Shortest password that a person may choose, in characters.
pub const CHARS_MIN: usize = 12;
/// Longest password, in characters; it bounds the work of hashing.
pub const CHARS_MAX: usize = 256;
/// Memory of a hash, in KiB (OWASP's first choice for Argon2id: 19 MiB, two passes, one lane).
const MEMORY_KIB: u32 = 19 * 1024;
/// Passes over the memory.
const PASSES: u32 = 2;
/// Hashes at the same time.
const AT_ONCE_MAX: usize = 2;
/// Sign-ins that wait for a place; more are told to come back.
const WAITING_MAX: usize = 64;
/// Letters and digits that nobody confuses when reading aloud.
const ONE_TIME_ALPHABET: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";
/// Length of a one-time password: four groups of five, 99 bits.
const ONE_TIME_CHARS: usize = 20;

static PLACES: Semaphore = Semaphore::const_new(AT_ONCE_MAX);
static WAITING: AtomicUsize = AtomicUsize::new(0);

fn argon2() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).expect("the parameters lie in Argon2's range");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// Hashes a password into PHC string form, with a salt of its own.
///
/// # Errors
/// `unavailable` when too many sign-ins wait.
pub async fn hash(password: String) -> Result<String, Error> {
    blocking(move || hash_now(&password)).await?
}

fn hash_now(password: &str) -> Result<String, Error> {
    let hash = argon2().hash_password(password.as_bytes());
    hash.map(|hash| hash.to_string()).map_err(|error| Error::internal("hash a password", &error))
}

/// Whether a password belongs to a hash. Without a hash (nobody has that e-mail address) it does the same work and says no.
///
/// # Errors
/// `unavailable` when too many sign-ins wait.
pub async fn verify(password: String, hash: Option<String>) -> Result<bool, Error> {
    if password.chars().count() > CHARS_MAX {
        return Ok(false);
    }
    blocking(move || {
        static NOBODY: OnceLock<String> = OnceLock::new();
        let known = hash.is_some();
        let text = match hash {
            Some(hash) => hash,
            None => NOBODY.get_or_init(|| hash_now("nobody has this password").unwrap_or_default()).clone(),
        };
        let Ok(parsed) = PasswordHash::new(&text) else { return false };
        argon2().verify_password(password.as_bytes(), &parsed).is_ok() && known
    })
    .await
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Error> {
    let full =
        || Error::new(ErrorCode::Unavailable, format!("More than {WAITING_MAX} sign-ins are waiting")).retry_after(5);
    let waiting = Waiting::enter().ok_or_else(full)?;
    let place =
        PLACES.acquire().await.map_err(|error| Error::internal("wait for a place to hash a password", &error))?;
    drop(waiting);
    let done = tokio::task::spawn_blocking(work).await;
    drop(place);
    done.map_err(|error| Error::internal("hash a password", &error))
}

/// A sign-in that waits for its place; leaves the count when it is dropped.
struct Waiting;

impl Waiting {
    fn enter() -> Option<Self> {
        let waiting = WAITING.fetch_add(1, Ordering::Relaxed);
        // Dropping the guard takes the number back in either case.
        let guard = Self;
        (waiting < WAITING_MAX).then_some(guard)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        WAITING.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A password to be told to a person once, such as `k7p2m-9xwqd-h3rtn-v8ysz`.
pub fn one_time() -> String {
    let mut rng = rand::rng();
    let mut text = String::with_capacity(ONE_TIME_CHARS + 3);
    for place in 0..ONE_TIME_CHARS {
        if place > 0 && place % 5 == 0 {
            text.push('-');
        }
        text.push(char::from(ONE_TIME_ALPHABET[rng.random_range(0..ONE_TIME_ALPHABET.len())]));
    }
    text
}

/// Whether a person may choose this password.
///
/// # Errors
/// `invalid`, naming `new_password`, outside of 12 to 256 characters or when it is one character throughout.
pub fn check_new(password: &str) -> Result<(), Error> {
    let chars = password.chars().count();
    if !(CHARS_MIN..=CHARS_MAX).contains(&chars) {
        let code = if chars < CHARS_MIN { "too_short" } else { "too_long" };
        let detail = format!("the password has {chars} characters, allowed are {CHARS_MIN} to {CHARS_MAX}");
        return Err(Error::field("new_password", code, detail));
    }
    let mut letters = password.chars();
    let first = letters.next();
    if letters.all(|c| Some(c) == first) {
        return Err(Error::field("new_password", "format", "the password is one character again and again"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// AUTH-07
    #[tokio::test]
    async fn hashes_are_argon2id_slow_enough_and_salted() {
        let first = hash("correct horse battery".to_owned()).await.unwrap();
        let second = hash("correct horse battery".to_owned()).await.unwrap();
        assert!(first.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{first}");
        assert_ne!(first, second);
        assert!(verify("correct horse battery".to_owned(), Some(first.clone())).await.unwrap());
        assert!(!verify("correct horse batterx".to_owned(), Some(first)).await.unwrap());
    }

    #[tokio::test]
    async fn nobody_is_never_right() {
        assert!(!verify("nobody has this password".to_owned(), None).await.unwrap());
        assert!(!verify("x".repeat(CHARS_MAX + 1), None).await.unwrap());
    }

    #[test]
    fn one_time_passwords_differ_and_satisfy_the_rule_for_chosen_ones() {
        let (one, other) = (one_time(), one_time());
        assert_ne!(one, other);
        assert_eq!(one.len(), 23);
        check_new(&one).unwrap();
    }

    #[test]
    fn weak_passwords_are_refused_with_the_range() {
        assert!(check_new("short").unwrap_err().fields[0].detail.contains("12 to 256"));
        assert!(check_new(&"a".repeat(12)).is_err());
        assert!(check_new(&"ab".repeat(129)).is_err());
    }
}
