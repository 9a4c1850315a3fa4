//! `GET {device}/sign-in/provider/callback`: back from the provider, with a code or the reason why there is none.

use super::LEEWAY;
use super::begun::BegunAtProvider;
use crate::admission::may_enter;
use crate::cookie::{BrowserSecret, CookieName};
use crate::service::{IdentityService, refusal};
use crate::sign_in::{ACCOUNT, entered};
use crate::sign_in_page::SignInView;
use axum::extract::{Query, State};
use axum::response::Response;
use http::HeaderMap;
use http::header::SET_COOKIE;
use std::time::Duration;
use tegata_core::claims::person_subject;
use tegata_core::{PersonId, PersonRole, Refusal, Timestamp};
use tegata_federation::{AuthorizationCallback, BegunSignIn, ProviderSignIn};
use tegata_storage::{CertificateHolder, LedgerError, ProofTime, ProviderUse, SecondFactorUse};
use tegata_web::{Presented, Problem, ReaderLanguage, RequestTime, WebResult};

/// The longest ID token that is kept for the sign-out, in bytes. A longer one fits into no address either.
const LONGEST_KEPT: usize = 4096;

/// What the seal of ID tokens is for.
pub(super) const ID_TOKENS: &str = "id tokens of sign-ins";

pub(crate) async fn complete(
    State(service): State<IdentityService>,
    ReaderLanguage(language): ReaderLanguage,
    Presented(certificate): Presented,
    time: RequestTime,
    headers: HeaderMap,
    callback: Result<Query<AuthorizationCallback>, axum::extract::rejection::QueryRejection>,
) -> WebResult<Response> {
    let (now, Query(callback)) = (time.now(), callback.unwrap_or_default());
    let holder = service.context.device(certificate.as_ref(), now).await?;
    let begun = match service.begun(&headers, &holder.device, callback.state.as_deref(), now).await {
        Ok(begun) => begun,
        // Whoever brings another state has no part in what this browser may have begun: the cookie stays.
        Err(over) => {
            let refusal = service.refused("session.refused", &holder.device, over, now).await;
            let view = SignInView { next: ACCOUNT, refusal: Some(refusal), ..SignInView::default() };
            return service.sign_in_page(&holder, &headers, language, view).await;
        }
    };
    let language = begun.language();
    let outcome = service.sign_in_at_provider(&callback, &begun, &holder, &headers, now).await;
    let mut response = match outcome {
        Ok(secret) => entered(&secret, &begun.next, language),
        Err(refusal) => {
            let refusal = service.refused("session.refused", &holder.device, refusal, now).await;
            if refusal == Refusal::Internal {
                return Err(Problem::from(refusal));
            }
            let view = SignInView { next: &begun.next, refusal: Some(refusal), ..SignInView::default() };
            service.sign_in_page(&holder, &headers, language, view).await?
        }
    };
    response.headers_mut().append(SET_COOKIE, CookieName::Provider.taken_back());
    Ok(response)
}

impl IdentityService {
    /// Gives the token of the session.
    async fn sign_in_at_provider(
        &self,
        callback: &AuthorizationCallback,
        begun: &BegunAtProvider,
        holder: &CertificateHolder,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Result<BrowserSecret, Refusal> {
        let ways = self.ways_in(holder).await?;
        let creates_people = ways.policy.creates_people;
        let provider = ways.provider.ok_or(Refusal::ProviderMissing)?.0;
        let issuer = &provider.configured().issuer;
        // The configuration may have changed meanwhile.
        if *issuer != begun.issuer {
            return Err(Refusal::ProviderSignInOver);
        }
        let addresses = self.provider_addresses();
        let expected = BegunSignIn {
            redirect_uri: &addresses.redirect,
            nonce: &begun.nonce,
            verifier: &begun.verifier,
            max_age: begun.max_age.map(Duration::from_secs),
            begun_at: begun.begun_at(),
        };
        let entropy = self.context.entropy.as_ref();
        let signed_in = provider.complete_sign_in(callback, &expected, now, entropy).await?;
        let who = self.account_of(&signed_in, issuer, creates_people, holder, now).await?;
        may_enter(&who, holder)?;
        // Whoever may act on others has two factors, wherever they proved them.
        let is_mfa = signed_in.amr.split(' ').any(|method| method == "mfa");
        if !is_mfa && !who.roles.iter().all(|role| role == PersonRole::Staff) {
            return Err(Refusal::SignInTooWeak);
        }
        let used = self.provider_use(&signed_in, begun, &who.person).await?;
        let factor = SecondFactorUse::Provider(used);
        self.start_session(&who, holder, factor, headers, now).await.map_err(|error| match error {
            // Somebody has disabled or unlinked the person at this very moment.
            LedgerError::Refused(Refusal::SignInWrong) => Refusal::PersonNotLinked,
            error => refusal(error),
        })
    }

    async fn provider_use(
        &self,
        signed_in: &ProviderSignIn,
        begun: &BegunAtProvider,
        person: &PersonId,
    ) -> Result<ProviderUse, Refusal> {
        let id_token = &signed_in.id_token;
        let id_token = if id_token.len() <= LONGEST_KEPT {
            Some(self.seal(ID_TOKENS, person.as_str(), id_token.as_bytes()).await?)
        } else {
            None
        };
        Ok(ProviderUse {
            answered: begun.answered(),
            issuer: begun.issuer.clone(),
            person: signed_in.person.clone(),
            subject: person_subject(&begun.issuer, &signed_in.subject),
            session: signed_in.session.clone(),
            amr: signed_in.amr.clone(),
            begun_at: begun.begun_at(),
            proof: match signed_in.auth_time {
                Some(at) if at.plus(LEEWAY) < begun.begun_at() => ProofTime::Before(at),
                Some(_) => ProofTime::Now,
                None => ProofTime::Unknown,
            },
            id_token,
        })
    }
}
