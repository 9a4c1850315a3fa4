//! Mails go out, and what came back is seen.
//!
//! Exclusive to save work. Whoever sends a mail has taken it in hand in the ledger first, for longer than a run may last: two servers at
//! once never send the same one, and one that dies leaves it to be tried again, under the same Message-ID.

use crate::pass::{Pass, PassError, PassFuture, PassReport, Schedule};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tegata_core::{MailAddress, Timestamp};
use tegata_mail::{MailError, MailText, MailTransport, OutgoingMail, bounced_mail};
use tegata_storage::{Ledger, Mail, MailOutcome, Result};
use tokio::fs;

/// How often there is a look: a question that an index answers.
const PERIOD: Duration = Duration::from_secs(3);

/// A mail server that is slow.
const LIMIT: Duration = Duration::from_mins(5);

/// For how long a mail is in one server's hands: longer than a run.
const IN_HAND: Duration = Duration::from_mins(8);

/// Mails that a run tries at most.
const MOST: i64 = 200;

/// After so many attempts in a row that failed, the mail server is left alone until the next run.
const MOST_FAILURES: usize = 3;

/// Between two attempts, at first and later.
const PAUSES: [Duration; 5] = [
    Duration::from_mins(1),
    Duration::from_mins(5),
    Duration::from_mins(20),
    Duration::from_hours(1),
    Duration::from_hours(3),
];

/// How long a mail is tried. Then others are told.
const PATIENCE: Duration = Duration::from_hours(36);

/// Reports that a run reads at most, and how long one may be.
const MOST_REPORTS: usize = 200;
const LONGEST_REPORT: u64 = 1024 * 1024;

/// Sends the mails that wait.
pub struct MailPass {
    ledger: Ledger,
    transport: Arc<MailTransport>,
    from: MailAddress,
    installation: String,
    bounces: Option<PathBuf>,
}

/// What a run did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MailRound {
    /// Mails that were taken.
    pub sent: usize,
    /// Those that are tried again.
    pub postponed: usize,
    /// Those that came back, at once or in a report.
    pub bounced: usize,
    /// Those that nobody tries any more.
    pub given_up: usize,
}

impl MailPass {
    /// A pass over this ledger. `bounces` is a Maildir in which somebody puts what comes back to `from`.
    pub fn new(
        ledger: Ledger,
        transport: Arc<MailTransport>,
        from: MailAddress,
        installation: String,
        bounces: Option<PathBuf>,
    ) -> Self {
        Self { ledger, transport, from, installation, bounces }
    }

    /// Tries what is to be tried.
    ///
    /// # Errors
    /// The ledger cannot be read or written.
    pub async fn round(&self, now: Timestamp) -> Result<MailRound> {
        let mut round = MailRound::default();
        if let Some(folder) = &self.bounces {
            self.read_bounces(folder, now, &mut round).await?;
        }
        let mut failures = 0;
        for mail in self.ledger.due_mails(MOST, now).await? {
            if failures >= MOST_FAILURES {
                break;
            }
            match self.send(&mail, now).await? {
                None => {}
                Some(MailOutcome::Sent) => {
                    failures = 0;
                    round.sent += 1;
                }
                Some(MailOutcome::Bounced(_)) => round.bounced += 1,
                Some(MailOutcome::Postponed(..)) => {
                    failures += 1;
                    round.postponed += 1;
                }
                Some(MailOutcome::GivenUp(_)) => {
                    failures += 1;
                    round.given_up += 1;
                }
            }
        }
        Ok(round)
    }

    /// Nothing where another server has it in hand.
    async fn send(&self, mail: &Mail, now: Timestamp) -> Result<Option<MailOutcome>> {
        let mut transaction = self.ledger.begin(now).await?;
        if !transaction.claim_mail(&mail.id, now.plus(IN_HAND)).await? {
            return Ok(None);
        }
        transaction.commit().await?;
        let text =
            MailText { subject: mail.subject.clone(), plain: mail.plain.clone(), html: mail.html.clone() };
        let outgoing = OutgoingMail {
            id: &mail.id,
            installation: &self.installation,
            from: &self.from,
            sender_name: &mail.sender_name,
            to: &mail.address,
            text: &text,
            written_at: mail.written_at,
        };
        let outcome = match self.transport.send(&outgoing).await {
            Ok(()) => MailOutcome::Sent,
            Err(MailError::Bounced(why)) => MailOutcome::Bounced(why),
            Err(MailError::Unfit) => MailOutcome::GivenUp(MailError::Unfit.to_string()),
            Err(MailError::Later(why)) if now.since(mail.written_at) >= PATIENCE => MailOutcome::GivenUp(why),
            Err(MailError::Later(why)) => MailOutcome::Postponed(why, now.plus(pause_after(mail.attempts))),
        };
        if let MailOutcome::Postponed(why, _) | MailOutcome::GivenUp(why) = &outcome {
            tracing::warn!(mail = %mail.id, why, "a mail was not taken");
        }
        self.note(mail, &outcome, now).await?;
        Ok(Some(outcome))
    }

    async fn note(&self, mail: &Mail, outcome: &MailOutcome, now: Timestamp) -> Result<()> {
        let mut transaction = self.ledger.begin(now).await?;
        transaction.note_mail(&mail.id, outcome).await?;
        transaction.commit().await
    }

    /// What came back later. A report is put aside once the ledger knows of it; read twice, it says the same.
    async fn read_bounces(&self, folder: &Path, now: Timestamp, round: &mut MailRound) -> Result<()> {
        let reports = match reports_in(&folder.join("new")).await {
            Ok(reports) => reports,
            Err(error) => {
                tracing::warn!(%error, "the folder with what comes back cannot be read");
                return Ok(());
            }
        };
        for (path, name) in reports {
            let Ok(report) = fs::read(&path).await else { continue };
            if let Some(bounced) = bounced_mail(&report, &self.installation)
                && let Some(mail) = self.ledger.mail(&bounced.id).await?
            {
                let why = format!("it came back: {}", bounced.status);
                self.note(&mail, &MailOutcome::Bounced(why), now).await?;
                round.bounced += 1;
            }
            let read = folder.join("cur").join(format!("{name}:2,S"));
            if let Err(error) = fs::rename(&path, &read).await {
                tracing::warn!(%error, "a report cannot be put aside: does the folder have `cur`?");
            }
        }
        Ok(())
    }

    async fn once(&self, now: Timestamp) -> std::result::Result<PassReport, PassError> {
        let round = self.round(now).await?;
        Ok(PassReport::nothing()
            .with("sent", round.sent)
            .with("postponed", round.postponed)
            .with("bounced", round.bounced)
            .with("given_up", round.given_up))
    }
}

async fn reports_in(folder: &Path) -> std::io::Result<Vec<(PathBuf, String)>> {
    let mut found = Vec::new();
    let mut entries = fs::read_dir(folder).await?;
    while let Some(entry) = entries.next_entry().await? {
        let facts = entry.metadata().await?;
        if let Some(name) = entry.file_name().to_str()
            && facts.is_file()
            && facts.len() <= LONGEST_REPORT
            && found.len() < MOST_REPORTS
        {
            found.push((entry.path(), name.to_owned()));
        }
    }
    Ok(found)
}

fn pause_after(attempts: i64) -> Duration {
    let attempt = usize::try_from(attempts).unwrap_or(usize::MAX);
    PAUSES[attempt.min(PAUSES.len() - 1)]
}

impl Pass for MailPass {
    fn schedule(&self) -> Schedule {
        Schedule::every(PERIOD, "mail").exclusive().within(LIMIT)
    }

    fn run(&self, now: Timestamp) -> PassFuture<'_, std::result::Result<PassReport, PassError>> {
        Box::pin(self.once(now))
    }
}
