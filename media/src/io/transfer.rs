//! Where calls are sent on to (RFC 3515, RFC 3891).

use super::LegId;

/// Whom the far end of a leg shall call instead of us.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TransferTo {
    /// Blind: this `sip:`, `sips:` or `tel:` address, or a number at the far end's own domain.
    Uri(String),
    /// Attended: who is at the other end of this leg. The leg that goes there ends when it has been replaced.
    Leg(LegId),
}

/// Whom the far end wants its call to go to instead. All of it is personal data.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TransferTarget {
    /// The address, without headers, as [`Command::Dial`](super::Command::Dial) takes it.
    pub uri: String,
    /// Its user part or number, percent-decoded; empty when it has none.
    pub user: String,
    /// Attended: one of our own legs, whose call the far end wants to be joined with this one.
    pub leg: Option<LegId>,
    /// Attended, and the other call is none of ours: what [`Command::Dial`](super::Command::Dial) has to say in `replaces`.
    pub replaces: Option<String>,
}
