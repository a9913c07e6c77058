//! Transfers that we ask for (RFC 3515): REFER, and what the far end tells of its new call.

use std::time::{Duration, Instant};

use super::call::{Call, Phase};
use super::{AgentEnd, AgentEvent, DialogId, RING_MAX, ReferGoal, UserAgent};
use crate::io::Hop;
use crate::sip::address::NameAddr;
use crate::sip::dialog::Dialog;
use crate::sip::header::Params;
use crate::sip::message::{Method, Request, Response};
use crate::sip::refer::{ReferTo, Replaces, fragment_status};
use crate::sip::transaction::{TIMEOUT, TxId};
use crate::sip::uri::{SipUri, Uri};

/// The event package of transfers (section 3).
pub(super) const EVENT: &str = "refer";
/// How long the far end may take to say how its new call ended: as long as a call may ring, and be given up.
const TRANSFER_MAX: Duration = RING_MAX.saturating_add(TIMEOUT);
/// The longest number that is transferred to, in letters.
const NUMBER_LETTERS_MAX: usize = 128;

/// A transfer that we asked for.
#[derive(Debug)]
pub(super) struct Transfer {
    /// The REFER, by its transaction, which a challenge changes, and the numbers that it went out under.
    tx: TxId,
    cseqs: (u32, u32),
    /// Until when the far end may say how it went; `None` until it has accepted.
    pub until: Option<Instant>,
    /// It has been told how it went.
    pub done: bool,
    /// The far end has said its last about it.
    closed: bool,
}

impl Call {
    /// Keeps the ended call for what the far end still has to say of a transfer (RFC 5057 section 4.1). Whether it has.
    pub(super) fn linger(&mut self, now: Instant) -> bool {
        let owed = self.transfer.as_ref().is_some_and(|transfer| transfer.until.is_some() && !transfer.closed);
        self.lingers = owed.then_some(now + TIMEOUT);
        owed
    }
}

impl UserAgent {
    pub(super) fn refer(&mut self, id: DialogId, goal: &ReferGoal, now: Instant) {
        let refusal = match self.refer_to(id, goal) {
            Ok(to) => self.send_refer(id, &to, now).err(),
            Err(status) => Some(status),
        };
        if let Some(status) = refusal {
            self.event(AgentEvent::Transferred { dialog: id, status });
        }
    }

    fn refer_to(&self, id: DialogId, goal: &ReferGoal) -> Result<ReferTo, u16> {
        let dialog = self.up(id).ok_or(481_u16)?;
        match goal {
            ReferGoal::Call(other) => {
                let other = self.up(*other).filter(|_| *other != id).ok_or(481_u16)?;
                Ok(ReferTo { uri: other.target.clone(), replaces: Some(Replaces::of(&other.key())) })
            }
            ReferGoal::Address(text) => {
                let uri = match Uri::parse(text) {
                    Some(uri @ Uri::Sip(SipUri { headers: None, .. })) => uri,
                    Some(uri @ Uri::Other { .. }) if !uri.user().is_empty() => uri,
                    _ => self.number_there(id, dialog, text).ok_or(484_u16)?,
                };
                Ok(ReferTo { uri, replaces: None })
            }
        }
    }

    /// A number at the far end's domain: the account's, or the one in its address.
    fn number_there(&self, id: DialogId, dialog: &Dialog, number: &str) -> Option<Uri> {
        let letters = number.chars().count();
        let fits = (1..=NUMBER_LETTERS_MAX).contains(&letters)
            && number.chars().all(|letter| letter.is_alphanumeric() || "+*#-_.".contains(letter));
        let account = self.calls.get(&id)?.account.and_then(|account| self.accounts.way(account));
        let there = match account {
            Some(way) => Uri::parse(&format!("sip:{}", way.domain))?,
            None => dialog.remote.uri.clone(),
        };
        let Uri::Sip(SipUri { secure, host, port, .. }) = there else { return None };
        let (user, password, params, headers) = (None, None, Params::default(), None);
        let there = Uri::Sip(SipUri { secure, user, password, host, port, params, headers });
        fits.then(|| there.with_user(number))
    }

    /// The dialog of a call that is up.
    fn up(&self, id: DialogId) -> Option<&Dialog> {
        self.calls.get(&id).filter(|call| call.phase == Phase::Up && !call.ended)?.dialog.as_ref()
    }

    fn send_refer(&mut self, id: DialogId, to: &ReferTo, now: Instant) -> Result<(), u16> {
        let contact = self.contact_within(id).ok_or(481_u16)?;
        let call = self.calls.get_mut(&id).ok_or(481_u16)?;
        if call.transfer.as_ref().is_some_and(|transfer| !transfer.done) {
            return Err(491);
        }
        let dialog = call.dialog.as_mut().ok_or(481_u16)?;
        let by = NameAddr::new(dialog.local.uri.clone()).to_string();
        let (request, remote, account) = (dialog.request(Method::Refer), dialog.next_hop(), call.account);
        let cseq = request.head.cseq.number;
        let request = request
            .with("Contact", contact)
            .with("Refer-To", to.value())
            .with("Referred-By", by)
            .with("Accept", "message/sipfrag")
            .with("User-Agent", self.config.user_agent.clone());
        let tx = self.send(request, remote, account, now).ok_or(503_u16)?;
        self.refers.insert(tx, id);
        if let Some(call) = self.calls.get_mut(&id) {
            call.transfer = Some(Transfer { tx, cseqs: (cseq, cseq), until: None, done: false, closed: false });
        }
        Ok(())
    }

    /// The REFER went out once more with credentials.
    pub(super) fn referred_again(&mut self, tx: TxId, again: TxId) {
        let Some(id) = self.refers.get(&tx).copied() else { return };
        self.refers.insert(again, id);
        let number = self.transactions.request(again).map(|(request, _)| request.head.cseq.number);
        let transfer = self.calls.get_mut(&id).and_then(|call| call.transfer.as_mut());
        if let Some((transfer, number)) = transfer.filter(|transfer| transfer.tx == tx).zip(number) {
            transfer.tx = again;
            transfer.cseqs.1 = number;
        }
    }

    /// What came of a REFER itself; `false` when this transaction is none.
    pub(super) fn refer_took(&mut self, tx: TxId, response: Option<&Response>, now: Instant) -> bool {
        let Some(id) = self.refers.get(&tx).copied() else { return false };
        let current = |transfer: &&mut Transfer| transfer.tx == tx && !transfer.done;
        let transfer = self.calls.get_mut(&id).and_then(|call| call.transfer.as_mut()).filter(current);
        let Some(transfer) = transfer else { return true };
        let status = response.map_or(408, |response| response.status);
        match status {
            100..200 => {}
            200..300 => {
                // It may decline to tell (RFC 4488 section 4): then there is nothing to wait for.
                let silent = response.is_some_and(|response| response.head.get("Refer-Sub") == Some("false"));
                transfer.closed = silent;
                transfer.until = Some(now + TRANSFER_MAX);
                if silent {
                    self.transferred(id, 202);
                }
            }
            _ => {
                transfer.closed = true;
                self.transferred(id, status);
                // Silence is no reason to end a call that is heard; a far end that knows of no such call is.
                if status == 481 && response.is_some() {
                    self.bye(id, AgentEnd::Timeout, now);
                }
            }
        }
        self.arm(id);
        true
    }

    /// The far end tells how its new call fares.
    pub(super) fn notified(&mut self, id: DialogId, request: &Request, tx: Option<TxId>, remote: Hop, now: Instant) {
        let refuse = |status| Response::to(request, status, "");
        let event = request.head.get("Event").unwrap_or_default();
        let (package, params) = event.split_at(event.find(';').unwrap_or(event.len()));
        if !package.trim().eq_ignore_ascii_case(EVENT) {
            return self.respond(request, tx, remote, refuse(489).with("Allow-Events", EVENT), now);
        }
        let number = Params::parse(params).and_then(|params| params.get("id").map(str::parse::<u32>));
        let fits = |transfer: &&mut Transfer| match &number {
            _ if transfer.closed => false,
            Some(Ok(number)) => [transfer.cseqs.0, transfer.cseqs.1].contains(number),
            Some(Err(_)) => false,
            None => true,
        };
        let transfer = self.calls.get_mut(&id).and_then(|call| call.transfer.as_mut()).filter(fits);
        let Some(transfer) = transfer else { return self.respond(request, tx, remote, refuse(481), now) };
        let state = request.head.get("Subscription-State").unwrap_or_default();
        let (state, params) = state.split_at(state.find(';').unwrap_or(state.len()));
        let last = state.trim().eq_ignore_ascii_case("terminated");
        transfer.closed |= last;
        // It may overtake the response to the REFER (section 2.4.4).
        transfer.until.get_or_insert(now + TRANSFER_MAX);
        let rejected = Params::parse(params).is_some_and(|params| params.get("reason") == Some("rejected"));
        let told = fragment_status(&request.body).filter(|status| *status >= 200);
        let (over, done) = (transfer.closed, transfer.done);
        self.respond(request, tx, remote, refuse(200), now);
        match told {
            _ if done => {}
            Some(status) => self.transferred(id, status),
            None if last => self.transferred(id, if rejected { 403 } else { 408 }),
            None => {}
        }
        if over {
            self.linger_no_more(id);
        }
        self.arm(id);
    }

    /// The far end has not said in time how its new call went.
    pub(super) fn transfer_is_late(&mut self, id: DialogId) {
        self.transferred(id, 408);
    }

    /// The call ends, and what has not been told by now will not be.
    pub(super) fn transfer_ends(&mut self, id: DialogId) {
        let transfer = self.calls.get(&id).and_then(|call| call.transfer.as_ref());
        if let Some(accepted) = transfer.filter(|transfer| !transfer.done).map(|transfer| transfer.until.is_some()) {
            self.transferred(id, if accepted { 202 } else { 487 });
        }
    }

    /// Nothing more is to be heard of the ended call's transfer.
    pub(super) fn linger_no_more(&mut self, id: DialogId) {
        if let Some(call) = self.calls.get_mut(&id) {
            call.lingers = None;
        }
        self.forget_if_over(id);
    }

    fn transferred(&mut self, id: DialogId, status: u16) {
        if let Some(transfer) = self.calls.get_mut(&id).and_then(|call| call.transfer.as_mut()) {
            transfer.done = true;
        }
        self.event(AgentEvent::Transferred { dialog: id, status });
    }
}
