//! Emergencies: the number first, a correction always possible (B-07).

use super::{Dialog, Expect, Outcome, Output, Phrase, Say, State, is_short};
use crate::emergency::{self, Sign};
use crate::intent::{self, Intent};
use jiff::Zoned;

impl Dialog {
    /// Whether the words are taken as an alarm, or as an answer to one.
    pub(super) fn alarm(&mut self, text: &str, sign: Sign) -> bool {
        if emergency::is_taken_back(text) {
            return false;
        }
        if sign.denied {
            if matches!(self.state, State::Emergency(_) | State::EmergencyAsked) || self.suspected {
                return false;
            }
            self.suspect();
        } else {
            self.emergency(sign);
        }
        true
    }

    pub(super) fn emergency(&mut self, sign: Sign) {
        if sign.denied {
            return self.suspect();
        }
        let number = emergency::number(&self.setup.country);
        self.waiting = None;
        self.queued.clear();
        self.state = State::Emergency(sign);
        self.question = None;
        self.out.push_back(Output::Emergency { sign, number });
        self.came_to(Outcome::Emergency);
        let notice = self.line(Phrase::EmergencyNotice, &[("number", number)]);
        self.put(Say { lines: vec![notice], protected: true, ..Say::default() });
        self.ask(self.lines(&[Phrase::EmergencyCorrect]), Expect::Open);
    }

    pub(super) fn suspect(&mut self) {
        if self.suspected || matches!(self.state, State::Emergency(_)) {
            return;
        }
        self.suspected = true;
        self.drop_booking();
        self.state = State::EmergencyAsked;
        let number = emergency::number(&self.setup.country);
        let line = self.line(Phrase::EmergencyAsk, &[("number", number)]);
        self.ask(vec![line], Expect::YesNo);
    }

    pub(super) fn emergency_answered(&mut self, text: &str, now: &Zoned) {
        match intent::yes_no(text, self.setup.language) {
            Some(true) => self.emergency(Sign { code: "confirmed", language: self.setup.language, denied: false }),
            _ if emergency::is_taken_back(text) || is_short(text) => {
                self.understood();
                self.ask(self.lines(&[Phrase::EmergencyCorrected]), Expect::Open);
            }
            _ => self.open(text, now),
        }
    }

    /// After the notice only a correction leads back; everything else repeats the number.
    pub(super) fn after_emergency(&mut self, sign: Sign, text: &str) {
        let language = self.setup.language;
        let goodbye = intent::of(text, language) == Some(Intent::Goodbye);
        if emergency::is_taken_back(text) || (intent::yes_no(text, language) == Some(false) && is_short(text)) {
            self.outcome = None;
            self.suspected = true;
            self.understood();
            self.ask(self.lines(&[Phrase::EmergencyCorrected]), Expect::Open);
        } else if goodbye {
            self.goodbye();
        } else {
            self.state = State::Emergency(sign);
            let number = emergency::number(&self.setup.country);
            let mut lines = vec![self.line(Phrase::EmergencyNotice, &[("number", number)])];
            lines.extend(self.lines(&[Phrase::EmergencyCorrect]));
            self.ask(lines, Expect::Open);
        }
    }
}
