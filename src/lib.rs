//! Auricle: a clinic's whole telephone desk. Shells, providers, use-cases, HTTP and jobs around the deterministic core.

pub mod accounts;
pub mod app;
pub mod appointments;
pub mod auth;
pub mod calls;
pub mod clinic;
pub mod clock;
pub mod config;
pub mod contacts;
pub mod conversations;
pub mod error;
pub mod events;
pub mod floor;
pub mod http;
pub mod jobs;
pub mod knowledge;
pub mod log;
pub mod page;
pub mod password;
pub mod providers;
pub mod recordings;
pub mod search;
pub mod sessions;
pub mod tasks;
pub mod tasks_owed;
pub mod voice;
