//! OpenSSL and `GnuTLS` agree with what this CA makes.

use super::fixture::{CaWorld, NOW, key, pem, text};
use super::tools::{certtool, openssl, run};
use crate::create_ca::{Validity, create_server};
use crate::crl::{CrlIdentity, CrlReason, CrlScope, RevokedEntry, build_crl};
use crate::keys::{LocalKey, seal};
use crate::ocsp::{OcspRequest, OcspStatus};
use crate::secret::UnlockSecret;
use std::path::PathBuf;
use std::time::Duration;
use tegata_core::Timestamp;
use tegata_core::entropy::Seeded;

const MONTH: Duration = Duration::from_hours(720);

/// The time in which OpenSSL shall look at what was made at [`NOW`].
fn at_now() -> String {
    (NOW.seconds() + 60).to_string()
}

fn crl(fixture: &CaWorld, entries: Vec<RevokedEntry>) -> Vec<u8> {
    let edition = CrlIdentity { number: 41, this_update: NOW, next_update: NOW.plus(MONTH) };
    build_crl(&fixture.issuing, CrlScope::EndEntities(&fixture.endpoints.crl(0)), edition, entries)
        .unwrap()
        .into_der()
}

/// What `openssl verify -crl_check` says of a device certificate under a CRL with these entries.
fn verify(fixture: &CaWorld, device: &[u8], entries: Vec<RevokedEntry>) -> (bool, String) {
    let [root, issuing] = [&fixture.root, &fixture.issuing].map(super::super::issuer::Issuer::certificate);
    let roots = fixture.pem_file("root.pem", &[root]);
    let chain = fixture.pem_file("issuing.pem", &[issuing]);
    let device = fixture.pem_file("device.pem", &[device]);
    let list = fixture.file("list.crl", &crl(fixture, entries));
    let at = at_now();
    let arguments = [
        "verify",
        "-x509_strict",
        "-purpose",
        "sslclient",
        "-crl_check",
        "-attime",
        &at,
        "-CAfile",
        text(&roots),
        "-untrusted",
        text(&chain),
        "-CRLfile",
        text(&list),
        text(&device),
    ];
    let output = run("openssl", arguments, b"", "apt-get install openssl");
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

#[test]
fn openssl_accepts_a_device_until_the_crl_names_it() {
    let fixture = CaWorld::new();
    let (device, other) = (fixture.issue("本店", "受付PC"), fixture.issue("本店", "調剤室"));
    let entry = |serial, reason| RevokedEntry { serial, at: NOW, reason };
    let unconcerned = vec![entry(other.serial, CrlReason::KeyCompromise)];
    let (accepted, said) = verify(&fixture, &device.der, unconcerned);
    assert!(accepted, "{said}");
    assert!(verify(&fixture, &device.der, vec![]).0);
    for reason in [CrlReason::Unspecified, CrlReason::KeyCompromise, CrlReason::CertificateHold] {
        let (accepted, said) = verify(&fixture, &device.der, vec![entry(device.serial, reason)]);
        assert!(!accepted && said.contains("certificate revoked"), "{said}");
    }
}

#[test]
fn openssl_verifies_the_crl_itself() {
    let fixture = CaWorld::new();
    let issuing = fixture.pem_file("issuing.pem", &[fixture.issuing.certificate()]);
    let list = fixture.file("list.crl", &crl(&fixture, vec![]));
    let arguments = [
        "crl",
        "-inform",
        "DER",
        "-in",
        text(&list),
        "-CAfile",
        text(&issuing),
        "-verify",
        "-noout",
        "-text",
    ];
    let output = openssl(arguments);
    assert!(String::from_utf8_lossy(&output.stderr).contains("verify OK"));
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    for expected in
        ["X509v3 CRL Number: \n                41", "Only User Certificates", "No Revoked Certificates"]
    {
        assert!(printed.contains(expected), "{printed}");
    }
}

/// What `openssl ocsp` says when our answer to its own request is `status`.
fn ocsp(fixture: &CaWorld, options: &[&str], status: OcspStatus) -> String {
    let device = fixture.issue("本店", "受付PC");
    let leaf = fixture.pem_file("device.pem", &[&device.der]);
    let issuing = fixture.pem_file("issuing.pem", &[fixture.issuing.certificate()]);
    let chain = fixture.pem_file("chain.pem", &[fixture.issuing.certificate(), fixture.root.certificate()]);
    let asked = fixture.file("request.der", b"");
    let about = ["-issuer", text(&issuing), "-cert", text(&leaf)];
    let ask = ["ocsp", "-reqout", text(&asked)].into_iter().chain(options.iter().copied()).chain(about);
    openssl(ask);
    let request = OcspRequest::parse(&std::fs::read(&asked).unwrap()).unwrap();
    let answered = fixture.responder().signer().say(&request, &[status], NOW, MONTH).unwrap();
    let answer: PathBuf = fixture.file("response.der", &answered);
    let at = at_now();
    // The request read back keeps its nonce, which openssl compares, only if no new one is added.
    let check =
        ["ocsp", "-no_nonce", "-text", "-attime", &at, "-CAfile", text(&chain), "-issuer", text(&issuing)];
    let output = openssl(check.into_iter().chain(["-reqin", text(&asked), "-respin", text(&answer)]));
    let said =
        [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    assert!(said.contains("Response verify OK"), "{said}");
    said
}

#[test]
fn openssl_believes_ocsp_responses_with_either_hash_and_any_nonce() {
    let fixture = CaWorld::new();
    for options in
        [["-sha1", "-nonce"], ["-sha256", "-nonce"], ["-sha1", "-no_nonce"], ["-sha256", "-no_nonce"]]
    {
        let said = ocsp(&fixture, &options, OcspStatus::Good);
        assert!(said.contains("Cert Status: good"), "{said}");
        let nonce_came_back = !said.contains("WARNING: no nonce") && said.matches("OCSP Nonce").count() == 2;
        assert_eq!(nonce_came_back, options.contains(&"-nonce"), "{said}");
    }
}

#[test]
fn openssl_reads_why_and_when_from_our_ocsp_answers() {
    let fixture = CaWorld::new();
    let revoked = |reason| OcspStatus::Revoked { at: NOW, reason };
    for (status, expected) in [
        (revoked(CrlReason::KeyCompromise), "Revocation Reason: keyCompromise"),
        (revoked(CrlReason::CertificateHold), "Revocation Reason: certificateHold"),
        (revoked(CrlReason::Unspecified), "Revocation Time: Jul  1 00:00:00 2026 GMT"),
        (OcspStatus::Unknown, "Cert Status: unknown"),
    ] {
        let said = ocsp(&fixture, &["-sha256", "-nonce"], status);
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "certtool judges by the machine's clock and no other")]
fn gnutls_builds_the_chain_too() {
    let since_epoch = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let fixture = CaWorld::at(Timestamp::default().plus(since_epoch));
    let device = fixture.issue("本店", "受付PC");
    let chain = pem(&[&device.der, fixture.issuing.certificate(), fixture.root.certificate()]);
    let output = certtool(["--verify-chain"], chain.as_bytes());
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("Chain verification output: Verified. The certificate is trusted."), "{said}");
}

#[test]
fn openssl_opens_a_sealed_key_with_its_passphrase_and_only_with_it() {
    let fixture = CaWorld::new();
    let secret = UnlockSecret::passphrase("correct horse battery").unwrap();
    let sealed = seal(&LocalKey::generate().unwrap(), &secret, &Seeded::new(1)).unwrap();
    let path = fixture.file("key.pem", sealed.as_bytes());
    let read = |pass| ["pkey", "-in", text(&path), "-noout", "-text", "-passin", pass].map(str::to_owned);
    let output = openssl(read("pass:correct horse battery"));
    assert!(String::from_utf8_lossy(&output.stdout).contains("NIST CURVE: P-256"));
    assert!(!run("openssl", read("pass:wrong horse battery"), b"", "").status.success());
}

#[test]
fn a_browser_reaches_the_listeners_by_each_of_their_names() {
    let fixture = CaWorld::new();
    let names = ["localhost", "*.probe.localhost", "127.0.0.1"];
    let server = create_server(
        &names,
        &key(),
        &fixture.server,
        Validity { days: 90, now: NOW, entropy: &fixture.entropy },
    )
    .unwrap();
    let (ca, leaf) = (
        fixture.pem_file("server-ca.pem", &[fixture.server.certificate()]),
        fixture.pem_file("server.pem", &[&server]),
    );
    let at = at_now();
    let verify = |name: &str, value: &str| {
        let arguments = [
            "verify",
            "-x509_strict",
            "-purpose",
            "sslserver",
            "-attime",
            &at,
            "-CAfile",
            text(&ca),
            name,
            value,
            text(&leaf),
        ];
        run("openssl", arguments, b"", "apt-get install openssl").status.success()
    };
    assert!(verify("-verify_hostname", "localhost"));
    assert!(verify("-verify_hostname", "0123456789abcdef.probe.localhost"));
    assert!(verify("-verify_ip", "127.0.0.1"));
    assert!(!verify("-verify_hostname", "probe.localhost"));
}

#[test]
fn a_device_certificate_serves_no_server_and_a_servers_no_device() {
    let fixture = CaWorld::new();
    let device = fixture.issue("本店", "受付PC");
    let server = create_server(
        &["localhost"],
        &key(),
        &fixture.server,
        Validity { days: 90, now: NOW, entropy: &fixture.entropy },
    )
    .unwrap();
    let at = at_now();
    let accepted = |purpose: &str, ca: &[&[u8]], leaf: &[u8]| {
        let (ca, leaf) = (fixture.pem_file("ca.pem", ca), fixture.pem_file("leaf.pem", &[leaf]));
        let arguments = ["verify", "-purpose", purpose, "-attime", &at, "-CAfile", text(&ca), text(&leaf)];
        run("openssl", arguments, b"", "apt-get install openssl").status.success()
    };
    let (issuing, root) = (fixture.issuing.certificate(), fixture.root.certificate());
    assert!(accepted("sslclient", &[issuing, root], &device.der));
    assert!(!accepted("sslserver", &[issuing, root], &device.der));
    assert!(accepted("sslserver", &[fixture.server.certificate()], &server));
    assert!(!accepted("sslclient", &[fixture.server.certificate()], &server));
}
