//! Who is asking, and what they may do.
//!
//! A use-case that needs a permission takes a [`May`] of it. Such a value exists only after the check, so a use-case
//! cannot be called without one: the permission is part of its type, and of the handler's above it.

use crate::clock;
use crate::error::{Error, ErrorCode};
use crate::events::{By, Reading};
use auricle_domain::Timestamp;
use auricle_domain::account::Actor;
use auricle_domain::code::{AccountState, Lang, Role};
use auricle_domain::id::{AccountId, CauseId, SessionId};
use auricle_storage::OpId;
use std::marker::PhantomData;

/// A person with a valid session, as one request sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SignedIn {
    /// Who.
    pub account: AccountId,
    /// What they may do, as of this request.
    pub role: Role,
    /// The language of their screens.
    pub language: Lang,
    /// Where their account stands; invited people must change their one-time password before anything else.
    pub state: AccountState,
    /// The session they came with.
    pub session: SessionId,
    /// When that session ends at the latest.
    pub expires_at: Timestamp,
    /// The piece of work this request is; stands in its log lines and events.
    pub cause: CauseId,
}

impl SignedIn {
    /// In whose name this request writes.
    pub fn by(&self) -> By {
        By { actor: Actor::Account { id: self.account, role: self.role }, cause: self.cause }
    }

    /// The operation that a client's idempotency key names, or one of its own without a key. `what` keeps uses apart,
    /// such as `contact.create`.
    pub fn op(&self, what: &str, key: Option<&str>) -> OpId {
        match key {
            Some(key) => OpId::derive("http.idempotency", &[self.account.as_bytes(), what.as_bytes(), key.as_bytes()]),
            None => clock::op(),
        }
    }
}

/// Something that roles may or may not do. Implemented by marker types only; see [`permissions`].
pub trait Permission: Send + Sync + 'static {
    /// Name in refusals.
    const NAME: &'static str;
    /// Roles that have it.
    const ROLES: &'static [Role];
}

/// A signed-in person of whom it has been checked that they may do `P`.
#[derive(Debug)]
pub struct May<P> {
    who: SignedIn,
    reason: Option<String>,
    permission: PhantomData<fn() -> P>,
}

impl<P: Permission> May<P> {
    /// Checks the permission.
    ///
    /// # Errors
    /// `password_change_required` for a person who still has a one-time password, `forbidden` for a role without `P`.
    pub fn check(who: SignedIn) -> Result<Self, Error> {
        if who.state == AccountState::Invited {
            return Err(Error::new(
                ErrorCode::PasswordChangeRequired,
                "The one-time password must be changed first: PATCH /api/auth/me",
            ));
        }
        if !P::ROLES.contains(&who.role) {
            return Err(Error::forbidden(P::NAME));
        }
        Ok(Self { who, reason: None, permission: PhantomData })
    }
}

impl<P> May<P> {
    /// The person.
    pub fn who(&self) -> &SignedIn {
        &self.who
    }

    /// In whose name this request writes.
    pub fn by(&self) -> By {
        self.who.by()
    }

    /// The same, with why they ask.
    #[must_use]
    pub fn because(mut self, reason: Option<String>) -> Self {
        self.reason = reason;
        self
    }

    /// Why they ask, where they said so.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// In whose name this request reads, and why.
    pub fn reading(&self) -> Reading {
        Reading { by: self.by(), reason: self.reason.clone() }
    }

    /// As it stands in events.
    pub fn actor(&self) -> Actor {
        self.who.by().actor
    }

    /// The piece of work this request is.
    pub fn cause(&self) -> CauseId {
        self.who.cause
    }

    /// See [`SignedIn::op`].
    pub fn op(&self, what: &str, key: Option<&str>) -> OpId {
        self.who.op(what, key)
    }
}

/// Every permission and the roles that have it, in one table. What is not listed is denied.
pub mod permissions {
    use super::{Permission, Role};

    macro_rules! permissions {
        ($($(#[$doc:meta])* $name:ident = $text:literal [$($role:ident)+])+) => {$(
            $(#[$doc])*
            #[derive(Debug)]
            pub enum $name {}
            impl Permission for $name {
                const NAME: &'static str = $text;
                const ROLES: &'static [Role] = &[$(Role::$role),+];
            }
        )+};
    }

    permissions! {
        /// See calls, their transcripts and recordings, past and live.
        ReadCalls = "read calls" [Agent Supervisor Admin]
        /// Place calls from one's own telephone.
        PlaceCalls = "place calls" [Agent Supervisor Admin]
        /// Hold, hand on and end calls; agents their own alone (see `calls/placing.rs`).
        HandleCalls = "handle calls" [Agent Supervisor Admin]
        /// Listen to calls of others, whisper to whoever handles them, talk in them, take them over.
        SuperviseCalls = "supervise calls" [Supervisor Admin]
        /// Speak from a browser: call the receptionist, take calls.
        TakeCalls = "take calls" [Agent Supervisor Admin]
        /// See people the clinic knows.
        ReadContacts = "read contacts" [Agent Supervisor Admin]
        /// Make and change people the clinic knows.
        EditContacts = "edit contacts" [Agent Supervisor Admin]
        /// See what the receptionist may say.
        ReadKnowledge = "read knowledge" [Agent Supervisor Admin]
        /// Write drafts of what the receptionist may say; publishing needs [`Role::Admin`] (see `knowledge.rs`).
        EditKnowledge = "edit knowledge" [Supervisor Admin]
        /// See services, free slots and appointments.
        ReadAppointments = "read appointments" [Agent Supervisor Admin]
        /// Book, change and cancel appointments.
        EditAppointments = "edit appointments" [Agent Supervisor Admin]
        /// Change what can be booked.
        EditServices = "edit services" [Supervisor Admin]
        /// See and do tasks.
        DoTasks = "do tasks" [Agent Supervisor Admin]
        /// Search everything one may see.
        Search = "search" [Agent Supervisor Admin]
        /// See and change accounts.
        EditAccounts = "edit accounts" [Admin]
        /// See the clinic's settings.
        ReadClinic = "read the clinic's settings" [Agent Supervisor Admin]
        /// Change the clinic's settings.
        EditClinic = "change the clinic's settings" [Admin]
        /// See and change trunks.
        EditTrunks = "edit trunks" [Admin]
        /// See and change desk phones.
        EditPhones = "edit phones" [Admin]
        /// See and change the accounts with carriers.
        EditCarriers = "edit carriers" [Admin]
        /// Read and check the record of who did or read what.
        ReadAudit = "read the audit chain" [Admin]
        /// Look after the disk, backups and the search index.
        KeepStorage = "look after the storage" [Admin]
        /// Read the event log.
        ReadEvents = "read the event log" [Supervisor Admin]
        /// See figures of the process.
        ReadMetrics = "see the figures of the process" [Supervisor Admin]
        /// Follow live calls and events over the socket.
        Follow = "follow events" [Agent Supervisor Admin]
    }
}
