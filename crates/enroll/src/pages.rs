//! The pages for a person without a certificate. Their templates are in `templates/`.

use crate::enrollment_service::EnrollmentService;
use askama::Template;
use axum::extract::State;
use http::HeaderMap;
use tegata_core::{Contact, Language};
use tegata_web::{HtmlPage, ReaderLanguage};

#[derive(Template)]
#[template(path = "home.html")]
struct HomePage<'a> {
    language: Language,
    device_url: &'a str,
    contact: Option<&'a Contact>,
}

#[derive(Template)]
#[template(path = "enroll.html")]
struct EnrollPage<'a> {
    language: Language,
    device_url: &'a str,
    contact: Option<&'a Contact>,
}

pub(crate) async fn home(
    State(service): State<EnrollmentService>,
    ReaderLanguage(language): ReaderLanguage,
    headers: HeaderMap,
) -> HtmlPage {
    let contact = service.contact.as_ref();
    let body = HomePage { language, device_url: &service.context.addresses.device, contact };
    HtmlPage::new(language, language.pick("端末の通行手形", "A pass for your device"), &body)
        .script("/assets/home.js")
        .contact(contact)
        .compressed_for(&headers)
}

pub(crate) async fn enroll(
    State(service): State<EnrollmentService>,
    ReaderLanguage(language): ReaderLanguage,
    headers: HeaderMap,
) -> HtmlPage {
    let contact = service.contact.as_ref();
    let body = EnrollPage { language, device_url: &service.context.addresses.device, contact };
    HtmlPage::new(language, language.pick("証明書を入れる", "Put a certificate on this device"), &body)
        .script("/assets/enroll.js")
        .contact(contact)
        .asking(&service.context.addresses.probes)
        .sending_forms()
        .compressed_for(&headers)
}
