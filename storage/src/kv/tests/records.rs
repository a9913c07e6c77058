//! Records with their indexes against `BTreeMap`s: unique values, pages in both directions, ops that are asked for again.

use super::{Opened, account, at, id};
use crate::schema::{ACCOUNT_BY_EMAIL, SESSIONS_BY_ACCOUNT, SESSIONS_BY_END, StoredSession};
use crate::{OpId, ReadTx, Scan, StoreError, WriteTx};
use auricle_domain::account::{Account, Session};
use auricle_domain::id::{AccountId, SessionId};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::collections::BTreeMap;

/// Sessions: key, whose, and when it ends. Accounts: key, and which e-mail address.
#[derive(Clone, Debug, Default)]
struct Model {
    sessions: BTreeMap<u8, (u8, u8)>,
    accounts: BTreeMap<u8, u8>,
}

#[derive(Clone, Debug)]
enum Step {
    PutSession { key: u8, account: u8, end: u8 },
    DeleteSession(u8),
    PutAccount { key: u8, email: u8 },
    DeleteAccount(u8),
    Find(u8),
    Pages { by: Order, newest_first: bool, limit: usize },
}

#[derive(Clone, Copy, Debug)]
enum Order {
    Key,
    End,
    OfAccount(u8),
}

/// A new transaction, or one that ran before, asked for again.
#[derive(Clone, Debug)]
enum Asked {
    New(Vec<Step>),
    Again(prop::sample::Index),
}

fn asked() -> impl Strategy<Value = Vec<Asked>> {
    let order = prop_oneof![Just(Order::Key), Just(Order::End), (0u8..3).prop_map(Order::OfAccount)];
    let step = prop_oneof![
        3 => (0u8..8, 0u8..3, 0u8..4).prop_map(|(key, account, end)| Step::PutSession { key, account, end }),
        1 => (0u8..8).prop_map(Step::DeleteSession),
        3 => (0u8..4, 0u8..5).prop_map(|(key, email)| Step::PutAccount { key, email }),
        1 => (0u8..4).prop_map(Step::DeleteAccount),
        1 => (0u8..5).prop_map(Step::Find),
        3 => (order, any::<bool>(), 1usize..4)
            .prop_map(|(by, newest_first, limit)| Step::Pages { by, newest_first, limit }),
    ];
    let asked = prop_oneof![
        4 => proptest::collection::vec(step, 1..8).prop_map(Asked::New),
        1 => any::<prop::sample::Index>().prop_map(Asked::Again),
    ];
    proptest::collection::vec(asked, 1..16)
}

fn session(key: u8, owner: u8, end: u8) -> StoredSession {
    let session = Session {
        id: SessionId::new(at(0), id(key)),
        account: account(owner, "").id,
        created_at: at(0),
        expires_at: at(i64::from(end)),
        seen_at: at(0),
    };
    StoredSession { token_sha256: [key; 32], session }
}

fn email(email: u8) -> String {
    format!("e{email}@clinic.example")
}

/// What a step finds in the model; none when it must be refused.
fn expected(model: &mut Model, step: &Step) -> Option<Vec<u8>> {
    match *step {
        Step::PutSession { key, account, end } => {
            model.sessions.insert(key, (account, end));
        }
        Step::DeleteSession(key) => return Some(vec![u8::from(model.sessions.remove(&key).is_some())]),
        Step::PutAccount { key, email } => {
            if model.accounts.iter().any(|(other, taken)| *other != key && *taken == email) {
                return None;
            }
            model.accounts.insert(key, email);
        }
        Step::DeleteAccount(key) => return Some(vec![u8::from(model.accounts.remove(&key).is_some())]),
        Step::Find(email) => {
            return Some(model.accounts.iter().filter(|(_, taken)| **taken == email).map(|(key, _)| *key).collect());
        }
        Step::Pages { by, newest_first, .. } => {
            let mut keys: Vec<(u8, u8)> = model
                .sessions
                .iter()
                .filter(|(_, (account, _))| !matches!(by, Order::OfAccount(owner) if owner != *account))
                .map(|(key, (_, end))| (if matches!(by, Order::End) { *end } else { 0 }, *key))
                .collect();
            keys.sort_unstable();
            if newest_first {
                keys.reverse();
            }
            return Some(keys.into_iter().map(|(_, key)| key).collect());
        }
    }
    Some(Vec::new())
}

fn pages(tx: &ReadTx, by: Order, newest_first: bool, limit: usize) -> Result<Vec<u8>, StoreError> {
    let (mut keys, mut after) = (Vec::new(), None);
    loop {
        let mut scan = match by {
            Order::Key => Scan::<StoredSession>::table(),
            Order::End => Scan::index(SESSIONS_BY_END),
            Order::OfAccount(owner) => Scan::index(SESSIONS_BY_ACCOUNT).prefix(account(owner, "").id),
        };
        if newest_first {
            scan = scan.newest_first();
        }
        let page = tx.scan(scan.limit(limit).after(after))?;
        keys.extend(page.items.iter().map(|session| session.token_sha256[0]));
        after = page.next;
        if after.is_none() {
            return Ok(keys);
        }
    }
}

/// Does a step, and says what it found.
fn apply(tx: &mut WriteTx, step: &Step) -> Result<Vec<u8>, StoreError> {
    let account_id = |key: u8| account(key, "").id;
    match *step {
        Step::PutSession { key, account, end } => tx.put(&session(key, account, end))?,
        Step::DeleteSession(key) => return Ok(vec![u8::from(tx.delete::<StoredSession>(&[key; 32])?)]),
        Step::PutAccount { key, email: taken } => tx.put(&account(key, &email(taken)))?,
        Step::DeleteAccount(key) => return Ok(vec![u8::from(tx.delete::<Account>(&account_id(key))?)]),
        Step::Find(taken) => {
            let found: Option<Account> = tx.find(ACCOUNT_BY_EMAIL, tx.lookup().email(&email(taken)))?;
            let key = |id: AccountId| (0..4).find(|key| account_id(*key) == id);
            return Ok(found.and_then(|found| key(found.id)).into_iter().collect());
        }
        Step::Pages { by, newest_first, limit } => return pages(tx, by, newest_first, limit),
    }
    Ok(Vec::new())
}

type Reply = Result<Vec<Vec<u8>>, StoreError>;

/// Runs the transactions one after the other and compares every reply.
fn check(opened: &Opened, case: u64, asked: Vec<Asked>) -> Result<(), TestCaseError> {
    let op = |number: usize| OpId::derive("records", &[&case.to_be_bytes(), &(number as u64).to_be_bytes()]);
    let run = |number: usize, steps: Vec<Step>| -> Reply {
        let closure = move |tx: &mut WriteTx| steps.iter().map(|step| apply(tx, step)).collect();
        opened.store.run(op(number), at(0), closure).wait()
    };
    let mut model = Model::default();
    let mut ran: Vec<(Vec<Step>, Reply)> = Vec::new();
    for asked in asked {
        let (number, steps) = match asked {
            Asked::New(steps) => (ran.len(), steps),
            Asked::Again(_) if ran.is_empty() => continue,
            Asked::Again(which) => (which.index(ran.len()), which.get(&ran).0.clone()),
        };
        // One that succeeded answers as it did then; one that failed wrote nothing, and runs as if for the first time.
        let reply = match ran.get(number) {
            Some((_, Ok(reply))) => Ok(reply.clone()),
            _ => {
                let mut after = model.clone();
                let found: Option<Vec<_>> = steps.iter().map(|step| expected(&mut after, step)).collect();
                if found.is_some() {
                    model = after;
                }
                found.ok_or(StoreError::Duplicate { index: "account_by_email" })
            }
        };
        prop_assert_eq!(&run(number, steps.clone()), &reply);
        if number == ran.len() {
            ran.push((steps, reply));
        } else {
            ran[number].1 = reply;
        }
    }
    // The next case begins with nothing.
    let everything = (0..8).map(Step::DeleteSession).chain((0..4).map(Step::DeleteAccount)).collect();
    prop_assert!(run(usize::MAX, everything).is_ok());
    Ok(())
}

pub(super) fn records_are_those_of_ordered_maps(opened: Opened) {
    let case = std::cell::Cell::new(0);
    TestRunner::new(super::model::config())
        .run(&asked(), |asked| {
            case.set(case.get() + 1);
            check(&opened, case.get(), asked)
        })
        .unwrap();
}
