//! Devices from a list.

use super::DevicesOptions;
use super::crl::VerifiedList;
use super::foreign::{self, ForeignCa, ForeignCertificate};
use crate::cli::scope::{TenantDirectory, rows};
use crate::failure::{CommittedExt, Failure, FailureContext};
use crate::progress::Progress;
use crate::system_context::SystemContext;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::collections::HashSet;
use std::path::Path;
use tegata_core::name::{NotOne, position_of};
use tegata_core::{DeviceId, IssuerId, Language, Name, SiteId, Timestamp};
use tegata_enroll::ParsedTable;
use tegata_storage::{IssuerKind, Ledger, LedgerError, Site, StoredIssuer, TakenOver, Tenant, Transaction};

/// One line of the list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DeviceLine {
    certificate: String,
    site: String,
    label: String,
}

/// What became of a line.
#[derive(Serialize)]
struct DeviceImportReport {
    line: u32,
    certificate: String,
    outcome: DeviceImportOutcome,
    device: Option<DeviceId>,
    detail: String,
}

#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum DeviceImportOutcome {
    TakenOver,
    Known,
    Refused,
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

pub async fn run(ledger: &Ledger, options: &DevicesOptions, system: &SystemContext) -> Result<(), Failure> {
    let lines = read_list(&options.devices)?;
    let ca = ForeignCa::read(&options.ca)?;
    let revocations = match &options.crl {
        Some(file) => Some(VerifiedList::read(file, &ca.certificate, options.stale_crl, system.now())?),
        None => None,
    };
    let migration = DeviceMigration::prepare(ledger, ca, options, system).await?;
    let mut reports = Vec::with_capacity(lines.len());
    let mut seen = HashSet::new();
    let (total, mut progress) = (lines.len() as u64, Progress::new());
    for (number, line) in lines {
        reports.push(migration.take(number, line, &mut seen).await?);
        progress.at("lines", reports.len() as u64, total);
    }
    drop(progress);
    let revoked = match &revocations {
        Some(list) if options.perform => {
            list.apply(ledger, &migration.issuer.id, "", system).await?.entries.len()
        }
        _ => 0,
    };
    report(&migration, &reports, revoked, options.output.json)
}

/// The columns of the list.
const COLUMNS: &[&str] = &["certificate", "site", "label"];

fn read_list(file: &Path) -> Result<Vec<(u32, DeviceLine)>, Failure> {
    let name = file.display();
    let bytes =
        std::fs::read(file).map_err(|error| Failure::misuse(format!("cannot read {name}: {error}")))?;
    let records = ParsedTable::read(&bytes, None).and_then(|table| table.records(COLUMNS, COLUMNS.len()));
    let records = records.map_err(|why| Failure::misuse(format!("{name}: {why}")))?;
    let line = |(number, line): (u32, Result<DeviceLine, String>)| {
        Ok((number, line.map_err(|error| Failure::misuse(format!("{name}:{number}: {error}")))?))
    };
    records.into_iter().map(line).collect()
}

impl<'a> DeviceMigration<'a> {
    async fn prepare(
        ledger: &'a Ledger,
        ca: ForeignCa,
        options: &'a DevicesOptions,
        system: &'a SystemContext,
    ) -> Result<Self, Failure> {
        let tenant = TenantDirectory::read(ledger).await?.tenant(options.tenant.as_deref())?.clone();
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
        if is_new && options.perform {
            let mut transaction = ledger.begin(system.now()).await.doing(READ)?;
            transaction.add_issuer(&issuer, &SystemContext::operator()).await.doing(WRITE)?;
            transaction.commit().await.committed(WRITE)?;
        }
        let folder = options.devices.parent().unwrap_or(Path::new("."));
        let perform = options.perform;
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

fn report(
    migration: &DeviceMigration<'_>,
    reports: &[DeviceImportReport],
    revoked: usize,
    as_json: bool,
) -> Result<(), Failure> {
    let count = |outcome| reports.iter().filter(|report| report.outcome == outcome).count();
    let (taken, known, refused) = (
        count(DeviceImportOutcome::TakenOver),
        count(DeviceImportOutcome::Known),
        count(DeviceImportOutcome::Refused),
    );
    if as_json {
        let answer = json!({
            "performed": migration.perform, "issuer": migration.issuer.id, "taken_over": taken, "known": known,
            "refused": refused, "revoked": revoked, "lines": reports,
        });
        outln!("{answer}");
    } else {
        for report in reports.iter().filter(|report| report.outcome == DeviceImportOutcome::Refused) {
            outln!("line {}  {}  refused: {}", report.line, report.certificate, report.detail);
        }
        let done = if migration.perform { "taken over" } else { "would be taken over (add --perform)" };
        outln!("{taken} {done}, {known} known already, {refused} refused, {revoked} revoked by the CRL");
    }
    if refused == 0 { Ok(()) } else { Err(Failure::wrong(format!("{refused} lines were refused"))) }
}
