//! Clock-driven work: what is done again and again, when, and by which of several servers.
//!
//! Something to do is a [`Pass`]: it has no input but time and is idempotent, so that it may be broken off anywhere and done again,
//! here or on another server. A [`Scheduler`] runs each pass of a server at its period, gives up a run that takes too long, lets none
//! of them stop another, keeps the leases of those that one server does at a time, and says in the ledger what became of them.
//!
//! What a pass does is no matter of this crate, apart from those that need the ledger alone: [`RenewalPass`],
//! [`AuditRetentionPass`], [`PeoplePass`], [`SearchIndexPass`], [`TrailIndexPass`], [`TransferPass`], and those that write and send mail: [`NoticePass`], [`DigestPass`],
//! [`MailPass`], [`BouncePass`].

mod audit_retention;
mod beat;
mod bounce_pass;
mod digest;
mod digest_pass;
mod driver;
mod environment;
mod leases;
mod mail_pass;
mod mail_writer;
mod notices;
mod overview;
mod pass;
mod people;
mod plan;
mod reader;
mod records;
mod renewal;
mod run;
mod scheduler;
mod search_index;
mod trail_index;
mod transfer;

pub use audit_retention::AuditRetentionPass;
pub use bounce_pass::BouncePass;
pub use digest::{Digest, DigestScope};
pub use digest_pass::DigestPass;
pub use environment::PassObserver;
pub use leases::LEASE;
pub use mail_pass::{MailPass, MailRound};
pub use mail_writer::MailWriter;
pub use notices::{NoticePass, NoticeRound};
pub use overview::{PassCondition, PassOverview, overview};
pub use pass::{Lease, Pass, PassError, PassFuture, PassReport, Schedule};
pub use people::{PeoplePass, PeopleRound};
pub use plan::{DueCounts, PlannedCertificate, plan};
pub use renewal::{RenewalPass, RetirementReport, due, due_counts, retire};
pub use scheduler::{Scheduler, SchedulerContext};
pub use search_index::SearchIndexPass;
pub use trail_index::TrailIndexPass;
pub use transfer::{DISTRUST, TransferPass, TransferRound};
