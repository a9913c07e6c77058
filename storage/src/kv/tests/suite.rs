//! One suite, instantiated for both backends.

use super::records::records_are_those_of_ordered_maps;
use super::{Opened, account, append_one, at, contact, draft, id, model::rows_are_those_of_an_ordered_map, op, put};
use crate::schema::{ACCOUNT_BY_EMAIL, CONTACTS_BY_NUMBER, FEED};
use crate::*;
use auricle_domain::account::Account;
use auricle_domain::contact::Contact;
use auricle_domain::id::AccountId;
use std::sync::Barrier;

fn a_record_is_found_by_key_and_by_index_until_it_is_deleted(Opened { store, .. }: Opened) {
    put(&store, 1, contact(1, &["+420 111", "+420 222"]));
    put(&store, 2, contact(1, &["+420 222", "+420 333"]));
    let by = |number: &'static str| {
        store.read(|tx| tx.find(CONTACTS_BY_NUMBER, tx.lookup().number(number))).map_err(|e: StoreError| e).unwrap()
    };
    assert_eq!(by("+420111"), None);
    assert_eq!(by("+420333"), Some(contact(1, &["+420 222", "+420 333"])));
    let key = contact(1, &[]).id;
    assert!(store.run(op(3), at(0), move |tx| tx.delete::<Contact>(&key)).wait().unwrap());
    assert_eq!(by("+420333"), None);
    assert_eq!(store.read(|tx| tx.get::<Contact>(&key)), Ok(None));
}

fn pages_follow_each_other_in_both_directions(Opened { store, .. }: Opened) {
    for n in 1..=7 {
        put(&store, u64::from(n), contact(n, &[]));
    }
    for newest_first in [false, true] {
        let mut names = Vec::new();
        let mut after = None;
        loop {
            let mut scan = Scan::<Contact>::table().limit(3).after(after);
            if newest_first {
                scan = scan.newest_first();
            }
            let page = store.read(|tx| tx.scan(scan)).unwrap();
            assert!(page.items.len() <= 3);
            names.extend(page.items.iter().map(|contact| contact.name.clone()));
            match page.next {
                // A cursor survives its way through a URL.
                Some(next) => after = Some(next.to_string().parse().unwrap()),
                None => break,
            }
        }
        let mut expected: Vec<String> = (1..=7).map(|n| format!("Person {n}")).collect();
        if newest_first {
            expected.reverse();
        }
        assert_eq!(names, expected);
    }
}

fn the_feed_is_numbered_without_holes_whoever_appends(Opened { store, .. }: Opened) {
    let threads: Vec<_> = (0..8u64)
        .map(|thread| {
            let store = store.clone();
            std::thread::spawn(move || {
                for n in 0..25 {
                    let fails = n % 5 == 4;
                    let outcome = store
                        .run(op(thread * 1_000 + n), at(0), move |tx| {
                            tx.append(draft(1));
                            tx.append(draft(2));
                            if fails { Err(StoreError::BadCursor) } else { Ok(()) }
                        })
                        .wait();
                    assert_eq!(outcome.is_err(), fails);
                }
            })
        })
        .collect();
    threads.into_iter().for_each(|thread| thread.join().unwrap());
    let feed = store.feed(0, 1_000).unwrap();
    assert_eq!(store.head(), 8 * 20 * 2);
    assert_eq!(feed.iter().map(|envelope| envelope.seq).collect::<Vec<_>>(), (1..=320).collect::<Vec<_>>());
    assert_eq!(store.feed(318, 1_000).unwrap().len(), 2);
    assert_eq!(store.feed(u64::MAX, 1_000), Ok(vec![]));
}

fn an_op_runs_once_and_answers_the_same_for_a_week(Opened { store, .. }: Opened) {
    let run = |number: u64, now| {
        let closure = move |tx: &mut WriteTx| {
            tx.append(draft(1));
            tx.head().map(|head| (head, "reply".to_owned()))
        };
        store.run(op(number), now, closure).wait().unwrap()
    };
    let day = 24 * 3600;
    let first = run(1, at(0));
    assert_eq!(run(1, at(0)), first);
    assert_eq!(run(1, at(7 * day)), first);
    assert_eq!(run(1, at(-7 * day)), first, "the clock was set back");
    assert_eq!(store.head(), 1);
    // Weeks later other transactions have swept it away, and it would run again.
    run(2, at(30 * day));
    run(3, at(30 * day));
    assert_eq!(run(1, at(0)).0, 3);
}

fn a_closure_that_fails_leaves_no_trace_and_nobody_else_fails(Opened { store, .. }: Opened) {
    let fail = |n: u8| {
        store.run(op(u64::from(n)), at(0), move |tx| {
            tx.put(&contact(n, &["1"]))?;
            tx.append(draft(1));
            if n == 2 { Err(StoreError::BadCursor) } else { Ok(()) }
        })
    };
    // All three wait for the writer at once.
    let commits = [fail(1), fail(2), fail(3)];
    let outcomes = commits.map(Commit::wait);
    assert_eq!(outcomes, [Ok(()), Err(StoreError::BadCursor), Ok(())]);
    let found = store.read(|tx| tx.scan(Scan::index(CONTACTS_BY_NUMBER))).unwrap();
    assert_eq!(found.items, [contact(1, &["1"]), contact(3, &["1"])]);
    assert_eq!(store.head(), 2);
}

fn a_closure_that_panics_fails_alone(Opened { store, .. }: Opened) {
    let panics = store.run(op(1), at(0), |tx| -> Result<(), StoreError> {
        tx.put(&contact(1, &[]))?;
        std::panic::resume_unwind(Box::new("this test"))
    });
    assert_eq!(panics.wait(), Err(StoreError::Panicked));
    put(&store, 2, contact(2, &[]));
    assert_eq!(store.read(|tx| tx.get::<Contact>(&contact(1, &[]).id)), Ok(None));
}

fn a_unique_value_is_had_once_however_it_is_written(Opened { store, .. }: Opened) {
    let write = |n: u64, account: Account| store.run(op(n), at(0), move |tx| tx.put(&account)).wait();
    write(1, account(1, "ann@clinic.example")).unwrap();
    let refused = Err(StoreError::Duplicate { index: "account_by_email" });
    assert_eq!(write(2, account(2, "Ann@Clinic.Example")), refused);
    write(3, account(1, "anna@clinic.example")).unwrap();
    write(4, account(2, "ann@clinic.example")).unwrap();
    let find = |email| {
        store
            .read(|tx| tx.find(ACCOUNT_BY_EMAIL, tx.lookup().email(email)))
            .map(|found: Option<Account>| found.map(|account| account.id))
    };
    assert_eq!(find("ann@clinic.example"), Ok(Some(AccountId::new(at(2), id(2)))));
    assert_eq!(find("anna@clinic.example"), Ok(Some(AccountId::new(at(1), id(1)))));
}

fn decisions_made_side_by_side_do_not_contradict_each_other(Opened { store, .. }: Opened) {
    // Eight writers; each adds a number only if fewer than three are there. No row is common to all of them.
    let barrier = Barrier::new(8);
    let added: usize = std::thread::scope(|scope| {
        let run = |n: u8| {
            barrier.wait();
            let closure = move |tx: &mut WriteTx| {
                let there = tx.scan(Scan::<Contact>::table())?.items.len();
                if there < 3 {
                    tx.put(&contact(n, &[]))?;
                }
                Ok::<_, StoreError>(there < 3)
            };
            usize::from(store.run(op(u64::from(n)), at(0), closure).wait().unwrap())
        };
        let threads: Vec<_> = (1..=8).map(|n| scope.spawn(move || run(n))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!(added, 3);
    assert_eq!(store.read(|tx| tx.scan(Scan::<Contact>::table())).unwrap().items.len(), 3);
}

fn a_snapshot_does_not_move(Opened { store, .. }: Opened) {
    put(&store, 1, contact(1, &["1"]));
    store
        .read(|tx| {
            let changed = Contact { name: "changed".to_owned(), ..contact(1, &[]) };
            put(&store, 2, changed);
            put(&store, 3, contact(2, &["1"]));
            assert_eq!(tx.get::<Contact>(&contact(1, &[]).id)?, Some(contact(1, &["1"])));
            assert_eq!(tx.scan(Scan::index(CONTACTS_BY_NUMBER))?.items, [contact(1, &["1"])]);
            Ok::<_, StoreError>(())
        })
        .unwrap();
    assert_eq!(store.read(|tx| tx.scan(Scan::index(CONTACTS_BY_NUMBER))).unwrap().items, [contact(2, &["1"])]);
}

fn limits_are_kept(Opened { store, .. }: Opened) {
    let with_notes = |length: usize| Contact { notes: "x".repeat(length), ..contact(1, &[]) };
    let write = |n: u64, record: Contact| store.run(op(n), at(0), move |tx| tx.put(&record)).wait();
    write(1, with_notes(VALUE_BYTES_MAX - 500)).unwrap();
    assert!(matches!(write(2, with_notes(VALUE_BYTES_MAX)), Err(StoreError::ValueTooLong { table: "contact", .. })));
    let many = store.run(op(3), at(0), move |tx| {
        (0..20).try_for_each(|n| tx.put(&Contact { notes: "x".repeat(60_000), ..contact(n, &[]) }))
    });
    assert_eq!(many.wait(), Err(StoreError::TransactionTooBig { max: TRANSACTION_BYTES_MAX }));
    let long = store.run(op(4), at(0), |tx| {
        let key = tx.key_of(FEED, &"x".repeat(KEY_BYTES_MAX).as_str());
        tx.raw_set(FEED.name, key, Some(vec![]))
    });
    assert!(matches!(long.wait(), Err(StoreError::KeyTooLong { table: "feed", .. })));
    let reply = store.run(op(5), at(0), |_| Ok::<_, StoreError>("x".repeat(VALUE_BYTES_MAX)));
    assert!(matches!(reply.wait(), Err(StoreError::ValueTooLong { table: "op", .. })));
}

fn a_cursor_is_remembered_and_can_be_set_back(Opened { store, .. }: Opened) {
    assert_eq!(store.cursor("search"), Ok(0));
    for seq in [5, 9, 5] {
        store.set_cursor("search", seq).wait().unwrap();
        assert_eq!(store.cursor("search"), Ok(seq));
    }
    assert_eq!(store.cursor("searches"), Ok(0));
}

fn a_watcher_can_read_what_it_is_told_of(Opened { store, .. }: Opened) {
    let watch = store.watch();
    assert_eq!(*watch.borrow(), 0);
    store.run(op(1), at(0), append_one).wait().unwrap();
    assert!(watch.has_changed().unwrap());
    let head = *watch.borrow();
    assert_eq!(store.feed(head - 1, 1).unwrap()[0].seq, head);
    assert_eq!(store.feed(0, 1).unwrap()[0].tenant, store.tenant());
}

/// A follower that panics, and one that stands still with a view open, hold up nobody, and neither loses its place.
fn followers_that_fail_block_no_writer(Opened { store, .. }: Opened) {
    let append = |n: u64| {
        let closure = |tx: &mut WriteTx| {
            tx.append(draft(1));
            Ok::<(), StoreError>(())
        };
        store.run(op(n), at(0), closure).wait().unwrap();
    };
    append(1);
    let (seen, stands) = std::sync::mpsc::channel();
    let (go, wait) = std::sync::mpsc::channel::<()>();
    std::thread::scope(|scope| {
        let still = store.clone();
        let stalled = scope.spawn(move || {
            still.read(|tx| {
                let page = tx.feed(0, 10)?;
                seen.send(page.len()).unwrap();
                // Until it is let go, which is when all writes are done.
                let _dropped = wait.recv();
                Ok::<(), StoreError>(())
            })
        });
        assert_eq!(stands.recv(), Ok(1));
        let panicking = store.clone();
        let follower = scope.spawn(move || {
            panicking.set_cursor("panics", 1).wait().unwrap();
            let page = panicking.read::<_, StoreError>(|tx| {
                assert!(tx.feed(0, 10)?.is_empty(), "a follower of a test panics");
                Ok(())
            });
            page.unwrap();
        });
        assert!(follower.join().is_err());
        (2..=50).for_each(append);
        drop(go);
        stalled.join().unwrap().unwrap();
    });
    assert_eq!(store.head(), 50);
    assert_eq!(store.cursor("panics"), Ok(1));
    assert_eq!(store.feed(1, 100).unwrap().len(), 49);
}

fn a_cursor_of_another_list_leads_nowhere_else(Opened { store, .. }: Opened) {
    put(&store, 1, contact(1, &["1"]));
    put(&store, 2, contact(2, &["2"]));
    for text in ["ff", "00", &"ff".repeat(200)] {
        let after = Some(text.parse::<Cursor>().unwrap());
        for scan in [Scan::table(), Scan::table().newest_first()] {
            let page = store.read(|tx| tx.scan::<Contact>(scan.after(after.clone()))).unwrap();
            assert!(page.items.len() <= 2);
        }
    }
    for bad in ["", "f", "zz", "+1", "\u{e9}\u{e9}", &"ff".repeat(2_000)] {
        assert_eq!(bad.parse::<Cursor>(), Err(StoreError::BadCursor), "{bad}");
    }
}

fn a_commit_is_awaited_like_any_future(Opened { store, .. }: Opened) {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = std::sync::Arc::new(Unpark(std::thread::current())).into();
    let mut commit = std::pin::pin!(store.run(op(1), at(0), |tx| tx.put(&contact(1, &[]))));
    let outcome = loop {
        match commit.as_mut().poll(&mut std::task::Context::from_waker(&waker)) {
            std::task::Poll::Ready(outcome) => break outcome,
            std::task::Poll::Pending => std::thread::park(),
        }
    };
    assert_eq!(outcome, Ok(()));
}

macro_rules! for_both_backends {
    ($($test:ident),+ $(,)?) => {
        mod redb {
            $(#[test] fn $test() { super::$test(super::super::open(crate::Backend::Redb)); })+
        }
        mod memory {
            $(#[test] fn $test() { super::$test(super::super::open(crate::Backend::Memory)); })+
        }
    };
}
for_both_backends!(
    a_record_is_found_by_key_and_by_index_until_it_is_deleted,
    pages_follow_each_other_in_both_directions,
    the_feed_is_numbered_without_holes_whoever_appends,
    an_op_runs_once_and_answers_the_same_for_a_week,
    a_closure_that_fails_leaves_no_trace_and_nobody_else_fails,
    a_closure_that_panics_fails_alone,
    a_unique_value_is_had_once_however_it_is_written,
    decisions_made_side_by_side_do_not_contradict_each_other,
    a_snapshot_does_not_move,
    limits_are_kept,
    a_cursor_is_remembered_and_can_be_set_back,
    a_watcher_can_read_what_it_is_told_of,
    followers_that_fail_block_no_writer,
    a_cursor_of_another_list_leads_nowhere_else,
    a_commit_is_awaited_like_any_future,
    rows_are_those_of_an_ordered_map,
    records_are_those_of_ordered_maps,
);
