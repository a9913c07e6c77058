//! Product stories: one binary, one story a file.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod api_rules;
mod attack;
mod audit;
mod backup;
mod baresip;
mod booking;
mod calls;
mod command_line;
mod config;
mod crash;
mod disk;
mod documents;
mod fault;
mod following;
mod handing_on;
mod knowledge;
mod layers;
mod listening;
mod openai_model;
mod openapi;
mod outbound;
mod persona;
mod phones;
mod reasons;
mod signing_in;
mod softphone;
mod stations;
mod storage;
mod support;
mod transfers;
mod trunks;
mod twilio;
mod twilio_outgoing;
mod twilio_texts;
mod voice;
