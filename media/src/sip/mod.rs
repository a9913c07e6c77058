//! A SIP user agent over UDP (RFC 3261), sans-IO.
//!
//! Bytes come in through [`agent::UserAgent::handle`], bytes and events leave through [`agent::UserAgent::poll`].

pub mod agent;
pub mod sdp;
