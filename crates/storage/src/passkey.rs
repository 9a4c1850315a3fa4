//! Passkeys of people, and the challenges that were answered with them.

use crate::actor::Actor;
use crate::credential::{CandidateRow, SignInCandidate, candidate_columns};
use crate::engine::on_transaction;
use crate::scope::on_scoped_read;
use crate::{LedgerError, Result, ScopedLedger, Transaction, changed_one};
use serde_json::json;
use tegata_core::{DeviceId, PasskeyId, PersonId, Refusal, SessionId, Timestamp};

/// The most passkeys that one person has.
pub const PASSKEYS_OF_A_PERSON: u8 = 20;

/// A passkey in its person's list.
#[derive(Clone, PartialEq, Eq, Debug, sqlx::FromRow)]
pub struct Passkey {
    /// The identifier that records carry.
    #[sqlx(try_from = "String")]
    pub id: PasskeyId,
    /// What its authenticator calls it.
    pub credential: Vec<u8>,
    /// What its person calls it.
    pub name: String,
    /// When it was made.
    #[sqlx(try_from = "i64")]
    pub created_at: Timestamp,
    /// When it was last used, in milliseconds; nothing until it is.
    used_at: Option<i64>,
}

/// A passkey that somebody signs in with, and whose it is.
pub struct PasskeyCandidate {
    /// Identifier of the passkey.
    pub passkey: PasskeyId,
    /// The public key, as a COSE key.
    pub public_key: Vec<u8>,
    /// How often it had signed when it was last used.
    pub counter: u32,
    /// Whose it is, before the device.
    pub person: SignInCandidate,
}

/// A passkey to be kept.
#[derive(Clone, Debug)]
pub struct NewPersonPasskey {
    /// The identifier, which none has.
    pub id: PasskeyId,
    /// Identifier of the person.
    pub person: PersonId,
    /// What its authenticator calls it.
    pub credential: Vec<u8>,
    /// The public key, as a COSE key.
    pub public_key: Vec<u8>,
    /// How often it has signed.
    pub counter: u32,
    /// What its person calls it.
    pub name: String,
    /// What it has answered.
    pub challenge: UsedChallenge,
}

/// A challenge that was answered, and is worth nothing from now on.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UsedChallenge {
    /// SHA-256 of the challenge.
    pub hash: Vec<u8>,
    /// When it would have been too old in any case.
    pub expires_at: Timestamp,
}

/// A passkey that has signed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PasskeyUse {
    /// Identifier of the passkey.
    pub passkey: PasskeyId,
    /// How often it says that it has signed.
    pub counter: u32,
    /// What it has answered.
    pub challenge: UsedChallenge,
    /// Whether a password was right too.
    pub beside_password: bool,
}

impl Passkey {
    /// When it was last used, if ever.
    pub fn used_at(&self) -> Option<Timestamp> {
        self.used_at.map(Timestamp::from_millis)
    }
}

impl ScopedLedger {
    /// The passkeys of a person, the newest first.
    pub async fn passkeys_of(&self, person: &PersonId) -> Result<Vec<Passkey>> {
        Ok(on_scoped_read!(self, connection => {
            sqlx::query_as(
                "SELECT k.id, k.credential, k.name, k.created_at, k.used_at FROM passkey k JOIN person p ON p.id = k.person \
                 WHERE p.id = $1 AND ($2 IS NULL OR p.tenant = $2) ORDER BY k.created_at DESC, k.id",
            )
            .bind(person.as_str())
            .bind(self.scope.bound())
            .fetch_all(connection)
            .await?
        }))
    }

    /// Whose a passkey is, before a device.
    pub async fn passkey_candidate(
        &self,
        credential: &[u8],
        device: &DeviceId,
    ) -> Result<Option<PasskeyCandidate>> {
        let row: Option<PasskeyRow> = on_scoped_read!(self, connection => {
            sqlx::query_as(concat!(
                "SELECT ", candidate_columns!(), ", y.id AS passkey, y.public_key, y.counter FROM device d \
                 JOIN person p ON p.tenant = d.tenant JOIN credential c ON c.person = p.id JOIN passkey y ON y.person = p.id \
                 WHERE d.id = $1 AND y.credential = $2 AND ($3 IS NULL OR d.tenant = $3)",
            ))
            .bind(device.as_str())
            .bind(credential.to_vec())
            .bind(self.scope.bound())
            .fetch_optional(connection)
            .await?
        });
        row.map(PasskeyRow::candidate).transpose()
    }
}

impl Transaction {
    /// Keeps a passkey of a person who has set up their account and makes it in the session `by`.
    ///
    /// # Errors
    /// [`Refusal::SignInNeeded`] when that session ended meanwhile; [`Refusal::PasskeysFull`] when they have as many as anybody
    /// may; [`Refusal::PasskeyKnown`] when the ledger has it; [`Refusal::FormOutdated`] when its challenge was answered before.
    pub async fn add_passkey(&mut self, new: &NewPersonPasskey, by: &SessionId) -> Result<()> {
        self.require_session(&new.person, by).await?;
        self.use_challenge(&new.challenge).await?;
        self.require_room(&new.person).await?;
        let now = self.now.millis();
        let added = on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO passkey (id, person, credential, public_key, counter, name, created_at) \
                 SELECT $1, p.id, $3, $4, $5, $6, $7 FROM person p JOIN credential c ON c.person = p.id \
                 WHERE p.id = $2 AND p.state = 'active' AND ($8 IS NULL OR p.tenant = $8) \
                 ON CONFLICT (credential) DO NOTHING",
            )
            .bind(new.id.as_str())
            .bind(new.person.as_str())
            .bind(new.credential.clone())
            .bind(new.public_key.clone())
            .bind(i64::from(new.counter))
            .bind(new.name.as_str())
            .bind(now)
            .bind(self.scope.bound())
            .execute(connection)
            .await?
            .rows_affected()
        });
        if added != 1 {
            return Err(LedgerError::Refused(Refusal::PasskeyKnown));
        }
        let tenant = self.tenant_of(&new.person).await?;
        let detail = json!({"tenant": tenant, "person": new.person, "passkey": new.id});
        self.audit(&Actor::Person(new.person.clone()), "person.passkey_added", None, detail).await
    }

    /// Challenges that were made while there was room may be answered later.
    async fn require_room(&mut self, person: &PersonId) -> Result<()> {
        let (kept,): (i64,) = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT COUNT(*) FROM passkey WHERE person = $1")
                .bind(person.as_str())
                .fetch_one(connection)
                .await?
        });
        let has_room = kept < i64::from(PASSKEYS_OF_A_PERSON);
        if has_room { Ok(()) } else { Err(LedgerError::Refused(Refusal::PasskeysFull)) }
    }

    /// Takes a passkey from a person who asks in the session `kept`: it proves nothing from now on. It may be another's who has
    /// signed in with it, so all other sessions end. Gives how many.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when the person has no such passkey, [`Refusal::SignInNeeded`] when the session ended meanwhile.
    pub async fn remove_passkey(
        &mut self,
        person: &PersonId,
        kept: &SessionId,
        passkey: &PasskeyId,
    ) -> Result<u64> {
        self.require_session(person, kept).await?;
        let removed = on_transaction!(self.engine, connection => {
            sqlx::query(
                "DELETE FROM passkey WHERE id = $1 AND person = $2 AND person IN \
                 (SELECT p.id FROM person p WHERE $3 IS NULL OR p.tenant = $3)",
            )
            .bind(passkey.as_str())
            .bind(person.as_str())
            .bind(self.scope.bound())
            .execute(connection)
            .await?
            .rows_affected()
        });
        changed_one(removed, "the person has no such passkey")?;
        let ended = self.drop_sessions_of(person, Some(kept)).await?;
        let tenant = self.tenant_of(person).await?;
        let detail = json!({"tenant": tenant, "person": person, "passkey": passkey, "sessions": ended});
        self.audit(&Actor::Person(person.clone()), "person.passkey_removed", None, detail).await?;
        Ok(ended)
    }

    /// Notes that a passkey has signed, unless its counter went back: then two have its key.
    pub(crate) async fn use_passkey(&mut self, person: &PersonId, used: &PasskeyUse) -> Result<()> {
        self.use_challenge(&used.challenge).await?;
        let now = self.now.millis();
        let moved = on_transaction!(self.engine, connection => {
            sqlx::query(
                "UPDATE passkey SET counter = $3, used_at = $4 WHERE id = $1 AND person = $2 \
                 AND (counter < $3 OR (counter = 0 AND $3 = 0))",
            )
            .bind(used.passkey.as_str())
            .bind(person.as_str())
            .bind(i64::from(used.counter))
            .bind(now)
            .execute(connection)
            .await?
            .rows_affected()
        });
        if moved == 1 { Ok(()) } else { Err(LedgerError::Refused(Refusal::PasskeyWrong)) }
    }

    /// Notes that a challenge was answered.
    ///
    /// # Errors
    /// [`Refusal::FormOutdated`] when it was answered before.
    pub(crate) async fn use_challenge(&mut self, challenge: &UsedChallenge) -> Result<()> {
        let used = on_transaction!(self.engine, connection => {
            sqlx::query("INSERT INTO used_challenge (hash, expires_at) VALUES ($1, $2) ON CONFLICT (hash) DO NOTHING")
                .bind(challenge.hash.clone())
                .bind(challenge.expires_at.millis())
                .execute(connection)
                .await?
                .rows_affected()
        });
        if used == 1 { Ok(()) } else { Err(LedgerError::Refused(Refusal::FormOutdated)) }
    }
}

#[derive(sqlx::FromRow)]
struct PasskeyRow {
    #[sqlx(flatten)]
    person: CandidateRow,
    #[sqlx(try_from = "String")]
    passkey: PasskeyId,
    public_key: Vec<u8>,
    counter: i64,
}

impl PasskeyRow {
    fn candidate(self) -> Result<PasskeyCandidate> {
        Ok(PasskeyCandidate {
            passkey: self.passkey,
            public_key: self.public_key,
            counter: u32::try_from(self.counter).map_err(|_| LedgerError::Unreadable("passkey.counter"))?,
            person: self.person.candidate(None)?,
        })
    }
}
