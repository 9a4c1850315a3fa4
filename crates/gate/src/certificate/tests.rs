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
