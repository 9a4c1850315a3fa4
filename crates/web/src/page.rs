//! Pages: one layout, one strict policy.

use askama::Template;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::{
    CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, VARY,
};
use tegata_core::{Contact, Language, Refusal};

use crate::assets::{compressed, takes_gzip};
use crate::probe::ProbeHosts;

/// One page in the common layout.
#[derive(Debug)]
pub struct HtmlPage {
    language: Language,
    title: String,
    /// `None` when the body's template failed.
    body: Option<String>,
    script: Option<String>,
    style: Option<String>,
    connect_to: Option<String>,
    sends_forms: bool,
    compressed: bool,
    contact: Option<Contact>,
}

impl HtmlPage {
    /// With `body` as the content of `<main>`. Templates escape what they are given.
    pub fn new(language: Language, title: &str, body: &impl Template) -> Self {
        let body = body.render().inspect_err(|error| tracing::error!(%error, title, "a page failed")).ok();
        Self {
            language,
            title: title.to_owned(),
            body,
            script: None,
            style: None,
            connect_to: None,
            sends_forms: false,
            compressed: false,
            contact: None,
        }
    }

    /// With a module script, such as `/assets/enroll.js`.
    #[must_use]
    pub fn script(mut self, path: &str) -> Self {
        self.script = Some(path.to_owned());
        self
    }

    /// With a further style sheet, such as `/assets/console.css`.
    #[must_use]
    pub fn style(mut self, path: &str) -> Self {
        self.style = Some(path.to_owned());
        self
    }

    /// Whose script may ask the probe hosts.
    #[must_use]
    pub fn asking(mut self, probes: &ProbeHosts) -> Self {
        self.connect_to = Some(probes.source());
        self
    }

    /// Compressed for a reader whose browser takes that. For pages that are the same for everybody and hold no secret,
    /// so that their length gives nothing away.
    #[must_use]
    pub fn compressed_for(mut self, headers: &HeaderMap) -> Self {
        self.compressed = takes_gzip(headers);
        self
    }

    /// With a form that goes to this site. Its page sends a `Referer` to this site alone: a browser that is to
    /// send no referrer would not say either where the form comes from.
    #[must_use]
    pub fn sending_forms(mut self) -> Self {
        self.sends_forms = true;
        self
    }

    /// With whom to call at its foot.
    #[must_use]
    pub fn contact(mut self, contact: Option<&Contact>) -> Self {
        self.contact = contact.cloned();
        self
    }

    fn policy(&self) -> String {
        let forms = if self.sends_forms { "'self'" } else { "'none'" };
        let probes = self.connect_to.as_ref().map(|source| format!(" {source}")).unwrap_or_default();
        format!(
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
             connect-src 'self'{probes}; form-action {forms}; base-uri 'none'; frame-ancestors 'none'"
        )
    }

    fn html(&self) -> Option<String> {
        let body = self.body.as_deref()?;
        let layout = PageLayout {
            language: self.language,
            title: &self.title,
            body,
            script: self.script.as_deref(),
            style: self.style.as_deref(),
            contact: self.contact.as_ref(),
            referrer: if self.sends_forms { "same-origin" } else { "no-referrer" },
        };
        layout.render().inspect_err(|error| tracing::error!(%error, "the layout failed")).ok()
    }
}

impl IntoResponse for HtmlPage {
    fn into_response(self) -> Response {
        let Some(html) = self.html() else {
            return crate::Problem::from(Refusal::Internal).into_response();
        };
        let headers = [
            (CONTENT_TYPE, "text/html; charset=utf-8"),
            (CONTENT_LANGUAGE, self.language.tag()),
            (CACHE_CONTROL, "no-store"),
        ];
        let policy = [(CONTENT_SECURITY_POLICY, self.policy())];
        match self.compressed.then(|| compressed(html.as_bytes())) {
            Some(Ok(gzip)) => {
                let coded = [(CONTENT_ENCODING, "gzip"), (VARY, "accept-encoding")];
                (headers, policy, coded, gzip).into_response()
            }
            _ => (headers, policy, html).into_response(),
        }
    }
}

#[derive(Template)]
#[template(path = "layout.html")]
struct PageLayout<'a> {
    language: Language,
    title: &'a str,
    body: &'a str,
    script: Option<&'a str>,
    style: Option<&'a str>,
    contact: Option<&'a Contact>,
    referrer: &'a str,
}
