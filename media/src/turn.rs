//! Who speaks when in one conversation.
//!
//! Decides when the caller has finished, what an interruption means, and what the caller has really heard of what was
//! said. Knows nothing of clinics: texts are opaque, except for two short word lists in [`Config`].
//!
//! The rules that its tests hold: an input about a reply or turn that is over changes nothing; each turn is committed
//! exactly once; of the receptionist's words only those that were played are committed; protected speech is never
//! interrupted by speech, and what the caller says meanwhile is kept; every state has a wake, so that nothing can
//! leave both sides silent for longer than a watchdog.

mod caller;
mod due;
mod io;
mod reply;
#[cfg(test)]
mod tests;

use caller::Caller;
pub use caller::Patience;
pub use io::{Escalation, HeardWord, Input, Output, Prompt, TurnRecord, Who};
use reply::{Reply, Stage};
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A caller's turn that was asked about. Numbered from 1 within the conversation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TurnId(pub u64);

/// Something the receptionist says. Chosen by the shell, strictly growing: an id not above the last one is stale.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct ReplyId(pub u64);

/// Replies that may wait or play at once; one more is dropped.
pub const REPLIES_MAX: usize = 8;

/// The two word lists that decide about interruptions, lower case, without punctuation.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// Words of listening ("mhm", "okay"): they do not interrupt. Each is one word or a short phrase.
    pub backchannels: Vec<String>,
    /// Words that interrupt at once ("stop", "wait").
    pub stops: Vec<String>,
}

/// Over a playing reply, what an interruption means is decided within this time (research: 500 ms).
pub const DECIDE: Duration = Duration::from_millis(500);
/// Idle thinking before the first filler.
pub const FILLER_FIRST: Duration = Duration::from_millis(800);
/// Thinking before the second filler.
pub const FILLER_SECOND: Duration = Duration::from_secs(4);
/// Thinking before the shell is told to do without.
pub const GIVE_UP: Duration = Duration::from_secs(9);
/// The engine is trusted to report progress of a playing within this time.
pub const STALLED: Duration = Duration::from_secs(4);
/// A flushed playing is taken as gone after this time.
pub const FLUSHED: Duration = Duration::from_secs(1);

/// A turn the shell thinks about.
struct Asked {
    turn: TurnId,
    at: Instant,
    fillers: u8,
    /// Something of the answer has begun to play.
    replied: bool,
}

/// The machine. See the module's text.
pub struct Turns {
    config: Config,
    caller: Caller,
    replies: VecDeque<Reply>,
    newest: ReplyId,
    asked: Option<Asked>,
    turns: u64,
    /// Since when neither side has made itself heard.
    quiet_since: Instant,
    prompts: u8,
    /// Last voiced sample of the turn that is being answered.
    caller_ended_ms: Option<u64>,
    ended: bool,
    out: VecDeque<Output>,
}

impl Turns {
    /// A conversation in which nobody has spoken yet.
    pub fn new(config: Config, now: Instant) -> Self {
        Self {
            config,
            caller: Caller::new(),
            replies: VecDeque::new(),
            newest: ReplyId(0),
            asked: None,
            turns: 0,
            quiet_since: now,
            prompts: 0,
            caller_ended_ms: None,
            ended: false,
            out: VecDeque::new(),
        }
    }

    /// Takes one input. Drain [`poll`](Self::poll) afterwards.
    pub fn handle(&mut self, input: Input, now: Instant) {
        if self.ended {
            return;
        }
        self.run_due(now);
        match input {
            Input::SpeechStarted { at_ms } => self.speech_started(at_ms, now),
            Input::SpeechEnded { at_ms } => self.speech_ended(at_ms, now),
            Input::Heard { text, complete, words } => self.heard(&text, complete, words, now),
            Input::ReplyStarted { reply, answers, protected } => self.reply_started(reply, answers, protected, now),
            Input::ReplyText { reply, text } => self.with_reply(reply, |it| it.sentence(text)),
            Input::ReplyAudio { reply, pcm } => self.with_reply(reply, |it| it.audio(pcm, now)),
            Input::ReplyDone { reply } => self.with_reply(reply, Reply::complete),
            Input::ReplyFailed { reply } => self.reply_failed(reply, now),
            Input::Played { reply, samples, started_ms, done } => self.played(reply, samples, started_ms, done, now),
            Input::Dtmf => self.dtmf(now),
            Input::Interrupt => self.interrupt(now),
            Input::Expect(patience) => self.caller.patience = patience,
            Input::Ended => self.end(now),
            Input::Wake => {}
        }
        if !self.ended {
            self.pump(now);
            self.run_due(now);
        }
    }

    /// The next thing to do, until `None`.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// When to send [`Input::Wake`]. `None` only after [`Input::Ended`].
    pub fn next_wake(&self) -> Option<Instant> {
        self.due().map(|(at, _)| at)
    }

    /// Nothing is being said, or waits to be said.
    pub fn is_silent(&self) -> bool {
        self.replies.is_empty()
    }

    /// What the caller has heard so far of a reply that is on, and when it began, in milliseconds after answer.
    pub fn saying(&self, reply: ReplyId) -> Option<(String, u64)> {
        let record = self.replies.iter().find(|it| it.id == reply)?.record(None)?;
        Some((record.text, record.start_ms))
    }

    fn with_reply(&mut self, reply: ReplyId, change: impl FnOnce(&mut Reply)) {
        if let Some(found) = self.replies.iter_mut().find(|it| it.id == reply && it.is_wanted()) {
            change(found);
        }
    }

    fn speech_started(&mut self, at_ms: u64, now: Instant) {
        self.prompts = 0;
        let unheard = self.asked.as_ref().is_some_and(|asked| !asked.replied);
        self.caller.speech_started(at_ms, now, unheard);
        if let Some(head) = self.replies.front_mut() {
            let sounding = matches!(head.stage, Stage::Playing | Stage::Paused(_));
            if sounding {
                self.caller.spoke_over();
            }
            if head.stage == Stage::Playing && !head.protected {
                head.stage = Stage::Paused(now);
                self.out.push_back(Output::Pause(head.id));
            }
        }
    }

    fn speech_ended(&mut self, at_ms: u64, now: Instant) {
        self.caller.speech_ended(at_ms, now);
        self.quiet_since = now;
    }

    fn heard(&mut self, text: &str, complete: bool, words: Vec<HeardWord>, now: Instant) {
        if !self.caller.heard(text, complete, words, now) {
            return;
        }
        let sounding = self.replies.front().is_some_and(|it| matches!(it.stage, Stage::Playing | Stage::Paused(_)));
        if sounding {
            self.caller.spoke_over();
        }
        if let Some((text, start_ms)) = self.caller.hearing() {
            self.prompts = 0;
            self.quiet_since = now;
            let interrupts = sounding && self.interrupts(&text);
            self.out.push_back(Output::Hearing { text, start_ms });
            if interrupts {
                self.give_way(now);
            }
        }
    }

    /// Whether these words over our speech mean that the caller wants the floor.
    fn interrupts(&self, text: &str) -> bool {
        let plain = caller::plain(text);
        if plain.is_empty() {
            return false;
        }
        let stop = self.config.stops.iter().any(|stop| format!(" {plain} ").contains(&format!(" {stop} ")));
        stop || !self.is_backchannel(&plain)
    }

    /// Whether the words are nothing but signs of listening. After a yes-or-no question they are an answer.
    fn is_backchannel(&self, plain: &str) -> bool {
        if plain.is_empty() || self.caller.patience == Patience::YesNo {
            return false;
        }
        let mut rest = format!(" {plain} ");
        for word in &self.config.backchannels {
            let spaced = format!(" {word} ");
            while let Some(at) = rest.find(&spaced) {
                rest.replace_range(at..at + spaced.len(), "  ");
            }
        }
        rest.trim().is_empty()
    }

    /// The caller gets the floor: unprotected speech ends where it is.
    fn give_way(&mut self, now: Instant) {
        if self.replies.front().is_some_and(|head| head.protected) {
            return;
        }
        self.caller.took_the_floor();
        if self.asked.as_ref().is_some_and(|asked| asked.replied) {
            self.asked = None;
        }
        let pending = self.asked.as_ref().map(|asked| asked.turn);
        self.discard(now, |it| !it.protected && (pending.is_none() || it.answers != pending));
    }

    /// Ends the replies chosen: what sounds is flushed, what waits is forgotten.
    fn discard(&mut self, now: Instant, chosen: impl Fn(&Reply) -> bool) {
        let mut kept = VecDeque::with_capacity(self.replies.len());
        while let Some(mut reply) = self.replies.pop_front() {
            if !reply.is_wanted() || !chosen(&reply) {
                kept.push_back(reply);
                continue;
            }
            match reply.stage {
                Stage::Playing | Stage::Paused(_) => {
                    self.out.push_back(Output::Flush(reply.id));
                    self.out.push_back(Output::Drop(reply.id));
                    reply.stage = Stage::Flushing(now);
                    kept.push_back(reply);
                }
                Stage::Waiting | Stage::Flushing(_) => self.out.push_back(Output::Drop(reply.id)),
            }
        }
        self.replies = kept;
    }

    fn reply_started(&mut self, reply: ReplyId, answers: Option<TurnId>, protected: bool, now: Instant) {
        let stale = reply <= self.newest
            || answers.is_some_and(|turn| self.asked.as_ref().is_none_or(|asked| asked.turn != turn));
        if stale || self.replies.len() >= REPLIES_MAX {
            if reply > self.newest {
                self.newest = reply;
            }
            if !self.replies.iter().any(|it| it.id == reply) {
                self.out.push_back(Output::Drop(reply));
            }
            return;
        }
        self.newest = reply;
        self.replies.push_back(Reply::new(reply, answers, protected, now));
    }

    fn reply_failed(&mut self, reply: ReplyId, now: Instant) {
        let Some(found) = self.replies.iter_mut().find(|it| it.id == reply && it.is_wanted()) else { return };
        if found.stage == Stage::Waiting {
            let answers = found.answers;
            self.replies.retain(|it| it.id != reply);
            self.unanswered(answers);
        } else {
            // What is already on its way is played out; the shell carries on behind it.
            found.complete();
            self.out.push_back(Output::Escalate(Escalation::BrokenReply(reply)));
        }
        self.pump(now);
    }

    /// A reply ended before a word of it was said.
    fn unanswered(&mut self, answers: Option<TurnId>) {
        if let Some(asked) = self.asked.take_if(|asked| Some(asked.turn) == answers && !asked.replied) {
            self.out.push_back(Output::Escalate(Escalation::NoReply(asked.turn)));
        }
    }

    fn played(&mut self, reply: ReplyId, samples: u64, started_ms: u64, done: bool, now: Instant) {
        let Some(found) = self.replies.iter_mut().find(|it| it.id == reply && it.stage != Stage::Waiting) else {
            return;
        };
        found.played(samples, started_ms, now);
        if !matches!(found.stage, Stage::Flushing(_)) {
            self.quiet_since = now;
        }
        if done {
            self.finish(reply, now);
        }
    }

    /// A reply is over: what was heard of it goes on record.
    fn finish(&mut self, reply: ReplyId, now: Instant) {
        let Some(index) = self.replies.iter().position(|it| it.id == reply) else { return };
        let Some(found) = self.replies.remove(index) else { return };
        if let Some(record) = found.record(self.caller_ended_ms) {
            self.out.push_back(Output::Commit(record));
        }
        if found.answers.is_some() {
            self.caller_ended_ms = None;
        }
        self.quiet_since = now;
        if let Some(next) = self.replies.front_mut() {
            next.progress_at = now;
        }
        self.pump(now);
    }

    /// Lets the first reply in line sound, as far as the caller lets it.
    fn pump(&mut self, now: Instant) {
        loop {
            let open = self.caller.is_open();
            let Some(head) = self.replies.front_mut() else { return };
            if head.is_mute() {
                let answers = head.answers;
                self.replies.pop_front();
                self.unanswered(answers);
                continue;
            }
            if head.stage == Stage::Waiting {
                if !head.has_audio() || (open && !head.protected) {
                    return;
                }
                head.stage = Stage::Playing;
                head.progress_at = now;
                if let Some(asked) = self.asked.as_mut().filter(|asked| Some(asked.turn) == head.answers) {
                    asked.replied = true;
                }
            }
            head.send(&mut self.out);
            return;
        }
    }

    fn dtmf(&mut self, now: Instant) {
        self.prompts = 0;
        self.quiet_since = now;
        self.asked = None;
        self.discard(now, |it| !it.protected);
    }

    fn interrupt(&mut self, now: Instant) {
        self.asked = None;
        self.caller.hush();
        self.discard(now, |_| true);
        self.quiet_since = now;
    }

    fn end(&mut self, now: Instant) {
        while let Some(reply) = self.replies.front().map(|it| it.id) {
            self.finish(reply, now);
            self.replies.retain(|it| it.id != reply);
        }
        self.caller.hush();
        self.close_utterance(now);
        self.ended = true;
    }

    /// The caller has finished: the turn goes on record, and is asked about unless it was only a sign of listening.
    fn close_utterance(&mut self, now: Instant) {
        let Some(said) = self.caller.close(now) else { return };
        let plain = caller::plain(&said.text);
        self.quiet_since = now;
        if plain.is_empty() {
            if said.is_worth_a_prompt() {
                self.out.push_back(Output::Prompt(Prompt::NotCaught));
            }
            return;
        }
        self.turns += 1;
        let turn = TurnId(self.turns);
        let silent = said.hushed || (said.over_reply && self.is_backchannel(&plain));
        self.out.push_back(Output::Commit(TurnRecord {
            who: Who::Caller(turn),
            text: said.text.clone(),
            start_ms: said.start_ms,
            end_ms: said.end_ms,
            full: true,
            words: said.words,
            reply_ms: None,
        }));
        if silent {
            return;
        }
        let before = self.asked.take();
        let continues = before.as_ref().is_some_and(|asked| !asked.replied);
        if let Some(before) = before {
            self.discard(now, |it| it.answers == Some(before.turn) && !it.protected);
        }
        self.asked = Some(Asked { turn, at: now, fillers: 0, replied: false });
        self.caller_ended_ms = Some(said.end_ms);
        self.out.push_back(Output::Ask { turn, text: said.text, continues });
    }
}
