#![allow(clippy::unwrap_used)]
//! Whole conversations with a clinic whose records live in a list.

use super::tool::{Found, Message, ToolFailure};
use super::*;
use crate::Timestamp;
use crate::appointment::{Appointment, Slot};
use crate::conversation::Citation;
use crate::id::{DocumentId, PassageId, ServiceId};
use crate::tenant::{OpenSpan, WeekHours};
use jiff::tz::TimeZone;

/// Friday, 20 November 2026, 12:00 in London.
fn now() -> Zoned {
    "2026-11-20T12:00[Europe/London]".parse().unwrap()
}

fn service(number: u8, name: &str, alias: &str) -> Service {
    Service {
        id: ServiceId::new(Timestamp::UNIX_EPOCH, [number; 10]),
        name: name.to_owned(),
        aliases: vec![alias.to_owned()],
        duration_min: 30,
        resource: "Room 1".to_owned(),
        hours: (1..=5).map(|weekday| OpenSpan { weekday, from_minute: 540, to_minute: 1_020 }).collect(),
        lead_min: 60,
        active: true,
        version: 1,
    }
}

/// The clinic's records, and a caller on the line.
struct Clinic {
    dialog: Dialog,
    language: Lang,
    services: Vec<Service>,
    found: Vec<Found>,
    /// Taken by somebody else.
    taken: Vec<Timestamp>,
    held: Vec<(AppointmentId, Slot)>,
    booked: Vec<(AppointmentId, String, String)>,
    released: Vec<AppointmentId>,
    messages: Vec<Message>,
    /// What the next writing tools answer instead of working.
    failures: Vec<ToolFailure>,
    said: Vec<String>,
    outcomes: Vec<Outcome>,
    other: Vec<Output>,
}

impl Clinic {
    fn new(language: Lang, caller: &str, recorded: bool) -> Self {
        let names = match language {
            Lang::En => [("Skin consultation", "consultation"), ("Chemical peel", "peel")],
            Lang::Es => [("Consulta de piel", "consulta"), ("Peeling químico", "peeling")],
            Lang::Cs => [("Kožní konzultace", "konzultace"), ("Chemický peeling", "peeling")],
        };
        let setup = Setup {
            receptionist: "Sarah".into(),
            clinic: "Hill Clinic".to_owned(),
            country: "GB".to_owned(),
            zone: TimeZone::get("Europe/London").unwrap(),
            hours: WeekHours { open: vec![OpenSpan { weekday: 1, from_minute: 540, to_minute: 1_080 }] },
            language,
            caller_number: caller.to_owned(),
            recorded,
        };
        let mut clinic = Self {
            dialog: Dialog::new(setup),
            language,
            services: Vec::new(),
            found: Vec::new(),
            taken: Vec::new(),
            held: Vec::new(),
            booked: Vec::new(),
            released: Vec::new(),
            messages: Vec::new(),
            failures: Vec::new(),
            said: Vec::new(),
            outcomes: Vec::new(),
            other: Vec::new(),
        };
        clinic.put(Input::Answered);
        clinic.services = vec![service(1, names[0].0, names[0].1), service(2, names[1].0, names[1].1)];
        clinic
    }

    /// A call in which the caller is understood.
    fn hearing(language: Lang, caller: &str) -> Self {
        let mut clinic = Self::new(language, caller, true);
        let services = clinic.services.clone();
        clinic.put(Input::Ready { hears: true, services });
        clinic
    }

    fn put(&mut self, input: Input) {
        self.said.clear();
        self.dialog.handle(input, &now());
        while let Some(output) = self.dialog.poll() {
            match output {
                Output::Say(say) => self.said.extend(say.lines.into_iter().map(|line| line.text)),
                Output::Outcome(outcome) => self.outcomes.push(outcome),
                Output::Tool(request) => {
                    let result = self.work(request);
                    self.dialog.handle(Input::Tool(result), &now());
                }
                other => self.other.push(other),
            }
        }
    }

    fn work(&mut self, request: ToolRequest) -> ToolResult {
        let failure = if request.writes() { self.failures.pop() } else { None };
        match request {
            ToolRequest::Answer { .. } => ToolResult::Answer(Ok(self.found.clone())),
            ToolRequest::FindSlots { service, from, to, limit } => {
                let service = self.services.iter().find(|known| known.id == service).unwrap();
                let zone = TimeZone::get("Europe/London").unwrap();
                let none: [Appointment; 0] = [];
                let slots = crate::slots::free(service, &none, &zone, (from, to), now().timestamp(), limit);
                let booked = |slot: &Slot| {
                    self.held.iter().any(|(id, held)| held == slot && self.booked.iter().any(|made| made.0 == *id))
                };
                ToolResult::Slots(Ok(slots
                    .into_iter()
                    .filter(|slot| !self.taken.contains(&slot.start) && !booked(slot))
                    .collect()))
            }
            ToolRequest::Hold { slot } => ToolResult::Held(failure.map_or_else(
                || {
                    let number = u8::try_from(self.held.len()).unwrap();
                    let id = AppointmentId::new(Timestamp::UNIX_EPOCH, [number; 10]);
                    self.held.push((id, slot));
                    Ok(id)
                },
                Err,
            )),
            ToolRequest::Confirm { appointment, name, number } => ToolResult::Confirmed(failure.map_or_else(
                || {
                    self.booked.push((appointment, name, number));
                    Ok(())
                },
                Err,
            )),
            ToolRequest::Release { appointment } => {
                self.released.push(appointment);
                ToolResult::Released(Ok(()))
            }
            ToolRequest::TakeMessage(message) => ToolResult::MessageTaken(failure.map_or_else(
                || {
                    self.messages.push(message);
                    Ok(())
                },
                Err,
            )),
        }
    }

    /// The caller says this; the answer must contain that.
    fn hear(&mut self, text: &str, expected: &str) -> &mut Self {
        self.put(Input::Heard(text.to_owned()));
        let said = self.said.join(" ");
        assert!(said.contains(expected), "{:?}: {text:?} was answered by {said:?}, not by {expected:?}", self.language);
        self
    }

    fn press(&mut self, digits: &str, expected: &str) -> &mut Self {
        let mut said = String::new();
        for digit in digits.chars() {
            self.put(Input::Digit(digit));
            said = self.said.join(" ");
        }
        assert!(said.contains(expected), "{digits:?} was answered by {said:?}, not by {expected:?}");
        self
    }

    fn knows(&mut self, heading: &str, text: &str) -> &mut Self {
        let citation = Citation {
            document: DocumentId::new(Timestamp::UNIX_EPOCH, [1; 10]),
            name: heading.to_owned(),
            passage: PassageId::new(Timestamp::UNIX_EPOCH, [2; 10]),
        };
        self.found.push(Found { citation, heading: heading.to_owned(), text: text.to_owned(), score: 1.0 });
        self
    }

    fn slot_of_booking(&self) -> String {
        let (id, ..) = self.booked.last().unwrap();
        self.held.iter().find(|(held, _)| held == id).unwrap().1.start.to_string()
    }
}

const PHONE: &str = "+447700900123";

/// B-08, VOICE-02: who speaks, that it is an AI, that it is recorded; all protected, in the caller's language.
#[test]
fn the_greeting_discloses_and_is_protected() {
    for language in Lang::ALL {
        let setup = Clinic::new(*language, PHONE, true);
        assert!(setup.said[0].contains("Hill Clinic") && setup.said[0].contains("Sarah"), "{:?}", setup.said);
        assert_eq!(setup.said.len(), 2);
        assert_eq!(Clinic::new(*language, PHONE, false).said.len(), 1);
    }
}

/// VOICE-07, B-10
#[test]
fn an_appointment_is_booked_in_every_language() {
    let conversations: [(Lang, &[(&str, &str)]); 3] = [
        (
            Lang::En,
            &[
                ("hello I'd like to book a chemical peel please", "Which day and time"),
                ("next tuesday at half past ten", "Chemical peel on Tuesday the 24th of November at 10:30 am"),
                ("yes please", "your name"),
                (
                    "my name is jane smith",
                    "You are booked: Chemical peel on Tuesday the 24th of November at 10:30 am, for Jane Smith.",
                ),
                ("no that's all thank you", "Goodbye"),
            ],
        ),
        (
            Lang::Es,
            &[
                ("quiero pedir una cita", "¿Qué desea reservar?"),
                ("un peeling", "¿Qué día"),
                ("el martes a las diez y media", "el martes 24 de noviembre a las 10:30"),
                ("sí, perfecto", "su nombre"),
                ("me llamo Ana García", "a nombre de Ana García"),
                ("nada más, adiós", "Adiós"),
            ],
        ),
        (
            Lang::Cs,
            &[
                ("chtěla bych se objednat na chemický peeling", "Který den"),
                ("v úterý v půl jedenácté", "v úterý 24. listopadu v 10:30"),
                ("ano, hodí se mi to", "jméno"),
                ("jmenuji se Eva Nováková", "na jméno Eva Nováková"),
                ("to je všechno, na shledanou", "Na shledanou"),
            ],
        ),
    ];
    for (language, turns) in conversations {
        let mut clinic = Clinic::hearing(language, PHONE);
        for (text, expected) in turns {
            clinic.hear(text, expected);
        }
        assert_eq!(clinic.slot_of_booking(), "2026-11-24T10:30:00Z");
        assert_eq!(clinic.booked.len(), 1);
        assert_eq!(clinic.booked[0].2, PHONE);
        assert_eq!(clinic.outcomes, [Outcome::Booked]);
        assert_eq!(clinic.other, [Output::End]);
    }
}

/// B-10: the new slot is held before the old one is given back, and only one is booked.
#[test]
fn another_time_after_a_no() {
    let mut clinic = Clinic::hearing(Lang::En, PHONE);
    clinic
        .hear("book a consultation on tuesday at ten", "Skin consultation on Tuesday the 24th of November at 10 am")
        .hear("no can I come on wednesday afternoon", "Wednesday the 25th of November at 12 pm")
        .hear("no", "Which other day or time")
        .hear("thursday at three", "Thursday the 26th of November at 3 pm")
        .hear("yes that's perfect", "name")
        .hear("john", "You are booked");
    assert_eq!(clinic.booked.len(), 1);
    assert_eq!(clinic.released.len(), 2);
    assert_eq!(clinic.held.len(), 3);
}

/// The issue's own test: the same request repeated within the call books once.
#[test]
fn the_same_request_again_books_once() {
    let mut clinic = Clinic::hearing(Lang::En, PHONE);
    clinic
        .hear("book a peel on tuesday at ten", "10 am")
        .hear("yes", "name")
        .hear("jane smith", "You are booked")
        .hear("I'd like to book a peel on tuesday at ten", "already booked")
        .hear("no", "anything else");
    assert_eq!(clinic.booked.len(), 1);
    clinic
        .hear("book a peel", "already booked")
        .hear("yes on wednesday at nine", "Wednesday the 25th of November at 9 am")
        .hear("yes", "for Jane Smith");
    assert_eq!(clinic.booked.len(), 2);
}

#[test]
fn a_taken_time_is_answered_by_the_nearest() {
    let mut clinic = Clinic::hearing(Lang::En, PHONE);
    clinic.taken.push("2026-11-24T10:30:00Z".parse().unwrap());
    clinic.hear(
        "book a peel on tuesday at half past ten",
        "I do not have that time. The nearest I have for Chemical peel is on Tuesday",
    );
    // On Sunday there is nothing: the next free day is offered.
    let mut clinic = Clinic::hearing(Lang::En, PHONE);
    clinic.hear("book a peel on sunday morning", "Chemical peel is on Friday the 20th of November");
}

#[test]
fn a_slot_lost_to_somebody_faster_is_replaced() {
    let mut clinic = Clinic::hearing(Lang::En, PHONE);
    clinic.failures = vec![ToolFailure::SlotTaken];
    clinic.hear(
        "book a peel on tuesday morning",
        "The nearest I have for Chemical peel is on Tuesday the 24th of November at 9:30 am",
    );
    // A hold that ran out while the caller thought is taken again, without a word.
    let mut clinic = Clinic::hearing(Lang::En, PHONE);
    clinic.hear("book a peel on tuesday morning", "9 am").hear("yes", "name");
    clinic.failures = vec![ToolFailure::HoldGone];
    clinic.hear("jane smith", "You are booked");
    assert_eq!(clinic.booked.len(), 1);
}

#[test]
fn a_caller_without_number_is_asked_for_one_by_voice_or_keys() {
    let mut clinic = Clinic::hearing(Lang::En, "");
    clinic
        .hear("book a peel on tuesday at ten", "10 am")
        .hear("yes", "name")
        .hear("jane smith", "which number")
        .hear("oh seven seven", "complete number")
        .hear("oh double seven oh oh nine oh oh one two three", "You are booked");
    assert_eq!(clinic.booked[0].2, "07700900123");
    let mut clinic = Clinic::hearing(Lang::En, "anonymous");
    clinic.hear("book a peel on tuesday at ten", "10 am").hear("yes", "name").hear("jane smith", "which number");
    clinic.press("07700900123#", "You are booked");
}

/// KB-04: from the document, or honestly not at all.
#[test]
fn questions_are_answered_from_the_clinics_own_words() {
    let mut clinic = Clinic::hearing(Lang::En, PHONE);
    clinic.knows("Access", "There is a lift at the back entrance.");
    clinic.hear("is there a lift in the building", "There is a lift at the back entrance.");
    assert_eq!(clinic.outcomes, [Outcome::AnsweredQuestion]);
    clinic.hear("do you remove tattoos", "I do not have that information").hear("yes please", "What may I tell");
    clinic.hear("I would like to know whether you remove tattoos", "name").hear("jane", "passed your message on");
    assert_eq!(clinic.messages[0].text, "I would like to know whether you remove tattoos");
    assert_eq!((clinic.messages[0].name.as_str(), clinic.messages[0].number.as_str()), ("Jane", PHONE));
    assert_eq!(clinic.outcomes.last(), Some(&Outcome::MessageTaken));
}

#[test]
fn opening_hours_come_from_the_clinic_itself_when_no_document_has_them() {
    let mut clinic = Clinic::hearing(Lang::En, PHONE);
    clinic.hear("what are your opening hours", "Monday from 9 am to 6 pm");
}

#[test]
fn a_question_in_the_middle_of_a_booking_does_not_lose_it() {
    let mut clinic = Clinic::hearing(Lang::En, PHONE);
    clinic.knows("Prices", "A chemical peel costs 120 pounds.");
    clinic
        .hear("book a peel on tuesday at ten", "10 am")
        .hear("how much is a chemical peel", "120 pounds. I can offer you Chemical peel on Tuesday")
        .hear("yes", "name");
}

/// B-09: a person, from every state.
#[test]
fn a_person_is_reached_by_a_message_from_every_state() {
    for before in [
        vec![],
        vec!["book a peel"],
        vec!["book a peel on tuesday at ten"],
        vec!["book a peel on tuesday at ten", "yes"],
    ] {
        let mut clinic = Clinic::hearing(Lang::En, PHONE);
        for text in &before {
            clinic.put(Input::Heard((*text).to_owned()));
        }
        clinic.hear("I want to speak to a human", "nobody from our team").hear("please call me", "name");
        assert_eq!(clinic.held.len(), clinic.released.len());
        let mut clinic = Clinic::hearing(Lang::En, PHONE);
        for text in &before {
            clinic.put(Input::Heard((*text).to_owned()));
        }
        clinic.press("0", "nobody from our team");
    }
}

/// SAFE-01
#[test]
fn medical_advice_is_never_given() {
    for (language, text) in [
        (Lang::En, "should I take ibuprofen for it"),
        (Lang::Es, "¿qué dosis debo tomar?"),
        (Lang::Cs, "můžu si vzít ibalgin"),
    ] {
        let mut clinic = Clinic::hearing(language, PHONE);
        clinic.knows("Ibuprofen", "Ibuprofen ibalgin dosis: take two.");
        clinic.hear(text, "999");
        assert!(!clinic.said.join(" ").contains("take two"));
    }
}

/// B-07
#[test]
fn an_emergency_stops_everything_and_can_be_taken_back() {
    let mut clinic = Clinic::hearing(Lang::En, PHONE);
    clinic
        .hear("book a peel on tuesday at ten", "10 am")
        .hear("actually I have chest pain", "please hang up and dial 999 now");
    assert!(matches!(&clinic.other[..], [Output::Emergency { sign, number: "999" }] if sign.code == "chest_pain"));
    assert_eq!(clinic.outcomes, [Outcome::Emergency]);
    clinic.hear("what should I do", "dial 999 now").hear("no it's not an emergency", "How can I help");
    clinic.hear("book a peel on tuesday at ten", "10 am");
    for (language, text) in [(Lang::Es, "me duele mucho el pecho"), (Lang::Cs, "bolí mě na hrudi")] {
        Clinic::hearing(language, PHONE).hear(text, "999");
    }
}

/// B-07: where it is doubtful, it is asked, once.
#[test]
fn a_doubtful_alarm_is_a_question() {
    let mut clinic = Clinic::hearing(Lang::En, PHONE);
    clinic.put(Input::EmergencySuspected);
    assert!(clinic.said[0].contains("999") && clinic.said[0].contains("press 1"));
    clinic.press("1", "hang up and dial 999");
    let mut clinic = Clinic::hearing(Lang::En, PHONE);
    clinic.hear("I have no chest pain", "Is this an emergency").hear("no", "How can I help");
    clinic.put(Input::EmergencySuspected);
    assert!(clinic.said.is_empty());
}

/// B-08: a no that works.
#[test]
fn recording_can_be_refused_by_word_and_by_key() {
    for language in Lang::ALL {
        let text = match language {
            Lang::En => "no recording please",
            Lang::Es => "sin grabación",
            Lang::Cs => "bez nahrávání prosím",
        };
        let mut clinic = Clinic::hearing(*language, PHONE);
        clinic.put(Input::Heard(text.to_owned()));
        assert_eq!(clinic.other, [Output::RefuseRecording], "{text}");
    }
    let mut clinic = Clinic::hearing(Lang::En, PHONE);
    clinic.press("9", "recording is off");
    assert_eq!(clinic.other, [Output::RefuseRecording]);
}

#[test]
fn after_two_misunderstandings_the_keys_are_offered() {
    let mut clinic = Clinic::hearing(Lang::En, PHONE);
    for expected in ["did not catch", "did not catch", "Press 1 to book"] {
        clinic.put(Input::Unclear);
        assert!(clinic.said.join(" ").contains(expected));
    }
    clinic.press("2", "Monday from 9 am");
}

#[test]
fn without_recognition_everything_goes_by_keys() {
    let mut clinic = Clinic::new(Lang::En, PHONE, true);
    let services = clinic.services.clone();
    clinic.put(Input::Ready { hears: false, services });
    assert!(clinic.said.join(" ").contains("cannot listen"));
    clinic
        .press("1", "For Chemical peel, press 2")
        .press("2", "Chemical peel on Friday the 20th of November at 1 pm. Shall I book it? Press 1 for yes")
        .press("2", "at 1:30 pm")
        .press("1", "You are booked: Chemical peel on Friday the 20th of November at 1:30 pm.");
    assert_eq!(clinic.booked.len(), 1);
    clinic.press("3", "leave your message").press("#", "Your message is saved");
    assert_eq!(clinic.other, [Output::Voicemail, Output::End]);
    assert_eq!(clinic.messages.len(), 1);
}

#[test]
fn without_recognition_and_recording_a_callback_is_noted() {
    let mut clinic = Clinic::new(Lang::En, "", false);
    clinic.put(Input::Ready { hears: false, services: Vec::new() });
    clinic.press("0", "which number can we").press("07700900123#", "rung back");
    assert_eq!(clinic.messages[0].number, "07700900123");
}

#[test]
fn recognition_lost_in_mid_call_is_said_honestly() {
    let mut clinic = Clinic::hearing(Lang::En, PHONE);
    clinic.hear("book a peel on tuesday at ten", "10 am");
    clinic.put(Input::Ready { hears: false, services: Vec::new() });
    assert!(clinic.said.join(" ").contains("cannot listen"));
    assert_eq!(clinic.released.len(), 1);
}

#[test]
fn silence_ends_politely() {
    let mut clinic = Clinic::hearing(Lang::En, PHONE);
    clinic.put(Input::Silence);
    assert_eq!(clinic.said.join(" "), "Are you still there? How can I help you?");
    clinic.put(Input::SilenceOver);
    assert_eq!(clinic.other, [Output::End]);
}

#[test]
fn what_is_said_while_a_tool_works_is_kept() {
    let mut clinic = Clinic::hearing(Lang::En, PHONE);
    clinic.dialog.handle(Input::Heard("is there a lift".to_owned()), &now());
    assert!(matches!(clinic.dialog.poll(), Some(Output::Tool(ToolRequest::Answer { .. }))));
    clinic.dialog.handle(Input::Heard("goodbye".to_owned()), &now());
    assert_eq!(clinic.dialog.poll(), None);
    clinic.put(Input::Tool(ToolResult::Answer(Ok(Vec::new()))));
    assert!(clinic.said.join(" ").contains("Goodbye"));
}

#[test]
fn records_that_cannot_be_reached_lead_to_a_message() {
    let mut clinic = Clinic::hearing(Lang::En, PHONE);
    clinic.failures = vec![ToolFailure::Unavailable];
    clinic.hear("book a peel on tuesday at ten", "cannot look that up").hear("yes", "What may I tell");
}

proptest::proptest! {
    /// Nothing a caller says or presses panics, and every turn of an open call is answered.
    #[test]
    fn any_caller_is_answered(turns in proptest::collection::vec((proptest::bool::ANY, "[a-z ]{1,40}|book a peel|yes|no|tuesday at ten|chest pain|jane", 0..12_usize), 1..20)) {
        let mut clinic = Clinic::hearing(Lang::En, "");
        for (spoken, text, digit) in turns {
            clinic.put(if spoken { Input::Heard(text) } else { Input::Digit("0123456789*#".chars().nth(digit).unwrap()) });
            let typing = !spoken;
            proptest::prop_assert!(typing || !clinic.said.is_empty() || clinic.other.contains(&Output::End));
        }
        proptest::prop_assert!(clinic.booked.len() <= clinic.held.len());
    }
}
