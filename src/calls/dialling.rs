//! What somebody who calls may choose, before they do.

use crate::app::App;
use crate::auth::{May, permissions::PlaceCalls};
use crate::error::Error;
use crate::{clinic, outbound, trunks};
use auricle_domain::trunk::Trunk;
use auricle_domain::{dialled, emergency};
use serde::{Deserialize, Serialize};

/// What whoever calls from here may choose.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Dialling {
    /// Whether there are calls to the outside at all; emergency numbers are dialled in any case.
    pub is_on: bool,
    /// The number that is shown unless another is asked for; none where it depends on whom one calls, or the provider chooses.
    pub usual: Option<String>,
    /// The clinic's numbers that may be shown (`caller_id` of `POST /api/calls`); one that the trunks for the called party do not
    /// own is refused.
    pub numbers: Vec<String>,
    /// Whether the clinic's number may be withheld (`is_withheld`), by a trunk at least.
    pub may_withhold: bool,
    /// The numbers for an emergency, that of the clinic's country first.
    pub emergency: Vec<String>,
}

/// What whoever calls from here may choose.
///
/// # Errors
/// When the store cannot be reached.
pub fn dialling(app: &App, _may: &May<PlaceCalls>) -> Result<Dialling, Error> {
    app.store.read(|tx| {
        let (rules, country) = (outbound::known(tx)?, clinic::known(tx)?.country);
        let shown = rules.shown(&outbound::ways(tx)?);
        let routed = |trunk: &Trunk| rules.routes.iter().any(|route| route.trunks.contains(&trunk.id));
        let may_withhold =
            rules.is_on && trunks::all(tx)?.iter().any(|trunk| trunk.is_on && trunk.withholds() && routed(trunk));
        let mut emergency = vec![emergency::number(&country)];
        for number in dialled::emergencies(&country) {
            if !emergency.contains(&number) {
                emergency.push(number);
            }
        }
        let emergency = emergency.into_iter().map(str::to_owned).collect();
        Ok(Dialling { is_on: rules.is_on, usual: shown.usual, numbers: shown.numbers, may_withhold, emergency })
    })
}
