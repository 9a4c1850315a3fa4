//! `tegata check`, once a day: what it finds is kept for those who look at how the installation does.
//!
//! It is the command itself, in a process of its own: reading a ledger of a million devices takes its time and memory, and a token
//! (HSM) is opened once in each process.

use std::io::{self, Read};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tegata_console::CheckSummary;
use tegata_core::Timestamp;
use tegata_scheduler::{Pass, PassError, PassFuture, PassReport, Schedule};
use tegata_storage::Ledger;
use tokio::task::spawn_blocking;

/// How often there is a look whether a check is due.
const PERIOD: Duration = Duration::from_mins(10);

/// From one check to the next, whichever server does it.
const INTERVAL: Duration = Duration::from_hours(24);

/// From a check that came to no report to the next one: reading the ledger costs too much to begin again at once.
const AGAIN: Duration = Duration::from_hours(6);

/// From the start of the server to the first look: whoever waits for it to answer comes first.
const SETTLING: Duration = Duration::from_secs(20);

/// What a check of a large ledger may take.
const LIMIT: Duration = Duration::from_hours(2);

/// A report has at most 20 examples of each code.
const LONGEST: u64 = 1 << 20;

/// This very program, whatever has taken its place on the disk meanwhile.
const PROGRAM: &str = "/proc/self/exe";

/// Does it where it is due.
pub struct CheckPass {
    ledger: Ledger,
    file: PathBuf,
}

/// The command. It ends with whoever waits for it, and with a server that was killed: then its standard input ends.
struct RunningCheck(Child);

impl CheckPass {
    /// Of the installation with this configuration file.
    pub fn new(ledger: &Ledger, file: PathBuf) -> Self {
        Self { ledger: ledger.clone(), file }
    }

    async fn once(&self, now: Timestamp) -> Result<PassReport, PassError> {
        let kept = self.ledger.last_check().await?.map(|(at, _)| at);
        if kept.is_some_and(|at| at <= now && now.since(at) < INTERVAL) {
            return Ok(PassReport::nothing());
        }
        // One server does this at a time: whatever was begun and left no report has come to nothing.
        let failed = self.ledger.check_begun().await?.filter(|begun| kept.is_none_or(|at| at < *begun));
        if let Some(begun) = failed.filter(|begun| *begun <= now && now.since(*begun) < AGAIN) {
            return Err(PassError::new(format!(
                "the check of {begun} left no report; the next one waits for six hours"
            )));
        }
        self.ledger.begin_check(now).await?;
        let report = self.checked().await?;
        let summary: CheckSummary = serde_json::from_str(&report).map_err(PassError::new)?;
        self.ledger.keep_check(report, now).await?;
        if !summary.ok {
            tracing::error!(wrong = summary.wrong, "the check found something wrong: tegata check says what");
        }
        Ok(PassReport::nothing().with("wrong", summary.wrong).with("warnings", summary.warnings))
    }

    /// What the command prints. Its exit code says no more than the report does.
    async fn checked(&self) -> Result<String, PassError> {
        let mut command = Command::new(PROGRAM);
        command.args(["check", "--json", "--until-input-ends", "--config"]).arg(&self.file);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut running = RunningCheck(command.spawn().map_err(PassError::new)?);
        let output = running.0.stdout.take().ok_or_else(|| PassError::new("no output"))?;
        let read = move || {
            let mut text = String::new();
            output.take(LONGEST).read_to_string(&mut text).map(|_| text)
        };
        let text: io::Result<String> = spawn_blocking(read).await.map_err(PassError::new)?;
        text.map_err(PassError::new)
    }
}

impl Drop for RunningCheck {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Pass for CheckPass {
    fn schedule(&self) -> Schedule {
        Schedule::every(PERIOD, "check").exclusive().after(SETTLING).within(LIMIT)
    }

    fn run(&self, now: Timestamp) -> PassFuture<'_, Result<PassReport, PassError>> {
        Box::pin(self.once(now))
    }
}
