//! Backup in one file, and the way back.
//!
//! A backup holds everything that cannot be built again: every record, as of one number of the feed, every recording and
//! document, and the configuration. It is compressed, sealed in chunks, and opens with the recovery passphrase alone. It counts
//! as good when it has been restored beside itself and what came out is what went in.
//!
//! Writing goes on while a backup is made; memory stays flat however much there is. `format` says what the file looks like.

mod count;
mod create;
mod format;
mod restore;
mod stream;
#[cfg(test)]
mod tests;

pub use count::Missing;
pub use create::{Backup, BackupProgress};
pub use format::BackupSummary;
pub use restore::{Restored, Verified, restore, verify};
