//! The command line: one file a command.

pub mod approvals;
pub mod audit;
pub mod ceremony;
pub mod certificate;
pub mod check;
pub mod client;
pub mod confirm;
pub mod contract;
pub mod dev;
pub mod device;
pub mod digest;
pub mod documentation;
pub mod enroll;
pub mod gate;
pub mod guidance;
pub mod health;
pub mod history;
pub mod import;
pub mod init;
pub mod installation_args;
pub mod invite;
pub mod issuer;
pub mod key;
pub mod license;
pub mod moment;
pub mod notices;
pub mod output;
pub mod passes;
pub mod person;
pub mod policy;
pub mod printed_certificate;
pub mod progress;
pub mod proof;
pub mod reason;
pub mod receiver;
pub mod renew;
pub mod renewals;
pub mod revocations;
pub mod scope;
pub mod serve;
pub mod sign_out;
pub mod site;
pub mod tenant;
pub mod token_key;
pub mod transfer;
pub mod why;

use crate::log::LogFormat;
use approvals::{ApprovalsOptions, ApproveOptions, DeclineOptions};
use audit::AuditCommand;
use ceremony::CeremonyArgs;
use certificate::CertificateCommand;
use check::CheckOptions;
use clap::{Parser, Subcommand};
use client::ClientCommand;
use contract::ContractCommand;
use dev::DevOptions;
use device::DeviceCommand;
use digest::DigestOptions;
use documentation::{CompletionsOptions, ManOptions};
use enroll::EnrollOptions;
use gate::GateOptions;
use import::ImportCommand;
use init::InitArgs;
use installation_args::InstallationArgs;
use invite::InviteOptions;
use issuer::IssuerCommand;
use key::KeyCommand;
use license::LicenseCommand;
use notices::NoticesCommand;
use output::OutputFormat;
use passes::PassesCommand;
use person::PersonCommand;
use policy::PolicyCommand;
use receiver::ReceiverCommand;
use renew::RenewOptions;
use renewals::RenewalsCommand;
use revocations::RevocationsCommand;
use serve::ServeOptions;
use site::SiteCommand;
use tegata_installation::{Failure, SystemContext};
use tenant::TenantCommand;
use token_key::TokenKeyCommand;
use transfer::TransferCommand;
use why::WhyOptions;

/// Certificates for the devices of a pharmacy: issued with one click, checked at every request, stopped within a second.
///
/// Begin with `tegata dev`: it makes an installation in ./data, starts the server, and shows an invitation to open in a
/// browser. Commands act on the installation in --data DIR. Exit codes: 0 good, 1 something is wrong or nothing was
/// found, 2 misuse. What cannot be undone asks on a terminal, and needs --yes where there is none.
#[derive(Parser)]
#[command(name = "tegata", version, max_term_width = 100)]
pub struct Cli {
    #[command(flatten)]
    pub place: InstallationArgs,
    /// How the log on standard error is written. `TEGATA_LOG` chooses what is, as `info,tegata_web=debug`
    #[arg(long, global = true, value_enum, default_value_t, value_name = "FORMAT")]
    pub log: LogFormat,
    #[command(subcommand)]
    pub command: Command,
}

#[derive(Subcommand)]
pub enum Command {
    /// Run a local installation, making it first if need be, and show an invitation
    Dev(DevOptions),
    /// Make a new installation: root and issuing CA, ledger, first tenant and site, tegata.toml
    Init(InitArgs),
    /// Serve an installation until it is stopped
    Serve(ServeOptions),
    /// Look for anything wrong: ledger, audit chain, certificates, keys, CAs, due renewals
    Check(CheckOptions),
    /// Say how the installation does: servers, passes, CAs, lists, gates, receivers, and what somebody has to look at
    Health(OutputFormat),
    /// Act on the hierarchy of CAs as a reviewed file describes it. Shows what it would do unless --perform
    Ceremony(CeremonyArgs),
    /// CAs of the installation: list, show
    #[command(subcommand)]
    Issuer(IssuerCommand),
    /// Tenants (法人): add, list, stop with all their devices
    #[command(subcommand)]
    Tenant(TenantCommand),
    /// Sites (店舗): add, list
    #[command(subcommand)]
    Site(SiteCommand),
    /// Licenses: which tenants and sites may ask tokens for a product: grant, withdraw, list
    #[command(subcommand, alias = "licence")]
    License(LicenseCommand),
    /// Contracts: companies, sites and licenses in step with the vendor's register of customers: import
    #[command(subcommand)]
    Contract(ContractCommand),
    /// Policies: who may enroll, with what, from where and when; by tenant and by site: show, set, clear
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Devices that wait for approval, where the policy asks for one: list, approve, decline
    Approvals(ApprovalsOptions),
    /// The former name of `approvals approve`
    #[command(hide = true)]
    Approve(ApproveOptions),
    /// The former name of `approvals decline`
    #[command(hide = true)]
    Decline(DeclineOptions),
    /// Devices and gates: find, show, stop, sign out
    #[command(subcommand)]
    Device(DeviceCommand),
    /// People who sign in: add, list, show, disable, sign out, reset
    #[command(subcommand)]
    Person(PersonCommand),
    /// OAuth clients, which are no devices: add, list, show, change, remove; tokens by which products register them
    #[command(subcommand)]
    Client(ClientCommand),
    /// Single certificates: find, show, revoke with what was renewed from them
    #[command(subcommand)]
    Certificate(CertificateCommand),
    /// Compromised keys: block for ever, list
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
    /// The audit log: export it to files that prove themselves, verify them
    #[command(subcommand)]
    Audit(AuditCommand),
    /// What servers do by the clock: list it, with who does it and how it went
    #[command(subcommand)]
    Passes(PassesCommand),
    /// Make an invitation: a link that works once, or for many devices in a row; list, show, revoke them
    Invite(InviteOptions),
    /// Obtain a certificate on this machine with an invitation; the key is made here
    Enroll(EnrollOptions),
    /// Renew the certificate in DIR with a fresh key, by the old certificate
    Renew(RenewOptions),
    /// Explain the code that a page or a gate shows somebody: who, which device, which rule, what to tell them
    Why(WhyOptions),
    /// When certificates are renewed: list, plan, rules, pause, all at once
    #[command(subcommand)]
    Renewals(RenewalsCommand),
    /// Who is told of renewals by mail, and what they were sent
    #[command(subcommand)]
    Notices(NoticesCommand),
    /// What there is to do today: what waits for a decision, what ends, what fails
    Digest(DigestOptions),
    /// Transfers of business (事業譲渡): plan, dry run, approve, abort, report
    #[command(subcommand)]
    Transfer(TransferCommand),
    /// Run a gate that answers a proxy's question whether a request may pass
    Gate(Box<GateOptions>),
    /// Write a script that completes these commands in a shell
    Completions(CompletionsOptions),
    /// Write a manual page for each command
    Man(ManOptions),
}

impl Command {
    /// Whether it runs until it is stopped.
    pub const fn serves(&self) -> bool {
        match self {
            Self::Dev(_) | Self::Serve(_) | Self::Gate(_) => true,
            Self::Renew(options) => options.every.is_some(),
            _ => false,
        }
    }

    /// Threads that run connections, if it says how many.
    pub fn threads(&self) -> Option<usize> {
        match self {
            Self::Serve(options) => Some(options.threads()),
            Self::Dev(options) => Some(options.serving.threads()),
            _ => None,
        }
    }
}

impl Cli {
    pub async fn run(&self, system: &SystemContext) -> Result<(), Failure> {
        let place = &self.place;
        match &self.command {
            Command::Dev(options) => Box::pin(dev::run(place, options, system)).await,
            Command::Init(options) => init::run(place, options, system).await,
            Command::Serve(_) => Box::pin(serve::run(place, system)).await,
            Command::Check(options) => Box::pin(check::run(place, options, system)).await,
            Command::Health(output) => health::run(place, output, system).await,
            Command::Ceremony(options) => ceremony::run(place, options, system).await,
            Command::Issuer(command) => issuer::run(place, command, system).await,
            Command::Tenant(command) => tenant::run(place, command, system).await,
            Command::Site(command) => site::run(place, command, system).await,
            Command::License(command) => license::run(place, command, system).await,
            Command::Contract(command) => contract::run(place, command, system).await,
            Command::Policy(command) => policy::run(place, command, system).await,
            Command::Approvals(options) => approvals::run(place, options, system).await,
            Command::Approve(options) => approvals::approve(place, options, system).await,
            Command::Decline(options) => approvals::decline(place, options, system).await,
            Command::Device(command) => device::run(place, command, system).await,
            Command::Person(command) => person::run(place, command, system).await,
            Command::Client(command) => Box::pin(client::run(place, command, system)).await,
            Command::Certificate(command) => certificate::run(place, command, system).await,
            Command::Key(command) => key::run(place, command, system).await,
            Command::TokenKey(command) => token_key::run(place, command, system).await,
            Command::Receiver(command) => receiver::run(place, command, system).await,
            Command::Import(command) => import::run(place, command, system).await,
            Command::Audit(command) => audit::run(place, command, system).await,
            Command::Revocations(command) => revocations::run(place, command, system).await,
            Command::Renewals(command) => renewals::run(place, command, system).await,
            Command::Notices(command) => notices::run(place, command, system).await,
            Command::Digest(options) => digest::run(place, options, system).await,
            Command::Transfer(command) => transfer::run(place, command, system).await,
            Command::Passes(command) => passes::run(place, command, system).await,
            Command::Invite(options) => invite::run(place, options, system).await,
            Command::Enroll(options) => enroll::run(options, system).await,
            Command::Renew(options) => renew::run(options, system).await,
            Command::Why(options) => why::run(place, options, system).await,
            Command::Gate(options) => gate::run(options, system).await,
            Command::Completions(options) => {
                options.run();
                Ok(())
            }
            Command::Man(options) => options.run(),
        }
    }
}
