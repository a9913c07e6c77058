//! Services: what can be booked.

use super::{ServiceInput, Services, known_service};
use crate::app::App;
use crate::auth::May;
use crate::auth::permissions::{EditServices, ReadAppointments};
use crate::error::{Error, ErrorCode};
use crate::events::Writing;
use crate::page::Checks;
use crate::{clinic, clock};
use auricle_domain::appointment::Service;
use auricle_domain::event::Event;
use auricle_domain::id::ServiceId;
use auricle_storage::{ReadTx, Scan};

/// Services of a clinic.
const SERVICES_MAX: usize = 200;
/// Longest name, in characters.
const NAME_CHARS_MAX: usize = 255;
/// Other words for one service.
const ALIASES_MAX: usize = 20;
/// How long a service takes, in minutes.
const DURATION_MIN: std::ops::RangeInclusive<u16> = 5..=480;
/// Earliest booking unless told, in minutes from now.
const LEAD_MIN: u32 = 60;
/// Earliest booking at most: a year, in minutes from now.
const LEAD_MIN_MAX: u32 = 525_600;

/// What can be booked, by name.
///
/// # Errors
/// When the store cannot be reached.
pub fn services(app: &App, _may: &May<ReadAppointments>) -> Result<Services, Error> {
    Ok(Services { items: app.store.read(all)? })
}

/// What callers can book, by name.
///
/// # Errors
/// When the store cannot be reached.
pub fn bookable(tx: &ReadTx) -> Result<Vec<Service>, Error> {
    let mut services = all(tx)?;
    services.retain(|service| service.active);
    Ok(services)
}

fn all(tx: &ReadTx) -> Result<Vec<Service>, Error> {
    let mut services = tx.scan(Scan::<Service>::table().limit(SERVICES_MAX))?.items;
    services.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(services)
}

/// Adds a service.
///
/// # Errors
/// `invalid`; `conflict` when there are too many.
pub async fn create_service(
    app: &App,
    may: &May<EditServices>,
    key: Option<&str>,
    input: ServiceInput,
) -> Result<Service, Error> {
    let input = input.checked()?;
    let id = clock::fresh(ServiceId::new, (app.clock)());
    let added = app.events.commit(may.op("service.create", key), may.by(), move |tx| {
        if all(tx)?.len() >= SERVICES_MAX {
            return Err(Error::new(ErrorCode::Conflict, format!("A clinic has {SERVICES_MAX} services at most")));
        }
        put(tx, id, 1, input.clone())
    });
    added.await
}

/// Replaces all fields of a service. Appointments that are booked stay as they are.
///
/// # Errors
/// `not_found`, `stale`, `invalid`.
pub async fn replace_service(
    app: &App,
    may: &May<EditServices>,
    id: ServiceId,
    version: u64,
    input: ServiceInput,
) -> Result<Service, Error> {
    let input = input.checked()?;
    let changed = app.events.commit(clock::op(), may.by(), move |tx| {
        let service = known_service(tx, id)?;
        if service.version != version {
            return Err(Error::stale("service", version, service.version));
        }
        put(tx, id, version + 1, input.clone())
    });
    changed.await
}

fn put(tx: &mut Writing<'_>, id: ServiceId, version: u64, input: ServiceInput) -> Result<Service, Error> {
    let hours = match input.hours {
        Some(hours) => hours,
        None => clinic::known(tx)?.hours.open,
    };
    let service = Service {
        id,
        name: input.name,
        aliases: input.aliases,
        duration_min: input.duration_min,
        resource: input.resource,
        hours,
        lead_min: input.lead_min.unwrap_or(LEAD_MIN),
        active: input.active.unwrap_or(true),
        version,
    };
    tx.put(&service)?;
    tx.event(Event::ServiceChanged { service: id });
    Ok(service)
}

impl ServiceInput {
    fn checked(self) -> Result<Self, Error> {
        let mut checks = Checks::default();
        let name = checks.text("name", &self.name, 1, NAME_CHARS_MAX);
        let resource = checks.text("resource", &self.resource, 1, NAME_CHARS_MAX);
        let count = self.aliases.len();
        checks.require(count <= ALIASES_MAX, "aliases", "too_long", || {
            format!("aliases has {count} entries, allowed are up to {ALIASES_MAX}")
        });
        let aliases = self.aliases.iter().take(ALIASES_MAX).enumerate();
        let aliases =
            aliases.map(|(index, text)| checks.text(&format!("aliases[{index}]"), text, 1, NAME_CHARS_MAX)).collect();
        let (duration, lead) = (self.duration_min, self.lead_min.unwrap_or(LEAD_MIN));
        checks.require(DURATION_MIN.contains(&duration), "duration_min", "out_of_range", || {
            format!("duration_min is {duration}, allowed are 5 to 480")
        });
        checks.require(lead <= LEAD_MIN_MAX, "lead_min", "out_of_range", || {
            format!("lead_min is {lead}, allowed are 0 to {LEAD_MIN_MAX}")
        });
        clinic::check_spans(&mut checks, "hours", self.hours.as_deref().unwrap_or_default());
        checks.done()?;
        Ok(Self { name, resource, aliases, ..self })
    }
}
