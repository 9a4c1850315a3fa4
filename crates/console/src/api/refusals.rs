//! Refusals that operations have in common.

use tegata_core::Refusal;

/// What whoever has to be signed in may be answered.
pub(crate) const SIGNED_IN: &[Refusal] = &[Refusal::NotADevice, Refusal::SignInNeeded];

/// What whoever does something may be answered.
pub(crate) const ACTING: &[Refusal] = &[Refusal::RoleMayNot, Refusal::ReasonMissing];

/// What whoever changes something may be answered.
pub(crate) const CHANGING: &[Refusal] = &[Refusal::FormOutdated];
