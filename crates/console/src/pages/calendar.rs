//! When certificates end, week by week; each week leads to its devices.

use crate::asking::JustifiedPage;
use crate::expiries::ExpiryWeek;
use crate::frame::Frame;
use crate::pages::devices::{ListQuery, in_words, parsed};
use crate::service::ConsoleService;
use askama::Template;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use tegata_core::{Language, TenantId, Timestamp};
use tegata_web::japan_date::day;
use tegata_web::{ReaderLanguage, WebResult};

#[derive(Template)]
#[template(path = "calendar.html")]
struct CalendarPage {
    frame: Frame,
    /// Nothing where whoever reaches all companies has named none.
    weeks: Option<Vec<WeekView>>,
}

struct WeekView {
    from: String,
    devices: u64,
    path: String,
}

/// Of which company the weeks are.
#[derive(Deserialize)]
pub(crate) struct CalendarQuery {
    tenant: Option<String>,
}

pub(crate) async fn show(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    JustifiedPage(by): JustifiedPage,
    Query(CalendarQuery { tenant }): Query<CalendarQuery>,
) -> WebResult<Response> {
    let weeks = service.expiries_seen(&by, parsed(tenant.as_deref(), TenantId::parse)?).await?;
    let view = |week: ExpiryWeek| WeekView::of(&week, tenant.as_deref(), by.at, language);
    let weeks = weeks.map(|weeks| weeks.into_iter().map(view).collect());
    let body = CalendarPage { frame: Frame::of(&by, "", language), weeks };
    let title = language.pick("期限のカレンダー", "Certificates by week");
    Ok(service.page(language, title, &body).into_response())
}

impl WeekView {
    fn of(week: &ExpiryWeek, tenant: Option<&str>, now: Timestamp, language: Language) -> Self {
        let first = days_until(week.from, now);
        let asked = ListQuery {
            tenant: tenant.map(str::to_owned),
            lasts_days: (first > 0).then(|| first.to_string()),
            due_days: Some((days_until(week.from, now) + 7).to_string()),
            ..ListQuery::default()
        };
        Self {
            from: day(week.from, language),
            devices: week.devices,
            path: in_words("/console/devices", &asked, language),
        }
    }
}

/// Whole days; the list counts them from this moment, so a device of the edge is in the list of the week beside it.
fn days_until(at: Timestamp, now: Timestamp) -> i64 {
    (at.seconds() - now.seconds()).div_euclid(24 * 3600)
}
