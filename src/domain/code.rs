//! Closed sets of words shared by code, API, screens and reports.

use serde::{Deserialize, Serialize};

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:tt),+ $(,)? })+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize, utoipa::ToSchema)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $text)] $variant),+ }

        impl $name {
            /// Every value, in the order of the domain's table.
            pub const ALL: &'static [$name] = &[$($name::$variant),+];

            /// The word in JSON, storage and translation keys.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = UnknownCode;
            fn from_str(text: &str) -> Result<Self, UnknownCode> {
                match text { $($text => Ok(Self::$variant),)+ _ => Err(UnknownCode {
                    kind: stringify!($name), value: text.to_owned(),
                    known: Self::ALL.iter().map(|code| code.as_str()).collect::<Vec<_>>().join(", "),
                }) }
            }
        }
    )+};
}

/// A word that is not in its closed set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{kind} cannot be {value:?}; it is one of: {known}")]
pub struct UnknownCode {
    /// The set that was asked.
    pub kind: &'static str,
    /// The word that was given.
    pub value: String,
    /// The words that exist.
    pub known: String,
}

codes! {
    /// A language the product speaks.
    Lang { /// English.
        En = "en", /// Spanish.
        Es = "es", /// Czech.
        Cs = "cs" }

    /// What an account may do (ROLE-01).
    Role { /// Takes calls.
        Agent = "AGENT", /// Watches and steers the floor.
        Supervisor = "SUPERVISOR", /// Configures everything.
        Admin = "ADMIN" }

    /// Where an account stands.
    AccountState { /// Has a one-time password that must be changed at first sign-in.
        Invited = "invited", /// May sign in.
        Active = "active", /// May not sign in.
        Disabled = "disabled" }

    /// How somebody takes part in a call beside the two whose call it is.
    Part { /// Hears all and is heard by nobody.
        Listen = "listen", /// Hears all and is heard by whoever handles the call.
        Whisper = "whisper", /// Hears all and is heard by all.
        Talk = "talk" }

    /// How SIP travels.
    SipTransport { /// Datagrams (RFC 3261 section 18).
        Udp = "udp", /// A connection.
        Tcp = "tcp", /// An encrypted connection: SIPS.
        Tls = "tls" }

    /// Where a trunk stands.
    TrunkState { /// Switched off.
        Off = "off", /// Being looked up, connected or registered.
        Registering = "registering", /// Calls go through its first server.
        Up = "up", /// Calls go through another server than its first.
        Degraded = "degraded", /// No calls go through.
        Down = "down" }

    /// Why a trunk is down.
    TrunkFault { /// Its server's name is not known to the name service.
        NameUnknown = "name_unknown", /// The name service does not answer.
        NoNameService = "no_name_service", /// The server does not answer.
        Unreachable = "unreachable", /// The server's certificate is not accepted.
        Certificate = "certificate", /// The server does not accept user and password.
        WrongPassword = "wrong_password", /// The server does not know the user or the domain.
        UnknownUser = "unknown_user", /// The server refuses for another reason.
        Refused = "refused" }

    /// How a number is written to a provider.
    NumberFormat { /// `+442079460958`.
        Plus = "plus", /// `442079460958`.
        Digits = "digits", /// As one dials within the clinic's country, `02079460958`; numbers abroad as `plus`.
        National = "national" }

    /// The rule by which an outgoing call was not placed, or was ended.
    OutboundRule { /// Outgoing calls are switched off.
        Off = "off", /// What was dialled is no number that could exist.
        Number = "number", /// Its country is not among those that are allowed.
        Country = "country", /// It costs more than usual numbers do.
        Premium = "premium", /// It begins as the clinic does not want.
        Denied = "denied", /// It is night.
        Night = "night", /// Too many at the same time.
        CallsMax = "calls_max", /// Too many of one account within an hour.
        AccountHour = "account_hour_calls_max", /// Too many within an hour.
        Hour = "hour_calls_max", /// It would cost more than may be spent in 24 hours.
        Money = "day_money_max", /// It has lasted as long as a call may.
        Minutes = "minutes_max", /// No trunk is meant for the number.
        NoRoute = "no_route", /// Every trunk that is meant for it is down.
        TrunksDown = "trunks_down", /// No trunk for it owns the number that was to be shown.
        CallerId = "caller_id", /// No trunk for it keeps the clinic's number to itself.
        Withheld = "withheld" }

    /// Which way a call goes.
    CallDirection { /// From outside to the clinic.
        Incoming = "incoming", /// From the clinic to the outside.
        Outgoing = "outgoing", /// From one of the clinic's people to another.
        Internal = "internal" }

    /// By what a call came in, or was placed by the clinic's people.
    EntranceKind { /// A trunk.
        Trunk = "trunk", /// A carrier that is used by its API.
        Carrier = "carrier", /// A desk phone.
        Phone = "phone", /// A browser.
        Browser = "browser", /// An address that is trusted; no more is known of it.
        Address = "address" }

    /// Whether audio is encrypted (SRTP).
    SrtpPolicy { /// Never.
        Off = "off", /// Where the far end does it too, and SIP is encrypted.
        Optional = "optional", /// Always: what cannot be encrypted is no call.
        Required = "required" }

    /// Whether a desk phone can be called.
    PhoneState { /// Switched off.
        Off = "off", /// Not registered: nobody knows where it is.
        Away = "away", /// Registered.
        Registered = "registered" }

    /// A carrier that is used by its API.
    CarrierKind { /// Twilio (INT-01).
        Twilio = "twilio", /// Telnyx (INT-02).
        Telnyx = "telnyx" }

    /// Whether a carrier finds out who answers a call that it places.
    MachineDetection { /// It does not.
        Off = "off", /// It tells as soon as it knows.
        Answer = "answer", /// Of a machine it tells when its greeting has ended.
        GreetingEnd = "greeting_end" }

    /// Who has answered a call that a carrier placed.
    AnsweredBy { /// A person.
        Human = "human", /// An answering machine or mailbox.
        Machine = "machine", /// A fax.
        Fax = "fax", /// The carrier could not tell.
        Unknown = "unknown" }

    /// Where a text message stands. Carriers tell in any order; what is later in this list is not taken back.
    TextState { /// About to be handed to the carrier.
        Waiting = "waiting", /// It was handed to the carrier, and the answer was lost: it may have been taken.
        Unsure = "unsure", /// The carrier has it.
        Queued = "queued", /// The carrier has passed it on.
        Sent = "sent", /// It has arrived.
        Delivered = "delivered", /// It was passed on, and has not arrived.
        Undelivered = "undelivered", /// The carrier has not taken it, or not passed it on.
        Failed = "failed", /// A rule of the clinic stands against it: it was not handed over.
        Withheld = "withheld" }

    /// Why a text message has not arrived.
    TextFault { /// Too many within an hour, or to one number within a day.
        Limit = "limit", /// The rules of outgoing calls do not allow the number.
        Number = "number", /// The number that it comes from is not one that may send.
        Sender = "sender", /// Nobody is reached at the number.
        Unreachable = "unreachable", /// It is a landline.
        Landline = "landline", /// Who has the number wants no messages from the clinic's.
        OptedOut = "opted_out", /// A network on the way has taken it for unwanted.
        Filtered = "filtered", /// The carrier does not answer.
        Silent = "silent", /// The carrier says something else.
        Other = "other" }

    /// In which header a trunk wants to be told the number of a call, beside From (RFC 3325).
    IdentityHeader { /// In none.
        None = "none", /// P-Asserted-Identity: it trusts the clinic.
        Asserted = "pai", /// P-Preferred-Identity: it checks what it is asked for.
        Preferred = "ppi" }

    /// What a carrier found out about a caller's right to its number (STIR/SHAKEN).
    NumberCheck { /// Signed, and the signature is good.
        Passed = "passed", /// Signed, and the signature is not good.
        Failed = "failed", /// Not signed, or not checked.
        Unchecked = "unchecked" }

    /// How well the provider where a call began knows its caller (RFC 8588).
    AttestationLevel { /// Its customer, with a right to the number.
        A = "A", /// Its customer.
        B = "B", /// Somebody whose call it passes on.
        C = "C" }

    /// Where a call stands (CALL-07).
    CallStatus { /// Arrived, not answered yet.
        Ringing = "ringing", /// The AI receptionist talks with the caller.
        WithReceptionist = "with_receptionist", /// A member of staff talks with the caller, or with whom they called.
        WithAgent = "with_agent", /// The other side waits and hears music.
        OnHold = "on_hold", /// The caller leaves a message for the clinic.
        Voicemail = "voicemail", /// Over.
        Ended = "ended" }

    /// Why a call ended.
    EndCause { /// The caller hung up.
        CallerHungUp = "caller_hung_up", /// The clinic's side hung up.
        ClinicHungUp = "clinic_hung_up", /// The caller gave up before it was answered.
        Cancelled = "cancelled", /// It could not be answered: no common codec, no capacity.
        Rejected = "rejected", /// No audio came for too long.
        NoMedia = "no_media", /// The network failed or the peer stopped answering.
        Failed = "failed", /// Whom we called hung up.
        CalledHungUp = "called_hung_up", /// Whom we called is busy.
        Busy = "busy", /// Whom we called did not answer.
        NoAnswer = "no_answer", /// Whom we called, or a provider on the way, refused the call.
        Refused = "refused", /// The provider took the caller on, to whom the clinic has handed them.
        HandedOn = "handed_on", /// A provider asked for a password and did not get it, or not the right one.
        SignIn = "sign_in", /// A cap on outgoing calls was reached.
        Limit = "limit", /// The service stopped while the call was on.
        Lost = "lost" }

    /// What a call or conversation came to (CALL-08).
    Outcome { /// A question was answered from the clinic's knowledge.
        AnsweredQuestion = "answered_question", /// An appointment was booked.
        Booked = "booked", /// A message was taken.
        MessageTaken = "message_taken", /// The caller was told to ring the emergency number.
        Emergency = "emergency", /// The caller left before anything came of it.
        Abandoned = "abandoned", /// The caller was put through to a member of staff.
        Transferred = "transferred", /// The caller left a voicemail.
        Voicemail = "voicemail", /// Nothing useful could be done.
        Failed = "failed" }

    /// By what a contact and the clinic talk or write to each other.
    Channel { /// The telephone.
        Phone = "phone" }

    /// Who speaks a turn.
    Speaker { /// The caller.
        Caller = "caller", /// The AI receptionist.
        Receptionist = "receptionist", /// A member of staff.
        Staff = "staff" }

    /// Who is not heard in a call, although their telephone said that it would send.
    Unheard { /// The caller, or whom the clinic called.
        Other = "other", /// Who handles it for the clinic.
        Clinic = "clinic" }

    /// How much of a turn the other side heard.
    Heard { /// All of it.
        Full = "full", /// Its beginning; the text is trimmed to what was played.
        Partly = "partly" }

    /// Whether a call is recorded, and why not.
    RecordingState { /// Policy says no recording.
        Off = "off", /// The caller said no.
        Refused = "refused", /// Being written now.
        Recording = "recording", /// Complete, playable.
        Stopped = "stopped" }

    /// Of which past calls a reader must say why they open them.
    AccessReasons { /// Of none.
        Off = "off", /// Their recordings.
        Recordings = "recordings", /// Their recordings and transcripts.
        All = "all" }

    /// Where a document stands.
    DocumentState { /// Not used in answers.
        Draft = "draft", /// Used in answers.
        Live = "live", /// Kept, not used.
        Retired = "retired" }

    /// Where an appointment stands (FHIR R4 names).
    AppointmentStatus { /// A slot is held, waiting for the caller's yes.
        Proposed = "proposed", /// Confirmed.
        Booked = "booked", /// The patient is here.
        Arrived = "arrived", /// Done.
        Fulfilled = "fulfilled", /// Called off.
        Cancelled = "cancelled", /// The patient did not come.
        Noshow = "noshow" }

    /// What a task asks of a person.
    TaskKind { /// Read and answer a caller's message.
        Message = "message", /// Ring a caller back who was cut off.
        MissedCall = "missed_call", /// Check on an emergency call.
        Emergency = "emergency", /// See why a rule keeps standing against outgoing calls: it may be an attack.
        OutboundAlarm = "outbound_alarm", /// See why somebody was not heard in a call: the way by which they came may be broken.
        OneWay = "one_way" }

    /// Where a task stands.
    TaskState { /// Nobody has it.
        Open = "open", /// Somebody has it.
        Taken = "taken", /// Finished.
        Done = "done", /// Given up, with a reason.
        Dropped = "dropped" }
}

impl Lang {
    /// The language of a BCP 47 tag (`cs-CZ` is Czech), if the product speaks it.
    pub fn from_tag(tag: &str) -> Option<Self> {
        tag.split(['-', '_']).next().and_then(|primary| primary.to_ascii_lowercase().parse().ok())
    }
}

impl SrtpPolicy {
    /// What a trunk or phone has that was made before there was a choice.
    pub fn usual() -> Self {
        Self::Optional
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_back_as_itself() {
        for outcome in Outcome::ALL {
            assert_eq!(outcome.as_str().parse::<Outcome>(), Ok(*outcome));
        }
    }

    #[test]
    fn an_unknown_word_is_told_which_words_exist() {
        let error = "boss".parse::<Role>().map_err(|error| error.to_string());
        assert_eq!(error, Err("Role cannot be \"boss\"; it is one of: AGENT, SUPERVISOR, ADMIN".to_owned()));
    }

    #[test]
    fn a_regional_tag_is_its_language() {
        assert_eq!(Lang::from_tag("cs-CZ"), Some(Lang::Cs));
        assert_eq!(Lang::from_tag("fr"), None);
    }
}
