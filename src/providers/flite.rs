//! English speech by `flite` (permissive licence), one short process for each sentence.

use super::process::{Sink, Speech, wav_stream};
use super::{ProviderError, Tts};
use auricle_domain::code::Lang;
use auricle_media::io::Pcm;
use futures_util::stream::BoxStream;

const NAME: &str = "flite";

/// Flite with one of its voices.
#[derive(Debug, Clone)]
pub struct Flite {
    program: String,
    voice: String,
}

impl Flite {
    /// `program` is looked up on the path; `voice` is one of flite's own, such as `slt`, `rms`, `awb`, `kal16`.
    pub fn new(program: impl Into<String>, voice: impl Into<String>) -> Self {
        Self { program: program.into(), voice: voice.into() }
    }
}

impl Tts for Flite {
    fn name(&self) -> &'static str {
        NAME
    }

    fn languages(&self) -> &[Lang] {
        &[Lang::En]
    }

    fn speak(&self, text: &str, _language: Lang) -> BoxStream<'static, Result<Pcm, ProviderError>> {
        let arguments = vec!["-voice".to_owned(), self.voice.clone(), "-o".to_owned()];
        let program = self.program.clone();
        wav_stream(Speech { provider: NAME, program, arguments, sink: Sink::File, text: text.to_owned() })
    }
}
