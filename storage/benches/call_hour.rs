//! Bytes on the disk for an hour of a call: its audio, its records and its words in the search index; on the disk of the folder named
//! in `AURICLE_BENCH_DIR` (the system's temporary folder unless told).
//!
//! The call is written as the service writes it: three channels at 8 kHz in frames of 20 ms, synced every second; 600 turns of twelve words
//! with their times, each in a transaction with call, conversation and event. The records are those of 20 such calls, the audio that
//! of one. A clinic's call lasts minutes, not an hour: what each call costs by itself is shown as well.
#![allow(clippy::unwrap_used, reason = "a benchmark")]

use auricle_domain::Timestamp;
use auricle_domain::account::Actor;
use auricle_domain::call::{Call, CallQuality, Entrance, Recording};
use auricle_domain::code::{
    CallDirection, CallStatus, Channel, EndCause, EntranceKind, Heard, Lang, Outcome, RecordingState, Speaker,
};
use auricle_domain::conversation::{Conversation, Turn, Word};
use auricle_domain::event::Event;
use auricle_domain::id::{CallId, CauseId, ConversationId, TenantId};
use auricle_storage::search::{Search, SearchChange, SearchDocument, SearchKind};
use auricle_storage::testing::sealed_bytes;
use auricle_storage::{Backend, BlobId, EventDraft, KeySource, OpId, Store, StoreError, StoreOptions, WriteTx};
use std::io::Write;
use std::path::Path;

/// Calls whose records are written.
const CALLS: u64 = 20;
/// Calls without a turn that are written.
const SHORT_CALLS: u64 = 100;
/// Turns of an hour, and words of a turn.
const TURNS: u32 = 600;
const WORDS: usize = 12;
/// Bytes of a frame of 20 ms of all channels, frames of a second, seconds of an hour.
const FRAME_BYTES: usize = 960;
const FRAMES: usize = 50;
const SECONDS: usize = 3_600;
/// What is said.
const VOCABULARY: &[&str] = &[
    "please",
    "appointment",
    "tomorrow",
    "morning",
    "the",
    "would",
    "like",
    "before",
    "noon",
    "call",
    "back",
    "results",
    "to",
    "number",
    "name",
    "thank",
    "clinic",
    "parking",
];

fn main() {
    let parent = std::env::var_os("AURICLE_BENCH_DIR").map_or_else(std::env::temp_dir, Into::into);
    let folder = tempfile::tempdir_in(&parent).unwrap();
    let tenant = TenantId::new(at(0), [1; 10]);
    let directory = folder.path().join("clinic");
    let store = Store::open(StoreOptions {
        directory: directory.clone(),
        backend: Backend::Redb,
        keys: KeySource::Fresh,
        tenant,
    })
    .unwrap();
    let (audio, plain) = audio(&store, &directory);
    say(&format!("audio: {:.1} MB an hour, {:.2} % over that of the samples", mb(audio), percent_over(audio, plain)));
    let file = directory.join("store.redb");
    let length = || std::fs::metadata(&file).unwrap().len();
    let (file_before, before) = (length(), sealed_bytes(&store).unwrap());
    let mut documents = Vec::new();
    for n in 0..CALLS {
        documents.extend(call(&store, n));
    }
    let records = (length() - file_before) / CALLS;
    let rows = (sealed_bytes(&store).unwrap() - before) / CALLS;
    say(&format!(
        "records: {:.2} MB an hour of sealed rows, {:.0} bytes a turn; {:.2} MB of file, which grows in big steps ({} events, of \
         {CALLS} hours together)",
        mb(rows),
        rows as f64 / f64::from(TURNS),
        mb(records),
        store.head()
    ));
    let before = sealed_bytes(&store).unwrap();
    (0..SHORT_CALLS).for_each(|n| arrive_and_end(&store, CALLS + n));
    let each = (sealed_bytes(&store).unwrap() - before) / SHORT_CALLS;
    say(&format!("records of a call without a turn: {each} bytes of sealed rows"));
    let search = Search::open(&folder.path().join("search"), &store.search_key()).unwrap();
    let head = store.head();
    search.apply(documents, head).unwrap();
    drop(search);
    let index = bytes_in(&folder.path().join("search")) / CALLS;
    say(&format!("search index: {:.2} MB an hour, {:.0} bytes a turn", mb(index), index as f64 / f64::from(TURNS)));
    say(&format!("an hour of a call: {:.1} MB on the disk", mb(audio + records + index)));
}

fn mb(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn percent_over(bytes: u64, of: u64) -> f64 {
    (bytes as f64 / of as f64 - 1.0) * 100.0
}

fn at(ms: u64) -> Timestamp {
    Timestamp::from_millisecond(1_800_000_000_000 + ms as i64).unwrap()
}

fn random(n: u64) -> [u8; 10] {
    let mut random = [0; 10];
    random[..8].copy_from_slice(&n.to_be_bytes());
    random
}

fn call_id(n: u64) -> CallId {
    CallId::new(at(n), random(n))
}

/// Writes an hour of audio. Its bytes on the disk, and those of its samples.
fn audio(store: &Store, directory: &Path) -> (u64, u64) {
    let id = BlobId::Recording(call_id(0));
    let frame: Vec<u8> = (0..FRAME_BYTES).map(|at| (at * 31 % 251) as u8).collect();
    let mut writer = store.blobs().create(id).unwrap();
    for _ in 0..SECONDS {
        (0..FRAMES).for_each(|_| writer.append(&frame).unwrap());
        writer.sync().unwrap();
    }
    writer.finish().unwrap();
    (bytes_in(&directory.join("blobs/recordings")), (FRAME_BYTES * FRAMES * SECONDS) as u64)
}

fn bytes_in(folder: &Path) -> u64 {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

/// A call and its conversation at their begin.
fn begun(n: u64) -> (Call, Conversation) {
    let conversation = ConversationId::new(at(n), random(n));
    let recording = Recording { rate_hz: 8_000, offset_ms: 20, ..Recording::empty(RecordingState::Recording) };
    let call = Call {
        id: call_id(n),
        direction: CallDirection::Incoming,
        from_number: format!("+1555{n:07}"),
        to_number: "clinic".to_owned(),
        identity: Default::default(),
        status: CallStatus::WithReceptionist,
        created_at: at(n),
        answered_at: Some(at(n)),
        ended_at: None,
        cause: None,
        outcome: None,
        language: Lang::En,
        agent: None,
        contact: None,
        conversation,
        recording,
        emergency: false,
        quality: CallQuality::default(),
        outgoing: Vec::new(),
        entrance: Some(Entrance::of(EntranceKind::Address)),
        version: 1,
    };
    let conversation = Conversation {
        id: conversation,
        call: call.id,
        contact: None,
        language: Lang::En,
        created_at: at(n),
        turns: 0,
        version: 1,
    };
    (call, conversation)
}

/// Commits what has become of a call, as the floor does.
fn commit(store: &Store, call: &Call, conversation: &Conversation, turn: Option<&Turn>, events: Vec<Event>) {
    let op = OpId::derive("bench", &[call.id.as_bytes(), &call.version.to_be_bytes()]);
    let (call, conversation, turn) = (call.clone(), conversation.clone(), turn.cloned());
    let at = call.created_at;
    let closure = move |tx: &mut WriteTx| {
        tx.put(&call)?;
        tx.put(&conversation)?;
        turn.as_ref().map_or(Ok(()), |turn| tx.put(turn))?;
        for event in events.clone() {
            let actor = Actor::Receptionist { call: call.id };
            tx.append(EventDraft { at, actor, cause: CauseId::new(at, [8; 10]), event });
        }
        Ok::<(), StoreError>(())
    };
    store.run(op, at, closure).wait().unwrap();
}

fn begin(store: &Store, call: &Call, conversation: &Conversation) {
    let arrived = Event::CallArrived {
        call: call.id,
        conversation: conversation.id,
        from_number: call.from_number.clone(),
        to_number: call.to_number.clone(),
    };
    let answered = Event::CallAnswered { call: call.id, answer_ms: 4 };
    let recording = Event::CallRecording { call: call.id, state: RecordingState::Recording, length_ms: 1_000 };
    commit(store, call, conversation, None, vec![arrived, answered, recording]);
}

fn end(store: &Store, mut call: Call, conversation: &Conversation) {
    let outcome = Outcome::AnsweredQuestion;
    call.version += 1;
    call.status = CallStatus::Ended;
    (call.ended_at, call.cause, call.outcome) = (Some(call.created_at), Some(EndCause::CallerHungUp), Some(outcome));
    call.recording.state = RecordingState::Stopped;
    call.recording.sha256 = Some("ab".repeat(32));
    let events = vec![
        Event::CallOutcome { call: call.id, outcome },
        Event::CallRecording { call: call.id, state: RecordingState::Stopped, length_ms: 3_600_000 },
        Event::CallEnded { call: call.id, end: EndCause::CallerHungUp },
    ];
    commit(store, &call, conversation, None, events);
}

fn arrive_and_end(store: &Store, n: u64) {
    let (call, conversation) = begun(n);
    begin(store, &call, &conversation);
    end(store, call, &conversation);
}

/// Writes an hour's call without its audio. Its turns, as the search index takes them in.
fn call(store: &Store, n: u64) -> Vec<SearchChange> {
    let (mut call, mut conversation) = begun(n);
    begin(store, &call, &conversation);
    let mut documents = Vec::new();
    for index in 0..TURNS {
        let turn = turn(&call, index);
        conversation.turns += 1;
        conversation.version += 1;
        call.version += 1;
        commit(store, &call, &conversation, Some(&turn), vec![Event::TurnCommitted { turn: Box::new(turn.clone()) }]);
        documents.push(SearchChange::Put(Box::new(document(&call, &turn))));
    }
    end(store, call, &conversation);
    documents
}

fn turn(call: &Call, index: u32) -> Turn {
    let start_ms = u64::from(index) * 6_000;
    let word = |at: usize| VOCABULARY[(index as usize * 7 + at * at) % VOCABULARY.len()].to_owned();
    let words: Vec<Word> = (0..WORDS)
        .map(|at| {
            let start_ms = start_ms + at as u64 * 300;
            Word { text: word(at), start_ms, end_ms: start_ms + 280 }
        })
        .collect();
    let is_caller = index.is_multiple_of(2);
    Turn {
        conversation: call.conversation,
        call: call.id,
        index,
        speaker: if is_caller { Speaker::Caller } else { Speaker::Receptionist },
        text: words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" "),
        language: Lang::En,
        start_ms,
        end_ms: start_ms + 3_600,
        heard: Heard::Full,
        words,
        citations: vec![],
        tools: vec![],
        reply_ms: (!is_caller).then_some(640),
        engine: if is_caller { "pocketsphinx".to_owned() } else { "local".to_owned() },
    }
}

fn document(call: &Call, turn: &Turn) -> SearchDocument {
    SearchDocument {
        kind: SearchKind::Turn,
        id: format!("{}-{}", call.conversation, turn.index),
        parent: Some(call.id.to_string()),
        call: Some(call.id),
        at: call.created_at,
        start_ms: Some(turn.start_ms),
        title: String::new(),
        text: turn.text.clone(),
        language: Some(turn.language),
        outcome: None,
        agent: None,
        channel: Some(Channel::Phone),
    }
}

fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").unwrap();
}
