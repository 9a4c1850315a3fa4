//! NSS: `vfychain` and `crlutil`, with a database that trusts the root.

use super::{Court, Exhibit};
use crate::{CommandOutcome, run};
use std::path::PathBuf;
use std::process::Command;

/// A database of its own.
#[derive(Debug)]
pub struct Nss {
    database: String,
}

impl Nss {
    /// One that trusts the root and knows the issuing CA.
    #[must_use]
    pub fn trusting(court: &Court) -> Self {
        let folder: PathBuf = court.installation.folder("nss");
        let database = format!("sql:{}", folder.display());
        let [root, issuing] = [&court.installation.ca, &court.issuing].map(|file| file.display().to_string());
        run("certutil", &["-N", "-d", &database, "--empty-password"]);
        run("certutil", &["-A", "-d", &database, "-n", "root", "-t", "CT,CT,CT", "-i", &root]);
        run("certutil", &["-A", "-d", &database, "-n", "issuing", "-t", ",,", "-i", &issuing]);
        Self { database }
    }

    /// The chain of a TLS client, without asking about revocation.
    pub fn chain(&self, exhibit: &Exhibit) -> CommandOutcome {
        self.vfychain(exhibit, &[])
    }

    /// Verifies a certificate whose source of revocations must have answered: `ocsp` or `crl`, fetched by the address
    /// in the certificate.
    pub fn with(&self, exhibit: &Exhibit, source: &str) -> CommandOutcome {
        self.vfychain(exhibit, &["-g", "leaf", "-m", source, "-s", "requireInfo,failIfNoInfo"])
    }

    /// `crlutil -I`: what NSS thinks of a list.
    pub fn import(&self, exhibit: &Exhibit) -> CommandOutcome {
        let mut crlutil = Command::new("crlutil");
        crlutil.args(["-I", "-t", "1", "-d", &self.database, "-i"]).arg(&exhibit.crl);
        CommandOutcome::of(&mut crlutil)
    }

    fn vfychain(&self, exhibit: &Exhibit, options: &[&str]) -> CommandOutcome {
        let mut vfychain = Command::new("vfychain");
        vfychain.args(["-pp", "-u", "0", "-d", &self.database]).args(options);
        CommandOutcome::of(vfychain.arg("-a").arg(exhibit.identity.file("cert.pem")))
    }
}
