//! What the stories share.

pub mod openai_server;
pub mod tree;
