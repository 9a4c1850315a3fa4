//! The ledger: the only room that speaks SQL, and the only one that knows which engine it is.
//!
//! - Reads are methods of [`Ledger`].
//! - Writes are methods of [`Transaction`], opened with the time: [`Ledger::begin`]. A state change, its audit
//!   entry and its feed event are one transaction. States move by guarded UPDATE, never by read-then-write.
//! - Writes that many wait for (issuing, tokens, receipts) are handed to [`Ledger::group`], which commits all that
//!   arrived while the previous commit was on its way to the disk.
//! - [`Status`] is the memory of the ledger on the token path, kept fresh by the feed.
//!
//! To add a statement: write it once with `$1` parameters that both engines read, in the file of its noun, and
//! let a test in `tests/` use it; every test there runs on both engines.

mod acme;
mod actor;
mod approval;
mod audit;
mod certificate;
mod chain;
mod commits;
mod crl;
mod device;
mod engine;
mod family;
mod feed;
mod group;
mod head;
mod history;
mod inspection;
mod invitation;
mod invitation_list;
mod issuer;
mod key;
mod kitting;
mod licence;
mod loss_report;
mod office;
mod policy;
mod receipt;
mod receiver;
mod registrar;
mod replay;
mod responder;
mod revocation_log;
mod rows;
mod scep;
mod sighting;
mod status;
mod status_list;
mod tenant;
mod token;
mod transaction;

pub use acme::{
    AcmeAccount, AcmeIdentifier, AcmeOrder, AcmeState, AuthorizationState, NewAcmeAccount, NewAcmeOrder,
};
pub use actor::Actor;
pub use approval::{Approval, ApprovalState, NewApproval};
pub use audit::{AuditEntry, AuditFault, Note};
pub use certificate::{
    Certificate, Complete, Due, Ended, Holding, Intent, Lineage, Origin, Revoked, SerialStatus, TakenOver,
};
pub use commits::{COMMIT_BOUNDS, CommitCounts};
pub use crl::{Published, Shard, StoredCrl};
pub use device::{Device, DeviceAction, DeviceFilter, ListedDevice};
pub use family::{Family, FamilyEnd, GrantedToken, RotateFamily, Rotation, StartFamily};
pub use group::Operation;
pub use history::member_of;
pub use inspection::{
    FiledCertificate, FiledDevice, FiledEvent, FiledResponder, FiledTenant, FiledTokens, Heads, Inspection,
    Latest, Orphan, Suspicious,
};
pub use invitation::{Invitation, InvitationState, NewInvitation};
pub use invitation_list::{
    Guest, InvitationLine, InvitationList, LineOutcome, LineRefusal, NewInvitationList, NewLine,
};
pub use issuer::{IssuerKind, IssuerState, StoredIssuer};
pub use key::BlockedKey;
pub use kitting::{Kitting, KittingPlace, NewKitting, TakePlace};
pub use licence::Licence;
pub use loss_report::{LossReport, LossReports, Neighbour, REPORTS_A_DAY};
pub use policy::PolicyPlace;
pub use receipt::{ReceiptRow, Seq};
pub use receiver::{
    Asked, ChangeStream, Changed, Delivery, Ends, Issuance, IssuedPage, Place, ReceiverRow, StreamNotice,
    Take,
};
pub use registrar::{NewRegistrar, StoredRegistrar};
pub use responder::Responder;
pub use revocation_log::{LogError, LogPlace, LogReport};
pub use scep::ScepTransaction;
pub use status::{Facts, Freshness, Status};
pub use status_list::{StatusHead, StatusPlace};
pub use tenant::{Issuing, Site, Tenant, TenantAction};
pub use token::IssuedToken;
pub use transaction::Transaction;

use engine::Engine;
use invitation::Lookups;
use revocation_log::RevocationLog;
use std::sync::Arc;
use tegata_core::{Entropy, Timestamp};
use transaction::Shared;

/// Why the ledger did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum LedgerError {
    /// The engine or the way to it failed: nothing was changed.
    #[error("the ledger cannot be reached or refused a statement: {0}")]
    Engine(#[from] sqlx::Error),
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
        "the ledger is older than it was a moment ago: it was restored beneath this process, which must be started again"
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
            Self::Engine(_) | Self::Closing | Self::Log(_) | Self::WentBack => {
                tegata_core::Refusal::Unavailable
            }
            _ => tegata_core::Refusal::Internal,
        }
    }
}

/// The result of a storage call.
pub type Result<T, E = LedgerError> = std::result::Result<T, E>;

/// The ledger of one installation. Cloning shares it.
#[derive(Clone)]
pub struct Ledger {
    engine: Engine,
    group: group::Sender,
    lookups: Lookups,
    shared: Arc<Shared>,
}

impl Ledger {
    /// Opens the ledger at a URL (`sqlite:PATH` or `postgres://…`), creating or updating its schema. Needs a
    /// tokio runtime, where it keeps one task for grouped writes. A ledger that has a revocation log cannot revoke
    /// when it is opened without it.
    pub async fn open(url: &str) -> Result<Self> {
        Self::open_sharing(url, Shared::with(None)).await
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
        let log = RevocationLog::at(place);
        let ledger = Self::open_sharing(url, Shared::with(Some(log))).await?;
        if let Some(log) = &ledger.shared.log {
            ledger.join_log(log, now, entropy).await?;
        }
        Ok(ledger)
    }

    /// Opens the ledger to look at it and its revocation log as they are, without bringing the two together.
    pub async fn open_beside(url: &str, place: &LogPlace<'_>) -> Result<Self> {
        Self::open_sharing(url, Shared::with(Some(RevocationLog::at(place)))).await
    }

    /// As [`Ledger::open_with`], for a ledger whose log is lost: it begins another, with all that the ledger knows.
    ///
    /// # Errors
    /// [`LogError::Exists`] when there is a file at the place of the log.
    pub async fn open_with_new_log(
        url: &str,
        place: &LogPlace<'_>,
        now: Timestamp,
        entropy: &dyn Entropy,
    ) -> Result<Self> {
        let ledger = Self::open_sharing(url, Shared::with(None)).await?;
        ledger.forget_log(&RevocationLog::at(place), now).await?;
        ledger.close().await;
        Self::open_with(url, place, now, entropy).await
    }

    async fn open_sharing(url: &str, shared: Arc<Shared>) -> Result<Self> {
        let engine = Engine::open(url).await?;
        engine.migrate().await?;
        let group = group::start(engine.clone(), shared.clone());
        let lookups = Lookups::start(engine.clone());
        Ok(Self { engine, group, lookups, shared })
    }

    /// Waits for the connections to come home. Without it a process that ends is still safe.
    pub async fn close(&self) {
        self.engine.close().await;
    }
}
