//! RTP and RTCP: packets, the two directions of a session, the jitter buffer, keypad events, SRTP.

pub mod dtmf;
pub mod framing;
pub mod jitter;
pub mod latch;
pub mod packet;
pub mod receive;
pub mod rtcp;
pub mod session;
pub mod srtp;

use crate::io::Codec;

/// Units of a millisecond in all our counting of media time: eighths. It is what the RTP clock of every telephone codec ticks
/// at, G.722 too (RFC 3551 section 4.5.2); [`Clock`] says where it does not.
pub const UNITS_PER_MS: u32 = 8;

/// Units of one 20 ms frame.
pub const UNITS_PER_FRAME: u32 = 160;

/// Payload type of comfort noise (RFC 3389). Accepted even where it was not offered: some gateways send it regardless.
pub const COMFORT_NOISE: u8 = 13;

/// The RTP clock of a stream: what its timestamps count in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Clock {
    ticks_per_unit: u32,
}

impl Clock {
    /// 8 kHz: a tick is a unit.
    pub const NARROW: Self = Self { ticks_per_unit: 1 };

    /// The clock of a codec.
    pub fn of(codec: Codec) -> Self {
        match codec {
            Codec::Pcmu | Codec::Pcma | Codec::G722 => Self::NARROW,
            Codec::Opus => Self { ticks_per_unit: 6 },
        }
    }

    /// Ticks a second, as descriptions name it.
    pub fn hz(self) -> u32 {
        self.ticks_per_unit * UNITS_PER_MS * 1_000
    }

    /// Ticks of one 20 ms frame.
    pub fn frame(self) -> u32 {
        self.ticks_per_unit * UNITS_PER_FRAME
    }

    /// Ticks of a span of units.
    pub fn ticks(self, units: i64) -> i64 {
        units * i64::from(self.ticks_per_unit)
    }

    /// Whole units of a number of ticks.
    pub fn units(self, ticks: i64) -> i64 {
        ticks.div_euclid(i64::from(self.ticks_per_unit))
    }
}
