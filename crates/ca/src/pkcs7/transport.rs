//! How the key of an envelope travels: under RSA with PKCS #1 v1.5 (RFC 3370 section 4.2.1), or with OAEP (RFC 3560, RFC 4055
//! section 4), as Windows and whoever keeps to FIPS 140-3 send it.

use super::reading::name_of;
use crate::der::{self, DerReader, MalformedDer, tag};
use crate::oid;

/// A padding of RSA encryption.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum KeyTransport {
    Pkcs1,
    /// The digest of the label, which is empty, and that of the mask.
    Oaep(OaepDigest, OaepDigest),
}

/// What OAEP may be made with. SHA-1 is as good there as any other: nothing rests on its collisions (RFC 8017 section B.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum OaepDigest {
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl KeyTransport {
    /// From the content of an `AlgorithmIdentifier`; none if it is not taken.
    pub(crate) fn read(algorithm: &[u8]) -> Option<Self> {
        if name_of(algorithm) == Some(oid::RSA) {
            return Some(Self::Pkcs1);
        }
        let mut fields = DerReader::new(algorithm);
        if fields.expect(tag::OID).ok()?.content != oid::RSA_OAEP {
            return None;
        }
        // Parameters that are absent are as good as an empty SEQUENCE: there are clients without.
        let parameters =
            fields.optional(tag::SEQUENCE).ok()?.map_or(&[][..], |parameters| parameters.content);
        fields.end().ok()?;
        oaep(parameters)
    }

    /// The whole `AlgorithmIdentifier`. Defaults are left out, as DER wants it.
    pub(crate) fn algorithm(self) -> Vec<u8> {
        let Self::Oaep(digest, mask) = self else { return oid::RSA_KEY.to_vec() };
        let explicit = |number, digest: OaepDigest, value: Vec<u8>| {
            if digest == OaepDigest::Sha1 {
                Vec::new()
            } else {
                der::element(tag::constructed(number), &[&value])
            }
        };
        let mgf1 = der::sequence(&[&der::element(tag::OID, &[oid::MGF1]), &mask.algorithm()]);
        let parameters = der::sequence(&[&explicit(0, digest, digest.algorithm()), &explicit(1, mask, mgf1)]);
        der::sequence(&[&der::element(tag::OID, &[oid::RSA_OAEP]), &parameters])
    }
}

impl OaepDigest {
    fn of(algorithm: &[u8]) -> Option<Self> {
        match name_of(algorithm)? {
            oid::SHA1 => Some(Self::Sha1),
            oid::SHA256 => Some(Self::Sha256),
            oid::SHA384 => Some(Self::Sha384),
            oid::SHA512 => Some(Self::Sha512),
            _ => None,
        }
    }

    fn algorithm(self) -> Vec<u8> {
        let name = match self {
            Self::Sha1 => oid::SHA1,
            Self::Sha256 => oid::SHA256,
            Self::Sha384 => oid::SHA384,
            Self::Sha512 => oid::SHA512,
        };
        der::sequence(&[&der::element(tag::OID, &[name]), &[tag::NULL, 0]])
    }
}

/// `RSAES-OAEP-params` (RFC 4055 section 4.1), whose members are SHA-1 and an empty label unless they are written.
fn oaep(parameters: &[u8]) -> Option<KeyTransport> {
    let mut fields = DerReader::new(parameters);
    let digest = match member(&mut fields, 0).ok()? {
        Some(algorithm) => OaepDigest::of(algorithm)?,
        None => OaepDigest::Sha1,
    };
    let mask = match member(&mut fields, 1).ok()? {
        Some(function) => mask(function)?,
        None => OaepDigest::Sha1,
    };
    if let Some(source) = member(&mut fields, 2).ok()? {
        let empty = [&der::element(tag::OID, &[oid::P_SPECIFIED])[..], &[tag::OCTET_STRING, 0]].concat();
        if source != empty {
            return None;
        }
    }
    fields.end().ok()?;
    Some(KeyTransport::Oaep(digest, mask))
}

/// The content of the SEQUENCE behind an explicit tag.
fn member<'a>(fields: &mut DerReader<'a>, number: u8) -> Result<Option<&'a [u8]>, MalformedDer> {
    let Some(outer) = fields.optional(tag::constructed(number))? else { return Ok(None) };
    Ok(Some(DerReader::single(outer.content, tag::SEQUENCE)?.content))
}

fn mask(function: &[u8]) -> Option<OaepDigest> {
    let mut fields = DerReader::new(function);
    if fields.expect(tag::OID).ok()?.content != oid::MGF1 {
        return None;
    }
    let digest = OaepDigest::of(fields.expect(tag::SEQUENCE).ok()?.content)?;
    fields.end().ok()?;
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGESTS: [OaepDigest; 4] =
        [OaepDigest::Sha1, OaepDigest::Sha256, OaepDigest::Sha384, OaepDigest::Sha512];

    fn read(algorithm: &[u8]) -> Option<KeyTransport> {
        KeyTransport::read(DerReader::single(algorithm, tag::SEQUENCE).unwrap().content)
    }

    #[test]
    fn every_mix_of_digests_is_read_as_it_is_written() {
        for digest in DIGESTS {
            for mask in DIGESTS {
                let transport = KeyTransport::Oaep(digest, mask);
                assert_eq!(read(&transport.algorithm()), Some(transport));
            }
        }
        assert_eq!(read(&KeyTransport::Pkcs1.algorithm()), Some(KeyTransport::Pkcs1));
    }

    #[test]
    fn what_is_left_out_is_sha_1_and_what_is_unknown_is_not_taken() {
        let plain = KeyTransport::Oaep(OaepDigest::Sha1, OaepDigest::Sha1);
        let name = der::element(tag::OID, &[oid::RSA_OAEP]);
        assert_eq!(read(&der::sequence(&[&name])), Some(plain));
        assert_eq!(read(&der::sequence(&[&name, &der::sequence(&[])])), Some(plain));
        let with = |number, content: &[u8]| {
            let member = der::element(tag::constructed(number), &[&der::sequence(&[content])]);
            read(&der::sequence(&[&name, &der::sequence(&[&member])]))
        };
        let label = |octets: &[u8]| {
            [der::element(tag::OID, &[oid::P_SPECIFIED]), der::element(tag::OCTET_STRING, &[octets])].concat()
        };
        assert_eq!(with(2, &label(b"")), Some(plain));
        assert_eq!(with(2, &label(b"x")), None, "a label");
        assert_eq!(with(0, &der::element(tag::OID, &[oid::MGF1])), None, "no digest");
        assert_eq!(with(1, &der::element(tag::OID, &[oid::SHA256])), None, "no mask");
        assert_eq!(with(3, b""), None);
        assert_eq!(read(&der::sequence(&[&der::element(tag::OID, &[oid::RSA_SHA256])])), None);
    }
}
