//! The rules of outgoing calls: read and changed by administrators.

use crate::app::App;
use crate::auth::{May, permissions::EditTrunks};
use crate::clock;
use crate::error::Error;
use crate::page::Checks;
use crate::{clinic, trunks};
use auricle_domain::carrier::Carrier;
use auricle_domain::code::CarrierKind;
use auricle_domain::dialled;
use auricle_domain::event::Event;
use auricle_domain::id::TrunkId;
use auricle_domain::outbound::{Night, Outbound, Price, Route, TrunkUse};
use auricle_storage::ReadTx;
use serde::Deserialize;

/// Countries that may be called: there are fewer.
const COUNTRIES_MAX: usize = 250;
/// Beginnings of numbers that are denied, and that are permitted.
const PREFIXES_MAX: usize = 200;
/// Prices.
const PRICES_MAX: usize = 500;
/// Highest price of a minute, in minor units.
const MINUTE_PRICE_MAX: u32 = 100_000;
/// The most that may be spent within 24 hours, in minor units.
const DAY_MONEY_MAX: u32 = 1_000_000;
/// Routes.
const ROUTES_MAX: usize = 50;
/// The clinic's numbers of one trunk.
const NUMBERS_MAX: usize = 20;
/// Digits of a number of the world (ITU-T E.164).
const DIGITS_MAX: usize = 15;
/// Minutes of a day.
const DAY_MIN: u16 = 24 * 60;

/// All rules of outgoing calls. Money is in minor units of `currency`, such as cents.
#[derive(Clone, Debug, PartialEq, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OutboundInput {
    /// Whether there are outgoing calls at all; emergency numbers are dialled in any case.
    pub is_on: bool,
    /// Countries that may be called (ISO 3166-1 alpha-2), at most 250.
    pub countries: Vec<String>,
    /// Beginnings of numbers that are not called, digits with the country code; at most 200.
    #[serde(default)]
    pub denied: Vec<String>,
    /// Beginnings of numbers that are called although their country declares them to cost more; at most 200.
    #[serde(default)]
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
    /// The currency of all prices (ISO 4217), three capital letters.
    pub currency: String,
    /// Prices by beginning of the number; the longest one that fits is the price. At most 500.
    #[serde(default)]
    pub prices: Vec<Price>,
    /// Price of a minute to every other number, up to 100,000.
    pub minute_price_unknown: u32,
    /// When no outgoing calls are placed, in the clinic's zone.
    #[serde(default)]
    pub night: Option<Night>,
    /// Which trunks serve which numbers; the longest beginning that fits decides. At most 50.
    #[serde(default)]
    pub routes: Vec<Route>,
    /// The clinic's own numbers by trunk or carrier, and how numbers are written to it; at most 16 trunks.
    #[serde(default)]
    pub trunks: Vec<TrunkUse>,
    /// Whether outgoing calls are recorded, where calls are recorded at all.
    #[serde(default)]
    pub is_recorded: bool,
}

/// The rules as they are now.
///
/// # Errors
/// When the store cannot be reached.
pub fn get(app: &App, _may: &May<EditTrunks>) -> Result<Outbound, Error> {
    app.store.read(known)
}

/// The rules as they are now: the usual ones, which allow nothing, before anybody has set them.
///
/// # Errors
/// When the store cannot be reached.
pub(crate) fn known(tx: &ReadTx) -> Result<Outbound, Error> {
    match tx.get::<Outbound>(&())? {
        Some(rules) => Ok(rules),
        None => Ok(Outbound::usual(&clinic::known(tx)?.country)),
    }
}

/// Replaces all rules; calls that are on stay.
///
/// # Errors
/// `stale`, `invalid` with every field at fault.
pub async fn replace(app: &App, may: &May<EditTrunks>, version: u64, input: OutboundInput) -> Result<Outbound, Error> {
    let changed = app.events.commit(clock::op(), may.by(), move |tx| {
        let current = known(tx)?;
        if current.version != version {
            return Err(Error::stale("rules of outgoing calls", version, current.version));
        }
        let rules = input.clone().checked(&ways(tx)?)?.into_rules(version + 1);
        tx.put(&rules)?;
        tx.event(Event::OutboundChanged { version: rules.version });
        Ok(rules)
    });
    changed.await
}

/// Whatever rules may name: the trunks, and the carriers whose accounts are set up.
pub(crate) fn ways(tx: &ReadTx) -> Result<Vec<TrunkId>, Error> {
    let mut ways: Vec<TrunkId> = trunks::all(tx)?.into_iter().map(|trunk| trunk.id).collect();
    for kind in CarrierKind::ALL {
        ways.extend(tx.get::<Carrier>(&kind.as_str())?.map(|_| kind.trunk()));
    }
    Ok(ways)
}

impl OutboundInput {
    fn into_rules(self, version: u64) -> Outbound {
        Outbound {
            is_on: self.is_on,
            countries: self.countries,
            denied: self.denied,
            permitted: self.permitted,
            calls_max: self.calls_max,
            minutes_max: self.minutes_max,
            hour_calls_max: self.hour_calls_max,
            account_hour_calls_max: self.account_hour_calls_max,
            day_money_max: self.day_money_max,
            currency: self.currency,
            prices: self.prices,
            minute_price_unknown: self.minute_price_unknown,
            night: self.night,
            routes: self.routes,
            trunks: self.trunks,
            is_recorded: self.is_recorded,
            version,
        }
    }

    fn checked(mut self, ways: &[TrunkId]) -> Result<Self, Error> {
        let mut checks = Checks::default();
        few(&mut checks, "countries", self.countries.len(), COUNTRIES_MAX);
        for (index, country) in self.countries.iter().take(COUNTRIES_MAX).enumerate() {
            checks.require(dialled::is_country(country), &format!("countries[{index}]"), "unknown", || {
                "a country is two capital letters (ISO 3166-1), such as GB".to_owned()
            });
        }
        for (field, prefixes) in [("denied", &mut self.denied), ("permitted", &mut self.permitted)] {
            few(&mut checks, field, prefixes.len(), PREFIXES_MAX);
            for (index, prefix) in prefixes.iter_mut().take(PREFIXES_MAX).enumerate() {
                *prefix = prefix_of(&mut checks, &format!("{field}[{index}]"), prefix, 1);
            }
        }
        for (field, value, max) in [
            ("calls_max", self.calls_max, 100),
            ("minutes_max", self.minutes_max, 480),
            ("hour_calls_max", self.hour_calls_max, 1_000),
            ("account_hour_calls_max", self.account_hour_calls_max, 1_000),
        ] {
            within(&mut checks, field, value, 1, max);
        }
        within(&mut checks, "day_money_max", self.day_money_max, 0, DAY_MONEY_MAX);
        within(&mut checks, "minute_price_unknown", self.minute_price_unknown, 0, MINUTE_PRICE_MAX);
        let is_currency = self.currency.len() == 3 && self.currency.bytes().all(|byte| byte.is_ascii_uppercase());
        checks.require(is_currency, "currency", "format", || {
            "currency must be three capital letters (ISO 4217), such as EUR".to_owned()
        });
        few(&mut checks, "prices", self.prices.len(), PRICES_MAX);
        for (index, price) in self.prices.iter_mut().take(PRICES_MAX).enumerate() {
            price.prefix = prefix_of(&mut checks, &format!("prices[{index}].prefix"), &price.prefix, 1);
            within(&mut checks, &format!("prices[{index}].minute_price"), price.minute_price, 0, MINUTE_PRICE_MAX);
        }
        let is_night = |night: Night| {
            night.from_minute < DAY_MIN && night.to_minute < DAY_MIN && night.from_minute != night.to_minute
        };
        checks.require(self.night.is_none_or(is_night), "night", "out_of_range", || {
            format!("night runs from one minute of the day to another, each 0 to {}", DAY_MIN - 1)
        });
        self.check_trunks(&mut checks, ways);
        checks.done()?;
        Ok(self)
    }

    /// A route may name a trunk that has been removed since: it is left out.
    fn check_trunks(&mut self, checks: &mut Checks, ways: &[TrunkId]) {
        let known = |id| ways.contains(&id);
        few(checks, "routes", self.routes.len(), ROUTES_MAX);
        for (index, route) in self.routes.iter_mut().take(ROUTES_MAX).enumerate() {
            route.prefix = prefix_of(checks, &format!("routes[{index}].prefix"), &route.prefix, 0);
            route.trunks.retain(|id| known(*id));
            let some = (1..=trunks::TRUNKS_MAX).contains(&route.trunks.len());
            checks.require(some, &format!("routes[{index}].trunks"), "required", || {
                format!("a route names 1 to {} trunks that there are", trunks::TRUNKS_MAX)
            });
        }
        let prefixes: Vec<&str> = self.routes.iter().map(|route| route.prefix.as_str()).collect();
        let twice = prefixes.iter().enumerate().any(|(index, prefix)| prefixes[..index].contains(prefix));
        checks.require(!twice, "routes", "conflict", || "each beginning has one route".to_owned());
        self.trunks.retain(|its| known(its.trunk));
        few(checks, "trunks", self.trunks.len(), trunks::TRUNKS_MAX + CarrierKind::ALL.len());
        let shows = |way: TrunkId| self.trunks.iter().any(|its| its.trunk == way && !its.numbers.is_empty());
        let named = self.routes.iter().flat_map(|route| &route.trunks);
        let mute = named.filter(|way| CarrierKind::behind(**way).is_some()).any(|way| !shows(*way));
        checks.require(!mute, "trunks", "required", || {
            "a carrier that a route names needs a number of its account that is shown".to_owned()
        });
        for (index, its) in self.trunks.iter_mut().enumerate() {
            let field = format!("trunks[{index}].numbers");
            few(checks, &field, its.numbers.len(), NUMBERS_MAX);
            for number in its.numbers.iter_mut().take(NUMBERS_MAX) {
                let read =
                    number.trim().starts_with('+').then(|| dialled::number(number.trim().replace(' ', ""))).flatten();
                checks.require(read.is_some(), &field, "format", || {
                    "a number has a plus sign and its country code, such as +442079460958".to_owned()
                });
                *number = read.map_or_else(String::new, |read| read.to_string());
            }
        }
    }
}

/// Digits with the country code; a plus sign and spaces are left out.
fn prefix_of(checks: &mut Checks, field: &str, text: &str, min: usize) -> String {
    let digits = text.trim().trim_start_matches('+').replace(' ', "");
    let is_prefix = (min..=DIGITS_MAX).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    checks.require(is_prefix, field, "format", || {
        format!("a number begins with {min} to {DIGITS_MAX} digits, the country code first, such as 4420")
    });
    digits
}

fn few(checks: &mut Checks, field: &str, count: usize, max: usize) {
    checks.require(count <= max, field, "too_long", || format!("{field} has {count} entries, allowed are up to {max}"));
}

fn within(checks: &mut Checks, field: &str, value: u32, min: u32, max: u32) {
    checks.require((min..=max).contains(&value), field, "out_of_range", || {
        format!("{field} is {value}, allowed are {min} to {max}")
    });
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn input() -> OutboundInput {
        serde_json::from_value(serde_json::json!({
            "is_on": true, "countries": ["CZ"], "denied": ["+420 9"], "calls_max": 2, "minutes_max": 30, "hour_calls_max": 60,
            "account_hour_calls_max": 20, "day_money_max": 2_000, "currency": "EUR", "minute_price_unknown": 100,
            "prices": [{ "prefix": "420", "minute_price": 5 }],
        }))
        .unwrap()
    }

    #[test]
    fn rules_are_tidied_and_every_fault_is_named() {
        assert_eq!(input().checked(&[]).unwrap().denied, ["4209"]);
        let mut wrong = input();
        wrong.countries.push("Czechia".into());
        wrong.permitted = vec!["abc".into()];
        (wrong.calls_max, wrong.minutes_max, wrong.currency) = (0, 481, "euro".into());
        wrong.prices[0].minute_price = 100_001;
        wrong.night = Some(Night { from_minute: 60, to_minute: 60 });
        wrong.routes = vec![Route { prefix: "4+".into(), trunks: Vec::new() }];
        let fields: Vec<String> = wrong.checked(&[]).unwrap_err().fields.into_iter().map(|error| error.field).collect();
        let expected = [
            "countries[1]",
            "permitted[0]",
            "calls_max",
            "minutes_max",
            "currency",
            "prices[0].minute_price",
            "night",
            "routes[0].prefix",
            "routes[0].trunks",
        ];
        assert_eq!(fields, expected);
    }
}
