//! Who calls, as those between say and vouch for (RFC 3325, RFC 5806, RFC 7044, RFC 8588).

use std::fmt;

/// What a trusted trunk says about who calls, beyond From. Empty from anybody else. Personal data.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct CallerIdentity {
    /// User part of P-Asserted-Identity; `None` when there is none, or the caller withholds it.
    pub asserted: Option<String>,
    /// The number that was called first, where the call was diverted on its way to us.
    pub diverted_from: Option<String>,
    /// What the network found out about the caller's right to its number; `None`: it does not say.
    pub attestation: Option<Attestation>,
}

/// What became of checking a caller's number (the `verstat` of TS 24.229 section 7.2A.20, and STIR/SHAKEN's levels).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Attestation {
    /// Whether its signature was good.
    pub check: NumberCheck,
    /// How well the originating provider knows the caller.
    pub level: Option<AttestationLevel>,
}

/// The outcome of checking a caller's number.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum NumberCheck {
    /// Signed, and the signature is good.
    Passed,
    /// Signed, and the signature is not good.
    Failed,
    /// Not signed, or not checked.
    Unchecked,
}

/// How well the originating provider knows the caller (RFC 8588 section 4).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AttestationLevel {
    /// Its customer, with a right to the number.
    A,
    /// Its customer.
    B,
    /// Somebody whose call it passes on.
    C,
}

/// Who we are to the network, beyond From. Through a trunk, its own choice of header says how (RFC 3325).
#[derive(Clone, PartialEq, Eq, Default)]
pub struct DialIdentity {
    /// The number that the network shall know us by; empty: From's, or the trunk's user.
    pub number: String,
    /// Who is called shall not see it: From is anonymous, and `Privacy: id` asks the network to keep the rest.
    pub withheld: bool,
}

/// Shows no number.
impl fmt::Debug for DialIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DialIdentity").field("withheld", &self.withheld).finish_non_exhaustive()
    }
}
