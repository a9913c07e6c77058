//! What a call of ours begins with: the INVITE, and where it may go.

use std::collections::VecDeque;

use super::trunks::{AccountId, Way};
use super::{ALLOW, Invite, InviteError, InviteTo, SESSION_S, SUPPORTED, UserAgent};
use crate::io::{Hop, IdentityHeader, Transport, TrunkId};
use crate::sip::address::NameAddr;
use crate::sip::header::{CSeq, Params};
use crate::sip::message::{Field, Head, Method, Request};
use crate::sip::refer::Replaces;
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
        InviteTo::Hop(_) | InviteTo::Flow(_) => 0,
    };
    InviteError::NoTrunk { trunk }
}

fn withheld(invite: &Invite) -> bool {
    invite.identity.as_ref().is_some_and(|identity| identity.withheld)
}

/// Nothing of who we are, where that is withheld.
fn contact_user<'a>(invite: &Invite, user: &'a str) -> &'a str {
    if withheld(invite) { "" } else { user }
}

/// What the INVITE says beyond the usual: whose place it takes, and that our number is to be kept from who is called.
fn extra_fields(invite: &Invite) -> Result<Vec<Field>, InviteError> {
    let mut fields = Vec::new();
    let mut push = |name: &str, value: String| fields.push(Field { name: name.into(), value });
    if let Some(replaces) = &invite.replaces {
        push("Replaces", Replaces::parse(replaces).ok_or(InviteError::BadReplaces)?.to_string());
        push("Require", "replaces".into());
    }
    if withheld(invite) {
        push("Privacy", "id".into());
    }
    Ok(fields)
}

/// Our number in the header that the trunk wants it in (RFC 3325 sections 9.1 and 9.2): the one that it shall know us by, or
/// From's, or the account's.
fn identity_field(invite: &Invite, way: &Way) -> Vec<Field> {
    let name = match way.identity {
        IdentityHeader::None => return Vec::new(),
        IdentityHeader::Asserted => "P-Asserted-Identity",
        IdentityHeader::Preferred => "P-Preferred-Identity",
    };
    let number = invite.identity.as_ref().map(|identity| identity.number.as_str());
    let number = number.into_iter().chain([invite.from_user.as_str()]).find(|number| !number.is_empty());
    let mut own = NameAddr::new(way.own.uri.clone());
    if let Some(number) = number {
        own.uri = own.uri.with_user(number);
    }
    vec![Field { name: name.into(), value: own.to_string() }]
}

fn with_fields(mut request: Request, fields: Vec<Field>) -> Request {
    request.head.fields.extend(fields);
    request
}

impl UserAgent {
    /// The INVITE, and where it may go.
    pub(super) fn plan(&mut self, invite: &Invite) -> Result<Planned, InviteError> {
        let bad_uri = || InviteError::BadUri { uri: invite.uri.clone() };
        let extra = extra_fields(invite)?;
        match invite.to {
            InviteTo::Hop(hop) | InviteTo::Flow(hop) => {
                let uri = match Uri::parse(&invite.uri) {
                    Some(uri @ Uri::Sip(SipUri { headers: None, .. }))
                        if !uri.is_secure() || hop.transport == Transport::Tls =>
                    {
                        uri
                    }
                    _ => return Err(bad_uri()),
                };
                let from = if invite.from_user.is_empty() || withheld(invite) {
                    anonymous()
                } else {
                    NameAddr::new(Uri::sip(&invite.from_user, self.inside.told_at(hop, self.config.local)))
                };
                let contact = self.contact(contact_user(invite, &invite.from_user), hop, uri.is_secure());
                let request = self.first_request(uri, from, contact, Vec::new(), &invite.sdp);
                Ok(Planned { request: with_fields(request, extra), hops: VecDeque::from([hop]), account: None })
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
                let identity = identity_field(invite, &way);
                let mut from = way.own;
                if withheld(invite) {
                    from = anonymous();
                } else if !invite.from_user.is_empty() {
                    from.uri = from.uri.with_user(&invite.from_user);
                }
                let contact = self.contact(&way.user, *first, false);
                let request = self.first_request(uri, from, contact, way.route, &invite.sdp);
                let request = with_fields(with_fields(request, extra), identity);
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
            .with("Supported", SUPPORTED)
            .with("Session-Expires", SESSION_S.to_string())
            .with("User-Agent", self.config.user_agent.clone())
            .with("Content-Type", "application/sdp")
    }
}
