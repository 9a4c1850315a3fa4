//! `certtool` and `ocsptool`.

use super::{Court, Exhibit, ocsp_url};
use crate::CommandOutcome;
use crate::openssl;
use std::process::Command;

/// `certtool --verify` of the chain under the certificate's list.
pub fn verify(court: &Court, exhibit: &Exhibit) -> CommandOutcome {
    let list = openssl::pem_of_crl(&exhibit.crl);
    let mut certtool = Command::new("certtool");
    certtool.args(["--verify", "--load-ca-certificate"]).arg(&court.installation.ca);
    certtool.arg("--load-crl").arg(list).arg("--infile").arg(exhibit.identity.file("chain.pem"));
    CommandOutcome::of(&mut certtool)
}

/// `certtool --verify-crl`: whether the list is the issuing CA's.
pub fn verify_list(court: &Court, exhibit: &Exhibit) -> CommandOutcome {
    let mut certtool = Command::new("certtool");
    certtool.args(["--verify-crl", "--load-ca-certificate"]).arg(&court.issuing);
    CommandOutcome::of(certtool.arg("--infile").arg(openssl::pem_of_crl(&exhibit.crl)))
}

/// `ocsptool --ask` with a nonce; it verifies the answer and its signer.
pub fn ask(court: &Court, exhibit: &Exhibit) -> CommandOutcome {
    let mut ocsptool = Command::new("ocsptool");
    ocsptool.arg(format!("--ask={}", ocsp_url(&exhibit.identity))).arg("--nonce");
    ocsptool.arg("--load-cert").arg(exhibit.identity.file("cert.pem"));
    ocsptool.arg("--load-issuer").arg(&court.issuing);
    // It builds no chains: the issuing CA is among the anchors.
    CommandOutcome::of(ocsptool.arg("--load-trust").arg(&court.installation.chain))
}

/// `ocsptool --verify-response` of the answer on file.
pub fn verify_answer(court: &Court, exhibit: &Exhibit) -> CommandOutcome {
    let mut ocsptool = Command::new("ocsptool");
    ocsptool.args(["--verify-response", "--load-response"]).arg(&exhibit.ocsp);
    CommandOutcome::of(ocsptool.arg("--load-trust").arg(&court.installation.chain))
}
