//! Telephony and audio as deterministic machines.
//!
//! Nothing in this crate opens a socket, reads a clock, draws randomness or waits: time, packets and seeds are
//! arguments. Every machine has the same four verbs: `handle(input, now)`, `poll() -> Option<Output>` until `None`,
//! `next_wake() -> Option<Instant>`, and nothing else changes its state.

pub mod audio;
pub mod codec;
pub mod engine;
pub mod io;
mod leg;
pub mod rtp;
pub mod sip;
pub mod stream;
pub mod turn;
