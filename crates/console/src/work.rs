//! What there is to do today: what waits for a decision, what ends, what fails, as far as somebody may see it.
//!
//! It is counted by whoever may read the whole ledger ([`DayWork`]): mails and `tegata digest` say the same.

use crate::health::HealthLookup;
use tegata_core::{Act, Language, SiteId, TenantId, Timestamp};

/// Whose work it is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum WorkScope {
    /// Everybody's, and what servers do.
    Installation,
    /// That of one tenant, with all of its sites.
    Tenant(TenantId),
    /// That of some sites of a tenant.
    Sites(TenantId, Vec<SiteId>),
}

/// Things of one kind.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WorkGroup {
    /// What they have in common, in the reader's language.
    pub title: String,
    /// The things; there is one at least.
    pub items: Vec<WorkItem>,
}

/// One thing of the day.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WorkItem {
    /// A stable word for scripts.
    pub code: &'static str,
    /// How many of them there are.
    pub count: u64,
    /// What there is, in the reader's language.
    pub text: String,
}

/// Whoever counts the work of a day.
pub trait DayWork: Send + Sync {
    /// The work as it stands, without what there is nothing of.
    ///
    /// # Errors
    /// The ledger cannot be read.
    fn groups(
        &self,
        scope: WorkScope,
        language: Language,
        now: Timestamp,
    ) -> HealthLookup<'_, Vec<WorkGroup>>;
}

/// Who may see a number, and the page on which something is done about it.
const SEEN: &[(&str, Act, Option<&str>)] = &[
    ("approvals", Act::DecideApproval, Some("/console/approvals")),
    ("reviews", Act::ReviewPeople, Some("/console/reviews")),
    ("reviews_overdue", Act::ReviewPeople, Some("/console/reviews")),
    ("invitations", Act::InviteDevice, Some("/console/invitations")),
    ("overdue", Act::SeeDevices, Some("/console/devices?due_days=0")),
    ("ending", Act::SeeDevices, Some("/console/devices?due_days=7&lasts_days=0")),
    ("untold", Act::PlanRenewals, None),
    ("bounced", Act::PlanRenewals, None),
    ("mails", Act::SeeHealth, None),
    ("passes", Act::SeeHealth, Some("/console/health")),
    ("receivers", Act::SeeHealth, Some("/console/health")),
];

impl WorkItem {
    fn seen(&self) -> Option<&'static (&'static str, Act, Option<&'static str>)> {
        SEEN.iter().find(|(code, ..)| *code == self.code)
    }

    /// By which act somebody sees it; nobody sees what is not known here.
    pub(crate) fn act(&self) -> Option<Act> {
        self.seen().map(|(_, act, _)| *act)
    }

    /// Where something is done about it.
    pub(crate) fn path(&self) -> Option<&'static str> {
        self.seen().and_then(|(.., path)| *path)
    }
}
