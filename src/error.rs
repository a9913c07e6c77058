//! The one error of the use-cases: a code from a closed set, words for a person, and the fields at fault.
//!
//! Edges translate it: `http` maps the code to a status and a problem body (RFC 9457), the command line prints the words.
//! What went wrong inside (a path, a database message) is logged where it happened and never travels in here.

use auricle_domain::code::OutboundRule;
use auricle_storage::StoreError;
use std::fmt;

macro_rules! error_codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal, $title:literal;)+) => {
        /// What kind of failure it is. Stable words: clients and translations depend on them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum ErrorCode { $($(#[$doc])* $variant),+ }

        impl ErrorCode {
            /// Every code, for the status table's completeness test and the API document.
            pub const ALL: &'static [ErrorCode] = &[$(ErrorCode::$variant),+];

            /// The word in problem bodies and translation keys.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// A short English title, the same for every error of this code.
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title),+ }
            }
        }
    };
}

error_codes! {
    /// Something in the request is not acceptable; `fields` says what.
    Invalid = "invalid", "The request is not valid";
    /// Nobody is signed in, or the session is over.
    Unauthenticated = "unauthenticated", "Sign in first";
    /// E-mail and password do not belong together.
    WrongPassword = "wrong_password", "E-mail or password is wrong";
    /// A one-time password must be changed before anything else.
    PasswordChangeRequired = "password_change_required", "Choose a password of your own first";
    /// The account may not do this.
    Forbidden = "forbidden", "Not allowed";
    /// It does not exist, or the account may not know that it does.
    NotFound = "not_found", "Not found";
    /// The path exists, the method does not.
    MethodNotAllowed = "method_not_allowed", "Method not allowed";
    /// It does not fit the present state.
    Conflict = "conflict", "Not possible in the present state";
    /// Somebody else uses this e-mail, name or number already.
    Taken = "taken", "Already in use";
    /// The slot was taken in the meantime.
    SlotTaken = "slot_taken", "The slot is taken";
    /// The record was changed by somebody else since it was read.
    Stale = "stale", "Changed in the meantime";
    /// A change must name the version it is based on.
    VersionRequired = "version_required", "If-Match is missing";
    /// A rule of outgoing calls stands against it; `fields` names the rule.
    OutboundRefused = "outbound_refused", "A rule stands against this call";
    /// A reading of a past call must say why.
    ReasonRequired = "reason_required", "Say why you open this";
    /// What comes from a carrier is not signed as it must be (SEC-11).
    BadSignature = "bad_signature", "The signature is wrong";
    /// The carrier's secret is not set up, so that nothing from it can be believed (SEC-11).
    NotConfigured = "not_configured", "Not set up";
    /// The carrier refused what was asked of its API.
    CarrierFailed = "carrier_failed", "The carrier did not do it";
    /// The carrier's API does not answer, or has too much to do.
    CarrierSilent = "carrier_silent", "The carrier does not answer";
    /// Too many wrong passwords.
    Locked = "locked", "Sign-in is locked for a while";
    /// Too many requests (MISC-08).
    RateLimited = "rate_limited", "Too many requests, please try again later";
    /// The body is larger than the limit.
    TooLarge = "too_large", "Too large";
    /// The body is of a kind that is not understood.
    UnsupportedMedia = "unsupported_media", "Unsupported content type";
    /// The asked byte range lies outside of what there is.
    RangeNotSatisfiable = "range_not_satisfiable", "Range not satisfiable";
    /// A part of the service is not ready; trying again later helps.
    Unavailable = "unavailable", "Not available at the moment";
    /// The disk is nearly full: only what calls and sign-in need is written.
    DiskLow = "disk_low", "The disk is nearly full";
    /// What is stored was damaged on the disk, and is not shown.
    Damaged = "damaged", "Damaged on the disk";
    /// A fault of ours.
    Internal = "internal", "Internal error";
}

/// One field of the input that is not acceptable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// Path of the field, such as `name` or `hours.0.weekday`.
    pub field: String,
    /// What is wrong: `required`, `too_long`, `too_short`, `out_of_range`, `unknown`, `format`, and of what somebody else has to accept
    /// `refused` and `inactive`.
    pub code: &'static str,
    /// In words, with the allowed range.
    pub detail: String,
}

/// Why a use-case did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// What kind of failure.
    pub code: ErrorCode,
    /// What was attempted and what stood against it, for a person. Holds no personal data.
    pub detail: String,
    /// Fields at fault, with [`ErrorCode::Invalid`].
    pub fields: Vec<FieldError>,
    /// Seconds after which it is worth trying again, where that is known.
    pub retry_after_s: Option<u32>,
}

impl Error {
    /// An error of this code.
    pub fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), fields: Vec::new(), retry_after_s: None }
    }

    /// Input with one field at fault.
    pub fn field(field: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self::fields(vec![FieldError { field: field.into(), code, detail: detail.into() }])
    }

    /// Input with these fields at fault.
    pub fn fields(fields: Vec<FieldError>) -> Self {
        let names: Vec<&str> = fields.iter().map(|field| field.field.as_str()).collect();
        let detail = format!("Not acceptable: {}", names.join(", "));
        Self { fields, ..Self::new(ErrorCode::Invalid, detail) }
    }

    /// A rule of outgoing calls stands against a call; the rule is the code of the field `number`.
    pub fn outbound(rule: OutboundRule) -> Self {
        let detail = format!("The rule {rule} of outgoing calls stands against it (Trunks, Outgoing calls)");
        let field = FieldError { field: "number".to_owned(), code: rule.as_str(), detail: detail.clone() };
        Self { fields: vec![field], ..Self::new(ErrorCode::OutboundRefused, detail) }
    }

    /// There is no such thing, or it may not be known. `noun` is what was looked for, such as `call`.
    pub fn not_found(noun: &str) -> Self {
        Self::new(ErrorCode::NotFound, format!("There is no such {noun}"))
    }

    /// The account's role does not allow it.
    pub fn forbidden(what: &str) -> Self {
        Self::new(ErrorCode::Forbidden, format!("Your role does not allow to {what}"))
    }

    /// The record has another version than the change is based on.
    pub fn stale(noun: &str, based_on: u64, now: u64) -> Self {
        let detail = format!("The {noun} is at version {now}, the change is based on {based_on}: read it again");
        Self::new(ErrorCode::Stale, detail)
    }

    /// A fault of ours. `attempted` says what we were doing; the reason is logged here and stays here.
    pub fn internal(attempted: &str, reason: &dyn fmt::Display) -> Self {
        tracing::error!(attempted, %reason, "internal error");
        Self::new(ErrorCode::Internal, format!("Could not {attempted}. The service's log says why"))
    }

    /// Worth trying again after this many seconds.
    #[must_use]
    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.detail, self.code.as_str())?;
        for field in &self.fields {
            write!(f, "; {}: {}", field.field, field.detail)?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::BadCursor => Self::field("after", "format", "after is not the `next` of a list"),
            StoreError::Duplicate { .. } => Self::new(ErrorCode::Taken, "Another record uses this value already"),
            StoreError::Busy { .. } | StoreError::Conflict { .. } => {
                Self::new(ErrorCode::Unavailable, "Too much is being written at the moment").retry_after(1)
            }
            StoreError::DiskLow { free_mib } => Self::new(
                ErrorCode::DiskLow,
                format!("The disk has {free_mib} MiB left: calls and sign-in go on, this is possible again when there is room"),
            )
            .retry_after(60),
            StoreError::Damaged { what, way_back } => {
                tracing::error!(what, way_back, "a part of the store is damaged");
                Self::new(ErrorCode::Damaged, format!("Refused, because {what} is damaged on the disk. {way_back}"))
            }
            StoreError::Closed => Self::new(ErrorCode::Unavailable, "The service is stopping").retry_after(5),
            other => Self::internal("reach the store", &other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn codes_are_distinct_words() {
        let words: HashSet<&str> = ErrorCode::ALL.iter().map(|code| code.as_str()).collect();
        assert_eq!(words.len(), ErrorCode::ALL.len());
    }

    #[test]
    fn an_internal_error_keeps_its_reason_to_itself() {
        let error = Error::internal("reach the store", &"/var/lib/auricle/store.redb: disk full");
        assert!(!error.to_string().contains("/var/lib"), "{error}");
    }

    #[test]
    fn invalid_input_names_each_field_and_its_range() {
        let error = Error::field("name", "too_long", "name has 256 characters, allowed are 1 to 255");
        assert_eq!(error.code, ErrorCode::Invalid);
        assert!(error.to_string().contains("1 to 255"), "{error}");
    }
}
