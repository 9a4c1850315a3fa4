//! Sessions that were begun at a tenant's OpenID provider, and their end by its word.

use crate::actor::Actor;
use crate::engine::on_transaction;
use crate::passkey::UsedChallenge;
use crate::scope::on_scoped_read;
use crate::session::starting::StartSession;
use crate::{LedgerError, Result, ScopedLedger, Transaction, changed_one};
use serde_json::json;
use tegata_core::{PersonId, Refusal, SessionId, TenantId, Timestamp};

/// What a tenant's provider may end within the time of a sign-in: each is remembered for so long.
pub(crate) const LOGOUTS_REMEMBERED: i64 = 10_000;

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
    /// When the browser was sent to the provider.
    pub begun_at: Timestamp,
    /// When the person proved themselves there.
    pub proof: ProofTime,
    /// The sealed ID token, for the sign-out.
    pub id_token: Option<Vec<u8>>,
}

/// When somebody proved who they are, as far as their provider says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProofTime {
    /// For this very sign-in.
    Now,
    /// Before: the provider has remembered them since.
    Before(Timestamp),
    /// It does not say. Such a session meets no demand for a recent proof.
    Unknown,
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
    /// Until when it is remembered, for sign-ins that are under way: as long as one may take.
    pub remembered_until: Timestamp,
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
        linked.map(drop).ok_or(LedgerError::Refused(Refusal::PersonNotLinked))?;
        self.refuse_logged_out(new, used).await
    }

    /// A sign-in that was begun before the provider said that it is over comes to nothing, in whichever order both arrive here.
    async fn refuse_logged_out(&mut self, new: &StartSession, used: &ProviderUse) -> Result<()> {
        let now = self.now.millis();
        let over: Option<(i64,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT said_at FROM provider_logout WHERE tenant = $1 AND issuer = $2 AND (subject = $3 OR subject = '') \
                 AND (provider_session = $4 OR provider_session = '') AND said_at > $5 AND expires_at > $6 LIMIT 1",
            )
            .bind(new.tenant.as_str())
            .bind(used.issuer.as_str())
            .bind(used.subject.as_str())
            .bind(used.session.clone())
            .bind(used.begun_at.millis())
            .bind(now)
            .fetch_optional(connection)
            .await?
        });
        over.map_or(Ok(()), |_| Err(LedgerError::Refused(Refusal::ProviderSignInOver)))
    }

    /// Ends what a provider says has ended, and remembers it for sign-ins that are under way. Gives how many sessions.
    ///
    /// # Errors
    /// [`Refusal::LogoutTokenRefused`] where the token was used before.
    pub async fn end_provider_sessions(&mut self, logout: &ProviderLogout<'_>, actor: &Actor) -> Result<u64> {
        if self.was_answered(logout.token).await? {
            return Err(LedgerError::Refused(Refusal::LogoutTokenRefused));
        }
        let meant = self.sessions_meant(logout).await?;
        self.use_challenge(logout.token).await?;
        self.remember_logout(logout).await?;
        if meant.is_empty() {
            return Ok(0);
        }
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

    /// Where too many are remembered, all sign-ins at the provider that are under way come to nothing: none is missed.
    async fn remember_logout(&mut self, logout: &ProviderLogout<'_>) -> Result<()> {
        let whose = (logout.subject.unwrap_or_default(), logout.session.unwrap_or_default());
        if self.insert_logout(logout, whose, LOGOUTS_REMEMBERED).await? == 1 {
            return Ok(());
        }
        let remembered = self.insert_logout(logout, ("", ""), i64::MAX).await?;
        changed_one(remembered, "there is no such tenant")
    }

    async fn insert_logout(
        &mut self,
        logout: &ProviderLogout<'_>,
        (subject, session): (&str, &str),
        most: i64,
    ) -> Result<u64> {
        let now = self.now;
        // A token that is late says nothing about sign-ins that were begun since it was made.
        let said_at = logout.before.min(now);
        Ok(on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO provider_logout (tenant, issuer, subject, provider_session, said_at, expires_at) \
                 SELECT t.id, $2, $3, $4, $5, $6 FROM tenant t WHERE t.id = $1 AND ($7 IS NULL OR t.id = $7) \
                 AND (SELECT COUNT(*) FROM provider_logout o WHERE o.tenant = t.id AND o.expires_at > $9) < $8 \
                 ON CONFLICT (tenant, issuer, subject, provider_session) DO UPDATE SET expires_at = excluded.expires_at, \
                 said_at = CASE WHEN provider_logout.said_at > excluded.said_at THEN provider_logout.said_at \
                 ELSE excluded.said_at END",
            )
            .bind(logout.tenant.as_str())
            .bind(logout.issuer)
            .bind(subject)
            .bind(session)
            .bind(said_at.millis())
            .bind(logout.remembered_until.millis())
            .bind(self.scope.bound())
            .bind(most)
            .bind(now.millis())
            .execute(connection)
            .await?
            .rows_affected()
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
