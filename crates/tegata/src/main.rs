//! The program: command line, configuration, listeners, wiring, background passes.
//!
//! Only here is a clock read, the environment looked at, and a file opened.

mod acme;
mod approval;
mod bulk;
mod canary;
mod ceremony;
mod certificate;
mod check;
mod cli;
mod client;
mod clients;
mod config;
mod dev;
mod device;
mod doors;
mod failure;
mod gate;
mod hierarchy;
mod house;
mod import;
mod init;
mod invite;
mod issuer;
mod key;
mod keys;
mod ledger;
mod licence;
mod loops;
mod machine;
mod metrics;
mod output;
mod pem;
mod place;
mod plain;
mod policy;
mod profiles;
mod proof;
mod proxied;
mod public;
mod reason;
mod receivers;
mod revocations;
mod running;
mod scep;
mod serve;
mod servers;
mod sign_out;
mod system;
mod tenant;
mod token_keys;
mod tokens;

use clap::Parser;
use cli::{Cli, Command};
use failure::Failure;
use machine::Machine;
use std::io::IsTerminal;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let cli = Cli::parse();
    start_log();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return end(&Failure::wrong(error)),
    };
    match runtime.block_on(run(&cli, &Machine::real())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => end(&failure),
    }
}

async fn run(cli: &Cli, machine: &Machine) -> Result<(), Failure> {
    let place = &cli.place;
    match &cli.command {
        Command::Dev(options) => dev::run(place, options, machine).await,
        Command::Init(options) => {
            std::fs::create_dir_all(&place.data).map_err(Failure::wrong)?;
            init::init(&place.data, options, machine).await?;
            eprintln!(
                "made {}; start it with: tegata serve --data {}",
                place.file().display(),
                place.data.display()
            );
            Ok(())
        }
        Command::Serve => serve::serve(place, machine).await,
        Command::Check(output) => check::run(place, output.json, machine).await,
        Command::Ceremony(options) => ceremony::run(place, options, machine).await,
        Command::Issuer(command) => issuer::run(place, command, machine).await,
        Command::Tenant(command) => tenant::run(place, command, machine).await,
        Command::Site(command) => tenant::run_site(place, command, machine).await,
        Command::Licence(command) => licence::run(place, command, machine).await,
        Command::Policy(command) => policy::run(place, command, machine).await,
        Command::Approvals(options) => approval::list(place, options, machine).await,
        Command::Approve(options) => approval::approve(place, options, machine).await,
        Command::Decline(options) => approval::decline(place, options, machine).await,
        Command::Device(command) => device::run(place, command, machine).await,
        Command::Certificate(command) => certificate::run(place, command, machine).await,
        Command::Key(command) => key::run(place, command, machine).await,
        Command::TokenKey(command) => token_keys::command::run(place, command, machine).await,
        Command::Receiver(command) => receivers::run(place, command, machine).await,
        Command::Import(command) => import::run(place, command, machine).await,
        Command::Revocations(command) => revocations::run(place, *command, machine).await,
        Command::Invite(options) => invite::run(place, options, machine).await,
        Command::Enroll(options) => client::enroll(options, machine).await,
        Command::Renew(options) => client::renew(options, machine).await,
        Command::Gate(options) => gate::run(options, machine).await,
    }
}

/// Logs go to standard error; `TEGATA_LOG` chooses what, as `info,tegata_web=debug`.
fn start_log() {
    let filter = EnvFilter::try_from_env("TEGATA_LOG").unwrap_or_else(|_| EnvFilter::new("warn,tegata=info"));
    let colour = std::io::stderr().is_terminal();
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colour).init();
}

fn end(failure: &Failure) -> ExitCode {
    eprintln!("tegata: {failure}");
    ExitCode::from(failure.exit_code())
}
