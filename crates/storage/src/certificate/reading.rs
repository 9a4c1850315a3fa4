//! Reading certificates.

use crate::engine::on_read;
use crate::scope::on_scoped_read;
use crate::{Ledger, Result, ScopedLedger};
use futures_util::TryStreamExt;
use tegata_core::{
    CertificateState, DeviceId, DeviceState, IssuerId, RevocationReason, Role, Serial, SiteId, Standing,
    TenantId, TenantState, Thumbprint, Timestamp,
};

/// A certificate as the ledger knows it.
#[derive(Clone, PartialEq, Eq, Debug, sqlx::FromRow)]
#[allow(missing_docs)]
pub struct Certificate {
    #[sqlx(try_from = "String")]
    pub issuer: IssuerId,
    #[sqlx(try_from = "Vec<u8>")]
    pub serial: Serial,
    /// Which of the CA's CRLs names it once it ends.
    pub shard: i64,
    #[sqlx(try_from = "String")]
    pub device: DeviceId,
    pub generation: i64,
    /// The generation it was renewed from.
    pub parent: Option<i64>,
    #[sqlx(try_from = "String")]
    pub state: CertificateState,
    pub key_hash: Vec<u8>,
    pub tbs: Vec<u8>,
    pub der: Option<Vec<u8>>,
    #[sqlx(try_from = "i64")]
    pub not_before: Timestamp,
    #[sqlx(try_from = "i64")]
    pub not_after: Timestamp,
    #[sqlx(try_from = "i64")]
    pub reserved_at: Timestamp,
}

impl Certificate {
    /// Its thumbprint, once it is signed.
    pub fn thumbprint(&self) -> Option<Thumbprint> {
        self.der.as_deref().map(Thumbprint::of)
    }
}

/// A certificate together with its holder: what is asked of every request.
#[derive(Clone, PartialEq, Eq, Debug, sqlx::FromRow)]
#[allow(missing_docs)]
pub struct HeldCertificate {
    #[sqlx(try_from = "Vec<u8>")]
    pub thumbprint: Thumbprint,
    #[sqlx(try_from = "Vec<u8>")]
    pub serial: Serial,
    #[sqlx(try_from = "String")]
    pub device: DeviceId,
    pub generation: i64,
    #[sqlx(try_from = "String")]
    pub role: Role,
    #[sqlx(try_from = "String")]
    pub tenant: TenantId,
    #[sqlx(try_from = "String")]
    pub site: SiteId,
    #[sqlx(try_from = "String")]
    pub device_state: DeviceState,
    #[sqlx(try_from = "String")]
    pub tenant_state: TenantState,
    #[sqlx(try_from = "String")]
    pub state: CertificateState,
    #[sqlx(try_from = "i64")]
    pub not_before: Timestamp,
    #[sqlx(try_from = "i64")]
    pub not_after: Timestamp,
    /// Its place in the status lists.
    pub status_place: Option<i64>,
}

impl HeldCertificate {
    /// Whether it may be used now.
    pub fn standing(&self, now: Timestamp) -> Standing {
        tegata_core::certificate::standing(
            self.device_state.within(self.tenant_state, self.role),
            self.state,
            self.not_before,
            self.not_after,
            now,
        )
    }
}

/// A certificate that a CRL names.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct EndedCertificate {
    /// The serial that the list names.
    pub serial: Serial,
    /// When the certificate ended.
    pub at: Timestamp,
    /// Why; nothing for a device that is suspended, by itself or with its tenant: its certificates are on hold.
    pub reason: Option<RevocationReason>,
}

impl Ledger {
    /// The signed certificate with this thumbprint and its holder.
    pub async fn holding(&self, thumbprint: &Thumbprint) -> Result<Option<HeldCertificate>> {
        Ok(on_read!(self, connection => {
            sqlx::query_as(
                "SELECT c.thumbprint, c.serial, c.device, c.generation, d.role, d.tenant, d.site, \
                 d.state AS device_state, t.state AS tenant_state, c.state, c.not_before, c.not_after, \
                 c.status_place FROM certificate c JOIN device d ON d.id = c.device JOIN tenant t ON t.id = d.tenant \
                 WHERE c.thumbprint = $1",
            )
            .bind(thumbprint.as_bytes().to_vec())
            .fetch_optional(connection)
            .await?
        }))
    }

    /// The living certificates of all gates, in DER: those that a gate may sign assertions with. A gate goes on while its
    /// tenant is suspended.
    pub async fn gate_certificates(&self, now: Timestamp) -> Result<Vec<Vec<u8>>> {
        let rows: Vec<(Vec<u8>,)> = on_read!(self, connection => {
            sqlx::query_as(
                "SELECT c.der FROM device d JOIN certificate c ON c.device = d.id JOIN issuer i ON i.id = c.issuer \
                 WHERE d.role = 'gate' AND d.state = 'active' AND i.state IN ('active', 'resting') AND c.der IS NOT NULL \
                 AND c.state IN ('issued', 'delivered', 'in_use', 'retiring') AND c.not_before <= $1 AND c.not_after >= $1 \
                 ORDER BY d.id, c.generation",
            )
            .bind(now.millis())
            .fetch_all(connection)
            .await?
        });
        Ok(rows.into_iter().map(|(der,)| der).collect())
    }

    /// Every certificate after a place in the ledger, a page at a time, for re-auditing.
    pub async fn certificates_after(
        &self,
        device: &str,
        generation: i64,
        limit: u32,
    ) -> Result<Vec<Certificate>> {
        Ok(on_read!(self, connection => {
            sqlx::query_as(
                "SELECT issuer, serial, shard, device, generation, parent, state, key_hash, tbs, der, not_before, not_after, reserved_at \
                 FROM certificate WHERE (device, generation) > ($1, $2) ORDER BY device, generation LIMIT $3",
            )
            .bind(device)
            .bind(generation)
            .bind(i64::from(limit))
            .fetch_all(connection)
            .await?
        }))
    }

    /// What OCSP says of a serial: nothing when it was never signed. It has ended wherever [`Ledger::ended`] names
    /// it, signed or not.
    pub async fn status_of(&self, issuer: &IssuerId, serial: &Serial) -> Result<Option<SerialStatus>> {
        let row: Option<CertificateStatusRow> = on_read!(self, connection => {
            sqlx::query_as(
                "SELECT c.serial, c.state, c.reason, c.ended_at, d.state AS device_state, d.reason AS device_reason, \
                 d.changed_at, d.role, t.state AS tenant_state, t.changed_at AS tenant_changed_at, \
                 d.id AS device, d.tenant, c.thumbprint, c.not_after \
                 FROM certificate c JOIN device d ON d.id = c.device JOIN tenant t ON t.id = d.tenant \
                 WHERE c.issuer = $1 AND c.serial = $2 AND (c.der IS NOT NULL OR c.state = 'revoked' \
                 OR d.state <> 'active' OR (t.state <> 'active' AND d.role = 'device'))",
            )
            .bind(issuer.as_str())
            .bind(serial.as_bytes().to_vec())
            .fetch_optional(connection)
            .await?
        });
        match row {
            Some(row) => Ok(Some(row.into())),
            None => Ok(self.lost(issuer, serial).await?.map(SerialStatus::Lost)),
        }
    }

    async fn lost(&self, issuer: &IssuerId, serial: &Serial) -> Result<Option<EndedCertificate>> {
        let row: Option<LostRow> = on_read!(self, connection => {
            sqlx::query_as(
                "SELECT serial, ended_at, reason FROM lost_certificate WHERE issuer = $1 AND serial = $2",
            )
            .bind(issuer.as_str())
            .bind(serial.as_bytes().to_vec())
            .fetch_optional(connection)
            .await?
        });
        Ok(row.map(EndedCertificate::from))
    }

    /// What the CRL of a shard names: all that has ended and was still valid by its dates at `since`, handed to
    /// `visit` one by one and never held together. Reserved certificates that were given up are among them: their key
    /// may have signed.
    pub async fn ended(
        &self,
        issuer: &IssuerId,
        shard: u16,
        since: Timestamp,
        visit: &mut (dyn FnMut(EndedCertificate) + Send),
    ) -> Result<()> {
        on_read!(self, connection => {
            // CROSS JOIN: SQLite keeps the order, from the few devices or tenants that are stopped to their certificates.
            let mut rows = sqlx::query_as::<_, EndedRow>(
                "SELECT c.serial, c.state, c.reason, c.ended_at, d.state AS device_state, d.reason AS device_reason, \
                 d.changed_at, d.role, t.state AS tenant_state, t.changed_at AS tenant_changed_at \
                 FROM certificate c JOIN device d ON d.id = c.device JOIN tenant t ON t.id = d.tenant \
                 WHERE c.issuer = $1 AND c.shard = $2 AND c.not_after >= $3 AND c.state IN ('retired', 'revoked') \
                 UNION ALL \
                 SELECT c.serial, c.state, c.reason, c.ended_at, d.state, d.reason, d.changed_at, d.role, t.state, t.changed_at \
                 FROM device d CROSS JOIN certificate c JOIN tenant t ON t.id = d.tenant \
                 WHERE c.device = d.id AND d.state <> 'active' \
                 AND c.issuer = $1 AND c.shard = $2 AND c.not_after >= $3 AND c.state NOT IN ('retired', 'revoked') \
                 UNION ALL \
                 SELECT c.serial, c.state, c.reason, c.ended_at, d.state, d.reason, d.changed_at, d.role, t.state, t.changed_at \
                 FROM tenant t CROSS JOIN site s CROSS JOIN device d CROSS JOIN certificate c \
                 WHERE t.state <> 'active' AND s.tenant = t.id AND d.site = s.id AND d.tenant = t.id AND c.device = d.id \
                 AND d.state = 'active' AND d.role = 'device' \
                 AND c.issuer = $1 AND c.shard = $2 AND c.not_after >= $3 AND c.state NOT IN ('retired', 'revoked')",
            )
            .bind(issuer.as_str())
            .bind(i64::from(shard))
            .bind(since.millis())
            .fetch(connection);
            while let Some(row) = rows.try_next().await? {
                row.ended().into_iter().for_each(&mut *visit);
            }
        });
        on_read!(self, connection => {
            let mut rows = sqlx::query_as::<_, LostRow>(
                "SELECT l.serial, l.ended_at, l.reason FROM lost_certificate l \
                 WHERE l.issuer = $1 AND l.shard = $2 AND l.not_after >= $3 AND NOT EXISTS \
                 (SELECT 1 FROM certificate c WHERE c.issuer = l.issuer AND c.serial = l.serial)",
            )
            .bind(issuer.as_str())
            .bind(i64::from(shard))
            .bind(since.millis())
            .fetch(connection);
            while let Some(row) = rows.try_next().await? {
                visit(row.into());
            }
        });
        Ok(())
    }
}

impl ScopedLedger {
    /// Every certificate with this serial, thumbprint or hash of its public key.
    pub async fn find_certificates(&self, bytes: &[u8]) -> Result<Vec<Certificate>> {
        Ok(on_scoped_read!(self, connection => {
            sqlx::query_as(
                "SELECT issuer, serial, shard, device, generation, parent, state, key_hash, tbs, der, not_before, \
                 not_after, reserved_at FROM certificate WHERE ((issuer IN (SELECT id FROM issuer) AND serial = $1) \
                 OR thumbprint = $1 OR key_hash = $1 OR key_id = $1) \
                 AND ($2 IS NULL OR EXISTS (SELECT 1 FROM device d WHERE d.id = certificate.device AND d.tenant = $2)) \
                 ORDER BY device, generation",
            )
            .bind(bytes.to_vec())
            .bind(self.scope.bound())
            .fetch_all(connection)
            .await?
        }))
    }

    /// All certificates of a device, oldest first.
    pub async fn certificates_of(&self, device: &DeviceId) -> Result<Vec<Certificate>> {
        Ok(on_scoped_read!(self, connection => {
            sqlx::query_as(
                "SELECT issuer, serial, shard, device, generation, parent, state, key_hash, tbs, der, not_before, not_after, reserved_at \
                 FROM certificate WHERE device = $1 \
                 AND ($2 IS NULL OR EXISTS (SELECT 1 FROM device d WHERE d.id = certificate.device AND d.tenant = $2)) \
                 ORDER BY generation",
            )
            .bind(device.as_str())
            .bind(self.scope.bound())
            .fetch_all(connection)
            .await?
        }))
    }
}

/// What OCSP can say of a serial.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SerialStatus {
    /// A certificate of the ledger.
    Known {
        /// The device that holds it.
        device: DeviceId,
        /// With which tenant it falls; nothing for a gate, which goes on.
        tenant: Option<TenantId>,
        /// Once it is signed.
        thumbprint: Option<Thumbprint>,
        /// The last second of its validity.
        not_after: Timestamp,
        /// Whether and how it has ended.
        ended: Option<EndedCertificate>,
    },
    /// Revoked after the backup from which this ledger was restored.
    Lost(EndedCertificate),
}

impl SerialStatus {
    /// Whether and how it has ended.
    pub fn ended(&self) -> Option<&EndedCertificate> {
        match self {
            Self::Known { ended, .. } => ended.as_ref(),
            Self::Lost(ended) => Some(ended),
        }
    }
}

#[derive(sqlx::FromRow)]
struct CertificateStatusRow {
    #[sqlx(flatten)]
    ended: EndedRow,
    #[sqlx(try_from = "String")]
    device: DeviceId,
    #[sqlx(try_from = "String")]
    tenant: TenantId,
    thumbprint: Option<Vec<u8>>,
    #[sqlx(try_from = "i64")]
    not_after: Timestamp,
}

impl From<CertificateStatusRow> for SerialStatus {
    fn from(row: CertificateStatusRow) -> Self {
        Self::Known {
            device: row.device,
            tenant: (row.ended.role == Role::Device).then_some(row.tenant),
            thumbprint: row.thumbprint.as_deref().and_then(Thumbprint::from_slice),
            not_after: row.not_after,
            ended: row.ended.ended(),
        }
    }
}

#[derive(sqlx::FromRow)]
struct LostRow {
    #[sqlx(try_from = "Vec<u8>")]
    serial: Serial,
    #[sqlx(try_from = "i64")]
    ended_at: Timestamp,
    reason: Option<String>,
}

impl From<LostRow> for EndedCertificate {
    fn from(row: LostRow) -> Self {
        let reason = row.reason.as_deref().map(|word| RevocationReason::parse(word).unwrap_or_default());
        Self { serial: row.serial, at: row.ended_at, reason }
    }
}

#[derive(sqlx::FromRow)]
struct EndedRow {
    #[sqlx(try_from = "Vec<u8>")]
    serial: Serial,
    #[sqlx(try_from = "String")]
    state: CertificateState,
    reason: Option<String>,
    ended_at: Option<i64>,
    #[sqlx(try_from = "String")]
    device_state: DeviceState,
    device_reason: Option<String>,
    changed_at: i64,
    #[sqlx(try_from = "String")]
    role: Role,
    #[sqlx(try_from = "String")]
    tenant_state: TenantState,
    tenant_changed_at: Option<i64>,
}

impl EndedRow {
    /// A certificate's own end comes first; the device's state covers whatever is left, and its tenant's what is left then.
    fn ended(self) -> Option<EndedCertificate> {
        let word =
            |text: Option<String>| text.as_deref().and_then(RevocationReason::parse).unwrap_or_default();
        let changed = Timestamp::from_millis(self.changed_at);
        let (at, reason) = match (self.state, self.device_state) {
            (CertificateState::Retired, _) => {
                (self.ended_at.into_time(changed), Some(RevocationReason::Superseded))
            }
            (CertificateState::Revoked, _) => (self.ended_at.into_time(changed), Some(word(self.reason))),
            (_, DeviceState::Suspended) => (changed, None),
            (_, DeviceState::Revoked | DeviceState::Retired) => (changed, Some(word(self.device_reason))),
            (_, DeviceState::Active) => match self.device_state.within(self.tenant_state, self.role) {
                DeviceState::Active => return None,
                _ => (self.tenant_changed_at.into_time(changed), None),
            },
        };
        Some(EndedCertificate { serial: self.serial, at, reason })
    }
}

trait IntoTime {
    fn into_time(self, otherwise: Timestamp) -> Timestamp;
}

impl IntoTime for Option<i64> {
    fn into_time(self, otherwise: Timestamp) -> Timestamp {
        self.map_or(otherwise, Timestamp::from_millis)
    }
}
