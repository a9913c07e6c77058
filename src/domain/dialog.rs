//! The local receptionist: a conversation as a deterministic machine.
//!
//! Inputs are what the caller said or pressed and what tools answered; outputs are what to say, what to look up, and
//! what the call came to. It speaks only sentences of `config/phrases` and sentences of the clinic's own knowledge:
//! it cannot invent. It works without any provider, and takes over when a language model fails.

pub mod answer;
mod booking;
mod keys;
mod message;
#[cfg(test)]
mod tests;
pub mod tool;

use crate::appointment::{Service, Slot};
use crate::code::{Lang, Outcome};
use crate::conversation::Citation;
use crate::emergency::{self, Sign};
use crate::id::{AppointmentId, ServiceId};
use crate::intent::{self, Intent};
use crate::phrases::{self, Phrase};
use crate::tenant::WeekHours;
use booking::Booking;
use jiff::Zoned;
use jiff::tz::TimeZone;
use message::Draft;
use std::collections::VecDeque;
use tool::{ToolRequest, ToolResult};

/// Inputs kept while a tool works; a caller cannot say more meanwhile.
const QUEUE_MAX: usize = 16;
/// Failures to understand in a row before the keys are offered.
const MISSES_MAX: u8 = 2;
/// Passages looked at for one question.
pub const PASSAGES: usize = 5;

/// What the dialog knows before the first word.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The clinic's name.
    pub clinic: String,
    /// ISO 3166-1 country: decides the emergency number.
    pub country: String,
    /// The clinic's zone.
    pub zone: TimeZone,
    /// The clinic's opening hours.
    pub hours: WeekHours,
    /// The language of the call.
    pub language: Lang,
    /// The caller as signalled.
    pub caller_number: String,
    /// Whether the call is recorded.
    pub recorded: bool,
}

/// Into the dialog.
#[derive(Clone, Debug, PartialEq)]
pub enum Input {
    /// The call is answered: greet at once, whatever is not ready yet.
    Answered,
    /// What was being prepared during the greeting is there; until then inputs are kept. Once more with `hears: false`
    /// when recognition is lost during the call.
    Ready {
        /// Whether what the caller says is understood at all; otherwise there are only keys.
        hears: bool,
        /// What can be booked.
        services: Vec<Service>,
    },
    /// The caller said.
    Heard(String),
    /// The caller pressed.
    Digit(char),
    /// The caller spoke, but no word was understood.
    Unclear,
    /// Nobody has spoken for long.
    Silence,
    /// Nobody has spoken in spite of prompts.
    SilenceOver,
    /// An emergency phrase was heard, perhaps in the middle of a sentence.
    Emergency(Sign),
    /// A spotter beside the recogniser believes that it heard an emergency phrase.
    EmergencySuspected,
    /// A tool's answer; answers come in the order of the requests.
    Tool(ToolResult),
    /// The call has reached its longest duration.
    TimeUp,
}

/// What kind of answer a say awaits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expect {
    /// Anything.
    #[default]
    Open,
    /// Yes or no.
    YesNo,
    /// A day or time.
    When,
    /// A name.
    Name,
    /// Digits.
    Digits,
    /// A free message.
    Message,
}

/// One sentence, or a few that belong together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The words.
    pub text: String,
    /// The same for every caller: worth keeping as audio. Never holds personal data.
    pub lasting: bool,
}

/// Something to say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Say {
    /// In this order.
    pub lines: Vec<Line>,
    /// Not to be interrupted by speech.
    pub protected: bool,
    /// What is awaited afterwards.
    pub expect: Expect,
    /// Where it comes from.
    pub citations: Vec<Citation>,
}

/// Out of the dialog.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// Say this.
    Say(Say),
    /// Look this up, or write it; hand the answer back as [`Input::Tool`].
    Tool(ToolRequest),
    /// What the call has come to so far; the last one stands.
    Outcome(Outcome),
    /// The caller is being told the emergency number.
    Emergency {
        /// What was heard.
        sign: Sign,
        /// The number told.
        number: &'static str,
    },
    /// Stop recording, and remove what there is of it.
    RefuseRecording,
    /// What the caller says from now on is a voicemail.
    Voicemail,
    /// Hang up when everything has been said.
    End,
}

/// A booking made in this call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Made {
    /// What.
    pub service: ServiceId,
    /// When.
    pub slot: Slot,
    /// Under which id.
    pub appointment: AppointmentId,
}

/// What was done in this call, by whichever brain: the same request again is not done again.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ledger {
    /// Booked.
    pub made: Vec<Made>,
    /// Held and not yet confirmed.
    pub held: Option<(AppointmentId, Slot)>,
    /// The caller's name, once told.
    pub name: Option<String>,
    /// Number to ring back, once told; the signalled one otherwise.
    pub number: Option<String>,
    /// A message was taken.
    pub message: bool,
}

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
        let mut lines = vec![self.line(Phrase::Greeting, &[("clinic", &self.setup.clinic)])];
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

    /// What is nothing else is a question for the clinic's knowledge.
    fn question(&mut self, text: &str) {
        if !answer::is_question(text, self.setup.language) {
            return self.missed();
        }
        self.ask_tool(ToolRequest::Answer { query: text.to_owned() }, Waiting::Passages(text.to_owned()));
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

    fn answered(&mut self, question: &str, found: Result<Vec<tool::Found>, tool::ToolFailure>) {
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

    fn say_hours(&mut self) {
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

    fn offer_message(&mut self, phrases: &[Phrase]) {
        self.state = State::MessageOffered;
        let mut lines = self.lines(phrases);
        if !self.hears {
            lines.extend(self.lines(&[Phrase::KeyYesNo]));
        }
        self.ask(lines, Expect::YesNo);
    }

    fn message_offered(&mut self, text: &str, now: &Zoned) {
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

    fn person(&mut self) {
        self.understood();
        self.drop_booking();
        self.begin_message(&[Phrase::PersonNotNow, Phrase::MessageAsk]);
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

    /// Whether the words are taken as an alarm, or as an answer to one.
    fn alarm(&mut self, text: &str, sign: Sign) -> bool {
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

    fn emergency(&mut self, sign: Sign) {
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

    fn suspect(&mut self) {
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

    fn emergency_answered(&mut self, text: &str, now: &Zoned) {
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
    fn after_emergency(&mut self, sign: Sign, text: &str) {
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
            Outcome::Abandoned | Outcome::Failed => 0,
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
