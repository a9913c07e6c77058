//! The SIP user agent from outside: datagrams in, datagrams and events out, on virtual time.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

#[path = "sip/bench.rs"]
mod bench;
#[path = "sip/callee.rs"]
mod callee;
#[path = "sip/caller.rs"]
mod caller;
#[path = "sip/description.rs"]
mod description;
#[path = "sip/door.rs"]
mod door;
#[path = "sip/hold.rs"]
mod hold;
#[path = "sip/mutation.rs"]
mod mutation;
#[path = "sip/pair.rs"]
mod pair;
#[path = "sip/phone.rs"]
mod phone;
#[path = "sip/phone_call.rs"]
mod phone_call;
#[path = "sip/reaction.rs"]
mod reaction;
#[path = "sip/refresh.rs"]
mod refresh;
#[path = "sip/replaces.rs"]
mod replaces;
#[path = "sip/script.rs"]
mod script;
#[path = "sip/session.rs"]
mod session;
#[path = "sip/torture.rs"]
mod torture;
#[path = "sip/torture_ipv6.rs"]
mod torture_ipv6;
#[path = "sip/transfer.rs"]
mod transfer;
#[path = "sip/transfer_asked.rs"]
mod transfer_asked;
#[path = "sip/transport.rs"]
mod transport;
#[path = "sip/trunk.rs"]
mod trunk;
