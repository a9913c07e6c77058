//! Offer and answer (RFC 3264) for our one audio stream.

use std::net::{IpAddr, SocketAddr};

use super::{Direction, Media, Origin, RtpMap, Sdp, SdpRefusal};
use crate::io::Codec;

/// The payload number under which we offer telephone events; 101 is what nearly everybody uses.
const EVENTS_PAYLOAD: u8 = 101;
/// The packet time we ask for and send.
const PTIME_MS: u32 = 20;
/// Codecs of G.711 and G.722 all have an RTP clock of 8 kHz (RFC 3551 section 4.5.2), and so have their events.
const CLOCK_HZ: u32 = 8_000;

/// What both sides settled on for the audio stream.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
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
}

impl Session {
    /// For a call whose RTP goes to `host:port` (even port; RTCP above it). `id` names the session in `o=` lines.
    pub fn new(host: IpAddr, port: u16, id: u64) -> Self {
        Self { host, port, id, said: None }
    }

    /// An offer of these codecs, best first, with telephone events. Also the full new offer that a re-INVITE without one
    /// asks for.
    pub fn offer(&mut self, codecs: &[Codec]) -> Sdp {
        let formats: Vec<(u8, Option<Codec>)> =
            codecs.iter().map(|codec| (static_payload(*codec), Some(*codec))).chain([(EVENTS_PAYLOAD, None)]).collect();
        let media = self.audio(&formats, "RTP/AVP", Direction::SendRecv);
        // A stream that was in an earlier description keeps its place (RFC 3264 section 8).
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
            if !is_plain_audio(media) {
                continue;
            }
            let Some((payload, codec)) = first_common(media, codecs) else {
                refusal = SdpRefusal::NoCodec;
                continue;
            };
            let events = events_payload(media);
            let mut agreed = agree(offer, media, codec, payload, events)?;
            // Events go under the number that the offer gives them, both ways.
            agreed.payload_receive = payload;
            agreed.events_receive = events;
            let formats: Vec<(u8, Option<Codec>)> =
                [(payload, Some(codec))].into_iter().chain(events.map(|events| (events, None))).collect();
            let mut sections: Vec<Media> = offer.media.iter().map(refused).collect();
            sections[place] = self.audio(&formats, &media.protocol, agreed.direction);
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
        if !is_plain_audio(theirs) {
            return Err(SdpRefusal::NoAudio);
        }
        let offered: Vec<Codec> = ours.formats.iter().filter_map(|format| codec_of(ours, format)).collect();
        // A trunk may answer with several codecs: the first is the one to use until it says otherwise.
        let (payload, codec) = first_common(theirs, &offered).ok_or(SdpRefusal::NoCodec)?;
        let events = events_payload(theirs);
        let mut agreed = agree(answer, theirs, codec, payload, events)?;
        agreed.payload_receive = static_payload(codec);
        agreed.events_receive = events_payload(ours);
        Ok(agreed)
    }

    /// Our audio section.
    fn audio(&self, formats: &[(u8, Option<Codec>)], protocol: &str, direction: Direction) -> Media {
        let maps = formats.iter().map(|(payload, codec)| RtpMap {
            payload: *payload,
            encoding: codec.map_or("telephone-event", encoding).into(),
            clock_hz: CLOCK_HZ,
            channels: 1,
        });
        let events = formats.iter().filter(|(_, codec)| codec.is_none());
        Media {
            kind: "audio".into(),
            port: self.port,
            protocol: protocol.into(),
            formats: formats.iter().map(|(payload, _)| payload.to_string()).collect(),
            connection: None,
            direction: Some(direction),
            maps: maps.collect(),
            parameters: events.map(|(payload, _)| (*payload, "0-15".into())).collect(),
            ptime_ms: Some(PTIME_MS),
            ptime_ms_max: None,
            rtcp_port: None,
        }
    }

    /// Makes the description; its version rises only when something else in it changed (RFC 3264 section 8).
    fn say(&mut self, media: Vec<Media>) -> Sdp {
        let (version, unchanged) = match &self.said {
            Some(said) => (said.origin.version, said.media == media),
            None => (0, false),
        };
        let sdp = Sdp {
            origin: Origin {
                user: "-".into(),
                id: self.id,
                version: if unchanged { version } else { version + 1 },
                host: self.host.to_string(),
            },
            connection: Some(self.host.into()),
            direction: None,
            media,
        };
        self.said = Some(sdp.clone());
        sdp
    }
}

/// The sending half of what is agreed; the receiving numbers depend on who offered.
fn agree(sdp: &Sdp, media: &Media, codec: Codec, payload: u8, events: Option<u8>) -> Result<Agreed, SdpRefusal> {
    let address = sdp.address_of(media).ok_or(SdpRefusal::NoAddress)?;
    let theirs = sdp.direction_of(media);
    // The old way to hold (RFC 2543): no address to send to, whatever the direction says.
    let hears = theirs.receives() && !address.is_unspecified();
    let port_rtcp = media.rtcp_port.filter(|port| *port != 0).or(media.port.checked_add(1));
    let remote = (!address.is_unspecified()).then(|| SocketAddr::new(address, media.port));
    Ok(Agreed {
        codec,
        payload_send: payload,
        payload_receive: payload,
        events_send: events,
        events_receive: None,
        remote,
        remote_rtcp: remote.and(port_rtcp).map(|port| SocketAddr::new(address, port)),
        direction: Direction::of(hears, theirs.sends()),
        ptime_ms: media.ptime_ms.unwrap_or(PTIME_MS).min(media.ptime_ms_max.unwrap_or(u32::MAX)).clamp(10, 60),
    })
}

/// A section refused, as an answer says it (RFC 3264 section 6).
fn refused(media: &Media) -> Media {
    Media {
        kind: media.kind.clone(),
        port: 0,
        protocol: media.protocol.clone(),
        formats: media.formats.iter().take(1).cloned().collect(),
        connection: None,
        direction: None,
        maps: Vec::new(),
        parameters: Vec::new(),
        ptime_ms: None,
        ptime_ms_max: None,
        rtcp_port: None,
    }
}

/// `RTP/AVPF` differs by its feedback timing alone, and what we send is valid under it.
fn is_plain_audio(media: &Media) -> bool {
    media.kind == "audio" && media.port != 0 && matches!(media.protocol.as_str(), "RTP/AVP" | "RTP/AVPF")
}

fn first_common(media: &Media, codecs: &[Codec]) -> Option<(u8, Codec)> {
    media.formats.iter().find_map(|format| {
        let codec = codec_of(media, format).filter(|codec| codecs.contains(codec))?;
        Some((format.parse().ok()?, codec))
    })
}

/// The codec behind a format: by its rtpmap, or by its static number where there is none (RFC 3551 section 6).
fn codec_of(media: &Media, format: &str) -> Option<Codec> {
    let payload: u8 = format.parse().ok()?;
    let Some(map) = media.maps.iter().find(|map| map.payload == payload) else {
        return match payload {
            0 => Some(Codec::Pcmu),
            8 => Some(Codec::Pcma),
            9 => Some(Codec::G722),
            _ => None,
        };
    };
    // Some gateways write G.722 with the clock that it ought to have had.
    let clock_fits = map.clock_hz == CLOCK_HZ || map.encoding.eq_ignore_ascii_case("G722") && map.clock_hz == 16_000;
    [Codec::Pcmu, Codec::Pcma, Codec::G722]
        .into_iter()
        .find(|codec| clock_fits && map.channels == 1 && map.encoding.eq_ignore_ascii_case(encoding(*codec)))
}

fn events_payload(media: &Media) -> Option<u8> {
    let is_events = |map: &&RtpMap| map.encoding.eq_ignore_ascii_case("telephone-event") && map.clock_hz == CLOCK_HZ;
    let listed = |map: &&RtpMap| media.formats.iter().any(|format| format.parse() == Ok(map.payload));
    media.maps.iter().filter(is_events).find(listed).map(|map| map.payload)
}

fn static_payload(codec: Codec) -> u8 {
    match codec {
        Codec::Pcmu => 0,
        Codec::Pcma => 8,
        Codec::G722 => 9,
    }
}

fn encoding(codec: Codec) -> &'static str {
    match codec {
        Codec::Pcmu => "PCMU",
        Codec::Pcma => "PCMA",
        Codec::G722 => "G722",
    }
}
