//! Durable facts, in the past tense. Additive only: a variant or field, once released, stays.

use crate::Timestamp;
use crate::account::Actor;
use crate::code::{
    AnsweredBy, AppointmentStatus, CallDirection, CarrierKind, EndCause, Lang, OutboundRule, Outcome, Part, PhoneState,
    RecordingState, Role, TaskKind, TaskState, TextState, TrunkFault, TrunkState, Unheard,
};
use crate::conversation::Turn;
use crate::id::{
    AccountId, AppointmentId, CallId, CauseId, ContactId, ConversationId, DocumentId, PhoneId, ServiceId, TaskId,
    TenantId, TextId, TrunkId,
};
use serde::{Deserialize, Serialize};

/// An event with its place in the tenant's feed. Numbers are contiguous from 1.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Envelope {
    /// Place in the feed.
    pub seq: u64,
    /// When it happened.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Whose feed.
    pub tenant: TenantId,
    /// Who did it.
    pub actor: Actor,
    /// The piece of work it belongs to; also in every log line of that work.
    pub cause: CauseId,
    /// What happened.
    #[serde(flatten)]
    pub event: Event,
}

macro_rules! events {
    ($($(#[$doc:meta])* $variant:ident($text:tt) { $($(#[$fdoc:meta])* $field:ident: $ty:ty),* $(,)? }),+ $(,)?) => {
        /// What happened. In JSON: `{"type": "call.answered", ...}`.
        #[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
        #[serde(tag = "type")]
        pub enum Event {
            $($(#[$doc])* #[serde(rename = $text)] $variant { $($(#[$fdoc])* $field: $ty),* }),+
        }

        impl Event {
            /// The word in JSON and in filters.
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$variant { .. } => $text),+ }
            }
        }
    };
}

events! {
    /// A call arrived.
    CallArrived("call.arrived") {
        /// The call.
        call: CallId,
        /// Its transcript.
        conversation: ConversationId,
        /// The caller's number.
        from_number: String,
        /// What was dialled.
        to_number: String,
    },
    /// A call was answered.
    CallAnswered("call.answered") {
        /// The call.
        call: CallId,
        /// INVITE to 200, in milliseconds.
        answer_ms: u32,
    },
    /// A carrier has found out who answered a call to the outside.
    CallAnsweredBy("call.answered_by") {
        /// The call.
        call: CallId,
        /// Who.
        by: AnsweredBy,
    },
    /// Somebody of the clinic calls.
    CallPlaced("call.placed") {
        /// The call.
        call: CallId,
        /// Its transcript.
        conversation: ConversationId,
        /// Which way it goes.
        direction: CallDirection,
        /// Who calls: a number of the clinic, or an extension.
        from_number: String,
        /// Whom they call.
        to_number: String,
    },
    /// A member of staff came into a call, or left it.
    CallAgent("call.agent") {
        /// The call.
        call: CallId,
        /// Who is in it now.
        agent: Option<AccountId>,
    },
    /// The other side of a call waits, or does not any more.
    CallHeld("call.held") {
        /// The call.
        call: CallId,
        /// Whether it waits.
        on: bool,
    },
    /// Somebody came into a call beside the two whose call it is, takes part in another way, or has left.
    CallParticipant("call.participant") {
        /// The call.
        call: CallId,
        /// Who, where it is one of the clinic's people.
        account: Option<AccountId>,
        /// How they take part; none when they have left.
        part: Option<Part>,
    },
    /// Somebody of the clinic lets nothing be kept of what is said in a call, or lets it be kept again.
    CallMasked("call.masked") {
        /// The call.
        call: CallId,
        /// Whether nothing is kept.
        on: bool,
    },
    /// Somebody is not heard in a call.
    CallUnheard("call.unheard") {
        /// The call.
        call: CallId,
        /// Who.
        who: Unheard,
        /// The task that was made because nobody had been told of this way within the hour.
        task: Option<TaskId>,
    },
    /// The language of a call was decided.
    CallLanguageSet("call.language_set") {
        /// The call.
        call: CallId,
        /// The language.
        language: Lang,
    },
    /// The recording of a call changed state.
    CallRecording("call.recording") {
        /// The call.
        call: CallId,
        /// The new state.
        state: RecordingState,
        /// Length so far, in milliseconds.
        length_ms: u64,
    },
    /// An emergency phrase was heard.
    CallEmergency("call.emergency") {
        /// The call.
        call: CallId,
        /// The lexicon's entry, a code such as `chest_pain`.
        sign: String,
        /// The language it was said in.
        language: Lang,
        /// The number the caller was told.
        number: String,
    },
    /// What a call came to.
    CallOutcome("call.outcome") {
        /// The call.
        call: CallId,
        /// The outcome.
        outcome: Outcome,
    },
    /// A call ended.
    CallEnded("call.ended") {
        /// The call.
        call: CallId,
        /// Why. Not `cause`: that name belongs to the envelope, which is one JSON object with the event.
        end: EndCause,
    },
    /// Something was said.
    TurnCommitted("conversation.turn") {
        /// The whole turn.
        turn: Box<Turn>,
    },
    /// A contact was made or changed.
    ContactChanged("contact.changed") {
        /// The contact.
        contact: ContactId,
    },
    /// A document was made, changed or retired.
    DocumentChanged("knowledge.changed") {
        /// The document.
        document: DocumentId,
    },
    /// A document was removed.
    DocumentRemoved("knowledge.removed") {
        /// The document.
        document: DocumentId,
    },
    /// A service was made or changed.
    ServiceChanged("service.changed") {
        /// The service.
        service: ServiceId,
    },
    /// An appointment was proposed, booked, changed or cancelled.
    AppointmentChanged("appointment.changed") {
        /// The appointment.
        appointment: AppointmentId,
        /// Its status now.
        status: AppointmentStatus,
        /// The call it was made in.
        call: Option<CallId>,
    },
    /// A text message was written, or its state changed.
    TextChanged("text.changed") {
        /// The message.
        text: TextId,
        /// Where it stands now.
        state: TextState,
        /// The call that it came of.
        call: Option<CallId>,
    },
    /// A task was made or changed.
    TaskChanged("task.changed") {
        /// The task.
        task: TaskId,
        /// What it asks.
        kind: TaskKind,
        /// Its state now.
        state: TaskState,
    },
    /// An account was made or changed.
    AccountChanged("account.changed") {
        /// The account.
        account: AccountId,
        /// Its role now.
        role: Role,
    },
    /// Somebody signed in.
    SignedIn("account.signed_in") {
        /// Who.
        account: AccountId,
    },
    /// Sign-in was locked after too many wrong passwords.
    SignInLocked("account.locked") {
        /// Whose.
        account: AccountId,
    },
    /// The clinic's own settings changed.
    TenantChanged("clinic.changed") {
        /// Its version now.
        version: u64,
    },
    /// The clinic has brought music on hold of its own.
    MusicChanged("music.changed") {},
    /// The built-in music on hold is played again.
    MusicRemoved("music.removed") {},
    /// A trunk was made or changed.
    TrunkChanged("trunk.changed") {
        /// The trunk.
        trunk: TrunkId,
    },
    /// A trunk was removed.
    TrunkRemoved("trunk.removed") {
        /// The trunk.
        trunk: TrunkId,
    },
    /// The rules of outgoing calls were changed.
    OutboundChanged("outbound.changed") {
        /// Their version now.
        version: u64,
    },
    /// A rule stood against an outgoing call.
    OutboundRefused("outbound.refused") {
        /// Which rule.
        rule: OutboundRule,
        /// Who wanted to call, where that is known.
        account: Option<AccountId>,
        /// What was dialled.
        number: String,
        /// The task that was made because this looks like an attack.
        task: Option<TaskId>,
    },
    /// Calls go through a trunk again, or do not any more.
    TrunkStateChanged("trunk.state") {
        /// The trunk.
        trunk: TrunkId,
        /// Where it stands now.
        state: TrunkState,
        /// Why, when it is down.
        fault: Option<TrunkFault>,
    },
    /// The clinic has a certificate of its own for SIP over TLS from now on.
    SipCertificateKept("sip.certificate") {
        /// Its fingerprint.
        fingerprint: String,
    },
    /// A source has guessed passwords of desk phones and is not heard for an hour.
    SourceBanned("phone.source_banned") {
        /// Its address.
        source: String,
    },
    /// A source that was not heard is, before its time was up.
    SourceHeard("phone.source_heard") {
        /// Its address.
        source: String,
    },
    /// A desk phone was added or changed.
    PhoneChanged("phone.changed") {
        /// The phone.
        phone: PhoneId,
    },
    /// A desk phone was given another password.
    PhonePasswordGiven("phone.password") {
        /// The phone.
        phone: PhoneId,
    },
    /// A desk phone was removed.
    PhoneRemoved("phone.removed") {
        /// The phone.
        phone: PhoneId,
    },
    /// A desk phone registered, or is not registered any more.
    PhoneStateChanged("phone.state") {
        /// The phone.
        phone: PhoneId,
        /// Where it stands now.
        state: PhoneState,
    },
    /// The account with a carrier was set up or changed.
    CarrierChanged("carrier.changed") {
        /// Which carrier.
        carrier: CarrierKind,
    },
    /// The account with a carrier was removed.
    CarrierRemoved("carrier.removed") {
        /// Which carrier.
        carrier: CarrierKind,
    },
    /// A number at a carrier brings its calls here no more.
    NumberReleased("carrier.number_released") {
        /// Which carrier.
        carrier: CarrierKind,
        /// How the carrier names it.
        number: String,
    },
    /// A number at a carrier was told to bring its calls here.
    NumberConnected("carrier.number") {
        /// Which carrier.
        carrier: CarrierKind,
        /// How the carrier names it.
        number: String,
    },
    /// A backup was made and verified.
    BackupMade("backup.made") {
        /// Number of the last event in it.
        feed_head: u64,
        /// Rows in it.
        rows: u64,
        /// Things that the store had lost before, and that are not in it.
        #[serde(default)]
        missing: u64,
    },
    /// The search index was built again because somebody asked for it.
    SearchRebuilt("search.rebuilt") {
        /// Number of the last event in it.
        feed_head: u64,
    },
    /// The store was made from a backup: what was written after that backup is not in it.
    StoreRestored("store.restored") {
        /// When the backup was made, where it says so.
        #[schema(value_type = Option<String>, format = DateTime)]
        backup_at: Option<Timestamp>,
        /// Number of the last event in it.
        feed_head: u64,
    },
    /// The key file was replaced at the machine.
    SecretsRotated("secrets.rotated") {
        /// Whether the recovery passphrase was replaced, too.
        passphrase: bool,
    },
    /// A new key file was made with the recovery passphrase.
    SecretsRecovered("secrets.recovered") {},
    /// Somebody read a record about a person.
    RecordRead("audit.read") {
        /// What kind of record: `call`, `recording`, `contact`, `transcript`.
        kind: String,
        /// Which one.
        id: String,
        /// Why, where whoever read it said so; up to 300 characters.
        #[serde(default)]
        reason: Option<String>,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::code::{Heard, Speaker};
    use crate::conversation::{Citation, ToolUse, Word};
    use crate::id::PassageId;

    fn turn(at: Timestamp) -> Turn {
        Turn {
            conversation: ConversationId::new(at, [1; 10]),
            call: CallId::new(at, [2; 10]),
            index: 3,
            speaker: Speaker::Receptionist,
            text: "We open at nine.".to_owned(),
            language: Lang::En,
            start_ms: 1_000,
            end_ms: 2_500,
            heard: Heard::Partly,
            words: vec![Word { text: "we".to_owned(), start_ms: 1_000, end_ms: 1_200 }],
            citations: vec![Citation {
                document: DocumentId::new(at, [4; 10]),
                name: "Hours".to_owned(),
                passage: PassageId::new(at, [5; 10]),
            }],
            tools: vec![ToolUse { name: "book".to_owned(), ok: true, result: "booked".to_owned() }],
            reply_ms: Some(640),
            engine: "local".to_owned(),
        }
    }

    fn samples() -> Vec<Event> {
        let at = Timestamp::UNIX_EPOCH;
        let call = CallId::new(at, [2; 10]);
        let appointment = AppointmentId::new(at, [6; 10]);
        vec![
            Event::CallAnswered { call, answer_ms: 4 },
            Event::CallRecording { call, state: RecordingState::Stopped, length_ms: 32_000 },
            Event::CallEnded { call, end: EndCause::CallerHungUp },
            Event::TurnCommitted { turn: Box::new(turn(at)) },
            Event::TurnCommitted { turn: Box::new(Turn { reply_ms: None, ..turn(at) }) },
            Event::AppointmentChanged { appointment, status: AppointmentStatus::Booked, call: None },
            Event::AppointmentChanged { appointment, status: AppointmentStatus::Booked, call: Some(call) },
            Event::StoreRestored { backup_at: Some(at), feed_head: 7 },
            Event::StoreRestored { backup_at: None, feed_head: 7 },
            Event::SecretsRecovered {},
            Event::NumberConnected { carrier: CarrierKind::Twilio, number: "PN0123".to_owned() },
        ]
    }

    /// The log is kept in MessagePack and told in JSON: an event must come back from both as it was.
    #[test]
    fn events_come_back_as_they_were() {
        let at = Timestamp::UNIX_EPOCH;
        let call = CallId::new(at, [2; 10]);
        for actor in [Actor::System, Actor::Receptionist { call }] {
            for event in samples() {
                let cause = CauseId::new(at, [9; 10]);
                let envelope = Envelope { seq: 7, at, tenant: TenantId::new(at, [8; 10]), actor, cause, event };
                let mut bytes = Vec::new();
                let mut serializer = rmp_serde::Serializer::new(&mut bytes).with_struct_map().with_human_readable();
                assert!(envelope.serialize(&mut serializer).is_ok());
                let mut deserializer = rmp_serde::Deserializer::from_read_ref(&bytes).with_human_readable();
                let packed = Envelope::deserialize(&mut deserializer).map_err(|error| error.to_string());
                assert_eq!(packed.as_ref(), Ok(&envelope));
                let json = serde_json::to_string(&envelope).and_then(|text| serde_json::from_str::<Envelope>(&text));
                assert_eq!(json.map_err(|e| e.to_string()).as_ref(), Ok(&envelope));
            }
        }
    }
}
