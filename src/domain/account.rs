//! People who sign in, and their sessions.

use crate::Timestamp;
use crate::code::{AccountState, Lang, Role};
use crate::id::{AccountId, CallId, SessionId};
use serde::{Deserialize, Serialize};

/// A person who signs in. Holds the password hash, so it never leaves the process as it is: the API has a view of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Account {
    /// Identity.
    pub id: AccountId,
    /// Sign-in name, lower case, unique, at most 254 characters.
    pub email: String,
    /// Shown to colleagues, 1 to 255 characters.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// The language of their screens (AUTH-09).
    pub language: Lang,
    /// Whether they may sign in.
    pub state: AccountState,
    /// Argon2id in PHC string form (AUTH-07).
    pub password_hash: String,
    /// Wrong passwords since the last right one.
    #[serde(default)]
    pub failures: u32,
    /// Sign-in is refused until then.
    #[serde(default)]
    pub locked_until: Option<Timestamp>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Grows by one with every change.
    pub version: u64,
}

/// A signed-in session. Stored under the SHA-256 of its token; the token itself is known to the client alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Session {
    /// Identity, for lists and revocation.
    pub id: SessionId,
    /// Whose it is.
    pub account: AccountId,
    /// Sign-in time.
    pub created_at: Timestamp,
    /// Absolute end.
    pub expires_at: Timestamp,
    /// Last request, kept to the minute.
    pub seen_at: Timestamp,
}

/// Who did something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Actor {
    /// A signed-in person.
    Account {
        /// Who.
        id: AccountId,
        /// With which role at that time.
        role: Role,
    },
    /// The AI receptionist, within a call.
    Receptionist {
        /// The call it was in.
        call: CallId,
    },
    /// The caller of a call.
    Caller {
        /// The call.
        call: CallId,
    },
    /// Somebody at the machine's own command line.
    Console,
    /// The program itself: timers, restarts, jobs.
    System,
}

/// For people who read a log: who it was, and of which record.
impl std::fmt::Display for Actor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Account { id, role } => write!(f, "{role} {id}"),
            Self::Receptionist { call } => write!(f, "receptionist in {call}"),
            Self::Caller { call } => write!(f, "caller of {call}"),
            Self::Console => f.write_str("console"),
            Self::System => f.write_str("system"),
        }
    }
}
