//! What the stories share.

pub mod clinic;
pub mod openai_server;
pub mod person;
pub mod tree;
