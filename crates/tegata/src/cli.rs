//! The command line.

use crate::approval::{ApprovalsOptions, ApproveOptions, DeclineOptions};
use crate::ceremony::CeremonyOptions;
use crate::certificate::CertificateCommand;
use crate::client::{EnrollOptions, RenewOptions};
use crate::dev::DevOptions;
use crate::device::DeviceCommand;
use crate::gate::GateOptions;
use crate::import::ImportCommand;
use crate::init::InitOptions;
use crate::invite::InviteOptions;
use crate::issuer::IssuerCommand;
use crate::key::KeyCommand;
use crate::licence::LicenceCommand;
use crate::output::Output;
use crate::place::Place;
use crate::policy::PolicyCommand;
use crate::receivers::ReceiverCommand;
use crate::revocations::RevocationsCommand;
use crate::tenant::{SiteCommand, TenantCommand};
use crate::token_keys::command::TokenKeyCommand;
use clap::{Parser, Subcommand};

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
