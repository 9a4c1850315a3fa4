//! Connections end when the certificate they were made with is denied.

use super::fixture::{At, MadeCertificate, NOW, WebFixture, connect, get_request, leaf_params, signed};
use crate::tls::TlsVersions;
use crate::{CertificateReselection, Limits};
use http::Request;
use http_body_util::BodyExt;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tegata_core::entropy::{Seeded, bytes};
use tegata_core::id::InvitationCode;
use tegata_core::{
    DeviceId, InvitationId, IssuerId, RevocationReason, Role, Serial, SiteId, TenantId, Thumbprint,
};
use tegata_storage::{
    Actor, DeviceAction, IssuanceRight, IssuerKind, Ledger, Lineage, NewInvitation, ReserveSerial, Result,
    Site, StatusCache, StoreCertificate, StoredIssuer, Tenant, TenantAction, Transaction,
};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(10);
const LONG: Duration = Duration::from_hours(1);
const OPERATOR: Actor = Actor::System("test");

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Speaking {
    Http1,
    Http2,
}

#[tokio::test]
async fn a_stopped_certificate_loses_its_idle_connections_and_nobody_else() {
    for speaking in [Speaking::Http1, Speaking::Http2] {
        for stop in [RegistryStop::Device, RegistryStop::Certificate, RegistryStop::Tenant] {
            let mut shop = RegistryShop::open().await;
            let [device, other] = [shop.visit(speaking).await, shop.visit(speaking).await];
            let elsewhere = shop.visit_from_another_tenant(speaking).await;
            let stranger = shop.visit_without_certificate(speaking).await;
            shop.stop(stop, &device.device).await;
            assert!(device.ends().await, "{speaking:?} {stop:?}");
            let as_it_should =
                if stop == RegistryStop::Tenant { other.ends().await } else { other.stays().await };
            assert!(as_it_should, "{speaking:?} {stop:?}");
            assert!(elsewhere.stays().await && stranger.stays().await, "{speaking:?} {stop:?}");
        }
    }
}

#[tokio::test]
async fn a_closed_connection_is_no_longer_registered() {
    let mut shop = RegistryShop::open().await;
    let visit = shop.visit(Speaking::Http1).await;
    assert_eq!(shop.fixture.registry.count(), 1);
    visit.connection.abort();
    drop(visit.sender);
    let none_left = async {
        while shop.fixture.registry.count() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, none_left).await.expect("nobody is left");
}

#[tokio::test]
async fn a_browser_that_chooses_again_loses_connections_of_the_old_certificate() {
    for speaking in [Speaking::Http1, Speaking::Http2] {
        let mut shop = RegistryShop::open().await;
        let older = signed(leaf_params("Device"), &shop.fixture.ours.issuing);
        let device = shop.enroll(&older, &shop.sites[0]).await.unwrap();
        let asking = shop.connected(device.clone(), Some(&older), speaking).await;
        let waiting = shop.connected(device, Some(&older), speaking).await;
        let other = shop.visit(speaking).await;
        let choice = CertificateReselection::new(
            Arc::default(),
            shop.fixture.registry.clone(),
            Thumbprint::of(&older.der),
        );
        choice.release(Thumbprint::of(b"newer"), NOW);
        assert!(asking.ends().await && waiting.ends().await, "{speaking:?}");
        assert!(other.stays().await, "{speaking:?}");
    }
}

#[tokio::test]
async fn a_token_that_is_taken_back_ends_no_connection() {
    let mut shop = RegistryShop::open().await;
    let visit = shop.visit(Speaking::Http2).await;
    let device = visit.device.clone();
    shop.write(async |writing| {
        writing.deny_token("jti", NOW.plus(LONG), Some(&device), &OPERATOR).await.map(drop)
    })
    .await;
    assert!(visit.stays().await);
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum RegistryStop {
    Device,
    Certificate,
    Tenant,
}

/// The listeners, and a ledger that knows the certificates shown there.
struct RegistryShop {
    fixture: WebFixture,
    ledger: Ledger,
    status: Arc<StatusCache>,
    entropy: Seeded,
    issuer: IssuerId,
    sites: [Site; 2],
    following: JoinHandle<()>,
    _folder: TempDir,
}

/// A connection that has been answered once and waits.
struct Visit {
    device: DeviceId,
    sender: RegistrySender,
    connection: JoinHandle<()>,
}

enum RegistrySender {
    Http1(hyper::client::conn::http1::SendRequest<String>),
    Http2(hyper::client::conn::http2::SendRequest<String>),
}

impl Drop for RegistryShop {
    fn drop(&mut self) {
        self.following.abort();
    }
}

impl RegistryShop {
    /// With limits that end no connection while a test runs.
    async fn open() -> Self {
        let limits = Limits { header: LONG, idle: LONG, drain: PATIENCE, ..Limits::default() };
        let fixture = WebFixture::with(limits, TlsVersions::Tls13).await;
        let folder = tempfile::tempdir().unwrap();
        let ledger =
            Ledger::open(&format!("sqlite:{}", folder.path().join("ledger").display())).await.unwrap();
        let entropy = Seeded::new(1);
        let issuer = StoredIssuer::new(IssuerId::random(&entropy), IssuerKind::Issuing, vec![1], None);
        let sites = ["あおば薬局", "みどり薬局"].map(|name| Site {
            id: SiteId::random(&entropy),
            tenant: TenantId::random(&entropy),
            name: name.into(),
        });
        let mut transaction = ledger.begin(NOW).await.unwrap();
        transaction.add_issuer(&issuer, &OPERATOR).await.unwrap();
        for site in &sites {
            let tenant = Tenant::new(site.tenant.clone(), site.name.clone());
            transaction.add_tenant(&tenant, &OPERATOR).await.unwrap();
            transaction.add_site(site, &OPERATOR).await.unwrap();
        }
        transaction.commit().await.unwrap();
        let status = StatusCache::load(ledger.clone(), NOW).await.unwrap();
        let following = tokio::spawn(fixture.registry.clone().follow(status.clone(), Arc::new(At(NOW))));
        // The follower has to be listening before anything happens.
        tokio::task::yield_now().await;
        Self { fixture, ledger, status, entropy, issuer: issuer.id, sites, following, _folder: folder }
    }

    async fn visit(&mut self, speaking: Speaking) -> Visit {
        self.visit_from(0, speaking).await
    }

    async fn visit_from_another_tenant(&mut self, speaking: Speaking) -> Visit {
        self.visit_from(1, speaking).await
    }

    async fn visit_from(&mut self, site: usize, speaking: Speaking) -> Visit {
        let made = signed(leaf_params("Device"), &self.fixture.ours.issuing);
        let device = self.enroll(&made, &self.sites[site]).await.unwrap();
        self.connected(device, Some(&made), speaking).await
    }

    async fn visit_without_certificate(&mut self, speaking: Speaking) -> Visit {
        self.connected(DeviceId::random(&self.entropy), None, speaking).await
    }

    async fn connected(&self, device: DeviceId, made: Option<&MadeCertificate>, speaking: Speaking) -> Visit {
        let protocol = if speaking == Speaking::Http1 { "http/1.1" } else { "h2" };
        let client = self.fixture.client(made, &[protocol]);
        let stream = TokioIo::new(connect(self.fixture.device, "localhost", &client).await);
        let (sender, connection) = match speaking {
            Speaking::Http1 => {
                let (sender, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
                (RegistrySender::Http1(sender), tokio::spawn(async { drop(connection.await) }))
            }
            Speaking::Http2 => {
                let shaken = hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await;
                let (sender, connection) = shaken.unwrap();
                (RegistrySender::Http2(sender), tokio::spawn(async { drop(connection.await) }))
            }
        };
        let mut visit = Visit { device, sender, connection };
        assert!(visit.is_answered().await);
        visit
    }

    async fn enroll(&self, made: &MadeCertificate, site: &Site) -> Result<DeviceId> {
        let (id, code) = (InvitationId::random(&self.entropy), InvitationCode::random(&self.entropy));
        let device = DeviceId::random(&self.entropy);
        let new = NewInvitation {
            id: id.clone(),
            code: &code,
            tenant: site.tenant.clone(),
            site: site.id.clone(),
            role: Role::Device,
            label: "受付PC".into(),
            expires_at: NOW.plus(LONG),
        };
        self.write(async |writing| writing.invite(&new, &OPERATOR).await.map(drop)).await;
        let origin = IssuanceRight::Invitation {
            invitation: id,
            tenant: site.tenant.clone(),
            site: site.id.clone(),
            role: Role::Device,
            label: "受付PC".into(),
        };
        let intent = ReserveSerial {
            issuer: self.issuer.clone(),
            serial: Serial::random(&self.entropy),
            shard: 0,
            device: device.clone(),
            key_hash: bytes(&self.entropy),
            tbs: vec![1],
            not_before: NOW.minus(LONG),
            not_after: NOW.plus(LONG),
            origin,
            at: NOW,
        };
        let complete = StoreCertificate {
            issuer: self.issuer.clone(),
            serial: intent.serial,
            device: device.clone(),
            actor: OPERATOR,
            der: made.der.to_vec(),
            thumbprint: Thumbprint::of(&made.der),
            at: NOW,
        };
        self.ledger.group(intent).await?;
        self.ledger.group(complete).await?;
        Ok(device)
    }

    async fn stop(&self, stop: RegistryStop, device: &DeviceId) {
        let certificates = self
            .ledger
            .within(tegata_storage::Principal::system("test").scope())
            .certificates_of(device)
            .await
            .unwrap();
        let thumbprint = certificates[0].thumbprint().unwrap();
        let reason = RevocationReason::KeyCompromise;
        self.write(async |writing| match stop {
            RegistryStop::Device => {
                writing.act_on_device(device, DeviceAction::Suspend, "", &OPERATOR).await.map(drop)
            }
            RegistryStop::Certificate => {
                writing.revoke_certificate(&thumbprint, reason, Lineage::This, "", &OPERATOR).await.map(drop)
            }
            RegistryStop::Tenant => {
                let tenant = &self.sites[0].tenant;
                writing.act_on_tenant(tenant, TenantAction::Suspend, "", &OPERATOR).await.map(drop)
            }
        })
        .await;
    }

    /// Writes, and lets the cache hear of it.
    async fn write(&self, body: impl AsyncFnOnce(&mut Transaction) -> Result<()>) {
        let mut transaction = self.ledger.begin(NOW).await.unwrap();
        body(&mut transaction).await.unwrap();
        transaction.commit().await.unwrap();
        self.status.catch_up(NOW).await.unwrap();
    }
}

impl Visit {
    /// Without another request.
    async fn ends(self) -> bool {
        timeout(PATIENCE, self.connection).await.is_ok()
    }

    async fn stays(mut self) -> bool {
        !self.connection.is_finished() && self.is_answered().await
    }

    async fn is_answered(&mut self) -> bool {
        match &mut self.sender {
            RegistrySender::Http1(sender) => {
                answered(sender.send_request(get_request("localhost", "/seen"))).await
            }
            RegistrySender::Http2(sender) => {
                let request = Request::get("https://localhost/seen").body(String::new()).unwrap();
                answered(sender.send_request(request)).await
            }
        }
    }
}

async fn answered(
    response: impl Future<Output = hyper::Result<http::Response<hyper::body::Incoming>>>,
) -> bool {
    let Ok(Ok(response)) = timeout(PATIENCE, response).await else { return false };
    let good = response.status() == 200;
    good && response.into_body().collect().await.is_ok()
}
