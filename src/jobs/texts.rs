//! Confirms bookings by text message: a follower of the feed.

use crate::app::App;
use crate::carriers::twilio;
use crate::clock;
use crate::error::Error;
use crate::texts;
use auricle_domain::code::{AppointmentStatus, CarrierKind};
use auricle_domain::event::{Envelope, Event};
use jiff::SignedDuration;
use std::sync::Arc;
use std::time::Duration;

/// Its name among the followers.
const NAME: &str = "texts";
/// Events of one batch.
const BATCH: usize = 200;
/// A booking that is older than this is not confirmed any more: the service was down, or the switch was off.
const AGE_MAX: SignedDuration = SignedDuration::from_hours(1);
/// Wait after a failure.
const RETRY_AFTER: Duration = Duration::from_secs(5);

/// Follows the feed until it is told to stop.
pub async fn run(app: Arc<App>) {
    let stop = app.tasks.stop_token();
    let mut head = app.store.watch();
    if let Err(error) = texts::recover(&app).await {
        tracing::error!(%error, "text messages of before the start could not be looked after");
    }
    while !stop.is_cancelled() {
        head.mark_unchanged();
        let failed = match follow(&app).await {
            Ok(true) => continue,
            Ok(false) => false,
            Err(error) => {
                tracing::error!(%error, "bookings could not be confirmed by text message; it is tried again");
                true
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(RETRY_AFTER), if failed => {}
            changed = head.changed(), if !failed => if changed.is_err() { return },
        }
    }
}

/// Looks at the next events. Whether there may be more.
async fn follow(app: &App) -> Result<bool, Error> {
    let after = app.store.cursor(NAME)?;
    let batch = app.store.feed(after, BATCH)?;
    let Some(last) = batch.last().map(|envelope| envelope.seq) else { return Ok(false) };
    let (now, mut of_interest) = (app.events.now(), false);
    for envelope in &batch {
        if let Some(id) = booked(envelope) {
            of_interest = true;
            if now.duration_since(envelope.at) <= AGE_MAX
                && let Some(text) = texts::confirm(app, envelope.cause, id).await?
            {
                let news = match text.carrier {
                    CarrierKind::Twilio => twilio::texts::send(app, &text).await,
                    // No number of an account with Telnyx can be chosen for them.
                    CarrierKind::Telnyx => continue,
                };
                texts::note(&app.events, clock::op(), text.id, news).await?;
            }
        }
    }
    // Writing where it is costs a sync of the disk: what is of no interest is looked at again after a restart.
    if of_interest || batch.len() == BATCH {
        app.store.set_cursor(NAME, last).await?;
        return Ok(true);
    }
    Ok(false)
}

/// The appointment that a caller has booked.
fn booked(envelope: &Envelope) -> Option<auricle_domain::id::AppointmentId> {
    match envelope.event {
        Event::AppointmentChanged { appointment, status: AppointmentStatus::Booked, call: Some(_) } => {
            Some(appointment)
        }
        _ => None,
    }
}
