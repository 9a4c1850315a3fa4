//! What an auditor is shown of the wall around a tenant: how many rows are its own, and whether any row ties it to another.

use crate::engine::on_read;
use crate::tenant_tables::TENANT_TABLES;
use crate::{Ledger, Result};
use tegata_core::TenantId;

/// The rows of one tenant, and those that lead out of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TenantIsolation {
    /// How many rows of each table are the tenant's.
    pub rows: Vec<TableRows>,
    /// How many rows tie something of this tenant to something of another: none, or something is wrong.
    pub crossings: Vec<TenantCrossing>,
}

/// Rows of a table.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TableRows {
    /// Name of the table.
    pub table: &'static str,
    /// How many there are.
    pub rows: u64,
}

/// Rows that lead from one tenant to another by one reference.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TenantCrossing {
    /// The column that refers, as `table.column`.
    pub reference: &'static str,
    /// How many there are.
    pub rows: u64,
}

impl TenantIsolation {
    /// Whether nothing leads from this tenant to another.
    pub fn is_whole(&self) -> bool {
        self.crossings.iter().all(|crossing| crossing.rows == 0)
    }
}

struct Crossing {
    reference: &'static str,
    count: &'static str,
}

/// `a` is what refers and `b` is what it refers to; both have a tenant, or `b` is everybody's and has none.
macro_rules! crossings {
    ($($reference:literal $from:literal)*) => {
        const CROSSINGS: &[Crossing] = &[$(Crossing {
            reference: $reference,
            count: concat!(
                "SELECT COUNT(*) FROM ", $from,
                " WHERE (a.tenant = $1 OR b.tenant = $1) AND a.tenant <> b.tenant"
            ),
        }),*];
    };
}

crossings! {
    "device.site" "device a JOIN site b ON b.id = a.site"
    "invitation.site" "invitation a JOIN site b ON b.id = a.site"
    "invitation.device" "invitation a JOIN device b ON b.id = a.device"
    "invitation.batch" "invitation a JOIN invitation_batch b ON b.id = a.batch"
    "invitation.kitting" "invitation a JOIN kitting b ON b.id = a.kitting"
    "kitting.site" "kitting a JOIN site b ON b.id = a.site"
    "licence.site" "licence a JOIN site b ON b.id = a.site"
    "invitation_line.site" "invitation_line a JOIN site b ON b.id = a.site"
    "invitation_line.invitation" "invitation_line a JOIN invitation b ON b.id = a.invitation"
    "certificate.issuer" "certificate c JOIN device a ON a.id = c.device JOIN issuer b ON b.id = c.issuer"
    "loss_report.reporter" "loss_report r JOIN device a ON a.id = r.device JOIN device b ON b.id = r.reporter"
    "acme_order.account" "acme_order r JOIN invitation a ON a.id = r.invitation JOIN acme_account k ON k.id = r.account JOIN invitation b ON b.id = k.invitation"
    "person_site.site" "person_site r JOIN person a ON a.id = r.person JOIN site b ON b.id = r.site"
    "person_device.device" "person_device r JOIN person a ON a.id = r.person JOIN device b ON b.id = r.device"
    "device_person.device" "device_person r JOIN person a ON a.id = r.person JOIN device b ON b.id = r.device"
    "person_review.site" "person_review a JOIN site b ON b.id = a.site"
    "person_review_answer.person" "person_review_answer r JOIN person_review a ON a.id = r.review JOIN person b ON b.id = r.person"
    "person_review_answer.answered_by" "person_review_answer r JOIN person_review a ON a.id = r.review JOIN person b ON b.id = r.answered_by"
    "person_link.person" "person_link a JOIN person b ON b.id = a.person"
    "session.person" "session a JOIN person b ON b.id = a.person"
    "session.device" "session a JOIN device b ON b.id = a.device"
    "notice_recipient.site" "notice_recipient a JOIN site b ON b.id = a.site"
    "notice_recipient.person" "notice_recipient a JOIN person b ON b.id = a.person"
    "device_change.device" "device_change a JOIN device b ON b.id = a.device"
}

impl Ledger {
    /// Counts what is a tenant's, and what leads from it to another. Reads tables through: for an auditor, not for a request.
    pub async fn isolation_of(&self, tenant: &TenantId) -> Result<TenantIsolation> {
        let mut rows = Vec::with_capacity(TENANT_TABLES.len());
        for table in TENANT_TABLES {
            rows.push(TableRows { table: table.name, rows: self.count(table.count, tenant).await? });
        }
        let mut crossings = Vec::with_capacity(CROSSINGS.len());
        for crossing in CROSSINGS {
            let rows = self.count(crossing.count, tenant).await?;
            crossings.push(TenantCrossing { reference: crossing.reference, rows });
        }
        Ok(TenantIsolation { rows, crossings })
    }

    async fn count(&self, statement: &'static str, tenant: &TenantId) -> Result<u64> {
        let (count,): (i64,) = on_read!(self, connection => {
            sqlx::query_as(statement).bind(tenant.as_str()).fetch_one(connection).await?
        });
        Ok(count.unsigned_abs())
    }
}
