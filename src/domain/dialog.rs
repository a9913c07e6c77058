//! The local receptionist: a conversation as a deterministic machine.
//!
//! Inputs are what the caller said or pressed and what tools answered; outputs are what to say, what to look up, and
//! what the call came to. It speaks only sentences of `config/phrases` and sentences of the clinic's own knowledge:
//! it cannot invent. It works without any provider, and takes over when a language model fails.

mod alarm;
pub mod answer;
mod booking;
mod io;
mod keys;
mod knowledge;
mod message;
#[cfg(test)]
mod tests;
pub mod tool;

use crate::appointment::Service;
use crate::code::{Lang, Outcome};
use crate::emergency::{self, Sign};
use crate::id::AppointmentId;
use crate::intent::{self, Intent};
use crate::phrases::{self, Phrase};
use booking::Booking;
pub use io::{Expect, Input, Ledger, Line, Made, Output, Say, Setup};
use jiff::Zoned;
use message::Draft;
use std::collections::VecDeque;
use tool::{ToolRequest, ToolResult};

/// Inputs kept while a tool works; a caller cannot say more meanwhile.
const QUEUE_MAX: usize = 16;
/// Failures to understand in a row before the keys are offered.
const MISSES_MAX: u8 = 2;
/// Passages looked at for one question.
pub const PASSAGES: usize = 5;

/// What is being talked about.
#[derive(Clone, Debug)]
enum State {
    /// Anything may come.
    Open,
    /// A yes leads to a message.
    MessageOffered,
    /// An appointment is being made.
    Booking(Box<Booking>),
    /// A message is being taken.
    Message(Draft),
    /// The keys of services were read out.
    ServiceKeys,
    /// The caller was told the emergency number.
    Emergency(Sign),
    /// The caller was asked whether it is an emergency.
    EmergencyAsked,
    /// The caller leaves a voicemail.
    Voicemail,
    /// Goodbye was said.
    Over,
}

/// Which answer is awaited.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Waiting {
    /// Passages for this question.
    Passages(String),
    /// Free slots.
    Slots,
    /// A hold.
    Hold,
    /// A booking.
    Confirm,
    /// A message.
    Message { voicemail: bool },
}

/// The machine.
#[derive(Clone, Debug)]
pub struct Dialog {
    setup: Setup,
    services: Vec<Service>,
    hears: bool,
    ready: bool,
    state: State,
    waiting: Option<Waiting>,
    /// Releases whose answers mean nothing.
    releases: u32,
    queued: VecDeque<Input>,
    ledger: Ledger,
    last: Say,
    /// The question that is open, to be asked again after an aside.
    question: Option<Say>,
    misses: u8,
    suspected: bool,
    recorded: bool,
    outcome: Option<Outcome>,
    out: VecDeque<Output>,
}

impl Dialog {
    /// A conversation in which nothing was said.
    pub fn new(setup: Setup) -> Self {
        let recorded = setup.recorded;
        Self {
            setup,
            services: Vec::new(),
            hears: true,
            ready: false,
            state: State::Open,
            waiting: None,
            releases: 0,
            queued: VecDeque::new(),
            ledger: Ledger::default(),
            last: Say::default(),
            question: None,
            misses: 0,
            suspected: false,
            recorded,
            outcome: None,
            out: VecDeque::new(),
        }
    }

    /// Takes one input; `now` is in any zone.
    pub fn handle(&mut self, input: Input, now: &Zoned) {
        let now = now.with_time_zone(self.setup.zone.clone());
        if let Input::Tool(result) = input {
            self.tool(result, &now);
        } else if self.is_busy()
            && !matches!(input, Input::Answered | Input::Ready { .. } | Input::Emergency(_) | Input::TimeUp)
        {
            if self.queued.len() < QUEUE_MAX {
                self.queued.push_back(input);
            }
            return;
        } else {
            self.take(input, &now);
        }
        while !self.is_busy() {
            let Some(next) = self.queued.pop_front() else { return };
            self.take(next, &now);
        }
    }

    /// The next thing to do, until `None`.
    pub fn poll(&mut self) -> Option<Output> {
        self.out.pop_front()
    }

    /// Inputs are kept for later: a tool works, or the beginning is not ready.
    fn is_busy(&self) -> bool {
        self.waiting.is_some() || !self.ready
    }

    /// Nothing is half done: another brain may answer the caller.
    pub fn is_open(&self) -> bool {
        !self.is_busy() && self.hears && matches!(self.state, State::Open | State::MessageOffered)
    }

    /// The caller was told the emergency number and has not taken the alarm back.
    pub fn is_alarmed(&self) -> bool {
        matches!(self.state, State::Emergency(_))
    }

    /// A tool's answer is awaited.
    pub fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// What the caller says is a voicemail, or nothing at all any more.
    pub fn is_listening(&self) -> bool {
        !matches!(self.state, State::Voicemail | State::Over)
    }

    /// What was done in this call.
    pub fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// For another brain that does something in this call.
    pub fn ledger_mut(&mut self) -> &mut Ledger {
        &mut self.ledger
    }

    /// The services that can be booked.
    pub fn services(&self) -> &[Service] {
        &self.services
    }

    /// The language of the call.
    pub fn language(&self) -> Lang {
        self.setup.language
    }

    /// Records what another brain's work came to.
    pub fn note_outcome(&mut self, outcome: Outcome) {
        self.came_to(outcome);
    }

    fn take(&mut self, input: Input, now: &Zoned) {
        if matches!(self.state, State::Over) && !matches!(input, Input::Emergency(_)) {
            return;
        }
        match input {
            Input::Answered => self.greet(),
            Input::Ready { hears, services } => self.prepared(hears, services),
            Input::Heard(text) => self.heard(&text, now),
            Input::Digit(digit) => self.digit(digit, now),
            Input::Unclear => self.missed(),
            Input::Silence => self.silence(),
            Input::SilenceOver => self.silence_over(),
            Input::Emergency(sign) => self.emergency(sign),
            Input::EmergencySuspected => self.suspect(),
            Input::TimeUp => {
                self.say(self.lines(&[Phrase::TimeUp]), Expect::Open);
                self.end();
            }
            Input::Tool(_) => {}
        }
    }

    fn greet(&mut self) {
        let mut lines = vec![
            self.line(Phrase::Greeting, &[("clinic", &self.setup.clinic), ("receptionist", &self.setup.receptionist)]),
        ];
        if self.recorded {
            lines.push(self.line(Phrase::RecordingNotice, &[]));
        }
        self.put(Say { lines, protected: true, ..Say::default() });
    }

    fn prepared(&mut self, hears: bool, services: Vec<Service>) {
        let first = !std::mem::replace(&mut self.ready, true);
        self.services = services;
        if !hears {
            let lost = std::mem::replace(&mut self.hears, false);
            if lost && !matches!(self.state, State::Emergency(_)) {
                self.drop_booking();
                self.state = State::Open;
                self.ask(self.lines(&[Phrase::CannotHear, Phrase::Menu]), Expect::Open);
            }
        } else if first && matches!(self.state, State::Open) {
            self.ask(self.lines(&[Phrase::HowCanIHelp]), Expect::Open);
        }
    }

    fn heard(&mut self, text: &str, now: &Zoned) {
        let language = self.setup.language;
        if let Some(sign) = emergency::detect(text, language)
            && self.alarm(text, sign)
        {
            return;
        }
        match intent::of(text, language) {
            Some(Intent::NoRecording) if self.recorded => return self.refuse_recording(),
            Some(Intent::Repeat) => return self.repeat(),
            Some(Intent::MedicalAdvice) if !matches!(self.state, State::Message(_)) => return self.no_medical_advice(),
            Some(Intent::Person) if !matches!(self.state, State::Message(_)) => return self.person(),
            _ => {}
        }
        match std::mem::replace(&mut self.state, State::Open) {
            State::Open => self.open(text, now),
            State::MessageOffered => self.message_offered(text, now),
            State::Booking(booking) => self.booking_heard(*booking, text, now),
            State::Message(draft) => self.message_heard(draft, text),
            State::ServiceKeys => self.open(text, now),
            State::Emergency(sign) => self.after_emergency(sign, text),
            State::EmergencyAsked => self.emergency_answered(text, now),
            state @ (State::Voicemail | State::Over) => self.state = state,
        }
    }

    /// Nothing particular is awaited.
    fn open(&mut self, text: &str, now: &Zoned) {
        match intent::of(text, self.setup.language) {
            Some(Intent::Book)
                if !intent::asks(text, self.setup.language) || self.names_service_and_time(text, now) =>
            {
                self.understood();
                self.begin_booking(text, now);
            }
            Some(Intent::Book) => {
                self.understood();
                self.begin_booking(text, now);
            }
            Some(Intent::Message) => {
                self.understood();
                self.begin_message(&[Phrase::MessageAsk]);
            }
            Some(Intent::Goodbye) => self.goodbye(),
            Some(Intent::Cancel) => self.ask(self.lines(&[Phrase::AnythingElse]), Expect::Open),
            _ => match intent::yes_no(text, self.setup.language) {
                Some(false) if is_short(text) && self.outcome.is_some() => self.goodbye(),
                Some(_) if is_short(text) => self.ask(self.lines(&[Phrase::HowCanIHelp]), Expect::Open),
                _ => self.question(text),
            },
        }
    }

    fn names_service_and_time(&self, text: &str, now: &Zoned) -> bool {
        intent::service(text, &self.services).is_some()
            && !crate::when::parse(text, self.setup.language, now.date()).is_empty()
    }

    fn tool(&mut self, result: ToolResult, now: &Zoned) {
        if matches!(result, ToolResult::Released(_)) && self.releases > 0 {
            self.releases -= 1;
            return;
        }
        match (self.waiting.take(), result) {
            (Some(Waiting::Passages(question)), ToolResult::Answer(found)) => self.answered(&question, found),
            (Some(Waiting::Slots), ToolResult::Slots(found)) => self.slots(found, now),
            (Some(Waiting::Hold), ToolResult::Held(held)) => self.held(held, now),
            (Some(Waiting::Confirm), ToolResult::Confirmed(done)) => self.confirmed(done, now),
            (Some(Waiting::Message { voicemail }), ToolResult::MessageTaken(done)) => {
                self.message_done(done, voicemail)
            }
            // An answer to a question that an emergency has overtaken.
            (waiting, _) => self.waiting = waiting,
        }
    }

    fn no_medical_advice(&mut self) {
        self.understood();
        self.drop_booking();
        self.state = State::Open;
        let number = emergency::number(&self.setup.country);
        let line = self.line(Phrase::NoMedicalAdvice, &[("number", number)]);
        self.ask(vec![line], Expect::Open);
    }

    fn refuse_recording(&mut self) {
        self.understood();
        self.recorded = false;
        self.out.push_back(Output::RefuseRecording);
        self.ask(self.lines(&[Phrase::RecordingOff]), Expect::Open);
    }

    fn repeat(&mut self) {
        let again = self.last.clone();
        self.put(again);
    }

    fn goodbye(&mut self) {
        self.say(self.lines(&[Phrase::Goodbye]), Expect::Open);
        self.end();
    }

    fn end(&mut self) {
        self.state = State::Over;
        self.queued.clear();
        self.waiting = None;
        self.out.push_back(Output::End);
    }

    fn silence(&mut self) {
        if matches!(self.state, State::Voicemail) {
            return;
        }
        let mut lines = self.lines(&[Phrase::AreYouThere]);
        let expect = self.question.as_ref().map_or(Expect::Open, |say| say.expect);
        if let Some(say) = &self.question {
            lines.extend(say.lines.clone());
        }
        self.say(lines, expect);
    }

    fn silence_over(&mut self) {
        if matches!(self.state, State::Voicemail) {
            return self.voicemail_over();
        }
        self.drop_booking();
        self.say(self.lines(&[Phrase::SilenceGoodbye]), Expect::Open);
        self.end();
    }

    /// The caller was not understood: at most twice in a row, then the keys.
    fn missed(&mut self) {
        let question = self.question.clone().unwrap_or_default();
        self.missed_with(question);
    }

    fn missed_with(&mut self, question: Say) {
        if matches!(self.state, State::Voicemail | State::Over) {
            return;
        }
        self.misses = self.misses.saturating_add(1);
        if self.misses > MISSES_MAX {
            self.misses = 0;
            self.say(self.lines(&[Phrase::NotCaughtAgain, Phrase::Menu]), question.expect);
            return;
        }
        let mut lines = self.lines(&[Phrase::NotCaught]);
        if self.misses > 1 && !matches!(self.state, State::Open) {
            lines.extend(question.lines);
        }
        self.say(lines, question.expect);
    }

    fn understood(&mut self) {
        self.misses = 0;
    }

    /// What a call came to only grows in weight, except that a corrected alarm does not stand.
    fn came_to(&mut self, outcome: Outcome) {
        let weight = |outcome: Outcome| match outcome {
            Outcome::Emergency => 5,
            Outcome::Booked => 4,
            Outcome::MessageTaken => 3,
            Outcome::Voicemail => 2,
            Outcome::AnsweredQuestion => 1,
            Outcome::Abandoned | Outcome::Failed | Outcome::Transferred => 0,
        };
        if self.outcome.is_none_or(|before| weight(outcome) > weight(before)) {
            self.outcome = Some(outcome);
            self.out.push_back(Output::Outcome(outcome));
        }
    }

    fn line(&self, phrase: Phrase, values: &[(&str, &str)]) -> Line {
        let personal = ["name", "when", "service"];
        let lasting = !phrase.slots().iter().any(|slot| personal.contains(slot));
        Line { text: phrases::say(phrase, self.setup.language, values), lasting }
    }

    fn lines(&self, phrases: &[Phrase]) -> Vec<Line> {
        phrases.iter().map(|phrase| self.line(*phrase, &[])).collect()
    }

    /// Says something that leaves the open question open.
    fn say(&mut self, lines: Vec<Line>, expect: Expect) {
        self.put(Say { lines, protected: false, expect, citations: Vec::new() });
    }

    /// Says something that is the open question from now on.
    fn ask(&mut self, lines: Vec<Line>, expect: Expect) {
        let say = Say { lines, protected: false, expect, citations: Vec::new() };
        self.question = Some(say.clone());
        self.put(say);
    }

    fn put(&mut self, say: Say) {
        self.last = say.clone();
        self.out.push_back(Output::Say(say));
    }

    fn ask_tool(&mut self, request: ToolRequest, waiting: Waiting) {
        self.waiting = Some(waiting);
        self.out.push_back(Output::Tool(request));
    }

    fn release(&mut self, appointment: AppointmentId) {
        self.releases += 1;
        self.out.push_back(Output::Tool(ToolRequest::Release { appointment }));
    }

    /// Number to ring back: told, or signalled.
    fn number(&self) -> Option<String> {
        let signalled = Some(&self.setup.caller_number).filter(|number| crate::numbers::is_phone(number));
        self.ledger.number.as_ref().or(signalled).cloned()
    }
}

/// Three words or fewer: an answer rather than a sentence.
fn is_short(text: &str) -> bool {
    crate::words::words(text).len() <= 4
}
