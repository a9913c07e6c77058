//! Everything that can happen to the board.

use auricle_domain::Timestamp;
use auricle_domain::live::{Live, LiveCall};
use crossterm::event::{KeyCode, KeyModifiers};
use serde::Deserialize;

/// Something happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// A key was pressed.
    Key(KeyCode, KeyModifiers),
    /// The terminal has another size.
    Resized,
    /// A second has passed; the time now.
    Second(Timestamp),
    /// The socket is up, at this number of the feed.
    Connected(Timestamp),
    /// The socket is down; it is being tried again.
    Disconnected,
    /// The calls that are on now.
    Calls(Vec<LiveCall>, Timestamp),
    /// A passing fact.
    Live(Live, Timestamp),
    /// Something durable happened: figures may have changed.
    Event {
        /// The event's word, such as `call.ended`.
        kind: String,
        /// When the board learned of it.
        at: Timestamp,
    },
    /// The day's figures.
    Figures(Figures, Timestamp),
}

/// The day's figures, as `GET /api/calls/stats` tells them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Figures {
    /// Calls that arrived today, in the clinic's zone.
    pub calls: u64,
    /// Calls that were answered.
    pub answered: u64,
    /// Questions answered from the clinic's knowledge.
    pub answered_question: u64,
    /// Appointments booked.
    pub booked: u64,
    /// Messages taken.
    pub message_taken: u64,
    /// Calls with an emergency phrase.
    pub emergency: u64,
    /// Callers who left before anything came of it.
    pub abandoned: u64,
}
