//! A placeholder signature for certificates that are only linted, before the real key signs.

use rustls_pki_types::CertificateDer;

/// No key at all: whatever it is given, its signature is r = s = 1.
///
/// A rehearsed certificate is made to be linted, and only its to-be-signed bytes are kept. A real signature by some
/// throwaway key would say nothing more and cost more than all the rest. This one has the shape that the parsers want
/// and is of no use to a thief: it belongs to no message and no key, except with a probability of 2^-256. It is not
/// r = s = 0, because there were verifiers that believed that of everybody (CVE-2022-21449).
pub(crate) struct Rehearsal;

const SIGNATURE: [u8; 8] = [0x30, 6, 2, 1, 1, 2, 1, 1];

/// The shape of an uncompressed point, for the one certificate that names this "key" as its own.
const POINT: [u8; 65] = {
    let mut point = [0; 65];
    point[0] = 4;
    point
};

impl rcgen::PublicKeyData for Rehearsal {
    fn der_bytes(&self) -> &[u8] {
        &POINT
    }

    fn algorithm(&self) -> &'static rcgen::SignatureAlgorithm {
        &rcgen::PKCS_ECDSA_P256_SHA256
    }
}

impl rcgen::SigningKey for Rehearsal {
    fn sign(&self, _message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(SIGNATURE.to_vec())
    }
}

/// A CA by its name and key identifier, without its key.
pub(crate) fn issuer(certificate: &[u8]) -> Result<rcgen::Issuer<'static, Rehearsal>, rcgen::Error> {
    rcgen::Issuer::from_ca_cert_der(&CertificateDer::from(certificate), Rehearsal)
}
