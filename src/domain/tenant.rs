//! The clinic itself: what it is called, where it is, when it is open, what it speaks.

use crate::code::{AccessReasons, Lang};
use crate::id::TenantId;
use serde::{Deserialize, Serialize};

/// The clinic. There is one per box in the normal case; every storage key starts with its id.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Tenant {
    /// Identity.
    pub id: TenantId,
    /// As the receptionist says it, 1 to 255 characters.
    pub name: String,
    /// ISO 3166-1 alpha-2, upper case: decides the emergency number.
    pub country: String,
    /// IANA time zone: opening hours and appointments are meant in it.
    pub zone: String,
    /// Languages the clinic serves, the first is the one it answers in.
    pub languages: Vec<Lang>,
    /// Opening hours.
    pub hours: WeekHours,
    /// Whether calls are recorded (with notice).
    pub record_calls: bool,
    /// What the AI receptionist calls itself in the greeting, 1 to 40 characters.
    #[serde(default = "receptionist")]
    pub receptionist: String,
    /// Of which past calls a reader must say why they open them; never of those that they handled themselves.
    #[serde(default = "no_reasons")]
    pub access_reasons: AccessReasons,
    /// Grows by one with every change; `If-Match` names it.
    pub version: u64,
}

/// The receptionist's name until the clinic chooses another.
pub const RECEPTIONIST: &str = "Sarah";

/// Records of before there was a choice have none.
fn receptionist() -> String {
    RECEPTIONIST.to_owned()
}

/// Nobody was asked before there was a choice.
fn no_reasons() -> AccessReasons {
    AccessReasons::Off
}

/// Opening hours of a week in the clinic's zone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct WeekHours {
    /// Spans of opening, at most 28 (four a day).
    pub open: Vec<OpenSpan>,
}

/// One span of opening on one weekday.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct OpenSpan {
    /// 1 is Monday, 7 is Sunday (ISO 8601).
    pub weekday: u8,
    /// Minutes after midnight, 0 to 1439.
    pub from_minute: u16,
    /// Minutes after midnight, above `from_minute`, up to 1440.
    pub to_minute: u16,
}
