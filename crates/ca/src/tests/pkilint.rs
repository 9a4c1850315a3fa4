//! pkilint, which knows the RFCs clause by clause, has nothing to say about what this CA makes.

use super::fixture::{CaWorld, NOW, key, request, text};
use super::tools::pkilint;
use crate::create_ca::{Validity, create_server};
use crate::crl::{CrlIdentity, CrlReason, CrlScope, RevokedEntry, build_crl};
use crate::keys::RsaKey;
use crate::ocsp::{OcspRequest, OcspStatus};
use crate::subject::CertificateSubject;
use std::time::Duration;
use tegata_core::{Role, Serial};

const DAY: Duration = Duration::from_hours(24);
const MONTH: Duration = Duration::from_hours(720);

#[test]
fn every_kind_of_certificate_passes() {
    let fixture = CaWorld::new();
    let device = fixture.issue("本店", "受付PC").der;
    let gate = CertificateSubject { role: Role::Gate, ..fixture.holder("", "レセコン入口") };
    let gate = fixture
        .prepare_for(&fixture.gate_profile, &gate, &request(&rcgen::PKCS_ECDSA_P256_SHA256), NOW)
        .and_then(|prepared| prepared.sign(&fixture.issuing))
        .unwrap()
        .der;
    // pkilint knows no wildcards (RFC 9525 section 6.3) and no names of one label; OpenSSL's test has both.
    let names = ["portal.example.jp", "device.example.jp", "127.0.0.1", "::1"];
    let server = create_server(
        &names,
        &key(),
        &fixture.server,
        Validity { days: 90, now: NOW, entropy: &fixture.entropy },
    )
    .unwrap();
    let [root, issuing, server_ca] =
        [&fixture.root, &fixture.issuing, &fixture.server].map(|ca| ca.certificate().to_vec());
    let rsa = RsaKey::from_pkcs8(&RsaKey::generate(&fixture.entropy).unwrap()).unwrap();
    let registrar = crate::registrar::certificate_for_tests(&fixture.issuing, &rsa, NOW);
    for (name, der) in [
        ("root", root),
        ("issuing", issuing),
        ("server-ca", server_ca),
        ("device", device),
        ("gate", gate),
        ("responder", fixture.responder().certificate),
        ("registrar", registrar),
        ("server", server),
    ] {
        let findings = pkilint("lint_pkix_cert", &[], &fixture.pem_file(name, &[&der]));
        assert!(findings.is_empty(), "{name}: {findings:?}");
    }
}

#[test]
fn crls_pass_full_and_empty() {
    let fixture = CaWorld::new();
    let reasons = [
        CrlReason::Unspecified,
        CrlReason::KeyCompromise,
        CrlReason::AffiliationChanged,
        CrlReason::Superseded,
        CrlReason::CessationOfOperation,
        CrlReason::CertificateHold,
    ];
    let entries =
        reasons.map(|reason| RevokedEntry { serial: Serial::random(&fixture.entropy), at: NOW, reason });
    for (name, entries) in [("full.crl", entries.to_vec()), ("empty.crl", vec![])] {
        let edition = CrlIdentity { number: 1, this_update: NOW, next_update: NOW.plus(MONTH) };
        let crl =
            build_crl(&fixture.issuing, CrlScope::EndEntities(&fixture.endpoints.crl(0)), edition, entries)
                .unwrap();
        let findings = pkilint("lint_crl", &["-t", "CRL", "-p", "PKIX"], &fixture.file(name, crl.der()));
        assert!(findings.is_empty(), "{name}: {findings:?}");
    }
}

#[test]
fn ocsp_answers_pass() {
    let fixture = CaWorld::new();
    let device = fixture.issue("本店", "受付PC");
    let issuing = fixture.pem_file("issuing.pem", &[fixture.issuing.certificate()]);
    let leaf = fixture.pem_file("device.pem", &[&device.der]);
    let responder = fixture.responder();
    for (nonce, status) in [
        ("-nonce", OcspStatus::Good),
        ("-no_nonce", OcspStatus::Unknown),
        ("-nonce", OcspStatus::Revoked { at: NOW, reason: CrlReason::CertificateHold }),
    ] {
        let asked = fixture.file("request.der", b"");
        let ask = ["ocsp", nonce, "-reqout", text(&asked), "-issuer", text(&issuing), "-cert", text(&leaf)];
        super::tools::openssl(ask);
        let request = OcspRequest::parse(&std::fs::read(&asked).unwrap()).unwrap();
        let answer = responder.signer().say(&request, &[status], NOW, DAY).unwrap();
        let findings = pkilint("lint_ocsp_response", &[], &fixture.file("response.der", &answer));
        assert!(findings.is_empty(), "{findings:?}");
    }
}
