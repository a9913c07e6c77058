//! Speech and language services behind four small traits.
//!
//! A vendor's types never leave its own file. A fallback is itself a provider made of providers. Everything is
//! streaming: audio in, words out; words in, audio out. Every stream is bounded; dropping it stops the work behind it.

pub mod breaker;
pub mod espeak;
pub mod fallback;
pub mod flite;
pub mod local;
pub mod openai;
pub mod pocketsphinx;
mod process;
pub mod wav;

use auricle_domain::code::Lang;
use auricle_media::io::Pcm;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use tokio::sync::mpsc;

/// Why a provider could not do its work. Says who is at fault and what was attempted, never what the caller said.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProviderError {
    /// It is not installed, not configured or not reachable.
    #[error("{provider} is not available: {reason}")]
    Unavailable {
        /// Which provider.
        provider: &'static str,
        /// Why, in words.
        reason: String,
    },
    /// It refused: wrong key, over quota, bad request.
    #[error("{provider} refused the request ({status}): {reason}")]
    Refused {
        /// Which provider.
        provider: &'static str,
        /// HTTP status or the vendor's code.
        status: u16,
        /// Its words, cut to 200 characters.
        reason: String,
    },
    /// It did not answer in time.
    #[error("{provider} did not answer within {limit_ms} ms")]
    Timeout {
        /// Which provider.
        provider: &'static str,
        /// The limit.
        limit_ms: u64,
    },
    /// It broke off in the middle, or sent what cannot be understood.
    #[error("{provider} broke off: {reason}")]
    Broken {
        /// Which provider.
        provider: &'static str,
        /// What happened.
        reason: String,
    },
    /// All of its places are taken.
    #[error("{provider} is full: {limit} in use")]
    Full {
        /// Which provider.
        provider: &'static str,
        /// How many places there are.
        limit: usize,
    },
}

/// Speech to text. One session hears one caller.
pub trait Stt: Send + Sync {
    /// Short name for records and metrics, such as `pocketsphinx`.
    fn name(&self) -> &'static str;
    /// Languages it understands.
    fn languages(&self) -> &[Lang];
    /// Whether it can listen at once.
    fn state(&self) -> SttState {
        SttState::Ready
    }
    /// Loads whatever the first caller would have to wait for; `words` are the first it learns. Blocks. Sessions may begin
    /// meanwhile: they hear as soon as it is done.
    ///
    /// # Errors
    /// What could not be loaded.
    fn warm(&self, _words: &Vocabulary) -> Result<(), ProviderError> {
        Ok(())
    }
    /// Begins to listen. [`ProviderError::Full`] when its pool is exhausted.
    fn listen(&self, options: SttOptions) -> BoxFuture<'_, Result<SttSession, ProviderError>>;
}

/// Whether a recogniser can listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SttState {
    /// At once.
    Ready,
    /// As soon as its models are loaded.
    Loading,
    /// Its models could not be loaded: why, in words.
    Failed(String),
}

/// How a session should listen.
#[derive(Clone, Debug)]
pub struct SttOptions {
    /// Language expected.
    pub language: Lang,
    /// Sentences and words of the clinic (services, names, knowledge) that bias recognition.
    pub phrases: std::sync::Arc<Vocabulary>,
}

/// The clinic's own words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vocabulary {
    /// Grows with every change of knowledge or services; a provider may cache what it built for a number.
    pub generation: u64,
    /// Sentences in the shape callers say them, lower case, without punctuation, digits written out.
    pub sentences: Vec<String>,
    /// Emergency phrases to spot beside the decoder.
    pub emergency: Vec<String>,
}

/// A listening session: audio goes in, what was heard comes out. Dropping `audio` ends it.
#[derive(Debug)]
pub struct SttSession {
    /// Bounded at 100 items (2 s); when full, audio is dropped and counted by the sender.
    pub audio: mpsc::Sender<SttInput>,
    /// Bounded at 64.
    pub events: mpsc::Receiver<SttEvent>,
}

/// Into a listening session.
#[derive(Clone, Debug)]
pub enum SttInput {
    /// 20 ms at 16 kHz.
    Audio {
        /// The samples.
        pcm: Pcm,
        /// Milliseconds after the call was answered.
        at_ms: u64,
    },
    /// The VAD heard speech begin: a new utterance, unless one is open.
    SpeechStarted {
        /// Milliseconds after the call was answered.
        at_ms: u64,
    },
    /// The VAD heard speech end: the utterance may be closed; `Final` is expected soon.
    SpeechEnded {
        /// Milliseconds after the call was answered.
        at_ms: u64,
    },
    /// What kind of answer the receptionist has just asked for.
    Expect(Expectation),
}

/// What kind of answer is awaited: raises patience, narrows recognition.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expectation {
    /// Anything.
    #[default]
    Open,
    /// Yes or no.
    YesNo,
    /// A day, a date or a time.
    When,
    /// A person's name, possibly spelled.
    Name,
    /// A telephone number or other digits.
    Digits,
    /// A free message; long pauses are part of it.
    Message,
}

/// Out of a listening session.
#[derive(Clone, Debug, PartialEq)]
pub enum SttEvent {
    /// Words so far; may still change beyond `stable_chars`.
    Partial {
        /// The text.
        text: String,
        /// How much of it will not change any more, in bytes of `text` at a character boundary.
        stable: usize,
    },
    /// An utterance is complete. Empty text: there was sound but no words.
    Final {
        /// The text.
        text: String,
        /// Words with times.
        words: Vec<auricle_domain::conversation::Word>,
        /// 0.0 to 1.0, where the engine knows.
        confidence: Option<f32>,
    },
    /// An emergency phrase was spotted beside the decoder.
    Spotted {
        /// The phrase of [`Vocabulary::emergency`].
        phrase: String,
    },
    /// It cannot go on; nothing follows.
    Failed(ProviderError),
}

/// Text to speech.
pub trait Tts: Send + Sync {
    /// Short name for records and metrics, such as `flite`.
    fn name(&self) -> &'static str;
    /// Languages it speaks.
    fn languages(&self) -> &[Lang];
    /// Speaks one sentence or a few; audio comes in order. Text over 2,000 characters is refused.
    fn speak(&self, text: &str, language: Lang) -> BoxStream<'static, Result<Pcm, ProviderError>>;
}

/// A language model that can use tools.
pub trait Llm: Send + Sync {
    /// Short name for records and metrics.
    fn name(&self) -> &str;
    /// Answers a conversation. The stream ends after [`LlmDelta::Done`] or an error.
    fn reply(&self, request: LlmRequest) -> BoxStream<'static, Result<LlmDelta, ProviderError>>;
}

/// What a model is asked.
#[derive(Clone, Debug)]
pub struct LlmRequest {
    /// Instructions.
    pub system: String,
    /// The conversation so far, as it was heard.
    pub messages: Vec<LlmMessage>,
    /// Tools it may use.
    pub tools: Vec<LlmTool>,
    /// Longest answer, in tokens.
    pub tokens_max: u32,
}

/// One message of a conversation with a model.
#[derive(Clone, Debug, PartialEq)]
pub enum LlmMessage {
    /// The caller said.
    Caller(String),
    /// The receptionist said, or asked for tools.
    Receptionist {
        /// What was said, as far as it was heard.
        text: String,
        /// Tools it asked for.
        calls: Vec<LlmToolCall>,
    },
    /// A tool answered.
    Tool {
        /// The id of its call.
        call: String,
        /// JSON text.
        result: String,
    },
}

/// A tool in a model's words.
#[derive(Clone, Debug)]
pub struct LlmTool {
    /// Name.
    pub name: &'static str,
    /// When to use it.
    pub description: &'static str,
    /// JSON schema of its arguments.
    pub parameters: serde_json::Value,
}

/// A model asks for a tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LlmToolCall {
    /// Unique within the answer.
    pub id: String,
    /// Name of the tool.
    pub name: String,
    /// JSON text, as the model wrote it: validate before use.
    pub arguments: String,
}

/// A piece of a model's answer.
#[derive(Clone, Debug, PartialEq)]
pub enum LlmDelta {
    /// More text.
    Text(String),
    /// A complete tool call.
    Call(LlmToolCall),
    /// The answer is complete.
    Done,
}

/// Text to vectors, for similarity.
pub trait Embed: Send + Sync {
    /// Short name for records and metrics.
    fn name(&self) -> &'static str;
    /// One unit vector for each text, all of one length.
    fn embed(&self, texts: &[String]) -> Result<Vec<Vec<f32>>, ProviderError>;
}
