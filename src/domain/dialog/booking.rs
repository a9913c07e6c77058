//! Making an appointment: service, day and time, a slot that is held, one confirmation (B-10).

use super::tool::{ToolFailure, ToolRequest};
use super::{Dialog, Expect, Made, Outcome, Phrase, State, Waiting};
use crate::Timestamp;
use crate::appointment::{Service, Slot};
use crate::id::{AppointmentId, ServiceId};
use crate::intent::{self, Intent};
use crate::numbers;
use crate::phrases;
use crate::when::{self, When};
use jiff::{ToSpan, Zoned};
use std::collections::VecDeque;

/// Slots asked for at once: a whole day of short services.
const SLOTS: usize = 60;
/// Slots tried when others are faster.
const HOLDS_MAX: u8 = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Service,
    When,
    Offer,
    Already,
    Name,
    Number,
}

#[derive(Clone, Debug)]
pub(super) struct Booking {
    step: Step,
    service: Option<ServiceId>,
    when: When,
    /// An appointment beside one that was booked before.
    extra: bool,
    rejected: Vec<Timestamp>,
    candidates: VecDeque<Slot>,
    /// The time asked for is not what can be offered.
    nearest: bool,
    widened: bool,
    holds: u8,
    /// Held before the one that is offered now; given back when the new hold stands.
    before: Option<AppointmentId>,
    digits: String,
    /// The slot whose hold ran out and is being taken again.
    again: bool,
}

impl Booking {
    fn new() -> Self {
        Self {
            step: Step::Service,
            service: None,
            when: When::default(),
            extra: false,
            rejected: Vec::new(),
            candidates: VecDeque::new(),
            nearest: false,
            widened: false,
            holds: 0,
            before: None,
            digits: String::new(),
            again: false,
        }
    }
}

impl Dialog {
    fn bookable(&self) -> impl Iterator<Item = &Service> {
        self.services.iter().filter(|service| service.active)
    }

    fn service_name(&self, id: Option<ServiceId>) -> String {
        self.services
            .iter()
            .find(|service| Some(service.id) == id)
            .map(|service| service.name.clone())
            .unwrap_or_default()
    }

    pub(super) fn begin_booking(&mut self, text: &str, now: &Zoned) {
        let mut booking = Booking::new();
        booking.when = when::parse(text, self.setup.language, now.date());
        booking.service = self.service_of(text);
        self.proceed(booking, now);
    }

    /// The service at this place of the key menu.
    pub(super) fn begin_booking_of(&mut self, index: usize, now: &Zoned) -> bool {
        let Some(service) = self.bookable().nth(index).map(|service| service.id) else { return false };
        let mut booking = Booking::new();
        booking.service = Some(service);
        self.proceed(booking, now);
        true
    }

    fn service_of(&self, text: &str) -> Option<ServiceId> {
        let named = intent::service(text, &self.services).map(|service| service.id);
        let mut all = self.bookable();
        let only = all.next().filter(|_| all.next().is_none()).map(|service| service.id);
        named.or(only)
    }

    /// Asks for what is missing, or looks for slots.
    fn proceed(&mut self, mut booking: Booking, now: &Zoned) {
        let Some(service) = booking.service else {
            let names: Vec<String> = self.bookable().map(|service| service.name.clone()).collect();
            if names.is_empty() {
                return self.offer_message(&[Phrase::NoServices]);
            }
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let services = phrases::list_or(&names, self.setup.language);
            let line = self.line(Phrase::ServiceAsk, &[("services", &services)]);
            booking.step = Step::Service;
            self.state = State::Booking(Box::new(booking));
            return self.ask(vec![line], Expect::Open);
        };
        let name = self.service_name(Some(service));
        let made = self.ledger.made.iter().find(|made| made.service == service).map(|made| made.slot.start);
        if let Some(start) = made.filter(|_| !booking.extra) {
            let when = phrases::spoken_when(start, &self.setup.zone, self.setup.language);
            let line = self.line(Phrase::AlreadyBooked, &[("service", &name), ("when", &when)]);
            booking.step = Step::Already;
            self.state = State::Booking(Box::new(booking));
            return self.ask(vec![line], Expect::YesNo);
        }
        if booking.when.is_empty() && self.hears {
            let line = self.line(Phrase::WhenAsk, &[("service", &name)]);
            booking.step = Step::When;
            self.state = State::Booking(Box::new(booking));
            return self.ask(vec![line], Expect::When);
        }
        self.find_slots(booking, service, now);
    }

    fn find_slots(&mut self, booking: Booking, service: ServiceId, now: &Zoned) {
        let anywhere =
            (now.timestamp(), now.timestamp().checked_add((24 * when::DAYS_AHEAD).hours()).unwrap_or(now.timestamp()));
        let (from, to) = match booking.when.window(now).filter(|_| !booking.widened) {
            Some(window) => (window.from.max(now.timestamp()), window.to),
            None => anywhere,
        };
        self.state = State::Booking(Box::new(booking));
        self.ask_tool(ToolRequest::FindSlots { service, from, to, limit: SLOTS }, Waiting::Slots);
    }

    pub(super) fn slots(&mut self, found: Result<Vec<Slot>, ToolFailure>, now: &Zoned) {
        let Some(mut booking) = self.take_booking() else { return };
        let Ok(found) = found else { return self.offer_message(&[Phrase::Trouble]) };
        let exact = booking.when.window(now).and_then(|window| window.exact);
        let mut slots: Vec<Slot> = found.into_iter().filter(|slot| !booking.rejected.contains(&slot.start)).collect();
        if let Some(exact) = exact {
            slots.sort_by_key(|slot| (slot.start.as_second() - exact.as_second()).abs());
            booking.nearest = slots.first().is_some_and(|slot| slot.start != exact);
        } else if !booking.widened {
            slots.retain(|slot| booking.when.fits_time(slot.start, &self.setup.zone));
        }
        if slots.is_empty() {
            let service = booking.service;
            if booking.widened || booking.when.is_empty() {
                return self.offer_message(&[Phrase::NoSlotsAtAll]);
            }
            booking.widened = true;
            booking.nearest = true;
            if let Some(service) = service {
                self.find_slots(booking, service, now);
            }
            return;
        }
        booking.candidates = slots.into();
        booking.holds = 0;
        self.hold_next(booking, now);
    }

    fn hold_next(&mut self, mut booking: Booking, now: &Zoned) {
        let next = booking.candidates.pop_front().filter(|_| booking.holds < HOLDS_MAX);
        let Some(slot) = next else {
            booking.when = When::default();
            booking.step = Step::When;
            self.state = State::Booking(Box::new(booking));
            return self.ask(self.lines(&[Phrase::NoSlots]), Expect::When);
        };
        booking.holds += 1;
        booking.candidates.push_front(slot.clone());
        if let Some((held, before)) = &self.ledger.held
            && *before == slot
        {
            let held = *held;
            self.state = State::Booking(Box::new(booking));
            return self.held(Ok(held), now);
        }
        self.state = State::Booking(Box::new(booking));
        self.ask_tool(ToolRequest::Hold { slot }, Waiting::Hold);
    }

    pub(super) fn held(&mut self, held: Result<AppointmentId, ToolFailure>, now: &Zoned) {
        let Some(mut booking) = self.take_booking() else { return };
        match held {
            Ok(appointment) => {
                let Some(slot) = booking.candidates.pop_front() else { return self.offer_message(&[Phrase::Trouble]) };
                if let Some(before) = booking.before.take().filter(|before| *before != appointment) {
                    self.release(before);
                }
                self.ledger.held = Some((appointment, slot.clone()));
                if booking.again {
                    return self.complete(booking, now);
                }
                self.offer(booking, &slot);
            }
            Err(ToolFailure::Unavailable) => self.offer_message(&[Phrase::Trouble]),
            Err(ToolFailure::SlotTaken | ToolFailure::HoldGone) => {
                booking.candidates.pop_front();
                booking.nearest = true;
                booking.again = false;
                self.hold_next(booking, now);
            }
        }
    }

    fn offer(&mut self, mut booking: Booking, slot: &Slot) {
        let service = self.service_name(booking.service);
        let when = phrases::spoken_when(slot.start, &self.setup.zone, self.setup.language);
        let phrase = if booking.nearest { Phrase::SlotNearest } else { Phrase::SlotOffer };
        let mut lines = vec![self.line(phrase, &[("service", &service), ("when", &when)])];
        if !self.hears {
            lines.extend(self.lines(&[Phrase::KeyYesNo]));
        }
        booking.step = Step::Offer;
        self.state = State::Booking(Box::new(booking));
        self.ask(lines, Expect::YesNo);
    }

    pub(super) fn booking_heard(&mut self, mut booking: Booking, text: &str, now: &Zoned) {
        let language = self.setup.language;
        if matches!(intent::of(text, language), Some(Intent::Cancel | Intent::Goodbye)) && booking.step != Step::Name {
            self.state = State::Booking(Box::new(booking));
            return self.give_up_booking();
        }
        let said = when::parse(text, language, now.date());
        match booking.step {
            Step::Service => {
                booking.service = self.service_of(text);
                booking.when = said.or(booking.when);
                if booking.service.is_some() {
                    self.understood();
                    self.proceed(booking, now);
                } else {
                    self.aside(booking, text);
                }
            }
            Step::When => {
                if let Some(service) = intent::service(text, &self.services) {
                    booking.service = Some(service.id);
                }
                if said.is_empty() {
                    return self.aside(booking, text);
                }
                self.understood();
                booking.when = said.or(booking.when);
                booking.widened = false;
                booking.nearest = false;
                self.proceed(booking, now);
            }
            Step::Offer => self.offer_answered(booking, text, said, now),
            Step::Already => self.already_answered(booking, text, said, now),
            Step::Name => match intent::person_name(text, language) {
                Some(name) => {
                    self.understood();
                    self.ledger.name = Some(name);
                    self.complete(booking, now);
                }
                None => self.ask_name(booking),
            },
            Step::Number => {
                booking.digits.push_str(&numbers::digits(text, language));
                self.number_told(booking, now);
            }
        }
    }

    fn offer_answered(&mut self, mut booking: Booking, text: &str, said: When, now: &Zoned) {
        let language = self.setup.language;
        match intent::yes_no(text, language) {
            Some(true) if said.is_empty() || !intent::asks(text, language) => {
                self.understood();
                self.complete(booking, now);
            }
            answer if !said.is_empty() || answer == Some(false) => {
                self.understood();
                if let Some((held, slot)) = &self.ledger.held {
                    booking.before = Some(*held);
                    booking.rejected.push(slot.start);
                }
                booking.widened = false;
                booking.nearest = false;
                booking.step = Step::When;
                if said.is_empty() {
                    self.state = State::Booking(Box::new(booking));
                    return self.ask(self.lines(&[Phrase::OtherWhen]), Expect::When);
                }
                booking.when = said.or(booking.when);
                self.proceed(booking, now);
            }
            _ => self.aside(booking, text),
        }
    }

    fn already_answered(&mut self, mut booking: Booking, text: &str, said: When, now: &Zoned) {
        match intent::yes_no(text, self.setup.language) {
            Some(true) => {
                booking.extra = true;
                booking.when = said.or(booking.when);
                // The time of the first request is that of the first appointment.
                booking.rejected = self.ledger.made.iter().map(|made| made.slot.start).collect();
                self.understood();
                self.proceed(booking, now);
            }
            Some(false) => {
                self.understood();
                self.ask(self.lines(&[Phrase::AnythingElse]), Expect::Open);
            }
            None => self.aside(booking, text),
        }
    }

    /// Neither an answer nor a command: perhaps a question, which is answered without losing the booking.
    fn aside(&mut self, booking: Booking, text: &str) {
        self.state = State::Booking(Box::new(booking));
        if intent::asks(text, self.setup.language) {
            self.question(text);
        } else {
            self.missed();
        }
    }

    /// The caller wants the slot: asks for what is missing, then books.
    fn complete(&mut self, mut booking: Booking, _now: &Zoned) {
        if self.hears && self.ledger.name.is_none() {
            return self.ask_name(booking);
        }
        let Some(number) = self.number() else {
            booking.step = Step::Number;
            self.state = State::Booking(Box::new(booking));
            return self.ask(self.lines(&[Phrase::NumberAsk]), Expect::Digits);
        };
        let Some((appointment, _)) = self.ledger.held.clone() else { return self.offer_message(&[Phrase::Trouble]) };
        let name = self.ledger.name.clone().unwrap_or_default();
        self.state = State::Booking(Box::new(booking));
        self.ask_tool(ToolRequest::Confirm { appointment, name, number }, Waiting::Confirm);
    }

    fn ask_name(&mut self, mut booking: Booking) {
        booking.step = Step::Name;
        self.state = State::Booking(Box::new(booking));
        self.ask(self.lines(&[Phrase::NameAsk]), Expect::Name);
    }

    fn number_told(&mut self, mut booking: Booking, now: &Zoned) {
        if numbers::is_phone(&booking.digits) {
            self.understood();
            self.ledger.number = Some(std::mem::take(&mut booking.digits));
            return self.complete(booking, now);
        }
        booking.digits.clear();
        self.state = State::Booking(Box::new(booking));
        self.ask(self.lines(&[Phrase::NumberAgain]), Expect::Digits);
    }

    pub(super) fn confirmed(&mut self, done: Result<(), ToolFailure>, now: &Zoned) {
        let Some(mut booking) = self.take_booking() else { return };
        let Some((appointment, slot)) = self.ledger.held.take() else { return };
        match done {
            Ok(()) => {
                let service = self.service_name(booking.service);
                let when = phrases::spoken_when(slot.start, &self.setup.zone, self.setup.language);
                self.ledger.made.push(Made { service: slot.service, slot, appointment });
                let name = self.ledger.name.clone().unwrap_or_default();
                let mut lines = vec![if name.is_empty() {
                    self.line(Phrase::BookedNameless, &[("service", &service), ("when", &when)])
                } else {
                    self.line(Phrase::Booked, &[("service", &service), ("when", &when), ("name", &name)])
                }];
                lines.extend(self.lines(&[if self.hears { Phrase::AnythingElse } else { Phrase::Menu }]));
                self.came_to(Outcome::Booked);
                self.ask(lines, Expect::Open);
            }
            // The caller took longer than the hold lasts: take the slot again, once.
            Err(ToolFailure::HoldGone) if !booking.again => {
                booking.again = true;
                booking.candidates = VecDeque::from([slot]);
                booking.holds = 0;
                self.hold_next(booking, now);
            }
            Err(ToolFailure::HoldGone | ToolFailure::SlotTaken) => {
                booking.again = false;
                booking.rejected.push(slot.start);
                booking.step = Step::When;
                self.state = State::Booking(Box::new(booking));
                self.ask(self.lines(&[Phrase::SlotGone, Phrase::OtherWhen]), Expect::When);
            }
            Err(ToolFailure::Unavailable) => self.offer_message(&[Phrase::Trouble]),
        }
    }

    /// A key while an appointment is being made; false when it means nothing here.
    pub(super) fn booking_digit(&mut self, digit: char, now: &Zoned) -> bool {
        let Some(mut booking) = self.take_booking() else { return false };
        let known = match (booking.step, digit) {
            (Step::Number, '#') => {
                self.number_told(booking, now);
                return true;
            }
            (Step::Number, '0'..='9') => {
                booking.digits.push(digit);
                true
            }
            (Step::Offer, '1') => {
                self.complete(booking, now);
                return true;
            }
            (Step::Offer, '2') => {
                if let Some((held, slot)) = &self.ledger.held {
                    booking.before = Some(*held);
                    booking.rejected.push(slot.start);
                }
                if self.hears {
                    booking.step = Step::When;
                    self.state = State::Booking(Box::new(booking));
                    self.ask(self.lines(&[Phrase::OtherWhen]), Expect::When);
                } else {
                    self.proceed(booking, now);
                }
                return true;
            }
            (Step::Already, '1' | '2') => {
                booking.extra = true;
                self.state = State::Open;
                if digit == '1' {
                    self.proceed(booking, now);
                } else {
                    self.ask(self.lines(&[Phrase::AnythingElse]), Expect::Open);
                }
                return true;
            }
            _ => false,
        };
        self.state = State::Booking(Box::new(booking));
        known
    }

    fn take_booking(&mut self) -> Option<Booking> {
        match std::mem::replace(&mut self.state, State::Open) {
            State::Booking(booking) => Some(*booking),
            other => {
                self.state = other;
                None
            }
        }
    }

    fn give_up_booking(&mut self) {
        self.understood();
        self.drop_booking();
        self.ask(self.lines(&[Phrase::BookingDropped]), Expect::Open);
    }

    /// Leaves a booking that is under way: a held slot is given back.
    pub(super) fn drop_booking(&mut self) {
        if self.take_booking().is_some() {
            self.waiting = None;
            if let Some((appointment, _)) = self.ledger.held.take() {
                self.release(appointment);
            }
        }
    }
}
