//! The pages of enrolment and renewal. What they look like is in `templates/`.

use crate::desk::Desk;
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use tegata_core::{Language, Refusal, Timestamp};
use tegata_storage::Facts;
use tegata_web::{Page, Presented, ReaderLanguage};

#[derive(Template)]
#[template(path = "home.html")]
struct Home<'a> {
    language: Language,
    device_url: &'a str,
}

#[derive(Template)]
#[template(path = "enroll.html")]
struct Enroll<'a> {
    language: Language,
    device_url: &'a str,
}

#[derive(Template)]
#[template(path = "device.html")]
struct DevicePage {
    language: Language,
    device: Option<Shown>,
    problem: Option<ShownProblem>,
}

struct Shown {
    tenant: String,
    site: String,
    label: String,
    generation: u32,
    not_after: String,
    subject: String,
    probe_pattern: String,
    due: bool,
}

struct ShownProblem {
    title: &'static str,
    detail: &'static str,
    code: &'static str,
}

pub(crate) async fn home(State(desk): State<Desk>, ReaderLanguage(language): ReaderLanguage) -> Page {
    let body = Home { language, device_url: &desk.context.addresses.device };
    Page::new(language, language.pick("端末の通行手形", "A pass for your device"), &body)
}

pub(crate) async fn enroll(State(desk): State<Desk>, ReaderLanguage(language): ReaderLanguage) -> Page {
    let body = Enroll { language, device_url: &desk.context.addresses.device };
    Page::new(language, language.pick("証明書を入れる", "Put a certificate on this device"), &body)
        .script("/assets/enroll.js")
        .asking(&desk.context.addresses.probes)
}

/// The device of the presented certificate, or why it is refused, on the same page.
pub(crate) async fn device(
    State(desk): State<Desk>,
    ReaderLanguage(language): ReaderLanguage,
    Presented(certificate): Presented,
) -> Response {
    let shown = match desk.context.caller(certificate.as_ref()).await {
        Ok(facts) => show(&desk, &facts, language).await,
        Err(refusal) => Err(refusal),
    };
    match shown {
        Ok(shown) => page(language, Some(shown), None)
            .script("/assets/renew.js")
            .asking(&desk.context.addresses.probes)
            .into_response(),
        Err(refusal) => {
            let status = StatusCode::from_u16(refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let problem = ShownProblem {
                title: refusal.title(language),
                detail: refusal.advice(language),
                code: refusal.code(),
            };
            (status, page(language, None, Some(problem))).into_response()
        }
    }
}

fn page(language: Language, device: Option<Shown>, problem: Option<ShownProblem>) -> Page {
    let title = language.pick("この端末の証明書", "The certificate of this device");
    Page::new(language, title, &DevicePage { language, device, problem })
}

async fn show(desk: &Desk, facts: &Facts, language: Language) -> Result<Shown, Refusal> {
    let device = desk.device(&facts.device).await?;
    let due_at = desk.context.renewal.due_at(facts.not_before, facts.not_after);
    Ok(Shown {
        subject: desk.common_name(
            &facts.tenant,
            facts.role,
            &facts.device,
            &device.site_name,
            &device.label,
        )?,
        tenant: device.tenant_name,
        site: device.site_name,
        label: device.label,
        generation: facts.generation,
        not_after: day(facts.not_after, language),
        probe_pattern: desk.context.addresses.probes.pattern(),
        due: due_at <= desk.context.now(),
    })
}

/// Calendar days are those of Japan, where the readers are.
const JAPAN: std::time::Duration = std::time::Duration::from_hours(9);

fn day(at: Timestamp, language: Language) -> String {
    let date = at.plus(JAPAN).date_time();
    let (year, month, day) = (date.year(), u8::from(date.month()), date.day());
    match language {
        Language::Ja => format!("{year}年{month}月{day}日"),
        Language::En => format!("{year}-{month:02}-{day:02}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn staff_read_the_day_as_it_is_in_japan() {
        let at = Timestamp::parse("2026-11-21T15:30:00Z").unwrap();
        assert_eq!(day(at, Language::Ja), "2026年11月22日");
        assert_eq!(day(at, Language::En), "2026-11-22");
    }
}
