//! `{device}/account`: what a signed-in person sees and changes of their own account, and the end of sessions.

pub(crate) mod authenticator_app;
pub(crate) mod confirming;
pub(crate) mod password;
pub(crate) mod recovery;

use crate::cookie::CookieName;
use crate::federation::sign_out::EndingSession;
use crate::service::{IdentityService, refusal};
use crate::session::{SessionHolder, SignedInForm, SignedInPage, browser_forms};
use crate::sign_in::redirect;
use askama::Template;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::SET_COOKIE;
use http::{HeaderValue, StatusCode};
use serde::Deserialize;
use tegata_core::{Language, Refusal, SessionId, Timestamp};
use tegata_storage::{Actor, LedgerError, ListedSession, LiveSession, Passkey, Principal};
use tegata_web::japan_date::moment;
use tegata_web::{HtmlPage, OnwardPage, OnwardPurpose, Problem, ReaderLanguage, WebResult};

#[derive(Template)]
#[template(path = "account.html")]
struct AccountPage<'a> {
    language: Language,
    name: &'a str,
    login: &'a str,
    form_token: String,
    takes_passkeys: bool,
    passkeys: Vec<PasskeyView>,
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

struct PasskeyView {
    id: String,
    name: String,
    since: String,
    used: Option<String>,
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

browser_forms!(AccountForm, EndSessionForm);

pub(crate) async fn show(
    State(service): State<IdentityService>,
    ReaderLanguage(language): ReaderLanguage,
    SignedInPage(by): SignedInPage,
) -> WebResult<Response> {
    let session = &by.session;
    let rows = service.rows_of(&by);
    let sessions = rows.sessions_of(&session.person, by.at).await.map_err(refusal)?;
    let passkeys = service.passkeys_of(&by).await?;
    let page = AccountPage {
        language,
        name: &session.name,
        login: &session.login,
        form_token: by.secret.form_token(),
        takes_passkeys: service.relying_party().is_some(),
        passkeys: passkeys.into_iter().map(|passkey| PasskeyView::of(passkey, language)).collect(),
        has_others: sessions.len() > 1,
        sessions: sessions.into_iter().map(|listed| shown(listed, &session.id, language)).collect(),
    };
    let title = ("アカウント", "Your account");
    Ok(service.account_form(&by, language, title, &page).await.into_response())
}

pub(crate) async fn sign_out(
    State(service): State<IdentityService>,
    ReaderLanguage(language): ReaderLanguage,
    asked: Result<SignedInForm<AccountForm>, Problem>,
) -> WebResult<Response> {
    match asked {
        Ok(asked) => {
            let SessionHolder { session, holder, at, .. } = &asked.by;
            let ending = EndingSession { session, device: &holder.device, onward: None, language, at: *at };
            if let (_, Some(address)) = service.end_session(&ending).await? {
                return Ok(left_for(address, language));
            }
        }
        // It is over already, which is what was wanted.
        Err(problem) if problem.refusal == Refusal::SignInNeeded => {}
        Err(problem) => return Err(problem),
    }
    Ok(left(language))
}

pub(crate) async fn end_one(
    State(service): State<IdentityService>,
    ReaderLanguage(language): ReaderLanguage,
    SignedInForm { by, form, .. }: SignedInForm<EndSessionForm>,
) -> WebResult<Response> {
    service.end(&by, &form.session).await?;
    let is_own = form.session == by.session.id;
    Ok(if is_own { left(language) } else { redirect("/account", language) })
}

pub(crate) async fn end_others(
    State(service): State<IdentityService>,
    ReaderLanguage(language): ReaderLanguage,
    SignedInForm { by, .. }: SignedInForm<AccountForm>,
) -> WebResult<Response> {
    service.end_others(&by).await?;
    Ok(redirect("/account", language))
}

impl PasskeyView {
    fn of(passkey: Passkey, language: Language) -> Self {
        Self {
            id: passkey.id.to_string(),
            since: moment(passkey.created_at, language),
            used: passkey.used_at().map(|at| moment(at, language)),
            name: passkey.name,
        }
    }
}

impl IdentityService {
    /// A page of the account, with whom to call from the device's site.
    pub(crate) async fn account_form(
        &self,
        by: &SessionHolder,
        language: Language,
        (japanese, english): (&'static str, &'static str),
        body: &impl Template,
    ) -> HtmlPage {
        let guidance = self.rows(&by.holder).guidance_of(&by.holder.site).await.unwrap_or_default();
        let contact = guidance.contact.as_ref().or(self.contact());
        HtmlPage::new(language, language.pick(japanese, english), body).contact(contact).sending_forms()
    }

    /// The answer to whoever opens a form of the account, or filled it in wrongly, which its status says too.
    pub(crate) async fn account_answer(
        &self,
        by: &SessionHolder,
        language: Language,
        title: (&'static str, &'static str),
        body: &impl Template,
        is_wrong: bool,
    ) -> Response {
        let status = if is_wrong { StatusCode::UNPROCESSABLE_ENTITY } else { StatusCode::OK };
        (status, self.account_form(by, language, title, body).await).into_response()
    }

    /// Ends a session that [`Self::current_session`] has given. Gives what takes its cookie from the browser, and where the
    /// browser goes to sign out at the provider, where the session was begun at one: from there it is led on.
    ///
    /// # Errors
    /// What is wrong with the ledger.
    pub async fn end_session(
        &self,
        ending: &EndingSession<'_>,
    ) -> Result<(HeaderValue, Option<String>), Refusal> {
        let begun = self.begun_at_provider(ending.session).await;
        self.end_of(ending.session, &ending.session.id, ending.at).await?;
        // The provider may be slow. Whoever leaves meanwhile has signed out here all the same.
        let at_provider = match begun {
            Some(begun) => self.sign_out_at_provider(begun, ending).await,
            None => None,
        };
        Ok((CookieName::Session.taken_back(), at_provider))
    }

    async fn end(&self, by: &SessionHolder, session: &SessionId) -> Result<(), Refusal> {
        self.end_of(&by.session, session, by.at).await
    }

    /// Ends a session of the same person. One that is over already is none to end.
    async fn end_of(&self, own: &LiveSession, session: &SessionId, at: Timestamp) -> Result<(), Refusal> {
        let actor = Actor::Person(own.person.clone());
        let ended = async {
            let rows = self.context.ledger.within(Principal::person(own).scope());
            let mut transaction = rows.begin(at).await?;
            // Whoever was thrown out meanwhile throws nobody out.
            if *session != own.id {
                transaction.require_session(&own.person, &own.id).await?;
            }
            transaction.end_session(&own.person, session, &actor).await?;
            transaction.commit().await
        };
        match ended.await {
            Ok(()) | Err(LedgerError::Guard(_)) => Ok(()),
            Err(error) => Err(refusal(error)),
        }
    }

    /// Ends all sessions of the same person but the one from which it is asked.
    async fn end_others(&self, by: &SessionHolder) -> Result<(), Refusal> {
        let own = &by.session;
        let actor = Actor::Person(own.person.clone());
        let ended = async {
            let mut transaction = self.rows_of(by).begin(by.at).await?;
            transaction.end_other_sessions(&own.person, &own.id, &actor).await?;
            transaction.commit().await
        };
        ended.await.map_err(refusal)
    }
}

/// Leaves for the provider, where the session ends as well.
fn left_for(address: String, language: Language) -> Response {
    let mut response = OnwardPage { language, address, purpose: OnwardPurpose::SignOut }.into_response();
    response.headers_mut().append(SET_COOKIE, CookieName::Session.taken_back());
    response
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
