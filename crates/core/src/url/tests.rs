use super::*;

fn origin(text: &str) -> Result<String, UrlError> {
    HttpOrigin::parse(text).map(|origin| origin.to_string())
}

#[test]
fn an_origin_is_written_as_browsers_write_it() {
    for (written, expected) in [
        ("https://tegata.example.jp:443", "https://tegata.example.jp"),
        ("https://tegata.example.jp/", "https://tegata.example.jp"),
        ("HTTPS://Tegata.Example.JP", "https://tegata.example.jp"),
        ("http://pki.example.jp:80", "http://pki.example.jp"),
        ("http://pki.example.jp:443", "http://pki.example.jp:443"),
        ("https://pki.example.jp:080", "https://pki.example.jp:80"),
        ("https://localhost:8443", "https://localhost:8443"),
        ("https://192.0.2.1:443", "https://192.0.2.1"),
        ("https://[2001:DB8:0::1]:443", "https://[2001:db8::1]"),
        ("https://[::1]:9443", "https://[::1]:9443"),
        ("https://xn--wgv71a119e.jp", "https://xn--wgv71a119e.jp"),
        ("https://siem_1:8443", "https://siem_1:8443"),
    ] {
        assert_eq!(origin(written).as_deref(), Ok(expected), "{written}");
        assert_eq!(origin(expected).as_deref(), Ok(expected), "read again: {expected}");
    }
}

#[test]
fn whoever_writes_something_else_reads_what_to_write() {
    for (written, error) in [
        ("", UrlError::Scheme),
        ("tegata.example.jp", UrlError::Scheme),
        ("ftp://tegata.example.jp", UrlError::Scheme),
        ("https:/tegata.example.jp", UrlError::Scheme),
        ("https://", UrlError::Host),
        ("https:///x", UrlError::Host),
        ("https://a b", UrlError::Host),
        ("https://a..b", UrlError::Host),
        ("https://.", UrlError::FinalDot),
        ("https://a.example.", UrlError::FinalDot),
        ("https://日本.jp", UrlError::International),
        ("https://admin@a.example", UrlError::UserInfo),
        ("https://admin:secret@a.example", UrlError::UserInfo),
        ("https://a.example:", UrlError::Port),
        ("https://a.example:0", UrlError::Port),
        ("https://a.example:65536", UrlError::Port),
        ("https://a.example:+443", UrlError::Port),
        ("https://a.example:443:443", UrlError::Port),
        ("https://127.1", UrlError::Address),
        ("https://0x7f.1", UrlError::Address),
        ("https://2130706433", UrlError::Address),
        ("https://192.0.2.01", UrlError::Address),
        ("https://[::1", UrlError::Address),
        ("https://[fe80::1%25eth0]", UrlError::Address),
        ("https://[::ffff:192.0.2.1]", UrlError::Address),
        ("https://a.example/tegata", UrlError::Path),
        ("https://a.example//", UrlError::Path),
        ("https://a.example\\b", UrlError::Characters),
        ("https://a.example?x=1", UrlError::Query),
        ("https://a.example/#", UrlError::Fragment),
    ] {
        assert_eq!(origin(written), Err(error), "{written}");
    }
}

#[test]
fn a_listener_with_certificates_is_reached_by_tls_alone() {
    assert_eq!(HttpOrigin::parse_https("http://a.example"), Err(UrlError::NotHttps));
    assert!(HttpOrigin::parse_https("https://a.example").is_ok());
}

#[test]
fn the_path_of_an_address_stays_as_it_is_written() {
    for (written, expected) in [
        ("https://A.example:443/Events/", "https://a.example/Events/"),
        ("https://a.example/events?to=siem", "https://a.example/events?to=siem"),
        ("https://a.example", "https://a.example"),
    ] {
        assert_eq!(HttpUrl::parse(written).unwrap().to_string(), expected);
    }
    assert_eq!(HttpUrl::parse("https://a.example/薬"), Err(UrlError::Characters));
    assert_ne!(HttpUrl::parse("https://a.example/x"), HttpUrl::parse("https://a.example/x/"));
}

#[test]
fn an_issuer_has_no_query_and_no_lonely_slash() {
    let issuer = |text: &str| HttpUrl::parse_issuer(text).map(|url| url.to_string());
    assert_eq!(issuer("https://a.example:443/").as_deref(), Ok("https://a.example"));
    assert_eq!(issuer("https://a.example/tenant").as_deref(), Ok("https://a.example/tenant"));
    assert_eq!(issuer("https://a.example/?a"), Err(UrlError::Query));
    assert_eq!(issuer("http://a.example"), Err(UrlError::NotHttps));
}

#[test]
fn only_what_is_this_machine_counts_as_this_machine() {
    let is_loopback = |text: &str| HttpOrigin::parse(text).unwrap().is_loopback();
    for own in ["https://localhost", "https://tegata.localhost:1", "https://127.0.0.9", "https://[::1]"] {
        assert!(is_loopback(own), "{own}");
    }
    for other in ["https://localhost.example", "https://192.0.2.1", "https://mylocalhost"] {
        assert!(!is_loopback(other), "{other}");
    }
}
