//! Legs of browsers.

use super::LegId;

/// What a browser's leg is for.
#[derive(Clone, PartialEq, Eq)]
pub enum WebPurpose {
    /// A station: its audio starts as soon as it is connected, and calls are bridged to it. It takes no caller's place
    /// among `calls_max`.
    Station,
    /// It calls: [`EngineEvent::Incoming`](super::EngineEvent::Incoming) is told once it is connected.
    Call {
        /// Who calls, as a number; empty when there is none.
        from: String,
        /// Who calls, by name.
        name: String,
        /// What is called.
        to: String,
    },
    /// It takes the place of this leg's connection, whose page was loaded again or whose network has changed. The leg stays
    /// what it is.
    Renew(LegId),
}

/// Without names and numbers.
impl std::fmt::Debug for WebPurpose {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Station => f.write_str("Station"),
            Self::Call { .. } => f.write_str("Call"),
            Self::Renew(leg) => f.debug_tuple("Renew").field(leg).finish(),
        }
    }
}

/// Why a browser's offer was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum WebRefusal {
    /// We serve no browsers.
    #[error("no address for browsers is configured")]
    Off,
    /// All legs are in use, or the service is stopping.
    #[error("no leg is free")]
    Full,
    /// The browser's fault.
    #[error("the offer is no description of one audio stream of a browser")]
    Description,
    /// The browser's fault.
    #[error("the offer has no Opus")]
    Codec,
    /// The leg to be renewed is gone, or is no browser's.
    #[error("the leg is gone")]
    Gone,
}
