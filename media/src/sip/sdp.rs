//! Session descriptions (RFC 8866) and offer/answer (RFC 3264) for one audio stream of G.711, G.722, Opus and telephone events,
//! plain or over SRTP with keys in the description (RFC 4568), with RTCP on the RTP port where offered (RFC 5761).
//!
//! [`Sdp`] is what a body says; [`Session`] is our half of one call's negotiation and the only thing that makes bodies;
//! [`Agreed`] is what both sides settled on.

mod crypto;
mod negotiate;
mod parse;
mod section;

pub use crypto::{CRYPTO_MAX, Crypto};
pub use negotiate::{Agreed, Session};

use std::fmt;
use std::net::IpAddr;

/// The longest body that is read, in bytes.
pub const BODY_BYTES_MAX: usize = 16 * 1024;
/// The most `m=` lines of one description.
pub const MEDIA_MAX: usize = 16;
/// The most lines of one description.
pub const LINES_MAX: usize = 512;
/// The most formats of one `m=` line.
pub const FORMATS_MAX: usize = 64;

/// Who may send (RFC 8866 section 6.7), seen from the side that wrote the description.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Direction {
    /// Both ways; what a missing attribute means.
    #[default]
    SendRecv,
    /// The writer sends only: the other side is on hold.
    SendOnly,
    /// The writer listens only.
    RecvOnly,
    /// Nobody sends.
    Inactive,
}

impl Direction {
    /// The direction with this pair of abilities.
    pub fn of(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    /// Whether the writer sends.
    pub fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    /// Whether the writer receives.
    pub fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// The same stream seen from the other side.
    pub fn reversed(self) -> Self {
        Self::of(self.receives(), self.sends())
    }

    /// The attribute name.
    pub fn name(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }
}

/// The `o=` line: who describes which session, in which version (RFC 8866 section 5.2).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Origin {
    /// User name, `-` when there is none.
    pub user: String,
    /// Session number.
    pub id: u64,
    /// Rises with every change of the description.
    pub version: u64,
    /// Address of the writer, as written (may be a host name).
    pub host: String,
}

/// What an `a=rtpmap` line says of a payload number.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RtpMap {
    /// RTP payload number, 0 to 127.
    pub payload: u8,
    /// Encoding name, such as `PCMU`; compared without case.
    pub encoding: String,
    /// RTP clock, in ticks a second.
    pub clock_hz: u32,
    /// Channels; 1 when the line names none.
    pub channels: u8,
}

/// One `m=` section.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Media {
    /// `audio`, `video`, `image`, ...
    pub kind: String,
    /// UDP port; 0 refuses the stream (RFC 3264 section 6).
    pub port: u16,
    /// Transport, such as `RTP/AVP`.
    pub protocol: String,
    /// Formats, best first: RTP payload numbers for RTP, anything for other transports.
    pub formats: Vec<String>,
    /// The `c=` address of this section; a host name is kept as `None` in [`Address::ip`].
    pub connection: Option<Address>,
    /// Direction, where the section says one.
    pub direction: Option<Direction>,
    /// The `a=rtpmap` lines.
    pub maps: Vec<RtpMap>,
    /// The `a=fmtp` lines: payload number and parameters.
    pub parameters: Vec<(u8, String)>,
    /// Packet time asked for, in milliseconds.
    pub ptime_ms: Option<u32>,
    /// Longest packet time accepted, in milliseconds.
    pub ptime_ms_max: Option<u32>,
    /// RTCP port where it is not the RTP port plus one (RFC 3605).
    pub rtcp_port: Option<u16>,
    /// RTCP shares the RTP port (RFC 5761).
    pub rtcp_mux: bool,
    /// The `a=crypto` lines that we can use, best first.
    pub crypto: Vec<Crypto>,
}

/// A `c=` address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Address {
    /// As written.
    pub text: String,
    /// As a number, unless it is a host name.
    pub ip: Option<IpAddr>,
}

impl From<IpAddr> for Address {
    fn from(ip: IpAddr) -> Self {
        Self { text: ip.to_string(), ip: Some(ip) }
    }
}

/// A session description. Attributes that we do not use are not kept: we describe ourselves only by [`Session`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Sdp {
    /// The `o=` line.
    pub origin: Origin,
    /// The `c=` address for all sections that have none of their own.
    pub connection: Option<Address>,
    /// The direction of all sections that have none of their own.
    pub direction: Option<Direction>,
    /// The `m=` sections, in order.
    pub media: Vec<Media>,
}

impl Sdp {
    /// Reads a body.
    ///
    /// # Errors
    /// When the body is longer than [`BODY_BYTES_MAX`], is not UTF-8, or a line breaks RFC 8866; says which line.
    pub fn parse(body: &[u8]) -> Result<Self, SdpError> {
        parse::description(body)
    }

    /// The address of a section: its own `c=` or the session's.
    pub fn address_of(&self, media: &Media) -> Option<IpAddr> {
        media.connection.as_ref().or(self.connection.as_ref()).and_then(|address| address.ip)
    }

    /// The same without keys, for a way on which others could read them: only what merely offers keys can do without.
    pub fn without_keys(mut self) -> Self {
        self.media.iter_mut().for_each(|media| media.crypto.clear());
        self
    }

    /// The direction of a section: its own, the session's, or `sendrecv`.
    pub fn direction_of(&self, media: &Media) -> Direction {
        media.direction.or(self.direction).unwrap_or_default()
    }
}

impl fmt::Display for Sdp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Origin { user, id, version, host } = &self.origin;
        let family = if host.contains(':') { "IP6" } else { "IP4" };
        write!(f, "v=0\r\no={user} {id} {version} IN {family} {host}\r\ns=-\r\n")?;
        if let Some(address) = &self.connection {
            write!(f, "{address}")?;
        }
        write!(f, "t=0 0\r\n")?;
        if let Some(direction) = self.direction {
            write!(f, "a={}\r\n", direction.name())?;
        }
        self.media.iter().try_for_each(|media| write!(f, "{media}"))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let family = if self.text.contains(':') { "IP6" } else { "IP4" };
        write!(f, "c=IN {family} {}\r\n", self.text)
    }
}

impl fmt::Display for Media {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "m={} {} {}", self.kind, self.port, self.protocol)?;
        self.formats.iter().try_for_each(|format| write!(f, " {format}"))?;
        write!(f, "\r\n")?;
        if let Some(address) = &self.connection {
            write!(f, "{address}")?;
        }
        for map in &self.maps {
            write!(f, "a=rtpmap:{} {}/{}", map.payload, map.encoding, map.clock_hz)?;
            if map.channels > 1 {
                write!(f, "/{}", map.channels)?;
            }
            write!(f, "\r\n")?;
        }
        for (payload, parameters) in &self.parameters {
            write!(f, "a=fmtp:{payload} {parameters}\r\n")?;
        }
        for (name, value) in [("ptime", self.ptime_ms), ("maxptime", self.ptime_ms_max)] {
            if let Some(value) = value {
                write!(f, "a={name}:{value}\r\n")?;
            }
        }
        if let Some(port) = self.rtcp_port {
            write!(f, "a=rtcp:{port}\r\n")?;
        }
        if self.rtcp_mux {
            write!(f, "a=rtcp-mux\r\n")?;
        }
        self.crypto.iter().try_for_each(|crypto| write!(f, "{crypto}"))?;
        match self.direction {
            Some(direction) => write!(f, "a={}\r\n", direction.name()),
            None => Ok(()),
        }
    }
}

/// Why a body is not a session description. The body is at fault; the answer to its sender is 400.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SdpError {
    /// Over [`BODY_BYTES_MAX`].
    #[error("session description of {0} bytes; at most {BODY_BYTES_MAX} are read")]
    TooLong(usize),
    /// Over [`LINES_MAX`], [`MEDIA_MAX`] or [`FORMATS_MAX`].
    #[error("session description line {line}: more than {max} {what}")]
    TooMany {
        /// Line number, from 1.
        line: usize,
        /// What there is too much of.
        what: &'static str,
        /// How many are allowed.
        max: usize,
    },
    /// Not UTF-8.
    #[error("session description is not UTF-8")]
    NotText,
    /// A line that must be there is not.
    #[error("session description has no {0}= line")]
    Missing(char),
    /// A line that cannot be read.
    #[error("session description line {line}: bad {what}")]
    Line {
        /// Line number, from 1.
        line: usize,
        /// Which part of it.
        what: &'static str,
    },
}

/// Why no stream can be agreed on. The answer to its sender is 488 (Not Acceptable Here).
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SdpRefusal {
    /// No audio section over RTP with a port.
    #[error("no audio stream over RTP/AVP or RTP/SAVP is offered")]
    NoAudio,
    /// SRTP without a key that we can use, or with one in signalling that others can read.
    #[error("no usable key for SRTP")]
    NoKey,
    /// None of the codecs we may use is offered.
    #[error("no codec in common")]
    NoCodec,
    /// The audio section has no usable address.
    #[error("no numeric address for the audio stream")]
    NoAddress,
    /// The answer does not fit the offer: other number of sections, a codec that was not offered.
    #[error("the answer does not fit the offer")]
    Mismatch,
}
