//! Drawing: the model in, a frame out. Pure but for the frame.

use crate::keys::KEYS;
use crate::model::{Connection, Model};
use crate::screens::wall;
use crate::text::{Text, text};
use crate::theme;
use jiff::tz::TimeZone;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};

/// Draws everything.
pub fn draw(frame: &mut Frame<'_>, model: &Model) {
    let block = block(model).title_top(clinic(model)).title_top(clock(model).right_aligned());
    let block = block.title_bottom(footer(model));
    let inside = block.inner(frame.area());
    frame.render_widget(block, frame.area());
    wall::draw(frame, inside, model);
    if model.help {
        help(frame, model);
    }
}

/// A frame in the signs that the terminal can show.
fn block(model: &Model) -> Block<'static> {
    let block = Block::bordered();
    if model.ascii { block.border_set(theme::ASCII_BORDER) } else { block }
}

fn clinic(model: &Model) -> Line<'_> {
    Line::from(vec![Span::raw(" "), Span::styled(&model.clinic.name, theme::STRONG), Span::raw(" ")])
}

/// Local time, and how old the data is; while disconnected the age stands out.
fn clock(model: &Model) -> Line<'static> {
    let zone = TimeZone::get(&model.clinic.zone).unwrap_or(TimeZone::UTC);
    let now = model.now.to_zoned(zone);
    let weekday = usize::from(now.weekday().to_monday_zero_offset().unsigned_abs());
    let weekday = text(model.language, Text::Weekdays).split(' ').nth(weekday).unwrap_or_default();
    let time =
        format!(" {weekday} {}.{}. {:02}:{:02}:{:02} ", now.day(), now.month(), now.hour(), now.minute(), now.second());
    let age = text(model.language, Text::DataAge).replace("{0}", &model.age_s().to_string());
    match model.connection {
        Connection::Up => Line::from(vec![Span::raw(time), Span::styled(format!("- {age} "), theme::QUIET)]),
        Connection::Down => {
            let lost = text(model.language, Text::Disconnected);
            Line::from(vec![Span::raw(time), Span::styled(format!("- {lost} - {age} "), theme::ATTENTION)])
        }
    }
}

fn footer(model: &Model) -> Line<'static> {
    let mut spans = vec![Span::raw(" ")];
    for key in KEYS {
        let label = if model.ascii { key.ascii } else { key.label };
        spans.push(Span::styled(label, theme::STRONG));
        spans.push(Span::raw(format!(" {}  ", text(model.language, key.text))));
    }
    Line::from(spans)
}

fn help(frame: &mut Frame<'_>, model: &Model) {
    let mut lines: Vec<Line<'_>> = KEYS
        .iter()
        .map(|key| {
            let label = if model.ascii { key.ascii } else { key.label };
            Line::from(vec![
                Span::styled(format!("  {label:<3}"), theme::STRONG),
                Span::raw(text(model.language, key.text)),
            ])
        })
        .collect();
    lines.push(Line::default());
    lines.push(Line::styled(format!("  {}", text(model.language, Text::HelpClose)), theme::QUIET));
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(2);
    let area = centred(frame.area(), 40, height);
    frame.render_widget(Clear, area);
    let title = format!(" {} ", text(model.language, Text::Help));
    frame.render_widget(Paragraph::new(lines).block(block(model).title_top(title)), area);
}

fn centred(area: Rect, width: u16, height: u16) -> Rect {
    let [row] = Layout::vertical([Constraint::Length(height)]).flex(ratatui::layout::Flex::Center).areas(area);
    let [cell] = Layout::horizontal([Constraint::Length(width)]).flex(ratatui::layout::Flex::Center).areas(row);
    cell
}
