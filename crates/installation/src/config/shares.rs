//! `[shares]`: what tenants may have under way at a server at one time.

use serde::Deserialize;

/// Places of one server for each kind of work. Half of them are anybody's; the tenants that have something under way share the
/// other half. [`docs/operations.md`](../../../../docs/operations.md) says when to change them.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SharesConfig {
    /// Token requests, introspections and revocations.
    pub tokens: u32,
    /// First certificates and renewals.
    pub enrollment: u32,
    /// Requests about lists of invitations.
    pub invitations: u32,
    /// Sign-ins of people with a password.
    pub sign_in: u32,
    /// Requests of directories (SCIM).
    pub provisioning: u32,
}

impl Default for SharesConfig {
    fn default() -> Self {
        Self { tokens: 512, enrollment: 128, invitations: 16, sign_in: 24, provisioning: 16 }
    }
}

/// The section, for the file.
pub(super) const TEMPLATE: &str = "\
# What is under way at one time at each server, so that one tenant cannot starve another: half of the places are\n\
# anybody's, the tenants that want something at the same time share the other half.\n\
# [shares]\n\
# tokens = 512\n\
# enrollment = 128\n\
# invitations = 16\n\
# sign_in = 24\n\
# provisioning = 16";
