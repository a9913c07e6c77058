//! Receptionists at work: started, told what their leg does, silenced, and followed by an apology when they fail.

use super::news::leg_of;
use super::shell::Shell;
use crate::voice::receptionist::{Brief, attend};
use auricle_domain::floor::{Assignment, Input};
use auricle_domain::id::CallId;
use auricle_media::io::{Command, EngineEvent, LegId, Pcm, PlayId};
use tokio::sync::mpsc;
use tokio::task::AbortHandle;
use tracing::Instrument;

/// Engine events that wait for one receptionist: about ten seconds of them. One that is further behind has failed.
const LEG_EVENTS_MAX: usize = 256;

/// A receptionist at work, as the shell sees it.
pub(super) struct Receptionist {
    events: mpsc::Sender<EngineEvent>,
    pub(super) abort: AbortHandle,
}

impl Shell {
    /// Starts a receptionist and watches over it: however it ends, the machine hears of it.
    pub(super) fn attend(&mut self, assignment: Assignment) {
        let Some(line) = self.lines.get_mut(&assignment.call) else { return };
        let (call, cause, shift) = (assignment.call, assignment.cause, assignment.shift);
        let (events, stream) = mpsc::channel(LEG_EVENTS_MAX);
        let brief = Brief {
            call,
            conversation: assignment.conversation,
            leg: LegId(assignment.leg.0),
            from: assignment.from,
            to: assignment.to,
            tenant: assignment.tenant,
            language: assignment.language,
            answered_at: assignment.answered_at,
            cause,
        };
        let span = tracing::info_span!("call", %cause, %call);
        let attending = tokio::spawn(attend(brief, self.parts.desk.clone(), stream).instrument(span));
        line.receptionist = Some(Receptionist { events, abort: attending.abort_handle() });
        let mailbox = self.mailbox.clone();
        self.parts.tasks.spawn("receptionist", async move {
            if let Err(error) = attending.await
                && error.is_panic()
            {
                tracing::error!(%cause, %call, "a receptionist panicked; its call goes on");
            }
            // A floor that is gone has no calls.
            let _gone = mailbox.send(Input::ReceptionistGone { call, shift }).await;
        });
    }

    pub(super) async fn apologise(&mut self, call: CallId, leg: LegId, id: PlayId, pcm: Option<Pcm>) {
        tracing::error!(%call, "a call is without receptionist; the caller hears an apology");
        if let Some(line) = self.lines.get_mut(&call) {
            line.receptionist = None;
            if let Some(id) = line.playing.take() {
                self.voice(Command::Flush { leg, id });
            }
        }
        match pcm {
            Some(pcm) => self.voice(Command::Play { leg, id, pcm, last: true }),
            None => Box::pin(self.put(Input::Apologised { call })).await,
        }
    }

    /// Hands an event of a leg to the receptionist that has it. One that does not read its events is ended: the machine then hears
    /// that it is gone.
    pub(super) fn forward(&mut self, event: EngineEvent) {
        let Some(leg) = leg_of(&event) else { return };
        let Some(line) = self.legs.get(&leg).and_then(|call| self.lines.get_mut(call)) else { return };
        let ended = matches!(event, EngineEvent::Ended { .. });
        let droppable = matches!(event, EngineEvent::Level { .. } | EngineEvent::Incoming { .. });
        if let Some(receptionist) = &line.receptionist
            && !droppable
            && let Err(mpsc::error::TrySendError::Full(_)) = receptionist.events.try_send(event)
        {
            tracing::error!(?leg, "a receptionist does not read the events of its call; it is ended");
            receptionist.abort.abort();
        }
        if ended {
            // With the sender the receptionist's stream of events ends, whatever it is doing.
            line.receptionist = None;
        }
    }

    /// Stops what a receptionist was saying.
    pub(super) fn hush(&self, call: CallId, playing: Option<PlayId>) {
        let legs = self.legs.iter().filter(|(_, of)| **of == call);
        for (leg, id) in legs.filter_map(|(leg, _)| playing.map(|id| (*leg, id))) {
            self.voice(Command::Flush { leg, id });
        }
    }
}
