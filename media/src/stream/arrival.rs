//! What becomes of a datagram.

use std::net::SocketAddr;
use std::time::Instant;

use super::{MediaStream, NOTICED_MAX, Refusal, StreamEvent, Way};
use crate::io::CARRIER_FRAME_OCTETS_MAX;
use crate::rtp::dtmf::{Event, EventReceiver};
use crate::rtp::jitter::Carried;
use crate::rtp::latch::Verdict;
use crate::rtp::packet::Packet;
use crate::rtp::rtcp;
use crate::rtp::session::Arrival;
use crate::rtp::{COMFORT_NOISE, Clock, UNITS_PER_FRAME, UNITS_PER_MS};

impl MediaStream {
    /// Takes a datagram of the leg's RTP port. RTCP that shares the port is taken too.
    pub fn receive(&mut self, bytes: &[u8], remote: SocketAddr, now: Instant) -> Result<(), Refusal> {
        if rtcp::is_rtcp(bytes) {
            return self.receive_rtcp(bytes, remote, now);
        }
        let mut plain = std::mem::take(&mut self.plain);
        let result = match &mut self.srtp {
            Some(srtp) => match srtp.unprotector().rtp(bytes, &mut plain) {
                Ok(()) => self.take(&plain, remote, now),
                Err(error) => Err(error.into()),
            },
            None => self.take(bytes, remote, now),
        };
        self.plain = plain;
        self.count(result)
    }

    /// Takes audio that came without RTP, over a connection: in order, whole, and with its place in the far end's stream. It goes
    /// through the jitter buffer in pieces of 20 ms, as connections deliver in bursts.
    pub fn receive_frame(&mut self, at_ms: u64, payload: &[u8], now: Instant) -> Result<(), Refusal> {
        if payload.len() > CARRIER_FRAME_OCTETS_MAX {
            return self.count(Err(Refusal::FrameTooLong(payload.len())));
        }
        let mut timestamp = (at_ms as u32).wrapping_mul(UNITS_PER_MS);
        for piece in payload.chunks(UNITS_PER_FRAME as usize) {
            let (payload_type, sequence) = (self.payload_type, self.piece);
            let packet = Packet { marker: false, payload_type, sequence, timestamp, ssrc: 0, payload: piece };
            let result = self.place(&packet, Carried::Audio, now);
            self.piece = self.piece.wrapping_add(1);
            timestamp = timestamp.wrapping_add(UNITS_PER_FRAME);
            self.count(result)?;
        }
        Ok(())
    }

    /// The far end's stream begins anew, over another connection: what was buffered is over, what was counted stays.
    pub fn renew(&mut self) {
        self.reception.forget();
        self.receiver.reset();
    }

    /// Takes a datagram of the leg's RTCP port.
    pub fn receive_rtcp(&mut self, bytes: &[u8], remote: SocketAddr, now: Instant) -> Result<(), Refusal> {
        let known = self.latch.remote().map(|known| known.ip()) == Some(remote.ip())
            || self.signalled_rtcp.map(|signalled| signalled.ip()) == Some(remote.ip());
        let result = match &mut self.srtp {
            // Who has the key is the far end, wherever it sends from.
            Some(srtp) => {
                srtp.unprotector().rtcp(bytes, &mut self.plain).map_err(Refusal::from).map(|()| &self.plain[..])
            }
            None if known => Ok(bytes),
            None => Err(Refusal::Stranger),
        };
        let result =
            result.and_then(|bytes| self.rtcp.receive(bytes, self.sender.ssrc(), now).map(drop).map_err(Refusal::from));
        if result.is_ok() {
            self.heard_rtcp = Some(remote);
        }
        self.count(result)
    }

    fn count(&mut self, result: Result<(), Refusal>) -> Result<(), Refusal> {
        if result.is_err_and(|refusal| refusal != Refusal::Probation) {
            self.refused += 1;
        }
        result
    }

    fn take(&mut self, bytes: &[u8], remote: SocketAddr, now: Instant) -> Result<(), Refusal> {
        let packet = Packet::parse(bytes)?;
        let carried = self.carried(&packet)?;
        let verdict = match self.srtp {
            Some(_) => {
                self.latch.follow(remote, packet.ssrc, now);
                Verdict::Accepted
            }
            None => self.latch.judge(remote, packet.ssrc, packet.sequence, now),
        };
        match verdict {
            Verdict::Accepted => {}
            Verdict::Moved => {
                self.reception.forget();
                self.receiver.reset();
            }
            Verdict::Probation => return Err(Refusal::Probation),
            Verdict::Stranger => return Err(Refusal::Stranger),
        }
        self.place(&packet, carried, now)
    }

    /// Gives a packet that is the far end's its place in the audio.
    fn place(&mut self, packet: &Packet<'_>, carried: Carried, now: Instant) -> Result<(), Refusal> {
        let is_event = carried == Carried::Nothing;
        let Arrival::Accepted { sequence, timestamp, reset } = self.reception.receive(packet, !is_event, now) else {
            return Err(Refusal::Probation);
        };
        self.heard_at = Some(now);
        if reset {
            self.receiver.reset();
            self.events_in = EventReceiver::default();
        }
        if let Some(digit) =
            Event::parse(packet.payload).filter(|_| is_event).and_then(|event| self.events_in.receive(timestamp, event))
        {
            self.key_tones = None;
            let at_ms = self.position_ms();
            if self.presses.is_news(digit, Way::Event, at_ms) && self.noticed.len() < NOTICED_MAX {
                self.noticed.push(StreamEvent::Dtmf { digit, at_ms });
            }
        }
        let audio = if carried == Carried::Audio { packet.payload } else { &[] };
        let units = Clock::of(self.codec).units(timestamp);
        if self.receiver.put(sequence, units, carried, audio, now) {
            Ok(())
        } else {
            Err(Refusal::TooLong(audio.len()))
        }
    }

    fn carried(&self, packet: &Packet<'_>) -> Result<Carried, Refusal> {
        let kind = packet.payload_type;
        if kind == self.payload_type {
            Ok(Carried::Audio)
        } else if Some(kind) == self.dtmf_payload_type || (kind >= 96 && Event::looks_like(packet.payload)) {
            Ok(Carried::Nothing)
        } else if kind == COMFORT_NOISE {
            Ok(Carried::Noise(packet.payload.first().map_or(127, |level| level & 0x7f)))
        } else {
            Err(Refusal::PayloadType(kind))
        }
    }

    /// Where RTCP was heard from; else where SDP says, unless media comes from elsewhere than SDP says: then above that.
    pub(super) fn rtcp_remote(&self) -> Option<SocketAddr> {
        if self.rtcp_mux {
            return self.latch.remote();
        }
        if self.heard_rtcp.is_some() {
            return self.heard_rtcp;
        }
        let remote = self.latch.remote()?;
        let signalled = self.signalled_rtcp.filter(|signalled| signalled.ip() == remote.ip());
        signalled.or_else(|| remote.port().checked_add(1).map(|port| SocketAddr::new(remote.ip(), port)))
    }
}
