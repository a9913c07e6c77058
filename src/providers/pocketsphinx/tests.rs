//! Real recognition of real speech: flite speaks, the pool listens.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::providers::Tts;
use crate::providers::flite::Flite;
use auricle_media::io::{Pcm, Rate};
use futures_util::StreamExt;

const MODEL: &str = "/usr/share/pocketsphinx/model/en-us";
const LIBRARY: &str = "libpocketsphinx.so.3";

fn vocabulary() -> Vocabulary {
    let sentences = [
        "what are your opening hours",
        "when are you open on saturday",
        "i would like to book an appointment",
        "i would like to book a skin check on tuesday morning",
        "i have chest pain",
        "do you offer juvederm",
        "my name is emma novak",
    ];
    Vocabulary {
        generation: 1,
        sentences: sentences.map(str::to_owned).to_vec(),
        emergency: vec!["chest pain".to_owned(), "i cannot breathe".to_owned()],
    }
}

async fn say(voice: &str, text: &str) -> Vec<i16> {
    let mut samples = vec![0; 8_000];
    let mut speech = Flite::new("flite", voice).speak(text, Lang::En);
    while let Some(pcm) = speech.next().await {
        samples.extend_from_slice(&pcm.unwrap().samples);
    }
    samples.extend(std::iter::repeat_n(0, 8_000));
    samples
}

/// Feeds speech as a call would and gives back everything that was heard.
async fn hear(stt: &PocketSphinx, samples: &[i16]) -> Vec<SttEvent> {
    let options = SttOptions { language: Lang::En, phrases: Arc::new(vocabulary()) };
    let SttSession { audio, mut events } = stt.listen(options).await.unwrap();
    let feed = samples.to_vec();
    let feeder = tokio::spawn(async move {
        for (index, frame) in feed.chunks_exact(320).enumerate() {
            let at_ms = index as u64 * 20;
            if index == 20 {
                audio.send(SttInput::SpeechStarted { at_ms }).await.unwrap();
            }
            audio
                .send(SttInput::Audio { pcm: Pcm { rate: Rate::Hz16000, samples: frame.into() }, at_ms })
                .await
                .unwrap();
        }
        audio.send(SttInput::SpeechEnded { at_ms: feed.len() as u64 / 16 }).await.unwrap();
    });
    let mut heard = Vec::new();
    while let Some(event) = events.recv().await {
        heard.push(event);
    }
    feeder.await.unwrap();
    heard
}

fn final_text(heard: &[SttEvent]) -> &str {
    heard
        .iter()
        .find_map(|event| match event {
            SttEvent::Final { text, .. } => Some(text.as_str()),
            _ => None,
        })
        .unwrap()
}

/// VOICE-04: words are told while they are being spoken, and times lie within the utterance.
#[tokio::test(flavor = "multi_thread")]
async fn a_spoken_question_is_understood_with_partials_and_word_times() {
    let stt = PocketSphinx::load(LIBRARY, MODEL.into(), 1, &vocabulary()).unwrap();
    let speech = say("slt", "What are your opening hours?").await;
    let heard = hear(&stt, &speech).await;
    assert_eq!(final_text(&heard), "what are your opening hours");
    assert!(heard.iter().any(|event| matches!(event, SttEvent::Partial { text, .. } if !text.is_empty())));
    let words = heard.iter().find_map(|event| match event {
        SttEvent::Final { words, .. } => Some(words.clone()),
        _ => None,
    });
    let words = words.unwrap();
    assert_eq!(words.len(), 5);
    assert!(words.windows(2).all(|pair| pair[0].end_ms <= pair[1].start_ms + 10));
    assert!(words[4].end_ms < speech.len() as u64 / 16);

    // The clinic's own product name is not in the dictionary, and the second caller gets the same seat.
    let heard = hear(&stt, &say("rms", "Do you offer juvederm?").await).await;
    assert_eq!(final_text(&heard), "do you offer juvederm");
    let last = heard.iter().find_map(|event| match event {
        SttEvent::Final { words, .. } => words.last().cloned(),
        _ => None,
    });
    assert!(last.unwrap().end_ms <= 4_000, "times begin anew with each utterance: {heard:?}");

    // B-07: the phrase is spotted beside the decoder, too.
    let heard = hear(&stt, &say("slt", "I have chest pain.").await).await;
    assert!(final_text(&heard).contains("chest pain"), "{heard:?}");
    assert!(heard.contains(&SttEvent::Spotted { phrase: "chest pain".to_owned() }), "{heard:?}");
}

/// PERF-32: a clinic that changes its knowledge every day leaves no files of yesterday's.
#[test]
fn nothing_is_left_of_vocabularies_that_were() {
    let stt = PocketSphinx::open(LIBRARY, MODEL.into(), 1).unwrap();
    for generation in 1..=3 {
        let mut words = Vocabulary { generation, ..vocabulary() };
        words.emergency.push(format!("chest hurts {}", ["now", "badly", "today"][generation as usize - 1]));
        let seat = stt.pool.take(&words).unwrap();
        stt.pool.give_back(seat);
        assert_eq!(std::fs::read_dir(stt.pool.models.scratch.path()).unwrap().count(), 0);
    }
    assert_eq!(stt.pool.lock().idle.len(), 1, "the seat was taught, not loaded anew");
}

#[tokio::test]
async fn a_full_pool_and_a_foreign_language_are_refused_in_words() {
    let stt = PocketSphinx::load(LIBRARY, MODEL.into(), 1, &Vocabulary::default()).unwrap();
    let options = |language| SttOptions { language, phrases: Arc::new(Vocabulary::default()) };
    let czech = stt.listen(options(Lang::Cs)).await.map(|_| ());
    assert!(matches!(czech, Err(ProviderError::Unavailable { .. })), "{czech:?}");
    let _first = stt.listen(options(Lang::En)).await.unwrap();
    let second = stt.listen(options(Lang::En)).await.map(|_| ());
    assert_eq!(second, Err(ProviderError::Full { provider: "pocketsphinx", limit: 1 }));
}

/// Who rings while the models are still being loaded is listened to: what is said meanwhile waits, and nothing of it is lost.
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_speaks_before_the_models_are_loaded_is_heard() {
    let stt = Arc::new(PocketSphinx::open(LIBRARY, MODEL.into(), 1).unwrap());
    assert_eq!(stt.state(), SttState::Loading);
    let speech = say("slt", "What are your opening hours?").await;
    let loading = Arc::clone(&stt);
    let loaded = tokio::task::spawn_blocking(move || loading.warm(&vocabulary()));
    let heard = hear(&stt, &speech).await;
    assert_eq!(final_text(&heard), "what are your opening hours");
    loaded.await.unwrap().unwrap();
    assert_eq!(stt.state(), SttState::Ready);
}

#[test]
fn a_missing_library_or_model_is_named() {
    let missing = PocketSphinx::load("libnothing.so.9", MODEL.into(), 1, &Vocabulary::default()).map(|_| ());
    assert!(matches!(missing, Err(ProviderError::Unavailable { .. })));
    let missing = PocketSphinx::load(LIBRARY, "/nowhere".into(), 1, &Vocabulary::default()).map(|_| ());
    assert!(missing.unwrap_err().to_string().contains("/nowhere/en-us"));
    let empty = tempfile::tempdir().unwrap();
    std::fs::create_dir(empty.path().join("en-us")).unwrap();
    std::fs::write(empty.path().join("en-us/feat.params"), "").unwrap();
    let missing = PocketSphinx::open(LIBRARY, empty.path().into(), 1).map(|_| ());
    assert!(missing.unwrap_err().to_string().contains("feat.params is empty"));
}
