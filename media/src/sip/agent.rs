//! The user agent: calls over UDP, TCP and TLS, as server and as client, on virtual time.
//!
//! Everything that a peer can make us keep is bounded by [`AgentConfig`]. Requests that need no memory are answered without
//! any (RFC 3261 section 8.2.7): refusals before a call exists, OPTIONS, and CANCEL.

mod call;
mod callee;
mod caller;
mod challenge;
mod change;
mod due;
mod kept;
mod phones;
mod place;
mod referred;
mod refresh;
mod refuse;
mod replaced;
mod send;
mod session;
mod transfer;
mod trunks;
mod types;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

pub use refresh::{SESSION_S, SESSION_S_MIN};
pub use types::{
    AgentCommand, AgentConfig, AgentEnd, AgentEvent, AgentInput, AgentOutput, Caller, DialogId, Invite, InviteError,
    InviteTo, ReferGoal,
};

use self::call::{Call, MergeKey};
use self::phones::Probes;
use self::transfer::EVENT;
use self::trunks::Accounts;
use super::dialog::DialogKey;
use super::message::{Head, Message, Method, Request, Response};
use super::parse::{self, Unreadable};
use super::registrar::Registrar;
use super::sdp::Sdp;
use super::timers::Timers;
use super::tokens::Tokens;
use super::transaction::{Received, Transactions, TxId, TxOutput, reply_address, stamp};
use crate::io::{Hop, Inside};

/// How long a call may stay unanswered, in either direction, before it is given up: the Timer C of RFC 3261 section 16.6.
pub const RING_MAX: Duration = Duration::from_secs(180);
/// The most branches of a forked call that are followed; the 200 of a further one is acknowledged and ended.
pub const FORKS_MAX: usize = 8;
/// What `Retry-After` says in a 503, in seconds.
const RETRY_AFTER_S: u32 = 5;
/// A longer request, in bytes, leaves over TCP where that works (RFC 3261 section 18.1.1).
pub const DATAGRAM_BYTES_MAX: usize = 1300;
/// The methods that we speak.
const ALLOW: &str = "INVITE, ACK, BYE, CANCEL, OPTIONS, INFO, PRACK, UPDATE, REFER, NOTIFY";
/// The extensions that we know.
const SUPPORTED: &str = "100rel, timer, replaces, norefersub";
/// The bodies that we read.
const ACCEPT: &str = "application/sdp, application/dtmf-relay, application/dtmf";

/// A SIP user agent on one UDP socket and any number of connections.
#[derive(Debug)]
pub struct UserAgent {
    config: AgentConfig,
    inside: Inside,
    tokens: Tokens,
    transactions: Transactions,
    calls: BTreeMap<DialogId, Call>,
    last: u64,
    /// Which call a request within a dialog belongs to.
    dialogs: HashMap<DialogKey, DialogId>,
    /// Which call an INVITE transaction belongs to, ours or the far end's.
    invites: HashMap<TxId, DialogId>,
    /// Which call a refresh or change of ours belongs to.
    refreshes: HashMap<TxId, DialogId>,
    /// Which call a REFER of ours belongs to.
    refers: HashMap<TxId, DialogId>,
    /// Calls in which we want a change that we could not offer yet.
    changes: BTreeSet<DialogId>,
    /// The ACK to a re-INVITE of ours whose call is over, should it be accepted after all; at most as many as transactions.
    late_acks: HashMap<TxId, (Hop, Vec<u8>)>,
    /// The INVITEs of incoming calls, to tell one that comes by a second way (RFC 3261 section 8.2.2.2).
    incoming: HashSet<MergeKey>,
    timers: Timers<DialogId>,
    accounts: Accounts,
    registrar: Registrar,
    probes: Probes,
    outputs: VecDeque<AgentOutput>,
    dropped: u64,
}

impl UserAgent {
    /// An agent with no calls.
    pub fn new(config: AgentConfig) -> Self {
        let mut tokens = Tokens::new(config.seed);
        let mut key = [0; 32];
        key.copy_from_slice(&tokens.secret()[32..]);
        Self {
            tokens,
            registrar: Registrar::new(key, config.algorithms.clone()),
            probes: Probes::new(),
            transactions: Transactions::new(config.transactions_max),
            config,
            inside: Inside::default(),
            calls: BTreeMap::new(),
            last: 0,
            dialogs: HashMap::new(),
            invites: HashMap::new(),
            refreshes: HashMap::new(),
            refers: HashMap::new(),
            changes: BTreeSet::new(),
            late_acks: HashMap::new(),
            incoming: HashSet::new(),
            timers: Timers::default(),
            accounts: Accounts::default(),
            outputs: VecDeque::new(),
            dropped: 0,
        }
    }

    /// Peers of these networks see us at other addresses than everybody else.
    pub fn set_inside(&mut self, inside: Inside) {
        self.inside = inside;
    }

    /// Takes one input. Drain [`Self::poll`] after it.
    pub fn handle(&mut self, input: AgentInput<'_>, now: Instant) {
        match input {
            AgentInput::Message { remote, bytes } => self.message(remote, bytes, false, now),
            AgentInput::Guest { remote, bytes } => self.message(remote, bytes, true, now),
            AgentInput::Closed { hop } => self.closed(hop, now),
            AgentInput::Command(command) => self.command(command, now),
            AgentInput::Wake => {
                self.transactions.wake(now);
                self.drain_transactions(now);
                while let Some(dialog) = self.timers.due(now) {
                    self.call_timer(dialog, now);
                }
                self.wake_trunks(now);
                self.wake_phones(now);
            }
        }
        self.drain_transactions(now);
        self.offer_changes(now);
    }

    /// The next output, until `None`.
    pub fn poll(&mut self) -> Option<AgentOutput> {
        self.outputs.pop_front()
    }

    /// When the agent wants to be woken.
    pub fn next_wake(&self) -> Option<Instant> {
        let others = [self.timers.next(), self.accounts.next_wake(), self.registrar.next_wake()];
        self.transactions.next_wake().into_iter().chain(others.into_iter().flatten()).min()
    }

    /// Calls and transactions now, ones that are only waiting for stray messages included.
    pub fn load(&self) -> (usize, usize) {
        (self.calls.len(), self.transactions.len())
    }

    /// Messages that were no SIP, or no SIP that belongs to anything, since the start.
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    fn message(&mut self, remote: Hop, bytes: &[u8], guest: bool, now: Instant) {
        match parse::message(bytes) {
            Ok(Message::Request(mut request)) => {
                stamp(&mut request, remote);
                if self.transactions.receive_request(&request, now) == Received::New {
                    if guest && !self.hears(&request, remote) {
                        self.dropped += 1;
                    } else {
                        self.request(request, remote, guest, now);
                    }
                }
            }
            Ok(Message::Response(response)) => {
                if !self.transactions.receive_response(&response, remote, now) {
                    self.dropped += 1;
                }
            }
            Err(Unreadable::Request(_)) if guest => self.dropped += 1,
            Err(Unreadable::Request(bad)) => {
                let tag = self.tokens.derived_tag(bytes);
                self.transmit(remote, bad.response(&tag));
            }
            Err(Unreadable::Dropped(_)) => self.dropped += 1,
            Err(Unreadable::KeepAlive) => {}
        }
    }

    fn closed(&mut self, hop: Hop, now: Instant) {
        self.transactions.closed(hop, now);
        for call in self.calls.values_mut() {
            let early = call.early.iter_mut().map(|early| &mut early.dialog);
            call.dialog.iter_mut().chain(early).for_each(|dialog| dialog.closed(hop));
        }
        // What waited on it has failed, which may have moved trunks on; those that only listened there are told here.
        self.drain_transactions(now);
        self.trunks_closed(hop, now);
        self.phones_closed(hop);
    }

    fn request(&mut self, request: Request, remote: Hop, guest: bool, now: Instant) {
        match request.method {
            Method::Ack => self.ack(&request, now),
            Method::Cancel => self.cancel(&request, remote, now),
            Method::Register if self.registrar.serves() => self.register_phone(&request, remote, now),
            _ => {
                if let Some(refusal) = refuse::before_dialog(&request, remote.transport) {
                    self.reply(&request, remote, refusal);
                } else if request.head.to.tag().is_some() {
                    self.in_dialog(request, remote, now);
                } else {
                    match request.method {
                        Method::Invite => match self.caller_phone(&request, remote, guest, now) {
                            Ok(phone) => self.incoming(request, remote, phone, now),
                            Err(refusal) => self.reply(&request, remote, *refusal),
                        },
                        Method::Options => self.options(&request, None, remote, now),
                        // Whoever is let in to call us may not make us call others.
                        Method::Refer => self.reply(&request, remote, Response::to(&request, 403, "")),
                        _ => self.reply(&request, remote, Response::to(&request, 481, "")),
                    }
                }
            }
        }
    }

    fn command(&mut self, command: AgentCommand, now: Instant) {
        match command {
            AgentCommand::Ring { dialog } => self.ring(dialog, now),
            AgentCommand::Progress { dialog, sdp } => self.progress(dialog, &sdp, now),
            AgentCommand::Accept { dialog, sdp } => self.accept(dialog, &sdp, now),
            AgentCommand::Reject { dialog, status, reason } => self.reject(dialog, status, &reason, now),
            AgentCommand::Hangup { dialog } => self.hangup(dialog, now),
            AgentCommand::Elsewhere { dialog } => self.answered_elsewhere(dialog, now),
            AgentCommand::AnswerOffer { dialog, sdp } => self.answer_offer(dialog, sdp.as_ref(), now),
            AgentCommand::Change { dialog } => self.change(dialog, now),
            AgentCommand::Offer { dialog, sdp } => self.offer(dialog, sdp, now),
            AgentCommand::Refer { dialog, to } => self.refer(dialog, &to, now),
            AgentCommand::ReferProgress { dialog, status } => self.refer_progress(dialog, status, now),
            AgentCommand::Trunks(trunks) => self.set_trunks(trunks, now),
            AgentCommand::Phones(phones) => self.set_phones(phones, now),
            AgentCommand::Registrations(places) => self.restore_phones(places, now),
            AgentCommand::Clock { unix_s } => self.registrar.set_clock(unix_s, now),
            AgentCommand::Drain => self.drain_trunks(now),
        }
    }

    fn drain_transactions(&mut self, now: Instant) {
        while let Some(output) = self.transactions.poll() {
            match output {
                TxOutput::Transmit { remote, bytes } => self.transmit(remote, bytes),
                TxOutput::Response { tx, response, from } => {
                    if self.answer_challenge(tx, &response, from, now)
                        || self.probe_took(tx, Some(&response))
                        || self.link_took(tx, Some(&response), now)
                        || self.refresh_took(tx, Some(&response), now)
                        || self.refer_took(tx, Some(&response), now)
                    {
                        continue;
                    }
                    if let Some(dialog) = self.invites.get(&tx).copied() {
                        self.invite_response(dialog, tx, &response, now);
                    }
                }
                TxOutput::Failed { tx } => {
                    if self.probe_took(tx, None)
                        || self.link_took(tx, None, now)
                        || self.refresh_took(tx, None, now)
                        || self.refer_took(tx, None, now)
                    {
                        continue;
                    }
                    if let Some(dialog) = self.invites.get(&tx).copied() {
                        self.invite_failed(dialog, tx, now);
                    }
                }
                TxOutput::Gone { tx } => {
                    self.pending_gone(tx);
                    self.probes.remove(&tx);
                    self.refreshes.remove(&tx);
                    self.late_acks.remove(&tx);
                    self.refers.remove(&tx);
                    if let Some(dialog) = self.invites.remove(&tx) {
                        if let Some(call) = self.calls.get_mut(&dialog) {
                            call.transaction_gone(tx);
                        }
                        self.forget_if_over(dialog);
                    }
                }
            }
        }
    }

    // What the parts below share.

    fn transmit(&mut self, remote: Hop, bytes: Vec<u8>) {
        self.outputs.push_back(AgentOutput::Transmit { remote, bytes });
    }

    fn event(&mut self, event: AgentEvent) {
        self.outputs.push_back(AgentOutput::Event(event));
    }

    fn next_dialog(&mut self) -> DialogId {
        self.last += 1;
        DialogId(self.last)
    }

    fn is_full(&self) -> bool {
        self.calls.len() >= self.config.dialogs_max || self.transactions.is_full()
    }

    /// Replies without a transaction. The tag is the same for every retransmission of the request.
    fn reply(&mut self, request: &Request, remote: Hop, response: Response) {
        let Head { via, call_id, cseq, .. } = &request.head;
        let same =
            format!("{call_id} {cseq} {}", via.first().and_then(|via| via.params.get("branch")).unwrap_or_default());
        let tag = self.tokens.derived_tag(same.as_bytes());
        let response = response.tagged(&tag).with("Server", self.config.user_agent.clone());
        self.transmit(reply_address(request.head.top_via(), remote), response.encode());
    }

    /// Replies within a transaction, or without one when the table was full.
    fn respond(&mut self, request: &Request, tx: Option<TxId>, remote: Hop, response: Response, now: Instant) {
        match tx {
            Some(tx) => {
                let response = response.with("Server", self.config.user_agent.clone());
                self.transactions.respond(tx, &response, now);
            }
            None => self.reply(request, remote, response),
        }
    }

    fn options(&mut self, request: &Request, tx: Option<TxId>, remote: Hop, now: Instant) {
        let response = Response::to(request, 200, "")
            .with("Contact", self.contact("", remote, request.uri.is_secure()).to_string())
            .with("Allow", ALLOW)
            .with("Accept", ACCEPT)
            .with("Accept-Encoding", "identity")
            .with("Supported", SUPPORTED)
            .with("Allow-Events", EVENT);
        self.respond(request, tx, remote, response, now);
    }

    fn arm(&mut self, dialog: DialogId) {
        let at = self.calls.get(&dialog).and_then(Call::next_wake);
        self.timers.set(dialog, at);
    }

    /// Tells the end, once, and lets the call go unless stray messages still have to be answered for it.
    fn end(&mut self, dialog: DialogId, cause: AgentEnd) {
        let Some(call) = self.calls.get_mut(&dialog) else {
            return;
        };
        (call.ring_until, call.failover_at) = (None, None);
        if !call.ended {
            call.ended = true;
            self.transfer_ends(dialog);
            self.event(AgentEvent::Ended { dialog, cause });
        }
        self.forget_if_over(dialog);
    }

    fn forget_if_over(&mut self, dialog: DialogId) {
        let Some(call) = self.calls.get(&dialog) else {
            return;
        };
        if !call.is_over() {
            self.arm(dialog);
            return;
        }
        let Some(call) = self.calls.remove(&dialog) else {
            return;
        };
        self.timers.set(dialog, None);
        self.changes.remove(&dialog);
        for known in call.dialog.iter().chain(call.early.iter().map(|early| &early.dialog)) {
            self.dialogs.remove(&known.key());
        }
        if let Some(key) = call.merge_key {
            self.incoming.remove(&key);
        }
        for tx in call.invite_tx.into_iter().chain(call.offer.map(|offer| offer.tx)) {
            self.invites.remove(&tx);
        }
        if let Some(account) = call.account {
            self.forget_account(account);
        }
    }
}

/// The description in a body. `Err` when there is a body that cannot be read as one.
fn description(head: &Head, body: &[u8]) -> Result<Option<Sdp>, String> {
    if body.is_empty() {
        return Ok(None);
    }
    match head.content_type().as_deref() {
        Some("application/sdp") => Sdp::parse(body).map(Some).map_err(|error| error.to_string()),
        _ => Err("body is not application/sdp".into()),
    }
}

/// Puts a description into a body.
fn describe(response: &mut Response, sdp: &Sdp) {
    response.head.push("Content-Type", "application/sdp");
    response.body = sdp.to_string().into_bytes();
}
