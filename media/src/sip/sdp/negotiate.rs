//! Offer and answer (RFC 3264) for our one audio stream.

use std::net::{IpAddr, SocketAddr};

use super::crypto::Keyring;
use super::section::{
    channels, chosen, codec_of, encoding, events_payload, first_common, has_noise, is_audio, is_protected, payload_of,
    refused,
};
use super::{Crypto, Direction, Media, Origin, RtpMap, Sdp, SdpRefusal};
use crate::io::{Codec, Protection};
use crate::rtp::srtp::Keys;
use crate::rtp::{COMFORT_NOISE, Clock};

/// The payload numbers under which we offer telephone events; 101 is what nearly everybody uses. Events are told in ticks of
/// the clock of the audio beside them (RFC 4733 section 2.1), so those beside Opus are a format of their own.
const EVENTS_PAYLOAD: u8 = 101;
const EVENTS_PAYLOAD_OPUS: u8 = 102;
/// Comfort noise is written like this (RFC 3389 section 4); it is for codecs whose clock is its own. We take it, and send none: our
/// audio never pauses.
const NOISE: &str = "CN";
/// The packet time we ask for and send.
const PTIME_MS: u32 = 20;
/// What we take of Opus and give (RFC 7587 section 6.1): its redundancy, and the band that we hear.
const OPUS_PARAMETERS: &str = "useinbandfec=1;maxplaybackrate=16000;sprop-maxcapturerate=16000";

/// One format of our audio section.
#[derive(Clone, Copy)]
enum Format {
    Audio(Codec),
    Events(Clock),
    Noise,
}

/// What both sides settled on for the audio stream.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Agreed {
    /// The codec, both ways.
    pub codec: Codec,
    /// Payload number to send with (the far end listed it).
    pub payload_send: u8,
    /// Payload number to expect (we listed it).
    pub payload_receive: u8,
    /// Payload number to send telephone events with; `None`: the far end takes none.
    pub events_send: Option<u8>,
    /// Payload number to expect telephone events with.
    pub events_receive: Option<u8>,
    /// Where our RTP goes; `None` while the far end has no address for it (held in the old way, `c=0.0.0.0`).
    pub remote: Option<SocketAddr>,
    /// Where our RTCP goes.
    pub remote_rtcp: Option<SocketAddr>,
    /// RTCP goes between the RTP ports of both sides.
    pub rtcp_mux: bool,
    /// Keys of SRTP; without them, RTP is plain.
    pub keys: Option<Keys>,
    /// Who sends, seen from us: `RecvOnly` or `Inactive` means that the far end holds us.
    pub direction: Direction,
    /// Packet time to send, in milliseconds: what the far end asked for, between 10 and 60.
    pub ptime_ms: u32,
}

impl Agreed {
    /// Whether the far end has put us on hold: it does not want to hear us.
    pub fn held(&self) -> bool {
        !self.direction.sends()
    }
}

/// Our half of a call's negotiation. One per call; makes every description that we send in it.
#[derive(Clone, Debug)]
pub struct Session {
    host: IpAddr,
    port: u16,
    id: u64,
    /// What we said last; its version stays unless the next one differs.
    said: Option<Sdp>,
    /// The highest version so far, of what was refused too.
    version: u64,
    /// We have the far end on hold.
    holding: bool,
    /// What we said and whether we held before an offer that is not answered yet.
    before: Option<(Sdp, bool)>,
    /// Our keys, where signalling is secure.
    keyring: Option<Keyring>,
    /// What was last agreed on, and stays in our next offer.
    settled: Option<Settled>,
    /// Our first offer demands keys where it has them; else it only offers them.
    demands: bool,
    /// A stream without keys is none.
    refuses_plain: bool,
}

/// How the stream is carried.
#[derive(Clone, Debug)]
struct Settled {
    protocol: String,
    rtcp_mux: bool,
    /// Comfort noise may come.
    noise: bool,
}

impl Session {
    /// For a call whose RTP goes to `host:port` (even port; RTCP above it). `id` names the session in `o=` lines.
    pub fn new(host: IpAddr, port: u16, id: u64) -> Self {
        Self {
            host,
            port,
            id,
            said: None,
            version: 0,
            holding: false,
            before: None,
            keyring: None,
            settled: None,
            demands: true,
            refuses_plain: false,
        }
    }

    /// Signalling is secure on its whole way: keys are accepted and offered. Ours are drawn from a secret that no other
    /// session has.
    pub fn secure(self, secret: [u8; 32]) -> Self {
        Self { keyring: Some(Keyring::new(secret)), ..self }
    }

    /// Whether audio has to be encrypted. Without secure signalling, `Required` leaves nothing that could be agreed on.
    pub fn protected(self, protection: Protection) -> Self {
        let keyring = self.keyring.filter(|_| protection != Protection::Off);
        let required = protection == Protection::Required;
        Self { keyring, demands: required, refuses_plain: required, ..self }
    }

    /// An offer of these codecs, best first, with telephone events. Also the full new offer that a re-INVITE without one
    /// asks for.
    pub fn offer(&mut self, codecs: &[Codec]) -> Sdp {
        let mut formats: Vec<(u8, Format)> =
            codecs.iter().map(|codec| (codec.payload_type(), Format::Audio(*codec))).collect();
        // What the far end has left is not asked for again.
        let may_have_noise = self.settled.as_ref().is_none_or(|settled| settled.noise);
        if may_have_noise && codecs.iter().any(|codec| Clock::of(*codec) == Clock::NARROW) {
            formats.push((COMFORT_NOISE, Format::Noise));
        }
        for (payload, clock) in [(EVENTS_PAYLOAD, Clock::NARROW), (EVENTS_PAYLOAD_OPUS, Clock::of(Codec::Opus))] {
            if codecs.iter().any(|codec| Clock::of(*codec) == clock) {
                formats.push((payload, Format::Events(clock)));
            }
        }
        let mut media = self.audio(&formats, "RTP/AVP", Direction::of(true, !self.holding));
        self.protect(&mut media);
        self.say_again(media)
    }

    /// An offer that changes nothing but who sends (RFC 3264 section 8.4): on hold, the far end shall not. Until it is
    /// accepted, [`Self::withdraw`] takes it back.
    pub fn offer_hold(&mut self, agreed: &Agreed, on: bool) -> Sdp {
        let events = agreed.events_receive.map(|events| (events, Format::Events(Clock::of(agreed.codec))));
        let has_noise = self.settled.as_ref().is_some_and(|settled| settled.noise);
        let noise = has_noise.then_some((COMFORT_NOISE, Format::Noise));
        let formats: Vec<_> =
            [(agreed.payload_receive, Format::Audio(agreed.codec))].into_iter().chain(noise).chain(events).collect();
        self.before = self.said.clone().map(|said| (said, self.holding));
        self.holding = on;
        // A far end that does not hear us already stays so.
        let direction = Direction::of(!(on && agreed.held()), !on);
        let protocol = self.settled.as_ref().map_or("RTP/AVP", |settled| &settled.protocol);
        let mut media = self.audio(&formats, protocol, direction);
        self.protect(&mut media);
        self.say_again(media)
    }

    /// Our offer was refused: all is as it was. Its version is not used again.
    pub fn withdraw(&mut self) {
        if let Some((said, holding)) = self.before.take() {
            (self.said, self.holding) = (Some(said), holding);
        }
    }

    /// Describes our stream anew. One that was in an earlier description keeps its place (RFC 3264 section 8).
    fn say_again(&mut self, media: Media) -> Sdp {
        let mut sections = match &self.said {
            Some(said) => said.media.iter().map(refused).collect(),
            None => Vec::new(),
        };
        let place = self.said.as_ref().and_then(|said| said.media.iter().position(|media| media.port != 0));
        match place.and_then(|place| sections.get_mut(place)) {
            Some(section) => *section = media,
            None => sections.push(media),
        }
        self.say(sections)
    }

    /// Answers an offer with the first of its codecs that is among `codecs`, and with telephone events where offered.
    /// Every other section is refused with port 0.
    ///
    /// # Errors
    /// When nothing can be agreed on: reply 488.
    pub fn answer(&mut self, offer: &Sdp, codecs: &[Codec]) -> Result<(Sdp, Agreed), SdpRefusal> {
        let mut refusal = SdpRefusal::NoAudio;
        for (place, media) in offer.media.iter().enumerate() {
            if !is_audio(media) {
                continue;
            }
            let Some((payload, codec)) = first_common(media, codecs) else {
                refusal = SdpRefusal::NoCodec;
                continue;
            };
            let theirs = self.keyring.as_ref().and_then(|_| media.crypto.first());
            if theirs.is_none() && (is_protected(media) || self.refuses_plain) {
                refusal = SdpRefusal::NoKey;
                continue;
            }
            let clock = Clock::of(codec);
            let events = events_payload(media, clock);
            let mut agreed = agree(offer, media, (codec, payload), events, media.rtcp_mux)?;
            agreed.direction = Direction::of(agreed.direction.sends(), agreed.direction.receives() && !self.holding);
            // Events go under the number that the offer gives them, both ways.
            agreed.payload_receive = payload;
            agreed.events_receive = events;
            let has_noise = has_noise(media, clock);
            let noise = has_noise.then_some((COMFORT_NOISE, Format::Noise));
            let formats: Vec<(u8, Format)> = [(payload, Format::Audio(codec))]
                .into_iter()
                .chain(noise)
                .chain(events.map(|events| (events, Format::Events(clock))))
                .collect();
            let mut section = self.audio(&formats, &media.protocol, agreed.direction);
            section.rtcp_mux = agreed.rtcp_mux;
            if let (Some(theirs), Some(keyring)) = (theirs, &mut self.keyring) {
                let send = keyring.key(theirs.key.suite()).ok_or(SdpRefusal::NoKey)?;
                section.crypto.push(Crypto { tag: theirs.tag, key: send.clone() });
                agreed.keys = Some(Keys { send, receive: theirs.key.clone() });
            }
            self.settle(&agreed, &media.protocol, has_noise);
            let mut sections: Vec<Media> = offer.media.iter().map(refused).collect();
            sections[place] = section;
            return Ok((self.say(sections), agreed));
        }
        Err(refusal)
    }

    /// Takes the far end's answer to our last offer.
    ///
    /// # Errors
    /// When it has another number of sections than the offer, refuses the stream, or names a codec that was not offered.
    pub fn accept(&mut self, answer: &Sdp) -> Result<Agreed, SdpRefusal> {
        let offer = self.said.as_ref().ok_or(SdpRefusal::Mismatch)?;
        if answer.media.len() != offer.media.len() {
            return Err(SdpRefusal::Mismatch);
        }
        let place = offer.media.iter().position(|media| media.port != 0).ok_or(SdpRefusal::Mismatch)?;
        let (ours, theirs) = (&offer.media[place], &answer.media[place]);
        // Who is offered a key without being pressed may answer in either way.
        let fits = is_protected(ours) == is_protected(theirs) || !is_protected(ours) && !ours.crypto.is_empty();
        if !is_audio(theirs) || !fits {
            return Err(SdpRefusal::NoAudio);
        }
        let declined = theirs.crypto.is_empty() && !is_protected(theirs) && !is_protected(ours);
        let keys = if ours.crypto.is_empty() || declined {
            None
        } else {
            Some(chosen(ours, theirs).ok_or(SdpRefusal::NoKey)?)
        };
        if keys.is_none() && self.refuses_plain {
            return Err(SdpRefusal::NoKey);
        }
        let offered: Vec<Codec> = ours.formats.iter().filter_map(|format| codec_of(ours, format)).collect();
        // A trunk may answer with several codecs: the first is the one to use until it says otherwise.
        let (payload, codec) = first_common(theirs, &offered).ok_or(SdpRefusal::NoCodec)?;
        let clock = Clock::of(codec);
        let events = events_payload(theirs, clock);
        let mut agreed = agree(answer, theirs, (codec, payload), events, ours.rtcp_mux && theirs.rtcp_mux)?;
        agreed.payload_receive = payload_of(ours, codec);
        agreed.events_receive = events_payload(ours, clock);
        agreed.keys = keys;
        // What we did not offer is not to be had, whatever the answer says.
        let wanted = ours.direction.unwrap_or_default();
        let (sends, receives) = (agreed.direction.sends(), agreed.direction.receives());
        agreed.direction = Direction::of(sends && wanted.sends(), receives && wanted.receives());
        self.before = None;
        let (protocol, has_noise) = (theirs.protocol.clone(), has_noise(ours, clock) && has_noise(theirs, clock));
        self.settle(&agreed, &protocol, has_noise);
        Ok(agreed)
    }

    /// Remembers how the stream is carried, so that our next offer changes nothing.
    fn settle(&mut self, agreed: &Agreed, protocol: &str, noise: bool) {
        if let Some(keyring) = &mut self.keyring {
            keyring.settle(agreed.keys.clone());
        }
        self.settled = Some(Settled { protocol: protocol.into(), rtcp_mux: agreed.rtcp_mux, noise });
    }

    /// Puts keys into our offer where signalling is secure, unless both sides agreed to do without.
    fn protect(&mut self, media: &mut Media) {
        media.rtcp_mux = self.settled.as_ref().is_some_and(|settled| settled.rtcp_mux);
        let Some(keyring) = &mut self.keyring else { return };
        match (&self.settled, keyring.current()) {
            (Some(_), None) => {}
            (Some(settled), Some(_)) => {
                media.protocol.clone_from(&settled.protocol);
                media.crypto = keyring.offer();
            }
            (None, _) => {
                if self.demands {
                    media.protocol = "RTP/SAVP".into();
                }
                media.crypto = keyring.offer();
            }
        }
    }

    /// Our audio section.
    fn audio(&self, formats: &[(u8, Format)], protocol: &str, direction: Direction) -> Media {
        let maps = formats.iter().map(|(payload, format)| match format {
            Format::Audio(codec) => RtpMap {
                payload: *payload,
                encoding: encoding(*codec).into(),
                clock_hz: Clock::of(*codec).hz(),
                channels: channels(*codec),
            },
            Format::Events(clock) => {
                RtpMap { payload: *payload, encoding: "telephone-event".into(), clock_hz: clock.hz(), channels: 1 }
            }
            Format::Noise => {
                RtpMap { payload: *payload, encoding: NOISE.into(), clock_hz: Clock::NARROW.hz(), channels: 1 }
            }
        });
        let parameters = formats.iter().filter_map(|(payload, format)| match format {
            Format::Audio(Codec::Opus) => Some((*payload, OPUS_PARAMETERS.into())),
            Format::Audio(_) | Format::Noise => None,
            Format::Events(_) => Some((*payload, "0-15".into())),
        });
        Media {
            kind: "audio".into(),
            port: self.port,
            protocol: protocol.into(),
            formats: formats.iter().map(|(payload, _)| payload.to_string()).collect(),
            connection: None,
            direction: Some(direction),
            maps: maps.collect(),
            parameters: parameters.collect(),
            ptime_ms: Some(PTIME_MS),
            ptime_ms_max: None,
            rtcp_port: None,
            rtcp_mux: false,
            crypto: Vec::new(),
        }
    }

    /// Makes the description; its version rises only when something else in it changed (RFC 3264 section 8).
    fn say(&mut self, media: Vec<Media>) -> Sdp {
        let unchanged = self.said.as_ref().filter(|said| said.media == media).map(|said| said.origin.version);
        let version = unchanged.unwrap_or(self.version + 1);
        self.version = self.version.max(version);
        let sdp = Sdp {
            origin: Origin { user: "-".into(), id: self.id, version, host: self.host.to_string() },
            connection: Some(self.host.into()),
            direction: None,
            media,
        };
        self.said = Some(sdp.clone());
        sdp
    }
}

/// The sending half of what is agreed; the receiving numbers depend on who offered.
fn agree(
    sdp: &Sdp,
    media: &Media,
    (codec, payload): (Codec, u8),
    events: Option<u8>,
    rtcp_mux: bool,
) -> Result<Agreed, SdpRefusal> {
    let address = sdp.address_of(media).ok_or(SdpRefusal::NoAddress)?;
    let theirs = sdp.direction_of(media);
    // The old way to hold (RFC 2543): no address to send to, whatever the direction says.
    let hears = theirs.receives() && !address.is_unspecified();
    let port_rtcp = match media.rtcp_port.filter(|port| *port != 0) {
        _ if rtcp_mux => Some(media.port),
        Some(port) => Some(port),
        None => media.port.checked_add(1),
    };
    let remote = (!address.is_unspecified()).then(|| SocketAddr::new(address, media.port));
    Ok(Agreed {
        codec,
        payload_send: payload,
        payload_receive: payload,
        events_send: events,
        events_receive: None,
        remote,
        remote_rtcp: remote.and(port_rtcp).map(|port| SocketAddr::new(address, port)),
        rtcp_mux,
        keys: None,
        direction: Direction::of(hears, theirs.sends()),
        ptime_ms: media.ptime_ms.unwrap_or(PTIME_MS).min(media.ptime_ms_max.unwrap_or(u32::MAX)).clamp(10, 60),
    })
}
