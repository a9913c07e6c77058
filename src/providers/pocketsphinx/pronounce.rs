//! Pronunciations of words that the dictionary lacks, from flite's letter-to-sound rules.

use std::process::{Command, Stdio};

/// The phones of each word in the dictionary's symbols (`JH UW V AH D ER M`). A word that flite cannot pronounce, or all
/// of them when flite is not installed, is left out: it will not be recognised, and everything else goes on.
pub(super) fn phones(words: &[&str]) -> Vec<(String, String)> {
    words.iter().filter(|word| speakable(word)).filter_map(|word| Some(((*word).to_owned(), of_word(word)?))).collect()
}

/// Letters and apostrophes only, so that the word cannot be taken for an option and is worth pronouncing.
fn speakable(word: &str) -> bool {
    word.starts_with(char::is_alphabetic) && word.chars().all(|c| c.is_alphabetic() || c == '\'')
}

fn of_word(word: &str) -> Option<String> {
    let output = Command::new("flite")
        .args(["-voice", "slt", "-ps", "-t", word, "none"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    from_flite(&String::from_utf8_lossy(&output.stdout))
}

/// Flite's phones as the dictionary writes them: upper case, schwa is `AH`, pauses dropped.
fn from_flite(line: &str) -> Option<String> {
    let phones: Vec<String> = line
        .split_whitespace()
        .filter(|phone| *phone != "pau")
        .map(|phone| if phone == "ax" { "AH".to_owned() } else { phone.to_ascii_uppercase() })
        .collect();
    (!phones.is_empty()).then(|| phones.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phones_map_to_the_dictionary() {
        assert_eq!(from_flite("pau jh uw v ax d er m pau \n"), Some("JH UW V AH D ER M".to_owned()));
        assert_eq!(from_flite("pau pau"), None);
    }

    #[test]
    fn options_and_numbers_are_not_words() {
        assert!(!speakable("-o"));
        assert!(!speakable("42"));
        assert!(speakable("o'brien"));
    }
}
