//! One signalling+media connection of a call: what both sides agreed on, and the audio that follows from it.

mod audio;
mod carrier;
mod channels;
mod web;

use crate::audio::music::Piece;
use crate::engine::Quarter;
use crate::io::{
    CallerIdentity, Codec, Command, DialIdentity, DialTo, EngineEvent, Entrance, Hop, LegEnd, LegId, Output,
    PartyClass, Protection,
};
use crate::rtp::session::Seeds;
use crate::sip::agent::DialogId;
use crate::sip::sdp::{Agreed, Sdp, SdpRefusal, Session};
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

pub(crate) use audio::{Audio, Kept};
pub(crate) use carrier::Carrier;
pub(crate) use web::Web;

/// Who calls, as the INVITE says. Personal data: it goes into one event and nowhere else.
pub(crate) struct Visitor {
    pub(crate) from: String,
    pub(crate) name: String,
    pub(crate) to: String,
    pub(crate) remote: Hop,
    pub(crate) entrance: Entrance,
    pub(crate) identity: CallerIdentity,
    /// The leg whose place it is to take.
    pub(crate) replaces: Option<LegId>,
}

impl std::fmt::Debug for Visitor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Visitor").field("remote", &self.remote).finish_non_exhaustive()
    }
}

/// A call to place, as it was wanted.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) uri: String,
    pub(crate) to: DialTo,
    pub(crate) from: String,
    pub(crate) codecs: Vec<Codec>,
    pub(crate) identity: Option<DialIdentity>,
    pub(crate) replaces: Option<String>,
    pub(crate) is_emergency: bool,
}

/// How far a leg has come.
#[derive(Debug)]
pub(crate) enum Stage {
    /// An INVITE came in; its port is being opened.
    Arriving { visitor: Visitor, offer: Option<Sdp> },
    /// An INVITE is to go out; its port is being opened.
    Dialling(Box<Outgoing>),
    /// `Answer` is awaited. No answer is prepared when the INVITE had no offer.
    Waiting { answer: Option<(Sdp, Agreed)> },
    /// Our offer is out; the far end's answer is awaited.
    Offered,
    /// Audio runs.
    Up,
}

/// A leg.
pub(crate) struct Leg {
    pub(crate) id: LegId,
    pub(crate) port: u16,
    pub(crate) port_tries: u8,
    pub(crate) stage: Stage,
    pub(crate) dialog: Option<DialogId>,
    /// Further calls to other places of the same phone, while none is answered.
    pub(crate) forks: Vec<DialogId>,
    /// How one of them was refused.
    pub(crate) refusal: Option<LegEnd>,
    /// Whom we called, where we did.
    pub(crate) dialled: Option<IpAddr>,
    /// When it is served, once it has audio.
    pub(crate) quarter: Option<Quarter>,
    /// The application knows of this leg: it is owed its end.
    pub(crate) told: bool,
    pub(crate) recorded: bool,
    /// What its far end is to the clinic, as its last bridge has it; before one, somebody outside.
    pub(crate) class: PartyClass,
    /// Whether anybody of its last bridge hears it: of one who is muted nothing is recorded.
    pub(crate) is_heard: bool,
    pub(crate) tapped: bool,
    /// Masked by itself: everybody in its bridge is.
    pub(crate) masks: bool,
    /// Masked by another leg of its bridge, or by itself.
    pub(crate) masked: bool,
    /// Its signalling is encrypted on its way: keys of media may be told in it.
    pub(crate) secure: bool,
    /// Whether its audio has to be encrypted.
    pub(crate) protection: Protection,
    /// It is part of an emergency call.
    pub(crate) is_emergency: bool,
    /// The browser behind it, where there is one: then there is neither dialog nor port.
    pub(crate) web: Option<Web>,
    /// What carries it, where that is no SIP and no RTP.
    pub(crate) carrier: Option<Carrier>,
    /// Why it ends, where that is not what signalling will say.
    pub(crate) overridden: Option<LegEnd>,
    session_id: u64,
    session: Option<Session>,
    invited_at: Instant,
    agreed: Option<Agreed>,
    hold: Hold,
    /// `Answered` has been told.
    answered: bool,
    /// `Early` has been told.
    early: bool,
    audio: Option<Audio>,
}

/// Whether we have the far end on hold.
#[derive(Clone, Copy, Debug, Default)]
struct Hold {
    stands: bool,
    wanted: bool,
    /// What is offered to the far end and not answered yet.
    offered: Option<bool>,
    /// Somebody waits to be told how it stands.
    owed: bool,
}

impl Leg {
    pub(crate) fn new(id: LegId, port: u16, stage: Stage, session_id: u64, invited_at: Instant) -> Self {
        Self {
            id,
            port,
            port_tries: 0,
            stage,
            dialog: None,
            forks: Vec::new(),
            refusal: None,
            dialled: None,
            quarter: None,
            told: false,
            recorded: false,
            class: PartyClass::Caller,
            is_heard: true,
            tapped: false,
            masks: false,
            masked: false,
            secure: false,
            protection: Protection::default(),
            is_emergency: false,
            web: None,
            carrier: None,
            overridden: None,
            // Some parsers keep it in a signed 64-bit number.
            session_id: session_id >> 1,
            session: None,
            invited_at,
            agreed: None,
            hold: Hold::default(),
            answered: false,
            early: false,
            audio: None,
        }
    }

    /// Its port is not there yet.
    pub(crate) fn is_opening(&self) -> bool {
        matches!(self.stage, Stage::Arriving { .. } | Stage::Dialling(_))
    }

    /// All calls that it has out.
    pub(crate) fn all_dialogs(&self) -> impl Iterator<Item = DialogId> + '_ {
        self.dialog.into_iter().chain(self.forks.iter().copied())
    }

    /// Whether it is somebody at a browser who waits for calls.
    pub(crate) fn is_station(&self) -> bool {
        self.web.as_ref().is_some_and(|web| !web.calls())
    }

    pub(crate) fn audio(&self) -> Option<&Audio> {
        self.audio.as_ref()
    }

    /// Its carrier and its audio, where a carrier has it.
    pub(crate) fn carried(&mut self) -> Option<(&mut Carrier, Option<&mut Audio>)> {
        Some((self.carrier.as_mut()?, self.audio.as_mut()))
    }

    pub(crate) fn audio_mut(&mut self) -> Option<&mut Audio> {
        self.audio.as_mut()
    }

    /// The port is there: descriptions can be made. Keys of media are drawn from the secret where signalling is secure.
    pub(crate) fn begin_session(&mut self, host: IpAddr, secret: [u8; 32]) -> Stage {
        let session = Session::new(host, self.port, self.session_id);
        let session = if self.secure { session.secure(secret) } else { session };
        self.session = Some(session.protected(self.protection));
        std::mem::replace(&mut self.stage, Stage::Offered)
    }

    /// Prepares the answer to an INVITE, or refuses it.
    pub(crate) fn consider(&mut self, offer: Option<&Sdp>, codecs: &[Codec]) -> Result<(), SdpRefusal> {
        self.stage = Stage::Waiting { answer: None };
        let answer = match (offer, &mut self.session) {
            (Some(offer), Some(session)) => Some(session.answer(offer, codecs)?),
            _ => None,
        };
        self.stage = Stage::Waiting { answer };
        Ok(())
    }

    /// Whether the far end may know of our port: an offer or an answer has gone out.
    pub(crate) fn has_told_port(&self) -> bool {
        matches!(self.stage, Stage::Offered | Stage::Up) || self.audio.is_some()
    }

    /// Our offer; in a call that is up, its codec comes first.
    pub(crate) fn offer(&mut self, codecs: &[Codec]) -> Option<Sdp> {
        let current = self.agreed.as_ref().map(|agreed| agreed.codec);
        let others = codecs.iter().copied().filter(|codec| Some(*codec) != current);
        let codecs: Vec<Codec> = current.into_iter().chain(others).collect();
        self.session.as_mut().map(|session| session.offer(&codecs))
    }

    /// The far end's answer to our offer.
    pub(crate) fn accept(&mut self, answer: &Sdp) -> Result<Agreed, SdpRefusal> {
        self.session.as_mut().ok_or(SdpRefusal::Mismatch)?.accept(answer)
    }

    /// Answers a change of the session. The codec stays if it may: another rate would be heard.
    pub(crate) fn answer_change(&mut self, offer: &Sdp, codecs: &[Codec]) -> Result<(Sdp, Agreed), SdpRefusal> {
        let session = self.session.as_mut().ok_or(SdpRefusal::Mismatch)?;
        match &self.agreed {
            Some(agreed) => session.answer(offer, &[agreed.codec]).or_else(|_| session.answer(offer, codecs)),
            None => session.answer(offer, codecs),
        }
    }

    /// Audio may come and go before the answer, by an agreement that may still change (RFC 3960).
    pub(crate) fn settle_early(&mut self, agreed: Agreed, seeds: Seeds, now: Instant, outputs: &mut VecDeque<Output>) {
        self.agreed = Some(agreed.clone());
        match &mut self.audio {
            Some(audio) => audio.change(&agreed, seeds, now, outputs),
            None => self.audio = Some(Audio::early(self.id, self.port, &agreed, seeds, now)),
        }
    }

    /// Tells that whom we call is heard before the answer.
    fn tell_early(&mut self, outputs: &mut VecDeque<Output>) {
        let is_called = matches!(self.stage, Stage::Offered) && !self.early;
        if is_called && self.audio.as_ref().is_some_and(Audio::is_heard_early) {
            self.early = true;
            outputs.push_back(Output::Event(EngineEvent::Early { leg: self.id }));
        }
    }

    /// Whether both sides have answered: what changes from now on is a change of a call that is up.
    pub(crate) fn is_answered(&self) -> bool {
        self.answered
    }

    /// Both sides agree, for the first time or anew: audio follows.
    pub(crate) fn settle(&mut self, agreed: Agreed, seeds: Seeds, now: Instant, outputs: &mut VecDeque<Output>) {
        let before = self.agreed.replace(agreed.clone()).filter(|_| self.answered);
        self.stage = Stage::Up;
        match &mut self.audio {
            Some(audio) => {
                audio.answered(now);
                audio.change(&agreed, seeds, now, outputs);
            }
            None => self.audio = Some(Audio::new(self.id, self.port, &agreed, seeds, now)),
        }
        if !std::mem::replace(&mut self.answered, true) {
            let setup = now.saturating_duration_since(self.invited_at).as_millis();
            let setup_ms = u32::try_from(setup).unwrap_or(u32::MAX);
            let answered = EngineEvent::Answered { leg: self.id, codec: agreed.codec, setup_ms };
            outputs.push_back(Output::Event(answered));
        }
        let held = before.is_some_and(|before| before.held());
        if held != agreed.held() {
            outputs.push_back(Output::Event(EngineEvent::Held { leg: self.id, on: agreed.held() }));
        }
    }

    /// Notes what is wanted. Whether the far end has to be asked; one that is being asked is asked again when it has answered.
    pub(crate) fn want_hold(&mut self, on: bool) -> bool {
        self.hold.owed = true;
        if !matches!(self.stage, Stage::Up) {
            return false;
        }
        self.hold.wanted = on;
        if self.dialog.is_none() {
            self.hold.stands = on;
        }
        on != self.hold.stands && self.hold.offered.is_none()
    }

    /// The far end can be asked now: our offer; none when nothing else is wanted than what stands.
    pub(crate) fn offer_hold(&mut self) -> Option<Sdp> {
        let on = self.hold.wanted;
        let (session, agreed) = (self.session.as_mut()?, self.agreed.as_ref()?);
        if on == self.hold.stands || self.hold.offered.is_some() {
            return None;
        }
        self.hold.offered = Some(on);
        Some(session.offer_hold(agreed, on))
    }

    /// The far end has accepted our offer, or refused it. Whether it has to be asked anew: something else is wanted by now.
    pub(crate) fn hold_answered(&mut self, accepted: bool) -> bool {
        let Some(on) = self.hold.offered.take() else { return false };
        if accepted {
            self.hold.stands = on;
        } else if let Some(session) = &mut self.session {
            session.withdraw();
        }
        if !accepted && self.hold.wanted == on {
            self.hold.wanted = self.hold.stands;
        }
        self.hold.wanted != self.hold.stands
    }

    /// The far end will be asked again later.
    pub(crate) fn hold_put_off(&mut self) {
        self.hold.offered = None;
        if let Some(session) = &mut self.session {
            session.withdraw();
        }
    }

    /// Tells how it stands, where that is owed and nothing is under way.
    pub(crate) fn tell_hold(&mut self, outputs: &mut VecDeque<Output>) {
        if self.hold.offered.is_none() && std::mem::take(&mut self.hold.owed) {
            outputs.push_back(Output::Event(EngineEvent::Holding { leg: self.id, on: self.hold.stands }));
        }
    }

    /// 20 ms of what the far end says. [`Self::speak`] follows in the same tick.
    pub(crate) fn hear(&mut self, at: Instant) {
        if let Some(audio) = &mut self.audio {
            audio.hear(at, self.tapped);
        }
    }

    /// 20 ms of what we say, and everything that follows from both.
    pub(crate) fn speak(&mut self, at: Instant, outputs: &mut VecDeque<Output>) {
        self.tell_early(outputs);
        let begun = outputs.len();
        let heard = self.is_heard.then_some(self.class);
        let kept = Kept { recorded: self.recorded, heard, tapped: self.tapped, masked: self.masked };
        match (&mut self.audio, &mut self.carrier) {
            (Some(audio), Some(carrier)) => carrier.speak(audio, at, kept, outputs),
            (Some(audio), None) => audio.speak(at, kept, outputs),
            (None, _) => {}
        }
        if let Some(web) = &mut self.web {
            web.carry(begun, at, outputs);
        }
    }

    /// It has left its bridge. What it masked there is over.
    pub(crate) fn unbridge(&mut self) {
        (self.masks, self.masked) = (false, false);
        if let Some(audio) = &mut self.audio {
            audio.unbridge();
        }
    }

    /// Our music on hold begins or stops. Before there is audio there is nobody to hear it.
    pub(crate) fn music(&mut self, on: bool, piece: Option<Arc<Piece>>) {
        if let Some(audio) = &mut self.audio {
            audio.music(on, piece);
        }
    }

    /// Ticks that could not be served.
    pub(crate) fn skip(&mut self, ticks: u32) {
        if let Some(audio) = &mut self.audio {
            audio.skip(ticks);
        }
    }

    /// Whether nothing has come from the far end for too long although it should send.
    pub(crate) fn is_silent(&self, at: Instant) -> bool {
        let is_lost = self.carrier.as_ref().is_some_and(|carrier| carrier.is_lost(at));
        self.overridden.is_none() && (is_lost || self.audio.as_ref().is_some_and(|audio| audio.is_silent(at)))
    }

    /// Something about playing. Before there is audio nothing can be played: it is over at once.
    pub(crate) fn play(&mut self, command: Command, now: Instant, outputs: &mut VecDeque<Output>) {
        match (&mut self.audio, command) {
            (Some(audio), command) => match &mut self.carrier {
                Some(carrier) => carrier.play(audio, command, now, outputs),
                None => audio.play(command, outputs),
            },
            (None, Command::Play { leg, id, .. } | Command::Flush { leg, id }) => {
                let over = EngineEvent::PlayedTo { leg, id, samples: 0, started_ms: 0, done: true };
                outputs.push_back(Output::Event(over));
            }
            (None, _) => {}
        }
    }

    /// Tells what is owed at the end.
    pub(crate) fn close(mut self, cause: LegEnd, now: Instant, outputs: &mut VecDeque<Output>) {
        let begun = outputs.len();
        match (&mut self.audio, &mut self.carrier) {
            (Some(audio), Some(carrier)) => carrier.close(audio, now, outputs),
            (Some(audio), None) => audio.close(now, outputs),
            (None, _) => {}
        }
        if let Some(web) = &mut self.web {
            web.close(begun, now, outputs);
        }
        if self.told {
            let cause = self.overridden.unwrap_or(cause);
            outputs.push_back(Output::Event(EngineEvent::Ended { leg: self.id, cause }));
        }
    }
}

#[cfg(test)]
mod tests;
