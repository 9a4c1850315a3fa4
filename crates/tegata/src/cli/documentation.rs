//! `tegata completions` and `tegata man`: what shells and readers of manuals are given, made from the command line itself.

use super::Cli;
use clap::CommandFactory;
use clap_complete::Shell;
use std::path::{Path, PathBuf};
use tegata_installation::{Failure, FailureContext};

/// Which shell the script is for.
#[derive(clap::Args)]
pub struct CompletionsOptions {
    /// The shell. For bash: `tegata completions bash > /etc/bash_completion.d/tegata`
    #[arg(value_enum)]
    shell: Shell,
}

/// Where the manual pages are written to.
#[derive(clap::Args)]
pub struct ManOptions {
    /// Folder for the pages; made if it is not there. `man -l DIR/tegata.1` shows the first
    #[arg(value_name = "DIR")]
    folder: PathBuf,
}

impl CompletionsOptions {
    /// Writes the script to standard output.
    pub fn run(&self) {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "tegata", &mut script);
        crate::printing::copy(&mut script.as_slice());
    }
}

impl ManOptions {
    /// Writes `tegata.1`, `tegata-device.1`, `tegata-device-list.1` and so on.
    pub fn run(&self) -> Result<(), Failure> {
        std::fs::create_dir_all(&self.folder).doing(format!("cannot make {}", self.folder.display()))?;
        let mut command = Cli::command().disable_help_subcommand(true);
        command.build();
        write_pages(&command, &self.folder)
    }
}

/// Hidden commands have no page: they are there for what was written before they got another name.
fn write_pages(command: &clap::Command, folder: &Path) -> Result<(), Failure> {
    let page = clap_mangen::Man::new(command.clone());
    let file = folder.join(page.get_filename());
    let mut text = Vec::new();
    let written = page.render(&mut text).and_then(|()| std::fs::write(&file, text));
    written.doing(format!("cannot write {}", file.display()))?;
    for inner in command.get_subcommands().filter(|inner| !inner.is_hide_set()) {
        write_pages(inner, folder)?;
    }
    Ok(())
}
