//! The program: command line, configuration, listeners, wiring, background passes.
//!
//! Only here is a clock read, the environment looked at, and a file opened.

// What is printed goes through `printing`, which knows that a reader may go away.
#![deny(clippy::print_stdout, clippy::print_stderr)]

#[macro_use]
mod printing;

mod cli;
mod client;
mod log;
mod resolver;
mod server;
mod system;

use clap::Parser;
use cli::Cli;
use std::process::ExitCode;
use tegata_installation::Failure;
use tokio::runtime::{Builder, Runtime};

fn main() -> ExitCode {
    let cli = Cli::parse();
    log::start(cli.log, cli.command.serves());
    let runtime = match runtime(cli.command.threads()) {
        Ok(runtime) => runtime,
        Err(error) => return end(&Failure::wrong(error)),
    };
    match runtime.block_on(cli.run(&system::context())).and_then(|()| printing::finish()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => end(&failure),
    }
}

fn runtime(threads: Option<usize>) -> std::io::Result<Runtime> {
    let mut builder = Builder::new_multi_thread();
    if let Some(threads) = threads {
        builder.worker_threads(threads);
    }
    builder.enable_all().build()
}

fn end(failure: &Failure) -> ExitCode {
    errln!("tegata: {failure}");
    ExitCode::from(failure.exit_code())
}
