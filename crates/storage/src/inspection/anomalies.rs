//! Queries for rows that must not exist. A sound ledger answers each with nothing.

use super::Inspection;
use crate::Result;
use crate::engine::on_transaction;
use tegata_core::Timestamp;

/// A certificate that something is wrong with.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug, sqlx::FromRow)]
#[allow(missing_docs)]
pub struct Suspicious {
    pub device: String,
    pub generation: i64,
    pub issuer: String,
    pub serial: Vec<u8>,
}

/// A row that names another row that is not there.
#[derive(Clone, PartialEq, Eq, Debug, sqlx::FromRow)]
#[allow(missing_docs)]
pub struct Orphan {
    /// What kind of thing it is, in one word.
    pub what: String,
    pub id: String,
    /// What is missing, in one word.
    pub missing: String,
}

impl Inspection {
    /// Signed certificates that share their key with another one.
    pub async fn shared_keys(&mut self, limit: u32) -> Result<Vec<Suspicious>> {
        Ok(on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT c.device, c.generation, c.issuer, c.serial FROM certificate c WHERE c.key_id IN \
                 (SELECT k.key_id FROM certificate k WHERE k.der IS NOT NULL GROUP BY k.key_id HAVING COUNT(*) > 1) \
                 AND c.der IS NOT NULL ORDER BY c.key_id, c.device, c.generation LIMIT $1",
            )
            .bind(i64::from(limit))
            .fetch_all(connection)
            .await?
        }))
    }

    /// Certificates whose serial their CA has given twice, to another certificate, a responder or a registrar.
    pub async fn shared_serials(&mut self, limit: u32) -> Result<Vec<Suspicious>> {
        Ok(on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT c.device, c.generation, c.issuer, c.serial FROM certificate c JOIN \
                 (SELECT issuer, serial FROM certificate GROUP BY issuer, serial HAVING COUNT(*) > 1) twice \
                 ON twice.issuer = c.issuer AND twice.serial = c.serial UNION \
                 SELECT c.device, c.generation, c.issuer, c.serial FROM certificate c \
                 JOIN (SELECT issuer, serial FROM responder UNION ALL SELECT issuer, serial FROM registrar) r \
                 ON r.issuer = c.issuer AND r.serial = c.serial ORDER BY 1, 2 LIMIT $1",
            )
            .bind(i64::from(limit))
            .fetch_all(connection)
            .await?
        }))
    }

    /// Certificates that would be let in though their key is blocked.
    pub async fn living_with_blocked_key(&mut self, now: Timestamp, limit: u32) -> Result<Vec<Suspicious>> {
        Ok(on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT c.device, c.generation, c.issuer, c.serial FROM blocked_key b \
                 JOIN certificate c ON c.key_id = b.key_id OR c.key_hash = b.key_hash LEFT JOIN device d ON d.id = c.device \
                 WHERE c.state NOT IN ('retired', 'revoked') AND c.not_after >= $1 \
                 AND COALESCE(d.state, 'active') IN ('active', 'suspended') ORDER BY 1, 2 LIMIT $2",
            )
            .bind(now.millis())
            .bind(i64::from(limit))
            .fetch_all(connection)
            .await?
        }))
    }

    /// Certificates that would be let in though one they were renewed from, however far back, was revoked because its
    /// key may be compromised.
    pub async fn living_heirs_of_the_compromised(
        &mut self,
        now: Timestamp,
        limit: u32,
    ) -> Result<Vec<Suspicious>> {
        Ok(on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "WITH RECURSIVE heir (device, generation) AS (SELECT device, generation FROM certificate \
                 WHERE state = 'revoked' AND reason = 'key_compromise' UNION \
                 SELECT c.device, c.generation FROM certificate c \
                 JOIN heir ON c.device = heir.device AND c.parent = heir.generation) \
                 SELECT c.device, c.generation, c.issuer, c.serial FROM heir \
                 JOIN certificate c ON c.device = heir.device AND c.generation = heir.generation \
                 JOIN device d ON d.id = c.device \
                 WHERE c.state NOT IN ('retired', 'revoked') AND c.not_after >= $1 \
                 AND d.state IN ('active', 'suspended') ORDER BY 1, 2 LIMIT $2",
            )
            .bind(now.millis())
            .bind(i64::from(limit))
            .fetch_all(connection)
            .await?
        }))
    }

    /// Rows that name what is not there: foreign keys forbid them, restored or repaired databases have them.
    pub async fn orphans(&mut self, limit: u32) -> Result<Vec<Orphan>> {
        Ok(on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT 'certificate' AS what, c.device || '/' || CAST(c.generation AS TEXT) AS id, 'device' AS missing \
                 FROM certificate c WHERE NOT EXISTS (SELECT 1 FROM device d WHERE d.id = c.device) UNION ALL \
                 SELECT 'certificate', c.device || '/' || CAST(c.generation AS TEXT), 'issuer' \
                 FROM certificate c WHERE NOT EXISTS (SELECT 1 FROM issuer i WHERE i.id = c.issuer) UNION ALL \
                 SELECT 'certificate', c.device || '/' || CAST(c.generation AS TEXT), 'shard' \
                 FROM certificate c WHERE NOT EXISTS \
                 (SELECT 1 FROM shard s WHERE s.issuer = c.issuer AND s.number = c.shard) UNION ALL \
                 SELECT 'certificate', c.device || '/' || CAST(c.generation AS TEXT), 'parent' \
                 FROM certificate c WHERE c.parent IS NOT NULL AND (c.parent >= c.generation OR NOT EXISTS \
                 (SELECT 1 FROM certificate p WHERE p.device = c.device AND p.generation = c.parent)) UNION ALL \
                 SELECT 'responder', r.issuer, 'issuer' FROM responder r \
                 WHERE NOT EXISTS (SELECT 1 FROM issuer i WHERE i.id = r.issuer) UNION ALL \
                 SELECT 'registrar', r.issuer, 'issuer' FROM registrar r \
                 WHERE NOT EXISTS (SELECT 1 FROM issuer i WHERE i.id = r.issuer) UNION ALL \
                 SELECT 'crl', l.issuer, 'shard' FROM crl l WHERE NOT EXISTS \
                 (SELECT 1 FROM shard s WHERE s.issuer = l.issuer AND s.number = l.shard) UNION ALL \
                 SELECT 'invitation', v.id, 'device' FROM invitation v WHERE v.state = 'claimed' AND NOT EXISTS \
                 (SELECT 1 FROM device d WHERE d.id = v.device) LIMIT $1",
            )
            .bind(i64::from(limit))
            .fetch_all(connection)
            .await?
        }))
    }
}
