//! Keys, requests and invitations made beforehand, so that only the server works while it is measured.

use crate::BenchOutcome;
use crate::client::{BenchAddress, BenchIdentity, BenchTrust, Post};
use crate::servers::Tegata;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hyper::body::Bytes;
use hyper::{HeaderMap, StatusCode};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use ring::rand::{SecureRandom, SystemRandom};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use serde_json::{Value, json};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tegata_core::id::InvitationCode;
use tegata_core::{Entropy, InvitationId, Role, Timestamp};
use tegata_storage::{Actor, Ledger, NewInvitation, Transaction};
use tempfile::TempDir;

/// Different devices in a load of tokens.
const DEVICES: usize = 16;

/// A device with a certificate.
pub struct BenchDevice {
    pub id: String,
    pub identity: BenchIdentity,
}

/// Enrolls some devices as anybody would.
pub async fn enroll(tegata: &Tegata, trust: &BenchTrust) -> BenchOutcome<Vec<BenchDevice>> {
    enroll_as(tegata, trust, Role::Device, DEVICES).await
}

/// So many devices, or gates.
pub async fn enroll_as(
    tegata: &Tegata,
    trust: &BenchTrust,
    role: Role,
    count: usize,
) -> BenchOutcome<Vec<BenchDevice>> {
    let mut portal = BenchAddress::new(&tegata.portal, trust, None)?.connect().await?;
    let mut devices = Vec::with_capacity(count);
    for code in invite(tegata, role, count).await? {
        let key = KeyPair::generate()?;
        let answer = portal.post(&enrollment(&code, &request(&key)?)).await?;
        devices.push(BenchDevice::new(&serde_json::from_slice(&answer)?, &key)?);
    }
    Ok(devices)
}

/// Fresh tokens of a device for the default product.
pub async fn tokens(
    tegata: &Tegata,
    trust: &BenchTrust,
    device: &BenchDevice,
    count: usize,
) -> BenchOutcome<Vec<String>> {
    let mut connection = BenchAddress::new(&tegata.device, trust, Some(&device.identity))?.connect().await?;
    let mut tokens = Vec::with_capacity(count);
    for _ in 0..count {
        let answer: Value = serde_json::from_slice(&connection.post(&crate::tokens::request(device)).await?)?;
        tokens.push(text(&answer["access_token"])?.to_owned());
    }
    Ok(tokens)
}

/// The enrollments of so many new devices, ready to be sent.
pub async fn enrollments(tegata: &Tegata, count: usize) -> BenchOutcome<Vec<Post>> {
    let codes = invite(tegata, Role::Device, count).await?;
    codes.iter().map(|code| Ok(enrollment(code, &request(&KeyPair::generate()?)?))).collect()
}

/// The DER of a request: a key and its proof.
pub fn request(key: &KeyPair) -> BenchOutcome<Vec<u8>> {
    let mut parameters = CertificateParams::default();
    parameters.distinguished_name = DistinguishedName::new();
    Ok(parameters.serialize_request(key)?.der().to_vec())
}

impl BenchDevice {
    /// A folder with `key.pem` and `chain.pem`, as gates read their own.
    pub fn folder(&self) -> BenchOutcome<TempDir> {
        let folder = tempfile::tempdir()?;
        let block = |label: &str, der: &[u8]| {
            format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
        };
        let chain = self.identity.chain.iter().map(|der| block("CERTIFICATE", der)).collect::<String>();
        std::fs::write(folder.path().join("chain.pem"), chain)?;
        std::fs::write(folder.path().join("key.pem"), block("PRIVATE KEY", self.identity.key.secret_der()))?;
        Ok(folder)
    }

    /// The leaf as nginx writes it into a header: PEM, URL-escaped.
    pub fn escaped_pem(&self) -> String {
        let text = STANDARD.encode(&self.identity.chain[0]);
        let text = format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n");
        let each = text.bytes().map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' => char::from(byte).to_string(),
            other => format!("%{other:02X}"),
        });
        each.collect()
    }

    fn new(enrolled: &Value, key: &KeyPair) -> BenchOutcome<Self> {
        let issuers = enrolled["chain"].as_array().ok_or("an enrollment without a chain")?;
        let chain = std::iter::once(&enrolled["certificate"]).chain(issuers);
        let chain = chain.map(|der| Ok(CertificateDer::from(STANDARD.decode(text(der)?)?)));
        Ok(Self {
            id: text(&enrolled["device"])?.to_owned(),
            identity: BenchIdentity {
                chain: chain.collect::<BenchOutcome<_>>()?,
                key: PrivateKeyDer::try_from(key.serialize_der())?,
            },
        })
    }
}

fn text(value: &Value) -> BenchOutcome<&str> {
    Ok(value.as_str().ok_or("an enrollment that cannot be read")?)
}

fn enrollment(code: &InvitationCode, request: &[u8]) -> Post {
    let body = json!({ "code": code.reveal(), "csr": STANDARD.encode(request) });
    Post {
        path: "/api/v1/enrollments".into(),
        media_type: "application/json",
        headers: HeaderMap::new(),
        body: Bytes::from(body.to_string()),
        expected: StatusCode::CREATED,
    }
}

/// Writes invitations into the ledger as `tegata invite` does, all in one transaction.
async fn invite(tegata: &Tegata, role: Role, count: usize) -> BenchOutcome<Vec<InvitationCode>> {
    let ledger = Ledger::open(&tegata.ledger_url()).await?;
    let now = now()?;
    let codes: Vec<_> = (0..count).map(|_| InvitationCode::random(&Random)).collect();
    let mut transaction = ledger.begin(now).await?;
    write(&ledger, &mut transaction, role, &codes, now).await?;
    transaction.commit().await?;
    ledger.close().await;
    Ok(codes)
}

async fn write(
    ledger: &Ledger,
    transaction: &mut Transaction,
    role: Role,
    codes: &[InvitationCode],
    now: Timestamp,
) -> BenchOutcome<()> {
    let ledger = ledger.within(tegata_storage::Principal::system("bench").scope());
    let tenants = ledger.tenants().await?;
    let sites = ledger.sites(&tenants.first().ok_or("no tenant")?.id).await?;
    let site = sites.first().ok_or("no site")?;
    for code in codes {
        let invitation = NewInvitation {
            id: InvitationId::random(&Random),
            code,
            tenant: site.tenant.clone(),
            site: site.id.clone(),
            role,
            label: "受付PC".to_owned(),
            expires_at: now.plus(Duration::from_hours(1)),
        };
        transaction.invite(&invitation, &Actor::Operator("bench".to_owned())).await?;
    }
    Ok(())
}

/// The operating system's randomness.
pub struct Random;

impl Entropy for Random {
    fn fill(&self, buffer: &mut [u8]) {
        SystemRandom::new().fill(buffer).expect("randomness");
    }
}

#[expect(clippy::disallowed_methods, reason = "the server that reads the invitations goes by the same clock")]
pub fn now() -> BenchOutcome<Timestamp> {
    let since = SystemTime::now().duration_since(UNIX_EPOCH)?;
    Ok(Timestamp::from_millis(i64::try_from(since.as_millis())?))
}
