//! Who has no business with us: strangers that spray a live call with packets, probe for an answer, or want us to send more
//! than they did.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

#[path = "hostile/amplify.rs"]
mod amplify;
mod netem;
#[path = "hostile/spray.rs"]
mod spray;
