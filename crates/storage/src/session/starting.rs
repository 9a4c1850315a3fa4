//! The begin of a session: the second factor is used up, and everything else is looked at once more where nobody can change
//! it meanwhile.

use crate::actor::Actor;
use crate::engine::on_transaction;
use crate::passkey::PasskeyUse;
use crate::revocation_log::PersonRecordState;
use crate::session::provider::{ProofTime, ProviderUse};
use crate::{LedgerError, Result, Transaction};
use serde_json::json;
use tegata_core::{DeviceId, PersonId, Refusal, SessionId, TenantId, Timestamp};

/// Sessions that one person has at most: the one that was unused for longest makes room.
const PER_PERSON: i64 = 20;

/// A session to be begun by somebody who has proved who they are, up to what only the ledger knows.
#[derive(Clone, Debug)]
pub struct StartSession {
    /// Identifier of the session.
    pub id: SessionId,
    /// The hash of its token.
    pub token_hash: Vec<u8>,
    /// The hash of the token that the browser had before: that session ends, so that nobody goes on with it.
    pub replaces: Option<Vec<u8>>,
    /// Whose person it is.
    pub tenant: TenantId,
    /// Identifier of the person.
    pub person: PersonId,
    /// The device it belongs to.
    pub device: DeviceId,
    /// The second factor, or what stands for all, which is used up.
    pub factor: SecondFactorUse,
    /// When it ends if nobody uses it.
    pub idle_until: Timestamp,
    /// When it ends in any case.
    pub expires_at: Timestamp,
}

/// A second factor that fits, as far as that can be told without the ledger.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SecondFactorUse {
    /// The code of TOTP of this step.
    Totp(i64),
    /// A recovery or emergency code with this hash.
    Code(Vec<u8>),
    /// A passkey that has signed: beside the password, or in the place of both.
    Passkey(PasskeyUse),
    /// A sign-in at the tenant's provider, in the place of everything.
    Provider(ProviderUse),
}

impl SecondFactorUse {
    fn at_provider(&self) -> Option<&ProviderUse> {
        match self {
            Self::Provider(used) => Some(used),
            _ => None,
        }
    }
}

/// How a session was begun.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StartedSession {
    /// By a code of TOTP.
    Totp,
    /// By one of the person's recovery codes.
    Recovery,
    /// By an emergency code that somebody gave: worth an alarm.
    Emergency,
    /// By a passkey alone, which has verified the person.
    Passkey,
    /// By a password and a passkey.
    PasswordAndPasskey,
    /// At the tenant's provider.
    Provider,
}

impl StartedSession {
    /// In the words of RFC 8176.
    const fn amr(self) -> &'static str {
        match self {
            Self::Totp => "pwd otp mfa",
            // A secret on paper is something one has; what somebody else gave is nothing of the person's.
            Self::Recovery => "pwd mfa",
            Self::Emergency => "pwd",
            // What kind of key it is only an attestation could tell.
            Self::Passkey => "pop user mfa",
            Self::PasswordAndPasskey => "pwd pop user mfa",
            // The provider says it.
            Self::Provider => "",
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Self::Totp => "totp",
            Self::Recovery => "recovery",
            Self::Emergency => "emergency",
            Self::Passkey => "passkey",
            Self::PasswordAndPasskey => "password and passkey",
            Self::Provider => "provider",
        }
    }
}

impl Transaction {
    /// Begins a session of whoever has proved who they are.
    ///
    /// # Errors
    /// [`Refusal::SignInWrong`] where the second factor was used before, or the person may not sign in on this device any more.
    pub async fn start_session(&mut self, new: &StartSession) -> Result<StartedSession> {
        if !self.scope.holds(&new.tenant) {
            return Err(LedgerError::Refused(Refusal::SignInWrong));
        }
        let by = self.use_second_factor(new).await?;
        self.make_room(new).await?;
        self.insert_session(new, by).await?;
        self.break_glass(new).await?;
        self.know_device(new).await?;
        let detail = json!({
            "tenant": new.tenant, "person": new.person, "session": new.id, "factor": by.as_str(),
        });
        let actor = Actor::Person(new.person.clone());
        self.audit(&actor, "session.started", Some(&new.device), detail).await?;
        Ok(by)
    }

    async fn use_second_factor(&mut self, new: &StartSession) -> Result<StartedSession> {
        let now = self.now.millis();
        match &new.factor {
            SecondFactorUse::Totp(step) => {
                let used = on_transaction!(self.engine, connection => {
                    sqlx::query("UPDATE credential SET totp_step = $2 WHERE person = $1 AND totp_step < $2")
                        .bind(new.person.as_str())
                        .bind(*step)
                        .execute(connection)
                        .await?
                        .rows_affected()
                });
                one_or_wrong(used)?;
                Ok(StartedSession::Totp)
            }
            SecondFactorUse::Passkey(used) => {
                self.use_passkey(&new.person, used).await?;
                let beside = used.beside_password;
                Ok(if beside { StartedSession::PasswordAndPasskey } else { StartedSession::Passkey })
            }
            SecondFactorUse::Provider(used) => {
                self.use_provider(new, used).await?;
                Ok(StartedSession::Provider)
            }
            SecondFactorUse::Code(hash) => {
                let used: Option<(String,)> = on_transaction!(self.engine, connection => {
                    sqlx::query_as(
                        "DELETE FROM person_code WHERE person = $1 AND code_hash = $2 \
                         AND (expires_at IS NULL OR expires_at > $3) RETURNING kind",
                    )
                    .bind(new.person.as_str())
                    .bind(hash.clone())
                    .bind(now)
                    .fetch_optional(connection)
                    .await?
                });
                match used.as_ref().map(|(kind,)| kind.as_str()) {
                    Some("recovery") => Ok(StartedSession::Recovery),
                    Some("emergency") => Ok(StartedSession::Emergency),
                    Some(_) => Err(LedgerError::Unreadable("person_code.kind")),
                    None => Err(LedgerError::Refused(Refusal::SignInWrong)),
                }
            }
        }
    }

    /// Sessions that are over in any case, the browser's own before, and the one that was unused for longest. One that has idled
    /// out is not denied for this: at a product it may go on.
    async fn make_room(&mut self, new: &StartSession) -> Result<()> {
        let now = self.now.millis();
        let leaving: Vec<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                // Whoever signs in at the same browser takes it over: the session before ends, whosever it was.
                "SELECT s.id FROM session s WHERE (s.person = $1 AND s.expires_at <= $2) \
                 OR (s.token_hash = $3 AND (s.person = $1 OR s.device = $4)) \
                 OR (s.person = $1 AND s.idle_until > $2 AND s.id NOT IN (SELECT o.id FROM session o WHERE o.person = $1 \
                 AND o.idle_until > $2 AND o.expires_at > $2 AND ($3 IS NULL OR o.token_hash <> $3) \
                 ORDER BY o.used_at DESC, o.id LIMIT $5))",
            )
            .bind(new.person.as_str())
            .bind(now)
            .bind(new.replaces.clone())
            .bind(new.device.as_str())
            .bind(PER_PERSON - 1)
            .fetch_all(connection)
            .await?
        });
        let leaving: Vec<_> = leaving.into_iter().map(|(session,)| session).collect();
        self.drop_named_sessions(&leaving, &new.person).await.map(drop)
    }

    async fn insert_session(&mut self, new: &StartSession, by: StartedSession) -> Result<()> {
        let now = self.now.millis();
        let provider = new.factor.at_provider();
        let amr = provider.map_or(by.amr(), |used| used.amr.as_str()).to_owned();
        let (subject, session) =
            (provider.map(|used| used.subject.clone()), provider.and_then(|used| used.session.clone()));
        let (proved_before, is_undated) = match provider.map(|used| used.proof) {
            None | Some(ProofTime::Now) => (None, false),
            Some(ProofTime::Before(at)) => (Some(at), false),
            Some(ProofTime::Unknown) => (None, true),
        };
        let started = on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO session (id, token_hash, tenant, person, device, amr, created_at, used_at, idle_until, \
                 expires_at, provider_issuer, provider_subject, provider_session, id_token, authenticated_at, undated) \
                 SELECT $1, $2, p.tenant, p.id, d.id, $6, $7, $7, $8, $9, $10, $11, $12, $13, $14, $15 FROM person p \
                 JOIN device d ON d.tenant = p.tenant JOIN tenant t ON t.id = p.tenant \
                 WHERE p.tenant = $3 AND p.id = $4 AND d.id = $5 \
                 AND p.state = 'active' AND (p.break_glass IS NULL OR p.break_glass = 'ready') AND d.state = 'active' AND d.role = 'device' AND t.state = 'active'",
            )
            .bind(new.id.as_str())
            .bind(new.token_hash.clone())
            .bind(new.tenant.as_str())
            .bind(new.person.as_str())
            .bind(new.device.as_str())
            .bind(amr)
            .bind(now)
            .bind(new.idle_until.millis())
            .bind(new.expires_at.millis())
            .bind(provider.map(|used| used.issuer.clone()))
            .bind(subject)
            .bind(session)
            .bind(provider.and_then(|used| used.id_token.clone()))
            .bind(proved_before.map(Timestamp::millis))
            .bind(i64::from(is_undated))
            .execute(connection)
            .await?
            .rows_affected()
        });
        one_or_wrong(started)
    }

    /// An account for emergencies lets nobody in a second time. The revocation log learns of it as soon as it can be written:
    /// an emergency does not wait for a disk.
    async fn break_glass(&mut self, new: &StartSession) -> Result<()> {
        let now = self.now.millis();
        let broken = on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE person SET break_glass = 'used', changed_at = $2 WHERE id = $1 AND break_glass = 'ready'",
            )
            .bind(new.person.as_str())
            .bind(now)
            .execute(connection)
            .await?
            .rows_affected()
        });
        if broken == 0 {
            return Ok(());
        }
        self.pending.is_emergency = true;
        self.log_person(&new.tenant, &new.person, PersonRecordState::Used);
        let detail = json!({"tenant": new.tenant, "person": new.person, "session": new.id});
        let actor = Actor::Person(new.person.clone());
        self.audit(&actor, "person.break_glass_used", Some(&new.device), detail).await
    }

    async fn know_device(&mut self, new: &StartSession) -> Result<()> {
        let now = self.now.millis();
        on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO person_device (person, device, signed_in_at) VALUES ($1, $2, $3) \
                 ON CONFLICT (person, device) DO UPDATE SET signed_in_at = $3",
            )
            .bind(new.person.as_str())
            .bind(new.device.as_str())
            .bind(now)
            .execute(connection)
            .await?;
        });
        Ok(())
    }
}

fn one_or_wrong(rows: u64) -> Result<()> {
    if rows == 1 { Ok(()) } else { Err(LedgerError::Refused(Refusal::SignInWrong)) }
}
