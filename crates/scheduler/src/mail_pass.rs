//! Mails go out.
//!
//! Exclusive to save work. Whoever sends a mail has taken it in hand in the ledger first, for longer than a run may last: two servers at
//! once never send the same one, and one that dies leaves it to be tried again, under the same Message-ID. A run that is broken off
//! lets the mail that is under way come to its end.

use crate::mail_writer::KEPT_DAYS;
use crate::pass::{Pass, PassError, PassFuture, PassReport, Schedule};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tegata_core::{MailAddress, Timestamp};
use tegata_mail::{MailError, MailText, MailTransport, OutgoingMail};
use tegata_storage::{Ledger, Mail, MailOutcome, Result};
use tokio::time::Instant;

/// How often there is a look: a question that an index answers.
const PERIOD: Duration = Duration::from_secs(3);

/// A run that waits for a mail server.
const LIMIT: Duration = Duration::from_mins(5);

/// After this time a run begins no further mail.
const TAKING: Duration = Duration::from_mins(2);

/// For how long a mail is in one server's hands: longer than a run.
const IN_HAND: Duration = Duration::from_mins(8);

/// Mails that a run tries at most.
const MOST: i64 = 200;

/// So many attempts that fail with none that succeeds: then it is the server, which is left alone for a while.
const MOST_FAILURES: usize = 3;

/// For how long: the first time, and later.
const RESTS: [Duration; 3] = [Duration::from_mins(1), Duration::from_mins(5), Duration::from_mins(20)];

/// Between two attempts of one mail, at first and later.
const PAUSES: [Duration; 5] = [
    Duration::from_mins(1),
    Duration::from_mins(5),
    Duration::from_mins(20),
    Duration::from_hours(1),
    Duration::from_hours(3),
];

/// How long a mail is tried. Then others are told.
const PATIENCE: Duration = Duration::from_hours(36);

/// How often there is a look for mails that are old enough to be forgotten.
const FORGETTING: Duration = Duration::from_hours(1);

const DAY: Duration = Duration::from_hours(24);

/// Sends the mails that wait.
pub struct MailPass {
    sender: Arc<MailSender>,
    resting: Mutex<Resting>,
    forgot_at: Mutex<Option<Timestamp>>,
}

/// What takes one mail to its end.
struct MailSender {
    ledger: Ledger,
    transport: Arc<MailTransport>,
    from: MailAddress,
    installation: String,
}

/// A mail server that is left alone.
#[derive(Default)]
struct Resting {
    until: Option<Timestamp>,
    times: usize,
}

/// What a run did.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MailRound {
    /// Mails that were taken.
    pub sent: usize,
    /// Those that are tried again.
    pub postponed: usize,
    /// Those whose mailbox is gone.
    pub bounced: usize,
    /// Those that nobody tries any more.
    pub given_up: usize,
}

impl MailPass {
    /// A pass over this ledger.
    pub fn new(
        ledger: Ledger,
        transport: Arc<MailTransport>,
        from: MailAddress,
        installation: String,
    ) -> Self {
        let sender = Arc::new(MailSender { ledger, transport, from, installation });
        Self { sender, resting: Mutex::default(), forgot_at: Mutex::default() }
    }

    /// Tries what is to be tried.
    ///
    /// # Errors
    /// The ledger cannot be read or written.
    pub async fn round(&self, now: Timestamp) -> Result<MailRound> {
        let mut round = MailRound::default();
        if self.resting().until.is_some_and(|until| now < until) {
            return Ok(round);
        }
        let begun = Instant::now();
        for mail in self.sender.ledger.due_mails(MOST, now).await? {
            let failures = round.postponed + round.given_up;
            if begun.elapsed() >= TAKING || (failures >= MOST_FAILURES && round.sent == 0) {
                break;
            }
            let (sender, has_sent) = (self.sender.clone(), round.sent > 0);
            // A run that is broken off does not cut what the mail server has said yes to.
            let sending = tokio::spawn(async move { sender.send(&mail, has_sent, now).await });
            match sending.await.unwrap_or(Ok(None))? {
                None => {}
                Some(MailOutcome::Sent) => round.sent += 1,
                Some(MailOutcome::Bounced(_)) => round.bounced += 1,
                Some(MailOutcome::Postponed(..)) => round.postponed += 1,
                Some(MailOutcome::GivenUp(_)) => round.given_up += 1,
            }
        }
        self.rest(&round, now);
        Ok(round)
    }

    /// Whether the mail server is left alone from now on.
    fn rest(&self, round: &MailRound, now: Timestamp) {
        let mut resting = self.resting();
        if round.sent > 0 {
            *resting = Resting::default();
        } else if round.postponed + round.given_up >= MOST_FAILURES {
            let rest = RESTS[resting.times.min(RESTS.len() - 1)];
            tracing::warn!(minutes = rest.as_secs() / 60, "no mail was taken: the mail server is left alone");
            *resting = Resting { until: Some(now.plus(rest)), times: resting.times + 1 };
        }
    }

    fn resting(&self) -> MutexGuard<'_, Resting> {
        self.resting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Old mails go, some in a transaction.
    async fn forget(&self, now: Timestamp) -> Result<()> {
        let forgot_at = *self.forgot_at.lock().unwrap_or_else(PoisonError::into_inner);
        if forgot_at.is_some_and(|at| at <= now && now.since(at) < FORGETTING) {
            return Ok(());
        }
        loop {
            let mut transaction = self.sender.ledger.begin(now).await?;
            let forgotten = transaction.forget_mails(now.minus(DAY * KEPT_DAYS)).await?;
            transaction.commit().await?;
            if forgotten == 0 {
                break;
            }
        }
        *self.forgot_at.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
        Ok(())
    }

    async fn once(&self, now: Timestamp) -> std::result::Result<PassReport, PassError> {
        let round = self.round(now).await?;
        self.forget(now).await?;
        Ok(PassReport::nothing()
            .with("sent", round.sent)
            .with("postponed", round.postponed)
            .with("bounced", round.bounced)
            .with("given_up", round.given_up))
    }
}

impl MailSender {
    /// Nothing where another server has it in hand. `has_sent`: whether the mail server takes mails in this run.
    async fn send(&self, mail: &Mail, has_sent: bool, now: Timestamp) -> Result<Option<MailOutcome>> {
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
        let begun = Instant::now();
        let taken = self.transport.send(&outgoing).await;
        let now = now.plus(begun.elapsed());
        let outcome = match taken {
            Ok(()) => MailOutcome::Sent,
            Err(MailError::Bounced(why)) => MailOutcome::Bounced(why),
            // Without a code that names the mailbox it may be the sender that is refused: then nobody's mail is taken.
            Err(MailError::PerhapsBounced(why)) if has_sent => MailOutcome::Bounced(why),
            Err(MailError::Unfit) => MailOutcome::Bounced(MailError::Unfit.to_string()),
            Err(MailError::Later(why) | MailError::PerhapsBounced(why)) => {
                tracing::warn!(mail = %mail.id, why, "a mail was not taken");
                if now.since(mail.written_at) >= PATIENCE {
                    MailOutcome::GivenUp(why)
                } else {
                    MailOutcome::Postponed(why, now.plus(pause_after(mail.attempts)))
                }
            }
        };
        let mut transaction = self.ledger.begin(now).await?;
        transaction.note_mail(&mail.id, &outcome).await?;
        transaction.commit().await?;
        Ok(Some(outcome))
    }
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
