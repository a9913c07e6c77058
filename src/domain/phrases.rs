//! Every sentence the receptionist says of itself, in every language, from `config/phrases/*.toml`.
//!
//! Keys are typed: a sentence without a translation, or with a placeholder nobody fills, fails a test.

use crate::Timestamp;
use crate::code::Lang;
use jiff::tz::TimeZone;
use serde::Deserialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::LazyLock;

macro_rules! phrases {
    ($($(#[$doc:meta])* $name:ident = $key:literal [$($slot:literal),*]),+ $(,)?) => {
        /// A sentence, or a few that belong together.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Phrase { $($(#[$doc])* $name),+ }

        impl Phrase {
            /// All of them.
            pub const ALL: &'static [Phrase] = &[$(Phrase::$name),+];

            /// Its key in the files.
            pub fn key(self) -> &'static str {
                match self { $(Self::$name => $key),+ }
            }

            /// Its placeholders.
            pub fn slots(self) -> &'static [&'static str] {
                match self { $(Self::$name => &[$($slot),*]),+ }
            }
        }
    };
}

phrases! {
    /// Who answers: the clinic, and that it is an AI (B-08). Protected.
    Greeting = "greeting" ["clinic", "receptionist"],
    /// That the call is recorded, and how to refuse. Protected.
    RecordingNotice = "recording_notice" [],
    /// The opening question.
    HowCanIHelp = "how_can_i_help" [],
    /// Recording has stopped.
    RecordingOff = "recording_off" [],
    /// After something is done.
    AnythingElse = "anything_else" [],
    /// The end.
    Goodbye = "goodbye" [],
    /// There was speech, but no words or no sense.
    NotCaught = "not_caught" [],
    /// Before the menu, when understanding failed repeatedly.
    NotCaughtAgain = "not_caught_again" [],
    /// Keys for everything.
    Menu = "menu" [],
    /// Nobody has spoken for long.
    AreYouThere = "are_you_there" [],
    /// Before hanging up on silence.
    SilenceGoodbye = "silence_goodbye" [],
    /// Thinking takes long.
    Moment = "moment" [],
    /// Thinking takes very long.
    MomentMore = "moment_more" [],
    /// The clinic's knowledge has no answer.
    NoAnswer = "no_answer" [],
    /// Medical advice was asked (SAFE-01).
    NoMedicalAdvice = "no_medical_advice" ["number"],
    /// The emergency number. Protected; its first sentence names the number (B-07).
    EmergencyNotice = "emergency_notice" ["number"],
    /// How to correct a false alarm.
    EmergencyCorrect = "emergency_correct" [],
    /// Asked when it is doubtful.
    EmergencyAsk = "emergency_ask" ["number"],
    /// After a correction.
    EmergencyCorrected = "emergency_corrected" [],
    /// A person was asked for, and none is there.
    PersonNotNow = "person_not_now" [],
    /// What is the message?
    MessageAsk = "message_ask" [],
    /// The message is kept.
    MessageTaken = "message_taken" [],
    /// The message could not be kept.
    MessageFailed = "message_failed" [],
    /// All right, no message.
    MessageDropped = "message_dropped" [],
    /// Message or appointment?
    MessageOrBook = "message_or_book" [],
    /// Who speaks?
    NameAsk = "name_ask" [],
    /// Which number?
    NumberAsk = "number_ask" [],
    /// The number was not complete.
    NumberAgain = "number_again" [],
    /// What to book?
    ServiceAsk = "service_ask" ["services"],
    /// Nothing can be booked by phone.
    NoServices = "no_services" [],
    /// When?
    WhenAsk = "when_ask" ["service"],
    /// A slot in the time asked for.
    SlotOffer = "slot_offer" ["service", "when"],
    /// A slot near the time asked for.
    SlotNearest = "slot_nearest" ["service", "when"],
    /// The slot has gone in the meantime.
    SlotGone = "slot_gone" [],
    /// Nothing free in that time.
    NoSlots = "no_slots" [],
    /// Nothing free at all.
    NoSlotsAtAll = "no_slots_at_all" [],
    /// After a no to a slot.
    OtherWhen = "other_when" [],
    /// Booked, read back.
    Booked = "booked" ["service", "when", "name"],
    /// Booked, as a text message. Nothing in it says what for: others may read it.
    BookedText = "booked_text" ["clinic", "when"],
    /// Booked without a name.
    BookedNameless = "booked_nameless" ["service", "when"],
    /// The same was booked before in this call.
    AlreadyBooked = "already_booked" ["service", "when"],
    /// Nothing was booked after all.
    BookingDropped = "booking_dropped" [],
    /// Yes or no, please.
    YesOrNo = "yes_or_no" [],
    /// Records cannot be reached.
    Trouble = "trouble" [],
    /// The receptionist failed; another one takes the call in a moment.
    Fault = "fault" [],
    /// The receptionist failed again; the call ends.
    FaultGoodbye = "fault_goodbye" [],
    /// Opening hours, one item a day.
    Hours = "hours" ["hours"],
    /// Opening hours of one day.
    HoursDay = "hours_day" ["day", "from", "to"],
    /// Opening hours are not known.
    HoursUnknown = "hours_unknown" [],
    /// Recognition is not available: keys only.
    CannotHear = "cannot_hear" [],
    /// One service of the key menu.
    KeyService = "key_service" ["service", "key"],
    /// Yes and no by key.
    KeyYesNo = "key_yes_no" [],
    /// Leave a voicemail.
    VoicemailAsk = "voicemail_ask" [],
    /// The voicemail is kept.
    VoicemailTaken = "voicemail_taken" [],
    /// No recording, so no voicemail: a note to ring back is left.
    CallbackNoted = "callback_noted" [],
    /// The text of a task that stands for a voicemail.
    VoicemailNote = "voicemail_note" [],
    /// The text of a task that asks to ring back.
    CallbackNote = "callback_note" [],
    /// The longest call is over.
    TimeUp = "time_up" [],
    /// A day and a time, as part of a sentence.
    DateTime = "date_time" ["date", "time"],
    /// A day.
    Date = "date" ["weekday", "day", "month"],
    /// A full hour before noon.
    HourMorning = "hour_morning" ["hour"],
    /// A full hour after noon.
    HourAfternoon = "hour_afternoon" ["hour"],
    /// A time before noon.
    MinuteMorning = "minute_morning" ["hour", "minute"],
    /// A time after noon.
    MinuteAfternoon = "minute_afternoon" ["hour", "minute"],
    /// The last two items of a list.
    ListOr = "list_or" ["items", "last"],
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    clock_hours: u8,
    backchannels: Vec<String>,
    stops: Vec<String>,
    weekdays: Vec<String>,
    weekdays_in_sentence: Vec<String>,
    months: Vec<String>,
    days: Vec<String>,
    phrases: BTreeMap<String, String>,
}

static FILES: LazyLock<[File; 3]> = LazyLock::new(|| {
    [
        include_str!("../../config/phrases/en.toml"),
        include_str!("../../config/phrases/es.toml"),
        include_str!("../../config/phrases/cs.toml"),
    ]
    .map(|text| toml::from_str(text).expect("the files are part of the program and read by a test"))
});

fn file(language: Lang) -> &'static File {
    match language {
        Lang::En => &FILES[0],
        Lang::Es => &FILES[1],
        Lang::Cs => &FILES[2],
    }
}

/// The sentence in a language, its placeholders filled.
pub fn say(phrase: Phrase, language: Lang, values: &[(&str, &str)]) -> String {
    let mut text = file(language).phrases.get(phrase.key()).cloned().unwrap_or_default();
    for (slot, value) in values {
        text = text.replace(&format!("{{{slot}}}"), value);
    }
    text
}

/// Words of listening, for turn-taking.
pub fn backchannels(language: Lang) -> &'static [String] {
    &file(language).backchannels
}

/// Words that stop us at once, for turn-taking.
pub fn stops(language: Lang) -> &'static [String] {
    &file(language).stops
}

/// A day and time as it is said inside a sentence: "on Tuesday the 24th of November at 10:30 am".
pub fn spoken_when(at: Timestamp, zone: &TimeZone, language: Lang) -> String {
    let local = at.to_zoned(zone.clone());
    let file = file(language);
    let weekday = index(local.weekday().to_monday_zero_offset());
    let pick = |list: &'static [String], at: usize| list.get(at).map_or("", String::as_str);
    let date = say(
        Phrase::Date,
        language,
        &[
            ("weekday", pick(&file.weekdays_in_sentence, weekday)),
            ("day", pick(&file.days, index(local.day() - 1))),
            ("month", pick(&file.months, index(local.month() - 1))),
        ],
    );
    let minute = u16::try_from(local.hour()).unwrap_or(0) * 60 + u16::try_from(local.minute()).unwrap_or(0);
    say(Phrase::DateTime, language, &[("date", &date), ("time", &spoken_time(minute, language))])
}

fn index(value: i8) -> usize {
    usize::try_from(value).unwrap_or(0)
}

/// A time of the day, in minutes after midnight (1440 is midnight again).
pub fn spoken_time(minute: u16, language: Lang) -> String {
    let (hour, rest) = (minute / 60 % 24, minute % 60);
    let phrase = match (rest, hour) {
        (0, 0..12) => Phrase::HourMorning,
        (0, _) => Phrase::HourAfternoon,
        (_, 0..12) => Phrase::MinuteMorning,
        _ => Phrase::MinuteAfternoon,
    };
    let shown = if file(language).clock_hours == 12 { (hour + 11) % 12 + 1 } else { hour };
    say(phrase, language, &[("hour", &shown.to_string()), ("minute", &format!("{rest:02}"))])
}

/// A day of the week, 1 is Monday.
pub fn weekday(day: u8, language: Lang) -> &'static str {
    file(language).weekdays.get(usize::from(day.saturating_sub(1))).map_or("", String::as_str)
}

/// A list as it is said: "a, b or c".
pub fn list_or(items: &[&str], language: Lang) -> String {
    match items {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [most @ .., last] => {
            let mut joined = String::new();
            for (at, item) in most.iter().enumerate() {
                // Writing to a string cannot fail.
                let _ok = write!(joined, "{}{item}", if at > 0 { ", " } else { "" });
            }
            say(Phrase::ListOr, language, &[("items", &joined), ("last", last)])
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// I18N-01: every sentence exists in every language, with the same placeholders and nothing else.
    #[test]
    fn all_languages_have_the_same_phrases_with_the_same_placeholders() {
        for language in Lang::ALL {
            let file = file(*language);
            let keys: Vec<&str> = file.phrases.keys().map(String::as_str).collect();
            let mut expected: Vec<&str> = Phrase::ALL.iter().map(|phrase| phrase.key()).collect();
            expected.sort_unstable();
            assert_eq!(keys, expected, "{language}");
            assert_eq!(
                (file.weekdays.len(), file.weekdays_in_sentence.len(), file.months.len(), file.days.len()),
                (7, 7, 12, 31)
            );
            assert!(!file.backchannels.is_empty() && !file.stops.is_empty());
            for phrase in Phrase::ALL {
                let text = &file.phrases[phrase.key()];
                let mut found: Vec<&str> =
                    text.split('{').skip(1).map(|rest| rest.split('}').next().unwrap()).collect();
                found.sort_unstable();
                found.dedup();
                let mut slots = phrase.slots().to_vec();
                slots.sort_unstable();
                assert_eq!(found, slots, "{language} {}", phrase.key());
                assert!(!text.trim().is_empty());
            }
        }
    }

    /// B-07: the number stands in the first sentence.
    #[test]
    fn the_emergency_number_is_in_the_first_sentence() {
        for language in Lang::ALL {
            let text = say(Phrase::EmergencyNotice, *language, &[("number", "999")]);
            assert!(text.split(['.', '!']).next().unwrap().contains("999"), "{text}");
        }
    }

    #[test]
    fn days_and_times_are_speakable() {
        let at: Timestamp = "2026-11-24T10:30:00Z".parse().unwrap();
        let zone = TimeZone::get("Europe/London").unwrap();
        assert_eq!(spoken_when(at, &zone, Lang::En), "on Tuesday the 24th of November at 10:30 am");
        assert_eq!(spoken_when(at, &zone, Lang::Es), "el martes 24 de noviembre a las 10:30");
        assert_eq!(spoken_when(at, &zone, Lang::Cs), "v úterý 24. listopadu v 10:30");
        assert_eq!(spoken_time(780, Lang::En), "1 pm");
        assert_eq!(spoken_time(720, Lang::En), "12 pm");
        assert_eq!(spoken_time(1_080, Lang::Es), "18");
        assert_eq!(list_or(&["a", "b", "c"], Lang::En), "a, b or c");
    }
}
