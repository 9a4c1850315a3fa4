//! Responses with a refusal: to programs as `application/problem+json` (RFC 9457), to people as a page.
//!
//! Handlers return [`WebResult`] and use `?` on a [`Refusal`]. The response carries the [`Problem`] in its
//! extensions, and the [`Site`](crate::Site), which knows the request, writes it in the reader's language and form.

use crate::api::ContactSchema;
use crate::language::{ReaderLanguage, weighed};
use crate::page::HtmlPage;
use askama::Template;
use axum::body::{Body, HttpBody};
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde::Serialize;
use tegata_core::{Contact, Language, Refusal};
use tegata_net::RequestId;
use tegata_storage::LedgerError;
use utoipa::ToSchema;

/// What a handler answers.
pub type WebResult<T> = Result<T, Problem>;

/// A refusal, and what is particular about this one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    /// Why the request is refused.
    pub refusal: Refusal,
    /// What exactly, for developers, in English unless the reader is a person. Never a value that was sent: it could be a secret.
    pub detail: Option<String>,
    /// The media types that are taken here, where that is what it is about.
    taken: Option<&'static str>,
    /// Whom to call, where it is known whose staff reads this.
    pub contact: Option<Contact>,
}

impl Problem {
    /// With whom to call.
    #[must_use]
    pub fn with_contact(self, contact: Option<Contact>) -> Self {
        Self { contact, ..self }
    }

    /// With what is particular about it.
    pub fn with_detail(refusal: Refusal, detail: impl Into<String>) -> Self {
        Self { refusal, detail: Some(detail.into()), taken: None, contact: None }
    }

    /// Of a body in another media type than those that are taken here.
    pub fn media_type(taken: &'static str) -> Self {
        Self { refusal: Refusal::MediaType, detail: None, taken: Some(taken), contact: None }
    }

    fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.refusal.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn detail(&self, language: Language) -> String {
        let advice = match self.taken {
            Some(taken) => Refusal::media_type_advice(taken, language),
            None => self.refusal.advice(language).to_owned(),
        };
        match &self.detail {
            Some(detail) => format!("{advice} ({detail})"),
            None => advice,
        }
    }

    fn json(&self, language: Language) -> Response {
        let request_id = RequestId::current();
        let body = ProblemJson {
            r#type: "about:blank",
            title: self.refusal.title(language),
            status: self.refusal.status(),
            code: self.refusal.code(),
            detail: self.detail(language),
            lang: language.tag(),
            request_id: request_id.as_ref().map(RequestId::as_str),
            contact: self.contact.as_ref(),
        };
        let text = serde_json::to_vec(&body).unwrap_or_default();
        let headers = [
            (CONTENT_TYPE, "application/problem+json"),
            (CONTENT_LANGUAGE, language.tag()),
            (CACHE_CONTROL, "no-store"),
        ];
        self.again((self.status(), headers, text).into_response())
    }

    fn page(&self, language: Language, why: Option<&str>, contact: Option<&Contact>) -> Response {
        let title = self.refusal.title(language);
        let (detail, code) = (self.detail(language), self.refusal.code());
        let request_id = RequestId::current();
        let contact = self.contact.as_ref().or(contact);
        let body = ProblemPage { language, title, detail, code, why, request_id, contact };
        self.again((self.status(), HtmlPage::new(language, title, &body).contact(contact)).into_response())
    }

    /// Whoever could not be served now is told when to come again (RFC 9110 section 15.6.4).
    fn again(&self, mut response: Response) -> Response {
        if matches!(self.refusal, Refusal::Unavailable | Refusal::TenantBusy) {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self { refusal, detail: None, taken: None, contact: None }
    }
}

impl From<LedgerError> for Problem {
    fn from(error: LedgerError) -> Self {
        Refusal::from(error).into()
    }
}

/// Complete even where no [`Site`](crate::Site) is around: JSON in the default language.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.json(Language::default());
        response.extensions_mut().insert(self);
        response
    }
}

/// What is known of the reader, as far as it matters to the form of a problem.
pub(crate) struct ProblemReader {
    language: Language,
    as_page: bool,
    without_body: bool,
}

impl ProblemReader {
    pub(crate) fn of(request: &Request) -> Self {
        let ReaderLanguage(language) = ReaderLanguage::of(request.uri(), request.headers());
        Self {
            language,
            as_page: wants_page(request.headers()),
            without_body: request.method() == Method::HEAD,
        }
    }

    /// Writes a problem in the reader's language and form. A failure that the framework worded itself, such as an
    /// unknown path, becomes a problem too. Headers of the response are kept. `why`: where more is told; `contact`: whom to
    /// call where nobody nearer is known.
    pub(crate) fn written(
        &self,
        response: Response,
        why: Option<&str>,
        contact: Option<&Contact>,
    ) -> Response {
        let Some(problem) = problem_of(&response) else { return response };
        let written = if self.as_page {
            problem.page(self.language, why, contact)
        } else {
            problem.json(self.language)
        };
        let mut written = overlay(&response, written);
        // For whoever counts or logs refusals.
        written.extensions_mut().insert(problem.refusal);
        // The router knew the length of what it gave, not of this.
        if let Some(length) = written.body().size_hint().exact() {
            written.headers_mut().insert(CONTENT_LENGTH, length.into());
        }
        if self.without_body {
            *written.body_mut() = Body::empty();
        }
        written
    }
}

/// A refusal (RFC 9457): what is wrong and what to do, in the reader's language.
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemJson<'a> {
    /// Always `about:blank`: `code` says which it is.
    r#type: &'static str,
    /// What is wrong, in the words of the code.
    title: &'a str,
    /// The status of the response.
    status: u16,
    /// Stable, for programs and for support.
    code: &'a str,
    /// What to do, and what exactly is wrong, for whoever reads it.
    detail: String,
    /// The language of `title` and `detail`.
    lang: &'static str,
    /// What support finds the log line by.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ContactSchema>)]
    contact: Option<&'a Contact>,
}

#[derive(Template)]
#[template(path = "problem.html")]
struct ProblemPage<'a> {
    language: Language,
    title: &'a str,
    detail: String,
    code: &'a str,
    why: Option<&'a str>,
    request_id: Option<RequestId>,
    contact: Option<&'a Contact>,
}

/// A person navigates; a script that merely does not mind HTML gets JSON.
fn wants_page(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let navigates = text("sec-fetch-mode").is_none_or(|mode| mode == "navigate");
    let accepts_html = text(ACCEPT.as_str())
        .is_some_and(|accept| accept.split(',').filter_map(weighed).any(|(media, _)| media == "text/html"));
    navigates && accepts_html
}

/// The refusal that a response tells, or that the framework worded itself, such as that of an unknown path; none where
/// the answer has a form of its own.
pub fn problem_of(response: &Response) -> Option<Problem> {
    response.extensions().get().cloned().or_else(|| worded_by_the_framework(response).map(Problem::from))
}

fn worded_by_the_framework(response: &Response) -> Option<Refusal> {
    let ours = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|media| !media.as_bytes().starts_with(b"text/plain"));
    match response.status() {
        _ if ours => None,
        StatusCode::NOT_FOUND => Some(Refusal::NotFound),
        StatusCode::METHOD_NOT_ALLOWED => Some(Refusal::MethodNotAllowed),
        StatusCode::PAYLOAD_TOO_LARGE => Some(Refusal::RequestTooLarge),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => Some(Refusal::MediaType),
        StatusCode::BAD_REQUEST | StatusCode::UNPROCESSABLE_ENTITY => Some(Refusal::RequestMalformed),
        StatusCode::INTERNAL_SERVER_ERROR => Some(Refusal::Internal),
        StatusCode::SERVICE_UNAVAILABLE => Some(Refusal::Unavailable),
        _ => None,
    }
}

/// The written problem, with those headers of the original that it does not set itself.
fn overlay(original: &Response, mut written: Response) -> Response {
    let mut headers: HeaderMap<HeaderValue> = original.headers().clone();
    headers.remove(CONTENT_LENGTH);
    for name in written.headers().keys() {
        headers.remove(name);
    }
    written.headers_mut().extend(headers);
    written
}
