//! The sign-in page: each way in that the device's tenant has, and why the last attempt came to nothing.

use crate::cookie::{BrowserSecret, CookieName};
use crate::service::IdentityService;
use askama::Template;
use axum::response::{IntoResponse, Response};
use http::header::SET_COOKIE;
use http::{HeaderMap, StatusCode};
use tegata_core::{Contact, Language, Refusal};
use tegata_storage::CertificateHolder;
use tegata_web::{HtmlPage, WebResult};

#[derive(Template)]
#[template(path = "sign-in.html")]
struct SignInPage<'a> {
    language: Language,
    site: String,
    label: String,
    form_token: String,
    next: &'a str,
    login: &'a str,
    refusal: Option<Refusal>,
    contact: Option<&'a Contact>,
    takes_passkeys: bool,
    /// Where the tenant's provider is, if people may sign in there.
    provider: Option<String>,
    /// Whether accounts here are for emergencies alone.
    is_local_closed: bool,
}

/// What the sign-in page shows, and where it leads.
#[derive(Default)]
pub(crate) struct SignInView<'a> {
    pub(crate) next: &'a str,
    pub(crate) login: &'a str,
    /// How many seconds ago the person may have proved themselves, where a product says so.
    pub(crate) max_age: Option<u32>,
    pub(crate) refusal: Option<Refusal>,
}

impl IdentityService {
    /// The page, with a form for this browser.
    pub(crate) async fn sign_in_page(
        &self,
        holder: &CertificateHolder,
        headers: &HeaderMap,
        language: Language,
        view: SignInView<'_>,
    ) -> WebResult<Response> {
        let rows = self.rows(holder);
        let device = rows.device(&holder.device).await.map_err(crate::service::refusal)?;
        let device = device.ok_or(Refusal::Internal)?;
        let guidance = rows.guidance_of(&holder.site).await.unwrap_or_default();
        let contact = guidance.contact.as_ref().or(self.contact());
        let known = BrowserSecret::of(headers, CookieName::Form);
        let secret = known.unwrap_or_else(|| BrowserSecret::random(self.context.entropy.as_ref()));
        let ways = self.ways_in(holder).await?;
        let refusal = view.refusal.or(ways.missing());
        let SignInView { next, login, .. } = view;
        let body = SignInPage {
            language,
            site: device.site_name,
            label: device.label,
            form_token: secret.form_token(),
            next,
            login,
            refusal,
            contact,
            takes_passkeys: self.relying_party().is_some() && !ways.is_local_closed(),
            provider: ways.provider.as_ref().map(|_| view.start_path()),
            is_local_closed: ways.is_local_closed(),
        };
        let title = language.pick("サインイン", "Sign in");
        let page = HtmlPage::new(language, title, &body).contact(contact).sending_forms();
        let page = page.script("/assets/passkey.js");
        let status = refusal.and_then(|refusal| StatusCode::from_u16(refusal.status()).ok());
        let mut response = (status.unwrap_or(StatusCode::OK), page).into_response();
        response.headers_mut().append(SET_COOKIE, secret.given(CookieName::Form));
        if let Some(refusal) = refusal {
            // For whoever counts or logs refusals.
            response.extensions_mut().insert(refusal);
        }
        Ok(response)
    }
}
