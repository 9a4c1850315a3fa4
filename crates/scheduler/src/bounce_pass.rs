//! Reports of mail that came back later are read.
//!
//! By each server that has such a folder: it stands where the mail system delivers. What a report says is noted once, whoever reads it.

use crate::pass::{Pass, PassError, PassFuture, PassReport, Schedule};
use std::collections::HashSet;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use tegata_core::Timestamp;
use tegata_mail::bounced_mail;
use tegata_storage::{Ledger, MailOutcome, Result};
use tokio::fs;

/// How often there is a look.
const PERIOD: Duration = Duration::from_secs(10);

/// Reports that a run reads at most, and how long one may be.
const MOST_REPORTS: usize = 200;
const LONGEST_REPORT: u64 = 1024 * 1024;

/// Reads a Maildir in which somebody puts what comes back.
pub struct BouncePass {
    ledger: Ledger,
    installation: String,
    folder: PathBuf,
    /// Files that could not be read or put aside: they were told of, and hide no others.
    stuck: Mutex<HashSet<String>>,
}

impl BouncePass {
    /// A pass over this ledger and this Maildir.
    pub fn new(ledger: Ledger, installation: String, folder: PathBuf) -> Self {
        Self { ledger, installation, folder, stuck: Mutex::default() }
    }

    /// Reads what is there, and gives how many mails came back.
    ///
    /// # Errors
    /// The ledger cannot be read or written.
    pub async fn round(&self, now: Timestamp) -> Result<usize> {
        let mut bounced = 0;
        for (path, name) in self.reports().await {
            match fs::metadata(&path).await {
                Ok(facts) if facts.len() <= LONGEST_REPORT => match fs::read(&path).await {
                    Ok(report) => bounced += usize::from(self.note(&report, now).await?),
                    Err(error) => {
                        self.is_stuck(&name, &error);
                        continue;
                    }
                },
                // No report is as long as that.
                Ok(_) => {}
                Err(error) => {
                    self.is_stuck(&name, &error);
                    continue;
                }
            }
            let aside = self.folder.join("cur").join(format!("{name}:2,S"));
            if let Err(error) = fs::rename(&path, &aside).await {
                self.is_stuck(&name, &error);
            }
        }
        Ok(bounced)
    }

    async fn note(&self, report: &[u8], now: Timestamp) -> Result<bool> {
        let Some(bounced) = bounced_mail(report, &self.installation) else { return Ok(false) };
        if self.ledger.mail(&bounced.id).await?.is_none() {
            return Ok(false);
        }
        let why = format!("it came back: {}", bounced.status);
        let outcome = if bounced.is_for_good { MailOutcome::Bounced(why) } else { MailOutcome::GivenUp(why) };
        let mut transaction = self.ledger.begin(now).await?;
        transaction.note_mail(&bounced.id, &outcome).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Told once for each file. One that another program has moved is not there any more.
    fn is_stuck(&self, name: &str, error: &std::io::Error) {
        let mut stuck = self.stuck.lock().unwrap_or_else(PoisonError::into_inner);
        if error.kind() != ErrorKind::NotFound && stuck.insert(name.to_owned()) {
            tracing::warn!(%error, "a report of mail that came back cannot be read or put aside into `cur`");
        }
    }

    async fn reports(&self) -> Vec<(PathBuf, String)> {
        match self.listed(&self.folder.join("new")).await {
            Ok(reports) => reports,
            Err(error) => {
                self.is_stuck("new", &error);
                Vec::new()
            }
        }
    }

    async fn listed(&self, folder: &Path) -> std::io::Result<Vec<(PathBuf, String)>> {
        let mut found = Vec::new();
        let mut entries = fs::read_dir(folder).await?;
        while let Some(entry) = entries.next_entry().await? {
            let Some(name) = entry.file_name().to_str().map(str::to_owned) else { continue };
            let is_stuck = self.stuck.lock().unwrap_or_else(PoisonError::into_inner).contains(&name);
            if !is_stuck && found.len() < MOST_REPORTS {
                found.push((entry.path(), name));
            }
        }
        Ok(found)
    }

    async fn once(&self, now: Timestamp) -> std::result::Result<PassReport, PassError> {
        let bounced = self.round(now).await?;
        let stuck = self.stuck.lock().unwrap_or_else(PoisonError::into_inner).len();
        Ok(PassReport::nothing().with("bounced", bounced).with("stuck", stuck))
    }
}

impl Pass for BouncePass {
    fn schedule(&self) -> Schedule {
        Schedule::every(PERIOD, "bounces")
    }

    fn run(&self, now: Timestamp) -> PassFuture<'_, std::result::Result<PassReport, PassError>> {
        Box::pin(self.once(now))
    }
}
