//! What can be booked, and bookings.

use crate::Timestamp;
use crate::code::AppointmentStatus;
use crate::id::{AppointmentId, CallId, ContactId, ConversationId, ServiceId};
use crate::tenant::OpenSpan;
use serde::{Deserialize, Serialize};

/// Something that can be booked. One resource (a room, a clinician) gives it, one patient at a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Service {
    /// Identity.
    pub id: ServiceId,
    /// As callers say it, 1 to 255 characters.
    pub name: String,
    /// Other words callers use for it, at most 20.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// How long it takes, 5 to 480 minutes; slots start at multiples of it after opening.
    pub duration_min: u16,
    /// Who gives it; services of one resource never overlap.
    pub resource: String,
    /// When it can be had, in the clinic's zone.
    pub hours: Vec<OpenSpan>,
    /// Earliest booking, minutes from now.
    pub lead_min: u32,
    /// Whether callers may book it.
    pub active: bool,
    /// Grows by one with every change.
    pub version: u64,
}

/// A booking of a contact for a service.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Appointment {
    /// Identity.
    pub id: AppointmentId,
    /// What was booked.
    pub service: ServiceId,
    /// Its name at that time.
    pub service_name: String,
    /// Who gives it.
    pub resource: String,
    /// Begin.
    #[schema(value_type = String, format = DateTime)]
    pub start: Timestamp,
    /// End.
    #[schema(value_type = String, format = DateTime)]
    pub end: Timestamp,
    /// Where it stands.
    pub status: AppointmentStatus,
    /// A held slot is free again after this instant (B-10: 120 s).
    #[schema(value_type = Option<String>, format = DateTime)]
    pub held_until: Option<Timestamp>,
    /// For whom, once known.
    pub contact: Option<ContactId>,
    /// Name as said, for the list.
    #[serde(default)]
    pub patient_name: String,
    /// Number to ring back.
    #[serde(default)]
    pub patient_number: String,
    /// The call it was booked in.
    pub call: Option<CallId>,
    /// The conversation it was booked in: a conversation books a slot once.
    pub conversation: Option<ConversationId>,
    /// Why it was cancelled.
    #[serde(default)]
    pub cancel_reason: Option<String>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// Grows by one with every change.
    pub version: u64,
}

/// A free, bookable time of a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Slot {
    /// The service.
    pub service: ServiceId,
    /// Who gives it.
    pub resource: String,
    /// Begin.
    #[schema(value_type = String, format = DateTime)]
    pub start: Timestamp,
    /// End.
    #[schema(value_type = String, format = DateTime)]
    pub end: Timestamp,
}
