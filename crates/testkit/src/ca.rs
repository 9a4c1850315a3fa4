//! An installation with a CA and a ledger of its own, on either engine, that issues real certificates.

use crate::{Everything, OPERATOR, TestPlace};
use std::sync::Arc;
use std::time::Duration;
use tegata_ca::create_ca::{self, CaName, RootAddresses, Validity};
use tegata_ca::{
    CaKey, CertificateProfile, IssuanceRequest, IssueError, IssuedCertificate, Issuer, IssuerEndpoints,
    IssuingCa, LocalKey, ParsedRequest, PublicKey, RoleProfiles,
};
use tegata_core::entropy::Seeded;
use tegata_core::id::InvitationCode;
use tegata_core::{
    DeviceId, Entropy, Installation, InvitationId, IssuerId, Role, SiteId, TenantId, Timestamp,
};
use tegata_storage::{
    EndedCertificate, Invitation, IssuanceRight, IssuerKind, Ledger, NewInvitation, Site, StoredIssuer,
    Tenant,
};

/// 2026-07-01T00:00:00.250Z
pub const NOW: Timestamp = Timestamp::from_millis(1_782_864_000_250);
pub const DAY: Duration = Duration::from_hours(24);

/// The opened installation.
pub struct CaFixture {
    pub ledger: Ledger,
    pub authority: Arc<IssuingCa>,
    pub entropy: Arc<Seeded>,
    pub place: TestPlace,
}

impl CaFixture {
    /// A new installation.
    pub async fn found(place: TestPlace) -> Self {
        Self::found_with(place, 1).await
    }

    /// A new installation whose issuing CA has so many CRLs.
    pub async fn found_with(place: TestPlace, shards: u16) -> Self {
        let entropy = Arc::new(Seeded::new(1));
        let ledger = Ledger::open(place.url()).await.unwrap();
        let mut issuers = make_authorities(&place, &*entropy);
        issuers[1].shards = shards;
        let tenant = Tenant::new(TenantId::random(&*entropy), "あおば薬局グループ");
        let site = Site { id: SiteId::random(&*entropy), tenant: tenant.id.clone(), name: "本店".into() };
        let mut transaction = ledger.begin(NOW).await.unwrap();
        for issuer in &issuers {
            transaction.add_issuer(issuer, &OPERATOR).await.unwrap();
        }
        transaction.add_tenant(&tenant, &OPERATOR).await.unwrap();
        transaction.add_site(&site, &OPERATOR).await.unwrap();
        transaction.commit().await.unwrap();
        Self::furnish(place, ledger, entropy, |key| key).await
    }

    /// Opens the installation once more, for another process or a later time.
    pub async fn reopen(place: TestPlace, seed: u64) -> Self {
        Self::reopen_with(place, seed, |key| key).await
    }

    /// Opens the installation once more, with a wrapper around the issuing key.
    pub async fn reopen_with(
        place: TestPlace,
        seed: u64,
        wrap: impl FnOnce(Arc<dyn CaKey>) -> Arc<dyn CaKey>,
    ) -> Self {
        let ledger = Ledger::open(place.url()).await.unwrap();
        Self::furnish(place, ledger, Arc::new(Seeded::new(seed)), wrap).await
    }

    async fn furnish(
        place: TestPlace,
        ledger: Ledger,
        entropy: Arc<Seeded>,
        wrap: impl FnOnce(Arc<dyn CaKey>) -> Arc<dyn CaKey>,
    ) -> Self {
        let authority = Arc::new(open_authority(&place, &ledger, "http://pki.example.jp", wrap).await);
        Self { ledger, authority, entropy, place }
    }

    /// The issuing CA under another public address.
    pub async fn at(&self, base: &str) -> IssuingCa {
        open_authority(&self.place, &self.ledger, base, |key| key).await
    }

    /// Another issuing CA, recorded and active. Its certificate is its own: who stands above it is no matter here.
    pub async fn another_authority(&self, shards: u16, now: Timestamp) -> IssuingCa {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = rcgen::CertificateParams::default();
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Constrained(0));
        params.key_usages = vec![rcgen::KeyUsagePurpose::KeyCertSign, rcgen::KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key).unwrap().der().to_vec();
        let id = IssuerId::random(&*self.entropy);
        let issuer =
            Issuer::load(id.clone(), certificate.clone(), load_key(&key.serialize_der()), now).unwrap();
        let stored =
            StoredIssuer { shards, ..StoredIssuer::new(id.clone(), IssuerKind::Issuing, certificate, None) };
        let mut transaction = self.ledger.begin(now).await.unwrap();
        transaction.add_issuer(&stored, &OPERATOR).await.unwrap();
        transaction.commit().await.unwrap();
        let endpoints = IssuerEndpoints::new(&"http://pki.example.jp".parse().unwrap(), &id, shards).unwrap();
        let profiles = profiles_taking("\"p256\", \"rsa\"");
        IssuingCa::new(issuer, endpoints, profiles, installation(), self.ledger.clone())
    }

    /// The issuing CA, where devices may have RSA keys.
    pub async fn taking_rsa(&self) -> IssuingCa {
        let opened = open_issuer(&self.place, &self.ledger, "http://pki.example.jp", |key| key).await;
        let (issuer, endpoints) = opened;
        IssuingCa::new(
            issuer,
            endpoints,
            profiles_taking("\"p256\", \"rsa\""),
            installation(),
            self.ledger.clone(),
        )
    }

    /// Another tenant with one site.
    pub async fn add_tenant(&self, name: &str, now: Timestamp) -> TenantId {
        let tenant = Tenant::new(TenantId::random(&*self.entropy), name);
        let site =
            Site { id: SiteId::random(&*self.entropy), tenant: tenant.id.clone(), name: "駅前店".into() };
        let mut transaction = self.ledger.begin(now).await.unwrap();
        transaction.add_tenant(&tenant, &OPERATOR).await.unwrap();
        transaction.add_site(&site, &OPERATOR).await.unwrap();
        transaction.commit().await.unwrap();
        tenant.id
    }

    /// A new invitation for the first site, good for a day.
    pub async fn invite(&self, role: Role, now: Timestamp) -> (InvitationCode, Invitation) {
        let tenant = self.ledger.everything().tenants().await.unwrap().remove(0).id;
        self.invite_to(&tenant, role, now).await
    }

    /// Invites a device to the first site of another tenant.
    pub async fn invite_to(
        &self,
        tenant: &TenantId,
        role: Role,
        now: Timestamp,
    ) -> (InvitationCode, Invitation) {
        let code = InvitationCode::random(&*self.entropy);
        let site = self.ledger.everything().sites(tenant).await.unwrap().remove(0);
        let new = NewInvitation {
            id: InvitationId::random(&*self.entropy),
            code: &code,
            tenant: tenant.clone(),
            site: site.id,
            role,
            label: "受付PC".into(),
            expires_at: now.plus(DAY),
        };
        let mut transaction = self.ledger.begin(now).await.unwrap();
        transaction.invite(&new, &OPERATOR).await.unwrap();
        transaction.commit().await.unwrap();
        let invitation = self.invitation(&code).await;
        (code, invitation)
    }

    pub async fn invitation(&self, code: &InvitationCode) -> Invitation {
        self.ledger.find_invitation(code).await.unwrap().unwrap()
    }

    /// Issues to a device as the enrollment service does.
    pub async fn issue(
        &self,
        device: &DeviceId,
        origin: IssuanceRight,
        request: &ParsedRequest,
        now: Timestamp,
    ) -> Result<IssuedCertificate, IssueError> {
        self.authority.issue(order(device, origin, request), now, &*self.entropy, &|_| ()).await
    }

    /// What the CRL should name.
    pub async fn ended(&self, now: Timestamp) -> Vec<EndedCertificate> {
        let mut ended = Vec::new();
        let issuer = self.authority.issuer().id();
        for shard in 0..self.authority.endpoints().shards() {
            self.ledger.ended(issuer, shard, now, &mut |one| ended.push(one)).await.unwrap();
        }
        ended
    }

    /// A new device with its first certificate.
    pub async fn enroll(&self, now: Timestamp) -> IssuedCertificate {
        let (_, invitation) = self.invite(Role::Device, now).await;
        let device = DeviceId::random(&*self.entropy);
        self.issue(&device, first_time(&invitation), &request(), now).await.unwrap()
    }

    /// The next generation of a device.
    pub async fn renew(
        &self,
        old: &IssuedCertificate,
        now: Timestamp,
    ) -> Result<IssuedCertificate, IssueError> {
        let origin = IssuanceRight::Renewal(old.certificate.thumbprint);
        self.issue(&old.device, origin, &request(), now).await
    }

    /// The device has presented it; `retire_at` ends the grace of older ones.
    pub async fn present(&self, certificate: &IssuedCertificate, retire_at: Timestamp, now: Timestamp) {
        let mut transaction = self.ledger.begin(now).await.unwrap();
        transaction.mark_used(&certificate.certificate.thumbprint, retire_at).await.unwrap();
        transaction.commit().await.unwrap();
    }
}

pub fn order<'a>(
    device: &DeviceId,
    origin: IssuanceRight,
    request: &'a ParsedRequest,
) -> IssuanceRequest<'a> {
    IssuanceRequest {
        device: device.clone(),
        role: Role::Device,
        site: "本店",
        label: "受付PC",
        request,
        origin,
    }
}

pub fn first_time(invitation: &Invitation) -> IssuanceRight {
    IssuanceRight::Invitation {
        invitation: invitation.id.clone(),
        tenant: invitation.tenant.clone(),
        site: invitation.site.clone(),
        role: invitation.role,
        label: invitation.label.clone(),
    }
}

pub fn installation() -> Installation {
    Installation::parse("tegata.example.jp").unwrap()
}

/// A request for a fresh P-256 key.
pub fn request() -> ParsedRequest {
    ParsedRequest::parse(&csr(&rcgen::PKCS_ECDSA_P256_SHA256)).unwrap()
}

/// A PKCS#10 request for a fresh key, DER.
pub fn csr(algorithm: &'static rcgen::SignatureAlgorithm) -> Vec<u8> {
    let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
    rcgen::CertificateParams::default().serialize_request(&key).unwrap().der().to_vec()
}

fn profiles() -> RoleProfiles {
    profiles_taking("\"p256\"")
}

/// Devices may have keys of these kinds.
fn profiles_taking(keys: &str) -> RoleProfiles {
    let profile = |text: &str| CertificateProfile::parse("test.toml", text).unwrap();
    let device = include_str!("../../../ca-config/device.toml");
    RoleProfiles {
        device: profile(&device.replacen("keys = [\"p256\"]", &format!("keys = [{keys}]"), 1)),
        gate: profile(include_str!("../../../ca-config/gate.toml")),
    }
}

fn make_authorities(place: &TestPlace, entropy: &dyn Entropy) -> [StoredIssuer; 2] {
    let name = |common_name| CaName { organization: "テスト薬局", common_name };
    let terms = |days| Validity { days, now: NOW, entropy };
    let root_key = load_key(&LocalKey::generate().unwrap());
    let root = create_ca::create_root(name("Tegata Root"), &root_key, terms(7300)).unwrap();
    let root_id = IssuerId::random(entropy);
    let root_issuer = Issuer::load(root_id.clone(), root.clone(), root_key, NOW).unwrap();
    let pkcs8 = LocalKey::generate().unwrap();
    std::fs::write(place.file("issuing.key"), &*pkcs8).unwrap();
    let name = name("Tegata Issuing");
    let issuing_key = PublicKey::of(load_key(&pkcs8).as_ref());
    let addresses = RootAddresses {
        crl: "http://pki.example.jp/crl/root.crl",
        certificate: "http://pki.example.jp/ca/root.cer",
    };
    let issuing =
        create_ca::create_issuing(name, &issuing_key, &root_issuer, addresses, terms(3650)).unwrap();
    [
        StoredIssuer::new(root_id.clone(), IssuerKind::Root, root, None),
        StoredIssuer::new(IssuerId::random(entropy), IssuerKind::Issuing, issuing, Some(root_id)),
    ]
}

async fn open_authority(
    place: &TestPlace,
    ledger: &Ledger,
    base: &str,
    wrap: impl FnOnce(Arc<dyn CaKey>) -> Arc<dyn CaKey>,
) -> IssuingCa {
    let (issuer, endpoints) = open_issuer(place, ledger, base, wrap).await;
    IssuingCa::new(issuer, endpoints, profiles(), installation(), ledger.clone())
}

async fn open_issuer(
    place: &TestPlace,
    ledger: &Ledger,
    base: &str,
    wrap: impl FnOnce(Arc<dyn CaKey>) -> Arc<dyn CaKey>,
) -> (Issuer, IssuerEndpoints) {
    let issuers = ledger.issuers().await.unwrap();
    let issuing = issuers.into_iter().find(|issuer| issuer.kind == IssuerKind::Issuing).unwrap();
    let key = wrap(load_key(&std::fs::read(place.file("issuing.key")).unwrap()));
    let issuer = Issuer::load(issuing.id.clone(), issuing.certificate, key, NOW).unwrap();
    let endpoints = IssuerEndpoints::new(&base.parse().unwrap(), &issuing.id, issuing.shards).unwrap();
    (issuer, endpoints)
}

fn load_key(pkcs8: &[u8]) -> Arc<dyn CaKey> {
    Arc::new(LocalKey::from_pkcs8(pkcs8).unwrap())
}
