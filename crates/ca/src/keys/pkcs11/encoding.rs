//! Forms in which tokens give points and signatures, and the ones they have in certificates.

use crate::der::{self, DerReader, tag};

/// `CKA_EC_PARAMS` of P-256: the OBJECT IDENTIFIER prime256v1.
pub(super) const P256: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];

/// Bytes of a coordinate, and of each half of a signature.
const HALF: usize = 32;

/// The uncompressed point in `CKA_EC_POINT`: PKCS#11 2.40 asks for it inside an OCTET STRING, some tokens give it bare.
pub(super) fn point(attribute: &[u8]) -> Option<&[u8]> {
    let is_point = |bytes: &&[u8]| bytes.len() == 2 * HALF + 1 && bytes[0] == 0x04;
    Some(attribute)
        .filter(is_point)
        .or_else(|| DerReader::single(attribute, tag::OCTET_STRING).ok().map(|inside| inside.content))
        .filter(is_point)
}

/// r‖s, as `C_Sign` gives it, as ECDSA-Sig-Value (RFC 5480 appendix A).
pub(super) fn signature(raw: &[u8]) -> Option<Vec<u8>> {
    if raw.len() != 2 * HALF {
        return None;
    }
    let (r, s) = raw.split_at(HALF);
    Some(der::sequence(&[&integer(r), &integer(s)]))
}

/// An INTEGER of the least octets that keep it non-negative.
fn integer(octets: &[u8]) -> Vec<u8> {
    let zeros = octets.iter().take_while(|octet| **octet == 0).count().min(octets.len() - 1);
    let significant = &octets[zeros..];
    let sign: &[u8] = if significant[0] >= 0x80 { &[0] } else { &[] };
    der::element(tag::INTEGER, &[sign, significant])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use ring::rand::SystemRandom;
    use ring::signature::{
        ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair, UnparsedPublicKey,
    };

    #[test]
    fn a_point_is_read_bare_and_wrapped_and_nothing_else_is_one() {
        let bare = [&[0x04][..], &[7; 64]].concat();
        assert_eq!(point(&bare), Some(bare.as_slice()));
        let wrapped = der::element(tag::OCTET_STRING, &[&bare]);
        assert_eq!(point(&wrapped), Some(bare.as_slice()));
        let twice = der::element(tag::OCTET_STRING, &[&wrapped]);
        let compressed = [&[0x02][..], &[7; 32]].concat();
        for wrong in [&[][..], &bare[1..], &wrapped[1..], &twice, &compressed] {
            assert_eq!(point(wrong), None);
        }
    }

    #[test]
    fn verifiers_take_every_signature_that_was_put_into_this_form() {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let pair =
            EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap();
        let public = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, pair.public_key().as_ref());
        // One in 256 has a half that begins with a zero octet.
        for number in 0..2000_u32 {
            let message = number.to_be_bytes();
            let raw = pair.sign(&random, &message).unwrap();
            assert!(public.verify(&message, &signature(raw.as_ref()).unwrap()).is_ok());
        }
    }

    proptest! {
        #[test]
        fn halves_are_shortest_and_never_negative(raw in proptest::collection::vec(any::<u8>(), 64), zeros in 0..=32_usize) {
            let mut raw = raw;
            raw[..zeros].fill(0);
            let encoded = signature(&raw).unwrap();
            let mut reader = DerReader::new(DerReader::single(&encoded, tag::SEQUENCE).unwrap().content);
            for half in raw.chunks(HALF) {
                let content = reader.expect(tag::INTEGER).unwrap().content;
                let padded = [vec![0; (HALF + 1) - content.len()], content.to_vec()].concat();
                prop_assert_eq!(&padded[1..], half);
                prop_assert_eq!(padded[0], 0);
                prop_assert!(content[0] < 0x80);
                prop_assert!(content.len() == 1 || content[0] != 0 || content[1] >= 0x80);
            }
        }

        #[test]
        fn what_has_another_length_is_no_signature(raw in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(signature(&raw).is_some(), raw.len() == 64);
        }
    }
}
