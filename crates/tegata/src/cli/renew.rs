//! `tegata renew`: the next generation by the present one, with a fresh key that is made here and stays here.

mod due;

use super::output::OutputFormat;
use super::printed_certificate::PrintedCertificate;
use crate::client::folder::{CertificateOrigin, finish_interrupted, identity_in, pending_key, store};
use crate::client::token::{self, CompanionToken, RefusedToken, RenewalTokenResponse};
use crate::client::{EnrolledCertificate, attempt, connect, post, previous, read, request};
use clap::Args;
use http::Uri;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tegata_core::encoding::base64;
use tegata_core::{HttpOrigin, Refusal};
use tegata_installation::{Failure, FailureContext, SystemContext};

#[derive(Args)]
pub struct RenewOptions {
    /// Folder made by `tegata enroll`, or any with key.pem, cert.pem and chain.pem
    pub dir: PathBuf,
    /// Address of the device listener, where the folder does not know it
    #[arg(long, value_name = "URL", value_parser = HttpOrigin::parse_https)]
    pub device: Option<HttpOrigin>,
    /// PEM file that verifies the server; without it what `enroll` used
    #[arg(long, value_name = "PEM")]
    pub tls_ca: Option<PathBuf>,
    /// Renew only where it is time to: as the server plans it for this device, and also when it asks everybody to renew at once
    #[arg(long)]
    pub if_due: bool,
    /// Go on for ever and look so often whether it is time to, as --if-due does: 30m, 6h, 1d
    #[arg(long, value_name = "INTERVAL", value_parser = due::interval)]
    pub every: Option<Duration>,
    #[command(flatten)]
    pub token: CompanionOptions,
    #[command(flatten)]
    pub output: OutputFormat,
}

/// Whether a token is wanted, and what becomes of it. It is a secret: it goes to a file, and to standard output only
/// when that is asked for as well.
#[derive(Args)]
pub struct CompanionOptions {
    /// Ask for an access token that is bound to the new certificate, and keep it in DIR/token.json
    #[arg(long)]
    token: bool,
    /// The product that the token is for, where it is not the first
    #[arg(long, value_name = "PRODUCT", requires = "token")]
    resource: Option<String>,
    /// What of the product the token is good for, with spaces in between
    #[arg(long, requires = "token")]
    scope: Option<String>,
    /// Put the token into the JSON on standard output as well
    #[arg(long, requires_all = ["token", "json"])]
    show_token: bool,
}

impl CompanionOptions {
    /// The member of the request.
    fn request(&self) -> Option<Value> {
        self.token.then(|| json!({"resource": self.resource, "scope": self.scope}))
    }

    /// Adds what has become of the token to what is printed: the token itself only where somebody wants to see it.
    fn add(&self, token: &CompanionToken, printed: &mut PrintedCertificate) {
        match token {
            CompanionToken::Kept { file, resource, expires_at, access_token } => {
                let mut json = json!({"file": file, "resource": resource, "expires_at": expires_at});
                if self.show_token {
                    json["access_token"] = json!(access_token);
                }
                let text = format!("a token for {resource} until {expires_at} is in {}", file.display());
                printed.add(json!({"token": json}), &text);
            }
            CompanionToken::Refused(refused) => {
                let RefusedToken { error, error_description } = refused;
                printed.add_error(
                    json!({"token_error": refused}),
                    format!(
                        "the certificate is renewed, and no token came with it: {error}, {error_description}"
                    ),
                );
            }
        }
    }
}

/// Obtains the next generation by the present one: now, when it is time to, or again and again.
pub async fn run(options: &RenewOptions, system: &SystemContext) -> Result<(), Failure> {
    let Some(every) = options.every else { return look(options, options.if_due, system).await };
    loop {
        let wait = match look(options, true, system).await {
            Ok(()) => every,
            Err(failure) => {
                errln!("{failure}");
                every.min(due::RETRY)
            }
        };
        tokio::time::sleep(due::jittered(wait, system.entropy.as_ref())).await;
    }
}

/// Renews, where `if_due` only when it is time to.
async fn look(options: &RenewOptions, if_due: bool, system: &SystemContext) -> Result<(), Failure> {
    let origin = origin_of(options)?;
    let tls_ca = options.tls_ca.as_deref().or(origin.tls_ca.as_deref());
    finish_interrupted(&options.dir)?;
    if if_due && !due::is_due(&options.dir, &origin.device, tls_ca, system).await? {
        // A loop that says every time that there is nothing to do hides what there is.
        if options.every.is_none() && options.output.json {
            outln!("{}", json!({"renewed": false}));
        } else if options.every.is_none() {
            outln!("it is not yet time to renew");
        }
        return Ok(());
    }
    renew(options, &origin, tls_ca, system).await
}

async fn renew(
    options: &RenewOptions,
    origin: &CertificateOrigin,
    tls_ca: Option<&Path>,
    system: &SystemContext,
) -> Result<(), Failure> {
    let present = || connect(tls_ca, Some(identity_in(&options.dir)?), system);
    let pkcs8 = pending_key(&options.dir)?;
    let body = json!({"csr": base64(&request(&pkcs8)?), "token": options.token.request()});
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
                old = connect(tls_ca, Some(identity_in(&previous)?), system)?;
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
    let token = token::keep(answered, &options.dir, &enrolled.thumbprint, system.now())?;
    let delivered = json!({"thumbprint": enrolled.thumbprint});
    post(&old, format!("{}/api/v1/deliveries", origin.device), delivered).await?;
    // Presented once, the new certificate is proved to work; only now may the old one begin to retire.
    let probe: Uri = format!("{}/probe", origin.device).parse().doing("the device address is not a URL")?;
    let _: serde_json::Value =
        present()?.get_json(&probe).await.doing("the new certificate does not work yet")?;
    let mut printed = PrintedCertificate::new(&enrolled, &options.dir);
    if let Some(token) = token {
        options.token.add(&token, &mut printed);
    }
    printed.print(&options.output);
    Ok(())
}

/// Where a folder's certificate is renewed: as `enroll` wrote it down, or as somebody says who brings a certificate from
/// another authority.
fn origin_of(options: &RenewOptions) -> Result<CertificateOrigin, Failure> {
    if let Some(device) = &options.device {
        return Ok(CertificateOrigin { device: device.to_string(), tls_ca: None });
    }
    CertificateOrigin::read(&options.dir)
}
