//! Packets that last longer or shorter than a frame, where the far end asks for such: what is said waits until one is full.

use crate::io::Codec;
use crate::rtp::{UNITS_PER_FRAME, UNITS_PER_MS};

/// What waits to be sent. An octet is a unit (an eighth of a millisecond): Opus, of which that is not so, leaves a frame a packet.
pub(super) struct Parcel {
    octets: usize,
    waiting: Vec<u8>,
}

impl Parcel {
    /// For packets of this length, rounded down to whole tens of milliseconds; `None` where a packet is a frame.
    pub(super) fn of(codec: Codec, packet_ms: u32) -> Option<Self> {
        let units = packet_ms / 10 * 10 * UNITS_PER_MS;
        if codec == Codec::Opus || units == 0 || units == UNITS_PER_FRAME {
            return None;
        }
        Some(Self { octets: units as usize, waiting: Vec::with_capacity((units + UNITS_PER_FRAME) as usize) })
    }

    /// Adds the present frame.
    pub(super) fn put(&mut self, payload: &[u8]) {
        self.waiting.extend_from_slice(payload);
    }

    /// Hands a packet over, if there is enough for one: when it begins, in units after the beginning of the present frame, and what it
    /// carries. After a frame there are two of them at most.
    pub(super) fn take(&mut self, send: impl FnOnce(i64, &[u8])) {
        if self.waiting.len() >= self.octets {
            let begins = i64::from(UNITS_PER_FRAME) - i64::try_from(self.waiting.len()).unwrap_or_default();
            send(begins, &self.waiting[..self.octets]);
            self.waiting.drain(..self.octets);
        }
    }

    /// What waits is not sent any more: something else has taken its time.
    pub(super) fn drop_waiting(&mut self) {
        self.waiting.clear();
    }
}
