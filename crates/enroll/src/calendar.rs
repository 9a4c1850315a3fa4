//! The renewal date as a calendar file (RFC 5545), so that nobody has to remember it.
//!
//! The entry keeps its identifier across generations: taking the file of a renewed certificate moves the entry.

use crate::serving::Serving;
use axum::response::IntoResponse;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use std::time::Duration;
use tegata_core::{Language, Timestamp};
use tegata_web::japan_date::{day, in_japan};
use tegata_web::{Presented, ReaderLanguage, WebResult};

/// The last call, before the certificate ends.
const LAST_CALL: Duration = Duration::from_hours(7 * 24);

/// `GET {device}/calendar.ics`: of the presented certificate.
pub(crate) async fn get(
    Serving(service): Serving,
    ReaderLanguage(language): ReaderLanguage,
    Presented(certificate): Presented,
) -> WebResult<impl IntoResponse> {
    let facts = service.caller(certificate.as_ref()).await?;
    let device = service.device(&facts).await?;
    let entry = CalendarEntry {
        uid: format!("{}@{}", facts.device, service.context.installation.as_str()),
        sequence: facts.generation,
        stamp: service.now(),
        due: service.planned_for(&facts).await?.from,
        end: facts.not_after,
        device: format!("{} {}", device.site_name, device.label),
        page: format!("{}/", service.context.addresses.device),
        language,
    };
    let headers = [
        (CONTENT_TYPE, "text/calendar; charset=utf-8"),
        (CONTENT_DISPOSITION, "attachment; filename=\"tegata.ics\""),
        (CACHE_CONTROL, "no-store"),
    ];
    Ok((headers, entry.to_text()))
}

struct CalendarEntry {
    uid: String,
    sequence: u32,
    stamp: Timestamp,
    due: Timestamp,
    end: Timestamp,
    device: String,
    page: String,
    language: Language,
}

impl CalendarEntry {
    fn to_text(&self) -> String {
        let summary = match self.language {
            Language::Ja => format!("端末の証明書を更新：{}", self.device),
            Language::En => format!("Renew the device certificate: {}", self.device),
        };
        let end = day(self.end, self.language);
        let description = match self.language {
            Language::Ja => format!(
                "この端末で {} を開き、更新のボタンを押してください（3分ほど）。{end}を過ぎると入れなくなります。",
                self.page
            ),
            Language::En => format!(
                "Open {} on this device and press the renewal button (three minutes). It stops working on {end}.",
                self.page
            ),
        };
        let alarm = |trigger: &str| {
            vec![
                "BEGIN:VALARM".to_owned(),
                "ACTION:DISPLAY".to_owned(),
                format!("DESCRIPTION:{}", escaped(&summary)),
                trigger.to_owned(),
                "END:VALARM".to_owned(),
            ]
        };
        let mut lines = vec![
            "BEGIN:VCALENDAR".to_owned(),
            "VERSION:2.0".to_owned(),
            "PRODID:-//Tegata//Tegata//EN".to_owned(),
            "BEGIN:VEVENT".to_owned(),
            format!("UID:{}", self.uid),
            format!("SEQUENCE:{}", self.sequence),
            format!("DTSTAMP:{}", utc(self.stamp)),
            format!("DTSTART;VALUE=DATE:{}", date(self.due)),
            format!("SUMMARY:{}", escaped(&summary)),
            format!("DESCRIPTION:{}", escaped(&description)),
            format!("URL:{}", self.page),
            "TRANSP:TRANSPARENT".to_owned(),
        ];
        // Nine in the morning of the day itself, and once more before it is too late.
        lines.extend(alarm("TRIGGER:PT9H"));
        lines.extend(alarm(&format!(
            "TRIGGER;VALUE=DATE-TIME:{}",
            utc(self.end.minus(LAST_CALL).max(self.due))
        )));
        lines.extend(["END:VEVENT".to_owned(), "END:VCALENDAR".to_owned()]);
        lines.iter().map(|line| folded(line) + "\r\n").collect()
    }
}

/// RFC 5545 section 3.3.11.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\").replace(';', "\\;").replace(',', "\\,").replace(['\r', '\n'], "\\n")
}

/// No line longer than 75 octets, none cut inside a character (RFC 5545 section 3.1).
fn folded(line: &str) -> String {
    let mut text = String::with_capacity(line.len() + line.len() / 24);
    let mut octets = 0;
    for character in line.chars() {
        if octets + character.len_utf8() > 75 {
            text.push_str("\r\n ");
            octets = 1;
        }
        text.push(character);
        octets += character.len_utf8();
    }
    text
}

fn utc(at: Timestamp) -> String {
    let at = at.date_time();
    let (hour, minute, second) = (at.hour(), at.minute(), at.second());
    format!("{}{:02}{:02}T{hour:02}{minute:02}{second:02}Z", at.year(), u8::from(at.month()), at.day())
}

/// A whole day, as Japan counts it.
fn date(at: Timestamp) -> String {
    let at = in_japan(at);
    format!("{}{:02}{:02}", at.year(), u8::from(at.month()), at.day())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(device: &str) -> CalendarEntry {
        CalendarEntry {
            uid: "device@example".into(),
            sequence: 2,
            stamp: Timestamp::parse("2026-11-21T00:00:00Z").unwrap(),
            due: Timestamp::parse("2027-10-21T15:30:00Z").unwrap(),
            end: Timestamp::parse("2027-11-20T15:30:00Z").unwrap(),
            device: device.into(),
            page: "https://device.example/".into(),
            language: Language::Ja,
        }
    }

    #[test]
    fn the_day_is_that_of_japan_and_the_last_call_a_week_before_the_end() {
        let text = entry("本店 レジ1").to_text();
        assert!(text.contains("\r\nDTSTART;VALUE=DATE:20271022\r\n"), "{text}");
        assert!(text.contains("\r\nTRIGGER;VALUE=DATE-TIME:20271113T153000Z\r\n"), "{text}");
    }

    #[test]
    fn no_line_is_longer_than_75_octets_and_unfolding_gives_the_text_back() {
        let name = "とても長い名前の薬局、本店; 一号機 ".repeat(9);
        let text = entry(&name).to_text();
        assert!(text.split("\r\n").all(|line| line.len() <= 75), "{text}");
        let unfolded = text.replace("\r\n ", "");
        assert!(unfolded.contains(&escaped(&name)), "{unfolded}");
    }

    #[test]
    fn a_label_cannot_add_a_line_of_its_own() {
        let text = entry("x\r\nBEGIN:VALARM").to_text();
        assert_eq!(text.matches("\r\nBEGIN:VALARM").count(), 2);
    }
}
