//! The certificates of the CAs, and where each stands in its life. Their keys are never here.

use crate::actor::Actor;
use crate::engine::{on_read, on_transaction};
use crate::{Ledger, LedgerError, Result, Transaction, changed_one};
use serde_json::json;
use tegata_core::{IssuerId, RevocationReason, TenantId, Thumbprint, Timestamp};

/// What a CA does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IssuerKind {
    /// Signs issuing CAs, offline.
    Root,
    /// Signs certificates of devices and gates.
    Issuing,
    /// Another authority's CA whose devices were taken over: it signs nothing here.
    Foreign,
}

/// Where a CA stands.
///
/// ```text
/// active ─→ resting ─→ retired
///    └─────────┴────→ revoked
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IssuerState {
    /// It issues certificates, and signs CRLs and OCSP responders.
    Active,
    /// It issues no more; its certificates live on, with CRL and OCSP.
    Resting,
    /// Its planned end: none of its certificates is accepted.
    Retired,
    /// Its key may be compromised, or it was stopped: none of its certificates is accepted, and its parent's list names
    /// it.
    Revoked,
}

/// A CA as the ledger knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredIssuer {
    /// The identifier that its URLs carry.
    pub id: IssuerId,
    /// Whether it is a root, issues here or is foreign.
    pub kind: IssuerKind,
    /// Its certificate in DER.
    pub certificate: Vec<u8>,
    /// The CA above it: none for a root or a foreign CA.
    pub parent: Option<IssuerId>,
    /// The only tenant it is for; none for a shared one.
    pub tenant: Option<TenantId>,
    /// Over how many CRLs its certificates are spread, 1 to 1024. Fixed for life.
    pub shards: u16,
    /// The state that decides whether it issues and is accepted.
    pub state: IssuerState,
    /// Since when and why it is retired or revoked.
    pub ended: Option<(Timestamp, RevocationReason)>,
}

impl StoredIssuer {
    /// A CA that begins to work, shared by all tenants, with one CRL.
    pub fn new(id: IssuerId, kind: IssuerKind, certificate: Vec<u8>, parent: Option<IssuerId>) -> Self {
        Self {
            id,
            kind,
            certificate,
            parent,
            tenant: None,
            shards: 1,
            state: IssuerState::Active,
            ended: None,
        }
    }

    /// Whether certificates of it are accepted, by its own standing alone.
    pub fn is_trusted(&self) -> bool {
        matches!(self.state, IssuerState::Active | IssuerState::Resting)
    }
}

impl IssuerKind {
    /// Its name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Issuing => "issuing",
            Self::Foreign => "foreign",
        }
    }

    /// What the ledger writes: kind and custody.
    const fn columns(self) -> (&'static str, &'static str) {
        match self {
            Self::Root => ("root", "own"),
            Self::Issuing => ("issuing", "own"),
            Self::Foreign => ("issuing", "foreign"),
        }
    }

    fn from_columns(kind: &str, custody: &str) -> Result<Self> {
        match (kind, custody) {
            ("root", "own") => Ok(Self::Root),
            ("issuing", "own") => Ok(Self::Issuing),
            ("issuing", "foreign") => Ok(Self::Foreign),
            _ => Err(LedgerError::Unreadable("issuer.kind")),
        }
    }
}

impl IssuerState {
    /// Its name in the ledger and in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Resting => "resting",
            Self::Retired => "retired",
            Self::Revoked => "revoked",
        }
    }

    fn parse(word: &str) -> Result<Self> {
        match word {
            "active" => Ok(Self::Active),
            "resting" => Ok(Self::Resting),
            "retired" => Ok(Self::Retired),
            "revoked" => Ok(Self::Revoked),
            _ => Err(LedgerError::Unreadable("issuer.state")),
        }
    }

    /// The states from which it may be reached.
    const fn sources(self) -> &'static [Self] {
        match self {
            Self::Active => &[],
            Self::Resting => &[Self::Active],
            Self::Retired => &[Self::Resting],
            Self::Revoked => &[Self::Active, Self::Resting],
        }
    }
}

impl Ledger {
    /// All CAs, oldest first.
    pub async fn issuers(&self) -> Result<Vec<StoredIssuer>> {
        let rows: Vec<IssuerRow> = on_read!(self, connection => {
            sqlx::query_as(
                "SELECT id, kind, custody, certificate, parent, tenant, shards, state, reason, ended_at \
                 FROM issuer ORDER BY created_at, id",
            )
            .fetch_all(connection)
            .await?
        });
        rows.into_iter().map(StoredIssuer::try_from).collect()
    }

    /// How many certificates of a CA would be accepted at `now` if it were: what its retirement would stop.
    pub async fn living_certificates(&self, issuer: &IssuerId, now: Timestamp) -> Result<u64> {
        let (count,): (i64,) = on_read!(self, connection => {
            sqlx::query_as(
                "SELECT COUNT(*) FROM certificate c JOIN device d ON d.id = c.device WHERE c.issuer = $1 \
                 AND c.not_after >= $2 AND c.state IN ('issued', 'delivered', 'in_use', 'retiring') \
                 AND d.state IN ('active', 'suspended')",
            )
            .bind(issuer.as_str())
            .bind(now.millis())
            .fetch_one(connection)
            .await?
        });
        Ok(count.unsigned_abs())
    }
}

impl Transaction {
    /// Records a CA with its shards.
    pub async fn add_issuer(&mut self, issuer: &StoredIssuer, actor: &Actor) -> Result<()> {
        let now = self.now.millis();
        let (kind, custody) = issuer.kind.columns();
        on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO issuer (id, kind, custody, certificate, parent, tenant, shards, state, created_at) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            )
            .bind(issuer.id.as_str())
            .bind(kind)
            .bind(custody)
            .bind(issuer.certificate.clone())
            .bind(issuer.parent.as_ref().map(IssuerId::as_str))
            .bind(issuer.tenant.as_ref().map(TenantId::as_str))
            .bind(i64::from(issuer.shards))
            .bind(issuer.state.as_str())
            .bind(now)
            .execute(connection)
            .await?;
        });
        for shard in 0..issuer.shards {
            self.add_shard(&issuer.id, shard).await?;
        }
        let detail = json!({
            "issuer": issuer.id, "kind": issuer.kind.as_str(), "parent": issuer.parent, "tenant": issuer.tenant,
            "shards": issuer.shards, "thumbprint": Thumbprint::of(&issuer.certificate),
        });
        self.audit(actor, "issuer.added", None, detail).await
    }

    /// Moves a CA along its life. The end of an issuing CA makes its parent's CRL say so, and its certificates are
    /// refused wherever the issuers of the ledger are the measure; gates learn of them by
    /// [`Transaction::revoke_certificates_of`].
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when it does not exist or its state does not allow the move.
    pub async fn move_issuer(
        &mut self,
        id: &IssuerId,
        to: IssuerState,
        reason: RevocationReason,
        note: &str,
        actor: &Actor,
    ) -> Result<()> {
        let ends = matches!(to, IssuerState::Retired | IssuerState::Revoked);
        let (ended_at, written) =
            if ends { (Some(self.now.millis()), Some(reason.as_str())) } else { (None, None) };
        let mut moved = 0;
        for from in to.sources() {
            moved += on_transaction!(self.engine, connection => {
                sqlx::query("UPDATE issuer SET state = $3, reason = $4, ended_at = $5 WHERE id = $1 AND state = $2")
                    .bind(id.as_str())
                    .bind(from.as_str())
                    .bind(to.as_str())
                    .bind(written)
                    .bind(ended_at)
                    .execute(connection)
                    .await?
                    .rows_affected()
            });
        }
        changed_one(moved, "the CA is not in a state that allows this")?;
        self.log_issuer(id, to.as_str(), written);
        if to == IssuerState::Revoked {
            self.touch_parent(id).await?;
        }
        let detail = json!({"issuer": id, "state": to.as_str(), "reason": written, "note": note});
        self.audit(actor, "issuer.moved", None, detail).await
    }
}

#[derive(sqlx::FromRow)]
struct IssuerRow {
    #[sqlx(try_from = "String")]
    id: IssuerId,
    kind: String,
    custody: String,
    certificate: Vec<u8>,
    parent: Option<String>,
    tenant: Option<String>,
    shards: i64,
    state: String,
    reason: Option<String>,
    ended_at: Option<i64>,
}

impl TryFrom<IssuerRow> for StoredIssuer {
    type Error = LedgerError;

    fn try_from(row: IssuerRow) -> Result<Self> {
        let parent = row.parent.map(IssuerId::try_from).transpose();
        let tenant = row.tenant.map(TenantId::try_from).transpose();
        let reason = row.reason.as_deref().and_then(RevocationReason::parse).unwrap_or_default();
        Ok(Self {
            id: row.id,
            kind: IssuerKind::from_columns(&row.kind, &row.custody)?,
            certificate: row.certificate,
            parent: parent.map_err(|_| LedgerError::Unreadable("issuer.parent"))?,
            tenant: tenant.map_err(|_| LedgerError::Unreadable("issuer.tenant"))?,
            shards: u16::try_from(row.shards).map_err(|_| LedgerError::Unreadable("issuer.shards"))?,
            state: IssuerState::parse(&row.state)?,
            ended: row.ended_at.map(|at| (at.into(), reason)),
        })
    }
}
