//! How far a long command is, on standard error: a bar where somebody watches, a line now and then where nobody does.

use indicatif::{ProgressBar, ProgressStyle};
use std::io::{self, IsTerminal};
use std::time::Duration;
use tegata_admin::Progress;
use tokio::time::Instant;

/// Between two lines where nobody watches. What is done sooner says nothing.
const QUIET: Duration = Duration::from_secs(5);

/// What a bar looks like.
const STYLE: &str = "{msg} [{bar:40}] {pos}/{len}, {eta} to go";

/// Shows the progress. The bar disappears when this is dropped.
pub struct TerminalProgress {
    how: ProgressOutput,
}

enum ProgressOutput {
    Bar(ProgressBar),
    Lines { next: Instant },
}

impl TerminalProgress {
    pub fn new() -> Self {
        let how = if io::stderr().is_terminal() {
            let bar = ProgressBar::no_length();
            if let Ok(style) = ProgressStyle::with_template(STYLE) {
                bar.set_style(style.progress_chars("#> "));
            }
            ProgressOutput::Bar(bar)
        } else {
            ProgressOutput::Lines { next: Instant::now() + QUIET }
        };
        Self { how }
    }
}

impl Progress for TerminalProgress {
    fn at(&mut self, what: &str, done: u64, total: u64) {
        match &mut self.how {
            ProgressOutput::Bar(bar) => {
                if bar.message() != what {
                    bar.reset();
                    bar.set_message(what.to_owned());
                }
                bar.set_length(total);
                bar.set_position(done);
            }
            ProgressOutput::Lines { next } => {
                let now = Instant::now();
                if now >= *next {
                    errln!("{what}: {done} of {total}");
                    *next = now + QUIET;
                }
            }
        }
    }
}

impl Drop for TerminalProgress {
    fn drop(&mut self) {
        if let ProgressOutput::Bar(bar) = &self.how {
            bar.finish_and_clear();
        }
    }
}
