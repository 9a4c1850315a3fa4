//! What of it all is measured.

use crate::BenchOutcome;

pub const USAGE: &str = "usage: tegata-bench TEGATA [--json] [--large] [--only=ROWS] [--devices=N], where TEGATA is the program to \
    measure and ROWS are the beginnings of rows, with commas between: token,issue. \
    Those of storm come with --large or when they are named, and so do those of search and renewals, which are among N devices, a \
    million where nothing is said";

/// Devices among which is searched.
const MILLION: u32 = 1_000_000;

/// What the command line asks for: everything, where it names nothing.
pub struct Choice<'a> {
    pub json: bool,
    pub large: bool,
    pub devices: u32,
    only: Vec<&'a str>,
}

impl<'a> Choice<'a> {
    pub fn of(options: &[&'a str]) -> BenchOutcome<Self> {
        let mut choice = Self { json: false, large: false, devices: MILLION, only: Vec::new() };
        for option in options {
            match (*option, option.strip_prefix("--only=")) {
                ("--json", _) => choice.json = true,
                ("--large", _) => choice.large = true,
                (_, Some(rows)) => choice.only = rows.split(',').collect(),
                _ => {
                    let devices = option.strip_prefix("--devices=").and_then(|number| number.parse().ok());
                    choice.devices = devices.filter(|number| *number > 0).ok_or(USAGE)?;
                }
            }
        }
        Ok(choice)
    }

    /// Whether these rows were asked for by name.
    pub fn names(&self, row: &str) -> bool {
        self.only.iter().any(|wanted| wanted.starts_with(row))
    }

    /// Whether nothing else was asked for.
    pub fn is_only(&self, row: &str) -> bool {
        self.names(row) && self.only.len() == 1
    }

    /// Whether a row, or the first word of several, is to be measured.
    pub fn wants(&self, row: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|wanted| row.starts_with(wanted))
    }
}
