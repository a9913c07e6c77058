//! The wall board: figures, emergencies, live calls with the last words said.

use crate::model::{Connection, Model};
use crate::text::{Text, text};
use crate::theme;
use auricle_domain::Timestamp;
use auricle_domain::code::{CallStatus, Speaker, Unheard};
use auricle_domain::live::LiveCall;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, Wrap};

/// Columns of the caller's number or name.
const NAME_COLUMNS: usize = 20;
/// Columns of who has the call.
const HOLDER_COLUMNS: usize = 16;

/// Draws the board inside its frame.
pub fn draw(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let emergencies: Vec<&LiveCall> = model.calls.iter().filter(|call| call.emergency).collect();
    let banner = u16::from(!emergencies.is_empty());
    let rows = [Constraint::Length(4), Constraint::Length(banner), Constraint::Length(1), Constraint::Min(1)];
    let [figures_area, banner_area, title_area, calls_area] = Layout::vertical(rows).areas(area);
    figures(frame, figures_area, model);
    if let Some(first) = emergencies.first() {
        frame.render_widget(emergency(model, first, emergencies.len()), banner_area);
    }
    frame.render_widget(Line::styled(format!(" {}", text(model.language, Text::LiveCalls)), theme::STRONG), title_area);
    calls(frame, calls_area, model);
}

/// A label above its figure; as many columns as fit, in the order of weight.
fn figures(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    let shown = |value: fn(&crate::message::Figures) -> u64| {
        model.figures.as_ref().map_or("-".to_owned(), |f| value(f).to_string())
    };
    let urgent = model.figures.is_some_and(|figures| figures.emergency > 0);
    let cells = [
        (Text::OnNow, model.calls.len().to_string(), theme::STRONG),
        (Text::Calls, shown(|f| f.calls), theme::STRONG),
        (Text::Answered, shown(|f| f.answered), theme::STRONG),
        (Text::Emergencies, shown(|f| f.emergency), if urgent { theme::URGENT } else { theme::STRONG }),
        (Text::Booked, shown(|f| f.booked), theme::STRONG),
        (Text::Messages, shown(|f| f.message_taken), theme::STRONG),
        (Text::Questions, shown(|f| f.answered_question), theme::STRONG),
    ];
    let stale = model.connection == Connection::Down;
    let mut labels = vec![Span::raw(" ")];
    let mut values = vec![Span::raw(" ")];
    let mut used = 1;
    for (label, value, style) in cells {
        let label = text(model.language, label);
        let width = label.chars().count().max(value.len()) + 3;
        if used + width > usize::from(area.width) {
            break;
        }
        used += width;
        labels.push(Span::styled(format!("{label:<width$}"), theme::QUIET));
        values.push(Span::styled(format!("{value:<width$}"), if stale { theme::QUIET } else { style }));
    }
    let today = Line::styled(format!(" {}", text(model.language, Text::Today)), theme::STRONG);
    frame.render_widget(Paragraph::new(vec![today, Line::from(labels), Line::from(values)]), area);
}

fn emergency<'a>(model: &Model, call: &'a LiveCall, count: usize) -> Line<'a> {
    let number = caller(model, call);
    let more = if count > 1 { format!(" (+{})", count - 1) } else { String::new() };
    let line =
        format!(" !! {}{more}  {number}  {}  \"", text(model.language, Text::Emergency), elapsed(call, model.now));
    Line::from(vec![Span::styled(line, theme::URGENT), Span::raw(&call.last_words), Span::styled("\"", theme::URGENT)])
}

fn calls(frame: &mut Frame<'_>, area: Rect, model: &Model) {
    if model.calls.is_empty() {
        let none = format!(" {}", text(model.language, Text::NoCalls));
        frame.render_widget(Paragraph::new(none).style(theme::QUIET).wrap(Wrap { trim: false }), area);
        return;
    }
    let height = usize::from(area.height);
    let left = model.calls.len() - model.first;
    let fits = if left > height { height.saturating_sub(1) } else { left };
    let visible = model.calls.iter().skip(model.first).take(fits);
    let mut lines: Vec<Line<'_>> = visible.map(|call| row(model, call, usize::from(area.width))).collect();
    if left > fits {
        let more = text(model.language, Text::More).replace("{0}", &(left - fits).to_string());
        lines.push(Line::styled(format!("    {more}"), theme::QUIET));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

/// One call: sign, how long, who has it, who calls, the last words.
fn row<'a>(model: &Model, call: &'a LiveCall, width: usize) -> Line<'a> {
    let stale = model.connection == Connection::Down;
    let shade = |style: Style| if stale { theme::QUIET } else { style };
    let sign = if call.emergency { " !! " } else { "    " };
    let head = format!(
        "{:>5} {} {} ",
        elapsed(call, model.now),
        column(holder(model, call), HOLDER_COLUMNS),
        column(&caller(model, call), NAME_COLUMNS),
    );
    let unheard = call.unheard.map_or(String::new(), |who| format!("{} ", unheard(model, who)));
    let room = width.saturating_sub(sign.len() + head.chars().count() + unheard.chars().count() + 2);
    let words = tail(&call.last_words, room, model.ascii);
    let words_style = match call.last_speaker {
        Some(Speaker::Receptionist) => theme::RECEPTIONIST,
        _ => Style::new(),
    };
    let mut spans = vec![Span::styled(sign, shade(theme::URGENT)), Span::styled(head, shade(Style::new()))];
    if !unheard.is_empty() {
        spans.push(Span::styled(unheard, shade(theme::URGENT)));
    }
    if !words.is_empty() {
        spans.push(Span::styled(format!("\"{words}\""), shade(words_style)));
    }
    Line::from(spans)
}

fn holder(model: &Model, call: &LiveCall) -> &'static str {
    let holder = match call.status {
        CallStatus::Ringing => Text::Ringing,
        CallStatus::Voicemail => Text::Voicemail,
        CallStatus::WithAgent => Text::Staff,
        CallStatus::OnHold => Text::OnHold,
        CallStatus::WithReceptionist | CallStatus::Ended => Text::Receptionist,
    };
    text(model.language, holder)
}

fn unheard(model: &Model, who: Unheard) -> &'static str {
    let who = match who {
        Unheard::Other => Text::OtherUnheard,
        Unheard::Clinic => Text::ClinicUnheard,
    };
    text(model.language, who)
}

fn caller(model: &Model, call: &LiveCall) -> String {
    match (&call.name, call.from_number.is_empty()) {
        (Some(name), _) => name.clone(),
        (None, true) => text(model.language, Text::Withheld).to_owned(),
        (None, false) => call.from_number.clone(),
    }
}

/// Exactly so many columns: cut or filled.
fn column(text: &str, width: usize) -> String {
    let cut: String = text.chars().take(width).collect();
    format!("{cut:<width$}")
}

/// The end of what was said: the newest words matter most.
fn tail(words: &str, width: usize, ascii: bool) -> String {
    let count = words.chars().count();
    if count <= width {
        return words.to_owned();
    }
    let mark = if ascii { "..." } else { "…" };
    let keep = width.saturating_sub(mark.chars().count());
    let end: String = words.chars().skip(count - keep).collect();
    format!("{mark}{end}")
}

/// Minutes and seconds since the call was answered, or since it arrived.
fn elapsed(call: &LiveCall, now: Timestamp) -> String {
    let since = call.answered_at.unwrap_or(call.created_at);
    let seconds = u64::try_from(now.as_second() - since.as_second()).unwrap_or(0);
    format!("{}:{:02}", seconds / 60, seconds % 60)
}

#[cfg(test)]
mod tests;
