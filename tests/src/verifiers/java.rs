//! Java's PKIX validation, through `tests/clients/verifiers/Pkix.java`.

use super::{Court, Exhibit, lines, script};
use std::path::Path;
use std::process::Command;

/// What Java says of each certificate: by `ocsp` or `crl`, fetched by the addresses in it.
pub fn verdicts(court: &Court, exhibits: &[Exhibit], source: &str) -> Vec<String> {
    let mut java = pkix(court);
    // Its own requests carry a nonce when told so, and are refused without it in the answer.
    java.arg(source).args(exhibits.iter().map(|exhibit| exhibit.identity.file("cert.pem")));
    lines(&mut java)
}

/// What Java says of one certificate by a list that is given to it, fetching nothing.
pub fn verdict_by(court: &Court, exhibit: &Exhibit, list: &Path) -> String {
    lines(pkix(court).arg("list").arg(list).arg(exhibit.identity.file("cert.pem"))).remove(0)
}

fn pkix(court: &Court) -> Command {
    let mut java = Command::new("java");
    java.arg("-Djdk.security.certpath.ocspNonce=true").arg(script("Pkix.java"));
    java.arg(&court.installation.ca).arg(&court.issuing);
    java
}
