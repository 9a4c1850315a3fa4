//! What SCEP answers for a certificate that no longer holds, or that is another tenant's, on a clock that is moved.

#![allow(clippy::unwrap_used)]

#[allow(dead_code)]
mod fixture;

use axum::Router;
use axum::body::Body;
use fixture::EnrollFixture;
use http::{Request, StatusCode};
use http_body_util::BodyExt;
use std::sync::Arc;
use std::time::Duration;
use tegata_ca::{IssuerAssignment, KeySafe, Registrars};
use tegata_core::encoding::{base64, from_base64};
use tegata_core::{Clock, DeviceId, Role, TenantId, Thumbprint, Timestamp};
use tegata_enroll::{ScepServer, scep_routes};
use tegata_storage::DeviceAction;
use tegata_testkit::ca::{CaFixture, DAY, NOW};
use tegata_testkit::scep::{CERT_POLL, Message, PKCS_REQ, RENEWAL_REQ, Reply, Scribe};
use tegata_testkit::{Everything, TestPlace};
use tegata_web::PeerAddress;
use tempfile::TempDir;
use tower::ServiceExt;
use zeroize::Zeroizing;

/// A safe without a lock.
struct Drawer;

impl KeySafe for Drawer {
    fn seal(&self, pkcs8: &[u8]) -> Option<String> {
        Some(base64(pkcs8))
    }

    fn open(&self, sealed: &str) -> Option<Zeroizing<Vec<u8>>> {
        from_base64(sealed).map(Zeroizing::new)
    }
}

/// A service with SCEP, and a client of it.
struct ScepFixture {
    fixture: EnrollFixture,
    routes: Router,
    client: Scribe,
    _folder: TempDir,
}

impl ScepFixture {
    async fn open() -> Self {
        let ca = CaFixture::found(TestPlace::sqlite()).await;
        let shared =
            IssuerAssignment { authority: Arc::new(ca.taking_rsa().await), tenant: None, is_active: true };
        Self::of(ca, vec![shared]).await
    }

    async fn of(ca: CaFixture, posts: Vec<IssuerAssignment>) -> Self {
        let fixture = EnrollFixture::with(ca, posts).await;
        let registrars = Registrars::new(Arc::new(Drawer), fixture.ca.entropy.clone());
        let scep = scep_routes(ScepServer::new(fixture.enrollment.clone(), Arc::new(registrars)));
        let folder = tempfile::tempdir().unwrap();
        let bag = certificates(&scep, "").await;
        let client = Scribe::new(folder.path().into(), &bag);
        Self { fixture, routes: scep, client, _folder: folder }
    }

    /// Goes on to this moment; the client hears who speaks for the CA now.
    async fn move_to(&mut self, now: Timestamp) {
        self.fixture.clock.set(now);
        self.client.hear_of(&certificates(&self.routes, "").await);
    }

    async fn send(&mut self, message: &Message<'_>) -> Reply {
        self.client.reads_at = Some(self.fixture.clock.now().seconds());
        let (bytes, nonce) = self.client.put_together(message);
        let request = Request::post("/scep?operation=PKIOperation").body(Body::from(bytes)).unwrap();
        let answer = asked(&self.routes, request).await;
        self.client.understand(message, &nonce, &answer)
    }

    /// `NAME.pem` is a device's certificate from now on.
    async fn enroll(&mut self, tenant: &TenantId, name: &str) -> DeviceId {
        self.client.new_key(name);
        let now = self.fixture.clock.now();
        let (code, _) = self.fixture.ca.invite_to(tenant, Role::Device, now).await;
        let message = self.client.first(name, name, code.reveal());
        let reply = self.send(&message).await;
        self.client.keep(&reply, name);
        self.fixture.ca.ledger.holding(&self.thumbprint(name)).await.unwrap().unwrap().device
    }

    async fn renew(&mut self, signer: &str, next: &str) -> Reply {
        self.client.new_key(next);
        let content = self.client.request(next, "x", "");
        self.send(&message(RENEWAL_REQ, signer, next, content)).await
    }

    /// Nothing comes of it but the refusal, which is written down, under the device's name if it has one.
    async fn refuses(&mut self, message: &Message<'_>, code: &str, of: Option<&DeviceId>) {
        // Each begins anew: repetitions are counted, and written down later.
        self.fixture.ca.ledger.write_refusals(self.fixture.clock.now(), true).await.unwrap();
        let (certificates, lines) = (self.fixture.certificates().await, self.refusals(of).await);
        let reply = self.send(message).await;
        assert!(reply.is_ours && reply.status == "2" && reply.bag.is_empty(), "{reply:?}");
        assert_eq!(reply.fail_info, "2", "badRequest: {reply:?}");
        assert!(reply.text.starts_with(code), "{code}: {reply:?}");
        assert_eq!(self.fixture.certificates().await, certificates, "nothing is issued");
        assert_eq!(self.refusals(of).await, lines + 1, "{code} is written down");
    }

    async fn refusals(&self, of: Option<&DeviceId>) -> usize {
        let ledger = &self.fixture.ca.ledger;
        let entries = match of {
            Some(device) => ledger.everything().audit_of(device, 1000).await.unwrap(),
            None => ledger.audit_entries(0, 100_000).await.unwrap(),
        };
        entries.iter().filter(|line| line.entry.contains("certificate.refused")).count()
    }

    async fn first_tenant(&self) -> TenantId {
        self.fixture.ca.ledger.everything().tenants().await.unwrap().remove(0).id
    }

    /// The last moment of a certificate.
    async fn end_of(&self, name: &str) -> Timestamp {
        self.fixture.ca.ledger.holding(&self.thumbprint(name)).await.unwrap().unwrap().not_after
    }

    fn thumbprint(&self, name: &str) -> Thumbprint {
        self.client.openssl(&["x509", "-in", &format!("{name}.pem"), "-outform", "DER", "-out", "known.der"]);
        Thumbprint::of(&std::fs::read(self.client.path("known.der")).unwrap())
    }
}

fn message<'a>(kind: &'a str, signer: &'a str, transaction: &'a str, content: Vec<u8>) -> Message<'a> {
    Message { kind, signer, transaction, content, digest: "sha256", cipher: "aes-256-cbc" }
}

async fn certificates(scep: &Router, ca: &str) -> Vec<u8> {
    let path = format!("/scep?operation=GetCACert&message={ca}");
    asked(scep, Request::get(path).body(Body::empty()).unwrap()).await
}

async fn asked(scep: &Router, mut request: Request<Body>) -> Vec<u8> {
    request.extensions_mut().insert(PeerAddress(([192, 0, 2, 1], 50_000).into()));
    let answer = scep.clone().oneshot(request).await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    answer.into_body().collect().await.unwrap().to_bytes().to_vec()
}

#[tokio::test]
async fn a_certificate_renews_until_its_last_moment_and_never_after_it() {
    let mut scep = ScepFixture::open().await;
    let tenant = scep.first_tenant().await;
    let punctual = scep.enroll(&tenant, "punctual").await;
    let late = scep.enroll(&tenant, "late").await;
    let end = scep.end_of("late").await;
    scep.move_to(end).await;
    let reply = scep.renew("punctual", "in-time").await;
    scep.client.keep(&reply, "in-time");
    assert_eq!(scep.fixture.ca.ledger.everything().certificates_of(&punctual).await.unwrap().len(), 2);

    for wait in [Duration::from_millis(1), DAY, 400 * DAY] {
        scep.move_to(end.plus(wait)).await;
        scep.client.new_key("next");
        let content = scep.client.request("next", "x", "");
        let renewal = message(RENEWAL_REQ, "late", "late-renewal", content);
        scep.refuses(&renewal, "C-04", Some(&late)).await;
    }
    // A first request that it signs is a renewal too, and what has ended gives no right.
    let content = scep.client.request("late", "x", "");
    scep.refuses(&message(PKCS_REQ, "late", "late-first", content), "C-04", Some(&late)).await;
    // Nor is the key taken once more with a right of its own.
    let now = scep.fixture.clock.now();
    let (code, _) = scep.fixture.ca.invite_to(&tenant, Role::Device, now).await;
    let again = scep.client.first("late", "late-again", code.reveal());
    scep.refuses(&again, "K-05", None).await;
}

#[tokio::test]
async fn a_revoked_certificate_gets_nothing_by_either_kind_of_request() {
    let mut scep = ScepFixture::open().await;
    let tenant = scep.first_tenant().await;
    let stolen = scep.enroll(&tenant, "stolen").await;
    scep.fixture.act_on(&stolen, DeviceAction::Revoke(tegata_core::RevocationReason::KeyCompromise)).await;
    scep.client.new_key("next");
    let content = scep.client.request("next", "x", "");
    scep.refuses(&message(RENEWAL_REQ, "stolen", "one", content.clone()), "C-06", Some(&stolen)).await;
    scep.refuses(&message(CERT_POLL, "stolen", "one", content), "C-06", Some(&stolen)).await;
    let bare = scep.client.request("stolen", "x", "");
    scep.refuses(&message(PKCS_REQ, "stolen", "two", bare), "C-06", Some(&stolen)).await;
    let (code, invitation) = scep.fixture.ca.invite_to(&tenant, Role::Device, NOW).await;
    let with_code = scep.client.first("stolen", "three", code.reveal());
    scep.refuses(&with_code, "K-05", None).await;
    let after = scep.fixture.ca.invitation(&code).await;
    assert!(after.id == invitation.id && after.device.is_none(), "the invitation is left to an honest key");
}

#[tokio::test]
async fn at_one_tenants_ca_nobody_elses_certificate_or_invitation_counts() {
    let ca = CaFixture::found(TestPlace::sqlite()).await;
    let own = ca.add_tenant("みどり薬局", NOW).await;
    let shared =
        IssuerAssignment { authority: Arc::new(ca.taking_rsa().await), tenant: None, is_active: true };
    let silo = Arc::new(ca.another_authority(1, NOW).await);
    let name = silo.issuer().id().to_string();
    let posts =
        vec![shared, IssuerAssignment { authority: silo, tenant: Some(own.clone()), is_active: true }];
    let mut scep = ScepFixture::of(ca, posts).await;
    let neighbor = scep.first_tenant().await;
    let stranger = scep.enroll(&neighbor, "stranger").await;
    let native = scep.enroll(&own, "native").await;

    scep.client.hear_of(&certificates(&scep.routes, &name).await);
    let reply = scep.renew("native", "native-2").await;
    scep.client.keep(&reply, "native-2");
    assert_eq!(scep.fixture.ca.ledger.everything().certificates_of(&native).await.unwrap().len(), 2);

    scep.client.new_key("next");
    let content = scep.client.request("next", "native", "");
    scep.refuses(&message(RENEWAL_REQ, "stranger", "native-2", content), "C-02", Some(&stranger)).await;
    let (code, invitation) = scep.fixture.ca.invite_to(&neighbor, Role::Device, NOW).await;
    let misled = scep.client.first("next", "misled", code.reveal());
    scep.refuses(&misled, "I-01", None).await;
    assert!(scep.fixture.ca.invitation(&code).await.device.is_none(), "{invitation:?} is still good");

    // At the CA that serves both, it gets its own, under whatever name another's request went.
    scep.client.hear_of(&certificates(&scep.routes, "").await);
    let content = scep.client.request("next", "native", "");
    let poll = scep.send(&message(CERT_POLL, "stranger", "native-2", content.clone())).await;
    assert_eq!(
        (poll.status.as_str(), poll.fail_info.as_str()),
        ("2", "4"),
        "what another asked for: {poll:?}"
    );
    let reply = scep.send(&message(RENEWAL_REQ, "stranger", "native-2", content)).await;
    scep.client.keep(&reply, "next");
    let renewed = scep.thumbprint("next");
    let holder = scep.fixture.ca.ledger.holding(&renewed).await.unwrap().unwrap();
    assert_eq!(holder.device, stranger);
}
