//! A page that leads on to another site by itself.
//!
//! Chromium holds a page's `form-action` against every redirect that follows a form, so that whoever has just sent one is
//! not redirected to another site. A page that refreshes itself begins a navigation of its own.

use crate::page::HtmlPage;
use askama::Template;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::REFRESH;
use tegata_core::{Language, Refusal};

/// Leads to an address as soon as it is shown.
#[derive(Debug)]
pub struct OnwardPage {
    /// In which it is written.
    pub language: Language,
    /// Where it leads: one that was registered.
    pub address: String,
    /// Why somebody is led on.
    pub purpose: OnwardPurpose,
}

/// What somebody is led on for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum OnwardPurpose {
    /// To use a product.
    Product,
    /// To sign out where they have signed in.
    SignOut,
}

impl OnwardPurpose {
    const fn title(self, language: Language) -> &'static str {
        match self {
            Self::Product => language.pick("サービスへ進みます", "On to the product"),
            Self::SignOut => language.pick(
                "会社の認証サービスからもサインアウトします",
                "Signing out of your company's sign-in service too",
            ),
        }
    }
}

#[derive(Template)]
#[template(path = "onward.html")]
struct OnwardBody<'a> {
    language: Language,
    title: &'static str,
    address: &'a str,
}

impl IntoResponse for OnwardPage {
    fn into_response(self) -> Response {
        let Self { language, address, purpose } = self;
        let Ok(refresh) = HeaderValue::try_from(format!("0; url={address}")) else {
            return crate::Problem::from(Refusal::Internal).into_response();
        };
        let title = purpose.title(language);
        let page = HtmlPage::new(language, title, &OnwardBody { language, title, address: &address });
        let mut response = page.into_response();
        response.headers_mut().insert(REFRESH, refresh);
        response
    }
}
