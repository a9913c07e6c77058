//! Days: weekdays, dates, "tomorrow", "next week".

use super::DAYS_AHEAD;
use crate::code::Lang;
use crate::numbers::number_at;
use crate::words::{find_phrase, fits};
use jiff::ToSpan;
use jiff::civil::Date;

struct Lexicon {
    months: [&'static str; 12],
    weekdays: [&'static str; 7],
    today: &'static [&'static str],
    tomorrow: &'static [&'static str],
    after_tomorrow: &'static [&'static str],
    next: &'static str,
    next_week: &'static [&'static str],
    this_week: &'static [&'static str],
    soon: &'static [&'static str],
    within: &'static str,
    day_unit: &'static str,
    week_unit: &'static str,
    /// Words between a day and its month, or before a day alone.
    of: &'static str,
    /// A day of the month without its month must follow one of these.
    the: &'static str,
}

const ENGLISH: Lexicon = Lexicon {
    months: [
        "january|jan",
        "february|feb",
        "march",
        "april",
        "may",
        "june",
        "july",
        "august|aug",
        "september|sept|sep",
        "october|oct",
        "november|nov",
        "december|dec",
    ],
    weekdays: [
        "monday*|mon",
        "tuesday*|tues|tue",
        "wednesday*|wed",
        "thursday*|thurs|thu",
        "friday*|fri",
        "saturday*|sat",
        "sunday*",
    ],
    today: &["today", "this morning|afternoon|evening", "tonight"],
    tomorrow: &["tomorrow"],
    after_tomorrow: &["day after tomorrow"],
    next: "next",
    next_week: &["next week", "following week"],
    this_week: &["this week"],
    soon: &[
        "as soon as possible",
        "soonest",
        "earliest",
        "first available",
        "first free",
        "next available",
        "next free",
        "any time",
        "anytime",
        "any day",
        "whenever",
        "asap",
    ],
    within: "in",
    day_unit: "day|days",
    week_unit: "week|weeks",
    of: "of|the",
    the: "the|on",
};

const SPANISH: Lexicon = Lexicon {
    months: [
        "enero",
        "febrero",
        "marzo",
        "abril",
        "mayo",
        "junio",
        "julio",
        "agosto",
        "septiembre|setiembre",
        "octubre",
        "noviembre",
        "diciembre",
    ],
    weekdays: ["lunes", "martes", "miercoles", "jueves", "viernes", "sabado|sabados", "domingo|domingos"],
    today: &["hoy", "esta manana|tarde|noche"],
    tomorrow: &["manana"],
    after_tomorrow: &["pasado manana"],
    next: "proximo|siguiente",
    next_week: &["semana que viene", "proxima|siguiente semana"],
    this_week: &["esta semana"],
    soon: &[
        "cuanto antes",
        "lo antes posible",
        "primera cita|hora",
        "primer hueco",
        "cualquier dia|hora|momento",
        "cuando sea",
    ],
    within: "en",
    day_unit: "dia|dias",
    week_unit: "semana|semanas",
    of: "de",
    the: "el|dia",
};

const CZECH: Lexicon = Lexicon {
    months: [
        "ledna|leden",
        "unora|unor",
        "brezna|brezen",
        "dubna|duben",
        "kvetna|kveten",
        "cervna|cerven",
        "cervence|cervenec",
        "srpna|srpen",
        "zari",
        "rijna|rijen",
        "listopadu|listopad",
        "prosince|prosinec",
    ],
    weekdays: [
        "pondeli|pondelek",
        "utery|uterek",
        "streda|stredu",
        "ctvrtek",
        "patek",
        "sobota|sobotu",
        "nedele|nedeli",
    ],
    today: &["dnes", "dneska"],
    tomorrow: &["zitra", "zejtra"],
    after_tomorrow: &["pozitri"],
    next: "pristi|dalsi",
    next_week: &["pristi|dalsi tyden"],
    this_week: &["tento|tenhle tyden"],
    soon: &["co nejdriv|nejdrive", "nejblizsi|prvni volny|volno|termin", "kdykoli|kdykoliv", "nejdrivejsi"],
    within: "za",
    day_unit: "den|dny|dni",
    week_unit: "tyden|tydny|tydnu",
    of: "",
    the: "",
};

fn lexicon(language: Lang) -> &'static Lexicon {
    match language {
        Lang::En => &ENGLISH,
        Lang::Es => &SPANISH,
        Lang::Cs => &CZECH,
    }
}

fn after(date: Date, days: i64) -> Option<Date> {
    date.checked_add(days.days()).ok()
}

fn mark(used: &mut [bool], at: usize, len: usize) {
    let end = used.len().min(at + len);
    used[at..end].fill(true);
}

/// The days named, and which words named them.
pub(super) fn find(said: &[String], used: &mut [bool], language: Lang, today: Date) -> Option<(Date, Date)> {
    let lexicon = lexicon(language);
    let one = |date: Date| (date, date);
    if let Some(date) = dated(said, used, language, lexicon, today) {
        return Some(one(date));
    }
    if let Some((at, phrase)) = any(said, lexicon.after_tomorrow) {
        mark(used, at, phrase);
        return after(today, 2).map(one);
    }
    if let Some(at) = tomorrow(said, language, lexicon) {
        mark(used, at, 1);
        return after(today, 1).map(one);
    }
    if let Some(date) = weekday(said, used, language, lexicon, today) {
        return Some(one(date));
    }
    if let Some((at, len)) = any(said, lexicon.today) {
        // "this morning" names a part of the day too.
        mark(used, at, len.min(1));
        return Some(one(today));
    }
    let monday = after(today, -i64::from(today.weekday().to_monday_zero_offset()))?;
    if let Some((at, len)) = any(said, lexicon.next_week) {
        mark(used, at, len);
        return Some((after(monday, 7)?, after(monday, 13)?));
    }
    if let Some((at, len)) = any(said, lexicon.this_week) {
        mark(used, at, len);
        return Some((today, after(monday, 6)?));
    }
    if let Some(days) = ahead(said, used, language, lexicon) {
        return after(today, days).map(one);
    }
    if let Some((at, len)) = any(said, lexicon.soon) {
        mark(used, at, len);
        return Some((today, after(today, DAYS_AHEAD)?));
    }
    bare_day(said, used, language, lexicon, today).map(one)
}

fn any(said: &[String], phrases: &[&str]) -> Option<(usize, usize)> {
    phrases.iter().find_map(|phrase| find_phrase(said, phrase).map(|at| (at, phrase.split(' ').count())))
}

/// Spanish says "mañana" for the morning too: "por la mañana", "de la mañana".
fn tomorrow(said: &[String], language: Lang, lexicon: &Lexicon) -> Option<usize> {
    (0..said.len()).find(|&at| {
        let word = any(&said[at..=at], lexicon.tomorrow).is_some();
        word && !(language == Lang::Es && at > 0 && (said[at - 1] == "la" || said[at - 1] == "esta"))
    })
}

/// "the twenty third of November", "November 23rd".
fn dated(said: &[String], used: &mut [bool], language: Lang, lexicon: &Lexicon, today: Date) -> Option<Date> {
    let is_of = |at: usize| said.get(at).is_some_and(|word| !lexicon.of.is_empty() && fits(word, lexicon.of));
    for at in 0..said.len() {
        if let Some((day @ 1..=31, len)) = number_at(&said[at..], language) {
            let month_at = at + len + usize::from(is_of(at + len));
            let month = said.get(month_at).and_then(|word| month(word, lexicon));
            if let Some(date) = month.and_then(|month| upcoming(today, month, day)) {
                mark(used, at, month_at + 1 - at);
                return Some(date);
            }
        }
        if let Some(month) = month(&said[at], lexicon) {
            let day_at = at + 1 + usize::from(is_of(at + 1));
            if let Some((day @ 1..=31, len)) = said.get(day_at..).and_then(|rest| number_at(rest, language))
                && let Some(date) = upcoming(today, month, day)
            {
                mark(used, at, day_at + len - at);
                return Some(date);
            }
        }
    }
    None
}

/// "the twenty third", without its month.
fn bare_day(said: &[String], used: &mut [bool], language: Lang, lexicon: &Lexicon, today: Date) -> Option<Date> {
    (1..said.len()).find_map(|at| {
        let (day @ 1..=31, len) = number_at(&said[at..], language)? else { return None };
        let named = fits(&said[at - 1], lexicon.the) && is_ordinal(&said[at + len - 1], language);
        let date = named.then(|| day_of_month(today, day))??;
        mark(used, at, len);
        Some(date)
    })
}

/// Only an ordinal is a day when no month follows: "the twenty third", not "at ten".
fn is_ordinal(word: &str, language: Lang) -> bool {
    match language {
        Lang::En => ["st", "nd", "rd", "th"].iter().any(|end| word.ends_with(end)),
        Lang::Es => word.bytes().all(|byte| byte.is_ascii_digit()) || matches!(word, "primero"),
        Lang::Cs => word.ends_with("eho") || word.ends_with("iho"),
    }
}

fn month(word: &str, lexicon: &Lexicon) -> Option<i8> {
    let index = lexicon.months.iter().position(|month| fits(word, month))?;
    i8::try_from(index + 1).ok()
}

fn upcoming(today: Date, month: i8, day: u32) -> Option<Date> {
    let day = i8::try_from(day).ok()?;
    let this = Date::new(today.year(), month, day).ok();
    this.filter(|date| *date >= today).or_else(|| Date::new(today.year() + 1, month, day).ok())
}

fn day_of_month(today: Date, day: u32) -> Option<Date> {
    let day = i8::try_from(day).ok()?;
    let month = today.first_of_month();
    (0..3_i64)
        .filter_map(|ahead| month.checked_add(ahead.months()).ok())
        .find_map(|month| Date::new(month.year(), month.month(), day).ok().filter(|date| *date >= today))
}

fn weekday(said: &[String], used: &mut [bool], language: Lang, lexicon: &Lexicon, today: Date) -> Option<Date> {
    let (at, weekday) = said
        .iter()
        .enumerate()
        .find_map(|(at, word)| lexicon.weekdays.iter().position(|day| fits(word, day)).map(|day| (at, day as i64)))?;
    mark(used, at, 1);
    let current = i64::from(today.weekday().to_monday_zero_offset());
    let next = at > 0 && fits(&said[at - 1], lexicon.next);
    let ahead = if next {
        mark(used, at - 1, 1);
        // "Next Tuesday" is the Tuesday of next week.
        7 - current + weekday
    } else {
        match (weekday - current).rem_euclid(7) {
            0 => 7,
            days => days,
        }
    };
    // "Tuesday the twenty fourth": the date behind the weekday wins when both agree.
    let date_at = (at + 1..said.len().min(at + 3)).find(|&at| number_at(&said[at..], language).is_some());
    if let Some(date_at) = date_at
        && let Some((day, len)) = number_at(&said[date_at..], language)
        && is_ordinal(&said[date_at + len - 1], language)
        && let Some(date) = day_of_month(today, day)
        && i64::from(date.weekday().to_monday_zero_offset()) == weekday
    {
        mark(used, date_at, len);
        return Some(date);
    }
    after(today, ahead)
}

/// "in two weeks", "in three days".
fn ahead(said: &[String], used: &mut [bool], language: Lang, lexicon: &Lexicon) -> Option<i64> {
    (0..said.len().saturating_sub(2)).find_map(|at| {
        if !fits(&said[at], lexicon.within) {
            return None;
        }
        let (count, len) =
            if matches!(said[at + 1].as_str(), "a") { (1, 1) } else { number_at(&said[at + 1..], language)? };
        let unit = said.get(at + 1 + len)?;
        let days = if fits(unit, lexicon.week_unit) {
            i64::from(count) * 7
        } else if fits(unit, lexicon.day_unit) {
            i64::from(count)
        } else {
            return None;
        };
        mark(used, at, len + 2);
        (days <= 366).then_some(days)
    })
}
