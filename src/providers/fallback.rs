//! Providers made of providers.

use super::{ProviderError, Tts};
use auricle_domain::code::Lang;
use auricle_media::io::Pcm;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use std::sync::Arc;

/// Speaks each text with the first voice that has its language; when that voice fails before its first sound, the next
/// one that has the language speaks instead.
pub struct Voices {
    voices: Vec<Arc<dyn Tts>>,
    languages: Vec<Lang>,
}

impl std::fmt::Debug for Voices {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.voices.iter().map(|voice| voice.name())).finish()
    }
}

impl Voices {
    /// `voices`, best first.
    pub fn new(voices: Vec<Arc<dyn Tts>>) -> Self {
        let has = |lang: &Lang| voices.iter().any(|voice| voice.languages().contains(lang));
        let languages = Lang::ALL.iter().copied().filter(has).collect();
        Self { voices, languages }
    }
}

impl Tts for Voices {
    fn name(&self) -> &'static str {
        "voices"
    }

    fn languages(&self) -> &[Lang] {
        &self.languages
    }

    fn speak(&self, text: &str, language: Lang) -> BoxStream<'static, Result<Pcm, ProviderError>> {
        let able =
            self.voices.iter().filter(|voice| voice.languages().contains(&language)).cloned().collect::<Vec<_>>();
        let text = text.to_owned();
        stream::once(async move {
            let reason = format!("no voice speaks {language}");
            let mut failure = ProviderError::Unavailable { provider: "voices", reason };
            for voice in able {
                let mut speech = voice.speak(&text, language);
                match speech.next().await {
                    Some(Ok(first)) => return stream::once(async move { Ok(first) }).chain(speech).boxed(),
                    Some(Err(error)) => {
                        tracing::warn!(voice = voice.name(), %error, "a voice failed, the next one speaks");
                        failure = error;
                    }
                    None => {
                        let reason = "it made no sound".to_owned();
                        failure = ProviderError::Broken { provider: voice.name(), reason };
                    }
                }
            }
            stream::once(async move { Err(failure) }).boxed()
        })
        .flatten()
        .boxed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::providers::wav::wideband;

    struct Fixed(&'static str, &'static [Lang], Option<i16>);

    impl Tts for Fixed {
        fn name(&self) -> &'static str {
            self.0
        }
        fn languages(&self) -> &[Lang] {
            self.1
        }
        fn speak(&self, _: &str, _: Lang) -> BoxStream<'static, Result<Pcm, ProviderError>> {
            let reason = "test".to_owned();
            let outcome = self.2.map(|sample| wideband(&[sample]));
            let outcome = outcome.ok_or(ProviderError::Broken { provider: self.0, reason });
            stream::once(async move { outcome }).boxed()
        }
    }

    async fn spoken(voices: &Voices, language: Lang) -> Vec<Result<Pcm, ProviderError>> {
        voices.speak("hello", language).collect().await
    }

    #[tokio::test]
    async fn the_first_voice_with_the_language_speaks_and_a_failed_one_is_replaced() {
        let voices = Voices::new(vec![
            Arc::new(Fixed("broken", &[Lang::En], None)),
            Arc::new(Fixed("english", &[Lang::En], Some(1))),
            Arc::new(Fixed("czech", &[Lang::Cs], Some(2))),
        ]);
        assert_eq!(spoken(&voices, Lang::En).await, vec![Ok(wideband(&[1]))]);
        assert_eq!(spoken(&voices, Lang::Cs).await, vec![Ok(wideband(&[2]))]);
        assert!(matches!(spoken(&voices, Lang::Es).await[..], [Err(ProviderError::Unavailable { .. })]));
        assert_eq!(voices.languages(), [Lang::En, Lang::Cs]);
    }
}
