//! What CAs and listeners are given, and what not.

use super::*;
use crate::tests::fixture::{self, NOW};
use tegata_core::entropy::Seeded;

const ADDRESSES: RootAddresses<'_> = RootAddresses {
    crl: "http://pki.example.jp/crl/root.crl",
    certificate: "http://pki.example.jp/ca/root.cer",
};

fn terms(days: u32, entropy: &Seeded) -> Validity<'_> {
    Validity { days, now: NOW, entropy }
}

#[test]
fn a_server_has_only_names_a_browser_would_accept() {
    let fixture = fixture::CaWorld::new();
    let key = fixture::key();
    let entropy = Seeded::new(5);
    let create = |names: &[&str], days| create_server(names, &key, &fixture.server, terms(days, &entropy));
    assert!(create(&["localhost", "*.probe.localhost", "127.0.0.1", "::1"], MAX_SERVER_DAYS).is_ok());
    for wrong in ["", "*", "a..b", "-a.jp", "A.jp", "a b", "x.*.jp", "*x.jp", "薬局.jp"] {
        assert_eq!(create(&[wrong], 90), Err(CreateCaError::ServerName(wrong.into())));
    }
    assert_eq!(create(&[], 90), Err(CreateCaError::NoServerName));
    assert_eq!(create(&["localhost"], 398), Err(CreateCaError::Validity(397)));
}

#[test]
fn no_certificate_outlives_its_issuer() {
    let fixture = fixture::CaWorld::new();
    let name = CaName { organization: "O", common_name: "C" };
    let key = PublicKey::of(fixture::key().as_ref());
    let entropy = Seeded::new(6);
    let long = terms(40 * 366, &entropy);
    let created = create_issuing(name, &key, &fixture.root, ADDRESSES, long);
    assert!(matches!(created, Err(CreateCaError::OutlivesIssuer(_))));
    let rehearsed = rehearse_issuing(name, &key, fixture.root.certificate(), ADDRESSES, long);
    assert!(matches!(rehearsed, Err(CreateCaError::OutlivesIssuer(_))));
}

#[test]
fn what_is_read_before_is_what_is_signed_after() {
    let fixture = fixture::CaWorld::new();
    let name = CaName { organization: "O", common_name: "C" };
    let key = PublicKey::of(fixture::key().as_ref());
    // Two sources of the same bytes: the serials are alike.
    let [first, second] = [Seeded::new(8), Seeded::new(8)];
    let root = fixture.root.certificate();
    let rehearsed = rehearse_issuing(name, &key, root, ADDRESSES, terms(365, &first)).unwrap();
    let created = create_issuing(name, &key, &fixture.root, ADDRESSES, terms(365, &second)).unwrap();
    let tbs =
        |der: &[u8]| x509_parser::parse_x509_certificate(der).unwrap().1.tbs_certificate.as_ref().to_vec();
    assert_eq!(tbs(&rehearsed), tbs(&created));
    let text = String::from_utf8_lossy(&created).into_owned();
    assert!(text.contains(ADDRESSES.crl) && text.contains(ADDRESSES.certificate));
}

#[test]
fn a_ca_has_addresses_that_can_be_fetched() {
    let fixture = fixture::CaWorld::new();
    let name = CaName { organization: "O", common_name: "C" };
    let key = PublicKey::of(fixture::key().as_ref());
    let entropy = Seeded::new(9);
    for wrong in ["", "http://", "https://pki.example.jp/root.crl", "http://a b", "http://薬局.jp/"] {
        let addresses = RootAddresses { crl: wrong, ..ADDRESSES };
        let created = create_issuing(name, &key, &fixture.root, addresses, terms(365, &entropy));
        assert_eq!(created, Err(CreateCaError::Address(wrong.into())));
    }
}

#[test]
fn a_ca_has_a_readable_name() {
    let entropy = Seeded::new(7);
    for wrong in ["", " padded", "line\nbreak", &"長".repeat(65)] {
        let name = CaName { organization: "O", common_name: wrong };
        let created = create_root(name, &fixture::key(), terms(365, &entropy));
        assert_eq!(created, Err(CreateCaError::Name(wrong.to_owned())));
    }
}

#[test]
fn a_ca_works_only_with_its_own_key_and_in_its_own_time() {
    let fixture = fixture::CaWorld::new();
    let load = |certificate: &[u8], key, now| {
        Issuer::load(fixture.issuing.id().clone(), certificate.to_vec(), key, now).err()
    };
    let certificate = fixture.issuing.certificate();
    let own = fixture.issuing.signer();
    assert_eq!(load(certificate, own.clone(), NOW), None);
    assert_eq!(load(certificate, fixture::key(), NOW), Some(IssuerError::KeyMismatch));
    let late = NOW.plus(Duration::from_hours(40 * 366 * 24));
    assert!(matches!(load(certificate, own.clone(), late), Some(IssuerError::NotValidNow { .. })));
    let device = fixture.issue("本店", "受付PC");
    assert_eq!(load(&device.der, own.clone(), NOW), Some(IssuerError::NotACa));
    let trailing = [certificate, &[0]].concat();
    assert_eq!(load(&trailing, own.clone(), NOW), Some(IssuerError::Malformed));
}
