//! Free slots of a service: opening hours of the service, minus what its resource is busy with, not sooner than its lead
//! time, in the clinic's zone (summer time included).

use crate::Timestamp;
use crate::appointment::{Appointment, Service, Slot};
use crate::code::AppointmentStatus;
use jiff::ToSpan;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// Days that one search looks at, at most.
pub const DAYS_MAX: usize = 92;

/// Whether an appointment keeps its resource busy at `now`: a hold does so until it runs out.
pub fn is_busy(appointment: &Appointment, now: Timestamp) -> bool {
    match appointment.status {
        AppointmentStatus::Proposed => appointment.held_until.is_some_and(|until| until > now),
        AppointmentStatus::Booked | AppointmentStatus::Arrived | AppointmentStatus::Fulfilled => true,
        AppointmentStatus::Cancelled | AppointmentStatus::Noshow => false,
    }
}

/// Free slots that begin in `from..to`, earliest first, at most `limit`. `taken` are appointments of any resource.
pub fn free(
    service: &Service,
    taken: &[Appointment],
    zone: &TimeZone,
    (from, to): (Timestamp, Timestamp),
    now: Timestamp,
    limit: usize,
) -> Vec<Slot> {
    let busy: Vec<(Timestamp, Timestamp)> = taken
        .iter()
        .filter(|appointment| appointment.resource == service.resource && is_busy(appointment, now))
        .map(|appointment| (appointment.start, appointment.end))
        .collect();
    let earliest = now.checked_add(i64::from(service.lead_min).minutes()).unwrap_or(now).max(from);
    let mut out = Vec::new();
    let mut date = earliest.to_zoned(zone.clone()).date();
    for _ in 0..DAYS_MAX {
        for slot in of_day(service, date, zone) {
            if slot.start >= to || out.len() >= limit {
                return out;
            }
            let clear = busy.iter().all(|(start, end)| *end <= slot.start || *start >= slot.end);
            if slot.start >= earliest && clear {
                out.push(slot);
            }
        }
        let Ok(next) = date.checked_add(1.day()) else { return out };
        date = next;
    }
    out
}

/// Every slot that a service has on a day, free or not, in order. An hour that summer time skips has none.
pub fn of_day(service: &Service, date: Date, zone: &TimeZone) -> Vec<Slot> {
    let weekday = u8::try_from(date.weekday().to_monday_one_offset()).unwrap_or(0);
    let length = service.duration_min.max(1);
    let mut spans: Vec<_> = service.hours.iter().filter(|span| span.weekday == weekday).collect();
    spans.sort_by_key(|span| span.from_minute);
    let mut out: Vec<Slot> = Vec::new();
    for span in spans {
        let mut minute = span.from_minute;
        while minute.saturating_add(length) <= span.to_minute.min(1_440) {
            if let Some(start) = instant(date, minute, zone)
                && let Ok(end) = start.checked_add(i64::from(length).minutes())
                && out.last().is_none_or(|last| last.end <= start)
            {
                out.push(Slot { service: service.id, resource: service.resource.clone(), start, end });
            }
            minute += length;
        }
    }
    out
}

/// None where the clock shows no such time that day.
fn instant(date: Date, minute: u16, zone: &TimeZone) -> Option<Timestamp> {
    let time = date.at(i8::try_from(minute / 60).ok()?, i8::try_from(minute % 60).ok()?, 0, 0);
    let zoned = time.to_zoned(zone.clone()).ok()?;
    (zoned.datetime() == time).then(|| zoned.timestamp())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::id::{AppointmentId, ServiceId};
    use crate::tenant::OpenSpan;

    fn service(hours: &[(u8, u16, u16)], duration_min: u16) -> Service {
        Service {
            id: ServiceId::new(Timestamp::UNIX_EPOCH, [1; 10]),
            name: "Consultation".to_owned(),
            aliases: Vec::new(),
            duration_min,
            resource: "Room 1".to_owned(),
            hours: hours
                .iter()
                .map(|&(weekday, from_minute, to_minute)| OpenSpan { weekday, from_minute, to_minute })
                .collect(),
            lead_min: 60,
            active: true,
            version: 1,
        }
    }

    fn busy(start: &str, end: &str, status: AppointmentStatus, held_until: Option<&str>) -> Appointment {
        Appointment {
            id: AppointmentId::new(Timestamp::UNIX_EPOCH, [2; 10]),
            service: ServiceId::new(Timestamp::UNIX_EPOCH, [9; 10]),
            service_name: "Other".to_owned(),
            resource: "Room 1".to_owned(),
            start: start.parse().unwrap(),
            end: end.parse().unwrap(),
            status,
            held_until: held_until.map(|at| at.parse().unwrap()),
            contact: None,
            patient_name: String::new(),
            patient_number: String::new(),
            call: None,
            conversation: None,
            cancel_reason: None,
            created_at: Timestamp::UNIX_EPOCH,
            version: 1,
        }
    }

    fn starts(service: &Service, taken: &[Appointment], zone: &str, range: (&str, &str), now: &str) -> Vec<String> {
        let zone = TimeZone::get(zone).unwrap();
        let range = (range.0.parse().unwrap(), range.1.parse().unwrap());
        free(service, taken, &zone, range, now.parse().unwrap(), 20).iter().map(|slot| slot.start.to_string()).collect()
    }

    #[test]
    fn slots_fill_the_hours_around_what_is_taken() {
        let service = service(&[(2, 540, 720)], 60);
        let taken = [
            busy("2026-11-24T10:00:00Z", "2026-11-24T11:00:00Z", AppointmentStatus::Booked, None),
            busy("2026-11-24T09:00:00Z", "2026-11-24T10:00:00Z", AppointmentStatus::Cancelled, None),
        ];
        let range = ("2026-11-20T00:00:00Z", "2026-11-28T00:00:00Z");
        assert_eq!(
            starts(&service, &taken, "Europe/London", range, "2026-11-20T12:00:00Z"),
            ["2026-11-24T09:00:00Z", "2026-11-24T11:00:00Z"]
        );
    }

    /// B-10
    #[test]
    fn a_hold_keeps_a_slot_until_it_runs_out() {
        let service = service(&[(2, 540, 600)], 60);
        let held = [busy(
            "2026-11-24T09:00:00Z",
            "2026-11-24T10:00:00Z",
            AppointmentStatus::Proposed,
            Some("2026-11-20T12:02:00Z"),
        )];
        let range = ("2026-11-20T00:00:00Z", "2026-11-28T00:00:00Z");
        assert!(starts(&service, &held, "Europe/London", range, "2026-11-20T12:01:00Z").is_empty());
        assert_eq!(starts(&service, &held, "Europe/London", range, "2026-11-20T12:02:00Z").len(), 1);
    }

    #[test]
    fn lead_time_counts_from_now() {
        let service = service(&[(5, 720, 960)], 60);
        let range = ("2026-11-20T00:00:00Z", "2026-11-21T00:00:00Z");
        assert_eq!(
            starts(&service, &[], "Europe/London", range, "2026-11-20T12:30:00Z"),
            ["2026-11-20T14:00:00Z", "2026-11-20T15:00:00Z"]
        );
    }

    #[test]
    fn summer_time_moves_instants_and_skips_the_missing_hour() {
        // Sunday, 28 March 2027: clocks in London go from 01:00 to 02:00.
        let service = service(&[(7, 0, 240)], 60);
        let range = ("2027-03-28T00:00:00Z", "2027-03-28T12:00:00Z");
        assert_eq!(
            starts(&service, &[], "Europe/London", range, "2027-03-01T00:00:00Z"),
            ["2027-03-28T00:00:00Z", "2027-03-28T01:00:00Z", "2027-03-28T02:00:00Z"]
        );
    }
}
