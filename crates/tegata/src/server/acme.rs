//! The ACME server's part of the configuration, and the secret that binds its accounts to invitations.
//!
//! The secret lies sealed in the ledger, so that all servers of an installation have the same one, and the keys folder's
//! own secret opens it.

use crate::server::Server;
use std::path::Path;
use std::sync::Arc;
use tegata_core::{Entropy, Timestamp};
use tegata_enroll::{AcmeServer, AttestationPolicy, EnrollmentService};
use tegata_installation::{CommittedExt, Failure, FailureContext, KeyRing};
use tegata_storage::Ledger;
use tegata_web::{InstallationSecret, OpenInstallationSecret};

/// Makes the ACME server that stands on the enrollment service.
pub fn open(server: &Server, enrollment: EnrollmentService) -> Result<AcmeServer, Failure> {
    Ok(AcmeServer::new(enrollment, attestation(server)?))
}

/// What opens the secret, which is still sealed.
pub async fn open_secret(server: &Server) -> Result<OpenInstallationSecret, Failure> {
    let context = &server.context;
    let sealed = sealed_secret(&server.ledger, &server.ring, context.entropy.as_ref(), context.now()).await?;
    let ring = server.ring.clone();
    Ok(Arc::new(move || ring.open_sealed(&sealed).ok().map(|bytes| InstallationSecret::new(&bytes))))
}

/// The secret behind external account bindings, opened.
pub async fn binding_secret(
    ledger: &Ledger,
    ring: &KeyRing,
    entropy: &dyn Entropy,
    now: Timestamp,
) -> Result<InstallationSecret, Failure> {
    let sealed = sealed_secret(ledger, ring, entropy, now).await?;
    Ok(InstallationSecret::new(&ring.open_sealed(&sealed)?))
}

/// The sealed secret from the ledger. Where there is none yet, one is made and stored.
pub async fn sealed_secret(
    ledger: &Ledger,
    ring: &KeyRing,
    entropy: &dyn Entropy,
    now: Timestamp,
) -> Result<String, Failure> {
    let what = "cannot read the secret of the ACME server";
    if let Some(sealed) = ledger.acme_secret().await.doing(what)? {
        return Ok(sealed);
    }
    let mut transaction = ledger.begin(now).await.doing(what)?;
    transaction.keep_acme_secret(&ring.new_sealed(entropy)?).await.doing(what)?;
    transaction.commit().await.committed(what)?;
    ledger.acme_secret().await.doing(what)?.ok_or_else(|| Failure::wrong(what))
}

/// Whose statements about keys are believed.
pub fn attestation(server: &Server) -> Result<AttestationPolicy, Failure> {
    let config = &server.config.acme;
    let roots = match &config.attestation_roots {
        Some(file) => certificates_in(&server.config.path(file))?,
        None => Vec::new(),
    };
    AttestationPolicy::new(&roots, config.require_attestation).map_err(|place| {
        Failure::misuse(format!("acme.attestation_roots: certificate {} is not one", place + 1))
    })
}

fn certificates_in(file: &Path) -> Result<Vec<Vec<u8>>, Failure> {
    use rustls_pki_types::CertificateDer;
    use rustls_pki_types::pem::PemObject;
    let what = || format!("cannot read the attestation roots in {}", file.display());
    let certificates = CertificateDer::pem_file_iter(file).doing(what())?;
    let certificates = certificates.collect::<Result<Vec<_>, _>>().doing(what())?;
    Ok(certificates.into_iter().map(|der| der.to_vec()).collect())
}
