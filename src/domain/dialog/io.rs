//! What goes into the dialog, what comes out of it, and what it remembers of a call.

use super::tool::{ToolRequest, ToolResult};
use crate::appointment::{Service, Slot};
use crate::code::{Lang, Outcome};
use crate::conversation::Citation;
use crate::emergency::Sign;
use crate::id::{AppointmentId, ServiceId};
use crate::tenant::WeekHours;
use jiff::tz::TimeZone;

/// What the dialog knows before the first word.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The clinic's name.
    pub clinic: String,
    /// What the receptionist calls itself.
    pub receptionist: String,
    /// ISO 3166-1 country: decides the emergency number.
    pub country: String,
    /// The clinic's zone.
    pub zone: TimeZone,
    /// The clinic's opening hours.
    pub hours: WeekHours,
    /// The language of the call.
    pub language: Lang,
    /// The caller as signalled.
    pub caller_number: String,
    /// Whether the call is recorded.
    pub recorded: bool,
}

/// Into the dialog.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// The call is answered: greet at once, whatever is not ready yet.
    Answered,
    /// What was being prepared during the greeting is there; until then inputs are kept. Once more with `hears: false`
    /// when recognition is lost during the call.
    Ready {
        /// Whether what the caller says is understood at all; otherwise there are only keys.
        hears: bool,
        /// What can be booked.
        services: Vec<Service>,
    },
    /// The caller said.
    Heard(String),
    /// The caller pressed.
    Digit(char),
    /// The caller spoke, but no word was understood.
    Unclear,
    /// Nobody has spoken for long.
    Silence,
    /// Nobody has spoken in spite of prompts.
    SilenceOver,
    /// An emergency phrase was heard, perhaps in the middle of a sentence.
    Emergency(Sign),
    /// A spotter beside the recogniser believes that it heard an emergency phrase.
    EmergencySuspected,
    /// A tool's answer; answers come in the order of the requests.
    Tool(ToolResult),
    /// The call has reached its longest duration.
    TimeUp,
}

/// What kind of answer a say awaits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expect {
    /// Anything.
    #[default]
    Open,
    /// Yes or no.
    YesNo,
    /// A day or time.
    When,
    /// A name.
    Name,
    /// Digits.
    Digits,
    /// A free message.
    Message,
}

/// One sentence, or a few that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The words.
    pub text: String,
    /// The same for every caller: worth keeping as audio. Never holds personal data.
    pub lasting: bool,
}

/// Something to say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Say {
    /// In this order.
    pub lines: Vec<Line>,
    /// Not to be interrupted by speech.
    pub protected: bool,
    /// What is awaited afterwards.
    pub expect: Expect,
    /// Where it comes from.
    pub citations: Vec<Citation>,
}

/// Out of the dialog.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Say this.
    Say(Say),
    /// Look this up, or write it; hand the answer back as [`Input::Tool`].
    Tool(ToolRequest),
    /// What the call has come to so far; the last one stands.
    Outcome(Outcome),
    /// The caller is being told the emergency number.
    Emergency {
        /// What was heard.
        sign: Sign,
        /// The number told.
        number: &'static str,
    },
    /// Stop recording, and remove what there is of it.
    RefuseRecording,
    /// What the caller says from now on is a voicemail.
    Voicemail,
    /// Hang up when everything has been said.
    End,
}

/// A booking made in this call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// What.
    pub service: ServiceId,
    /// When.
    pub slot: Slot,
    /// Under which id.
    pub appointment: AppointmentId,
}

/// What was done in this call, by whichever brain: the same request again is not done again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ledger {
    /// Booked.
    pub made: Vec<Made>,
    /// Held and not yet confirmed.
    pub held: Option<(AppointmentId, Slot)>,
    /// The caller's name, once told.
    pub name: Option<String>,
    /// Number to ring back, once told; the signalled one otherwise.
    pub number: Option<String>,
    /// A message was taken.
    pub message: bool,
}
