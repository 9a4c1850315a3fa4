//! Sessions that were begun at a tenant's OpenID provider, and their end by its word.

use crate::actor::Actor;
use crate::engine::on_transaction;
use crate::passkey::UsedChallenge;
use crate::scope::on_scoped_read;
use crate::session::starting::StartSession;
use crate::{LedgerError, Result, ScopedLedger, Transaction};
use serde_json::json;
use tegata_core::{PersonId, Refusal, SessionId, TenantId, Timestamp};

/// A sign-in at a provider that holds, up to what only the ledger knows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProviderUse {
    /// The state that came back, which is worth nothing from now on.
    pub answered: UsedChallenge,
    /// The issuer identifier of the provider.
    pub issuer: String,
    /// What the person's link says.
    pub person: String,
    /// `sub`, hashed: what logout tokens are compared with.
    pub subject: String,
    /// The name of the session at the provider, if it has one.
    pub session: Option<String>,
    /// In the words of RFC 8176, with spaces between.
    pub amr: String,
    /// When the person proved themselves, where that was before.
    pub authenticated_at: Option<Timestamp>,
    /// The sealed ID token, for the sign-out.
    pub id_token: Option<Vec<u8>>,
}

/// What is needed to sign out at a provider, too.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProviderSession {
    /// The issuer identifier of the provider.
    pub issuer: String,
    /// The sealed ID token, if it was kept.
    pub id_token: Option<Vec<u8>>,
}

/// What a provider says has ended: a session of its own, or all of a subject's.
#[derive(Clone, Copy, Debug)]
pub struct ProviderLogout<'a> {
    /// Whose provider it is.
    pub tenant: &'a TenantId,
    /// The issuer identifier of the provider.
    pub issuer: &'a str,
    /// `sub`, hashed as sign-ins are.
    pub subject: Option<&'a str>,
    /// The name of the session at the provider. One of the two is there.
    pub session: Option<&'a str>,
    /// Sessions that began later are not meant.
    pub before: Timestamp,
    /// The logout token, which is worth nothing from now on.
    pub token: &'a UsedChallenge,
}

impl ScopedLedger {
    /// At which provider a session was begun, if at one.
    pub async fn provider_session(&self, session: &SessionId) -> Result<Option<ProviderSession>> {
        let row: Option<(Option<String>, Option<Vec<u8>>)> = on_scoped_read!(self, connection => {
            sqlx::query_as(
                "SELECT provider_issuer, id_token FROM session WHERE id = $1 AND ($2 IS NULL OR tenant = $2)",
            )
            .bind(session.as_str())
            .bind(self.scope.bound())
            .fetch_optional(connection)
            .await?
        });
        Ok(row.and_then(|(issuer, id_token)| issuer.map(|issuer| ProviderSession { issuer, id_token })))
    }
}

impl Transaction {
    /// The state is used up, and the link is there still.
    pub(super) async fn use_provider(&mut self, new: &StartSession, used: &ProviderUse) -> Result<()> {
        self.use_challenge(&used.answered).await.map_err(|error| match error {
            LedgerError::Refused(_) => LedgerError::Refused(Refusal::ProviderSignInOver),
            error => error,
        })?;
        let linked: Option<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT l.person FROM person_link l JOIN person p ON p.id = l.person JOIN tenant t ON t.id = l.tenant \
                 WHERE l.tenant = $1 AND l.issuer = $2 AND l.subject = $3 AND l.person = $4 \
                 AND p.break_glass IS NULL AND t.sign_in <> 'local'",
            )
            .bind(new.tenant.as_str())
            .bind(used.issuer.as_str())
            .bind(used.person.as_str())
            .bind(new.person.as_str())
            .fetch_optional(connection)
            .await?
        });
        linked.map(drop).ok_or(LedgerError::Refused(Refusal::PersonNotLinked))
    }

    /// Ends what a provider says has ended. Gives how many sessions. A token that ends nothing makes no row.
    ///
    /// # Errors
    /// [`Refusal::LogoutTokenRefused`] where the token was used before.
    pub async fn end_provider_sessions(&mut self, logout: &ProviderLogout<'_>, actor: &Actor) -> Result<u64> {
        if self.was_answered(logout.token).await? {
            return Err(LedgerError::Refused(Refusal::LogoutTokenRefused));
        }
        let meant = self.sessions_meant(logout).await?;
        if meant.is_empty() {
            return Ok(0);
        }
        self.use_challenge(logout.token).await?;
        let mut ended = 0;
        for (session, person) in meant {
            let person = PersonId::try_from(person).map_err(|_| LedgerError::Unreadable("session.person"))?;
            ended += self.drop_named_sessions(&[session], &person).await?;
        }
        let detail = json!({"tenant": logout.tenant, "provider": logout.issuer, "sessions": ended});
        self.audit(actor, "session.ended_by_provider", None, detail).await?;
        Ok(ended)
    }

    async fn sessions_meant(&mut self, logout: &ProviderLogout<'_>) -> Result<Vec<(String, String)>> {
        let before = logout.before.millis();
        Ok(on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT id, person FROM session WHERE tenant = $1 AND provider_issuer = $2 \
                 AND ($3 IS NULL OR provider_subject = $3) AND ($4 IS NULL OR provider_session = $4) \
                 AND ($3 IS NOT NULL OR $4 IS NOT NULL) AND created_at < $5 AND ($6 IS NULL OR tenant = $6) ORDER BY id",
            )
            .bind(logout.tenant.as_str())
            .bind(logout.issuer)
            .bind(logout.subject)
            .bind(logout.session)
            .bind(before)
            .bind(self.scope.bound())
            .fetch_all(connection)
            .await?
        }))
    }

    async fn was_answered(&mut self, token: &UsedChallenge) -> Result<bool> {
        let found: Option<(i64,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT expires_at FROM used_challenge WHERE hash = $1")
                .bind(token.hash.clone())
                .fetch_optional(connection)
                .await?
        });
        Ok(found.is_some())
    }
}
