//! The CAs of clients, each file read once, and their revocation lists.

use super::changed_files::FileStamp;
use super::{audit, changed_files};
use crate::server::shown;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tegata_core::Timestamp;
use tegata_core::encoding::hex;
use tegata_installation::{Config, Failure, FailureContext, config::ClientCa};
use tegata_scheduler::{Pass, PassError, PassFuture, PassReport, Schedule};
use tegata_web::trust_verdict::DistinguishedName;
use tegata_web::{ClientCas, RevocationLists, ServerContext};
use tokio::sync::Mutex;

/// How often the lists are read though their file seems to be the same.
const PERIOD: Duration = Duration::from_hours(1);

/// By the files of their certificates and of their lists.
#[derive(Default)]
pub struct ClientCaFiles(BTreeMap<ClientCaSources, Arc<ClientCas>>);

type ClientCaSources = (PathBuf, Option<PathBuf>);

/// Keeps up with one file of lists.
pub struct RevocationListWatch {
    file: PathBuf,
    cas: Arc<ClientCas>,
    context: ServerContext,
    known: Mutex<KnownLists>,
}

/// What was taken over last.
#[derive(Default)]
struct KnownLists {
    stamp: FileStamp,
    /// The SHA-256 of the file, in hexadecimal.
    hash: Option<String>,
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

    /// What keeps up with their lists.
    pub fn watches(&self, context: &ServerContext) -> Vec<RevocationListWatch> {
        let watch = |((_, crl), cas): (&ClientCaSources, &Arc<ClientCas>)| {
            let (file, cas, context) = (crl.clone()?, cas.clone(), context.clone());
            Some(RevocationListWatch { file, cas, context, known: Mutex::default() })
        };
        self.0.iter().filter_map(watch).collect()
    }
}

impl RevocationListWatch {
    /// Takes the lists over when they have changed. Those of the start are read once more, for the audit log. What cannot be
    /// read changes nothing.
    async fn take_over(&self) -> Result<PassReport, PassError> {
        let mut known = self.known.lock().await;
        known.stamp = changed_files::stamp(&self.file);
        let (lists, hash) = read_lists(&self.cas, &self.file).map_err(|error| {
            PassError::new(format!("the revocation lists of before stay in force: {error}"))
        })?;
        let (revoked, until) = (lists.revoked(), lists.until());
        if known.hash.as_ref() == Some(&hash) {
            return Ok(PassReport::nothing().with("revoked", revoked));
        }
        let detail = json!({"sha256": hash, "revoked": revoked, "until": until});
        // Whoever is revoked is refused at once, also while the log does not answer.
        self.cas.replace_lists(lists);
        audit::record(&self.context, "clients.revoked", detail).await?;
        known.hash = Some(hash);
        tracing::info!(revoked, %until, "the revocation lists of clients' CAs are taken over");
        Ok(PassReport::nothing().with("revoked", revoked))
    }

    async fn until_changed(&self) {
        let stamp = self.known.lock().await.stamp;
        changed_files::of(&self.file, stamp).await;
    }
}

impl Pass for RevocationListWatch {
    fn schedule(&self) -> Schedule {
        let name = self.file.file_name().unwrap_or_default().to_string_lossy();
        Schedule::every(PERIOD, format!("client-lists:{name}"))
    }

    fn run(&self, _: Timestamp) -> PassFuture<'_, Result<PassReport, PassError>> {
        Box::pin(self.take_over())
    }

    fn news(&self) -> PassFuture<'_, ()> {
        Box::pin(self.until_changed())
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
