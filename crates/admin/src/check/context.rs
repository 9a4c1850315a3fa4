//! What every look of a check shares: the installation as it stands at one moment, and what was found so far.

use super::dates::SignedDates;
use super::loaded_profiles::LoadedProfiles;
use super::report::CheckReport;
use crate::Progress;
use std::collections::HashSet;
use tegata_core::{Entropy, HttpOrigin, Timestamp};
use tegata_installation::{Config, SystemContext, running_addresses};
use tegata_storage::{Inspection, IssuerKind, Ledger, StoredIssuer};

/// Rows read at a time.
pub const PAGE: u32 = 500;

/// What is being looked at, and what was found so far.
pub struct CheckContext<'a> {
    pub config: &'a Config,
    pub ledger: &'a Ledger,
    /// The ledger at one moment.
    pub inspection: Inspection,
    pub issuers: Vec<StoredIssuer>,
    pub profiles: LoadedProfiles,
    pub system: &'a SystemContext,
    pub entropy: &'a dyn Entropy,
    pub now: Timestamp,
    pub progress: &'a mut dyn Progress,
    pub report: CheckReport,
    /// How the audit log's dates run.
    pub dates: SignedDates,
}

impl CheckContext<'_> {
    /// CAs of other authorities.
    pub fn foreign_issuers(&self) -> HashSet<String> {
        let foreign = self.issuers.iter().filter(|issuer| issuer.kind == IssuerKind::Foreign);
        foreign.map(|issuer| issuer.id.to_string()).collect()
    }

    /// What certificates name: where a development server listens, or the configured address.
    pub fn public_address(&self) -> HttpOrigin {
        running_addresses::public(self.config).unwrap_or_else(|| self.config.public.url.clone())
    }
}
