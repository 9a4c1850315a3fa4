//! `GET {device}/sign-in/provider`: on to the provider of the device's tenant.

use super::begun::BegunAtProvider;
use crate::service::IdentityService;
use crate::sign_in::path_of;
use crate::sign_in_page::SignInView;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Deserialize;
use std::time::Duration;
use tegata_core::{Language, Refusal, Timestamp};
use tegata_federation::SignInParameters;
use tegata_storage::CertificateHolder;
use tegata_web::{Presented, ReaderLanguage, RequestTime, WebResult};

/// Where to go on, and how the person is to sign in.
#[derive(Deserialize)]
pub(crate) struct ProviderStartQuery {
    next: Option<String>,
    login_hint: Option<String>,
    max_age: Option<u32>,
}

pub(crate) async fn start(
    State(service): State<IdentityService>,
    ReaderLanguage(language): ReaderLanguage,
    Presented(certificate): Presented,
    time: RequestTime,
    headers: HeaderMap,
    Query(query): Query<ProviderStartQuery>,
) -> WebResult<Response> {
    let holder = service.context.device(certificate.as_ref(), time.now()).await?;
    let next = path_of(query.next.as_deref());
    let login = query.login_hint.unwrap_or_default();
    let view = SignInView { next: &next, login: &login, max_age: query.max_age, refusal: None };
    match service.start_at_provider(&holder, &view, language, time.now()).await {
        Ok(response) => Ok(response),
        Err(refusal @ Refusal::Internal) => Err(refusal.into()),
        Err(refusal) => {
            let refused = SignInView { refusal: Some(refusal), ..view };
            service.sign_in_page(&holder, &headers, language, refused).await
        }
    }
}

impl IdentityService {
    async fn start_at_provider(
        &self,
        holder: &CertificateHolder,
        view: &SignInView<'_>,
        language: Language,
        now: Timestamp,
    ) -> Result<Response, Refusal> {
        let provider = self.ways_in(holder).await?.provider.ok_or(Refusal::ProviderMissing)?.0;
        let issuer = &provider.configured().issuer;
        let entropy = self.context.entropy.as_ref();
        let mut begun = BegunAtProvider::new(issuer, view.next.to_owned(), language, now, entropy);
        let started = provider
            .start_sign_in(
                &SignInParameters {
                    redirect_uri: &self.provider_addresses().redirect,
                    state: &begun.state,
                    nonce: &begun.nonce,
                    verifier: &begun.verifier,
                    max_age: view.max_age.map(|seconds| Duration::from_secs(seconds.into())),
                    login_hint: Some(view.login).filter(|login| !login.is_empty()),
                    language,
                },
                now,
            )
            .await?;
        begun.max_age = started.max_age.map(|max_age| max_age.as_secs());
        let location = HeaderValue::try_from(started.url).map_err(|_| Refusal::ProviderUnavailable)?;
        let cookie = self.kept(&begun, &holder.device).await?;
        let no_store = HeaderValue::from_static("no-store");
        let headers = [(LOCATION, location), (SET_COOKIE, cookie), (CACHE_CONTROL, no_store)];
        Ok((StatusCode::SEE_OTHER, headers).into_response())
    }
}
