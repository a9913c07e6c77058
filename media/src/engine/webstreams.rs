//! Browsers' TCP connections, for networks that let no UDP out (RFC 6544; a browser connects, we accept).
//!
//! Anybody can open one. Until a STUN request on it has been answered, it may say nothing else: the first packet that is not
//! such a request ends it, without an answer. What a connection has proved goes for its leg alone, and ends with either.
//!
//! The shell owns the sockets, and bounds what waits to be sent; here is what is believed of them.

use super::Engine;
use super::admission::bucket_key;
use crate::io::{Hop, LegId, Output, Transport};
use crate::rtp::framing::Framer;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Connections at once: four for each station that there may be, and as many again for those who have to prove themselves.
pub const WEB_STREAMS_MAX: usize = 1_280;
/// Connections that have proved nothing yet. With one more, the oldest gives way: who has a password needs an instant.
const UNPROVED_MAX: usize = 256;
/// The same of one source, which may be a whole clinic behind one address. One more is closed.
pub const UNPROVED_OF_SOURCE_MAX: usize = 64;
/// Connections of one leg: its browser's networks and both families. With one more, the one silent for longest goes.
const OF_LEG_MAX: usize = 8;
/// How long a connection may take to prove that it is a browser's.
pub const PROVE_WITHIN: Duration = Duration::from_secs(5);
/// A connection on which nothing came for so long is closed. Browsers ask on all of them at least every 25 s.
const IDLE_MAX: Duration = Duration::from_secs(60);

/// One connection.
struct WebStream {
    framer: Framer,
    /// Whose browser has proved to be there.
    leg: Option<LegId>,
    /// When it is closed unless something of worth comes.
    until: Instant,
}

/// All connections, by their far end.
#[derive(Default)]
pub(super) struct WebStreams(BTreeMap<SocketAddr, WebStream>);

impl WebStreams {
    /// Takes a new connection. Gives back the one that has to be closed for it, which may be itself.
    fn open(&mut self, remote: SocketAddr, now: Instant) -> Option<SocketAddr> {
        let source = bucket_key(remote.ip());
        let unproved = || self.0.iter().filter(|(_, stream)| stream.leg.is_none());
        let of_source = unproved().filter(|(other, _)| bucket_key(other.ip()) == source).count();
        if of_source >= UNPROVED_OF_SOURCE_MAX || self.0.len() >= WEB_STREAMS_MAX {
            return Some(remote);
        }
        let oldest = unproved().min_by_key(|(_, stream)| stream.until).map(|(other, _)| *other);
        let displaced = oldest.filter(|_| unproved().count() >= UNPROVED_MAX);
        self.0.insert(remote, WebStream { framer: Framer::default(), leg: None, until: now + PROVE_WITHIN });
        displaced
    }

    /// A packet of this leg's browser came.
    fn hear(&mut self, remote: SocketAddr, leg: LegId, now: Instant) {
        if let Some(stream) = self.0.get_mut(&remote) {
            stream.leg = Some(leg);
            stream.until = now + IDLE_MAX;
        }
    }

    fn of(&self, leg: LegId) -> Vec<SocketAddr> {
        self.0.iter().filter(|(_, stream)| stream.leg == Some(leg)).map(|(remote, _)| *remote).collect()
    }

    /// The connection that a leg has too many of.
    fn surplus(&self, leg: LegId) -> Option<SocketAddr> {
        let of_leg = || self.0.iter().filter(|(_, stream)| stream.leg == Some(leg));
        let silent = of_leg().min_by_key(|(_, stream)| stream.until).map(|(remote, _)| *remote);
        silent.filter(|_| of_leg().count() > OF_LEG_MAX)
    }

    fn due(&self, now: Instant) -> Vec<SocketAddr> {
        self.0.iter().filter(|(_, stream)| stream.until <= now).map(|(remote, _)| *remote).collect()
    }

    /// When the next connection has to be closed.
    pub(super) fn wake_at(&self) -> Option<Instant> {
        self.0.values().map(|stream| stream.until).min()
    }
}

impl Engine {
    /// A connection was opened to us.
    pub(super) fn web_opened(&mut self, remote: SocketAddr, now: Instant) {
        self.web_closed(remote, now);
        if let Some(closed) = self.web_streams.open(remote, now) {
            self.end_web_stream(closed, now);
        }
    }

    /// What a connection brought. What came on one that is closed is nobody's.
    pub(super) fn web_stream(&mut self, remote: SocketAddr, bytes: &[u8], now: Instant) {
        let Some(stream) = self.web_streams.0.get_mut(&remote) else { return };
        let mut packets = Vec::new();
        let is_framed = stream.framer.receive(bytes, &mut packets).is_ok();
        let is_browser = packets.iter().all(|packet| self.web_frame(remote, packet, now));
        // Its leg may have ended with what it said.
        if !(is_framed && is_browser) && self.web_streams.0.contains_key(&remote) {
            self.end_web_stream(remote, now);
        }
    }

    /// A connection is gone, and with it what it had proved.
    pub(super) fn web_closed(&mut self, remote: SocketAddr, now: Instant) {
        if let Some(WebStream { leg: Some(leg), .. }) = self.web_streams.0.remove(&remote) {
            self.web_left(leg, Hop { transport: Transport::Tcp, address: remote }, now);
        }
    }

    /// Closes the connections of a leg that is over, or has another browser now.
    pub(super) fn close_web_streams(&mut self, leg: LegId) {
        for remote in self.web_streams.of(leg) {
            self.web_streams.0.remove(&remote);
            self.outputs.push_back(Output::WebClose { remote });
        }
    }

    /// Closes those that have not proved themselves in time, or are silent.
    pub(super) fn wake_web_streams(&mut self, now: Instant) {
        for remote in self.web_streams.due(now) {
            self.end_web_stream(remote, now);
        }
    }

    /// A packet of a connection. Says whether it may go on.
    fn web_frame(&mut self, remote: SocketAddr, bytes: &[u8], now: Instant) -> bool {
        let Some(owner) = self.web_streams.0.get(&remote).map(|stream| stream.leg) else { return false };
        let named = self.browsers.addressee(bytes);
        let is_fitting = match owner {
            // What only comes from a browser is judged as on UDP: it is dropped where it is wrong.
            Some(owner) => named.is_none_or(|named| named == owner),
            None => named.is_some(),
        };
        if !is_fitting {
            self.counters.stray_web += 1;
            return false;
        }
        let heard = self.web_packet(Hop { transport: Transport::Tcp, address: remote }, bytes, now);
        if let Some(leg) = heard {
            self.web_streams.hear(remote, leg, now);
            if let Some(surplus) = self.web_streams.surplus(leg) {
                self.end_web_stream(surplus, now);
            }
        }
        owner.or(heard).is_some()
    }

    fn end_web_stream(&mut self, remote: SocketAddr, now: Instant) {
        self.counters.web_streams_closed += 1;
        self.outputs.push_back(Output::WebClose { remote });
        self.web_closed(remote, now);
    }
}
