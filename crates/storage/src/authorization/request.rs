//! Requests to authorize that were pushed, or wait for a sign-in.

use crate::engine::on_transaction;
use crate::{LedgerError, Result, Transaction};
use tegata_core::{DeviceId, Timestamp};

/// Requests that wait on one device at most; the oldest makes room.
const ON_A_DEVICE: i64 = 20;

/// Requests that one client has pushed and nobody has come with at most; the oldest makes room.
pub const REQUESTS_OF_A_CLIENT: i64 = 1000;

/// A request to be kept.
#[derive(Clone, Debug)]
pub struct PendingRequest {
    /// The hash of its name.
    pub name_hash: Vec<u8>,
    /// What is kept of it until then.
    pub request: StoredRequest,
    /// From when on nobody can take it.
    pub expires_at: Timestamp,
}

/// A request as it was kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredRequest {
    /// The client that asks.
    pub client: String,
    /// The device on which it waits for a sign-in; none as long as nobody has come with it.
    pub device: Option<DeviceId>,
    /// What was asked for, in words of whoever keeps it.
    pub parameters: String,
    /// When somebody first came with it, or when it was pushed.
    pub begun_at: Timestamp,
}

impl Transaction {
    /// Keeps a request. Where too many wait on the device, or its client has pushed too many, the oldest makes room: whoever
    /// sends a product's visitors here in numbers must not keep the others out.
    pub async fn keep_request(&mut self, new: &PendingRequest) -> Result<()> {
        let request = &new.request;
        let (whose, others) = match &request.device {
            Some(device) => ((Some(device.as_str()), None), ON_A_DEVICE - 1),
            None => ((None, Some(request.client.as_str())), REQUESTS_OF_A_CLIENT - 1),
        };
        on_transaction!(self.engine, connection => {
            let (waiting,): (i64,) = sqlx::query_as(
                "SELECT COUNT(*) FROM authorization_request WHERE device = $1 OR (device IS NULL AND client = $2)",
            )
            .bind(whose.0)
            .bind(whose.1)
            .fetch_one(&mut *connection)
            .await?;
            if waiting > others {
                sqlx::query(
                    "DELETE FROM authorization_request WHERE name_hash IN (SELECT r.name_hash FROM authorization_request r \
                     WHERE r.device = $1 OR (r.device IS NULL AND r.client = $2) \
                     ORDER BY r.expires_at, r.name_hash DESC LIMIT $3)",
                )
                .bind(whose.0)
                .bind(whose.1)
                .bind(waiting - others)
                .execute(&mut *connection)
                .await?;
            }
            sqlx::query(
                "INSERT INTO authorization_request (name_hash, client, device, parameters, begun_at, expires_at) \
                 VALUES ($1, $2, $3, $4, $5, $6)",
            )
            .bind(new.name_hash.clone())
            .bind(request.client.as_str())
            .bind(whose.0)
            .bind(request.parameters.as_str())
            .bind(request.begun_at.millis())
            .bind(new.expires_at.millis())
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// Takes a request that is not over, once: one that waits on a device by that device alone.
    pub async fn take_request(
        &mut self,
        name_hash: &[u8],
        device: &DeviceId,
    ) -> Result<Option<StoredRequest>> {
        self.take(name_hash, Some(device.as_str()), None).await
    }

    /// Takes a request that a client has pushed and nobody has come with yet, once: whoever names another client has not taken
    /// it.
    pub async fn take_pushed_request(
        &mut self,
        name_hash: &[u8],
        client: &str,
    ) -> Result<Option<StoredRequest>> {
        self.take(name_hash, None, Some(client)).await
    }

    async fn take(
        &mut self,
        name_hash: &[u8],
        device: Option<&str>,
        client: Option<&str>,
    ) -> Result<Option<StoredRequest>> {
        let (name_hash, now) = (name_hash.to_vec(), self.now.millis());
        let taken: Option<(String, Option<String>, String, i64)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "DELETE FROM authorization_request WHERE name_hash = $1 AND expires_at > $2 \
                 AND (device = $3 OR (device IS NULL AND client = $4)) RETURNING client, device, parameters, begun_at",
            )
            .bind(name_hash)
            .bind(now)
            .bind(device)
            .bind(client)
            .fetch_optional(connection)
            .await?
        });
        taken
            .map(|(client, device, parameters, begun_at)| {
                let device = device.map(DeviceId::try_from).transpose();
                let device = device.map_err(|_| LedgerError::Unreadable("authorization_request.device"))?;
                Ok(StoredRequest { client, device, parameters, begun_at: begun_at.into() })
            })
            .transpose()
    }
}
