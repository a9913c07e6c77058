//! Product stories: one binary, one story a file.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod calls;
mod config;
mod crash;
mod documents;
mod layers;
mod openai_model;
mod openapi;
mod api_rules;
mod booking;
mod following;
mod knowledge;
mod signing_in;
mod support;
mod voice;
