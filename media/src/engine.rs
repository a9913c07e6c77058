//! The Engine: packets and audio of all legs, sans-IO.

mod admission;

pub use admission::{Network, NetworkError};
