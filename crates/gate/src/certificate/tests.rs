use super::*;

#[test]
fn a_product_behind_the_gate_reads_no_story_about_certificates() {
    let mut claimed = HeaderMap::new();
    for name in [
        "client-cert",
        "Client-Cert-Chain",
        "x-client-cert",
        "X_Client_Cert",
        "x-forwarded-client-cert",
        "x-forwarded-tls-client-cert-info",
        "ssl-client-verify",
        "SSL_CLIENT_CERT",
        "x-ssl-client-s-dn",
        "x-amzn-mtls-clientcert-leaf",
        "x-arr-clientcert",
        "x-goog-client-cert-fingerprint",
        "tegata-device",
        "Tegata.Device",
        "tegata~subject",
        "Tegata-Assertion",
        "x.client.cert",
        "ssl!client!verify",
        "x'forwarded'tls'client'cert",
        "my-own-header",
        "My.Own_Header",
        "accept",
        "x-client-certain",
    ] {
        claimed.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_static("story"));
    }
    let mut source = HeaderSource::nginx(vec![]);
    source.name = "my-own-header".into();
    strip(&mut claimed, &CertificateSource::Header(source));
    let mut left: Vec<_> = claimed.keys().map(HeaderName::as_str).collect();
    left.sort_unstable();
    assert_eq!(left, ["accept", "x-client-certain"]);
}

#[test]
fn whatever_is_no_certificate_is_never_due() {
    let mut params = rcgen::CertificateParams::default();
    (params.not_before, params.not_after) =
        (rcgen::date_time_ymd(2026, 1, 1), rcgen::date_time_ymd(2026, 3, 2));
    let der = params.self_signed(&rcgen::KeyPair::generate().unwrap()).unwrap().der().to_vec();
    let at = |text: &str| Timestamp::parse(text).unwrap();
    let whole = ClientCertificate::from_der(&der);
    assert_eq!(whole.renewal_due(at("2026-02-09T23:59:59Z")), None);
    let end = Some(at("2026-03-02T00:00:00Z"));
    assert_eq!(whole.renewal_due(at("2026-02-10T00:00:00Z")), end, "two thirds of sixty days");
    assert_eq!(
        whole.renewal_due(at("2026-04-01T00:00:00Z")),
        end,
        "whether it may enter is decided elsewhere"
    );
    for length in 0..der.len() {
        assert_eq!(ClientCertificate::from_der(&der[..length]).renewal_due(Timestamp::END), None, "{length}");
    }
    for noise in [&[0x30, 0x84, 0xff, 0xff, 0xff, 0xff][..], &[0x30, 0x80, 0, 0], &[0; 64], &[0xff; 64]] {
        assert_eq!(ClientCertificate::from_der(noise).renewal_due(Timestamp::END), None);
    }
}
