//! A browser's leg: what stands between a leg's audio and a connection that may be lost and replaced.

use crate::io::{Codec, Hop, LegEnd, Output, Socket};
use crate::leg::Visitor;
use crate::rtp::framing::framed;
use crate::rtp::packet::Packet;
use crate::sip::sdp::{Agreed, Direction};
use crate::webrtc::{Connection, Wish};
use std::collections::VecDeque;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

/// How long a browser may take to reach us after our answer.
const CONNECT_MAX: Duration = Duration::from_secs(20);
/// A browser sends packets all the time and asks at least every 2.5 s whether we are there: heard from for this long not
/// at all, it is lost.
const QUIET_MAX: Duration = Duration::from_secs(6);
/// How long a leg waits for its browser to come back: the page may be loading again, the network changing.
const GRACE: Duration = Duration::from_secs(15);
/// Stands for the browser in the leg's stream. Where it really is, the connection knows; nothing is ever sent here.
const BROWSER: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::new(192, 0, 2, 9)), 9);

/// The connection of a browser's leg.
pub(crate) struct Web {
    connection: Box<Connection>,
    /// It calls, and does not only wait for calls: its audio starts with the answer.
    calls: bool,
    /// Who calls, until that has been told.
    pub(crate) visitor: Option<Visitor>,
    /// When the connection was answered.
    since: Instant,
    lost_at: Option<Instant>,
}

impl Web {
    pub(crate) fn new(connection: Connection, visitor: Option<Visitor>, now: Instant) -> Self {
        Self { connection: Box::new(connection), calls: visitor.is_some(), visitor, since: now, lost_at: None }
    }

    /// Another connection takes the place of this one, which says goodbye. The leg rests until it is there.
    pub(crate) fn renew(&mut self, connection: Connection, now: Instant, outputs: &mut VecDeque<Output>) {
        self.connection.close(now);
        self.pass(outputs);
        *self.connection = connection;
        self.since = now;
        self.lost_at.get_or_insert(now);
    }

    /// Whether its audio starts with the answer to its call.
    pub(crate) fn calls(&self) -> bool {
        self.calls
    }

    /// Whether its audio is sent over TCP.
    pub(crate) fn is_by_tcp(&self) -> bool {
        self.connection.is_by_tcp()
    }

    pub(crate) fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// What there is to agree on; while the browser is lost, that nobody speaks.
    pub(crate) fn agreed(&self) -> Agreed {
        let formats = self.connection.formats();
        let direction = if self.lost_at.is_some() { Direction::Inactive } else { Direction::SendRecv };
        Agreed {
            codec: Codec::Opus,
            payload_send: formats.audio,
            payload_receive: formats.audio,
            events_send: formats.events,
            events_receive: formats.events,
            remote: Some(BROWSER),
            remote_rtcp: Some(BROWSER),
            rtcp_mux: true,
            keys: None,
            direction,
            ptime_ms: 20,
        }
    }

    /// Where the leg's stream has its packets from.
    pub(crate) fn browser() -> SocketAddr {
        BROWSER
    }

    /// The browser is there (again). Says whether that is news.
    pub(crate) fn found(&mut self) -> bool {
        self.lost_at.take().is_some()
    }

    /// The browser is gone. Says whether that is news.
    pub(crate) fn lost(&mut self, since: Instant) -> bool {
        let is_news = self.lost_at.is_none();
        self.lost_at.get_or_insert(since);
        is_news
    }

    /// Whether the browser is there but nothing has been heard of it for too long.
    pub(crate) fn is_quiet(&self, now: Instant) -> bool {
        let quiet = now.saturating_duration_since(self.connection.heard_at()) >= QUIET_MAX;
        self.connection.is_connected() && self.lost_at.is_none() && quiet
    }

    /// Why the leg is over, where it is: its browser never came, or has not come back.
    pub(crate) fn over(&self, now: Instant) -> Option<LegEnd> {
        match self.lost_at {
            Some(lost) if now >= lost + GRACE => Some(LegEnd::RemoteHangup),
            Some(_) => None,
            None if !self.connection.is_connected() && now >= self.since + CONNECT_MAX => Some(LegEnd::Timeout),
            None => None,
        }
    }

    /// When something is due.
    pub(crate) fn wake_at(&self) -> Instant {
        let deadline = match self.lost_at {
            Some(lost) => lost + GRACE,
            None if self.connection.is_connected() => self.connection.heard_at() + QUIET_MAX,
            None => self.since + CONNECT_MAX,
        };
        self.connection.wake_at().map_or(deadline, |at| at.min(deadline))
    }

    /// Takes the packets among what the leg's audio put out since `begun`; everything else stays. Its RTCP goes nowhere, as the
    /// connection reports itself.
    pub(crate) fn carry(&mut self, begun: usize, now: Instant, outputs: &mut VecDeque<Output>) {
        for output in outputs.split_off(begun) {
            match output {
                Output::Transmit { bytes, .. } => {
                    if let Ok(packet) = Packet::parse(&bytes) {
                        self.connection.send(&packet, now);
                    }
                }
                other => outputs.push_back(other),
            }
        }
    }

    /// The end of the leg.
    pub(crate) fn close(&mut self, begun: usize, now: Instant, outputs: &mut VecDeque<Output>) {
        self.carry(begun, now, outputs);
        self.connection.close(now);
        self.pass(outputs);
    }

    /// How a packet leaves; none that no connection could carry.
    pub(crate) fn output(to: Hop, bytes: Vec<u8>) -> Option<Output> {
        let remote = to.address;
        if to.transport.is_stream() {
            return Some(Output::WebSend { remote, bytes: framed(&bytes)? });
        }
        Some(Output::Transmit { socket: Socket::Web, remote, bytes })
    }

    /// Sends what is left to send of a connection that ends.
    fn pass(&mut self, outputs: &mut VecDeque<Output>) {
        while let Some(wish) = self.connection.poll() {
            if let Wish::Transmit(to, bytes) = wish {
                outputs.extend(Self::output(to, bytes));
            }
        }
    }
}
