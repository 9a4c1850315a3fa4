//! The CAs of clients, each file read once, and their revocation lists.

use super::{audit, changed_files};
use crate::config::{ClientCa, Config};
use crate::failure::{Failure, FailureContext};
use crate::server::shown;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tegata_core::encoding::hex;
use tegata_web::trust_verdict::DistinguishedName;
use tegata_web::{ClientCas, RevocationLists, ServerContext};

/// By the files of their certificates and of their lists.
#[derive(Default)]
pub struct ClientCaFiles(BTreeMap<ClientCaSources, Arc<ClientCas>>);

type ClientCaSources = (PathBuf, Option<PathBuf>);

/// Who watches one file of lists.
pub struct RevocationListWatch {
    file: PathBuf,
    cas: Arc<ClientCas>,
    context: ServerContext,
}

impl ClientCaFiles {
    /// Those that a client names; nothing where this installation issues.
    pub fn open(&mut self, config: &Config, named: &ClientCa) -> Result<Option<Arc<ClientCas>>, Failure> {
        let path = |file: &PathBuf| config.path(file);
        let files = match named {
            ClientCa::Own => return Ok(None),
            ClientCa::Shared => {
                let ca =
                    config.clients.ca.as_ref().ok_or_else(|| Failure::misuse("[clients] names no ca"))?;
                (path(ca), config.clients.crl.as_ref().map(path))
            }
            ClientCa::File(ca, crl) => (path(ca), crl.as_ref().map(path)),
        };
        if let Some(known) = self.0.get(&files) {
            return Ok(Some(known.clone()));
        }
        let cas = Arc::new(read(&files)?);
        self.0.insert(files, cas.clone());
        Ok(Some(cas))
    }

    /// The names of the CAs, for the hints of the TLS handshake.
    pub fn hints(&self) -> Vec<DistinguishedName> {
        self.0.values().flat_map(|cas| cas.issuers().hints()).collect()
    }

    /// Who watches their lists.
    pub fn keepers(&self, context: &ServerContext) -> Vec<RevocationListWatch> {
        let keeper = |((_, crl), cas): (&ClientCaSources, &Arc<ClientCas>)| {
            let file = crl.clone()?;
            Some(RevocationListWatch { file, cas: cas.clone(), context: context.clone() })
        };
        self.0.iter().filter_map(keeper).collect()
    }
}

impl RevocationListWatch {
    /// Reads the lists whenever they change. Those of the start are read once more, for the audit log.
    pub async fn keep(self) {
        loop {
            let stamp = changed_files::stamp(&self.file);
            match read_lists(&self.cas, &self.file) {
                Ok((lists, hash)) => {
                    let (revoked, until) = (lists.revoked(), lists.until());
                    let detail = json!({"sha256": hash, "revoked": revoked, "until": until});
                    self.cas.replace_lists(lists);
                    audit::record(&self.context, "clients.revoked", detail).await;
                    tracing::info!(revoked, %until, "the revocation lists of clients' CAs are taken over");
                }
                Err(error) => tracing::error!(%error, "the revocation lists of before stay in force"),
            }
            changed_files::of(&self.file, stamp).await;
        }
    }
}

fn read((ca, crl): &ClientCaSources) -> Result<ClientCas, Failure> {
    let what = || format!("cannot use the CAs of registered clients in {}", shown(ca));
    let certificates =
        CertificateDer::pem_file_iter(ca).and_then(Iterator::collect::<Result<Vec<_>, _>>).doing(what())?;
    if certificates.is_empty() {
        return Err(Failure::misuse(format!("{}: it is empty", what())));
    }
    let cas = ClientCas::new(certificates.iter().map(|der| der.as_ref().to_vec()).collect()).doing(what())?;
    match crl {
        Some(crl) => {
            let (lists, _) = read_lists(&cas, crl)?;
            Ok(cas.with_lists(lists))
        }
        None => Ok(cas),
    }
}

/// With the SHA-256 of the file, in hexadecimal.
fn read_lists(cas: &ClientCas, file: &Path) -> Result<(RevocationLists, String), Failure> {
    let what = || format!("cannot use the revocation lists of clients' CAs in {}", shown(file));
    let bytes = std::fs::read(file).doing(what())?;
    let lists = cas.read_lists(&bytes).doing(what())?;
    let hash = ring::digest::digest(&ring::digest::SHA256, &bytes);
    Ok((lists, hex(hash.as_ref())))
}
