use super::*;
use crate::Thumbprint;
use crate::encoding::{base64, hex};
use proptest::prelude::*;
use std::sync::atomic::{AtomicU8, Ordering};

/// PEM and the bytes in it, others each time. No parser here looks inside.
fn certificate() -> (String, Vec<u8>) {
    static MADE: AtomicU8 = AtomicU8::new(0);
    let first = MADE.fetch_add(1, Ordering::Relaxed);
    let der: Vec<u8> = (0..500).map(|place: u16| first.wrapping_add(place.to_le_bytes()[0])).collect();
    let text = base64(&der);
    let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| str::from_utf8(line).unwrap()).collect();
    (format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n")), der)
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

const PROXY: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));

/// Escapes a text as an AWS load balancer does: `+`, `=` and `/` stay.
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

/// What the source makes of these values of its header.
fn told(
    source: &HeaderSource,
    values: &[&str],
    peer: Option<IpAddr>,
) -> Result<Option<ProxiedCertificate>, MalformedHeader> {
    let all = |name: &str| {
        let asked = name == source.name;
        values.iter().map(|value| value.as_bytes()).filter(move |_| asked)
    };
    source.told(all, peer)
}

fn read(source: &HeaderSource, values: &[&str]) -> Result<Option<Thumbprint>, MalformedHeader> {
    told(source, values, PROXY).map(|told| told.map(|told| told.thumbprint()))
}

#[test]
fn every_proxy_leads_to_the_thumbprint_of_the_same_bytes() {
    let (pem, der) = certificate();
    for (source, value) in written(&pem, &der) {
        assert_eq!(read(&source, &[&value]), Ok(Some(Thumbprint::of(&der))), "{source:?} {value}");
        let told = told(&source, &[&value], PROXY).unwrap().unwrap();
        assert!(told.der().is_none_or(|told| told == der), "{value}");
        assert_eq!(told.der().is_none(), value.starts_with("Hash="), "{value}");
    }
}

#[test]
fn every_format_takes_one_header_from_trusted_peers_and_no_other_form() {
    let (pem, der) = certificate();
    let all = written(&pem, &der);
    for (source, value) in &all {
        assert_eq!(read(source, &[value, value]), Err(MalformedHeader), "two headers");
        assert_eq!(told(source, &[value], Some("192.0.2.1".parse().unwrap())), Ok(None));
        assert_eq!(read(source, &[""]), Ok(None));
        for nonsense in ["x", ",", ";", "%", "=", "::", ":", "\"", "MIIB", &pem.replace('\n', " ")] {
            let refused = read(source, &[nonsense]);
            // Four letters of base64 are three bytes: the certificate of nobody.
            let is_nobodys = nonsense == "MIIB" && source.format == HeaderEncoding::Bare;
            assert!(refused == Err(MalformedHeader) || is_nobodys, "{source:?} {nonsense}");
        }
        for (other, value) in all.iter().filter(|(other, _)| other.format != source.format) {
            // A single certificate is also a chain of one, in the same letters.
            let pem = [HeaderEncoding::EscapedPem, HeaderEncoding::EscapedPemChain];
            if !(pem.contains(&source.format) && pem.contains(&other.format)) {
                assert_eq!(read(source, &[value]), Err(MalformedHeader), "{source:?} {value}");
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
    assert_eq!(read(&alb, &[&alb_escaped(&format!("{pem}x{other_pem}"))]), Err(MalformedHeader));
    let traefik = HeaderSource::traefik(Network::loopback());
    assert_eq!(read(&traefik, &[&format!("{},{}", base64(&der), base64(&other_der))]), leaf);
    for wrong in [format!("{},", base64(&der)), format!("{},x", base64(&der)), format!(",{}", base64(&der))] {
        assert_eq!(read(&traefik, &[&wrong]), Err(MalformedHeader), "{wrong}");
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
        assert_eq!(read(&source, &[&wrong]), Err(MalformedHeader), "{wrong}");
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
        prop_assert!(read == Err(MalformedHeader) || read == Ok(Some(own)), "{value}: {read:?}");
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
    for peer in [Some("192.0.2.1".parse().unwrap()), None] {
        assert_eq!(told(&source, &[&escaped(&pem)], peer), Ok(None));
    }
}

#[test]
fn a_proxy_that_saw_no_certificate_says_so_by_silence() {
    let source = HeaderSource::nginx(Network::loopback());
    assert_eq!(read(&source, &[]), Ok(None));
    assert_eq!(read(&source, &[""]), Ok(None));
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
        assert_eq!(read(&nginx, wrong), Err(MalformedHeader), "{wrong:?}");
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
        assert_eq!(read(&source, wrong), Err(MalformedHeader), "{wrong:?}");
    }
}

#[test]
fn a_chain_beside_the_certificate_is_whole_and_never_alone() {
    let (_, der) = certificate();
    let source = HeaderSource::rfc9440(Network::loopback());
    let leaf = format!(":{}:", base64(&der));
    let read = |leaf: Option<&str>, chain: &[&str]| {
        let (leaf, chain) = (leaf.as_slice().to_owned(), chain.to_owned());
        let all = |name: &str| {
            let values = if name == "client-cert" { leaf.clone() } else { chain.clone() };
            values.into_iter().map(str::as_bytes)
        };
        source.read(all).map(|told| told.is_some())
    };
    assert_eq!(read(Some(&leaf), &[]), Ok(true));
    assert_eq!(read(Some(&leaf), &[&format!("{leaf}, {leaf}"), &leaf]), Ok(true));
    assert_eq!(read(None, &[""]), Ok(false));
    assert_eq!(read(None, &[&leaf]), Err(MalformedHeader), "a chain of nothing");
    for wrong in ["x", ":x:", &format!("{leaf},"), &format!("{leaf}; a=1"), &format!("{leaf} {leaf}")] {
        assert_eq!(read(Some(&leaf), &[wrong]), Err(MalformedHeader), "{wrong}");
    }
}
