//! Two legs talk to each other as their engines would let them: descriptions as text, packets as bytes.

#![allow(clippy::unwrap_used)]

use super::*;
use crate::audio::sample::{speech_narrow, tone};
use crate::io::{Gain, PartyClass, Pcm, PlayId, Rate, Socket};
use crate::rtp::dtmf::QUEUE_MAX;
use std::net::SocketAddr;
use std::time::Duration;

const CODECS: [Codec; 2] = [Codec::Pcmu, Codec::G722];

fn host(last: u8) -> IpAddr {
    IpAddr::from([192, 0, 2, last])
}

fn seeds(ssrc: u32) -> Seeds {
    Seeds { ssrc, sequence: 0xfff0, timestamp: 5, rtcp: ssrc.into() }
}

/// A caller (port 4000) and a clinic (port 5000).
struct Pair {
    now: Instant,
    caller: Leg,
    clinic: Leg,
    wire: Vec<(Socket, Vec<u8>)>,
    heard: Vec<i16>,
    seed: u32,
    plays: u64,
}

impl Pair {
    fn new(secure: bool) -> Self {
        let now = crate::epoch();
        let leg = |id, port, last| {
            let mut leg = Leg::new(LegId(id), port, Stage::Offered, id, now);
            leg.secure = secure;
            leg.begin_session(host(last), [last; 32]);
            leg
        };
        let (mut caller, clinic) = (leg(1, 4_000, 1), leg(2, 5_000, 2));
        caller.recorded = true;
        Self { now, caller, clinic, wire: Vec::new(), heard: Vec::new(), seed: 0, plays: 0 }
    }

    /// The caller offers as `change` has it, and the clinic answers.
    fn agree(&mut self, codecs: &[Codec], change: impl Fn(String) -> String) -> Result<(), SdpRefusal> {
        let offer = change(self.caller.offer(codecs).unwrap().to_string());
        let (answer, agreed) = self.clinic.answer_change(&Sdp::parse(offer.as_bytes()).unwrap(), codecs)?;
        let answer = Sdp::parse(answer.to_string().as_bytes()).unwrap();
        self.seed += 10;
        self.clinic.settle(agreed, seeds(self.seed), self.now, &mut VecDeque::new());
        let agreed = self.caller.accept(&answer)?;
        self.caller.settle(agreed, seeds(self.seed + 1), self.now, &mut VecDeque::new());
        Ok(())
    }

    /// The clinic says `samples`; what the caller hears is kept, and what was on the wire.
    fn talk(&mut self, samples: &[i16], frames: usize) {
        let rate = self.clinic.audio().unwrap().rate();
        self.plays += 1;
        let play = Command::Play {
            leg: LegId(2),
            id: PlayId(self.plays),
            pcm: Pcm { rate, samples: samples.into() },
            last: true,
        };
        self.clinic.play(play, self.now, &mut VecDeque::new());
        for _ in 0..frames {
            self.now += Duration::from_millis(20);
            let mut outputs = VecDeque::new();
            for leg in [&mut self.clinic, &mut self.caller] {
                leg.hear(self.now);
                leg.speak(self.now, &mut outputs);
            }
            for output in outputs {
                match output {
                    Output::Transmit { socket, remote, bytes } => self.deliver(socket, remote, bytes),
                    Output::Recorded { caller, .. } => self.heard.extend_from_slice(&caller),
                    _ => {}
                }
            }
        }
    }

    fn deliver(&mut self, socket: Socket, remote: SocketAddr, bytes: Vec<u8>) {
        let (own, leg) = match remote.port() {
            4_000 | 4_001 => (host(2), &mut self.caller),
            _ => (host(1), &mut self.clinic),
        };
        let (Socket::Rtp(port) | Socket::Rtcp(port)) = socket else { return };
        let is_rtcp_port = remote.port() % 2 == 1;
        let from = SocketAddr::new(own, if matches!(socket, Socket::Rtcp(_)) { port + 1 } else { port });
        let audio = leg.audio_mut().unwrap();
        if is_rtcp_port {
            audio.rtcp(from, &bytes, self.now)
        } else {
            audio.rtp(from, &bytes, self.now)
        }
        self.wire.push((socket, bytes));
    }

    fn refused(&self) -> u64 {
        let refused = |leg: &Leg| leg.audio().unwrap().quality(self.now).refused;
        refused(&self.caller) + refused(&self.clinic)
    }

    /// Whether the caller heard this, whenever.
    fn has_heard(&self, samples: &[i16]) -> bool {
        self.heard.windows(samples.len()).any(|window| window == samples)
    }
}

fn companded(samples: &[i16]) -> Vec<i16> {
    use crate::codec::g711::{decode_mu, encode_mu};
    samples.iter().map(|sample| decode_mu(encode_mu(*sample))).collect()
}

/// With keys told over secure signalling, nothing leaves readable, and all of it is heard, RTCP included; a
/// re-INVITE with the same keys interrupts nothing, also where another codec begins another stream.
#[test]
fn a_protected_call_is_heard_through_hold_and_a_change_of_codec() {
    let mut pair = Pair::new(true);
    pair.agree(&[Codec::Pcmu], |offer| offer).unwrap();
    let samples = tone(500.0, 8_000.0, 8_000.0, 0, 3_200);
    pair.talk(&samples, 700);
    let expected = companded(&samples);
    assert!(pair.has_heard(&expected[..3_000]), "speech arrives");
    assert_eq!(pair.refused(), 0);
    let mut encoded = Vec::new();
    crate::codec::Encoder::new(Codec::Pcmu).encode(&samples[..160], &mut encoded);
    let is_readable =
        |(_, bytes): &(Socket, Vec<u8>)| bytes.windows(40).any(|part| part == &encoded[..40] || part == [0xff; 40]);
    assert!(!pair.wire.iter().any(is_readable), "neither speech nor silence leaves as it is");
    let reports = pair.wire.iter().filter(|(socket, _)| matches!(socket, Socket::Rtcp(_))).count();
    assert!(reports >= 3, "{reports} reports");
    let round_trip = pair.caller.audio().unwrap().quality(pair.now).round_trip_ms;
    assert!(round_trip.is_some(), "reports were read at both ends");

    // The far end holds and resumes: same keys, counters go on.
    pair.agree(&[Codec::Pcmu], |offer| offer.replace("a=sendrecv", "a=sendonly")).unwrap();
    pair.talk(&[], 20);
    pair.agree(&[Codec::Pcmu], |offer| offer).unwrap();
    pair.heard.clear();
    pair.talk(&samples, 40);
    assert!(pair.has_heard(&expected[..3_000]), "and arrives again after a hold");
    assert_eq!(pair.refused(), 0);

    let alike = |keys: &Pair| keys.clinic.agreed.as_ref().and_then(|agreed| agreed.keys.clone());
    let before = alike(&pair);
    pair.caller.agreed.as_mut().unwrap().codec = Codec::G722;
    pair.agree(&[Codec::G722], |offer| offer).unwrap();
    assert_eq!(alike(&pair), before);
    pair.talk(&tone(500.0, 8_000.0, 16_000.0, 0, 6_400), 60);
    assert_eq!(pair.caller.audio().unwrap().rate(), Rate::Hz16000);
    assert_eq!(pair.refused(), 0, "the counters of the keys outlived the stream");
    assert!(pair.heard.iter().rev().take(12_800).any(|sample| *sample > 6_000));
}

/// Where signalling can be read by others, no key is told and none is taken.
#[test]
fn without_secure_signalling_there_are_no_keys() {
    let mut pair = Pair::new(false);
    let crypto = "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz\r\na=sendrecv";
    let demanded = pair.agree(&CODECS, |offer| offer.replace("RTP/AVP", "RTP/SAVP").replace("a=sendrecv", crypto));
    assert_eq!(demanded, Err(SdpRefusal::NoKey));
    pair.agree(&CODECS, |offer| {
        assert!(!offer.contains("crypto") && !offer.contains("SAVP"));
        offer.replace("a=sendrecv", crypto)
    })
    .unwrap();
    pair.talk(&speech_narrow()[8_000..12_000], 40);
    assert_eq!(pair.refused(), 0);
    assert!(pair.wire.iter().any(|(_, bytes)| bytes.ends_with(&[0xff; 40])), "plain silence");
}

/// RFC 5761: reports come and go by the RTP port.
#[test]
fn rtcp_goes_by_the_rtp_port_where_that_was_agreed() {
    for secure in [false, true] {
        let mut pair = Pair::new(secure);
        pair.agree(&CODECS, |offer| offer).unwrap();
        // The caller asks for it in a second offer, as a far end that knows it would in the first.
        let offer = pair.caller.offer(&CODECS).unwrap().to_string().replace("a=sendrecv", "a=rtcp-mux\r\na=sendrecv");
        let offer = Sdp::parse(offer.as_bytes()).unwrap();
        let (_, agreed) = pair.clinic.answer_change(&offer, &CODECS).unwrap();
        let mut mirrored = pair.caller.agreed.clone().unwrap();
        (mirrored.rtcp_mux, mirrored.remote_rtcp) = (true, mirrored.remote);
        pair.clinic.settle(agreed, seeds(70), pair.now, &mut VecDeque::new());
        pair.caller.settle(mirrored, seeds(71), pair.now, &mut VecDeque::new());
        pair.talk(&[], 800);
        assert!(pair.wire.iter().all(|(socket, _)| matches!(socket, Socket::Rtp(_))));
        let quality = pair.clinic.audio().unwrap().quality(pair.now);
        assert!(quality.round_trip_ms.is_some() && quality.refused == 0, "{secure}: {quality:?}");
    }
}

/// A far end that takes no events is told digits by tones, while nobody speaks into them; of their playing nothing is told.
#[test]
fn digits_are_tones_where_the_far_end_takes_no_events() {
    let without_events = |offer: String| {
        let lines = offer.split_inclusive('\n').filter(|line| !line.contains(":101 "));
        lines.collect::<String>().replace(" 101\r\n", "\r\n")
    };
    for codec in CODECS {
        let mut pair = Pair::new(false);
        pair.agree(&[codec], without_events).unwrap();
        assert_eq!(pair.clinic.agreed.as_ref().and_then(|agreed| agreed.events_send), None);
        let mut outputs = VecDeque::new();
        pair.clinic.play(Command::Dtmf { leg: LegId(2), digits: "1590*#".into() }, pair.now, &mut outputs);
        pair.clinic.play(Command::Dtmf { leg: LegId(2), digits: "7".repeat(QUEUE_MAX + 1) }, pair.now, &mut outputs);
        let voice = tone(450.0, 9_000.0, codec.rate().hz() as f32, 0, codec.rate().frame());
        let mut told = String::new();
        for _ in 0..100 {
            pair.now += Duration::from_millis(20);
            let mix = pair.clinic.audio_mut().unwrap().bridged();
            mix.clear();
            mix.add(PartyClass::Staff, &voice, Gain::FULL);
            for leg in [&mut pair.clinic, &mut pair.caller] {
                leg.hear(pair.now);
                leg.speak(pair.now, &mut outputs);
            }
            for output in std::mem::take(&mut outputs) {
                match output {
                    Output::Transmit { socket, remote, bytes } => pair.deliver(socket, remote, bytes),
                    Output::Event(EngineEvent::Dtmf { digit, .. }) => told.push(digit),
                    Output::Event(event) => assert!(!matches!(event, EngineEvent::PlayedTo { .. }), "{event:?}"),
                    _ => {}
                }
            }
        }
        assert_eq!(told, "1590*#", "{codec:?}");
    }
}

/// B-22: a leg that sends and hears nothing says so, until it hears something; on hold nobody has to send, and who has
/// said that he is silent is not gone.
#[test]
fn a_leg_that_hears_nothing_says_so() {
    let mut pair = Pair::new(false);
    pair.agree(&[Codec::Pcmu], |offer| offer).unwrap();
    let one_way = |pair: &Pair| pair.clinic.audio().unwrap().quality(pair.now).one_way;
    let alone = |pair: &mut Pair, seconds: u64| {
        for _ in 0..seconds * 50 {
            pair.now += Duration::from_millis(20);
            pair.clinic.hear(pair.now);
            pair.clinic.speak(pair.now, &mut VecDeque::new());
        }
    };
    alone(&mut pair, 9);
    assert!(!one_way(&pair));
    alone(&mut pair, 2);
    assert!(one_way(&pair), "nothing ever came");
    assert_eq!(pair.clinic.audio().unwrap().quality(pair.now).mos, 0.0);
    pair.talk(&[], 10);
    assert!(!one_way(&pair));
    alone(&mut pair, 11);
    assert!(one_way(&pair), "nothing comes any more");
    pair.agree(&[Codec::Pcmu], |offer| offer.replace("a=sendrecv", "a=sendonly")).unwrap();
    alone(&mut pair, 11);
    assert!(!one_way(&pair), "on hold");
    pair.agree(&[Codec::Pcmu], |offer| offer).unwrap();
    alone(&mut pair, 9);
    assert!(!one_way(&pair), "counted from the end of the hold");
    let mut noise = vec![0x80, 13, 0x90, 0, 0, 0, 0, 9, 0, 0, 0, 77, 60];
    for _ in 0..2 {
        noise[3] += 1;
        pair.clinic.audio_mut().unwrap().rtp(SocketAddr::new(host(1), 4_000), &noise, pair.now);
    }
    alone(&mut pair, 15);
    assert!(!one_way(&pair), "silent, and says so");
}

/// How long the clinic's leg bears with a far end that sends nothing any more, in seconds: half a minute when it should, five minutes
/// when it has said that it is silent (RFC 3389), or has us on hold and has reported by RTCP meanwhile. On hold without reports it is for
/// signalling to find out.
#[test]
fn a_far_end_that_may_be_silent_is_waited_for_longer() {
    let silent_after = |pair: &mut Pair| {
        (1..400_u64).find(|_| {
            for _ in 0..50 {
                pair.now += Duration::from_millis(20);
                pair.clinic.hear(pair.now);
                pair.clinic.speak(pair.now, &mut VecDeque::new());
            }
            pair.clinic.is_silent(pair.now)
        })
    };
    let up = || {
        let mut pair = Pair::new(false);
        pair.agree(&[Codec::Pcmu], |offer| offer).unwrap();
        pair.talk(&[], 20);
        pair
    };
    let from = SocketAddr::new(host(1), 4_000);
    assert_eq!(silent_after(&mut up()), Some(30));

    let mut pair = up();
    for sequence in 0..3 {
        let (number, ssrc) = (0xfff0_u16.wrapping_add(20 + sequence), 11_u32);
        let mut noise = vec![0x80, 13];
        noise.extend(number.to_be_bytes());
        noise.extend((5 + 160 * (20 + u32::from(sequence))).to_be_bytes());
        noise.extend(ssrc.to_be_bytes());
        noise.push(60);
        pair.clinic.audio_mut().unwrap().rtp(from, &noise, pair.now);
    }
    assert_eq!(silent_after(&mut pair), Some(300), "it has said that it is silent");

    for (reports, expected) in [(true, Some(300)), (false, None)] {
        let mut pair = up();
        pair.agree(&[Codec::Pcmu], |offer| offer.replace("a=sendrecv", "a=inactive")).unwrap();
        if reports {
            // Time enough for a report; audio is no proof on hold.
            pair.talk(&[], 500);
        }
        assert_eq!(silent_after(&mut pair), expected, "reports: {reports}");
    }
}
