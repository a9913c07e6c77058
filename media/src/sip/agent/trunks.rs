//! Accounts with providers: REGISTER, OPTIONS, and the challenges that they answer our requests with.

use std::collections::BTreeMap;
use std::time::Instant;

use super::{ALLOW, AgentEvent, AgentOutput, UserAgent};
use crate::io::{Hop, IdentityHeader, TRUNK_HOPS_MAX, TRUNKS_MAX, Trunk, TrunkId, TrunkState};
use crate::sip::address::NameAddr;
use crate::sip::digest::Client;
use crate::sip::framing::PING;
use crate::sip::header::CSeq;
use crate::sip::message::{Head, Method, Request, Response};
use crate::sip::timers::Timers;
use crate::sip::transaction::TxId;
use crate::sip::trunk::{ANSWER_MAX, Ask, Link, LinkOutput, Outcome};
use crate::sip::uri::Uri;

/// Service-Route values of one registration that are kept.
const SERVICE_ROUTES_MAX: usize = 8;

/// An account. Never used twice, so that a call keeps its own when its trunk is replaced.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub(super) struct AccountId(u64);

/// One account: a trunk and who we are there.
#[derive(Debug)]
pub(super) struct Account {
    link: Link,
    pub client: Option<Client>,
    /// The account's domain as a URI.
    registrar: Uri,
    /// The address of record.
    own: NameAddr,
    /// Call-ID and number of its REGISTERs: the same as long as the account is there (RFC 3261 section 10.2.4).
    call_id: String,
    pub cseq: u32,
    /// What the registrar wants our calls to take (RFC 3608).
    service_route: Vec<NameAddr>,
    /// No trunk any more: forgotten once it is unregistered and its calls are over.
    removed: bool,
}

/// A request under way under an account.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pending {
    pub account: AccountId,
    /// What a link waits for.
    pub ask: Option<Ask>,
    /// Challenges that were answered.
    pub answers: u8,
}

/// All accounts.
#[derive(Debug, Default)]
pub(super) struct Accounts {
    pub all: BTreeMap<AccountId, Account>,
    by_trunk: BTreeMap<TrunkId, AccountId>,
    /// Client transactions under an account; at most as many as there are transactions.
    pub pending: BTreeMap<TxId, Pending>,
    timers: Timers<AccountId>,
    last: u64,
    drained: bool,
}

impl Accounts {
    pub(super) fn next_wake(&self) -> Option<Instant> {
        self.timers.next()
    }

    fn arm(&mut self, id: AccountId) {
        let at = self.all.get(&id).and_then(|account| account.link.next_wake());
        self.timers.set(id, at);
    }

    /// The account of the trunk that this address belongs to. Where several share it, the user that was called decides.
    pub(super) fn of_source(&self, source: Hop, called: &str) -> Option<(TrunkId, AccountId)> {
        let owns = |id: &AccountId| self.all.get(id).is_some_and(|account| account.link.trunk().owns(source.ip()));
        let fits = |id: &AccountId| self.all.get(id).is_some_and(|account| account.link.trunk().user == called);
        let mut owners = self.by_trunk.iter().filter(|(_, id)| owns(id));
        let best = owners.clone().find(|(_, id)| fits(id)).or_else(|| owners.next());
        best.map(|(trunk, id)| (*trunk, *id))
    }

    pub(super) fn of_trunk(&self, trunk: TrunkId) -> Option<AccountId> {
        self.by_trunk.get(&trunk).copied()
    }

    /// The hop at which a trunk listens whose messages come from there: the one at that address, else the one in use.
    pub(super) fn home(&self, id: AccountId, peer: Hop) -> Option<Hop> {
        let hops = self.all.get(&id)?.link.hops();
        let beside = hops.iter().find(|hop| hop.ip().to_canonical() == peer.ip().to_canonical());
        beside.or(hops.first()).copied()
    }

    /// The trunk whose account this is now.
    pub(super) fn trunk_of(&self, id: AccountId) -> Option<TrunkId> {
        self.by_trunk.iter().find(|(_, account)| **account == id).map(|(trunk, _)| *trunk)
    }

    /// How a call is placed under an account: its hops, its domain, its user, its address, and its route.
    pub(super) fn way(&self, id: AccountId) -> Option<Way> {
        let Account { link, own, service_route, .. } = self.all.get(&id)?;
        let trunk = link.trunk();
        Some(Way {
            hops: link.hops(),
            domain: trunk.domain.clone(),
            user: trunk.user.clone(),
            own: own.clone(),
            route: service_route.clone(),
            identity: trunk.identity,
        })
    }

    /// Whether this hop is one that the account's trunk is connected to by us: not where a connection of the trunk's comes from.
    pub(super) fn connects_to(&self, id: AccountId, hop: Hop) -> bool {
        self.all.get(&id).is_some_and(|account| account.link.trunk().hops.contains(&hop))
    }

    /// Whether this hop is the account's, so that it may see what its password makes.
    pub(super) fn trusts(&self, id: AccountId, hop: Hop) -> bool {
        self.all.get(&id).is_some_and(|account| account.link.trunk().has_hop(hop.ip()))
    }
}

/// How a call is placed under an account.
pub(super) struct Way {
    pub hops: Vec<Hop>,
    pub domain: String,
    pub user: String,
    pub own: NameAddr,
    pub route: Vec<NameAddr>,
    pub identity: IdentityHeader,
}

impl UserAgent {
    pub(super) fn set_trunks(&mut self, trunks: Vec<Trunk>, now: Instant) {
        if self.accounts.drained {
            return;
        }
        // Those that are left take their leave from the address that they know.
        let known = self.accounts.by_trunk.values().filter_map(|id| self.accounts.all.get(id));
        let known = known.map(|account| account.link.trunk());
        let left = known.filter(|known| trunks.iter().all(|trunk| trunk.id != known.id));
        self.inside.set_trunks(trunks.iter().chain(left));
        let mut wanted: BTreeMap<TrunkId, Trunk> = BTreeMap::new();
        for mut trunk in trunks {
            trunk.hops.truncate(TRUNK_HOPS_MAX);
            if wanted.len() < TRUNKS_MAX || wanted.contains_key(&trunk.id) {
                wanted.entry(trunk.id).or_insert(trunk);
            } else {
                self.event(AgentEvent::Trunk { trunk: trunk.id, state: TrunkState::Gone });
            }
        }
        let there: Vec<(TrunkId, AccountId)> = self.accounts.by_trunk.iter().map(|(trunk, id)| (*trunk, *id)).collect();
        for (trunk, id) in there {
            let Some(account) = self.accounts.all.get_mut(&id) else { continue };
            let old = account.link.trunk();
            match wanted.remove(&trunk) {
                Some(new) if new == *old => {}
                // The same place for our registration: it is made anew over the old one.
                Some(new)
                    if (&new.user, &new.domain) == (&old.user, &old.domain)
                        && (new.register_s.is_some() || old.register_s.is_none()) =>
                {
                    account.client = new.credentials.clone().map(Client::new);
                    account.link.change(new, now);
                    self.drain_link(id, now);
                }
                other => {
                    account.removed = true;
                    account.link.leave();
                    self.accounts.by_trunk.remove(&trunk);
                    // A trunk that is replaced under its number is not told as gone.
                    wanted.extend(other.map(|new| (trunk, new)));
                    self.drain_link(id, now);
                }
            }
        }
        for (_, trunk) in wanted {
            self.add_trunk(trunk, now);
        }
        let known = self.accounts.by_trunk.values().filter_map(|id| self.accounts.all.get(id));
        self.inside.set_trunks(known.map(|account| account.link.trunk()));
    }

    fn add_trunk(&mut self, mut trunk: Trunk, now: Instant) {
        let registrar = match Uri::parse(&format!("sip:{}", trunk.domain)) {
            Some(registrar) => registrar,
            None => {
                trunk.hops.clear();
                Uri::sip("", self.config.local)
            }
        };
        let own = NameAddr::new(registrar.clone().with_user(&trunk.user));
        self.accounts.last += 1;
        let id = AccountId(self.accounts.last);
        self.accounts.by_trunk.insert(trunk.id, id);
        let account = Account {
            client: trunk.credentials.clone().map(Client::new),
            link: Link::new(trunk, now),
            registrar,
            own,
            call_id: self.tokens.call_id(),
            cseq: 0,
            service_route: Vec::new(),
            removed: false,
        };
        self.accounts.all.insert(id, account);
        self.drain_link(id, now);
    }

    /// Gives all registrations back. Accounts stay, for the calls that are up.
    pub(super) fn drain_trunks(&mut self, now: Instant) {
        self.accounts.drained = true;
        let all: Vec<AccountId> = self.accounts.all.keys().copied().collect();
        for id in all {
            if let Some(account) = self.accounts.all.get_mut(&id) {
                account.link.leave();
            }
            self.drain_link(id, now);
        }
    }

    pub(super) fn wake_trunks(&mut self, now: Instant) {
        while let Some(id) = self.accounts.timers.due(now) {
            if let Some(account) = self.accounts.all.get_mut(&id) {
                account.link.wake(now);
            }
            self.drain_link(id, now);
        }
    }

    /// A connection is gone.
    pub(super) fn trunks_closed(&mut self, hop: Hop, now: Instant) {
        let all: Vec<AccountId> = self.accounts.all.keys().copied().collect();
        for id in all {
            if let Some(account) = self.accounts.all.get_mut(&id) {
                account.link.closed(hop, &mut self.tokens, now);
            }
            self.drain_link(id, now);
        }
    }

    /// Carries out what a link wants.
    fn drain_link(&mut self, id: AccountId, now: Instant) {
        while let Some(account) = self.accounts.all.get_mut(&id) {
            let trunk = account.link.trunk().id;
            match account.link.poll() {
                Some(LinkOutput::Register { ask, hop, expires_s }) => self.register(id, ask, hop, expires_s, now),
                Some(LinkOutput::Probe { ask, hop }) => self.probe(id, ask, hop, now),
                Some(LinkOutput::KeepAlive { hop }) => {
                    self.outputs.push_back(AgentOutput::Transmit { remote: hop, bytes: PING.to_vec() });
                }
                Some(LinkOutput::State(state)) => {
                    // The number may be another account's by now.
                    let replaced = self.accounts.by_trunk.get(&trunk).is_some_and(|other| *other != id);
                    if !replaced {
                        self.event(AgentEvent::Trunk { trunk, state });
                    }
                }
                None => break,
            }
        }
        self.accounts.arm(id);
        self.forget_account(id);
    }

    /// Forgets a removed account that nothing needs any more.
    pub(super) fn forget_account(&mut self, id: AccountId) {
        let over = self.accounts.all.get(&id).is_some_and(|account| account.removed && account.link.is_gone());
        let waits = |pending: &Pending| pending.account == id;
        if over
            && !self.calls.values().any(|call| call.account == Some(id))
            && !self.accounts.pending.values().any(waits)
        {
            self.accounts.all.remove(&id);
            self.accounts.timers.set(id, None);
        }
    }

    fn register(&mut self, id: AccountId, ask: Ask, hop: Hop, expires_s: u32, now: Instant) {
        let Some(contact) = self.account_contact(id, hop) else { return };
        let Some(account) = self.accounts.all.get_mut(&id) else { return };
        account.cseq += 1;
        let (call_id, cseq) = (account.call_id.clone(), account.cseq);
        let (own, registrar) = (account.own.clone(), account.registrar.clone());
        let request = self.outside(Method::Register, registrar, own.clone(), own, call_id, cseq);
        let request = request
            .with("Contact", NameAddr::new(contact).to_string())
            .with("Expires", expires_s.to_string())
            .with("Allow", ALLOW)
            .with("Supported", "path");
        self.ask(id, ask, request, hop, now);
    }

    fn probe(&mut self, id: AccountId, ask: Ask, hop: Hop, now: Instant) {
        let Some(account) = self.accounts.all.get(&id) else { return };
        let (own, registrar) = (account.own.clone(), account.registrar.clone());
        let call_id = self.tokens.call_id();
        let to = NameAddr::new(registrar.clone());
        let request = self.outside(Method::Options, registrar, own, to, call_id, 1).with("Accept", "application/sdp");
        self.ask(id, ask, request, hop, now);
    }

    /// A request outside of any dialog, without Via.
    pub(super) fn outside(
        &mut self,
        method: Method,
        uri: Uri,
        from: NameAddr,
        to: NameAddr,
        call_id: String,
        cseq: u32,
    ) -> Request {
        let head = Head {
            via: Vec::new(),
            from: from.tagged(&self.tokens.tag()),
            to,
            call_id,
            cseq: CSeq { number: cseq, method: method.clone() },
            fields: Vec::new(),
        };
        let request = Request { method, uri, head, body: Vec::new() };
        request.with("Max-Forwards", "70").with("User-Agent", self.config.user_agent.clone())
    }

    /// Where a call through this trunk goes first.
    pub fn first_hop(&self, trunk: TrunkId) -> Option<Hop> {
        let account = self.accounts.of_trunk(trunk)?;
        self.accounts.all.get(&account)?.link.hops().first().copied()
    }

    /// Sends a request that a link waits for. Without a place for it, it has failed.
    fn ask(&mut self, id: AccountId, ask: Ask, request: Request, hop: Hop, now: Instant) {
        match self.send(request, hop, Some(id), now) {
            Some(tx) => {
                self.transactions.give_up(tx, now + ANSWER_MAX);
                self.accounts.pending.insert(tx, Pending { account: id, ask: Some(ask), answers: 0 });
            }
            None => self.asked(id, ask, None, now),
        }
    }

    /// Our Contact under an account.
    fn account_contact(&self, id: AccountId, hop: Hop) -> Option<Uri> {
        let user = &self.accounts.all.get(&id)?.link.trunk().user;
        Some(self.contact(user, hop, false).uri)
    }

    pub(super) fn note_pending(&mut self, tx: TxId, account: AccountId) {
        self.accounts.pending.insert(tx, Pending { account, ask: None, answers: 0 });
    }

    pub(super) fn pending_gone(&mut self, tx: TxId) {
        if let Some(pending) = self.accounts.pending.remove(&tx) {
            self.forget_account(pending.account);
        }
    }

    /// A final response, or none, to what a link asked; `false` when no link asked.
    pub(super) fn link_took(&mut self, tx: TxId, response: Option<&Response>, now: Instant) -> bool {
        let Some(Pending { account, ask: Some(ask), .. }) = self.accounts.pending.get(&tx).copied() else {
            return false;
        };
        if response.is_none_or(|response| response.status >= 200) {
            self.accounts.pending.remove(&tx);
            let remote = self.transactions.request(tx).map(|(_, remote)| remote);
            self.asked(account, ask, response.zip(remote), now);
        }
        true
    }

    fn asked(&mut self, id: AccountId, ask: Ask, response: Option<(&Response, Hop)>, now: Instant) {
        let contact = response.and_then(|(_, hop)| self.account_contact(id, hop));
        let Some(account) = self.accounts.all.get_mut(&id) else { return };
        let outcome = match (response, &contact) {
            (Some((response, _)), Some(contact)) => Outcome::Answered { response, contact },
            _ => Outcome::Failed,
        };
        if let (Ask::Register(_), Some((response, _))) = (ask, response)
            && response.is_success()
        {
            account.service_route = response.head.addresses("Service-Route").unwrap_or_default();
            account.service_route.truncate(SERVICE_ROUTES_MAX);
        }
        account.link.took(ask, outcome, &mut self.tokens, now);
        self.drain_link(id, now);
    }
}
