//! Records, change feed, full-text search and blobs of one clinic, on one disk.
//!
//! # The discipline
//!
//! Everything here works on one disk, and is written so that the same closures would work on a database far away.
//! The rules are checked in code, on every backend:
//!
//! - **Keys** are tuples, encoded so that bytes sort as values do, at most 1 KiB, and never personal data. An
//!   index over an e-mail address or a telephone number has its HMAC in the key ([`LookupKey`]).
//! - **Values** are at most 64 KiB. What is bigger is a blob.
//! - **A transaction** writes at most 1 MB and lives at most 4 s. Bigger work is cut into several, each of which
//!   leaves the store as somebody may find it.
//! - **[`Store::run`] takes a pure closure.** It may run several times, so it decides on nothing but what it reads
//!   through the transaction and what was moved into it: no clock, no randomness, no new identifiers, no state
//!   outside. The memory backend runs every closure twice and refuses one that writes something else the second
//!   time; it also lets transactions conflict, and loses replies after the commit.
//! - **Every transaction has an [`OpId`]**, written in the same transaction with the reply. Whoever does not know
//!   whether a transaction was committed runs it again under the same op, and gets the reply it had.
//! - **Scans are paged**, at most 1,000 records at a time, and a page goes on where the last one ended even when
//!   the data have changed in between.
//! - **A failed closure leaves no trace**, also where it shared a commit with others.
//! - **A failed disk ends the process.** After a failed sync nobody knows what is on the disk; starting again from
//!   it is the only safe way on.
//!
//! ```
//! use auricle_domain::id::{ServiceId, TenantId};
//! use auricle_domain::{Timestamp, appointment::Service};
//! use auricle_storage::{Backend, KeySource, OpId, Scan, Store, StoreError, StoreOptions};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! # let (now, random) = (Timestamp::UNIX_EPOCH, [7; 10]);
//! let tenant = TenantId::new(now, random);
//! let keys = KeySource::File(folder.path().join("store.key"));
//! let store = Store::open(StoreOptions { directory: folder.path().to_owned(), backend: Backend::Redb, keys, tenant })?;
//!
//! // Identifiers and instants are taken before, and moved in.
//! let service = Service {
//!     id: ServiceId::new(now, random),
//!     name: "Vaccination".to_owned(),
//!     aliases: vec![],
//!     duration_min: 15,
//!     resource: "Room 1".to_owned(),
//!     hours: vec![],
//!     lead_min: 60,
//!     active: true,
//!     version: 1,
//! };
//! let op = OpId::derive("example", &[service.id.as_bytes()]);
//! store.run(op, now, move |tx| tx.put(&service)).wait()?;
//!
//! let services = store.read(|tx| tx.scan(Scan::<Service>::table().limit(20)))?;
//! assert_eq!(services.items[0].name, "Vaccination");
//! # Ok(())
//! # }
//! ```
//!
//! # What is where
//!
//! [`schema`] is the table of contents: every table, key, index and version. [`Store`] opens the records and runs
//! transactions; [`ReadTx`] and [`WriteTx`] are what closures see. Events that a transaction appends get contiguous
//! numbers in the [feed](Store::feed), which [`search`] and others follow. [`Blobs`] holds recordings and the
//! contents of documents.
//!
//! In the store's directory lie `store.redb` (records), `keys.json` (the wrapped data key) and `blobs/`; all that they
//! hold is sealed. The search index has a directory of its own, and can be deleted at any time.

mod audit;
mod backup;
mod blobs;
mod codec;
mod commit;
mod error;
mod fatal;
mod files;
mod hex;
mod key;
mod keys;
mod kv;
mod log;
mod lookup;
mod migrate;
mod record;
mod room;
mod scan;
pub mod schema;
mod seal;
pub mod search;
mod store;
#[cfg(feature = "testing")]
#[doc(hidden)]
pub mod testing;
mod tx;

pub use audit::{AuditBreak, AuditCheck};
pub use backup::{
    Backup, BackupProgress, BackupSummary, Missing, Restored, Verified, restore, verify as verify_backup,
};
pub use blobs::{BlobId, BlobReader, BlobWriter, Blobs};
pub use codec::{Table, VALUE_BYTES_MAX};
pub use commit::{Commit, OpId};
pub use error::StoreError;
pub use fatal::OnFatal;
pub use key::{KEY_BYTES_MAX, KeyPart};
pub use keys::{KeySource, Passphrase, has_passphrase, recover_key_file, rotate_key_file, set_passphrase};
pub use kv::{PAGE_ROWS_MAX, TRANSACTION_BYTES_MAX};
pub use log::EventDraft;
pub use lookup::{Lookup, LookupKey};
pub use migrate::FORMAT;
pub use record::{Entries, Index, Record};
pub use room::{FreeBytes, Room};
pub use scan::{Cursor, Page, Scan};
pub use search::Search;
pub use store::{Backend, Closing, Faults, Hooks, LOW_WATER_BYTES, Need, Store, StoreOptions};
pub use tx::{ReadTx, WriteTx};
