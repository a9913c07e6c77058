//! The clinic's own settings.

use crate::app::App;
use crate::auth::May;
use crate::auth::permissions::{EditClinic, ReadClinic};
use crate::clock;
use crate::error::Error;
use crate::page::Checks;
use auricle_domain::code::{AccessReasons, Lang};
use auricle_domain::event::Event;
use auricle_domain::tenant::{OpenSpan, Tenant, WeekHours};
use auricle_storage::ReadTx;
use serde::Deserialize;

/// Longest name, in characters.
const NAME_CHARS_MAX: usize = 255;
/// Longest name of the receptionist, in characters: it is said in every greeting.
const RECEPTIONIST_CHARS_MAX: usize = 40;
/// Spans of a week's hours: four a day.
const SPANS_MAX: usize = 28;
/// Minutes of a day.
const DAY_MIN: u16 = 24 * 60;

/// All of the clinic's settings.
#[derive(Clone, Debug, PartialEq, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClinicInput {
    /// As the receptionist says it, 1 to 255 characters.
    pub name: String,
    /// ISO 3166-1 alpha-2, upper case: decides the emergency number.
    pub country: String,
    /// IANA time zone: opening hours and appointments are meant in it.
    pub zone: String,
    /// Languages the clinic serves, the first is the one it answers in; 1 to 3, each once.
    pub languages: Vec<Lang>,
    /// Opening hours.
    pub hours: WeekHours,
    /// Whether calls are recorded (with notice).
    pub record_calls: bool,
    /// What the AI receptionist calls itself in the greeting, 1 to 40 characters.
    pub receptionist: String,
    /// Of which past calls a reader must say why they open them; never of those that they handled themselves.
    pub access_reasons: AccessReasons,
}

/// The clinic's settings.
///
/// # Errors
/// When the store cannot be reached.
pub fn get(app: &App, _may: &May<ReadClinic>) -> Result<Tenant, Error> {
    app.store.read(known)
}

/// The clinic, as it is now.
///
/// # Errors
/// `not_found` before the clinic has been set up.
pub fn known(tx: &ReadTx) -> Result<Tenant, Error> {
    tx.get(&tx.tenant())?.ok_or_else(|| Error::not_found("clinic: it has not been set up"))
}

/// Replaces all of the clinic's settings.
///
/// # Errors
/// `stale`, `invalid`.
pub async fn replace(app: &App, may: &May<EditClinic>, version: u64, input: ClinicInput) -> Result<Tenant, Error> {
    let input = input.checked()?;
    let changed = app.events.commit(clock::op(), may.by(), move |tx| {
        let clinic = known(tx)?;
        if clinic.version != version {
            return Err(Error::stale("clinic", version, clinic.version));
        }
        let ClinicInput { name, country, zone, languages, hours, record_calls, receptionist, access_reasons } =
            input.clone();
        let (id, version) = (clinic.id, version + 1);
        let clinic =
            Tenant { id, name, country, zone, languages, hours, record_calls, receptionist, access_reasons, version };
        tx.put(&clinic)?;
        tx.event(Event::TenantChanged { version: clinic.version });
        Ok(clinic)
    });
    changed.await
}

impl ClinicInput {
    fn checked(self) -> Result<Self, Error> {
        let mut checks = Checks::default();
        let name = checks.text("name", &self.name, 1, NAME_CHARS_MAX);
        let receptionist = checks.text("receptionist", &self.receptionist, 1, RECEPTIONIST_CHARS_MAX);
        let is_code = self.country.len() == 2 && self.country.bytes().all(|b| b.is_ascii_uppercase());
        checks.require(is_code, "country", "format", || {
            "country must be two capital letters (ISO 3166-1), such as GB".to_owned()
        });
        let is_zone = jiff::tz::TimeZone::get(&self.zone).is_ok();
        checks
            .require(is_zone, "zone", "unknown", || "zone must be an IANA time zone, such as Europe/Prague".to_owned());
        let once = self.languages.iter().enumerate().all(|(i, lang)| !self.languages[..i].contains(lang));
        let some = !self.languages.is_empty();
        checks.require(some && once, "languages", "out_of_range", || {
            "languages must name 1 to 3 languages, each once".to_owned()
        });
        check_spans(&mut checks, "hours.open", &self.hours.open);
        checks.done()?;
        Ok(Self { name, receptionist, ..self })
    }
}

/// Whether spans of a week are within their ranges and do not overlap.
pub(crate) fn check_spans(checks: &mut Checks, field: &str, spans: &[OpenSpan]) {
    let few = spans.len() <= SPANS_MAX;
    checks.require(few, field, "too_long", || {
        format!("{field} has {} spans, allowed are up to {SPANS_MAX}", spans.len())
    });
    for (index, span) in spans.iter().take(SPANS_MAX).enumerate() {
        let field = format!("{field}[{index}]");
        let day = (1..=7).contains(&span.weekday);
        checks.require(day, &format!("{field}.weekday"), "out_of_range", || {
            format!("weekday is {}, allowed are 1 (Monday) to 7 (Sunday)", span.weekday)
        });
        let minutes = span.from_minute < span.to_minute && span.to_minute <= DAY_MIN;
        checks.require(minutes, &format!("{field}.to_minute"), "out_of_range", || {
            format!("a span runs from 0 or later to at most {DAY_MIN}, and its end is after its begin")
        });
        let apart = |other: &OpenSpan| {
            other.weekday != span.weekday || other.to_minute <= span.from_minute || span.to_minute <= other.from_minute
        };
        checks.require(spans[..index].iter().all(apart), &field, "conflict", || {
            "spans of one day must not overlap".to_owned()
        });
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn input() -> ClinicInput {
        let hours = WeekHours { open: vec![OpenSpan { weekday: 1, from_minute: 480, to_minute: 720 }] };
        let (name, country, zone) = (" Clinic ".to_owned(), "CZ".to_owned(), "Europe/Prague".to_owned());
        let (languages, receptionist) = (vec![Lang::Cs, Lang::En], " Alice ".to_owned());
        let access_reasons = AccessReasons::Off;
        ClinicInput { name, country, zone, languages, hours, record_calls: true, receptionist, access_reasons }
    }

    #[test]
    fn settings_are_trimmed_and_every_fault_is_named() {
        let right = input().checked().unwrap();
        assert_eq!((right.name.as_str(), right.receptionist.as_str()), ("Clinic", "Alice"));
        let mut wrong = input();
        wrong.receptionist = "x".repeat(41);
        wrong.country = "cze".to_owned();
        wrong.zone = "Prague".to_owned();
        wrong.languages = vec![Lang::Cs, Lang::Cs];
        wrong.hours.open.push(OpenSpan { weekday: 1, from_minute: 700, to_minute: 800 });
        wrong.hours.open.push(OpenSpan { weekday: 8, from_minute: 700, to_minute: 600 });
        let fields: Vec<String> = wrong.checked().unwrap_err().fields.into_iter().map(|error| error.field).collect();
        assert_eq!(
            fields,
            [
                "receptionist",
                "country",
                "zone",
                "languages",
                "hours.open[1]",
                "hours.open[2].weekday",
                "hours.open[2].to_minute"
            ]
        );
    }
}
