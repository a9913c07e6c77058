//! The tests that every backend passes.
#![allow(clippy::unwrap_used)]

mod suite;
