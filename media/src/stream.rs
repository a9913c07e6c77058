//! One leg's media: RTP in, a frame of far-end audio out every 20 ms, and RTP packets as long as the far end asks for.
//!
//! Packets may come at any time ([`MediaStream::receive`]); everything else happens in the two halves of
//! [`MediaStream::tick`]. All times in
//! events are milliseconds of the stream's own audio: frame `n` of the stream covers `20 n` to `20 (n + 1)`.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::audio::goertzel::KeyTones;
use crate::audio::level::peak_percent;
use crate::audio::mos::mos;
use crate::audio::resample::{HighBand, Upsampler};
use crate::audio::vad::{Vad, VadTimes};
use crate::codec::Encoder;
use crate::io::{Codec, LegQuality, Rate};
use crate::rtp::Clock;
use crate::rtp::dtmf::{DigitsRefused, EventFrame, EventReceiver, EventSender};
use crate::rtp::latch::Latch;
use crate::rtp::receive::Receiver;
use crate::rtp::rtcp::{Rtcp, Sent};
use crate::rtp::session::{Reception, Seeds, Sender};
use crate::rtp::srtp::{GROWTH_MAX, Srtp};

mod arrival;
mod parcel;
mod presses;
mod told;

pub use crate::rtp::receive::Made;
use parcel::Parcel;
use presses::{Presses, Way};
pub use told::{Refusal, StreamEvent, Tick};

/// Length of a frame.
const FRAME_MS: u64 = 20;
/// Samples of a frame at 16 kHz.
const WIDE_FRAME: usize = 320;
/// Frames over which [`StreamEvent::Level`] takes its peaks: 200 ms.
const LEVEL_FRAMES: u64 = 10;
/// Keys noticed between two ticks; more are not the work of fingers and are dropped.
const NOTICED_MAX: usize = 8;

/// What a stream needs to know at its start.
#[derive(Debug)]
pub struct StreamParams {
    /// The codec chosen, for both directions.
    pub codec: Codec,
    /// Its payload type.
    pub payload_type: u8,
    /// Payload type of telephone-event, where it was negotiated. Where it was not, digits are listened for in the audio.
    pub dtmf_payload_type: Option<u8>,
    /// Where SDP says the far end receives RTP. `None` (no address, or 0.0.0.0): nothing is sent until it is heard.
    pub remote: Option<SocketAddr>,
    /// Where SDP says it receives RTCP, otherwise one port above.
    pub remote_rtcp: Option<SocketAddr>,
    /// RTCP goes between the RTP ports of both sides.
    pub rtcp_mux: bool,
    /// How long our packets are to last, in milliseconds.
    pub packet_ms: u32,
    /// The protection that was agreed on; without, packets are plain.
    pub srtp: Option<Srtp>,
    /// Our random numbers.
    pub seeds: Seeds,
}

/// One leg's media.
pub struct MediaStream {
    codec: Codec,
    payload_type: u8,
    dtmf_payload_type: Option<u8>,
    latch: Latch,
    signalled_rtcp: Option<SocketAddr>,
    heard_rtcp: Option<SocketAddr>,
    rtcp_mux: bool,
    srtp: Option<Srtp>,
    sender: Sender,
    packet_ms: u32,
    /// None: each frame is a packet.
    parcel: Option<Parcel>,
    reception: Reception,
    receiver: Receiver,
    rtcp: Rtcp,
    encoder: Encoder,
    events_in: EventReceiver,
    events_out: EventSender,
    key_tones: Option<KeyTones>,
    presses: Presses,
    vad: Vad,
    upsampler: Option<Upsampler>,
    held: bool,
    /// Somebody wants to know when the far end speaks, or hears it at 16 kHz.
    is_listened_to: bool,
    refused: u64,
    heard_at: Option<Instant>,
    frames: u64,
    levels: (u8, u8),
    far: Vec<i16>,
    made: Made,
    near: Vec<i16>,
    wide: Vec<i16>,
    payload: Vec<u8>,
    packet: Vec<u8>,
    /// The second packet of a frame that leaves in two.
    second: Vec<u8>,
    /// What came, decrypted.
    plain: Vec<u8>,
    compound: Vec<u8>,
    events: Vec<StreamEvent>,
    /// Noticed between ticks.
    noticed: Vec<StreamEvent>,
    /// Number of the next piece that comes without RTP.
    piece: u16,
    /// Packets received and lost before the present call.
    earlier: (u64, u64),
}

impl MediaStream {
    /// Starts a leg's media. The first tick is frame 0.
    pub fn new(params: StreamParams, now: Instant) -> Self {
        let StreamParams { codec, payload_type, dtmf_payload_type, remote, remote_rtcp, rtcp_mux, packet_ms, .. } =
            params;
        let StreamParams { srtp, mut seeds, .. } = params;
        if srtp.is_some() {
            // The far end guesses how often the number has turned over: it must not do so before it has heard one
            // (RFC 3711 section 3.3.1).
            seeds.sequence &= 0x7fff;
        }
        let (rate, clock) = (codec.rate(), Clock::of(codec));
        Self {
            codec,
            payload_type,
            dtmf_payload_type,
            latch: Latch::new(remote),
            signalled_rtcp: remote_rtcp,
            heard_rtcp: None,
            rtcp_mux,
            srtp,
            sender: Sender::new(seeds, clock),
            packet_ms,
            parcel: Parcel::of(codec, packet_ms),
            reception: Reception::new(clock, now),
            receiver: Receiver::new(codec, now),
            rtcp: Rtcp::new(now, seeds.rtcp),
            encoder: Encoder::new(codec),
            events_in: EventReceiver::default(),
            events_out: EventSender::new(clock),
            key_tones: dtmf_payload_type.is_none().then(|| KeyTones::new(rate)),
            presses: Presses::default(),
            vad: Vad::new(VadTimes::default()),
            upsampler: upsampler(rate),
            held: false,
            is_listened_to: true,
            refused: 0,
            heard_at: None,
            frames: 0,
            levels: (0, 0),
            far: vec![0; rate.frame()],
            made: Made::Silence,
            near: vec![0; rate.frame()],
            wide: vec![0; WIDE_FRAME],
            payload: Vec::with_capacity(160),
            packet: Vec::with_capacity(172 + GROWTH_MAX),
            second: Vec::new(),
            plain: Vec::with_capacity(172 + GROWTH_MAX),
            compound: Vec::with_capacity(128 + GROWTH_MAX),
            events: Vec::with_capacity(NOTICED_MAX),
            noticed: Vec::with_capacity(NOTICED_MAX),
            piece: 0,
            earlier: (0, 0),
        }
    }

    /// Rate of the codec's audio: of `far`, of `near` and of what is played.
    pub fn rate(&self) -> Rate {
        self.codec.rate()
    }

    /// The codec of the leg.
    pub fn codec(&self) -> Codec {
        self.codec
    }

    /// Whether somebody wants to know when the far end speaks, or hears it at 16 kHz; at first somebody does. Finding it out is
    /// most of what a frame of a narrowband leg costs. While nobody does, [`Tick::wide`] is empty; speech that is running is
    /// over, and is told anew when somebody listens again.
    pub fn listened_to(&mut self, on: bool) {
        if on && !self.is_listened_to {
            self.upsampler = upsampler(self.rate());
        }
        self.is_listened_to = on;
    }

    /// One frame of time passes: [`Self::hear`], then [`Self::speak`].
    pub fn tick(&mut self, now: Instant, play: impl FnMut(&mut [i16])) -> Tick<'_> {
        self.hear(now);
        self.speak(play)
    }

    /// The first half of a frame: what the far end says in it. [`Self::speak`] must follow before time goes on; in between,
    /// legs can be given what others say in the very same frame.
    pub fn hear(&mut self, now: Instant) {
        self.events.clear();
        self.events.append(&mut self.noticed);
        self.made = self.receiver.frame(&mut self.far, now);
        self.listen(self.position_ms());
    }

    /// Far-end audio of the frame, at the codec's rate.
    pub fn far(&self) -> &[i16] {
        &self.far
    }

    /// The second half of a frame: what we say in it. `play` fills it, at the codec's rate; it is not asked in frames that
    /// carry a digit or while on hold, so that nothing that should be heard is lost in them.
    pub fn speak(&mut self, mut play: impl FnMut(&mut [i16])) -> Tick<'_> {
        let at_ms = self.position_ms();
        self.send(&mut play);
        self.measure_levels();
        self.frames += 1;
        self.sender.advance_by(1);
        Tick {
            packet: self.latch.remote().filter(|_| !self.packet.is_empty()).map(|remote| (remote, &self.packet[..])),
            second: self.latch.remote().filter(|_| !self.second.is_empty()).map(|remote| (remote, &self.second[..])),
            far: &self.far,
            made: self.made,
            wide: if self.is_listened_to { &self.wide } else { &[] },
            near: &self.near,
            events: &self.events,
            at_ms,
        }
    }

    /// What the last tick encoded, for a far end that takes it without RTP; nothing when it was silence.
    pub fn outgoing(&self) -> Option<&[u8]> {
        self.near.iter().any(|sample| *sample != 0).then_some(&self.payload[..])
    }

    /// Frames that could not be served in time are left out: nothing leaves and nothing is heard for them, but the clocks
    /// of both sides go on.
    pub fn skip(&mut self, frames: u32) {
        self.frames += u64::from(frames);
        self.sender.advance_by(frames);
        self.sender.begin_spurt();
        self.drop_waiting();
        self.receiver.skip(frames);
        self.vad.skip(u64::from(frames) * FRAME_MS);
    }

    /// Milliseconds of audio ticked so far.
    pub fn position_ms(&self) -> u64 {
        self.frames * FRAME_MS
    }

    /// When [`Self::rtcp`] has a report to send.
    pub fn rtcp_due(&self) -> Instant {
        self.rtcp.due()
    }

    /// The RTCP report, when it is due and an address is known.
    pub fn rtcp(&mut self, now: Instant) -> Option<(SocketAddr, &[u8])> {
        if now < self.rtcp.due() {
            return None;
        }
        let about = self.reception.report();
        self.compound.clear();
        self.rtcp.report(self.sent(), about, now, &mut self.compound);
        self.protect_compound();
        Some((self.rtcp_remote()?, &self.compound))
    }

    /// The RTCP goodbye that ends the leg.
    pub fn goodbye(&mut self, now: Instant) -> Option<(SocketAddr, &[u8])> {
        let about = self.reception.report();
        self.compound.clear();
        self.rtcp.goodbye(self.sent(), about, now, &mut self.compound);
        self.protect_compound();
        Some((self.rtcp_remote()?, &self.compound))
    }

    /// How the far end hears us, where its reports are read elsewhere.
    pub fn far_figures(&mut self, remote_loss: f32, round_trip: Option<Duration>) {
        self.rtcp.told(remote_loss, round_trip);
    }

    /// Queues digits to be sent as events: all of them or none.
    pub fn send_dtmf(&mut self, digits: &str) -> Result<(), DigitsRefused> {
        if self.dtmf_payload_type.is_none() {
            return Err(DigitsRefused::NotNegotiated);
        }
        self.events_out.push(digits)
    }

    /// The far end's address after a re-INVITE. The same one changes nothing; another must be heard anew, and strangers to
    /// it are on probation again.
    pub fn set_remote(&mut self, remote: Option<SocketAddr>, remote_rtcp: Option<SocketAddr>, rtcp_mux: bool) {
        let before = (self.latch.remote(), self.rtcp_mux);
        self.latch.signal(remote);
        self.signalled_rtcp = remote_rtcp;
        self.rtcp_mux = rtcp_mux;
        if rtcp_mux != before.1 {
            self.heard_rtcp = None;
        }
        if self.latch.remote() != before.0 {
            self.heard_rtcp = None;
            self.reception.forget();
            self.receiver.reset();
            self.sender.begin_spurt();
        }
    }

    /// The far end wants packets of another length from now on.
    pub fn set_packet_ms(&mut self, packet_ms: u32) {
        if packet_ms != self.packet_ms {
            (self.packet_ms, self.parcel) = (packet_ms, Parcel::of(self.codec, packet_ms));
        }
    }

    fn drop_waiting(&mut self) {
        if let Some(parcel) = &mut self.parcel {
            parcel.drop_waiting();
        }
    }

    /// The far end told a digit by signalling: its tones are not listened to any more. False when this very press was told by its
    /// tones or as an event.
    pub fn digit_signalled(&mut self, digit: char) -> bool {
        self.key_tones = None;
        self.presses.is_news(digit, Way::Signalling, self.position_ms())
    }

    /// Protects what is sent and received from now on as given, and hands back what did so before.
    pub fn set_srtp(&mut self, srtp: Option<Srtp>) -> Option<Srtp> {
        std::mem::replace(&mut self.srtp, srtp)
    }

    /// The far end put us on hold or took us off it. On hold we go on sending silence, as trunks and address translators
    /// give up streams that stop; nothing is played, and what comes in is neither speech nor for recognition.
    pub fn hold(&mut self, on: bool) {
        if self.held && !on {
            self.sender.begin_spurt();
        }
        self.held = on;
    }

    /// Whether the far end has us on hold.
    pub fn held(&self) -> bool {
        self.held
    }

    /// When the last valid packet came: for the watchdog, which should rest while on hold.
    pub fn heard_at(&self) -> Option<Instant> {
        self.heard_at
    }

    /// Whether the far end is speaking.
    pub fn speaking(&self) -> bool {
        self.vad.speaking()
    }

    /// Whether the far end said that it is silent for now, and may send nothing.
    pub fn is_paused(&self) -> bool {
        self.receiver.is_paused()
    }

    /// Counts its figures anew.
    pub fn measure(&mut self) {
        self.earlier = self.reception.totals();
        self.receiver.measure();
    }

    /// How the leg fares. Whether it is heard on one side only is for the leg to say: it knows who should send.
    pub fn quality(&self) -> LegQuality {
        let (received, lost) = self.reception.totals();
        // A late packet is lost no more.
        let (received, lost) = (received.saturating_sub(self.earlier.0), lost.saturating_sub(self.earlier.1));
        let round_trip_ms = self.rtcp.round_trip().map(|span| u32::try_from(span.as_millis()).unwrap_or(u32::MAX));
        let lost_share = lost as f32 / (received + lost).max(1) as f32;
        // A packet's own length, half the way there and back, and the wait.
        let delay_ms = FRAME_MS as f32 + round_trip_ms.unwrap_or(0) as f32 / 2.0 + self.receiver.wait_ms() as f32;
        let missing = self.receiver.missing().max(lost_share);
        LegQuality {
            received,
            lost,
            concealed: self.receiver.concealed(),
            refused: self.refused,
            jitter_ms: self.reception.jitter_ms(),
            remote_loss: self.rtcp.remote_loss(),
            round_trip_ms,
            mos: if received == 0 { 0.0 } else { mos(self.codec, missing, delay_ms) },
            one_way: false,
        }
    }

    /// Everything that is done with far-end audio.
    fn listen(&mut self, at_ms: u64) {
        let events = &mut self.events;
        if self.is_listened_to {
            if self.held {
                self.wide.fill(0);
            } else if let Some(upsampler) = &mut self.upsampler {
                upsampler.run(&self.far, &mut self.wide);
            } else {
                self.wide.copy_from_slice(&self.far);
            }
            self.vad.run(&self.wide, |event| events.push(event.into()));
        } else {
            events.extend(self.vad.rest(FRAME_MS).map(StreamEvent::from));
        }
        if let Some(key_tones) = self.key_tones.as_mut().filter(|_| !self.held) {
            let presses = &mut self.presses;
            key_tones.run(&self.far, |digit| {
                if presses.is_news(digit, Way::Tones, at_ms) {
                    events.push(StreamEvent::Dtmf { digit, at_ms });
                }
            });
        }
    }

    /// Builds the frame's packets and protects them.
    fn send(&mut self, play: &mut impl FnMut(&mut [i16])) {
        self.build(play);
        if let Some(srtp) = &mut self.srtp {
            for packet in [&mut self.packet, &mut self.second] {
                if !packet.is_empty() {
                    srtp.protector().rtp(packet);
                }
            }
        }
    }

    fn protect_compound(&mut self) {
        if let Some(srtp) = &mut self.srtp {
            srtp.protector().rtcp(&mut self.compound);
        }
    }

    fn build(&mut self, play: &mut impl FnMut(&mut [i16])) {
        self.packet.clear();
        self.second.clear();
        let digit = self.dtmf_payload_type.zip(self.events_out.frame(self.sender.timestamp()));
        if digit.is_some() || self.held {
            self.near.fill(0);
        } else {
            play(&mut self.near);
        }
        if let Some((kind, EventFrame::Packet { marker, timestamp, event })) = digit {
            self.sender.event(marker, kind, timestamp, &event.to_bytes(), &mut self.packet);
            self.drop_waiting();
            return;
        }
        self.payload.clear();
        self.encoder.encode(&self.near, &mut self.payload);
        let (kind, sender) = (self.payload_type, &mut self.sender);
        match &mut self.parcel {
            None => sender.audio(kind, 0, &self.payload, &mut self.packet),
            Some(parcel) => {
                parcel.put(&self.payload);
                parcel.take(|begins, payload| sender.audio(kind, begins, payload, &mut self.packet));
                parcel.take(|begins, payload| sender.audio(kind, begins, payload, &mut self.second));
            }
        }
    }

    fn measure_levels(&mut self) {
        self.levels.0 = self.levels.0.max(peak_percent(&self.far));
        self.levels.1 = self.levels.1.max(peak_percent(&self.near));
        if (self.frames + 1).is_multiple_of(LEVEL_FRAMES) {
            let (far, near) = std::mem::take(&mut self.levels);
            self.events.push(StreamEvent::Level { far, near });
        }
    }

    fn sent(&self) -> Sent {
        let (packets, octets) = self.sender.sent();
        Sent { ssrc: self.sender.ssrc(), timestamp: self.sender.timestamp(), packets, octets }
    }
}

/// What recognisers hear a narrowband leg with.
fn upsampler(rate: Rate) -> Option<Upsampler> {
    (rate == Rate::Hz8000).then(|| Upsampler::new(HighBand::Folded))
}

#[cfg(test)]
mod sound;
#[cfg(test)]
mod tests;
