//! A small back-off trigram model of the clinic's own sentences, written in ARPA format for the decoder.
//!
//! Absolute discounting (Ney, Essen and Kneser 1994) with a fixed discount: the corpus is a few hundred sentences, too
//! small to estimate more. Pure: sentences in, text out.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// What is taken from every seen count and given to the unseen.
const DISCOUNT: f64 = 0.5;
/// Sentences beyond this number are left out: the model is rebuilt while calls are on.
pub(super) const SENTENCES_MAX: usize = 20_000;

type Counts<'a> = BTreeMap<Vec<&'a str>, f64>;

/// The ARPA text of a trigram model of `sentences` (lower-case words separated by spaces). `None` when there are none.
pub(super) fn arpa(sentences: &[String]) -> Option<String> {
    let mut counts: [Counts<'_>; 3] = [Counts::new(), Counts::new(), Counts::new()];
    for sentence in sentences.iter().take(SENTENCES_MAX) {
        let mut words = vec!["<s>"];
        words.extend(sentence.split_whitespace());
        if words.len() == 1 {
            continue;
        }
        words.push("</s>");
        for (order, table) in counts.iter_mut().enumerate() {
            for gram in words.windows(order + 1) {
                *table.entry(gram.to_vec()).or_default() += 1.0;
            }
        }
    }
    if counts[0].is_empty() {
        return None;
    }
    Some(Model::new(&counts).write())
}

/// Probabilities and back-off weights of every seen n-gram.
struct Model<'a> {
    probability: [Counts<'a>; 3],
    backoff: [Counts<'a>; 2],
}

impl<'a> Model<'a> {
    fn new(counts: &[Counts<'a>; 3]) -> Self {
        let mut model = Self { probability: Default::default(), backoff: Default::default() };
        model.unigrams(&counts[0]);
        model.higher(1, &counts[1]);
        model.higher(2, &counts[2]);
        model
    }

    /// Unigrams: discounted, the freed mass spread evenly over the vocabulary. `<s>` is never predicted.
    fn unigrams(&mut self, counts: &Counts<'a>) {
        let predicted: Vec<_> = counts.iter().filter(|(gram, _)| gram[0] != "<s>").collect();
        let total: f64 = predicted.iter().map(|(_, count)| **count).sum();
        let words = predicted.len() as f64;
        let freed = DISCOUNT * words / total;
        for (gram, count) in predicted {
            self.probability[0].insert(gram.clone(), (count - DISCOUNT) / total + freed / words);
        }
    }

    /// Bigrams and trigrams: discounted against their history, the freed mass goes to the shorter history.
    fn higher(&mut self, order: usize, counts: &Counts<'a>) {
        let mut histories: BTreeMap<Vec<&'a str>, Vec<(&'a str, f64)>> = BTreeMap::new();
        for (gram, count) in counts {
            histories.entry(gram[..order].to_vec()).or_default().push((gram[order], *count));
        }
        for (history, words) in histories {
            let total: f64 = words.iter().map(|(_, count)| count).sum();
            let mut lower_seen = 0.0;
            for (word, count) in &words {
                let mut gram = history.clone();
                gram.push(word);
                lower_seen += self.lower(order, &gram[1..]);
                self.probability[order].insert(gram, (count - DISCOUNT) / total);
            }
            let freed = DISCOUNT * words.len() as f64 / total;
            let unseen = (1.0 - lower_seen).max(1e-6);
            self.backoff[order - 1].insert(history, freed / unseen);
        }
    }

    /// Probability of a gram of `order` words by the lower model, backing off as far as needed.
    fn lower(&self, order: usize, gram: &[&'a str]) -> f64 {
        if let Some(probability) = self.probability[order - 1].get(gram) {
            return *probability;
        }
        if order == 1 {
            return 0.0;
        }
        let weight = self.backoff[order - 2].get(&gram[..order - 1]).copied().unwrap_or(1.0);
        weight * self.lower(order - 1, &gram[1..])
    }

    fn write(&self) -> String {
        let mut words: BTreeSet<&Vec<&str>> = self.probability[0].keys().collect();
        let start = vec!["<s>"];
        words.insert(&start);
        let mut text = String::from("\\data\\\n");
        let sizes = [words.len(), self.probability[1].len(), self.probability[2].len()];
        for (index, size) in sizes.iter().enumerate() {
            let _ = writeln!(text, "ngram {}={size}", index + 1);
        }
        text.push_str("\n\\1-grams:\n");
        for gram in words {
            let probability = self.probability[0].get(gram).map_or(-99.0, |p| p.log10());
            self.line(&mut text, probability, gram, 0);
        }
        for order in 1..3 {
            let _ = write!(text, "\n\\{}-grams:\n", order + 1);
            for (gram, probability) in &self.probability[order] {
                self.line(&mut text, probability.log10(), gram, order);
            }
        }
        text.push_str("\n\\end\\\n");
        text
    }

    fn line(&self, text: &mut String, probability: f64, gram: &[&str], order: usize) {
        let _ = write!(text, "{probability:.4} {}", gram.join(" "));
        if order < 2 {
            let weight = self.backoff[order].get(gram).map_or(0.0, |weight| weight.log10());
            let _ = write!(text, " {weight:.4}");
        }
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentences(lines: &[&str]) -> Vec<String> {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn no_sentences_make_no_model() {
        assert_eq!(arpa(&[]), None);
        assert_eq!(arpa(&sentences(&["   "])), None);
    }

    #[test]
    fn counts_in_the_header_are_the_lines_that_follow() {
        let text = arpa(&sentences(&["book an appointment", "an appointment please"])).unwrap_or_default();
        let declared: usize =
            text.lines().filter_map(|line| line.strip_prefix("ngram ")?.split_once('=')?.1.parse::<usize>().ok()).sum();
        let listed = text.lines().filter(|line| line.starts_with('-')).count();
        assert_eq!(declared, listed);
        assert!(text.ends_with("\\end\\\n"));
    }

    #[test]
    fn every_history_sums_to_one() {
        let lines =
            sentences(&["what are your hours", "what are your prices", "are you open today", "your hours today"]);
        let mut counts: [Counts<'_>; 3] = Default::default();
        for line in &lines {
            let mut words = vec!["<s>"];
            words.extend(line.split_whitespace());
            words.push("</s>");
            for (order, table) in counts.iter_mut().enumerate() {
                for gram in words.windows(order + 1) {
                    *table.entry(gram.to_vec()).or_default() += 1.0;
                }
            }
        }
        let model = Model::new(&counts);
        let vocabulary: Vec<&str> = model.probability[0].keys().map(|gram| gram[0]).collect();
        for history in [vec!["are"], vec!["what", "are"], vec!["are", "your"]] {
            let sum: f64 = vocabulary
                .iter()
                .map(|word| {
                    let mut gram = history.clone();
                    gram.push(word);
                    model.lower(gram.len(), &gram)
                })
                .sum();
            assert!((sum - 1.0).abs() < 0.02, "{history:?} sums to {sum}");
        }
    }
}
