//! What the board knows.

use crate::message::Figures;
use auricle_domain::Timestamp;
use auricle_domain::code::Lang;
use auricle_domain::live::LiveCall;
use serde::Deserialize;

/// The clinic, as much of `GET /api/clinic` as the board needs.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Clinic {
    /// Its name.
    pub name: String,
    /// Its IANA time zone.
    pub zone: String,
}

/// Whether what is shown is true now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Connection {
    /// The socket is up.
    Up,
    /// The socket is down; it is being tried again.
    Down,
}

/// Everything on the board.
#[derive(Clone, Debug)]
pub struct Model {
    /// The clinic.
    pub clinic: Clinic,
    /// Language of the board.
    pub language: Lang,
    /// Plain ASCII.
    pub ascii: bool,
    /// The time now, to the second.
    pub now: Timestamp,
    /// When data last came.
    pub data_at: Timestamp,
    /// Whether data comes.
    pub connection: Connection,
    /// Calls that are on now, emergencies first, then the oldest first.
    pub calls: Vec<LiveCall>,
    /// The day's figures, once they came.
    pub figures: Option<Figures>,
    /// First call shown, when they are more than fit.
    pub first: usize,
    /// The help is open.
    pub help: bool,
}

impl Model {
    /// A board that knows nothing yet.
    pub fn new(clinic: Clinic, language: Lang, ascii: bool, now: Timestamp) -> Self {
        Self {
            clinic,
            language,
            ascii,
            now,
            data_at: now,
            connection: Connection::Down,
            calls: Vec::new(),
            figures: None,
            first: 0,
            help: false,
        }
    }

    /// How old the data is, in whole seconds. The server pings at least every 15 s, so a live socket is never old.
    pub fn age_s(&self) -> u64 {
        u64::try_from(self.now.as_second() - self.data_at.as_second()).unwrap_or(0)
    }
}
