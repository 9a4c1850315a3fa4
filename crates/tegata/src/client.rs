//! `tegata enroll` and `tegata renew`, for kitting and for servers without a browser. The key is made here and stays
//! here.

mod link;
mod options;
mod previous;
pub mod token;

pub use options::{EnrollOptions, RenewOptions};

use crate::failure::{Failure, FailureContext};
use crate::pem;
use crate::system_context::SystemContext;
use http::{StatusCode, Uri};
use link::EnrollmentLink;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tegata_ca::{CaKey, LocalKey, secret};
use tegata_core::encoding::{base64, from_base64};
use tegata_core::{ApprovalId, DeviceId, Platform, Refusal, Serial, Thumbprint};
use tegata_net::HttpsClient;
use tegata_net::client::Destinations;
use token::RenewalTokenResponse;

/// Longer than a gate's: a person waits here, over a shop's line and to a server that many enroll at, and nobody is let in
/// or kept out meanwhile.
const PATIENCE: Duration = Duration::from_secs(30);

/// Where Debian keeps the CAs that the system trusts.
pub const SYSTEM_TRUST: &str = "/etc/ssl/certs/ca-certificates.crt";

/// Which server a folder's certificate belongs to, so that `renew` needs nothing but the folder.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CertificateOrigin {
    device: String,
    tls_ca: Option<PathBuf>,
}

#[derive(Deserialize)]
struct OpenedLink {
    device_origin: String,
}

/// Somebody has to approve.
#[derive(Deserialize)]
struct WaitingForApproval {
    approval: ApprovalId,
    number: String,
    /// When to ask again, in seconds.
    retry_after: u64,
}

/// What the server sends beside the certificate for a kitting code.
#[derive(Serialize, Deserialize)]
struct KittedCertificate {
    number: u32,
    label: String,
    device_number: String,
    places: u32,
    taken: u32,
}

impl KittedCertificate {
    fn add_to(&self, line: &mut serde_json::Value) {
        if let Some(own) = json!(self).as_object() {
            for (name, value) in own {
                line[name] = value.clone();
            }
        }
    }
}

/// A certificate handed over.
#[derive(Deserialize)]
pub struct EnrolledCertificate {
    pub device: DeviceId,
    pub generation: u32,
    pub serial: Serial,
    pub thumbprint: Thumbprint,
    pub certificate: String,
    pub chain: Vec<String>,
}

#[derive(Deserialize)]
struct ServerProblem {
    title: String,
    code: String,
    detail: String,
}

/// Obtains a first certificate with an invitation.
pub async fn enroll(options: &EnrollOptions, system: &SystemContext) -> Result<(), Failure> {
    let EnrollmentLink { portal, code, kitting } = EnrollmentLink::read(&options.invitation)?;
    if options.label.is_some() && !kitting {
        return Err(Failure::misuse("an invitation has its name already: --label goes with kitting links"));
    }
    if options.out.join("cert.pem").exists() {
        return Err(Failure::misuse(format!(
            "{} holds a certificate already: use another folder, or renew",
            options.out.display()
        )));
    }
    let tls_ca =
        options.tls_ca.as_deref().map(fs::canonicalize).transpose().doing("cannot find the --tls-ca file")?;
    let client = client(tls_ca.as_deref(), None, system)?;
    let ask = |path: &str, body| post(&client, format!("{portal}{path}"), body);
    let door = |path| format!("/api/v1{}{path}", if kitting { "/kitting" } else { "" });
    let opening = if kitting { "/api/v1/kitting/open" } else { "/api/v1/invitations/open" };
    let opened: OpenedLink = read(&ask(opening, json!({"code": code.reveal()})).await?)?;
    fs::create_dir_all(&options.out).doing("cannot make the folder")?;

    // The key is written before it is used: if the answer is lost, the same key may come again.
    let pkcs8 = pending_key(&options.out)?;
    let csr = request(&pkcs8)?;
    let mut body = json!({"code": code.reveal(), "csr": base64(&csr), "platform": platform()});
    if let Some(label) = &options.label {
        body["label"] = label.as_str().into();
    }
    let answer = ask(&door("/enrollments"), body.clone()).await?;
    // A kitting code is asked again as it was asked first: its answer says more than an approval's.
    let again = |approval: &ApprovalId| {
        if kitting {
            (door("/enrollments"), body.clone())
        } else {
            ("/api/v1/approvals".to_owned(), json!({"approval": approval}))
        }
    };
    let answer = approved(answer, &options.out, &ask, again).await?;
    let kitted: Option<KittedCertificate> = if kitting { Some(read(&answer)?) } else { None };
    let enrolled: EnrolledCertificate = read(&answer)?;
    store(&options.out, &enrolled)?;
    let origin = CertificateOrigin { device: opened.device_origin, tls_ca };
    fs::write(options.out.join("origin.json"), json!(origin).to_string())
        .doing("cannot write origin.json")?;
    let delivered = json!({"code": code.reveal(), "thumbprint": enrolled.thumbprint});
    ask(&door("/deliveries"), delivered).await?;
    report(&enrolled, &options.out, &EnrollmentNotice { kitted, token: None }, options.output.json);
    Ok(())
}

/// Asks again until somebody has decided, where that is needed. Whoever does not want to wait may stop it: the key stays
/// in the folder, and the same command goes on later.
async fn approved(
    mut answer: Vec<u8>,
    folder: &Path,
    ask: &impl AsyncFn(&str, serde_json::Value) -> Result<Vec<u8>, Failure>,
    again: impl Fn(&ApprovalId) -> (String, serde_json::Value),
) -> Result<Vec<u8>, Failure> {
    let mut told = false;
    while let Ok(WaitingForApproval { approval, number, retry_after }) = read(&answer) {
        if !told {
            errln!("waiting for approval {number}: tegata approvals approve {approval}");
            errln!("the key is in {}: the same command goes on if this is stopped", folder.display());
            told = true;
        }
        tokio::time::sleep(Duration::from_secs(retry_after.clamp(1, 60))).await;
        let (path, body) = again(&approval);
        answer = ask(&path, body).await?;
    }
    Ok(answer)
}

/// The platform by the name that policies use; none where they have no name for it.
fn platform() -> Option<Platform> {
    Platform::parse(std::env::consts::OS)
}

/// Obtains the next generation by the present one.
pub async fn renew(options: &RenewOptions, system: &SystemContext) -> Result<(), Failure> {
    let origin = origin_of(options)?;
    let tls_ca = options.tls_ca.as_deref().or(origin.tls_ca.as_deref());
    finish_interrupted(&options.dir)?;
    let present = || client(tls_ca, Some(identity_in(&options.dir)?), system);
    let pkcs8 = pending_key(&options.dir)?;
    let body = json!({"csr": base64(&request(&pkcs8)?), "token": options.token.wish()});
    let renewals = format!("{}/api/v1/renewals", origin.device);
    let mut old = present()?;
    let (answer, by_previous) = match attempt(&old, &renewals, &body).await? {
        Ok(answer) => (answer, false),
        Err(refusal) => match previous::of(&options.dir) {
            Some(previous) if refusal.is(Refusal::UnknownCertificate) => {
                errln!(
                    "{}: its ledger was restored from a backup. The certificate before is tried",
                    refusal.0
                );
                old = client(tls_ca, Some(identity_in(&previous)?), system)?;
                let answer = attempt(&old, &renewals, &body).await?;
                (answer.map_err(|refusal| refusal.0)?, true)
            }
            _ => return Err(refusal.0),
        },
    };
    let (enrolled, answered): (EnrolledCertificate, RenewalTokenResponse) = (read(&answer)?, read(&answer)?);
    token::forget(&options.dir)?;
    if !by_previous {
        previous::keep(&options.dir)?;
    }
    store(&options.dir, &enrolled)?;
    let token = options.token.keep(answered, &options.dir, &enrolled.thumbprint, system.now())?;
    let delivered = json!({"thumbprint": enrolled.thumbprint});
    post(&old, format!("{}/api/v1/deliveries", origin.device), delivered).await?;
    // Presented once, the new certificate is proved to work; only now may the old one begin to retire.
    let probe: Uri = format!("{}/probe", origin.device).parse().doing("the device address is not a URL")?;
    let _: serde_json::Value =
        present()?.get_json(&probe).await.doing("the new certificate does not work yet")?;
    report(&enrolled, &options.dir, &EnrollmentNotice { kitted: None, token }, options.output.json);
    Ok(())
}

fn identity_in(folder: &Path) -> Result<tegata_net::tls::IdentityFiles, Failure> {
    tegata_net::tls::read_identity(folder).map_err(Failure::wrong)
}

/// Where a folder's certificate is renewed: as `enroll` wrote it down, or as somebody says who brings a certificate from
/// another authority.
fn origin_of(options: &RenewOptions) -> Result<CertificateOrigin, Failure> {
    if let Some(device) = &options.device {
        return Ok(CertificateOrigin { device: device.to_string(), tls_ca: None });
    }
    let file = options.dir.join("origin.json");
    let origin = fs::read(&file).map_err(|_| {
        let folder = options.dir.display();
        Failure::misuse(format!(
            "{folder} was not made by `tegata enroll`: name the server with --device URL"
        ))
    })?;
    serde_json::from_slice(&origin).doing("origin.json cannot be read")
}

fn client(
    tls_ca: Option<&Path>,
    identity: Option<tegata_net::tls::IdentityFiles>,
    system: &SystemContext,
) -> Result<HttpsClient, Failure> {
    let file = tls_ca.unwrap_or(Path::new(SYSTEM_TRUST));
    let trust = tegata_net::tls::trust_from_pem_file(file).map_err(Failure::misuse)?;
    let client = HttpsClient::new(trust, system.clock.clone(), identity, Destinations::Anywhere)
        .map_err(Failure::wrong)?;
    Ok(client.with_patience(PATIENCE))
}

/// Posts JSON; a refusal becomes a failure that says its code.
pub async fn post(client: &HttpsClient, url: String, body: serde_json::Value) -> Result<Vec<u8>, Failure> {
    attempt(client, &url, &body).await?.map_err(|refusal| refusal.0)
}

/// The refusal of a server as a failure, and its code.
struct RefusedRequest(Failure, Option<String>);

impl RefusedRequest {
    fn of(status: StatusCode, answer: &[u8]) -> Self {
        match serde_json::from_slice::<ServerProblem>(answer) {
            Ok(ServerProblem { title, code, detail }) => {
                Self(Failure::wrong(format!("{code}: {title}. {detail}")), Some(code))
            }
            Err(_) => Self(Failure::wrong(format!("the server answers {status}")), None),
        }
    }

    fn is(&self, refusal: Refusal) -> bool {
        self.1.as_deref() == Some(refusal.code())
    }
}

/// Posts JSON and gives a refusal back to the caller, which can do something about it.
async fn attempt(
    client: &HttpsClient,
    url: &str,
    body: &serde_json::Value,
) -> Result<Result<Vec<u8>, RefusedRequest>, Failure> {
    let uri: Uri = url.parse().doing("the address is not a URL")?;
    let (status, answer) =
        client.post_json(&uri, body.to_string().into_bytes()).await.doing("the server cannot be reached")?;
    Ok(if status.is_success() { Ok(answer.to_vec()) } else { Err(RefusedRequest::of(status, &answer)) })
}

pub fn read<'a, T: Deserialize<'a>>(answer: &'a [u8]) -> Result<T, Failure> {
    serde_json::from_slice(answer).doing("the server's answer cannot be read")
}

/// A certificate request for a key.
pub fn request(pkcs8: &[u8]) -> Result<Vec<u8>, Failure> {
    let key = LocalKey::from_pkcs8(pkcs8).doing("cannot use the key")?;
    tegata_ca::csr::request_for(&key).doing("cannot sign the request")
}

/// The key of the certificate being asked for: the one of an unfinished attempt, or a fresh one.
fn pending_key(folder: &Path) -> Result<Vec<u8>, Failure> {
    let file = folder.join("key.pending.pem");
    if !file.exists() {
        let pkcs8 = LocalKey::generate().doing("cannot make a key")?;
        secret::write_private_file(&file, pem::encode("PRIVATE KEY", &pkcs8).as_bytes())
            .doing("cannot write the key")?;
    }
    let text = secret::read_private_file(&file).doing("cannot read the key")?;
    pem::decode(&text)
        .ok_or_else(|| Failure::wrong(format!("{} is not a PEM key: remove it", file.display())))
}

/// A renewal that was stopped between the two last steps of [`store`]: the certificate is in place, its key is not.
fn finish_interrupted(folder: &Path) -> Result<(), Failure> {
    let pending = folder.join("key.pending.pem");
    if !pending.exists() {
        return Ok(());
    }
    let key = LocalKey::from_pkcs8(&pending_key(folder)?).doing("cannot use the key")?;
    let certificate = fs::read(folder.join("cert.pem")).doing("cannot read cert.pem")?;
    let der = pem::decode(&certificate).ok_or_else(|| Failure::wrong("cert.pem is not PEM"))?;
    let (_, certificate) =
        x509_parser::parse_x509_certificate(&der).doing("cert.pem is not a certificate")?;
    if certificate.public_key().raw == key.public_key_info() {
        fs::rename(pending, folder.join("key.pem")).doing("cannot put the key in place")?;
    }
    Ok(())
}

/// Puts certificate and key in place, the key last. [`finish_interrupted`] mends what a crash in between leaves.
fn store(folder: &Path, enrolled: &EnrolledCertificate) -> Result<(), Failure> {
    let decode =
        |text: &str| from_base64(text).ok_or_else(|| Failure::wrong("the server's answer is not base64"));
    let leaf = decode(&enrolled.certificate)?;
    if Thumbprint::of(&leaf) != enrolled.thumbprint {
        return Err(Failure::wrong("the server's certificate is not the one it names"));
    }
    let mut chain = pem::certificates(&[&leaf]);
    for issuer in &enrolled.chain {
        chain.push_str(&pem::certificates(&[&decode(issuer)?]));
    }
    replace(&folder.join("chain.pem"), &chain)?;
    replace(&folder.join("cert.pem"), &pem::certificates(&[&leaf]))?;
    fs::rename(folder.join("key.pending.pem"), folder.join("key.pem")).doing("cannot put the key in place")
}

fn replace(file: &Path, text: &str) -> Result<(), Failure> {
    let fresh = file.with_extension("new");
    fs::write(&fresh, text).doing("cannot write the certificate")?;
    fs::rename(&fresh, file).doing("cannot put the certificate in place")
}

/// What is printed beside the certificate.
struct EnrollmentNotice {
    kitted: Option<KittedCertificate>,
    token: Option<token::TokenNotice>,
}

fn report(enrolled: &EnrolledCertificate, folder: &Path, told: &EnrollmentNotice, as_json: bool) {
    let EnrolledCertificate { device, generation, serial, thumbprint, .. } = enrolled;
    if as_json {
        let mut line =
            json!({"device": device, "generation": generation, "serial": serial, "thumbprint": thumbprint});
        if let Some(kitted) = &told.kitted {
            kitted.add_to(&mut line);
        }
        if let Some(token) = &told.token {
            token.add_to(&mut line);
        }
        outln!("{line}");
    } else {
        outln!("device {device}, generation {generation}, serial {serial}");
        if let Some(KittedCertificate { label, device_number, taken, places, .. }) = &told.kitted {
            outln!("{label}, number {device_number}: {taken} of {places}");
        }
        outln!("certificate and key are in {}", folder.display());
        if let Some(token) = &told.token {
            token.print();
        }
    }
}
