//! Outgoing calls: what may be dialled, when, through which trunk, and what it may cost.
//!
//! Whoever takes over a telephone or an account can call at the clinic's expense, so outgoing calls are off until somebody wants
//! them, and then stay within countries, hours and a sum of money. Emergency numbers are always dialled.

mod ledger;
mod shown;

pub use ledger::{Ledger, Line, Noted};
pub use shown::{Show, Shown};

use crate::Timestamp;
use crate::code::{CarrierKind, NumberFormat, OutboundRule};
use crate::dialled::{self, Dialled, Number};
use crate::id::{AccountId, TrunkId};
use crate::tenant::Tenant;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// The rules of outgoing calls, as an administrator has set them. Money is in minor units of `currency`, such as cents.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Outbound {
    /// Whether there are outgoing calls at all; emergency numbers are dialled in any case.
    pub is_on: bool,
    /// Countries that may be called (ISO 3166-1 alpha-2), at most 250.
    pub countries: Vec<String>,
    /// Beginnings of numbers that are not called, digits with the country code; at most 200.
    pub denied: Vec<String>,
    /// Beginnings of numbers that are called although their country declares them to cost more; at most 200.
    pub permitted: Vec<String>,
    /// Outgoing calls at the same time, 1 to 100.
    pub calls_max: u32,
    /// Minutes that one call may last, 1 to 480.
    pub minutes_max: u32,
    /// Outgoing calls within any hour, 1 to 1,000.
    pub hour_calls_max: u32,
    /// Outgoing calls of one account or telephone within any hour, 1 to 1,000.
    pub account_hour_calls_max: u32,
    /// What all calls within any 24 hours may cost, up to 1,000,000.
    pub day_money_max: u32,
    /// The currency of all prices (ISO 4217).
    pub currency: String,
    /// Prices by beginning of the number; the longest one that fits is the price. At most 500.
    pub prices: Vec<Price>,
    /// Price of a minute to every other number, up to 100,000.
    pub minute_price_unknown: u32,
    /// When no outgoing calls are placed, in the clinic's zone.
    pub night: Option<Night>,
    /// Which trunks serve which numbers; the longest beginning that fits decides. At most 50.
    pub routes: Vec<Route>,
    /// The clinic's own numbers by trunk, and how numbers are written to it; at most 16.
    pub trunks: Vec<TrunkUse>,
    /// Whether outgoing calls are recorded, where calls are recorded at all. Nobody tells the called party but the person who calls.
    pub is_recorded: bool,
    /// Grows by one with every change; `If-Match` names it.
    pub version: u64,
}

/// What a minute to numbers of one beginning costs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// Digits with the country code, without the plus sign, 1 to 15.
    pub prefix: String,
    /// Of each begun minute, in minor units; rounded up. Up to 100,000.
    pub minute_price: u32,
}

/// A part of the day; it may begin before midnight and end after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Night {
    /// Minutes after midnight, 0 to 1439.
    pub from_minute: u16,
    /// Minutes after midnight, 0 to 1439, another than `from_minute`.
    pub to_minute: u16,
}

/// Which trunks serve numbers of one beginning.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Digits with the country code, without the plus sign, up to 15; empty for every number.
    pub prefix: String,
    /// The trunks, best first: the next one is taken when one is down or refuses. 1 to 16. A carrier is named as a trunk, by
    /// the `trunk` of its account.
    pub trunks: Vec<TrunkId>,
}

/// How a trunk is used for outgoing calls.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrunkUse {
    /// The trunk, or the `trunk` of a carrier's account.
    pub trunk: TrunkId,
    /// The clinic's numbers that the called party may be shown, with plus sign; the first one unless another is asked for. Up to
    /// 20. Without any, the provider shows what it likes; a carrier that routes name needs one.
    pub numbers: Vec<String>,
    /// How numbers are written to the provider; to a carrier always as `plus`.
    pub format: NumberFormat,
}

/// A trunk as far as a choice among trunks has to do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Usable {
    /// Which.
    pub trunk: TrunkId,
    /// Whether calls go through it now.
    pub is_up: bool,
    /// Whether its provider takes on by itself whom it has brought, when they are handed on to somebody outside (REFER).
    pub refers: bool,
    /// Whether it keeps the clinic's number from who is called, where it is asked to, and knows it all the same.
    pub withholds: bool,
}

/// A wish to call.
#[derive(Clone, Copy, Debug)]
pub struct Wish<'a> {
    /// What was dialled.
    pub dialled: &'a str,
    /// Whose wish, where it is known: their calls within the hour are counted.
    pub account: Option<AccountId>,
    /// What the called party shall be shown.
    pub show: &'a Show,
}

/// A call that may be placed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permit {
    /// The number of the world with plus sign, or an emergency number.
    pub number: String,
    /// It is an emergency number.
    pub is_emergency: bool,
    /// Of each begun minute, in minor units.
    pub minute_price: u32,
    /// Minutes that it may last; none for emergencies.
    pub minutes_max: Option<u32>,
    /// Where it goes, best first; never empty.
    pub ways: Vec<Way>,
}

/// One way of a call to its provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// Through this trunk.
    pub trunk: TrunkId,
    /// The number as the provider wants it.
    pub number: String,
    /// The clinic's number that is shown; empty for the provider's choice.
    pub caller_id: String,
    /// The provider is told that number, and asked to keep it from who is called.
    pub is_withheld: bool,
}

impl Outbound {
    /// The rules before anybody has set them: off, the clinic's own country, little of everything.
    pub fn usual(country: &str) -> Self {
        Self {
            is_on: false,
            countries: vec![country.to_owned()],
            denied: Vec::new(),
            permitted: Vec::new(),
            calls_max: 4,
            minutes_max: 60,
            hour_calls_max: 60,
            account_hour_calls_max: 30,
            day_money_max: 2_000,
            currency: "EUR".to_owned(),
            prices: Vec::new(),
            minute_price_unknown: 100,
            night: None,
            routes: Vec::new(),
            trunks: Vec::new(),
            is_recorded: false,
            version: 0,
        }
    }

    /// Whether somebody may call there now, and how.
    ///
    /// # Errors
    /// The first rule that stands against it.
    pub fn permit(
        &self,
        wish: &Wish<'_>,
        tenant: &Tenant,
        trunks: &[Usable],
        ledger: &Ledger,
        now: Timestamp,
    ) -> Result<Permit, OutboundRule> {
        match dialled::read(wish.dialled, &tenant.country).ok_or(OutboundRule::Number)? {
            Dialled::Emergency(digits) => self.emergency(digits, trunks),
            Dialled::Number(number) => {
                self.check_number(&number)?;
                self.check_night(tenant, now)?;
                let minute_price = self.minute_price(&number);
                ledger.check(self, wish.account, minute_price, now)?;
                let ways = self.ways(&number, wish.show, tenant, trunks)?;
                let (number, minutes_max) = (number.to_string(), Some(self.minutes_max));
                Ok(Permit { number, is_emergency: false, minute_price, minutes_max, ways })
            }
        }
    }

    /// Whether text messages may go to a number: where calls may go, whether or not there are any.
    pub fn may_be_texted(&self, number: &Number) -> bool {
        self.check_place(number).is_ok()
    }

    fn check_number(&self, number: &Number) -> Result<(), OutboundRule> {
        if self.is_on { self.check_place(number) } else { Err(OutboundRule::Off) }
    }

    fn check_place(&self, number: &Number) -> Result<(), OutboundRule> {
        let begins = |prefixes: &[String]| prefixes.iter().any(|prefix| number.digits().starts_with(prefix.as_str()));
        if !number.country().is_some_and(|country| self.countries.iter().any(|allowed| allowed == country)) {
            return Err(OutboundRule::Country);
        }
        if begins(&self.denied) {
            return Err(OutboundRule::Denied);
        }
        if number.is_premium() && !begins(&self.permitted) {
            return Err(OutboundRule::Premium);
        }
        Ok(())
    }

    fn check_night(&self, tenant: &Tenant, now: Timestamp) -> Result<(), OutboundRule> {
        let Some(night) = self.night else { return Ok(()) };
        let zone = TimeZone::get(&tenant.zone).unwrap_or(TimeZone::UTC);
        let time = now.to_zoned(zone).time();
        let minute = u16::from(time.hour().unsigned_abs()) * 60 + u16::from(time.minute().unsigned_abs());
        let is_night = if night.from_minute <= night.to_minute {
            (night.from_minute..night.to_minute).contains(&minute)
        } else {
            minute >= night.from_minute || minute < night.to_minute
        };
        if is_night { Err(OutboundRule::Night) } else { Ok(()) }
    }

    /// What a minute to a number costs.
    pub fn minute_price(&self, number: &Number) -> u32 {
        let fits = |price: &&Price| number.digits().starts_with(&price.prefix);
        let longest = self.prices.iter().filter(fits).max_by_key(|price| price.prefix.len());
        longest.map_or(self.minute_price_unknown, |price| price.minute_price)
    }

    fn ways(&self, number: &Number, show: &Show, tenant: &Tenant, trunks: &[Usable]) -> Result<Vec<Way>, OutboundRule> {
        let fits = |route: &&Route| number.digits().starts_with(&route.prefix);
        let route = self.routes.iter().filter(fits).max_by_key(|route| route.prefix.len());
        let route = route.ok_or(OutboundRule::NoRoute)?;
        let is_up = |trunk: &&TrunkId| trunks.iter().any(|usable| usable.trunk == **trunk && usable.is_up);
        let up: Vec<TrunkId> = route.trunks.iter().filter(is_up).copied().collect();
        if up.is_empty() {
            return Err(OutboundRule::TrunksDown);
        }
        let way = |trunk: TrunkId| {
            let its = self.trunks.iter().find(|its| its.trunk == trunk);
            let own = its.map_or(&[][..], |its| &its.numbers);
            let is_withheld = *show == Show::Withheld;
            let caller_id = match show {
                Show::Number(wanted) => own.iter().find(|number| *number == wanted)?.clone(),
                Show::Usual | Show::Withheld => own.first().cloned().unwrap_or_default(),
            };
            if is_withheld && !trunks.iter().any(|usable| usable.trunk == trunk && usable.withholds) {
                return None;
            }
            let is_carrier = CarrierKind::behind(trunk).is_some();
            if is_carrier && caller_id.is_empty() {
                return None;
            }
            let format = its.map_or(NumberFormat::Plus, |its| its.format);
            let format = if is_carrier { NumberFormat::Plus } else { format };
            Some(Way { trunk, number: written(number, format, &tenant.country), caller_id, is_withheld })
        };
        let ways: Vec<Way> = up.into_iter().filter_map(way).collect();
        match show {
            _ if !ways.is_empty() => Ok(ways),
            Show::Withheld => Err(OutboundRule::Withheld),
            Show::Usual | Show::Number(_) => Err(OutboundRule::CallerId),
        }
    }

    /// An emergency call, in which the clinic's number is never withheld, tries every trunk: those that are up first, those that routes name before others. Carriers come after the
    /// trunks that are up: they take few emergency numbers, and none without a number of the clinic's.
    fn emergency(&self, digits: String, trunks: &[Usable]) -> Result<Permit, OutboundRule> {
        let place = |trunk: TrunkId| self.routes.iter().position(|route| route.trunks.contains(&trunk));
        let mut order = trunks.to_vec();
        let is_carrier = |usable: &Usable| CarrierKind::behind(usable.trunk).is_some();
        order.sort_by_key(|it| (!it.is_up, is_carrier(it), place(it.trunk).unwrap_or(usize::MAX)));
        let way = |usable: Usable| {
            let its = self.trunks.iter().find(|its| its.trunk == usable.trunk);
            let caller_id = its.and_then(|its| its.numbers.first()).cloned().unwrap_or_default();
            Way { trunk: usable.trunk, number: digits.clone(), caller_id, is_withheld: false }
        };
        let is_shown = |way: &Way| !way.caller_id.is_empty() || CarrierKind::behind(way.trunk).is_none();
        let ways: Vec<Way> = order.into_iter().map(way).filter(is_shown).collect();
        if ways.is_empty() {
            return Err(OutboundRule::NoRoute);
        }
        Ok(Permit { number: digits, is_emergency: true, minute_price: 0, minutes_max: None, ways })
    }
}

fn written(number: &Number, format: NumberFormat, country: &str) -> String {
    match format {
        NumberFormat::National if number.country() == Some(country) => dialled::within(number),
        NumberFormat::Plus | NumberFormat::National => number.to_string(),
        NumberFormat::Digits => number.digits().to_owned(),
    }
}

#[cfg(test)]
mod tests;
