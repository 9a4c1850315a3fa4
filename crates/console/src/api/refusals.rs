//! Refusals that operations have in common.

use tegata_core::Refusal;

/// What whoever has to be signed in may be answered.
pub(crate) const SIGNED_IN: &[Refusal] = &[
    Refusal::NotADevice,
    Refusal::SignInNeeded,
    Refusal::TokenMissing,
    Refusal::TokenInvalid,
    Refusal::TokenNotBound,
    Refusal::TokenRevoked,
    Refusal::TokenForAnother,
    Refusal::DpopProofInvalid,
];

/// What whoever does something may be answered.
pub(crate) const ACTING: &[Refusal] =
    &[Refusal::RoleMayNot, Refusal::ReasonMissing, Refusal::ScopeInsufficient, Refusal::PersonNeeded];

/// What whoever changes something may be answered.
pub(crate) const CHANGING: &[Refusal] = &[Refusal::FormOutdated];
