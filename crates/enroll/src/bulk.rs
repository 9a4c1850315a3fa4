//! Invitations in bulk, from programs of the tenants: a registered client sends a list, watches it being worked off, and
//! is given the links once.
//!
//! The list is durable before it is acknowledged; a pass works it off in small transactions, so whatever stops a server, the
//! next one goes on. Codes are not kept: they are derived again when they are handed over ([`CodeSecret`]).

pub(crate) mod api;
mod codes;

pub use codes::{CodeSecret, OpenCodeSecret};

use axum::Router;
use codes::CodeSecretOpening;
use std::pin::Pin;
use std::sync::Arc;
use tegata_core::{InvitationId, InvitationListId, Refusal, SiteId, TenantId, Timestamp};
use tegata_storage::LedgerError;
use tegata_web::{PeerCertificate, ServiceContext};
use tokio::sync::Notify;

/// Lines in one transaction: few enough that others get their turn.
const STEP: u32 = 50;

/// Where a client may invite.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InvitationRights {
    /// At sites of this tenant.
    pub tenant: TenantId,
    /// At these alone; at all of them, also those to come, where there is none.
    pub sites: Option<Vec<SiteId>>,
}

/// The answer of an [`InvitingClients`].
pub type InvitingClientFuture<'a> =
    Pin<Box<dyn Future<Output = Result<Vec<InvitationRights>, Refusal>> + Send + 'a>>;

/// Knows the registered clients. This crate does not: `tegata` wires it to the registrations of the token endpoint.
pub trait InvitingClients: Send + Sync {
    /// Where the client of this name may invite, provided that the certificate is its own and works now.
    fn admit<'a>(
        &'a self,
        client_id: &'a str,
        certificate: Option<&'a PeerCertificate>,
        now: Timestamp,
    ) -> InvitingClientFuture<'a>;
}

/// The service for bulk invitations. Cloning shares it.
#[derive(Clone)]
pub struct BulkInvitations {
    context: ServiceContext,
    clients: Arc<dyn InvitingClients>,
    secret: CodeSecretOpening,
    wake: Arc<Notify>,
}

impl BulkInvitations {
    /// A service that knows its clients from `clients`, and the secret of its codes from `open`.
    pub fn new(context: ServiceContext, clients: Arc<dyn InvitingClients>, open: OpenCodeSecret) -> Self {
        Self { context, clients, secret: CodeSecretOpening::new(open), wake: Arc::default() }
    }

    /// Its routes on the device listener, which sees the clients' certificates.
    pub fn routes(&self) -> Router {
        api::routes(self.clone())
    }

    /// Until this process has received a list.
    pub async fn received(&self) {
        self.wake.notified().await;
    }

    /// Works off what there is, and gives how many lists. Several servers may do so at once: each step takes lines that still
    /// wait, under the lock of all writers.
    ///
    /// # Errors
    /// What the ledger refused, or the secret's. What was done is done; the rest is left for the next time.
    pub async fn work_off(&self) -> Result<usize, Refusal> {
        let lists = self.context.ledger.unfinished_lists().await?;
        for (list, client) in &lists {
            let secret = self.secret.secret().await?;
            let fresh = || {
                let id = InvitationId::random(self.context.entropy.as_ref());
                let code = secret.code(&id);
                (id, code)
            };
            while !self.step(list, client, &fresh).await? {}
        }
        Ok(lists.len())
    }

    async fn step(
        &self,
        list: &InvitationListId,
        client: &str,
        fresh: &(dyn Fn() -> (InvitationId, tegata_core::id::InvitationCode) + Sync),
    ) -> Result<bool, LedgerError> {
        let mut transaction = self.context.ledger.begin(self.context.now()).await?;
        let done = transaction.work_off_list(list, client, STEP, fresh).await?;
        transaction.commit().await?;
        Ok(done)
    }
}
