//! Companies, sites and licenses as the vendor's register of customers has them. Who knows how to keep them in step is
//! [`ContractRegister`]: the function behind `tegata contract import`.

use serde::{Deserialize, Serialize};
use std::pin::Pin;
use tegata_core::Refusal;
use tegata_storage::TransactionAuthor;
use utoipa::ToSchema;

/// A company, or one of its sites, as the register has it.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ContractLine {
    /// The register's key of the company.
    pub tenant_key: String,
    /// What the company is called.
    pub tenant: String,
    /// The register's key of the site, where the line is about one.
    #[serde(default)]
    pub site_key: Option<String>,
    /// What the site is called.
    #[serde(default)]
    pub site: Option<String>,
    /// The products that are licensed there, these and no others; where nothing is said, licenses stay as they are.
    #[serde(default)]
    pub products: Option<Vec<String>>,
}

/// What became of a list, or would.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContractReport {
    /// Whether anything was to be written.
    pub performed: bool,
    /// How many lines made a company or a site.
    pub created: usize,
    /// How many lines changed something else.
    pub changed: usize,
    /// How many lines said what is there.
    pub unchanged: usize,
    /// How many lines were refused; nothing was done for them.
    pub refused: usize,
    /// What became of each line.
    pub lines: Vec<ContractLineReport>,
}

/// What became of one line.
#[derive(Debug, Serialize, ToSchema)]
pub struct ContractLineReport {
    /// Its number, from 1.
    pub line: u32,
    /// The keys that it names.
    pub tenant_key: String,
    /// The register's key of the site.
    pub site_key: Option<String>,
    /// The word created, changed, unchanged or refused.
    pub outcome: &'static str,
    /// What it changed, as `tegata contract import` says it.
    pub changes: Vec<&'static str>,
    /// Why it was refused.
    pub reason: Option<String>,
}

/// A list, and who gives it.
pub struct ContractList<'a> {
    /// What the register says, line by line.
    pub lines: Vec<ContractLine>,
    /// Whether it is only to be said what would become of each.
    pub dry_run: bool,
    /// Who is judged in each transaction.
    pub by: &'a dyn TransactionAuthor,
}

/// What comes of a list.
pub type ContractWork<'a> = Pin<Box<dyn Future<Output = Result<ContractReport, Refusal>> + Send + 'a>>;

/// Whoever keeps companies in step with a register.
pub trait ContractRegister: Send + Sync {
    /// Compares a list with what is there, and does what differs.
    ///
    /// # Errors
    /// [`Refusal::PlacesChangedMeanwhile`] where somebody changed companies, sites or licenses at that time; what was done before
    /// stays done. What whoever gives it may not.
    fn keep<'a>(&'a self, list: ContractList<'a>) -> ContractWork<'a>;
}
