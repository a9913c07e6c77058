//! The process's clock and its randomness: the only place that reads either for records.

use auricle_domain::Timestamp;
use auricle_storage::OpId;

/// Where the time comes from. Given to whoever needs it, so that tests can set it.
pub type Clock = fn() -> Timestamp;

/// The machine's clock.
pub fn system() -> Timestamp {
    Timestamp::now()
}

/// Makes an identifier that began at `at`, such as `clock::fresh(CallId::new, now)`.
pub fn fresh<I>(make: fn(Timestamp, [u8; 10]) -> I, at: Timestamp) -> I {
    make(at, rand::random())
}

/// Names a change that nobody will ask for twice.
pub fn op() -> OpId {
    OpId::new(uuid::Uuid::from_bytes(rand::random()))
}
