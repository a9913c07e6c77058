//! What the agent remembers of one call.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::change::Change;
use super::referred::Referred;
use super::refresh::{RefreshAck, Refreshing, SessionTimer};
use super::transfer::Transfer;
use super::trunks::AccountId;
use crate::io::Hop;
use crate::sip::dialog::Dialog;
use crate::sip::message::Request;
use crate::sip::sdp::Sdp;
use crate::sip::transaction::TxId;

/// Where a call stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    /// The far end's INVITE is not answered.
    Ringing,
    /// Our INVITE is not answered.
    Calling,
    /// A 200 went out or came in.
    Up,
}

/// Call-ID, From tag and number of an INVITE: the same whichever way it takes.
pub(super) type MergeKey = (String, String, u32);

/// One call, from its INVITE until nothing about it can come any more.
#[derive(Debug)]
pub(super) struct Call {
    pub phase: Phase,
    /// `Ended` has been told; what is left waits for stray messages.
    pub ended: bool,
    /// The dialog; none while our INVITE has no final response.
    pub dialog: Option<Dialog>,
    /// Our INVITE's transaction, until it is gone; the far end's, until we answer.
    pub invite_tx: Option<TxId>,
    /// The INVITE that began the call.
    pub invite: Request,
    /// Where the INVITE came from or went.
    pub remote: Hop,
    /// It goes by the way that a phone keeps open, whatever address the phone names.
    pub on_flow: bool,
    /// Another phone has answered.
    pub elsewhere: bool,
    /// The account under which it is placed or came in.
    pub account: Option<AccountId>,
    /// Where our INVITE goes when this hop does not answer.
    pub hops: VecDeque<Hop>,
    /// A hop that says nothing is given up early also when there is no other.
    pub is_emergency: bool,
    /// When it goes there.
    pub failover_at: Option<Instant>,
    /// Our INVITEs to hops that did not answer in time, and whether they have been cancelled.
    pub abandoned: Vec<(TxId, bool)>,
    /// When the call has to be refreshed.
    pub session: Option<SessionTimer>,
    /// A refresh or change of ours that is not answered.
    pub refreshing: Option<Refreshing>,
    /// A change of the session that we want to offer.
    pub change: Option<Change>,
    /// The change that we have offered.
    pub offered: Option<Sdp>,
    /// What acknowledged the last refresh by re-INVITE.
    pub refresh_ack: Option<RefreshAck>,
    /// A transfer that we asked for.
    pub transfer: Option<Transfer>,
    /// A transfer that the far end asked for.
    pub referred: Option<Referred>,
    /// The far end has asked for a transfer before.
    pub referred_before: bool,
    /// Until when the ended call is kept for what the far end still has to say about a transfer.
    pub lingers: Option<Instant>,
    /// 422 answers to our INVITE.
    pub too_brief: u8,
    /// The far end allows UPDATE.
    pub takes_update: bool,
    /// Our last description.
    pub described: Option<Sdp>,
    /// How the INVITE of an incoming call is indexed.
    pub merge_key: Option<MergeKey>,
    /// Until when it may ring.
    pub ring_until: Option<Instant>,
    /// The ACK that our 200 waits for.
    pub awaited: Option<AwaitedAck>,
    /// The 180 that waits for its PRACK, where the caller required one.
    pub reliable: Option<Reliable>,
    /// A re-INVITE or UPDATE that is not answered.
    pub offer: Option<PendingOffer>,
    /// Early dialogs of our INVITE.
    pub early: Vec<EarlyDialog>,
    /// `Ringing` has been told.
    pub rang: bool,
    /// A provisional response to our INVITE came: it can be cancelled.
    pub provisional: bool,
    /// How far the cancelling of our INVITE is.
    pub cancel: Cancel,
    /// What acknowledged each 200 to our INVITE, to be sent again with every repeated 200.
    pub acks: Vec<SentAck>,
}

/// Cancelling our INVITE waits for a provisional response (RFC 3261 section 9.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Cancel {
    No,
    Wanted,
    Sent,
}

/// A 200 that is repeated until its ACK comes (RFC 3261 section 13.3.1.4).
#[derive(Debug)]
pub(super) struct AwaitedAck {
    pub tx: TxId,
    pub cseq: u32,
    /// When to repeat, and the wait after that.
    pub again: Instant,
    pub wait: Duration,
    pub until: Instant,
    /// The 200 carried our offer, so the ACK brings the answer.
    pub brings_answer: bool,
    /// The first INVITE's: until it comes, we must not send BYE (section 15).
    pub first: bool,
    /// We have hung up meanwhile: BYE follows the ACK.
    pub bye_after: bool,
}

/// A reliable 180 (RFC 3262 section 3).
#[derive(Debug)]
pub(super) struct Reliable {
    pub rseq: u32,
    /// When to repeat it, and the wait after that; `None` once it is acknowledged.
    pub again: Option<(Instant, Duration)>,
    pub until: Instant,
}

/// A re-INVITE or UPDATE that the engine has to answer.
#[derive(Debug)]
pub(super) struct PendingOffer {
    pub tx: TxId,
    pub request: Request,
    pub remote: Hop,
}

/// A dialog that a provisional response made.
#[derive(Debug)]
pub(super) struct EarlyDialog {
    pub dialog: Dialog,
    /// The last reliable provisional response taken (RFC 3262).
    pub rseq: Option<u32>,
    /// The answer, where it came reliably: the 200 need not repeat it.
    pub answer: Option<Sdp>,
}

/// An ACK to a 200.
#[derive(Debug)]
pub(super) struct SentAck {
    pub remote_tag: String,
    pub remote: Hop,
    pub bytes: Vec<u8>,
}

impl Call {
    /// A call that begins with this INVITE.
    pub fn new(phase: Phase, invite: Request, remote: Hop, ring_until: Instant) -> Self {
        Self {
            phase,
            ended: false,
            dialog: None,
            invite_tx: None,
            invite,
            remote,
            on_flow: false,
            elsewhere: false,
            account: None,
            hops: VecDeque::new(),
            is_emergency: false,
            failover_at: None,
            abandoned: Vec::new(),
            session: None,
            refreshing: None,
            change: None,
            offered: None,
            refresh_ack: None,
            transfer: None,
            referred: None,
            referred_before: false,
            lingers: None,
            too_brief: 0,
            takes_update: false,
            described: None,
            merge_key: None,
            ring_until: Some(ring_until),
            awaited: None,
            reliable: None,
            offer: None,
            early: Vec::new(),
            rang: false,
            provisional: false,
            cancel: Cancel::No,
            acks: Vec::new(),
        }
    }

    /// Whether nothing is left to wait for.
    pub fn is_over(&self) -> bool {
        let sent = self.invite_tx.is_some() || !self.abandoned.is_empty();
        let waits_for_strays = self.phase != Phase::Ringing && sent;
        self.ended && !waits_for_strays && self.awaited.is_none() && self.lingers.is_none()
    }

    pub fn next_wake(&self) -> Option<Instant> {
        let awaited = self.awaited.as_ref().map(|awaited| awaited.again.min(awaited.until));
        awaited
            .into_iter()
            .chain(self.session_due())
            .chain(self.reliable_due())
            .chain(self.ring_until)
            .chain(self.failover_at)
            .chain(self.change_due())
            .chain(self.transfer_due())
            .chain(self.referred_due())
            .chain(self.lingers)
            .chain(self.refreshing.and_then(|refreshing| refreshing.cancel_at))
            .min()
    }

    /// When the 180 has to be repeated or given up; a final response stops that.
    pub fn reliable_due(&self) -> Option<Instant> {
        let waiting = self.reliable.as_ref().filter(|_| self.phase == Phase::Ringing && !self.ended)?;
        waiting.again.map(|(at, _)| at.min(waiting.until))
    }

    /// When a change that we want is to be offered: in a call that is up, and while neither side has an offer open.
    pub fn change_due(&self) -> Option<Instant> {
        self.change.filter(|_| self.may_offer()).and_then(|change| change.at)
    }

    /// When a transfer that we asked for is given up.
    pub fn transfer_due(&self) -> Option<Instant> {
        self.transfer.as_ref().filter(|transfer| !self.ended && !transfer.done).and_then(|transfer| transfer.until)
    }

    /// When the far end is told that its transfer came to nothing.
    pub fn referred_due(&self) -> Option<Instant> {
        self.referred.as_ref().filter(|_| !self.ended).map(|referred| referred.until)
    }

    /// Whether we may offer a change (RFC 3264 section 8, RFC 3261 section 14.1).
    pub fn may_offer(&self) -> bool {
        let free = self.awaited.is_none() && self.offer.is_none() && self.refreshing.is_none();
        self.phase == Phase::Up && !self.ended && free
    }

    /// When the session timer has to run: in a call that is up, and not while our 200 waits for its ACK.
    pub fn session_due(&self) -> Option<Instant> {
        let runs = self.phase == Phase::Up && !self.ended && self.awaited.is_none();
        self.session.filter(|_| runs).and_then(|session| session.next_wake())
    }

    pub fn transaction_gone(&mut self, tx: TxId) {
        if self.invite_tx == Some(tx) {
            self.invite_tx = None;
        }
        self.abandoned.retain(|(abandoned, _)| *abandoned != tx);
    }

    /// The early dialog with this remote tag.
    pub fn early_with(&mut self, remote_tag: &str) -> Option<&mut EarlyDialog> {
        self.early.iter_mut().find(|early| early.dialog.remote.tag().unwrap_or_default() == remote_tag)
    }

    /// The dialog with this remote tag, early ones included.
    pub fn dialog_with(&mut self, remote_tag: &str) -> Option<&mut Dialog> {
        let early = self.early.iter_mut().map(|early| &mut early.dialog);
        self.dialog.iter_mut().chain(early).find(|dialog| dialog.remote.tag().unwrap_or_default() == remote_tag)
    }
}
