//! The options of `tegata enroll` and `tegata renew`.

use super::token::CompanionOptions;
use crate::cli::output::OutputFormat;
use clap::Args;
use std::path::PathBuf;
use tegata_core::HttpOrigin;

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
    #[command(flatten)]
    pub token: CompanionOptions,
    #[command(flatten)]
    pub output: OutputFormat,
}
