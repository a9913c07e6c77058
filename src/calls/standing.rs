//! Whether a call is on, for whoever wants something of it.
//!
//! The floor has a call before the store does: nothing waits for the disk. So the live picture is asked first, and the store only about
//! calls that are not in it.

use super::known;
use crate::app::App;
use crate::error::{Error, ErrorCode};
use auricle_domain::call::Call;
use auricle_domain::code::CallStatus;
use auricle_domain::id::{AccountId, CallId};
use auricle_domain::live::{LiveCall, LiveStation};

/// A call that somebody wants something of.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Standing {
    /// It is on.
    On(LiveCall),
    /// It is over, or about to be written down as such.
    Over(Call),
}

/// Where a call stands.
///
/// # Errors
/// `not_found` when neither the floor nor the store has it.
pub(super) fn of(app: &App, id: CallId) -> Result<Standing, Error> {
    among(&app.floor.snapshot(), id, || app.store.read(|tx| known(tx, id)))
}

fn among(board: &[LiveCall], id: CallId, stored: impl FnOnce() -> Result<Call, Error>) -> Result<Standing, Error> {
    match board.iter().find(|live| live.call == id) {
        Some(live) => Ok(Standing::On(live.clone())),
        None => stored().map(Standing::Over),
    }
}

impl Standing {
    /// The call as it is on.
    ///
    /// # Errors
    /// `conflict` when it is over.
    pub(super) fn on(self) -> Result<LiveCall, Error> {
        match self {
            Self::On(live) => Ok(live),
            Self::Over(_) => Err(Error::new(ErrorCode::Conflict, "The call has ended already")),
        }
    }

    /// Whether this person handles it, or their softphone is in it.
    pub(super) fn is_of(&self, account: AccountId) -> bool {
        match self {
            Self::On(live) => live.agent == Some(account) || has_station(live, account, false),
            Self::Over(call) => call.status != CallStatus::Ended && call.agent == Some(account),
        }
    }

    /// Whether it rings at this person's softphone.
    pub(super) fn rings_for(&self, account: AccountId) -> bool {
        matches!(self, Self::On(live) if has_station(live, account, true))
    }
}

fn has_station(live: &LiveCall, account: AccountId, is_ringing: bool) -> bool {
    let is_it = |station: &LiveStation| station.is_ringing == is_ringing && station.account == account;
    live.stations.iter().any(is_it)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use auricle_domain::Timestamp;
    use auricle_domain::code::Part;
    use serde_json::json;

    fn account(n: u8) -> AccountId {
        AccountId::new(Timestamp::UNIX_EPOCH, [n; 10])
    }

    fn id(n: u8) -> CallId {
        CallId::new(Timestamp::UNIX_EPOCH, [n; 10])
    }

    fn unwritten() -> Result<Call, Error> {
        Err(Error::not_found("call"))
    }

    fn live(agent: AccountId, stations: &[(AccountId, bool)]) -> LiveCall {
        let at = Timestamp::UNIX_EPOCH;
        let station = |&(account, is_ringing): &(AccountId, bool)| LiveStation {
            account,
            is_ringing,
            is_muted: false,
            part: Part::Talk,
            since: at,
        };
        let card = json!({
            "call": id(1), "from_number": "201", "name": null, "status": "ringing", "language": "en", "created_at": at,
            "answered_at": null, "emergency": false, "last_speaker": null, "last_words": "", "agent": agent,
        });
        let card: LiveCall = serde_json::from_value(card).unwrap();
        LiveCall { stations: stations.iter().map(station).collect(), ..card }
    }

    fn over(status: &str, agent: AccountId) -> Call {
        let call = json!({
            "id": id(1), "from_number": "201", "to_number": "202", "status": status, "created_at": Timestamp::UNIX_EPOCH,
            "answered_at": null, "ended_at": null, "cause": null, "outcome": null, "language": "en", "agent": agent,
            "contact": null, "emergency": false, "version": 1, "conversation": id(2),
            "recording": { "state": "off", "rate_hz": 0, "length_ms": 0 },
        });
        serde_json::from_value(call).unwrap()
    }

    /// CALL-01: what the live picture shows is there, whether or not it has been written down: for whom it rings, whose it is, and for
    /// all others.
    #[test]
    fn a_call_that_is_on_is_known_before_it_is_written_down() {
        let board = [live(account(1), &[(account(1), false), (account(2), true), (account(3), false)])];
        let standing = among(&board, id(1), || unreachable!("the store need not be asked")).unwrap();
        let rings = [1, 2, 3, 4].map(|n| standing.rings_for(account(n)));
        let is_of = [1, 2, 3, 4].map(|n| standing.is_of(account(n)));
        assert_eq!((rings, is_of), ([false, true, false, false], [true, false, true, false]));
        assert_eq!(standing.on().unwrap(), board[0]);
        assert_eq!(among(&board, id(9), unwritten).unwrap_err().code, ErrorCode::NotFound);
    }

    /// A call that has left the live picture is nobody's any more once its end is written down.
    #[test]
    fn a_call_that_is_over_is_no_longer_acted_on() {
        for (status, is_his) in [("with_agent", true), ("ended", false)] {
            let standing = among(&[], id(1), || Ok(over(status, account(1)))).unwrap();
            assert_eq!((standing.is_of(account(1)), standing.is_of(account(2))), (is_his, false), "{status}");
            assert!(!standing.rings_for(account(1)));
            assert_eq!(standing.on().unwrap_err().code, ErrorCode::Conflict);
        }
    }
}
