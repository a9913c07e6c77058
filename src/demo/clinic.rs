//! The sample clinic: its settings, services, knowledge and people, from the files under `config/demo/`.

use crate::cli::Failure;
use auricle::accounts::{self, NewAccount};
use auricle::app::App;
use auricle::appointments::{self, ServiceInput};
use auricle::auth::{May, Permission, SignedIn};
use auricle::clinic::{self, ClinicInput};
use auricle::clock;
use auricle::error::Error;
use auricle::events::By;
use auricle::knowledge::{self, DocumentInput};
use auricle_domain::account::{Account, Actor};
use auricle_domain::code::{AccountState, DocumentState, Lang, Role};
use auricle_domain::event::Event;
use auricle_domain::id::{AccountId, CauseId, SessionId};
use jiff::ToSpan;
use serde::Deserialize;

const CLINIC: &str = include_str!("../../config/demo/clinic.toml");

const KNOWLEDGE: [(&str, &str); 6] = [
    ("Opening hours", include_str!("../../config/demo/knowledge/opening-hours.md")),
    ("Parking and access", include_str!("../../config/demo/knowledge/parking.md")),
    ("Prices", include_str!("../../config/demo/knowledge/prices.md")),
    ("Aftercare", include_str!("../../config/demo/knowledge/aftercare.md")),
    ("Cancelling and being late", include_str!("../../config/demo/knowledge/cancelling.md")),
    ("First visit", include_str!("../../config/demo/knowledge/first-visit.md")),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    clinic: ClinicInput,
    services: Vec<ServiceInput>,
    accounts: Vec<NewAccount>,
}

/// Somebody who can sign in to the sample clinic.
pub(super) struct Person {
    pub(super) role: Role,
    pub(super) email: String,
    pub(super) password: String,
}

/// Fills the empty clinic. Gives its people, and the administrator as signed in.
pub(super) async fn open(app: &App) -> Result<(Vec<Person>, SignedIn), Failure> {
    let file: File = toml::from_str(CLINIC).map_err(Failure::failed)?;
    let (people, admin) = people(app, file.accounts).await.map_err(Failure::failed)?;
    let admin = admin.ok_or_else(|| Failure::failed("the sample clinic has no administrator"))?;
    fill(app, admin, file.clinic, file.services).await.map_err(Failure::failed)?;
    Ok((people, admin))
}

/// The demo's own right to do something, as the administrator that it made.
pub(super) fn may<P: Permission>(admin: SignedIn) -> Result<May<P>, Error> {
    May::check(admin)
}

async fn fill(app: &App, admin: SignedIn, clinic: ClinicInput, services: Vec<ServiceInput>) -> Result<(), Error> {
    let version = clinic::get(app, &may(admin)?)?.version;
    clinic::replace(app, &may(admin)?, version, clinic).await?;
    for service in services {
        appointments::create_service(app, &may(admin)?, None, service).await?;
    }
    for (name, content) in KNOWLEDGE {
        let document = DocumentInput {
            name: name.to_owned(),
            content: content.to_owned(),
            language: Some(Lang::En),
            namespace: None,
            state: Some(DocumentState::Live),
        };
        knowledge::create(app, &may(admin)?, None, document).await?;
    }
    Ok(())
}

/// Makes the accounts. Their passwords are random and, the clinic being gone when the demo ends, need not be changed first.
async fn people(app: &App, accounts: Vec<NewAccount>) -> Result<(Vec<Person>, Option<SignedIn>), Error> {
    let (mut people, mut admin) = (Vec::new(), None);
    for account in accounts {
        let by = By { actor: Actor::Console, cause: clock::fresh(CauseId::new, (app.clock)()) };
        let invited = accounts::add(&app.events, by, clock::op(), account).await?;
        let (id, role, email) = (invited.account.id, invited.account.role, invited.account.email);
        activate(app, by, id).await?;
        if role == Role::Admin {
            admin = Some(signed_in(app, id, by.cause));
        }
        people.push(Person { role, email, password: invited.one_time_password });
    }
    Ok((people, admin))
}

async fn activate(app: &App, by: By, id: AccountId) -> Result<(), Error> {
    let activated = app.events.commit(clock::op(), by, move |tx| {
        let mut account = tx.get::<Account>(&id)?.ok_or_else(|| Error::not_found("account"))?;
        account.state = AccountState::Active;
        account.version += 1;
        tx.put(&account)?;
        tx.event(Event::AccountChanged { account: id, role: account.role });
        Ok(())
    });
    activated.await
}

fn signed_in(app: &App, account: AccountId, cause: CauseId) -> SignedIn {
    let now = (app.clock)();
    SignedIn {
        account,
        role: Role::Admin,
        language: Lang::En,
        state: AccountState::Active,
        session: clock::fresh(SessionId::new, now),
        expires_at: now.checked_add(24.hours()).unwrap_or(now),
        cause,
    }
}
