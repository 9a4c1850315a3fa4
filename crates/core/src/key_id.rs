//! What makes two public keys one and the same: that one private key serves both.
//!
//! A `SubjectPublicKeyInfo` says more than that. Whoever factored an RSA modulus has the private key for every exponent, and
//! the negative of a point on a curve belongs to the negative of the same secret. So RSA keys are compared by their modulus and
//! points by their x (Ed25519: y) on their curve.

use ring::digest::{Context, SHA256};

/// SHA-256 over what identifies a public key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct KeyId([u8; 32]);

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const SEQUENCE: u8 = 0x30;
/// `[0]`, the version of a certificate.
const VERSION: u8 = 0xa0;

const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
const RSASSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0a];
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];

impl KeyId {
    /// Of a `SubjectPublicKeyInfo` in DER (RFC 5280 section 4.1). Nothing for what is none, or of a kind whose keys are only
    /// equal when they are equal octet by octet.
    pub fn of_public_key(info: &[u8]) -> Option<Self> {
        let (info, []) = element(info, SEQUENCE)? else { return None };
        let (algorithm, rest) = element(info, SEQUENCE)?;
        let (key, []) = element(rest, BIT_STRING)? else { return None };
        let [0, key @ ..] = key else { return None };
        let (oid, parameters) =
            first(algorithm).filter(|((tag, _), _)| *tag == 0x06).map(|((_, oid), rest)| (oid, rest))?;
        match oid {
            RSA | RSASSA_PSS => {
                let (key, []) = element(key, SEQUENCE)? else { return None };
                let (modulus, _) = element(key, INTEGER)?;
                Some(Self::new(&[b"rsa", plain(modulus)]))
            }
            // The parameters name the curve.
            EC => Some(Self::new(&[b"ec", parameters, x_of(key)?])),
            ED25519 => {
                let mut y: [u8; 32] = key.try_into().ok()?;
                // The highest bit is the sign of x.
                y[31] &= 0x7f;
                Some(Self::new(&[b"ed25519", &y]))
            }
            _ => None,
        }
    }

    /// Of the key in a `TBSCertificate` in DER.
    pub fn of_tbs_certificate(tbs: &[u8]) -> Option<Self> {
        let (mut rest, []) = element(tbs, SEQUENCE)? else { return None };
        if let Some((_, after)) = element(rest, VERSION) {
            rest = after;
        }
        // Serial number, signature, issuer, validity, subject.
        for tag in [INTEGER, SEQUENCE, SEQUENCE, SEQUENCE, SEQUENCE] {
            (_, rest) = element(rest, tag)?;
        }
        let (_, after) = element(rest, SEQUENCE)?;
        Self::of_public_key(&rest[..rest.len() - after.len()])
    }

    /// The 32 bytes under which the ledger stores it.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Each part is preceded by its length, so that no two keys are made of the same octets.
    fn new(parts: &[&[u8]]) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(b"tegata key id\0");
        for part in parts {
            context.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(part);
        }
        let mut id = [0; 32];
        id.copy_from_slice(context.finish().as_ref());
        Self(id)
    }
}

/// The x of a point, compressed or not (SEC 1 section 2.3.3; the hybrid form too).
fn x_of(point: &[u8]) -> Option<&[u8]> {
    match point {
        [2 | 3, x @ ..] => Some(x),
        [4 | 6 | 7, both @ ..] if both.len() % 2 == 0 => Some(&both[..both.len() / 2]),
        _ => None,
    }
}

/// Without zeros in front.
fn plain(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|octet| **octet == 0).count();
    &number[zeros..]
}

/// The content of the element that the octets begin with, if it has this tag, and what comes after it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    first(der).filter(|((found, _), _)| *found == tag).map(|((_, content), rest)| (content, rest))
}

/// The tag of an element and its content.
type DerElement<'a> = (u8, &'a [u8]);

/// The first element, and what comes after it.
fn first(der: &[u8]) -> Option<(DerElement<'_>, &[u8])> {
    let [tag, octet, rest @ ..] = der else { return None };
    let (length, rest) = match octet {
        0..=0x7f => (usize::from(*octet), rest),
        0x81..=0x84 => {
            let (length, rest) = rest.split_at_checked(usize::from(octet & 0x7f))?;
            (length.iter().fold(0, |sum, next| sum << 8 | usize::from(*next)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some(((*tag, content), rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        let length = u16::try_from(content.len()).unwrap().to_be_bytes();
        [&[tag, 0x82], &length[..], &content].concat()
    }

    fn info(oid: &[u8], parameters: &[u8], key: &[u8]) -> Vec<u8> {
        let algorithm = der(SEQUENCE, &[&der(0x06, &[oid]), parameters]);
        der(SEQUENCE, &[&algorithm, &der(BIT_STRING, &[&[0], key])])
    }

    fn rsa(modulus: &[u8], exponent: &[u8]) -> Vec<u8> {
        let key = der(SEQUENCE, &[&der(INTEGER, &[modulus]), &der(INTEGER, &[exponent])]);
        info(RSA, &[5, 0], &key)
    }

    fn ec(curve: u8, point: &[u8]) -> Vec<u8> {
        info(EC, &[6, 1, curve], point)
    }

    #[test]
    fn keys_that_one_secret_serves_are_one() {
        let id = |info: &[u8]| KeyId::of_public_key(info).unwrap();
        assert_eq!(id(&rsa(&[0, 0xc5, 7], &[1, 0, 1])), id(&rsa(&[0xc5, 7], &[1, 0, 3])));
        let [x, y, negated] = [[7; 32], [8; 32], [9; 32]];
        let whole = |y: &[u8]| [&[4], &x[..], y].concat();
        assert_eq!(id(&ec(7, &whole(&y))), id(&ec(7, &whole(&negated))));
        assert_eq!(id(&ec(7, &whole(&y))), id(&ec(7, &[&[3], &x[..]].concat())));
        let (even, odd) = ([7; 32], {
            let mut odd = [7; 32];
            odd[31] |= 0x80;
            odd
        });
        assert_eq!(id(&info(ED25519, &[], &even)), id(&info(ED25519, &[], &odd)));
        let others = [
            rsa(&[0xc5, 9], &[1, 0, 1]),
            ec(7, &whole(&y)),
            ec(8, &whole(&y)),
            ec(7, &[&[4], &y[..], &x].concat()),
            info(ED25519, &[], &x),
        ];
        let ids: std::collections::HashSet<_> = others.iter().map(|info| id(info)).collect();
        assert_eq!(ids.len(), others.len(), "keys of other secrets, curves and kinds are others");
    }

    #[test]
    fn a_certificate_has_the_id_of_its_key() {
        let key = rsa(&[0xc5, 7], &[1, 0, 1]);
        let empty = der(SEQUENCE, &[]);
        let fields =
            [&der(INTEGER, &[&[1]])[..], &empty, &empty, &empty, &empty, &key, &der(0xa3, &[])].concat();
        let version = der(VERSION, &[&der(INTEGER, &[&[2]])]);
        for tbs in [der(SEQUENCE, &[&version, &fields]), der(SEQUENCE, &[&fields])] {
            assert_eq!(KeyId::of_tbs_certificate(&tbs), KeyId::of_public_key(&key));
        }
    }

    proptest! {
        #[test]
        fn noise_is_no_key(noise in prop::collection::vec(any::<u8>(), 0..80)) {
            let _ = KeyId::of_public_key(&noise);
            let _ = KeyId::of_tbs_certificate(&noise);
        }
    }
}
