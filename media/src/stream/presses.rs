//! One press of a key, told in more than one way.
//!
//! Some telephones tell a press by signalling and as an event, or let its tones sound besides. Of each way the presses of a key are
//! counted while they follow each other; one that is ahead of all others tells something new.

/// Reports of a key that are not further apart than this are of the same presses.
const SAME_PRESS_MS: u64 = 1_000;
const KEYS: &str = "0123456789*#ABCD";
const WAYS: usize = 3;

/// How a press was told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Way {
    /// Its tones were heard.
    Tones,
    /// It came as an event (RFC 4733).
    Event,
    /// It came by signalling: INFO, or what a carrier says.
    Signalling,
}

/// The presses of all keys.
#[derive(Default, Debug)]
pub(super) struct Presses {
    runs: [Run; KEYS.len()],
}

/// Presses of one key that follow each other.
#[derive(Clone, Copy, Default, Debug)]
struct Run {
    counts: [u32; WAYS],
    at_ms: u64,
}

impl Presses {
    /// Takes a report. False when its press was told in another way already.
    pub(super) fn is_news(&mut self, digit: char, way: Way, at_ms: u64) -> bool {
        let Some(run) = KEYS.find(digit).and_then(|key| self.runs.get_mut(key)) else { return true };
        if at_ms.saturating_sub(run.at_ms) > SAME_PRESS_MS {
            *run = Run::default();
        }
        let told = run.counts.into_iter().max().unwrap_or(0);
        run.at_ms = at_ms;
        let count = &mut run.counts[way as usize];
        *count = count.saturating_add(1);
        *count > told
    }
}

#[cfg(test)]
mod tests {
    use super::Way::{Event, Signalling, Tones};
    use super::*;

    /// What is told of these reports.
    fn told(reports: &[(u64, char, Way)]) -> String {
        let mut presses = Presses::default();
        let is_news = |(at_ms, digit, way): &&(u64, char, Way)| presses.is_news(*digit, *way, *at_ms);
        reports.iter().filter(is_news).map(|(_, digit, _)| digit).collect()
    }

    #[test]
    fn every_press_is_told_once_in_whichever_order_its_reports_come() {
        /// What is told, and the reports that come.
        type Row = (&'static str, &'static [(u64, char, Way)]);
        let table: [Row; 9] = [
            ("5", &[(0, '5', Event), (20, '5', Signalling)]),
            ("5", &[(0, '5', Signalling), (40, '5', Event), (60, '5', Tones)]),
            // The same key again, by one way and by two.
            ("555", &[(0, '5', Event), (300, '5', Event), (600, '5', Event)]),
            ("55", &[(0, '5', Event), (20, '5', Signalling), (300, '5', Event), (320, '5', Signalling)]),
            ("55", &[(0, '5', Signalling), (20, '5', Event), (300, '5', Event), (310, '5', Signalling)]),
            // Signalling that is behind by a press, and by another key.
            ("55", &[(0, '5', Event), (300, '5', Event), (310, '5', Signalling), (600, '5', Signalling)]),
            ("56", &[(0, '5', Event), (200, '6', Event), (210, '5', Signalling), (400, '6', Signalling)]),
            // A report that is lost takes no other press along.
            ("555", &[(0, '5', Event), (20, '5', Signalling), (300, '5', Signalling), (600, '5', Signalling)]),
            // Later it is another press.
            ("55", &[(0, '5', Event), (1_001, '5', Signalling)]),
        ];
        for (expected, reports) in table {
            assert_eq!(told(reports), expected, "{reports:?}");
        }
    }
}
