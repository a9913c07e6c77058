//! Auricle: a clinic's whole telephone desk. Shells, providers, use-cases, HTTP and jobs around the deterministic core.

pub mod clock;
pub mod config;
pub mod error;
pub mod providers;
pub mod tasks;
pub mod voice;
