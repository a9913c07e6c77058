//! The shell of one AI conversation: providers' streams in, Turn and the dialog in the middle, voice commands out.
//!
//! One task per call. It owns nothing that must survive it: what happened is told in [`Report`]s as it happens.

mod brain;
mod guard;
mod hearing;
mod model;
mod session;
mod speech;
#[cfg(test)]
mod tests;
mod work;

use crate::providers::{Llm, Stt, Tts};
use crate::voice::tools::Tools;
use crate::voice::{VoiceError, VoiceHandle};
use auricle_domain::Timestamp;
use auricle_domain::code::{Lang, Outcome, Speaker};
use auricle_domain::conversation::Turn;
use auricle_domain::id::{CallId, CauseId, ConversationId};
use auricle_domain::tenant::Tenant;
use auricle_media::io::{Command, EngineEvent, LegId, Pcm};
use std::sync::Arc;
use tokio::sync::mpsc;

/// What one call needs to be attended: it has been answered, or is being answered, when this is made.
#[derive(Clone, Debug)]
pub struct Brief {
    /// The call.
    pub call: CallId,
    /// Its transcript.
    pub conversation: ConversationId,
    /// The caller's leg.
    pub leg: LegId,
    /// The caller as signalled; empty when withheld.
    pub from: String,
    /// What was dialled.
    pub to: String,
    /// The clinic.
    pub tenant: Tenant,
    /// The language it is answered in.
    pub language: Lang,
    /// When it was answered.
    pub answered_at: Timestamp,
    /// Correlation id of this call's work.
    pub cause: CauseId,
}

/// What the receptionist needs of the voice shell; [`VoiceHandle`] is the real one.
pub trait Voice: Send + Sync {
    /// Tells the engine to do something. A command for a leg that is gone changes nothing.
    ///
    /// # Errors
    /// When the media thread does not keep up, or has stopped.
    fn send(&self, command: Command) -> Result<(), VoiceError>;

    /// What the caller says, as 20 ms frames at 16 kHz with their time after answer. Dropping the receiver ends it.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    fn tap(&self, leg: LegId) -> Result<mpsc::Receiver<(Pcm, u64)>, VoiceError>;
}

impl Voice for VoiceHandle {
    fn send(&self, command: Command) -> Result<(), VoiceError> {
        VoiceHandle::send(self, command)
    }

    fn tap(&self, leg: LegId) -> Result<mpsc::Receiver<(Pcm, u64)>, VoiceError> {
        VoiceHandle::tap(self, leg)
    }
}

/// Everything outside of the conversation, shared by all calls.
#[derive(Clone)]
pub struct Desk {
    /// The voice shell.
    pub voice: Arc<dyn Voice>,
    /// Recognition; without it callers get keypad menus and voicemail.
    pub stt: Option<Arc<dyn Stt>>,
    /// Synthesis.
    pub tts: Arc<dyn Tts>,
    /// A language model; without it, or when it fails, the local receptionist talks.
    pub llm: Option<Arc<dyn Llm>>,
    /// The clinic's records.
    pub tools: Arc<dyn Tools>,
    /// Where reports go. Bounded; the conversation waits when it is full.
    pub reports: mpsc::Sender<(CallId, Report)>,
    /// The time of day.
    pub clock: fn() -> Timestamp,
}

/// What happened in a conversation, told as it happens.
#[derive(Clone, Debug, PartialEq)]
pub enum Report {
    /// A turn is complete. Its index is 0: whoever commits it numbers it.
    Turn(Box<Turn>),
    /// Words as they are being spoken.
    Partial {
        /// Who speaks.
        speaker: Speaker,
        /// What has been understood or played so far.
        text: String,
        /// Begin, in milliseconds after answer.
        start_ms: u64,
    },
    /// The conversation goes on in another language.
    Language(Lang),
    /// An emergency phrase was heard; the caller is being told the number.
    Emergency {
        /// The lexicon's code, such as `chest_pain`.
        sign: &'static str,
        /// The language it was said in.
        language: Lang,
        /// The number the caller is told.
        number: &'static str,
    },
    /// What the call has come to so far; the last one stands.
    Outcome(Outcome),
    /// The caller does not want to be recorded (B-08): the recording is stopped, what there is of it must go.
    RecordingRefused,
    /// Nobody understands the caller any more: what is said now is a voicemail.
    Voicemail,
    /// The receptionist ended the call.
    Hangup,
}

/// Attends a call until its leg has ended.
///
/// `events` are those of the call's leg, in order; the end of the channel counts as the leg's end. Returns earlier
/// only when nothing can be said any more: then the call needs somebody else.
pub async fn attend(brief: Brief, desk: Desk, events: mpsc::Receiver<EngineEvent>) {
    Box::pin(session::Session::new(brief, desk).run(events)).await;
}

/// Synthesises what every call begins with, so that not even the first caller waits for the greeting.
pub async fn warm(tts: &Arc<dyn Tts>, tenant: &Tenant) {
    use auricle_domain::phrases::{Phrase, say};
    for language in &tenant.languages {
        let number = auricle_domain::emergency::number(&tenant.country);
        let texts = vec![
            say(Phrase::Greeting, *language, &[("clinic", &tenant.name), ("receptionist", &tenant.receptionist)]),
            say(Phrase::RecordingNotice, *language, &[]),
            say(Phrase::HowCanIHelp, *language, &[]),
            say(Phrase::EmergencyNotice, *language, &[("number", number)]),
            say(Phrase::EmergencyCorrect, *language, &[]),
            say(Phrase::NotCaught, *language, &[]),
            say(Phrase::Moment, *language, &[]),
            say(Phrase::AnythingElse, *language, &[]),
        ];
        speech::warm(tts, *language, texts).await;
    }
}
