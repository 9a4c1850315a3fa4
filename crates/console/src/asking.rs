//! Whoever works for the vendor's support says why they act before anything else. Pages and forms of devices are for those who have;
//! whoever has not is asked here, and nowhere else.

use crate::acting::{Acting, ActingForm, ActingPage, SealedForm};
use crate::frame::{Frame, refused};
use crate::service::ConsoleService;
use askama::Template;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::response::{IntoResponse, Response};
use http::Uri;
use http::request::Parts;
use serde::Deserialize;
use tegata_core::{Language, Refusal};
use tegata_web::ReaderLanguage;

#[derive(Template)]
#[template(path = "why-you-act.html")]
struct AskWhyPage {
    frame: Frame,
    typed: TypedCall,
}

/// What was typed before a call was begun.
#[derive(Default)]
pub(crate) struct TypedCall {
    pub(crate) reason: String,
    pub(crate) ticket: String,
    pub(crate) q: String,
}

/// Somebody who opens a page and has said why they act, where their role asks for it. Whoever has not is asked instead.
pub(crate) struct JustifiedPage(pub(crate) Acting);

/// A form of somebody who has said why they act, where their role asks for it.
pub(crate) struct JustifiedForm<F> {
    pub(crate) by: Acting,
    pub(crate) form: F,
}

/// What somebody looked for when they were asked.
#[derive(Deserialize)]
struct LookedFor {
    #[serde(default, alias = "code")]
    q: String,
}

impl FromRequestParts<ConsoleService> for JustifiedPage {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, service: &ConsoleService) -> Result<Self, Response> {
        let ActingPage(by) = ActingPage::from_request_parts(parts, service).await?;
        if by.must_say_why() {
            let ReaderLanguage(language) = ReaderLanguage::of(&parts.uri, &parts.headers);
            let typed = TypedCall { q: looked_for(&parts.uri), ..TypedCall::default() };
            return Err(service.ask_why(&by, language, typed, None));
        }
        Ok(Self(by))
    }
}

impl<F: SealedForm> FromRequest<ConsoleService> for JustifiedForm<F> {
    type Rejection = Response;

    async fn from_request(request: Request, service: &ConsoleService) -> Result<Self, Response> {
        let ReaderLanguage(language) = ReaderLanguage::of(request.uri(), request.headers());
        let asked = ActingForm::<F>::from_request(request, service).await;
        let ActingForm { by, form } = asked.map_err(IntoResponse::into_response)?;
        if by.must_say_why() {
            return Err(service.ask_why(&by, language, TypedCall::default(), Some(Refusal::ReasonMissing)));
        }
        Ok(Self { by, form })
    }
}

/// What the address says is looked for: words, or a code.
fn looked_for(uri: &Uri) -> String {
    Query::<LookedFor>::try_from_uri(uri).map(|Query(asked)| asked.q).unwrap_or_default()
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
