//! What one audio section of a description says.

use super::{Crypto, Media, RtpMap};
use crate::io::Codec;
use crate::rtp::srtp::Keys;
use crate::rtp::{COMFORT_NOISE, Clock};

/// A section refused, as an answer says it (RFC 3264 section 6).
pub(super) fn refused(media: &Media) -> Media {
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
        rtcp_mux: false,
        crypto: Vec::new(),
    }
}

/// `RTP/AVPF` differs by its feedback timing alone, and what we send is valid under it.
pub(super) fn is_audio(media: &Media) -> bool {
    let known = matches!(media.protocol.as_str(), "RTP/AVP" | "RTP/AVPF" | "RTP/SAVP" | "RTP/SAVPF");
    media.kind == "audio" && media.port != 0 && known
}

/// SRTP is demanded. A key in an `RTP/AVP` section only offers it.
pub(super) fn is_protected(media: &Media) -> bool {
    media.protocol.starts_with("RTP/SAVP")
}

/// The keys of the line that an answer took from our offer.
pub(super) fn chosen(ours: &Media, theirs: &Media) -> Option<Keys> {
    let taken = theirs.crypto.first()?;
    let is_same = |crypto: &&Crypto| crypto.tag == taken.tag && crypto.key.suite() == taken.key.suite();
    let send = ours.crypto.iter().find(is_same)?.key.clone();
    Some(Keys { send, receive: taken.key.clone() })
}

pub(super) fn first_common(media: &Media, codecs: &[Codec]) -> Option<(u8, Codec)> {
    media.formats.iter().find_map(|format| {
        let codec = codec_of(media, format).filter(|codec| codecs.contains(codec))?;
        Some((format.parse().ok()?, codec))
    })
}

/// The codec behind a format: by its rtpmap, or by its static number where there is none (RFC 3551 section 6).
pub(super) fn codec_of(media: &Media, format: &str) -> Option<Codec> {
    let payload: u8 = format.parse().ok()?;
    let Some(map) = media.maps.iter().find(|map| map.payload == payload) else {
        return match payload {
            0 => Some(Codec::Pcmu),
            8 => Some(Codec::Pcma),
            9 => Some(Codec::G722),
            _ => None,
        };
    };
    let codec = [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus]
        .into_iter()
        .find(|codec| map.channels == channels(*codec) && map.encoding.eq_ignore_ascii_case(encoding(*codec)))?;
    // Some gateways write G.722 with the clock that it ought to have had.
    let clock_fits = map.clock_hz == Clock::of(codec).hz() || codec == Codec::G722 && map.clock_hz == 16_000;
    clock_fits.then_some(codec)
}

/// The number under which we listed a codec.
pub(super) fn payload_of(media: &Media, codec: Codec) -> u8 {
    let listed = media.formats.iter().find(|format| codec_of(media, format) == Some(codec));
    listed.and_then(|format| format.parse().ok()).unwrap_or(codec.payload_type())
}

/// Events beside audio of this clock.
pub(super) fn events_payload(media: &Media, clock: Clock) -> Option<u8> {
    let is_events = |map: &&RtpMap| map.encoding.eq_ignore_ascii_case("telephone-event") && map.clock_hz == clock.hz();
    let listed = |map: &&RtpMap| media.formats.iter().any(|format| format.parse() == Ok(map.payload));
    media.maps.iter().filter(is_events).find(listed).map(|map| map.payload)
}

/// Whether comfort noise may come beside audio of this clock.
pub(super) fn has_noise(media: &Media, clock: Clock) -> bool {
    clock == Clock::NARROW && media.formats.iter().any(|format| format.parse() == Ok(COMFORT_NOISE))
}

/// Channels as an `a=rtpmap` names them. Opus is always written with two, whatever is in it (RFC 7587 section 7).
pub(super) fn channels(codec: Codec) -> u8 {
    match codec {
        Codec::Pcmu | Codec::Pcma | Codec::G722 => 1,
        Codec::Opus => 2,
    }
}

pub(super) fn encoding(codec: Codec) -> &'static str {
    match codec {
        Codec::Pcmu => "PCMU",
        Codec::Pcma => "PCMA",
        Codec::G722 => "G722",
        Codec::Opus => "opus",
    }
}
