//! Identifiers as rows have them, and as people read them.

use crate::{LedgerError, Result};
use tegata_core::{PersonId, TransferId};

/// Enough of an identifier to tell one transfer from another.
pub(super) fn short(id: &TransferId) -> &str {
    id.as_str().get(..4).unwrap_or_default()
}

pub(super) fn read_person(id: String) -> Result<PersonId> {
    PersonId::try_from(id).map_err(|_| LedgerError::Unreadable("person.id"))
}
