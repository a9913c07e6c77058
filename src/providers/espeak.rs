//! Spanish, Czech and English speech by `espeak-ng`, as a process of its own: its licence (GPL-3) stays out of ours.

use super::process::{Sink, Speech, wav_stream};
use super::{ProviderError, Tts};
use auricle_domain::code::Lang;
use auricle_media::io::Pcm;
use futures_util::stream::BoxStream;

const NAME: &str = "espeak-ng";
/// Words a minute: a little slower than its default 175, for a telephone.
const WORDS_PER_MINUTE: &str = "155";

/// espeak-ng with female voices: one receptionist speaks all languages.
#[derive(Debug, Clone)]
pub struct Espeak {
    program: String,
    english: String,
}

impl Espeak {
    /// `program` is looked up on the path; `english` is its voice for English, such as `en-gb-x-rp+f3`.
    pub fn new(program: impl Into<String>, english: impl Into<String>) -> Self {
        Self { program: program.into(), english: english.into() }
    }
}

impl Tts for Espeak {
    fn name(&self) -> &'static str {
        NAME
    }

    fn languages(&self) -> &[Lang] {
        Lang::ALL
    }

    fn speak(&self, text: &str, language: Lang) -> BoxStream<'static, Result<Pcm, ProviderError>> {
        let voice = match language {
            Lang::En => &self.english,
            Lang::Es => "es+f3",
            Lang::Cs => "cs+f3",
        };
        let arguments = ["-v", voice, "-s", WORDS_PER_MINUTE, "--stdout", "--stdin"].map(str::to_owned).to_vec();
        let program = self.program.clone();
        wav_stream(Speech { provider: NAME, program, arguments, sink: Sink::Stdout, text: text.to_owned() })
    }
}
