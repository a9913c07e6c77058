//! The loop around the machine.

use super::apology::Apologies;
use super::arrival::count;
use super::attendance::Receptionist;
use super::news::{count_unheard, end_cause, quality_of};
use super::outward::{self, Refusal, SIGNALS};
use super::recording::record;
use super::writer::{self, Entry, FACTS_MAX};
use super::{FloorParts, Ordered};
use crate::clock;
use crate::voice::receptionist::Report;
use crate::voice::{EngineEvents, VoiceError};
use auricle_domain::Timestamp;
use auricle_domain::account::Actor;
use auricle_domain::contact::Contact;
use auricle_domain::floor::{Fact, Floor, Ids, Input, Leg, NotPlaced, Output, Tag, Told};
use auricle_domain::id::{CallId, CauseId, ConversationId, TaskId};
use auricle_domain::live::LiveCall;
use auricle_domain::tenant::Tenant;
use auricle_media::io::{Command, EngineEvent, Entrance as Way, LegEnd, LegId, PlayId};
use auricle_storage::BlobId;
use auricle_storage::schema::CONTACTS_BY_NUMBER;
use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;
use tokio::sync::{mpsc, watch};

/// First of the floor's own playings: one apology and one goodbye. Receptionists count theirs from zero.
const APOLOGIES: PlayId = PlayId(u64::MAX - 1);

/// One call, as far as the shell has to do with it.
pub(super) struct Line {
    facts: mpsc::Sender<Entry>,
    pub(super) receptionist: Option<Receptionist>,
    /// What is being played, to be stopped before an apology.
    pub(super) playing: Option<PlayId>,
}

/// What others see of the floor.
pub(super) struct Seen {
    pub(super) board: watch::Sender<Arc<Vec<LiveCall>>>,
    pub(super) legs: watch::Sender<HashMap<LegId, CallId>>,
}

pub(super) struct Shell {
    pub(super) floor: Floor,
    pub(super) parts: FloorParts,
    pub(super) mailbox: mpsc::Sender<Input>,
    pub(super) seen: Seen,
    changes: Arc<AtomicU64>,
    apologies: Apologies,
    pub(super) lines: HashMap<CallId, Line>,
    pub(super) legs: HashMap<LegId, CallId>,
    /// Calls of what is being dialled, by tag.
    pub(super) dialled: HashMap<u64, CallId>,
    /// Tones that are being played.
    pub(super) signals: HashMap<LegId, PlayId>,
    /// The next of them.
    pub(super) next_signal: u64,
    /// What the machine said of the last order.
    pub(super) answer: Option<(CallId, Result<(), NotPlaced>)>,
    /// The clinic as last read: stands in when the store cannot be read at a call's arrival.
    tenant: Option<Tenant>,
}

impl Shell {
    pub(super) fn new(
        floor: Floor,
        parts: FloorParts,
        mailbox: mpsc::Sender<Input>,
        seen: Seen,
        changes: Arc<AtomicU64>,
        apologies: Apologies,
    ) -> Self {
        let (lines, legs, dialled, signals) = (HashMap::new(), HashMap::new(), HashMap::new(), HashMap::new());
        Self {
            floor,
            parts,
            mailbox,
            seen,
            changes,
            apologies,
            lines,
            legs,
            dialled,
            signals,
            next_signal: 0,
            answer: None,
            tenant: None,
        }
    }

    /// Runs until the engine's events have ended and nothing more is expected of any call.
    ///
    /// Orders of people come before anything else: a service that was told to stop answers no call after that. Reports come before
    /// inputs: what a receptionist told must have been heard before it counts as gone.
    pub(super) async fn run(
        mut self,
        mut engine: EngineEvents,
        mut orders: mpsc::Receiver<Ordered>,
        mut inputs: mpsc::Receiver<Input>,
    ) {
        match outward::past(&self.parts.store, self.now()) {
            Ok(calls) => calls.into_iter().for_each(|call| self.floor.handle(Input::Past(Box::new(call)), self.now())),
            Err(error) => tracing::error!(%error, "what outgoing calls have cost cannot be read: the caps begin anew"),
        }
        let mut engine_is_up = true;
        while engine_is_up || !self.lines.is_empty() {
            let wake = self.until_wake();
            tokio::select! {
                biased;
                Some(order) = orders.recv() => self.order(order).await,
                event = engine.recv(), if engine_is_up => match event {
                    Some(event) => self.engine(event).await,
                    None => {
                        engine_is_up = false;
                        self.engine_gone().await;
                    }
                },
                Some((call, report)) = self.parts.reports.recv() => self.report(call, report).await,
                Some(input) = inputs.recv() => self.put(input).await,
                () = tokio::time::sleep(wake.unwrap_or_default()), if wake.is_some() => self.put(Input::Wake).await,
            }
        }
    }

    fn until_wake(&self) -> Option<Duration> {
        let at = self.floor.next_wake()?;
        Some(Duration::try_from(at.duration_since(self.now())).unwrap_or(Duration::ZERO))
    }

    fn now(&self) -> Timestamp {
        (self.parts.clock)()
    }

    /// The media thread has ended: every leg with it.
    async fn engine_gone(&mut self) {
        let legs: Vec<LegId> = self.legs.keys().copied().chain(self.parts.stations.legs()).collect();
        for leg in legs {
            self.engine(EngineEvent::Ended { leg, cause: LegEnd::LocalHangup }).await;
        }
    }

    async fn engine(&mut self, event: EngineEvent) {
        let input = match &event {
            EngineEvent::Incoming { leg, to, entrance: Way::Phone(phone), .. } => self.phone_calls(*leg, *phone, to),
            EngineEvent::Incoming { leg, from, to, entrance, identity, .. } => {
                self.arrival(*leg, (from, to), *entrance, identity)
            }
            EngineEvent::Dialing { tag, leg } => {
                if let Some(call) = self.dialled.remove(tag) {
                    self.legs.insert(*leg, call);
                }
                Some(Input::Dialling { tag: Tag(*tag), leg: Leg(leg.0) })
            }
            EngineEvent::Ringing { leg } => Some(Input::Ringing { leg: Leg(leg.0) }),
            EngineEvent::Early { leg } => Some(Input::Early { leg: Leg(leg.0) }),
            EngineEvent::TransferAsked { leg, target } => self.transfer_asked(*leg, target),
            EngineEvent::Replaced { leg, by } => {
                if let Some(call) = self.legs.get(leg).copied() {
                    self.legs.insert(*by, call);
                }
                Some(Input::Replaced { leg: Leg(leg.0), by: Leg(by.0) })
            }
            EngineEvent::TransferDone { leg, status } => Some(Input::Referred { leg: Leg(leg.0), status: *status }),
            EngineEvent::Held { leg, on } => Some(Input::Held { leg: Leg(leg.0), on: *on }),
            EngineEvent::Dtmf { leg, digit, .. } => Some(Input::Digit { leg: Leg(leg.0), digit: *digit }),
            EngineEvent::Answered { leg, codec, setup_ms } => {
                self.parts.stations.connected(*leg);
                Some(Input::Answered { leg: Leg(leg.0), answer_ms: *setup_ms, rate_hz: codec.rate().hz() })
            }
            EngineEvent::Level { leg, caller, clinic } => {
                Some(Input::Level { leg: Leg(leg.0), caller: *caller, clinic: *clinic })
            }
            EngineEvent::Quality { leg, quality } => {
                Some(Input::Quality { leg: Leg(leg.0), quality: quality_of(*quality) })
            }
            EngineEvent::Ended { leg, cause } => {
                self.parts.stations.ended(*leg);
                self.signals.remove(leg);
                Some(Input::LegEnded { leg: Leg(leg.0), cause: end_cause(*cause) })
            }
            EngineEvent::PlayedTo { leg, id, done, .. } => self.played(*leg, *id, *done),
            _ => None,
        };
        self.forward(event);
        if let Some(input) = input {
            self.put(input).await;
        }
    }

    /// The clinic as it is now; as it was last known when it cannot be read.
    pub(super) fn tenant_now(&mut self) -> Option<Tenant> {
        match self.parts.store.read(|tx| tx.get::<Tenant>(&tx.tenant())) {
            Ok(tenant) => self.tenant = tenant.or(self.tenant.take()),
            Err(error) => tracing::error!(%error, "the clinic's settings cannot be read; the last known ones are used"),
        }
        self.tenant.clone()
    }

    pub(super) fn fresh_ids(&self) -> Ids {
        let now = self.now();
        Ids {
            call: clock::fresh(CallId::new, now),
            conversation: clock::fresh(ConversationId::new, now),
            cause: clock::fresh(CauseId::new, now),
            missed: clock::fresh(TaskId::new, now),
            emergency: clock::fresh(TaskId::new, now),
            unheard: clock::fresh(TaskId::new, now),
        }
    }

    /// Opens a call's line: whatever it brings is written down in order.
    pub(super) fn open_line(&mut self, ids: Ids) {
        let (facts, entries) = mpsc::channel(FACTS_MAX);
        let writer = writer::write(self.parts.events.clone(), ids.call, ids.cause, entries, Arc::clone(&self.changes));
        self.parts.tasks.spawn("call_writer", writer);
        self.lines.insert(ids.call, Line { facts, receptionist: None, playing: None });
    }

    /// Keeps what is being played, so that it can be stopped, and hears the end of an apology.
    fn played(&mut self, leg: LegId, id: PlayId, done: bool) -> Option<Input> {
        let call = *self.legs.get(&leg)?;
        let line = self.lines.get_mut(&call)?;
        if (SIGNALS..APOLOGIES).contains(&id) {
            return None;
        }
        if id >= APOLOGIES {
            return done.then_some(Input::Apologised { call });
        }
        line.playing = if done { line.playing.filter(|playing| *playing != id) } else { Some(id) };
        None
    }

    async fn report(&mut self, call: CallId, report: Report) {
        let what = match report {
            Report::Turn(turn) => Told::Turn(turn),
            Report::Partial { speaker, text, start_ms } => Told::Partial { speaker, text, start_ms },
            Report::Language(language) => Told::Language(language),
            Report::Emergency { sign, language, number } => {
                Told::Emergency { sign: sign.to_owned(), language, number: number.to_owned() }
            }
            Report::Outcome(outcome) => Told::Outcome(outcome),
            Report::RecordingRefused => Told::RecordingRefused,
            Report::Voicemail => Told::Voicemail,
            Report::Hangup => Told::HungUp,
        };
        self.put(Input::Told { call, what }).await;
    }

    pub(super) async fn put(&mut self, input: Input) {
        self.floor.handle(input, self.now());
        let mut board = false;
        while let Some(output) = self.floor.poll() {
            board |= output == Output::Board;
            self.perform(output).await;
        }
        if board {
            self.seen.board.send_replace(Arc::new(self.floor.board()));
        }
        let floor = &self.floor;
        let gone = |call: &CallId| !floor.knows(*call);
        if self.lines.keys().any(gone) {
            self.lines.retain(|call, _| !gone(call));
            self.legs.retain(|_, call| !gone(call));
            // A leg whose beginning the engine had no room to tell of is never heard of.
            self.dialled.retain(|_, call| !gone(call));
            self.seen.legs.send_replace(self.legs.clone());
        }
    }

    async fn perform(&mut self, output: Output) {
        match output {
            Output::Answer(leg) => self.voice(Command::Answer { leg: LegId(leg.0) }),
            Output::Refuse(leg, status) => self.voice(Command::Reject { leg: LegId(leg.0), status }),
            Output::HangUp(leg) => self.voice(Command::Hangup { leg: LegId(leg.0) }),
            Output::RecordOn { from, to } => self.said(self.parts.voice.record_on(LegId(from.0), LegId(to.0))),
            Output::StopRecording(leg) => self.said(self.parts.voice.stop_recording(LegId(leg.0))),
            Output::Attend(assignment) => self.attend(*assignment),
            Output::Dismiss(call) => {
                let line = self.lines.get_mut(&call).map(|line| (line.receptionist.take(), line.playing.take()));
                if let Some((Some(receptionist), playing)) = line {
                    receptionist.abort.abort();
                    self.hush(call, playing);
                }
            }
            Output::Apologise { call, leg, language, last } => {
                let pcm = self.apologies.get(language, last);
                self.apologise(call, LegId(leg.0), PlayId(APOLOGIES.0 + u64::from(last)), pcm).await;
            }
            Output::Record { call, leg } => self.record(call, LegId(leg.0)),
            Output::EraseRecording(call) => self.erase(call),
            Output::Open { call, conversation, by, .. } => {
                let id = call.id;
                count(&call);
                self.note(id, Entry::Open(by, call, conversation)).await;
            }
            Output::Write { call, actor, at, fact, .. } => self.write(call, actor, at, fact).await,
            Output::Identify { call, number } => self.identify(call, number),
            Output::Dial { call, tag, to, is_emergency } => self.dial(call, tag, to, is_emergency).await,
            Output::Ring(leg) => self.voice(Command::Ring { leg: LegId(leg.0) }),
            Output::Early(leg) => self.voice(Command::Early { leg: LegId(leg.0) }),
            Output::Signal { leg, signal } => self.signal(LegId(leg.0), signal),
            Output::Rest(leg) => self.rest(LegId(leg.0)),
            Output::Bridge { bridge, parties } => self.bridge(bridge, parties),
            Output::Measure(leg) => self.voice(Command::Measure { leg: LegId(leg.0) }),
            Output::Mask { leg, on } => self.voice(Command::Mask { leg: LegId(leg.0), on }),
            Output::Music { leg, on } => self.voice(Command::Music { leg: LegId(leg.0), on }),
            Output::Dtmf { leg, digits } => self.voice(Command::Dtmf { leg: LegId(leg.0), digits }),
            Output::Refer { leg, trunk, number } => self.refer(leg, trunk, &number).await,
            Output::TransferTold { leg, status } => {
                self.voice(Command::TransferProgress { leg: LegId(leg.0), status });
            }
            Output::Done(call) => self.answer = Some((call, Ok(()))),
            Output::NotDone(call, why) => self.answer = Some((call, Err(why))),
            Output::Refused { cause, at, rule, account, number, task } => {
                self.refused(Refusal { cause, at, rule, account, number, task });
            }
            Output::Show(live) => self.parts.events.show(live),
            Output::Board => {}
        }
    }

    async fn write(&mut self, call: CallId, actor: Actor, at: Timestamp, fact: Fact) {
        match &fact {
            Fact::Ended { cause, .. } => tracing::info!(%call, end = cause.as_str(), "a call has ended"),
            Fact::Unheard { who, way, .. } => count_unheard(call, *who, *way),
            _ => {}
        }
        self.note(call, Entry::Fact(actor, at, Box::new(fact))).await;
    }

    async fn note(&mut self, call: CallId, entry: Entry) {
        if let Some(line) = self.lines.get(&call)
            && line.facts.send(entry).await.is_err()
        {
            tracing::error!(%call, "the writer of a call is gone; a fact is lost");
        }
    }

    pub(super) fn voice(&self, command: Command) {
        self.said(self.parts.voice.send(command));
    }

    /// Notes where the media thread could not be told something.
    fn said(&self, told: Result<(), VoiceError>) {
        if let Err(error) = told {
            tracing::error!(%error, "a voice command could not be given");
        }
    }

    fn record(&self, call: CallId, leg: LegId) {
        let (store, voice, mailbox) = (self.parts.store.clone(), self.parts.voice.clone(), self.mailbox.clone());
        self.parts.tasks.spawn("recording", record(store, voice, mailbox, call, leg));
    }

    fn erase(&self, call: CallId) {
        let blobs = self.parts.store.blobs().clone();
        self.parts.tasks.spawn("erase_recording", async move {
            let erased = tokio::task::spawn_blocking(move || blobs.delete(BlobId::Recording(call))).await;
            if let Ok(Err(error)) = erased {
                tracing::error!(%call, %error, "a refused recording could not be removed");
            }
        });
    }

    fn identify(&self, call: CallId, number: String) {
        let (store, mailbox) = (self.parts.store.clone(), self.mailbox.clone());
        self.parts.tasks.spawn("identify", async move {
            let found = store.read(|tx| tx.find::<Contact>(CONTACTS_BY_NUMBER, tx.lookup().number(&number)));
            match found {
                Ok(Some(contact)) => {
                    let _gone = mailbox.send(Input::Known { call, contact: contact.id, name: contact.name }).await;
                }
                Ok(None) => {}
                Err(error) => tracing::warn!(%call, %error, "the caller could not be looked up"),
            }
        });
    }
}
