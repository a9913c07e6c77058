//! Calls and their recordings.

use crate::Timestamp;
use crate::code::{
    AnsweredBy, AttestationLevel, CallDirection, CallStatus, CarrierKind, EndCause, EntranceKind, Lang, NumberCheck,
    Outcome, RecordingState,
};
use crate::id::{AccountId, CallId, ContactId, ConversationId, PhoneId, TrunkId};
use serde::{Deserialize, Deserializer, Serialize};

/// One caller's whole stay with the clinic, from arrival to the last hang-up (CALL-02, CALL-09).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Call {
    /// Identity.
    pub id: CallId,
    /// Which way it goes.
    #[serde(default = "incoming")]
    pub direction: CallDirection,
    /// The caller as signalled: E.164 where it is a number, a SIP user otherwise, empty when withheld.
    pub from_number: String,
    /// What was dialled.
    pub to_number: String,
    /// By which way it came in, or from where it was placed; none of calls of before this was written down.
    #[serde(default)]
    pub entrance: Option<Entrance>,
    /// What the carrier says about that, where it does.
    #[serde(default)]
    pub identity: CallIdentity,
    /// Where it stands.
    pub status: CallStatus,
    /// Arrival.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it was answered.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub answered_at: Option<Timestamp>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// Why it ended.
    pub cause: Option<EndCause>,
    /// What it came to.
    pub outcome: Option<Outcome>,
    /// The language spoken.
    pub language: Lang,
    /// The member of staff on it; none while the receptionist has it (MISC-18).
    pub agent: Option<AccountId>,
    /// Who called, once known.
    pub contact: Option<ContactId>,
    /// Its transcript.
    pub conversation: ConversationId,
    /// Its recording.
    pub recording: Recording,
    /// An emergency phrase was heard.
    pub emergency: bool,
    /// Sound and speed of it, complete at its end.
    #[serde(default)]
    pub quality: CallQuality,
    /// Calls to the outside that were placed in it, at most 8: the call itself, and transfers to numbers outside.
    #[serde(default)]
    pub outgoing: Vec<Outgoing>,
    /// Grows by one with every change.
    pub version: u64,
}

/// By which way a call came in, or from where the clinic's people placed it. What a trunk or a telephone is called is looked up
/// when it is shown: it may be renamed or removed meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Entrance {
    /// By what.
    pub kind: EntranceKind,
    /// The trunk; none where it was removed at that very moment.
    #[serde(default)]
    pub trunk: Option<TrunkId>,
    /// The carrier.
    #[serde(default)]
    pub carrier: Option<CarrierKind>,
    /// The desk phone, likewise.
    #[serde(default)]
    pub phone: Option<PhoneId>,
}

impl Entrance {
    /// A browser, or an address that is trusted.
    pub fn of(kind: EntranceKind) -> Self {
        Self { kind, trunk: None, carrier: None, phone: None }
    }

    /// By a trunk, where it is still known.
    pub fn by_trunk(trunk: Option<TrunkId>) -> Self {
        Self { trunk, ..Self::of(EntranceKind::Trunk) }
    }

    /// By a carrier.
    pub fn by_carrier(carrier: Option<CarrierKind>) -> Self {
        Self { carrier, ..Self::of(EntranceKind::Carrier) }
    }

    /// From a desk phone, where it is still known.
    pub fn by_phone(phone: Option<PhoneId>) -> Self {
        Self { phone, ..Self::of(EntranceKind::Phone) }
    }
}

/// What a carrier says about the caller of a call that came by a trunk. Nobody else is believed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CallIdentity {
    /// The number that was called first, where the call was diverted to the clinic.
    pub diverted_from: Option<String>,
    /// What came of checking the caller's number.
    pub check: Option<NumberCheck>,
    /// How well the provider where the call began knows the caller.
    pub level: Option<AttestationLevel>,
}

/// Records of before there were others are of incoming calls.
pub(crate) fn incoming() -> CallDirection {
    CallDirection::Incoming
}

/// A call to the outside: in whose name, by which way, at what cost.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Outgoing {
    /// The number of the world with plus sign, or an emergency number.
    pub number: String,
    /// When it was dialled.
    #[schema(value_type = String, format = DateTime)]
    pub placed_at: Timestamp,
    /// When it was answered.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub answered_at: Option<Timestamp>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended_at: Option<Timestamp>,
    /// Who placed it; none when a telephone that is nobody's did.
    pub by: Option<AccountId>,
    /// The trunk that it was dialled through last, or the carrier (`trunk` of its account).
    pub trunk: TrunkId,
    /// The number that was shown to the called party; empty where the provider chose.
    pub caller_id: String,
    /// That number was kept from the called party.
    #[serde(default)]
    pub is_withheld: bool,
    /// Who answered, where a carrier was asked to find out.
    #[serde(default)]
    pub answered_by: Option<AnsweredBy>,
    /// It went to an emergency number.
    pub is_emergency: bool,
    /// Of each begun minute, in minor units of `currency`.
    pub minute_price: u32,
    /// Minutes that it might last; none for emergencies.
    pub minutes_max: Option<u32>,
    /// What it has cost, in minor units of `currency`; known at its end.
    pub cost: u64,
    /// The currency of its price (ISO 4217).
    pub currency: String,
}

/// Channels of a recording as it is made: caller, receptionist, staff (B-03).
pub const CHANNELS: u8 = 3;
/// Masked spans told of one recording; what is masked after them is told as part of the last.
pub const MASKED_MAX: usize = 64;

/// Sealed audio of a call: interleaved 16-bit samples, a channel for each class of party.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Recording {
    /// Whether there is one.
    pub state: RecordingState,
    /// Samples a second of each channel; 0 before the first sample.
    pub rate_hz: u32,
    /// Length known so far, in milliseconds.
    pub length_ms: u64,
    /// Where in the call its first sample lies: milliseconds after `answered_at`.
    #[serde(default)]
    pub offset_ms: u64,
    /// Stretches that could not be written (the disk was too slow), in milliseconds altogether.
    #[serde(default)]
    pub gap_ms: u64,
    /// SHA-256 of the audio once stopped, hexadecimal.
    #[serde(default)]
    pub sha256: Option<String>,
    /// Channels: 1 caller, 2 receptionist, 3 staff. Those of before there were calls with staff have two.
    #[serde(default = "two")]
    pub channels: u8,
    /// Spans that were kept out of it because somebody masked them (B-16): silence on all channels, in order.
    #[serde(default)]
    pub masked: Vec<Span>,
}

fn two() -> u8 {
    2
}

impl Recording {
    /// One in which there is nothing yet.
    pub fn empty(state: RecordingState) -> Self {
        Self {
            state,
            rate_hz: 0,
            length_ms: 0,
            offset_ms: 0,
            gap_ms: 0,
            sha256: None,
            channels: CHANNELS,
            masked: Vec::new(),
        }
    }
}

/// A stretch of a call, in milliseconds after `answered_at`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Span {
    /// Its begin.
    pub from_ms: u64,
    /// Its end, not part of it.
    pub to_ms: u64,
}

/// Stays of the clinic's people in one call of which is told how they sounded. What there is of later ones is left out.
pub const PEOPLE_MAX: usize = 16;

/// What a call was like to be on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct CallQuality {
    /// INVITE to our 200, in milliseconds.
    pub answer_ms: Option<u32>,
    /// RTP packets received.
    pub packets_received: u64,
    /// RTP packets that never came.
    pub packets_lost: u64,
    /// Interarrival jitter (RFC 3550 section 6.4.1), in milliseconds.
    pub jitter_ms: f32,
    /// How the caller sounded, as people would judge it (ITU-T G.107): 1.0 to 4.4; none when nothing was heard.
    #[serde(default)]
    pub mos: Option<f32>,
    /// For 10 s or more we sent and heard nothing, with nobody on hold: one side did not hear the other.
    #[serde(default)]
    pub one_way: bool,
    /// The same of each of the clinic's people who were in it, in the order in which they were measured first; who came twice may stand in it
    /// twice. 16 at most.
    #[serde(default, deserialize_with = "people")]
    pub staff: Vec<PersonQuality>,
    /// End of the caller's speech to the first sample of the reply, median over the call's turns, in milliseconds.
    pub reply_ms: Option<u32>,
}

/// How one of the clinic's people sounded in a call.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PersonQuality {
    /// Who; none at a telephone that is nobody's, and in records of before this was told.
    pub account: Option<AccountId>,
    /// How they sounded.
    pub sound: SideQuality,
}

/// Records of before kept one of them, whoever handled the call last.
fn people<'de, D: Deserializer<'de>>(kept: D) -> Result<Vec<PersonQuality>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Kept {
        All(Vec<PersonQuality>),
        Last(SideQuality),
    }
    Ok(match Option::<Kept>::deserialize(kept)? {
        Some(Kept::All(people)) => people,
        Some(Kept::Last(sound)) => vec![PersonQuality { account: None, sound }],
        None => Vec::new(),
    })
}

/// How one side of a call sounded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct SideQuality {
    /// RTP packets received.
    pub packets_received: u64,
    /// RTP packets that never came.
    pub packets_lost: u64,
    /// Interarrival jitter (RFC 3550 section 6.4.1), in milliseconds.
    pub jitter_ms: f32,
    /// How it sounded, as people would judge it (ITU-T G.107): 1.0 to 4.4; none when nothing was heard.
    pub mos: Option<f32>,
    /// For 10 s or more we sent and heard nothing, with nobody on hold.
    pub one_way: bool,
}

impl Outgoing {
    /// Ends it: each begun minute is to be paid, and no more of them than it might last. An end after the end changes nothing.
    pub fn end(&mut self, at: Timestamp) {
        if self.ended_at.is_some() {
            return;
        }
        self.ended_at = Some(at);
        if let Some(answered) = self.answered_at {
            let talk_ms = u64::try_from(at.as_millisecond() - answered.as_millisecond()).unwrap_or(0);
            let minutes = talk_ms.div_ceil(60_000).max(1).min(u64::from(self.minutes_max.unwrap_or(u32::MAX)));
            self.cost = minutes.saturating_mul(u64::from(self.minute_price));
        }
    }
}

impl Call {
    /// How long it lasted, or has lasted at `now`, from answer to end; zero when unanswered.
    pub fn talk_ms(&self, now: Timestamp) -> u64 {
        let Some(answered) = self.answered_at else {
            return 0;
        };
        let end = self.ended_at.unwrap_or(now);
        u64::try_from(end.as_millisecond() - answered.as_millisecond()).unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test that cannot go on fails")]
    use super::*;

    /// A call as the first programs wrote it, and one as it was written before the way in was told.
    const OLD: [&str; 2] = [
        r#"{"id":"01a1ee56-61e8-7202-8202-020202020202","from_number":"+15550100","to_number":"clinic","status":"ended",
            "created_at":"2026-11-20T16:00:00Z","answered_at":null,"ended_at":"2026-11-20T16:00:09Z","cause":"cancelled",
            "outcome":"abandoned","language":"en","agent":null,"contact":null,"emergency":false,"version":3,
            "conversation":"01a1ee56-61e8-7202-8202-020202020203",
            "recording":{"state":"off","rate_hz":0,"length_ms":0}}"#,
        r#"{"id":"01a1ee56-61e8-7202-8202-020202020202","direction":"outgoing","from_number":"201","to_number":"+15550100",
            "identity":{"diverted_from":null,"check":"passed","level":"A"},"status":"ended","created_at":"2026-11-20T16:00:00Z",
            "answered_at":null,"ended_at":"2026-11-20T16:00:09Z","cause":"busy","outcome":null,"language":"en","agent":null,
            "contact":null,"conversation":"01a1ee56-61e8-7202-8202-020202020203","emergency":false,"version":3,
            "recording":{"state":"off","rate_hz":0,"length_ms":0,"offset_ms":0,"gap_ms":0,"sha256":null,"channels":3,"masked":[]},
            "quality":{"answer_ms":null,"packets_received":0,"packets_lost":0,"jitter_ms":0.0,"mos":null,"one_way":false,"reply_ms":null},
            "outgoing":[]}"#,
    ];

    #[test]
    fn calls_of_before_are_read_and_say_nothing_of_how_they_came() {
        let read = OLD.map(|text| serde_json::from_str::<Call>(text).unwrap());
        assert_eq!(read.clone().map(|call| call.entrance), [None, None]);
        assert_eq!(read.map(|call| call.direction), [CallDirection::Incoming, CallDirection::Outgoing]);
    }

    /// B-22: what was kept of one side of the clinic is that of nobody in particular, in JSON and as the store writes it.
    #[test]
    fn sounds_of_before_are_those_of_one_person() {
        let sound =
            SideQuality { packets_received: 900, packets_lost: 3, jitter_ms: 2.5, mos: Some(4.1), one_way: true };
        let of = |account| PersonQuality { account, sound };
        let anna = Some(AccountId::new(Timestamp::UNIX_EPOCH, [1; 10]));
        let before = serde_json::to_value(CallQuality::default()).unwrap();
        for (kept, expected) in [
            (serde_json::Value::Null, vec![]),
            (serde_json::to_value(sound).unwrap(), vec![of(None)]),
            (serde_json::to_value([of(anna), of(None)]).unwrap(), vec![of(anna), of(None)]),
        ] {
            let mut before = before.clone();
            before["staff"] = kept;
            let mut packed = Vec::new();
            let mut packer = rmp_serde::Serializer::new(&mut packed).with_struct_map().with_human_readable();
            before.serialize(&mut packer).unwrap();
            let mut unpacker = rmp_serde::Deserializer::from_read_ref(&packed[..]).with_human_readable();
            assert_eq!(CallQuality::deserialize(&mut unpacker).unwrap().staff, expected);
            assert_eq!(serde_json::from_value::<CallQuality>(before).unwrap().staff, expected);
        }
    }

    #[test]
    fn a_way_in_comes_back_as_it_was_written() {
        let at = Timestamp::UNIX_EPOCH;
        for entrance in [
            Entrance::of(EntranceKind::Browser),
            Entrance::by_trunk(Some(TrunkId::new(at, [1; 10]))),
            Entrance::by_phone(Some(PhoneId::new(at, [2; 10]))),
            Entrance::by_carrier(Some(CarrierKind::Telnyx)),
        ] {
            let text = serde_json::to_string(&entrance).unwrap();
            assert_eq!(serde_json::from_str::<Entrance>(&text).unwrap(), entrance);
        }
        assert_eq!(
            serde_json::from_str::<Entrance>(r#"{"kind":"address"}"#).unwrap(),
            Entrance::of(EntranceKind::Address)
        );
    }
}
