//! The words callers are likely to say, from the clinic's own records, for the recogniser's language model.

use crate::providers::Vocabulary;
use auricle_domain::code::Lang;
use auricle_domain::appointment::Service;

/// Most sentences a vocabulary holds: beyond it a language model grows without becoming better.
pub const SENTENCES_MAX: usize = 4_000;

/// Builds the vocabulary of a language. `passages` are the texts of live knowledge passages in that language;
/// what exceeds [`SENTENCES_MAX`] is left out, knowledge last.
pub fn build(generation: u64, language: Lang, services: &[Service], passages: &mut dyn Iterator<Item = String>) -> Vocabulary {
    let mut sentences: Vec<String> = Vec::new();
    for service in services.iter().filter(|service| service.active) {
        sentences.push(service.name.to_lowercase());
    }
    sentences.extend(passages.map(|text| text.to_lowercase()));
    sentences.truncate(SENTENCES_MAX);
    let _ = language;
    Vocabulary { generation, sentences, emergency: Vec::new() }
}
