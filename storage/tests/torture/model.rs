//! What the harnesses write, and how they look at what is left.
//!
//! There are a few entities, each a contact and, for every third, an account. Version N of an entity is made by one op from
//! version N - 1: a transaction that writes or deletes records with their index rows and appends one event. So whatever is found
//! after a fault must be, for every entity, exactly one of its versions, no older than the last acknowledged and no newer
//! than the last asked for; and everything that goes with it must be there once.

use auricle_domain::Timestamp;
use auricle_domain::account::{Account, Actor};
use auricle_domain::code::{AccountState, Lang, Role};
use auricle_domain::contact::Contact;
use auricle_domain::event::Event;
use auricle_domain::id::{AccountId, CauseId, ContactId, TenantId};
use auricle_storage::schema::{ACCOUNT_BY_EMAIL, CONTACTS_BY_EMAIL, CONTACTS_BY_NUMBER};
use auricle_storage::{
    Backend, Commit, EventDraft, Hooks, KeySource, OpId, Record, Scan, Store, StoreError, StoreOptions, WriteTx,
    testing,
};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Records of one page.
const PAGE: usize = 500;
/// Every so many versions an entity is deleted, to be made again by the next.
const DELETED_EVERY: u32 = 5;
/// Numbers of the tables in `schema.rs` whose rows are counted: feed, ops, audit.
const FEED_TABLE: u16 = 2;
const OP_TABLE: u16 = 5;
const AUDIT_TABLE: u16 = 7;

/// How every harness opens a store.
pub fn options(directory: &Path) -> StoreOptions {
    StoreOptions {
        directory: directory.to_owned(),
        backend: Backend::Redb,
        keys: KeySource::File(directory.join("store.key")),
        tenant: TenantId::new(Timestamp::UNIX_EPOCH, [1; 10]),
    }
}

/// Opens the store in a directory.
pub fn open(directory: &Path, hooks: Hooks) -> Result<Store, StoreError> {
    Store::open_with(options(directory), hooks)
}

/// Makes version `version` of an entity out of the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Op {
    pub entity: u32,
    pub version: u32,
}

/// What may be found of an entity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bounds {
    /// The last version that was acknowledged.
    pub acked: u32,
    /// The last version that was asked for.
    pub sent: u32,
}

/// What may be found of all entities.
pub type Ledger = BTreeMap<u32, Bounds>;

fn now() -> Timestamp {
    Timestamp::from_second(1_800_000_000).unwrap()
}

fn bytes(entity: u32) -> [u8; 10] {
    let mut bytes = [7; 10];
    bytes[..4].copy_from_slice(&entity.to_be_bytes());
    bytes
}

fn exists(version: u32) -> bool {
    version > 0 && !version.is_multiple_of(DELETED_EVERY)
}

/// The contact of an entity; none when this version is a deletion.
pub fn contact(entity: u32, version: u32) -> Option<Contact> {
    // Now and then one that fills several pages.
    let length = if (entity + version).is_multiple_of(11) { 6_000 } else { 50 + (entity * 37 + version * 101) % 900 };
    exists(version).then(|| Contact {
        id: ContactId::new(now(), bytes(entity)),
        name: format!("Person {entity} as of {version}"),
        numbers: vec![format!("+1{entity:09}"), format!("+2{entity:04}{version:06}")],
        emails: vec![format!("e{entity}@clinic.example")],
        language: None,
        notes: format!("{entity}.{version} ").repeat(length as usize / 5),
        created_at: now(),
        version: u64::from(version),
    })
}

/// The account of an entity; none when it has none, or this version is a deletion.
pub fn account(entity: u32, version: u32) -> Option<Account> {
    (exists(version) && entity.is_multiple_of(3)).then(|| Account {
        id: AccountId::new(now(), bytes(entity)),
        email: email(entity, version),
        name: format!("Person {entity}"),
        role: Role::Agent,
        language: Lang::En,
        state: AccountState::Active,
        password_hash: String::new(),
        failures: version,
        locked_until: None,
        created_at: now(),
        version: u64::from(version),
    })
}

fn email(entity: u32, version: u32) -> String {
    format!("a{entity}.{}@clinic.example", version % 2)
}

impl Op {
    fn id(self) -> OpId {
        OpId::derive("torture", &[&self.entity.to_be_bytes(), &self.version.to_be_bytes()])
    }

    /// Hands the op to a store. `before` runs at the begin of its closure.
    pub fn submit(self, store: &Store, before: impl Fn() + Send + 'static) -> Commit<u32, StoreError> {
        store.run(self.id(), now(), move |tx| {
            before();
            self.apply(tx)
        })
    }

    /// Runs the op and waits for its acknowledgement.
    pub fn run(self, store: &Store) -> Result<(), StoreError> {
        self.submit(store, || {}).wait().map(drop)
    }

    fn apply(self, tx: &mut WriteTx) -> Result<u32, StoreError> {
        match contact(self.entity, self.version) {
            Some(contact) => tx.put(&contact)?,
            None => drop(tx.delete::<Contact>(&ContactId::new(now(), bytes(self.entity)))?),
        }
        match account(self.entity, self.version) {
            Some(account) => tx.put(&account)?,
            None if self.entity.is_multiple_of(3) => {
                tx.delete::<Account>(&AccountId::new(now(), bytes(self.entity)))?;
            }
            None => {}
        }
        tx.append(EventDraft {
            at: now(),
            actor: Actor::System,
            cause: CauseId::new(now(), [8; 10]),
            event: Event::ContactChanged { contact: ContactId::new(now(), bytes(self.entity)) },
        });
        Ok(self.version)
    }
}

/// Looks at everything in the store. Returns the entities in the order of their events, or what is wrong.
pub fn check(store: &Store, ledger: &Ledger) -> Result<Vec<u32>, String> {
    let feed = feed(store, ledger)?;
    let mut found: BTreeMap<u32, u32> = ledger.keys().map(|entity| (*entity, 0)).collect();
    for entity in &feed {
        *found.entry(*entity).or_default() += 1;
    }
    for (entity, bounds) in ledger {
        let version = found[entity];
        if version < bounds.acked {
            return Err(format!("LOST: entity {entity} has version {version}, {bounds:?} was acknowledged"));
        }
        if version > bounds.sent {
            return Err(format!("entity {entity} has {version} events, {bounds:?}: more than was asked for"));
        }
    }
    records(store, &found)?;
    ops(store, ledger, &found)?;
    counts(store, &found, feed.len() as u64)?;
    Ok(feed)
}

/// How a failure begins that is an error of the store, and not a difference.
pub const SAID: &str = "the store says: ";

fn said(error: StoreError) -> String {
    format!("{SAID}{error}")
}

/// The entities that the feed's events are about, after looking at their numbers.
fn feed(store: &Store, ledger: &Ledger) -> Result<Vec<u32>, String> {
    let entities: HashMap<ContactId, u32> =
        ledger.keys().map(|entity| (ContactId::new(now(), bytes(*entity)), *entity)).collect();
    let mut feed = Vec::new();
    loop {
        let page = store.feed(feed.len() as u64, PAGE).map_err(said)?;
        if page.is_empty() {
            break;
        }
        for envelope in page {
            if envelope.seq != feed.len() as u64 + 1 {
                return Err(format!("event {} follows event {}", envelope.seq, feed.len()));
            }
            match envelope.event {
                Event::ContactChanged { contact } if entities.contains_key(&contact) => feed.push(entities[&contact]),
                other => return Err(format!("event {} is {other:?}, which nobody wrote", envelope.seq)),
            }
        }
    }
    if feed.len() as u64 != store.head() {
        return Err(format!("the feed has {} events, its head says {}", feed.len(), store.head()));
    }
    Ok(feed)
}

fn all<R: Record + Clone>(store: &Store, scan: impl Fn() -> Scan<R>) -> Result<Vec<R>, String> {
    let mut records = Vec::new();
    let mut after = None;
    loop {
        let page = store.read(|tx| tx.scan(scan().after(after).limit(PAGE))).map_err(said)?;
        records.extend(page.items);
        after = page.next;
        if after.is_none() {
            return Ok(records);
        }
    }
}

/// Compares two lists without printing either.
fn same<T: PartialEq>(
    what: &str,
    mut found: Vec<T>,
    mut expected: Vec<T>,
    key: impl Fn(&T) -> String,
) -> Result<(), String> {
    found.sort_by_key(&key);
    expected.sort_by_key(&key);
    if found == expected {
        return Ok(());
    }
    let (found, expected): (Vec<_>, Vec<_>) = (found.iter().map(&key).collect(), expected.iter().map(&key).collect());
    Err(format!("{what}: found {found:?}, expected {expected:?}"))
}

fn records(store: &Store, versions: &BTreeMap<u32, u32>) -> Result<(), String> {
    let contacts: Vec<_> = versions.iter().filter_map(|(entity, version)| contact(*entity, *version)).collect();
    let accounts: Vec<_> = versions.iter().filter_map(|(entity, version)| account(*entity, *version)).collect();
    let name = |contact: &Contact| contact.name.clone();
    same("contacts", all(store, Scan::table)?, contacts.clone(), name)?;
    same("contacts by e-mail", all(store, || Scan::index(CONTACTS_BY_EMAIL))?, contacts.clone(), name)?;
    // Each has two numbers.
    let twice = contacts.iter().chain(&contacts).cloned().collect();
    same("contacts by number", all(store, || Scan::index(CONTACTS_BY_NUMBER))?, twice, name)?;
    same("accounts", all(store, Scan::table)?, accounts.clone(), |account: &Account| account.email.clone())?;
    let mut by_email = Vec::new();
    for (entity, version) in versions {
        for version in [*version, *version + 1] {
            let find = store.read(|tx| tx.find(ACCOUNT_BY_EMAIL, tx.lookup().email(&email(*entity, version))));
            by_email.extend(find.map_err(said)?);
        }
    }
    same("accounts by e-mail", by_email, accounts, |account| account.email.clone())
}

/// Every op up to the version that is there is recorded, and no later one.
fn ops(store: &Store, ledger: &Ledger, versions: &BTreeMap<u32, u32>) -> Result<(), String> {
    for (entity, found) in versions {
        let sent = ledger.get(entity).map_or(*found, |bounds| bounds.sent);
        let recorded = store.read(|tx| {
            (1..=sent)
                .filter_map(|version| {
                    let op = Op { entity: *entity, version };
                    testing::is_recorded(tx, op.id(), now()).map(|there| there.then_some(version)).transpose()
                })
                .collect::<Result<Vec<_>, StoreError>>()
        });
        if recorded.map_err(said)?.into_iter().ne(1..=*found) {
            return Err(format!("entity {entity} has version {found}, its ops are recorded otherwise"));
        }
    }
    Ok(())
}

/// No row is left over in any table or index.
fn counts(store: &Store, versions: &BTreeMap<u32, u32>, events: u64) -> Result<(), String> {
    let contacts = versions.iter().filter(|(entity, version)| contact(**entity, **version).is_some()).count() as u64;
    let accounts = versions.iter().filter(|(entity, version)| account(**entity, **version).is_some()).count() as u64;
    let expected = [
        (FEED_TABLE, events),
        (OP_TABLE, events),
        (AUDIT_TABLE, events),
        (Contact::TABLE.id, contacts),
        (Account::TABLE.id, accounts),
    ];
    let rows = store.read(testing::rows_by_table).map_err(said)?;
    for (table, count) in expected {
        let found = rows.get(&table).copied().unwrap_or(0);
        if found != count {
            return Err(format!("table {table} has {found} rows, {count} belong there"));
        }
    }
    // Contacts have three index rows each, accounts one.
    let index_rows: u64 = rows.range(100..).map(|(_, count)| count).sum();
    if index_rows != 3 * contacts + accounts {
        return Err(format!("the indexes have {index_rows} rows, {} belong there", 3 * contacts + accounts));
    }
    let audit = store.verify_audit(&[], |_, _| {}).map_err(said)?;
    match audit.broken {
        None if audit.entries == events => Ok(()),
        broken => Err(format!("the audit chain has {} entries for {events} events; broken: {broken:?}", audit.entries)),
    }
}
