//! The domain types and rules of Tegata.
//!
//! Pure rules and the types that crates exchange: no I/O, no async, no clock, no randomness of
//! its own. Whatever here needs the time takes `now`, whatever needs chance takes an [`Entropy`].
//!
//! | to learn about | read |
//! |---|---|
//! | who is who | [`id`], [`certificate`], [`device`] |
//! | when a certificate may be used | [`certificate::standing`] |
//! | when it is renewed, and who is told | [`renewal`], [`notice`], [`mail_address`] |
//! | what people call things | [`name`], [`spreadsheet`] |
//! | who may enroll a first device | [`policy`] |
//! | when a certificate seems to be in two machines | [`copied_certificate`] |
//! | what people may do, and on which devices | [`access`], [`device_use`], [`login_id`], [`one_time_code`] |
//! | why somebody is refused | [`refusal`] |
//! | what a token says | [`claims`], signed and verified by [`jws`] |
//! | how a request proves whose token it brings | [`dpop`] |
//! | what a gate tells its product | [`assertion`] |
//! | how gates learn of a change | [`feed`] |
//! | how others learn of it | [`security_event`], [`status_list`] |
//! | what a proxy says about its client | [`proxied`], [`header_name`] |
//! | how addresses of servers are written and compared | [`url`] |
//! | what is registered of a client | [`client_registration`], with its certificate by [`subject`] |
//! | what was verified before | [`verified_cache`] |
//! | when two keys are one | [`key_id`] |
//! | what becomes of a business that changes hands | [`transfer`] |
//! | what a passkey proves | [`webauthn`], which reads [`cbor`] |

pub mod access;
pub mod assertion;
pub mod cbor;
pub mod certificate;
pub mod claims;
pub mod client_registration;
pub mod client_sign_in;
pub mod copied_certificate;
pub mod device;
pub mod device_use;
pub mod dpop;
pub mod encoding;
pub mod entropy;
pub mod external_key;
pub mod feed;
pub mod guidance;
pub mod header_name;
pub mod id;
pub mod japan_date;
pub mod jws;
pub mod key_id;
pub mod language;
pub mod login_id;
pub mod mail_address;
pub mod mask;
pub mod name;
pub mod network;
pub mod notice;
pub mod one_time_code;
pub mod policy;
pub mod proxied;
pub mod refusal;
pub mod renewal;
pub mod search;
pub mod security_event;
pub mod short_code;
pub mod spreadsheet;
pub mod status_list;
pub mod stop_cause;
pub mod subject;
pub mod thumbprint;
pub mod timestamp;
pub mod transfer;
pub mod url;
pub mod verified_cache;
pub mod webauthn;

pub use access::{Act, ActTarget, Justification, PersonRole, RoleHolder, Roles};
pub use certificate::{CertificateState, RevocationReason, Serial, Standing};
pub use client_registration::{ClientMetadata, ClientRegistration, UnfitRegistration};
pub use client_sign_in::ClientSignIn;
pub use device::{DeviceState, Role, TenantState};
pub use device_use::{DeviceAssignment, DeviceUse};
pub use entropy::Entropy;
pub use external_key::{ExternalKey, NotAnExternalKey};
pub use guidance::{Contact, Guidance, ProductLink, UnfitGuidance};
pub use id::{
    AcmeAccountId, AcmeOrderId, ApprovalId, AuthorizationCode, DeviceId, FamilyId, InitialAccessToken,
    Installation, InvitationBatchId, InvitationId, InvitationListId, IssuerId, KittingId, MailId, PasskeyId,
    PersonId, RecipientId, RegistrationAccessToken, RequestReference, ReviewId, ScimSecret, ScimTokenId,
    ServerId, SessionId, SetupCode, SiteId, TenantId, TransferId,
};
pub use key_id::KeyId;
pub use language::Language;
pub use login_id::{LoginId, NotALoginId};
pub use mail_address::{MailAddress, NotAMailAddress};
pub use name::{Name, NotAName};
pub use network::{Network, NotANetwork};
pub use notice::{NoticeLevel, NoticeStep};
pub use one_time_code::OneTimeCode;
pub use policy::{EffectivePolicy, EnrollmentPolicy, Platform};
pub use refusal::Refusal;
pub use short_code::ShortCode;
pub use stop_cause::StopCause;
pub use thumbprint::{JwkThumbprint, Thumbprint};
pub use timestamp::{CLOCKS_APART, Clock, Timestamp};
pub use url::{HttpOrigin, HttpUrl, UrlError};
pub use verified_cache::VerifiedCache;
