//! What may be written within a scope.

use super::ScopedLedger;
use super::extent::Scope;
use crate::{
    ActingPerson, Actor, AnsweredCaller, Approval, Device, DeviceAction, DeviceChange, DirectorySite,
    EmergencyCode, KeptAnswer, Ledger, License, Lineage, LossReports, NewInvitation, NewKitting, NewPerson,
    NewPersonLink, NewPersonPasskey, NewScimToken, OnFile, PeopleFilter, PeoplePolicy, Person, PersonUpdate,
    PolicyPlace, ProvedPassword, ProviderLogout, Result, ReviewAnswer, ReviewEffect, RevocationEffect,
    SignInPolicy, Site, SiteMember, StartSession, StartedSession, TenantAction, Transaction,
};
use tegata_core::feed::TokenHolder;
use tegata_core::renewal::RenewalRules;
use tegata_core::{
    ApprovalId, DeviceId, EnrollmentPolicy, ExternalKey, Guidance, InvitationBatchId, InvitationId,
    Justification, KittingId, Name, PasskeyId, PersonId, ReviewId, RevocationReason, ScimSecret, ScimTokenId,
    SessionId, SetupCode, SiteId, StopCause, TenantId, Thumbprint, Timestamp,
};

/// A write transaction that sees and changes the rows of one scope. Dropping it without [`ScopedTransaction::commit`]
/// undoes everything.
pub struct ScopedTransaction(Transaction);

/// Each does what the method of this name does in the whole installation; what belongs to another tenant is not there.
macro_rules! scoped_writes {
    ($($name:ident($($argument:ident: $type:ty),*) -> $output:ty;)*) => {
        impl ScopedLedger {
    /// Opens a write transaction of this scope at a time. Other writers wait until it ends.
    pub async fn begin(&self, now: Timestamp) -> Result<ScopedTransaction> {
        ScopedTransaction::begin(&self.ledger, &self.scope, now).await
    }
}

impl ScopedTransaction {$(
            #[doc = concat!("[`Transaction::", stringify!($name), "`] within the scope.")]
            ///
            /// # Errors
            /// Those of the whole installation; another tenant's things do not exist.
            #[allow(clippy::too_many_arguments)]
            pub async fn $name(&mut self, $($argument: $type),*) -> Result<$output> {
                self.0.$name($($argument),*).await
            }
        )*}
    };
}

scoped_writes! {
    add_site(site: &Site, actor: &Actor) -> ();
    rename_tenant(tenant: &TenantId, name: &Name, actor: &Actor) -> ();
    rename_site(site: &SiteId, name: &Name, actor: &Actor) -> ();
    rename_device(device: &DeviceId, name: &Name, actor: &Actor) -> ();
    move_device_to(device: &DeviceId, site: &SiteId, note: &str, actor: &Actor) -> u64;
    dismiss_copy_alarm(device: &DeviceId, reason: &str, actor: &Actor) -> ();
    set_loss_reports(tenant: &TenantId, wanted: LossReports, actor: &Actor) -> ();
    set_sign_in_policy(tenant: &TenantId, wanted: SignInPolicy, actor: &Actor) -> ();
    set_guidance(place: &PolicyPlace, wanted: &Guidance, actor: &Actor) -> bool;
    policy(place: &PolicyPlace) -> EnrollmentPolicy;
    set_policy(place: &PolicyPlace, policy: &EnrollmentPolicy, actor: &Actor) -> bool;
    renewal_rules_at(place: &PolicyPlace) -> RenewalRules;
    set_renewal_rules(place: &PolicyPlace, rules: &RenewalRules, note: &str, actor: &Actor) -> bool;
    grant_license(license: &License, actor: &Actor) -> bool;
    withdraw_license(license: &License, actor: &Actor) -> bool;
    require_active_tenant(tenant: &TenantId) -> ();
    act_on_tenant(tenant: &TenantId, action: TenantAction, note: &str, actor: &Actor) -> u64;
    deny_tokens(of: &TokenHolder, issued_before: Option<Timestamp>, note: &str, actor: &Actor) -> u64;
    act_on_device(id: &DeviceId, action: DeviceAction, note: &str, actor: &Actor) -> u64;
    act_on_device_because(
        id: &DeviceId, action: DeviceAction, cause: Option<StopCause>, note: &str, actor: &Actor
    ) -> u64;
    device_in_hand(id: &DeviceId) -> Option<Device>;
    note_device_change(change: &DeviceChange) -> ();
    confirm_device_change(event: u64, confirmed: &str) -> ();
    justify_session(session: &SessionId, because: Option<&Justification>, actor: &Actor) -> ();
    approval_in_hand(id: &ApprovalId) -> Option<Approval>;
    answer_before(caller: AnsweredCaller<'_>, key: &str) -> Option<KeptAnswer>;
    save_view(person: &PersonId, name: &Name, query: &str) -> ();
    forget_view(person: &PersonId, name: &str) -> ();
    keep_answer(caller: AnsweredCaller<'_>, key: &str, kept: &KeptAnswer) -> ();
    report_lost(reporter: &DeviceId, device: &DeviceId) -> u64;
    revoke_certificate(
        thumbprint: &Thumbprint, reason: RevocationReason, lineage: Lineage, note: &str, actor: &Actor
    ) -> RevocationEffect;
    revoke_certificate_because(
        thumbprint: &Thumbprint, cause: StopCause, lineage: Lineage, note: &str, actor: &Actor
    ) -> RevocationEffect;
    invite(new: &NewInvitation<'_>, actor: &Actor) -> ();
    set_short_code(id: &InvitationId, hash: &[u8], until: Timestamp, actor: &Actor) -> ();
    withdraw_invitation(id: &InvitationId, actor: &Actor) -> ();
    add_invitation_batch(id: &InvitationBatchId, tenant: &TenantId, name: &Name, actor: &Actor) -> ();
    put_into_batch(invitation: &InvitationId, batch: &InvitationBatchId) -> ();
    take_place_in_batch(new: &InvitationId, former: &InvitationId) -> u64;
    add_kitting(new: &NewKitting<'_>, actor: &Actor) -> ();
    end_kitting(id: &KittingId, actor: &Actor) -> ();
    approve(id: &ApprovalId, actor: &Actor) -> ();
    add_passkey(new: &NewPersonPasskey, by: &SessionId) -> ();
    remove_passkey(person: &PersonId, kept: &SessionId, passkey: &PasskeyId) -> u64;
    change_person(person: &PersonId, change: &PersonUpdate, actor: &Actor) -> u64;
    set_break_glass(person: &PersonId, actor: &Actor) -> ();
    change_password(person: &PersonId, kept: &SessionId, before: &str, password: &str) -> u64;
    change_totp(person: &PersonId, kept: &SessionId, sealed: &[u8], step: i64) -> u64;
    replace_recovery_codes(person: &PersonId, kept: &SessionId, hashes: &[Vec<u8>]) -> u64;
    decline(id: &ApprovalId, reason: &str, actor: &Actor) -> ();
    add_person(new: &NewPerson, actor: &Actor) -> ();
    check_on_file(person: &PersonId, said: &OnFile<'_>, note: &str, actor: &Actor) -> bool;
    disable_person(person: &PersonId, note: &str, actor: &Actor) -> u64;
    enable_person(person: &PersonId, note: &str, actor: &Actor) -> ();
    sign_out_person(person: &PersonId, note: &str, actor: &Actor) -> u64;
    make_setup_link(person: &PersonId, code: &SetupCode, expires_at: Timestamp, actor: &Actor) -> ();
    reset_person(person: &PersonId, code: &SetupCode, expires_at: Timestamp, actor: &Actor) -> u64;
    give_emergency_code(person: &PersonId, code: &EmergencyCode<'_>, actor: &Actor) -> ();
    assign_device(device: &DeviceId, people: &[PersonId], actor: &Actor) -> ();
    disable_even_last(person: &PersonId, note: &str, actor: &Actor) -> u64;
    set_works_at(person: &PersonId, site: &SiteId, works_there: bool, actor: &Actor) -> u64;
    person_in_hand(person: &PersonId) -> Option<Person>;
    people_in_hand(filter: &PeopleFilter) -> Vec<Person>;
    directory_sites_in_hand(tenant: &TenantId) -> Vec<DirectorySite>;
    site_members_in_hand(site: &SiteId) -> Vec<SiteMember>;
    require_scim_token(token: &ScimTokenId) -> ();
    show_in_directory(person: &PersonId, is_shown: bool, actor: &Actor) -> ();
    set_site_key(site: &SiteId, key: Option<&ExternalKey>, actor: &Actor) -> ();
    add_scim_token(new: &NewScimToken, secret: &ScimSecret, actor: &Actor) -> ();
    revoke_scim_token(token: &ScimTokenId, actor: &Actor) -> ();
    use_scim_token(token: &ScimTokenId) -> bool;
    import_password(person: &PersonId, hash: &str, actor: &Actor) -> bool;
    prove_imported_password(proved: &ProvedPassword<'_>) -> ();
    set_people_policy(tenant: &TenantId, policy: &PeoplePolicy, actor: &Actor) -> ();
    answer_review(
        review: &ReviewId, person: &PersonId, answer: ReviewAnswer, by: &PersonId, actor: &Actor
    ) -> ReviewEffect;
    link_person(new: &NewPersonLink, actor: &Actor) -> ();
    unlink_person(person: &PersonId, issuer: &str, actor: &Actor) -> u64;
    end_provider_sessions(logout: &ProviderLogout<'_>, actor: &Actor) -> u64;
    start_session(new: &StartSession) -> StartedSession;
    require_session(person: &PersonId, session: &SessionId) -> ();
    act_as(session: &SessionId, device: &DeviceId, program: Option<&str>) -> ActingPerson;
    end_session(person: &PersonId, session: &SessionId, actor: &Actor) -> ();
    end_other_sessions(person: &PersonId, kept: &SessionId, actor: &Actor) -> u64;
}

impl ScopedTransaction {
    pub(crate) async fn begin(ledger: &Ledger, scope: &Scope, now: Timestamp) -> Result<Self> {
        let mut transaction = ledger.begin(now).await?;
        transaction.narrow(scope).await?;
        Ok(Self(transaction))
    }

    pub(crate) fn inner(&mut self) -> &mut Transaction {
        &mut self.0
    }

    /// The transaction, narrowed as it is, for a statement of this crate.
    pub(crate) fn whole(self) -> Transaction {
        self.0
    }

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
