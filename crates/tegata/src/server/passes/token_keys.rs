//! The keys that sign tokens and the feed follow their succession, and the next one is appointed in time.

use crate::server::token_keys::{LOOK, TokenKeys};
use std::sync::Arc;
use std::time::Duration;
use tegata_core::Timestamp;
use tegata_scheduler::{Pass, PassError, PassFuture, PassReport, Schedule};
use tegata_signals::SignalIssuer;
use tegata_web::ServerContext;
use tokio::sync::Mutex;

pub struct TokenKeysPass {
    keys: Mutex<TokenKeys>,
    context: ServerContext,
    issuer: Arc<SignalIssuer>,
    /// How long a key signs.
    age: Option<Duration>,
}

impl TokenKeysPass {
    pub fn new(
        keys: TokenKeys,
        context: &ServerContext,
        issuer: &Arc<SignalIssuer>,
        age: Option<Duration>,
    ) -> Self {
        Self { keys: Mutex::new(keys), context: context.clone(), issuer: issuer.clone(), age }
    }

    async fn turn(&self) -> Result<PassReport, PassError> {
        let mut keys = self.keys.lock().await;
        keys.turn(&self.context, &self.issuer, self.age).await.map_err(PassError::new)?;
        Ok(PassReport::nothing())
    }
}

impl Pass for TokenKeysPass {
    fn schedule(&self) -> Schedule {
        Schedule::every(LOOK, "token-keys")
    }

    fn run(&self, _: Timestamp) -> PassFuture<'_, Result<PassReport, PassError>> {
        Box::pin(self.turn())
    }
}
