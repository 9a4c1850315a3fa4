//! A furnished ledger: one tenant with one site, one issuing CA, and what staff do all day.

use crate::engines::{EnginePlace, run};
use std::path::Path;
use std::time::Duration;
use tegata_core::entropy::{Seeded, bytes};
use tegata_core::feed::{Denials, TokenHolder};
use tegata_core::id::InvitationCode;
use tegata_core::{
    CertificateState, DeviceId, Installation, InvitationId, IssuerId, Refusal, Role, Serial, SiteId,
    TenantId, Thumbprint, Timestamp,
};
use tegata_storage::{
    Actor, Certificate, DeviceAction, EndedCertificate, IssuanceRight, IssuerKind, Ledger, LedgerError,
    LogPlace, NewInvitation, ReserveSerial, Result, Site, StoreCertificate, StoredIssuer, Tenant,
    TenantAction, Transaction,
};

pub(crate) use tegata_testkit::Everything;

pub(crate) const DAY: Duration = Duration::from_hours(24);
pub(crate) const YEAR: Duration = Duration::from_hours(24 * 365);
pub(crate) const GRACE: Duration = Duration::from_hours(24 * 7);

/// Midnight of the day `days` after the ledger was created.
pub(crate) fn day(days: u32) -> Timestamp {
    Timestamp::from_seconds(1_767_225_600).plus(DAY * days)
}

pub(crate) fn operator() -> Actor {
    Actor::Operator("test".into())
}

pub(crate) struct LedgerFixture {
    pub(crate) place: EnginePlace,
    pub(crate) ledger: Ledger,
    pub(crate) entropy: Seeded,
    pub(crate) issuer: IssuerId,
    pub(crate) tenant: TenantId,
    pub(crate) site: SiteId,
}

/// An invitation with its secret.
pub(crate) struct InvitedDevice {
    pub(crate) id: InvitationId,
    pub(crate) code: InvitationCode,
}

/// Creates a ledger, checks `promise` on it, and removes it when the promise held.
pub(crate) fn visit(place: EnginePlace, promise: impl AsyncFnOnce(&LedgerFixture)) {
    run(async {
        let fixture = LedgerFixture::open(place).await;
        promise(&fixture).await;
        fixture.ledger.close().await;
        fixture.place.clear().await;
    });
}

impl LedgerFixture {
    pub(crate) async fn open(place: EnginePlace) -> Self {
        place.prepare().await;
        let ledger = Ledger::open(&place.url()).await.expect("a new ledger");
        let entropy = Seeded::new(1);
        let fixture = Self {
            ledger,
            issuer: IssuerId::random(&entropy),
            tenant: TenantId::random(&entropy),
            site: SiteId::random(&entropy),
            entropy,
            place,
        };
        fixture.furnish().await.expect("a furnished ledger");
        fixture
    }

    async fn furnish(&self) -> Result<()> {
        let issuer =
            StoredIssuer::new(self.issuer.clone(), IssuerKind::Issuing, b"an issuing CA".to_vec(), None);
        let tenant = Tenant::new(self.tenant.clone(), "あおば薬局");
        let site = Site { id: self.site.clone(), tenant: self.tenant.clone(), name: "本店".into() };
        self.write(day(0), async |transaction| {
            transaction.add_issuer(&issuer, &operator()).await?;
            transaction.add_tenant(&tenant, &operator()).await?;
            transaction.add_site(&site, &operator()).await
        })
        .await
    }

    /// One transaction, committed unless `body` fails.
    pub(crate) async fn write<T>(
        &self,
        now: Timestamp,
        body: impl AsyncFnOnce(&mut Transaction) -> Result<T>,
    ) -> Result<T> {
        let mut transaction = self.ledger.begin(now).await?;
        let output = body(&mut transaction).await?;
        transaction.commit().await?;
        Ok(output)
    }

    /// A process that has the ledger open with the revocation log in this file.
    pub(crate) async fn open_with_log(&self, log: &Path, now: Timestamp) -> Result<Ledger> {
        let installation = installation();
        let place = LogPlace { file: log, installation: &installation };
        Ledger::open_with(&self.place.url(), &place, now, &self.entropy).await
    }

    /// What the list of the issuer should name.
    pub(crate) async fn ended(&self, since: Timestamp) -> Vec<EndedCertificate> {
        let mut ended = Vec::new();
        self.ledger.ended(&self.issuer, 0, since, &mut |one| ended.push(one)).await.expect("the list");
        ended
    }

    /// What the responder should say: nothing of the unknown.
    pub(crate) async fn said(&self, serial: &Serial) -> Option<Option<EndedCertificate>> {
        let status = self.ledger.status_of(&self.issuer, serial).await.expect("a status");
        status.map(|status| status.ended().cloned())
    }

    pub(crate) async fn invite(&self, label: &str, now: Timestamp) -> InvitedDevice {
        self.invite_as(Role::Device, label, now).await
    }

    pub(crate) async fn invite_as(&self, role: Role, label: &str, now: Timestamp) -> InvitedDevice {
        let code = InvitationCode::random(&self.entropy);
        let new = NewInvitation {
            id: InvitationId::random(&self.entropy),
            code: &code,
            tenant: self.tenant.clone(),
            site: self.site.clone(),
            role,
            label: label.into(),
            expires_at: now.plus(DAY),
        };
        self.write(now, async |transaction| transaction.invite(&new, &operator()).await)
            .await
            .expect("an invitation");
        InvitedDevice { id: new.id, code }
    }

    pub(crate) fn by_invitation(&self, invitation: &InvitationId) -> IssuanceRight {
        IssuanceRight::Invitation {
            invitation: invitation.clone(),
            tenant: self.tenant.clone(),
            site: self.site.clone(),
            role: Role::Device,
            label: "受付PC".into(),
        }
    }

    /// An intention with a new key and a new serial, for a year.
    pub(crate) fn intent(&self, device: &DeviceId, origin: IssuanceRight, now: Timestamp) -> ReserveSerial {
        ReserveSerial {
            issuer: self.issuer.clone(),
            serial: Serial::random(&self.entropy),
            shard: 0,
            device: device.clone(),
            key_hash: bytes(&self.entropy),
            tbs: bytes::<64>(&self.entropy).to_vec(),
            not_before: now,
            not_after: now.plus(YEAR),
            origin,
            at: now,
        }
    }

    /// The signed bytes for an intention.
    pub(crate) fn signed(&self, device: &DeviceId, serial: Serial, now: Timestamp) -> StoreCertificate {
        let der = bytes::<96>(&self.entropy).to_vec();
        StoreCertificate {
            issuer: self.issuer.clone(),
            serial,
            device: device.clone(),
            actor: Actor::Device(device.clone()),
            thumbprint: Thumbprint::of(&der),
            der,
            at: now,
        }
    }

    /// The whole way of an intention, up to the issued certificate.
    pub(crate) async fn issue(&self, intent: ReserveSerial) -> Result<Thumbprint> {
        let complete = self.signed(&intent.device, intent.serial, intent.at);
        let thumbprint = complete.thumbprint;
        self.ledger.group(intent).await?;
        self.ledger.group(complete).await?;
        Ok(thumbprint)
    }

    /// A new device with its first certificate, issued and not yet used.
    pub(crate) async fn enroll(&self, now: Timestamp) -> (DeviceId, Thumbprint) {
        let invited = self.invite("受付PC", now).await;
        let device = DeviceId::random(&self.entropy);
        let intent = self.intent(&device, self.by_invitation(&invited.id), now);
        let thumbprint = self.issue(intent).await.expect("a first certificate");
        (device, thumbprint)
    }

    pub(crate) async fn renew(
        &self,
        device: &DeviceId,
        from: Thumbprint,
        now: Timestamp,
    ) -> Result<Thumbprint> {
        self.issue(self.intent(device, IssuanceRight::Renewal(from), now)).await
    }

    /// The device presents the certificate; its elders have the usual grace.
    pub(crate) async fn present(&self, thumbprint: &Thumbprint, now: Timestamp) -> bool {
        self.write(now, async |transaction| transaction.mark_used(thumbprint, now.plus(GRACE)).await)
            .await
            .expect("a noted use")
    }

    pub(crate) async fn retire_due(&self, now: Timestamp) -> usize {
        self.write(now, Transaction::retire_due).await.expect("a pass")
    }

    pub(crate) async fn act(&self, device: &DeviceId, action: DeviceAction, now: Timestamp) -> Result<u64> {
        self.write(now, async |transaction| transaction.act_on_device(device, action, "", &operator()).await)
            .await
    }

    pub(crate) async fn act_on_tenant(&self, action: TenantAction, now: Timestamp) -> Result<u64> {
        let tenant = &self.tenant;
        self.write(now, async |transaction| transaction.act_on_tenant(tenant, action, "", &operator()).await)
            .await
    }

    pub(crate) async fn sign_out(&self, of: &TokenHolder, now: Timestamp) -> Result<u64> {
        self.write(now, async |transaction| transaction.deny_tokens(of, None, "", &operator()).await).await
    }

    pub(crate) async fn certificates(&self, device: &DeviceId) -> Vec<Certificate> {
        self.ledger.everything().certificates_of(device).await.expect("the certificates")
    }

    /// The states of a device's certificates, oldest generation first.
    pub(crate) async fn states(&self, device: &DeviceId) -> Vec<CertificateState> {
        self.certificates(device).await.iter().map(|certificate| certificate.state).collect()
    }

    /// Everything the feed has ever said, applied in order: fails at a gap.
    pub(crate) async fn folded(&self) -> Denials {
        let mut denials = Denials::default();
        loop {
            let events = self.ledger.feed_after(denials.seq()).await.expect("events");
            if events.is_empty() {
                return denials;
            }
            for event in &events {
                denials.apply(event).expect("no gap");
            }
        }
    }

    /// Entries of the audit log; the chain must hold.
    pub(crate) async fn audited(&self) -> u64 {
        self.ledger.verify_audit().await.expect("the log").expect("an unbroken chain")
    }

    /// The actions in the audit log after an entry.
    pub(crate) async fn actions_after(&self, seq: u64) -> Vec<String> {
        let entries = self.ledger.audit_entries(seq, 10_000).await.expect("the log");
        entries.iter().map(|entry| action(&entry.entry)).collect()
    }
}

pub(crate) fn action(entry: &str) -> String {
    let entry: serde_json::Value = serde_json::from_str(entry).expect("an entry is JSON");
    entry["action"].as_str().expect("an entry has an action").to_owned()
}

/// Whose revocation logs they are.
pub(crate) fn installation() -> Installation {
    Installation::parse("tegata.example.jp").expect("a name")
}

/// The refusal behind an error.
pub(crate) fn refusal<T>(result: Result<T>) -> Refusal {
    match result {
        Err(LedgerError::Refused(refusal)) => refusal,
        Err(other) => panic!("a refusal was due, not: {other}"),
        Ok(_) => panic!("a refusal was due"),
    }
}

/// Whether a guard held somebody up.
pub(crate) fn guarded<T>(result: &Result<T>) -> bool {
    matches!(result, Err(LedgerError::Guard(_)))
}
