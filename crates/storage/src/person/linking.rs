//! Who a person is at the tenant's OpenID provider. The audit log names the subject by a hash alone.

use crate::actor::Actor;
use crate::credential::{SignInPerson, SignInPersonRow, person_columns};
use crate::engine::on_transaction;
use crate::scope::on_scoped_read;
use crate::{LedgerError, Result, ScopedLedger, Transaction, changed_one};
use serde_json::json;
use tegata_core::claims::person_subject;
use tegata_core::{DeviceId, PersonId, TenantId, Timestamp};

/// A link to be made.
#[derive(Clone, Debug)]
pub struct NewPersonLink {
    /// Whose person it is.
    pub tenant: TenantId,
    /// Identifier of the person.
    pub person: PersonId,
    /// The issuer identifier of the provider.
    pub issuer: String,
    /// What the provider calls the person for ever.
    pub subject: String,
}

/// A link in its person's list.
#[derive(Clone, PartialEq, Eq, Debug, sqlx::FromRow)]
pub struct PersonLink {
    /// The issuer identifier of the provider.
    pub issuer: String,
    /// What the provider calls the person for ever.
    pub subject: String,
    /// When it was made.
    #[sqlx(try_from = "i64")]
    pub linked_at: Timestamp,
}

impl ScopedLedger {
    /// What providers call a person.
    pub async fn links_of(&self, person: &PersonId) -> Result<Vec<PersonLink>> {
        Ok(on_scoped_read!(self, connection => {
            sqlx::query_as(
                "SELECT issuer, subject, linked_at FROM person_link WHERE person = $1 AND ($2 IS NULL OR tenant = $2) \
                 ORDER BY issuer",
            )
            .bind(person.as_str())
            .bind(self.scope.bound())
            .fetch_all(connection)
            .await?
        }))
    }

    /// Everybody whom a provider knows: who they are here, and what it calls them.
    pub async fn links_with(&self, issuer: &str) -> Result<Vec<(PersonId, String)>> {
        let rows: Vec<(String, String)> = on_scoped_read!(self, connection => {
            sqlx::query_as(
                "SELECT person, subject FROM person_link WHERE issuer = $1 AND ($2 IS NULL OR tenant = $2) ORDER BY person",
            )
            .bind(issuer)
            .bind(self.scope.bound())
            .fetch_all(connection)
            .await?
        });
        let read = |(person, subject): (String, String)| {
            let person =
                PersonId::try_from(person).map_err(|_| LedgerError::Unreadable("person_link.person"))?;
            Ok((person, subject))
        };
        rows.into_iter().map(read).collect()
    }

    /// Whom a provider means, before a device of the same tenant; nothing unless somebody has linked them.
    pub async fn linked_person(
        &self,
        issuer: &str,
        subject: &str,
        device: &DeviceId,
    ) -> Result<Option<SignInPerson>> {
        let row: Option<SignInPersonRow> = on_scoped_read!(self, connection => {
            sqlx::query_as(concat!(
                "SELECT ", person_columns!(),
                " FROM device d JOIN person p ON p.tenant = d.tenant JOIN person_link l ON l.person = p.id \
                 WHERE d.id = $1 AND l.tenant = d.tenant AND l.issuer = $2 AND l.subject = $3 \
                 AND ($4 IS NULL OR d.tenant = $4)",
            ))
            .bind(device.as_str())
            .bind(issuer)
            .bind(subject)
            .bind(self.scope.bound())
            .fetch_optional(connection)
            .await?
        });
        row.map(SignInPersonRow::person).transpose()
    }
}

impl Transaction {
    /// Says who a person is at a provider.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when the tenant has no such person, the account is for emergencies, the person has a link with
    /// this provider, or somebody else has this subject.
    pub async fn link_person(&mut self, new: &NewPersonLink, actor: &Actor) -> Result<()> {
        let now = self.now.millis();
        let linked = on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO person_link (tenant, issuer, subject, person, linked_at) \
                 SELECT p.tenant, $3, $4, p.id, $5 FROM person p WHERE p.id = $2 AND p.tenant = $1 \
                 AND p.break_glass IS NULL AND ($6 IS NULL OR p.tenant = $6) ON CONFLICT DO NOTHING",
            )
            .bind(new.tenant.as_str())
            .bind(new.person.as_str())
            .bind(new.issuer.as_str())
            .bind(new.subject.as_str())
            .bind(now)
            .bind(self.scope.bound())
            .execute(connection)
            .await?
            .rows_affected()
        });
        changed_one(
            linked,
            "the tenant has no such person, the account is for emergencies, the person has a link with this provider already, \
             or somebody else has this subject",
        )?;
        let subject = person_subject(&new.issuer, &new.subject);
        let detail =
            json!({"tenant": new.tenant, "person": new.person, "provider": new.issuer, "subject": subject});
        self.audit(actor, "person.linked", None, detail).await
    }

    /// Takes a link away, with all sessions that were begun by it. Gives how many.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is no such link, or the person is disabled: where a provider makes accounts, the link
    /// is what keeps them out.
    pub async fn unlink_person(&mut self, person: &PersonId, issuer: &str, actor: &Actor) -> Result<u64> {
        let removed: Option<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "DELETE FROM person_link WHERE person = $1 AND issuer = $2 AND ($3 IS NULL OR tenant = $3) \
                 AND EXISTS (SELECT 1 FROM person p WHERE p.id = $1 AND p.state = 'active') RETURNING tenant",
            )
            .bind(person.as_str())
            .bind(issuer)
            .bind(self.scope.bound())
            .fetch_optional(connection)
            .await?
        });
        let guard = LedgerError::Guard("there is no such link, or the person is disabled: enable them first");
        let (tenant,) = removed.ok_or(guard)?;
        let ended = self.drop_sessions_by(person, issuer).await?;
        let detail = json!({"tenant": tenant, "person": person, "provider": issuer, "sessions": ended});
        self.audit(actor, "person.unlinked", None, detail).await?;
        Ok(ended)
    }

    async fn drop_sessions_by(&mut self, person: &PersonId, issuer: &str) -> Result<u64> {
        let found: Vec<(String,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT id FROM session WHERE person = $1 AND provider_issuer = $2 ORDER BY id")
                .bind(person.as_str())
                .bind(issuer)
                .fetch_all(connection)
                .await?
        });
        let found: Vec<_> = found.into_iter().map(|(session,)| session).collect();
        self.drop_named_sessions(&found, person).await
    }
}
