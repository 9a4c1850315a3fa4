use super::fixture::{
    MadeCertificate, SeenAnswer, WebFixture, ca_params, call_through, leaf_params, rooted, signed,
};
use crate::proxy::ProxyConfigError;
use axum::body::Bytes;
use http::{HeaderMap, HeaderValue, Response};
use rustls_pki_types::CertificateDer;
use tegata_core::encoding::{base64, hex};
use tegata_core::proxied::HeaderSource;
use tegata_core::{Network, Thumbprint};

const PROXY: &str = "127.0.0.1:40000";
const STRANGER: &str = "192.0.2.1:40000";

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    pairs
        .iter()
        .map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_str(value).unwrap()))
        .map(|(name, value): (http::HeaderName, _)| (name, value))
        .collect()
}

fn rfc9440(der: &[u8]) -> String {
    format!(":{}:", base64(der))
}

fn code(response: &Response<Bytes>) -> (u16, String) {
    let problem: serde_json::Value = serde_json::from_slice(response.body()).unwrap();
    (response.status().as_u16(), problem["code"].as_str().unwrap().to_owned())
}

fn seen(response: &Response<Bytes>) -> SeenAnswer {
    assert_eq!(response.status(), 200, "{:?}", response.body());
    serde_json::from_slice(response.body()).unwrap()
}

fn known(made: &MadeCertificate, trusted: bool) -> SeenAnswer {
    SeenAnswer { thumbprint: Some(Thumbprint::of(&made.der).to_string()), trusted: Some(trusted) }
}

#[tokio::test]
async fn a_certificate_in_the_proxys_header_is_judged_like_a_presented_one() {
    let fixture = WebFixture::start().await;
    let foreign = signed(leaf_params("Device"), &rooted(ca_params("Issuing")));
    let through = async |der: &[u8]| {
        let proxies = fixture.proxies(HeaderSource::rfc9440(Network::loopback()), &[]).unwrap();
        call_through(proxies, PROXY, None, headers(&[("client-cert", &rfc9440(der))])).await
    };
    assert_eq!(seen(&through(&fixture.ours.device.der).await), known(&fixture.ours.device, true));
    assert_eq!(seen(&through(&foreign.der).await), known(&foreign, false));
    assert_eq!(seen(&through(b"no certificate").await).trusted, Some(false));
}

#[tokio::test]
async fn without_a_certificate_in_the_header_nobody_presented_one() {
    let fixture = WebFixture::start().await;
    let made = rfc9440(&fixture.ours.device.der);
    let lookalikes = [("client_cert", &*made), ("client.cert", &made), ("client~cert", &made)];
    for told in [headers(&[]), headers(&[("client-cert", "")]), headers(&lookalikes)] {
        let proxies = fixture.proxies(HeaderSource::rfc9440(Network::loopback()), &[]).unwrap();
        let nobody = SeenAnswer { thumbprint: None, trusted: None };
        assert_eq!(seen(&call_through(proxies, PROXY, None, told).await), nobody);
    }
}

#[tokio::test]
async fn whatever_is_not_one_certificate_in_the_configured_form_is_refused() {
    let fixture = WebFixture::start().await;
    let good = rfc9440(&fixture.ours.device.der);
    let hash = format!("Hash={}", hex(Thumbprint::of(&fixture.ours.device.der).as_bytes()));
    let rfc9440 = HeaderSource::rfc9440(Network::loopback());
    for (source, told) in [
        (&rfc9440, headers(&[("client-cert", &good), ("client-cert", &good)])),
        (&rfc9440, headers(&[("client-cert", &format!("{good}, {good}"))])),
        (&rfc9440, headers(&[("client-cert", "x")])),
        (&rfc9440, headers(&[("client-cert-chain", &good)])),
        (&HeaderSource::nginx(Network::loopback()), headers(&[("x-client-cert", &good)])),
        (&HeaderSource::envoy(Network::loopback()), headers(&[("x-forwarded-client-cert", &hash)])),
    ] {
        let proxies = fixture.proxies(source.clone(), &[]).unwrap();
        let refused = call_through(proxies, PROXY, None, told).await;
        assert_eq!(code(&refused), (400, "R-09".to_owned()), "{source:?}");
    }
}

#[tokio::test]
async fn whoever_is_not_the_configured_proxy_gets_no_further_whatever_they_send() {
    let fixture = WebFixture::start().await;
    let own = signed(leaf_params("proxy"), &rooted(ca_params("Proxies")));
    let other = signed(leaf_params("proxy"), &rooted(ca_params("Proxies")));
    let at_home = HeaderSource::rfc9440(Network::loopback());
    let anywhere = HeaderSource::rfc9440(vec![]);
    let pins = [own.der.clone()];
    let refused = (403, "R-08".to_owned());
    for (source, pins, address, shown) in [
        (&at_home, &[][..], STRANGER, None),
        (&at_home, &[], STRANGER, Some(&own)),
        (&at_home, &pins, STRANGER, Some(&own)),
        (&at_home, &pins, PROXY, None),
        (&at_home, &pins, PROXY, Some(&other)),
        (&anywhere, &pins, PROXY, None),
        (&anywhere, &pins, PROXY, Some(&fixture.ours.device)),
    ] {
        for told in [headers(&[]), headers(&[("client-cert", &rfc9440(&fixture.ours.device.der))])] {
            let proxies = fixture.proxies(source.clone(), pins).unwrap();
            assert_eq!(code(&call_through(proxies, address, shown, told).await), refused, "{address}");
        }
    }
    for (source, address) in [(&at_home, PROXY), (&anywhere, STRANGER)] {
        let proxies = fixture.proxies(source.clone(), &pins).unwrap();
        let told = headers(&[("client-cert", &rfc9440(&fixture.ours.device.der))]);
        let let_in = call_through(proxies, address, Some(&own), told).await;
        assert_eq!(seen(&let_in), known(&fixture.ours.device, true));
    }
}

#[tokio::test]
async fn a_proxys_certificate_counts_only_while_it_lives() {
    let fixture = WebFixture::start().await;
    for (first, last) in [(2020, 2026), (2027, 2030)] {
        let mut params = leaf_params("proxy");
        params.not_before = rcgen::date_time_ymd(first, 1, 1);
        params.not_after = rcgen::date_time_ymd(last, 1, 1);
        let own = rooted(params);
        let proxies = fixture.proxies(HeaderSource::rfc9440(vec![]), std::slice::from_ref(&own.der)).unwrap();
        let refused = call_through(proxies, PROXY, Some(&own), headers(&[])).await;
        assert_eq!(code(&refused), (403, "R-08".to_owned()), "{first} to {last}");
    }
}

#[tokio::test]
async fn proxies_that_could_be_anybody_are_no_configuration() {
    let fixture = WebFixture::start().await;
    let unfit = |source: HeaderSource, pins: &[CertificateDer<'static>]| fixture.proxies(source, pins).err();
    assert_eq!(unfit(HeaderSource::nginx(vec![]), &[]), Some(ProxyConfigError::Anybody));
    assert_eq!(
        unfit(HeaderSource::nginx(vec![]), &[CertificateDer::from(&b"x"[..])]),
        Some(ProxyConfigError::Unreadable)
    );
    for name in ["X-Client-Cert", "x client-cert", "x\"client", "x:client", ""] {
        let mut source = HeaderSource::nginx(Network::loopback());
        source.name = name.into();
        assert_eq!(unfit(source, &[]), Some(ProxyConfigError::HeaderName), "{name}");
    }
}

#[tokio::test]
async fn on_the_listener_of_devices_no_header_is_anybodys_certificate() {
    use super::fixture::{connect, get_request, send};
    let fixture = WebFixture::start().await;
    let told = rfc9440(&fixture.ours.device.der);
    for presented in [None, Some(&signed(leaf_params("other"), &fixture.ours.issuing))] {
        let stream = connect(fixture.device, "localhost", &fixture.client(presented, &["http/1.1"])).await;
        let mut request = get_request("localhost", "/seen");
        for name in ["client-cert", "x-client-cert", "x-forwarded-client-cert", "x-amzn-mtls-clientcert"] {
            request.headers_mut().insert(name, told.parse().unwrap());
        }
        let own = presented.map(|made| Thumbprint::of(&made.der).to_string());
        assert_eq!(seen(&send(stream, request).await).thumbprint, own);
    }
}

#[tokio::test]
async fn a_proxy_proves_to_have_its_certificate_and_may_ask_for_any_name() {
    use super::fixture::{connect, get_request, send, send_h2};
    let mut fixture = WebFixture::start().await;
    let own = signed(leaf_params("proxy"), &rooted(ca_params("Proxies")));
    let address =
        fixture.open_for_proxies(HeaderSource::rfc9440(vec![]), std::slice::from_ref(&own.der)).await;
    let told = || {
        let mut request = get_request("tegata.example.jp", "/seen");
        request.headers_mut().insert("client-cert", rfc9440(&fixture.ours.device.der).parse().unwrap());
        request
    };
    let stream = connect(address, "localhost", &fixture.client(Some(&own), &["http/1.1"])).await;
    assert_eq!(seen(&send(stream, told()).await), known(&fixture.ours.device, true));
    let stream = connect(address, "localhost", &fixture.client(Some(&own), &["h2"])).await;
    let mut request = told();
    *request.uri_mut() = "https://tegata.example.jp/seen".parse().unwrap();
    assert_eq!(seen(&send_h2(stream, request).await), known(&fixture.ours.device, true));
    let stream = connect(address, "localhost", &fixture.client(None, &["http/1.1"])).await;
    assert_eq!(code(&send(stream, told()).await), (403, "R-08".to_owned()));
    // A stopped device does not end the connection that others use too.
    let (mut sender, connection) = {
        let stream = connect(address, "localhost", &fixture.client(Some(&own), &["http/1.1"])).await;
        let io = hyper_util::rt::TokioIo::new(stream);
        hyper::client::conn::http1::handshake::<_, String>(io).await.unwrap()
    };
    tokio::spawn(connection);
    for path in ["/close", "/seen", "/close", "/seen"] {
        let mut request = told();
        *request.uri_mut() = path.parse().unwrap();
        sender.ready().await.unwrap();
        let response = sender.send_request(request).await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        let _ = http_body_util::BodyExt::collect(response.into_body()).await.unwrap();
    }
}
