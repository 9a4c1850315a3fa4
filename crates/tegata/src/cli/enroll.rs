//! `tegata enroll`: a first certificate, for kitting and for servers without a browser. The key is made here and stays here.

use super::output::OutputFormat;
use super::printed_certificate::PrintedCertificate;
use crate::client::folder::{CertificateOrigin, pending_key, store};
use crate::client::link::EnrollmentLink;
use crate::client::{EnrolledCertificate, connect, post, read, request};
use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tegata_core::encoding::base64;
use tegata_core::{ApprovalId, Platform};
use tegata_installation::{Failure, FailureContext, SystemContext};

#[derive(Args)]
pub struct EnrollOptions {
    /// The invitation link, or a kitting link for one device after the other
    pub invitation: String,
    /// What the device is called, such as its asset number. For kitting links only: an invitation has a name
    #[arg(long)]
    pub label: Option<String>,
    /// Folder for key.pem, cert.pem and chain.pem; made if it is not there
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// PEM file that verifies the server; without it the system's trust is used
    #[arg(long, value_name = "PEM")]
    pub tls_ca: Option<PathBuf>,
    #[command(flatten)]
    pub output: OutputFormat,
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
    fn json(&self) -> Value {
        json!(self)
    }

    fn text(&self) -> String {
        let Self { label, device_number, taken, places, .. } = self;
        format!("{label}, number {device_number}: {taken} of {places}")
    }
}

/// Obtains a first certificate with an invitation.
pub async fn run(options: &EnrollOptions, system: &SystemContext) -> Result<(), Failure> {
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
    let client = connect(tls_ca.as_deref(), None, system)?;
    let ask = |path: &str, body| post(&client, format!("{portal}{path}"), body);
    let api = |path| format!("/api/v1{}{path}", if kitting { "/kitting" } else { "" });
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
    let answer = ask(&api("/enrollments"), body.clone()).await?;
    // A kitting code is asked again as it was asked first: its answer says more than an approval's.
    let again = |approval: &ApprovalId| {
        if kitting {
            (api("/enrollments"), body.clone())
        } else {
            ("/api/v1/approvals".to_owned(), json!({"approval": approval}))
        }
    };
    let answer = approved(answer, &options.out, &ask, again).await?;
    let kitted: Option<KittedCertificate> = if kitting { Some(read(&answer)?) } else { None };
    let enrolled: EnrolledCertificate = read(&answer)?;
    store(&options.out, &enrolled)?;
    CertificateOrigin { device: opened.device_origin, tls_ca }.write(&options.out)?;
    let delivered = json!({"code": code.reveal(), "thumbprint": enrolled.thumbprint});
    ask(&api("/deliveries"), delivered).await?;
    let mut printed = PrintedCertificate::new(&enrolled, &options.out);
    if let Some(kitted) = kitted {
        printed.add(kitted.json(), &kitted.text());
    }
    printed.print(&options.output);
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
    let mut is_printed = false;
    while let Ok(WaitingForApproval { approval, number, retry_after }) = read(&answer) {
        if !is_printed {
            errln!("waiting for approval {number}: tegata approvals approve {approval}");
            errln!("the key is in {}: the same command goes on if this is stopped", folder.display());
            is_printed = true;
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
