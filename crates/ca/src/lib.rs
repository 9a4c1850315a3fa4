//! The certificate authority: the only holder of the issuing key.
//!
//! | to learn about | read |
//! |---|---|
//! | keys, opened and sealed | [`keys`], [`secret`] |
//! | creating CAs and server certificates | [`create_ca`] |
//! | issuing CAs, and which serves whom | [`issuer`], [`endpoints`], [`issuing_cas`] |
//! | what certificates look like | [`profile`], [`policy`], [`subject`] |
//! | from a request to a certificate | [`csr`], [`mod@prepare`], [`lint`], [`issuing_ca`], [`audit`] |
//! | what other protocols want besides | [`pkcs7`], [`attributes`], [`scep`], [`registrar`] |
//! | saying what was taken back | [`crl`], [`ocsp`], [`publish`] |
//!
//! What is not fixed here comes as an argument: the time, randomness. Only [`issuing_ca`] and [`publish`] speak to the
//! ledger; everything else is bytes in, bytes out.

pub mod attributes;
pub mod audit;
pub mod create_ca;
pub mod crl;
pub mod csr;
mod delegated_signer;
mod der;
pub mod endpoints;
pub mod issuer;
pub mod issuing_ca;
pub mod issuing_cas;
pub mod keys;
pub mod lint;
pub mod ocsp;
mod oid;
pub mod pkcs7;
pub mod policy;
pub mod prepare;
mod private_key;
pub mod profile;
mod public_key;
pub mod publish;
pub mod registrar;
mod rehearsal;
mod rsa;
pub mod scep;
pub mod secret;
pub mod subject;

#[cfg(test)]
mod tests;

pub use create_ca::{CaName, CreateCaError};
pub use crl::{CrlBuilder, CrlError, CrlReason, RevokedEntry, VerifiedCrl};
pub use csr::ParsedRequest;
pub use endpoints::IssuerEndpoints;
pub use issuer::{Issuer, IssuerError};
pub use issuing_ca::{IssuanceRequest, IssuanceStep, IssueError, IssuedCertificate, IssuingCa, RoleProfiles};
pub use issuing_cas::{IssuerAssignment, IssuerSet};
pub use keys::{CaKey, CaKeyError, DigestKey, LocalKey};
pub use ocsp::{OcspRequest, OcspResponders, OcspResponse, OcspStatus};
pub use prepare::{PrepareError, Prepared, SignedCertificate, prepare};
pub use private_key::public_key_of_private;
pub use profile::{CertificateProfile, ProfileError};
pub use public_key::{KeyType, PublicKey};
pub use publish::PublishError;
pub use registrar::{KeySafe, Registrar, RegistrarError, Registrars};
pub use secret::{UnlockSecret, UnlockSecretError};
pub use subject::CertificateSubject;
