//! Sheets to print: one file for all invitations of a call.

use super::Invited;
use crate::failure::{Doing, Failure};
use std::path::Path;
use tegata_ca::secret::write_private_file;
use tegata_enroll::{Sheet, sheets};

/// Before anything is written to the ledger: a sheet never overwrites another.
pub fn check_free(file: Option<&Path>) -> Result<(), Failure> {
    match file {
        Some(file) if file.exists() => {
            Err(Failure::misuse(format!("{} exists already: name another file", file.display())))
        }
        _ => Ok(()),
    }
}

/// Readable by their owner alone.
pub fn write(file: &Path, invited: &[Invited]) -> Result<(), Failure> {
    let all: Vec<_> = invited.iter().map(sheet).collect();
    let html = sheets(&all).ok_or_else(|| Failure::wrong("the sheets cannot be written"))?;
    write_private_file(file, html.as_bytes()).doing("cannot write the sheet")
}

fn sheet(invited: &Invited) -> Sheet<'_> {
    Sheet {
        site: &invited.site,
        label: &invited.label,
        link: &invited.link,
        expires_at: invited.expires_at,
        code: invited.code.as_deref().zip(invited.code_until),
    }
}
