//! The first page: one box that takes what a caller says.

use crate::acting::Acting;
use crate::asking::JustifiedPage;
use crate::finding::Hits;
use crate::frame::{Frame, onward};
use crate::service::ConsoleService;
use askama::Template;
use axum::extract::{Query, State};
use axum::response::{Html, IntoResponse, Response};
use http::header::CACHE_CONTROL;
use serde::Deserialize;
use tegata_core::refusal::SpokenCode;
use tegata_core::{Language, Refusal};
use tegata_storage::CopyAlarm;
use tegata_web::{ReaderLanguage, WebResult};

/// Copied certificates that are named; of more there is a list.
const FIRST: usize = 5;

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage {
    frame: Frame,
    q: String,
    hits: Option<Hits>,
    copies: WaitingCopies,
}

/// Devices whose certificates are perhaps copied: what waits for somebody.
struct WaitingCopies {
    count: usize,
    first: Vec<CopiedDevice>,
}

struct CopiedDevice {
    id: String,
    label: String,
    site: String,
}

#[derive(Template)]
#[template(path = "hits.html")]
struct HitsPart {
    language: Language,
    hits: Option<Hits>,
}

#[derive(Deserialize)]
pub(crate) struct FindQuery {
    #[serde(default)]
    q: String,
}

pub(crate) async fn show(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    JustifiedPage(by): JustifiedPage,
    Query(FindQuery { q }): Query<FindQuery>,
) -> WebResult<Response> {
    if SpokenCode::parse(&q).refusal.is_some() {
        let query = serde_urlencoded::to_string([("code", &q)]).unwrap_or_default();
        return Ok(onward(&format!("/console/why?{query}"), language));
    }
    let hits = service.hits(&by, &q, true, language).await?;
    let copies = WaitingCopies::of(&service.copy_alarms_seen(&by).await?);
    let frame = Frame::of(&by, "/console", language);
    let title = language.pick("端末をさがす", "Find a device");
    Ok(service.page(language, title, &HomePage { frame, q, hits, copies }).into_response())
}

impl WaitingCopies {
    fn of(alarms: &[CopyAlarm]) -> Self {
        let view = |alarm: &CopyAlarm| CopiedDevice {
            id: alarm.device.to_string(),
            label: alarm.label.clone(),
            site: alarm.site_name.clone(),
        };
        Self { count: alarms.len(), first: alarms.iter().take(FIRST).map(view).collect() }
    }
}

/// The hits alone, for the script that shows them while somebody types.
pub(crate) async fn find(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    by: Acting,
    Query(FindQuery { q }): Query<FindQuery>,
) -> WebResult<Response> {
    let part = HitsPart { language, hits: service.hits(&by, &q, false, language).await? };
    let html = part.render().map_err(|_| Refusal::Internal)?;
    Ok(([(CACHE_CONTROL, "no-store")], Html(html)).into_response())
}
