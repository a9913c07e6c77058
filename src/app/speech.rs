//! Who hears, speaks and phrases, as configured.

use super::StartError;
use crate::config::{LlmConfig, LlmKind, SpeechConfig, SttKind};
use crate::providers::breaker::Breaker;
use crate::providers::espeak::Espeak;
use crate::providers::fallback::Voices;
use crate::providers::flite::Flite;
use crate::providers::openai::{OpenAi, OpenAiOptions};
use crate::providers::pocketsphinx::PocketSphinx;
use crate::providers::{Llm, Stt, Tts, Vocabulary};
use std::path::Path;
use std::sync::Arc;

/// A key file larger than this holds no key.
const KEY_BYTES_MAX: u64 = 4_096;

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
    /// Loads what is configured; `words` are the first the recogniser learns. Blocks for about a second.
    ///
    /// # Errors
    /// A library, model or key file that is missing: better told at start than to the first caller.
    pub(super) fn load(speech: &SpeechConfig, llm: &LlmConfig, words: &Vocabulary) -> Result<Self, StartError> {
        let flite: Arc<dyn Tts> = Arc::new(Flite::new(&speech.flite, &speech.flite_voice));
        let espeak: Arc<dyn Tts> = Arc::new(Espeak::new(&speech.espeak));
        Ok(Self { stt: stt(speech, words)?, tts: Arc::new(Voices::new(vec![flite, espeak])), llm: brain(llm)? })
    }
}

fn stt(config: &SpeechConfig, words: &Vocabulary) -> Result<Option<Arc<dyn Stt>>, StartError> {
    match config.stt {
        SttKind::None => Ok(None),
        SttKind::Pocketsphinx => {
            let (library, model) = (&config.pocketsphinx_library, config.pocketsphinx_model.clone());
            let loaded = PocketSphinx::load(library, model, config.stt_streams_max, words);
            Ok(Some(Arc::new(loaded.map_err(StartError::Speech)?)))
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
