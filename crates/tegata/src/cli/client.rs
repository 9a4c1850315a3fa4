//! `tegata client …`: products and programs that are nobody's device, registered while servers run.

mod changing;
mod initial_tokens;
mod registration;
mod showing;

use crate::cli::installation_args::InstallationArgs;
use crate::cli::output::OutputFormat;
use clap::Subcommand;
use tegata_installation::{Failure, SystemContext};

/// What can be done with clients.
#[derive(Subcommand)]
pub enum ClientCommand {
    /// Register a client in the ledger: every server serves it within a second
    Add(changing::AddClientOptions),
    /// List all clients, those of tegata.toml too, and whether they hear of the end of sessions
    List(OutputFormat),
    /// Show one client, as tegata.toml would have it
    Show(showing::ShowClientOptions),
    /// Change a client of the ledger: what is given replaces what was, and nothing ('') takes it away
    Change(changing::AddClientOptions),
    /// Remove a client of the ledger: its codes and refresh tokens end, and gates refuse its access tokens
    Remove(changing::RemoveClientOptions),
    /// Give a client that registered itself another registration access token; the one before works no longer
    Rotate(changing::RotateClientOptions),
    /// Make an initial access token, by which a product registers clients itself (RFC 7591)
    IssueToken(initial_tokens::IssueTokenOptions),
    /// List initial access tokens: what each is for, how many clients are left, until when
    Tokens(OutputFormat),
    /// Take an initial access token back; what was registered by it stays
    WithdrawToken(initial_tokens::WithdrawTokenOptions),
}

/// Runs a command about clients.
pub async fn run(
    place: &InstallationArgs,
    command: &ClientCommand,
    system: &SystemContext,
) -> Result<(), Failure> {
    let (config, ledger) = (place.config()?, place.ledger(system).await?);
    let result = match command {
        ClientCommand::Add(options) => changing::add(&config, &ledger, options, system).await,
        ClientCommand::List(output) => showing::list(&config, &ledger, output.json).await,
        ClientCommand::Show(options) => showing::show(&config, &ledger, options).await,
        ClientCommand::Change(options) => changing::change(&config, &ledger, options, system).await,
        ClientCommand::Remove(options) => changing::remove(&config, &ledger, options, system).await,
        ClientCommand::Rotate(options) => changing::rotate(&config, &ledger, options, system).await,
        ClientCommand::IssueToken(options) => initial_tokens::issue(&config, &ledger, options, system).await,
        ClientCommand::Tokens(output) => initial_tokens::list(&ledger, output.json, system).await,
        ClientCommand::WithdrawToken(options) => initial_tokens::withdraw(&ledger, options, system).await,
    };
    ledger.close().await;
    result
}
