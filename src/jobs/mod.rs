//! Work beside the requests: followers of the feed that keep derived data up to date.

pub mod search;
