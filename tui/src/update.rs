//! How a message changes the board. Pure.

use crate::keys::{Action, action};
use crate::message::Message;
use crate::model::{Connection, Model};
use auricle_domain::code::CallStatus;
use auricle_domain::live::{Live, LiveCall};

/// Something for the loop to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Leave.
    Quit,
    /// Ask for fresh figures.
    Refresh,
}

/// Applies a message; answers with what is to be done and whether the picture changed.
pub fn update(model: &mut Model, message: Message) -> (Option<Effect>, bool) {
    match message {
        Message::Key(code, modifiers) => return key(model, action(code, modifiers)),
        Message::Resized => {}
        Message::Second(now) => {
            model.now = now;
        }
        Message::Connected(at) => {
            model.connection = Connection::Up;
            model.data_at = at;
            return (Some(Effect::Refresh), true);
        }
        Message::Disconnected => model.connection = Connection::Down,
        Message::Calls(calls, at) => {
            model.data_at = at;
            model.calls = ordered(calls);
            model.first = model.first.min(model.calls.len().saturating_sub(1));
        }
        Message::Live(live, at) => {
            model.data_at = at;
            return (None, hear(model, live));
        }
        Message::Event { kind, at } => {
            model.data_at = at;
            let counts = kind.starts_with("call.") || kind.starts_with("appointment.");
            return (counts.then_some(Effect::Refresh), false);
        }
        Message::Figures(figures, at) => {
            model.data_at = at;
            let changed = model.figures != Some(figures);
            model.figures = Some(figures);
            return (None, changed);
        }
    }
    (None, true)
}

fn key(model: &mut Model, action: Option<Action>) -> (Option<Effect>, bool) {
    match action {
        Some(Action::Quit) if model.help => model.help = false,
        Some(Action::Quit) => return (Some(Effect::Quit), false),
        Some(Action::Up) => model.first = model.first.saturating_sub(1),
        Some(Action::Down) => model.first = (model.first + 1).min(model.calls.len().saturating_sub(1)),
        Some(Action::Refresh) => return (Some(Effect::Refresh), false),
        Some(Action::Help) => model.help = !model.help,
        None => return (None, false),
    }
    (None, true)
}

/// Words as they are spoken replace the last words of their call. Levels are not drawn.
fn hear(model: &mut Model, live: Live) -> bool {
    let Live::Partial { call, speaker, text, .. } = live else { return false };
    let Some(call) = model.calls.iter_mut().find(|one| one.call == call) else { return false };
    call.last_speaker = Some(speaker);
    call.last_words = text;
    true
}

/// Emergencies first, then by arrival; calls that are over leave the board.
fn ordered(mut calls: Vec<LiveCall>) -> Vec<LiveCall> {
    calls.retain(|call| call.status != CallStatus::Ended);
    calls.sort_by_key(|call| (!call.emergency, call.created_at, call.call));
    calls
}
