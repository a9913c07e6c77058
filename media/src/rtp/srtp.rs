//! Secure RTP (RFC 3711, RFC 6188, RFC 7714): what leaves is encrypted and signed, what comes is believed only by its tag.
//!
//! Keys come from signalling (RFC 4568): each side sends with the key that it told. [`Protector`] is one direction,
//! [`Unprotector`] the other, [`Srtp`] both. Nothing is derived anew in the life of a master key (key derivation rate 0),
//! and there is no master key identifier.

mod cipher;
mod index;
mod key;

pub use key::{Keys, MasterKey, SECRET_BYTES_MAX, Suite};

use cipher::{Session, TAG_MAX};
use index::{Index, Source};

use super::packet::HEADER_LENGTH;

/// Sources of one key that are told apart: some exchanges begin a new one with every hold and resume. One more is refused,
/// as forgetting an older one would let its packets be played again.
pub const SOURCES_MAX: usize = 64;
/// Octets of an RTCP packet that are never encrypted: header and source.
const RTCP_CLEAR: usize = 8;
/// Octets of the word that carries the RTCP index.
const RTCP_INDEX: usize = 4;
/// Set in that word where the packet is encrypted.
const ENCRYPTED: u32 = 1 << 31;

/// Why a packet was not believed. The sender is at fault, whoever it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SrtpError {
    /// Too short to carry header and tag.
    #[error("SRTP packet of {length} octets, at least {needed} are needed")]
    Short {
        /// Octets received.
        length: usize,
        /// Octets that header and tag need.
        needed: usize,
    },
    /// Not made with our key, or changed on its way.
    #[error("SRTP tag does not fit the packet")]
    Forged,
    /// Taken before, or too old to tell.
    #[error("SRTP packet {behind} numbers behind the newest came twice or too late")]
    Replayed {
        /// How far behind the newest one.
        behind: u64,
    },
    /// More sources than [`SOURCES_MAX`].
    #[error("SRTP from more than {SOURCES_MAX} sources under one key")]
    TooManySources,
}

/// Both directions of a leg.
pub struct Srtp {
    keys: Keys,
    protector: Protector,
    unprotector: Unprotector,
}

/// Shows no keys.
impl std::fmt::Debug for Srtp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Srtp").field("keys", &self.keys).finish_non_exhaustive()
    }
}

impl Srtp {
    /// Begins with these keys: roll-over counters and indices are zero.
    pub fn new(keys: Keys) -> Self {
        let (protector, unprotector) = (Protector::new(&keys.send), Unprotector::new(&keys.receive));
        Self { keys, protector, unprotector }
    }

    /// Both sides agreed anew. A direction whose key is the same goes on with its counters, another one begins anew.
    pub fn rekey(&mut self, keys: Keys) {
        if keys.send != self.keys.send {
            self.protector = Protector::new(&keys.send);
        }
        if keys.receive != self.keys.receive {
            self.unprotector = Unprotector::new(&keys.receive);
        }
        self.keys = keys;
    }

    /// What leaves.
    pub fn protector(&mut self) -> &mut Protector {
        &mut self.protector
    }

    /// What comes.
    pub fn unprotector(&mut self) -> &mut Unprotector {
        &mut self.unprotector
    }
}

/// Encrypts and signs what we send.
pub struct Protector {
    rtp: Session,
    rtcp: Session,
    /// The source that sends, and the index of its newest packet.
    source: Option<(u32, Index)>,
    rtcp_index: u32,
}

impl Protector {
    /// Nothing sent yet.
    pub fn new(key: &MasterKey) -> Self {
        Self { rtp: Session::rtp(key), rtcp: Session::rtcp(key), source: None, rtcp_index: 0 }
    }

    /// Turns an RTP packet of ours into SRTP, in place.
    pub fn rtp(&mut self, packet: &mut Vec<u8>) {
        let Some(header) = header_length(packet) else { return };
        let (sequence, ssrc) = (sequence_of(packet), word(packet, 8));
        let index = match self.source {
            Some((source, newest)) if source == ssrc => newest.estimate(sequence).unwrap_or(newest),
            _ => Index::first(sequence),
        };
        self.source = Some((ssrc, index));
        let tag = self.rtp.seal_rtp(ssrc, index, packet, header);
        packet.extend_from_slice(&tag[..self.rtp.tag_bytes()]);
    }

    /// Turns an RTCP compound of ours into SRTCP, in place.
    pub fn rtcp(&mut self, packet: &mut Vec<u8>) {
        if packet.len() < RTCP_CLEAR {
            return;
        }
        // 31 bits: at a report every 5 s they last for three hundred years.
        self.rtcp_index = self.rtcp_index.wrapping_add(1) & !ENCRYPTED;
        let (ssrc, trailer) = (word(packet, 4), (self.rtcp_index | ENCRYPTED).to_be_bytes());
        let tag = self.rtcp.seal_rtcp(ssrc, trailer, packet, RTCP_CLEAR);
        let tag = &tag[..self.rtcp.tag_bytes()];
        let (first, second) = if self.rtcp.is_aead() { (tag, &trailer[..]) } else { (&trailer[..], tag) };
        packet.extend_from_slice(first);
        packet.extend_from_slice(second);
    }
}

/// Checks and decrypts what we receive.
pub struct Unprotector {
    rtp: Session,
    rtcp: Session,
    sources: Vec<(u32, Source)>,
    rtcp_sources: Vec<(u32, Source)>,
}

impl Unprotector {
    /// Nothing received yet.
    pub fn new(key: &MasterKey) -> Self {
        Self {
            rtp: Session::rtp(key),
            rtcp: Session::rtcp(key),
            sources: Vec::with_capacity(1),
            rtcp_sources: Vec::with_capacity(1),
        }
    }

    /// Puts the RTP packet that an SRTP packet holds into `out`.
    ///
    /// # Errors
    /// When the packet is not to be believed; `out` is empty then, and nothing has changed.
    pub fn rtp(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), SrtpError> {
        out.clear();
        let tag_bytes = self.rtp.tag_bytes();
        let header = header_length(bytes).unwrap_or(HEADER_LENGTH);
        let short = SrtpError::Short { length: bytes.len(), needed: header + tag_bytes };
        let (body, tag) = bytes.len().checked_sub(tag_bytes).map(|at| bytes.split_at(at)).ok_or(short)?;
        if body.len() < header {
            return Err(short);
        }
        let (sequence, ssrc) = (sequence_of(body), word(body, 8));
        let known = source_of(&self.sources, ssrc);
        let index = match known {
            Some(source) => source.newest().estimate(sequence).ok_or(SrtpError::Forged)?,
            None => Index::first(sequence),
        };
        out.extend_from_slice(body);
        let opened = self.rtp.open_rtp(ssrc, index, out, header, tag);
        let taken = if opened { take(&mut self.sources, ssrc, index) } else { Err(SrtpError::Forged) };
        if taken.is_err() {
            out.clear();
        }
        taken
    }

    /// Puts the RTCP compound that an SRTCP packet holds into `out`.
    ///
    /// # Errors
    /// When the packet is not to be believed; `out` is empty then, and nothing has changed.
    pub fn rtcp(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), SrtpError> {
        out.clear();
        let tag_bytes = self.rtcp.tag_bytes();
        let short = SrtpError::Short { length: bytes.len(), needed: RTCP_CLEAR + RTCP_INDEX + tag_bytes };
        let at = bytes.len().checked_sub(RTCP_INDEX + tag_bytes).filter(|at| *at >= RTCP_CLEAR).ok_or(short)?;
        let (body, end) = bytes.split_at(at);
        let (tag, trailer) = match self.rtcp.is_aead() {
            true => (&end[..tag_bytes], word(end, tag_bytes)),
            false => (&end[RTCP_INDEX..], word(end, 0)),
        };
        let (ssrc, index) = (word(body, 4), Index::of_rtcp(trailer & !ENCRYPTED));
        let clear = if trailer & ENCRYPTED == 0 { body.len() } else { RTCP_CLEAR };
        out.extend_from_slice(body);
        let opened = self.rtcp.open_rtcp(ssrc, trailer.to_be_bytes(), out, clear, tag);
        let taken = if opened { take(&mut self.rtcp_sources, ssrc, index) } else { Err(SrtpError::Forged) };
        if taken.is_err() {
            out.clear();
        }
        taken
    }
}

fn source_of(sources: &[(u32, Source)], ssrc: u32) -> Option<&Source> {
    sources.iter().find(|(known, _)| *known == ssrc).map(|(_, source)| source)
}

/// Notes a packet whose tag was right.
fn take(sources: &mut Vec<(u32, Source)>, ssrc: u32, index: Index) -> Result<(), SrtpError> {
    if let Some((_, source)) = sources.iter_mut().find(|(known, _)| *known == ssrc) {
        return source.take(index);
    }
    if sources.len() == SOURCES_MAX {
        return Err(SrtpError::TooManySources);
    }
    sources.push((ssrc, Source::new(index)));
    Ok(())
}

/// Octets of an RTP header with its contributing sources and extension; none where they do not fit the packet.
fn header_length(bytes: &[u8]) -> Option<usize> {
    let first = *bytes.first()?;
    let mut length = HEADER_LENGTH + usize::from(first & 0x0f) * 4;
    if first & 0x10 != 0 {
        let [_, _, high, low] = *bytes.get(length..)?.first_chunk::<4>()?;
        length += 4 + usize::from(u16::from_be_bytes([high, low])) * 4;
    }
    (length <= bytes.len()).then_some(length)
}

fn sequence_of(bytes: &[u8]) -> u16 {
    (word(bytes, 0) & 0xffff) as u16
}

/// The 32 bits at an offset; zero beyond the end, which callers have excluded.
fn word(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..).and_then(|rest| rest.first_chunk()).map_or(0, |word| u32::from_be_bytes(*word))
}

/// Octets that protection adds to an RTCP packet at most; to an RTP packet four less.
pub const GROWTH_MAX: usize = TAG_MAX + RTCP_INDEX;

#[cfg(test)]
mod tests;
