//! RP-initiated logout (OpenID Connect RP-Initiated Logout): a product sends the browser here to end the sign-in.
//!
//! Whoever knows the session's name, from its ID token or as `logout_hint`, ends it without a question: a stranger's page does
//! not. Everybody else is sent to the page of the account, where the person signs out. Browsers are led on to registered
//! addresses alone: by way of the provider where the session was begun at one, so that it ends there, too.

use crate::authorization::{
    AuthorizationEndpoint, RequestingClient, SessionToEnd, see_other, with_parameter,
};
use crate::authorization_server::AuthorizationServer;
use crate::browser_request::DeviceBrowserRequest;
use crate::form::FormParameters;
use crate::id_token::{ID_TOKEN, IdTokenHint};
use axum::extract::State;
use axum::response::Response;
use http::header::SET_COOKIE;
use tegata_core::{DeviceId, Language, Refusal, Timestamp};
use tegata_web::{Problem, WebResult};

/// The page of the account, and the one that whoever has left comes to.
const ACCOUNT: &str = "/account";
const SIGN_IN: &str = "/sign-in";

/// What a request to sign out says.
struct EndSessionRequest {
    /// The name of the session to end.
    session: Option<String>,
    /// Where to go on, with the client's state.
    onward: Option<String>,
}

pub(crate) async fn end(
    State(endpoint): State<AuthorizationEndpoint>,
    asked: DeviceBrowserRequest,
) -> WebResult<Response> {
    let DeviceBrowserRequest { form, holder, certificate, headers, language, at: now } = asked;
    let language =
        form.get("ui_locales").and_then(|tags| tags.split(' ').find_map(Language::parse)).unwrap_or(language);
    let asked = endpoint.tokens.sign_out(&form).await?;
    let local = |path: &str| see_other(&format!("{path}?lang={}", language.tag()));
    let onward =
        |asked: &EndSessionRequest| asked.onward.as_deref().map_or_else(|| local(SIGN_IN), see_other);
    let Some(session) = endpoint.sessions.current(certificate.as_ref(), &headers, now).await? else {
        // It has idled out here, and products may go on by what they were given of it.
        if let Some(session) = &asked.session {
            endpoint.tokens.end_named(session, &holder.device, now).await?;
        }
        return Ok(onward(&asked));
    };
    if asked.session.as_deref() != Some(session.id.as_str()) {
        return Ok(local(ACCOUNT));
    }
    let (device, onward_to) = (&holder.device, asked.onward.as_deref());
    let ending = SessionToEnd { session: &session, device, onward: onward_to, language, now };
    let ended = endpoint.sessions.end(ending).await?;
    let mut response = ended.elsewhere.as_deref().map_or_else(|| onward(&asked), see_other);
    response.headers_mut().append(SET_COOKIE, ended.cookie);
    Ok(response)
}

impl AuthorizationServer {
    async fn end_named(&self, session: &str, device: &DeviceId, now: Timestamp) -> Result<(), Problem> {
        let mut transaction = self.context.ledger.begin(now).await?;
        if transaction.end_session_on(device, session).await? {
            transaction.commit().await?;
        }
        Ok(())
    }

    /// Who asks for what. An ID token may be over by now: it says which session it was of.
    async fn sign_out(&self, form: &FormParameters) -> Result<EndSessionRequest, Refusal> {
        let hint = form.get("id_token_hint").map(|text| self.id_token_hint(text)).transpose()?;
        let named = form.get("client_id");
        let of_hint = hint.as_ref().map(|hint| hint.aud.as_str());
        if named.zip(of_hint).is_some_and(|(named, of_hint)| named != of_hint) {
            return Err(Refusal::SignOutMalformed);
        }
        let session = hint.as_ref().and_then(|hint| hint.sid.clone());
        let session = session.or_else(|| form.get("logout_hint").map(str::to_owned));
        let Some(address) = form.get("post_logout_redirect_uri") else {
            return Ok(EndSessionRequest { session, onward: None });
        };
        let client = self.requesting_client(named.or(of_hint)).await.map_err(|problem| problem.refusal)?;
        if !client.may_go_on_to(self, address) {
            return Err(Refusal::SignOutMalformed);
        }
        let onward = match form.get("state") {
            Some(state) => with_parameter(address.to_owned(), "state", state),
            None => address.to_owned(),
        };
        Ok(EndSessionRequest { session, onward: Some(onward) })
    }

    fn id_token_hint(&self, text: &str) -> Result<IdTokenHint, Refusal> {
        let payload = self.issuer.published().keys.verify(text, ID_TOKEN);
        let payload = payload.map_err(|_| Refusal::SignOutMalformed)?;
        let hint: IdTokenHint = serde_json::from_slice(&payload).map_err(|_| Refusal::SignOutMalformed)?;
        if hint.iss == self.issuer() { Ok(hint) } else { Err(Refusal::SignOutMalformed) }
    }
}

/// Where every gate that serves browsers takes those who have signed out.
const GATE_SIGNED_OUT: &str = "/.tegata/signed-out";

impl RequestingClient {
    fn may_go_on_to(&self, tokens: &AuthorizationServer, address: &str) -> bool {
        match self {
            Self::Registered(client) => client.sign_in.has_post_logout_redirect(address),
            Self::Gate(_) => address.strip_suffix(GATE_SIGNED_OUT).is_some_and(|origin| {
                tokens.products().iter().any(|product| product.served_at().any(|own| own == origin))
            }),
        }
    }
}
