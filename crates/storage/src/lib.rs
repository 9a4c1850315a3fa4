//! The ledger: the only crate that speaks SQL, and the only one that knows which engine it is.
//!
//! - Reads are methods of [`Ledger`].
//! - Writes are methods of [`Transaction`], opened with the time: [`Ledger::begin`]. A state change, its audit
//!   entry and its feed event are one transaction. States move by guarded UPDATE, never by read-then-write.
//! - Writes that many wait for (issuing, tokens, receipts) are handed to [`Ledger::group`], which commits all that
//!   arrived while the previous commit was on its way to the disk.
//! - [`StatusCache`] holds in memory what requests are decided by, kept fresh by the feed.
//!
//! To add a statement: write it once with `$1` parameters that both engines read, in the file of its noun, and
//! let a test in `tests/` use it; every test there runs on both engines.

mod acme;
mod actor;
mod approval;
mod audit;
mod certificate;
mod commits;
mod credential;
mod crl;
mod delegated_signer;
mod device;
mod engine;
mod feed;
mod group_commit;
mod guess;
mod guidance;
mod hash_chain;
mod head;
mod history;
mod inspection;
mod invitation;
mod invitation_list;
mod issuer;
mod key;
mod kitting;
mod license;
mod loss_report;
mod pass;
mod person;
mod policy;
mod receipt;
mod receiver;
mod refresh_token_family;
mod refusals;
mod registrar;
mod replay;
mod reselection;
mod responder;
mod revocation_log;
mod rows;
mod scep;
mod scope;
mod server;
mod session;
mod sighting;
mod status;
mod status_list;
mod tenant;
mod token;
mod transaction;

pub use acme::{
    AcmeAccount, AcmeIdentifier, AcmeOrder, AcmeState, AuthorizationState, NewAcmeAccount, NewAcmeOrder,
    UseNonce,
};
pub use actor::Actor;
pub use approval::{Approval, ApprovalState, NewApproval};
pub use audit::{
    AuditChain, AuditEntry, AuditFault, AuditGap, AuditLink, AuditNote, AuditRetention, TokenDay,
};
pub use certificate::{
    Certificate, DueRenewal, EndedCertificate, HeldCertificate, IssuanceRight, Lineage, ReserveSerial,
    RevocationEffect, SerialStatus, StoreCertificate, TakenOver,
};
pub use commits::{COMMIT_BOUNDS, CommitCounts};
pub use credential::{EmergencyCode, NewCredential, OpenSetup, SignInCandidate};
pub use crl::{CrlShard, PublishedCrl, StoredCrl};
pub use device::{Device, DeviceAction, DeviceFilter, ListedDevice};
pub use engine::Patience;
pub use group_commit::Operation;
pub use guess::{GUESS_SLOTS, WrongGuesses};
pub use history::member_of;
pub use inspection::{
    ChainHeads, FiledCertificate, FiledDevice, FiledEvent, FiledResponder, FiledTenant, FiledTokens,
    Inspection, LatestTime, Orphan, Suspicious,
};
pub use invitation::{Invitation, InvitationState, NewInvitation};
pub use invitation_list::{
    InvitationLine, InvitationList, InvitedHolder, LineOutcome, LineRefusal, NewInvitationLine,
    NewInvitationList,
};
pub use issuer::{IssuerKind, IssuerState, StoredIssuer};
pub use key::BlockedKey;
pub use kitting::{Kitting, KittingPlace, NewKitting, TakePlace};
pub use license::License;
pub use loss_report::{LossReport, LossReports, REPORTS_A_DAY, SiteDevice};
pub use pass::{LeavePasses, PassLease, PassOutcome, PassState, ReportPasses};
pub use person::{NewPerson, Person, PersonSite, PersonState};
pub use policy::PolicyPlace;
pub use receipt::{
    AnsweringServer, ExpectedReceipt, FeedPosition, PendingReceipts, ReceiptRow, ReceiptWait,
    SILENCE_REFUSES, ServerSurface, SurfaceConfirmation, SurfaceReceipt,
};
pub use receiver::{
    ChangeStream, DeliveryOutcome, Issuance, IssuedPage, PollAcknowledgment, ReceiverPosition, ReceiverRow,
    StreamChange, StreamEnds, StreamNotice, VerificationAsked,
};
pub use refresh_token_family::{
    FamilyEnd, GrantedToken, RefreshTokenFamily, RotateFamily, Rotation, StartFamily,
};
pub use refusals::RefusalNote;
pub use registrar::{NewRegistrar, StoredRegistrar};
pub use reselection::AnnouncedReselection;
pub use responder::StoredResponder;
pub use revocation_log::{LogError, LogPlace, LogReport};
pub use scep::ScepTransaction;
pub use scope::{Principal, Scope, ScopedLedger, ScopedTransaction};
pub use server::{FORGOTTEN, RegisteredServer, SIGN_OF_LIFE};
pub use session::{ListedSession, LiveSession, SecondFactorUse, StartSession, StartedSession};
pub use status::{CertificateHolder, Freshness, Outdated, STATUS_STALENESS, StatusCache};
pub use status_list::{StatusHead, StatusPlace};
pub use tenant::{Site, Tenant, TenantAction, TenantIssuers};
pub use token::IssuedToken;
pub use transaction::Transaction;

use engine::Engine;
use invitation::LookupQueue;
use revocation_log::RevocationLog;
use std::sync::Arc;
use tegata_core::{Entropy, Timestamp};
use transaction::LedgerShared;

/// Why the ledger did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The engine refused, or the way to it failed before anything was committed: nothing was changed.
    #[error("the ledger cannot be reached or refused a statement: {0}")]
    Engine(#[from] sqlx::Error),
    /// The engine does not answer, or those who write do not come to an end: nothing was changed.
    #[error("the ledger does not answer")]
    OutOfReach,
    /// It is in the revocation log, and the ledger could not take it: the next writer does it.
    #[error(
        "it was accepted and is in the revocation log, but the ledger could not take it now ({0}). It will be done as soon \
         as the ledger can be written; nothing has to be said twice"
    )]
    Accepted(String),
    /// The answer to a commit was lost: it was done or it was not. It is not done later.
    #[error("the ledger's answer was lost ({0}): it was done or it was not. Look before you do it again")]
    InDoubt(String),
    /// The schema could not be brought up to date.
    #[error("the ledger's schema could not be brought up to date: {0}")]
    Migration(sqlx::migrate::MigrateError),
    /// The URL names no engine.
    #[error("the ledger's URL must begin with sqlite: or postgres:")]
    Url,
    /// A row says something this program cannot read.
    #[error("the ledger holds something this version cannot read: {0}")]
    Unreadable(&'static str),
    /// The guard of an update did not hold: the thing is not in the state the caller assumed.
    #[error("{0}")]
    Guard(&'static str),
    /// The requester can do something about it.
    #[error("refused: {}", .0.code())]
    Refused(tegata_core::Refusal),
    /// The revocation log is not to be believed, or cannot be written.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The ledger is older than it was: somebody restored a backup while this process was running.
    #[error(
        "the ledger is older than it was a moment ago: it was restored beneath this process, which opens it again"
    )]
    WentBack,
    /// The writer of grouped operations has stopped.
    #[error("the ledger is closing")]
    Closing,
}

/// The guard of a write stands in its `WHERE`: where it did not hold, nothing was changed, and `otherwise` says why.
fn changed_one(rows: u64, otherwise: &'static str) -> Result<()> {
    if rows == 1 { Ok(()) } else { Err(LedgerError::Guard(otherwise)) }
}

impl LedgerError {
    /// The refusal to show for it.
    pub fn refusal(&self) -> tegata_core::Refusal {
        match self {
            Self::Refused(refusal) => *refusal,
            Self::Engine(_) | Self::OutOfReach | Self::Closing | Self::WentBack => {
                tegata_core::Refusal::Unavailable
            }
            Self::Accepted(_) | Self::Log(LogError::InPart { .. }) => tegata_core::Refusal::Accepted,
            Self::InDoubt(_) => tegata_core::Refusal::InDoubt,
            Self::Log(_) => tegata_core::Refusal::Unavailable,
            _ => tegata_core::Refusal::Internal,
        }
    }

    /// Whether something may have been done, or will be, though this is an error.
    pub fn may_be_done(&self) -> bool {
        matches!(self, Self::Accepted(_) | Self::InDoubt(_) | Self::Log(LogError::InPart { .. }))
    }

    /// For one more of those who waited for the same.
    pub(crate) fn for_another(&self) -> Self {
        match self {
            Self::Accepted(why) => Self::Accepted(why.clone()),
            Self::InDoubt(why) => Self::InDoubt(why.clone()),
            Self::Log(why) => Self::Log(why.clone()),
            Self::WentBack => Self::WentBack,
            Self::Guard(why) => Self::Guard(why),
            Self::Unreadable(what) => Self::Unreadable(what),
            Self::Refused(refusal) => Self::Refused(*refusal),
            Self::OutOfReach | Self::Engine(_) => Self::OutOfReach,
            Self::Migration(_) | Self::Url | Self::Closing => Self::Closing,
        }
    }
}

/// The result of a storage call.
pub type Result<T, E = LedgerError> = std::result::Result<T, E>;

/// The ledger of one installation. Cloning shares it.
#[derive(Clone)]
pub struct Ledger {
    engine: Engine,
    group: group_commit::GroupSender,
    lookups: LookupQueue,
    shared: Arc<LedgerShared>,
}

impl Ledger {
    /// Opens the ledger at a URL (`sqlite:PATH` or `postgres://…`), creating or updating its schema. Needs a
    /// tokio runtime, where it keeps one task for grouped writes. A ledger that has a revocation log cannot revoke
    /// when it is opened without it.
    pub async fn open(url: &str) -> Result<Self> {
        Self::open_sharing(url, Patience::Command, LedgerShared::with(None)).await
    }

    /// Opens the ledger with its revocation log, and does again whatever the log says and the ledger lacks because it
    /// was restored from a backup. A ledger that never had a log begins one.
    ///
    /// # Errors
    /// [`LedgerError::Log`] when the log is missing, another's, or tells another story.
    pub async fn open_with(
        url: &str,
        place: &LogPlace<'_>,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Self> {
        Self::open_patiently(url, Patience::Command, place, now, entropy).await
    }

    /// Opens the ledger as [`Ledger::open_with`] does, waiting for the database as long as `patience` allows.
    ///
    /// # Errors
    /// As [`Ledger::open_with`].
    pub async fn open_patiently(
        url: &str,
        patience: Patience,
        place: &LogPlace<'_>,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Self> {
        let log = RevocationLog::at(place);
        let ledger = Self::open_sharing(url, patience, LedgerShared::with(Some(log))).await?;
        if let Some(log) = &ledger.shared.log {
            ledger.join_log(log, now, entropy).await?;
        }
        Ok(ledger)
    }

    /// Opens the ledger to look at it and its revocation log as they are, without bringing the two together.
    pub async fn open_beside(url: &str, place: &LogPlace<'_>) -> Result<Self> {
        Self::open_sharing(url, Patience::Command, LedgerShared::with(Some(RevocationLog::at(place)))).await
    }

    /// Opens a ledger whose revocation log is lost, and begins a new log with all that the ledger knows.
    ///
    /// # Errors
    /// [`LogError::Exists`] when there is a file at the place of the log.
    pub async fn open_with_new_log(
        url: &str,
        place: &LogPlace<'_>,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Self> {
        let ledger = Self::open_sharing(url, Patience::Command, LedgerShared::with(None)).await?;
        ledger.forget_log(&RevocationLog::at(place), now).await?;
        ledger.close().await;
        Self::open_with(url, place, now, entropy).await
    }

    async fn open_sharing(url: &str, patience: Patience, shared: Arc<LedgerShared>) -> Result<Self> {
        let engine = Engine::open(url, patience).await?;
        engine.migrate().await?;
        let group = group_commit::start(engine.clone(), shared.clone());
        let lookups = LookupQueue::start(engine.clone());
        let ledger = Self { engine, group, lookups, shared };
        ledger.identify_keys().await?;
        Ok(ledger)
    }

    /// Waits for the connections to come home. Without it a process that ends is still safe.
    pub async fn close(&self) {
        self.engine.close().await;
    }
}
