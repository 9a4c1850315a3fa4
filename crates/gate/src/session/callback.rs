//! The way back from the sign-in: what the platform sends by the browser, and what the gate makes of it.

use super::answers::{self, OwnRequest};
use super::endpoints::SignInEndpoints;
use super::id_token::{IdTokenClaims, IdTokenExpectation};
use super::sign_in::{SignInFlow, cookie_name};
use super::{BrowserSessions, CALLBACK, cookie};
use http::header::SET_COOKIE;
use http::{HeaderValue, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Bytes;
use serde::Deserialize;
use tegata_core::jws::JwsError;
use tegata_core::{DeviceId, Refusal};
use tracing::warn;

/// The longest query that is looked at. A code, a state and an issuer are far shorter.
const LONGEST: usize = 4096;

/// The longest value of a parameter.
const LONGEST_VALUE: usize = 2048;

/// The type in the header of an ID token.
const ID_TOKEN: &str = "JWT";

/// What the platform answers by the browser (RFC 6749 section 4.1.2, RFC 9207).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallbackParameters {
    /// Which sign-in it belongs to.
    pub state: String,
    /// The issuer that answers.
    pub issuer: String,
    /// A code, or why there is none.
    pub outcome: Result<String, CallbackError>,
}

/// Why there is no code.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CallbackError {
    /// The value of RFC 6749 section 4.1.2.1.
    pub error: String,
    /// The platform's own refusal, if the description begins with its code.
    pub refusal: Option<Refusal>,
}

impl CallbackParameters {
    /// From a query; `None` unless it has state, issuer and either a code or an error, each once.
    pub fn parse(query: &str) -> Option<Self> {
        if query.len() > LONGEST {
            return None;
        }
        let pairs: Vec<(String, String)> = serde_urlencoded::from_str(query).ok()?;
        let one = |wanted: &str| {
            let mut values = pairs.iter().filter(|(name, _)| name == wanted).map(|(_, value)| value);
            match (values.next(), values.next()) {
                (None, _) => Ok(None),
                (Some(value), None) if is_plain(value) => Ok(Some(value.clone())),
                _ => Err(()),
            }
        };
        let (code, error) = (one("code").ok()?, one("error").ok()?);
        let outcome = match (code, error) {
            (Some(code), None) => Ok(code),
            (None, Some(error)) => {
                let description = pairs.iter().find(|(name, _)| name == "error_description");
                let code = description.and_then(|(_, text)| text.split(':').next());
                Err(CallbackError { error, refusal: code.and_then(Refusal::from_code) })
            }
            _ => return None,
        };
        Some(Self { state: one("state").ok()??, issuer: one("iss").ok()??, outcome })
    }
}

/// Visible ASCII of a bounded length.
fn is_plain(value: &str) -> bool {
    (1..=LONGEST_VALUE).contains(&value.len()) && value.bytes().all(|byte| byte.is_ascii_graphic())
}

#[derive(Deserialize)]
struct TokenAnswer {
    id_token: String,
}

#[derive(Deserialize)]
struct TokenError {
    error: String,
}

impl BrowserSessions {
    /// Completes the sign-in that this browser began, and sends it to what it asked for.
    pub(super) async fn come_back(&self, request: &OwnRequest, query: &str) -> Response<Full<Bytes>> {
        let begun = CallbackParameters::parse(query).and_then(|parameters| {
            let name = cookie_name(&parameters.state)?;
            let flow = self.flow(cookie::value(&request.headers, &name)?, self.gate.now())?;
            (flow.state() == parameters.state).then_some((parameters, flow, name))
        });
        // Nothing that this browser has begun: another site may have sent it here.
        let Some((parameters, flow, name)) = begun else {
            return self.gate.refuse(Refusal::SignInNotBegun, &request.headers);
        };
        // Whatever comes of it, it is done.
        let done = cookie::remove(&name);
        match self.complete(request, parameters, &flow).await {
            Ok(session) => answers::redirect(&self.url(&flow.return_to), [session].into_iter().chain(done)),
            Err(refusal) => {
                let mut refused = self.gate.refuse(refusal, &request.headers);
                refused.headers_mut().extend(done.map(|done| (SET_COOKIE, done)));
                refused
            }
        }
    }

    /// The cookie of the new session.
    async fn complete(
        &self,
        request: &OwnRequest,
        parameters: CallbackParameters,
        flow: &SignInFlow,
    ) -> Result<HeaderValue, Refusal> {
        let device = self.device(request.presented.as_ref())?;
        if flow.device != device {
            return Err(Refusal::SessionOfAnotherDevice);
        }
        // An answer of another issuer is none to this question (RFC 9207 section 2.4).
        if parameters.issuer != self.gate.issuer() {
            return Err(Refusal::SignInNotBegun);
        }
        let code = parameters.outcome.map_err(|error| why(&error))?;
        let _place = self.exchanges.enter(&device).await?;
        let endpoints = self.endpoints.get(&self.gate).await.ok_or(Refusal::SignInUnavailable)?;
        let id_token = self.exchange(&endpoints, &code, flow).await?;
        let facts = self.believe(&id_token, flow, &device)?;
        self.session_cookie(&facts).ok_or(Refusal::Internal)
    }

    /// Exchanges the code, with the gate's own certificate, for an ID token.
    async fn exchange(
        &self,
        endpoints: &SignInEndpoints,
        code: &str,
        flow: &SignInFlow,
    ) -> Result<String, Refusal> {
        let form = [
            ("grant_type", "authorization_code"),
            ("client_id", &self.client_id),
            ("code", code),
            ("redirect_uri", &self.url(CALLBACK)),
            ("code_verifier", &flow.verifier()),
        ];
        let form = serde_urlencoded::to_string(form).map_err(|_| Refusal::Internal)?;
        let unavailable = |error: String| {
            warn!(%error, "a code cannot be exchanged");
            Refusal::SignInUnavailable
        };
        let client = self.gate.platform_client(true).map_err(|error| unavailable(error.to_string()))?;
        let answer = client.post_form(&endpoints.token, form).await;
        let (status, body) = answer.map_err(|error| unavailable(error.to_string()))?;
        if status == StatusCode::OK {
            let answer: Result<TokenAnswer, _> = serde_json::from_slice(&body);
            return answer.map(|answer| answer.id_token).map_err(|error| unavailable(error.to_string()));
        }
        let error = serde_json::from_slice::<TokenError>(&body).map(|answer| answer.error);
        match error.as_deref() {
            // Used before, too old, or not of this sign-in.
            Ok("invalid_grant") => Err(Refusal::SignInNotBegun),
            Ok(error) => Err(unavailable(format!("{status}, {error:?}"))),
            Err(_) => Err(unavailable(status.to_string())),
        }
    }

    fn believe(
        &self,
        id_token: &str,
        flow: &SignInFlow,
        device: &DeviceId,
    ) -> Result<super::SessionFacts, Refusal> {
        let payload = self.gate.verify(id_token, ID_TOKEN).map_err(|error: JwsError| {
            warn!(%error, "the platform's ID token is not believed");
            Refusal::SignInUnavailable
        })?;
        let expected = IdTokenExpectation {
            issuer: self.gate.issuer(),
            client_id: &self.client_id,
            nonce: &flow.nonce(),
            device,
            requires: self.requires,
            leeway: self.gate.leeway(),
            now: self.gate.now(),
            absolute: self.limits.absolute,
        };
        let claims: IdTokenClaims = serde_json::from_slice(&payload).map_err(|error| {
            warn!(%error, "the platform's ID token cannot be read");
            Refusal::SignInUnavailable
        })?;
        claims.session(&expected)
    }
}

/// Why the platform gave no code.
fn why(error: &CallbackError) -> Refusal {
    match (&*error.error, error.refusal) {
        ("temporarily_unavailable" | "server_error", _) => Refusal::SignInUnavailable,
        (_, Some(refusal)) => refusal,
        (_, None) => Refusal::SignInRefused,
    }
}
