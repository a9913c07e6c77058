//! What outgoing calls have cost and how many there were: the counters behind the caps.
//!
//! They are derived from the records of calls and filled from them after a start, so that a restart opens no new account.

use super::Outbound;
use crate::Timestamp;
use crate::call::Call;
use crate::code::OutboundRule;
use crate::id::{AccountId, CallId};
use jiff::SignedDuration;
use std::collections::{BTreeMap, VecDeque};

/// Calls and money are counted within an hour and within a day back from now.
const HOUR: SignedDuration = SignedDuration::from_hours(1);
const DAY: SignedDuration = SignedDuration::from_hours(24);
/// So many refusals by one rule within an hour are more than mistakes.
const REFUSALS_ALARMING: usize = 5;
/// Refusals that are remembered; the oldest are forgotten. No more than these are written down within an hour.
const REFUSALS_MAX: usize = 64;

/// One call to the outside: the call that it is placed in, and its place among those of that call.
pub type Line = (CallId, usize);

/// What is to be done about a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Noted {
    /// People are to be alarmed.
    pub is_alarming: bool,
    /// It is to be written down: it is among the first of its hour.
    pub is_worth_writing: bool,
}

/// The counters.
#[derive(Debug, Default)]
pub struct Ledger {
    calls: BTreeMap<Line, Entry>,
    refusals: VecDeque<(Timestamp, OutboundRule)>,
    alarms: BTreeMap<OutboundRule, Timestamp>,
}

#[derive(Debug)]
struct Entry {
    at: Timestamp,
    account: Option<AccountId>,
    minute_price: u32,
    /// Spent, and reserved for the minute that runs.
    cost: u64,
    is_on: bool,
}

impl Ledger {
    /// How far back calls must be known.
    pub const REACH: SignedDuration = DAY;

    /// Takes in a call that has been. Calls that cost nothing by rule (emergencies, internal and incoming ones) are none of its own.
    pub fn restore(&mut self, call: &Call) {
        for (index, outgoing) in call.outgoing.iter().enumerate().filter(|(_, outgoing)| !outgoing.is_emergency) {
            let (at, account, minute_price) = (outgoing.placed_at, outgoing.by, outgoing.minute_price);
            self.calls.insert((call.id, index), Entry { at, account, minute_price, cost: outgoing.cost, is_on: false });
        }
    }

    /// Whether one more call at this price of a minute keeps within the caps.
    ///
    /// # Errors
    /// The cap that it does not keep within.
    pub fn check(
        &self,
        rules: &Outbound,
        account: Option<AccountId>,
        minute_price: u32,
        now: Timestamp,
    ) -> Result<(), OutboundRule> {
        let count = |counts: &dyn Fn(&Entry) -> bool| self.calls.values().filter(|entry| counts(entry)).count();
        let in_hour = |entry: &Entry| since(entry.at, now) < HOUR;
        if count(&|entry| entry.is_on) >= rules.calls_max as usize {
            return Err(OutboundRule::CallsMax);
        }
        // Calls without an account share one.
        if count(&|entry| in_hour(entry) && entry.account == account) >= rules.account_hour_calls_max as usize {
            return Err(OutboundRule::AccountHour);
        }
        if count(&in_hour) >= rules.hour_calls_max as usize {
            return Err(OutboundRule::Hour);
        }
        self.check_money(rules, minute_price, now)
    }

    /// Begins a call; its first minute is reserved.
    pub fn begin(&mut self, line: Line, account: Option<AccountId>, minute_price: u32, now: Timestamp) {
        self.calls.retain(|_, entry| entry.is_on || since(entry.at, now) < DAY);
        let cost = u64::from(minute_price);
        self.calls.insert(line, Entry { at: now, account, minute_price, cost, is_on: true });
    }

    /// Reserves the next minute of a call that is on.
    ///
    /// # Errors
    /// [`OutboundRule::Money`] when that would be more than may be spent: the call is to be ended.
    pub fn next_minute(&mut self, line: Line, rules: &Outbound, now: Timestamp) -> Result<(), OutboundRule> {
        let Some(price) = self.calls.get(&line).map(|entry| entry.minute_price) else { return Ok(()) };
        self.check_money(rules, price, now)?;
        if let Some(entry) = self.calls.get_mut(&line) {
            entry.cost += u64::from(price);
        }
        Ok(())
    }

    /// Ends a call that has cost this much; what was reserved beyond that is given back.
    pub fn end(&mut self, line: Line, cost: u64) {
        if let Some(entry) = self.calls.get_mut(&line) {
            (entry.is_on, entry.cost) = (false, cost);
        }
    }

    /// What was spent and is reserved within the last 24 hours, in minor units.
    pub fn spent(&self, now: Timestamp) -> u64 {
        self.calls.values().filter(|entry| entry.is_on || since(entry.at, now) < DAY).map(|entry| entry.cost).sum()
    }

    /// Takes note of a refusal. People should be alarmed when a cap was reached, or when one rule stood against several wishes
    /// within an hour; once an hour and rule.
    pub fn refused(&mut self, rule: OutboundRule, now: Timestamp) -> Noted {
        self.refusals.retain(|(at, _)| since(*at, now) < HOUR);
        let is_worth_writing = self.refusals.len() < REFUSALS_MAX;
        if self.refusals.len() == REFUSALS_MAX {
            self.refusals.pop_front();
        }
        self.refusals.push_back((now, rule));
        let times = self.refusals.iter().filter(|(_, other)| *other == rule).count();
        let alarming = match rule {
            OutboundRule::CallsMax | OutboundRule::AccountHour | OutboundRule::Hour | OutboundRule::Money => true,
            OutboundRule::Off
            | OutboundRule::Country
            | OutboundRule::Premium
            | OutboundRule::Denied
            | OutboundRule::Night => times >= REFUSALS_ALARMING,
            OutboundRule::Number
            | OutboundRule::Minutes
            | OutboundRule::NoRoute
            | OutboundRule::TrunksDown
            | OutboundRule::CallerId
            | OutboundRule::Withheld => false,
        };
        let is_news = self.alarms.get(&rule).is_none_or(|last| since(*last, now) >= HOUR);
        if alarming && is_news {
            self.alarms.insert(rule, now);
        }
        Noted { is_alarming: alarming && is_news, is_worth_writing }
    }

    fn check_money(&self, rules: &Outbound, more: u32, now: Timestamp) -> Result<(), OutboundRule> {
        let after = self.spent(now) + u64::from(more);
        if after > u64::from(rules.day_money_max) { Err(OutboundRule::Money) } else { Ok(()) }
    }
}

fn since(at: Timestamp, now: Timestamp) -> SignedDuration {
    now.duration_since(at)
}
