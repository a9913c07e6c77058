//! What can be booked, free slots, and bookings (B-10).

use auricle_domain::Timestamp;
use auricle_domain::appointment::{Service, Slot};
use auricle_domain::code::AppointmentStatus;
use auricle_domain::id::ServiceId;
use auricle_domain::tenant::OpenSpan;
use serde::{Deserialize, Serialize};

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
