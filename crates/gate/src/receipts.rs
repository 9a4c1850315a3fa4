//! Acknowledges to the platform which events this gate has applied.

use http::Uri;
use std::time::Duration;
use tegata_core::feed::Receipt;
use tegata_net::client::{ClientError, HttpsClient, HttpsConnection};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tracing::warn;

/// A receipt is due at least this often, as a sign of life.
const SIGN_OF_LIFE: Duration = Duration::from_secs(5);

const RETRY: Duration = Duration::from_millis(500);

/// Sends a receipt after every change. While one is on its way, changes gather for the next. It runs
/// beside the feed: a platform slow to take receipts holds up no revocation.
pub(crate) struct ReceiptSender {
    client: HttpsClient,
    endpoint: Uri,
    applied: watch::Receiver<Option<u64>>,
    connection: Option<HttpsConnection>,
}

impl ReceiptSender {
    pub(crate) fn new(client: HttpsClient, endpoint: Uri, applied: watch::Receiver<Option<u64>>) -> Self {
        Self { client, endpoint, applied, connection: None }
    }

    pub(crate) async fn run(mut self) {
        loop {
            let applied = *self.applied.borrow_and_update();
            if let Some(seq) = applied
                && let Err(error) = self.send(Receipt { seq }).await
            {
                warn!(%error, seq, "a receipt was not taken");
                sleep(RETRY).await;
                continue;
            }
            if let Ok(Err(_)) = timeout(SIGN_OF_LIFE, self.applied.changed()).await {
                return;
            }
        }
    }

    /// Over the connection of last time; over a new one when that has been closed in the meantime.
    async fn send(&mut self, receipt: Receipt) -> Result<(), ClientError> {
        let body = serde_json::to_vec(&receipt).map_err(|_| ClientError::Malformed)?;
        if let Some(connection) = self.connection.take()
            && self.post(connection, body.clone()).await.is_ok()
        {
            return Ok(());
        }
        let connection = self.client.open(&self.endpoint).await?;
        self.post(connection, body).await
    }

    async fn post(&mut self, mut connection: HttpsConnection, body: Vec<u8>) -> Result<(), ClientError> {
        let status = connection.post(&self.endpoint, body).await?;
        if !status.is_success() {
            return Err(ClientError::Status(status));
        }
        self.connection = Some(connection);
        Ok(())
    }
}
