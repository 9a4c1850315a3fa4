//! The keys that sign tokens and the feed follow their succession, and the next one is appointed in time.

use crate::server::token_keys::{LOOK, TokenKeys};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tegata_core::Timestamp;
use tegata_scheduler::{Pass, PassError, PassFuture, PassReport, Schedule};
use tegata_signals::SignalIssuer;
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

pub struct TokenKeysPass {
    keys: Arc<Mutex<TokenKeys>>,
    issuer: Arc<SignalIssuer>,
    /// How long a key signs.
    age: Option<Duration>,
}

impl TokenKeysPass {
    pub fn new(keys: TokenKeys, issuer: &Arc<SignalIssuer>, age: Option<Duration>) -> Self {
        Self { keys: Arc::new(Mutex::new(keys)), issuer: issuer.clone(), age }
    }

    async fn turn(&self) -> Result<PassReport, PassError> {
        let (keys, issuer, age, runtime) =
            (self.keys.clone(), self.issuer.clone(), self.age, Handle::current());
        let turn = move || {
            let mut keys = keys.lock().unwrap_or_else(PoisonError::into_inner);
            keys.turn(&issuer, age, &runtime)
        };
        spawn_blocking(turn).await.map_err(PassError::new)?.map_err(PassError::new)?;
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
