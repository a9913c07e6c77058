//! Taking a message, or a voicemail where nobody understands the caller.

use super::tool::{Message, ToolFailure, ToolRequest};
use super::{Dialog, Expect, Outcome, Output, Phrase, State, Waiting};
use crate::intent::{self, Intent};
use crate::numbers;
use crate::phrases;
use jiff::Zoned;

/// Longest message, in bytes.
const TEXT_MAX: usize = 4_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Text,
    Name,
    Number,
}

#[derive(Clone, Debug)]
pub(super) struct Draft {
    step: Step,
    text: String,
    digits: String,
}

impl Dialog {
    pub(super) fn offer_message(&mut self, phrases: &[Phrase]) {
        self.state = State::MessageOffered;
        let mut lines = self.lines(phrases);
        if !self.hears {
            lines.extend(self.lines(&[Phrase::KeyYesNo]));
        }
        self.ask(lines, Expect::YesNo);
    }

    pub(super) fn message_offered(&mut self, text: &str, now: &Zoned) {
        let language = self.setup.language;
        match (intent::of(text, language), intent::yes_no(text, language)) {
            (Some(Intent::Book | Intent::Goodbye | Intent::Hours), _) => self.open(text, now),
            (Some(Intent::Message), _) | (None | Some(Intent::Cancel), Some(true)) => {
                self.understood();
                self.begin_message(&[Phrase::MessageAsk]);
            }
            (_, Some(false)) => {
                self.understood();
                self.ask(self.lines(&[Phrase::MessageDropped]), Expect::Open);
            }
            _ => self.open(text, now),
        }
    }

    pub(super) fn person(&mut self) {
        self.understood();
        self.drop_booking();
        self.begin_message(&[Phrase::PersonNotNow, Phrase::MessageAsk]);
    }

    /// Asks for a message; without recognition it becomes a voicemail, or a note to ring back.
    pub(super) fn begin_message(&mut self, phrases: &[Phrase]) {
        if self.hears {
            self.state = State::Message(Draft { step: Step::Text, text: String::new(), digits: String::new() });
            return self.ask(self.lines(phrases), Expect::Message);
        }
        let mut lines = self.lines(&phrases[..phrases.len().saturating_sub(1)]);
        if self.recorded {
            lines.extend(self.lines(&[Phrase::VoicemailAsk]));
            self.state = State::Voicemail;
            self.out.push_back(Output::Voicemail);
            self.came_to(Outcome::Voicemail);
            self.ask(lines, Expect::Message);
            let text = phrases::say(Phrase::VoicemailNote, self.setup.language, &[]);
            // At once, not at the end: most callers end a voicemail by hanging up.
            return self.keep(text, true);
        }
        self.state = State::Message(Draft {
            step: Step::Number,
            text: phrases::say(Phrase::CallbackNote, self.setup.language, &[]),
            digits: String::new(),
        });
        if self.number().is_some() {
            let text = phrases::say(Phrase::CallbackNote, self.setup.language, &[]);
            return self.keep(text, false);
        }
        lines.extend(self.lines(&[Phrase::NumberAsk]));
        self.ask(lines, Expect::Digits);
    }

    pub(super) fn message_heard(&mut self, mut draft: Draft, text: &str) {
        let language = self.setup.language;
        match draft.step {
            Step::Text => {
                if matches!(intent::of(text, language), Some(Intent::Cancel | Intent::Goodbye)) {
                    self.understood();
                    return self.ask(self.lines(&[Phrase::MessageDropped]), Expect::Open);
                }
                draft.text = text.chars().take(TEXT_MAX).collect();
                self.understood();
                self.message_next(draft);
            }
            Step::Name => match intent::person_name(text, language) {
                Some(name) => {
                    self.understood();
                    self.ledger.name = Some(name);
                    self.message_next(draft);
                }
                None => {
                    self.state = State::Message(draft);
                    self.ask(self.lines(&[Phrase::NameAsk]), Expect::Name);
                }
            },
            Step::Number => {
                draft.digits.push_str(&numbers::digits(text, language));
                self.message_number(draft);
            }
        }
    }

    fn message_next(&mut self, mut draft: Draft) {
        let phrase = if self.ledger.name.is_none() && self.hears {
            draft.step = Step::Name;
            (Phrase::NameAsk, Expect::Name)
        } else if self.number().is_none() {
            draft.step = Step::Number;
            (Phrase::NumberAsk, Expect::Digits)
        } else {
            return self.keep(draft.text, false);
        };
        self.state = State::Message(draft);
        self.ask(self.lines(&[phrase.0]), phrase.1);
    }

    fn message_number(&mut self, mut draft: Draft) {
        if numbers::is_phone(&draft.digits) {
            self.understood();
            self.ledger.number = Some(std::mem::take(&mut draft.digits));
            return self.message_next(draft);
        }
        draft.digits.clear();
        self.state = State::Message(draft);
        self.ask(self.lines(&[Phrase::NumberAgain]), Expect::Digits);
    }

    /// A key while a message is being taken; false when it means nothing here.
    pub(super) fn message_digit(&mut self, digit: char) -> bool {
        let State::Message(draft) = &mut self.state else { return false };
        if draft.step != Step::Number {
            return false;
        }
        match digit {
            '0'..='9' => draft.digits.push(digit),
            '#' => {
                let draft = draft.clone();
                self.message_number(draft);
            }
            _ => return false,
        }
        true
    }

    fn keep(&mut self, text: String, voicemail: bool) {
        let message = Message {
            text,
            name: self.ledger.name.clone().unwrap_or_default(),
            number: self.number().unwrap_or_default(),
        };
        if !voicemail {
            self.state = State::Open;
        }
        self.ask_tool(ToolRequest::TakeMessage(message), Waiting::Message { voicemail });
    }

    pub(super) fn message_done(&mut self, done: Result<(), ToolFailure>, voicemail: bool) {
        match done {
            Ok(()) if voicemail => self.ledger.message = true,
            Ok(()) => {
                self.ledger.message = true;
                self.came_to(Outcome::MessageTaken);
                let phrases: &[Phrase] = if self.hears {
                    &[Phrase::MessageTaken, Phrase::AnythingElse]
                } else {
                    &[Phrase::CallbackNoted, Phrase::Menu]
                };
                self.ask(self.lines(phrases), Expect::Open);
            }
            Err(_) => {
                self.state = State::Open;
                self.ask(self.lines(&[Phrase::MessageFailed]), Expect::Open);
            }
        }
    }

    /// The caller has finished the voicemail.
    pub(super) fn voicemail_over(&mut self) {
        self.say(self.lines(&[Phrase::VoicemailTaken, Phrase::Goodbye]), Expect::Open);
        self.end();
    }
}
