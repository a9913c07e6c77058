//! Legs that a carrier's media socket brings: what goes over the socket beside audio.

use std::time::Duration;

/// Octets of one frame at most: half a second of G.711. A longer one is refused and counted.
pub const CARRIER_FRAME_OCTETS_MAX: usize = 4_000;

/// How long a leg whose socket was lost waits for another one. The caller hears silence in the meantime.
pub const CARRIER_GRACE: Duration = Duration::from_secs(2);

/// What a carrier tells of a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CarrierNews {
    /// All that was sent before this mark has been played, or was cleared.
    Mark(u64),
    /// A key was pressed: `0`-`9`, `*`, `#`, `A`-`D`.
    Digit(char),
    /// The socket is gone without a goodbye.
    Lost,
    /// There is another socket; its stream begins at 0.
    Back,
    /// The far end has hung up.
    Over,
    /// It rings where we call.
    Ringing,
    /// Whom we call has answered, and there is a socket; its stream begins at 0.
    Answered,
    /// Whom we call is not reached: the SIP status that says so best (RFC 3261 section 21).
    Refused(u16),
}

/// What a carrier is told of a leg.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CarrierOrder {
    /// Say [`CarrierNews::Mark`] when everything before has been played.
    Mark(u64),
    /// Forget what has not been played yet.
    Clear,
    /// Press these keys, where the carrier does that when told: `0`-`9`, `*`, `#`, `A`-`D`.
    Press(String),
    /// End the call.
    Hangup,
}
