//! Calls that take the place of others: INVITE with Replaces (RFC 3891).

use super::call::Phase;
use super::{DialogId, UserAgent};
use crate::sip::message::Request;
use crate::sip::refer::Replaces;

impl UserAgent {
    /// The call whose place an INVITE is to take; the status to refuse it with where that cannot be (section 3).
    pub(super) fn replaced(&self, request: &Request) -> Result<Option<DialogId>, u16> {
        let mut values = request.head.all("Replaces");
        let Some(value) = values.next() else { return Ok(None) };
        let replaces = Replaces::parse(value).filter(|_| values.next().is_none()).ok_or(400_u16)?;
        let id = self.dialogs.get(&replaces.key()).ok_or(481_u16)?;
        let call = self.calls.get(id).ok_or(481_u16)?;
        match call.phase {
            _ if call.ended => Err(603),
            Phase::Up if replaces.early_only => Err(486),
            // One that rings with us belongs to who is to answer it.
            Phase::Ringing => Err(481),
            Phase::Up | Phase::Calling => Ok(Some(*id)),
        }
    }
}
