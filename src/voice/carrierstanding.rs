//! How carriers fare, as their APIs have said last: a call is not sent to one that would not take it, but in an emergency.
//!
//! Nobody is asked for this: what came of the last requests says it, and after a while the next call tries again.

use auricle_domain::code::CarrierKind;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Requests that came to nothing, one after the other, after which an API is left alone.
const FAILURES_MAX: u32 = 3;
/// For how long.
const REST: Duration = Duration::from_secs(30);
/// For how long an account is left alone whose keys are not accepted, unless it is entered anew.
const REFUSED_REST: Duration = Duration::from_secs(300);

/// What an API has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// Something that shows that it works and knows the account.
    Something,
    /// Nothing, or that it cannot serve anybody now.
    Nothing,
    /// That it does not accept the account's keys.
    No,
}

/// Why calls are not sent to a carrier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Down {
    /// Its API fails.
    Failing,
    /// It does not accept the account's keys.
    Refused,
}

#[derive(Clone, Copy, Debug)]
struct Stands {
    failures: u32,
    rests: Option<(Down, Instant)>,
}

/// How each carrier fares. Cheap to clone; a copy sees what the others are told.
#[derive(Clone, Debug, Default)]
pub struct CarrierStanding(Arc<Mutex<BTreeMap<CarrierKind, Stands>>>);

impl CarrierStanding {
    /// Takes in what came of a request.
    pub fn note(&self, carrier: CarrierKind, said: Said, now: Instant) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let stands = all.entry(carrier).or_insert(Stands { failures: 0, rests: None });
        match said {
            Said::Something => *stands = Stands { failures: 0, rests: None },
            Said::No => stands.rests = Some((Down::Refused, now + REFUSED_REST)),
            Said::Nothing => {
                stands.failures = stands.failures.saturating_add(1);
                if stands.failures >= FAILURES_MAX {
                    stands.rests = Some((Down::Failing, now + REST));
                }
            }
        }
    }

    /// The account was entered anew, or is gone.
    pub fn forget(&self, carrier: CarrierKind) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&carrier);
    }

    /// Why calls are not sent there now; none where they are.
    pub fn down(&self, carrier: CarrierKind, now: Instant) -> Option<Down> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.get(&carrier)?.rests.filter(|(_, until)| now < *until).map(|(down, _)| down)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_carrier_that_fails_is_left_alone_for_a_while() {
        let (twilio, telnyx, start) = (CarrierKind::Twilio, CarrierKind::Telnyx, Instant::now());
        let standing = CarrierStanding::default();
        let down = |after: Duration| standing.down(twilio, start + after);
        assert_eq!(down(Duration::ZERO), None, "nothing is known of it");
        for said in [Said::Nothing, Said::Nothing, Said::Something, Said::Nothing, Said::Nothing] {
            standing.note(twilio, said, start);
            assert_eq!(down(Duration::ZERO), None, "not often enough in a row");
        }
        standing.note(twilio, Said::Nothing, start);
        assert_eq!((down(Duration::ZERO), standing.down(telnyx, start)), (Some(Down::Failing), None));
        assert_eq!(down(REST), None, "the next call tries");
        standing.note(twilio, Said::Nothing, start + REST);
        assert_eq!(down(REST * 2 - Duration::from_millis(1)), Some(Down::Failing), "and once is enough then");
        standing.note(twilio, Said::Something, start + REST * 2);
        assert_eq!(down(REST * 2), None);
        standing.note(twilio, Said::No, start);
        assert_eq!((down(REST), down(REFUSED_REST)), (Some(Down::Refused), None));
        standing.forget(twilio);
        assert_eq!(down(Duration::ZERO), None, "it was entered anew");
    }
}
