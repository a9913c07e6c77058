//! What reading SIP costs: messages a second, on one core, of a desk phone's INVITE with its description, of what proxies make
//! of it, of the RFC's longest torture message, and of what is refused or dropped. `cargo bench -p auricle-media --bench sip`
#![allow(clippy::print_stdout, clippy::disallowed_methods, reason = "a benchmark reads the clock and prints")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use auricle_media::sip::message::Message;
use auricle_media::sip::parse;
use auricle_media::sip::sdp::Sdp;

/// How long each figure is measured, after as long a warm-up.
const MEASURED: Duration = Duration::from_millis(500);
/// Calls between two looks at the clock.
const BATCH: u32 = 64;

const INVITE: &[u8] = include_bytes!("../tests/fuzz/seeds/sip/baresip-invite.sip");
const LONGEST: &[u8] = include_bytes!("../tests/rfc4475/longreq.dat");
const BAD: &[u8] = include_bytes!("../tests/rfc4475/quotbal.dat");

fn main() {
    let routed = routed();
    let garbage = vec![0xa5; 1_200];
    let folds = [&INVITE[..INVITE.len() / 3], b"\r\nSubject: a", &b"\r\n b".repeat(12_000)[..], b"\r\n\r\n"].concat();
    let rows: [(&str, &[u8]); 6] = [
        ("INVITE of a desk phone", INVITE),
        ("the same behind four proxies", &routed),
        ("longreq of RFC 4475", LONGEST),
        ("refused: quotbal of RFC 4475", BAD),
        ("dropped: garbage", &garbage),
        ("refused: 48 KB of folds", &folds),
    ];
    for (what, bytes) in rows {
        rate(what, bytes.len(), || black_box(parse::message(black_box(bytes))).is_ok());
    }
    let Ok(Message::Request(invite)) = parse::message(INVITE) else { return };
    rate("its description alone", invite.body.len(), || black_box(Sdp::parse(black_box(&invite.body))).is_ok());
    rate("written back", INVITE.len(), || !black_box(black_box(&invite).encode()).is_empty());
}

/// What an INVITE looks like that came through four proxies which want to see all that follows.
fn routed() -> Vec<u8> {
    let text = String::from_utf8_lossy(INVITE);
    let hop = |n: u32| {
        format!(
            "Via: SIP/2.0/UDP 198.51.100.{n}:5060;branch=z9hG4bK9f8e7d6c5b4a{n};received=198.51.100.{n}\r\n\
             Record-Route: <sip:198.51.100.{n};lr;ftag=f89df719dc7faa84;did=3f1.{n}>\r\n"
        )
    };
    text.replacen("Via:", &format!("{}Via:", (1..5).map(hop).collect::<String>()), 1).into_bytes()
}

fn rate(what: &str, octets: usize, mut run: impl FnMut() -> bool) {
    for warm in [true, false] {
        let begun = Instant::now();
        let (mut calls, mut good) = (0_u64, 0_u64);
        while begun.elapsed() < MEASURED {
            for _ in 0..BATCH {
                good += u64::from(run());
            }
            calls += u64::from(BATCH);
        }
        let seconds = begun.elapsed().as_secs_f64();
        if !warm {
            let (rate, megabytes) = (calls as f64 / seconds, calls as f64 * octets as f64 / seconds / 1e6);
            let read = if good == calls { "read" } else { "not read" };
            println!("{what:<32} {octets:>6} octets  {rate:>10.0}/s  {megabytes:>6.0} MB/s  {read}");
        }
    }
}
