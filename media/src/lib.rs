//! Telephony and audio as deterministic machines.
//!
//! Nothing in this crate opens a socket, reads a clock, draws randomness or waits: time, packets and seeds are
//! arguments. Every machine has the same four verbs: `handle(input, now)`, `poll() -> Option<Output>` until `None`,
//! `next_wake() -> Option<Instant>`, and nothing else changes its state.

pub mod audio;
mod bridge;
pub mod codec;
pub mod engine;
pub mod io;
mod leg;
pub mod rtp;
pub mod sip;
pub mod stream;
pub mod turn;
mod webrtc;
pub mod wire;

/// Where virtual time begins in tests: an `Instant` can only be had from the clock, and none is read after this.
#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "the one reading of the clock; what it says is never looked at")]
pub(crate) fn epoch() -> std::time::Instant {
    std::time::Instant::now()
}
