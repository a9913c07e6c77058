//! Auricle: a clinic's whole telephone desk. Shells, providers, use-cases, HTTP and jobs around the deterministic core.

pub mod providers;
pub mod voice;
