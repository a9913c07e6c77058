//! A session description: read, written back, offered to us, and given as the answer to an offer of ours.

use std::net::SocketAddr;

use auricle_media::io::Codec;
use auricle_media::sip::sdp::{Agreed, BODY_BYTES_MAX, FORMATS_MAX, MEDIA_MAX, Sdp, Session};

use super::{Seen, scale};

const CODECS: [Codec; 4] = [Codec::G722, Codec::Pcma, Codec::Pcmu, Codec::Opus];

pub fn run(bytes: &[u8]) -> u64 {
    let mut seen = Seen::default();
    let sdp = match Sdp::parse(bytes) {
        Ok(sdp) => sdp,
        Err(error) => {
            seen.note(error.to_string());
            return seen.number();
        }
    };
    assert!(bytes.len() <= BODY_BYTES_MAX && sdp.media.len() <= MEDIA_MAX);
    assert!(sdp.media.iter().all(|media| media.formats.len() <= FORMATS_MAX));
    let written = sdp.to_string();
    // A description near the limit may be over it once its abbreviated lines are written out.
    if written.len() <= BODY_BYTES_MAX {
        assert_eq!(Sdp::parse(written.as_bytes()).as_ref(), Ok(&sdp), "what is written reads differently");
    }
    seen.note((sdp.media.len(), sdp.connection.is_some(), sdp.direction.map(|direction| direction.name())));
    // Over plain signalling, and over secure signalling, where keys are agreed on.
    let plain = Session::new([192, 0, 2, 10].into(), 20_000, 7);
    for session in [plain.clone(), plain.secure([3; 32])] {
        offered(&sdp, session.clone(), bytes.len(), &mut seen);
        answered(&sdp, session, &mut seen);
    }
    seen.number()
}

fn offered(sdp: &Sdp, mut session: Session, length: usize, seen: &mut Seen) {
    match session.answer(sdp, &CODECS) {
        Ok((answer, agreed)) => {
            check(&agreed, seen);
            let text = answer.to_string();
            assert!(text.len() <= length + 1_024, "{} octets of answer to {length}", text.len());
            assert_eq!(Sdp::parse(text.as_bytes()).as_ref(), Ok(&answer), "our own answer");
            assert_eq!(answer.media.len(), sdp.media.len(), "a section for each section");
            assert_eq!(answer.media.iter().filter(|media| media.port != 0).count(), 1, "one stream");
            // The same offer again changes nothing, and the version says so.
            assert_eq!(session.answer(sdp, &CODECS).map(|(again, _)| again), Ok(answer));
        }
        Err(refusal) => seen.note(refusal.to_string()),
    }
    let later = session.offer(&CODECS);
    assert!(later.media.len() <= MEDIA_MAX + 1);
}

fn answered(sdp: &Sdp, mut session: Session, seen: &mut Seen) {
    assert!(session.accept(sdp).is_err(), "an answer to nothing");
    session.offer(&CODECS);
    match session.accept(sdp) {
        Ok(agreed) => {
            assert!(matches!(agreed.payload_receive, 0 | 8 | 9 | 96), "we listed these numbers");
            check(&agreed, seen);
        }
        Err(refusal) => seen.note(refusal.to_string()),
    }
}

/// What holds of every agreement, whoever offered.
fn check(agreed: &Agreed, seen: &mut Seen) {
    assert!((10..=60).contains(&agreed.ptime_ms), "{} ms", agreed.ptime_ms);
    assert!(CODECS.contains(&agreed.codec));
    let usable = |address: &SocketAddr| {
        let ip = address.ip().to_canonical();
        address.port() != 0 && !ip.is_unspecified() && !ip.is_multicast()
    };
    assert!(agreed.remote.iter().chain(&agreed.remote_rtcp).all(usable), "{agreed:?}");
    assert!(!agreed.direction.sends() || agreed.remote.is_some(), "nowhere to send to");
    let payloads = [Some(agreed.payload_send), Some(agreed.payload_receive), agreed.events_send, agreed.events_receive];
    assert!(payloads.into_iter().flatten().all(|payload| payload < 128), "{agreed:?}");
    assert!(agreed.events_send != Some(agreed.payload_send), "audio and digits under one number");
    seen.note((agreed.codec, agreed.ptime_ms, agreed.direction.name(), agreed.remote.is_some()));
    seen.note((agreed.keys.is_some(), agreed.rtcp_mux));
    seen.note((agreed.events_send.is_some(), scale(usize::from(agreed.payload_send))));
}
