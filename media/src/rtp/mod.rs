//! RTP and RTCP: packets, the two directions of a session, the jitter buffer, keypad events, SRTP.

pub mod dtmf;
pub mod jitter;
pub mod latch;
pub mod packet;
pub mod receive;
pub mod rtcp;
pub mod session;
pub mod srtp;

/// RTP timestamp units of a millisecond. All our codecs run the RTP clock at 8 kHz, G.722 too (RFC 3551 section 4.5.2).
pub const UNITS_PER_MS: u32 = 8;

/// RTP timestamp units of one 20 ms frame.
pub const UNITS_PER_FRAME: u32 = 160;

/// Payload type of comfort noise (RFC 3389). Accepted even where it was not offered: some gateways send it regardless.
pub const COMFORT_NOISE: u8 = 13;
