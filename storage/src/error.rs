//! What can go wrong in the store, and who is at fault.

use std::path::{Path, PathBuf};

/// The way back from damage, in words for an administrator.
pub(crate) const RESTORE: &str =
    "Everything else goes on; bring it back with `auricle restore` from a backup made before";

/// A failure of the store. None of the texts carries a value of a record: keys and values may be about people.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The code that built the key is at fault.
    #[error("a key of table {table} has {bytes} bytes; at most {max} are allowed")]
    KeyTooLong {
        /// The table or index.
        table: &'static str,
        /// Length of the key.
        bytes: usize,
        /// The longest allowed.
        max: usize,
    },
    /// The record belongs in a blob.
    #[error("a value of table {table} has {bytes} bytes; at most {max} are allowed, bigger ones go to blobs")]
    ValueTooLong {
        /// The table.
        table: &'static str,
        /// Length of the encoded value.
        bytes: usize,
        /// The longest allowed.
        max: usize,
    },
    /// The work has to be cut into several transactions.
    #[error("the transaction writes more than {max} bytes; cut the work into several transactions")]
    TransactionTooBig {
        /// The most a transaction may write.
        max: usize,
    },
    /// The closure does too much, or its machine is stalled.
    #[error("the transaction has been open for {elapsed_ms} ms; at most {max_ms} ms are allowed")]
    TransactionTooSlow {
        /// How long it has been open.
        elapsed_ms: u64,
        /// The longest allowed.
        max_ms: u64,
    },
    /// Another record already has this value of a unique index.
    #[error("another record already has this value in the unique index {index}")]
    Duplicate {
        /// The index.
        index: &'static str,
    },
    /// A value could not be encoded.
    #[error("a value of table {table} cannot be encoded: {reason}")]
    Encoding {
        /// The table.
        table: &'static str,
        /// Why.
        reason: String,
    },
    /// A stored value is not what its table promises.
    #[error("a value of table {table} cannot be decoded: {reason}")]
    Decoding {
        /// The table.
        table: &'static str,
        /// Why.
        reason: String,
    },
    /// The store was written by another version of the program.
    #[error("a value of table {table} has version {found}; this program reads version {known}")]
    Version {
        /// The table.
        table: &'static str,
        /// The version found.
        found: u8,
        /// The version known.
        known: u8,
    },
    /// A list cursor was not one of ours; the client is at fault.
    #[error("the cursor is not one that a list has returned")]
    BadCursor,
    /// Too much work waits for the disk; the caller may try again later.
    #[error("{waiting} transactions already wait for the disk")]
    Busy {
        /// How many wait.
        waiting: usize,
    },
    /// There is too little room for what was asked.
    #[error("{what} has {free_mib} MiB free, and {needed_mib} MiB are needed")]
    NoRoom {
        /// The folder.
        what: PathBuf,
        /// Room there is, in MiB.
        free_mib: u64,
        /// Room needed, in MiB.
        needed_mib: u64,
    },
    /// Something is there that must not be written over.
    #[error("{path} is there already and not empty; nothing was changed. Name one that is not there")]
    NotEmpty {
        /// The folder or file.
        path: PathBuf,
    },
    /// The disk is nearly full; an administrator must make room.
    #[error("the disk has {free_mib} MiB left: only what calls and sign-in need is written until there is more room")]
    DiskLow {
        /// Room left, in MiB.
        free_mib: u64,
    },
    /// Others kept changing what the closure had read.
    #[error("the transaction was tried {attempts} times, and what it read was changed by others each time")]
    Conflict {
        /// How often it was tried.
        attempts: u32,
    },
    /// The closure did something else when it ran again: it used a clock, randomness, or state outside the transaction.
    #[error("the closure of a transaction wrote something else when it ran a second time")]
    Impure,
    /// The closure panicked; nothing was written.
    #[error("the closure of a transaction panicked")]
    Panicked,
    /// The store is being closed.
    #[error("the store is closed")]
    Closed,
    /// Another process has the store open.
    #[error("{path} is in use by another process")]
    InUse {
        /// The file.
        path: PathBuf,
    },
    /// The disk or the file system failed. For the record store this ends the process.
    #[error("{attempt} failed for {path}: {reason}")]
    Io {
        /// What was attempted.
        attempt: &'static str,
        /// On which file or directory.
        path: PathBuf,
        /// The system's words.
        reason: String,
        /// Whether the file does not exist.
        missing: bool,
    },
    /// What is on the disk is not what was written there, or is sealed with another key: it was damaged, moved or exchanged.
    #[error("{what} is damaged or sealed with another key; nothing of it is used. {way_back}")]
    Damaged {
        /// The record, file or part of it.
        what: String,
        /// What an administrator can do.
        way_back: &'static str,
    },
    /// The store, or a file of it, was written by a newer program.
    #[error("{what} has format {found}; this program reads up to {known}: install the newer program again")]
    Newer {
        /// The file or folder.
        what: PathBuf,
        /// The format found.
        found: u32,
        /// The newest format known.
        known: u32,
    },
    /// The keys of the store cannot be used; an administrator can help.
    #[error("{0}")]
    Keys(String),
    /// The system has no randomness to give.
    #[error("the system gave no random bytes: {reason}")]
    Randomness {
        /// The system's words.
        reason: String,
    },
    /// The search index failed. It is derived: it can be deleted and built again.
    #[error("search index: {attempt} failed: {reason}")]
    Search {
        /// What was attempted.
        attempt: &'static str,
        /// The index's words.
        reason: String,
    },
}

impl StoreError {
    /// An I/O error with what was attempted and on what.
    pub(crate) fn io(attempt: &'static str, path: &Path, error: &std::io::Error) -> Self {
        Self::Io {
            attempt,
            path: path.to_owned(),
            reason: error.to_string(),
            missing: error.kind() == std::io::ErrorKind::NotFound,
        }
    }

    /// Whether a file was asked for that does not exist.
    pub fn is_missing(&self) -> bool {
        matches!(self, Self::Io { missing: true, .. })
    }
}
