//! Questions, answered from the clinic's own words (KB-04).

use super::tool::{Found, ToolFailure, ToolRequest};
use super::{Dialog, Expect, Line, Outcome, Phrase, Say, State, Waiting, answer};
use crate::intent::{self, Intent};
use crate::phrases;

impl Dialog {
    /// What is nothing else is a question for the clinic's knowledge.
    pub(super) fn question(&mut self, text: &str) {
        if !answer::is_question(text, self.setup.language) {
            return self.missed();
        }
        self.ask_tool(ToolRequest::Answer { query: text.to_owned() }, Waiting::Passages(text.to_owned()));
    }

    pub(super) fn answered(&mut self, question: &str, found: Result<Vec<Found>, ToolFailure>) {
        let language = self.setup.language;
        let composed = found.as_ref().ok().and_then(|found| answer::compose(question, found, language));
        let aside = self.question.clone().filter(|_| !matches!(self.state, State::Open | State::MessageOffered));
        if let Some(composed) = composed {
            self.understood();
            let mut lines: Vec<Line> =
                composed.sentences.into_iter().map(|text| Line { text, lasting: true }).collect();
            let expect = aside.as_ref().map_or(Expect::Open, |say| say.expect);
            lines.extend(match aside {
                Some(say) => say.lines,
                None => self.lines(&[Phrase::AnythingElse]),
            });
            self.came_to(Outcome::AnsweredQuestion);
            self.put(Say { lines, protected: false, expect, citations: composed.citations });
        } else if intent::of(question, language) == Some(Intent::Hours) && !self.setup.hours.open.is_empty() {
            self.say_hours();
        } else if let Some(say) = aside {
            // An aside without an answer does not cost the caller what is under way.
            self.missed_with(say);
        } else {
            self.understood();
            let phrase = if found.is_err() { Phrase::Trouble } else { Phrase::NoAnswer };
            self.offer_message(&[phrase]);
        }
    }

    pub(super) fn say_hours(&mut self) {
        let language = self.setup.language;
        let mut spans = self.setup.hours.open.clone();
        spans.sort_by_key(|span| (span.weekday, span.from_minute));
        let days: Vec<String> = spans
            .iter()
            .map(|span| {
                let from = phrases::spoken_time(span.from_minute, language);
                let to = phrases::spoken_time(span.to_minute, language);
                phrases::say(
                    Phrase::HoursDay,
                    language,
                    &[("day", phrases::weekday(span.weekday, language)), ("from", &from), ("to", &to)],
                )
            })
            .collect();
        if days.is_empty() {
            return self.offer_message(&[Phrase::HoursUnknown]);
        }
        let mut lines = vec![self.line(Phrase::Hours, &[("hours", &days.join(", "))])];
        lines.extend(self.lines(&[Phrase::AnythingElse]));
        self.understood();
        self.came_to(Outcome::AnsweredQuestion);
        self.ask(lines, Expect::Open);
    }
}
