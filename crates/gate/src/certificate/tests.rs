use super::*;
use rustls_pki_types::pem::PemObject;
use tegata_core::encoding::base64;

fn certificate() -> (String, Vec<u8>) {
    let key = rcgen::KeyPair::generate().unwrap();
    let certificate = rcgen::CertificateParams::new(vec!["a".into()]).unwrap().self_signed(&key).unwrap();
    (certificate.pem(), certificate.der().to_vec())
}

fn escaped(text: &str) -> String {
    use std::fmt::Write;
    text.bytes().fold(String::new(), |mut escaped, byte| {
        if byte.is_ascii_alphanumeric() {
            escaped.push(char::from(byte));
        } else {
            write!(escaped, "%{byte:02X}").unwrap();
        }
        escaped
    })
}

fn headers(name: &str, values: &[&str]) -> HeaderMap {
    let name: HeaderName = name.parse().unwrap();
    values.iter().map(|value| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
}

const PROXY: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));

#[test]
fn both_formats_lead_to_the_thumbprint_of_the_same_bytes() {
    let (pem, der) = certificate();
    let expected = Ok(Some(Thumbprint::of(&der)));
    let nginx = HeaderSource::nginx(Network::loopback());
    assert_eq!(nginx.presented(&headers("x-client-cert", &[&escaped(&pem)]), PROXY), expected);
    let rfc9440 = HeaderSource::rfc9440(Network::loopback());
    let value = format!(":{}:", base64(&der));
    assert_eq!(rfc9440.presented(&headers("client-cert", &[&value]), PROXY), expected);
    assert_eq!(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().as_ref(), der);
}

#[test]
fn a_stranger_who_sends_the_header_has_presented_nothing() {
    let (pem, _) = certificate();
    let source = HeaderSource::nginx(Network::loopback());
    let headers = headers("x-client-cert", &[&escaped(&pem)]);
    assert_eq!(source.presented(&headers, Some("192.0.2.1".parse().unwrap())), Ok(None));
    assert_eq!(source.presented(&headers, None), Ok(None));
}

#[test]
fn a_proxy_that_saw_no_certificate_says_so_by_silence() {
    let source = HeaderSource::nginx(Network::loopback());
    assert_eq!(source.presented(&HeaderMap::new(), PROXY), Ok(None));
    assert_eq!(source.presented(&headers("x-client-cert", &[""]), PROXY), Ok(None));
}

#[test]
fn anything_but_one_certificate_in_the_configured_format_is_refused() {
    let (pem, der) = certificate();
    let rfc9440 = format!(":{}:", base64(&der));
    let good = escaped(&pem);
    let twice = escaped(&format!("{pem}{pem}"));
    let cut = &good[..good.len() - 40];
    let nginx = HeaderSource::nginx(Network::loopback());
    for wrong in
        [&[&*rfc9440][..], &[&pem.replace('\n', " ")], &["x"], &[cut], &[&twice], &["%"], &[&good, &good]]
    {
        assert_eq!(nginx.presented(&headers("x-client-cert", wrong), PROXY), Err(Malformed), "{wrong:?}");
    }
    let source = HeaderSource::rfc9440(Network::loopback());
    let bare = base64(&der);
    for wrong in [
        &[&*good][..],
        &[&*bare],
        &["::"],
        &[":a:"],
        &[&rfc9440, &rfc9440],
        &[&format!("{rfc9440}, {rfc9440}")],
    ] {
        assert_eq!(source.presented(&headers("client-cert", wrong), PROXY), Err(Malformed), "{wrong:?}");
    }
}

#[test]
fn a_product_behind_the_gate_reads_no_story_about_certificates() {
    let mut told = HeaderMap::new();
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
        "my-own-header",
        "accept",
        "x-client-certain",
    ] {
        told.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_static("story"));
    }
    let mut source = HeaderSource::nginx(vec![]);
    source.name = HeaderName::from_static("my-own-header");
    strip(&mut told, &Source::Header(source));
    let mut left: Vec<_> = told.keys().map(HeaderName::as_str).collect();
    left.sort_unstable();
    assert_eq!(left, ["accept", "x-client-certain"]);
}
