//! The first start: a clinic with default settings, and a certificate of its own.

use super::StartError;
use crate::clock;
use crate::error::Error;
use crate::events::{By, Events};
use crate::voice::certificate;
use auricle_domain::Timestamp;
use auricle_domain::account::Actor;
use auricle_domain::certificate::SipCertificate;
use auricle_domain::code::{AccessReasons, Lang};
use auricle_domain::event::Event;
use auricle_domain::id::CauseId;
use auricle_domain::tenant::{OpenSpan, RECEPTIONIST, Tenant, WeekHours};
use auricle_storage::Store;
use jiff::tz::TimeZone;
use std::path::Path;

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

/// The clinic's own certificate for SIP over TLS: the one in the store; at the first start one that is made now, or the one that a
/// program of before has kept in a file beside the store's folder, which is removed once it is in the store.
pub(super) async fn certificate(
    store: &Store,
    events: &Events,
    directory: &Path,
    names: &[String],
) -> Result<SipCertificate, StartError> {
    let (file, now) = (certificate::path_beside(directory), events.now());
    let kept = match store.read(|tx| tx.get::<SipCertificate>(&())).map_err(Error::from)? {
        Some(kept) => kept,
        None => {
            let fresh = match certificate::taken_in(&file, now)? {
                Some(before) => before,
                None => certificate::made(names, now)?,
            };
            let by = By { actor: Actor::System, cause: clock::fresh(CauseId::new, now) };
            let written = fresh.clone();
            let committed = events.commit(clock::op(), by, move |tx| {
                tx.put(&written)?;
                tx.event(Event::SipCertificateKept { fingerprint: written.fingerprint.clone() });
                Ok(())
            });
            committed.await?;
            fresh
        }
    };
    // Only what is in the store is removed, and never what somebody has put there since.
    let is_same = |found: &SipCertificate| (&found.certificate, &found.key) == (&kept.certificate, &kept.key);
    if certificate::taken_in(&file, now).is_ok_and(|found| found.as_ref().is_some_and(is_same))
        && let Err(error) = std::fs::remove_file(&file)
    {
        tracing::warn!(path = %file.display(), %error, "the certificate is in the store, and its file could not be removed");
    }
    Ok(kept)
}

/// Monday to Friday, the same hours.
fn weekdays(from_minute: u16, to_minute: u16) -> WeekHours {
    WeekHours { open: (1..=5).map(|weekday| OpenSpan { weekday, from_minute, to_minute }).collect() }
}
