//! Who is registered is written down once at each start.

use crate::server::clients::audit;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tegata_core::Timestamp;
use tegata_scheduler::{Pass, PassError, PassFuture, PassReport, Schedule};
use tegata_web::ServerContext;

/// It is wanted once; this is when it would be done again.
const PERIOD: Duration = Duration::from_secs(1);

pub struct RecordClientsPass {
    context: ServerContext,
    clients: Vec<Value>,
    is_done: AtomicBool,
}

impl RecordClientsPass {
    pub fn new(context: &ServerContext, clients: Vec<Value>) -> Self {
        Self { context: context.clone(), clients, is_done: AtomicBool::new(false) }
    }

    async fn record(&self) -> Result<PassReport, PassError> {
        let detail = json!({"clients": self.clients});
        audit::record(&self.context, "clients.registered", detail).await?;
        self.is_done.store(true, Ordering::Release);
        Ok(PassReport::nothing().with("clients", self.clients.len()))
    }
}

impl Pass for RecordClientsPass {
    fn schedule(&self) -> Schedule {
        Schedule::every(PERIOD, "clients-registered")
    }

    fn run(&self, _: Timestamp) -> PassFuture<'_, Result<PassReport, PassError>> {
        Box::pin(self.record())
    }

    fn is_wanted(&self) -> bool {
        !self.is_done.load(Ordering::Acquire)
    }
}
