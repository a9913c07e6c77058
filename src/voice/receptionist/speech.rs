//! Sentences into audio: cached where every caller hears the same.

use super::session::Job;
use crate::providers::{ProviderError, Tts};
use auricle_domain::code::Lang;
use auricle_domain::dialog::Line;
use auricle_media::io::Pcm;
use auricle_media::turn::ReplyId;
use futures_util::StreamExt;
use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use tokio::sync::mpsc;

/// Sentences kept; when it is full, new ones are spoken but not kept. Ten minutes of audio or so.
const SENTENCES_MAX: usize = 256;
/// Longest text one synthesis takes, in bytes; longer ones are cut at a space.
const TEXT_MAX: usize = 1_900;

/// Silence kept before the first sound of a sentence, so that a soft consonant is not cut.
const LEAD_MS: usize = 30;
/// Silence looked for, at most.
const LEAD_MS_MAX: usize = 400;
/// Samples above this are sound.
const LOUD: u16 = 300;

type Key = (&'static str, Lang, String);

/// Audio of sentences that are the same for every caller. Holds no personal data: only lasting lines get in.
static SPOKEN: LazyLock<Mutex<HashMap<Key, Arc<[Pcm]>>>> = LazyLock::new(Mutex::default);

fn kept(key: &Key) -> Option<Arc<[Pcm]>> {
    SPOKEN.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
}

fn keep(key: Key, audio: Vec<Pcm>) {
    let mut spoken = SPOKEN.lock().unwrap_or_else(PoisonError::into_inner);
    if spoken.len() < SENTENCES_MAX {
        spoken.insert(key, audio.into());
    }
}

/// Speaks lines as a reply's text and audio. Ends early when nobody listens any more.
pub(super) async fn speak(
    tts: Arc<dyn Tts>,
    language: Lang,
    reply: ReplyId,
    lines: Vec<Line>,
    jobs: mpsc::Sender<Job>,
) {
    for line in lines {
        if let Err(error) = speak_line(&tts, language, reply, &line, &jobs).await {
            tracing::warn!(%error, "a sentence could not be spoken");
            let _gone = jobs.send(Job::ReplyFailed(reply)).await;
            return;
        }
    }
    let _gone = jobs.send(Job::ReplyDone(reply)).await;
}

/// Speaks one sentence.
pub(super) async fn speak_line(
    tts: &Arc<dyn Tts>,
    language: Lang,
    reply: ReplyId,
    line: &Line,
    jobs: &mpsc::Sender<Job>,
) -> Result<(), ProviderError> {
    let text = cut(&line.text);
    let _gone = jobs.send(Job::Sentence(reply, text.to_owned())).await;
    let key = (tts.name(), language, text.to_owned());
    if let Some(audio) = kept(&key).filter(|_| line.lasting) {
        for pcm in audio.iter() {
            let _gone = jobs.send(Job::Audio(reply, pcm.clone())).await;
        }
        return Ok(());
    }
    let (mut audio, mut first) = (Vec::new(), true);
    let mut stream = tts.speak(text, language);
    while let Some(pcm) = stream.next().await {
        let pcm = if std::mem::take(&mut first) { without_lead(pcm?) } else { pcm? };
        if line.lasting {
            audio.push(pcm.clone());
        }
        let _gone = jobs.send(Job::Audio(reply, pcm)).await;
    }
    if line.lasting {
        keep(key, audio);
    }
    Ok(())
}

/// Synthesises sentences that every call needs, so that the first caller does not wait for them.
pub(super) async fn warm(tts: &Arc<dyn Tts>, language: Lang, texts: Vec<String>) {
    for text in texts {
        let key = (tts.name(), language, cut(&text).to_owned());
        if kept(&key).is_some() {
            continue;
        }
        let mut audio = Vec::new();
        let mut stream = tts.speak(cut(&text), language);
        while let Some(pcm) = stream.next().await {
            match pcm {
                Ok(pcm) if audio.is_empty() => audio.push(without_lead(pcm)),
                Ok(pcm) => audio.push(pcm),
                Err(error) => {
                    tracing::warn!(%error, "a sentence could not be prepared");
                    return;
                }
            }
        }
        keep(key, audio);
    }
}

/// Synthesisers begin with up to a third of a second of silence, which the caller would wait for.
fn without_lead(pcm: Pcm) -> Pcm {
    let per_ms = pcm.rate.hz() as usize / 1_000;
    let voiced = pcm.samples.iter().take(LEAD_MS_MAX * per_ms).position(|sample| sample.unsigned_abs() > LOUD);
    let from = voiced.unwrap_or(0).saturating_sub(LEAD_MS * per_ms);
    if from == 0 {
        return pcm;
    }
    Pcm { rate: pcm.rate, samples: Arc::from(&pcm.samples[from..]) }
}

fn cut(text: &str) -> &str {
    if text.len() <= TEXT_MAX {
        return text;
    }
    let end = (0..=TEXT_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text[..end].rfind(' ').map_or(&text[..end], |at| &text[..at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use auricle_media::io::Rate;

    #[test]
    fn silence_before_a_sentence_is_cut_and_silence_alone_is_not() {
        let quiet = |ms: usize| vec![0_i16; ms * 16];
        let spoken = [quiet(200), vec![4_000; 160], quiet(100)].concat();
        let cut = without_lead(Pcm { rate: Rate::Hz16000, samples: spoken.into() });
        assert_eq!(cut.samples.len(), (LEAD_MS + 10 + 100) * 16);
        let silence = Pcm { rate: Rate::Hz16000, samples: quiet(500).into() };
        assert_eq!(without_lead(silence.clone()), silence);
    }
}
