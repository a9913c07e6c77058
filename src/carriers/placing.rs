//! Calls that carriers place: asked for by the floor, carried by the carrier's own file.
//!
//! A carrier is asked once, as a call that is asked for twice rings twice. Where its answer is lost it is waited for a moment whether the
//! carrier tells how the call fares; a call that nobody wants any more by then is ended as soon as the carrier speaks of it.

use super::line::{self, LineEnd, NotTaken, Reach, Recall};
use super::taken::Taken;
use super::{telnyx, twilio};
use crate::app::App;
use crate::clock;
use crate::error::Error;
use crate::events::By;
use crate::voice::carrierbook::Placement;
use auricle_domain::account::Actor;
use auricle_domain::call::Call;
use auricle_domain::code::{AnsweredBy, CarrierKind};
use auricle_domain::conversation::Conversation;
use auricle_domain::floor::Fact;
use auricle_domain::id::{CallId, CauseId};
use auricle_media::io::Codec;
use std::sync::Arc;
use tokio::sync::mpsc;
use tracing::Instrument;

/// Places calls until nobody wants any more, or the service stops.
pub async fn run(app: Arc<App>, mut wanted: mpsc::Receiver<Placement>) {
    let stop = app.tasks.stop_token();
    loop {
        let placement = tokio::select! {
            placement = wanted.recv() => placement,
            () = stop.cancelled() => None,
        };
        let Some(placement) = placement else { return };
        let span = tracing::info_span!("carrier_call", call = %placement.call);
        app.tasks.spawn("carrier_call", place(Arc::clone(&app), placement).instrument(span));
    }
}

/// One call, from its leg to its end.
async fn place(app: Arc<App>, placement: Placement) {
    let presses = placement.carrier == CarrierKind::Telnyx;
    let attached = app.voice.attach_dialled(placement.tag, codec(placement.carrier), presses, placement.is_emergency);
    let leg = match attached.await {
        Ok(leg) => leg,
        Err(error) => return tracing::error!(%error, "a call that a carrier is to place could not be given a leg"),
    };
    // Without a word from us its leg has failed.
    let Some(placing) = app.carriers.lines.place() else {
        return tracing::error!("too many calls are being placed by carriers");
    };
    let asking = ask(&app, &placement, &placing.name, &placing.ticket);
    let name = placing.name.clone();
    let keys = presses.then(|| telnyx::keys(&app, move |app| app.carriers.lines.call_of(&name)));
    let reach = Reach { recall: recall(&app, placement.carrier, &placing.name), keys };
    let end = line::place(leg, asking, placing.news, reach).await;
    let call = app.carriers.lines.close_placed(&placing.name);
    if let (LineEnd::Ours, Some(call)) = (end, call) {
        match placement.carrier {
            CarrierKind::Twilio => twilio::end_call(&app, &call).await,
            CarrierKind::Telnyx => telnyx::hang_up(&app, &call).await,
        }
    }
}

/// How another socket of the call is asked for.
fn recall(app: &Arc<App>, carrier: CarrierKind, name: &str) -> Recall {
    let (app, name) = (Arc::clone(app), name.to_owned());
    Box::new(move || {
        let (app, call) = (Arc::clone(&app), app.carriers.lines.call_of(&name));
        Box::pin(async move {
            let Some(call) = call else { return };
            match carrier {
                CarrierKind::Twilio => twilio::recall(&app, &call).await,
                CarrierKind::Telnyx => telnyx::recall(&app, &call, codec(carrier)).await,
            }
        })
    })
}

/// What a carrier speaks on its sockets.
fn codec(carrier: CarrierKind) -> Codec {
    match carrier {
        CarrierKind::Twilio => Codec::Pcmu,
        CarrierKind::Telnyx => telnyx::calls::CODEC,
    }
}

/// Asks the carrier for the call.
async fn ask(app: &App, placement: &Placement, name: &str, ticket: &str) -> Result<(), NotTaken> {
    let call = match placement.carrier {
        CarrierKind::Twilio => twilio::calls::place(app, placement, name, ticket).await?,
        CarrierKind::Telnyx => telnyx::calls::place(app, placement, name, ticket).await?,
    };
    app.carriers.lines.named(name, &call);
    Ok(())
}

/// A carrier has found out who answered a call that it placed. That is a fact of the call, also when it comes after the end.
///
/// # Errors
/// When the store cannot be reached. A call that there is not is no error: nothing happens.
pub(super) async fn answered_by(
    app: &App,
    told: Taken,
    (call, line): (CallId, usize),
    by: AnsweredBy,
) -> Result<(), Error> {
    let now = app.events.now();
    let cause = clock::fresh(CauseId::new, now);
    let written = app.events.commit(told.op(), By { actor: Actor::System, cause }, move |tx| {
        let Some(mut record) = tx.get::<Call>(&call)? else { return Ok(()) };
        let Some(mut conversation) = tx.get::<Conversation>(&record.conversation)? else { return Ok(()) };
        let applied = Fact::AnsweredBy { index: line, by }.apply(&mut record, &mut conversation, now);
        if !applied.events.is_empty() {
            tx.put(&record)?;
            applied.events.into_iter().for_each(|event| tx.event(event));
        }
        Ok(())
    });
    written.await
}
