//! What the operations of the API may refuse, in groups that several of them share.

use tegata_core::Refusal;

/// An invitation that cannot be used, or a code that is none.
pub(crate) const INVITATION: &[Refusal] = &[
    Refusal::InvitationUnknown,
    Refusal::InvitationUsed,
    Refusal::InvitationExpired,
    Refusal::InvitationWithdrawn,
    Refusal::ShortCodeUnknown,
    Refusal::TooManyGuesses,
    Refusal::TooManyLinks,
    Refusal::TenantSuspended,
];

/// Rules of tenant and site that do not admit the device.
pub(crate) const POLICY: &[Refusal] = &[
    Refusal::NetworkNotAllowed,
    Refusal::PlatformNotAllowed,
    Refusal::OutsideHours,
    Refusal::NoPlaceLeft,
    Refusal::ApprovalDeclined,
    Refusal::TooManyWaiting,
];

/// A certificate request that is not taken.
pub(crate) const CSR: &[Refusal] = &[
    Refusal::CsrMalformed,
    Refusal::CsrTooLarge,
    Refusal::KeyNotAllowed,
    Refusal::CsrNotSigned,
    Refusal::KeyReused,
    Refusal::KeyBlocked,
];

/// Nothing is issued for this tenant now.
pub(crate) const ISSUER: &[Refusal] = &[Refusal::NoIssuer, Refusal::TenantBusy];

/// A kitting code that makes no further device.
pub(crate) const KITTING: &[Refusal] = &[
    Refusal::KittingUsedUp,
    Refusal::KittingLabelTaken,
    Refusal::KittingElsewhere,
    Refusal::KittingTooFast,
    Refusal::LabelUnfit,
];

/// A client that may not invite, or not now.
pub(crate) const CLIENT: &[Refusal] =
    &[Refusal::NotThisClient, Refusal::ClientMayNotInvite, Refusal::TenantBusy];

/// A list that the client never sent.
pub(crate) const LIST: &[Refusal] = &[Refusal::ListUnknown];
