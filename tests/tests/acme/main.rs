//! ACME (RFC 8555) with the clients that people use, with a device that follows its maker's payload, and with somebody
//! who knows the protocol and wants what is not theirs.

mod attacks;
mod certbot;
mod dehydrated;
mod device;
mod lego;
mod life;
mod profile;

use std::path::Path;
use tegata_tests::openssl::{openssl, text, url_after};
use tegata_tests::{RunningInstallation, run};

/// The chain verifies for a TLS client with the root alone.
fn verified(installation: &RunningInstallation, chain: &Path) {
    let (chain, root) = (chain.display().to_string(), installation.ca.display().to_string());
    openssl(&[
        "verify",
        "-x509_strict",
        "-purpose",
        "sslclient",
        "-CAfile",
        &root,
        "-untrusted",
        &chain,
        &chain,
    ])
    .good();
}

/// The identity in a certificate.
fn identity(certificate: &Path) -> String {
    let text = text(&certificate.display().to_string());
    let (_, names) = text.split_once("Subject Alternative Name").expect("an alternative name");
    url_after(names, "URI:")
}

fn serial(certificate: &Path) -> String {
    run("openssl", &["x509", "-in", &certificate.display().to_string(), "-noout", "-serial"])
}

/// The generation that the device listener sees, or the code of its refusal.
fn seen(installation: &RunningInstallation, chain: &Path, key: &Path) -> Result<u64, String> {
    let (chain, key) = (chain.display().to_string(), key.display().to_string());
    let answer = installation.at_device("/probe").presenting(&chain, &key).send();
    if answer.status == 200 {
        Ok(answer.json()["generation"].as_u64().expect("a generation"))
    } else {
        Err(answer.problem())
    }
}
