//! Sheets to print: one file for all invitations of a call.

use super::writing::InvitationOutput;
use std::collections::HashMap;
use std::path::Path;
use tegata_ca::secret::write_private_file;
use tegata_core::Contact;
use tegata_installation::{Failure, FailureContext};
use tegata_storage::ScopedLedger;
use tegata_web::{InvitationSheet, sheets};

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
pub async fn write(
    rows: &ScopedLedger,
    everybody: Option<&Contact>,
    file: &Path,
    invited: &[InvitationOutput],
) -> Result<(), Failure> {
    let mut contacts = HashMap::new();
    for InvitationOutput { site_id, .. } in invited {
        if !contacts.contains_key(site_id) {
            let guidance = rows.guidance_of(site_id).await.doing("cannot read whom staff call")?;
            contacts.insert(site_id, guidance.contact.or_else(|| everybody.cloned()));
        }
    }
    let contact = |invited: &InvitationOutput| contacts.get(&invited.site_id).and_then(Option::as_ref);
    let all: Vec<_> = invited.iter().map(|invited| sheet(invited, contact(invited))).collect();
    let html = sheets(&all).ok_or_else(|| Failure::wrong("the sheets cannot be written"))?;
    write_private_file(file, html.as_bytes()).doing("cannot write the sheet")
}

fn sheet<'a>(invited: &'a InvitationOutput, contact: Option<&'a Contact>) -> InvitationSheet<'a> {
    InvitationSheet {
        site: &invited.site,
        label: &invited.label,
        link: &invited.link,
        expires_at: invited.expires_at,
        code: invited.code.as_deref().zip(invited.code_until),
        contact,
    }
}
