//! What of it all is measured.

use crate::BenchOutcome;

pub const USAGE: &str = "usage: tegata-bench TEGATA [--json] [--large] [--only=ROWS], where TEGATA is the program to \
    measure and ROWS are the beginnings of rows, with commas between: token,issue";

/// What the command line asks for: everything, where it names nothing.
#[derive(Default)]
pub struct Choice<'a> {
    pub json: bool,
    pub large: bool,
    only: Vec<&'a str>,
}

impl<'a> Choice<'a> {
    pub fn of(options: &[&'a str]) -> BenchOutcome<Self> {
        let mut choice = Self::default();
        for option in options {
            match (*option, option.strip_prefix("--only=")) {
                ("--json", _) => choice.json = true,
                ("--large", _) => choice.large = true,
                (_, Some(rows)) => choice.only = rows.split(',').collect(),
                _ => return Err(USAGE.into()),
            }
        }
        Ok(choice)
    }

    /// Whether a row, or the first word of several, is to be measured.
    pub fn wants(&self, row: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|wanted| row.starts_with(wanted))
    }
}
