//! Product stories: one binary, one story a file.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod api_rules;
mod baresip;
