//! Work beside the requests: followers of the feed that keep derived data up to date, and watches over the machine.

pub mod backups;
pub mod phones;
pub mod room;
pub mod search;
pub mod secrets;
pub mod texts;
pub mod trunks;
