//! People the clinic knows.

use crate::app::App;
use crate::auth::May;
use crate::auth::permissions::{EditContacts, ReadContacts};
use crate::clock;
use crate::error::Error;
use crate::events::Writing;
use crate::page::{Checks, Page, PageQuery, cursor_of};
use auricle_domain::code::Lang;
use auricle_domain::contact::Contact;
use auricle_domain::event::Event;
use auricle_domain::id::ContactId;
use auricle_storage::{ReadTx, Scan, schema};
use serde::Deserialize;

/// Numbers, and e-mail addresses, of one person.
const ADDRESSES_MAX: usize = 10;
/// Longest name, in characters.
const NAME_CHARS_MAX: usize = 255;
/// Longest number as written, in characters.
pub(crate) const NUMBER_CHARS_MAX: usize = 64;
/// Longest e-mail address, in characters.
const EMAIL_CHARS_MAX: usize = 254;
/// Longest notes, in characters.
const NOTES_CHARS_MAX: usize = 10_000;

/// A person to add, or all of a person's fields when changing.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContactInput {
    /// Full name, up to 255 characters; may be empty while a number is known.
    #[serde(default)]
    pub name: String,
    /// Telephone numbers, at most 10, E.164 where possible.
    #[serde(default)]
    pub numbers: Vec<String>,
    /// E-mail addresses, at most 10.
    #[serde(default)]
    pub emails: Vec<String>,
    /// Language they prefer.
    #[serde(default)]
    pub language: Option<Lang>,
    /// Notes of staff, up to 10,000 characters.
    #[serde(default)]
    pub notes: String,
}

impl ContactInput {
    /// Trimmed, and within its limits.
    fn checked(self) -> Result<Self, Error> {
        let mut checks = Checks::default();
        let name = checks.text("name", &self.name, 0, NAME_CHARS_MAX);
        let notes = checks.text("notes", &self.notes, 0, NOTES_CHARS_MAX);
        let few = |list: &[String]| list.len() <= ADDRESSES_MAX;
        let range = |field: &str, list: &[String]| {
            format!("{field} has {} entries, allowed are up to {ADDRESSES_MAX}", list.len())
        };
        checks.require(few(&self.numbers), "numbers", "too_long", || range("numbers", &self.numbers));
        checks.require(few(&self.emails), "emails", "too_long", || range("emails", &self.emails));
        let each = |checks: &mut Checks, field: &str, list: &[String], max| -> Vec<String> {
            let entries = list.iter().take(ADDRESSES_MAX).enumerate();
            entries.map(|(index, text)| checks.text(&format!("{field}[{index}]"), text, 1, max)).collect()
        };
        let numbers = each(&mut checks, "numbers", &self.numbers, NUMBER_CHARS_MAX);
        let emails = each(&mut checks, "emails", &self.emails, EMAIL_CHARS_MAX);
        let anything = !name.is_empty() || !numbers.is_empty() || !emails.is_empty();
        checks.require(anything, "name", "required", || {
            "a contact needs a name, a number or an e-mail address".to_owned()
        });
        checks.done()?;
        Ok(Self { name, numbers, emails, notes, language: self.language })
    }

    /// Writes these fields over a contact's.
    fn onto(&self, contact: &mut Contact) {
        contact.name.clone_from(&self.name);
        contact.numbers.clone_from(&self.numbers);
        contact.emails.clone_from(&self.emails);
        contact.notes.clone_from(&self.notes);
        contact.language = self.language;
    }
}

/// People the clinic knows, newest first; that they were read is noted.
///
/// # Errors
/// `invalid` for a page that cannot be.
pub async fn list(app: &App, may: &May<ReadContacts>, query: &PageQuery) -> Result<Page<Contact>, Error> {
    let scan = Scan::<Contact>::table().newest_first().limit(query.limit()?).after(cursor_of(query.after.as_deref())?);
    let page = Page::of(app.store.read(|tx| tx.scan(scan))?, |contact| contact);
    app.events.record_read(may.reading(), "contact", "list").await?;
    Ok(page)
}

/// One person; that they were read is noted.
///
/// # Errors
/// `not_found`.
pub async fn get(app: &App, may: &May<ReadContacts>, id: ContactId) -> Result<Contact, Error> {
    let contact = app.store.read(|tx| known(tx, id))?;
    app.events.record_read(may.reading(), "contact", id).await?;
    Ok(contact)
}

/// Adds a person.
///
/// # Errors
/// `invalid` with the fields at fault.
pub async fn create(
    app: &App,
    may: &May<EditContacts>,
    key: Option<&str>,
    input: ContactInput,
) -> Result<Contact, Error> {
    let input = input.checked()?;
    let id = clock::fresh(ContactId::new, (app.clock)());
    let added = app.events.commit(may.op("contact.create", key), may.by(), move |tx| {
        let mut contact = fresh(id, tx.at());
        input.onto(&mut contact);
        put(tx, contact)
    });
    added.await
}

/// Replaces all fields of a person.
///
/// # Errors
/// `not_found`, `stale`, `invalid`.
pub async fn replace(
    app: &App,
    may: &May<EditContacts>,
    id: ContactId,
    version: u64,
    input: ContactInput,
) -> Result<Contact, Error> {
    let input = input.checked()?;
    let changed = app.events.commit(clock::op(), may.by(), move |tx| {
        let mut contact = known(tx, id)?;
        if contact.version != version {
            return Err(Error::stale("contact", version, contact.version));
        }
        input.onto(&mut contact);
        put(tx, contact)
    });
    changed.await
}

/// The contact with this number, or a new one with the identity `id`; a name that is not known yet is kept.
///
/// # Errors
/// When the store fails.
pub(crate) fn with_number(
    tx: &mut Writing<'_>,
    id: ContactId,
    name: &str,
    number: &str,
) -> Result<Option<Contact>, Error> {
    if number.is_empty() {
        return Ok(None);
    }
    let key = tx.lookup().number(number);
    let same = tx.scan(Scan::index(schema::CONTACTS_BY_NUMBER).prefix(key).limit(ADDRESSES_MAX))?.items;
    // People share telephones: the same number under another name is another person.
    let known = same
        .into_iter()
        .find(|contact| contact.name.is_empty() || contact.name.eq_ignore_ascii_case(name) || name.is_empty());
    match known {
        Some(contact) if !contact.name.is_empty() || name.is_empty() => Ok(Some(contact)),
        Some(contact) => put(tx, Contact { name: name.to_owned(), ..contact }).map(Some),
        None => {
            let contact = Contact { name: name.to_owned(), numbers: vec![number.to_owned()], ..fresh(id, tx.at()) };
            put(tx, contact).map(Some)
        }
    }
}

fn fresh(id: ContactId, created_at: auricle_domain::Timestamp) -> Contact {
    Contact {
        id,
        name: String::new(),
        numbers: Vec::new(),
        emails: Vec::new(),
        language: None,
        notes: String::new(),
        created_at,
        version: 0,
    }
}

fn known(tx: &ReadTx, id: ContactId) -> Result<Contact, Error> {
    tx.get(&id)?.ok_or_else(|| Error::not_found("contact"))
}

fn put(tx: &mut Writing<'_>, mut contact: Contact) -> Result<Contact, Error> {
    contact.version += 1;
    tx.put(&contact)?;
    tx.event(Event::ContactChanged { contact: contact.id });
    Ok(contact)
}
