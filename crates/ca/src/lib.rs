//! The certificate authority: the only holder of the issuing key.
//!
//! | to learn about | read |
//! |---|---|
//! | keys in use and at rest | [`keys`], [`secret`] |
//! | creating CAs and server certificates | [`authority`] |
//! | a CA at work | [`issuer`], [`endpoints`] |
//! | what certificates look like | [`profile`], [`subject`] |
//! | from a request to a certificate | [`csr`], [`mod@prepare`], [`lint`] |
//! | saying what was taken back | [`crl`], [`ocsp`] |
//!
//! What is not fixed here comes as an argument: the time, randomness, the ledger's answers.

pub mod authority;
pub mod crl;
pub mod csr;
mod der;
pub mod endpoints;
pub mod issuer;
pub mod keys;
pub mod lint;
pub mod ocsp;
mod oid;
pub mod prepare;
pub mod profile;
pub mod secret;
pub mod subject;

#[cfg(test)]
mod tests;

pub use authority::{AuthorityError, AuthorityName};
pub use crl::{Crl, CrlError, CrlReason, Revoked};
pub use csr::{KeyType, ParsedRequest};
pub use endpoints::Endpoints;
pub use issuer::{Issuer, IssuerError};
pub use keys::{KeyError, LocalKey, Signer};
pub use ocsp::{OcspRequest, OcspStatus};
pub use prepare::{IssueError, Prepared, SignedCertificate, prepare};
pub use profile::{Profile, ProfileError};
pub use secret::{Secret, SecretError};
pub use subject::Holder;
