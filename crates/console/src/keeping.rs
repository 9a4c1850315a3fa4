//! Whoever may add companies keeps them in step with the vendor's register.

use crate::acting::Acting;
use crate::contracts::{ContractLine, ContractList, ContractReport};
use crate::party::Party;
use crate::service::ConsoleService;
use tegata_core::{Act, Refusal};
use tegata_storage::{AuthorFuture, AuthoredTransaction, LedgerError, TransactionAuthor};

/// Lines of one request: they are done within a few transactions, and others wait for each.
const MOST: usize = 200;

impl ConsoleService {
    /// Keeps companies, sites and licenses in step with a list.
    ///
    /// # Errors
    /// What the caller may not, and those of [`ContractRegister::keep`].
    pub(crate) async fn keep_contracts(
        &self,
        by: &Acting,
        lines: Vec<ContractLine>,
        dry_run: bool,
    ) -> Result<ContractReport, Refusal> {
        self.noting(by, None, self.kept_contracts(by, lines, dry_run).await).await
    }

    async fn kept_contracts(
        &self,
        by: &Acting,
        lines: Vec<ContractLine>,
        dry_run: bool,
    ) -> Result<ContractReport, Refusal> {
        by.reach(Act::AddTenant)?;
        if lines.is_empty() || lines.len() > MOST {
            return Err(Refusal::RequestMalformed);
        }
        let register = self.contracts.as_deref().ok_or(Refusal::Internal)?;
        register.keep(ContractList { lines, dry_run, by }).await
    }
}

impl TransactionAuthor for Acting {
    /// With the roles and the reason that they have at this moment.
    fn enter<'a>(&'a self, transaction: AuthoredTransaction<'a>) -> AuthorFuture<'a> {
        Box::pin(async move {
            if let Party::Person(known) = &self.who {
                let person =
                    transaction.act_as(&known.session.id, &known.device, self.who.client_id()).await?;
                let who = Party::Person(Box::new(known.anew(person)));
                who.reach(Act::AddTenant).map_err(LedgerError::Refused)?;
            }
            Ok(self.actor())
        })
    }
}
