//! The 48-bit index of a packet, of which only 16 bits are sent (RFC 3711 section 3.3.1), and the memory of what came
//! (section 3.3.2).

use super::SrtpError;
use crate::rtp::session::extend_sequence;

/// Indices behind the newest that are still told apart. 128 packets are 2.5 s; the RFC asks for 64.
const WINDOW: u64 = u128::BITS as u64;

/// Roll-over counter and sequence number, or the number of an RTCP packet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Index(u64);

impl Index {
    /// Of a source's first packet: its counter is zero.
    pub(super) fn first(sequence: u16) -> Self {
        Self(u64::from(sequence))
    }

    /// Of an RTCP packet, which says it itself.
    pub(super) fn of_rtcp(index: u32) -> Self {
        Self(u64::from(index))
    }

    /// The index nearest to this one that ends in the number; none below zero or above 48 bits.
    pub(super) fn estimate(self, sequence: u16) -> Option<Self> {
        let index = u64::try_from(extend_sequence(self.0.cast_signed(), sequence)).ok()?;
        (index >> 48 == 0).then_some(Self(index))
    }

    /// How often the sequence number has turned over.
    pub(super) fn roll_over(self) -> u32 {
        (self.0 >> 16 & 0xffff_ffff) as u32
    }

    /// All of it.
    pub(super) fn get(self) -> u64 {
        self.0
    }
}

/// What has come from a source.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source {
    newest: Index,
    /// Bit `n`: the packet `n` behind the newest one came.
    seen: u128,
}

impl Source {
    /// Its first packet came.
    pub(super) fn new(first: Index) -> Self {
        Self { newest: first, seen: 1 }
    }

    pub(super) fn newest(&self) -> Index {
        self.newest
    }

    /// Takes note of a packet that is genuine.
    pub(super) fn take(&mut self, index: Index) -> Result<(), SrtpError> {
        if let Some(ahead) = index.0.checked_sub(self.newest.0).filter(|ahead| *ahead > 0) {
            self.seen = if ahead < WINDOW { self.seen << ahead | 1 } else { 1 };
            self.newest = index;
            return Ok(());
        }
        let behind = self.newest.0 - index.0;
        if behind >= WINDOW || self.seen >> behind & 1 == 1 {
            return Err(SrtpError::Replayed { behind });
        }
        self.seen |= 1 << behind;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counter_turns_over_with_the_number() {
        let table = [
            (5, 6, Some(6)),
            (5, 65_535, None),
            (0x1_0005, 65_535, Some(0xffff)),
            (0xfffe, 3, Some(0x1_0003)),
            (0x7_8000, 0x8001, Some(0x7_8001)),
            (0x7_fff0, 0x0010, Some(0x8_0010)),
            (0xffff_ffff_fffe, 1, None),
        ];
        for (newest, sequence, expected) in table {
            assert_eq!(Index(newest).estimate(sequence).map(Index::get), expected, "{newest:#x} {sequence:#x}");
        }
        assert_eq!(Index(0x1234_5678_9abc).roll_over(), 0x1234_5678);
    }

    #[test]
    fn each_index_is_taken_once_within_the_window() {
        let mut source = Source::new(Index(1_000));
        let table = [
            (1_000, Err(SrtpError::Replayed { behind: 0 })),
            (1_002, Ok(())),
            (1_001, Ok(())),
            (1_001, Err(SrtpError::Replayed { behind: 1 })),
            (1_002 + 127, Ok(())),
            (1_002, Err(SrtpError::Replayed { behind: 127 })),
            (1_001, Err(SrtpError::Replayed { behind: 128 })),
            (1_003, Ok(())),
            (9_000, Ok(())),
            (8_999, Ok(())),
            (8_872, Err(SrtpError::Replayed { behind: 128 })),
        ];
        for (step, (index, expected)) in table.into_iter().enumerate() {
            assert_eq!(source.take(Index(index)), expected, "step {step}");
        }
    }
}
