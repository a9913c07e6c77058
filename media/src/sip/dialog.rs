//! Dialogs (RFC 3261 section 12): who the two ends are, how a request gets to the other one, and which numbers it carries.

use std::net::{IpAddr, SocketAddr};

use super::address::NameAddr;
use super::header::CSeq;
use super::message::{Head, Method, Request, Response};
use super::uri::{Uri, numeric};
use crate::io::Hop;

/// The longest route set that is kept; a peer that names more proxies is not served.
pub const ROUTES_MAX: usize = 32;

/// What tells one dialog from another, seen from us.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct DialogKey {
    /// Call-ID.
    pub call_id: String,
    /// Our tag.
    pub local_tag: String,
    /// The far end's tag; empty for a peer of RFC 2543 that has none.
    pub remote_tag: String,
}

/// One end of a dialog.
#[derive(Clone, Debug)]
pub struct Dialog {
    /// Call-ID.
    pub call_id: String,
    /// We, with our tag.
    pub local: NameAddr,
    /// The far end, with its tag.
    pub remote: NameAddr,
    /// The number of our last request.
    pub local_cseq: u32,
    /// The number of the far end's last request.
    pub remote_cseq: Option<u32>,
    /// Proxies that want to see every request, nearest first.
    pub routes: Vec<NameAddr>,
    /// The far end's Contact: where requests are meant for.
    pub target: Uri,
    /// Where the far end's messages really come from.
    pub peer: Hop,
    /// The far end stands behind a NAT: its Contact cannot be reached, `peer` can.
    pub natted: bool,
    /// The connection to `peer` is gone.
    pub cut: bool,
    /// The trunk's own hop, for a call that came by one: where a far end that names no number is reached when its connection is gone.
    pub home: Option<Hop>,
}

impl Dialog {
    /// The callee's end, from the INVITE (section 12.1.1). `None` when the Contact or a Record-Route cannot be read.
    pub fn callee(request: &Request, tag: &str, peer: Hop) -> Option<Self> {
        let head = &request.head;
        Some(Self {
            call_id: head.call_id.clone(),
            local: head.to.clone().tagged(tag),
            remote: head.from.clone(),
            local_cseq: 0,
            remote_cseq: Some(head.cseq.number),
            routes: routes(head)?,
            target: contact(head).or_else(|| old_target(head))?,
            peer,
            // A peer that sees another address on itself than the world does is behind a NAT.
            natted: numeric(&head.top_via().host).is_none_or(|host| host != peer.ip()),
            cut: false,
            home: None,
        })
    }

    /// The caller's end, from our INVITE and a response with a tag (section 12.1.2). `None` when a Record-Route of the
    /// response cannot be read. A response without a usable Contact is taken to mean the address that was called.
    pub fn caller(invite: &Request, response: &Response, peer: Hop) -> Option<Self> {
        let mut routes = routes(&response.head)?;
        routes.reverse();
        Some(Self {
            call_id: invite.head.call_id.clone(),
            local: invite.head.from.clone(),
            remote: response.head.to.clone(),
            local_cseq: invite.head.cseq.number,
            remote_cseq: None,
            routes,
            target: contact(&response.head).unwrap_or_else(|| invite.uri.clone()),
            peer,
            natted: false,
            cut: false,
            home: None,
        })
    }

    /// What tells this dialog from others.
    pub fn key(&self) -> DialogKey {
        DialogKey {
            call_id: self.call_id.clone(),
            local_tag: self.local.tag().unwrap_or_default().into(),
            remote_tag: self.remote.tag().unwrap_or_default().into(),
        }
    }

    /// Takes the number of a request of the far end (section 12.2.2): `false` when it is not above the last one.
    pub fn take_cseq(&mut self, number: u32) -> bool {
        let rises = self.remote_cseq.is_none_or(|last| number > last);
        if rises {
            self.remote_cseq = Some(number);
        }
        rises
    }

    /// Takes a new Contact from a target refresh (INVITE, UPDATE and their 2xx); one that cannot be read is left.
    pub fn refresh(&mut self, head: &Head) {
        if let Some(target) = contact(head) {
            self.target = target;
        }
    }

    /// Our next request in this dialog, without Via.
    pub fn request(&mut self, method: Method) -> Request {
        self.local_cseq += 1;
        self.with_cseq(method, self.local_cseq)
    }

    /// An ACK to a 2xx: it carries the INVITE's number (section 13.2.2.4).
    pub fn ack(&self, invite_cseq: u32) -> Request {
        self.with_cseq(Method::Ack, invite_cseq)
    }

    fn with_cseq(&self, method: Method, number: u32) -> Request {
        let mut request = Request {
            uri: self.target.clone(),
            head: Head {
                via: Vec::new(),
                from: self.local.clone(),
                to: self.remote.clone(),
                call_id: self.call_id.clone(),
                cseq: CSeq { number, method: method.clone() },
                fields: Vec::new(),
            },
            method,
            body: Vec::new(),
        };
        request.head.push("Max-Forwards", "70");
        let mut routes = self.routes.clone();
        // A strict first proxy wants to be the Request-URI, and the target at the end of the route (section 12.2.1.1).
        if routes.first().is_some_and(|first| !first.uri.is_loose()) {
            request.uri = strict_target(routes.remove(0).uri);
            routes.push(NameAddr::new(self.target.clone()));
        }
        for route in routes {
            request.head.push("Route", route.to_string());
        }
        request
    }

    /// Where our requests go: to the first proxy or the target where that is a reachable number, else back to where the far
    /// end's messages come from: names are not looked up, as if whoever sent the call were our outbound proxy (section 8.1.2). Who names
    /// no transport is taken to mean the one that it uses itself; a far end that talks to us over a connection is answered on that,
    /// as long as it stands.
    pub fn next_hop(&self) -> Hop {
        let uri = self.routes.first().map_or(&self.target, |route| &route.uri);
        let transport = uri.transport().unwrap_or(self.peer.transport);
        let Some(address) = uri.address(transport).filter(|_| !self.routes.is_empty() || !self.natted) else {
            // The first route's number is the proxy that we talk to; a NAT in front of the far end does not matter then.
            return self.way_back();
        };
        let Some(address) = reachable(address, self.peer.address) else { return self.way_back() };
        let same = transport == self.peer.transport && transport.is_stream() && address.ip() == self.peer.ip();
        if same && !self.cut { self.peer } else { Hop { transport, address } }
    }

    /// Where the far end's messages come from; when that connection is gone, nobody listens there, but at the trunk's own hop.
    fn way_back(&self) -> Hop {
        self.home.filter(|_| self.cut).unwrap_or(self.peer)
    }

    /// A connection is gone: the far end has to be reached anew, or comes back by itself.
    pub fn closed(&mut self, hop: Hop) {
        self.cut |= self.peer == hop;
    }

    /// A request of the far end came by this way.
    pub fn heard(&mut self, hop: Hop) {
        if self.cut && hop.transport.is_stream() {
            (self.peer, self.cut) = (hop, false);
        }
    }
}

/// A private or loopback address cannot be meant by somebody who talks to us from a public one.
fn reachable(address: SocketAddr, peer: SocketAddr) -> Option<SocketAddr> {
    let unusable = address.ip().is_unspecified() || is_private(address.ip()) && !is_private(peer.ip());
    (!unusable && address.is_ipv4() == peer.is_ipv4()).then_some(address)
}

fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_private() || ip.is_loopback() || ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// Headers and the method parameter are not allowed in a Request-URI (section 19.1.1).
fn strict_target(uri: Uri) -> Uri {
    match uri {
        Uri::Sip(mut uri) => {
            uri.headers = None;
            Uri::Sip(uri)
        }
        other => other,
    }
}

/// The one Contact; `None` when there is none, are several, or it is no SIP URI.
pub fn contact(head: &Head) -> Option<Uri> {
    let mut contacts = head.addresses("Contact")?.into_iter();
    match (contacts.next()?.uri, contacts.next()) {
        (uri @ Uri::Sip(_), None) => Some(strict_target(uri)),
        _ => None,
    }
}

/// A peer of RFC 2543 may leave the Contact out; its From address stands in (RFC 2543 section 6.13).
fn old_target(head: &Head) -> Option<Uri> {
    let old = head.top_via().branch().is_none() && head.get("Contact").is_none();
    Some(head.from.uri.clone()).filter(|uri| old && matches!(uri, Uri::Sip(_)))
}

fn routes(head: &Head) -> Option<Vec<NameAddr>> {
    head.addresses("Record-Route").filter(|routes| routes.len() <= ROUTES_MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
    use super::*;
    use crate::io::Transport;

    fn dialog(target: &str, route: &str, peer: &str, natted: bool) -> Dialog {
        let party = |tag: &str| NameAddr::new(Uri::parse("sip:a@b").unwrap()).tagged(tag);
        Dialog {
            call_id: "c".into(),
            local: party("us"),
            remote: party("them"),
            local_cseq: 0,
            remote_cseq: None,
            routes: NameAddr::parse(route).into_iter().collect(),
            target: Uri::parse(target).unwrap(),
            peer: Hop::udp(peer.parse().unwrap()),
            natted,
            cut: false,
            home: None,
        }
    }

    #[test]
    fn requests_go_where_the_far_end_can_be_reached() {
        const PUBLIC: &str = "203.0.113.9:3456";
        const PRIVATE: &str = "192.168.1.9:5060";
        let table = [
            ("sip:a@198.51.100.7:5070", "", PUBLIC, false, "198.51.100.7:5070"),
            // A name would have to be resolved, which a machine without a resolver cannot.
            ("sip:a@example.org", "", PUBLIC, false, PUBLIC),
            ("sip:a@192.168.1.5", "", PUBLIC, true, PUBLIC),
            // Even when its Via is honest, a private Contact is of no use from outside.
            ("sip:a@192.168.1.5", "", PUBLIC, false, PUBLIC),
            ("sip:a@192.168.1.5", "", PRIVATE, false, "192.168.1.5:5060"),
            ("sip:a@0.0.0.0", "", PRIVATE, false, PRIVATE),
            ("sip:a@[2001:db8::1]", "", PUBLIC, false, PUBLIC),
            ("sip:a@192.168.1.5", "<sip:198.51.100.1:5080;lr>", PUBLIC, true, "198.51.100.1:5080"),
            ("sip:a@198.51.100.7", "<sip:proxy.example.org;lr>", PUBLIC, false, PUBLIC),
        ];
        for (target, route, peer, natted, hop) in table {
            let expected = Hop::udp(hop.parse().unwrap());
            assert_eq!(dialog(target, route, peer, natted).next_hop(), expected, "{target} {route} {peer}");
        }
    }

    /// RFC 3261 section 18 and RFC 5923: the connection that is there is used, and the transport that is named.
    #[test]
    fn requests_take_the_transport_that_the_far_end_names() {
        const PEER: &str = "203.0.113.9:3456";
        let hop = |transport, address: &str| Hop { transport, address: address.parse().unwrap() };
        let table = [
            ("sip:a@203.0.113.9:5070;transport=tcp", "", Transport::Tcp, false, hop(Transport::Tcp, PEER)),
            ("sip:a@203.0.113.9:5070;transport=tcp", "", Transport::Tcp, true, hop(Transport::Tcp, "203.0.113.9:5070")),
            ("sip:a@203.0.113.9", "", Transport::Tls, true, hop(Transport::Tls, "203.0.113.9:5061")),
            ("sips:a@203.0.113.9", "", Transport::Tls, false, hop(Transport::Tls, PEER)),
            ("sips:a@198.51.100.7", "", Transport::Tls, false, hop(Transport::Tls, "198.51.100.7:5061")),
            ("sip:a@198.51.100.7;transport=TCP", "", Transport::Udp, false, hop(Transport::Tcp, "198.51.100.7:5060")),
            ("sip:a@198.51.100.7;transport=udp", "", Transport::Tls, false, hop(Transport::Udp, "198.51.100.7:5060")),
            ("sip:a@198.51.100.7;transport=sctp", "", Transport::Tcp, false, hop(Transport::Tcp, "198.51.100.7:5060")),
            (
                "sip:a@x",
                "<sip:198.51.100.1:5080;transport=tls;lr>",
                Transport::Tcp,
                true,
                hop(Transport::Tls, "198.51.100.1:5080"),
            ),
            // A Contact behind NAT: only the connection leads there, even when it is gone.
            ("sip:a@192.168.1.5;transport=tcp", "", Transport::Tcp, true, hop(Transport::Tcp, PEER)),
        ];
        for (target, route, transport, cut, expected) in table {
            let mut dialog = dialog(target, route, PEER, false);
            dialog.peer.transport = transport;
            if cut {
                dialog.closed(dialog.peer);
            }
            assert_eq!(dialog.next_hop(), expected, "{target} {route} {transport:?} {cut}");
        }
        let mut dialog = dialog("sip:a@203.0.113.9:5070;transport=tcp", "", PEER, false);
        dialog.peer.transport = Transport::Tcp;
        let (first, second) = (dialog.peer, hop(Transport::Tcp, "203.0.113.9:4000"));
        dialog.heard(second);
        assert_eq!(dialog.next_hop(), first, "a second connection changes nothing while the first stands");
        dialog.closed(first);
        dialog.heard(second);
        assert_eq!(dialog.next_hop(), second);
        // A name: by the connection, and when that is gone by the trunk's own hop, until the far end comes back.
        let home = hop(Transport::Tcp, "203.0.113.9:5060");
        (dialog.home, dialog.target) = (Some(home), Uri::parse("sip:a@sbc.example.org;transport=tcp").unwrap());
        assert_eq!(dialog.next_hop(), second);
        dialog.closed(second);
        assert_eq!(dialog.next_hop(), home);
        dialog.heard(first);
        assert_eq!(dialog.next_hop(), first);
    }

    #[test]
    fn numbers_rise() {
        let mut dialog = dialog("sip:a@b", "", "192.0.2.1:5060", false);
        assert_eq!(
            [dialog.take_cseq(5), dialog.take_cseq(5), dialog.take_cseq(4), dialog.take_cseq(9)],
            [true, false, false, true]
        );
        assert_eq!(dialog.request(Method::Bye).head.cseq.number, 1);
        assert_eq!(dialog.request(Method::Info).head.cseq.number, 2);
        assert_eq!(dialog.ack(1).head.cseq.number, 1);
    }
}
