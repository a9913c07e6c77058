//! What a stream tells its engine.

use std::net::SocketAddr;

use crate::audio::vad::VadEvent;
use crate::io::CARRIER_FRAME_OCTETS_MAX;
use crate::rtp::packet::PacketError;
use crate::rtp::receive::Made;
use crate::rtp::rtcp::RtcpError;
use crate::rtp::srtp::SrtpError;

/// Why a datagram was not taken. Counted in [`LegQuality::refused`](crate::io::LegQuality::refused), except for probation.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// Not RTP.
    #[error(transparent)]
    Packet(#[from] PacketError),
    /// Not RTCP.
    #[error(transparent)]
    Rtcp(#[from] RtcpError),
    /// Not to be believed.
    #[error(transparent)]
    Srtp(#[from] SrtpError),
    /// A payload type that was not negotiated.
    #[error("payload type {0} was not negotiated")]
    PayloadType(u8),
    /// Longer than 80 ms, or nothing that the leg's codec makes.
    #[error("payload of {0} octets is longer than 80 ms, or none of the leg's codec")]
    TooLong(usize),
    /// More than a carrier's socket may bring at once.
    #[error("frame of {0} octets, {CARRIER_FRAME_OCTETS_MAX} is the limit")]
    FrameTooLong(usize),
    /// Not from the leg's source.
    #[error("from another source than the leg's")]
    Stranger,
    /// From a new source that must prove itself with further packets.
    #[error("from a new source, on probation")]
    Probation,
}

/// Something that a tick noticed. Times are milliseconds of the stream's audio.
#[derive(Clone, Copy, PartialEq, Debug)]
pub enum StreamEvent {
    /// The far end began to speak.
    SpeechStarted {
        /// First voiced sample.
        at_ms: u64,
    },
    /// The far end stopped speaking.
    SpeechEnded {
        /// Last voiced sample.
        at_ms: u64,
    },
    /// A key was pressed.
    Dtmf {
        /// `0`-`9`, `*`, `#`, `A`-`D`.
        digit: char,
        /// When it was noticed.
        at_ms: u64,
    },
    /// How loud both sides were in the last 200 ms: peaks, 0 (-60 dBFS) to 100 (full scale).
    Level {
        /// Far end.
        far: u8,
        /// Our side.
        near: u8,
    },
}

impl From<VadEvent> for StreamEvent {
    fn from(event: VadEvent) -> Self {
        match event {
            VadEvent::Started { at_ms } => Self::SpeechStarted { at_ms },
            VadEvent::Ended { at_ms } => Self::SpeechEnded { at_ms },
        }
    }
}

/// What a tick gives. Borrowed from the stream: use it before the next call.
#[derive(Debug)]
pub struct Tick<'a> {
    /// The RTP packet to send and where to; nothing while no address is known, or more is to go into it.
    pub packet: Option<(SocketAddr, &'a [u8])>,
    /// The one after it, where the far end wants packets that are shorter than a frame.
    pub second: Option<(SocketAddr, &'a [u8])>,
    /// Far-end audio at the codec's rate, concealed where packets are missing.
    pub far: &'a [i16],
    /// What `far` was made of.
    pub made: Made,
    /// Far-end audio as 320 samples at 16 kHz, for speech recognition: the high band of narrowband legs is filled.
    /// Silence while on hold, as hold music is nobody speaking; empty while nobody listens.
    pub wide: &'a [i16],
    /// Our audio at the codec's rate as it left: silence in frames that carry a digit and while on hold.
    pub near: &'a [i16],
    /// What was noticed.
    pub events: &'a [StreamEvent],
    /// Where the frame begins, in milliseconds of the stream's audio.
    pub at_ms: u64,
}
