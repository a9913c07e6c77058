//! Sources that guess the passwords of phones: who is not heard, until when, and hearing them again.

use crate::app::App;
use crate::auth::{May, permissions::EditPhones};
use crate::clock;
use crate::error::Error;
use auricle_domain::Timestamp;
use auricle_domain::ban::Bans;
use auricle_domain::event::Event;
use auricle_media::io::Command;
use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// How long lifting waits for the media thread to carry it out.
const LIFTED_MAX: Duration = Duration::from_secs(2);

/// A source that is not heard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Ban {
    /// Its address.
    #[schema(value_type = String)]
    pub source: IpAddr,
    /// When it is heard again.
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
}

/// All sources that are not heard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct BanList {
    /// The sources, by address; 4,096 at most.
    pub items: Vec<Ban>,
}

/// Sources that have guessed passwords of phones and are not heard now.
pub fn bans(app: &App, _may: &May<EditPhones>) -> BanList {
    let (at, now) = (Instant::now(), (app.clock)());
    let until = |until: Instant| {
        let left = SignedDuration::try_from(until.saturating_duration_since(at)).unwrap_or(SignedDuration::MAX);
        now.saturating_add(left).unwrap_or(now)
    };
    let items = app.voice.bans().now(at).into_iter().map(|(source, end)| Ban { source, until: until(end) });
    BanList { items: items.collect() }
}

/// Hears a source again, before its time is up.
///
/// # Errors
/// `not_found` when it is not banned; when the media thread cannot be told.
pub async fn lift_ban(app: &App, may: &May<EditPhones>, source: IpAddr) -> Result<(), Error> {
    let mut changes = app.voice.bans().watch();
    if !app.voice.bans().now(Instant::now()).contains_key(&source) {
        return Err(Error::not_found("ban"));
    }
    let written = app.events.commit(clock::op(), may.by(), move |tx| {
        // At once, so that no restart brings it back.
        if let Some(mut kept) = tx.get::<Bans>(&())? {
            kept.sources.retain(|ban| ban.source != source);
            tx.put(&kept)?;
        }
        tx.event(Event::SourceHeard { source: source.to_string() });
        Ok(())
    });
    written.await?;
    let told = app.voice.send(Command::Unban { source });
    told.map_err(|error| Error::internal("tell the engine to hear a source again", &error))?;
    let lifted = changes.wait_for(|sources| !sources.contains_key(&source));
    if !matches!(tokio::time::timeout(LIFTED_MAX, lifted).await, Ok(Ok(_))) {
        tracing::warn!("the media thread has not lifted a ban yet");
    }
    Ok(())
}
