//! Days and times as people say them: "next Tuesday at half past ten", "mañana por la tarde", "v pondělí v půl desáté".
//!
//! What is understood is a [`When`]: a span of days, a span of the day, or both. The clinic's zone turns it into a
//! [`Window`] of instants.

use crate::Timestamp;
use crate::code::Lang;
use crate::words;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{ToSpan, Zoned};

mod clock;
mod days;

/// A span of the day, in minutes after midnight.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DaySpan {
    /// Begin.
    pub from_minute: u16,
    /// End, at most 1440; equal to the begin for an exact time.
    pub to_minute: u16,
}

impl DaySpan {
    /// One exact time.
    pub fn at(minute: u16) -> Self {
        Self { from_minute: minute, to_minute: minute }
    }

    /// Whether it is one exact time.
    pub fn is_exact(self) -> bool {
        self.from_minute == self.to_minute
    }
}

/// What was said about time; each part may be missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct When {
    /// First and last day.
    pub days: Option<(Date, Date)>,
    /// Part of the day.
    pub time: Option<DaySpan>,
}

/// When a slot may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Earliest begin.
    pub from: Timestamp,
    /// Begin before.
    pub to: Timestamp,
    /// The one begin that was asked for.
    pub exact: Option<Timestamp>,
}

/// Days ahead that are looked at when no day was named.
pub const DAYS_AHEAD: i64 = 28;

impl When {
    /// Nothing was said about time.
    pub fn is_empty(&self) -> bool {
        self.days.is_none() && self.time.is_none()
    }

    /// What is said now, completed by what was said before: "Tuesday" and then "at ten".
    pub fn or(self, before: Self) -> Self {
        Self { days: self.days.or(before.days), time: self.time.or(before.time) }
    }

    /// As instants, in the zone of `now`. A time without a day is its next occurrence.
    pub fn window(&self, now: &Zoned) -> Option<Window> {
        let today = now.date();
        let zone = now.time_zone();
        let (mut first, mut last) = match self.days {
            Some(days) => days,
            None if self.time.is_some_and(DaySpan::is_exact) => (today, today),
            None => (today, today.checked_add(DAYS_AHEAD.days()).ok()?),
        };
        if self.days.is_none()
            && let Some(time) = self.time.filter(|time| time.is_exact())
            && instant(today, time.from_minute, zone)? <= now.timestamp()
        {
            first = today.checked_add(1.day()).ok()?;
            last = first;
        }
        let time = self.time.unwrap_or(DaySpan { from_minute: 0, to_minute: 1_440 });
        let from = instant(first, time.from_minute, zone)?;
        if time.is_exact() {
            // The whole day is offered when exactly that time is taken.
            return Some(Window { from: instant(first, 0, zone)?, to: instant(last, 1_440, zone)?, exact: Some(from) });
        }
        Some(Window { from, to: instant(last, time.to_minute, zone)?, exact: None })
    }

    /// Whether an instant lies in the part of the day that was asked for.
    pub fn fits_time(&self, at: Timestamp, zone: &TimeZone) -> bool {
        let local = at.to_zoned(zone.clone());
        let minute = u16::try_from(local.hour()).unwrap_or(0) * 60 + u16::try_from(local.minute()).unwrap_or(0);
        self.time.is_none_or(|time| {
            if time.is_exact() {
                minute == time.from_minute
            } else {
                (time.from_minute..time.to_minute).contains(&minute)
            }
        })
    }
}

/// A minute of a day as an instant; in the hour that summer time skips, the instant after it.
fn instant(date: Date, minute: u16, zone: &TimeZone) -> Option<Timestamp> {
    let (date, minute) =
        if minute >= 1_440 { (date.checked_add(1.day()).ok()?, minute - 1_440) } else { (date, minute) };
    let time = date.at(i8::try_from(minute / 60).ok()?, i8::try_from(minute % 60).ok()?, 0, 0);
    time.to_zoned(zone.clone()).ok().map(|zoned| zoned.timestamp())
}

/// What a sentence says about days and times, seen from `today`. Nothing is guessed: an empty [`When`] means that no
/// day or time was recognised.
pub fn parse(text: &str, language: Lang, today: Date) -> When {
    let said = words::words(text);
    let mut used = vec![false; said.len()];
    let days = days::find(&said, &mut used, language, today);
    let time = clock::find(&said, &mut used, language);
    When { days, time }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Friday, 20 November 2026, 12:00 in London.
    fn now() -> Zoned {
        "2026-11-20T12:00[Europe/London]".parse().unwrap()
    }

    fn read(text: &str, language: Lang) -> String {
        let when = parse(text, language, now().date());
        let days =
            when.days.map(|(first, last)| if first == last { first.to_string() } else { format!("{first}..{last}") });
        let time = when.time.map(|time| {
            let clock = |minute: u16| format!("{:02}:{:02}", minute / 60, minute % 60);
            if time.is_exact() {
                clock(time.from_minute)
            } else {
                format!("{}-{}", clock(time.from_minute), clock(time.to_minute))
            }
        });
        format!("{} {}", days.unwrap_or_default(), time.unwrap_or_default()).trim().to_owned()
    }

    #[test]
    fn english() {
        for (text, expected) in [
            ("tomorrow afternoon", "2026-11-21 12:00-18:00"),
            ("next Tuesday at half past ten", "2026-11-24 10:30"),
            ("on Tuesday at ten thirty please", "2026-11-24 10:30"),
            ("Monday morning", "2026-11-23 06:00-12:00"),
            ("the twenty third of November", "2026-11-23"),
            ("November 23rd at 3pm", "2026-11-23 15:00"),
            ("on the third of December at quarter to five", "2026-12-03 16:45"),
            ("January the fifth", "2027-01-05"),
            ("the day after tomorrow at nine", "2026-11-22 09:00"),
            ("today at four o'clock", "2026-11-20 16:00"),
            ("next week", "2026-11-23..2026-11-29"),
            ("sometime next week in the morning", "2026-11-23..2026-11-29 06:00-12:00"),
            ("Wednesday after three", "2026-11-25 15:00-24:00"),
            ("Thursday before noon", "2026-11-26 00:00-12:00"),
            ("between two and four on Monday", "2026-11-23 14:00-16:00"),
            ("twenty to five", "16:40"),
            ("ten past nine", "09:10"),
            ("at 14:30", "14:30"),
            ("ten", "10:00"),
            ("half ten", "10:30"),
            ("Friday", "2026-11-27"),
            ("in two weeks", "2026-12-04"),
            ("I have two children and a question", ""),
            ("what are your opening hours", ""),
            ("the first available appointment", "2026-11-20..2026-12-18"),
            ("as soon as possible", "2026-11-20..2026-12-18"),
            ("tuesday the twenty fourth at eleven am", "2026-11-24 11:00"),
            ("can i come in on monday the thirtieth at two p m", "2026-11-30 14:00"),
        ] {
            assert_eq!(read(text, Lang::En), expected, "{text}");
        }
    }

    #[test]
    fn spanish() {
        for (text, expected) in [
            ("mañana por la tarde", "2026-11-21 12:00-20:00"),
            ("mañana por la mañana", "2026-11-21 06:00-12:00"),
            ("pasado mañana a las diez", "2026-11-22 10:00"),
            ("el martes a las diez y media", "2026-11-24 10:30"),
            ("el próximo martes a las cuatro y cuarto de la tarde", "2026-11-24 16:15"),
            ("el veintitrés de noviembre", "2026-11-23"),
            ("el lunes a las cinco menos cuarto", "2026-11-23 16:45"),
            ("la semana que viene", "2026-11-23..2026-11-29"),
            ("cuanto antes", "2026-11-20..2026-12-18"),
            ("hoy después de las tres", "2026-11-20 15:00-24:00"),
            ("a las 10:30", "10:30"),
        ] {
            assert_eq!(read(text, Lang::Es), expected, "{text}");
        }
    }

    #[test]
    fn czech() {
        for (text, expected) in [
            ("zítra odpoledne", "2026-11-21 12:00-18:00"),
            ("příští úterý v půl jedenácté", "2026-11-24 10:30"),
            ("v úterý v deset hodin", "2026-11-24 10:00"),
            ("v pondělí dopoledne", "2026-11-23 06:00-12:00"),
            ("dvacátého třetího listopadu", "2026-11-23"),
            ("ve středu ve čtvrt na tři", "2026-11-25 14:15"),
            ("ve čtvrtek ve tři čtvrtě na devět", "2026-11-26 08:45"),
            ("pozítří ve dvě", "2026-11-22 14:00"),
            ("příští týden", "2026-11-23..2026-11-29"),
            ("co nejdříve", "2026-11-20..2026-12-18"),
            ("v pátek po třetí", "2026-11-27 15:00-24:00"),
            ("ve čtrnáct třicet", "14:30"),
            ("třetího prosince v devět ráno", "2026-12-03 09:00"),
        ] {
            assert_eq!(read(text, Lang::Cs), expected, "{text}");
        }
    }

    #[test]
    fn a_window_lies_in_the_clinics_zone() {
        let now = now();
        let window = parse("tomorrow afternoon", Lang::En, now.date()).window(&now).unwrap();
        assert_eq!(window.from.to_string(), "2026-11-21T12:00:00Z");
        let window = parse("at ten", Lang::En, now.date()).window(&now).unwrap();
        assert_eq!(window.exact.unwrap().to_string(), "2026-11-21T10:00:00Z", "ten has passed today");
        let summer: Zoned = "2026-07-01T12:00[Europe/London]".parse().unwrap();
        let window = parse("tomorrow at ten", Lang::En, summer.date()).window(&summer).unwrap();
        assert_eq!(window.exact.unwrap().to_string(), "2026-07-02T09:00:00Z");
    }

    #[test]
    fn a_later_word_completes_an_earlier_one() {
        let today = now().date();
        let when = parse("at ten", Lang::En, today).or(parse("Tuesday", Lang::En, today));
        assert_eq!(when.window(&now()).unwrap().exact.unwrap().to_string(), "2026-11-24T10:00:00Z");
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_survived(text in "[a-z0-9 ]{0,80}") {
            for language in Lang::ALL {
                let _window = parse(&text, *language, now().date()).window(&now());
            }
        }
    }
}
