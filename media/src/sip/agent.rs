//! The user agent: calls over UDP, as server and as client, on virtual time.

mod types;

use std::time::{Duration, Instant};

pub use types::{
    AgentCommand, AgentConfig, AgentEnd, AgentEvent, AgentInput, AgentOutput, Caller, DialogId, Invite, InviteError,
};

/// How long a call may stay unanswered, in either direction, before it is given up: the Timer C of RFC 3261 section 16.6.
pub const RING_MAX: Duration = Duration::from_secs(180);

/// A SIP user agent on one UDP socket.
#[derive(Debug)]
pub struct UserAgent {
    config: AgentConfig,
}

impl UserAgent {
    /// An agent with no calls.
    pub fn new(config: AgentConfig) -> Self {
        Self { config }
    }

    /// Takes one input. Drain [`Self::poll`] after it.
    pub fn handle(&mut self, _input: AgentInput<'_>, _now: Instant) {}

    /// Places a call. The INVITE is among the outputs; `Accepted`, `Ended` and others tell how it goes.
    ///
    /// # Errors
    /// When the address is not a SIP URI or the agent is full.
    pub fn invite(&mut self, invite: Invite, _now: Instant) -> Result<DialogId, InviteError> {
        Err(InviteError::Full { calls: 0, max: self.config.dialogs_max + usize::from(invite.uri.is_empty()) })
    }

    /// The next output, until `None`.
    pub fn poll(&mut self) -> Option<AgentOutput> {
        None
    }

    /// When the agent wants to be woken.
    pub fn next_wake(&self) -> Option<Instant> {
        None
    }
}
