use super::fixture::{
    MadeCertificate, NOW, TestHierarchy, WebFixture, ca_params, connect, get_request, leaf_params, rooted,
    seen, send, signed,
};
use crate::trust_verdict::UnfitIssuer;
use crate::{TrustVerdict, TrustedIssuers};
use rcgen::{ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose, date_time_ymd};
use tegata_core::{Thumbprint, Timestamp};

#[tokio::test]
async fn a_client_without_a_certificate_is_served() {
    let seen = WebFixture::start().await.ask(None).await;
    assert_eq!((seen.thumbprint, seen.trusted), (None, None));
}

#[tokio::test]
async fn a_device_of_ours_is_known_by_the_thumbprint_of_its_leaf() {
    let fixture = WebFixture::start().await;
    let seen = fixture.ask(Some(&fixture.ours.device)).await;
    assert_eq!(seen.thumbprint, Some(Thumbprint::of(&fixture.ours.device.der).to_string()));
    assert_eq!(seen.trusted, Some(true));
}

#[tokio::test]
async fn a_device_of_somebody_else_is_heard_and_called_foreign() {
    let fixture = WebFixture::start().await;
    let foreign = TestHierarchy::new();
    assert_eq!(fixture.ask(Some(&foreign.device)).await.trusted, Some(false));
    assert_eq!(fixture.ask(Some(&rooted(leaf_params("Self")))).await.trusted, Some(false));
}

#[tokio::test]
async fn only_the_leaf_counts_whatever_a_client_sends_along() {
    let fixture = WebFixture::start().await;
    let foreign = TestHierarchy::new().device;
    let (mut chain, key) = foreign.identity();
    chain.extend(
        [&fixture.ours.device, &fixture.ours.issuing, &fixture.ours.root].map(|made| made.der.clone()),
    );
    let client = fixture.client_with(Some((chain, key)), &["http/1.1"]);
    let stream = connect(fixture.device, "localhost", &client).await;
    let seen = seen(send(stream, get_request("localhost", "/seen")).await).await;
    assert_eq!(seen.thumbprint, Some(Thumbprint::of(&foreign.der).to_string()));
    assert_eq!(seen.trusted, Some(false));
}

#[tokio::test]
async fn a_stolen_certificate_without_its_key_gets_no_answer() {
    assert_eq!(answer_to_a_thief(&WebFixture::start().await).await, None);
}

/// What somebody gets who presents our device's certificate with a key of their own.
async fn answer_to_a_thief(fixture: &WebFixture) -> Option<Vec<u8>> {
    let (chain, _) = fixture.ours.device.identity();
    let (_, key) = TestHierarchy::new().device.identity();
    let key = rustls::crypto::ring::sign::any_ecdsa_type(&key).unwrap();
    let mut client = (*fixture.client(None, &["http/1.1"])).clone();
    let forged = rustls::sign::CertifiedKey::new(chain, key);
    client.client_auth_cert_resolver = std::sync::Arc::new(rustls::sign::SingleCertAndKey::from(forged));
    // TLS 1.3: the client has finished before the server looks, so the refusal shows when it reads.
    let mut stream = connect(fixture.device, "localhost", &std::sync::Arc::new(client)).await;
    let mut answer = Vec::new();
    let read = tokio::io::AsyncReadExt::read_to_end(&mut stream, &mut answer).await;
    (read.is_ok() || !answer.is_empty()).then_some(answer)
}

#[test]
fn a_leaf_is_ours_only_for_client_authentication_and_if_it_is_no_ca() {
    let ours = TestHierarchy::new();
    let verdict = |params| ours.issuers().judge(&signed(params, &ours.issuing).der, NOW);
    let mut params = leaf_params("Server");
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    assert_eq!(verdict(params.clone()), TrustVerdict::Foreign);
    params.extended_key_usages.clear();
    assert_eq!(verdict(params.clone()), TrustVerdict::Foreign);
    let mut ca = ca_params("Below");
    ca.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    assert_eq!(verdict(ca), TrustVerdict::Foreign);
    assert_eq!(verdict(leaf_params("Device")), TrustVerdict::Trusted);
    assert_eq!(ours.issuers().judge(b"nonsense", NOW), TrustVerdict::Foreign);
}

#[test]
fn a_certificate_below_another_ca_of_our_root_is_foreign() {
    let ours = TestHierarchy::new();
    let direct = signed(leaf_params("Direct"), &ours.root);
    let below = signed(ca_params("Below"), &ours.issuing);
    let deep = signed(leaf_params("Deep"), &below);
    for leaf in [direct, deep] {
        assert_eq!(ours.issuers().judge(&leaf.der, NOW), TrustVerdict::Foreign);
    }
}

#[test]
fn an_impostor_with_the_name_of_our_issuer_is_foreign() {
    let ours = TestHierarchy::new();
    let impostor = rooted(ca_params("Issuing"));
    assert_eq!(
        ours.issuers().judge(&signed(leaf_params("Device"), &impostor).der, NOW),
        TrustVerdict::Foreign
    );
}

#[test]
fn an_expired_leaf_is_still_ours_so_that_it_can_be_told_to_have_expired() {
    let ours = TestHierarchy::new();
    let mut params = leaf_params("Old");
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2021, 1, 1);
    assert_eq!(ours.issuers().judge(&signed(params, &ours.issuing).der, NOW), TrustVerdict::Trusted);
}

#[test]
fn an_issuer_past_its_life_or_its_roots_vouches_for_nobody() {
    let late = Timestamp::from_seconds(1_900_000_000); // 2030-03-17
    let ours = TestHierarchy::new();
    assert_eq!(ours.issuers().judge(&ours.device.der, late), TrustVerdict::Foreign);
    assert_eq!(
        ours.issuers().judge(&ours.device.der, Timestamp::from_seconds(1_700_000_000)),
        TrustVerdict::Foreign
    );
    let mut long = ca_params("Long");
    long.not_after = date_time_ymd(2040, 1, 1);
    let outlives = signed(long, &ours.root);
    let issuers = TrustedIssuers::new([ours.root.der.as_ref()], [outlives.der.as_ref()], []).unwrap();
    let device = signed(leaf_params("Device"), &outlives);
    assert_eq!(issuers.judge(&device.der, NOW), TrustVerdict::Trusted);
    assert_eq!(issuers.judge(&device.der, late), TrustVerdict::Foreign);
}

#[test]
fn who_was_verified_before_is_believed_no_longer_than_the_issuer_lives() {
    let (early, late) = (Timestamp::from_seconds(1_700_000_000), Timestamp::from_seconds(1_900_000_000));
    let ours = TestHierarchy::new();
    let issuers = ours.issuers();
    for (now, verdict) in [
        (early, TrustVerdict::Foreign),
        (NOW, TrustVerdict::Trusted),
        (NOW, TrustVerdict::Trusted),
        (late, TrustVerdict::Foreign),
        (NOW, TrustVerdict::Trusted),
    ] {
        assert_eq!(issuers.judge(&ours.device.der, now), verdict, "{now}");
    }
}

#[test]
fn nobody_is_taken_for_somebody_who_was_verified_before() {
    let ours = TestHierarchy::new();
    let issuers = ours.issuers();
    assert_eq!(issuers.judge(&ours.device.der, NOW), TrustVerdict::Trusted);
    let impostor = rooted(ca_params("Issuing"));
    let mut same_names = leaf_params("Device");
    same_names.serial_number = ours.device.params.serial_number.clone();
    assert_eq!(issuers.judge(&signed(same_names.clone(), &impostor).der, NOW), TrustVerdict::Foreign);
    assert_eq!(issuers.judge(&rooted(same_names).der, NOW), TrustVerdict::Foreign);
    for place in 0..ours.device.der.len() {
        let mut altered = ours.device.der.to_vec();
        altered[place] ^= 1;
        assert_eq!(issuers.judge(&altered, NOW), TrustVerdict::Foreign, "octet {place}");
    }
    let longer = [ours.device.der.as_ref(), &[0]].concat();
    assert_eq!(issuers.judge(&longer, NOW), TrustVerdict::Foreign);
    assert_eq!(issuers.judge(&ours.device.der, NOW), TrustVerdict::Trusted);
}

#[tokio::test]
async fn who_was_verified_before_is_foreign_once_the_issuer_is_withdrawn() {
    let fixture = WebFixture::start().await;
    for _ in 0..2 {
        assert_eq!(fixture.ask(Some(&fixture.ours.device)).await.trusted, Some(true));
    }
    let successor = signed(ca_params("Successor"), &fixture.ours.root);
    let issuers = |issuing: &MadeCertificate| {
        TrustedIssuers::new([fixture.ours.root.der.as_ref()], [issuing.der.as_ref()], [])
    };
    fixture.trust(issuers(&successor).unwrap());
    assert_eq!(fixture.ask(Some(&fixture.ours.device)).await.trusted, Some(false));
    assert_eq!(fixture.ask(Some(&signed(leaf_params("Device"), &successor))).await.trusted, Some(true));
    fixture.trust(issuers(&fixture.ours.issuing).unwrap());
    assert_eq!(fixture.ask(Some(&fixture.ours.device)).await.trusted, Some(true));
}

#[tokio::test]
async fn who_was_verified_before_still_proves_the_key_in_every_handshake() {
    let fixture = WebFixture::start().await;
    assert_eq!(fixture.ask(Some(&fixture.ours.device)).await.trusted, Some(true));
    assert_eq!(answer_to_a_thief(&fixture).await, None);
}

#[test]
fn a_ca_that_may_not_sign_certificates_never_becomes_an_issuer() {
    let root = rooted(ca_params("Root"));
    let load = |issuing: &MadeCertificate| {
        TrustedIssuers::new([root.der.as_ref()], [issuing.der.as_ref()], []).map(drop)
    };
    let unfit = |change: fn(&mut rcgen::CertificateParams)| {
        let mut params = ca_params("Issuing");
        change(&mut params);
        load(&signed(params, &root)).unwrap_err()
    };
    assert_eq!(unfit(|ca| ca.key_usages = vec![KeyUsagePurpose::CrlSign]), UnfitIssuer::MayNotSign);
    assert_eq!(unfit(|ca| ca.key_usages.clear()), UnfitIssuer::MayNotSign);
    assert_eq!(unfit(|ca| ca.is_ca = IsCa::ExplicitNoCa), UnfitIssuer::NotACa);
    let server_only = |ca: &mut rcgen::CertificateParams| {
        ca.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    };
    assert_eq!(unfit(server_only), UnfitIssuer::NotForClients);
    assert_eq!(load(&rooted(ca_params("Root"))).unwrap_err(), UnfitIssuer::NotOfThisRoot);
    assert_eq!(load(&signed(ca_params("Issuing"), &root)), Ok(()));
}

#[tokio::test]
async fn a_device_below_a_ca_without_key_cert_sign_is_foreign() {
    let fixture = WebFixture::start().await;
    let mut params = ca_params("Weak");
    params.key_usages = vec![KeyUsagePurpose::CrlSign];
    let weak = signed(params, &fixture.ours.issuing);
    let leaf = signed(leaf_params("Device"), &weak);
    let (mut chain, key) = leaf.identity();
    chain.push(weak.der.clone());
    let client = fixture.client_with(Some((chain, key)), &["http/1.1"]);
    let stream = connect(fixture.device, "localhost", &client).await;
    assert_eq!(seen(send(stream, get_request("localhost", "/seen")).await).await.trusted, Some(false));
}

#[test]
fn a_taken_over_ca_vouches_for_its_devices_below_no_root_of_ours() {
    let (ours, theirs) = (TestHierarchy::new(), TestHierarchy::new());
    let roots = [ours.root.der.as_ref()];
    let alone = TrustedIssuers::new(roots, [ours.issuing.der.as_ref()], []).unwrap();
    assert_eq!(alone.judge(&theirs.device.der, NOW), TrustVerdict::Foreign);
    let both =
        TrustedIssuers::new(roots, [ours.issuing.der.as_ref()], [theirs.issuing.der.as_ref()]).unwrap();
    assert_eq!(both.judge(&theirs.device.der, NOW), TrustVerdict::Trusted);
    assert_eq!(both.judge(&ours.device.der, NOW), TrustVerdict::Trusted);
    assert_eq!(both.hints().len(), 2, "browsers offer certificates of both");
    let as_ours = TrustedIssuers::new(roots, [theirs.issuing.der.as_ref()], []);
    assert_eq!(as_ours.unwrap_err(), UnfitIssuer::NotOfThisRoot);
}

#[test]
fn a_ca_taken_over_must_be_a_ca_that_may_sign_for_clients() {
    let root = rooted(ca_params("Root"));
    let unfit = |change: fn(&mut rcgen::CertificateParams)| {
        let mut params = ca_params("Other");
        change(&mut params);
        TrustedIssuers::new([root.der.as_ref()], [], [rooted(params).der.as_ref()]).unwrap_err()
    };
    assert_eq!(unfit(|ca| ca.key_usages.clear()), UnfitIssuer::MayNotSign);
    assert_eq!(unfit(|ca| ca.is_ca = IsCa::ExplicitNoCa), UnfitIssuer::NotACa);
    let server_only = |ca: &mut rcgen::CertificateParams| {
        ca.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    };
    assert_eq!(unfit(server_only), UnfitIssuer::NotForClients);
}
