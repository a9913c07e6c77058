//! The caller's side: when has somebody finished speaking?

use super::HeardWord;
use std::time::{Duration, Instant};

/// What kind of answer is awaited: how long a pause may be before it counts as the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Patience {
    /// Anything.
    #[default]
    Open,
    /// Yes or no.
    YesNo,
    /// A day, a date or a time.
    When,
    /// A name, possibly spelled.
    Name,
    /// A number: people pause between groups of digits.
    Digits,
    /// A free message: long pauses are part of it.
    Message,
}

impl Patience {
    /// Shortest and longest pause after the voice detector's own, before the turn is taken.
    fn pause(self) -> (Duration, Duration) {
        let (least_ms, most_ms) = match self {
            Self::Open => (500, 1_500),
            Self::YesNo => (250, 800),
            Self::When => (600, 1_800),
            Self::Name => (800, 2_000),
            Self::Digits => (1_200, 2_500),
            Self::Message => (2_000, 3_500),
        };
        (Duration::from_millis(least_ms), Duration::from_millis(most_ms))
    }

    /// Silence on both sides before the caller is asked whether they are there.
    pub(super) fn idle(self) -> Duration {
        match self {
            Self::Open | Self::YesNo | Self::When => Duration::from_secs(8),
            Self::Name | Self::Digits | Self::Message => Duration::from_secs(12),
        }
    }
}

/// The recogniser's last word is awaited so long after the voice ended; then the words so far count.
const FINAL_WAIT: Duration = Duration::from_millis(2_500);
/// A caller said to be speaking, but without news from detector and recogniser for so long, has stopped.
const STUCK: Duration = Duration::from_secs(5);
/// Longest turn: a message of one minute and a half.
const TURN_MAX: Duration = Duration::from_secs(90);
/// Longest text of a turn, in bytes.
const TEXT_MAX: usize = 4_000;
/// Sound without words is worth a "sorry?" from this length.
const PROMPT_SPEECH_MS_MIN: u64 = 400;
/// Speech that resumes within this time of our taking the turn proves that we cut it off.
const CUT_OFF: Duration = Duration::from_millis(1_000);
/// Weight of the newest pause in what is learned of a caller.
const LEARN: f32 = 0.3;

/// Lower case, without punctuation, single spaces.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for part in text.split(|c: char| !(c.is_alphanumeric() || c == '\'')) {
        if !part.is_empty() {
            if !out.is_empty() {
                out.push(' ');
            }
            out.extend(part.chars().flat_map(char::to_lowercase));
        }
    }
    out
}

/// What the caller said, when it is complete.
pub(super) struct Said {
    pub text: String,
    pub words: Vec<HeardWord>,
    pub start_ms: u64,
    pub end_ms: u64,
    pub hushed: bool,
    /// Said while we spoke, and we went on speaking.
    pub over_reply: bool,
    speech_ms: u64,
}

impl Said {
    pub fn is_worth_a_prompt(&self) -> bool {
        !self.hushed && !self.over_reply && self.speech_ms >= PROMPT_SPEECH_MS_MIN
    }
}

struct Utterance {
    since: Instant,
    settled: String,
    partial: String,
    words: Vec<HeardWord>,
    start_ms: u64,
    end_ms: u64,
    speech_ms: u64,
    /// Begin of the stretch of speech that is going on.
    speaking_from_ms: Option<u64>,
    ended_at: Option<Instant>,
    complete: bool,
    news_at: Instant,
    hushed: bool,
    over_reply: bool,
}

impl Utterance {
    fn new(at_ms: u64, now: Instant) -> Self {
        Self {
            since: now,
            settled: String::new(),
            partial: String::new(),
            words: Vec::new(),
            start_ms: at_ms,
            end_ms: at_ms,
            speech_ms: 0,
            speaking_from_ms: None,
            ended_at: None,
            complete: false,
            news_at: now,
            hushed: false,
            over_reply: false,
        }
    }

    fn text(&self) -> String {
        join(&self.settled, &self.partial)
    }
}

fn join(one: &str, other: &str) -> String {
    let (one, other) = (one.trim(), other.trim());
    if one.is_empty() || other.is_empty() { format!("{one}{other}") } else { format!("{one} {other}") }
}

/// The caller's side of the machine.
pub(super) struct Caller {
    pub patience: Patience,
    open: Option<Utterance>,
    /// Learned pause inside this caller's turns, in milliseconds.
    pause_ms: Option<f32>,
    /// When the last turn was taken, and how long its last pause was by then.
    taken: Option<(Instant, Instant)>,
    /// Words that came before the recogniser's own end: its late end is not news.
    owed: bool,
    last_end_ms: u64,
}

impl Caller {
    pub fn new() -> Self {
        Self { patience: Patience::Open, open: None, pause_ms: None, taken: None, owed: false, last_end_ms: 0 }
    }

    /// Somebody is speaking, or has just spoken and may go on.
    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    pub fn is_speaking(&self) -> bool {
        self.open.as_ref().is_some_and(|it| it.speaking_from_ms.is_some())
    }

    /// `unanswered`: the turn before has not been audibly answered yet.
    pub fn speech_started(&mut self, at_ms: u64, now: Instant, unanswered: bool) {
        self.owed = false;
        if let Some((taken, ended)) = self.taken.take()
            && unanswered
            && now.saturating_duration_since(taken) <= CUT_OFF
        {
            self.learn(now.saturating_duration_since(ended));
        }
        let pause = self.open.as_ref().and_then(|it| it.ended_at).map(|ended| now.saturating_duration_since(ended));
        if let Some(pause) = pause {
            self.learn(pause);
        }
        let it = self.open.get_or_insert_with(|| Utterance::new(at_ms, now));
        it.ended_at = None;
        it.complete = false;
        it.news_at = now;
        it.speaking_from_ms.get_or_insert(at_ms);
    }

    pub fn speech_ended(&mut self, at_ms: u64, now: Instant) {
        let Some(it) = self.open.as_mut() else { return };
        if let Some(from) = it.speaking_from_ms.take() {
            it.speech_ms += at_ms.saturating_sub(from);
            it.end_ms = it.end_ms.max(at_ms);
            it.ended_at = Some(now);
            it.news_at = now;
        }
    }

    /// False when there is nothing new in it.
    pub fn heard(&mut self, text: &str, complete: bool, words: Vec<HeardWord>, now: Instant) -> bool {
        let text = text.trim();
        if self.open.is_none() {
            if std::mem::take(&mut self.owed) && complete {
                return false;
            }
            if text.is_empty() {
                return false;
            }
        }
        let last_end_ms = self.last_end_ms;
        let it = self.open.get_or_insert_with(|| {
            let mut it = Utterance::new(words.first().map_or(last_end_ms, |word| word.start_ms), now);
            it.ended_at = Some(now);
            it
        });
        if it.settled.len() + text.len() > TEXT_MAX {
            it.complete = it.complete || complete;
            return false;
        }
        let changed = it.partial != text;
        it.partial = text.to_owned();
        if changed {
            it.news_at = now;
        }
        // The voice detector's clock is the call's own; a recogniser's word times serve only where it heard nothing.
        if let Some(last) = words.last().filter(|_| it.speech_ms == 0 && it.speaking_from_ms.is_none()) {
            it.end_ms = it.end_ms.max(last.end_ms);
        }
        if complete {
            it.settled = join(&it.settled, &it.partial);
            it.partial.clear();
            it.words.extend(words);
            it.complete = it.speaking_from_ms.is_none();
        }
        changed || complete
    }

    /// The words so far and where they began; none while there are no words.
    pub fn hearing(&self) -> Option<(String, u64)> {
        self.open.as_ref().map(|it| (it.text(), it.start_ms)).filter(|(text, _)| !text.is_empty())
    }

    pub fn spoke_over(&mut self) {
        if let Some(it) = self.open.as_mut() {
            it.over_reply = true;
        }
    }

    pub fn took_the_floor(&mut self) {
        if let Some(it) = self.open.as_mut() {
            it.over_reply = false;
        }
    }

    /// What is being said goes on record, but is not asked about.
    pub fn hush(&mut self) {
        if let Some(it) = self.open.as_mut() {
            it.hushed = true;
        }
    }

    pub fn is_hushed(&self) -> bool {
        self.open.as_ref().is_some_and(|it| it.hushed)
    }

    /// When the open utterance is over, if nothing more comes.
    pub fn closes_at(&self) -> Option<Instant> {
        let it = self.open.as_ref()?;
        let longest = it.since + TURN_MAX;
        let at = match it.ended_at {
            None => it.news_at + STUCK,
            Some(ended) if it.complete => ended + self.pause(),
            Some(ended) => ended + FINAL_WAIT.max(self.pause()),
        };
        Some(at.min(longest))
    }

    fn pause(&self) -> Duration {
        let (least, most) = self.patience.pause();
        // A quarter above what this caller needs on average, so that most of their pauses fit.
        let learned = Duration::from_millis(self.pause_ms.map_or(0, |ms| (ms * 1.25) as u64));
        learned.clamp(least, most)
    }

    fn learn(&mut self, pause: Duration) {
        let ms = pause.as_millis().min(5_000) as f32;
        self.pause_ms = Some(self.pause_ms.map_or(ms, |before| before + LEARN * (ms - before)));
    }

    pub fn close(&mut self, now: Instant) -> Option<Said> {
        let it = self.open.take()?;
        self.owed = !it.complete;
        self.taken = it.ended_at.map(|ended| (now, ended));
        let speaking_ms = it.speaking_from_ms.map_or(0, |_| now.saturating_duration_since(it.since).as_millis() as u64);
        let end_ms = it.end_ms.max(it.start_ms + speaking_ms);
        self.last_end_ms = end_ms;
        Some(Said {
            text: it.text(),
            words: it.words,
            start_ms: it.start_ms,
            end_ms,
            hushed: it.hushed,
            over_reply: it.over_reply,
            speech_ms: it.speech_ms + speaking_ms,
        })
    }
}
