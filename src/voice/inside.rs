//! Which address peers in the networks around this machine are told, and peers of the other family.

use auricle_media::engine::Network;
use auricle_media::io::Inside;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

/// Networks that are nobody's outside (RFC 1918, RFC 6598, RFC 4193), with an address of each by which the way there is found.
const PRIVATE: [(&str, IpAddr); 5] = [
    ("10.0.0.0/8", IpAddr::V4(Ipv4Addr::new(10, 255, 255, 254))),
    ("172.16.0.0/12", IpAddr::V4(Ipv4Addr::new(172, 31, 255, 254))),
    ("192.168.0.0/16", IpAddr::V4(Ipv4Addr::new(192, 168, 255, 254))),
    ("100.64.0.0/10", IpAddr::V4(Ipv4Addr::new(100, 127, 255, 254))),
    ("fc00::/7", IpAddr::V6(Ipv6Addr::new(0xfdff, 0xffff, 0, 0, 0, 0, 0, 0xfffe))),
];
/// Everybody of a family, with an address that nobody has (RFC 5737, RFC 3849): the way to it is that to the outside.
const EVERYBODY: [(&str, IpAddr); 2] = [
    ("0.0.0.0/0", IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1))),
    ("::/0", IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1))),
];

/// This machine, for who is on it and in whose family it has no other address.
const THIS: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// The networks of this machine's interfaces: its address in each, and the prefix.
pub(super) fn interfaces() -> Vec<(IpAddr, u8)> {
    let all = if_addrs::get_if_addrs().unwrap_or_else(|error| {
        tracing::warn!(%error, "the interfaces of this machine cannot be read");
        Vec::new()
    });
    let outward = all.into_iter().filter(|interface| !interface.is_loopback() && !interface.is_link_local());
    outward
        .map(|interface| match interface.addr {
            if_addrs::IfAddr::V4(own) => (IpAddr::V4(own.ip), own.prefixlen),
            if_addrs::IfAddr::V6(own) => (IpAddr::V6(own.ip), own.prefixlen),
        })
        .collect()
}

/// What peers are told who are not told `usual`, where we listen on `listen`.
pub(super) fn inside(listen: IpAddr, usual: IpAddr, interfaces: &[(IpAddr, u8)]) -> Inside {
    let network = |text: &str| text.parse::<Network>().ok();
    let near = interfaces.iter().filter(|(own, _)| serves(listen, *own));
    let near = near.filter_map(|(own, prefix)| Some((network(&format!("{own}/{prefix}"))?, *own)));
    let by_route =
        |(text, there): &(&str, IpAddr)| Some((network(text)?, way_to(*there).filter(|own| serves(listen, *own))?));
    // An address of the usual one's family is for the networks around us only; the other family knows no usual one.
    let is_other = |own: IpAddr| own.is_ipv4() != usual.is_ipv4();
    let other = EVERYBODY.iter().filter(|(_, there)| is_other(*there));
    let this = THIS.into_iter().filter(|own| is_other(*own) && serves(listen, *own));
    let this = this.map(|own| (Network::of(own), own));
    Inside::new(near.chain(PRIVATE.iter().filter_map(by_route)).chain(other.filter_map(by_route)).chain(this).collect())
}

/// The address by which phones beside this machine find it, where it is not `usual`.
pub(super) fn address_inside(listen: IpAddr, usual: IpAddr, interfaces: &[(IpAddr, u8)]) -> Option<IpAddr> {
    let is_private = |address: IpAddr| match address {
        IpAddr::V4(address) => address.is_private(),
        IpAddr::V6(address) => address.is_unique_local(),
    };
    let near = interfaces.iter().map(|(own, _)| *own).filter(|own| serves(listen, *own) && is_private(*own));
    // Where IPv4 is spoken, phones are set up with it.
    near.filter(|own| *own != usual).min_by_key(IpAddr::is_ipv6).filter(|_| !is_private(usual))
}

/// An address of this machine's own that the whole internet reaches, where we listen on it. Only of IPv4: of IPv6, machines in a clinic
/// behind a router have one, too.
pub(super) fn public_address(listen: IpAddr, interfaces: &[(IpAddr, u8)]) -> Option<IpAddr> {
    let is_public = |own: &IpAddr| match own {
        IpAddr::V4(address) => {
            let near = PRIVATE.iter().filter_map(|(text, _)| text.parse::<Network>().ok());
            let special = address.is_loopback() || address.is_link_local() || address.is_documentation();
            !special && !near.into_iter().any(|network| network.contains(*own))
        }
        IpAddr::V6(_) => false,
    };
    interfaces.iter().map(|(own, _)| *own).find(|own| serves(listen, *own) && is_public(own))
}

/// Whether what comes to this address of ours comes to where we listen.
fn serves(listen: IpAddr, address: IpAddr) -> bool {
    match listen {
        _ if !listen.is_unspecified() => address == listen,
        // A socket of IPv6 serves both.
        IpAddr::V6(_) => true,
        IpAddr::V4(_) => address.is_ipv4(),
    }
}

/// Our address on the way to another. Connecting a UDP socket sends nothing: it only asks the routing table.
pub(super) fn way_to(there: IpAddr) -> Option<IpAddr> {
    let any = if there.is_ipv4() { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { IpAddr::V6(Ipv6Addr::UNSPECIFIED) };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).ok()?;
    socket.connect(SocketAddr::new(there, 9)).ok()?;
    let own = socket.local_addr().ok()?.ip();
    (!own.is_unspecified() && !own.is_loopback()).then_some(own)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// What a peer of each address is told by a machine in a clinic's network, of which everybody outside sees a router.
    #[test]
    fn who_is_near_is_told_the_near_address() {
        let (near, voip, outer) = ("192.168.1.10", "10.9.0.10", "203.0.113.7");
        let interfaces = [(near.parse().unwrap(), 24), (voip.parse().unwrap(), 16)];
        let told = |listen: &str, peer: &str| {
            let inside = inside(listen.parse().unwrap(), outer.parse().unwrap(), &interfaces);
            inside.told(peer.parse().unwrap(), SocketAddr::new(outer.parse().unwrap(), 5060)).ip().to_string()
        };
        assert_eq!(told("0.0.0.0", "192.168.1.30"), near);
        assert_eq!(told("0.0.0.0", "10.9.3.30"), voip);
        assert_eq!(told("::", "192.168.1.30"), near, "both families are served there");
        assert_eq!(told("0.0.0.0", "198.51.100.4"), outer);
        assert_eq!(told(near, "192.168.1.30"), near);
        assert_eq!(told(near, "10.9.3.30"), outer, "it does not listen there");
        // Whatever this machine has besides, a peer on it is told an address of its own family.
        assert!(told("::", "::1").contains(':'));
        assert_eq!(told("0.0.0.0", "::1"), outer, "nothing of IPv6 comes there");
        let found = |listen: &str, usual: &str| {
            address_inside(listen.parse().unwrap(), usual.parse().unwrap(), &interfaces).map(|own| own.to_string())
        };
        assert_eq!(found("0.0.0.0", outer).as_deref(), Some(near));
        assert_eq!(found("0.0.0.0", near), None, "there is no outside");
        assert_eq!(found("127.0.0.1", outer), None);
    }

    #[test]
    fn who_is_in_the_middle_of_the_internet_is_told_so() {
        let all = ["192.168.1.10", "100.64.3.4", "2001:db8:1::2", "192.0.2.7", "9.9.9.10"];
        let interfaces = all.map(|own| (own.parse().unwrap(), 24));
        let found = |listen: &str, count: usize| public_address(listen.parse().unwrap(), &interfaces[..count]);
        assert_eq!(found("0.0.0.0", 4), None, "none of these");
        assert_eq!(found("0.0.0.0", 5), Some(interfaces[4].0));
        assert_eq!(found("[::]".trim_matches(['[', ']']), 5), Some(interfaces[4].0));
        assert_eq!(found("192.168.1.10", 5), None, "it does not listen there");
    }
}
