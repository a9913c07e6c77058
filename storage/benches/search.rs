//! Rate of indexing and latency of search over generated segments of transcripts, with the index sealed as a clinic has it
//! and unsealed beside it, on the disk of the folder named in `AURICLE_BENCH_DIR` (the system's temporary folder unless told).
//!
//! There are 1,000,000 segments unless `AURICLE_BENCH_SEGMENTS` names another number. They and the queries come from one seed:
//! words by Zipf's law from a vocabulary of 40,000, with names, amounts and telephone numbers among them.
#![allow(clippy::unwrap_used, reason = "a benchmark")]

use auricle_domain::Timestamp;
use auricle_domain::code::{Channel, Lang};
use auricle_domain::id::{CallId, TenantId};
use auricle_storage::search::{Search, SearchChange, SearchDocument, SearchKind, SearchQuery};
use auricle_storage::{Backend, KeySource, Store, StoreOptions};
use std::io::Write;
use std::path::Path;
use std::time::Instant;

/// Segments unless told otherwise.
const SEGMENTS: u64 = 1_000_000;
/// Segments of one commit while indexing; what a rebuild takes in at once.
const BATCH: u64 = 5_000;
/// Different words of the vocabulary.
const WORDS: usize = 40_000;
/// Queries of each kind, after as many others to warm up as a tenth of them.
const QUERIES: u64 = 200;
/// The most that 95 of 100 searches may take, in milliseconds.
const P95_MS_MAX: f64 = 50.0;

/// Words that are said most, most frequent first.
const COMMON: &[&str] = &[
    "the",
    "i",
    "to",
    "you",
    "a",
    "and",
    "for",
    "is",
    "it",
    "my",
    "have",
    "on",
    "at",
    "in",
    "of",
    "can",
    "please",
    "appointment",
    "would",
    "like",
    "doctor",
    "yes",
    "no",
    "thank",
    "tomorrow",
    "morning",
    "time",
    "with",
    "monday",
    "number",
    "name",
    "call",
    "back",
    "what",
    "when",
    "clinic",
    "afternoon",
    "friday",
    "cancel",
    "book",
    "open",
    "results",
    "prescription",
    "vaccination",
    "parking",
    "insurance",
    "pain",
    "fever",
    "daughter",
    "address",
];
/// What the other words are made of.
const SYLLABLES: &[&str] = &[
    "ba", "cor", "den", "el", "fi", "gra", "hol", "in", "ja", "ker", "lo", "mar", "nes", "or", "pla", "qui", "ros",
    "sta", "tem", "ul", "ven", "wes", "yo", "zan", "ther", "mic", "sor", "tion", "ment", "al",
];
const NAMES: &[&str] =
    &["Novak", "Garcia", "Smith", "Svoboda", "Fernandez", "Johnson", "Dvorak", "Lopez", "Taylor", "Moreno"];

/// Xorshift: the same numbers in each run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 11) % bound
    }

    fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

struct Vocabulary {
    words: Vec<String>,
    /// Weight of all words up to this one; word n weighs 1/n.
    up_to: Vec<f64>,
}

impl Vocabulary {
    fn new() -> Self {
        let mut random = Random(0x5eed);
        let mut words: Vec<String> = COMMON.iter().map(|word| (*word).to_owned()).collect();
        while words.len() < WORDS {
            let syllables = 2 + random.below(3);
            words.push((0..syllables).map(|_| SYLLABLES[random.below(SYLLABLES.len() as u64) as usize]).collect());
        }
        let mut sum = 0.0;
        let up_to = (1..=words.len()).map(|n| {
            sum += 1.0 / n as f64;
            sum
        });
        Self { up_to: up_to.collect(), words }
    }

    fn word(&self, random: &mut Random) -> &str {
        let at = random.share() * self.up_to[self.up_to.len() - 1];
        &self.words[self.up_to.partition_point(|up_to| *up_to < at).min(self.words.len() - 1)]
    }

    /// One segment: 5 to 24 words, every eighth with a name, every tenth with a number.
    fn segment(&self, random: &mut Random) -> String {
        let mut said: Vec<String> = (0..5 + random.below(20)).map(|_| self.word(random).to_owned()).collect();
        if random.below(8) == 0 {
            said.push(NAMES[random.below(NAMES.len() as u64) as usize].to_owned());
        }
        if random.below(10) == 0 {
            said.push(format!("+1555{:07}", random.below(10_000_000)));
        }
        said.join(" ")
    }
}

fn main() {
    let segments = std::env::var("AURICLE_BENCH_SEGMENTS").map_or(SEGMENTS, |number| number.parse().unwrap());
    let parent = std::env::var_os("AURICLE_BENCH_DIR").map_or_else(std::env::temp_dir, Into::into);
    let folder = tempfile::tempdir_in(parent).unwrap();
    let store = Store::open(StoreOptions {
        directory: folder.path().join("store"),
        backend: Backend::Redb,
        keys: KeySource::Fresh,
        tenant: TenantId::new(Timestamp::UNIX_EPOCH, [1; 10]),
    })
    .unwrap();
    let words = Vocabulary::new();
    let (sealed, plain) = (folder.path().join("sealed"), folder.path().join("unsealed"));
    let both = [
        ("sealed", Search::open(&sealed, &store.search_key()).unwrap(), sealed.as_path()),
        ("unsealed", Search::open_unsealed(&plain).unwrap(), plain.as_path()),
    ];
    let rates = both.each_ref().map(|(name, search, directory)| index(name, search, directory, &words, segments));
    say(&format!("indexing: sealed at {:.2} of the rate of unsealed", rates[0] / rates[1]));
    let [sealed, unsealed] = both.each_ref().map(|(name, search, _)| queries(name, search, &words));
    for (share, at) in [("p50", 0), ("p95", 1), ("p99", 2)] {
        say(&format!("search, all kinds, {share}: sealed takes {:.2} of unsealed", sealed[at] / unsealed[at]));
    }
    let verdict = if sealed[1] <= P95_MS_MAX { "holds" } else { "DOES NOT HOLD" };
    say(&format!("p95 sealed {:.2} ms of at most {P95_MS_MAX} ms over {segments} segments: {verdict}", sealed[1]));
}

/// Indexes the segments, and returns how many a second.
fn index(name: &str, search: &Search, directory: &Path, words: &Vocabulary, segments: u64) -> f64 {
    let mut random = Random(0xa11ce);
    let mut seconds = 0.0;
    let mut done = 0;
    while done < segments {
        let until = (done + BATCH).min(segments);
        let changes = (done..until).map(|n| put(n, words.segment(&mut random))).collect();
        let began = Instant::now();
        search.apply(changes, until).unwrap();
        seconds += began.elapsed().as_secs_f64();
        done = until;
    }
    let rate = segments as f64 / seconds;
    let files = std::fs::read_dir(directory).unwrap();
    let bytes: u64 = files.map(|file| file.unwrap().metadata().map_or(0, |metadata| metadata.len())).sum();
    say(&format!(
        "{name:>8}, indexing: {rate:.0} segments/s over {segments}, {:.0} MB on the disk",
        bytes as f64 / 1e6
    ));
    rate
}

fn put(n: u64, text: String) -> SearchChange {
    let at = Timestamp::from_millisecond(1_800_000_000_000 + n as i64 * 1_000).unwrap();
    let mut random = [0; 10];
    random[..8].copy_from_slice(&(n / 20).to_be_bytes());
    let call = CallId::new(Timestamp::UNIX_EPOCH, random);
    SearchChange::Put(Box::new(SearchDocument {
        kind: SearchKind::Turn,
        id: format!("{call}:{}", n % 20),
        parent: Some(call.to_string()),
        call: Some(call),
        at,
        start_ms: Some(n % 20 * 4_000),
        title: String::new(),
        text,
        language: Some(Lang::En),
        outcome: None,
        agent: None,
        channel: Some(Channel::Phone),
    }))
}

/// Searches in each way that people do, prints how long it takes, and returns p50, p95 and p99 of all of it in milliseconds.
fn queries(name: &str, search: &Search, words: &Vocabulary) -> [f64; 3] {
    let mut all = Vec::new();
    for kind in ["one word", "two words", "phrase", "misspelt", "name", "number", "filtered"] {
        let mut random = Random(0xb0b);
        let (mut waits, mut found) = (Vec::new(), 0);
        for n in 0..QUERIES + QUERIES / 10 {
            let query = query(kind, words, &mut random);
            let began = Instant::now();
            let page = search.query(&query).unwrap();
            let wait = began.elapsed().as_secs_f64() * 1e3;
            if n >= QUERIES / 10 {
                waits.push(wait);
                found += u64::from(!page.hits.is_empty());
            }
        }
        all.extend_from_slice(&waits);
        let [p50, p95, p99] = percentiles(&mut waits);
        say(&format!(
            "{name:>8}, {kind:>9}: p50 {p50:.2} ms, p95 {p95:.2} ms, p99 {p99:.2} ms, {found} of {QUERIES} with hits"
        ));
    }
    let [p50, p95, p99] = percentiles(&mut all);
    say(&format!("{name:>8}, all kinds: p50 {p50:.2} ms, p95 {p95:.2} ms, p99 {p99:.2} ms"));
    [p50, p95, p99]
}

fn query(kind: &str, words: &Vocabulary, random: &mut Random) -> SearchQuery {
    let word = words.word(random).to_owned();
    let text = match kind {
        "two words" => format!("{word} {}", words.word(random)),
        "phrase" => format!("\"{} {word}\"", COMMON[random.below(COMMON.len() as u64) as usize]),
        "misspelt" => misspelt(&words.words[random.below(5_000) as usize]),
        "name" => format!("{} {word}", NAMES[random.below(NAMES.len() as u64) as usize]),
        "number" => format!("+1555{:07}", random.below(10_000_000)),
        _ => word,
    };
    let filtered = kind == "filtered";
    SearchQuery {
        text,
        kinds: if filtered { vec![SearchKind::Turn] } else { Vec::new() },
        language: filtered.then_some(Lang::En),
        from: filtered.then(|| Timestamp::from_millisecond(1_800_050_000_000).unwrap()),
        limit: 20,
        ..SearchQuery::default()
    }
}

/// The word with its third and fourth letters exchanged.
fn misspelt(word: &str) -> String {
    let mut letters: Vec<char> = word.chars().collect();
    if letters.len() > 4 {
        letters.swap(2, 3);
    }
    letters.into_iter().collect()
}

fn percentiles(waits: &mut [f64]) -> [f64; 3] {
    waits.sort_unstable_by(f64::total_cmp);
    [0.5, 0.95, 0.99].map(|share| waits[((waits.len() - 1) as f64 * share) as usize])
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").unwrap();
}
