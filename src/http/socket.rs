//! The messages of `/ws`: JSON in text frames, both ways.

use auricle_domain::Timestamp;
use auricle_domain::event::Envelope;
use auricle_domain::live::{Live, LiveCall};
use serde::{Deserialize, Serialize};

/// From the service to a client.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ServerMessage {
    /// The first message.
    Hello {
        /// Number of the newest event.
        seq: u64,
        /// Now.
        #[schema(value_type = String, format = DateTime)]
        at: Timestamp,
        /// Version of the program.
        version: String,
    },
    /// A durable fact. After `subscribe` they come in the order of their numbers, none twice; a number is only left out
    /// when the client's role may not see that event.
    Event {
        /// The event with its number.
        envelope: Box<Envelope>,
    },
    /// A passing fact; may be left out for a slow client.
    Live {
        /// The fact.
        live: Live,
    },
    /// The calls that are on now, on every change, ten times a second at most.
    Calls {
        /// All of them.
        items: Vec<LiveCall>,
    },
    /// The events after `since` cannot be sent: it lies in the future or too far back. Reload, then subscribe with `head`.
    Gap {
        /// Number of the newest event.
        head: u64,
        /// Number of the oldest event that can be asked for.
        oldest: u64,
    },
    /// Every 15 seconds; to be answered with `ack`.
    Ping {},
    /// The last message was not understood.
    Error {
        /// A code, such as `invalid`.
        code: String,
        /// In words.
        detail: String,
    },
}

/// From a client to the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ClientMessage {
    /// Start to follow, or start over.
    Subscribe {
        /// The newest event the client knows; none to begin with what comes next.
        #[serde(default)]
        since: Option<u64>,
    },
    /// Answer to `ping`.
    Ack {
        /// The newest event the client has.
        seq: u64,
    },
}
