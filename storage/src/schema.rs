//! The table of contents: every table, its key, its indexes and the version of its values.
//!
//! A whole key is `tenant (16 bytes) | table or index (2 bytes) | parts`. Numbers are never used again once
//! given up. Index rows hold the key of the record they point at.
//!
//! | no. | table | key | value |
//! |---|---|---|---|
//! | 1 | meta | (under the nil tenant) | the tenant of this store |
//! | 2 | feed | seq | [`Envelope`](auricle_domain::event::Envelope) |
//! | 3 | feed_head | - | number of the last event |
//! | 4 | cursor | follower's name | number of the last event it has taken in |
//! | 5 | op | week, op id | the reply of a transaction, kept for one to two weeks |
//! | 6 | format | (under the nil tenant) | format of the store, see `migrate.rs` |
//! | 7 | audit | seq | [`AuditEntry`](auricle_domain::audit::AuditEntry) |
//! | 8 | audit_head | - | the last entry's number and link |
//! | 10.. | one per record | see each | the record |
//! | 100.. | indexes | see each | key of the record |

use crate::blobs::BlobId;
use crate::codec::{self, Table};
use crate::error::StoreError;
use crate::hex;
use crate::key;
use crate::lookup::LookupKey;
use crate::record::{Entries, Index, Record};
use auricle_domain::account::{Account, Session};
use auricle_domain::appointment::{Appointment, Service};
use auricle_domain::ban::Bans;
use auricle_domain::call::Call;
use auricle_domain::carrier::Carrier;
use auricle_domain::certificate::SipCertificate;
use auricle_domain::code::{CallStatus, RecordingState, TextState};
use auricle_domain::contact::Contact;
use auricle_domain::conversation::{Conversation, Turn};
use auricle_domain::id::{
    AccountId, AppointmentId, CallId, ContactId, ConversationId, DocumentId, PassageId, PhoneId, ServiceId, TaskId,
    TenantId, TextId, TrunkId,
};
use auricle_domain::knowledge::{Document, Passage};
use auricle_domain::music::HoldMusic;
use auricle_domain::outbound::Outbound;
use auricle_domain::phone::Phone;
use auricle_domain::registration::Registration;
use auricle_domain::task::Task;
use auricle_domain::tenant::Tenant;
use auricle_domain::text::TextMessage;
use auricle_domain::trunk::Trunk;
use serde::{Deserialize, Serialize};

pub(crate) const META: Table = Table { id: 1, name: "meta", version: 1 };
pub(crate) const FEED: Table = Table { id: 2, name: "feed", version: 1 };
pub(crate) const FEED_HEAD: Table = Table { id: 3, name: "feed_head", version: 1 };
pub(crate) const CURSOR: Table = Table { id: 4, name: "cursor", version: 1 };
pub(crate) const OP: Table = Table { id: 5, name: "op", version: 1 };
pub(crate) const FORMAT: Table = Table { id: 6, name: "format", version: 1 };
pub(crate) const AUDIT: Table = Table { id: 7, name: "audit", version: 1 };
pub(crate) const AUDIT_HEAD: Table = Table { id: 8, name: "audit_head", version: 1 };

/// Accounts by e-mail address: `lookup().email(address)`.
pub const ACCOUNT_BY_EMAIL: Index<Account> = Index::unique(100, "account_by_email");
/// Sessions of an account: `account`.
pub const SESSIONS_BY_ACCOUNT: Index<StoredSession> = Index::new(101, "sessions_by_account");
/// Sessions by their end, for sweeping: `expires_at`.
pub const SESSIONS_BY_END: Index<StoredSession> = Index::new(102, "sessions_by_end");
/// Calls by arrival: `created_at`.
pub const CALLS_BY_TIME: Index<Call> = Index::new(103, "calls_by_time");
/// Calls that have not ended, by arrival: `created_at`.
pub const CALLS_OPEN: Index<Call> = Index::new(104, "calls_open");
/// Calls of a contact: `contact, created_at`.
pub const CALLS_BY_CONTACT: Index<Call> = Index::new(105, "calls_by_contact");
/// Conversations by call: `call`.
pub const CONVERSATION_BY_CALL: Index<Conversation> = Index::new(106, "conversation_by_call");
/// Conversations by their begin: `created_at`.
pub const CONVERSATIONS_BY_TIME: Index<Conversation> = Index::new(107, "conversations_by_time");
/// Turns of a call, in order: `call, index`.
pub const TURNS_BY_CALL: Index<Turn> = Index::new(108, "turns_by_call");
/// Contacts by telephone number: `lookup().number(number)`.
pub const CONTACTS_BY_NUMBER: Index<Contact> = Index::new(109, "contacts_by_number");
/// Contacts by e-mail address: `lookup().email(address)`.
pub const CONTACTS_BY_EMAIL: Index<Contact> = Index::new(110, "contacts_by_email");
/// Passages of a document, in order: `document, index`.
pub const PASSAGES_BY_DOCUMENT: Index<Passage> = Index::new(111, "passages_by_document");
/// Appointments by begin: `start`.
pub const APPOINTMENTS_BY_START: Index<Appointment> = Index::new(112, "appointments_by_start");
/// Appointments of a resource (which may be a clinician's name): `lookup().resource(resource), start`.
pub const APPOINTMENTS_BY_RESOURCE: Index<Appointment> = Index::new(113, "appointments_by_resource");
/// Appointments made in a conversation: `conversation, start`.
pub const APPOINTMENTS_BY_CONVERSATION: Index<Appointment> = Index::new(114, "appointments_by_conversation");
/// Appointments made in a call: `call, start`.
pub const APPOINTMENTS_BY_CALL: Index<Appointment> = Index::new(115, "appointments_by_call");
/// Tasks by state: `state.as_str(), created_at`.
pub const TASKS_BY_STATE: Index<Task> = Index::new(116, "tasks_by_state");
/// Tasks of a call: `call, created_at`.
pub const TASKS_BY_CALL: Index<Task> = Index::new(117, "tasks_by_call");

/// Text messages, by when they were written: `created_at`.
pub const TEXTS_BY_TIME: Index<TextMessage> = Index::new(118, "texts_by_time");
/// Text messages to a number: `lookup().number(number), created_at`.
pub const TEXTS_BY_NUMBER: Index<TextMessage> = Index::new(119, "texts_by_number");
/// Text messages that came of a call: `call, created_at`.
pub const TEXTS_BY_CALL: Index<TextMessage> = Index::new(120, "texts_by_call");
/// Text messages that are about to be handed over: `created_at`.
pub const TEXTS_WAITING: Index<TextMessage> = Index::new(121, "texts_waiting");

/// What a row is, in words for an administrator: table or index, and what names the row in it.
pub(crate) fn describe(key: &[u8]) -> String {
    let table = match key.get(16..18) {
        Some(id) => name_of(u16::from_be_bytes([id[0], id[1]])),
        None => "unknown",
    };
    let rest = key.get(18..).unwrap_or_default();
    let name = match <[u8; 16]>::try_from(rest) {
        Ok(id) => uuid::Uuid::from_bytes(id).to_string(),
        Err(_) => hex::encode(rest),
    };
    format!("the row {name} of table {table}")
}

/// Number of the table or index that a whole key belongs to; 0 for a key that is none.
pub(crate) fn table_of(key: &[u8]) -> u16 {
    key.get(16..18).map_or(0, |id| u16::from_be_bytes([id[0], id[1]]))
}

/// A blob that a record says there is: whose it is, in words for an administrator, and its name.
pub(crate) struct Named {
    /// Such as "the content of document 0194...".
    pub(crate) what: String,
    pub(crate) blob: BlobId,
}

/// The blob that a row says there is, if it is the row of a document or of a call that was recorded.
///
/// # Errors
/// When the row is not what was written.
pub(crate) fn named_blob(key: &[u8], value: &[u8]) -> Result<Option<Named>, StoreError> {
    let named = match table_of(key) {
        id if id == Document::TABLE.id => {
            let Document { id, content_sha256, .. } = codec::decode(Document::TABLE, value)?;
            BlobId::from_sha256(&content_sha256)
                .map(|blob| Named { what: format!("the content of document {id}"), blob })
        }
        id if id == Call::TABLE.id => {
            let Call { id, recording, .. } = codec::decode(Call::TABLE, value)?;
            // While it is being made it may still be refused and erased; one that a crash left without a file has no length.
            let is_made = recording.state == RecordingState::Stopped && recording.length_ms > 0;
            is_made.then(|| Named { what: format!("the recording of call {id}"), blob: BlobId::Recording(id) })
        }
        id if id == HoldMusic::TABLE.id => {
            let HoldMusic { content_sha256, .. } = codec::decode(HoldMusic::TABLE, value)?;
            BlobId::from_sha256(&content_sha256).map(|blob| Named { what: "the music on hold".to_owned(), blob })
        }
        _ => None,
    };
    Ok(named)
}

/// The index rows that the row of a record must have beside it, as whole keys; none for a row of another kind.
///
/// # Errors
/// When the row is not what was written.
pub(crate) fn index_rows(key: &[u8], value: &[u8], lookup: &LookupKey) -> Result<Vec<Vec<u8>>, StoreError> {
    let Some(tenant) = key.first_chunk::<16>() else { return Ok(Vec::new()) };
    let tenant = TenantId(uuid::Uuid::from_bytes(*tenant));
    macro_rules! of {
        ($($record:ty),+) => {
            match table_of(key) {
                $(id if id == <$record>::TABLE.id => {
                    let record: $record = codec::decode(<$record>::TABLE, value)?;
                    let mut entries = Entries::new(tenant, lookup, key::encode(&record.key()));
                    record.index(&mut entries);
                    entries.into_vec()
                })+
                _ => Vec::new(),
            }
        };
    }
    let entries =
        of!(Account, StoredSession, Call, Conversation, Turn, Contact, Passage, Appointment, Task, TextMessage);
    Ok(entries.into_iter().map(|entry| entry.key).collect())
}

/// How many rows of another table a row says there are: turns of a conversation, passages of a document.
///
/// # Errors
/// When the row is not what was written.
pub(crate) fn promised_rows(key: &[u8], value: &[u8]) -> Result<Option<(Table, u32)>, StoreError> {
    let promised = match table_of(key) {
        id if id == Conversation::TABLE.id => {
            Some((Turn::TABLE, codec::decode::<Conversation>(Conversation::TABLE, value)?.turns))
        }
        id if id == Document::TABLE.id => {
            Some((Passage::TABLE, codec::decode::<Document>(Document::TABLE, value)?.passages))
        }
        _ => None,
    };
    Ok(promised)
}

fn name_of(id: u16) -> &'static str {
    let tables = [
        META,
        FEED,
        FEED_HEAD,
        CURSOR,
        OP,
        FORMAT,
        AUDIT,
        AUDIT_HEAD,
        Tenant::TABLE,
        Account::TABLE,
        StoredSession::TABLE,
        Call::TABLE,
        Conversation::TABLE,
        Turn::TABLE,
        Contact::TABLE,
        Document::TABLE,
        Passage::TABLE,
        Service::TABLE,
        Appointment::TABLE,
        Task::TABLE,
        Trunk::TABLE,
        Outbound::TABLE,
        Phone::TABLE,
        Carrier::TABLE,
        TextMessage::TABLE,
        HoldMusic::TABLE,
        Registration::TABLE,
        Bans::TABLE,
        SipCertificate::TABLE,
    ];
    match tables.iter().find(|table| table.id == id) {
        Some(table) => table.name,
        None if id >= FIRST_INDEX => "index",
        None => "unknown",
    }
}

/// Number of the first index.
pub(crate) const FIRST_INDEX: u16 = 100;

/// Name of the index with this number.
pub(crate) fn index_name(number: u16) -> &'static str {
    let indexes = [
        (ACCOUNT_BY_EMAIL.id, ACCOUNT_BY_EMAIL.name),
        (SESSIONS_BY_ACCOUNT.id, SESSIONS_BY_ACCOUNT.name),
        (SESSIONS_BY_END.id, SESSIONS_BY_END.name),
        (CALLS_BY_TIME.id, CALLS_BY_TIME.name),
        (CALLS_OPEN.id, CALLS_OPEN.name),
        (CALLS_BY_CONTACT.id, CALLS_BY_CONTACT.name),
        (CONVERSATION_BY_CALL.id, CONVERSATION_BY_CALL.name),
        (CONVERSATIONS_BY_TIME.id, CONVERSATIONS_BY_TIME.name),
        (TURNS_BY_CALL.id, TURNS_BY_CALL.name),
        (CONTACTS_BY_NUMBER.id, CONTACTS_BY_NUMBER.name),
        (CONTACTS_BY_EMAIL.id, CONTACTS_BY_EMAIL.name),
        (PASSAGES_BY_DOCUMENT.id, PASSAGES_BY_DOCUMENT.name),
        (APPOINTMENTS_BY_START.id, APPOINTMENTS_BY_START.name),
        (APPOINTMENTS_BY_RESOURCE.id, APPOINTMENTS_BY_RESOURCE.name),
        (APPOINTMENTS_BY_CONVERSATION.id, APPOINTMENTS_BY_CONVERSATION.name),
        (APPOINTMENTS_BY_CALL.id, APPOINTMENTS_BY_CALL.name),
        (TASKS_BY_STATE.id, TASKS_BY_STATE.name),
        (TASKS_BY_CALL.id, TASKS_BY_CALL.name),
        (TEXTS_BY_TIME.id, TEXTS_BY_TIME.name),
        (TEXTS_BY_NUMBER.id, TEXTS_BY_NUMBER.name),
        (TEXTS_BY_CALL.id, TEXTS_BY_CALL.name),
        (TEXTS_WAITING.id, TEXTS_WAITING.name),
    ];
    indexes.iter().find(|(id, _)| *id == number).map_or("unknown", |(_, name)| name)
}

/// A session under the hash of its token; the token itself is never stored.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredSession {
    /// SHA-256 of the token.
    pub token_sha256: [u8; 32],
    /// The session.
    pub session: Session,
}

/// Key: tenant.
impl Record for Tenant {
    const TABLE: Table = Table { id: 10, name: "tenant", version: 1 };
    type Key = TenantId;
    fn key(&self) -> TenantId {
        self.id
    }
}

/// Key: account.
impl Record for Account {
    const TABLE: Table = Table { id: 11, name: "account", version: 1 };
    type Key = AccountId;
    fn key(&self) -> AccountId {
        self.id
    }
    fn index(&self, entries: &mut Entries<'_>) {
        entries.add(ACCOUNT_BY_EMAIL, entries.lookup().email(&self.email));
    }
}

/// Key: SHA-256 of the token.
impl Record for StoredSession {
    const TABLE: Table = Table { id: 12, name: "session", version: 1 };
    type Key = [u8; 32];
    fn key(&self) -> [u8; 32] {
        self.token_sha256
    }
    fn index(&self, entries: &mut Entries<'_>) {
        entries.add(SESSIONS_BY_ACCOUNT, self.session.account);
        entries.add(SESSIONS_BY_END, self.session.expires_at);
    }
}

/// Key: call.
impl Record for Call {
    const TABLE: Table = Table { id: 13, name: "call", version: 1 };
    type Key = CallId;
    fn key(&self) -> CallId {
        self.id
    }
    fn index(&self, entries: &mut Entries<'_>) {
        entries.add(CALLS_BY_TIME, self.created_at);
        if self.status != CallStatus::Ended {
            entries.add(CALLS_OPEN, self.created_at);
        }
        if let Some(contact) = self.contact {
            entries.add(CALLS_BY_CONTACT, (contact, self.created_at));
        }
    }
}

/// Key: conversation.
impl Record for Conversation {
    const TABLE: Table = Table { id: 14, name: "conversation", version: 1 };
    type Key = ConversationId;
    fn key(&self) -> ConversationId {
        self.id
    }
    fn index(&self, entries: &mut Entries<'_>) {
        entries.add(CONVERSATION_BY_CALL, self.call);
        entries.add(CONVERSATIONS_BY_TIME, self.created_at);
    }
}

/// Key: conversation, index.
impl Record for Turn {
    const TABLE: Table = Table { id: 15, name: "turn", version: 1 };
    type Key = (ConversationId, u32);
    fn key(&self) -> (ConversationId, u32) {
        (self.conversation, self.index)
    }
    fn index(&self, entries: &mut Entries<'_>) {
        entries.add(TURNS_BY_CALL, (self.call, self.index));
    }
}

/// Key: contact.
impl Record for Contact {
    const TABLE: Table = Table { id: 16, name: "contact", version: 1 };
    type Key = ContactId;
    fn key(&self) -> ContactId {
        self.id
    }
    fn index(&self, entries: &mut Entries<'_>) {
        for number in &self.numbers {
            entries.add(CONTACTS_BY_NUMBER, entries.lookup().number(number));
        }
        for email in &self.emails {
            entries.add(CONTACTS_BY_EMAIL, entries.lookup().email(email));
        }
    }
}

/// Key: document.
impl Record for Document {
    const TABLE: Table = Table { id: 17, name: "document", version: 1 };
    type Key = DocumentId;
    fn key(&self) -> DocumentId {
        self.id
    }
}

/// Key: passage.
impl Record for Passage {
    const TABLE: Table = Table { id: 18, name: "passage", version: 1 };
    type Key = PassageId;
    fn key(&self) -> PassageId {
        self.id
    }
    fn index(&self, entries: &mut Entries<'_>) {
        entries.add(PASSAGES_BY_DOCUMENT, (self.document, self.index));
    }
}

/// Key: service.
impl Record for Service {
    const TABLE: Table = Table { id: 19, name: "service", version: 1 };
    type Key = ServiceId;
    fn key(&self) -> ServiceId {
        self.id
    }
}

/// Key: appointment.
impl Record for Appointment {
    const TABLE: Table = Table { id: 20, name: "appointment", version: 1 };
    type Key = AppointmentId;
    fn key(&self) -> AppointmentId {
        self.id
    }
    fn index(&self, entries: &mut Entries<'_>) {
        entries.add(APPOINTMENTS_BY_START, self.start);
        entries.add(APPOINTMENTS_BY_RESOURCE, (entries.lookup().resource(&self.resource), self.start));
        if let Some(conversation) = self.conversation {
            entries.add(APPOINTMENTS_BY_CONVERSATION, (conversation, self.start));
        }
        if let Some(call) = self.call {
            entries.add(APPOINTMENTS_BY_CALL, (call, self.start));
        }
    }
}

/// Key: task.
impl Record for Task {
    const TABLE: Table = Table { id: 21, name: "task", version: 1 };
    type Key = TaskId;
    fn key(&self) -> TaskId {
        self.id
    }
    fn index(&self, entries: &mut Entries<'_>) {
        entries.add(TASKS_BY_STATE, (self.state.as_str(), self.created_at));
        if let Some(call) = self.call {
            entries.add(TASKS_BY_CALL, (call, self.created_at));
        }
    }
}

/// Key: trunk.
impl Record for Trunk {
    const TABLE: Table = Table { id: 22, name: "trunk", version: 1 };
    type Key = TrunkId;
    fn key(&self) -> TrunkId {
        self.id
    }
}

/// Key: none, there is one.
impl Record for Outbound {
    const TABLE: Table = Table { id: 27, name: "outbound", version: 1 };
    type Key = ();
    fn key(&self) {}
}

/// Key: phone.
impl Record for Phone {
    const TABLE: Table = Table { id: 24, name: "phone", version: 1 };
    type Key = PhoneId;
    fn key(&self) -> PhoneId {
        self.id
    }
}

/// Key: kind of carrier.
impl Record for Carrier {
    const TABLE: Table = Table { id: 30, name: "carrier", version: 1 };
    type Key = &'static str;
    fn key(&self) -> &'static str {
        self.kind.as_str()
    }
}

/// Key: text message.
impl Record for TextMessage {
    const TABLE: Table = Table { id: 31, name: "text", version: 1 };
    type Key = TextId;
    fn key(&self) -> TextId {
        self.id
    }
    fn index(&self, entries: &mut Entries<'_>) {
        entries.add(TEXTS_BY_TIME, self.created_at);
        entries.add(TEXTS_BY_NUMBER, (entries.lookup().number(&self.to_number), self.created_at));
        if let Some(call) = self.call {
            entries.add(TEXTS_BY_CALL, (call, self.created_at));
        }
        if self.state == TextState::Waiting {
            entries.add(TEXTS_WAITING, self.created_at);
        }
    }
}

/// Key: none, there is one.
impl Record for HoldMusic {
    const TABLE: Table = Table { id: 32, name: "hold_music", version: 1 };
    type Key = ();
    fn key(&self) {}
}

/// Key: phone.
impl Record for Registration {
    const TABLE: Table = Table { id: 33, name: "registration", version: 1 };
    type Key = PhoneId;
    fn key(&self) -> PhoneId {
        self.phone
    }
}

/// Key: none, there is one.
impl Record for Bans {
    const TABLE: Table = Table { id: 34, name: "bans", version: 1 };
    type Key = ();
    fn key(&self) {}
}

/// Key: none, there is one.
impl Record for SipCertificate {
    const TABLE: Table = Table { id: 35, name: "sip_certificate", version: 1 };
    type Key = ();
    fn key(&self) {}
}
