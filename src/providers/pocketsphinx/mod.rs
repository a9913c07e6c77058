//! Recognition by PocketSphinx: the default that needs no key, no account and no internet. English.
//!
//! A pool of seats, each with its own decoders, because the library shares nothing between them. A session takes a seat
//! for the length of a call and runs on a thread of its own; decoding costs 0.2 to 0.45 of real time while the caller
//! speaks. The language model interpolates general English with the clinic's own sentences; emergency phrases have a
//! keyword search beside it.

mod library;
mod ngram;
mod pronounce;
mod seat;

use super::{ProviderError, Stt, SttEvent, SttInput, SttOptions, SttSession, SttState, Vocabulary};
use auricle_domain::code::Lang;
use futures_util::future::BoxFuture;
use library::{NAME, Sphinx};
use seat::Seat;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

/// Audio kept from before the VAD's start, so that a soft first consonant is not lost: 20 frames of 20 ms.
const PREROLL_FRAMES: usize = 20;
/// An utterance is closed after this much audio, so that a decoder's memory stays bounded.
const UTTERANCE_MS_MAX: u64 = 30_000;
/// Time between two partial results.
const PARTIAL_MS: u64 = 160;
/// Length of one input frame.
const FRAME_MS: u64 = 20;
/// Bound of a session's audio queue.
const AUDIO_FRAMES_MAX: usize = 100;
/// Bound of a session's event queue.
const EVENTS_MAX: usize = 64;

/// How long a session waits for the first seat before it loads one of its own.
const FIRST_SEAT_MAX: Duration = Duration::from_secs(10);

/// Where the models are, and where generated ones go.
struct Models {
    model: PathBuf,
    scratch: tempfile::TempDir,
}

/// The seats of all callers.
struct Pool {
    sphinx: Arc<Sphinx>,
    models: Models,
    seats: Mutex<Seats>,
    /// The first seat is there, or will not come.
    settled: Condvar,
}

/// Seats that are loaded but not used now, and what became of the first.
struct Seats {
    idle: Vec<Seat>,
    first: First,
}

/// The first seat is loaded while the service already answers calls.
enum First {
    Awaited,
    Loading,
    Loaded,
    Failed(String),
}

/// The recogniser.
pub struct PocketSphinx {
    pool: Arc<Pool>,
    places: Arc<Semaphore>,
    streams_max: usize,
}

impl std::fmt::Debug for PocketSphinx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PocketSphinx({} streams)", self.streams_max)
    }
}

impl PocketSphinx {
    /// Loads the library and looks for the model's files, so that what is missing is told at start. Takes milliseconds: the
    /// models themselves are loaded by [`warm`](Stt::warm), or by the first caller's session.
    ///
    /// # Errors
    /// [`ProviderError::Unavailable`] with the file or library that is missing.
    pub fn open(library: &str, model: PathBuf, streams_max: usize) -> Result<Self, ProviderError> {
        let sphinx = Sphinx::load(library)?;
        library::check_model(&model)?;
        let scratch = tempfile::Builder::new().prefix("auricle-speech-").tempdir().map_err(|error| {
            ProviderError::Unavailable { provider: NAME, reason: format!("no temporary folder: {error}") }
        })?;
        let models = Models { model, scratch };
        let seats = Mutex::new(Seats { idle: Vec::new(), first: First::Awaited });
        let pool = Pool { sphinx, models, seats, settled: Condvar::new() };
        Ok(Self { pool: Arc::new(pool), places: Arc::new(Semaphore::new(streams_max)), streams_max })
    }

    /// [`open`](Self::open) and [`warm`](Stt::warm) in one.
    ///
    /// # Errors
    /// As those two.
    pub fn load(library: &str, model: PathBuf, streams_max: usize, first: &Vocabulary) -> Result<Self, ProviderError> {
        let stt = Self::open(library, model, streams_max)?;
        stt.warm(first)?;
        Ok(stt)
    }
}

impl Stt for PocketSphinx {
    fn name(&self) -> &'static str {
        NAME
    }

    fn languages(&self) -> &[Lang] {
        &[Lang::En]
    }

    fn state(&self) -> SttState {
        match &self.pool.lock().first {
            First::Awaited | First::Loading => SttState::Loading,
            First::Loaded => SttState::Ready,
            First::Failed(reason) => SttState::Failed(reason.clone()),
        }
    }

    /// Loads the first seat: half a second of work.
    fn warm(&self, words: &Vocabulary) -> Result<(), ProviderError> {
        self.pool.lock().first = First::Loading;
        let seat = self.pool.load(words).inspect_err(|error| self.pool.settle(First::Failed(error.to_string())))?;
        self.pool.give_back(seat);
        self.pool.settle(First::Loaded);
        Ok(())
    }

    fn listen(&self, options: SttOptions) -> BoxFuture<'_, Result<SttSession, ProviderError>> {
        Box::pin(async move {
            if !self.languages().contains(&options.language) {
                let reason = format!("it understands English only, the call is in {}", options.language);
                return Err(ProviderError::Unavailable { provider: NAME, reason });
            }
            let place = Arc::clone(&self.places)
                .try_acquire_owned()
                .map_err(|_| ProviderError::Full { provider: NAME, limit: self.streams_max })?;
            let (audio, audio_in) = mpsc::channel(AUDIO_FRAMES_MAX);
            let (events_out, events) = mpsc::channel(EVENTS_MAX);
            let session = Session { pool: Arc::clone(&self.pool), audio: audio_in, events: events_out, _place: place };
            std::thread::Builder::new().name("stt".to_owned()).spawn(move || session.run(&options)).map_err(
                |error| ProviderError::Unavailable { provider: NAME, reason: format!("no thread: {error}") },
            )?;
            Ok(SttSession { audio, events })
        })
    }
}

impl Pool {
    fn lock(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A seat that knows `vocabulary`: an idle one if there is one. While the first one is being loaded, it is waited for:
    /// loading a second one beside it would take longer. What the caller says meanwhile waits in the session's queue.
    fn take(&self, vocabulary: &Vocabulary) -> Result<Seat, ProviderError> {
        let is_coming = |seats: &mut Seats| matches!(seats.first, First::Loading) && seats.idle.is_empty();
        let (mut seats, _late) = self
            .settled
            .wait_timeout_while(self.lock(), FIRST_SEAT_MAX, is_coming)
            .unwrap_or_else(PoisonError::into_inner);
        let idle = seats.idle.pop();
        drop(seats);
        let Some(mut seat) = idle else {
            let seat = self.load(vocabulary)?;
            self.settle(First::Loaded);
            return Ok(seat);
        };
        seat.learn(&self.sphinx, &self.models, vocabulary)?;
        Ok(seat)
    }

    fn load(&self, vocabulary: &Vocabulary) -> Result<Seat, ProviderError> {
        let mut seat = Seat::new(&self.sphinx, &self.models)?;
        seat.learn(&self.sphinx, &self.models, vocabulary)?;
        Ok(seat)
    }

    fn settle(&self, first: First) {
        self.lock().first = first;
        self.settled.notify_all();
    }

    fn give_back(&self, seat: Seat) {
        self.lock().idle.push(seat);
    }
}

/// One caller being listened to, on its own thread.
struct Session {
    pool: Arc<Pool>,
    audio: mpsc::Receiver<SttInput>,
    events: mpsc::Sender<SttEvent>,
    _place: OwnedSemaphorePermit,
}

/// The utterance that is open now.
struct Open {
    start_ms: u64,
    heard_ms: u64,
    partial_at_ms: u64,
    partial: String,
}

impl Session {
    /// Runs until the audio ends or nobody listens any more. A seat that failed is not given back.
    fn run(mut self, options: &SttOptions) {
        let outcome = self.pool.take(&options.phrases).and_then(|mut seat| {
            let outcome = self.listen(&mut seat);
            if outcome.is_ok() {
                self.pool.give_back(seat);
            }
            outcome
        });
        if let Err(error) = outcome {
            // Nobody may be left to hear it; then the call is over and the failure matters to nobody.
            let _ = self.events.blocking_send(SttEvent::Failed(error));
        }
    }

    fn listen(&mut self, seat: &mut Seat) -> Result<(), ProviderError> {
        let mut preroll: VecDeque<(Arc<[i16]>, u64)> = VecDeque::with_capacity(PREROLL_FRAMES);
        let mut open: Option<Open> = None;
        while let Some(input) = self.audio.blocking_recv() {
            match input {
                SttInput::Audio { pcm, at_ms } => match &mut open {
                    Some(utterance) => {
                        self.hear(seat, utterance, &pcm.samples)?;
                        if utterance.heard_ms >= UTTERANCE_MS_MAX {
                            self.close(seat, open.take())?;
                        }
                    }
                    None => {
                        if preroll.len() == PREROLL_FRAMES {
                            preroll.pop_front();
                        }
                        preroll.push_back((pcm.samples, at_ms));
                    }
                },
                SttInput::SpeechStarted { at_ms } if open.is_none() => {
                    seat.start()?;
                    let start_ms = preroll.front().map_or(at_ms, |(_, at_ms)| *at_ms);
                    let mut utterance = Open { start_ms, heard_ms: 0, partial_at_ms: 0, partial: String::new() };
                    for (samples, _) in preroll.drain(..) {
                        self.hear(seat, &mut utterance, &samples)?;
                    }
                    open = Some(utterance);
                }
                SttInput::SpeechEnded { .. } => self.close(seat, open.take())?,
                SttInput::SpeechStarted { .. } | SttInput::Expect(_) => {}
            }
            if self.events.is_closed() {
                break;
            }
        }
        if open.is_some() {
            seat.end(0)?;
        }
        Ok(())
    }

    fn hear(&self, seat: &mut Seat, open: &mut Open, samples: &[i16]) -> Result<(), ProviderError> {
        if let Some(phrase) = seat.hear(samples)? {
            self.tell(SttEvent::Spotted { phrase });
        }
        open.heard_ms += FRAME_MS;
        // While audio waits, catching up matters more than telling what is half heard.
        if open.heard_ms - open.partial_at_ms >= PARTIAL_MS && self.audio.len() < AUDIO_FRAMES_MAX / 10 {
            open.partial_at_ms = open.heard_ms;
            let text = seat.partial();
            if text != open.partial {
                let stable = text.bytes().zip(open.partial.bytes()).take_while(|(new, old)| new == old).count();
                let stable = (0..=stable).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
                open.partial.clone_from(&text);
                self.tell(SttEvent::Partial { text, stable });
            }
        }
        Ok(())
    }

    fn close(&self, seat: &mut Seat, open: Option<Open>) -> Result<(), ProviderError> {
        let Some(open) = open else { return Ok(()) };
        let utterance = seat.end(open.start_ms)?;
        self.tell(SttEvent::Final { text: utterance.text, words: utterance.words, confidence: None });
        Ok(())
    }

    fn tell(&self, event: SttEvent) {
        // The queue is bounded and its reader is a call's own task: when it is gone, the session ends at the next frame.
        let _ = self.events.blocking_send(event);
    }
}

#[cfg(test)]
mod tests;
