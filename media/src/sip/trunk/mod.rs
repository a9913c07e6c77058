//! Our side of one trunk: when to register and to ask, which hop to use, and what to tell (RFC 3261 section 10, RFC 5626
//! sections 4.4 and 4.5, RFC 3263 section 4.3).
//!
//! The link says what to send; the user agent makes the requests, answers challenges, and brings back what came of it.

#[cfg(test)]
mod tests;
mod types;

pub use types::{Ask, LinkOutput, Outcome};
use types::{flow_timer_s, granted_s, is_natted, retry_after};

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::message::Response;
use super::tokens::Tokens;
use super::uri::Uri;
use crate::io::{Hop, Trunk, TrunkState};

/// How long REGISTER and OPTIONS may stay unanswered before the hop counts as dead.
pub const ANSWER_MAX: Duration = Duration::from_secs(10);
/// How often line ends keep the way to us open, at the least.
pub const KEEP_ALIVE_EVERY: Duration = Duration::from_secs(25);
/// The same at the most, however impatient the far end says that it is.
const KEEP_ALIVE_MIN: Duration = Duration::from_secs(5);
/// How often the first hop is asked while another one is in use, where the trunk has no probing of its own.
pub const RETURN_EVERY: Duration = Duration::from_secs(60);
/// Unanswered probes after which a hop is left.
const MISSED_MAX: u32 = 2;
/// The shortest time between two registrations that went well, whatever expiry is granted.
const REFRESH_MIN: Duration = Duration::from_secs(5);
/// The longest expiry that is asked for and waited for, in seconds, whatever is demanded or granted: a day.
const EXPIRY_S_MAX: u32 = 86_400;
/// 423 answers in a row that are followed.
const TOO_BRIEF_MAX: u32 = 3;
/// A registration that stood this long makes the failures before it forgotten.
const STEADY: Duration = Duration::from_secs(60);
/// The first and the longest wait after no hop answered. Half to all of it is waited.
const DEAD_WAITS_S: (u64, u64) = (10, 300);
/// The same after a refusal: the far end may count our tries.
const REFUSED_WAITS_S: (u64, u64) = (60, 1_800);

/// Our side of one trunk.
#[derive(Debug)]
pub struct Link {
    trunk: Trunk,
    /// The hop in use.
    at: usize,
    /// Hops that failed one after the other.
    tried: usize,
    /// Rounds that failed one after the other.
    failures: u32,
    asks: u64,
    registering: Option<u64>,
    /// The probe under way, and the hop that it asks.
    probing: Option<(u64, usize)>,
    /// Since when a registration stands.
    standing: Option<Instant>,
    expires_s: u32,
    too_brief: u32,
    missed: u32,
    register_at: Option<Instant>,
    probe_at: Option<Instant>,
    return_at: Option<Instant>,
    keep_alive_at: Option<Instant>,
    keep_alive_every: Duration,
    leaving: bool,
    told: Option<TrunkState>,
    outputs: VecDeque<LinkOutput>,
}

impl Link {
    /// A link to this trunk; what it begins with is among its outputs.
    pub fn new(trunk: Trunk, now: Instant) -> Self {
        let mut link = Self {
            expires_s: trunk.register_s.unwrap_or_default().clamp(1, EXPIRY_S_MAX),
            trunk,
            at: 0,
            tried: 0,
            failures: 0,
            asks: 0,
            registering: None,
            probing: None,
            standing: None,
            too_brief: 0,
            missed: 0,
            register_at: None,
            probe_at: None,
            return_at: None,
            keep_alive_at: None,
            keep_alive_every: KEEP_ALIVE_EVERY,
            leaving: false,
            told: None,
            outputs: VecDeque::new(),
        };
        link.begin(now);
        link
    }

    /// The same account, told otherwise: begins anew with what is known of the hop in use.
    pub fn change(&mut self, trunk: Trunk, now: Instant) {
        let hop = self.trunk.hops.get(self.at);
        let at = trunk.hops.iter().position(|other| Some(other) == hop).unwrap_or_default();
        let (asks, outputs) = (self.asks, std::mem::take(&mut self.outputs));
        let mut changed = Self::new(trunk, now);
        changed.outputs.clear();
        *self = Self { asks, at, outputs, probing: None, registering: None, told: None, ..changed };
        self.begin(now);
    }

    fn begin(&mut self, now: Instant) {
        let first = self.trunk.hops.get(self.at).copied();
        match first {
            None => self.tell(TrunkState::Unreachable),
            Some(_) if self.trunk.register_s.is_some() => {
                self.tell(TrunkState::Trying);
                self.register();
            }
            Some(_) if self.trunk.probe_s.is_some() => {
                self.tell(TrunkState::Trying);
                self.probe(self.at);
            }
            // Nothing is asked: it is taken to be there until a call shows otherwise.
            Some(hop) => self.tell(TrunkState::Ready { registered_s: None, hop }),
        }
        if self.trunk.register_s.is_some() {
            self.probe_at = first.and(self.probe_every()).map(|every| now + every);
        }
    }

    /// The trunk.
    pub fn trunk(&self) -> &Trunk {
        &self.trunk
    }

    /// Where requests go: the hop in use, then those behind it, then those before it.
    pub fn hops(&self) -> Vec<Hop> {
        let (before, after) = self.trunk.hops.split_at(self.at.min(self.trunk.hops.len()));
        after.iter().chain(before).copied().collect()
    }

    /// Whether it has been told as gone.
    pub fn is_gone(&self) -> bool {
        self.told == Some(TrunkState::Gone)
    }

    /// The next output, until `None`.
    pub fn poll(&mut self) -> Option<LinkOutput> {
        self.outputs.pop_front()
    }

    /// When a timer is due.
    pub fn next_wake(&self) -> Option<Instant> {
        [self.register_at, self.probe_at, self.return_at, self.keep_alive_at].into_iter().flatten().min()
    }

    /// Runs the timers.
    pub fn wake(&mut self, now: Instant) {
        let due = |at: &mut Option<Instant>| at.take_if(|at| *at <= now).is_some();
        if due(&mut self.register_at) {
            self.register();
        }
        if due(&mut self.keep_alive_at) {
            self.keep_alive_at = Some(now + self.keep_alive_every);
            self.outputs.extend(self.hop().map(|hop| LinkOutput::KeepAlive { hop }));
        }
        if due(&mut self.return_at) {
            self.return_at = Some(now + self.probe_every().unwrap_or(RETURN_EVERY));
            if self.probing.is_none() {
                self.probe(0);
            }
        }
        if due(&mut self.probe_at) {
            if self.probing.is_none() {
                self.probe(self.at);
            } else {
                self.probe_at = self.probe_every().map(|every| now + every);
            }
        }
    }

    /// Takes the registration back and asks no more; the state `Gone` ends it.
    pub fn leave(&mut self) {
        if self.leaving {
            return;
        }
        let bound = self.standing.is_some() || self.registering.is_some();
        self.leaving = true;
        self.rest();
        (self.probing, self.registering) = (None, None);
        match self.hop().filter(|_| bound) {
            Some(hop) => {
                let ask = self.next_ask();
                self.registering = Some(ask);
                self.outputs.push_back(LinkOutput::Register { ask: Ask::Register(ask), hop, expires_s: 0 });
            }
            None => self.tell(TrunkState::Gone),
        }
    }

    /// What came of a request.
    pub fn took(&mut self, ask: Ask, outcome: Outcome<'_>, tokens: &mut Tokens, now: Instant) {
        match ask {
            Ask::Register(ask) if self.registering == Some(ask) => {
                self.registering = None;
                if self.leaving { self.tell(TrunkState::Gone) } else { self.registered(outcome, tokens, now) }
            }
            Ask::Probe(ask) if self.probing.is_some_and(|(current, _)| current == ask) => {
                let asked = self.probing.take().map(|(_, hop)| hop).unwrap_or_default();
                self.probed(asked, outcome, tokens, now);
            }
            // It was overtaken by a later one.
            _ => {}
        }
    }

    /// A connection is gone: with it goes the way by which calls come to us.
    pub fn closed(&mut self, hop: Hop, tokens: &mut Tokens, now: Instant) {
        let ours = hop.transport.is_stream() && self.hop() == Some(hop);
        let Some(since) = self.standing.take_if(|_| ours && self.registering.is_none() && !self.leaving) else {
            return;
        };
        self.keep_alive_at = None;
        let steady = now.saturating_duration_since(since) >= STEADY;
        let wait = if steady { Duration::ZERO } else { self.wait(DEAD_WAITS_S, tokens) };
        self.tell(TrunkState::Trying);
        self.register_at = Some(now + wait);
    }

    fn hop(&self) -> Option<Hop> {
        self.trunk.hops.get(self.at).copied()
    }

    fn probe_every(&self) -> Option<Duration> {
        self.trunk.probe_s.map(|seconds| Duration::from_secs(u64::from(seconds.max(1))))
    }

    fn next_ask(&mut self) -> u64 {
        self.asks += 1;
        self.asks
    }

    fn tell(&mut self, state: TrunkState) {
        if self.told.as_ref() != Some(&state) {
            self.told = Some(state.clone());
            self.outputs.push_back(LinkOutput::State(state));
        }
    }

    fn rest(&mut self) {
        (self.register_at, self.probe_at, self.return_at, self.keep_alive_at) = (None, None, None, None);
    }

    fn register(&mut self) {
        let Some(hop) = self.hop() else { return };
        let ask = self.next_ask();
        (self.registering, self.register_at) = (Some(ask), None);
        self.outputs.push_back(LinkOutput::Register { ask: Ask::Register(ask), hop, expires_s: self.expires_s });
    }

    fn probe(&mut self, at: usize) {
        let Some(hop) = self.trunk.hops.get(at).copied() else { return };
        let ask = self.next_ask();
        self.probing = Some((ask, at));
        self.outputs.push_back(LinkOutput::Probe { ask: Ask::Probe(ask), hop });
    }

    fn registered(&mut self, outcome: Outcome<'_>, tokens: &mut Tokens, now: Instant) {
        let Outcome::Answered { response, contact } = outcome else { return self.move_on(tokens, now) };
        let brief = response.head.get("Min-Expires").and_then(|least| least.parse::<u32>().ok());
        match (response.status, brief) {
            (200..300, _) => self.granted(response, contact, tokens, now),
            (408 | 503, _) => self.move_on(tokens, now),
            (423, Some(least)) if least > self.expires_s && least <= EXPIRY_S_MAX && self.too_brief < TOO_BRIEF_MAX => {
                self.too_brief += 1;
                self.expires_s = least;
                self.register();
            }
            (status, _) => {
                (self.standing, self.keep_alive_at) = (None, None);
                let wait = self.wait(REFUSED_WAITS_S, tokens).max(retry_after(response));
                self.register_at = Some(now + wait);
                let plain = response.reason.chars().filter(|letter| !letter.is_control());
                self.tell(TrunkState::Refused { status, reason: plain.take(120).collect() });
            }
        }
    }

    fn granted(&mut self, response: &Response, contact: &Uri, tokens: &mut Tokens, now: Instant) {
        let Some(hop) = self.hop() else { return };
        let registered_s = granted_s(response, contact).unwrap_or(self.expires_s);
        // A connection, or a NAT in between: without traffic it would close to calls. Or the far end says that it will.
        let wanted_s = flow_timer_s(response);
        let kept_open = hop.transport.is_stream() || is_natted(response) || wanted_s.is_some();
        self.keep_alive_every = wanted_s.map_or(KEEP_ALIVE_EVERY, |seconds| keep_alive_every(seconds, tokens));
        let since = self.standing.unwrap_or(now);
        if now.saturating_duration_since(since) >= STEADY {
            self.failures = 0;
        }
        self.standing = Some(since);
        (self.tried, self.missed, self.too_brief) = (0, 0, 0);
        let refresh = Duration::from_millis(u64::from(registered_s.min(EXPIRY_S_MAX)) * 850).max(REFRESH_MIN);
        self.register_at = Some(now + refresh);
        let next = now + self.keep_alive_every;
        self.keep_alive_at = Some(self.keep_alive_at.map_or(next, |at| at.min(next))).filter(|_| kept_open);
        self.ready(Some(registered_s), hop, now);
    }

    /// Tells that calls can go and come; while that is not by the first hop, the first one is asked now and then.
    fn ready(&mut self, registered_s: Option<u32>, hop: Hop, now: Instant) {
        let every = self.probe_every().unwrap_or(RETURN_EVERY);
        self.return_at = if self.at == 0 { None } else { self.return_at.or(Some(now + every)) };
        self.tell(TrunkState::Ready { registered_s, hop });
    }

    fn probed(&mut self, asked: usize, outcome: Outcome<'_>, tokens: &mut Tokens, now: Instant) {
        let alive = matches!(outcome, Outcome::Answered { response, .. } if !matches!(response.status, 408 | 503));
        self.probe_at = self.probe_every().map(|every| now + every);
        if asked != self.at {
            if alive {
                self.turn_to(asked, now);
            }
        } else if alive {
            (self.missed, self.tried) = (0, 0);
            if let Some(hop) = self.hop().filter(|_| self.trunk.register_s.is_none()) {
                self.failures = 0;
                self.ready(None, hop, now);
            } else if self.told == Some(TrunkState::Unreachable) && self.registering.is_none() {
                self.register();
            }
        } else if self.trunk.register_s.is_some() && self.standing.is_none() {
            // That it is not there is known already; when to register again is decided.
            self.missed = 0;
        } else {
            self.missed += 1;
            if self.missed < MISSED_MAX {
                self.probe(self.at);
            } else {
                self.move_on(tokens, now);
            }
        }
    }

    /// The first hop is there again.
    fn turn_to(&mut self, at: usize, now: Instant) {
        (self.at, self.missed, self.tried, self.return_at) = (at, 0, 0, None);
        if self.trunk.register_s.is_some() {
            self.register();
        } else if let Some(hop) = self.hop() {
            self.ready(None, hop, now);
        }
    }

    /// The hop in use does not answer: the next one is tried at once, and all of them again after a while.
    fn move_on(&mut self, tokens: &mut Tokens, now: Instant) {
        (self.standing, self.keep_alive_at) = (None, None);
        self.tried += 1;
        let round_is_over = self.tried >= self.trunk.hops.len();
        self.at = if round_is_over { 0 } else { (self.at + 1) % self.trunk.hops.len() };
        // A hop that is new has one probe, not two, to show itself: the trunk is down until one does.
        self.missed = MISSED_MAX - 1;
        if round_is_over {
            self.tried = 0;
            self.return_at = None;
            self.tell(TrunkState::Unreachable);
        }
        match (self.trunk.register_s.is_some(), round_is_over) {
            (true, false) => self.register(),
            (true, true) => self.register_at = Some(now + self.wait(DEAD_WAITS_S, tokens)),
            (false, false) => self.probe(self.at),
            (false, true) => {}
        }
    }

    /// The next wait, twice as long as the last one up to a limit, half of it by chance: after a power cut a whole town
    /// registers at once.
    fn wait(&mut self, (first, longest): (u64, u64), tokens: &mut Tokens) -> Duration {
        let doubled = first.saturating_mul(1 << self.failures.min(16)).min(longest);
        self.failures = self.failures.saturating_add(1);
        let half_ms = doubled * 500;
        Duration::from_millis(half_ms + tokens.number() % half_ms.max(1))
    }
}

/// A little before the far end would take the way to us for gone: after four fifths of that, up to all of it by chance.
fn keep_alive_every(gone_after_s: u64, tokens: &mut Tokens) -> Duration {
    let fifth_ms = gone_after_s.min(u64::from(EXPIRY_S_MAX)) * 200;
    Duration::from_millis(fifth_ms * 4 + tokens.number() % fifth_ms.max(1)).clamp(KEEP_ALIVE_MIN, KEEP_ALIVE_EVERY)
}
