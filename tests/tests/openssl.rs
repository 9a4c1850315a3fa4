//! Auditors with tools of their own: what openssl finds in a certificate, its CRL and its responder.

use tegata_tests::openssl::{self, crl_url, ocsp, ocsp_status, url_after, verify_with_crl};
use tegata_tests::{Curl, RunningInstallation, run};

#[test]
fn openssl_accepts_the_chain_the_crl_and_the_responder() {
    let installation = RunningInstallation::start();
    let device = installation.enroll("register-1");
    let verified = verify_with_crl(&installation, &device);
    assert_eq!(verified.code, 0, "{}", verified.said());
    assert_eq!(ocsp_status(&ocsp(&installation, &device)), "good");

    let certificate = device.file("cert.pem");
    let text = openssl::text(&certificate);
    assert!(text.contains("TLS Web Client Authentication") && !text.contains("TLS Web Server"), "{text}");
    assert!(text.contains(&device.device), "the device is named in the certificate: {text}");
    assert_eq!(text.matches(".crl").count(), 1, "exactly one CRL distribution point: {text}");
    let issuing = Curl::to(&url_after(&text, "CA Issuers - URI:")).send().expect(200);
    let der = device.folder.join("fetched.cer");
    std::fs::write(&der, issuing.body).expect("a file");
    let fetched = run("openssl", &["x509", "-inform", "DER", "-in", &der.display().to_string()]);
    assert!(std::fs::read_to_string(device.file("chain.pem")).expect("a chain").contains(fetched.trim()));
}

#[test]
fn crl_numbers_only_rise_and_a_revocation_is_published_at_once() {
    let installation = RunningInstallation::start();
    let (first, second) = (installation.enroll("one"), installation.enroll("two"));
    for device in [&first, &second] {
        // Each certificate names the list that will name it, which may be another one than its neighbor's.
        let url = crl_url(&device.file("cert.pem"));
        let last = crl_number(&url);
        installation.tell(&["device", "revoke", "--yes", &device.device]);
        let number = crl_number(&url);
        assert!(number > last, "{number} after {last}");
        assert!(verify_with_crl(&installation, device).said().contains("certificate revoked"));
    }
}

fn crl_number(url: &str) -> u128 {
    let answer = Curl::to(url).send().expect(200);
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("crl");
    std::fs::write(&file, answer.body).expect("a file");
    let line = run(
        "openssl",
        &["crl", "-inform", "DER", "-in", &file.display().to_string(), "-noout", "-crlnumber"],
    );
    let (_, hex) = line.trim().split_once("=0x").unwrap_or_else(|| panic!("a number in {line}"));
    u128::from_str_radix(hex, 16).expect("hexadecimal")
}
