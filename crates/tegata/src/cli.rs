//! The command line.

use crate::approval::{ApprovalsOptions, ApproveOptions, DeclineOptions};
use crate::ceremony::CeremonyOptions;
use crate::certificate::CertificateCommand;
use crate::client::token::CompanionOptions;
use crate::gate::GateOptions;
use crate::house::Place;
use crate::import::ImportCommand;
use crate::invite::{DEFAULT_CODE_MINUTES, DEFAULT_DAYS, InvitationCommand, KittingOptions};
use crate::issuer::IssuerCommand;
use crate::key::KeyCommand;
use crate::licence::LicenceCommand;
use crate::policy::PolicyCommand;
use crate::proof::Proof;
use crate::receivers::ReceiverCommand;
use crate::revocations::RevocationsCommand;
use crate::sign_out::SignOut;
use crate::tenant::{SiteCommand, TenantCommand};
use crate::token_keys::command::TokenKeyCommand;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use tegata_core::RevocationReason;

/// Certificates for the devices of a pharmacy: issued with one click, checked at every request, stopped within a second.
///
/// Begin with `tegata dev`: it makes an installation in ./data, starts the server, and shows an invitation to open in a
/// browser. Commands act on the installation in --data DIR. Exit codes: 0 good, 1 something is wrong, 2 misuse.
#[derive(Parser)]
#[command(name = "tegata", version, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub place: Place,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Run a local installation, making it first if need be, and show an invitation
    Dev(DevOptions),
    /// Make a new installation: root and issuing CA, ledger, first tenant and site, tegata.toml
    Init(InitOptions),
    /// Run an installation
    Serve,
    /// Look for anything wrong: ledger, audit chain, certificates, keys, CAs, due renewals
    Check(Output),
    /// Act on the hierarchy of CAs as a reviewed file describes it. Shows what it would do unless --perform
    Ceremony(CeremonyOptions),
    /// CAs: list, show
    #[command(subcommand)]
    Issuer(IssuerCommand),
    /// Tenants (法人): add, list, stop with all their devices
    #[command(subcommand)]
    Tenant(TenantCommand),
    /// Sites (店舗): add, list
    #[command(subcommand)]
    Site(SiteCommand),
    /// Licences: which tenants and sites may ask tokens for a product: grant, withdraw, list
    #[command(subcommand)]
    Licence(LicenceCommand),
    /// Policies: who may enrol, with what, from where and when; by tenant and by site: show, set, clear
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// List devices that wait for approval, where the policy asks for one
    Approvals(ApprovalsOptions),
    /// Let a device that waits have its certificate
    Approve(ApproveOptions),
    /// Decide against a device that waits
    Decline(DeclineOptions),
    /// Devices and gates: find, show, stop, sign out
    #[command(subcommand)]
    Device(DeviceCommand),
    /// Single certificates: find, show, revoke with what was renewed from them
    #[command(subcommand)]
    Certificate(CertificateCommand),
    /// Keys in other hands: block for ever, list
    #[command(subcommand)]
    Key(KeyCommand),
    /// Keys that sign tokens and the feed: list, rotate, withdraw
    #[command(subcommand)]
    TokenKey(TokenKeyCommand),
    /// Receivers of security events: list, verify, pause, disable, resume
    #[command(subcommand)]
    Receiver(ReceiverCommand),
    /// Take over the devices of another authority's CA
    #[command(subcommand)]
    Import(ImportCommand),
    /// The revocation log, which restoring a backup of the ledger does not undo
    #[command(subcommand)]
    Revocations(RevocationsCommand),
    /// Make an invitation: a link that works once, or for many devices in a row; list, show, revoke them
    Invite(InviteOptions),
    /// Obtain a certificate on this machine with an invitation; the key is made here
    Enroll(EnrollOptions),
    /// Renew the certificate in DIR with a fresh key, by the old certificate
    Renew(RenewOptions),
    /// Run a gate that answers a proxy's question whether a request may pass
    Gate(GateOptions),
}

#[derive(Args)]
pub struct Output {
    /// JSON on standard output, for scripts
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct DevOptions {
    /// When ready, one JSON line on standard output
    #[arg(long)]
    pub json: bool,
    /// Port of the portal; 0 for any free one
    #[arg(long, value_name = "N")]
    pub portal_port: Option<u16>,
    /// Port of the device listener; 0 for any free one
    #[arg(long, value_name = "N")]
    pub device_port: Option<u16>,
    /// Port of the public listener; 0 for any free one
    #[arg(long, value_name = "N")]
    pub public_port: Option<u16>,
    /// Port of metrics and health, on loopback; 0 for any free one. Off unless it is given here or configured
    #[arg(long, value_name = "N")]
    pub metrics_port: Option<u16>,
}

#[derive(Args)]
pub struct InitOptions {
    /// Host name you own; it goes into the URIs of certificates and must never change
    #[arg(long, default_value = "tegata.localhost")]
    pub name: String,
    /// Host by which browsers reach the portal and the device listener
    #[arg(long, default_value = "localhost")]
    pub host: String,
    /// http:// address, without a port, of the public listener; written into certificates
    #[arg(long, default_value = "http://127.0.0.1")]
    pub public: String,
    /// Where the ledger is: sqlite:PATH or postgres://…
    #[arg(long, default_value = "sqlite:ledger.db")]
    pub storage: String,
    /// Where the revocation log is, which must outlive the ledger: on another disk
    #[arg(long, value_name = "PATH", default_value = "revocations.log")]
    pub revocations: String,
    /// Make no CA: the first one comes from a root elsewhere, by `tegata ceremony`
    #[arg(long, conflicts_with = "label")]
    pub without_ca: bool,
    /// Name of the first tenant (法人), also in the CAs' names
    #[arg(long, default_value = "あおば薬局グループ")]
    pub tenant_name: String,
    /// Name of its first site (店舗)
    #[arg(long, default_value = "本店")]
    pub site_name: String,
    /// Audience of the first product
    #[arg(long, default_value = "https://product.localhost")]
    pub audience: String,
    /// Port of the portal
    #[arg(long, default_value_t = 8443)]
    pub portal_port: u16,
    /// Port of the device listener
    #[arg(long, default_value_t = 9443)]
    pub device_port: u16,
    /// Port of the public listener
    #[arg(long, default_value_t = 8080)]
    pub public_port: u16,
    /// Protects the keys instead of the file unlock.key; asked for again at every start
    #[arg(long, env = "TEGATA_PASSPHRASE", hide_env_values = true)]
    pub passphrase: Option<String>,
    /// Open the door for SCEP, and allow devices the RSA keys that its clients have
    #[arg(long)]
    pub scep: bool,
    #[command(flatten)]
    pub token: TokenOptions,
}

/// A PKCS#11 token for the keys of root and issuing CA, instead of files.
#[derive(Args, Default)]
pub struct TokenOptions {
    /// Make the CA keys on a PKCS#11 token: the vendor's library, as /usr/lib/softhsm/libsofthsm2.so
    #[arg(long = "pkcs11-module", value_name = "PATH", requires = "label")]
    pub module: Option<PathBuf>,
    /// Label of the token
    #[arg(id = "label", long = "pkcs11-token", value_name = "LABEL", requires = "module")]
    pub label: Option<String>,
    /// File of mode 0600 with the token's PIN; without it `TEGATA_PIN` is used, now and at every start
    #[arg(long = "pkcs11-pin", value_name = "FILE", requires = "module")]
    pub pin: Option<PathBuf>,
}

impl InitOptions {
    /// What `tegata dev` makes.
    pub fn for_development() -> Self {
        Self {
            name: "tegata.localhost".into(),
            host: "localhost".into(),
            public: "http://127.0.0.1".into(),
            storage: "sqlite:ledger.db".into(),
            revocations: "revocations.log".into(),
            without_ca: false,
            tenant_name: "あおば薬局グループ".into(),
            site_name: "本店".into(),
            audience: "https://product.localhost".into(),
            portal_port: 8443,
            device_port: 9443,
            public_port: 8080,
            passphrase: None,
            scep: true,
            token: TokenOptions::default(),
        }
    }
}

#[derive(Subcommand)]
pub enum DeviceCommand {
    /// List devices and gates
    List {
        /// Part of an identifier, label, site or tenant
        #[arg(default_value = "")]
        text: String,
        #[command(flatten)]
        output: Output,
    },
    /// Show one with its certificates and history
    Show {
        /// Its identifier, or the device number that its page shows
        device: String,
        #[command(flatten)]
        output: Output,
    },
    /// Stop it for now; `resume` lets it go on with the same certificate
    Suspend(Stop),
    /// Let a suspended one go on
    Resume(Stop),
    /// Stop it for ever: device, certificates, tokens and connections
    Revoke {
        #[command(flatten)]
        stop: Stop,
        /// Why
        #[arg(long, value_enum, default_value_t = Reason::KeyCompromise)]
        reason: Reason,
    },
    /// Sign it out: its tokens are refused, its certificate stays and may obtain others
    RevokeTokens {
        /// Its identifier, or the device number that its page shows
        device: String,
        #[command(flatten)]
        sign_out: SignOut,
    },
}

#[derive(Args)]
pub struct Stop {
    /// Its identifier, or the device number that its page shows
    pub device: String,
    #[command(flatten)]
    pub proof: Proof,
}

/// Reasons of RFC 5280 section 5.3.1 that a person can give.
#[derive(Clone, Copy, ValueEnum)]
pub enum Reason {
    /// Lost, stolen or copied
    KeyCompromise,
    /// Belongs elsewhere now
    AffiliationChanged,
    /// Replaced by another device
    Superseded,
    /// No longer used
    CessationOfOperation,
    /// Not said
    Unspecified,
}

impl From<Reason> for RevocationReason {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::KeyCompromise => Self::KeyCompromise,
            Reason::AffiliationChanged => Self::AffiliationChanged,
            Reason::Superseded => Self::Superseded,
            Reason::CessationOfOperation => Self::CessationOfOperation,
            Reason::Unspecified => Self::Unspecified,
        }
    }
}

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct InviteOptions {
    #[command(subcommand)]
    pub act: Option<InvitationCommand>,
    #[command(flatten)]
    pub kitting: KittingOptions,
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
    #[arg(long, value_name = "URL")]
    pub portal: Option<String>,
    #[command(flatten)]
    pub output: Output,
}

impl InviteOptions {
    /// What a device is called unless somebody says otherwise.
    pub const LABEL: &str = "端末";
}

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
    pub output: Output,
}

#[derive(Args)]
pub struct RenewOptions {
    /// Folder made by `tegata enroll`, or any with key.pem, cert.pem and chain.pem
    pub dir: PathBuf,
    /// Address of the device listener, where the folder does not know it
    #[arg(long, value_name = "URL")]
    pub device: Option<String>,
    /// PEM file that verifies the server; without it what `enroll` used
    #[arg(long, value_name = "PEM")]
    pub tls_ca: Option<PathBuf>,
    #[command(flatten)]
    pub token: CompanionOptions,
    #[command(flatten)]
    pub output: Output,
}
