//! Reads a leaked private key in any common form, so that it can be blocked.

use rustls_pki_types::PrivatePkcs8KeyDer;

/// The DER `SubjectPublicKeyInfo` of an unencrypted PKCS#8 private key: P-256, P-384, RSA or Ed25519. Nothing for
/// anything else.
pub fn public_key_of_private(pkcs8: &[u8]) -> Option<Vec<u8>> {
    use rcgen::PublicKeyData;
    let key = rcgen::KeyPair::try_from(&PrivatePkcs8KeyDer::from(pkcs8)).ok()?;
    Some(key.subject_public_key_info())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_found_private_key_names_its_public_key() {
        for algorithm in
            [&rcgen::PKCS_ECDSA_P256_SHA256, &rcgen::PKCS_ECDSA_P384_SHA384, &rcgen::PKCS_ED25519]
        {
            let key = rcgen::KeyPair::generate_for(algorithm).unwrap();
            let certificate = rcgen::CertificateParams::default().self_signed(&key).unwrap();
            let (_, parsed) = x509_parser::parse_x509_certificate(certificate.der()).unwrap();
            assert_eq!(public_key_of_private(key.serialized_der()).unwrap(), parsed.public_key().raw);
        }
        assert_eq!(public_key_of_private(b"no key"), None);
    }
}
