//! The vendor's register of customers at the console's API: the function of `tegata contract import`.

use std::sync::Arc;
use tegata_admin::contracts::{ContractChange, ContractPlan, ListedContract, PlannedContract};
use tegata_console::{
    ContractLine, ContractLineReport, ContractList, ContractRegister, ContractReport, ContractWork,
};
use tegata_core::{Clock, Entropy, Refusal};
use tegata_installation::Config;
use tegata_storage::{Ledger, LedgerError};

/// Keeps the ledger of an installation in step.
pub struct LedgerContracts {
    ledger: Ledger,
    products: Vec<String>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl LedgerContracts {
    /// Of the installation with this configuration.
    pub fn of(
        config: &Config,
        ledger: &Ledger,
        (clock, entropy): (Arc<dyn Clock>, Arc<dyn Entropy>),
    ) -> Self {
        let products = config.products.iter().map(|product| product.audience.clone()).collect();
        Self { ledger: ledger.clone(), products, clock, entropy }
    }

    async fn kept(&self, list: ContractList<'_>) -> Result<ContractReport, Refusal> {
        let lines = (1..).zip(list.lines).map(|(number, line)| (number, Ok(listed(line)))).collect();
        let plan = ContractPlan::make(&self.ledger, lines, &self.products, self.entropy.as_ref()).await?;
        if !list.dry_run {
            let done = plan.perform(&self.ledger, self.clock.as_ref(), list.by).await;
            done.map_err(|failure| match failure.error {
                LedgerError::Guard(_) => Refusal::PlacesChangedMeanwhile,
                error => error.into(),
            })?;
        }
        Ok(report(&plan, !list.dry_run))
    }
}

impl ContractRegister for LedgerContracts {
    fn keep<'a>(&'a self, list: ContractList<'a>) -> ContractWork<'a> {
        Box::pin(self.kept(list))
    }
}

/// The line, written as on the command line.
fn listed(line: ContractLine) -> ListedContract {
    let ContractLine { tenant_key, tenant, site_key, site, products } = line;
    ListedContract {
        tenant_key,
        tenant,
        site_key,
        site,
        products: products.as_deref().map(ListedContract::cell),
    }
}

fn report(plan: &ContractPlan, performed: bool) -> ContractReport {
    let count = |word: &str| plan.lines.iter().filter(|line| line.word() == word).count();
    ContractReport {
        performed,
        created: count("created"),
        changed: count("changed"),
        unchanged: count("unchanged"),
        refused: count("refused"),
        lines: plan.lines.iter().map(reported).collect(),
    }
}

fn reported(line: &PlannedContract) -> ContractLineReport {
    let (tenant_key, site_key) = line.keys.clone();
    let changes = line.outcome.as_ref().map(|changes| changes.iter().map(ContractChange::as_str).collect());
    ContractLineReport {
        line: line.number,
        tenant_key,
        site_key,
        outcome: line.word(),
        changes: changes.unwrap_or_default(),
        reason: line.outcome.as_ref().err().cloned(),
    }
}
