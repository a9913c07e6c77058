//! The same work by SQLite (write-ahead log, `synchronous=FULL`): a read of the record, the record with one index row, an event, the
//! op with its reply. Nothing is sealed and there is no audit chain, which is to its advantage.
//!
//! SQLite has one writer at a time, so its threads take turns at one connection; a second way hands their writes to one thread that
//! commits what waits together, as the store does.

use crate::{Waits, measure, read_beside, task};
use auricle_domain::task::Task;
use rusqlite::{Connection, OptionalExtension, params};
use std::path::Path;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

/// Writes that are committed together, at most; as in the store.
const GROUP_MAX: usize = 512;

const SCHEMA: &str = "
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS task (id BLOB PRIMARY KEY, state TEXT NOT NULL, created_at INTEGER NOT NULL, body BLOB NOT NULL) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS task_by_state ON task (state, created_at);
    CREATE TABLE IF NOT EXISTS feed (seq INTEGER PRIMARY KEY, body BLOB NOT NULL);
    CREATE TABLE IF NOT EXISTS op (id BLOB PRIMARY KEY, reply BLOB NOT NULL) WITHOUT ROWID;
";

fn connect(path: &Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection.busy_timeout(Duration::from_secs(10)).unwrap();
    connection.execute_batch(SCHEMA).unwrap();
    connection
}

/// The rows of one write, within whatever transaction is open.
fn rows(connection: &Connection, task: &Task) {
    let id = task.id.as_bytes().as_slice();
    let old = connection
        .prepare_cached("SELECT body FROM task WHERE id = ?1")
        .unwrap()
        .query_row([id], |row| row.get::<_, Vec<u8>>(0))
        .optional()
        .unwrap();
    assert!(old.is_none(), "every write makes a new task");
    let body = serde_json::to_vec(task).unwrap();
    let event = serde_json::json!({"type": "task.changed", "task": task.id, "kind": task.kind, "state": task.state});
    connection
        .prepare_cached("INSERT INTO task VALUES (?1, ?2, ?3, ?4)")
        .unwrap()
        .execute(params![id, task.state.as_str(), task.created_at.as_microsecond(), body])
        .unwrap();
    connection
        .prepare_cached("INSERT INTO feed (body) VALUES (?1)")
        .unwrap()
        .execute([serde_json::to_vec(&event).unwrap()])
        .unwrap();
    connection.prepare_cached("INSERT INTO op VALUES (?1, ?2)").unwrap().execute(params![id, b"null"]).unwrap();
}

/// One commit for each write.
pub fn alone(folder: &Path, writers: u64) -> Waits {
    let connection = Mutex::new(connect(&folder.join("alone.sqlite")));
    measure(writers, |n| {
        let mut connection = connection.lock().unwrap();
        let transaction = connection.transaction().unwrap();
        rows(&transaction, &task(n));
        transaction.commit().unwrap();
    })
}

type Waiting = (Task, Sender<()>);

fn commit_groups(mut connection: Connection, queue: &Receiver<Waiting>) {
    while let Ok(first) = queue.recv() {
        let mut group = vec![first];
        group.extend(queue.try_iter().take(GROUP_MAX - 1));
        let transaction = connection.transaction().unwrap();
        group.iter().for_each(|(task, _)| rows(&transaction, task));
        transaction.commit().unwrap();
        for (_, answer) in group {
            answer.send(()).unwrap();
        }
    }
}

/// One commit for all that wait, and reads beside them: the waits of both.
pub fn grouped(folder: &Path, writers: u64) -> (Waits, Waits) {
    let path = folder.join("grouped.sqlite");
    let connection = connect(&path);
    let (sender, queue) = channel::<Waiting>();
    let thread = std::thread::spawn(move || commit_groups(connection, &queue));
    let write = |n| {
        let (answer, answered) = channel();
        sender.send((task(n), answer)).unwrap();
        answered.recv().unwrap();
    };
    let reads = connect(&path);
    let read = |n| {
        let mut found = reads.prepare_cached("SELECT body FROM task WHERE id = ?1").unwrap();
        found.query_row([task(n).id.as_bytes().as_slice()], |row| row.get::<_, Vec<u8>>(0)).optional().unwrap();
    };
    let waits = read_beside(|| measure(writers, write), read);
    drop(sender);
    thread.join().unwrap();
    waits
}
