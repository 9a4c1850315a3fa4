//! The output of commands: text or JSON.

use clap::Args;
use tegata_installation::Failure;

/// For people, or for scripts.
#[derive(Clone, Args)]
pub struct OutputFormat {
    /// JSON on standard output, for scripts
    #[arg(long)]
    pub json: bool,
}

/// To be called when a list has been printed: a list of nothing ends with exit code 1.
///
/// # Errors
/// [`Failure::Wrong`] with `what` when nothing was found.
pub fn nothing_found(is_nothing: bool, what: &str) -> Result<(), Failure> {
    if is_nothing { Err(Failure::wrong(what)) } else { Ok(()) }
}
