//! A leg's audio: its stream and what is played into it, turned into the engine's outputs.

use super::channels::Channels;
use crate::audio::mix::Mix;
use crate::audio::music::{Music, Piece};
use crate::audio::playout::{Playout, Progress};
use crate::audio::tone::keys;
use crate::io::{Command, EngineEvent, LegId, LegQuality, Output, PartyClass, Pcm, PlayId, Rate, Socket};
use crate::rtp::dtmf::{DigitsRefused, QUEUE_MAX};
use crate::rtp::rtcp::is_rtcp;
use crate::rtp::session::Seeds;
use crate::rtp::srtp::Srtp;
use crate::sip::sdp::Agreed;
use crate::stream::{MediaStream, StreamEvent, StreamParams};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long the far end may send nothing at all, neither RTP nor RTCP, before the leg is ended.
const SILENT_MAX: Duration = Duration::from_secs(30);
/// The same for one that need not send: it has us on hold and reports by RTCP all the same, or has said that it is silent (RFC 3389).
const RESTING_MAX: Duration = Duration::from_secs(300);
/// Nothing heard for this long, while we send: one of the two does not hear the other.
const ONE_WAY_AFTER: Duration = Duration::from_secs(10);
/// Playings of pressed keys: none that anybody else chooses.
const KEYS: PlayId = PlayId(u64::MAX / 4);
const KEYS_END: PlayId = PlayId(u64::MAX / 4 * 2 - 1);
/// How often a playing says how far it has come.
const PLAYED_EVERY_MS: u64 = 100;
/// How often a leg says how it fares.
const QUALITY_EVERY_MS: u64 = 5_000;

/// The audio of a leg, from the agreement on.
pub(crate) struct Audio {
    leg: LegId,
    port: u16,
    stream: MediaStream,
    playout: Playout,
    music: Option<Music>,
    /// What the others of its bridge say in the present frame, while it is in one.
    bridged: Option<Box<Mix>>,
    /// What was played in the frame before, without the bridge, while it is in one; empty where that was nothing.
    played: Vec<i16>,
    agreed: Agreed,
    /// Milliseconds after answer at which the present stream began; a change of codec begins a new one.
    base_ms: u64,
    /// Milliseconds of audio before the answer.
    early_ms: u64,
    /// The far end has not answered yet: what it sends is heard, and nothing else is made of it.
    early: bool,
    /// The next keys that are pressed as tones.
    next_keys: u64,
    /// Playings that are owed a last `PlayedTo`.
    playings: Vec<PlayId>,
    /// What was last said of the playing that moves, and what has moved since.
    told_ms: Option<(PlayId, u64)>,
    untold: Option<Progress>,
    quality_ms: u64,
    /// Since when the watchdog waits, at the least.
    watched_since: Instant,
    rtcp_heard: Option<Instant>,
    moved: Vec<Progress>,
    channels: Channels,
}

/// What is kept of a leg's frame.
#[derive(Clone, Copy)]
pub(crate) struct Kept {
    pub(crate) recorded: bool,
    /// What the far end is to the clinic, where it is heard at all.
    pub(crate) heard: Option<PartyClass>,
    pub(crate) tapped: bool,
    /// Only silence is kept, and no digit is told.
    pub(crate) masked: bool,
}

impl Audio {
    pub(crate) fn new(leg: LegId, port: u16, agreed: &Agreed, seeds: Seeds, now: Instant) -> Self {
        let mut stream = MediaStream::new(params(agreed, agreed.keys.clone().map(Srtp::new), seeds), now);
        stream.hold(agreed.held());
        let playout = Playout::new(stream.rate());
        Self {
            leg,
            port,
            stream,
            playout,
            music: None,
            bridged: None,
            played: Vec::new(),
            agreed: agreed.clone(),
            base_ms: 0,
            early_ms: 0,
            early: false,
            next_keys: 0,
            playings: Vec::new(),
            told_ms: None,
            untold: None,
            quality_ms: QUALITY_EVERY_MS,
            watched_since: now,
            rtcp_heard: None,
            moved: Vec::new(),
            channels: Channels::default(),
        }
    }

    /// Audio before the answer (RFC 3960).
    pub(crate) fn early(leg: LegId, port: u16, agreed: &Agreed, seeds: Seeds, now: Instant) -> Self {
        let mut audio = Self { early: true, ..Self::new(leg, port, agreed, seeds, now) };
        // Who only sends before it answers does not hold us.
        audio.stream.hold(false);
        audio
    }

    /// The far end answers: time is counted from now on.
    pub(crate) fn answered(&mut self, now: Instant) {
        if std::mem::take(&mut self.early) {
            self.early_ms = self.total_ms();
            self.watched_since = now;
        }
    }

    /// Whether the far end is heard although it has not answered.
    pub(crate) fn is_heard_early(&self) -> bool {
        self.early && self.stream.heard_at().is_some()
    }

    /// Milliseconds of the leg's audio so far, after the answer.
    pub(crate) fn at_ms(&self) -> u64 {
        if self.early { 0 } else { self.total_ms().saturating_sub(self.early_ms) }
    }

    fn total_ms(&self) -> u64 {
        self.base_ms + self.stream.position_ms()
    }

    /// Rate of what is heard and recorded, and of what is best played.
    pub(crate) fn rate(&self) -> Rate {
        self.stream.rate()
    }

    /// How the leg fares.
    pub(crate) fn quality(&self, at: Instant) -> LegQuality {
        let heard = self.stream.heard_at().map_or(self.watched_since, |heard| heard.max(self.watched_since));
        let unheard = at.saturating_duration_since(heard) >= ONE_WAY_AFTER && !self.stream.is_paused();
        let one_way = unheard && self.should_hear() && self.agreed.remote.is_some();
        LegQuality { one_way, ..self.stream.quality() }
    }

    /// Another call begins: what was counted before it is not of it.
    pub(crate) fn measure(&mut self) {
        self.stream.measure();
        self.quality_ms = self.at_ms() + QUALITY_EVERY_MS;
    }

    /// Whether the far end has promised to send.
    fn should_hear(&self) -> bool {
        !self.early && self.agreed.direction.receives() && !self.agreed.held()
    }

    /// A datagram of the RTP port, which RTCP may share. What is refused is in the leg's figures.
    pub(crate) fn rtp(&mut self, remote: SocketAddr, bytes: &[u8], now: Instant) {
        if self.stream.receive(bytes, remote, now).is_ok() && is_rtcp(bytes) {
            self.rtcp_heard = Some(now);
        }
    }

    /// A datagram of the RTCP port.
    pub(crate) fn rtcp(&mut self, remote: SocketAddr, bytes: &[u8], now: Instant) {
        if self.stream.receive_rtcp(bytes, remote, now).is_ok() {
            self.rtcp_heard = Some(now);
        }
    }

    /// How the far end hears us, where its reports are read elsewhere.
    pub(crate) fn far_figures(&mut self, remote_loss: f32, round_trip: Option<Duration>) {
        self.stream.far_figures(remote_loss, round_trip);
    }

    /// A frame that came by a carrier's socket. What is refused is in the leg's figures.
    pub(crate) fn frame(&mut self, at_ms: u64, payload: &[u8], now: Instant) {
        // Why it was refused is of no use here; that it was is counted.
        let _refused = self.stream.receive_frame(at_ms, payload, now);
    }

    /// The carrier's socket is another one than before: its stream begins anew.
    pub(crate) fn renew(&mut self, now: Instant) {
        self.stream.renew();
        self.watched_since = now;
    }

    /// While nobody is there to hear it nothing is played, so that nothing of it is lost.
    pub(crate) fn rest(&mut self, on: bool) {
        self.stream.hold(on || self.agreed.held());
    }

    /// What the last tick had for the far end; nothing when it was silence.
    pub(crate) fn outgoing(&self) -> Option<&[u8]> {
        self.stream.outgoing()
    }

    /// The far end told a digit by signalling. False when it was heard already.
    pub(crate) fn digit_signalled(&mut self, digit: char) -> bool {
        self.stream.digit_signalled(digit)
    }

    /// Both sides agreed anew.
    pub(crate) fn change(&mut self, agreed: &Agreed, seeds: Seeds, now: Instant, outputs: &mut VecDeque<Output>) {
        let before = std::mem::replace(&mut self.agreed, agreed.clone());
        let payloads = |agreed: &Agreed| (agreed.codec, agreed.payload_send, agreed.events_send);
        let srtp = match (self.stream.set_srtp(None), agreed.keys.clone()) {
            (Some(mut srtp), Some(keys)) => {
                srtp.rekey(keys);
                Some(srtp)
            }
            (_, keys) => keys.map(Srtp::new),
        };
        if payloads(&before) == payloads(agreed) {
            self.stream.set_srtp(srtp);
            self.stream.set_remote(agreed.remote, agreed.remote_rtcp, agreed.rtcp_mux);
            self.stream.set_packet_ms(agreed.ptime_ms);
        } else {
            self.base_ms = self.total_ms();
            self.stream = MediaStream::new(params(agreed, srtp, seeds), now);
            if before.codec != agreed.codec {
                // What waits is converted for the old rate. A changed codec in mid-sentence is rare; a cut is honest.
                self.end_playings(outputs);
                self.playout = Playout::new(self.stream.rate());
            }
        }
        self.stream.hold(agreed.held() && !self.early);
        self.watched_since = now;
    }

    /// What the far end says in the present frame, between [`Self::hear`] and [`Self::speak`].
    pub(crate) fn far(&self) -> &[i16] {
        self.stream.far()
    }

    /// Whether the far end has us on hold.
    pub(crate) fn is_held(&self) -> bool {
        self.stream.held()
    }

    /// Where a bridge puts what the others say in the present frame.
    pub(crate) fn bridged(&mut self) -> &mut Mix {
        self.bridged.get_or_insert_default()
    }

    /// What the far end was played in the frame before, beside what others of its bridge said.
    pub(crate) fn played(&self) -> &[i16] {
        &self.played
    }

    /// It is in no bridge any more.
    pub(crate) fn unbridge(&mut self) {
        self.bridged = None;
        self.played.clear();
    }

    /// Our music on hold begins anew, or fades out.
    pub(crate) fn music(&mut self, on: bool, piece: Option<Arc<Piece>>) {
        match &mut self.music {
            Some(music) if !on => music.stop(),
            Some(music) if !music.is_stopped() => {}
            _ if on => self.music = Some(Music::of(piece)),
            _ => {}
        }
    }

    /// 20 ms of what the far end says. Those who talk with each other alone need not be told when somebody speaks.
    pub(crate) fn hear(&mut self, at: Instant, tapped: bool) {
        self.stream.listened_to(tapped || self.bridged.is_none());
        self.stream.hear(at);
    }

    /// 20 ms of what we say: what is played, the music, and the bridge. Then what is made of both directions.
    pub(crate) fn speak(&mut self, at: Instant, kept: Kept, outputs: &mut VecDeque<Output>) {
        let (leg, rate) = (self.leg, self.stream.rate());
        let (base_ms, early_ms) = (self.base_ms, self.early_ms);
        let at_ms = self.at_ms();
        let (playout, music, moved) = (&mut self.playout, &mut self.music, &mut self.moved);
        let (bridged, channels, played) = (self.bridged.as_deref(), &mut self.channels, &mut self.played);
        moved.clear();
        channels.clear();
        played.clear();
        let tick = self.stream.speak(|frame| {
            moved.extend_from_slice(playout.pull(frame, at_ms));
            if let Some(music) = music {
                music.mix(rate, !moved.is_empty(), frame);
            }
            if bridged.is_some() && (music.is_some() || !moved.is_empty()) {
                played.extend_from_slice(frame);
            }
            if kept.recorded && !kept.masked {
                channels.spoken(frame, bridged);
            }
            // Voices beside the tones of a key would keep it from being recognised.
            if let Some(bridged) = bridged.filter(|_| !moved.iter().any(is_of_keys)) {
                bridged.mix(frame);
            }
        });
        for (remote, packet) in [tick.packet, tick.second].into_iter().flatten() {
            let bytes = packet.to_vec();
            outputs.push_back(Output::Transmit { socket: Socket::Rtp(self.port), remote, bytes });
        }
        if kept.recorded && !self.early {
            if let Some(class) = kept.heard.filter(|_| !kept.masked) {
                channels.heard(class, tick.far);
            }
            let [caller, receptionist, staff] = channels.take();
            let masked = kept.masked;
            outputs.push_back(Output::Recorded { leg, rate, at, at_ms, caller, receptionist, staff, masked });
        }
        if kept.tapped {
            let samples: Arc<[i16]> =
                if kept.masked { tick.wide.iter().map(|_| 0).collect() } else { tick.wide.into() };
            outputs.push_back(Output::Pcm { leg, pcm: Pcm { rate: Rate::Hz16000, samples }, at_ms });
        }
        let after_answer = |at_ms: u64| (base_ms + at_ms).saturating_sub(early_ms);
        let is_told = |event: &&StreamEvent| !(self.early || kept.masked && matches!(event, StreamEvent::Dtmf { .. }));
        let told = tick.events.iter().filter(is_told);
        outputs.extend(told.map(|event| Output::Event(leg_event(leg, after_answer, *event))));
        self.music.take_if(|music| music.is_over());
        self.report(at, at_ms, outputs);
        for index in 0..self.moved.len() {
            self.moved(self.moved[index], at_ms, outputs);
        }
    }

    /// Time that was not served: nothing left, nothing is heard of it, and the clocks go on.
    pub(crate) fn skip(&mut self, ticks: u32) {
        self.stream.skip(ticks);
    }

    /// Whether the far end has sent nothing for too long although it should.
    pub(crate) fn is_silent(&self, at: Instant) -> bool {
        // On hold not everybody reports: only who has done so since it began can fall silent.
        let reports = self.rtcp_heard.is_some_and(|heard| heard > self.watched_since);
        let rests = !self.should_hear();
        if self.early || rests && !reports {
            return false;
        }
        let silent_max = if rests || self.stream.is_paused() { RESTING_MAX } else { SILENT_MAX };
        let heard =
            self.stream.heard_at().max(self.rtcp_heard).map_or(self.watched_since, |at| at.max(self.watched_since));
        at.saturating_duration_since(heard) >= silent_max
    }

    /// Something about playing.
    pub(crate) fn play(&mut self, command: Command, outputs: &mut VecDeque<Output>) {
        match command {
            Command::Play { id, pcm, last, .. } => self.append(id, &pcm, last),
            Command::Pause { id, .. } => {
                self.playout.pause(id);
                // Where it stopped matters to who paused it; the next regular report may never come.
                if let Some(progress) = self.untold.take_if(|progress| progress.id == id) {
                    self.tell(progress, self.at_ms(), outputs);
                }
            }
            Command::Resume { id, .. } => self.playout.resume(id),
            Command::Flush { id, .. } => {
                if let Some(progress) = self.playout.flush(id) {
                    self.tell(progress, self.at_ms(), outputs);
                }
            }
            Command::Dtmf { digits, .. } => self.press(&digits),
            _ => {}
        }
    }

    /// Presses keys: as events, or as tones where the far end takes none, for everybody hears those. Nonsense and too many are left out.
    fn press(&mut self, digits: &str) {
        let takes_none = self.stream.send_dtmf(digits) == Err(DigitsRefused::NotNegotiated);
        if takes_none && digits.len() <= QUEUE_MAX {
            let id = PlayId(KEYS.0 + self.next_keys);
            self.next_keys += 1;
            // What finds no place in the queue is left out as well.
            let _refused = self.playout.append(id, &keys(digits, self.rate()), true);
        }
    }

    /// The end: what is owed to whoever played, the last figures, a goodbye.
    pub(crate) fn close(&mut self, now: Instant, outputs: &mut VecDeque<Output>) {
        self.end_playings(outputs);
        if !self.early {
            let quality = self.quality(now);
            outputs.push_back(Output::Event(EngineEvent::Quality { leg: self.leg, quality }));
        }
        if let Some((remote, bytes)) = self.stream.goodbye(now) {
            let bytes = bytes.to_vec();
            outputs.push_back(Output::Transmit { socket: self.rtcp_socket(), remote, bytes });
        }
    }

    fn rtcp_socket(&self) -> Socket {
        if self.agreed.rtcp_mux { Socket::Rtp(self.port) } else { Socket::Rtcp(self.port) }
    }

    fn append(&mut self, id: PlayId, pcm: &Pcm, last: bool) {
        if self.playout.append(id, pcm, last).is_err() && last {
            // The chunk is lost, its mark must not be: whoever plays waits for the end.
            let nothing = Pcm { rate: pcm.rate, samples: Arc::from([]) };
            if self.playout.append(id, &nothing, true).is_err() {
                return;
            }
        }
        if !self.playings.contains(&id) && self.playout.has(id) {
            self.playings.push(id);
        }
    }

    fn moved(&mut self, progress: Progress, at_ms: u64, outputs: &mut VecDeque<Output>) {
        // Whoever has keys pressed is not told how far they are: of events nothing is told either.
        if is_of_keys(&progress) {
            return;
        }
        let due = match self.told_ms {
            Some((id, told_ms)) if id == progress.id => self.total_ms() >= told_ms + PLAYED_EVERY_MS,
            _ => true,
        };
        if due || progress.done {
            self.tell(progress, at_ms, outputs);
        } else {
            self.untold = Some(progress);
        }
    }

    fn tell(&mut self, progress: Progress, at_ms: u64, outputs: &mut VecDeque<Output>) {
        let Progress { id, samples, started_ms, done } = progress;
        self.told_ms = Some((id, self.total_ms()));
        self.untold = None;
        if done {
            self.playings.retain(|other| *other != id);
        }
        let started_ms = started_ms.unwrap_or(at_ms);
        let event = EngineEvent::PlayedTo { leg: self.leg, id, samples, started_ms, done };
        outputs.push_back(Output::Event(event));
    }

    fn end_playings(&mut self, outputs: &mut VecDeque<Output>) {
        for id in std::mem::take(&mut self.playings) {
            if let Some(progress) = self.playout.flush(id) {
                self.tell(progress, self.at_ms(), outputs);
            }
        }
    }

    fn report(&mut self, at: Instant, at_ms: u64, outputs: &mut VecDeque<Output>) {
        if at_ms >= self.quality_ms {
            self.quality_ms = at_ms + QUALITY_EVERY_MS;
            let quality = self.quality(at);
            outputs.push_back(Output::Event(EngineEvent::Quality { leg: self.leg, quality }));
        }
        if let Some((remote, bytes)) = self.stream.rtcp(at) {
            let bytes = bytes.to_vec();
            outputs.push_back(Output::Transmit { socket: self.rtcp_socket(), remote, bytes });
        }
    }
}

fn is_of_keys(progress: &Progress) -> bool {
    (KEYS..KEYS_END).contains(&progress.id)
}

fn params(agreed: &Agreed, srtp: Option<Srtp>, seeds: Seeds) -> StreamParams {
    StreamParams {
        codec: agreed.codec,
        payload_type: agreed.payload_send,
        dtmf_payload_type: agreed.events_send,
        remote: agreed.remote,
        remote_rtcp: agreed.remote_rtcp,
        rtcp_mux: agreed.rtcp_mux,
        packet_ms: agreed.ptime_ms,
        srtp,
        seeds,
    }
}

fn leg_event(leg: LegId, after_answer: impl Fn(u64) -> u64, event: StreamEvent) -> EngineEvent {
    match event {
        StreamEvent::SpeechStarted { at_ms } => EngineEvent::SpeechStarted { leg, at_ms: after_answer(at_ms) },
        StreamEvent::SpeechEnded { at_ms } => EngineEvent::SpeechEnded { leg, at_ms: after_answer(at_ms) },
        StreamEvent::Dtmf { digit, at_ms } => EngineEvent::Dtmf { leg, digit, at_ms: after_answer(at_ms) },
        StreamEvent::Level { far, near } => EngineEvent::Level { leg, caller: far, clinic: near },
    }
}
