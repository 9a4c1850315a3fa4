//! Shards of an issuer and the CRL published for each.

use crate::engine::{on_read, on_transaction};
use crate::{Ledger, Result, Transaction};
use tegata_core::{DeviceId, IssuerId, TenantId, Timestamp};

/// A CRL as it was published.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredCrl {
    /// The CRL number (RFC 5280 section 5.2.3).
    pub number: u64,
    /// The revision of the shard it contains.
    pub revision: u64,
    /// When it was made.
    pub this_update: Timestamp,
    /// When the next is due at the latest.
    pub next_update: Timestamp,
    /// The signed list in DER.
    pub der: Vec<u8>,
}

/// What a shard should say and what its published list says.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CrlShard {
    /// Which of the issuer's, from 0.
    pub number: u16,
    /// Moves with every change of its entries.
    pub revision: u64,
    /// The list that is out.
    pub published: Option<PublishedCrl>,
}

/// The published list, without its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PublishedCrl {
    /// The CRL number (RFC 5280 section 5.2.3).
    pub number: u64,
    /// The revision it contains.
    pub revision: u64,
    /// When it was made.
    pub this_update: Timestamp,
    /// When the next is due at the latest.
    pub next_update: Timestamp,
}

type ShardRow = (i64, i64, Option<i64>, Option<i64>, Option<i64>, Option<i64>);

impl Ledger {
    /// The newest CRL of a shard.
    pub async fn crl(&self, issuer: &IssuerId, shard: u16) -> Result<Option<StoredCrl>> {
        let row: Option<(i64, i64, i64, i64, Vec<u8>)> = on_read!(self, connection => {
            sqlx::query_as(
                "SELECT number, revision, this_update, next_update, der FROM crl WHERE issuer = $1 AND shard = $2",
            )
            .bind(issuer.as_str())
            .bind(i64::from(shard))
            .fetch_optional(connection)
            .await?
        });
        Ok(row.map(|(number, revision, this_update, next_update, der)| StoredCrl {
            number: number.unsigned_abs(),
            revision: revision.unsigned_abs(),
            this_update: this_update.into(),
            next_update: next_update.into(),
            der,
        }))
    }

    /// The number of the newest CRL of a shard.
    pub async fn crl_number(&self, issuer: &IssuerId, shard: u16) -> Result<Option<u64>> {
        let row: Option<(i64,)> = on_read!(self, connection => {
            sqlx::query_as("SELECT number FROM crl WHERE issuer = $1 AND shard = $2")
                .bind(issuer.as_str())
                .bind(i64::from(shard))
                .fetch_optional(connection)
                .await?
        });
        Ok(row.map(|(number,)| number.unsigned_abs()))
    }

    /// The shards of an issuer, by number.
    pub async fn shards(&self, issuer: &IssuerId) -> Result<Vec<CrlShard>> {
        let rows: Vec<ShardRow> = on_read!(self, connection => {
            sqlx::query_as(
                "SELECT s.number, s.revision, c.number AS crl_number, c.revision AS crl_revision, c.this_update, \
                 c.next_update FROM shard s LEFT JOIN crl c ON c.issuer = s.issuer AND c.shard = s.number \
                 WHERE s.issuer = $1 ORDER BY s.number",
            )
            .bind(issuer.as_str())
            .fetch_all(connection)
            .await?
        });
        Ok(rows.into_iter().map(shard).collect())
    }
}

impl Transaction {
    /// Replaces the published CRL of a shard, only by one with a higher number that contains no less. Gives whether
    /// it did: somebody else may have published meanwhile.
    pub async fn publish_crl(&mut self, issuer: &IssuerId, shard: u16, crl: &StoredCrl) -> Result<bool> {
        let number = i64::try_from(crl.number).unwrap_or(i64::MAX);
        let revision = i64::try_from(crl.revision).unwrap_or(i64::MAX);
        let replaced = on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO crl (issuer, shard, number, revision, this_update, next_update, der) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (issuer, shard) DO UPDATE \
                 SET number = $3, revision = $4, this_update = $5, next_update = $6, der = $7 \
                 WHERE crl.number < $3 AND crl.revision <= $4",
            )
            .bind(issuer.as_str())
            .bind(i64::from(shard))
            .bind(number)
            .bind(revision)
            .bind(crl.this_update.millis())
            .bind(crl.next_update.millis())
            .bind(crl.der.clone())
            .execute(connection)
            .await?
            .rows_affected()
        });
        Ok(replaced == 1)
    }

    pub(crate) async fn add_shard(&mut self, issuer: &IssuerId, number: u16) -> Result<()> {
        on_transaction!(self.engine, connection => {
            sqlx::query("INSERT INTO shard (issuer, number, revision) VALUES ($1, $2, 1)")
                .bind(issuer.as_str())
                .bind(i64::from(number))
                .execute(connection)
                .await?;
        });
        Ok(())
    }

    /// The entries of a shard have changed.
    pub(crate) async fn touch_shard(&mut self, issuer: &str, number: i64) -> Result<()> {
        on_transaction!(self.engine, connection => {
            sqlx::query("UPDATE shard SET revision = revision + 1 WHERE issuer = $1 AND number = $2")
                .bind(issuer)
                .bind(number)
                .execute(connection)
                .await?;
        });
        Ok(())
    }

    /// The entries of all shards with certificates of a device have changed.
    pub(crate) async fn touch_shards_of(&mut self, device: &DeviceId) -> Result<()> {
        on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE shard SET revision = revision + 1 WHERE (issuer, number) IN \
                 (SELECT c.issuer, c.shard FROM certificate c WHERE c.device = $1)",
            )
            .bind(device.as_str())
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// The entries of all shards with certificates of a tenant's devices have changed.
    pub(crate) async fn touch_shards_within(&mut self, tenant: &TenantId) -> Result<()> {
        on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE shard SET revision = revision + 1 WHERE (issuer, number) IN \
                 (SELECT c.issuer, c.shard FROM site s JOIN device d ON d.site = s.id \
                 JOIN certificate c ON c.device = d.id WHERE s.tenant = $1 AND d.role = 'device')",
            )
            .bind(tenant.as_str())
            .execute(connection)
            .await?;
        });
        Ok(())
    }

    /// What the parent of a CA says of its CAs has changed.
    pub(crate) async fn touch_parent(&mut self, issuer: &IssuerId) -> Result<()> {
        on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE shard SET revision = revision + 1 \
                 WHERE number = 0 AND issuer = (SELECT i.parent FROM issuer i WHERE i.id = $1)",
            )
            .bind(issuer.as_str())
            .execute(connection)
            .await?;
        });
        Ok(())
    }
}

fn shard((number, revision, crl_number, crl_revision, this_update, next_update): ShardRow) -> CrlShard {
    let published = |crl_number: i64| {
        Some(PublishedCrl {
            number: crl_number.unsigned_abs(),
            revision: crl_revision?.unsigned_abs(),
            this_update: this_update?.into(),
            next_update: next_update?.into(),
        })
    };
    CrlShard {
        number: u16::try_from(number).unwrap_or(u16::MAX),
        revision: revision.unsigned_abs(),
        published: crl_number.and_then(published),
    }
}
