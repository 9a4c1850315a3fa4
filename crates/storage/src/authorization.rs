//! Authorization codes: what was granted to a client until it redeems the code, once (RFC 6749 section 4.1).

mod granting;
mod redeeming;
mod request;

use crate::engine::on_read;
use crate::lookup::FoundByHash;
use crate::rows::BatchStatement;
use crate::{Ledger, LedgerError, Result};
use tegata_core::{DeviceId, FamilyId, JwkThumbprint, SessionId, Thumbprint, Timestamp};

pub use granting::GrantCode;
pub use redeeming::{CodeRedemption, RedeemCode, SpendCode};
pub use request::{PendingRequest, REQUESTS_OF_A_CLIENT, StoredRequest};

/// What a code stands for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CodeGrant {
    /// The client that asked for it.
    pub client: String,
    /// Where the code was sent, as the client wrote it.
    pub redirect_uri: String,
    /// What the verifier has to hash to (RFC 7636).
    pub challenge: String,
    /// The device that asked.
    pub device: DeviceId,
    /// The certificate that it showed.
    pub thumbprint: Thumbprint,
    /// Whoever is signed in there; nobody where the device is let in for itself.
    pub person: Option<GrantedPerson>,
    /// By what the subject is known, in the words of RFC 8176, separated by spaces.
    pub amr: String,
    /// The product of its access token.
    pub audience: String,
    /// What of it, and of the person, separated by spaces.
    pub scope: Option<String>,
    /// What the ID token is to repeat (OpenID Connect Core section 3.1.2.1).
    pub nonce: Option<String>,
    /// The key that whoever redeems it has to prove (RFC 9449 section 10); none where nobody named one.
    pub dpop_jkt: Option<JwkThumbprint>,
    /// From when on nobody can redeem it.
    pub expires_at: Timestamp,
}

/// A person to whom a code was granted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GrantedPerson {
    /// Their session on the device.
    pub session: SessionId,
    /// What tokens call them.
    pub subject: String,
    /// When they proved who they are; none where their provider has not said it.
    pub auth_time: Option<Timestamp>,
}

/// A code that the ledger knows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KnownCode {
    /// What it stands for.
    pub grant: CodeGrant,
    /// Whether it was shown before.
    pub is_used: bool,
    /// The family that came of it.
    pub family: Option<FamilyId>,
}

static BY_HASHES: BatchStatement = BatchStatement::new(
    "WITH asked (hash) AS (VALUES ",
    1,
    ") SELECT c.code_hash, c.client, c.redirect_uri, c.challenge, c.device, c.thumbprint, c.session, c.subject, \
     CASE c.undated WHEN 0 THEN c.auth_time END AS auth_time, c.amr, c.audience, c.scope, c.nonce, c.dpop_jkt, c.state, c.family, c.expires_at \
     FROM asked a JOIN authorization_code c ON c.code_hash = a.hash",
);

impl FoundByHash for KnownCode {
    type Row = CodeRow;

    fn statement() -> &'static BatchStatement {
        &BY_HASHES
    }

    fn take_hash(row: &mut CodeRow) -> Vec<u8> {
        std::mem::take(&mut row.code_hash)
    }
}

impl Ledger {
    /// The code with this hash, used or not.
    pub async fn authorization_code(&self, hash: &[u8]) -> Result<Option<KnownCode>> {
        self.codes.find(hash.to_vec()).await
    }
}

impl Ledger {
    /// Whether this is a gate, and in use: what a client says of itself before it has proved it.
    pub async fn is_gate(&self, id: &DeviceId) -> Result<bool> {
        let row: Option<(String,)> = on_read!(self, connection => {
            sqlx::query_as("SELECT id FROM device WHERE id = $1 AND role = 'gate' AND state = 'active'")
                .bind(id.as_str())
                .fetch_optional(connection)
                .await?
        });
        Ok(row.is_some())
    }
}

#[derive(sqlx::FromRow)]
pub(crate) struct CodeRow {
    code_hash: Vec<u8>,
    client: String,
    redirect_uri: String,
    challenge: String,
    #[sqlx(try_from = "String")]
    device: DeviceId,
    #[sqlx(try_from = "Vec<u8>")]
    thumbprint: Thumbprint,
    session: Option<String>,
    subject: Option<String>,
    auth_time: Option<i64>,
    amr: String,
    audience: String,
    scope: Option<String>,
    nonce: Option<String>,
    dpop_jkt: Option<Vec<u8>>,
    state: String,
    family: Option<String>,
    expires_at: i64,
}

impl TryFrom<CodeRow> for KnownCode {
    type Error = LedgerError;

    fn try_from(row: CodeRow) -> Result<Self> {
        let unreadable = LedgerError::Unreadable;
        let person = match (row.session, row.subject) {
            (Some(session), Some(subject)) => Some(GrantedPerson {
                session: SessionId::parse(&session).ok_or(unreadable("authorization_code.session"))?,
                subject,
                auth_time: row.auth_time.map(Timestamp::from_millis),
            }),
            (None, None) => None,
            _ => return Err(unreadable("authorization_code.session")),
        };
        let dpop_jkt = row.dpop_jkt.as_deref().map(JwkThumbprint::from_slice);
        let dpop_jkt =
            dpop_jkt.map(|key| key.ok_or(unreadable("authorization_code.dpop_jkt"))).transpose()?;
        let family = row.family.as_deref().map(FamilyId::parse);
        let family =
            family.map(|family| family.ok_or(unreadable("authorization_code.family"))).transpose()?;
        Ok(Self {
            grant: CodeGrant {
                client: row.client,
                redirect_uri: row.redirect_uri,
                challenge: row.challenge,
                device: row.device,
                thumbprint: row.thumbprint,
                person,
                amr: row.amr,
                audience: row.audience,
                scope: row.scope,
                nonce: row.nonce,
                dpop_jkt,
                expires_at: row.expires_at.into(),
            },
            is_used: row.state != "open",
            family,
        })
    }
}
