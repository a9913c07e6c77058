//! The keypad: 1 book, 2 opening hours, 3 message, 0 person, 9 no recording, star again.

use super::{Dialog, Expect, Phrase, State};
use crate::emergency::Sign;
use jiff::Zoned;

/// Services that can have a key of their own.
const KEYS_MAX: usize = 8;

impl Dialog {
    pub(super) fn digit(&mut self, digit: char, now: &Zoned) {
        if matches!(self.state, State::Voicemail) {
            if digit == '#' {
                self.voicemail_over();
            }
            return;
        }
        if self.booking_digit(digit, now) || self.message_digit(digit) || self.state_digit(digit, now) {
            return;
        }
        self.understood();
        match digit {
            '0' => self.person(),
            '1' => {
                self.drop_booking();
                self.service_keys(now);
            }
            '2' => {
                self.drop_booking();
                self.state = State::Open;
                self.say_hours();
            }
            '3' => {
                self.drop_booking();
                self.begin_message(&[Phrase::MessageAsk]);
            }
            '9' if self.recorded => self.refuse_recording(),
            '*' => self.repeat(),
            _ => self.say(self.lines(&[Phrase::Menu]), Expect::Open),
        }
    }

    /// Keys that answer the open question.
    fn state_digit(&mut self, digit: char, now: &Zoned) -> bool {
        match (&self.state, digit) {
            (State::MessageOffered, '1') => self.begin_message(&[Phrase::MessageAsk]),
            (State::MessageOffered, '2') => {
                self.state = State::Open;
                let phrase = if self.hears { Phrase::MessageDropped } else { Phrase::Menu };
                self.ask(self.lines(&[phrase]), Expect::Open);
            }
            (State::EmergencyAsked, '1') => {
                self.emergency(Sign { code: "confirmed", language: self.setup.language, denied: false });
            }
            (State::EmergencyAsked, '2') => {
                self.state = State::Open;
                self.ask(self.lines(&[Phrase::EmergencyCorrected]), Expect::Open);
            }
            (State::ServiceKeys, '1'..='8') => {
                let index = digit.to_digit(10).map_or(0, |key| key as usize - 1);
                self.state = State::Open;
                return self.begin_booking_of(index, now);
            }
            _ => return false,
        }
        self.understood();
        true
    }

    /// One key for each service; with one service it is booked at once.
    fn service_keys(&mut self, now: &Zoned) {
        self.state = State::Open;
        if self.hears {
            return self.begin_booking("", now);
        }
        let names: Vec<String> = self
            .services
            .iter()
            .filter(|service| service.active)
            .take(KEYS_MAX)
            .map(|service| service.name.clone())
            .collect();
        if names.len() < 2 {
            return self.begin_booking("", now);
        }
        let lines = names
            .iter()
            .enumerate()
            .map(|(at, name)| self.line(Phrase::KeyService, &[("service", name), ("key", &(at + 1).to_string())]))
            .collect();
        self.state = State::ServiceKeys;
        self.ask(lines, Expect::Open);
    }
}
