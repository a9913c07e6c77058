//! What the fuzzers call: one function per target, from any bytes to nothing but a number. They are run over a corpus with
//! deterministic mutations by `cargo test` (`tests/fuzz.rs`), and with coverage as guide by cargo-fuzz (`media/fuzz`).
//!
//! The number says what the target saw: inputs of which it is new are worth keeping. It has no other meaning.

pub mod agent;
pub mod description;
pub mod digest;
pub mod dtmf;
pub mod engine;
pub mod framing;
pub mod message;
pub mod packet;
pub mod registrar;
pub mod rfc4571;
pub mod srtp;
pub mod steps;
pub mod stream;
pub mod wire;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::OnceLock;
use std::time::Instant;

/// A target and where its seeds lie, as folders under `tests/fuzz`.
pub struct Target {
    pub name: &'static str,
    pub run: fn(&[u8]) -> u64,
    pub seeds: &'static [&'static str],
    /// Mutations tried in a plain `cargo test`: about a second's worth in a debug build.
    pub runs: u32,
}

/// Where the messages of the RFCs and of real peers lie.
const SIP: &[&str] = &["../rfc4475", "../rfc5118", "seeds/sip"];

pub const TARGETS: [Target; 13] = [
    Target { name: "message", run: message::run, seeds: SIP, runs: 30_000 },
    Target { name: "agent", run: agent::run, seeds: SIP, runs: 6_000 },
    Target { name: "description", run: description::run, seeds: &["seeds/description"], runs: 40_000 },
    Target { name: "framing", run: framing::run, seeds: &["../rfc4475", "seeds/sip", "seeds/framing"], runs: 10_000 },
    Target { name: "digest", run: digest::run, seeds: &["seeds/digest"], runs: 20_000 },
    Target { name: "registrar", run: registrar::run, seeds: &["seeds/registrar", "seeds/digest"], runs: 10_000 },
    Target { name: "rfc4571", run: rfc4571::run, seeds: &["seeds/rfc4571"], runs: 40_000 },
    Target { name: "srtp", run: srtp::run, seeds: &["seeds/srtp"], runs: 5_000 },
    Target { name: "packet", run: packet::run, seeds: &["seeds/packet"], runs: 200_000 },
    Target { name: "dtmf", run: dtmf::run, seeds: &["seeds/dtmf"], runs: 100_000 },
    Target { name: "stream", run: stream::run, seeds: &["seeds/stream"], runs: 2_000 },
    Target { name: "engine", run: engine::run, seeds: &["seeds/engine"], runs: 2_000 },
    Target { name: "wire", run: wire::run, seeds: &["seeds/wire"], runs: 20_000 },
];

/// Gathers what a target sees.
#[derive(Default)]
pub struct Seen(DefaultHasher);

impl Seen {
    pub fn note(&mut self, what: impl Hash) {
        what.hash(&mut self.0);
    }

    pub fn number(&self) -> u64 {
        self.0.finish()
    }
}

/// When virtual time begins.
#[allow(clippy::disallowed_methods, reason = "the one reading of the clock; only differences from it matter")]
pub fn origin() -> Instant {
    static ORIGIN: OnceLock<Instant> = OnceLock::new();
    *ORIGIN.get_or_init(Instant::now)
}

/// The power of two that a number lies under: coarse enough to be worth telling apart.
pub fn scale(number: usize) -> u32 {
    usize::BITS - number.leading_zeros()
}
