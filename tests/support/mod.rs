//! What the stories share.

pub mod announcer;
pub mod clinic;
pub mod judge;
pub mod kamailio;
pub mod network;
pub mod openai_server;
pub mod page;
pub mod peer;
pub mod person;
pub mod ports;
pub mod scene;
pub mod served;
pub mod softphone;
pub mod sound;
pub mod telnyx;
pub mod tree;
pub mod twilio;
