//! What can be booked, free slots, and bookings (B-10).

mod booking;
mod services;

pub(crate) use booking::{confirm, hold, release};
pub use services::{bookable, create_service, replace_service, services};

use crate::app::App;
use crate::auth::May;
use crate::auth::permissions::{EditAppointments, ReadAppointments, ReadCalls};
use crate::error::{Error, ErrorCode};
use crate::events::Writing;
use crate::page::{Checks, LIMIT_DEFAULT, LIMIT_MAX, Page, cursor_of, limit_of};
use crate::{calls, clinic, clock, contacts};
use auricle_domain::Timestamp;
use auricle_domain::appointment::{Appointment, Service, Slot};
use auricle_domain::code::AppointmentStatus;
use auricle_domain::event::Event;
use auricle_domain::id::{AppointmentId, CallId, ContactId, ServiceId};
use auricle_domain::slots::{self, is_busy};
use auricle_domain::tenant::OpenSpan;
use auricle_storage::{Cursor, ReadTx, Scan, schema};
use jiff::SignedDuration;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// Days looked through for free slots, unless told.
const SLOT_DAYS: i64 = 14;
/// Days looked through for free slots at most.
const SLOT_DAYS_MAX: i64 = 92;
/// Longest appointment: nothing that begins earlier than this before an instant can still be on then.
const DURATION_MAX: SignedDuration = SignedDuration::from_mins(480);
/// Rows read at a time.
const ROWS: usize = 500;
/// Appointments that a filtered list looks at for one page; a page may end earlier, `next` goes on.
const LOOKED_AT_MAX: usize = 2_000;
/// Appointments of one call that are shown.
const OF_CALL_MAX: usize = 100;
/// Longest name of a patient, in characters.
pub(crate) const NAME_CHARS_MAX: usize = 255;
/// Longest reason, in characters.
const REASON_CHARS_MAX: usize = 1_000;

/// Appointments made in a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CallAppointments {
    /// The appointments.
    pub items: Vec<Appointment>,
}

/// A service to add, or all of a service's fields when changing.
#[derive(Clone, Debug, PartialEq, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceInput {
    /// As callers say it, 1 to 255 characters.
    pub name: String,
    /// Other words callers use for it, at most 20.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// How long it takes, 5 to 480 minutes.
    #[schema(minimum = 5, maximum = 480)]
    pub duration_min: u16,
    /// Who gives it, 1 to 255 characters; services of one resource never overlap.
    pub resource: String,
    /// When it can be had, in the clinic's zone, at most 28 spans; the clinic's opening hours unless told.
    #[serde(default)]
    pub hours: Option<Vec<OpenSpan>>,
    /// Earliest booking, minutes from now, up to 525,600 (a year); 60 unless told.
    #[serde(default)]
    pub lead_min: Option<u32>,
    /// Whether callers may book it; yes unless told.
    #[serde(default)]
    pub active: Option<bool>,
}

/// Every service of the clinic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Services {
    /// The services, by name.
    pub items: Vec<Service>,
}

/// Which free slots.
#[derive(Clone, Debug, PartialEq, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct SlotQuery {
    /// The service.
    #[param(value_type = String, format = Uuid)]
    pub service: ServiceId,
    /// Not before; now unless told.
    #[serde(default)]
    #[param(value_type = Option<String>, format = DateTime)]
    pub from: Option<Timestamp>,
    /// Not after; 14 days after `from` unless told, 92 days after it at most.
    #[serde(default)]
    #[param(value_type = Option<String>, format = DateTime)]
    pub to: Option<Timestamp>,
    /// Slots at most, 1 to 200; 50 unless told.
    #[serde(default)]
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
}

/// Free slots, earliest first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Slots {
    /// The slots.
    pub items: Vec<Slot>,
}

/// Which appointments; by start, ascending.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, utoipa::IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(deny_unknown_fields)]
pub struct AppointmentQuery {
    /// Starting at or after.
    #[serde(default)]
    #[param(value_type = Option<String>, format = DateTime)]
    pub from: Option<Timestamp>,
    /// Starting before.
    #[serde(default)]
    #[param(value_type = Option<String>, format = DateTime)]
    pub to: Option<Timestamp>,
    /// In this status alone.
    #[serde(default)]
    #[param(inline)]
    pub status: Option<AppointmentStatus>,
    /// `next` of the page before; none for the first page.
    #[serde(default)]
    pub after: Option<String>,
    /// Items of a page, 1 to 200; 50 unless told.
    #[serde(default)]
    #[param(minimum = 1, maximum = 200)]
    pub limit: Option<u32>,
}

/// A booking made by staff.
#[derive(Clone, Debug, PartialEq, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAppointment {
    /// What is booked.
    pub service: ServiceId,
    /// Begin; a free slot of the service.
    #[schema(value_type = String, format = DateTime)]
    pub start: Timestamp,
    /// For whom, 1 to 255 characters.
    pub patient_name: String,
    /// Number to ring back, up to 64 characters.
    #[serde(default)]
    pub patient_number: String,
}

/// The next status of an appointment.
#[derive(Clone, Debug, PartialEq, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AppointmentChange {
    /// Where it stands now.
    pub status: AppointmentStatus,
    /// Why, when cancelling; up to 1,000 characters.
    #[serde(default)]
    pub cancel_reason: Option<String>,
}

/// Free slots of a service, earliest first.
///
/// # Errors
/// `not_found` for an unknown service; `invalid` for a stretch that is too long.
pub fn slots(app: &App, _may: &May<ReadAppointments>, query: &SlotQuery) -> Result<Slots, Error> {
    let now = (app.clock)();
    let from = query.from.unwrap_or(now);
    let far = |days: i64| from.checked_add(SignedDuration::from_hours(24 * days)).unwrap_or(Timestamp::MAX);
    let to = query.to.unwrap_or_else(|| far(SLOT_DAYS));
    if to < from || to > far(SLOT_DAYS_MAX) {
        return Err(Error::field("to", "out_of_range", format!("to must lie 0 to {SLOT_DAYS_MAX} days after from")));
    }
    let limit = limit_of(query.limit, LIMIT_DEFAULT, LIMIT_MAX)?;
    app.store.read(|tx| Ok(Slots { items: free(tx, query.service, from, to, now, limit)? }))
}

/// Free slots of a service that begin in `from..to`, earliest first.
///
/// # Errors
/// `not_found` for an unknown service.
pub(crate) fn free(
    tx: &ReadTx,
    service: ServiceId,
    from: Timestamp,
    to: Timestamp,
    now: Timestamp,
    limit: usize,
) -> Result<Vec<Slot>, Error> {
    let service = known_service(tx, service)?;
    let clinic = clinic::known(tx)?;
    let zone = TimeZone::get(&clinic.zone).map_err(|error| Error::internal("find the clinic's time zone", &error))?;
    let taken = taken(tx, &service.resource, from, to.checked_add(DURATION_MAX).unwrap_or(to), now)?;
    Ok(slots::free(&service, &taken, &zone, (from, to), now, limit))
}

/// Appointments that keep a resource busy somewhere in `from..to`.
fn taken(
    tx: &ReadTx,
    resource: &str,
    from: Timestamp,
    to: Timestamp,
    now: Timestamp,
) -> Result<Vec<Appointment>, Error> {
    let (mut taken, mut after) = (Vec::new(), None);
    loop {
        let begin = from.checked_sub(DURATION_MAX).unwrap_or(Timestamp::MIN);
        let scan =
            Scan::index(schema::APPOINTMENTS_BY_RESOURCE).prefix(tx.lookup().resource(resource)).from(begin).to(to);
        let page = tx.scan(scan.after(after).limit(ROWS))?;
        taken.extend(page.items.into_iter().filter(|appointment| appointment.end > from && is_busy(appointment, now)));
        after = page.next;
        if after.is_none() {
            return Ok(taken);
        }
    }
}

/// Appointments by start, ascending. Held slots that have run out are left out.
///
/// # Errors
/// `invalid` for a page that cannot be.
pub fn list(app: &App, _may: &May<ReadAppointments>, query: &AppointmentQuery) -> Result<Page<Appointment>, Error> {
    let limit = limit_of(query.limit, LIMIT_DEFAULT, LIMIT_MAX)?;
    let after = cursor_of(query.after.as_deref())?;
    let now = (app.clock)();
    let (items, next) = app.store.read(|tx| matching(tx, query, after, limit, now))?;
    Ok(Page { items, next: next.map(|next| next.to_string()) })
}

fn matching(
    tx: &ReadTx,
    query: &AppointmentQuery,
    mut after: Option<Cursor>,
    limit: usize,
    now: Timestamp,
) -> Result<(Vec<Appointment>, Option<Cursor>), Error> {
    let wanted = |appointment: &Appointment| {
        let is_over = appointment.status == AppointmentStatus::Proposed && !is_busy(appointment, now);
        !is_over && query.status.is_none_or(|status| appointment.status == status)
    };
    let (mut found, mut looked_at) = (Vec::new(), 0);
    loop {
        let mut scan = Scan::index(schema::APPOINTMENTS_BY_START).after(after).limit(limit - found.len());
        if let Some(from) = query.from {
            scan = scan.from(from);
        }
        if let Some(to) = query.to {
            scan = scan.to(to);
        }
        let page = tx.scan(scan)?;
        looked_at += page.items.len();
        found.extend(page.items.into_iter().filter(wanted));
        after = page.next;
        if after.is_none() || found.len() >= limit || looked_at >= LOOKED_AT_MAX {
            return Ok((found, after));
        }
    }
}

/// Appointments made in a call.
///
/// # Errors
/// `not_found`.
pub fn of_call(app: &App, _may: &May<ReadCalls>, call: CallId) -> Result<CallAppointments, Error> {
    app.store.read(|tx| {
        calls::known(tx, call)?;
        let scan = Scan::index(schema::APPOINTMENTS_BY_CALL).prefix(call).limit(OF_CALL_MAX);
        Ok(CallAppointments { items: tx.scan(scan)?.items })
    })
}

/// One appointment; that it was read is noted.
///
/// # Errors
/// `not_found`.
pub async fn get(app: &App, may: &May<ReadAppointments>, id: AppointmentId) -> Result<Appointment, Error> {
    let appointment = app.store.read(|tx| known(tx, id))?;
    app.events.record_read(may.reading(), "appointment", id).await?;
    Ok(appointment)
}

/// Books a free slot for a patient who asked a person.
///
/// # Errors
/// `invalid`, `not_found` for an unknown service, `slot_taken`.
pub async fn book(
    app: &App,
    may: &May<EditAppointments>,
    key: Option<&str>,
    input: NewAppointment,
) -> Result<Appointment, Error> {
    let mut checks = Checks::default();
    let name = checks.text("patient_name", &input.patient_name, 1, NAME_CHARS_MAX);
    let number = checks.text("patient_number", &input.patient_number, 0, contacts::NUMBER_CHARS_MAX);
    checks.done()?;
    let now = (app.clock)();
    let (id, contact) = (clock::fresh(AppointmentId::new, now), clock::fresh(ContactId::new, now));
    let booked = app.events.commit(may.op("appointment.book", key), may.by(), move |tx| {
        let (service, slot) = offered(tx, input.service, input.start, now)?;
        let contact = contacts::with_number(tx, contact, &name, &number)?.map(|contact| contact.id);
        let appointment = Appointment {
            status: AppointmentStatus::Booked,
            contact,
            patient_name: name.clone(),
            patient_number: number.clone(),
            ..fresh(id, &service, &slot, now)
        };
        put(tx, appointment)
    });
    booked.await
}

/// The slot that begins at `start`, if it is free.
fn offered(tx: &ReadTx, service: ServiceId, start: Timestamp, now: Timestamp) -> Result<(Service, Slot), Error> {
    let found = known_service(tx, service)?;
    let slot = free(tx, service, start, start + SignedDuration::from_secs(1), now, 1)?
        .into_iter()
        .find(|slot| slot.start == start);
    match slot {
        Some(slot) => Ok((found, slot)),
        None => Err(Error::new(ErrorCode::SlotTaken, "The slot is taken, or it is none that this service offers")),
    }
}

fn fresh(id: AppointmentId, service: &Service, slot: &Slot, created_at: Timestamp) -> Appointment {
    Appointment {
        id,
        service: service.id,
        service_name: service.name.clone(),
        resource: slot.resource.clone(),
        start: slot.start,
        end: slot.end,
        status: AppointmentStatus::Proposed,
        held_until: None,
        contact: None,
        patient_name: String::new(),
        patient_number: String::new(),
        call: None,
        conversation: None,
        cancel_reason: None,
        created_at,
        version: 0,
    }
}

/// Moves an appointment to its next status.
///
/// # Errors
/// `not_found`, `stale`, `invalid`; `conflict` for a step that is not possible, `slot_taken` when it cannot be booked again.
pub async fn change(
    app: &App,
    may: &May<EditAppointments>,
    id: AppointmentId,
    version: u64,
    change: AppointmentChange,
) -> Result<Appointment, Error> {
    let mut checks = Checks::default();
    let reason = checks.text("cancel_reason", change.cancel_reason.as_deref().unwrap_or_default(), 0, REASON_CHARS_MAX);
    let cancels = change.status == AppointmentStatus::Cancelled;
    checks.require(cancels || reason.is_empty(), "cancel_reason", "unknown", || {
        "cancel_reason goes with status cancelled only".to_owned()
    });
    checks.done()?;
    let now = (app.clock)();
    let changed = app.events.commit(clock::op(), may.by(), move |tx| {
        let mut appointment = known(tx, id)?;
        if appointment.version != version {
            return Err(Error::stale("appointment", version, appointment.version));
        }
        if !is_step(appointment.status, change.status) {
            let detail = format!("The appointment is {}: it cannot become {}", appointment.status, change.status);
            return Err(Error::new(ErrorCode::Conflict, detail));
        }
        if change.status == AppointmentStatus::Booked {
            overlaps_none(tx, &appointment, now)?;
        }
        appointment.status = change.status;
        appointment.held_until = None;
        appointment.cancel_reason = (cancels && !reason.is_empty()).then(|| reason.clone());
        put(tx, appointment)
    });
    changed.await
}

/// The steps an appointment can take. Whoever was taken for absent may still come; a cancelled one may be booked again.
fn is_step(from: AppointmentStatus, to: AppointmentStatus) -> bool {
    use AppointmentStatus::{Arrived, Booked, Cancelled, Fulfilled, Noshow, Proposed};
    matches!(
        (from, to),
        (Proposed, Booked | Cancelled)
            | (Booked, Arrived | Fulfilled | Cancelled | Noshow)
            | (Arrived, Booked | Fulfilled | Cancelled)
            | (Noshow, Booked | Arrived)
            | (Cancelled | Fulfilled, Booked)
    )
}

/// Refuses when another appointment keeps the resource busy at that time.
fn overlaps_none(tx: &ReadTx, appointment: &Appointment, now: Timestamp) -> Result<(), Error> {
    let taken = taken(tx, &appointment.resource, appointment.start, appointment.end, now)?;
    if taken.iter().all(|other| other.id == appointment.id) {
        return Ok(());
    }
    Err(Error::new(ErrorCode::SlotTaken, "Another appointment has this time by now"))
}

fn known(tx: &ReadTx, id: AppointmentId) -> Result<Appointment, Error> {
    tx.get(&id)?.ok_or_else(|| Error::not_found("appointment"))
}

fn known_service(tx: &ReadTx, id: ServiceId) -> Result<Service, Error> {
    tx.get(&id)?.ok_or_else(|| Error::not_found("service"))
}

fn put(tx: &mut Writing<'_>, mut appointment: Appointment) -> Result<Appointment, Error> {
    appointment.version += 1;
    tx.put(&appointment)?;
    tx.event(Event::AppointmentChanged {
        appointment: appointment.id,
        status: appointment.status,
        call: appointment.call,
    });
    Ok(appointment)
}
