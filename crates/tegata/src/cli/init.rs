//! `tegata init`: makes an installation, asking on a terminal for what was not said, and tells what comes next.

mod next_steps;
mod options;
mod questions;

pub use options::InitArgs;

use crate::cli::installation_args::InstallationArgs;
use next_steps::NextSteps;
use std::io::IsTerminal;
use tegata_admin::init::{InitOptions, init, refuse_known};
use tegata_installation::{Failure, SystemContext};

/// Makes an installation where there is none.
pub async fn run(
    place: &InstallationArgs,
    arguments: &InitArgs,
    system: &SystemContext,
) -> Result<(), Failure> {
    if place.config.is_some() {
        return Err(Failure::misuse(
            "init writes DIR/tegata.toml: say the folder by --data, and no --config",
        ));
    }
    let mut options = InitOptions::from(arguments);
    refuse_known(&place.data, &options)?;
    let may_ask = std::io::stdin().is_terminal() && std::io::stderr().is_terminal();
    if may_ask && !arguments.yes && !arguments.output.json {
        questions::ask(&mut std::io::stdin().lock(), &mut std::io::stderr(), &mut options)?;
    }
    let config = init(&place.data, &options, system).await?;
    NextSteps::after(&config, place).await.tell(arguments.output.json);
    Ok(())
}
