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
mod dates;
mod dev;
mod failure;
mod gate;
mod hierarchy;
mod init;
mod installation_args;
mod keys;
mod ledger;
mod listener_certificates;
mod listeners;
mod log;
mod loops;
mod metrics;
mod pem;
mod plain_http;
mod profiles;
mod progress;
mod proxied;
mod public;
mod receivers;
mod resolver;
mod running_addresses;
mod scep;
mod serve;
mod server;
mod server_certificates;
mod startup;
mod system;
mod system_context;
mod token_keys;
mod tokens;

use clap::Parser;
use cli::Cli;
use failure::Failure;
use std::process::ExitCode;
use system_context::SystemContext;

fn main() -> ExitCode {
    let cli = Cli::parse();
    log::start(cli.log, cli.command.serves());
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return end(&Failure::wrong(error)),
    };
    match runtime.block_on(cli.run(&SystemContext::real())).and_then(|()| printing::finish()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => end(&failure),
    }
}

fn end(failure: &Failure) -> ExitCode {
    errln!("tegata: {failure}");
    ExitCode::from(failure.exit_code())
}
