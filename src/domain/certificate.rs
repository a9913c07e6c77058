//! The certificate that the clinic has made for itself.

use crate::Timestamp;
use serde::{Deserialize, Serialize};

/// The certificate of SIP over TLS where none is configured, which nobody vouches for. Holds its key, so it never leaves the process
/// as it is.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SipCertificate {
    /// The certificate, as PEM text.
    pub certificate: String,
    /// Its key, as PEM text.
    pub key: String,
    /// SHA-256 of the certificate, in pairs of hex digits as phones show it.
    pub fingerprint: String,
    /// When it was made, or taken in from where it was kept before.
    pub created_at: Timestamp,
}

/// Without the key.
impl std::fmt::Debug for SipCertificate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SipCertificate").field("fingerprint", &self.fingerprint).finish_non_exhaustive()
    }
}
