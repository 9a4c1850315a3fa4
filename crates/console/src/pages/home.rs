//! The first page: one box that takes what a caller says.

use crate::acting::{Acting, ActingPage};
use crate::finding::Hits;
use crate::frame::{Frame, onward, refused};
use crate::service::ConsoleService;
use askama::Template;
use axum::extract::{FromRequestParts, Query, State};
use axum::response::{Html, IntoResponse, Response};
use http::header::CACHE_CONTROL;
use http::request::Parts;
use serde::Deserialize;
use tegata_core::refusal::SpokenCode;
use tegata_core::{Language, Refusal};
use tegata_web::{ReaderLanguage, WebResult};

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage {
    frame: Frame,
    q: String,
    hits: Option<Hits>,
}

#[derive(Template)]
#[template(path = "why-you-act.html")]
struct AskWhyPage {
    frame: Frame,
    typed: TypedCall,
}

#[derive(Template)]
#[template(path = "hits.html")]
struct HitsPart {
    language: Language,
    hits: Option<Hits>,
}

/// What was typed before a call was begun.
#[derive(Default)]
pub(crate) struct TypedCall {
    pub(crate) reason: String,
    pub(crate) ticket: String,
    pub(crate) q: String,
}

#[derive(Deserialize)]
pub(crate) struct FindQuery {
    #[serde(default)]
    q: String,
}

pub(crate) async fn show(
    State(service): State<ConsoleService>,
    ReaderLanguage(language): ReaderLanguage,
    ActingPage(by): ActingPage,
    Query(FindQuery { q }): Query<FindQuery>,
) -> WebResult<Response> {
    if by.must_say_why() {
        return Ok(service.ask_why(&by, language, TypedCall { q, ..TypedCall::default() }, None));
    }
    if SpokenCode::parse(&q).refusal.is_some() {
        let query = serde_urlencoded::to_string([("code", &q)]).unwrap_or_default();
        return Ok(onward(&format!("/console/why?{query}"), language));
    }
    let hits = service.hits(&by, &q, true, language).await?;
    let frame = Frame::of(&by, "/console", language);
    let title = language.pick("端末をさがす", "Find a device");
    Ok(service.page(language, title, &HomePage { frame, q, hits }).into_response())
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

/// Somebody who opens a page and has said why they act, where their role asks for it. Whoever has not is asked instead.
pub(crate) struct JustifiedPage(pub(crate) Acting);

impl FromRequestParts<ConsoleService> for JustifiedPage {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, service: &ConsoleService) -> Result<Self, Response> {
        let ActingPage(by) = ActingPage::from_request_parts(parts, service).await?;
        if by.must_say_why() {
            let ReaderLanguage(language) = ReaderLanguage::of(&parts.uri, &parts.headers);
            return Err(service.ask_why(&by, language, TypedCall::default(), None));
        }
        Ok(Self(by))
    }
}

impl ConsoleService {
    /// Asks whoever may do nothing yet why they act.
    pub(crate) fn ask_why(
        &self,
        by: &Acting,
        language: Language,
        typed: TypedCall,
        refusal: Option<Refusal>,
    ) -> Response {
        let frame = Frame::of(by, "/console", language).refusing(refusal, None);
        let title = language.pick("電話の用件", "What the call is about");
        refused(self.page(language, title, &AskWhyPage { frame, typed }), refusal)
    }
}
