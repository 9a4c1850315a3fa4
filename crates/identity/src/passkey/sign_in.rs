//! Signing in with a passkey: alone, or beside a password.

use super::SignedCredential;
use super::challenge::{ChallengeHolder, STANDS};
use crate::cookie::{BrowserSecret, CookieName};
use crate::service::{IdentityService, refusal};
use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderMap;
use http::header::CACHE_CONTROL;
use serde::Serialize;
use tegata_core::encoding::base64url;
use tegata_core::webauthn::AssertionResponse;
use tegata_core::{Refusal, Timestamp};
use tegata_storage::{CertificateHolder, PasskeyCandidate, PasskeyUse, SignInCandidate};
use tegata_web::{Presented, RequestTime, WebResult};

/// What `navigator.credentials.get` is asked with, as far as it is not always the same.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RequestOptions<'a> {
    challenge: String,
    rp_id: &'a str,
    timeout: u128,
}

/// Whether a passkey stands beside a password or for both.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PasskeyPart {
    /// The authenticator has to verify the person.
    Alone,
    /// It is enough that the person has it.
    BesidePassword,
}

/// A passkey that has signed, and whose it is.
pub(crate) struct ProvenPasskey {
    pub(crate) person: SignInCandidate,
    pub(crate) used: PasskeyUse,
}

/// `GET {device}/sign-in/passkey`: a challenge for the browser that shows the sign-in page.
pub(crate) async fn options(
    State(service): State<IdentityService>,
    Presented(certificate): Presented,
    time: RequestTime,
    headers: HeaderMap,
) -> WebResult<Response> {
    service.context.device(certificate.as_ref(), time.now()).await?;
    let site = service.relying_party().ok_or(Refusal::NotFound)?;
    let browser = BrowserSecret::of(&headers, CookieName::Form).ok_or(Refusal::FormOutdated)?;
    let (now, entropy) = (time.now(), service.context.entropy.as_ref());
    let challenge = service.challenges().await?.make(ChallengeHolder::Browser(&browser), now, entropy);
    let options =
        RequestOptions { challenge: base64url(&challenge), rp_id: site.id(), timeout: STANDS.as_millis() };
    Ok(([(CACHE_CONTROL, "no-store")], Json(options)).into_response())
}

impl IdentityService {
    /// Whose passkey has answered, if everything fits but what only the transaction knows that uses it.
    ///
    /// # Errors
    /// [`Refusal::PasskeyWrong`], [`Refusal::PasskeyCopied`] where its counter went back.
    pub(crate) async fn proven_passkey(
        &self,
        answer: &str,
        part: PasskeyPart,
        holder: &CertificateHolder,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<ProvenPasskey, Refusal> {
        let answer: SignedCredential = serde_json::from_str(answer).map_err(|_| Refusal::PasskeyWrong)?;
        let found = self.rows(holder).passkey_candidate(&answer.id, &holder.device).await;
        let found = found.map_err(refusal)?.ok_or(Refusal::PasskeyWrong)?;
        if answer.user_handle != found.person.who.person.bits() {
            return Err(Refusal::PasskeyWrong);
        }
        let used = self.verified_use(&answer, &found, part, headers, now).await?;
        if used.counter <= found.counter && (used.counter, found.counter) != (0, 0) {
            tracing::error!(
                person = %found.person.who.person, passkey = %found.passkey, device = %holder.device,
                alarm = "passkey_counter", "the counter of a passkey went back: there may be a copy of it"
            );
            return Err(Refusal::PasskeyCopied);
        }
        Ok(ProvenPasskey { person: found.person, used })
    }

    async fn verified_use(
        &self,
        answer: &SignedCredential,
        found: &PasskeyCandidate,
        part: PasskeyPart,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<PasskeyUse, Refusal> {
        let site = self.relying_party().ok_or(Refusal::PasskeyWrong)?;
        let browser = BrowserSecret::of(headers, CookieName::Form).ok_or(Refusal::FormOutdated)?;
        let challenges = self.challenges().await?;
        let mut challenge = None;
        let response = AssertionResponse {
            client_data: &answer.client_data,
            authenticator_data: &answer.authenticator_data,
            signature: &answer.signature,
        };
        let is_alone = part == PasskeyPart::Alone;
        let counter = site.authenticate(&response, &found.public_key, is_alone, |answered| {
            challenge = challenges.answered(ChallengeHolder::Browser(&browser), answered, now);
            challenge.is_some()
        });
        match (counter, challenge) {
            (Ok(counter), Some(challenge)) => Ok(PasskeyUse {
                passkey: found.passkey.clone(),
                counter,
                challenge,
                beside_password: !is_alone,
            }),
            (outcome, _) => {
                let reason = outcome.err().map(|error| error.to_string());
                tracing::info!(passkey = %found.passkey, reason, "a passkey was refused");
                Err(Refusal::PasskeyWrong)
            }
        }
    }
}
