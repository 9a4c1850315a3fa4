//! The table: how far each role reaches with each act.

use super::{PersonRole, Reach};

macro_rules! acts {
    ($($(#[$doc:meta])* $name:ident $word:literal $staff:ident $manager:ident $admin:ident $support:ident $lead:ident
       $operator:ident $auditor:ident;)*) => {
        /// Something that people do.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum Act { $($(#[$doc])* $name),* }

        impl Act {
            /// All of them, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its name in documents and in JSON.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word),* }
            }

            /// How far a role reaches with it.
            pub const fn reach(self, role: PersonRole) -> Reach {
                let reaches = match self {
                    $(Self::$name => [reach!($staff), reach!($manager), reach!($admin), reach!($support), reach!($lead),
                        reach!($operator), reach!($auditor)]),*
                };
                reaches[role as usize]
            }
        }
    };
}

macro_rules! reach {
    (No) => {
        Reach::Nowhere
    };
    (Own) => {
        Reach::Own
    };
    (Sites) => {
        Reach::Sites
    };
    (Tenant) => {
        Reach::Tenant
    };
    (All) => {
        Reach::Everywhere
    };
}

#[rustfmt::skip]
acts! {
    //                                              staff manager admin support lead operator auditor
    /// See one's own sessions and end them.
    OwnSessions           "own-sessions"            Own   Own    Own    Own  Own  Own  Own;
    /// Stop a device of one's site as lost.
    ReportLoss            "report-loss"             Sites Sites  Tenant No   No   No   No;
    /// See devices and their certificates.
    SeeDevices            "see-devices"             Sites Sites  Tenant All  All  All  All;
    /// Invite a device to enroll.
    InviteDevice          "invite-device"           No    Sites  Tenant All  All  All  No;
    /// Decide on a device that waits for approval.
    DecideApproval        "decide-approval"         No    Sites  Tenant No   All  All  No;
    /// Stop a device for now.
    SuspendDevice         "suspend-device"          No    Sites  Tenant All  All  All  No;
    /// Let a suspended device go on.
    ResumeDevice          "resume-device"           No    No     Tenant All  All  All  No;
    /// Stop a device or a certificate for ever.
    RevokeDevice          "revoke-device"           No    No     Tenant All  All  All  No;
    /// Say who may use a device.
    AssignDevice          "assign-device"           No    Sites  Tenant No   All  All  No;
    /// See people, their roles and their sessions.
    SeePeople             "see-people"              No    Sites  Tenant All  All  All  All;
    /// Add a person to a tenant.
    AddPerson             "add-person"              No    No     Tenant No   All  All  No;
    /// Change the roles or the sites of a person.
    ChangePerson          "change-person"           No    No     Tenant No   All  All  No;
    /// Stop a person for now and sign them out, or let them go on.
    DisablePerson         "disable-person"          No    Sites  Tenant All  All  All  No;
    /// Let a person choose a new password and second factor.
    ResetPerson           "reset-person"            No    No     Tenant No   All  All  No;
    /// Give a code that stands in for a second factor that is not at hand.
    GiveEmergencyCode     "give-emergency-code"     No    No     Tenant No   All  All  No;
    /// Confirm that people still work here.
    ReviewPeople          "review-people"           No    Sites  Tenant No   No   No   No;
    /// Set rules of enrollment.
    SetPolicy             "set-policy"              No    No     Tenant No   All  All  No;
    /// Say whom staff call, and where they go on.
    SetGuidance           "set-guidance"            No    Sites  Tenant All  All  All  No;
    /// Plan, pause or hasten renewals.
    PlanRenewals          "plan-renewals"           No    Sites  Tenant All  All  All  No;
    /// Plan a transfer of business.
    PlanTransfer          "plan-transfer"           No    No     Tenant All  All  All  No;
    /// Approve a transfer of business.
    ApproveTransfer       "approve-transfer"        No    No     Tenant No   All  All  No;
    /// Read the audit log.
    ReadAudit             "read-audit"              No    No     Tenant All  All  All  All;
    /// Take the audit log away as files.
    ExportAudit           "export-audit"            No    No     Tenant No   All  All  All;
    /// See how the installation does: checks, passes, CAs, gates, receivers, refusals.
    SeeHealth             "see-health"              No    No     No     No   All  All  All;
    /// Stop a tenant with all its devices, or let it go on.
    SuspendTenant         "suspend-tenant"          No    No     No     No   All  All  No;
    /// Add tenants and sites.
    AddTenant             "add-tenant"              No    No     No     No   All  All  No;
    /// CAs, keys, products, receivers and everything else of the installation.
    Configure             "configure"               No    No     No     No   No   All  No;
}

impl Act {
    /// Whether the one who decides must be another than the one who asked, or whom it is for (guideline, planning 13:
    /// requester is not approver).
    pub const fn takes_two_people(self) -> bool {
        matches!(
            self,
            Self::DecideApproval
                | Self::ApproveTransfer
                | Self::ChangePerson
                | Self::GiveEmergencyCode
                | Self::ReviewPeople
        )
    }
}
