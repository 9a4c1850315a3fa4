//! Many certificates in few statements. Each statement says how many rows it must change when nobody is refused; when
//! it changes fewer, [`Operation::apply`](crate::Operation::apply) finds out who is refused and why.

use super::eligibility::{may_claim, may_reserve};
use super::issuing::{IssuanceRight, ReserveSerial, StoreCertificate};
use crate::engine::on_transaction;
use crate::group_commit::{NOT_ALL, all};
use crate::rows::{BatchStatement, MOST, bind_rows};
use crate::{Operation, Result, Transaction};
use std::collections::HashSet;
use tegata_core::{InvitationId, Role, SiteId, TenantId};

/// Of a first certificate.
const FIRST: i64 = 1;

static DEVICES: BatchStatement = BatchStatement::new(
    "WITH new (id, tenant, site, role, label, at) AS (VALUES ",
    6,
    ") INSERT INTO device (id, tenant, site, role, label, state, generation, created_at, changed_at) \
     SELECT id, tenant, site, role, label, 'active', 1, at, at FROM new WHERE id IS NOT NULL",
);

static CLAIMS: BatchStatement = BatchStatement::new(
    "WITH new (invitation, key_hash, device, at) AS (VALUES ",
    4,
    concat!(
        ") UPDATE invitation SET state = 'claimed', key_hash = new.key_hash, device = new.device FROM new, device d \
     WHERE invitation.id = new.invitation AND d.id = new.device AND ",
        may_claim!(at "new.at")
    ),
);

/// A device that was not there before has no certificate, so a key that anybody has used is another's.
static RESERVATIONS: BatchStatement = BatchStatement::new(
    "WITH new (issuer, serial, shard, device, key_hash, key_id, tbs, not_before, not_after, at, place) AS (VALUES ",
    11,
    concat!(
        ") INSERT INTO certificate (issuer, serial, shard, device, generation, state, key_hash, key_id, tbs, not_before, \
     not_after, reserved_at, status_place) SELECT i.id, n.serial, n.shard, n.device, 1, 'reserved', n.key_hash, n.key_id, n.tbs, \
     n.not_before, n.not_after, n.at, n.place FROM new n JOIN issuer i ON i.id = n.issuer \
     JOIN device d ON d.id = n.device JOIN tenant t ON t.id = d.tenant JOIN site s ON s.id = d.site \
     WHERE NOT EXISTS (SELECT 1 FROM blocked_key b WHERE b.key_id = n.key_id OR b.key_hash = n.key_hash) \
     AND NOT EXISTS (SELECT 1 FROM certificate c WHERE c.key_id = n.key_id) AND ",
        may_reserve!(generation "1", at "n.at")
    ),
);

static COMPLETIONS: BatchStatement = BatchStatement::new(
    "WITH new (issuer, serial, device, der, thumbprint, at) AS (VALUES ",
    6,
    ") UPDATE certificate SET state = 'issued', der = new.der, thumbprint = new.thumbprint, issued_at = new.at \
     FROM new WHERE certificate.issuer = new.issuer AND certificate.serial = new.serial \
     AND certificate.device = new.device AND certificate.state = 'reserved'",
);

/// An intention by an open invitation, with what it says of the device.
struct FirstEnrollment<'a> {
    intent: &'a ReserveSerial,
    invitation: &'a InvitationId,
    tenant: &'a TenantId,
    site: &'a SiteId,
    role: Role,
    label: &'a str,
    key_id: [u8; 32],
    /// In the status lists.
    place: i64,
}

impl<'a> FirstEnrollment<'a> {
    fn of(intent: &'a ReserveSerial, transaction: &mut Transaction) -> Option<Self> {
        let IssuanceRight::Invitation { invitation, tenant, site, role, label } = &intent.origin else {
            return None;
        };
        let place = transaction.take_status_place();
        Some(Self { intent, invitation, tenant, site, role: *role, label, key_id: intent.key_id(), place })
    }
}

impl Transaction {
    /// First certificates are reserved together, the others one by one.
    pub(super) async fn reserve_all(&mut self, set: &[&ReserveSerial]) -> Result<Vec<u32>> {
        // The statements look for a key in the ledger as it was before them.
        let mut keys = HashSet::with_capacity(set.len());
        if !set.iter().all(|intent| keys.insert(intent.key_id())) {
            return Err(NOT_ALL);
        }
        let enrollments: Vec<_> = set.iter().filter_map(|intent| FirstEnrollment::of(intent, self)).collect();
        for some in enrollments.chunks(MOST) {
            self.enroll_all(some).await?;
        }
        let mut generations = Vec::with_capacity(set.len());
        for intent in set {
            self.now = intent.at;
            generations.push(match intent.origin {
                IssuanceRight::Invitation { .. } => {
                    self.note_reserved(intent, FIRST).await?;
                    1
                }
                IssuanceRight::Again(_) | IssuanceRight::Replacement(_) | IssuanceRight::Renewal(_) => {
                    intent.apply(self).await?
                }
            });
        }
        Ok(generations)
    }

    pub(super) async fn complete_all(&mut self, set: &[&StoreCertificate]) -> Result<Vec<()>> {
        for some in set.chunks(MOST) {
            let batch = COMPLETIONS.of(some.len());
            let completed = on_transaction!(self.engine, connection => {
                bind_rows!(sqlx::query(batch.text(&*connection)), some, batch.size, complete => [
                    complete.issuer.as_str(),
                    complete.serial.as_bytes(),
                    complete.device.as_str(),
                    complete.der.as_slice(),
                    complete.thumbprint.as_bytes().as_slice(),
                    complete.at.millis(),
                ])
                .execute(connection)
                .await?
                .rows_affected()
            });
            all(some, completed)?;
        }
        for complete in set {
            complete.check()?;
            self.now = complete.at;
            self.note_issued(complete).await?;
        }
        Ok(vec![(); set.len()])
    }

    async fn enroll_all(&mut self, some: &[FirstEnrollment<'_>]) -> Result<()> {
        let batch = DEVICES.of(some.len());
        let added = on_transaction!(self.engine, connection => {
            bind_rows!(sqlx::query(batch.text(&*connection)), some, batch.size, new => [
                new.intent.device.as_str(),
                new.tenant.as_str(),
                new.site.as_str(),
                new.role.as_str(),
                new.label,
                new.intent.at.millis(),
            ])
            .execute(connection)
            .await?
            .rows_affected()
        });
        all(some, added)?;
        let batch = CLAIMS.of(some.len());
        let claimed = on_transaction!(self.engine, connection => {
            bind_rows!(sqlx::query(batch.text(&*connection)), some, batch.size, new => [
                new.invitation.as_str(),
                new.intent.key_hash.as_slice(),
                new.intent.device.as_str(),
                new.intent.at.millis(),
            ])
            .execute(connection)
            .await?
            .rows_affected()
        });
        all(some, claimed)?;
        let batch = RESERVATIONS.of(some.len());
        let reserved = on_transaction!(self.engine, connection => {
            bind_rows!(sqlx::query(batch.text(&*connection)), some, batch.size, new => [
                new.intent.issuer.as_str(),
                new.intent.serial.as_bytes(),
                i64::from(new.intent.shard),
                new.intent.device.as_str(),
                new.intent.key_hash.as_slice(),
                new.key_id.as_slice(),
                new.intent.tbs.as_slice(),
                new.intent.not_before.millis(),
                new.intent.not_after.millis(),
                new.intent.at.millis(),
                new.place,
            ])
            .execute(connection)
            .await?
            .rows_affected()
        });
        all(some, reserved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Patience;
    use crate::engine::{Engine, EngineTransaction};
    use sqlx::{AssertSqlSafe, Row};

    /// With a million certificates, looking at each of them would stop everybody.
    #[tokio::test]
    async fn only_the_new_rows_are_looked_through() {
        let folder = tempfile::tempdir().unwrap();
        let engine = Engine::open(
            (&format!("sqlite:{}", folder.path().join("ledger.db").display())).into(),
            Patience::Command,
        )
        .await
        .unwrap();
        engine.migrate().await.unwrap();
        let (mut transaction, _) = engine.begin().await.unwrap();
        // The plan of DEVICES also names who refers to a device: SQLite looks there only while a reference dangles.
        for statement in [&CLAIMS, &RESERVATIONS, &COMPLETIONS] {
            for rows in [1, MOST] {
                let EngineTransaction::Sqlite(connection) = &mut transaction else { panic!("SQLite") };
                let text = statement.of(rows).text(&**connection);
                let explain = AssertSqlSafe(format!("EXPLAIN QUERY PLAN {text}"));
                let plan = sqlx::query(explain).fetch_all(&mut **connection).await.unwrap();
                let plan: Vec<String> = plan.iter().map(|row| row.get("detail")).collect();
                for scanned in plan.iter().filter_map(|line| line.strip_prefix("SCAN ")) {
                    assert!(["new", "n"].contains(&scanned) || scanned.contains("CONSTANT ROW"), "{plan:?}");
                }
            }
        }
    }
}
