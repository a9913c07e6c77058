//! How requests of ours leave: Via and Contact for what carries them, and another way for those that are too long.

use std::net::SocketAddr;
use std::time::Instant;

use super::trunks::AccountId;
use super::{DATAGRAM_BYTES_MAX, UserAgent};
use crate::io::{Hop, Transport};
use crate::sip::address::NameAddr;
use crate::sip::dialog::Dialog;
use crate::sip::header::{Params, Via};
use crate::sip::message::{Method, Request};
use crate::sip::transaction::{Fallback, TxId, carry};
use crate::sip::uri::{Uri, bracketed};

impl UserAgent {
    /// Where this peer reaches us.
    pub(super) fn local(&self, peer: Hop) -> SocketAddr {
        let own = match peer.transport {
            Transport::Udp => None,
            Transport::Tcp => self.config.tcp,
            Transport::Tls => self.config.tls,
        };
        // Without a listener we are reached on the connections that we opened; the address is a name then, no more.
        self.inside.told_at(peer, own.unwrap_or(self.config.local))
    }

    /// Our Contact for this peer.
    pub(super) fn contact(&self, user: &str, peer: Hop, secure: bool) -> NameAddr {
        let transport = peer.transport;
        let mut contact = NameAddr::new(Uri::sip(user, self.local(peer)));
        if let Uri::Sip(uri) = &mut contact.uri {
            uri.secure = secure;
            if transport.is_stream() && !secure {
                uri.params.set("transport", transport.name().to_ascii_lowercase());
            }
        }
        contact
    }

    /// The Contact of our response to this request.
    pub(super) fn contact_for(&self, request: &Request, remote: Hop) -> String {
        self.contact(&request.uri.user(), remote, request.uri.is_secure()).to_string()
    }

    pub(super) fn via(&mut self, remote: Hop) -> Via {
        let local = self.local(remote);
        let mut params = Params::default();
        params.set("branch", self.tokens.branch());
        // An empty rport asks for answers to the port that this comes from (RFC 3581 section 3).
        params.push("rport", None).expect("two parameters are under the limit");
        Via {
            version: "2.0".into(),
            transport: remote.transport.name().into(),
            host: bracketed(local.ip()),
            port: Some(local.port()),
            params,
        }
    }

    /// Sends a request of ours that has no Via yet; `None`, and nothing sent, when the table is full.
    /// Under an account, challenges to it are answered.
    pub(super) fn send(
        &mut self,
        request: Request,
        remote: Hop,
        account: Option<AccountId>,
        now: Instant,
    ) -> Option<TxId> {
        let tx = self.send_plain(request, remote, account, now)?;
        if let Some(account) = account {
            self.note_pending(tx, account);
            if self.accounts.connects_to(account, remote) {
                self.transactions.may_reconnect(tx);
            }
        }
        Some(tx)
    }

    fn send_plain(
        &mut self,
        mut request: Request,
        remote: Hop,
        account: Option<AccountId>,
        now: Instant,
    ) -> Option<TxId> {
        if let Some(account) = account {
            self.authorize(&mut request, account, remote);
        }
        let via = self.via(remote);
        request.head.via.insert(0, via.clone());
        // What a phone keeps open is no address that it could be connected to.
        let stays = remote.transport.is_stream() || self.config.tcp.is_none() || self.registrar.is_flow(remote);
        if stays || request.encode().len() <= DATAGRAM_BYTES_MAX {
            return self.transactions.send(request, remote, None, now);
        }
        let stream = Hop { transport: Transport::Tcp, ..remote };
        let local = self.local(stream);
        carry(&mut request, Transport::Tcp, bracketed(local.ip()), local.port());
        let fallback = Fallback { remote, via };
        self.transactions.send(request, stream, Some(fallback), now)
    }

    /// Sends a request of ours within a dialog; without a transaction when the table is full.
    pub(super) fn send_within(&mut self, mut request: Request, remote: Hop, account: Option<AccountId>, now: Instant) {
        request.head.push("User-Agent", self.config.user_agent.clone());
        if self.transactions.is_full() {
            let via = self.via(remote);
            request.head.via.push(via);
            self.transmit(remote, request.encode());
        } else {
            self.send(request, remote, account, now);
        }
    }

    pub(super) fn send_bye(&mut self, dialog: &mut Dialog, account: Option<AccountId>, now: Instant) {
        let bye = dialog.request(Method::Bye);
        self.send_within(bye, dialog.next_hop(), account, now);
    }
}
