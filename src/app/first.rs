//! The first start: a clinic with default settings.

use crate::clock;
use crate::error::Error;
use crate::events::{By, Events};
use auricle_domain::Timestamp;
use auricle_domain::account::Actor;
use auricle_domain::code::{AccessReasons, Lang};
use auricle_domain::event::Event;
use auricle_domain::id::CauseId;
use auricle_domain::tenant::{OpenSpan, RECEPTIONIST, Tenant, WeekHours};
use auricle_storage::Store;
use jiff::tz::TimeZone;

/// Makes the clinic where there is none.
pub(super) async fn make_clinic(store: &Store, events: &Events, now: Timestamp) -> Result<(), Error> {
    if store.read(|tx| tx.get::<Tenant>(&tx.tenant()))?.is_some() {
        return Ok(());
    }
    let by = By { actor: Actor::System, cause: clock::fresh(CauseId::new, now) };
    let zone = TimeZone::system().iana_name().unwrap_or("Etc/UTC").to_owned();
    let made = events.commit(clock::op(), by, move |tx| {
        let tenant = Tenant {
            id: tx.tenant(),
            name: "The clinic".to_owned(),
            country: "GB".to_owned(),
            zone: zone.clone(),
            languages: vec![Lang::En],
            hours: weekdays(9 * 60, 17 * 60),
            record_calls: true,
            receptionist: RECEPTIONIST.to_owned(),
            access_reasons: AccessReasons::Off,
            version: 1,
        };
        tx.put(&tenant)?;
        tx.event(Event::TenantChanged { version: tenant.version });
        Ok(())
    });
    tracing::info!(cause = %by.cause, "the first start: a clinic with default settings is made");
    made.await
}

/// Monday to Friday, the same hours.
fn weekdays(from_minute: u16, to_minute: u16) -> WeekHours {
    WeekHours { open: (1..=5).map(|weekday| OpenSpan { weekday, from_minute, to_minute }).collect() }
}
