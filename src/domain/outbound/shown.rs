//! Which of the clinic's numbers a called party may be shown.

use super::Outbound;
use crate::id::TrunkId;

/// What a called party shall be shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Show {
    /// The first number of whichever trunk is taken.
    #[default]
    Usual,
    /// This number of the clinic's, with plus sign.
    Number(String),
    /// None: the trunk is told the usual one, and asked to keep it to itself.
    Withheld,
}

/// What whoever calls may choose among.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Shown {
    /// What is shown unless something else is asked for; none where it depends on whom one calls, or the provider chooses.
    pub usual: Option<String>,
    /// Every number that may be shown, in the order of the routes.
    pub numbers: Vec<String>,
}

impl Outbound {
    /// The numbers that may be shown: those of the trunks that are there and that routes name. A number that none of the trunks for
    /// the called party owns is refused when it comes to that.
    pub fn shown(&self, there: &[TrunkId]) -> Shown {
        if !self.is_on {
            return Shown::default();
        }
        let of = |trunk: &TrunkId| {
            let its = self.trunks.iter().find(|its| its.trunk == *trunk);
            its.map_or(&[][..], |its| &its.numbers)
        };
        let (mut numbers, mut usual) = (Vec::<String>::new(), Vec::new());
        for route in &self.routes {
            let trunks = || route.trunks.iter().filter(|trunk| there.contains(trunk));
            usual.push(trunks().next().and_then(|first| of(first).first()));
            for number in trunks().flat_map(of) {
                if !numbers.contains(number) {
                    numbers.push(number.clone());
                }
            }
        }
        let is_one = usual.windows(2).all(|pair| pair[0] == pair[1]);
        let usual = usual.first().copied().flatten().filter(|_| is_one);
        Shown { usual: usual.cloned(), numbers }
    }
}
