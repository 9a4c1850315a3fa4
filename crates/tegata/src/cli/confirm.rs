//! Consent to what cannot be undone.

use std::fmt::Display;
use std::io::{self, BufRead, IsTerminal};
use tegata_installation::Failure;

/// What every command asks for that cannot be undone.
#[derive(Clone, Copy, clap::Args)]
pub struct OperatorConsent {
    /// Do it without asking. Needed where there is no terminal to be asked on, as in scripts
    #[arg(long)]
    pub yes: bool,
}

impl OperatorConsent {
    /// Obtains consent to `what`, a clause that names what will end.
    ///
    /// # Errors
    /// [`Failure::Wrong`] when somebody was asked and does not want it, [`Failure::Misuse`] when there is nobody to ask.
    pub fn obtain(self, what: impl Display) -> Result<(), Failure> {
        if self.yes {
            return Ok(());
        }
        if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
            return Err(Failure::misuse(format!(
                "{what}. That cannot be undone: say --yes if it is meant; nothing was changed"
            )));
        }
        err!("{what}. That cannot be undone.\nGo on? [y/N] ");
        let mut answer = String::new();
        // A closed standard input is no consent.
        let read = io::stdin().lock().read_line(&mut answer);
        if read.is_ok() && is_consent(&answer) { Ok(()) } else { Err(Failure::wrong("nothing was changed")) }
    }
}

fn is_consent(answer: &str) -> bool {
    matches!(answer.trim().to_lowercase().as_str(), "y" | "yes" | "はい")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_yes_is_consent() {
        for yes in ["y\n", "Y\n", "yes\n", " YES \n", "はい\n"] {
            assert!(is_consent(yes), "{yes:?}");
        }
        for no in ["", "\n", "n\n", "no\n", "yeah no\n", "いいえ\n"] {
            assert!(!is_consent(no), "{no:?}");
        }
    }
}
