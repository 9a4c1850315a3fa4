//! When to renew (RFC 9773): the same moment that the page and the console go by.

use super::AcmeServer;
use super::problem::{AcmeError, AcmeResult};
use super::server::ServingAcme;
use axum::Json;
use axum::extract::Path;
use axum::response::{IntoResponse, Response};
use http::header::RETRY_AFTER;
use serde::Serialize;
use std::time::Duration;
use tegata_core::encoding::{base64url, from_base64url};
use tegata_core::renewal::RenewalSubject;
use tegata_core::{Thumbprint, Timestamp};
use tegata_storage::{Certificate, SerialStatus};

/// How often clients should ask: often enough that a revocation shows within the day.
const LOOK_AGAIN: &str = "21600";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RenewalInfoObject {
    suggested_window: SuggestedWindow,
}

#[derive(Serialize)]
struct SuggestedWindow {
    start: Timestamp,
    end: Timestamp,
}

/// For anybody: it says no more than OCSP does.
pub(super) async fn info(ServingAcme(acme): ServingAcme, Path(id): Path<String>) -> AcmeResult<Response> {
    let known = acme.certificate_of_id(&id).await?.ok_or(AcmeError::not_found())?;
    let ledger = &acme.service.context.ledger;
    let status = ledger.status_of(&known.issuer, &known.serial).await?;
    let is_over = status.as_ref().and_then(SerialStatus::ended).is_some();
    let now = acme.now();
    let (start, end) = if is_over {
        // A window in the past says: now.
        (now.minus(Duration::from_hours(2)), now.minus(Duration::from_hours(1)))
    } else {
        acme.planned(&known).await?
    };
    let window = SuggestedWindow { start: start.whole_second(), end: end.whole_second() };
    Ok(([(RETRY_AFTER, LOOK_AGAIN)], Json(RenewalInfoObject { suggested_window: window })).into_response())
}

impl AcmeServer {
    /// When a certificate is to be renewed.
    async fn planned(&self, known: &Certificate) -> AcmeResult<(Timestamp, Timestamp)> {
        let ledger = &self.service.context.ledger;
        let thumbprint = known.thumbprint().ok_or(AcmeError::not_found())?;
        let holder = ledger.holding(&thumbprint).await?.ok_or(AcmeError::not_found())?;
        let subject = RenewalSubject {
            device: &known.device,
            generation: u32::try_from(known.generation).unwrap_or(u32::MAX),
            made_at: known.reserved_at,
            not_before: known.not_before,
            not_after: known.not_after,
        };
        let plan =
            self.service.context.renewal.plan(&self.service.renewal_rules(&holder.site).await, &subject);
        Ok((plan.from, plan.to))
    }

    /// The certificate behind an identifier of RFC 9773 section 4.1: its issuer's key identifier and its serial number.
    pub(super) async fn certificate_of_id(&self, id: &str) -> AcmeResult<Option<Certificate>> {
        let parts = id
            .split_once('.')
            .and_then(|(key, serial)| Some((from_base64url(key)?, from_base64url(serial)?)));
        let (key, serial) = parts.ok_or(AcmeError::malformed("not an identifier of a certificate"))?;
        let authorities = self.service.authorities.all();
        let is_of =
            |authority: &&std::sync::Arc<tegata_ca::IssuingCa>| authority.issuer().key_identifier() == key;
        let Some(authority) = authorities.iter().find(is_of) else { return Ok(None) };
        let found = self.service.context.ledger.find_certificates(&serial).await?;
        let is_it = |known: &Certificate| {
            known.issuer == *authority.issuer().id()
                && known.serial.as_bytes() == serial
                && known.der.is_some()
        };
        Ok(found.into_iter().find(is_it))
    }

    /// The identifier of a certificate.
    pub(super) async fn id_of_certificate(&self, thumbprint: &Thumbprint) -> AcmeResult<Option<String>> {
        let found = self.service.context.ledger.find_certificates(thumbprint.as_bytes()).await?;
        let id = |known: Certificate| {
            let authority = self.service.authorities.get(&known.issuer)?;
            let key = base64url(authority.issuer().key_identifier());
            Some(format!("{key}.{}", base64url(known.serial.as_bytes())))
        };
        Ok(found.into_iter().find(|known| known.thumbprint().as_ref() == Some(thumbprint)).and_then(id))
    }
}
