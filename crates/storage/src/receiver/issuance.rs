//! Issued certificates, for receivers that are told of them.
//!
//! They are read from the audit log, where issuing writes each in its own transaction anyway; so nobody who is issued a
//! certificate waits for this, and the order is that of the transactions.

use super::signed;
use crate::engine::on_read;
use crate::{Ledger, LedgerError, Result};
use serde::Deserialize;
use tegata_core::{DeviceId, Serial, TenantId, Thumbprint, Timestamp};

/// Entries looked at by one statement, and by one call.
const CHUNK: u64 = 10_000;
const CHUNKS: u64 = 20;

/// A certificate was issued.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Issuance {
    /// The entry of the audit log.
    pub entry: u64,
    /// When it was issued.
    pub at: Timestamp,
    /// The last event of the feed before it.
    pub after: u64,
    /// The device that holds it.
    pub device: DeviceId,
    /// The tenant that the device belongs to.
    pub tenant: TenantId,
    /// The thumbprint of the certificate.
    pub thumbprint: Thumbprint,
    /// Which, as its issuer counts.
    pub serial: Serial,
    /// Whether it takes the place of another.
    pub is_renewal: bool,
}

/// Some of the issued certificates.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct IssuedPage {
    /// In the order of the log.
    pub issued: Vec<Issuance>,
    /// The last entry that was looked at.
    pub until: u64,
}

#[derive(Deserialize)]
struct IssuanceEntry {
    action: String,
    detail: IssuanceDetail,
}

#[derive(Deserialize)]
struct IssuanceDetail {
    thumbprint: Option<Thumbprint>,
    /// Entries that are older than this member came after everything that anybody waits for.
    #[serde(default)]
    after: u64,
}

impl Ledger {
    /// Certificates issued after an entry of the audit log, none later than `head`. At most the next 200 000 entries are
    /// looked at, and no more after the first find.
    pub async fn issued_after(&self, after: u64, head: u64) -> Result<IssuedPage> {
        let mut page = IssuedPage { issued: Vec::new(), until: after.min(head) };
        for _ in 0..CHUNKS {
            if page.until >= head || !page.issued.is_empty() {
                break;
            }
            let until = head.min(page.until + CHUNK);
            for (entry, at, text) in self.issued_between(page.until, until).await? {
                if let Some(issuance) = self.issuance(entry, at, &text).await? {
                    page.issued.push(issuance);
                }
            }
            page.until = until;
        }
        Ok(page)
    }

    async fn issued_between(&self, after: u64, until: u64) -> Result<Vec<(i64, i64, String)>> {
        Ok(on_read!(self, connection => {
            sqlx::query_as(
                "SELECT seq, at, entry FROM audit WHERE seq > $1 AND seq <= $2 \
                 AND entry LIKE '%\"action\":\"certificate.issued\"%' ORDER BY seq",
            )
            .bind(signed(after))
            .bind(signed(until))
            .fetch_all(connection)
            .await?
        }))
    }

    /// Nothing for an entry that only speaks of such things.
    async fn issuance(&self, entry: i64, at: i64, text: &str) -> Result<Option<Issuance>> {
        let read: IssuanceEntry =
            serde_json::from_str(text).map_err(|_| LedgerError::Unreadable("an audit entry"))?;
        let Some(thumbprint) = read.detail.thumbprint.filter(|_| read.action == "certificate.issued") else {
            return Ok(None);
        };
        let row: Option<(String, String, Vec<u8>, Option<i64>)> = on_read!(self, connection => {
            sqlx::query_as(
                "SELECT c.device, d.tenant, c.serial, c.parent FROM certificate c JOIN device d ON d.id = c.device \
                 WHERE c.thumbprint = $1",
            )
            .bind(thumbprint.as_bytes().to_vec())
            .fetch_optional(connection)
            .await?
        });
        let Some((device, tenant, serial, parent)) = row else { return Ok(None) };
        Ok(Some(Issuance {
            entry: entry.unsigned_abs(),
            at: Timestamp::from_millis(at),
            after: read.detail.after,
            device: DeviceId::parse(&device).ok_or(LedgerError::Unreadable("certificate.device"))?,
            tenant: TenantId::try_from(tenant).map_err(|_| LedgerError::Unreadable("device.tenant"))?,
            thumbprint,
            serial: Serial::from_slice(&serial).ok_or(LedgerError::Unreadable("certificate.serial"))?,
            is_renewal: parent.is_some(),
        }))
    }
}
