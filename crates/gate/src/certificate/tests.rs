use super::*;
use http::HeaderValue;
use proptest::prelude::*;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tegata_core::encoding::{base64, hex};

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

/// As an AWS load balancer escapes: `+`, `=` and `/` stay.
fn alb_escaped(pem: &str) -> String {
    escaped(pem).replace("%2B", "+").replace("%3D", "=").replace("%2F", "/").replace("%2D", "-")
}

fn envoy_element(pem: &str, der: &[u8]) -> String {
    let hash = hex(Thumbprint::of(der).as_bytes());
    let cert = escaped(pem);
    format!(r#"By=spiffe://a/b;Hash={hash};Cert="{cert}";Subject="CN=\"x\", O=a;b=c";URI=urn:a?b=c;DNS=a"#)
}

/// Every format, with the header a proxy would write for this certificate.
fn written(pem: &str, der: &[u8]) -> Vec<(HeaderSource, String)> {
    let trusted = Network::loopback;
    let hash = hex(Thumbprint::of(der).as_bytes());
    vec![
        (HeaderSource::nginx(trusted()), escaped(pem)),
        (HeaderSource::rfc9440(trusted()), format!(":{}:", base64(der))),
        (HeaderSource::envoy(trusted()), envoy_element(pem, der)),
        (HeaderSource::envoy(trusted()), format!("Hash={hash}")),
        (HeaderSource::envoy(trusted()), format!("cert=\"{}\"", escaped(pem))),
        (HeaderSource::alb(trusted()), alb_escaped(pem)),
        (HeaderSource::alb_verify(trusted()), alb_escaped(pem)),
        (HeaderSource::traefik(trusted()), base64(der)),
        (HeaderSource::traefik(trusted()), escaped(&base64(der))),
    ]
}

fn read(source: &HeaderSource, values: &[&str]) -> Result<Option<Thumbprint>, Malformed> {
    source.presented(&headers(source.name.as_str(), values), PROXY)
}

#[test]
fn every_proxy_leads_to_the_thumbprint_of_the_same_bytes() {
    let (pem, der) = certificate();
    assert_eq!(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap().as_ref(), der);
    for (source, value) in written(&pem, &der) {
        assert_eq!(read(&source, &[&value]), Ok(Some(Thumbprint::of(&der))), "{source:?} {value}");
        let told = source.told(&headers(source.name.as_str(), &[&value]), PROXY).unwrap().unwrap();
        assert!(told.der().is_none_or(|told| told == der), "{value}");
        assert_eq!(told.der().is_none(), value.starts_with("Hash="), "{value}");
    }
}

#[test]
fn every_format_takes_one_header_from_trusted_peers_and_no_other_form() {
    let (pem, der) = certificate();
    let all = written(&pem, &der);
    for (source, value) in &all {
        assert_eq!(read(source, &[value, value]), Err(Malformed), "two headers");
        let from_a_stranger = headers(source.name.as_str(), &[value]);
        assert_eq!(source.presented(&from_a_stranger, Some("192.0.2.1".parse().unwrap())), Ok(None));
        assert_eq!(read(source, &[""]), Ok(None));
        for nonsense in ["x", ",", ";", "%", "=", "::", ":", "\"", "MIIB", &pem.replace('\n', " ")] {
            let refused = read(source, &[nonsense]);
            // Four letters of base64 are three bytes: the certificate of nobody.
            let is_nobodys = nonsense == "MIIB" && source.format == Format::Bare;
            assert!(refused == Err(Malformed) || is_nobodys, "{source:?} {nonsense}");
        }
        for (other, value) in all.iter().filter(|(other, _)| other.format != source.format) {
            // A single certificate is also a chain of one, in the same letters.
            let pem = [Format::EscapedPem, Format::EscapedPemChain];
            if !(pem.contains(&source.format) && pem.contains(&other.format)) {
                assert_eq!(read(source, &[value]), Err(Malformed), "{source:?} {value}");
            }
        }
    }
}

#[test]
fn where_a_proxy_passes_the_whole_chain_only_its_first_certificate_counts() {
    let ((pem, der), (other_pem, other_der)) = (certificate(), certificate());
    let leaf = Ok(Some(Thumbprint::of(&der)));
    let alb = HeaderSource::alb(Network::loopback());
    assert_eq!(read(&alb, &[&alb_escaped(&format!("{pem}{other_pem}"))]), leaf);
    assert_eq!(read(&alb, &[&alb_escaped(&format!("{pem}x{other_pem}"))]), Err(Malformed));
    let traefik = HeaderSource::traefik(Network::loopback());
    assert_eq!(read(&traefik, &[&format!("{},{}", base64(&der), base64(&other_der))]), leaf);
    for wrong in [format!("{},", base64(&der)), format!("{},x", base64(&der)), format!(",{}", base64(&der))] {
        assert_eq!(read(&traefik, &[&wrong]), Err(Malformed), "{wrong}");
    }
}

#[test]
fn envoy_must_speak_of_one_client_and_must_not_contradict_itself() {
    let ((pem, der), (other_pem, other_der)) = (certificate(), certificate());
    let source = HeaderSource::envoy(Network::loopback());
    let (one, other) = (envoy_element(&pem, &der), envoy_element(&other_pem, &other_der));
    let hash = format!("Hash={}", hex(Thumbprint::of(&der).as_bytes()));
    for wrong in [
        format!("{one},{other}"),
        format!("{one},"),
        format!("{one};"),
        format!("{hash};{hash}"),
        format!("{hash};Cert=\"{}\"", escaped(&other_pem)),
        format!("{hash};Cert=\"{}\"", escaped(&format!("{pem}{other_pem}"))),
        format!("{hash};Cert="),
        format!("{hash}0"),
        format!("{hash};Subject=\"unfinished"),
        format!("{hash};Subject=\"a\"b"),
        format!("{hash};Subject=a\"b"),
        format!("{hash};=x"),
        format!("{hash};novalue"),
        "By=spiffe://only/the/proxy".to_owned(),
        "Hash=".to_owned() + &"é".repeat(32),
    ] {
        let value = HeaderValue::from_bytes(wrong.as_bytes()).unwrap();
        let headers = [(source.name.clone(), value)].into_iter().collect();
        assert_eq!(source.presented(&headers, PROXY), Err(Malformed), "{wrong}");
    }
    assert_eq!(read(&source, &[&hash.to_uppercase()]), Ok(Some(Thumbprint::of(&der))));
}

proptest! {
    /// A name inside a certificate is chosen by whoever asked for it, and Envoy writes some of them without quotes.
    #[test]
    fn no_name_inside_a_certificate_passes_for_another_certificate(
        uri in "[ -~]{0,40}|[;,=\"A-Za-z]{0,20}(;|,)(Hash|Cert|hash)=[0-9a-f\"]{0,70}",
    ) {
        let own = Thumbprint::of(b"own");
        let value = format!("By=a;Hash={};URI={uri};DNS=x", hex(own.as_bytes()));
        let source = HeaderSource::envoy(Network::loopback());
        let read = read(&source, &[&value]);
        prop_assert!(read == Err(Malformed) || read == Ok(Some(own)), "{value}: {read:?}");
    }

    #[test]
    fn no_text_makes_a_parser_fall_over(text in "[ -~]{0,200}|[-:;,=%\"+/A-Za-z0-9\\\\]{0,200}") {
        for (source, _) in written("", b"") {
            let _ = read(&source, &[&text]);
        }
    }

    #[test]
    fn two_certificates_are_never_read_as_the_second_one(cut in 0_usize..1500, between in "[ -~]{0,3}") {
        let ((pem, der), (other_pem, other_der)) = (certificate(), certificate());
        let pairs = written(&pem, &der).into_iter().zip(written(&other_pem, &other_der));
        for ((source, one), (_, other)) in pairs {
            let start = &one[..(one.len() / 2 + cut).min(one.len())];
            let read = read(&source, &[&format!("{start}{between}{other}")]);
            prop_assert!(read != Ok(Some(Thumbprint::of(&other_der))), "{source:?}");
        }
    }
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
