//! How a command answers.

use clap::Args;

/// For people, or for scripts.
#[derive(Clone, Args)]
pub struct Output {
    /// JSON on standard output, for scripts
    #[arg(long)]
    pub json: bool,
}
