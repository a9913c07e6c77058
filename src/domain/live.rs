//! What only matters now: never stored, latest wins.

use crate::Timestamp;
use crate::call::Entrance;
use crate::code::{CallDirection, CallStatus, Lang, Part, Speaker, Unheard};
use crate::id::{AccountId, CallId};
use serde::{Deserialize, Serialize};

/// A passing fact, pushed to whoever watches at this moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "type")]
pub enum Live {
    /// Words as they are being spoken; replaced by the next one or by the committed turn.
    #[serde(rename = "call.partial")]
    Partial {
        /// The call.
        call: CallId,
        /// Who speaks.
        speaker: Speaker,
        /// What has been understood or played so far.
        text: String,
        /// Begin, in milliseconds after the call was answered.
        start_ms: u64,
    },
    /// How loud both sides are, a few times a second.
    #[serde(rename = "call.level")]
    Level {
        /// The call.
        call: CallId,
        /// Peak of the caller, 0 to 100.
        caller: u8,
        /// Peak of the clinic's side, 0 to 100.
        clinic: u8,
    },
}

/// A call that is on now, as boards and pages show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LiveCall {
    /// The call.
    pub call: CallId,
    /// Which way it goes.
    #[serde(default = "crate::call::incoming")]
    pub direction: CallDirection,
    /// The caller's number.
    pub from_number: String,
    /// What was dialled.
    #[serde(default)]
    pub to_number: String,
    /// By which way it came in, or from where it was placed.
    #[serde(default)]
    pub entrance: Option<Entrance>,
    /// The member of staff on it.
    #[serde(default)]
    pub agent: Option<AccountId>,
    /// The caller's name, once known.
    pub name: Option<String>,
    /// Where it stands.
    pub status: CallStatus,
    /// Language spoken.
    pub language: Lang,
    /// Arrival.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// Answer.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub answered_at: Option<Timestamp>,
    /// An emergency phrase was heard.
    pub emergency: bool,
    /// Who spoke last.
    pub last_speaker: Option<Speaker>,
    /// The last words, whole turn or partial.
    pub last_words: String,
    /// Softphones that it rings at, and those that are in it.
    #[serde(default)]
    pub stations: Vec<LiveStation>,
    /// Who is in it beside the one who handles it and the one whom it is about: in a conference, or to supervise it.
    #[serde(default)]
    pub participants: Vec<LiveParticipant>,
    /// Until when nothing is kept of what is said, where somebody masks it.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub masked_until: Option<Timestamp>,
    /// A colleague is being asked before the call is handed on.
    #[serde(default)]
    pub asked: Option<LiveAsked>,
    /// Who is not heard at present although they should be.
    #[serde(default)]
    pub unheard: Option<Unheard>,
}

/// A person's softphone, as far as a call has to do with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LiveStation {
    /// Whose.
    pub account: AccountId,
    /// It rings, and may be answered; otherwise it is in the call.
    pub is_ringing: bool,
    /// It is not heard by the others.
    pub is_muted: bool,
    /// How it takes part: `talk`, but for who supervises the call.
    #[serde(default = "talk")]
    pub part: Part,
    /// Since when it rings, or is in the call.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
}

fn talk() -> Part {
    Part::Talk
}

/// Somebody who is in a call beside the two whose call it is, or is rung for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct LiveParticipant {
    /// Which, within the call.
    pub number: u32,
    /// Who, where it is one of the clinic's people.
    pub account: Option<AccountId>,
    /// A number, an extension or a name.
    pub shown: String,
    /// How they take part.
    pub part: Part,
    /// Their telephone rings; they are not there yet.
    pub is_ringing: bool,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
}

/// How it stands with a colleague who is being asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LiveAsked {
    /// It rings there.
    Ringing,
    /// They talk.
    Talking,
}
