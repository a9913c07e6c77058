//! Keys: one table for the footer, the help and the handler, so that none of them can lie.

use crate::text::Text;
use crossterm::event::{KeyCode, KeyModifiers};

/// What a key does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Leave the board.
    Quit,
    /// Show earlier calls.
    Up,
    /// Show later calls.
    Down,
    /// Ask for fresh figures.
    Refresh,
    /// Open or close the help.
    Help,
}

/// One row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// As printed.
    pub label: &'static str,
    /// As printed in plain ASCII.
    pub ascii: &'static str,
    /// Codes that mean it.
    pub codes: &'static [KeyCode],
    /// What it does.
    pub action: Action,
    /// Its name for people.
    pub text: Text,
}

/// Every key of the board.
pub const KEYS: &[Key] = &[
    Key {
        label: "q",
        ascii: "q",
        codes: &[KeyCode::Char('q'), KeyCode::Esc],
        action: Action::Quit,
        text: Text::KeyQuit,
    },
    Key { label: "↑", ascii: "k", codes: &[KeyCode::Up, KeyCode::Char('k')], action: Action::Up, text: Text::KeyUp },
    Key {
        label: "↓",
        ascii: "j",
        codes: &[KeyCode::Down, KeyCode::Char('j')],
        action: Action::Down,
        text: Text::KeyDown,
    },
    Key { label: "r", ascii: "r", codes: &[KeyCode::Char('r')], action: Action::Refresh, text: Text::KeyRefresh },
    Key { label: "?", ascii: "?", codes: &[KeyCode::Char('?')], action: Action::Help, text: Text::KeyHelp },
];

/// What a pressed key does, if anything. Ctrl-C leaves, as everywhere.
pub fn action(code: KeyCode, modifiers: KeyModifiers) -> Option<Action> {
    if code == KeyCode::Char('c') && modifiers.contains(KeyModifiers::CONTROL) {
        return Some(Action::Quit);
    }
    KEYS.iter().find(|key| key.codes.contains(&code)).map(|key| key.action)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_code_has_two_meanings() {
        let mut codes: Vec<_> = KEYS.iter().flat_map(|key| key.codes).collect();
        let all = codes.len();
        codes.sort_by_key(|code| format!("{code:?}"));
        codes.dedup();
        assert_eq!(codes.len(), all);
    }

    #[test]
    fn control_c_leaves() {
        assert_eq!(action(KeyCode::Char('c'), KeyModifiers::CONTROL), Some(Action::Quit));
        assert_eq!(action(KeyCode::Char('c'), KeyModifiers::NONE), None);
    }
}
