//! Speech programs as short-lived processes: text goes in on standard input (never on the command line, which other
//! users of the machine can read), a WAV comes back.

use super::{ProviderError, wav};
use auricle_media::io::Pcm;
use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use std::process::Stdio;
use std::sync::LazyLock;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::sync::Semaphore;

/// Longest text that is spoken at once, in characters.
pub(super) const TEXT_CHARS_MAX: usize = 2_000;
/// A sentence takes 20 to 60 ms; a program that takes this long hangs.
const LIMIT: Duration = Duration::from_secs(8);
/// Audio is handed on in pieces of this many samples (200 ms at 16 kHz), so that playing can begin and stop early.
const PIECE_SAMPLES: usize = 3_200;

/// Programs that run at once, over all calls: more would only take the processor from the calls' audio.
static PLACES: LazyLock<Semaphore> = LazyLock::new(|| Semaphore::new(4));

/// Where the program leaves its WAV.
#[derive(Clone, Copy)]
pub(super) enum Sink {
    /// Standard output.
    Stdout,
    /// A file whose name follows the last argument: flite seeks in what it writes.
    File,
}

/// One run of a speech program.
pub(super) struct Speech {
    pub provider: &'static str,
    pub program: String,
    pub arguments: Vec<String>,
    pub sink: Sink,
    pub text: String,
}

/// The speech as 16 kHz pieces, or one error. Dropping the stream stops the program.
pub(super) fn wav_stream(speech: Speech) -> BoxStream<'static, Result<Pcm, ProviderError>> {
    stream::once(speech.run())
        .flat_map(|outcome| {
            let pieces: Vec<_> = match outcome {
                Ok(samples) => samples.chunks(PIECE_SAMPLES).map(|piece| Ok(wav::wideband(piece))).collect(),
                Err(error) => vec![Err(error)],
            };
            stream::iter(pieces)
        })
        .boxed()
}

impl Speech {
    async fn run(self) -> Result<Vec<i16>, ProviderError> {
        if self.text.chars().count() > TEXT_CHARS_MAX {
            let reason = format!("a text may have at most {TEXT_CHARS_MAX} characters");
            return Err(ProviderError::Refused { provider: self.provider, status: 413, reason });
        }
        let _place = PLACES.acquire().await.map_err(|error| self.unavailable(&error))?;
        let limit_ms = u64::try_from(LIMIT.as_millis()).unwrap_or(u64::MAX);
        match tokio::time::timeout(LIMIT, self.produce()).await {
            Ok(outcome) => outcome,
            Err(_) => Err(ProviderError::Timeout { provider: self.provider, limit_ms }),
        }
    }

    async fn produce(&self) -> Result<Vec<i16>, ProviderError> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).stdin(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        let file = match self.sink {
            Sink::Stdout => None,
            Sink::File => Some(tempfile::NamedTempFile::new().map_err(|error| self.unavailable(&error))?),
        };
        match &file {
            Some(file) => command.arg(file.path()).stdout(Stdio::null()),
            None => command.stdout(Stdio::piped()),
        };
        let mut child = command.spawn().map_err(|error| self.unavailable(&error))?;
        if let Some(mut input) = child.stdin.take() {
            input.write_all(self.text.as_bytes()).await.map_err(|error| self.broken(&error))?;
            input.write_all(b"\n").await.map_err(|error| self.broken(&error))?;
        }
        let output = child.wait_with_output().await.map_err(|error| self.broken(&error))?;
        if !output.status.success() {
            return Err(self.broken(&output.status));
        }
        let bytes = match file {
            Some(file) => tokio::fs::read(file.path()).await.map_err(|error| self.broken(&error))?,
            None => output.stdout,
        };
        wav::read_wideband(&bytes).map_err(|error| self.broken(&error))
    }

    fn unavailable(&self, error: &dyn std::fmt::Display) -> ProviderError {
        ProviderError::Unavailable { provider: self.provider, reason: error.to_string() }
    }

    fn broken(&self, error: &dyn std::fmt::Display) -> ProviderError {
        ProviderError::Broken { provider: self.provider, reason: error.to_string() }
    }
}
