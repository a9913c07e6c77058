//! Where one browser is: the far ends that have proved to be it, by whatever transport.

use crate::io::{Hop, Transport};
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use str0m::net::Protocol;
use str0m::{Candidate, CandidateKind};

/// Far ends of one browser that may be heard at once: its networks, both families, both transports. The one unheard for
/// longest goes.
const PEERS_MAX: usize = 8;
/// A browser asks at least every 2.5 s where its audio goes. Where nothing was heard for so long while it asks for audio somewhere
/// else, it is no more.
const MOVED_AFTER: Duration = Duration::from_secs(4);

/// The far ends of one browser.
#[derive(Default)]
pub(super) struct Peers {
    /// Each with when it was heard last, the one heard last at the end.
    heard: VecDeque<(Hop, Instant)>,
    /// Where our audio goes.
    target: Option<Hop>,
    /// TCP far ends whose connection is gone, which str0m has not been told of.
    gone: VecDeque<Hop>,
}

impl Peers {
    pub(super) fn has(&self, source: Hop) -> bool {
        self.heard.iter().any(|(peer, _)| *peer == source)
    }

    /// Where our audio goes.
    pub(super) fn target(&self) -> Option<Hop> {
        self.target
    }

    /// Audio has gone there.
    pub(super) fn aim(&mut self, target: Hop) {
        self.target = Some(target);
    }

    /// It was heard; it is a peer from now on.
    pub(super) fn hear(&mut self, source: Hop, now: Instant) {
        self.heard.retain(|(peer, _)| *peer != source);
        self.gone.retain(|peer| *peer != source);
        if self.heard.len() == PEERS_MAX {
            self.heard.pop_front();
        }
        self.heard.push_back((source, now));
    }

    /// Its connection is gone.
    pub(super) fn leave(&mut self, source: Hop) {
        if !self.has(source) {
            return;
        }
        self.heard.retain(|(peer, _)| *peer != source);
        if self.gone.len() == PEERS_MAX {
            self.gone.pop_front();
        }
        self.gone.push_back(source);
    }

    /// Whether no far end is left, or the one that our audio goes to is gone.
    pub(super) fn is_adrift(&self) -> bool {
        self.heard.is_empty() || self.target.is_some_and(|target| self.gone.contains(&target))
    }

    /// What str0m has to forget now that the browser has asked from `source`: connections that are gone, and, where it wants its
    /// audio there (`wants`), a target that has fallen silent. str0m by itself would go on sending to a far end of the same or a
    /// higher priority for 15 s.
    pub(super) fn forgotten(&mut self, source: Hop, wants: bool, now: Instant) -> Vec<Candidate> {
        let mut forgotten: Vec<Hop> = self.gone.drain(..).collect();
        let is_silent = |(peer, heard_at): &(Hop, Instant)| {
            Some(*peer) == self.target && *peer != source && now.saturating_duration_since(*heard_at) >= MOVED_AFTER
        };
        if let Some(index) = self.heard.iter().position(is_silent).filter(|_| wants) {
            forgotten.extend(self.heard.remove(index).map(|(peer, _)| peer));
        }
        forgotten.into_iter().map(candidate).collect()
    }
}

/// What str0m calls a transport.
pub(super) fn protocol(transport: Transport) -> Protocol {
    match transport {
        Transport::Udp => Protocol::Udp,
        Transport::Tcp | Transport::Tls => Protocol::Tcp,
    }
}

/// The far end of what str0m wants to send.
pub(super) fn hop(protocol: Protocol, address: std::net::SocketAddr) -> Hop {
    let transport = if protocol == Protocol::Udp { Transport::Udp } else { Transport::Tcp };
    Hop { transport, address }
}

/// A far end as str0m has found it: we tell it of none, so each is one that it has met. What it goes by is protocol, address and kind.
fn candidate(peer: Hop) -> Candidate {
    let (protocol, kind) = (protocol(peer.transport), CandidateKind::PeerReflexive);
    Candidate::from_parts(String::new(), 1, protocol, 1, peer.address, kind, None, None, None)
}
