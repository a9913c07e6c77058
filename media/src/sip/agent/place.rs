//! What a call of ours begins with: the INVITE, and where it may go.

use std::collections::VecDeque;

use super::trunks::AccountId;
use super::{ALLOW, Invite, InviteError, InviteTo, SESSION_S, UserAgent};
use crate::io::{Hop, Transport, TrunkId};
use crate::sip::address::NameAddr;
use crate::sip::header::{CSeq, Params};
use crate::sip::message::{Head, Method, Request};
use crate::sip::sdp::Sdp;
use crate::sip::uri::{SipUri, Uri};

/// The number of an INVITE that begins a call; the dialog counts on from it.
const FIRST_CSEQ: u32 = 1;

/// An INVITE that can go out.
pub(super) struct Planned {
    pub request: Request,
    /// Where to, best first.
    pub hops: VecDeque<Hop>,
    pub account: Option<AccountId>,
}

fn anonymous() -> NameAddr {
    NameAddr {
        display: Some("\"Anonymous\"".into()),
        uri: Uri::parse("sip:anonymous@anonymous.invalid").expect("a valid URI"),
        params: Params::default(),
    }
}

pub(super) fn no_trunk(invite: &Invite) -> InviteError {
    let trunk = match invite.to {
        InviteTo::Trunk(TrunkId(trunk)) => trunk,
        InviteTo::Hop(_) => 0,
    };
    InviteError::NoTrunk { trunk }
}

impl UserAgent {
    /// The INVITE, and where it may go.
    pub(super) fn plan(&mut self, invite: &Invite) -> Result<Planned, InviteError> {
        let bad_uri = || InviteError::BadUri { uri: invite.uri.clone() };
        match invite.to {
            InviteTo::Hop(hop) => {
                let uri = match Uri::parse(&invite.uri) {
                    Some(uri @ Uri::Sip(SipUri { headers: None, .. }))
                        if !uri.is_secure() || hop.transport == Transport::Tls =>
                    {
                        uri
                    }
                    _ => return Err(bad_uri()),
                };
                let from = if invite.from_user.is_empty() {
                    anonymous()
                } else {
                    NameAddr::new(Uri::sip(&invite.from_user, self.config.local))
                };
                let contact = self.contact(&invite.from_user, hop.transport, uri.is_secure());
                let request = self.first_request(uri, from, contact, Vec::new(), &invite.sdp);
                Ok(Planned { request, hops: VecDeque::from([hop]), account: None })
            }
            InviteTo::Trunk(trunk) => {
                let account = self.accounts.of_trunk(trunk);
                let Some((account, way)) = account.and_then(|id| Some((id, self.accounts.way(id)?))) else {
                    return Err(no_trunk(invite));
                };
                let Some(first) = way.hops.first() else { return Err(no_trunk(invite)) };
                if invite.uri.is_empty() || invite.uri.contains(|letter: char| letter.is_control()) {
                    return Err(bad_uri());
                }
                let uri = Uri::parse(&format!("sip:{}", way.domain)).ok_or_else(bad_uri)?.with_user(&invite.uri);
                let mut from = way.own;
                if !invite.from_user.is_empty() {
                    from.uri = from.uri.with_user(&invite.from_user);
                }
                let contact = self.contact(&way.user, first.transport, false);
                let request = self.first_request(uri, from, contact, way.route, &invite.sdp);
                Ok(Planned { request, hops: way.hops.into(), account: Some(account) })
            }
        }
    }

    fn first_request(
        &mut self,
        uri: Uri,
        from: NameAddr,
        contact: NameAddr,
        route: Vec<NameAddr>,
        sdp: &Sdp,
    ) -> Request {
        let head = Head {
            via: Vec::new(),
            from: from.tagged(&self.tokens.tag()),
            to: NameAddr::new(uri.clone()),
            call_id: self.tokens.call_id(),
            cseq: CSeq { number: FIRST_CSEQ, method: Method::Invite },
            fields: Vec::new(),
        };
        let mut request = Request { method: Method::Invite, uri, head, body: sdp.to_string().into_bytes() };
        for route in route {
            request.head.push("Route", route.to_string());
        }
        request
            .with("Max-Forwards", "70")
            .with("Contact", contact.to_string())
            .with("Allow", ALLOW)
            .with("Supported", "100rel, timer")
            .with("Session-Expires", SESSION_S.to_string())
            .with("User-Agent", self.config.user_agent.clone())
            .with("Content-Type", "application/sdp")
    }
}
