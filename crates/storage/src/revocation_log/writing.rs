//! Writes the log: which changes of a transaction go there, and when.

use super::{
    BEGINNING, LogEnd, LogError, LogHeader, LogRecord, LoggedEvent, NamedCertificate, PersonRecordState,
    RevocationLog, VERSION,
};
use crate::engine::on_transaction;
use crate::head::OwedLines;
use crate::revocation_log::medium::Unwritten;
use crate::{LedgerError, Result, Transaction};
use std::sync::Arc;
use tegata_core::encoding::{base32, hex};
use tegata_core::entropy::bytes;
use tegata_core::feed::{Change, Event};
use tegata_core::{
    DeviceId, Entropy, IssuerId, PersonId, RevocationReason, Serial, TenantId, Thumbprint, Timestamp,
};

/// Lines that are ready to be written.
pub(crate) struct LogLines {
    log: Arc<RevocationLog>,
    seen: LogEnd,
    text: Vec<u8>,
    /// Of the last one.
    pub(crate) hash: Vec<u8>,
    last_event: u64,
}

type NamedRow = (String, i64, Vec<u8>, Option<Vec<u8>>, i64, i64, String, Option<String>);

impl Transaction {
    /// Writes that a compromised key is blocked.
    pub(crate) fn log_blocked_key(&mut self, key_hash: &[u8; 32], id: &[u8; 32], note: &str) {
        let at = self.now;
        let id = Some(hex(id));
        self.log_record(|| LogRecord::KeyBlocked { key: hex(key_hash), id, note: note.to_owned(), at });
    }

    /// A key that signs tokens no more goes to the log.
    pub(crate) fn log_withdrawn_token_key(&mut self, kid: &str, note: &str) {
        let at = self.now;
        self.log_record(|| LogRecord::TokenKeyWithdrawn { kid: kid.to_owned(), note: note.to_owned(), at });
    }

    /// A step in the life of a CA goes to the log.
    pub(crate) fn log_issuer(&mut self, issuer: &IssuerId, state: &str, reason: Option<&str>) {
        let at = self.now;
        let reason = reason.map(str::to_owned);
        self.log_record(|| LogRecord::IssuerMoved {
            issuer: issuer.clone(),
            state: state.to_owned(),
            reason,
            at,
        });
    }

    /// Whether a person may sign in goes to the log.
    pub(crate) fn log_person(&mut self, tenant: &TenantId, person: &PersonId, state: PersonRecordState) {
        let at = self.now;
        let (tenant, person) = (tenant.clone(), person.clone());
        self.log_record(|| LogRecord::PersonMoved { tenant, person, state, at });
    }

    /// An event goes to the log, with the certificates that it is about as they are now.
    pub(crate) async fn log_event(&mut self, event: &Event) -> Result<()> {
        if self.pending.has_log {
            let logged = self.describe(event.clone()).await?;
            self.log_record(|| LogRecord::Event(logged));
        }
        Ok(())
    }

    /// How many records hold good is part of the head, so that whatever undoes a part of the transaction undoes them.
    fn log_record(&mut self, record: impl FnOnce() -> LogRecord) {
        if self.pending.has_log {
            self.pending.records.truncate(self.head.records);
            self.pending.records.push(record());
            self.head.records = self.pending.records.len();
        }
    }

    /// Writes what this transaction has to say. What other servers have written to the feed since this log was last written to
    /// goes before it, so that the log has no gap; so does what is owed. Gives whether anything was written.
    pub(crate) async fn write_log(&mut self) -> Result<bool> {
        self.pending.records.truncate(self.head.records);
        if self.pending.records.is_empty() {
            return Ok(false);
        }
        self.widen().await?;
        let mut records = self.owed_records()?;
        records.append(&mut self.pending.records);
        let before = self.head.clone();
        match self.append_records(&records).await {
            Ok(()) => Ok(true),
            Err(LedgerError::Log(error)) if self.pending.is_emergency && error != LogError::Moved => {
                self.head = before;
                self.owe(&records, &error).await?;
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    async fn append_records(&mut self, own: &[LogRecord]) -> Result<()> {
        let seen = self.pending.end.clone()?;
        let log = self.shared.log.clone().ok_or(LogError::NotOpened)?;
        let mut records = self.written_by_others(seen.last_event).await?;
        records.extend_from_slice(own);
        let lines = LogLines::behind(log, seen, &records)?;
        self.head.contains_log_to(lines.log(), lines.hash.clone());
        self.head.owed_lines = OwedLines::default();
        // Whatever the ledger may say against it, it says before the log is written.
        self.write_entries().await?;
        lines.append().await.map(drop)
    }

    /// The events after this one that were in the feed before this transaction.
    pub(super) async fn written_by_others(&mut self, mut last: u64) -> Result<Vec<LogRecord>> {
        let before = self.feed_seq_before();
        let mut records = Vec::new();
        while last < before {
            let events = self.events_after(last).await?;
            let Some(newest) = events.last() else { break };
            last = newest.seq;
            for event in events.into_iter().filter(|event| event.seq <= before) {
                records.push(LogRecord::Event(self.describe(event).await?));
            }
        }
        Ok(records)
    }

    /// The event with what a ledger that has never heard of its subject needs to know.
    pub(crate) async fn describe(&mut self, event: Event) -> Result<LoggedEvent> {
        Ok(match &event.change {
            Change::DeviceDenied { device, .. } => {
                let reason = self.reason_of(device).await?;
                let certificates = self.certificates_held(device, reason.as_deref()).await?;
                LoggedEvent { event, reason, certificates }
            }
            Change::DeviceAllowed { device } => {
                let certificates = self.certificates_let_go(device).await?;
                LoggedEvent { reason: None, certificates, event }
            }
            Change::TenantDenied { tenant, .. } | Change::TenantAllowed { tenant } => {
                let certificates = self.certificates_within(tenant).await?;
                LoggedEvent { reason: None, certificates, event }
            }
            Change::CertificateDenied { thumbprint, .. } => {
                let certificates = self.certificate_with(thumbprint).await?;
                LoggedEvent { reason: None, certificates, event }
            }
            Change::TokenDenied { .. } | Change::TokensDenied(_) => {
                LoggedEvent { reason: None, certificates: Vec::new(), event }
            }
        })
    }

    async fn reason_of(&mut self, device: &DeviceId) -> Result<Option<String>> {
        let row: Option<(Option<String>,)> = on_transaction!(self.engine, connection => {
            sqlx::query_as("SELECT reason FROM device WHERE id = $1")
                .bind(device.as_str())
                .fetch_optional(connection)
                .await?
        });
        Ok(row.and_then(|(reason,)| reason))
    }

    /// What the device's own state covers: certificates that have not ended for themselves.
    async fn certificates_held(
        &mut self,
        device: &DeviceId,
        reason: Option<&str>,
    ) -> Result<Vec<NamedCertificate>> {
        let reason = reason.map(reason_of_word);
        let now = self.now.millis();
        let rows: Vec<NamedRow> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT issuer, shard, serial, thumbprint, not_after, generation, device, reason \
                 FROM certificate WHERE device = $1 AND not_after >= $2 AND state NOT IN ('retired', 'revoked') \
                 ORDER BY generation",
            )
            .bind(device.as_str())
            .bind(now)
            .fetch_all(connection)
            .await?
        });
        let named = |row| NamedCertificate::try_from(row).map(|named| NamedCertificate { reason, ..named });
        rows.into_iter().map(named).collect()
    }

    /// What a resumed device frees: nothing while its tenant holds it.
    async fn certificates_let_go(&mut self, device: &DeviceId) -> Result<Vec<NamedCertificate>> {
        let held = self.falls_with_its_tenant(device).await?;
        if held { Ok(Vec::new()) } else { self.certificates_held(device, None).await }
    }

    /// What a tenant's state covers: certificates of its devices, where neither has ended or is on hold for itself.
    async fn certificates_within(&mut self, tenant: &TenantId) -> Result<Vec<NamedCertificate>> {
        let now = self.now.millis();
        let rows: Vec<NamedRow> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT c.issuer, c.shard, c.serial, c.thumbprint, c.not_after, c.generation, c.device, c.reason \
                 FROM site s JOIN device d ON d.site = s.id JOIN certificate c ON c.device = d.id \
                 WHERE s.tenant = $1 AND d.role = 'device' AND d.state = 'active' AND c.not_after >= $2 \
                 AND c.state NOT IN ('retired', 'revoked') ORDER BY c.device, c.generation",
            )
            .bind(tenant.as_str())
            .bind(now)
            .fetch_all(connection)
            .await?
        });
        rows.into_iter().map(NamedCertificate::try_from).collect()
    }

    async fn certificate_with(&mut self, thumbprint: &Thumbprint) -> Result<Vec<NamedCertificate>> {
        let rows: Vec<NamedRow> = on_transaction!(self.engine, connection => {
            sqlx::query_as(
                "SELECT issuer, shard, serial, thumbprint, not_after, generation, device, reason \
                 FROM certificate WHERE thumbprint = $1",
            )
            .bind(thumbprint.as_bytes().to_vec())
            .fetch_all(connection)
            .await?
        });
        rows.into_iter().map(NamedCertificate::try_from).collect()
    }
}

impl TryFrom<NamedRow> for NamedCertificate {
    type Error = LedgerError;

    fn try_from(row: NamedRow) -> Result<Self> {
        let (issuer, shard, serial, thumbprint, not_after, generation, device, reason) = row;
        Ok(Self {
            issuer: IssuerId::parse(&issuer).ok_or(LedgerError::Unreadable("certificate.issuer"))?,
            shard,
            serial: Serial::from_slice(&serial).ok_or(LedgerError::Unreadable("certificate.serial"))?,
            thumbprint: thumbprint.as_deref().and_then(Thumbprint::from_slice),
            not_after: not_after.into(),
            reason: reason.as_deref().map(reason_of_word),
            device: DeviceId::parse(&device).ok_or(LedgerError::Unreadable("certificate.device"))?,
            generation,
        })
    }
}

fn reason_of_word(word: &str) -> RevocationReason {
    RevocationReason::parse(word).unwrap_or_default()
}

impl LogLines {
    pub(crate) fn behind(log: Arc<RevocationLog>, seen: LogEnd, records: &[LogRecord]) -> Result<Self> {
        let mut text = if seen.is_torn { vec![b'\n'] } else { Vec::new() };
        let (mut hash, mut last_event) = (seen.hash.clone(), seen.last_event);
        for record in records {
            if let LogRecord::Event(logged) = record {
                last_event = logged.event.seq;
            }
            let (line, next) = record.seal(&hash)?;
            text.extend_from_slice(line.as_bytes());
            text.push(b'\n');
            hash = next;
        }
        Ok(Self { log, seen, text, hash, last_event })
    }

    /// The name of the log they are for.
    pub(crate) fn log(&self) -> &str {
        &self.seen.log
    }

    /// Writes them, durably. What was begun goes on even if the caller does not wait: the lines are then in the log,
    /// and the next writer brings the ledger after them.
    pub(crate) async fn append(self) -> Result<LogEnd> {
        let appended = tokio::task::spawn_blocking(move || self.append_now()).await;
        Ok(appended.map_err(|_| LedgerError::Closing)??)
    }

    fn append_now(self) -> std::result::Result<LogEnd, LogError> {
        let extent = self.log.medium.append(&self.seen.extent, &self.text);
        let extent = extent.map_err(|unwritten| match unwritten {
            Unwritten::Nothing(error) => self.log.failed(&error),
            Unwritten::Lines(error) => LogError::InPart { file: self.log.name(), error: error.to_string() },
        });
        let extent = extent?.ok_or(LogError::Moved)?;
        let (hash, last_event) = (self.hash, self.last_event);
        let end = LogEnd { extent, log: self.seen.log, hash, last_event, is_torn: false };
        self.log.remember(&end);
        Ok(end)
    }
}

impl RevocationLog {
    /// Begins a log with a name nobody has used before, where there is none. Gives the name.
    pub(crate) fn create(&self, now: Timestamp, entropy: &dyn Entropy) -> Result<String> {
        let name = base32(&bytes::<16>(entropy));
        let header = LogHeader {
            version: VERSION,
            log: name.clone(),
            installation: self.installation.clone(),
            at: now,
        };
        let (mut line, hash) = LogRecord::Header(header).seal(&BEGINNING)?;
        line.push('\n');
        let extent = self.medium.replace(None, line.as_bytes()).map_err(|error| self.failed(&error))?;
        let extent = extent.ok_or_else(|| LogError::Exists(self.name()))?;
        self.remember(&LogEnd { extent, log: name.clone(), hash, last_event: 0, is_torn: false });
        Ok(name)
    }
}
