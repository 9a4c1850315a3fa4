//! The program: command line, configuration, listeners, wiring, background passes.
//!
//! Only here is a clock read, the environment looked at, and a file opened.

// What is printed goes through `printing`, which knows that a reader may go away.
#![deny(clippy::print_stdout, clippy::print_stderr)]

#[macro_use]
mod printing;

mod acme;
mod bulk;
mod canary;
mod ceremony;
mod check;
mod cli;
mod client;
mod clients;
mod config;
mod dev;
mod doors;
mod failure;
mod gate;
mod hierarchy;
mod house;
mod init;
mod keys;
mod ledger;
mod listener_certificates;
mod loops;
mod machine;
mod metrics;
mod names;
mod pem;
mod place;
mod plain;
mod profiles;
mod progress;
mod proxied;
mod public;
mod receivers;
mod running;
mod scep;
mod serve;
mod servers;
mod system;
mod token_keys;
mod tokens;

use clap::Parser;
use cli::Cli;
use failure::Failure;
use machine::Machine;
use std::io::IsTerminal;
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

fn main() -> ExitCode {
    let cli = Cli::parse();
    start_log(&cli);
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return end(&Failure::wrong(error)),
    };
    match runtime.block_on(cli.run(&Machine::real())).and_then(|()| printing::finish()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => end(&failure),
    }
}

/// Logs go to standard error; `TEGATA_LOG` chooses what, as `info,tegata_web=debug`.
fn start_log(cli: &Cli) {
    // What a command reads may take long without anything being wrong.
    let usual = if cli.command.serves() { "warn,tegata=info" } else { "warn,tegata=info,sqlx::query=error" };
    let filter = EnvFilter::try_from_env("TEGATA_LOG").unwrap_or_else(|_| EnvFilter::new(usual));
    let colour = std::io::stderr().is_terminal();
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_ansi(colour)
        // Whoever read standard error may have gone away; a word about that would have nowhere to go.
        .log_internal_errors(false)
        .init();
}

fn end(failure: &Failure) -> ExitCode {
    errln!("tegata: {failure}");
    ExitCode::from(failure.exit_code())
}
