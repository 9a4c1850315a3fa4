//! The ledger: the only crate that speaks SQL, and the only one that knows which engine it is.
//!
//! - Reads are methods of [`Ledger`], and of what is left of it for somebody: [`ScopedLedger`] shows a tenant its own rows,
//!   [`ServiceLedger`] is what serves tenants.
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
mod authorization;
mod certificate;
mod check_report;
mod client;
mod commits;
mod copy_alarm;
mod credential;
mod crl;
mod delegated_signer;
mod device;
mod device_change;
mod device_page;
mod device_site;
mod engine;
mod entrance;
mod error;
mod expiry;
mod feed;
mod figures;
mod group_commit;
mod guess;
mod guidance;
mod hash_chain;
mod head;
mod history;
mod inspection;
mod invitation;
mod invitation_batch;
mod invitation_list;
mod isolation;
mod issuer;
mod kept_answer;
mod key;
mod kitting;
mod ledger;
mod license;
mod logout_notice;
mod lookup;
mod loss_report;
mod mail;
mod notice_recipient;
mod on_file;
mod pass;
mod passkey;
mod people_policy;
mod person;
mod person_review;
mod place;
mod policy;
mod receipt;
mod receiver;
mod refresh_token_family;
mod refusal_hour;
mod refusals;
mod registrar;
mod renaming;
mod renewal_rules;
mod replay;
mod reselection;
mod responder;
mod revocation_log;
mod rows;
mod saved_view;
mod scep;
mod scim_token;
mod scope;
mod search;
mod server;
mod service_ledger;
mod session;
mod sighting;
mod status;
mod status_list;
mod tenant;
mod tenant_tables;
mod token;
mod token_key;
mod trail;
mod transaction;
mod transaction_author;
mod transfer;
mod why;

pub use acme::{
    AcmeAccount, AcmeIdentifier, AcmeOrder, AcmeState, AuthorizationState, NewAcmeAccount, NewAcmeOrder,
    UseNonce,
};
pub use actor::Actor;
pub use approval::{Approval, ApprovalState, NewApproval};
pub use audit::{
    AuditChain, AuditEntry, AuditFault, AuditGap, AuditLink, AuditNote, AuditRetention, TokenDay,
};
pub use authorization::{
    CodeGrant, CodeRedemption, GrantCode, GrantedPerson, KnownCode, PendingRequest, REQUESTS_OF_A_CLIENT,
    RedeemCode, SpendCode, StoredRequest,
};
pub use certificate::{
    Certificate, DueRenewal, EndedCertificate, HeldCertificate, IssuanceRight, Lineage, ReserveSerial,
    RevocationEffect, SerialStatus, SiteProgress, StoreCertificate, TakenOver,
};
pub use client::{InitialToken, NewClient, NewInitialToken, RemovedClient, StoredClient};
pub use commits::{COMMIT_BOUNDS, CommitCounts};
pub use copy_alarm::CopyAlarm;
pub use credential::{
    EmergencyCode, NewCredential, OpenSetup, ProvedPassword, SignInCandidate, SignInPerson,
};
pub use crl::{CrlShard, PublishedCrl, StoredCrl};
pub use device::{Device, DeviceAction, DeviceFilter, ListedDevice};
pub use device_change::{ChangeAuthor, DeviceChange};
pub use device_page::{DeviceCursor, DevicePage, DeviceSort, LedgerDevice};
pub use engine::{Patience, Replication, RowSecurity};
pub use entrance::{DeviceEntrance, EntranceCursor, EntrancePage, EntranceSpell};
pub use error::{LedgerError, Result};
pub use expiry::ExpiryWeeks;
pub use figures::{FleetCount, PlaceCounts, RenewalWeek};
pub use group_commit::Operation;
pub use guess::{GUESS_SLOTS, WrongGuesses};
pub use history::member_of;
pub use inspection::{
    ChainHeads, FiledCertificate, FiledDevice, FiledEvent, FiledResponder, FiledTenant, FiledTokens,
    Inspection, LatestTime, Orphan, Suspicious,
};
pub use invitation::{Invitation, InvitationState, NewInvitation};
pub use invitation_batch::{InvitationBatch, InvitationProgress, SentInvitation};
pub use invitation_list::{
    InvitationLine, InvitationList, InvitedHolder, LineOutcome, LineRefusal, NewInvitationLine,
    NewInvitationList,
};
pub use isolation::{TableRows, TenantCrossing, TenantIsolation};
pub use issuer::{IssuerKind, IssuerState, StoredIssuer};
pub use kept_answer::{AnsweredCaller, KeptAnswer};
pub use key::BlockedKey;
pub use kitting::{Kitting, KittingPlace, NewKitting, TakePlace};
pub use ledger::Ledger;
pub use license::License;
pub use logout_notice::{
    LOGOUT_PATIENCE, LOGOUTS_OF_A_CLIENT, LogoutNotice, LogoutOutcome, LogoutReceiver, NoteLogout,
};
pub use loss_report::{LossReport, LossReports, REPORTS_A_DAY, SiteDevice};
pub use mail::{Mail, MailCounts, MailKind, MailOutcome, MailState, NewMail, NotedSteps, RenewalNotice};
pub use notice_recipient::NoticeRecipient;
pub use on_file::OnFile;
pub use pass::{LeavePasses, PassLease, PassOutcome, PassState, ReportPasses};
pub use passkey::{
    NewPersonPasskey, PASSKEYS_OF_A_PERSON, Passkey, PasskeyCandidate, PasskeyUse, UsedChallenge,
};
pub use people_policy::PeoplePolicy;
pub use person::{
    BreakGlass, ExternalKeyUpdate, NewPerson, NewPersonLink, PeopleFilter, PeoplePage, Person, PersonLink,
    PersonSite, PersonState, PersonUpdate, SiteMember, SuspendedUnused,
};
pub use person_review::{PersonReview, ReviewAnswer, ReviewEffect, ReviewRound, ReviewedPerson};
pub use place::LedgerPlace;
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
pub use refusal_hour::RefusalHour;
pub use refusals::RefusalNote;
pub use registrar::{NewRegistrar, StoredRegistrar};
pub use reselection::AnnouncedReselection;
pub use responder::StoredResponder;
pub use revocation_log::{LogError, LogPlace, LogReport};
pub use saved_view::SavedView;
pub use scep::ScepTransaction;
pub use scim_token::{NewScimToken, ScimToken};
pub use scope::{Principal, Scope, ScopedLedger, ScopedTransaction, TenantScope};
pub use search::{DeviceSearch, FoundDevice, FoundDevices, FoundPerson, MatchedBy};
pub use server::{FORGOTTEN, RegisteredServer, SIGN_OF_LIFE};
pub use service_ledger::{ServiceLedger, ServiceOperation, ServiceTransaction};
pub use session::{
    ActingPerson, ListedSession, LiveSession, ProofTime, ProviderLogout, ProviderSession, ProviderUse,
    SecondFactorUse, StartSession, StartedSession,
};
pub use status::{CertificateHolder, Freshness, Outdated, STATUS_STALENESS, StatusCache};
pub use status_list::{StatusHead, StatusPlace};
pub use tenant::{
    CreatesPeople, DirectorySite, SignInAccounts, SignInPolicy, Site, Tenant, TenantAction, TenantIssuers,
};
pub use token::IssuedToken;
pub use token_key::StoredTokenKey;
pub use trail::{TrailEntries, TrailPage};
pub use transaction::Transaction;
pub use transaction_author::{AuthorFuture, AuthoredTransaction, TransactionAuthor};
pub use transfer::{
    ClientForecast, DeclinedTransfer, DeviceForecast, GivenApproval, Handover, NewTransfer,
    NewTransferApproval, PersonForecast, PresentAtSites, ReceivedForecast, ReceivedPerson, ReceivedSite,
    SeenForecast, SiteForecast, Transfer, TransferForecast, TransferHold, TransferProblem, TransferResult,
    TransferRevision, TransferSiteState, TransferStep, TransferTiming, TransferredDevice, TransferredPerson,
    TransferredSite,
};
pub use why::{NotedRefusal, WhyAnswer};

use error::changed_one;
