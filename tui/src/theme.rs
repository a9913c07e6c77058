//! Colours and signs: sixteen colours only, and colour never says what a word or sign does not say too.

use ratatui::style::{Color, Modifier, Style};
use ratatui::symbols::border;

/// Large figures and the clinic's name.
pub const STRONG: Style = Style::new().add_modifier(Modifier::BOLD);
/// Labels and things of less weight.
pub const QUIET: Style = Style::new().fg(Color::DarkGray);
/// Something a person must look at now.
pub const URGENT: Style = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
/// Something to keep an eye on.
pub const ATTENTION: Style = Style::new().fg(Color::Yellow);
/// The receptionist's words.
pub const RECEPTIONIST: Style = Style::new().fg(Color::Cyan);

/// Frame signs of plain ASCII.
pub const ASCII_BORDER: border::Set<'static> = border::Set {
    top_left: "+",
    top_right: "+",
    bottom_left: "+",
    bottom_right: "+",
    vertical_left: "|",
    vertical_right: "|",
    horizontal_top: "-",
    horizontal_bottom: "-",
};
