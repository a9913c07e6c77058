//! What telephones hear of each other through the whole program, judged: real softphones on both ends, each with a codec of its own.

use crate::outbound::Scene;
use crate::support::clinic::{Clinic, config};
use crate::support::judge::{Score, score};
use crate::support::network::{Link, Network};
use crate::support::ports;
use crate::support::softphone::{self, Line, Softphone};
use crate::support::sound::Sound;
use auricle_domain::call::Call;
use auricle_domain::event::Event;
use auricle_media::io::{Codec, Rate};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;

/// What speech that was carried well scores at least.
pub const CLEAR: f64 = 0.93;
/// What it scores at least above the telephone's band, where both ends have HD, and how much softer it is there at most (decibels).
const HD: f64 = 0.5;
const HD_SOFTER_DB_MAX: f64 = 10.0;
/// What speech scores at least of which packets were lost and late.
pub const UNDER_LOSS: f64 = 0.85;
/// By how much it may be louder or softer than what was said, in decibels.
const GAIN_DB_MAX: f64 = 1.5;

/// What one says, and what the other says at the same time.
const ONE: &str = "Good morning. I would like to see a doctor next week, if there is any time left on Thursday \
    afternoon. My knee has been hurting since the weekend, and the stairs are getting hard.";
const OTHER: &str = "Thank you for calling. The surgery is open from eight until six. Please bring your insurance card, \
    and a list of the medicine that you take. There is a garage behind the house.";
/// How often a pair is heard that does not sound well: a machine that stands still for a moment spoils one hearing, and a fault in what
/// codecs and buffers do spoils them all.
const HEARINGS_MAX: usize = 3;
/// Silence before it, until both are sure to hear each other: seconds.
pub const BEFORE_S: f64 = 1.5;
/// Silence after it.
pub const AFTER_S: f64 = 30.0;
/// How much later than the first moment of its own audio one may hear the other's: seconds.
pub const LATER_S: f64 = 1.5;

/// What two people say who talk.
pub struct Voices {
    pub one: Sound,
    pub other: Sound,
}

impl Voices {
    pub async fn new() -> Self {
        Self { one: Sound::spoken(ONE, "rms").await, other: Sound::spoken(OTHER, "slt").await }
    }
}

/// A clinic with room for the calls of a table, and every codec.
async fn scene() -> Scene {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(folder.path());
    config.sip.calls_max = 24;
    config.sip.rtp_ports = ports::free(160);
    config.sip.codecs = vec![Codec::Opus, Codec::G722, Codec::Pcma, Codec::Pcmu];
    Scene::of(Clinic::open_as(config).await.in_folder(folder), json!({ "is_on": false })).await
}

/// What a phone that was added has typed into it, at this server.
pub fn line<'a>(phone: &'a Value, server: SocketAddr, account: &'a str) -> Line<'a> {
    let (user, password) = (phone["phone"]["user"].as_str().unwrap(), phone["password"].as_str().unwrap());
    Line { server, transport: "udp", user, password, modules: &["ctrl_tcp"], account }
}

/// Two phones in a call in which both talk.
struct Talk {
    here: Softphone,
    there: Softphone,
}

impl Talk {
    /// The `nth` call of a story has extensions of its own. The one who is called has this server, the other one the clinic itself.
    async fn begin(scene: &Scene, nth: usize, server: SocketAddr, [here, there]: [Codec; 2], voices: &Voices) -> Self {
        let clinic = scene.clinic.app().voice.sip_addr();
        let said = |sound: &Sound, codec| sound.at(softphone::rate_hz(codec)).between(BEFORE_S, AFTER_S);
        let phone = scene.phone(&format!("{}", 500 + nth), Value::Null).await;
        let called =
            Softphone::speaking(&line(&phone, server, ";answermode=auto"), None, there, &said(&voices.other, there));
        let path = format!("/api/phones/{}", phone["phone"]["id"].as_str().unwrap());
        scene.becomes(&path, "registered").await;
        let phone = scene.phone(&format!("{}", 400 + nth), Value::Null).await;
        let number = format!("{}", 500 + nth);
        let calling = Softphone::speaking(&line(&phone, clinic, ""), Some(&number), here, &said(&voices.one, here));
        Self { here: calling, there: called }
    }

    /// What the one who was called has heard, and the one who called.
    async fn heard(&self, voices: &Voices) -> [Sound; 2] {
        let seconds = |sound: &Sound| BEFORE_S + sound.seconds() + LATER_S;
        [self.there.has_heard_for(seconds(&voices.one)).await, self.here.has_heard_for(seconds(&voices.other)).await]
    }
}

/// Whether what was heard has what a telephone's band has not.
pub fn is_hd(score: Score) -> bool {
    score.high.mean > HD && score.high.gain_db > -HD_SOFTER_DB_MAX
}

#[allow(clippy::print_stdout, reason = "the scores are for whoever wants to see them")]
fn table(rows: &[String]) {
    println!("{}", rows.join("\n"));
}

fn row(from: Codec, to: Codec, Score { speech, high }: Score) -> String {
    format!(
        "{from:?} to {to:?}: {:.3}, three of four moments {:.3}, {:+.1} dB; above the telephone's band {:.3}, {:+.1} dB",
        speech.mean, speech.most, speech.gain_db, high.mean, high.gain_db
    )
}

/// One way of a pair, judged: its row, and whether it is as good as it should be.
fn judged(from: Codec, to: Codec, said: &Sound, heard: &Sound) -> (String, bool) {
    let found = score(said, heard);
    let should_be_hd = [from, to].iter().all(|codec| codec.rate() == Rate::Hz16000);
    let is_clear = found.speech.most > CLEAR && found.speech.gain_db.abs() < GAIN_DB_MAX;
    (row(from, to, found), is_clear && is_hd(found) == should_be_hd)
}

/// Lets these pairs talk, all at once, and judges both ways of each. `before` calls of the story have been.
async fn hearing(scene: &Scene, pairs: &[[Codec; 2]], before: usize, voices: &Voices) -> Vec<[(String, bool); 2]> {
    let server = scene.clinic.app().voice.sip_addr();
    let talks = pairs.iter().enumerate().map(|(nth, pair)| Talk::begin(scene, before + nth, server, *pair, voices));
    let talks = futures_util::future::join_all(talks).await;
    let heard = futures_util::future::join_all(talks.iter().map(|talk| talk.heard(voices))).await;
    for talk in &talks {
        talk.here.press("quit", "").await;
    }
    let ways = |([here, there], [one, other]): (&[Codec; 2], [Sound; 2])| {
        [judged(*here, *there, &voices.one, &one), judged(*there, *here, &voices.other, &other)]
    };
    pairs.iter().zip(heard).map(ways).collect()
}

/// B-31: speech between softphones of every codec is carried clearly both ways, as loud as it was, and in HD where both ends have it.
#[tokio::test(flavor = "multi_thread")]
async fn speech_is_clear_between_phones_of_any_two_codecs() {
    const ALL: [Codec; 4] = [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus];
    let (scene, voices) = (scene().await, Voices::new().await);
    let mut pairs: Vec<[Codec; 2]> =
        ALL.iter().enumerate().flat_map(|(at, one)| ALL[at..].iter().map(|other| [*one, *other])).collect();
    let (mut calls, mut wrong) = (0, Vec::new());
    for _ in 0..HEARINGS_MAX {
        let ways = hearing(&scene, &pairs, calls, &voices).await;
        calls += pairs.len();
        table(&ways.iter().flatten().map(|(row, _)| row.clone()).collect::<Vec<_>>());
        wrong = ways.iter().flatten().filter(|(_, is_good)| !is_good).map(|(row, _)| row.clone()).collect();
        pairs = pairs.into_iter().zip(&ways).filter(|(_, ways)| !ways.iter().all(|way| way.1)).map(|it| it.0).collect();
        if pairs.is_empty() {
            break;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    scene.close().await;
}

/// What a call's record says of its end.
async fn record(scene: &Scene, number: &str) -> Call {
    let call = scene.calls().into_iter().find(|call| call.to_number == number).unwrap();
    scene.clinic.happened(|event| matches!(event, Event::CallEnded { call: it, .. } if *it == call.id)).await;
    scene.calls().into_iter().find(|it| it.id == call.id).unwrap()
}

/// B-22, B-31: of a phone whose network loses a packet in twenty and holds others back by up to 40 ms, each by another time, people are
/// understood; the call's record and what the phone is told by RTCP say what was lost, and the estimate of how it sounds is lower.
#[tokio::test(flavor = "multi_thread")]
async fn speech_is_understood_from_a_bad_network() {
    let (scene, voices) = (scene().await, Voices::new().await);
    let server = scene.clinic.app().voice.sip_addr();
    let link = Link { loss: 0.05, jitter: Duration::from_millis(40) };
    let rows = [Codec::Pcmu, Codec::Pcma, Codec::G722, Codec::Opus];
    let begun = rows.iter().enumerate().map(|(nth, codec)| {
        let (scene, voices) = (&scene, &voices);
        async move {
            let network = Network::before(server, link, 11 + nth as u64).await;
            let talk = Talk::begin(scene, nth, network.address, [Codec::G722, *codec], voices).await;
            (network, talk)
        }
    });
    let calls = futures_util::future::join_all(begun).await;
    let mut printed = Vec::new();
    for (nth, (codec, (network, talk))) in rows.into_iter().zip(calls).enumerate() {
        let [_, heard] = talk.heard(&voices).await;
        talk.here.press("quit", "").await;
        let call = record(&scene, &format!("{}", 500 + nth)).await;
        let (passed, quality) = (network.passed(), call.quality);
        let found = score(&voices.other, &heard);
        let row = format!("{}, {passed:?}, {quality:?}", row(codec, Codec::G722, found));
        let sent = quality.packets_received + quality.packets_lost;
        let loss = quality.packets_lost as f64 / sent as f64;
        assert!(found.speech.most > UNDER_LOSS, "{row}");
        assert!((0.03..0.08).contains(&loss), "{row}");
        let dropped = passed.dropped as f64 / (passed.carried + passed.dropped) as f64;
        assert!((loss - dropped).abs() < 0.02, "{row}");
        // What was lost last is in no report any more, and what is only late may be in one.
        let reported = f64::from(passed.reported.unwrap()) / passed.dropped as f64;
        assert!((0.5..=1.1).contains(&reported), "{row}");
        let mos = quality.mos.unwrap();
        assert!((2.5..4.2).contains(&mos), "{row}");
        printed.push(row);
    }
    table(&printed);
    scene.close().await;
}
