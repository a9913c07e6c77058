//! The words and rules of a clinic's telephone desk.
//!
//! Everything here is plain data and pure functions: no clock, no sockets, no storage, no async.
//! Time and randomness are arguments. One noun has one file, with the same name in every layer.

pub mod account;
pub mod appointment;
pub mod audit;
pub mod ban;
pub mod call;
pub mod carrier;
pub mod certificate;
pub mod code;
pub mod contact;
pub mod conversation;
pub mod dialled;
pub mod dialog;
pub mod emergency;
pub mod event;
pub mod floor;
pub mod id;
pub mod intent;
pub mod knowledge;
pub mod live;
pub mod music;
pub mod numbers;
pub mod outbound;
pub mod phone;
pub mod phrases;
pub mod registration;
pub mod slots;
pub mod task;
pub mod tenant;
pub mod text;
pub mod trunk;
pub mod when;
pub mod words;

pub use jiff::Timestamp;
