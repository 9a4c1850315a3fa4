//! Taking a certificate back (RFC 8555 section 7.6): by the account it was issued to, or by its own key.

use super::AcmeServer;
use super::problem::{AcmeError, AcmeResult};
use super::request::{AcmeSigner, SignedAcmeRequest};
use super::server::ServingAcme;
use axum::extract::Request;
use http::StatusCode;
use serde::Deserialize;
use tegata_core::encoding::from_base64url;
use tegata_core::{CertificateState, Refusal, RevocationReason, Thumbprint};
use tegata_storage::{LedgerError, Lineage, Principal};
use x509_parser::prelude::{FromDer, X509Certificate};

#[derive(Deserialize)]
struct RevokeCertRequest {
    certificate: String,
    reason: Option<u8>,
}

pub(super) async fn revoke(ServingAcme(acme): ServingAcme, request: Request) -> AcmeResult<StatusCode> {
    let signed = acme.signed(request).await?;
    let wanted: RevokeCertRequest = signed.json()?;
    let der = from_base64url(&wanted.certificate)
        .ok_or(AcmeError::malformed("the certificate is not base64url"))?;
    let reason = reason(wanted.reason)?;
    let thumbprint = Thumbprint::of(&der);
    let ledger = &acme.service.context.ledger;
    let held = ledger.holding(&thumbprint).await?;
    // What is not ours and what is somebody else's is told alike.
    let is_allowed = held.is_some() && acme.may_revoke(&signed, &der, &thumbprint).await?;
    let held = held.filter(|_| is_allowed).ok_or(NOT_YOURS)?;
    if held.state == CertificateState::Revoked {
        return Err(ALREADY);
    }
    let principal = Principal::keyholder(&held);
    let actor = principal.actor();
    let mut transaction = ledger.within(principal.scope()).begin(acme.now()).await?;
    match transaction.revoke_certificate(&thumbprint, reason, Lineage::of(reason), "ACME", actor).await {
        Ok(_) => transaction.commit().await?,
        Err(LedgerError::Guard(_)) => return Err(ALREADY),
        Err(error) => return Err(error.into()),
    }
    Ok(StatusCode::OK)
}

const NOT_YOURS: AcmeError =
    AcmeError::malformed("no certificate that this key may revoke").named("unauthorized");
const ALREADY: AcmeError = AcmeError::malformed("it was revoked before").named("alreadyRevoked");

impl AcmeServer {
    async fn may_revoke(
        &self,
        signed: &SignedAcmeRequest,
        der: &[u8],
        thumbprint: &Thumbprint,
    ) -> AcmeResult<bool> {
        match &signed.signer {
            AcmeSigner::Account(account) => {
                Ok(self.service.context.ledger.is_acme_certificate_of(&account.id, thumbprint).await?)
            }
            AcmeSigner::Key(key) => {
                let (_, certificate) = X509Certificate::from_der(der).map_err(|_| Refusal::Internal)?;
                Ok(key.is(certificate.public_key().raw))
            }
        }
    }
}

/// RFC 5280 section 5.3.1. Those that mean a CA, or that come back, are not for holders.
fn reason(number: Option<u8>) -> AcmeResult<RevocationReason> {
    match number {
        None | Some(0) => Ok(RevocationReason::Unspecified),
        Some(1) => Ok(RevocationReason::KeyCompromise),
        Some(3) => Ok(RevocationReason::AffiliationChanged),
        Some(4) => Ok(RevocationReason::Superseded),
        Some(5) => Ok(RevocationReason::CessationOfOperation),
        Some(_) => Err(AcmeError::malformed("use 0, 1, 3, 4 or 5 of RFC 5280").named("badRevocationReason")),
    }
}
