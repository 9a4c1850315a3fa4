//! The two pages around a sign-out: small, without scripts, in the reader's language.

use super::SIGN_OUT;
use super::config::RequiredSignIn;
use crate::problem::page;
use http::header::{CACHE_CONTROL, CONTENT_LANGUAGE, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use http::{HeaderValue, Response, Uri};
use http_body_util::Full;
use hyper::body::Bytes;
use tegata_core::Language;

/// A button. `leads_to` is where the platform ends the session: browsers apply `form-action` to where the form leads in the
/// end, too.
pub(super) fn sign_out(
    language: Language,
    of: RequiredSignIn,
    leads_to: Option<&str>,
) -> Response<Full<Bytes>> {
    let title = language.pick("サインアウトしますか", "Sign out?");
    let advice = match of {
        RequiredSignIn::Person => language.pick(
            "この端末のほかのアプリからもサインアウトします。",
            "You sign out of the other apps on this device, too.",
        ),
        RequiredSignIn::Device => language.pick(
            "このアプリには、端末そのものが入っています。次に開くと、また入れます。",
            "This app lets the device itself in: whoever opens it the next time is in again.",
        ),
    };
    let button = language.pick("サインアウトする", "Sign out");
    let back = language.pick("アプリに戻る", "Back to the app");
    let body = format!(
        "<p>{advice}</p><form method=\"post\" action=\"{SIGN_OUT}\"><button>{button}</button></form><p><a class=\"quiet\" \
         href=\"/\">{back}</a></p>"
    );
    let platform = leads_to.and_then(origin).map(|origin| format!(" {origin}")).unwrap_or_default();
    answer(language, title, &body, &format!("'self'{platform}"))
}

/// What a person reads who has signed out.
pub(super) fn signed_out(language: Language) -> Response<Full<Bytes>> {
    let title = language.pick("サインアウトしました", "You have signed out");
    let advice = language.pick(
        "ほかの方が使うときは、そのままお渡しください。",
        "You may leave the device to somebody else now.",
    );
    let again = language.pick("もう一度サインインする", "Sign in again");
    answer(language, title, &format!("<p>{advice}</p><p><a href=\"/\">{again}</a></p>"), "'none'")
}

fn answer(language: Language, title: &str, body: &str, form_action: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(page::shell(language, title, body, page::Tone::Calm)));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // The button's own request must say where it comes from.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    let policy = page::policy(form_action);
    if let Ok(policy) = HeaderValue::try_from(policy) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    response
}

fn origin(address: &str) -> Option<String> {
    let address: Uri = address.parse().ok()?;
    Some(format!("{}://{}", address.scheme_str()?, address.authority()?))
}
