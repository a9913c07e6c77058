//! Times of the day: clock times, mornings, "after three".

use super::DaySpan;
use crate::code::Lang;
use crate::numbers::number_at;
use crate::words::{find_phrase, fits};

/// Which half of the day was meant, where it was said.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Half {
    Unsaid,
    Morning,
    Afternoon,
}

struct Part {
    phrases: &'static [&'static str],
    half: Half,
    from_minute: u16,
    to_minute: u16,
}

const fn part(phrases: &'static [&'static str], half: Half, from_minute: u16, to_minute: u16) -> Part {
    Part { phrases, half, from_minute, to_minute }
}

fn parts(language: Lang) -> &'static [Part] {
    match language {
        Lang::En => {
            const {
                &[
                    part(&["morning", "am", "a m"], Half::Morning, 360, 720),
                    part(&["afternoon", "pm", "p m"], Half::Afternoon, 720, 1_080),
                    part(&["evening", "tonight"], Half::Afternoon, 1_020, 1_320),
                    part(&["lunchtime", "lunch time"], Half::Afternoon, 690, 840),
                ]
            }
        }
        Lang::Es => {
            const {
                &[
                    part(&["la manana", "esta manana"], Half::Morning, 360, 720),
                    part(&["tarde"], Half::Afternoon, 720, 1_200),
                    part(&["noche"], Half::Afternoon, 1_080, 1_320),
                ]
            }
        }
        Lang::Cs => {
            const {
                &[
                    part(&["dopoledne", "rano"], Half::Morning, 360, 720),
                    part(&["odpoledne"], Half::Afternoon, 720, 1_080),
                    part(&["vecer"], Half::Afternoon, 1_020, 1_320),
                ]
            }
        }
    }
}

const NOON: &str = "noon|midday|mediodia|poledne|poledni";

/// The time named in the words that no day has used.
pub(super) fn find(said: &[String], used: &mut [bool], language: Lang) -> Option<DaySpan> {
    let part =
        parts(language).iter().find(|part| part.phrases.iter().any(|phrase| find_phrase(said, phrase).is_some()));
    let half = glued_half(said).unwrap_or_else(|| part.map_or(Half::Unsaid, |part| part.half));
    let mut times = Vec::new();
    let mut at = 0;
    while at < said.len() && times.len() < 2 {
        if !used[at]
            && let Some((minute, len)) = clock(said, used, at, language)
        {
            times.push((at, settle(minute, half)));
            at += len;
        } else {
            at += 1;
        }
    }
    let Some(&(first_at, first)) = times.first() else {
        return part.map(|part| DaySpan { from_minute: part.from_minute, to_minute: part.to_minute });
    };
    let before = |pattern: &str| (first_at.saturating_sub(3)..first_at).any(|at| !used[at] && fits(&said[at], pattern));
    if let Some(&(_, second)) = times.get(1)
        && second > first
        && before("between|from|entre|mezi|od|de")
    {
        return Some(DaySpan { from_minute: first, to_minute: second });
    }
    if before("after|despues|desde|po|from") {
        return Some(DaySpan { from_minute: first, to_minute: 1_440 });
    }
    if before("before|until|till|by|antes|hasta|pred|do") {
        return Some(DaySpan { from_minute: 0, to_minute: first });
    }
    Some(DaySpan::at(first))
}

/// "3pm" in one word.
fn glued_half(said: &[String]) -> Option<Half> {
    said.iter().filter(|word| word.starts_with(|c: char| c.is_ascii_digit())).find_map(|word| {
        if word.ends_with("am") {
            Some(Half::Morning)
        } else if word.ends_with("pm") {
            Some(Half::Afternoon)
        } else {
            None
        }
    })
}

/// Clinics are open by day: an hour from one to seven without more is in the afternoon.
fn settle(minute: u16, half: Half) -> u16 {
    let hour = minute / 60;
    match half {
        Half::Morning if hour == 12 => minute - 720,
        Half::Afternoon if hour < 12 => minute + 720,
        Half::Unsaid if (1..8).contains(&hour) => minute + 720,
        _ => minute,
    }
}

/// A clock time that begins at `at`: minutes after midnight (of a twelve-hour clock, perhaps) and words taken.
fn clock(said: &[String], used: &[bool], at: usize, language: Lang) -> Option<(u16, usize)> {
    let word = |ahead: usize| said.get(at + ahead).filter(|_| !used[at + ahead]).map_or("", String::as_str);
    let number = |ahead: usize| {
        let rest = said.get(at + ahead..)?;
        let (value, len) = number_at(rest, language)?;
        let free = !used[at + ahead..at + ahead + len].iter().any(|used| *used);
        free.then_some((u16::try_from(value).ok()?, len))
    };
    let hour = |ahead: usize| number(ahead).filter(|(hour, _)| *hour <= 23);
    if fits(word(0), NOON) {
        return Some((720, 1));
    }
    let special = match language {
        Lang::En => english(&word, &number, &hour),
        Lang::Es => spanish(&word, &hour, &number),
        Lang::Cs => czech(&word, &hour),
    };
    if special.is_some() {
        return special;
    }
    let (value, len) = hour(0)?;
    if let Some((minutes, more)) = number(len).filter(|(minutes, _)| (10..60).contains(minutes)) {
        return Some((value * 60 + minutes, len + more));
    }
    if word(len) == "oh" || word(len) == "0" || word(len) == "00" {
        let minutes = number(len + 1).filter(|(minutes, _)| *minutes < 10);
        return Some(minutes.map_or((value * 60, len + 1), |(minutes, more)| (value * 60 + minutes, len + 1 + more)));
    }
    let marked =
        fits(word(len), "oclock|am|pm|hodin|hodiny|hodinu|horas|hora|a|p|in|de|h|rano|dopoledne|odpoledne|vecer")
            || word(0).ends_with("am")
            || word(0).ends_with("pm");
    let led = at > 0
        && fits(
            &said[at - 1],
            "at|around|about|after|before|by|from|between|and|until|till|las|la|v|ve|kolem|po|pred|od|do|mezi|a|to|past",
        );
    let rest = said.iter().enumerate().filter(|(index, _)| !(at..at + len).contains(index));
    let alone = rest.map(|(_, word)| word).all(|word| fits(word, "please|por|favor|prosim|ok|okay|yes|si|ano"));
    (marked || led || alone).then_some((value * 60, len))
}

type Word<'a> = &'a dyn Fn(usize) -> &'a str;
type Value<'a> = &'a dyn Fn(usize) -> Option<(u16, usize)>;

fn back(hour: u16, minutes: u16) -> u16 {
    ((hour + 24) * 60 - minutes) % 1_440
}

/// "half past ten", "half ten", "quarter to five", "twenty past nine".
fn english<'a>(word: Word<'a>, number: Value<'a>, hour: Value<'a>) -> Option<(u16, usize)> {
    let skip = usize::from(word(0) == "a");
    let (minutes, len) = match word(skip) {
        "half" => (30, skip + 1),
        "quarter" => (15, skip + 1),
        _ => {
            let (minutes, len) = number(0).filter(|(minutes, _)| (1..60).contains(minutes))?;
            (minutes, len + usize::from(word(len).starts_with("minute")))
        }
    };
    match word(len) {
        "past" | "after" => hour(len + 1).map(|(hour, more)| (hour * 60 + minutes, len + 1 + more)),
        "to" | "before" => hour(len + 1).map(|(hour, more)| (back(hour, minutes), len + 1 + more)),
        _ if word(skip) == "half" => hour(len).map(|(hour, more)| (hour * 60 + 30, len + more)),
        _ => None,
    }
}

/// "diez y media", "cuatro y cuarto", "cinco menos veinte".
fn spanish<'a>(word: Word<'a>, hour: Value<'a>, number: Value<'a>) -> Option<(u16, usize)> {
    let (hour, len) = hour(0)?;
    let sign = word(len);
    if sign != "y" && sign != "menos" {
        return None;
    }
    let (minutes, more) = match word(len + 1) {
        "media" => (30, 1),
        "cuarto" => (15, 1),
        _ => number(len + 1).filter(|(minutes, _)| *minutes < 60)?,
    };
    Some((if sign == "y" { hour * 60 + minutes } else { back(hour, minutes) }, len + 1 + more))
}

/// "půl jedenácté" is 10:30, "čtvrt na tři" 2:15, "tři čtvrtě na tři" 2:45: Czech counts towards the hour.
fn czech<'a>(word: Word<'a>, hour: Value<'a>) -> Option<(u16, usize)> {
    if word(0) == "pul" {
        return hour(1).map(|(hour, len)| (back(hour, 30), 1 + len));
    }
    if fits(word(0), "ctvrt") && word(1) == "na" {
        return hour(2).map(|(hour, len)| (back(hour, 45), 2 + len));
    }
    if fits(word(0), "tri|trictvrte") && (fits(word(1), "ctvrte|ctvrti") || word(0) == "trictvrte") {
        let skip = if word(0) == "trictvrte" { 1 } else { 2 };
        if word(skip) == "na" {
            return hour(skip + 1).map(|(hour, len)| (back(hour, 15), skip + 1 + len));
        }
    }
    None
}
