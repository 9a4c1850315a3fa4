//! The ledger as those hold it who serve people and programs of tenants. What it cannot do does not compile.
//!
//! Whoever holds a [`ServiceLedger`] sees a tenant's rows as that tenant ([`ServiceLedger::within`]), and what somebody has shown
//! a right to: an invitation by its code, a certificate by its hash, an order of an account. It lists nothing of other tenants,
//! opens no transaction of the whole installation, and makes no [`Ledger`]. The lists below are what it can do beyond a scope;
//! `tests/promises/scope_classes.rs` says of each by which right.

use crate::{
    AcmeAccount, AcmeOrder, Actor, AnnouncedReselection, Approval, ApprovalState, AuditNote,
    AuthorizationState, Certificate, FamilyEnd, GrantCode, Handover, HeldCertificate, InitialToken,
    Invitation, InvitationLine, InvitationList, IssuedToken, Kitting, KittingPlace, KnownCode, Ledger,
    LiveSession, NewAcmeAccount, NewAcmeOrder, NewApproval, NewClient, NewCredential, NewInvitationList,
    OpenSetup, Operation, PendingRequest, Principal, ReceiptWait, RedeemCode, RefreshTokenFamily,
    RefusalNote, RegisteredServer, RemovedClient, Result, RotateFamily, ScepTransaction, ScimToken,
    ScopedLedger, SerialStatus, SpendCode, StartFamily, StoredClient, StoredCrl, StoredIssuer, StoredRequest,
    TakePlace, TenantScope, Transaction, UseNonce, WrongGuesses,
};
use tegata_core::id::InvitationCode;
use tegata_core::renewal::RenewalRules;
use tegata_core::{
    AcmeAccountId, AcmeOrderId, Act, ApprovalId, DeviceId, FamilyId, Guidance, InvitationId,
    InvitationListId, IssuerId, KittingId, PersonId, ScimSecret, Serial, ServerId, SessionId, SetupCode,
    SiteId, StopCause, TenantId, Thumbprint, Timestamp,
};

/// The ledger without what is about the whole installation. Cloning shares it.
#[derive(Clone)]
pub struct ServiceLedger(Ledger);

/// A write transaction for what somebody has shown a right to. Dropping it without [`ServiceTransaction::commit`] undoes
/// everything.
pub struct ServiceTransaction(Transaction);

/// What a service may hand to the group of writers: each is for a right that was shown, and its statements name it.
pub trait ServiceOperation: Operation {}

impl ServiceOperation for UseNonce {}
impl ServiceOperation for StartFamily {}
impl ServiceOperation for RotateFamily {}
impl ServiceOperation for AuditNote {}
impl ServiceOperation for GrantCode {}
impl ServiceOperation for RedeemCode {}
impl ServiceOperation for SpendCode {}

impl Ledger {
    /// The ledger for who serves tenants.
    pub fn for_services(&self) -> ServiceLedger {
        ServiceLedger(self.clone())
    }
}

/// Each does what the method of this name does.
macro_rules! reads {
    ($of:ident => $($name:ident($($argument:ident: $type:ty),*) -> $output:ty;)*) => {
        impl ServiceLedger {$(
            #[doc = concat!("[`", stringify!($of), "::", stringify!($name), "`].")]
            ///
            /// # Errors
            /// Those of that method.
            pub async fn $name(&self, $($argument: $type),*) -> Result<$output> {
                reads!(@$of self).$name($($argument),*).await
            }
        )*}
    };
    (@Ledger $this:expr) => { $this.0 };
    // The whole ledger's row: what names it was shown.
    (@ScopedLedger $this:expr) => { $this.0.within(Principal::system("service").scope()) };
}

// By a right that was shown, which names the row.
reads! { Ledger =>
    find_invitation(code: &InvitationCode) -> Option<Invitation>;
    find_invitation_by_short_code(hash: &[u8], now: Timestamp) -> Option<Invitation>;
    find_kitting(code: &InvitationCode) -> Option<Kitting>;
    kitting_place_of(id: &KittingId, key_hash: &[u8]) -> Option<(u32, InvitationId)>;
    approval_for(invitation: &InvitationId, key_hash: &[u8]) -> Option<Approval>;
    holding(thumbprint: &Thumbprint) -> Option<HeldCertificate>;
    stop_cause(thumbprint: &Thumbprint) -> Option<StopCause>;
    handover(certificate: &Thumbprint, now: Timestamp) -> Option<Handover>;
    is_licensed(product: &str, tenant: &TenantId, site: &SiteId) -> bool;
    tokens_before(tenant: &TenantId, device: &DeviceId) -> Option<Timestamp>;
    record_token(token: IssuedToken) -> ();
    family(id: &FamilyId) -> Option<RefreshTokenFamily>;
    session_named(session: &SessionId, device: &DeviceId, now: Timestamp) -> Option<LiveSession>;
    authorization_code(hash: &[u8]) -> Option<KnownCode>;
    is_gate(id: &DeviceId) -> bool;
    initial_token(token_hash: &[u8], now: Timestamp) -> Option<InitialToken>;
    client_of_access(id: &str, access_hash: &[u8]) -> Option<StoredClient>;
    acme_account(id: &AcmeAccountId) -> Option<AcmeAccount>;
    acme_account_of(thumbprint: &str) -> Option<AcmeAccount>;
    acme_order(id: &AcmeOrderId) -> Option<AcmeOrder>;
    acme_orders_of(account: &AcmeAccountId, limit: u32) -> Vec<AcmeOrderId>;
    is_acme_certificate_of(account: &AcmeAccountId, certificate: &Thumbprint) -> bool;
    scep_transactions(id: &[u8; 32]) -> Vec<ScepTransaction>;
    invitation_list(client: &str, id: &InvitationListId) -> Option<InvitationList>;
    invitation_lines(client: &str, id: &InvitationListId) -> Vec<InvitationLine>;
    unfinished_lists() -> Vec<(InvitationListId, String)>;
    open_setup(code: &SetupCode, now: Timestamp) -> OpenSetup;
    scim_token(secret: &ScimSecret) -> Option<ScimToken>;
}

// By a ticket, an order, a device or a certificate that was shown.
reads! { ScopedLedger =>
    invitation(id: &InvitationId) -> Option<Invitation>;
    kitting_places(id: &KittingId) -> Vec<KittingPlace>;
    approval(id: &ApprovalId) -> Option<Approval>;
    certificates_of(device: &DeviceId) -> Vec<Certificate>;
    find_certificates(bytes: &[u8]) -> Vec<Certificate>;
    guidance_of(site: &SiteId) -> Guidance;
    renewal_rules_of(site: &SiteId) -> RenewalRules;
}

// Of no tenant: what is public, what servers tell each other, and counters.
reads! { Ledger =>
    issuers() -> Vec<StoredIssuer>;
    crl(issuer: &IssuerId, shard: u16) -> Option<StoredCrl>;
    status_of(issuer: &IssuerId, serial: &Serial) -> Option<SerialStatus>;
    wrong_guesses(kind: &str, period: u64, slots: &[u32; 6]) -> Vec<(u32, u32)>;
    count_wrong_guesses(guesses: WrongGuesses) -> ();
    guess_secret() -> Option<Vec<u8>>;
    keep_guess_secret(secret: [u8; 32], now: Timestamp) -> ();
    note_refusal(note: RefusalNote) -> ();
    servers(now: Timestamp) -> Vec<RegisteredServer>;
    announce_reselection(reselection: AnnouncedReselection, server: &ServerId) -> ();
}

impl ServiceLedger {
    /// The ledger as a tenant sees it.
    pub fn within(&self, scope: TenantScope) -> ScopedLedger {
        self.0.within(scope)
    }

    /// The ledger as far as a person reaches by an act: [`Principal::acting`].
    pub fn reached_by(&self, session: &LiveSession, act: Act) -> ScopedLedger {
        self.0.within(Principal::acting(session, act).scope())
    }

    /// Opens a write transaction for a right that was shown. Other writers wait until it ends.
    ///
    /// # Errors
    /// Those of [`Ledger::begin`].
    pub async fn begin(&self, now: Timestamp) -> Result<ServiceTransaction> {
        self.0.begin(now).await.map(ServiceTransaction)
    }

    /// Hands an operation to the group and waits until it is durable.
    ///
    /// # Errors
    /// Those of the operation.
    pub async fn group<O: ServiceOperation>(&self, operation: O) -> Result<O::Output> {
        self.0.group(operation).await
    }

    /// Who has to confirm what is about to be stopped, as [`ReceiptWait::begin`] says.
    ///
    /// # Errors
    /// The ledger cannot be read.
    pub async fn receipt_wait(&self, now: Timestamp) -> Result<ReceiptWait> {
        ReceiptWait::begin(&self.0, now).await
    }
}

macro_rules! writes {
    ($($name:ident($($argument:ident: $type:ty),*) -> $output:ty;)*) => {
        impl ServiceTransaction {$(
            #[doc = concat!("[`Transaction::", stringify!($name), "`].")]
            ///
            /// # Errors
            /// Those of that method.
            pub async fn $name(&mut self, $($argument: $type),*) -> Result<$output> {
                self.0.$name($($argument),*).await
            }
        )*}
    };
}

writes! {
    take_place(wanted: &TakePlace<'_>) -> u32;
    give_place_back(invitation: &InvitationId) -> bool;
    ask_approval(new: &NewApproval, actor: &Actor) -> ApprovalState;
    pass_approval_on(id: &ApprovalId, key_hash: &[u8; 32], request: &[u8], actor: &Actor) -> ();
    mark_delivered(thumbprint: &Thumbprint, actor: &Actor) -> bool;
    end_family(id: &FamilyId, device: &DeviceId, end: FamilyEnd, actor: &Actor) -> Option<u64>;
    end_session_on(device: &DeviceId, session: &str) -> bool;
    keep_request(new: &PendingRequest) -> ();
    take_request(name_hash: &[u8], device: &DeviceId) -> Option<StoredRequest>;
    take_pushed_request(name_hash: &[u8], client: &str) -> Option<StoredRequest>;
    register_client(token_hash: &[u8], new: &NewClient) -> ();
    change_client(id: &str, registration: &serde_json::Value, actor: &Actor) -> ();
    remove_client(id: &str, actor: &Actor) -> RemovedClient;
    deny_token(jti: &str, until: Timestamp, device: Option<&DeviceId>, actor: &Actor) -> Option<u64>;
    add_acme_account(new: &NewAcmeAccount) -> ();
    keep_acme_account(account: &AcmeAccount) -> ();
    change_acme_key(account: &AcmeAccount, thumbprint: &str, jwk: &str) -> ();
    close_acme_account(account: &AcmeAccount) -> ();
    add_acme_order(account: &AcmeAccountId, new: &NewAcmeOrder, actor: &Actor) -> ();
    authorize_acme_order(order: &AcmeOrderId, attested_key: Option<&[u8; 32]>, actor: &Actor) -> ();
    end_acme_order(order: &AcmeOrderId, authorization: AuthorizationState, actor: &Actor) -> ();
    take_acme_order(order: &AcmeOrderId, key_hash: &[u8; 32], actor: &Actor) -> ();
    release_acme_order(order: &AcmeOrderId, key_hash: &[u8; 32], actor: &Actor) -> ();
    complete_acme_order(order: &AcmeOrderId, certificate: &Thumbprint, device: &DeviceId) -> ();
    keep_scep_transaction(id: &[u8; 32], holder: &str, public_key: &[u8]) -> ();
    receive_list(new: &NewInvitationList<'_>) -> InvitationListId;
    hand_list_over(id: &InvitationListId, client: &str) -> ();
    withdraw_list(id: &InvitationListId, client: &str) -> u64;
    work_off_list(
        id: &InvitationListId, client: &str, most: u32, fresh: &(dyn Fn() -> (InvitationId, InvitationCode) + Sync)
    ) -> bool;
    set_up_person(code: &SetupCode, chosen: &NewCredential) -> PersonId;
}

impl ServiceTransaction {
    /// The time of the transaction.
    pub fn now(&self) -> Timestamp {
        self.0.now()
    }

    /// Makes it durable, as [`Transaction::commit`] does.
    ///
    /// # Errors
    /// Nothing was changed, unless [`LedgerError::may_be_done`](crate::LedgerError::may_be_done) says otherwise.
    pub async fn commit(self) -> Result<()> {
        self.0.commit().await
    }
}
