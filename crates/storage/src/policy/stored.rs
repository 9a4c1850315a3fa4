//! Rules as rows say them.

use crate::error::{LedgerError, Result};
use tegata_core::{EffectivePolicy, EnrollmentPolicy};

/// The rules of a site with those of its tenant, as an invitation's row brings them.
pub(crate) fn read_both(tenant: Option<&str>, site: Option<&str>) -> Result<EffectivePolicy> {
    Ok(EffectivePolicy { tenant: read(tenant)?, site: read(site)? })
}

/// A rule that cannot be read is no permission.
pub(super) fn read(text: Option<&str>) -> Result<EnrollmentPolicy> {
    let read = text.map(serde_json::from_str).transpose();
    Ok(read.map_err(|_| LedgerError::Unreadable("a policy"))?.unwrap_or_default())
}
