//! What tests inject, and that it is noticed.

use super::{Opened, at, contact, draft, op, options};
use crate::{Backend, Faults, Hooks, Store, StoreError};
use auricle_domain::contact::Contact;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

fn open(backend: Backend, faults: Faults) -> Opened {
    let directory = tempfile::tempdir().unwrap();
    let hooks = Hooks { faults: Some(faults), ..Hooks::default() };
    let store = Store::open_with(options(directory.path(), backend), hooks).unwrap();
    Opened { store, directory }
}

#[test]
fn a_closure_that_is_not_pure_is_refused() {
    for backend in [Backend::Redb, Backend::Memory] {
        let Opened { store, directory: _kept } = open(backend, Faults { run_twice: true, ..Faults::default() });
        let mut runs = 0;
        let counts = store.run(op(1), at(0), move |tx| {
            runs += 1;
            tx.put(&contact(runs, &[]))
        });
        assert_eq!(counts.wait(), Err(StoreError::Impure));
        let mut runs = 0;
        let answers_otherwise = store.run(op(2), at(0), move |_| {
            runs += 1;
            Ok::<u32, StoreError>(runs)
        });
        assert_eq!(answers_otherwise.wait(), Err(StoreError::Impure));
        let pure = store.run(op(3), at(0), |tx| tx.put(&contact(9, &[])));
        assert_eq!(pure.wait(), Ok(()));
        let all = store.read(|tx| tx.scan::<Contact>(crate::Scan::table())).unwrap();
        assert_eq!(all.items, [contact(9, &[])]);
    }
}

#[test]
fn a_conflict_runs_the_closure_again() {
    for backend in [Backend::Redb, Backend::Memory] {
        let Opened { store, directory: _kept } = open(backend, Faults { conflict_every: 1, ..Faults::default() });
        let runs = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&runs);
        let commit = store.run(op(1), at(0), move |tx| {
            counted.fetch_add(1, Ordering::Relaxed);
            tx.append(draft(1));
            Ok::<(), StoreError>(())
        });
        assert_eq!(commit.wait(), Ok(()));
        assert_eq!((runs.load(Ordering::Relaxed), store.head()), (2, 1));
    }
}

#[test]
fn after_a_lost_reply_the_recorded_one_is_given() {
    for backend in [Backend::Redb, Backend::Memory] {
        let Opened { store, directory: _kept } = open(backend, Faults { lost_reply_every: 1, ..Faults::default() });
        let runs = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&runs);
        let commit = store.run(op(1), at(0), move |tx| {
            tx.append(draft(1));
            Ok::<u32, StoreError>(counted.fetch_add(1, Ordering::Relaxed))
        });
        assert_eq!(commit.wait(), Ok(0));
        assert_eq!((runs.load(Ordering::Relaxed), store.head()), (1, 1), "asked again, it did not run again");
    }
}

/// Every fault at once, on the backend on disk; the one in memory has them always.
fn with_all() -> Opened {
    open(Backend::Redb, Faults { run_twice: true, conflict_every: 10, lost_reply_every: 101 })
}

#[test]
fn rows_are_those_of_an_ordered_map_with_faults() {
    super::model::rows_are_those_of_an_ordered_map(with_all());
}

#[test]
fn records_are_those_of_ordered_maps_with_faults() {
    super::records::records_are_those_of_ordered_maps(with_all());
}
