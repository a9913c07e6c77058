//! The local receptionist: a conversation as a deterministic machine.

pub mod tool;
