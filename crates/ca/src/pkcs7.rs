//! Certificates and CRLs without a signature: the degenerate `SignedData` that signs nothing (RFC 5652 section 5.2),
//! which EST and SCEP hand over; content that is signed, and content in an envelope.
//!
//! What comes from others may be BER: lengths left open and octets in pieces, as programs write that stream. What is
//! written here is DER.

mod ber;
mod enveloped;
mod reading;
mod signed;
mod transport;

#[cfg(test)]
pub(crate) use enveloped::{Algorithms, ContentCipher};
pub(crate) use enveloped::{EnvelopeError, EnvelopedData, seal};
pub(crate) use reading::{ParsedSignedData, SignatureError, SignedAttributes, SignerCertificate};
pub use signed::{ContentKey, ContentSignatureAlgorithm, ContentSigner};
pub(crate) use transport::{KeyTransport, OaepDigest};

use crate::der::{self, tag};
use crate::oid;

/// The `ContentInfo` in DER with these certificates, each DER, and no signature. The certificates are a SET: their order
/// is that of their bytes, whatever it was.
pub fn certs_only(certificates: &[&[u8]]) -> Vec<u8> {
    let mut sorted = certificates.to_vec();
    sorted.sort_unstable();
    sorted.dedup();
    bag(&der::element(tag::constructed(0), &sorted))
}

/// The `ContentInfo` in DER with one revocation list in DER, no certificates and no signature.
pub fn crl_only(crl: &[u8]) -> Vec<u8> {
    bag(&der::element(tag::constructed(1), &[crl]))
}

fn bag(inside: &[u8]) -> Vec<u8> {
    let nothing_signed = der::sequence(&[&der::element(tag::OID, &[oid::PKCS7_DATA])]);
    let none = der::element(tag::SET, &[]);
    let signed_data = der::sequence(&[&der::unsigned(1), &none, &nothing_signed, inside, &none]);
    content_info(&signed_data)
}

fn content_info(signed_data: &[u8]) -> Vec<u8> {
    let content_type = der::element(tag::OID, &[oid::PKCS7_SIGNED_DATA]);
    der::sequence(&[&content_type, &der::element(tag::constructed(0), &[signed_data])])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::fixture::CaWorld;
    use crate::tests::tools::openssl;

    #[test]
    fn openssl_takes_out_what_was_put_in() {
        let world = CaWorld::new();
        let (root, issuing) = (world.root.certificate(), world.issuing.certificate());
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bag.p7");
        for bag in [&[root, issuing][..], &[issuing, root], &[issuing, root, issuing]] {
            let der = certs_only(bag);
            assert!(der::is_der(&der));
            std::fs::write(&file, &der).unwrap();
            let output = openssl(["pkcs7", "-inform", "DER", "-print_certs", "-in", file.to_str().unwrap()]);
            let text = String::from_utf8(output.stdout).unwrap();
            assert_eq!(text.matches("BEGIN CERTIFICATE").count(), 2, "{text}");
            assert_eq!(der, certs_only(&[root, issuing]), "one set, one encoding");
        }
    }
}
