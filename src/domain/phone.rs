//! Desk phones: telephones that register with the clinic, each with a number of its own inside it.

use crate::Timestamp;
use crate::code::SrtpPolicy;
use crate::id::{AccountId, PhoneId};
use serde::{Deserialize, Serialize};

/// A telephone on somebody's desk. Holds what its password can be checked with, so it never leaves the process as it is: the
/// API has a view of its own.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Phone {
    /// Identity.
    pub id: PhoneId,
    /// What the clinic calls it, 1 to 80 characters.
    pub label: String,
    /// Its number inside the clinic; see [`is_extension`]. Unique among phones.
    pub extension: String,
    /// Who sits at it.
    pub account: Option<AccountId>,
    /// Its user name, made by us. Unique, and new with every new password.
    pub user: String,
    /// What its password is checked with (RFC 7616 section 3.4.2), by MD5 and by SHA-256. The password itself is not kept.
    pub secret_md5: String,
    /// See `secret_md5`.
    pub secret_sha256: String,
    /// Whether its audio is encrypted.
    #[serde(default = "SrtpPolicy::usual")]
    pub srtp: SrtpPolicy,
    /// Whether it may register and call.
    pub is_on: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// Grows by one with every change.
    pub version: u64,
}

/// Without what its password could be guessed with.
impl std::fmt::Debug for Phone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Phone").field("id", &self.id).field("extension", &self.extension).finish_non_exhaustive()
    }
}

/// Emergency numbers of 2 to 6 digits (B-02): in whatever country the clinic is, no desk may have the number of one.
const EMERGENCY: &[&str] = &[
    "100", "101", "102", "103", "104", "108", "110", "111", "112", "113", "115", "116117", "117", "118", "119", "120",
    "122", "123", "127", "128", "131", "133", "140", "144", "150", "155", "156", "158", "166", "190", "191", "192",
    "193", "194", "995", "997", "998", "999", "911", "912", "988", "1122", "1669", "10177",
];

/// Whether a text can be a number inside the clinic: 2 to 6 digits, the first no 0, and no emergency number.
pub fn is_extension(text: &str) -> bool {
    (2..=6).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_digit())
        && !text.starts_with('0')
        && !EMERGENCY.contains(&text)
}

/// Whether what a phone dials is the receptionist: nothing, `0`, or her name.
pub fn is_receptionist(dialled: &str) -> bool {
    dialled.is_empty() || dialled == "0" || dialled.eq_ignore_ascii_case("receptionist")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_have_two_to_six_digits_and_are_no_emergency_numbers() {
        for good in ["10", "201", "4711", "99999", "199999"] {
            assert!(is_extension(good), "{good}");
        }
        for bad in ["", "1", "0", "01", "1234567", "2a", "+20", "112", "911", "999", "155", "116117", "٢٠١"] {
            assert!(!is_extension(bad), "{bad}");
        }
    }

    #[test]
    fn the_receptionist_is_dialled_by_name_by_0_or_by_nothing() {
        for dialled in ["", "0", "receptionist", "Receptionist"] {
            assert!(is_receptionist(dialled), "{dialled}");
        }
        for dialled in ["00", "201", "reception", " "] {
            assert!(!is_receptionist(dialled), "{dialled}");
        }
    }

    #[test]
    fn what_a_password_is_checked_with_is_not_shown_where_a_phone_is_printed() {
        let phone = Phone {
            id: PhoneId::new(Timestamp::UNIX_EPOCH, [1; 10]),
            label: "Front".to_owned(),
            extension: "201".to_owned(),
            account: None,
            user: "k3m9".to_owned(),
            secret_md5: "5ebe2294".to_owned(),
            secret_sha256: "2bb80d53".to_owned(),
            srtp: SrtpPolicy::Optional,
            is_on: true,
            created_at: Timestamp::UNIX_EPOCH,
            version: 1,
        };
        let printed = format!("{phone:?}");
        assert!(!printed.contains("5ebe2294") && !printed.contains("2bb80d53"), "{printed}");
    }
}
