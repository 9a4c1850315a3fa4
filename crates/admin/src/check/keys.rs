//! Keys: there, closed to others, opened by the secret, and each belonging to its CA.

use super::code::FindingCode;
use super::context::CheckContext;
use super::files;
use super::server_checks::ServerChecks;
use std::path::Path;
use tegata_ca::public_key_of_private;
use tegata_core::encoding::hex;
use tegata_installation::{Failure, FailureContext, KeyRing, token_key};
use tegata_storage::{IssuerKind, StoredIssuer};
use x509_parser::prelude::{FromDer, X509Certificate};

/// Looks at the folder, the secret, and every key the server needs.
pub async fn look(look: &mut CheckContext<'_>, server: &impl ServerChecks) -> Result<(), Failure> {
    let folder = look.config.path(&look.config.keys.folder);
    files::closed(&mut look.report, &folder, 0o700, FindingCode::KeyExposed);
    if let Some(unlock) = &look.config.keys.unlock {
        let unlock = look.config.path(unlock);
        private(look, &unlock, "the unlock file");
    }
    let ring = match KeyRing::open(look.config) {
        Ok(ring) => ring,
        Err(error) => {
            look.report.add(FindingCode::KeyUnusable, "secret", error);
            look.report.area("keys", "the secret cannot be read: no key was opened");
            return Ok(());
        }
    };
    let mut count = signing_tokens(look, &ring, server).await?;
    let issuers = look.issuers.clone();
    let ours = issuers.iter().filter(|issuer| issuer.kind == IssuerKind::Issuing && issuer.is_trusted());
    for issuer in ours {
        issuing(look, &ring, issuer);
        count += 1 + registrars(look, &ring, issuer).await?;
    }
    if ring.place("root").exists() {
        private(look, &ring.place("root"), "the root's key");
        look.report.add(
            FindingCode::RootKeyOnline,
            ring.place("root").display(),
            "the root's key lies on this machine",
        );
    }
    binding_acme_accounts(look, &ring).await?;
    look.report.area("keys", format!("{count} keys open with the secret"));
    Ok(())
}

/// The secret that lies sealed in the ledger; a ledger that no server has opened yet has none.
async fn binding_acme_accounts(look: &mut CheckContext<'_>, ring: &KeyRing) -> Result<(), Failure> {
    let sealed = look.ledger.acme_secret().await.doing("cannot read the secret of the ACME server")?;
    if let Some(Err(error)) = sealed.map(|sealed| ring.open_sealed(&sealed).map(drop)) {
        look.report.add(FindingCode::KeyUnusable, "the ACME server's secret, in the ledger", error);
    }
    Ok(())
}

/// The keys of a CA's living SCEP registrars, which lie sealed in the ledger: how many there are.
async fn registrars(
    look: &mut CheckContext<'_>,
    ring: &KeyRing,
    issuer: &StoredIssuer,
) -> Result<usize, Failure> {
    let known = look.ledger.registrars(&issuer.id, look.now).await.doing("cannot read the registrars")?;
    for registrar in &known {
        let subject = format!(
            "the key of SCEP registrar {} of CA {}, in the ledger",
            hex(registrar.serial.as_bytes()),
            issuer.id
        );
        match ring.open_sealed(&registrar.sealed_key) {
            Err(error) => look.report.add(FindingCode::KeyUnusable, subject, error),
            Ok(key) if !is_key_of(&key, &registrar.certificate) => {
                look.report.add(
                    FindingCode::KeyUnusable,
                    subject,
                    "it is not the key of the registrar's certificate",
                );
            }
            Ok(_) => {}
        }
    }
    Ok(known.len())
}

fn is_key_of(pkcs8: &[u8], certificate: &[u8]) -> bool {
    let Ok((_, certificate)) = X509Certificate::from_der(certificate) else { return false };
    public_key_of_private(pkcs8).is_some_and(|key| key == certificate.public_key().raw)
}

/// How many keys sign tokens now, soon, or did so recently: sealed in the ledger, and in files where an older version may be
/// at work.
async fn signing_tokens(
    look: &mut CheckContext<'_>,
    ring: &KeyRing,
    server: &impl ServerChecks,
) -> Result<usize, Failure> {
    let stored = look.ledger.token_keys().await.doing("cannot read the token keys")?;
    for key in &stored {
        if let Err(error) = token_key::open(ring, key) {
            let subject = format!("the key {} that signs tokens, in the ledger", key.kid);
            look.report.add(FindingCode::KeyUnusable, subject, error);
        }
    }
    let files = match server.token_key_files(ring) {
        Ok(files) => files,
        Err(error) => {
            look.report.add(FindingCode::KeyUnusable, "token-keys.json", error);
            Vec::new()
        }
    };
    for (name, kid) in &files {
        token_key_file(look, ring, name, kid.as_deref());
    }
    if stored.is_empty() && files.is_empty() {
        let what = "there is none: a server makes one when it starts";
        look.report.add(FindingCode::KeyMissing, "the key that signs tokens, in the ledger", what);
    }
    Ok(stored.len().max(files.len()))
}

fn token_key_file(look: &mut CheckContext<'_>, ring: &KeyRing, name: &str, kid: Option<&str>) {
    let file = ring.file(name);
    private(look, &file, "the key that signs tokens");
    match ring.token_key(name) {
        Err(error) => unusable(look, &file, &error.to_string()),
        Ok(key) if kid.is_some_and(|kid| kid != key.public().kid()) => {
            look.report.add(FindingCode::KeyForeign, file.display(), "it is not the key of the succession");
        }
        Ok(_) => {}
    }
}

/// The file that is the key, or the one that names it where it is in hardware.
fn issuing(look: &mut CheckContext<'_>, ring: &KeyRing, issuer: &StoredIssuer) {
    let name = KeyRing::issuing(&issuer.id);
    let file = ring.place(&name);
    if file.exists() {
        private(look, &file, "the key of a CA");
    }
    let signer = match ring.signer(&name) {
        Ok(signer) => signer,
        Err(error) => return unusable(look, &file, &error.to_string()),
    };
    let certificate = X509Certificate::from_der(&issuer.certificate);
    if certificate.is_ok_and(|(_, certificate)| certificate.public_key().raw != signer.public_key_info()) {
        look.report.add(
            FindingCode::KeyForeign,
            file.display(),
            format!("it is not the key of CA {}", issuer.id),
        );
    }
}

/// A file that only its owner reads, and that is the server's.
fn private(look: &mut CheckContext<'_>, file: &Path, what: &str) {
    if files::closed(&mut look.report, file, 0o600, FindingCode::KeyExposed) {
        files::owned(look, file, what);
    }
}

/// What is missing and what does not open are two things. A file that is open to others was found already.
fn unusable(look: &mut CheckContext<'_>, file: &Path, error: &str) {
    if !file.exists() {
        look.report.add(FindingCode::KeyMissing, file.display(), error);
    } else if !files::is_open_to_others(file, 0o600) {
        look.report.add(FindingCode::KeyUnusable, file.display(), error);
    }
}
