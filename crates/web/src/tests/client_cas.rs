//! A certificate that its CA has revoked is of no use here, and one that nobody can look up is not either.

use super::fixture::{MadeCertificate, NOW, ca_params, leaf_params, rooted, signed};
use crate::ClientCas;
use crate::client_cas::UnfitLists;
use rcgen::{
    CertificateRevocationListParams, Issuer, KeyIdMethod, KeyUsagePurpose, RevokedCertParams, SerialNumber,
    date_time_ymd,
};
use std::time::Duration;
use tegata_core::{Refusal, Timestamp};

const DAY: Duration = Duration::from_hours(24);

fn list(ca: &MadeCertificate, revoked: &[u64], until: Timestamp) -> Vec<u8> {
    let at = |moment: Timestamp| date_time_ymd(1970, 1, 1) + moment.since(Timestamp::from_seconds(0));
    let entry = |serial: &u64| RevokedCertParams {
        serial_number: SerialNumber::from(*serial),
        revocation_time: at(NOW.minus(DAY)),
        reason_code: None,
        invalidity_date: None,
    };
    let params = CertificateRevocationListParams {
        this_update: at(NOW.minus(DAY)),
        next_update: at(until),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: revoked.iter().map(entry).collect(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    params.signed_by(&Issuer::from_params(&ca.params, &ca.key)).unwrap().der().to_vec()
}

fn numbered(serial: u64, by: &MadeCertificate) -> MadeCertificate {
    let mut params = leaf_params("Client");
    params.serial_number = Some(SerialNumber::from(serial));
    signed(params, by)
}

fn list_signing_ca(name: &str) -> MadeCertificate {
    rooted(ca_params(name))
}

fn cas(of: &[&MadeCertificate]) -> ClientCas {
    ClientCas::new(of.iter().map(|ca| ca.der.to_vec()).collect()).unwrap()
}

#[test]
fn whoever_is_on_the_list_is_refused_and_a_newer_list_counts_at_once() {
    let ca = list_signing_ca("Clients");
    let (kept, lost) = (numbered(7, &ca), numbered(8, &ca));
    let cas = cas(&[&ca]);
    assert_eq!(cas.judge(&lost.der, NOW), Ok(()), "without lists nobody is looked up");
    let first = cas.read_lists(&list(&ca, &[], NOW.plus(DAY))).unwrap();
    let cas = cas.with_lists(first);
    assert_eq!((cas.judge(&kept.der, NOW), cas.judge(&lost.der, NOW)), (Ok(()), Ok(())));
    let second = cas.read_lists(&list(&ca, &[8, 9], NOW.plus(DAY))).unwrap();
    assert_eq!((second.revoked(), second.until()), (2, NOW.plus(DAY)));
    cas.replace_lists(second);
    assert_eq!(cas.judge(&kept.der, NOW), Ok(()));
    assert_eq!(cas.judge(&lost.der, NOW), Err(Refusal::CertificateRevoked));
    let stranger = numbered(7, &list_signing_ca("Clients"));
    assert_eq!(cas.judge(&stranger.der, NOW), Err(Refusal::ForeignCertificate));
}

#[test]
fn an_expired_list_lets_nobody_in_and_the_revoked_stay_revoked() {
    let ca = list_signing_ca("Clients");
    let (kept, lost) = (numbered(7, &ca), numbered(8, &ca));
    let cas = cas(&[&ca]);
    let lists = cas.read_lists(&list(&ca, &[8], NOW)).unwrap();
    let cas = cas.with_lists(lists);
    let before = NOW.minus(Duration::from_secs(1));
    assert_eq!(cas.judge(&kept.der, before), Ok(()));
    assert_eq!(cas.judge(&kept.der, NOW), Err(Refusal::Unavailable));
    assert_eq!(cas.judge(&lost.der, NOW), Err(Refusal::CertificateRevoked));
}

#[test]
fn lists_that_do_not_fit_the_cas_are_refused() {
    let (one, two) = (list_signing_ca("One"), list_signing_ca("Two"));
    let both = cas(&[&one, &two]);
    let until = NOW.plus(DAY);
    let (of_one, of_two) = (list(&one, &[8], until), list(&two, &[], until));
    assert_eq!(both.read_lists(&of_one).unwrap_err(), UnfitLists::Missing);
    assert_eq!(cas(&[&one]).read_lists(&of_two).unwrap_err(), UnfitLists::Foreign);
    let forged = list(&list_signing_ca("One"), &[], until);
    assert_eq!(cas(&[&one]).read_lists(&forged).unwrap_err(), UnfitLists::Foreign);
    for noise in [&b""[..], b"noise", &of_one[..of_one.len() - 1], &[&of_one[..], b"x"].concat()] {
        assert!(cas(&[&one]).read_lists(noise).is_err());
    }
    let lists = both.read_lists(pem(&[&of_one, &of_two]).as_bytes()).unwrap();
    let both = both.with_lists(lists);
    assert_eq!(both.judge(&numbered(8, &one).der, NOW), Err(Refusal::CertificateRevoked));
    assert_eq!(both.judge(&numbered(8, &two).der, NOW), Ok(()), "a serial is one CA's own");
}

#[test]
fn a_list_of_a_ca_that_may_not_sign_lists_is_believed_by_nobody() {
    let mut ca = list_signing_ca("Clients");
    let list = list(&ca, &[8], NOW.plus(DAY));
    ca.params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let der = ca.params.clone().self_signed(&ca.key).unwrap().der().to_vec();
    let cas = ClientCas::new(vec![der]).unwrap();
    assert_eq!(cas.read_lists(&list).unwrap_err(), UnfitLists::MayNotSign);
}

fn pem(ders: &[&Vec<u8>]) -> String {
    let block = |der: &&Vec<u8>| {
        let base64 = tegata_core::encoding::base64(der);
        format!("-----BEGIN X509 CRL-----\n{base64}\n-----END X509 CRL-----\n")
    };
    ders.iter().map(block).collect::<Vec<_>>().concat()
}
