//! `{device}/account`: what a signed-in person sees of their own account, and the end of sessions.

use crate::cookie::{BrowserSecret, CookieName};
use crate::service::{IdentityService, refusal};
use crate::session::SessionHolder;
use crate::sign_in::redirect;
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::SET_COOKIE;
use serde::Deserialize;
use tegata_core::{Language, Refusal, SessionId};
use tegata_storage::{Actor, LedgerError, ListedSession};
use tegata_web::japan_date::moment;
use tegata_web::{HtmlPage, Presented, ReaderLanguage, StrictForm, WebResult};

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage<'a> {
    language: Language,
    name: &'a str,
    login: &'a str,
    form_token: String,
    sessions: Vec<SessionView>,
    has_others: bool,
}

struct SessionView {
    id: String,
    label: String,
    site: String,
    since: String,
    used: String,
    is_this: bool,
}

/// A form that says no more than that it was made here.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountForm {
    #[serde(default)]
    form_token: String,
}

/// Names the session to end.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndSessionForm {
    #[serde(default)]
    form_token: String,
    session: SessionId,
}

pub(crate) async fn show(
    State(service): State<IdentityService>,
    ReaderLanguage(language): ReaderLanguage,
    Presented(certificate): Presented,
    headers: HeaderMap,
) -> WebResult<Response> {
    let signed_in = match service.signed_in(certificate.as_ref(), &headers).await {
        Ok(signed_in) => signed_in,
        Err(Refusal::SignInNeeded) => return Ok(redirect("/sign-in", language)),
        Err(refusal) => return Err(refusal.into()),
    };
    let session = &signed_in.session;
    let (ledger, now) = (&service.context.ledger, service.context.now());
    let sessions = ledger.sessions_of(&session.tenant, &session.person, now).await.map_err(refusal)?;
    let guidance =
        service.rows(&signed_in.holder).guidance_of(&signed_in.holder.site).await.unwrap_or_default();
    let body = AccountPage {
        language,
        name: &session.name,
        login: &session.login,
        form_token: signed_in.secret.form_token(),
        has_others: sessions.len() > 1,
        sessions: sessions.into_iter().map(|listed| shown(listed, &session.id, language)).collect(),
    };
    let title = language.pick("アカウント", "Your account");
    let contact = guidance.contact.as_ref().or(service.contact());
    Ok(HtmlPage::new(language, title, &body).contact(contact).sending_forms().into_response())
}

pub(crate) async fn sign_out(
    State(service): State<IdentityService>,
    ReaderLanguage(language): ReaderLanguage,
    Presented(certificate): Presented,
    headers: HeaderMap,
    StrictForm(form): StrictForm<AccountForm>,
) -> WebResult<Response> {
    let signed_in = match service.signed_in(certificate.as_ref(), &headers).await {
        Ok(signed_in) => signed_in,
        // It is over already, which is what was wanted.
        Err(Refusal::SignInNeeded) => return Ok(left(language)),
        Err(refusal) => return Err(refusal.into()),
    };
    was_made_for(&signed_in.secret, &form.form_token)?;
    service.end(&signed_in, &signed_in.session.id).await?;
    Ok(left(language))
}

pub(crate) async fn end_one(
    State(service): State<IdentityService>,
    ReaderLanguage(language): ReaderLanguage,
    Presented(certificate): Presented,
    headers: HeaderMap,
    StrictForm(form): StrictForm<EndSessionForm>,
) -> WebResult<Response> {
    let signed_in = service.signed_in(certificate.as_ref(), &headers).await?;
    was_made_for(&signed_in.secret, &form.form_token)?;
    service.end(&signed_in, &form.session).await?;
    let is_own = form.session == signed_in.session.id;
    Ok(if is_own { left(language) } else { redirect("/account", language) })
}

pub(crate) async fn end_others(
    State(service): State<IdentityService>,
    ReaderLanguage(language): ReaderLanguage,
    Presented(certificate): Presented,
    headers: HeaderMap,
    StrictForm(form): StrictForm<AccountForm>,
) -> WebResult<Response> {
    let signed_in = service.signed_in(certificate.as_ref(), &headers).await?;
    was_made_for(&signed_in.secret, &form.form_token)?;
    let session = &signed_in.session;
    let ledger = &service.context.ledger;
    let all = ledger.sessions_of(&session.tenant, &session.person, service.context.now()).await;
    for other in all.map_err(refusal)?.iter().filter(|other| other.id != session.id) {
        service.end(&signed_in, &other.id).await?;
    }
    Ok(redirect("/account", language))
}

impl IdentityService {
    /// Ends a session of the same person. One that is over already is none to end.
    async fn end(&self, signed_in: &SessionHolder, session: &SessionId) -> Result<(), Refusal> {
        let own = &signed_in.session;
        let actor = Actor::Person(own.person.clone());
        let ended = async {
            let mut transaction = self.context.ledger.begin(self.context.now()).await?;
            transaction.end_session(&own.tenant, &own.person, session, &actor).await?;
            transaction.commit().await
        };
        match ended.await {
            Ok(()) | Err(LedgerError::Guard(_)) => Ok(()),
            Err(error) => Err(refusal(error)),
        }
    }
}

fn was_made_for(secret: &BrowserSecret, form_token: &str) -> Result<(), Refusal> {
    if secret.made(form_token) { Ok(()) } else { Err(Refusal::FormOutdated) }
}

fn left(language: Language) -> Response {
    let mut response = redirect("/sign-in", language);
    response.headers_mut().append(SET_COOKIE, CookieName::Session.taken_back());
    response
}

fn shown(listed: ListedSession, own: &SessionId, language: Language) -> SessionView {
    SessionView {
        is_this: listed.id == *own,
        id: listed.id.to_string(),
        label: listed.label,
        site: listed.site_name,
        since: moment(listed.created_at, language),
        used: moment(listed.used_at, language),
    }
}
