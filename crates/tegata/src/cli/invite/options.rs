//! The options of `tegata invite`.

use super::kitting::KittingOptions;
use super::managing::InvitationCommand;
use crate::cli::output::OutputFormat;
use crate::cli::scope::{TenantDirectory, rows};
use clap::Args;
use std::path::PathBuf;
use tegata_core::HttpOrigin;
use tegata_installation::Failure;
use tegata_storage::{Ledger, ScopedLedger, Site};

/// How long an invitation waits, in days, by default.
pub const DEFAULT_DAYS: u32 = 7;

/// How long a short code lives, in minutes, by default.
pub const DEFAULT_CODE_MINUTES: u32 = 60;

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct InviteOptions {
    #[command(subcommand)]
    pub act: Option<InvitationCommand>,
    #[command(flatten)]
    pub kitting: KittingOptions,
    /// Name or identifier of the tenant, where sites of several tenants have this name
    #[arg(long)]
    pub tenant: Option<String>,
    /// Name or identifier of the site; not needed where there is only one
    #[arg(long)]
    pub site: Option<String>,
    /// What the device is called, in the browser's list too. No names of persons
    #[arg(long, default_value = Self::LABEL)]
    pub label: String,
    /// Invite a gate of this name instead of a device
    #[arg(long, value_name = "NAME", conflicts_with = "label")]
    pub gate: Option<String>,
    /// Show what an ACME client needs to use it: key identifier, HMAC key, and the name to order
    #[arg(long)]
    pub acme: bool,
    /// How many days it waits
    #[arg(long, default_value_t = DEFAULT_DAYS, value_parser = clap::value_parser!(u32).range(1..=90))]
    pub days: u32,
    /// Make a short code as well, to type on the portal's first page where no mail arrives
    #[arg(long)]
    pub code: bool,
    /// How many minutes the short code lives
    #[arg(long, value_name = "N", requires = "code", default_value_t = DEFAULT_CODE_MINUTES,
        value_parser = clap::value_parser!(u32).range(5..=1440))]
    pub code_minutes: u32,
    /// Write a sheet to print and hand over: link, QR code, steps. It is a secret, as the link is
    #[arg(long, value_name = "FILE.html")]
    pub sheet: Option<PathBuf>,
    /// Invite every line of a list with the columns site, label and, if need be, role (device or gate). A list with a wrong
    /// line is reported and nothing is written
    #[arg(long, value_name = "FILE.csv", conflicts_with_all = ["site", "label", "gate"])]
    pub csv: Option<PathBuf>,
    /// Address of the portal for the link, where it is not the configured one
    #[arg(long, value_name = "URL", value_parser = HttpOrigin::parse_https)]
    pub portal: Option<HttpOrigin>,
    #[command(flatten)]
    pub output: OutputFormat,
}

impl InviteOptions {
    /// The one site that is meant.
    pub async fn site(&self, ledger: &Ledger) -> Result<Site, Failure> {
        let directory = TenantDirectory::read(ledger).await?;
        let place = directory.one_site(self.tenant.as_deref(), self.site.as_deref())?;
        place.site.cloned().ok_or_else(|| Failure::misuse("name a site with --site"))
    }

    /// The sites that the lines of a list may name, and the ledger as whoever names them sees it.
    pub async fn sites(&self, ledger: &Ledger) -> Result<(ScopedLedger, Vec<Site>), Failure> {
        let directory = TenantDirectory::read(ledger).await?;
        let tenant = self.tenant.as_deref().map(|tenant| directory.tenant(Some(tenant))).transpose()?;
        let only = tenant.map(|tenant| tenant.id.clone());
        let sites = directory.sites.into_iter();
        let within = |site: &Site| only.as_ref().is_none_or(|only| site.tenant == *only);
        Ok((rows(ledger, only.as_ref()), sites.filter(within).collect()))
    }

    /// What a device is called by default.
    pub const LABEL: &str = "端末";
}
