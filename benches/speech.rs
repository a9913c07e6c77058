//! Word accuracy of local recognition (Z-08): the demo's sentences and some outside its subjects, in four flite voices,
//! on a wideband and a narrowband leg. Prints the engine, the number of words, and how many were right.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs, reason = "a bench prints, and ends when it cannot")]

use auricle::providers::flite::Flite;
use auricle::providers::pocketsphinx::PocketSphinx;
use auricle::providers::{Stt, SttEvent, SttInput, SttOptions, SttSession, Tts, Vocabulary};
use auricle::voice::vocabulary;
use auricle_domain::appointment::Service;
use auricle_domain::code::Lang;
use auricle_domain::id::ServiceId;
use auricle_media::audio::resample::{Downsampler, HighBand, Upsampler};
use auricle_media::codec::g711::{decode_mu, encode_mu};
use auricle_media::io::{Pcm, Rate};
use futures_util::StreamExt;
use std::sync::Arc;
use std::time::{Duration, Instant};

const VOICES: [&str; 4] = ["slt", "rms", "awb", "kal16"];
/// What callers of the demo say, and the like.
const IN_DOMAIN: [&str; 10] = [
    "what are your opening hours",
    "are you open on saturday",
    "where can i park",
    "how much is a consultation",
    "i would like to book an appointment",
    "a consultation please",
    "next tuesday at ten in the morning",
    "my name is emma brown",
    "i have chest pain",
    "can i speak to a person",
];
/// What the clinic's own words do not foresee.
const OUTSIDE: [&str; 4] = [
    "is there a lift in the building because my father uses a wheelchair",
    "my neighbour told me that you are very kind",
    "the train was late this morning",
    "could you send the letter to my old address",
];

fn clinic() -> Vocabulary {
    let service = Service {
        id: ServiceId(Default::default()),
        name: "consultation".into(),
        aliases: vec![],
        duration_min: 30,
        resource: "r".into(),
        hours: vec![],
        lead_min: 0,
        active: true,
        version: 1,
    };
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/config/demo/knowledge");
    let mut texts =
        std::fs::read_dir(folder).unwrap().map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap());
    vocabulary::build(1, Lang::En, &[service], &mut texts)
}

async fn spoken(voice: &str, text: &str) -> Vec<i16> {
    let mut samples = vec![0; 8_000];
    let mut speech = Flite::new("flite", voice).speak(text, Lang::En);
    while let Some(pcm) = speech.next().await {
        samples.extend_from_slice(&pcm.unwrap().samples);
    }
    samples.extend(std::iter::repeat_n(0, 8_000 + 640 - samples.len() % 640));
    samples
}

/// What G.711 and our own way back to 16 kHz leave of it.
fn narrowband(samples: &[i16]) -> Vec<i16> {
    let mut narrow = vec![0; samples.len() / 2];
    Downsampler::default().run(samples, &mut narrow);
    narrow.iter_mut().for_each(|sample| *sample = decode_mu(encode_mu(*sample)));
    let mut wide = vec![0; narrow.len() * 2];
    Upsampler::new(HighBand::Folded).run(&narrow, &mut wide);
    wide
}

async fn heard(stt: &PocketSphinx, vocabulary: &Arc<Vocabulary>, samples: &[i16]) -> String {
    let options = SttOptions { language: Lang::En, phrases: Arc::clone(vocabulary) };
    let SttSession { audio, mut events } = stt.listen(options).await.unwrap();
    let end_ms = samples.len() as u64 / 16;
    let feed = async move {
        for (index, frame) in samples.chunks_exact(320).enumerate() {
            let at_ms = index as u64 * 20;
            if index == 20 {
                audio.send(SttInput::SpeechStarted { at_ms }).await.unwrap();
            }
            let pcm = Pcm { rate: Rate::Hz16000, samples: frame.into() };
            audio.send(SttInput::Audio { pcm, at_ms }).await.unwrap();
        }
        audio.send(SttInput::SpeechEnded { at_ms: end_ms }).await.unwrap();
    };
    let listen = async {
        let mut text = String::new();
        while let Some(event) = events.recv().await {
            if let SttEvent::Final { text: words, .. } = event {
                text = words;
            }
        }
        text
    };
    tokio::join!(feed, listen).1
}

/// Words that must be changed, added or left out (Levenshtein over words).
fn errors(said: &str, heard: &str) -> usize {
    let heard: Vec<&str> = heard.split_whitespace().collect();
    let mut row: Vec<usize> = (0..=heard.len()).collect();
    for (line, word) in said.split_whitespace().enumerate() {
        let mut diagonal = row[0];
        row[0] = line + 1;
        for (column, other) in heard.iter().enumerate() {
            let changed = diagonal + usize::from(word != *other);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[heard.len()]
}

#[tokio::main]
async fn main() {
    let vocabulary = Arc::new(clinic());
    let begun = Instant::now();
    let model = "/usr/share/pocketsphinx/model/en-us".into();
    let stt = PocketSphinx::load("libpocketsphinx.so.3", model, 1, &vocabulary).unwrap();
    println!("engine {}, {} sentences, loaded in {:?}", stt.name(), vocabulary.sentences.len(), begun.elapsed());
    for (set, sentences) in [("the clinic's subjects", &IN_DOMAIN[..]), ("outside them", &OUTSIDE[..])] {
        for (band, narrow) in [("G.722", false), ("G.711", true)] {
            let (mut words, mut wrong, mut audio, mut work) = (0, 0, Duration::ZERO, Duration::ZERO);
            for voice in VOICES {
                for said in sentences {
                    let mut samples = spoken(voice, said).await;
                    if narrow {
                        samples = narrowband(&samples);
                    }
                    let start = Instant::now();
                    let text = heard(&stt, &vocabulary, &samples).await;
                    work += start.elapsed();
                    audio += Duration::from_millis(samples.len() as u64 / 16);
                    words += said.split_whitespace().count();
                    let missed = errors(said, &text);
                    wrong += missed;
                    if missed > 0 {
                        println!("  {voice:<5} {band}  said {said:?}, heard {text:?}");
                    }
                }
            }
            let accuracy = 100.0 * (1.0 - wrong as f64 / words as f64);
            let real_time = work.as_secs_f64() / audio.as_secs_f64();
            println!(
                "{set}, {band}: word accuracy {accuracy:.1} % ({wrong} of {words} wrong), {real_time:.2} of real time"
            );
        }
    }
}
