//! Setup links: handed to a person, used once, and what they choose with one.

use crate::actor::Actor;
use crate::engine::{on_read, on_transaction};
use crate::{Ledger, LedgerError, Result, Transaction, changed_one};
use serde_json::json;
use tegata_core::{PersonId, Refusal, SetupCode, TenantId, Timestamp};

/// A setup link that works.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OpenSetup {
    /// The person it was made for.
    pub person: PersonId,
    /// Whose person it is.
    pub tenant: TenantId,
    /// What the tenant is called.
    pub tenant_name: String,
    /// What the person signs in with.
    pub login: String,
    /// What the person is called.
    pub name: String,
    /// Whether the person has signed in with a password of another product, and may keep it.
    pub may_keep_password: bool,
}

/// What a person has chosen. Nothing in it prints itself.
pub struct NewCredential {
    /// Argon2id, as a PHC string; none where the person keeps the password of another product that they have signed in with.
    pub password: Option<String>,
    /// The sealed secret of TOTP.
    pub totp: Vec<u8>,
    /// The step whose code proved that the person has the secret.
    pub totp_step: i64,
    /// Hashes of the recovery codes.
    pub recovery: Vec<Vec<u8>>,
}

/// What proves a person beside the password and the app.
const FORMER_FACTORS: [&str; 2] =
    ["DELETE FROM person_code WHERE person = $1", "DELETE FROM passkey WHERE person = $1"];

impl Ledger {
    /// Whose a setup link is.
    ///
    /// # Errors
    /// [`Refusal::SetupLinkUnknown`] also where it was used or its person is stopped, [`Refusal::SetupLinkExpired`].
    pub async fn open_setup(&self, code: &SetupCode, now: Timestamp) -> Result<OpenSetup> {
        let row: Option<(String, String, String, String, String, i64, i64)> = on_read!(self, connection => {
            sqlx::query_as(
                "SELECT p.id, p.tenant, t.name, p.login, p.name, l.expires_at, \
                 (SELECT COUNT(*) FROM imported_password h WHERE h.person = p.id AND h.proved_at IS NOT NULL) \
                 FROM setup_link l \
                 JOIN person p ON p.id = l.person JOIN tenant t ON t.id = p.tenant \
                 WHERE l.code_hash = $1 AND p.state = 'active'",
            )
            .bind(code.hash())
            .fetch_optional(connection)
            .await?
        });
        let Some((person, tenant, tenant_name, login, name, expires_at, kept)) = row else {
            return Err(LedgerError::Refused(Refusal::SetupLinkUnknown));
        };
        if Timestamp::from_millis(expires_at) <= now {
            return Err(LedgerError::Refused(Refusal::SetupLinkExpired));
        }
        let person = PersonId::try_from(person).map_err(|_| LedgerError::Unreadable("person.id"))?;
        let tenant = TenantId::try_from(tenant).map_err(|_| LedgerError::Unreadable("tenant.id"))?;
        Ok(OpenSetup { person, tenant, tenant_name, login, name, may_keep_password: kept > 0 })
    }
}

impl Transaction {
    /// Makes the setup link of a person; an earlier one works no longer.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is no such person, or they are stopped.
    pub async fn make_setup_link(
        &mut self,
        person: &PersonId,
        code: &SetupCode,
        expires_at: Timestamp,
        actor: &Actor,
    ) -> Result<()> {
        let tenant = self.put_setup_link(person, code, expires_at).await?;
        let detail = json!({"tenant": tenant, "person": person, "until": expires_at});
        self.audit(actor, "person.setup_link", None, detail).await
    }

    /// Takes password, second factors, passkeys and codes from a person, ends their sessions, and makes a setup link by which they
    /// choose others. Gives how many sessions ended.
    ///
    /// # Errors
    /// As [`Transaction::make_setup_link`].
    pub async fn reset_person(
        &mut self,
        person: &PersonId,
        code: &SetupCode,
        expires_at: Timestamp,
        actor: &Actor,
    ) -> Result<u64> {
        let tenant = self.put_setup_link(person, code, expires_at).await?;
        on_transaction!(self.engine, connection => {
            sqlx::query("DELETE FROM credential WHERE person = $1")
                .bind(person.as_str())
                .execute(&mut *connection)
                .await?;
            for statement in FORMER_FACTORS {
                sqlx::query(statement).bind(person.as_str()).execute(&mut *connection).await?;
            }
        });
        self.drop_imported_password(person).await?;
        let ended = self.drop_sessions_of(person, None).await?;
        let detail = json!({"tenant": tenant, "person": person, "until": expires_at, "sessions": ended});
        self.audit(actor, "person.reset", None, detail).await?;
        Ok(ended)
    }

    /// Uses a setup link: what was chosen holds from now on, and what there was before no longer does, passkeys included.
    ///
    /// # Errors
    /// [`Refusal::SetupLinkUnknown`] where it was used meanwhile, replaced, or is too old; [`Refusal::FormOutdated`] where there
    /// is no password to keep.
    pub async fn set_up_person(&mut self, code: &SetupCode, chosen: &NewCredential) -> Result<PersonId> {
        let now = self.now.millis();
        let used: Option<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "DELETE FROM setup_link WHERE code_hash = $1 AND expires_at > $2 \
                 AND person IN (SELECT p.id FROM person p WHERE p.state = 'active') RETURNING person",
            )
            .bind(code.hash())
            .bind(now)
            .fetch_optional(connection)
            .await?
        });
        let (person,) = used.ok_or(LedgerError::Refused(Refusal::SetupLinkUnknown))?;
        let person = PersonId::try_from(person).map_err(|_| LedgerError::Unreadable("person.id"))?;
        self.put_credential(&person, chosen).await?;
        let tenant = self.tenant_of(&person).await?;
        self.drop_sessions_of(&person, None).await?;
        let detail = json!({"tenant": tenant, "person": person, "factors": ["pwd", "otp"]});
        self.audit(&Actor::Person(person.clone()), "person.set_up", None, detail).await?;
        Ok(person)
    }

    pub(crate) async fn drop_setup_link(&mut self, person: &PersonId) -> Result<()> {
        on_transaction!(self.engine, connection => {
            sqlx::query("DELETE FROM setup_link WHERE person = $1")
                .bind(person.as_str())
                .execute(connection)
                .await?;
        });
        Ok(())
    }

    /// Gives the tenant of the person.
    async fn put_setup_link(
        &mut self,
        person: &PersonId,
        code: &SetupCode,
        expires_at: Timestamp,
    ) -> Result<TenantId> {
        let tenant = self.tenant_of(person).await?;
        let put = on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO setup_link (person, code_hash, expires_at) SELECT p.id, $2, $3 FROM person p \
                 WHERE p.id = $1 AND p.state = 'active' \
                 ON CONFLICT (person) DO UPDATE SET code_hash = $2, expires_at = $3",
            )
            .bind(person.as_str())
            .bind(code.hash())
            .bind(expires_at.millis())
            .execute(connection)
            .await?
            .rows_affected()
        });
        changed_one(put, "there is no such person, or they are disabled")?;
        Ok(tenant)
    }

    async fn put_credential(&mut self, person: &PersonId, chosen: &NewCredential) -> Result<()> {
        let now = self.now.millis();
        let password = match &chosen.password {
            Some(password) => password.clone(),
            None => self.proved_password(person).await?.ok_or(LedgerError::Refused(Refusal::FormOutdated))?,
        };
        self.drop_imported_password(person).await?;
        on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO credential (person, password, totp, totp_step, changed_at) VALUES ($1, $2, $3, $4, $5) \
                 ON CONFLICT (person) DO UPDATE SET password = $2, totp = $3, totp_step = $4, changed_at = $5",
            )
            .bind(person.as_str())
            .bind(password)
            .bind(chosen.totp.clone())
            .bind(chosen.totp_step)
            .bind(now)
            .execute(&mut *connection)
            .await?;
            for statement in FORMER_FACTORS {
                sqlx::query(statement).bind(person.as_str()).execute(&mut *connection).await?;
            }
            for hash in &chosen.recovery {
                sqlx::query("INSERT INTO person_code (person, code_hash, kind) VALUES ($1, $2, 'recovery')")
                    .bind(person.as_str())
                    .bind(hash.clone())
                    .execute(&mut *connection)
                    .await?;
            }
        });
        Ok(())
    }
}
