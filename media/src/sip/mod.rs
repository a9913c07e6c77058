//! A SIP user agent (RFC 3261), sans-IO, over UDP, TCP and TLS.
//!
//! Bytes come in through [`agent::UserAgent::handle`], bytes and events leave through [`agent::UserAgent::poll`]. Below the
//! agent lie, each usable and tested on its own: [`framing`] (messages on streams), [`parse`] (bounded parser), [`message`], [`header`], [`address`] and
//! [`uri`] (what a message is made of), [`transaction`] (the four transaction machines of RFC 3261 section 17 with RFC 6026),
//! [`dialog`] (section 12), [`digest`] (section 22), [`trunk`] and [`registrar`] (section 10, either side), [`refer`] (RFC 3515, RFC 3891), [`identity`] (RFC 3325) and [`sdp`] (RFC 8866
//! with the offer/answer model of RFC 3264).

pub mod address;
pub mod agent;
pub mod dialog;
pub mod digest;
pub mod framing;
pub mod header;
pub mod identity;
pub mod message;
pub mod parse;
pub mod refer;
pub mod registrar;
pub mod sdp;
pub mod timers;
pub mod tokens;
pub mod transaction;
pub mod trunk;
pub mod uri;
