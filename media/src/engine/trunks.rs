//! Trunks, as far as the door and the connections are concerned.

use super::{Engine, Network};
use crate::io::{LegId, TRUNK_HOPS_MAX, Transport, Trunk};
use crate::sip::agent::AgentCommand;
use std::net::IpAddr;
use std::time::Instant;

/// Networks of removed trunks that are remembered for the calls they still have. Of one more, calls end without being heard.
const RETIRED_MAX: usize = 256;

impl Engine {
    pub(super) fn set_trunks(&mut self, trunks: Vec<Trunk>, now: Instant) {
        let hops = trunks.iter().flat_map(|trunk| trunk.hops.iter().take(TRUNK_HOPS_MAX).map(move |hop| (trunk, *hop)));
        let mut networks: Vec<Network> = hops.clone().map(|(_, hop)| Network::of(hop.ip())).collect();
        networks.extend(trunks.iter().flat_map(|trunk| &trunk.sources));
        self.names = hops.filter_map(|(trunk, hop)| Some((hop, trunk.name.clone()?))).collect();
        let last = LegId(self.next_leg.saturating_sub(1));
        for network in self.admission.set_trunks(networks.clone()) {
            if networks.contains(&network) {
                continue;
            }
            if self.retired.len() < RETIRED_MAX {
                self.retired.push((network, last));
            }
            // Its answer to our taking leave is wanted too.
            self.remember(network.address(), now);
        }
        self.forget_retired();
        let secure = |trunk: &&Trunk| trunk.hops.iter().all(|hop| hop.transport == Transport::Tls);
        self.secure_trunks = trunks.iter().filter(secure).map(|trunk| trunk.id).collect();
        self.trunk_protection = trunks.iter().map(|trunk| (trunk.id, trunk.protection)).collect();
        self.inside.set_trunks(trunks.iter());
        self.tell_agent(AgentCommand::Trunks(trunks), now);
    }

    /// Whether this address was a trunk's while the oldest leg came up: its calls are still to be ended by either side.
    pub(super) fn is_retired(&self, source: IpAddr) -> bool {
        let oldest = self.legs.keys().next();
        let lives = |last: &LegId| oldest.is_some_and(|oldest| oldest <= last);
        self.retired.iter().any(|(network, last)| lives(last) && network.contains(source))
    }

    fn forget_retired(&mut self) {
        let oldest = self.legs.keys().next().copied();
        self.retired.retain(|(_, last)| oldest.is_some_and(|oldest| oldest <= *last));
    }
}
