//! Who is told of renewals and of the day's work by mail.

use crate::actor::Actor;
use crate::engine::{on_read, on_transaction};
use crate::{Ledger, LedgerError, Result, Transaction, changed_one};
use serde_json::json;
use std::collections::HashMap;
use tegata_core::{
    DeviceId, Language, MailAddress, Name, NoticeLevel, PersonId, RecipientId, SiteId, TenantId, Timestamp,
};

/// Somebody with an address.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NoticeRecipient {
    /// What records call them.
    pub id: RecipientId,
    /// Whose renewals and work; none: everybody's.
    pub tenant: Option<TenantId>,
    /// Of this site alone.
    pub site: Option<SiteId>,
    /// Of the devices of this person alone.
    pub person: Option<PersonId>,
    /// From which step on they are told.
    pub level: NoticeLevel,
    /// Where mails to them go.
    pub address: MailAddress,
    /// The language of mails to them.
    pub language: Language,
    /// The hour of the day, in Japan, from which on they are told of renewals.
    pub notice_hour: u8,
    /// The hour from which on they are told of the day's work, if they are.
    pub digest_hour: Option<u8>,
    /// The last day for which they were told of renewals, or there was nothing to tell.
    pub noticed_day: Option<String>,
    /// The last day for which they were told of the day's work.
    pub digest_day: Option<String>,
    /// Until when others are told in their place.
    pub paused_until: Option<Timestamp>,
    /// Since when mail to them comes back.
    pub bounced_at: Option<Timestamp>,
    /// What was said then.
    pub bounce: Option<String>,
}

impl NoticeRecipient {
    /// Whether mail reaches them now. Where it does not, somebody else is told.
    pub fn is_reachable(&self, now: Timestamp) -> bool {
        self.bounced_at.is_none() && self.paused_until.is_none_or(|until| until <= now)
    }
}

impl Ledger {
    /// All who are told, by tenant, level and address.
    pub async fn notice_recipients(&self) -> Result<Vec<NoticeRecipient>> {
        let rows: Vec<RecipientRow> = on_read!(self, connection => {
            sqlx::query_as(
                "SELECT id, tenant, site, person, level, address, language, notice_hour, digest_hour, noticed_day, \
                 digest_day, paused_until, bounced_at, bounce FROM notice_recipient \
                 ORDER BY COALESCE(tenant, ''), level, address, id",
            )
            .fetch_all(connection)
            .await?
        });
        rows.into_iter().map(RecipientRow::recipient).collect()
    }

    /// The people of a tenant for whom each device is, where it is for some alone.
    pub async fn people_of_devices(&self, tenant: &TenantId) -> Result<HashMap<DeviceId, Vec<PersonId>>> {
        let rows: Vec<(String, String)> = on_read!(self, connection => {
            sqlx::query_as(
                "SELECT k.device, k.person FROM person p JOIN device_person k ON k.person = p.id \
                 WHERE p.tenant = $1 AND p.state = 'active' ORDER BY k.device, k.person",
            )
            .bind(tenant.as_str())
            .fetch_all(connection)
            .await?
        });
        let mut people: HashMap<DeviceId, Vec<PersonId>> = HashMap::new();
        for (device, person) in rows {
            let device = DeviceId::try_from(device).map_err(|_| UNREADABLE)?;
            people.entry(device).or_default().push(PersonId::try_from(person).map_err(|_| UNREADABLE)?);
        }
        Ok(people)
    }

    /// What the sender of each tenant's mails is called, where a tenant has a name of its own for it.
    pub async fn sender_names(&self) -> Result<HashMap<TenantId, String>> {
        let rows: Vec<(String, String)> = on_read!(self, connection => {
            sqlx::query_as("SELECT id, sender_name FROM tenant WHERE sender_name IS NOT NULL")
                .fetch_all(connection)
                .await?
        });
        let name = |(tenant, name)| Ok((TenantId::try_from(tenant).map_err(|_| UNREADABLE)?, name));
        rows.into_iter().map(name).collect()
    }
}

impl Transaction {
    /// Tells somebody from now on.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when the tenant, the site or the person is not there, or the address is told of just this already.
    pub async fn add_notice_recipient(&mut self, new: &NoticeRecipient, actor: &Actor) -> Result<()> {
        let now = self.now.millis();
        let text = |id: Option<&str>| id.map(str::to_owned);
        let added = on_transaction!(self.engine, connection => {
            sqlx::query(
                "INSERT INTO notice_recipient (id, tenant, site, person, level, address, language, notice_hour, \
                 digest_hour, created_at) SELECT $1, $2, $3, $4, $5, $6, $7, $8, $9, $10 \
                 WHERE NOT EXISTS (SELECT 1 FROM notice_recipient r WHERE r.level = $5 AND r.address = $6 \
                 AND COALESCE(r.tenant, '') = COALESCE($2, '') AND COALESCE(r.site, '') = COALESCE($3, '') \
                 AND COALESCE(r.person, '') = COALESCE($4, '')) \
                 AND ($2 IS NULL OR EXISTS (SELECT 1 FROM tenant t WHERE t.id = $2)) \
                 AND ($3 IS NULL OR EXISTS (SELECT 1 FROM site s WHERE s.id = $3 AND s.tenant = $2)) \
                 AND ($4 IS NULL OR EXISTS (SELECT 1 FROM person p WHERE p.id = $4 AND p.tenant = $2))",
            )
            .bind(new.id.as_str())
            .bind(text(new.tenant.as_ref().map(TenantId::as_str)))
            .bind(text(new.site.as_ref().map(SiteId::as_str)))
            .bind(text(new.person.as_ref().map(PersonId::as_str)))
            .bind(new.level.as_str())
            .bind(new.address.as_str())
            .bind(new.language.tag())
            .bind(i64::from(new.notice_hour))
            .bind(new.digest_hour.map(i64::from))
            .bind(now)
            .execute(connection)
            .await?
            .rows_affected()
        });
        changed_one(added, "there is no such place or person, or the address is told of just this already")?;
        self.audit(actor, "notice-recipient.added", None, described(new)).await
    }

    /// Tells somebody nothing any more. The mails to them stay in the list.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is no such recipient.
    pub async fn remove_notice_recipient(&mut self, id: &RecipientId, actor: &Actor) -> Result<()> {
        let removed = on_transaction!(self.engine, connection => {
            // What waits for an address goes out where its tenant names it for something else as well.
            sqlx::query(
                "UPDATE mail SET state = 'failed', failure = 'the recipient was removed' WHERE state = 'waiting' \
                 AND EXISTS (SELECT 1 FROM notice_recipient r WHERE r.id = $1 AND r.address = mail.address \
                 AND COALESCE(r.tenant, '') = COALESCE(mail.tenant, '')) \
                 AND NOT EXISTS (SELECT 1 FROM notice_recipient o WHERE o.id <> $1 AND o.address = mail.address \
                 AND COALESCE(o.tenant, '') = COALESCE(mail.tenant, ''))",
            )
                .bind(id.as_str())
                .execute(&mut *connection)
                .await?;
            sqlx::query("DELETE FROM notice_recipient WHERE id = $1")
                .bind(id.as_str())
                .execute(connection)
                .await?
                .rows_affected()
        });
        changed_one(removed, "there is no such recipient")?;
        self.audit(actor, "notice-recipient.removed", None, json!({"recipient": id})).await
    }

    /// Has others told in their place until then; without a time they are told again, also where mail to them came back.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is no such recipient.
    pub async fn pause_notice_recipient(
        &mut self,
        id: &RecipientId,
        until: Option<Timestamp>,
        note: &str,
        actor: &Actor,
    ) -> Result<()> {
        let paused = on_transaction!(self.engine, connection => {
            let query = match until {
                Some(_) => sqlx::query("UPDATE notice_recipient SET paused_until = $2 WHERE id = $1"),
                None => sqlx::query(
                    "UPDATE notice_recipient SET paused_until = $2, bounced_at = NULL, bounce = NULL WHERE id = $1",
                ),
            };
            query.bind(id.as_str()).bind(until.map(Timestamp::millis)).execute(connection).await?.rows_affected()
        });
        changed_one(paused, "there is no such recipient")?;
        let action = if until.is_some() { "notice-recipient.paused" } else { "notice-recipient.resumed" };
        let detail = json!({"recipient": id, "until": until, "note": note});
        self.audit(actor, action, None, detail).await
    }

    /// Calls the sender of a tenant's mails so from now on; nothing: as that of the installation.
    ///
    /// # Errors
    /// [`LedgerError::Guard`] when there is no such tenant.
    pub async fn set_sender_name(
        &mut self,
        tenant: &TenantId,
        name: Option<&Name>,
        actor: &Actor,
    ) -> Result<()> {
        let set = on_transaction!(self.engine, connection => {
            sqlx::query("UPDATE tenant SET sender_name = $2 WHERE id = $1")
                .bind(tenant.as_str())
                .bind(name.map(|name| name.as_str().to_owned()))
                .execute(connection)
                .await?
                .rows_affected()
        });
        changed_one(set, "there is no such tenant")?;
        let name = name.map(Name::as_str);
        self.audit(actor, "sender-name.set", None, json!({"tenant": tenant, "name": name})).await
    }
}

/// Without the address: the audit log outlives whoever asks to be forgotten.
fn described(new: &NoticeRecipient) -> serde_json::Value {
    json!({
        "recipient": new.id, "tenant": new.tenant, "site": new.site, "person": new.person, "level": new.level,
        "digest_hour": new.digest_hour,
    })
}

const UNREADABLE: LedgerError = LedgerError::Unreadable("notice_recipient");

#[derive(sqlx::FromRow)]
struct RecipientRow {
    id: String,
    tenant: Option<String>,
    site: Option<String>,
    person: Option<String>,
    level: String,
    address: String,
    language: String,
    notice_hour: i64,
    digest_hour: Option<i64>,
    noticed_day: Option<String>,
    digest_day: Option<String>,
    paused_until: Option<i64>,
    bounced_at: Option<i64>,
    bounce: Option<String>,
}

impl RecipientRow {
    fn recipient(self) -> Result<NoticeRecipient> {
        let hour = |hour: i64| u8::try_from(hour).map_err(|_| UNREADABLE);
        Ok(NoticeRecipient {
            id: RecipientId::try_from(self.id).map_err(|_| UNREADABLE)?,
            tenant: self.tenant.map(TenantId::try_from).transpose().map_err(|_| UNREADABLE)?,
            site: self.site.map(SiteId::try_from).transpose().map_err(|_| UNREADABLE)?,
            person: self.person.map(PersonId::try_from).transpose().map_err(|_| UNREADABLE)?,
            level: NoticeLevel::parse(&self.level).ok_or(UNREADABLE)?,
            address: MailAddress::try_from(self.address).map_err(|_| UNREADABLE)?,
            language: Language::parse(&self.language).ok_or(UNREADABLE)?,
            notice_hour: hour(self.notice_hour)?,
            digest_hour: self.digest_hour.map(hour).transpose()?,
            noticed_day: self.noticed_day,
            digest_day: self.digest_day,
            paused_until: self.paused_until.map(Timestamp::from_millis),
            bounced_at: self.bounced_at.map(Timestamp::from_millis),
            bounce: self.bounce,
        })
    }
}
