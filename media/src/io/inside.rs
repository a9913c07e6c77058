//! Our addresses as peers see them, where they see more than one.

use super::{Hop, TRUNK_HOPS_MAX, Trunk};
use crate::engine::Network;
use std::net::{IpAddr, SocketAddr};

/// Networks that are told apart at most; further ones see what everybody sees.
pub const INSIDE_MAX: usize = 64;
/// Servers and sources of trunks that are told an address of their own at most; further ones see what everybody sees.
const TRUNK_ADDRESSES_MAX: usize = 512;

/// Which of our addresses stands in what a peer is told (Via, Contact, SDP), by where the peer is.
///
/// Behind address translation everybody outside reaches us by the outer address, and the telephones beside us do not: most routers
/// do not turn back what comes from inside. And a peer of one family cannot reach an address of the other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Inside {
    networks: Vec<(Network, IpAddr)>,
    /// Of trunks that are told an address of their own: these come first.
    trunks: Vec<(Network, IpAddr)>,
}

impl Inside {
    /// Of these networks and what their peers are told, the first that fits counts.
    pub fn new(mut networks: Vec<(Network, IpAddr)>) -> Self {
        networks.truncate(INSIDE_MAX);
        Self { networks, trunks: Vec::new() }
    }

    /// These are all trunks from now on.
    pub(crate) fn set_trunks<'a>(&mut self, trunks: impl Iterator<Item = &'a Trunk>) {
        let own = trunks.filter_map(|trunk| Some((trunk, trunk.address?)));
        let networks = own.flat_map(|(trunk, address)| {
            let hops = trunk.hops.iter().take(TRUNK_HOPS_MAX).map(|hop| Network::of(hop.ip()));
            hops.chain(trunk.sources.iter().copied()).map(move |network| (network, address))
        });
        self.trunks = networks.take(TRUNK_ADDRESSES_MAX).collect();
    }

    /// What this peer is told in place of `usual`, of which the port stays.
    pub fn told(&self, peer: IpAddr, usual: SocketAddr) -> SocketAddr {
        let fitting = self.trunks.iter().chain(&self.networks).find(|(network, _)| network.contains(peer));
        SocketAddr::new(fitting.map_or(usual.ip(), |(_, own)| *own), usual.port())
    }

    /// The same for where a message goes.
    pub(crate) fn told_at(&self, hop: Hop, usual: SocketAddr) -> SocketAddr {
        self.told(hop.ip(), usual)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn peers_are_told_the_address_that_they_can_reach() {
        let network = |text: &str, own: &str| (text.parse::<Network>().unwrap(), own.parse::<IpAddr>().unwrap());
        let inside = Inside::new(vec![
            network("192.168.1.0/24", "192.168.1.10"),
            network("192.168.0.0/16", "192.168.2.10"),
            network("::/0", "2001:db8::10"),
        ]);
        let usual = "203.0.113.7:5060".parse().unwrap();
        for (peer, told) in [
            ("192.168.1.30", "192.168.1.10:5060"),
            ("::ffff:192.168.1.30", "192.168.1.10:5060"),
            ("192.168.9.30", "192.168.2.10:5060"),
            ("198.51.100.7", "203.0.113.7:5060"),
            ("2001:db8::30", "[2001:db8::10]:5060"),
        ] {
            assert_eq!(inside.told(peer.parse().unwrap(), usual), told.parse().unwrap(), "{peer}");
        }
    }
}
