//! An installation with a ledger on disk, and devices and gates with certificates that the ledger knows.
//!
//! The certificates are no X.509: their DER is the serial number. Tests of what a certificate contains make their own, with
//! [`crate::ca`].

use crate::clock::{HandClock, HooklessClock};
use std::sync::Arc;
use std::time::Duration;
use tegata_core::entropy::{Seeded, bytes};
use tegata_core::feed::TokenHolder;
use tegata_core::id::InvitationCode;
use tegata_core::renewal::RenewalPolicy;
use tegata_core::{
    DeviceId, Installation, InvitationId, IssuerId, Role, Serial, ServerId, SiteId, TenantId, Thumbprint,
    Timestamp,
};
use tegata_storage::{
    DeviceAction, IssuanceRight, IssuerKind, Ledger, NewInvitation, Outdated, ReserveSerial, Site,
    StatusCache, StoreCertificate, StoredIssuer, Tenant, TenantAction,
};
use tegata_web::{
    InstallationAddresses, PeerCertificate, ProbeHosts, ServerContext, SharedPlaces, TenantShares,
    TrustVerdict,
};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use crate::{DEVICE, OPERATOR, PORTAL};

pub const START: Timestamp = Timestamp::from_seconds(1_800_000_000);
pub const YEAR: Duration = Duration::from_hours(24 * 365);

/// The ledger is SQLite in a folder of its own; the status cache follows it until this is dropped.
pub struct TestInstallation {
    pub context: ServerContext,
    pub clock: Arc<HandClock>,
    follower: JoinHandle<Outdated>,
    issuer: IssuerId,
    pub tenant: TenantId,
    pub site: SiteId,
    _folder: TempDir,
}

/// Somebody with a certificate.
#[derive(Clone)]
pub struct CertificateHolderFixture {
    pub id: DeviceId,
    pub certificate: PeerCertificate,
}

impl TestInstallation {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ledger =
            Ledger::open(&format!("sqlite:{}", folder.path().join("ledger").display())).await.unwrap();
        let entropy = Arc::new(Seeded::new(1));
        let clock = Arc::new(HandClock::default());
        clock.set(START);
        let (issuer, tenant, site) = furnish(&ledger, &entropy).await;
        let status = StatusCache::load(ledger.clone(), START).await.unwrap();
        let follower = tokio::spawn(status.clone().follow(Arc::new(HooklessClock(clock.clone()))));
        let context = ServerContext {
            clock: clock.clone(),
            entropy,
            ledger,
            status,
            server: ServerId::random(&Seeded::new(2)),
            installation: Installation::parse("test.example").unwrap(),
            addresses: Arc::new(InstallationAddresses {
                portal: PORTAL.into(),
                device: DEVICE.into(),
                public: "http://public.example".into(),
                probes: ProbeHosts::new("probe.example", 443),
            }),
            renewal: RenewalPolicy::default(),
            shares: TenantShares::new(SharedPlaces::default()),
        };
        Self { context, clock, follower, issuer, tenant, site, _folder: folder }
    }

    /// Another tenant with a site, whose devices are enrolled from now on.
    pub async fn add_tenant(&mut self, name: &str) {
        let entropy = &*self.context.entropy;
        let tenant = Tenant::new(TenantId::random(entropy), name);
        let site = Site { id: SiteId::random(entropy), tenant: tenant.id.clone(), name: "本店".into() };
        let mut transaction = self.context.ledger.begin(self.context.now()).await.unwrap();
        transaction.add_tenant(&tenant, &OPERATOR).await.unwrap();
        transaction.add_site(&site, &OPERATOR).await.unwrap();
        transaction.commit().await.unwrap();
        (self.tenant, self.site) = (tenant.id, site.id);
    }

    /// Lets time pass, and the cache notice.
    pub async fn advance(&self, by: Duration) {
        let now = self.context.now().plus(by);
        self.clock.set(now);
        until(|| self.context.status.freshness().at == now).await;
    }

    /// The cache no longer hears the ledger.
    pub async fn deafen(&self) {
        self.follower.abort();
        until(|| self.follower.is_finished()).await;
    }

    pub async fn enroll(&self, role: Role) -> CertificateHolderFixture {
        self.enroll_for(role, START.minus(Duration::from_mins(1)), START.plus(YEAR)).await
    }

    pub async fn enroll_for(
        &self,
        role: Role,
        not_before: Timestamp,
        not_after: Timestamp,
    ) -> CertificateHolderFixture {
        let entropy = &*self.context.entropy;
        let (invitation, device) = (InvitationId::random(entropy), DeviceId::random(entropy));
        let new = NewInvitation {
            id: invitation.clone(),
            code: &InvitationCode::random(entropy),
            tenant: self.tenant.clone(),
            site: self.site.clone(),
            role,
            label: "受付PC".into(),
            expires_at: START.plus(YEAR),
        };
        let mut transaction = self.context.ledger.begin(START).await.unwrap();
        transaction.invite(&new, &OPERATOR).await.unwrap();
        transaction.commit().await.unwrap();
        let (tenant, site) = (self.tenant.clone(), self.site.clone());
        let origin = IssuanceRight::Invitation { invitation, tenant, site, role, label: new.label };
        self.issue(device, origin, not_before, not_after).await
    }

    /// The next generation.
    pub async fn renew(&self, holder: &CertificateHolderFixture) -> CertificateHolderFixture {
        let origin = IssuanceRight::Renewal(holder.certificate.thumbprint);
        self.issue(holder.id.clone(), origin, START.minus(Duration::from_mins(1)), START.plus(YEAR)).await
    }

    async fn issue(
        &self,
        device: DeviceId,
        origin: IssuanceRight,
        not_before: Timestamp,
        not_after: Timestamp,
    ) -> CertificateHolderFixture {
        let entropy = &*self.context.entropy;
        let serial = Serial::random(entropy);
        let der = serial.as_bytes().to_vec();
        let thumbprint = Thumbprint::of(&der);
        let intent = ReserveSerial {
            issuer: self.issuer.clone(),
            serial,
            shard: 0,
            device: device.clone(),
            key_hash: bytes(entropy),
            tbs: der.clone(),
            not_before,
            not_after,
            origin,
            at: START,
        };
        let complete = StoreCertificate {
            issuer: self.issuer.clone(),
            serial,
            device: device.clone(),
            actor: OPERATOR,
            der: der.clone(),
            thumbprint,
            at: START,
        };
        self.context.ledger.group(intent).await.unwrap();
        self.context.ledger.group(complete).await.unwrap();
        CertificateHolderFixture {
            id: device,
            certificate: PeerCertificate { der: der.into(), thumbprint, path: TrustVerdict::Trusted },
        }
    }

    /// Until the cache knows.
    pub async fn act(&self, holder: &CertificateHolderFixture, action: DeviceAction) {
        let seq = act(&self.context, &holder.id, action).await;
        until(|| self.context.status.freshness().seq >= seq).await;
    }

    /// Stops or resumes the tenant of all holders, until the cache knows.
    pub async fn act_on_tenant(&self, action: TenantAction) {
        let mut transaction = self.context.ledger.begin(self.context.now()).await.unwrap();
        let seq = transaction.act_on_tenant(&self.tenant, action, "", &OPERATOR).await.unwrap();
        transaction.commit().await.unwrap();
        until(|| self.context.status.freshness().seq >= seq).await;
    }

    /// Denies what was issued so far, until the cache knows.
    pub async fn sign_out(&self, of: &TokenHolder) {
        let now = self.context.now();
        let mut transaction = self.context.ledger.begin(now).await.unwrap();
        let seq = transaction.deny_tokens(of, None, "", &OPERATOR).await.unwrap();
        transaction.commit().await.unwrap();
        until(|| self.context.status.freshness().seq >= seq).await;
    }

    /// Takes back `count` tokens that nobody has, to fill the feed.
    pub async fn fill_feed(&self, count: u64, holder: &CertificateHolderFixture) {
        let mut transaction = self.context.ledger.begin(self.context.now()).await.unwrap();
        for _ in 0..count {
            let jti = format!("filler-{}", transaction.feed_seq());
            transaction.deny_token(&jti, START.plus(YEAR), &holder.id, &OPERATOR).await.unwrap();
        }
        let seq = transaction.feed_seq();
        transaction.commit().await.unwrap();
        until(|| self.context.status.freshness().seq >= seq).await;
    }
}

impl Drop for TestInstallation {
    fn drop(&mut self) {
        self.follower.abort();
    }
}

pub async fn act(context: &ServerContext, device: &DeviceId, action: DeviceAction) -> u64 {
    let mut transaction = context.ledger.begin(context.now()).await.unwrap();
    let seq = transaction.act_on_device(device, action, "", &OPERATOR).await.unwrap();
    transaction.commit().await.unwrap();
    seq
}

pub async fn until(mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(Duration::from_secs(10), waiting).await.expect("it never came to be");
}

async fn furnish(ledger: &Ledger, entropy: &Seeded) -> (IssuerId, TenantId, SiteId) {
    let issuer = StoredIssuer::new(IssuerId::random(entropy), IssuerKind::Issuing, vec![1], None);
    let tenant = Tenant::new(TenantId::random(entropy), "あおば薬局グループ");
    let site = Site { id: SiteId::random(entropy), tenant: tenant.id.clone(), name: "本店".into() };
    let mut transaction = ledger.begin(START).await.unwrap();
    transaction.add_issuer(&issuer, &OPERATOR).await.unwrap();
    transaction.add_tenant(&tenant, &OPERATOR).await.unwrap();
    transaction.add_site(&site, &OPERATOR).await.unwrap();
    transaction.commit().await.unwrap();
    (issuer.id, tenant.id, site.id)
}
