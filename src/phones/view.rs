//! Phones as the API shows them.

use auricle_domain::Timestamp;
use auricle_domain::code::{PhoneState, SipTransport, SrtpPolicy};
use auricle_domain::id::{AccountId, PhoneId};
use auricle_domain::phone::Phone;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;

/// Where a phone is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PhoneStatus {
    /// Whether it can be called.
    pub state: PhoneState,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// Where it is registered, the preferred place first; 4 at most.
    pub places: Vec<PhonePlace>,
}

/// One place where a phone is registered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PhonePlace {
    /// Address and port that it comes from.
    pub address: String,
    /// How SIP comes from there.
    pub transport: SipTransport,
    /// What it calls itself: maker, model and version; empty when it does not say.
    pub agent: String,
    /// It has answered when it was last asked, within a minute or two.
    pub answers: bool,
}

/// A phone as the API shows it: without its password.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PhoneView {
    /// Identity.
    pub id: PhoneId,
    /// What the clinic calls it.
    pub label: String,
    /// Its number inside the clinic.
    pub extension: String,
    /// Who sits at it.
    pub account: Option<AccountId>,
    /// The user name that it registers with.
    pub user: String,
    /// Whether its audio is encrypted.
    pub srtp: SrtpPolicy,
    /// Whether it may register and call.
    pub is_on: bool,
    /// Where it is.
    pub status: PhoneStatus,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// Grows by one with every change.
    pub version: u64,
}

impl PhoneView {
    pub(super) fn of(phone: Phone, status: &BTreeMap<PhoneId, PhoneStatus>) -> Self {
        let state = if phone.is_on { PhoneState::Away } else { PhoneState::Off };
        let fresh = PhoneStatus { state, since: phone.created_at, places: Vec::new() };
        let known = status.get(&phone.id).filter(|known| (known.state == PhoneState::Off) != phone.is_on);
        Self {
            status: known.cloned().unwrap_or(fresh),
            id: phone.id,
            label: phone.label,
            extension: phone.extension,
            account: phone.account,
            user: phone.user,
            srtp: phone.srtp,
            is_on: phone.is_on,
            created_at: phone.created_at,
            version: phone.version,
        }
    }
}

/// What a phone is told to find the clinic with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PhoneServer {
    /// The server's address, as this machine is reached: `sip.advertise`, else its own.
    #[schema(value_type = String)]
    pub host: IpAddr,
    /// Its address in the clinic's own network, where the one above is that of a router or of another network.
    #[schema(value_type = Option<String>)]
    pub host_inside: Option<IpAddr>,
    /// Its port for UDP and TCP.
    pub port: u16,
    /// Its port for TLS; none where TLS is not listened for.
    pub tls_port: Option<u16>,
    /// SHA-256 of its certificate for TLS, where nobody vouches for it: a phone that asks whether to trust it shows the same.
    pub tls_fingerprint: Option<String>,
}

/// All phones, and what they find the clinic with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PhoneList {
    /// What they find the clinic with.
    pub server: PhoneServer,
    /// Its certificate for TLS as PEM text, where nobody vouches for it: for phones that have to be given what they are to trust.
    pub tls_certificate: Option<String>,
    /// The phones, oldest first; 250 at most.
    pub phones: Vec<PhoneView>,
}

/// A phone with what is to be typed into it. The password is shown this once.
#[derive(Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct PhoneCredential {
    /// The phone.
    pub phone: PhoneView,
    /// Its password; none when the request came a second time: then it was shown before, and a new one can be asked for.
    #[schema(format = Password)]
    pub password: Option<String>,
    /// What it finds the clinic with.
    pub server: PhoneServer,
}
