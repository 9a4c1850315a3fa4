//! The roles of people, and which role may give which.

use std::fmt;

macro_rules! roles {
    ($($(#[$doc:meta])* $name:ident $word:literal;)*) => {
        /// What a person is to an installation. One person may be several of them.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum PersonRole { $($(#[$doc])* $name),* }

        impl PersonRole {
            /// All of them, those of a tenant first.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// Its name in the ledger, on the command line and in JSON.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word),* }
            }
        }
    };
}

roles! {
    /// Works at one or more sites.
    Staff "staff";
    /// Answers for one or more sites.
    SiteManager "site-manager";
    /// Answers for a tenant at its head office.
    TenantAdmin "tenant-admin";
    /// Helps tenants, for the vendor.
    Support "support";
    /// Answers for the vendor's support.
    SupportLead "support-lead";
    /// Runs the installation for the vendor.
    Operator "operator";
    /// Reads everything and changes nothing.
    Auditor "auditor";
}

impl PersonRole {
    /// Reads the name that `as_str` writes.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|role| role.as_str() == word)
    }

    /// Whether it belongs to a tenant's own people.
    pub const fn is_of_tenant(self) -> bool {
        matches!(self, Self::Staff | Self::SiteManager | Self::TenantAdmin)
    }

    /// Whether it belongs to the sites a person works at, so that there has to be one.
    pub const fn is_of_sites(self) -> bool {
        matches!(self, Self::Staff | Self::SiteManager)
    }

    /// Whether what it does for tenants needs a reason and a ticket.
    pub const fn is_support(self) -> bool {
        matches!(self, Self::Support | Self::SupportLead)
    }

    /// Whether whoever has this role may act on people who have the other, and give it: never one that may do more.
    pub const fn may_give(self, other: Self) -> bool {
        match self {
            Self::Operator => true,
            Self::SupportLead => other.is_of_tenant() || matches!(other, Self::Support),
            Self::TenantAdmin | Self::Support => other.is_of_tenant(),
            Self::SiteManager => matches!(other, Self::Staff),
            Self::Staff | Self::Auditor => false,
        }
    }
}

impl fmt::Display for PersonRole {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// The roles of one person, each once. Written as their names with spaces between.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Roles(Vec<PersonRole>);

impl Roles {
    /// Sorts the roles and drops repetitions.
    pub fn new(roles: impl IntoIterator<Item = PersonRole>) -> Self {
        let mut roles: Vec<_> = roles.into_iter().collect();
        roles.sort_unstable();
        roles.dedup();
        Self(roles)
    }

    /// Reads names separated by spaces; `None` where one is unknown or there is none: a person without a role may do
    /// nothing.
    pub fn parse(words: &str) -> Option<Self> {
        let roles = words.split_whitespace().map(PersonRole::parse).collect::<Option<Vec<_>>>()?;
        (!roles.is_empty()).then(|| Self::new(roles))
    }

    /// The roles in their order.
    pub fn iter(&self) -> impl Iterator<Item = PersonRole> {
        self.0.iter().copied()
    }

    /// Whether they reach no further than the sites of the person.
    pub fn are_of_sites(&self) -> bool {
        self.iter().all(PersonRole::is_of_sites)
    }
}

impl fmt::Display for Roles {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.iter().map(PersonRole::as_str).collect();
        formatter.write_str(&words.join(" "))
    }
}
