//! The sheet that goes with a device: what a person needs who has no mail, on paper.

use super::Invited;
use crate::failure::{Doing, Failure};
use askama::Template;
use std::path::Path;
use tegata_ca::secret::write_private_file;
use tegata_enroll::qr_svg;

#[derive(Template)]
#[template(path = "sheet.html")]
struct Sheets<'a> {
    sheets: Vec<Sheet<'a>>,
}

struct Sheet<'a> {
    site: &'a str,
    label: &'a str,
    link: &'a str,
    code: Option<&'a str>,
    /// Times of Japan, where the readers are.
    expires: String,
    code_until: Option<String>,
    qr: String,
}

/// Before anything is written to the ledger: a sheet never overwrites another.
pub fn check_free(file: Option<&Path>) -> Result<(), Failure> {
    match file {
        Some(file) if file.exists() => {
            Err(Failure::misuse(format!("{} exists already: name another file", file.display())))
        }
        _ => Ok(()),
    }
}

/// One page for each invitation, readable by their owner alone.
pub fn write(file: &Path, invited: &[Invited]) -> Result<(), Failure> {
    let sheets = invited.iter().map(sheet).collect::<Result<_, _>>()?;
    let html = Sheets { sheets }.render().doing("cannot write the sheet")?;
    write_private_file(file, html.as_bytes()).doing("cannot write the sheet")
}

fn sheet(invited: &Invited) -> Result<Sheet<'_>, Failure> {
    Ok(Sheet {
        site: &invited.site,
        label: &invited.label,
        link: &invited.link,
        code: invited.code.as_deref(),
        expires: tegata_enroll::in_words(invited.expires_at),
        code_until: invited.code_until.map(tegata_enroll::in_words),
        qr: qr_svg(&invited.link).ok_or_else(|| Failure::wrong("the link is too long for a QR code"))?,
    })
}
