//! The CAs as the ledger has them: a ceremony takes effect within a second, without a restart.

use crate::server::accepting::DeviceTlsSource;
use crate::server::hierarchy::Hierarchy;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tegata_core::Timestamp;
use tegata_scheduler::{Pass, PassError, PassFuture, PassReport, Schedule};

/// How often the ledger is asked. What must be faster, the end of certificates, goes by the feed.
const PERIOD: Duration = Duration::from_millis(500);

/// A new CA publishes before it works, with a key that may be slow to answer.
const LIMIT: Duration = Duration::from_mins(2);

pub struct HierarchyPass {
    hierarchy: Arc<Hierarchy>,
    device_tls: Arc<DeviceTlsSource>,
    /// The device listener does not trust the CAs yet that the hierarchy has.
    is_behind: AtomicBool,
}

impl HierarchyPass {
    pub fn new(hierarchy: &Arc<Hierarchy>, device_tls: Arc<DeviceTlsSource>) -> Self {
        Self { hierarchy: hierarchy.clone(), device_tls, is_behind: AtomicBool::new(false) }
    }

    /// What cannot be read or used leaves everything as it was.
    async fn follow(&self) -> Result<PassReport, PassError> {
        if self.hierarchy.catch_up().await.map_err(PassError::new)? {
            self.is_behind.store(true, Ordering::Release);
        }
        if self.is_behind.load(Ordering::Acquire) {
            let trusted = self.hierarchy.trusted_issuers().and_then(|issuers| self.device_tls.trust(issuers));
            trusted.map_err(PassError::new)?;
            self.is_behind.store(false, Ordering::Release);
            tracing::info!("the CAs have changed: taken over");
        }
        Ok(PassReport::nothing())
    }
}

impl Pass for HierarchyPass {
    fn schedule(&self) -> Schedule {
        Schedule::every(PERIOD, "hierarchy").within(LIMIT)
    }

    fn run(&self, _: Timestamp) -> PassFuture<'_, Result<PassReport, PassError>> {
        Box::pin(self.follow())
    }
}
