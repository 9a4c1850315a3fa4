//! Rows exactly as the database has them, read in pages.

use super::Inspection;
use crate::Result;
use crate::engine::on_transaction;
use tegata_core::{IssuerId, Timestamp};

/// A certificate with what its device says of it. Columns of the device are missing where the device is.
#[derive(Clone, PartialEq, Eq, Debug, sqlx::FromRow)]
#[allow(missing_docs)]
pub struct FiledCertificate {
    pub issuer: String,
    pub serial: Vec<u8>,
    pub shard: i64,
    pub device: String,
    pub generation: i64,
    pub parent: Option<i64>,
    pub state: String,
    pub key_hash: Vec<u8>,
    pub tbs: Vec<u8>,
    pub der: Option<Vec<u8>>,
    pub thumbprint: Option<Vec<u8>>,
    pub not_before: i64,
    pub not_after: i64,
    pub reserved_at: i64,
    pub issued_at: Option<i64>,
    pub retire_at: Option<i64>,
    pub ended_at: Option<i64>,
    pub reason: Option<String>,
    pub device_state: Option<String>,
    pub role: Option<String>,
    pub label: Option<String>,
    pub site_name: Option<String>,
}

/// A device as its row states it, not judged yet.
#[derive(Clone, PartialEq, Eq, Debug, sqlx::FromRow)]
#[allow(missing_docs)]
pub struct FiledDevice {
    pub id: String,
    pub state: String,
    /// The newest generation ever reserved.
    pub generation: i64,
    /// How many certificates there are, and the newest generation among them.
    pub certificates: i64,
    pub newest: Option<i64>,
    /// Whether its site exists and belongs to its tenant.
    pub is_placed: bool,
}

/// A tenant that is not active.
#[derive(Clone, PartialEq, Eq, Debug, sqlx::FromRow)]
#[allow(missing_docs)]
pub struct FiledTenant {
    pub id: String,
    pub state: String,
}

/// Whose tokens are denied by their age.
#[derive(Clone, PartialEq, Eq, Debug, sqlx::FromRow)]
#[allow(missing_docs)]
pub struct FiledTokens {
    /// The word `device` or `tenant`.
    pub kind: String,
    pub holder: String,
    #[sqlx(try_from = "i64")]
    pub issued_before: Timestamp,
}

/// An event of the feed.
#[derive(Clone, PartialEq, Eq, Debug, sqlx::FromRow)]
#[allow(missing_docs)]
pub struct FiledEvent {
    pub seq: i64,
    #[sqlx(try_from = "i64")]
    pub at: Timestamp,
    /// The change in JSON, as it was written.
    pub change: String,
}

/// The certificate of an OCSP responder.
#[derive(Clone, PartialEq, Eq, Debug, sqlx::FromRow)]
#[allow(missing_docs)]
pub struct FiledResponder {
    pub issuer: String,
    pub serial: Vec<u8>,
    pub tbs: Vec<u8>,
    pub der: Option<Vec<u8>>,
    #[sqlx(try_from = "i64")]
    pub not_after: Timestamp,
    #[sqlx(try_from = "i64")]
    pub reserved_at: Timestamp,
}

/// The newest time written anywhere in one table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LatestTime {
    /// The name of the table.
    pub table: &'static str,
    /// The newest time in it.
    pub at: Timestamp,
}

impl Inspection {
    /// How many certificates there are.
    pub async fn count_certificates(&mut self) -> Result<u64> {
        let (count,): (i64,) = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT COUNT(*) FROM certificate").fetch_one(connection).await?
        });
        Ok(count.unsigned_abs())
    }

    /// Certificates after a place in the ledger, by device and generation.
    pub async fn certificates(
        &mut self,
        device: &str,
        generation: i64,
        limit: u32,
    ) -> Result<Vec<FiledCertificate>> {
        Ok(on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT c.issuer, c.serial, c.shard, c.device, c.generation, c.parent, c.state, c.key_hash, c.tbs, c.der, \
                 c.thumbprint, c.not_before, c.not_after, c.reserved_at, c.issued_at, c.retire_at, c.ended_at, c.reason, \
                 d.state AS device_state, d.role, d.label, s.name AS site_name \
                 FROM certificate c LEFT JOIN device d ON d.id = c.device LEFT JOIN site s ON s.id = d.site \
                 WHERE (c.device, c.generation) > ($1, $2) ORDER BY c.device, c.generation LIMIT $3",
            )
            .bind(device)
            .bind(generation)
            .bind(i64::from(limit))
            .fetch_all(connection)
            .await?
        }))
    }

    /// Devices after an identifier.
    pub async fn devices(&mut self, after: &str, limit: u32) -> Result<Vec<FiledDevice>> {
        Ok(on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT d.id, d.state, d.generation, \
                 (SELECT COUNT(*) FROM certificate c WHERE c.device = d.id) AS certificates, \
                 (SELECT MAX(c.generation) FROM certificate c WHERE c.device = d.id) AS newest, \
                 EXISTS (SELECT 1 FROM site s WHERE s.id = d.site AND s.tenant = d.tenant) AS is_placed \
                 FROM device d WHERE d.id > $1 ORDER BY d.id LIMIT $2",
            )
            .bind(after)
            .bind(i64::from(limit))
            .fetch_all(connection)
            .await?
        }))
    }

    /// Tenants that are not active.
    pub async fn stopped_tenants(&mut self) -> Result<Vec<FiledTenant>> {
        Ok(on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT id, state FROM tenant WHERE state <> 'active' ORDER BY id")
                .fetch_all(connection)
                .await?
        }))
    }

    /// Tokens denied by their age, after a kind and a holder.
    pub async fn denied_tokens(&mut self, kind: &str, holder: &str, limit: u32) -> Result<Vec<FiledTokens>> {
        Ok(on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT kind, holder, issued_before FROM denied_tokens WHERE (kind, holder) > ($1, $2) \
                 ORDER BY kind, holder LIMIT $3",
            )
            .bind(kind)
            .bind(holder)
            .bind(i64::from(limit))
            .fetch_all(connection)
            .await?
        }))
    }

    /// Certificates of OCSP responders and SCEP registrars that end after `since`, or were never signed.
    pub async fn responders(&mut self, since: Timestamp) -> Result<Vec<FiledResponder>> {
        Ok(on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT issuer, serial, tbs, der, not_after, reserved_at FROM responder WHERE not_after > $1 \
                 UNION ALL SELECT issuer, serial, tbs, der, not_after, reserved_at FROM registrar \
                 WHERE not_after > $1 ORDER BY 1, 6",
            )
            .bind(since.millis())
            .fetch_all(connection)
            .await?
        }))
    }

    /// Whether any certificate names this list.
    pub async fn names_shard(&mut self, issuer: &IssuerId, shard: u16) -> Result<bool> {
        let found: Option<(i64,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT generation FROM certificate WHERE issuer = $1 AND shard = $2 LIMIT 1")
                .bind(issuer.as_str())
                .bind(i64::from(shard))
                .fetch_optional(connection)
                .await?
        });
        Ok(found.is_some())
    }

    /// The newest time written in each table.
    pub async fn latest_times(&mut self) -> Result<Vec<LatestTime>> {
        let mut latest = Vec::with_capacity(LATEST.len());
        for (table, statement) in LATEST {
            let (at,): (Option<i64>,) = on_transaction!(self.engine, connection => {
                sqlx::query_as(*statement).fetch_one(connection).await?
            });
            latest.extend(at.map(|at| LatestTime { table, at: at.into() }));
        }
        Ok(latest)
    }
}

/// Columns that say when something happened; those that say when it will are left out.
const LATEST: &[(&str, &str)] = &[
    ("audit", "SELECT MAX(at) FROM audit"),
    ("feed", "SELECT MAX(at) FROM feed"),
    (
        "certificate",
        "SELECT MAX(at) FROM (SELECT MAX(reserved_at) AS at FROM certificate UNION ALL \
         SELECT MAX(issued_at) FROM certificate UNION ALL SELECT MAX(delivered_at) FROM certificate UNION ALL \
         SELECT MAX(used_at) FROM certificate UNION ALL SELECT MAX(ended_at) FROM certificate) AS times",
    ),
    (
        "device",
        "SELECT MAX(at) FROM (SELECT MAX(created_at) AS at FROM device UNION ALL \
         SELECT MAX(changed_at) FROM device) AS times",
    ),
    ("invitation", "SELECT MAX(created_at) FROM invitation"),
    (
        "receipt",
        "SELECT MAX(at) FROM (SELECT MAX(applied_at) AS at FROM receipt UNION ALL \
         SELECT MAX(seen_at) FROM receipt) AS times",
    ),
    ("crl", "SELECT MAX(this_update) FROM crl"),
];
