//! What a test caller will say, made before it dials.

use super::{Act, CallError, CallScript};
use auricle_media::io::Rate;
use futures_util::StreamExt;
use std::sync::Arc;

/// Loudness below which the end of an utterance counts as silence: about -44 dBFS.
const SILENT_BELOW: u16 = 200;

/// Something ready to be sent.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Utterance {
    /// Samples, 16 kHz, and the length of what can be heard of them.
    Sound { samples: Arc<[i16]>, voiced: usize },
    /// Keys.
    Keys(String),
}

/// Turns every act into something ready to be sent.
pub(super) async fn prepare(script: &CallScript) -> Result<Vec<Utterance>, CallError> {
    let mut utterances = Vec::with_capacity(script.acts.len());
    for act in &script.acts {
        utterances.push(match act {
            Act::Press(keys) => Utterance::Keys(keys.clone()),
            Act::Play(samples) => sound(Arc::clone(samples)),
            Act::Say(text) => {
                let tts = script.tts.as_ref().ok_or(CallError::NoVoice)?;
                let mut stream = tts.speak(text, script.language);
                let mut samples = Vec::new();
                while let Some(pcm) = stream.next().await {
                    let pcm = pcm?;
                    match pcm.rate {
                        Rate::Hz16000 => samples.extend_from_slice(&pcm.samples),
                        Rate::Hz8000 => samples.extend(pcm.samples.iter().flat_map(|sample| [*sample; 2])),
                    }
                }
                sound(samples.into())
            }
        });
    }
    Ok(utterances)
}

fn sound(samples: Arc<[i16]>) -> Utterance {
    let voiced = samples.iter().rposition(|sample| sample.unsigned_abs() > SILENT_BELOW).map_or(0, |last| last + 1);
    Utterance::Sound { samples, voiced }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn silence_at_the_end_is_not_speech() {
        let samples: Arc<[i16]> = [0, 900, -900, 100, -50, 0].into();
        assert_eq!(sound(Arc::clone(&samples)), Utterance::Sound { samples, voiced: 3 });
        let nothing: Arc<[i16]> = [0, 3].into();
        assert_eq!(sound(Arc::clone(&nothing)), Utterance::Sound { samples: nothing, voiced: 0 });
    }
}
