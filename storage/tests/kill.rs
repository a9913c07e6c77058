//! Kills a process that writes, again and again, and looks at what is left.
//!
//! The binary runs itself as the victim. The victim tells on its standard output what was acknowledged to it;
//! whatever it has told must be there afterwards, and whatever else is there must be whole.
#![allow(clippy::unwrap_used, reason = "a test")]

use auricle_domain::Timestamp;
use auricle_domain::account::Actor;
use auricle_domain::contact::Contact;
use auricle_domain::event::Event;
use auricle_domain::id::{CallId, CauseId, ContactId, TenantId};
use auricle_storage::schema::CONTACTS_BY_NUMBER;
use auricle_storage::{Backend, BlobId, EventDraft, KeySource, OpId, Scan, Store, StoreError, StoreOptions};
use std::collections::HashSet;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

const ROUNDS: u64 = 6;
const WRITERS: u64 = 8;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [_, "victim", directory, round] => write_until_killed(Path::new(directory), round.parse().unwrap()),
        _ => whatever_was_acknowledged_survives_a_kill(),
    }
}

fn open(directory: &Path) -> Store {
    let tenant = TenantId::new(Timestamp::UNIX_EPOCH, [1; 10]);
    Store::open(StoreOptions {
        directory: directory.to_owned(),
        backend: Backend::Redb,
        keys: KeySource::File(directory.join("store.key")),
        tenant,
    })
    .unwrap()
}

fn contact(n: u64) -> Contact {
    let at = Timestamp::from_millisecond(i64::try_from(n).unwrap()).unwrap();
    Contact {
        id: ContactId::new(at, [7; 10]),
        name: String::new(),
        numbers: vec![format!("+{n}")],
        emails: vec![],
        language: None,
        notes: "x".repeat(200),
        created_at: at,
        version: 1,
    }
}

/// The recording of a round.
fn recording(round: u64) -> BlobId {
    BlobId::Recording(CallId::new(Timestamp::UNIX_EPOCH, [u8::try_from(round).unwrap(); 10]))
}

fn tell(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).unwrap();
}

/// Writes a contact and an event in each transaction, and a recording beside them, without end.
fn write_until_killed(directory: &Path, round: u64) {
    let store = open(directory);
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let store = store.clone();
            scope.spawn(move || {
                for n in 0.. {
                    let n = (round * WRITERS + writer) * 1_000_000 + n;
                    let closure = move |tx: &mut auricle_storage::WriteTx| {
                        let contact = contact(n);
                        tx.put(&contact)?;
                        tx.append(EventDraft {
                            at: contact.created_at,
                            actor: Actor::System,
                            cause: CauseId::new(contact.created_at, [8; 10]),
                            event: Event::ContactChanged { contact: contact.id },
                        });
                        Ok::<_, StoreError>(())
                    };
                    store
                        .run(OpId::derive("kill", &[&n.to_be_bytes()]), contact(n).created_at, closure)
                        .wait()
                        .unwrap();
                    tell(&format!("contact {n}"));
                }
            });
        }
        let mut audio = store.blobs().create(recording(round)).unwrap();
        for second in 1u64.. {
            audio.append(&[1; 32_000]).unwrap();
            audio.sync().unwrap();
            tell(&format!("audio {}", second * 32_000));
        }
    });
}

fn whatever_was_acknowledged_survives_a_kill() {
    let directory = tempfile::tempdir().unwrap();
    let mut acknowledged = HashSet::new();
    let mut head = 0;
    for round in 0..ROUNDS {
        let mut victim = Command::new(std::env::current_exe().unwrap())
            .args(["victim", directory.path().to_str().unwrap(), &round.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
        let mut audio_bytes = 0;
        let mut note = |line: String| match line.split_once(' ') {
            Some(("contact", n)) => drop(acknowledged.insert(n.parse::<u64>().unwrap())),
            Some(("audio", bytes)) => audio_bytes = bytes.parse::<u64>().unwrap(),
            _ => {}
        };
        // A different moment in each round.
        lines.by_ref().take(usize::try_from(40 + 97 * round).unwrap()).map(Result::unwrap).for_each(&mut note);
        victim.kill().unwrap();
        // What it had said before it died. A line is shorter than a pipe's atomic write, so it is whole.
        lines.map_while(Result::ok).for_each(note);
        victim.wait().unwrap();
        head = check(directory.path(), round, &acknowledged, audio_bytes, head);
    }
}

/// Opens what is left, and returns the number of its last event.
fn check(directory: &Path, round: u64, acknowledged: &HashSet<u64>, audio_bytes: u64, head_before: u64) -> u64 {
    let store = open(directory);
    for n in acknowledged {
        let by_key = store.read(|tx| tx.get::<Contact>(&contact(*n).id)).unwrap();
        let by_number = store.read(|tx| tx.find(CONTACTS_BY_NUMBER, tx.lookup().number(&format!("+{n}")))).unwrap();
        assert_eq!((by_key, by_number), (Some(contact(*n)), Some(contact(*n))), "one of {}", acknowledged.len());
    }
    let mut found = 0;
    let mut after = None;
    loop {
        let page = store.read(|tx| tx.scan(Scan::index(CONTACTS_BY_NUMBER).after(after).limit(500))).unwrap();
        found += page.items.len() as u64;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let mut numbers = Vec::new();
    while let Some(more) = store.feed(numbers.len() as u64, 500).ok().filter(|page| !page.is_empty()) {
        numbers.extend(more.into_iter().map(|envelope| envelope.seq));
    }
    let head = store.head();
    assert!(numbers.iter().copied().eq(1..=head), "the feed has holes");
    assert_eq!(found, head, "every contact has its event, and every event its contact");
    assert!(head >= head_before && found >= acknowledged.len() as u64);
    assert!(store.blobs().open(recording(round)).map_or(0, |audio| audio.len().unwrap()) >= audio_bytes);
    head
}
