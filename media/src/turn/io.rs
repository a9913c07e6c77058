//! What goes into Turn and what comes out of it.

use super::{Patience, ReplyId, TurnId};
use crate::io::Pcm;

/// A word as recognised, with its place in the call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeardWord {
    /// The word.
    pub text: String,
    /// Begin, in milliseconds after answer.
    pub start_ms: u64,
    /// End, likewise.
    pub end_ms: u64,
}

/// Into the machine.
#[derive(Clone, Debug)]
pub enum Input {
    /// The voice detector heard the caller begin.
    SpeechStarted {
        /// First voiced sample, in milliseconds after answer.
        at_ms: u64,
    },
    /// The voice detector heard the caller stop.
    SpeechEnded {
        /// Last voiced sample, in milliseconds after answer.
        at_ms: u64,
    },
    /// The recogniser has words.
    Heard {
        /// The words of the open utterance so far, or all of them.
        text: String,
        /// The utterance is complete; empty text means sound without words.
        complete: bool,
        /// Words with times, when complete.
        words: Vec<HeardWord>,
    },
    /// The shell begins to say something.
    ReplyStarted {
        /// Its id.
        reply: ReplyId,
        /// The turn it answers; none for what nobody asked (greeting, prompt, filler, emergency notice).
        answers: Option<TurnId>,
        /// Not to be interrupted by speech.
        protected: bool,
    },
    /// The next sentence of a reply: the audio that follows is of it.
    ReplyText {
        /// Which reply.
        reply: ReplyId,
        /// The sentence.
        text: String,
    },
    /// Audio of a reply's current sentence.
    ReplyAudio {
        /// Which reply.
        reply: ReplyId,
        /// The audio; one rate within a reply.
        pcm: Pcm,
    },
    /// The reply is complete.
    ReplyDone {
        /// Which reply.
        reply: ReplyId,
    },
    /// The reply cannot be completed.
    ReplyFailed {
        /// Which reply.
        reply: ReplyId,
    },
    /// How far a reply has left, by the engine's egress clock.
    Played {
        /// Which reply.
        reply: ReplyId,
        /// Samples that have left.
        samples: u64,
        /// When the first one left, in milliseconds after answer.
        started_ms: u64,
        /// Nothing more of it will leave.
        done: bool,
    },
    /// The caller pressed a key: unprotected speech stops, a pending answer is dropped.
    Dtmf,
    /// Something more important is about to be said: everything stops, protected speech too. What the caller is saying
    /// is committed but not asked about.
    Interrupt,
    /// What kind of answer is awaited from now on.
    Expect(Patience),
    /// The leg is over: whatever is open is committed as it stands.
    Ended,
    /// The time asked for by `next_wake` has come.
    Wake,
}

/// Who a committed turn belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// The caller.
    Caller(TurnId),
    /// Our side.
    Receptionist(ReplyId),
}

/// A turn as it goes on record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TurnRecord {
    /// Whose.
    pub who: Who,
    /// What was said; of the receptionist only what was played.
    pub text: String,
    /// Begin, in milliseconds after answer.
    pub start_ms: u64,
    /// End, likewise.
    pub end_ms: u64,
    /// False when only its beginning was heard.
    pub full: bool,
    /// The caller's words with their times, as far as the recogniser gave them.
    pub words: Vec<HeardWord>,
    /// End of the caller's speech to the first sample of this reply.
    pub reply_ms: Option<u32>,
}

/// What the machine asks the shell to say of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Prompt {
    /// There was speech, but no words.
    NotCaught,
    /// Nobody has spoken for long; counted from 1 since the caller's last sign of life.
    AreYouThere(u8),
}

/// What the machine cannot solve alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Escalation {
    /// No answer came to this turn within [`GIVE_UP`](super::GIVE_UP), or it failed before a word of it was said.
    NoReply(TurnId),
    /// A reply broke off after its beginning was heard.
    BrokenReply(ReplyId),
    /// The caller has not reacted to two prompts.
    Silence,
}

/// Out of the machine.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Think about what the caller said.
    Ask {
        /// The turn.
        turn: TurnId,
        /// Its text.
        text: String,
        /// The turn before was never audibly answered: this one continues it, and the answer to it is not wanted any more.
        continues: bool,
    },
    /// Nothing more of this reply is wanted.
    Drop(ReplyId),
    /// Append audio to the reply's playing; empty with `last` ends it.
    Speak {
        /// Which reply.
        reply: ReplyId,
        /// The audio, none when only the end is to be marked.
        pcm: Option<Pcm>,
        /// No more will follow.
        last: bool,
    },
    /// Stop playing at once, keep the rest.
    Pause(ReplyId),
    /// Go on where it stopped.
    Resume(ReplyId),
    /// Stop playing at once, forget the rest.
    Flush(ReplyId),
    /// Thinking takes long: say that it does. Counted from 0 within a turn.
    Filler(TurnId, u8),
    /// Say this of yourself.
    Prompt(Prompt),
    /// What the caller is saying, as far as understood; replaced by the next one or by the committed turn.
    Hearing {
        /// Words so far.
        text: String,
        /// Begin, in milliseconds after answer.
        start_ms: u64,
    },
    /// A turn is complete and goes on record.
    Commit(TurnRecord),
    /// The shell must take over.
    Escalate(Escalation),
}
