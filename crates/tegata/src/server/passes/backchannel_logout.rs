//! Clients are told within a second that a session has ended. Exclusive to save their work: a notice that two servers send at once
//! is the same notice.

use crate::server::backchannel_logout::LogoutSender;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tegata_core::Timestamp;
use tegata_net::client::AbortOnDrop;
use tegata_scheduler::{Pass, PassError, PassFuture, PassReport, Schedule};

const PERIOD: Duration = Duration::from_millis(500);

/// Clients that are told at a time.
const MOST: usize = 64;

pub struct BackchannelLogoutPass {
    sender: Arc<LogoutSender>,
    /// Who is being told: a run does not wait for them, so that nobody waits for another.
    under_way: Mutex<HashMap<String, AbortOnDrop>>,
}

impl BackchannelLogoutPass {
    pub fn new(sender: LogoutSender) -> Self {
        Self { sender: Arc::new(sender), under_way: Mutex::default() }
    }

    async fn once(&self, now: Timestamp) -> Result<PassReport, PassError> {
        self.sender.go_on(now);
        let due = self.sender.due(now).await?;
        let mut under_way = self.under_way.lock().unwrap_or_else(PoisonError::into_inner);
        under_way.retain(|_, task| !task.0.is_finished());
        for client in due {
            if under_way.len() >= MOST || under_way.contains_key(&client) {
                continue;
            }
            let (sender, name) = (self.sender.clone(), client.clone());
            let task = tokio::spawn(async move { sender.tell(&name).await });
            under_way.insert(client, AbortOnDrop(task));
        }
        Ok(PassReport::nothing().with("clients", under_way.len()))
    }
}

impl Pass for BackchannelLogoutPass {
    fn schedule(&self) -> Schedule {
        Schedule::every(PERIOD, "backchannel-logout").exclusive()
    }

    fn run(&self, now: Timestamp) -> PassFuture<'_, Result<PassReport, PassError>> {
        Box::pin(self.once(now))
    }
}
