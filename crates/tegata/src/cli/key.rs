//! `tegata key …`: blocks compromised keys.

use crate::cli::confirm::OperatorConsent;
use crate::cli::installation_args::InstallationArgs;
use crate::cli::output::{OutputFormat, nothing_found};
use crate::cli::proof::{ReceiptOptions, ReceiptReport};
use crate::cli::scope::rows;
use ring::digest::{SHA256, digest};
use serde_json::{Value, json};
use std::path::Path;
use tegata_ca::public_key_of_private;
use tegata_core::KeyId;
use tegata_core::encoding::{from_hex, hex};
use tegata_installation::{CommittedExt, Failure, FailureContext, SystemContext, pem};
use tegata_storage::Ledger;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::prelude::{FromDer, X509Certificate};
use x509_parser::x509::SubjectPublicKeyInfo;

/// What can be done with keys.
#[derive(clap::Subcommand)]
pub enum KeyCommand {
    /// Block a key for ever: revoke every certificate with it and with what was renewed from them, refuse it always
    Block {
        /// The key: a file with a certificate, a request, a public key or the found private key (PEM or DER), or the
        /// SHA-256 of the public key in hex
        key: String,
        #[command(flatten)]
        consent: OperatorConsent,
        #[command(flatten)]
        proof: ReceiptOptions,
    },
    /// List the keys that are blocked
    List(OutputFormat),
}

pub async fn run(
    place: &InstallationArgs,
    command: &KeyCommand,
    system: &SystemContext,
) -> Result<(), Failure> {
    let ledger = place.ledger(system).await?;
    let result = match command {
        KeyCommand::Block { key, consent, proof } => block(&ledger, key, *consent, proof, system).await,
        KeyCommand::List(output) => list(&ledger, output.json).await,
    };
    ledger.close().await;
    result
}

async fn block(
    ledger: &Ledger,
    key: &str,
    consent: OperatorConsent,
    proof: &ReceiptOptions,
    system: &SystemContext,
) -> Result<(), Failure> {
    let key = NamedKey::read(key)?;
    let known = rows(ledger, None).find_certificates(&key.id()).await.doing(READ)?.len();
    consent.obtain(format!(
        "the {known} certificates with the key {} end for ever, with what was renewed from them, and the key is refused \
         from now on",
        hex(&key.hash())
    ))?;
    let stopping = ReceiptReport::begin(ledger, proof, system).await?;
    let mut transaction = ledger.begin(system.now()).await.doing(READ)?;
    let operator = SystemContext::operator();
    let revoked = match &key {
        NamedKey::Key(info) => transaction.block_public_key(info, &proof.note, &operator).await,
        NamedKey::Hash(hash) => transaction.block_key(hash, &proof.note, &operator).await,
    };
    let revoked = revoked.doing("the key is not blocked")?;
    let key = hex(&key.hash());
    transaction.commit().await.committed("the change is not durable; nothing was changed")?;
    let what = json!({"key": key, "certificates": revoked.certificates});
    let name = format!("key {key} blocked, {} certificates revoked", revoked.certificates);
    stopping.report(&what, &name, revoked.event).await
}

async fn list(ledger: &Ledger, as_json: bool) -> Result<(), Failure> {
    let keys = ledger.blocked_keys().await.doing(READ)?;
    if as_json {
        let described =
            keys.iter().map(|key| json!({"key": hex(&key.key_hash), "note": key.note, "at": key.at}));
        outln!("{}", Value::Array(described.collect()));
        return nothing_found(keys.is_empty(), "no key is blocked");
    }
    for key in &keys {
        outln!("{}  since {}  {}", hex(&key.key_hash), key.at, key.note);
    }
    nothing_found(keys.is_empty(), "no key is blocked")
}

const READ: &str = "cannot read the ledger";

/// A key as a person names it.
enum NamedKey {
    /// Its `SubjectPublicKeyInfo`: with it go all keys that the same secret serves.
    Key(Vec<u8>),
    /// The SHA-256 of that.
    Hash([u8; 32]),
}

impl NamedKey {
    /// Any form of a key that a person may have.
    fn read(key: &str) -> Result<Self, Failure> {
        if let Some(hash) = from_hex(key).and_then(|bytes| bytes.try_into().ok()) {
            return Ok(Self::Hash(hash));
        }
        let file = std::fs::read(Path::new(key)).map_err(|error| {
            Failure::misuse(format!("{key:?} is no SHA-256 in hex, and no file: {error}"))
        })?;
        let der = pem::decode(&file).unwrap_or(file);
        public_key_info(&der).map(Self::Key).ok_or_else(|| {
            Failure::misuse(format!(
                "{key} holds no certificate, request, public key or unencrypted PKCS#8 private key; turn other forms \
                 into one with `openssl pkey -pubout`"
            ))
        })
    }

    /// By which the ledger finds its certificates.
    fn id(&self) -> [u8; 32] {
        match self {
            Self::Hash(hash) => *hash,
            Self::Key(info) => KeyId::of_public_key(info).map_or_else(|| self.hash(), |id| *id.as_bytes()),
        }
    }

    fn hash(&self) -> [u8; 32] {
        match self {
            Self::Hash(hash) => *hash,
            Self::Key(info) => {
                let mut hash = [0; 32];
                hash.copy_from_slice(digest(&SHA256, info).as_ref());
                hash
            }
        }
    }
}

fn public_key_info(der: &[u8]) -> Option<Vec<u8>> {
    if let Ok(([], certificate)) = X509Certificate::from_der(der) {
        return Some(certificate.public_key().raw.to_vec());
    }
    if let Ok(([], request)) = X509CertificationRequest::from_der(der) {
        return Some(request.certification_request_info.subject_pki.raw.to_vec());
    }
    if let Some(public) = public_key_of_private(der) {
        return Some(public);
    }
    match SubjectPublicKeyInfo::from_der(der) {
        Ok(([], info)) => Some(info.raw.to_vec()),
        _ => None,
    }
}
