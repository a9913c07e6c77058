//! Auricle: a clinic's whole telephone desk. Shells, providers, use-cases, HTTP and jobs around the deterministic core.

pub mod app;
pub mod clock;
pub mod config;
pub mod error;
pub mod events;
pub mod floor;
pub mod log;
pub mod providers;
pub mod recordings;
pub mod tasks;
pub mod voice;
