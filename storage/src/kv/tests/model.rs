//! The backends against `BTreeMap`.

use super::{Opened, at, op};
use crate::codec::Table;
use crate::kv::{KeyRange, Row};
use crate::{ReadTx, StoreError, WriteTx};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use std::collections::BTreeMap;

const TABLE: Table = Table { id: 900, name: "model", version: 1 };

type Model = BTreeMap<Vec<u8>, Vec<u8>>;

/// One step of a transaction. Keys are few, so that they meet.
#[derive(Clone, Debug)]
enum Step {
    Set(Vec<u8>, Vec<u8>),
    Delete(Vec<u8>),
    Get(Vec<u8>),
    Range { from: Vec<u8>, to: Option<Vec<u8>>, reverse: bool, limit: usize },
}

/// The steps of a transaction, and whether it fails at its end.
type Transaction = (Vec<Step>, bool);

fn transactions() -> impl Strategy<Value = Vec<Transaction>> {
    let key = || proptest::collection::vec(0u8..4, 0..3);
    let step = prop_oneof![
        3 => (key(), proptest::collection::vec(any::<u8>(), 0..4)).prop_map(|(key, value)| Step::Set(key, value)),
        1 => key().prop_map(Step::Delete),
        2 => key().prop_map(Step::Get),
        2 => (key(), proptest::option::of(key()), any::<bool>(), 0usize..6)
            .prop_map(|(from, to, reverse, limit)| Step::Range { from, to, reverse, limit }),
    ];
    let transaction = (proptest::collection::vec(step, 0..12), proptest::bool::weighted(0.2));
    proptest::collection::vec(transaction, 1..10)
}

/// What a step finds in the model.
fn expected(model: &mut Model, step: &Step) -> Vec<Row> {
    match step {
        Step::Set(key, value) => {
            model.insert(key.clone(), value.clone());
            Vec::new()
        }
        Step::Delete(key) => {
            model.remove(key);
            Vec::new()
        }
        Step::Get(key) => {
            model.get_key_value(key).map(|(key, value)| (key.clone(), value.clone())).into_iter().collect()
        }
        Step::Range { from, to, reverse, limit } => {
            let inside = |key: &&Vec<u8>| *key >= from && to.as_ref().is_none_or(|to| *key < to);
            let mut rows: Vec<_> =
                model.iter().filter(|(key, _)| inside(key)).map(|(key, value)| (key.clone(), value.clone())).collect();
            if *reverse {
                rows.reverse();
            }
            rows.truncate(*limit);
            rows
        }
    }
}

/// What a reading step finds in the store.
fn read(tx: &ReadTx, step: &Step) -> Result<Vec<Row>, StoreError> {
    let head = tx.key_of(TABLE, &());
    let whole = |key: &[u8]| [head.as_slice(), key].concat();
    match step {
        Step::Get(key) => Ok(tx.raw_get(&whole(key))?.map(|value| (key.clone(), value)).into_iter().collect()),
        Step::Range { from, to, reverse, limit } => {
            let end = to.as_ref().map_or_else(|| crate::key::after_prefix(&head), |to| Some(whole(to)));
            let rows = tx.raw_range(&KeyRange { start: whole(from), end }, *reverse, *limit)?;
            Ok(rows.into_iter().map(|(key, value)| (key[head.len()..].to_vec(), value)).collect())
        }
        Step::Set(..) | Step::Delete(_) => Ok(Vec::new()),
    }
}

fn write(tx: &mut WriteTx, step: &Step) -> Result<(), StoreError> {
    let whole = |tx: &WriteTx, key: &[u8]| [tx.key_of(TABLE, &()).as_slice(), key].concat();
    match step {
        Step::Set(key, value) => tx.raw_set(TABLE.name, whole(tx, key), Some(value.clone())),
        Step::Delete(key) => tx.raw_set(TABLE.name, whole(tx, key), None),
        Step::Get(_) | Step::Range { .. } => Ok(()),
    }
}

/// Runs transactions, all handed in before the first is waited for, and compares every answer on the way.
fn check(opened: &Opened, case: u64, transactions: Vec<Transaction>) -> Result<(), TestCaseError> {
    let store = &opened.store;
    let mut model = Model::new();
    let mut running = Vec::new();
    let everything = Step::Range { from: vec![], to: None, reverse: false, limit: 1_000 };
    for (at_step, (steps, fails)) in transactions.into_iter().enumerate() {
        let mut after = model.clone();
        let answers: Vec<_> = steps.iter().map(|step| expected(&mut after, step)).collect();
        if !fails {
            model = after;
        }
        let commit = store.run(op(case * 1_000 + at_step as u64), at(0), move |tx| {
            let mut found = Vec::new();
            for step in &steps {
                write(tx, step)?;
                found.push(read(tx, step)?);
            }
            if found != answers {
                Err(StoreError::BadCursor)
            } else if fails {
                Err(StoreError::Closed)
            } else {
                Ok(())
            }
        });
        running.push((commit, if fails { Err(StoreError::Closed) } else { Ok(()) }));
    }
    for (commit, outcome) in running {
        prop_assert_eq!(commit.wait(), outcome);
    }
    let rows = store.read(|tx| read(tx, &everything)).unwrap();
    prop_assert_eq!(rows, model.into_iter().collect::<Vec<_>>());
    // The next case begins with nothing.
    let clear = store.run(op(case * 1_000 + 999), at(0), |tx| {
        let range = KeyRange { start: tx.key_of(TABLE, &()), end: crate::key::after_prefix(&tx.key_of(TABLE, &())) };
        tx.raw_range(&range, false, 1_000)?.into_iter().try_for_each(|(key, _)| tx.raw_set(TABLE.name, key, None))
    });
    prop_assert_eq!(clear.wait(), Ok(()));
    Ok(())
}

/// `AURICLE_MODEL_CASES` says how many cases are tried; 100 unless told.
pub(super) fn config() -> ProptestConfig {
    let cases = std::env::var("AURICLE_MODEL_CASES").map_or(100, |cases| cases.parse().unwrap());
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

pub(super) fn rows_are_those_of_an_ordered_map(opened: Opened) {
    let case = std::cell::Cell::new(0);
    TestRunner::new(config())
        .run(&transactions(), |transactions| {
            case.set(case.get() + 1);
            check(&opened, case.get(), transactions)
        })
        .unwrap();
}
