//! What a caller hears when the receptionist fails: spoken ahead of time, so that it needs nothing that may be broken by then.

use crate::providers::Tts;
use crate::tasks::Tasks;
use auricle_domain::code::Lang;
use auricle_media::io::{Pcm, Rate};
use futures_util::StreamExt;
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

/// Spoken apologies by language and by whether the call ends after them. Cheap to clone.
#[derive(Clone, Default)]
pub(super) struct Apologies(Arc<RwLock<HashMap<(Lang, bool), Pcm>>>);

impl Apologies {
    /// Has them spoken in the background; a language whose voice is missing stays without.
    pub(super) fn prepare(tasks: &Tasks, tts: Arc<dyn Tts>, text: fn(Lang, bool) -> String) -> Self {
        let apologies = Self::default();
        let prepared = apologies.clone();
        tasks.spawn("apologies", async move {
            for language in Lang::ALL {
                for last in [false, true] {
                    prepared.speak(&*tts, *language, last, &text(*language, last)).await;
                }
            }
        });
        apologies
    }

    async fn speak(&self, tts: &dyn Tts, language: Lang, last: bool, text: &str) {
        let mut audio = tts.speak(text, language);
        let mut spoken: Option<(Rate, Vec<i16>)> = None;
        while let Some(piece) = audio.next().await {
            match piece {
                Ok(pcm) => spoken.get_or_insert((pcm.rate, Vec::new())).1.extend_from_slice(&pcm.samples),
                Err(error) => return tracing::warn!(%error, %language, "an apology could not be prepared"),
            }
        }
        if let Some((rate, samples)) = spoken {
            let pcm = Pcm { rate, samples: samples.into() };
            self.0.write().unwrap_or_else(PoisonError::into_inner).insert((language, last), pcm);
        }
    }

    /// What to play; none where no voice could speak it.
    pub(super) fn get(&self, language: Lang, last: bool) -> Option<Pcm> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(&(language, last)).cloned()
    }
}
