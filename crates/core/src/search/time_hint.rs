//! When a device was used, as callers say it: `今日の3時ごろ使った`, `昨日の午後`, `used at about 3 today`.
//!
//! People say hours of the clock on the wall, in Japan. An hour without a half of the day is the last one that has been; of
//! another day it is the one at which shops are open.

use crate::Timestamp;
use crate::name::composed_narrow;
use std::time::Duration;

/// What people mean by "about", to either side.
const ABOUT: Duration = Duration::from_mins(45);

/// Clocks on walls are not exact, and somebody who looks at one rounds.
const AHEAD: Duration = Duration::from_mins(15);

const JAPAN: Duration = Duration::from_hours(9);
const DAY: Duration = Duration::from_hours(24);

/// Before this hour shops are closed, so that a lower one of another day is one of the afternoon.
const OPENING: u32 = 8;

/// From when to when a device was used.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TimeHint {
    /// The earliest moment that may be meant.
    pub from: Timestamp,
    /// The latest moment that may be meant.
    pub until: Timestamp,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum HalfOfDay {
    Morning,
    Afternoon,
}

/// What was said of the time so far.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
struct Spoken {
    days_ago: Option<u32>,
    half: Option<HalfOfDay>,
    hour: Option<u32>,
    minute: u32,
}

/// Takes out the words that say when.
pub(super) fn take<'a>(words: &[&'a str], now: Timestamp) -> (Option<TimeHint>, Vec<&'a str>) {
    let plain: Vec<String> = words.iter().map(|word| composed_narrow(word).to_lowercase()).collect();
    let mut spoken = Spoken::default();
    let mut rest = Vec::new();
    let mut position = 0;
    while position < words.len() {
        let taken = japanese(&plain[position], &mut spoken)
            .then_some(1)
            .or_else(|| english(&plain[position..], &mut spoken));
        if taken.is_none() {
            rest.push(words[position]);
        }
        position += taken.unwrap_or(1);
    }
    (spoken.hint(now), rest)
}

impl Spoken {
    fn says_when(&self) -> bool {
        self.days_ago.is_some() || self.hour.is_some() || self.half.is_some()
    }

    fn add(&mut self, more: Self) {
        self.days_ago = more.days_ago.or(self.days_ago);
        self.half = more.half.or(self.half);
        if more.hour.is_some() {
            (self.hour, self.minute) = (more.hour, more.minute);
        }
    }

    fn hint(&self, now: Timestamp) -> Option<TimeHint> {
        if !self.says_when() {
            return None;
        }
        let in_japan = now.plus(JAPAN);
        let into_day = Duration::from_millis(in_japan.millis().rem_euclid(86_400_000).unsigned_abs());
        let midnight = now.minus(into_day).minus(DAY * self.days_ago.unwrap_or(0));
        let hint = match (self.hour, self.half) {
            (Some(hour), half) => self.around(hour, half, midnight, now),
            (None, Some(HalfOfDay::Morning)) => TimeHint { from: midnight, until: midnight.plus(DAY / 2) },
            // A night lasts until the small hours.
            (None, Some(HalfOfDay::Afternoon)) => {
                TimeHint { from: midnight.plus(DAY / 2), until: midnight.plus(DAY + DAY / 8) }
            }
            (None, None) => TimeHint { from: midnight, until: midnight.plus(DAY) },
        };
        Some(TimeHint { from: hint.from.min(now), until: hint.until.min(now) })
    }

    fn around(&self, hour: u32, half: Option<HalfOfDay>, midnight: Timestamp, now: Timestamp) -> TimeHint {
        let at = |hour: u32| midnight.plus(Duration::from_mins(u64::from(hour * 60 + self.minute)));
        let has_been = |moment: Timestamp| moment <= now.plus(AHEAD);
        let moment = match half {
            Some(HalfOfDay::Afternoon) => at(hour % 12 + 12),
            None if hour > 12 || hour == 0 => at(hour),
            None if self.days_ago.unwrap_or(0) > 0 => at(if hour < OPENING { hour + 12 } else { hour }),
            None if has_been(at(hour % 12 + 12)) => at(hour % 12 + 12),
            Some(HalfOfDay::Morning) | None => at(hour % 12),
        };
        // Somebody who says no day and an hour that is still to come means yesterday's.
        let moment = if self.days_ago.is_none() && !has_been(moment) { moment.minus(DAY) } else { moment };
        TimeHint { from: moment.minus(ABOUT), until: moment.plus(ABOUT) }
    }
}

const DAYS: [(&str, u32, Option<HalfOfDay>); 13] = [
    ("一昨日", 2, None),
    ("おととい", 2, None),
    ("今日", 0, None),
    ("本日", 0, None),
    ("きょう", 0, None),
    ("昨日", 1, None),
    ("きのう", 1, None),
    ("今朝", 0, Some(HalfOfDay::Morning)),
    ("けさ", 0, Some(HalfOfDay::Morning)),
    ("昨夜", 1, Some(HalfOfDay::Afternoon)),
    ("昨晩", 1, Some(HalfOfDay::Afternoon)),
    ("ゆうべ", 1, Some(HalfOfDay::Afternoon)),
    ("さっき", 0, None),
];

const HALVES: [(&str, HalfOfDay); 6] = [
    ("午前", HalfOfDay::Morning),
    ("午後", HalfOfDay::Afternoon),
    ("朝", HalfOfDay::Morning),
    ("昼", HalfOfDay::Afternoon),
    ("夕方", HalfOfDay::Afternoon),
    ("夜", HalfOfDay::Afternoon),
];

const ABOUTS: [&str; 8] = ["ごろ", "頃", "ころ", "くらい", "ぐらい", "前後", "過ぎ", "すぎ"];

const USES: [&str; 9] = [
    "使っていました",
    "使っていた",
    "使ってた",
    "使いました",
    "使った",
    "使用した",
    "使用",
    "つかった",
    "ログインした",
];

/// Whether the whole word says when: a day, half of it, an hour, that it was used, in this order, each or none of them.
fn japanese(word: &str, spoken: &mut Spoken) -> bool {
    let mut said = Spoken::default();
    let mut rest = word;
    if let Some((day, days_ago, half)) = DAYS.iter().find(|(day, ..)| rest.starts_with(day)) {
        (said.days_ago, said.half) = (Some(*days_ago), *half);
        rest = without(&rest[day.len()..], "の");
    }
    if let Some((text, half)) = HALVES.iter().find(|(text, _)| rest.starts_with(text)) {
        said.half = Some(*half);
        rest = without(&rest[text.len()..], "の");
    }
    if let Some((hour, minute, after)) = hour_of(rest) {
        (said.hour, said.minute) = (Some(hour), minute);
        rest = after;
    }
    for about in ABOUTS {
        rest = without(rest, about);
    }
    rest = without(rest, "に");
    let used = USES.iter().find_map(|text| rest.strip_prefix(text));
    let is_whole = used.unwrap_or(rest).is_empty();
    // Half of a day alone is also a name (朝, 夜), unless something was said of the time before.
    let says = said.days_ago.is_some() || said.hour.is_some() || used.is_some() || spoken.says_when();
    if is_whole && says && (said.says_when() || used.is_some()) {
        spoken.add(said);
        return true;
    }
    false
}

fn without<'a>(text: &'a str, beginning: &str) -> &'a str {
    text.strip_prefix(beginning).unwrap_or(text)
}

/// `3時`, `三時半`, `15時10分`, `15:10`.
fn hour_of(text: &str) -> Option<(u32, u32, &str)> {
    let (hour, rest) = number(text)?;
    let (minute, rest) = if let Some(rest) = rest.strip_prefix('時') {
        match (rest.strip_prefix('半'), number(rest)) {
            (Some(rest), _) => (30, rest),
            (None, Some((minute, rest))) => (minute, rest.strip_prefix('分')?),
            (None, None) => (0, rest),
        }
    } else {
        number(rest.strip_prefix(':')?)?
    };
    (hour < 24 && minute < 60).then_some((hour, minute, rest))
}

/// Numbers of hours. Those that begin with another come first.
const NUMBERS: [(&str, u32); 12] = [
    ("十二", 12),
    ("十一", 11),
    ("十", 10),
    ("九", 9),
    ("八", 8),
    ("七", 7),
    ("六", 6),
    ("五", 5),
    ("四", 4),
    ("三", 3),
    ("二", 2),
    ("一", 1),
];

/// One or two digits, or Japanese ones up to twelve.
fn number(text: &str) -> Option<(u32, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    if (1..=2).contains(&digits) {
        return Some((text[..digits].parse().ok()?, &text[digits..]));
    }
    NUMBERS.iter().find_map(|(word, number)| Some((*number, text.strip_prefix(word)?)))
}

/// How many words from here on say when, in English: `used at about 3 today`, `3pm`, `yesterday`, `this morning`.
fn english(words: &[String], spoken: &mut Spoken) -> Option<usize> {
    let mut said = Spoken::default();
    let mut introduced = false;
    let mut taken = 0;
    let word = |position: usize| words.get(position).map_or("", |word| word.trim_end_matches([',', '.']));
    loop {
        let (this, next) = (word(taken), word(taken + 1));
        let length = match (this, next) {
            ("used" | "was" | "at" | "about" | "around", _) => {
                introduced |= matches!(this, "at" | "about" | "around");
                1
            }
            ("today", _) => said.day(0, None, 1),
            ("yesterday", _) => said.day(1, None, 1),
            ("this", "morning") => said.day(0, Some(HalfOfDay::Morning), 2),
            ("this", "afternoon" | "evening") => said.day(0, Some(HalfOfDay::Afternoon), 2),
            ("last", "night") => said.day(1, Some(HalfOfDay::Afternoon), 2),
            _ => match clock(this, next, introduced) {
                Some((hour, minute, half, length)) => {
                    (said.hour, said.minute, said.half) = (Some(hour), minute, half.or(said.half));
                    length
                }
                None => break,
            },
        };
        taken += length;
    }
    if !said.says_when() {
        return None;
    }
    spoken.add(said);
    Some(taken)
}

impl Spoken {
    fn day(&mut self, days_ago: u32, half: Option<HalfOfDay>, length: usize) -> usize {
        (self.days_ago, self.half) = (Some(days_ago), half.or(self.half));
        length
    }
}

/// `3pm`, `3 pm`, `3:30`; a number alone after "at" or "about".
fn clock(this: &str, next: &str, introduced: bool) -> Option<(u32, u32, Option<HalfOfDay>, usize)> {
    let half = |text: &str| match text {
        "am" => Some(HalfOfDay::Morning),
        "pm" => Some(HalfOfDay::Afternoon),
        _ => None,
    };
    let (hour, rest) = number(this).filter(|_| this.starts_with(|c: char| c.is_ascii_digit()))?;
    let (minute, rest) = match rest.strip_prefix(':') {
        Some(rest) => number(rest).map(|(minute, rest)| (Some(minute), rest))?,
        None => (None, rest),
    };
    let (half, length) = match (rest, half(next)) {
        ("", Some(half)) => (Some(half), 2),
        ("", None) => (None, if next == "o'clock" { 2 } else { 1 }),
        (rest, _) => (Some(half(rest)?), 1),
    };
    let is_a_time = introduced || minute.is_some() || half.is_some() || length == 2;
    (is_a_time && hour < 24 && minute.unwrap_or(0) < 60).then_some((hour, minute.unwrap_or(0), half, length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).expect("a time")
    }

    /// Half past four in the afternoon of the 30th, in Japan.
    fn now() -> Timestamp {
        at("2026-11-30T07:30:00Z")
    }

    fn heard(text: &str) -> (Option<(String, String)>, String) {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (hint, rest) = take(&words, now());
        let said = |moment: Timestamp| moment.plus(JAPAN).to_string()[..16].replace('T', " ");
        (hint.map(|hint| (said(hint.from), said(hint.until))), rest.join(" "))
    }

    #[test]
    fn a_caller_says_when_in_whatever_words_and_the_rest_is_left() {
        for (text, from, until, rest) in [
            ("今日の3時ごろ使った 受付", "2026-11-30 14:15", "2026-11-30 15:45", "受付"),
            ("受付 今日の ３時ごろ 使った", "2026-11-30 14:15", "2026-11-30 15:45", "受付"),
            ("used at about 3 today reception", "2026-11-30 14:15", "2026-11-30 15:45", "reception"),
            ("reception used around 9:30 this morning", "2026-11-30 08:45", "2026-11-30 10:15", "reception"),
            ("昨日の三時半に使いました", "2026-11-29 14:45", "2026-11-29 16:15", ""),
            ("昨日の午前9時", "2026-11-29 08:15", "2026-11-29 09:45", ""),
            ("today", "2026-11-30 00:00", "2026-11-30 16:30", ""),
            ("今朝 本店", "2026-11-30 00:00", "2026-11-30 12:00", "本店"),
            ("8pm", "2026-11-29 19:15", "2026-11-29 20:45", ""),
        ] {
            let found = heard(text);
            assert_eq!(found, (Some((from.into(), until.into())), rest.into()), "{text}");
        }
    }

    #[test]
    fn names_that_look_like_times_stay_names() {
        for text in ["レジ 3", "PC 12", "朝日薬局 夜間窓口", "at home", "used", "24時間薬局", "3階", "一番町"]
        {
            assert_eq!(heard(text), (None, text.to_owned()), "{text}");
        }
    }
}
