#![allow(clippy::unwrap_used)]
use super::*;
use crate::kv::tests::{Opened, at, draft, op, open};
use crate::{Backend, Store};
use auricle_domain::event::Event;

/// A store with so many events, each of a transaction of its own.
fn with_events(events: u8) -> Opened {
    let opened = open(Backend::Redb);
    for n in 1..=events {
        let commit = opened.store.run::<(), StoreError, _>(op(u64::from(n)), at(0), move |tx| {
            tx.append(draft(n));
            Ok(())
        });
        commit.wait().unwrap();
    }
    opened
}

/// Does to the stored rows what somebody with the keys and the disk could do.
fn tamper(store: &Store, n: u64, closure: impl Fn(&mut WriteTx) -> Result<(), StoreError> + Send + 'static) {
    store.run::<(), StoreError, _>(op(1_000 + n), at(0), move |tx| closure(tx)).wait().unwrap();
}

fn broken(store: &Store, exported: &[AuditHead]) -> Option<AuditBreak> {
    store.verify_audit(exported, |_, _| {}).unwrap().broken
}

fn set(tx: &mut WriteTx, seq: u64, entry: Option<&AuditEntry>) -> Result<(), StoreError> {
    let value = entry.map(|entry| codec::encode(schema::AUDIT, entry)).transpose()?;
    tx.raw_set(schema::AUDIT.name, tx.key_of(schema::AUDIT, &seq), value)
}

fn entry(tx: &ReadTx, seq: u64) -> AuditEntry {
    tx.audit(seq + 1, 1).unwrap().remove(0)
}

/// SEC-20, B-17: every event has its entry, with who, what and when.
#[test]
fn every_event_is_linked_to_the_chain() {
    let Opened { store, .. } = with_events(3);
    let entries = store.read(|tx| tx.audit(u64::MAX, 10)).unwrap();
    assert_eq!(entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [3, 2, 1]);
    let event = draft(2);
    assert_eq!((entries[1].action.as_str(), entries[1].object.as_str()), ("contact.changed", "contact"));
    assert_eq!((entries[1].actor, entries[1].cause, entries[1].at), (event.actor, event.cause, event.at));
    assert_eq!(entries[1].id, event.event.object().1);
    let check = store.verify_audit(&[], |_, _| {}).unwrap();
    assert_eq!((check.entries, check.broken), (3, None));
    assert_eq!(check.head, store.read(ReadTx::audit_head).unwrap());
}

/// B-17: the reason of a reading is in the chain.
#[test]
fn a_reason_is_kept() {
    let Opened { store, .. } = open(Backend::Memory);
    let reason = Some("complaint of 3 May".to_owned());
    let event = Event::RecordRead { kind: "recording".to_owned(), id: "1".to_owned(), reason };
    let append = move |tx: &mut WriteTx| {
        tx.append(EventDraft { event: event.clone(), ..draft(1) });
        Ok::<(), StoreError>(())
    };
    store.run(op(1), at(0), append).wait().unwrap();
    let entries = store.read(|tx| tx.audit(u64::MAX, 10)).unwrap();
    assert_eq!(entries[0].reason.as_deref(), Some("complaint of 3 May"));
}

/// B-17: whoever changes, removes or adds an entry is found out, by its number.
#[test]
fn the_first_broken_link_is_named() {
    let Opened { store, .. } = with_events(6);
    tamper(&store, 1, |tx| {
        let mut changed = entry(tx, 3);
        changed.action = "contact.read".to_owned();
        set(tx, 3, Some(&changed))
    });
    assert_eq!(broken(&store, &[]), Some(AuditBreak::Changed { seq: 3 }));
    tamper(&store, 2, |tx| set(tx, 2, None));
    assert_eq!(broken(&store, &[]), Some(AuditBreak::Missing { seq: 2 }));
    tamper(&store, 3, |tx| tx.raw_set(schema::AUDIT.name, tx.key_of(schema::AUDIT, &1u64), Some(vec![9])));
    assert_eq!(broken(&store, &[]), Some(AuditBreak::Damaged { seq: 1 }));
}

#[test]
fn a_changed_last_entry_is_found_too() {
    let Opened { store, .. } = with_events(2);
    tamper(&store, 1, |tx| {
        let changed = AuditEntry { id: "somebody else".to_owned(), ..entry(tx, 2) };
        set(tx, 2, Some(&changed))
    });
    assert_eq!(broken(&store, &[]), Some(AuditBreak::Changed { seq: 2 }));
}

/// B-17: an exported head shows what the chain alone cannot: an end that was cut off, a chain that was written anew.
#[test]
fn an_exported_head_shows_a_cut_and_a_rewriting() {
    let Opened { store, .. } = with_events(5);
    let third = store.read(|tx| Ok::<_, StoreError>(AuditHead { seq: 3, link: entry(tx, 4).prev })).unwrap();
    let last = store.read(ReadTx::audit_head).unwrap();
    assert_eq!((broken(&store, &[third]), broken(&store, &[third, last])), (None, None));
    tamper(&store, 1, move |tx| {
        set(tx, 5, None)?;
        let fifth = AuditHead { seq: 4, link: entry(tx, 4).prev };
        let fourth = codec::encode(schema::AUDIT, &entry(tx, 4))?;
        tx.set_audit_head(AuditHead { link: link_of(&fourth), ..fifth })
    });
    assert_eq!(broken(&store, &[]), None, "nothing shows without the exported head");
    assert_eq!(broken(&store, &[third, last]), Some(AuditBreak::CutOff { end: 4, seq: 5 }));
    assert_eq!(broken(&store, &[third]), None);
    tamper(&store, 2, |tx| {
        let mut chain = Chain::new(tx.tenant().as_bytes());
        for n in 1..=4 {
            tx.audit_next(&mut chain, &draft(n + 100))?;
        }
        tx.set_audit_head(chain.head())
    });
    assert_eq!(broken(&store, &[]), None);
    assert_eq!(broken(&store, &[third]), Some(AuditBreak::Rewritten { seq: 3 }));
}
