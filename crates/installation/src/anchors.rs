//! The CAs as files, for those who verify certificates: `ca/root.pem` has the roots, `ca/chain.pem` roots and issuing CAs.

use crate::{Config, pem};
use std::path::Path;
use tegata_storage::{IssuerKind, StoredIssuer};

/// Brings both files up to date. They follow from the ledger, so a failure is worth a line and no more.
pub fn write(config: &Config, issuers: &[StoredIssuer]) {
    let of = |kind| {
        issuers
            .iter()
            .filter(move |issuer: &&StoredIssuer| issuer.kind == kind && issuer.is_trusted())
            .map(|issuer| issuer.certificate.as_slice())
    };
    let roots: Vec<_> = of(IssuerKind::Root).collect();
    let chain: Vec<_> = roots.iter().copied().chain(of(IssuerKind::Issuing)).collect();
    for (name, certificates) in [("ca/root.pem", &roots), ("ca/chain.pem", &chain)] {
        let file = config.path(Path::new(name));
        let text = pem::certificates(certificates);
        if std::fs::read_to_string(&file).is_ok_and(|known| known == text) {
            continue;
        }
        if let Err(error) = replace(&file, &text) {
            tracing::warn!(file = %file.display(), %error, "the file with the CAs is not up to date");
        }
    }
}

/// Whoever reads meanwhile sees the old or the new.
fn replace(file: &Path, text: &str) -> std::io::Result<()> {
    let new = file.with_extension("pem.new");
    std::fs::write(&new, text)?;
    std::fs::rename(new, file)
}
