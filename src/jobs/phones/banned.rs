//! Sources that are not heard, over a restart: what is left of their time is written down, and told to the next engine.

use super::Parts;
use super::both::Both;
use crate::clock;
use crate::error::Error;
use crate::events::By;
use auricle_domain::Timestamp;
use auricle_domain::account::Actor;
use auricle_domain::ban::{Ban, Bans};
use auricle_domain::event::Event;
use auricle_domain::id::CauseId;
use auricle_media::io::Command;
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Instant;

/// Who was not heard when that was written down last, and until when.
#[derive(Default)]
pub(super) struct Banned(BTreeMap<IpAddr, Instant>);

impl Banned {
    /// Tells the engine who was not heard when that was written down last, and whose time is not over.
    pub(super) async fn begin(&mut self, parts: &Parts, now: Timestamp) -> Result<(), Error> {
        let failed = |error| Error::internal("tell the engine whom not to hear", &error);
        let (kept, both) = (parts.store.read(|tx| tx.get::<Bans>(&()))?.unwrap_or_default(), Both::now(now));
        let bans: Vec<_> = kept.standing(now).map(|ban| (ban.source, both.instant_of(ban.until))).collect();
        parts.voice.send(Command::Bans(bans.clone())).map_err(failed)?;
        parts.voice.caught_up().await.map_err(failed)?;
        // Whom the engine spares by now is not among them; who was banned meanwhile has still to be written down.
        self.0 = parts.voice.bans().now(Instant::now());
        self.0.retain(|source, _| bans.iter().any(|(known, _)| known == source));
        Ok(())
    }

    /// Writes down who is not heard, as far as that is news.
    pub(super) async fn write(&mut self, parts: &Parts, now: Timestamp) -> Result<(), Error> {
        let both = Both::now(now);
        let banned = parts.voice.bans().now(both.instant);
        if banned == self.0 {
            return Ok(());
        }
        let fresh = banned.iter().filter(|(source, until)| self.0.get(source) != Some(until));
        let fresh: Vec<String> = fresh.map(|(source, _)| source.to_string()).collect();
        let all = banned.iter().map(|(source, until)| Ban { source: *source, until: both.time_of(*until) });
        let (all, cause) = (Bans::of(all), clock::fresh(CauseId::new, now));
        let written = parts.events.commit(clock::op(), By { actor: Actor::System, cause }, move |tx| {
            tx.put(&all)?;
            fresh.iter().for_each(|source| tx.event(Event::SourceBanned { source: source.clone() }));
            Ok(())
        });
        written.await?;
        self.0 = banned;
        Ok(())
    }
}
