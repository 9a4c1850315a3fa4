//! What a program may do with a token: one scope for each act that the console's API has.
//!
//! A token narrows and never widens: whoever presents one does what its scopes name, as far as the person reaches for whom the
//! program acts.

use super::Act;

macro_rules! scopes {
    ($($name:ident $word:literal $act:ident;)*) => {
        /// A scope of the console's API.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        pub enum ConsoleScope { $(#[doc = concat!("`", $word, "`.")] $name),* }

        impl ConsoleScope {
            /// All of them, in the order of the acts.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// How tokens and requests for them write it (RFC 6749 section 3.3).
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $word),* }
            }

            /// The act that it lets a program do.
            pub const fn act(self) -> Act {
                match self { $(Self::$name => Act::$act),* }
            }
        }
    };
}

#[rustfmt::skip]
scopes! {
    ReadDevices       "console.devices:read"         SeeDevices;
    SuspendDevices    "console.devices:suspend"      SuspendDevice;
    ResumeDevices     "console.devices:resume"       ResumeDevice;
    RevokeDevices     "console.devices:revoke"       RevokeDevice;
    AssignDevices     "console.devices:assign"       AssignDevice;
    InviteDevices     "console.invitations"          InviteDevice;
    DecideApprovals   "console.approvals"            DecideApproval;
    ReadPeople        "console.people:read"          SeePeople;
    ReadAudit         "console.audit:read"           ReadAudit;
    ReadHealth        "console.health:read"          SeeHealth;
    KeepContracts     "console.contracts"            AddTenant;
}

impl ConsoleScope {
    /// The scopes among the words of a token; others are another product's.
    pub fn of(scope: &str) -> impl Iterator<Item = Self> {
        scope.split(' ').filter_map(|word| Self::ALL.iter().copied().find(|known| known.as_str() == word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn each_scope_has_one_act_and_words_that_mean_nothing_here_give_none() {
        let acts: HashSet<_> = ConsoleScope::ALL.iter().map(|scope| scope.act()).collect();
        assert_eq!(acts.len(), ConsoleScope::ALL.len(), "no act by two scopes");
        let read: Vec<_> = ConsoleScope::of("openid console.devices:read console.devices").collect();
        assert_eq!(read, [ConsoleScope::ReadDevices]);
        assert_eq!(ConsoleScope::of("").count(), 0);
    }
}
