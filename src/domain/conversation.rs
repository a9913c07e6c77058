//! What was said: conversations and their turns.

use crate::Timestamp;
use crate::code::{Heard, Lang, Speaker};
use crate::id::{CallId, ContactId, ConversationId, DocumentId, PassageId};
use serde::{Deserialize, Serialize};

/// What was said on one channel with one contact. A call has exactly one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Conversation {
    /// Identity.
    pub id: ConversationId,
    /// The call it belongs to.
    pub call: CallId,
    /// With whom, once known.
    pub contact: Option<ContactId>,
    /// Its language.
    pub language: Lang,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// Turns committed so far; the next turn has this index.
    pub turns: u32,
    /// Grows by one with every change.
    pub version: u64,
}

/// One contribution to a conversation, committed exactly once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Turn {
    /// The conversation.
    pub conversation: ConversationId,
    /// The call.
    pub call: CallId,
    /// Place in the conversation, from 0, without holes.
    pub index: u32,
    /// Who.
    pub speaker: Speaker,
    /// What was said; of the receptionist only what was played.
    pub text: String,
    /// Language of the text.
    pub language: Lang,
    /// Begin, in milliseconds after the call was answered.
    pub start_ms: u64,
    /// End, likewise.
    pub end_ms: u64,
    /// How much of it the other side heard.
    pub heard: Heard,
    /// Words with their times, where the recogniser or the voice gives them.
    #[serde(default)]
    pub words: Vec<Word>,
    /// Passages of the clinic's knowledge that it was said from.
    #[serde(default)]
    pub citations: Vec<Citation>,
    /// Tools that ran for it.
    #[serde(default)]
    pub tools: Vec<ToolUse>,
    /// End of the caller's speech to the first sample of this reply, in milliseconds.
    #[serde(default)]
    pub reply_ms: Option<u32>,
    /// Which engine recognised or phrased it: `pocketsphinx`, `local`, a model's name.
    #[serde(default)]
    pub engine: String,
}

/// A word and when it was spoken, in milliseconds after the call was answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Word {
    /// The word as recognised.
    pub text: String,
    /// Begin.
    pub start_ms: u64,
    /// End.
    pub end_ms: u64,
}

/// Where an answer came from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Citation {
    /// The document.
    pub document: DocumentId,
    /// Its name at that time.
    pub name: String,
    /// The passage.
    pub passage: PassageId,
}

/// A tool that the receptionist ran.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct ToolUse {
    /// `answer_from_knowledge`, `find_slots`, `hold_slot`, `book`, `take_message`, `end_call`.
    pub name: String,
    /// Whether it did what was asked.
    pub ok: bool,
    /// A code for what came of it, such as `slots_found`, `slot_taken`, `nothing_found`.
    pub result: String,
}
