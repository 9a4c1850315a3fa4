//! Programs that others wrote to judge certificates, each with its own idea of chains, CRLs and OCSP.

pub mod gnutls;
pub mod java;
pub mod nss;
pub mod pyhanko;

use crate::curl::Curl;
use crate::identity::DeviceIdentity;
use crate::installation::RunningInstallation;
use crate::openssl::{self, crl_url, url_after};
use crate::{CommandOutcome, run};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What all of them must say of a certificate.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Verdict {
    /// In force.
    Good,
    /// Revoked because its key may be compromised.
    Compromised,
    /// On hold.
    Held,
}

/// A certificate, and what an auditor has collected about it by the addresses in it.
#[derive(Debug)]
pub struct Exhibit {
    /// Whose.
    pub identity: DeviceIdentity,
    /// What is true of it.
    pub verdict: Verdict,
    /// Its CRL, DER.
    pub crl: PathBuf,
    /// An OCSP response without nonce, DER.
    pub ocsp: PathBuf,
}

/// An installation with certificates of every profile and every verdict.
#[derive(Debug)]
pub struct Court {
    /// The installation.
    pub installation: RunningInstallation,
    /// The issuing CA, PEM.
    pub issuing: PathBuf,
    /// The list of the root, DER, where the issuing CA names one.
    pub root_list: Option<PathBuf>,
    /// At least two of them are on different lists.
    pub exhibits: Vec<Exhibit>,
}

impl Court {
    /// Enrolls devices and gates, stops some of them, and collects.
    #[must_use]
    pub fn open() -> Self {
        let installation = RunningInstallation::start();
        let mut accused = Vec::new();
        for (name, verdict) in
            [("good", Verdict::Good), ("compromised", Verdict::Compromised), ("held", Verdict::Held)]
        {
            accused.push((installation.enroll(&format!("device-{name}")), verdict));
            accused.push((installation.enroll_gate(&format!("gate-{name}")), verdict));
        }
        while !on_different_lists(&accused) {
            let one_more = installation.enroll(&format!("device-{}", accused.len()));
            accused.push((one_more, Verdict::Good));
        }
        for (identity, verdict) in &accused {
            match verdict {
                Verdict::Good => continue,
                Verdict::Compromised => installation.tell(&["device", "revoke", "--yes", &identity.device]),
                Verdict::Held => installation.tell(&["device", "suspend", &identity.device]),
            };
        }
        let issuing = installation.folder("court").join("issuing.pem");
        std::fs::write(&issuing, openssl::second_certificate(&accused[0].0.file("chain.pem")))
            .expect("a file");
        let collect = |(identity, verdict): (DeviceIdentity, Verdict)| Exhibit {
            crl: fetch(&crl_url(&identity.file("cert.pem")), identity.folder.join("list.crl")),
            ocsp: ask(&identity, &issuing),
            identity,
            verdict,
        };
        let exhibits = accused.into_iter().map(collect).collect();
        let root_list = root_list(&issuing);
        Self { installation, issuing, root_list, exhibits }
    }

    /// An exhibit that is not good, and the list of another one.
    pub fn mismatch(&self) -> (&Exhibit, &Path) {
        let bad = |exhibit: &&Exhibit| exhibit.verdict != Verdict::Good;
        let pair = self.exhibits.iter().filter(bad).find_map(|exhibit| {
            let url = crl_url(&exhibit.identity.file("cert.pem"));
            let other = self.exhibits.iter().find(|other| crl_url(&other.identity.file("cert.pem")) != url);
            other.map(|other| (exhibit, other.crl.as_path()))
        });
        pair.expect("certificates on different lists")
    }
}

/// The first three pairs have different fates; one that is not good must have a list that another has not.
fn on_different_lists(accused: &[(DeviceIdentity, Verdict)]) -> bool {
    let urls: Vec<_> = accused.iter().map(|(identity, _)| crl_url(&identity.file("cert.pem"))).collect();
    urls.iter().any(|url| *url != urls[0])
}

/// The CA's own list, as its certificate says where it is.
fn root_list(issuing: &Path) -> Option<PathBuf> {
    let text = openssl::text(&issuing.display().to_string());
    let (_, points) = text.split_once("CRL Distribution Points")?;
    Some(fetch(&url_after(points, "URI:"), issuing.with_extension("root.crl")))
}

fn fetch(url: &str, file: PathBuf) -> PathBuf {
    std::fs::write(&file, Curl::to(url).send().expect(200).body).expect("a file");
    file
}

fn ask(identity: &DeviceIdentity, issuing: &Path) -> PathBuf {
    let file = identity.folder.join("answer.ocsp");
    let (certificate, url) = (identity.file("cert.pem"), ocsp_url(identity));
    let (issuing, answer) = (issuing.display().to_string(), file.display().to_string());
    let arguments = ["ocsp", "-no_nonce", "-noverify", "-issuer", &issuing, "-cert", &certificate];
    run("openssl", &[&arguments[..], &["-url", &url, "-respout", &answer]].concat());
    file
}

/// The responder that a certificate names.
pub fn ocsp_url(identity: &DeviceIdentity) -> String {
    url_after(&openssl::text(&identity.file("cert.pem")), "OCSP - URI:")
}

/// The lines a program says when all goes well.
fn lines(command: &mut Command) -> Vec<String> {
    CommandOutcome::of(command).good().stdout.lines().map(str::to_owned).collect()
}

/// A script beside this crate.
fn script(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("clients/verifiers").join(name)
}
