//! Who hears, speaks and phrases, as configured.

use super::StartError;
use crate::config::{EnglishVoice, LlmConfig, LlmKind, SpeechConfig, SttKind};
use crate::providers::breaker::Breaker;
use crate::providers::espeak::Espeak;
use crate::providers::fallback::Voices;
use crate::providers::flite::Flite;
use crate::providers::openai::{OpenAi, OpenAiOptions};
use crate::providers::pocketsphinx::PocketSphinx;
use crate::providers::{Llm, Stt, Tts};
use std::path::Path;
use std::sync::Arc;

/// A key file larger than this holds no key.
const KEY_BYTES_MAX: u64 = 4_096;

/// The English voices that step in for the chosen one.
const BRITISH: &str = "en-gb-x-rp+f3";
const FLITE: &str = "slt";

/// The providers of speech and language.
#[derive(Clone)]
pub struct Speech {
    /// Recognition, where there is one.
    pub stt: Option<Arc<dyn Stt>>,
    /// Synthesis.
    pub tts: Arc<dyn Tts>,
    /// A language model, where there is one.
    pub llm: Option<Arc<dyn Llm>>,
}

impl Speech {
    /// Opens what is configured; the recogniser's models are loaded later, when calls are already taken.
    ///
    /// # Errors
    /// A library, model or key file that is missing: better told at start than to the first caller.
    pub(super) fn open(speech: &SpeechConfig, llm: &LlmConfig) -> Result<Self, StartError> {
        Ok(Self { stt: stt(speech)?, tts: Arc::new(Voices::new(voices(speech))), llm: brain(llm)? })
    }
}

/// The voices, best first: the chosen one for English, and another that steps in when it fails.
fn voices(speech: &SpeechConfig) -> Vec<Arc<dyn Tts>> {
    match &speech.english {
        EnglishVoice::Flite(voice) => {
            vec![Arc::new(Flite::new(&speech.flite, voice)), Arc::new(Espeak::new(&speech.espeak, BRITISH))]
        }
        EnglishVoice::Espeak(voice) => {
            vec![Arc::new(Espeak::new(&speech.espeak, voice)), Arc::new(Flite::new(&speech.flite, FLITE))]
        }
    }
}

fn stt(config: &SpeechConfig) -> Result<Option<Arc<dyn Stt>>, StartError> {
    match config.stt {
        SttKind::None => Ok(None),
        SttKind::Pocketsphinx => {
            let (library, model) = (&config.pocketsphinx_library, config.pocketsphinx_model.clone());
            let opened = PocketSphinx::open(library, model, config.stt_streams_max);
            Ok(Some(Arc::new(opened.map_err(StartError::Speech)?)))
        }
    }
}

fn brain(config: &LlmConfig) -> Result<Option<Arc<dyn Llm>>, StartError> {
    match config.provider {
        LlmKind::None => Ok(None),
        LlmKind::Openai => {
            let options = OpenAiOptions {
                base_url: config.base_url.clone(),
                model: config.model.clone(),
                api_key: config.api_key_file.as_deref().map_or(Ok(String::new()), key)?,
                first_token_ms_max: config.first_token_ms_max,
                stall_ms_max: config.stall_ms_max,
            };
            Ok(Some(Arc::new(Breaker::new(Arc::new(OpenAi::new(options))))))
        }
    }
}

fn key(path: &Path) -> Result<String, StartError> {
    let fail = |reason: String| StartError::Key { path: path.to_owned(), reason };
    let length = std::fs::metadata(path).map_err(|error| fail(error.to_string()))?.len();
    if length > KEY_BYTES_MAX {
        return Err(fail(format!("it has {length} bytes, a key has at most {KEY_BYTES_MAX}")));
    }
    let text = std::fs::read_to_string(path).map_err(|error| fail(error.to_string()))?;
    Ok(text.trim().to_owned())
}
