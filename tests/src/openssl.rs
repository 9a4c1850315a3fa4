//! What openssl says about a certificate.

use crate::command::{CommandOutcome, run};
use crate::curl::Curl;
use crate::identity::DeviceIdentity;
use crate::installation::RunningInstallation;
use std::path::{Path, PathBuf};
use std::process::Command;

/// `openssl ARGUMENTS`, whatever it says.
pub fn openssl(arguments: &[&str]) -> CommandOutcome {
    CommandOutcome::of(Command::new("openssl").args(arguments))
}

/// The extensions and names of a certificate, as text.
pub fn text(certificate: &str) -> String {
    run("openssl", &["x509", "-in", certificate, "-noout", "-text"])
}

/// The URL behind a label such as `OCSP - URI:` in a certificate's text.
pub fn url_after(text: &str, label: &str) -> String {
    let (_, rest) = text.split_once(label).unwrap_or_else(|| panic!("no {label} in {text}"));
    rest.lines().next().unwrap_or_default().trim().to_owned()
}

/// The URL of a certificate's one CRL.
pub fn crl_url(certificate: &str) -> String {
    let text = text(certificate);
    let (_, points) = text.split_once("CRL Distribution Points").expect("a CRL distribution point");
    url_after(points, "URI:")
}

/// The CRL as the certificate says where it is: fetched, and turned into PEM beside the certificate.
pub fn fetch_crl(identity: &DeviceIdentity) -> PathBuf {
    let answer = Curl::to(&crl_url(&identity.file("cert.pem"))).send().expect(200);
    let der = identity.folder.join("fetched.crl");
    std::fs::write(&der, answer.body).expect("a file");
    pem_of_crl(&der)
}

/// A CRL in PEM, beside the one in DER.
pub fn pem_of_crl(der: &Path) -> PathBuf {
    let pem = der.with_extension("crl.pem");
    run("openssl", &["crl", "-inform", "DER", "-in", &show(der), "-out", &show(&pem)]);
    pem
}

/// `openssl verify -crl_check` with the fetched CRL, for the purpose of a TLS client.
pub fn verify_with_crl(installation: &RunningInstallation, identity: &DeviceIdentity) -> CommandOutcome {
    let crl = fetch_crl(identity);
    openssl(&[
        "verify",
        "-x509_strict",
        "-purpose",
        "sslclient",
        "-CAfile",
        &show(&installation.chain),
        "-crl_check",
        "-CRLfile",
        &show(&crl),
        &identity.file("cert.pem"),
    ])
}

/// `openssl verify -crl_check_all` of a device and its issuing CA, each by the list that its certificate names, with the
/// root as the only anchor.
pub fn verify_to_the_root(installation: &RunningInstallation, identity: &DeviceIdentity) -> CommandOutcome {
    let issuing = identity.folder.join("issuing.pem");
    std::fs::write(&issuing, second_certificate(&identity.file("chain.pem"))).expect("a file");
    let lists: String = [identity.file("cert.pem"), show(&issuing)]
        .iter()
        .map(|certificate| {
            // The server of a test may have other ports than its certificates name.
            let url = crl_url(certificate);
            let (_, path) = url.split_once("/crl/").expect("the place of a list");
            let answer = Curl::to(&format!("{}/crl/{path}", installation.public)).send().expect(200);
            let der = identity.folder.join(path);
            std::fs::write(&der, answer.body).expect("a file");
            std::fs::read_to_string(pem_of_crl(&der)).expect("a list")
        })
        .collect();
    let all = identity.folder.join("lists.pem");
    std::fs::write(&all, lists).expect("a file");
    openssl(&[
        "verify",
        "-x509_strict",
        "-purpose",
        "sslclient",
        "-CAfile",
        &show(&installation.ca),
        "-untrusted",
        &show(&issuing),
        "-crl_check_all",
        "-CRLfile",
        &show(&all),
        &identity.file("cert.pem"),
    ])
}

/// `openssl ocsp` against the responder that the certificate names.
pub fn ocsp(installation: &RunningInstallation, identity: &DeviceIdentity) -> CommandOutcome {
    ocsp_at(installation, identity, &ocsp_url(identity))
}

/// Where the certificate says that its responder is.
pub fn ocsp_url(identity: &DeviceIdentity) -> String {
    url_after(&text(&identity.file("cert.pem")), "OCSP - URI:")
}

/// `openssl ocsp` against a responder.
pub fn ocsp_at(installation: &RunningInstallation, identity: &DeviceIdentity, url: &str) -> CommandOutcome {
    let certificate = identity.file("cert.pem");
    let issuing = identity.folder.join("issuing.pem");
    std::fs::write(&issuing, second_certificate(&identity.file("chain.pem"))).expect("a file");
    openssl(&[
        "ocsp",
        "-issuer",
        &show(&issuing),
        "-cert",
        &certificate,
        "-url",
        url,
        "-CAfile",
        &show(&installation.chain),
        "-nonce",
    ])
}

/// What the responder said of the one certificate: `good`, `revoked` or `unknown`.
pub fn ocsp_status(outcome: &CommandOutcome) -> String {
    assert!(outcome.said().contains("Response verify OK"), "{}", outcome.said());
    let line = outcome.stdout.lines().find(|line| line.contains("cert.pem: ")).expect("a status");
    line.rsplit(": ").next().unwrap_or_default().trim().to_owned()
}

/// The second certificate of a PEM file: the issuing CA of a chain.
pub fn second_certificate(chain: &str) -> String {
    const END: &str = "-----END CERTIFICATE-----\n";
    let text = std::fs::read_to_string(chain).expect("a chain");
    let mut parts = text.split_inclusive(END);
    parts.nth(1).expect("a second certificate").to_owned()
}

fn show(path: &Path) -> String {
    path.display().to_string()
}
