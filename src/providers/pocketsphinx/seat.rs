//! One seat of the pool: a word decoder, a phrase spotter beside it, and the vocabulary they were last set to.

use super::library::{Decoder, GENERAL, NAME, SearchKind, Segment, Sphinx};
use super::{Models, ngram, pronounce};
use crate::providers::{ProviderError, Vocabulary};
use auricle_domain::conversation::Word;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::Arc;
use tempfile::NamedTempFile;

/// Weight of the clinic's own model against general English. Measured on the demo sentences: below 0.5 "book an
/// appointment" is lost, above 0.8 sentences outside the clinic's subjects are bent into them.
const CLINIC_WEIGHT: f32 = 0.7;
/// Unknown words that are taught per vocabulary; each costs a run of the pronouncer.
const NEW_WORDS_MAX: usize = 400;
/// Detection threshold of a spotted phrase, per phone: longer phrases can afford to be stricter.
const SPOT_EXPONENT_PER_WORD: i32 = 10;
/// Length of a decoder frame.
const FRAME_MS: u64 = 10;

/// Decoders and what they are set to.
pub(super) struct Seat {
    words: Decoder,
    spotter: Option<Decoder>,
    generation: Option<u64>,
    emergency: Vec<String>,
}

/// A finished utterance.
pub(super) struct Utterance {
    pub text: String,
    pub words: Vec<Word>,
}

impl Seat {
    /// Loads the acoustic model and the dictionary; [`learn`](Self::learn) loads what there is to search for.
    pub fn new(sphinx: &Arc<Sphinx>, models: &Models) -> Result<Self, ProviderError> {
        let words = Decoder::new(sphinx, &models.model, &SearchKind::Words)?;
        Ok(Self { words, spotter: None, generation: None, emergency: Vec::new() })
    }

    /// Sets the seat to a vocabulary, unless it is already.
    pub fn learn(
        &mut self,
        sphinx: &Arc<Sphinx>,
        models: &Models,
        vocabulary: &Vocabulary,
    ) -> Result<(), ProviderError> {
        if self.generation == Some(vocabulary.generation) {
            return Ok(());
        }
        self.teach(vocabulary);
        let general = models.model.join(GENERAL);
        match ngram::arpa(&vocabulary.sentences) {
            Some(text) => {
                let file = written(models, ".lm", &text)?;
                self.words.set_models(&[(&general, 1.0 - CLINIC_WEIGHT), (file.path(), CLINIC_WEIGHT)])?;
            }
            None => self.words.set_models(&[(&general, 1.0)])?,
        }
        if self.emergency != vocabulary.emergency {
            self.spotter = self.spot(sphinx, models, vocabulary)?;
            self.emergency.clone_from(&vocabulary.emergency);
        }
        self.generation = Some(vocabulary.generation);
        Ok(())
    }

    /// Adds the clinic's words that the dictionary lacks (product and people's names).
    fn teach(&mut self, vocabulary: &Vocabulary) {
        let all: BTreeSet<&str> = vocabulary.sentences.iter().flat_map(|line| line.split_whitespace()).collect();
        let unknown: Vec<&str> = all.into_iter().filter(|word| !self.words.knows(word)).take(NEW_WORDS_MAX).collect();
        for (word, phones) in pronounce::phones(&unknown) {
            self.words.add_word(&word, &phones);
        }
    }

    /// A spotter for the phrases whose words the dictionary knows; the lexicon on transcripts covers the others.
    fn spot(
        &mut self,
        sphinx: &Arc<Sphinx>,
        models: &Models,
        vocabulary: &Vocabulary,
    ) -> Result<Option<Decoder>, ProviderError> {
        let (mut lines, mut known) = (String::new(), BTreeMap::new());
        for phrase in &vocabulary.emergency {
            let said: Vec<_> = phrase.split_whitespace().map(|word| (word, self.words.phones(word))).collect();
            if said.len() >= 2 && said.iter().all(|(_, phones)| phones.is_some()) {
                let exponent = SPOT_EXPONENT_PER_WORD * i32::try_from(said.len()).unwrap_or(1);
                lines.push_str(&format!("{phrase} /1e-{exponent}/\n"));
                known.extend(said.into_iter().filter_map(|(word, phones)| Some((word, phones?))));
            }
        }
        if lines.is_empty() {
            return Ok(None);
        }
        let words: String = known.into_iter().map(|(word, phones)| format!("{word} {phones}\n")).collect();
        let (keywords, dictionary) = (written(models, ".txt", &lines)?, written(models, ".dict", &words)?);
        let phrases =
            SearchKind::Phrases { keywords: keywords.path().to_owned(), dictionary: dictionary.path().to_owned() };
        Decoder::new(sphinx, &models.model, &phrases).map(Some)
    }

    /// Begins an utterance.
    pub fn start(&mut self) -> Result<(), ProviderError> {
        self.words.start()?;
        self.spotter.as_mut().map_or(Ok(()), Decoder::start)
    }

    /// Hears 16 kHz audio; answers with a phrase that was spotted in it.
    pub fn hear(&mut self, samples: &[i16]) -> Result<Option<String>, ProviderError> {
        self.words.process(samples)?;
        let Some(spotter) = &mut self.spotter else { return Ok(None) };
        spotter.process(samples)?;
        let found = spotter.hypothesis();
        if found.is_empty() {
            return Ok(None);
        }
        // The hypothesis stays until the utterance ends: begin a new one, so that one detection is told once.
        spotter.end()?;
        spotter.start()?;
        let phrase = self.emergency.iter().find(|phrase| found.contains(phrase.as_str()));
        Ok(phrase.cloned())
    }

    /// The words so far, cleaned.
    pub fn partial(&mut self) -> String {
        clean(&self.words.hypothesis())
    }

    /// Ends the utterance that began at `start_ms` after answer.
    pub fn end(&mut self, start_ms: u64) -> Result<Utterance, ProviderError> {
        self.words.end()?;
        if let Some(spotter) = &mut self.spotter {
            spotter.end()?;
        }
        let text = clean(&self.words.hypothesis());
        Ok(Utterance { text, words: words_of(&self.words.segments(), start_ms) })
    }
}

/// Segments as words with times; fillers and sentence marks are none. The decoder counts frames on from one utterance to
/// the next, so the first segment (the sentence mark, at the utterance's first frame) is where time begins.
fn words_of(segments: &[Segment], start_ms: u64) -> Vec<Word> {
    let origin = segments.first().map_or(0, |first| first.start_frame);
    let at_ms = |frame: u32| start_ms + u64::from(frame.saturating_sub(origin)) * FRAME_MS;
    let word = |segment: &Segment| {
        let text = clean_word(&segment.word)?.to_owned();
        Some(Word { text, start_ms: at_ms(segment.start_frame), end_ms: at_ms(segment.end_frame + 1) })
    };
    segments.iter().filter_map(word).collect()
}

/// A dictionary word without its alternative-pronunciation number: `the(2)` is `the`.
fn clean_word(word: &str) -> Option<&str> {
    if word.is_empty() || word.starts_with(['<', '[', '+']) {
        return None;
    }
    Some(word.split('(').next().unwrap_or(word))
}

fn clean(hypothesis: &str) -> String {
    hypothesis.split_whitespace().filter_map(clean_word).collect::<Vec<_>>().join(" ")
}

/// A file for the library to read, which it does at once: it is gone when it is dropped, so that nothing is left of vocabularies that
/// were.
fn written(models: &Models, ending: &str, text: &str) -> Result<NamedTempFile, ProviderError> {
    let file = tempfile::Builder::new().suffix(ending).tempfile_in(models.scratch.path());
    file.and_then(|file| fs::write(file.path(), text).map(|()| file)).map_err(|error| ProviderError::Unavailable {
        provider: NAME,
        reason: format!("its language model could not be written: {error}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fillers_and_variants_are_cleaned() {
        assert_eq!(clean("<s> what are the(2) [NOISE] hours </s>"), "what are the hours");
    }

    #[test]
    fn words_carry_times_of_the_call_however_many_utterances_came_before() {
        let segment = |word: &str, start_frame, end_frame| Segment { word: word.to_owned(), start_frame, end_frame };
        let word = Word { text: "hours".to_owned(), start_ms: 1_100, end_ms: 1_300 };
        for before in [0, 193] {
            let segments = [segment("<s>", before, before + 9), segment("hours(2)", before + 10, before + 29)];
            assert_eq!(words_of(&segments, 1_000), std::slice::from_ref(&word));
        }
    }
}
