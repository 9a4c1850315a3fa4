//! The portal's own key vouches for the profiles that it hands out: the device names whom its browser trusts already.

use rustls::sign::{CertifiedKey, SigningKey};
use rustls::{SignatureAlgorithm, SignatureScheme};
use std::sync::Arc;
use tegata_ca::pkcs7::{ContentKey, ContentSignatureAlgorithm, ContentSigner};

/// The signer of profiles. A key that is neither RSA nor P-256 signs none: devices then call the profile unsigned.
pub fn signer(identity: &CertifiedKey) -> Option<ContentSigner> {
    let signer = PortalKey::new(identity.key.clone()).and_then(|key| {
        ContentSigner::new(Box::new(key), identity.cert.iter().map(|der| der.to_vec()).collect())
    });
    if signer.is_none() {
        tracing::warn!(
            "the portal's key is neither RSA nor P-256: profiles for Apple devices are not signed"
        );
    }
    signer
}

struct PortalKey {
    key: Arc<dyn SigningKey>,
    scheme: SignatureScheme,
}

impl PortalKey {
    fn new(key: Arc<dyn SigningKey>) -> Option<Self> {
        let scheme = match key.algorithm() {
            SignatureAlgorithm::RSA => SignatureScheme::RSA_PKCS1_SHA256,
            _ => SignatureScheme::ECDSA_NISTP256_SHA256,
        };
        key.choose_scheme(&[scheme]).is_some().then_some(Self { key, scheme })
    }
}

impl ContentKey for PortalKey {
    fn algorithm(&self) -> ContentSignatureAlgorithm {
        match self.scheme {
            SignatureScheme::RSA_PKCS1_SHA256 => ContentSignatureAlgorithm::Rsa,
            _ => ContentSignatureAlgorithm::Ecdsa,
        }
    }

    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        self.key.choose_scheme(&[self.scheme])?.sign(message).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use std::process::Command;
    use tegata_core::Timestamp;
    use tegata_net::tls::{ServerIdentity, read_pem_identity};

    const NOW: Timestamp = Timestamp::from_seconds(1_795_000_000);

    /// A certificate of its own for a new key that openssl makes.
    fn identity(folder: &Path, key: &[&str]) -> Arc<CertifiedKey> {
        let made =
            ["req", "-x509", "-nodes", "-subj", "/CN=portal", "-keyout", "key.pem", "-out", "cert.pem"];
        openssl(folder, &[&made[..], key].concat());
        let identity = read_pem_identity(&folder.join("cert.pem"), &folder.join("key.pem")).unwrap();
        ServerIdentity::new(identity).unwrap().current()
    }

    fn openssl(folder: &Path, arguments: &[&str]) -> bool {
        Command::new("openssl").args(arguments).current_dir(folder).output().unwrap().status.success()
    }

    #[test]
    fn openssl_believes_what_either_key_signs_and_nothing_changed() {
        for key in [&["-newkey", "rsa:2048"][..], &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]] {
            let folder = tempfile::tempdir().unwrap();
            let signer = signer(&identity(folder.path(), key)).unwrap();
            let mut signed = signer.sign(b"a profile", NOW).unwrap();
            let verifies = |bytes: &[u8]| {
                std::fs::write(folder.path().join("signed"), bytes).unwrap();
                let verify = ["cms", "-verify", "-inform", "DER", "-in", "signed", "-CAfile", "cert.pem"];
                openssl(
                    folder.path(),
                    &[&verify[..], &["-purpose", "any", "-binary", "-out", "out"]].concat(),
                )
            };
            assert!(verifies(&signed));
            assert_eq!(std::fs::read(folder.path().join("out")).unwrap(), b"a profile");
            let at = signed.windows(9).position(|part| part == b"a profile").unwrap();
            signed[at] ^= 1;
            assert!(!verifies(&signed));
        }
    }

    #[test]
    fn a_key_that_devices_do_not_know_signs_nothing() {
        let folder = tempfile::tempdir().unwrap();
        assert!(signer(&identity(folder.path(), &["-newkey", "ed25519"])).is_none());
    }
}
