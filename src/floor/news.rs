//! What the engine tells, in the words of the floor.

use auricle_domain::call::SideQuality;
use auricle_domain::code::{EndCause, EntranceKind, Unheard};
use auricle_domain::id::CallId;
use auricle_media::io::{EngineEvent, LegEnd, LegId, LegQuality};

/// Why a leg ended, as the end of its call.
pub(super) fn end_cause(end: LegEnd) -> EndCause {
    match end {
        LegEnd::RemoteHangup => EndCause::CallerHungUp,
        LegEnd::LocalHangup => EndCause::ClinicHungUp,
        LegEnd::Cancelled => EndCause::Cancelled,
        LegEnd::Rejected(_) => EndCause::Rejected,
        LegEnd::NoMedia => EndCause::NoMedia,
        // What the far end says of our own INVITE (RFC 3261 section 21).
        LegEnd::Refused(486 | 600) => EndCause::Busy,
        LegEnd::Refused(408 | 480 | 487) => EndCause::NoAnswer,
        LegEnd::Refused(404 | 410 | 415 | 484 | 488 | 603..=699) => EndCause::Refused,
        LegEnd::Refused(401 | 407) => EndCause::SignIn,
        // The next trunk may do better.
        LegEnd::Refused(_) | LegEnd::Timeout | LegEnd::Protocol | LegEnd::Overloaded => EndCause::Failed,
    }
}

/// How a leg fares, as it is kept of its call.
pub(super) fn quality_of(quality: LegQuality) -> SideQuality {
    SideQuality {
        packets_received: quality.received,
        packets_lost: quality.lost,
        jitter_ms: quality.jitter_ms,
        mos: (quality.mos > 0.0).then_some(quality.mos),
        one_way: quality.one_way,
    }
}

/// Counts a call in which somebody is not heard, by the way by which they come.
pub(super) fn count_unheard(call: CallId, who: Unheard, way: EntranceKind) {
    tracing::warn!(%call, %who, %way, "somebody is not heard in a call");
    metrics::counter!("auricle_calls_unheard_total", "who" => who.as_str(), "way" => way.as_str()).increment(1);
}

/// The leg that an event is about; none for legs that we dial, which are no calls of the floor.
pub(super) fn leg_of(event: &EngineEvent) -> Option<LegId> {
    match event {
        EngineEvent::Dialing { .. }
        | EngineEvent::Attached { .. }
        | EngineEvent::Trunk { .. }
        | EngineEvent::ForeignRealm { .. }
        | EngineEvent::Phone { .. }
        | EngineEvent::Banned { .. }
        | EngineEvent::WebAnswer { .. }
        | EngineEvent::WebRefused { .. } => None,
        EngineEvent::Incoming { leg, .. }
        | EngineEvent::Ringing { leg }
        | EngineEvent::Early { leg }
        | EngineEvent::Answered { leg, .. }
        | EngineEvent::SpeechStarted { leg, .. }
        | EngineEvent::SpeechEnded { leg, .. }
        | EngineEvent::Dtmf { leg, .. }
        | EngineEvent::PlayedTo { leg, .. }
        | EngineEvent::Held { leg, .. }
        | EngineEvent::Holding { leg, .. }
        | EngineEvent::TransferAsked { leg, .. }
        | EngineEvent::TransferDone { leg, .. }
        | EngineEvent::Replaced { leg, .. }
        | EngineEvent::Level { leg, .. }
        | EngineEvent::Quality { leg, .. }
        | EngineEvent::Ended { leg, .. } => Some(*leg),
    }
}
