//! The certificates of the CAs. Their keys are never here.

use crate::audit::Actor;
use crate::engine::{on_read, on_transaction};
use crate::{Ledger, LedgerError, Result, Transaction};
use serde_json::json;
use tegata_core::{IssuerId, Thumbprint};

/// What a CA does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum IssuerKind {
    /// Signs issuing CAs, offline.
    Root,
    /// Signs certificates of devices and gates.
    Issuing,
}

/// A CA as the ledger knows it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredIssuer {
    /// Its identifier.
    pub id: IssuerId,
    /// What it does.
    pub kind: IssuerKind,
    /// Its certificate, DER.
    pub certificate: Vec<u8>,
}

impl IssuerKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Issuing => "issuing",
        }
    }
}

impl Ledger {
    /// All CAs, oldest first.
    pub async fn issuers(&self) -> Result<Vec<StoredIssuer>> {
        let rows: Vec<(String, String, Vec<u8>)> = on_read!(self, connection => {
            sqlx::query_as("SELECT id, kind, certificate FROM issuer ORDER BY created_at, id")
                .fetch_all(connection)
                .await?
        });
        rows.into_iter().map(read).collect()
    }
}

impl Transaction {
    /// Records a CA.
    pub async fn add_issuer(&mut self, issuer: &StoredIssuer, actor: &Actor) -> Result<()> {
        let now = self.now.millis();
        on_transaction!(self.engine, connection => {
            sqlx::query("INSERT INTO issuer (id, kind, certificate, created_at) VALUES ($1, $2, $3, $4)")
                .bind(issuer.id.as_str())
                .bind(issuer.kind.as_str())
                .bind(issuer.certificate.clone())
                .bind(now)
                .execute(connection)
                .await?;
        });
        let detail = json!({
            "issuer": issuer.id, "kind": issuer.kind.as_str(), "thumbprint": Thumbprint::of(&issuer.certificate),
        });
        self.audit(actor, "issuer.added", None, detail).await
    }
}

fn read((id, kind, certificate): (String, String, Vec<u8>)) -> Result<StoredIssuer> {
    let id = IssuerId::parse(&id).ok_or(LedgerError::Unreadable("issuer.id"))?;
    let kind = match kind.as_str() {
        "root" => IssuerKind::Root,
        "issuing" => IssuerKind::Issuing,
        _ => return Err(LedgerError::Unreadable("issuer.kind")),
    };
    Ok(StoredIssuer { id, kind, certificate })
}
