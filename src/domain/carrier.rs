//! Carriers that are used by their API: the clinic's account with one, whose calls come by web requests and media sockets.

use crate::Timestamp;
use crate::code::{CarrierKind, MachineDetection};
use crate::id::TrunkId;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The clinic's account with a carrier; one of each kind. Holds secrets, so it never leaves the process as it is: the API has a
/// view of its own.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Carrier {
    /// Which carrier.
    pub kind: CarrierKind,
    /// How the carrier names the account, or the application in it that calls come to; empty while there is none yet.
    pub account: String,
    /// What the account is called there; as it said when it was last asked.
    pub account_name: String,
    /// Lets us in at its API; with some carriers it signs what they send, too.
    pub token: String,
    /// A second one that holds as well, while the first is being replaced at the carrier.
    pub second_token: Option<String>,
    /// Keys that check what the carrier signs, where that is not done with a token: base64, at most two.
    #[serde(default)]
    pub public_keys: Vec<String>,
    /// Networks that its requests come from; empty: any, as the signature is what counts.
    pub sources: Vec<String>,
    /// Whether it finds out who answers calls that it places: a person or a machine.
    #[serde(default = "undetected")]
    pub machine_detection: MachineDetection,
    /// The number of the account that bookings are confirmed from by text message; empty: they are not.
    #[serde(default)]
    pub text_number: String,
    /// When it was set up.
    pub created_at: Timestamp,
    /// Grows by one with every change.
    pub version: u64,
}

fn undetected() -> MachineDetection {
    MachineDetection::Off
}

impl CarrierKind {
    /// The rules of outgoing calls name a carrier as they name a trunk, by an identity that never changes: one of those that are
    /// made by nobody's clock (RFC 9562 section 5.8), so that no trunk has it.
    pub fn trunk(self) -> TrunkId {
        match self {
            Self::Twilio => TrunkId(Uuid::from_u128(0x6175_7269_636c_8063_8000_0000_0000_0001)),
            Self::Telnyx => TrunkId(Uuid::from_u128(0x6175_7269_636c_8063_8000_0000_0000_0002)),
        }
    }

    /// The carrier that the rules mean; none for a trunk.
    pub fn behind(trunk: TrunkId) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.trunk() == trunk)
    }
}

impl Carrier {
    /// The tokens that hold, the first one first.
    pub fn tokens(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.token.as_str()).chain(self.second_token.as_deref())
    }
}

/// Without the tokens.
impl std::fmt::Debug for Carrier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Carrier").field("kind", &self.kind).field("account", &self.account).finish_non_exhaustive()
    }
}
