//! A certificate in pieces, to be spoilt one by one and put together again by hand.

use super::fixture::{CaWorld, NOW, request};
use crate::der::{self, DerReader, tag};
use crate::lint::{Finding, IssuerReference, LintExpectation, lint};
use crate::{CertificateProfile, IssuerEndpoints, oid};
use ring::digest::{SHA256, digest};
use std::sync::LazyLock;
use std::time::Duration;
use tegata_core::entropy::{Entropy, Seeded};
use tegata_core::{Serial, Timestamp};

static WORLD: LazyLock<CaWorld> = LazyLock::new(CaWorld::new);

pub(crate) fn fixture() -> &'static CaWorld {
    &WORLD
}

static ENDPOINTS: LazyLock<IssuerEndpoints> = LazyLock::new(|| {
    IssuerEndpoints::new(&"http://pki.example.jp".parse().unwrap(), fixture().issuing.id(), 4).unwrap()
});

/// Those of an issuer with several CRLs.
pub(crate) fn endpoints() -> &'static IssuerEndpoints {
    &ENDPOINTS
}

static PROFILE: LazyLock<CertificateProfile> = LazyLock::new(|| {
    CertificateProfile::parse(
        "draft.toml",
        "role = \"device\"\nkeys = [\"p256\", \"rsa\"]\nrsa_bits = 3072\nrsa_key_encipherment = true\nvalidity_days = 365\n\
         backdate_minutes = 5\n[subject]\ncommon_name = \"{site} {label}\"\ncountry = \"JP\"\n[[policies]]\noid = \"2.999.1\"\n\
         cps = \"https://pki.example.jp/cps\"\nnotice = \"薬局端末\"\n[[policies]]\noid = \"2.999.2\"\n",
    )
    .unwrap()
});

/// What was intended, and what was made of it. Each piece is the whole DER of its element.
pub(crate) struct Draft {
    pub(crate) not_before: Timestamp,
    pub(crate) not_after: Timestamp,
    pub(crate) common_name: String,
    pub(crate) key_hash: Vec<u8>,
    intended_serial: Serial,
    pub(crate) version: Vec<u8>,
    pub(crate) serial: Vec<u8>,
    pub(crate) algorithm: Vec<u8>,
    pub(crate) issuer: Vec<u8>,
    pub(crate) validity: Vec<u8>,
    pub(crate) subject: Vec<u8>,
    key: Vec<u8>,
    pub(crate) unique_identifiers: Vec<u8>,
    pub(crate) extensions: Vec<Vec<u8>>,
    pub(crate) outer_algorithm: Vec<u8>,
    pub(crate) after: Vec<u8>,
}

impl Draft {
    /// A draft with the values of the CA's own certificates, on a day in the middle of its issuer's life.
    pub(crate) fn new() -> Self {
        let fixture = fixture();
        let now = NOW.plus(Duration::from_hours(1000));
        let request = request(&rcgen::PKCS_ECDSA_P256_SHA256);
        let serial = loop {
            let serial = Serial::random(&fixture.entropy);
            if ENDPOINTS.shard_of(&serial) == 0 {
                break serial;
            }
        };
        let holder = fixture.holder("本店", "受付PC");
        let prepared =
            crate::prepare(&fixture.issuing, &ENDPOINTS, &PROFILE, &holder, &request, serial, now).unwrap();
        let mut fields = DerReader::new(DerReader::single(prepared.tbs(), tag::SEQUENCE).unwrap().content);
        let mut next = || fields.element().unwrap();
        let [version, serial_der, algorithm, issuer, validity, subject, key, extensions] =
            std::array::from_fn(|_| next());
        let mut list = DerReader::new(DerReader::single(extensions.content, tag::SEQUENCE).unwrap().content);
        let mut extensions = Vec::new();
        while let Ok(extension) = list.element() {
            extensions.push(extension.whole.to_vec());
        }
        Self {
            not_before: prepared.not_before(),
            not_after: prepared.not_after(),
            common_name: "本店 受付PC".into(),
            key_hash: prepared.key_hash().to_vec(),
            intended_serial: serial,
            version: version.whole.to_vec(),
            serial: serial_der.whole.to_vec(),
            algorithm: algorithm.whole.to_vec(),
            issuer: issuer.whole.to_vec(),
            validity: validity.whole.to_vec(),
            subject: subject.whole.to_vec(),
            key: key.whole.to_vec(),
            unique_identifiers: Vec::new(),
            extensions,
            outer_algorithm: oid::ECDSA_WITH_SHA256.to_vec(),
            after: Vec::new(),
        }
    }

    pub(crate) fn findings(&self) -> Vec<Finding> {
        self.findings_by(&PROFILE, &ENDPOINTS)
    }

    pub(crate) fn findings_by(
        &self,
        profile: &CertificateProfile,
        endpoints: &IssuerEndpoints,
    ) -> Vec<Finding> {
        let fixture = fixture();
        let issuing = &fixture.issuing;
        let expected = LintExpectation {
            parent: IssuerReference {
                subject: issuing.subject(),
                key_identifier: issuing.key_identifier(),
                not_before: issuing.not_before(),
                not_after: issuing.not_after(),
            },
            endpoints,
            profile,
            crl: endpoints.crl(0),
            serial: self.intended_serial,
            not_before: self.not_before,
            not_after: self.not_after,
            common_name: Some(self.common_name.clone()),
            uri: fixture.holder("", "").uri(),
            key_hash: &self.key_hash,
        };
        lint(&self.der(), &expected)
    }

    fn der(&self) -> Vec<u8> {
        let extensions = der::element(tag::constructed(3), &[&der::sequence(&[&self.extensions.concat()])]);
        let tbs = der::sequence(&[
            &self.version,
            &self.serial,
            &self.algorithm,
            &self.issuer,
            &self.validity,
            &self.subject,
            &self.key,
            &self.unique_identifiers,
            &extensions,
        ]);
        let signature = der::bit_string(&[0x30, 6, 2, 1, 1, 2, 1, 1]);
        [der::sequence(&[&tbs, &self.outer_algorithm, &signature]), self.after.clone()].concat()
    }

    /// Another life, intended and written.
    pub(crate) fn live(&mut self, begin: Timestamp, end: Timestamp) {
        (self.not_before, self.not_after) = (begin, end);
        self.validity = der::sequence(&[&der::time(begin), &der::time(end)]);
    }

    /// Another key, intended and written.
    pub(crate) fn hold(&mut self, public_key_info: &[u8]) {
        let mut fields = DerReader::new(DerReader::single(public_key_info, tag::SEQUENCE).unwrap().content);
        fields.element().unwrap();
        let key = &fields.element().unwrap().content[1..];
        let identifier = digest(&SHA256, key).as_ref()[..20].to_vec();
        self.change("subjectKeyIdentifier", |value| *value = der::element(tag::OCTET_STRING, &[&identifier]));
        self.key = public_key_info.to_vec();
        self.key_hash = digest(&SHA256, public_key_info).as_ref().to_vec();
    }

    /// An RSA key as sound as its length.
    pub(crate) fn rsa_key(bits: usize) -> Vec<u8> {
        let entropy = Seeded::new(3);
        loop {
            let mut modulus = vec![0; bits / 8];
            entropy.fill(&mut modulus);
            modulus[0] |= 0x80;
            let key = der::sequence(&[
                &der::element(tag::INTEGER, &[&[0], &modulus]),
                &der::element(tag::INTEGER, &[&[1, 0, 1]]),
            ]);
            if bits < 2048 || crate::rsa::sound_bits(&key).unwrap().is_some() {
                return der::sequence(&[oid::RSA_KEY, &der::bit_string(&key)]);
            }
        }
    }

    /// Another common name, intended and written.
    pub(crate) fn name(&mut self, name: &str) {
        self.name_as(tag::UTF8_STRING, name.as_bytes());
    }

    pub(crate) fn name_as(&mut self, string: u8, name: &[u8]) {
        self.common_name = String::from_utf8(name.to_vec()).unwrap();
        self.subject = der::sequence(&[&rdn(6, tag::PRINTABLE_STRING, b"JP"), &rdn(3, string, name)]);
    }

    /// The subject with other places before the common name.
    pub(crate) fn subject_with(&self, before: &[u8]) -> Vec<u8> {
        der::sequence(&[before, &rdn(3, tag::UTF8_STRING, self.common_name.as_bytes())])
    }

    /// The subject as one RDN of two values.
    pub(crate) fn subject_in_one_place(&self) -> Vec<u8> {
        let places = DerReader::single(&self.subject, tag::SEQUENCE).unwrap().content;
        let mut places = DerReader::new(places);
        let values = [places.element().unwrap().content, places.element().unwrap().content].concat();
        der::sequence(&[&der::element(tag::SET, &[&values])])
    }

    pub(crate) fn replace(&mut self, name: &str, extension: Vec<u8>) {
        let at = self.at(name);
        self.extensions[at] = extension;
    }

    pub(crate) fn remove(&mut self, name: &str) {
        let at = self.at(name);
        self.extensions.remove(at);
    }

    pub(crate) fn make_critical(&mut self, name: &str) {
        let (_, value) = self.value(name);
        self.replace(name, extension(name, true, &value));
    }

    pub(crate) fn change(&mut self, name: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let (critical, mut value) = self.value(name);
        change(&mut value);
        self.replace(name, extension(name, critical, &value));
    }

    /// The second policy's place is taken by one with a notice.
    pub(crate) fn policy(&mut self, explicit_text: &[u8]) {
        let id = |octets: &[u8]| der::element(tag::OID, &[octets]);
        let notice = der::sequence(&[&id(oid::QUALIFIER_NOTICE), &der::sequence(&[explicit_text])]);
        let policy = der::sequence(&[&id(&[0x88, 0x37, 2]), &der::sequence(&[&notice])]);
        self.change("certificatePolicies", |value| {
            let mut list = DerReader::new(DerReader::single(value, tag::SEQUENCE).unwrap().content);
            let first = list.element().unwrap().whole;
            *value = der::sequence(&[first, &policy]);
        });
    }

    pub(crate) fn crl(&mut self, url: &str) {
        let name = der::element(tag::context(6), &[url.as_bytes()]);
        let full = der::element(tag::constructed(0), &[&der::element(tag::constructed(0), &[&name])]);
        let points = der::sequence(&[&der::sequence(&[&full])]);
        self.change("cRLDistributionPoints", |value| *value = points);
    }

    pub(crate) fn access(&mut self, ocsp: &str, issuer: &str) {
        let service = |method: &[u8], url: &str| {
            der::sequence(&[
                &der::element(tag::OID, &[method]),
                &der::element(tag::context(6), &[url.as_bytes()]),
            ])
        };
        let access = der::sequence(&[&service(oid::AD_OCSP, ocsp), &service(oid::AD_CA_ISSUERS, issuer)]);
        self.change("authorityInfoAccess", |value| *value = access);
    }

    fn at(&self, name: &str) -> usize {
        let id = der::element(tag::OID, &[identifier(name)]);
        let is_named = |extension: &Vec<u8>| {
            DerReader::single(extension, tag::SEQUENCE).unwrap().content.starts_with(&id)
        };
        self.extensions.iter().position(is_named).unwrap()
    }

    fn value(&self, name: &str) -> (bool, Vec<u8>) {
        let mut fields = DerReader::new(
            DerReader::single(&self.extensions[self.at(name)], tag::SEQUENCE).unwrap().content,
        );
        fields.expect(tag::OID).unwrap();
        let critical = fields.optional(tag::BOOLEAN).unwrap().is_some();
        (critical, fields.expect(tag::OCTET_STRING).unwrap().content.to_vec())
    }
}

/// A `RelativeDistinguishedName` of one value; its type is 2.5.4.`kind`.
pub(crate) fn rdn(kind: u8, string: u8, value: &[u8]) -> Vec<u8> {
    let attribute =
        der::sequence(&[&der::element(tag::OID, &[&[0x55, 4, kind]]), &der::element(string, &[value])]);
    der::element(tag::SET, &[&attribute])
}

pub(crate) fn extension(name: &str, critical: bool, value: &[u8]) -> Vec<u8> {
    der::extension(identifier(name), critical, value)
}

/// `GeneralNames` of URIs.
pub(crate) fn general_names(uris: &[&str]) -> Vec<u8> {
    let names: Vec<u8> =
        uris.iter().flat_map(|uri| der::element(tag::context(6), &[uri.as_bytes()])).collect();
    der::sequence(&[&names])
}

/// By the names of RFC 5280 appendix A.
fn identifier(name: &str) -> &'static [u8] {
    match name {
        "subjectDirectoryAttributes" => &[0x55, 0x1d, 9],
        "subjectKeyIdentifier" => &[0x55, 0x1d, 14],
        "keyUsage" => &[0x55, 0x1d, 15],
        "subjectAltName" => &[0x55, 0x1d, 17],
        "basicConstraints" => &[0x55, 0x1d, 19],
        "nameConstraints" => &[0x55, 0x1d, 30],
        "cRLDistributionPoints" => &[0x55, 0x1d, 31],
        "certificatePolicies" => &[0x55, 0x1d, 32],
        "authorityKeyIdentifier" => &[0x55, 0x1d, 35],
        "extKeyUsage" => &[0x55, 0x1d, 37],
        "authorityInfoAccess" => &[0x2b, 6, 1, 5, 5, 7, 1, 1],
        other => panic!("{other} is not known"),
    }
}
