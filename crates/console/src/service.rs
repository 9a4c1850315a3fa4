//! What all pages and operations of the console share.

use crate::confirmations::ConfirmationKeeper;
use crate::contracts::ContractRegister;
use crate::fleet::FleetCache;
use crate::health::{HealthReport, InstallationHealth};
use crate::kept::Kept;
use crate::people::SignedInPeople;
use crate::work::DayWork;
use axum::extract::FromRef;
use std::sync::Arc;
use tegata_core::{Clock, Contact, Refusal};
use tegata_storage::LedgerError;
use tegata_web::ServiceContext;

/// The console of an installation. Cloning shares it.
#[derive(Clone)]
pub struct ConsoleService {
    pub(crate) context: ServiceContext,
    pub(crate) people: Arc<dyn SignedInPeople>,
    pub(crate) confirmations: Arc<ConfirmationKeeper>,
    pub(crate) contact: Option<Contact>,
    pub(crate) health: Option<Arc<dyn InstallationHealth>>,
    pub(crate) contracts: Option<Arc<dyn ContractRegister>>,
    pub(crate) work: Option<Arc<dyn DayWork>>,
    pub(crate) fleet_cache: Arc<FleetCache>,
    /// How the installation did a moment ago.
    pub(crate) health_kept: Arc<Kept<(), HealthReport>>,
}

impl ConsoleService {
    /// For the people whose sessions somebody else keeps.
    pub fn new(context: ServiceContext, people: Arc<dyn SignedInPeople>) -> Self {
        Self {
            context,
            people,
            confirmations: Arc::default(),
            contact: None,
            health: None,
            contracts: None,
            work: None,
            fleet_cache: Arc::default(),
            health_kept: Arc::default(),
        }
    }

    /// With whom somebody calls of whom nothing nearer is known.
    #[must_use]
    pub fn with_contact(self, contact: Option<Contact>) -> Self {
        Self { contact, ..self }
    }

    /// Who keeps companies in step with the vendor's register.
    #[must_use]
    pub fn with_contracts(self, contracts: Arc<dyn ContractRegister>) -> Self {
        Self { contracts: Some(contracts), ..self }
    }

    /// Who knows how the installation does.
    #[must_use]
    pub fn with_health(self, health: Arc<dyn InstallationHealth>) -> Self {
        Self { health: Some(health), ..self }
    }

    /// Who counts the day's work.
    #[must_use]
    pub fn with_work(self, work: Arc<dyn DayWork>) -> Self {
        Self { work: Some(work), ..self }
    }
}

impl FromRef<ConsoleService> for Arc<dyn Clock> {
    fn from_ref(service: &ConsoleService) -> Self {
        service.context.clock.clone()
    }
}

/// The refusal to show for an error of the ledger, which is logged where it is no refusal of its own.
#[allow(clippy::needless_pass_by_value, reason = "it is given to map_err")]
pub(crate) fn refusal(error: LedgerError) -> Refusal {
    error.into()
}
