//! Devices from a list.

use super::crl::VerifiedList;
use super::foreign::{self, ForeignCa, ForeignCertificate};
use crate::{ListenerTrust, Progress};
use serde::{Deserialize, Serialize};
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use tegata_core::name::{NotOne, position_of};
use tegata_core::{DeviceId, IssuerId, Language, Name, SiteId, Timestamp};
use tegata_installation::{CommittedExt, Failure, FailureContext, SystemContext, TenantDirectory, rows};
use tegata_storage::{IssuerKind, Ledger, LedgerError, Site, StoredIssuer, TakenOver, Tenant, Transaction};

/// One line of the list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceLine {
    /// The file of its certificate, PEM or DER, beside the list.
    pub certificate: String,
    /// Where it stands: name or identifier.
    pub site: String,
    /// What it is called.
    pub label: String,
}

/// The columns of a list.
pub const COLUMNS: &[&str] = &["certificate", "site", "label"];

/// What is taken over, and how.
pub struct DeviceImport {
    /// The CA that signed the certificates itself, PEM or DER.
    pub ca: PathBuf,
    /// The folder of the list: files of certificates are named from there.
    pub folder: PathBuf,
    /// Name or identifier of the tenant; none where there is only one.
    pub tenant: Option<String>,
    /// The newest CRL of the CA.
    pub crl: Option<PathBuf>,
    /// Whether a list past its nextUpdate will do.
    pub stale_crl: bool,
    /// Whether it is done. Otherwise it is only tried.
    pub perform: bool,
}

/// What became of a line.
#[derive(Serialize)]
pub struct DeviceImportReport {
    /// Its number in the file.
    pub line: u32,
    /// The file that it names.
    pub certificate: String,
    outcome: DeviceImportOutcome,
    /// The device that it became.
    pub device: Option<DeviceId>,
    /// Until when the certificate holds, or why it was refused.
    pub detail: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum DeviceImportOutcome {
    TakenOver,
    Known,
    Refused,
}

/// What became of a list.
#[derive(Serialize)]
pub struct DeviceImportFacts {
    /// Whether it was done, or only tried.
    pub performed: bool,
    /// The CA in the ledger.
    pub issuer: IssuerId,
    /// Lines whose devices are new here.
    pub taken_over: usize,
    /// Lines whose devices were taken over before.
    pub known: usize,
    /// Lines that were refused.
    pub refused: usize,
    /// Devices that the CRL stopped.
    pub revoked: usize,
    /// Every line, in order.
    pub lines: Vec<DeviceImportReport>,
}

impl DeviceImportReport {
    /// Whether the line was refused; its detail says why.
    pub fn is_refused(&self) -> bool {
        self.outcome == DeviceImportOutcome::Refused
    }
}

/// What all lines have in common.
struct DeviceMigration<'a> {
    ledger: &'a Ledger,
    ca: ForeignCa,
    issuer: StoredIssuer,
    /// Not in the ledger yet.
    is_new: bool,
    tenant: Tenant,
    sites: Vec<Site>,
    folder: &'a Path,
    perform: bool,
    system: &'a SystemContext,
}

/// Takes devices over, line by line: a list that breaks off in the middle can be given again.
pub async fn import_devices(
    ledger: &Ledger,
    lines: Vec<(u32, DeviceLine)>,
    import: &DeviceImport,
    trust: &dyn ListenerTrust,
    progress: &mut dyn Progress,
    system: &SystemContext,
) -> Result<DeviceImportFacts, Failure> {
    let ca = ForeignCa::read(&import.ca, trust)?;
    let revocations = match &import.crl {
        Some(file) => Some(VerifiedList::read(file, &ca.certificate, import.stale_crl, system.now())?),
        None => None,
    };
    let migration = DeviceMigration::prepare(ledger, ca, import, system).await?;
    let mut reports = Vec::with_capacity(lines.len());
    let mut seen = HashSet::new();
    let total = lines.len() as u64;
    for (number, line) in lines {
        reports.push(migration.take(number, line, &mut seen).await?);
        progress.at("lines", reports.len() as u64, total);
    }
    let revoked = match &revocations {
        Some(list) if import.perform => {
            list.apply(ledger, &migration.issuer.id, "", progress, system).await?.entries.len()
        }
        _ => 0,
    };
    Ok(migration.facts(reports, revoked))
}

impl<'a> DeviceMigration<'a> {
    async fn prepare(
        ledger: &'a Ledger,
        ca: ForeignCa,
        import: &'a DeviceImport,
        system: &'a SystemContext,
    ) -> Result<Self, Failure> {
        let tenant = TenantDirectory::read(ledger).await?.tenant(import.tenant.as_deref())?.clone();
        let sites = rows(ledger, Some(&tenant.id)).sites(&tenant.id).await.doing(READ)?;
        let issuers = ledger.issuers().await.doing(READ)?;
        let known = issuers.into_iter().find(|issuer| issuer.certificate == ca.certificate);
        let is_new = known.is_none();
        let issuer = known.unwrap_or_else(|| {
            let id = IssuerId::random(system.entropy.as_ref());
            StoredIssuer::new(id, IssuerKind::Foreign, ca.certificate.clone(), None)
        });
        if issuer.kind != IssuerKind::Foreign {
            return Err(Failure::misuse("this CA is one of ours: its devices are in the ledger already"));
        }
        if !issuer.is_trusted() {
            return Err(Failure::misuse(
                "this CA was taken over and has ended: its devices need invitations",
            ));
        }
        if is_new && import.perform {
            let mut transaction = ledger.begin(system.now()).await.doing(READ)?;
            transaction.add_issuer(&issuer, &SystemContext::operator()).await.doing(WRITE)?;
            transaction.commit().await.committed(WRITE)?;
        }
        let (folder, perform) = (import.folder.as_path(), import.perform);
        Ok(Self { ledger, ca, issuer, is_new, tenant, sites, folder, perform, system })
    }

    /// One line, one transaction: a list that breaks off in the middle can be given again.
    async fn take(
        &self,
        number: u32,
        line: DeviceLine,
        seen: &mut HashSet<[u8; 32]>,
    ) -> Result<DeviceImportReport, Failure> {
        let refused = |detail: String| DeviceImportReport {
            line: number,
            certificate: line.certificate.clone(),
            outcome: DeviceImportOutcome::Refused,
            device: None,
            detail,
        };
        let now = self.system.now();
        let read = || -> Result<(ForeignCertificate, SiteId, Name), String> {
            let der =
                foreign::read(&self.folder.join(&line.certificate)).map_err(|error| error.to_string())?;
            let label = Name::label(&line.label).map_err(|error| error.to_string())?;
            Ok((self.ca.certificate(der, now)?, self.site(&line.site)?, label))
        };
        let (certificate, site, label) = match read() {
            Ok(read) => read,
            Err(detail) => return Ok(refused(detail)),
        };
        if !seen.insert(certificate.key_hash) {
            return Ok(refused("the same key stands on an earlier line".into()));
        }
        let taken = self.taken_over(certificate, site, label);
        match self.write(&taken, now).await {
            Ok(news) => Ok(DeviceImportReport {
                line: number,
                certificate: line.certificate.clone(),
                outcome: if news { DeviceImportOutcome::TakenOver } else { DeviceImportOutcome::Known },
                device: (news && self.perform).then_some(taken.device),
                detail: format!("until {}", taken.not_after),
            }),
            Err(LedgerError::Refused(refusal)) => {
                Ok(refused(format!("{} {}", refusal.code(), refusal.title(Language::En))))
            }
            Err(error) => Err(Failure::wrong(format!("line {number}: {error}"))),
        }
    }

    fn taken_over(&self, certificate: ForeignCertificate, site: SiteId, label: Name) -> TakenOver {
        TakenOver {
            device: DeviceId::random(self.system.entropy.as_ref()),
            tenant: self.tenant.id.clone(),
            site,
            label: label.into(),
            issuer: self.issuer.id.clone(),
            serial: certificate.serial,
            key_hash: certificate.key_hash,
            tbs: certificate.tbs,
            der: certificate.der,
            not_before: certificate.not_before,
            not_after: certificate.not_after,
        }
    }

    /// A rehearsal does the same and does not commit.
    async fn write(&self, taken: &TakenOver, now: Timestamp) -> Result<bool, LedgerError> {
        let mut transaction = self.ledger.begin(now).await?;
        self.rehearse_issuer(&mut transaction).await?;
        let news = transaction.take_over(taken, &SystemContext::operator()).await?;
        if self.perform {
            transaction.commit().await?;
        }
        Ok(news)
    }

    async fn rehearse_issuer(&self, transaction: &mut Transaction) -> Result<(), LedgerError> {
        if self.is_new && !self.perform {
            transaction.add_issuer(&self.issuer, &SystemContext::operator()).await?;
        }
        Ok(())
    }

    fn facts(&self, lines: Vec<DeviceImportReport>, revoked: usize) -> DeviceImportFacts {
        let count = |outcome| lines.iter().filter(|report| report.outcome == outcome).count();
        DeviceImportFacts {
            performed: self.perform,
            issuer: self.issuer.id.clone(),
            taken_over: count(DeviceImportOutcome::TakenOver),
            known: count(DeviceImportOutcome::Known),
            refused: count(DeviceImportOutcome::Refused),
            revoked,
            lines,
        }
    }

    fn site(&self, name: &str) -> Result<SiteId, String> {
        let position = position_of(&self.sites, name, |site| (site.id.as_str(), &site.name));
        position.map(|place| self.sites[place].id.clone()).map_err(|why| match why {
            NotOne::None => {
                format!("{} has no site {name:?}: add it with `tegata site add`", self.tenant.name)
            }
            NotOne::Several => format!("several sites are called {name:?}: use the identifier"),
        })
    }
}

const READ: &str = "cannot read the ledger";
const WRITE: &str = "cannot write the ledger";
