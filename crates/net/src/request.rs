//! Requests that every listener refuses, whatever service stands behind it.

use http::header::{HOST, TRANSFER_ENCODING};
use http::uri::Authority;
use http::{HeaderMap, Method, Request, Version};
use std::error::Error;
use std::io;
use tegata_core::Refusal;

/// Nobody is a tunnel here (RFC 9110 section 9.3.6), chunked is the only transfer coding (RFC 9112 section 6.1; hyper
/// itself answers 400 where chunked is not the last one, as section 6.3 demands), and HTTP/1.1 has one `Host` (RFC 9112
/// section 3.2).
pub(crate) fn check<B>(request: &Request<B>) -> Result<(), Refusal> {
    if request.method() == Method::CONNECT || has_foreign_coding(request.headers()) {
        return Err(Refusal::NotImplemented);
    }
    if request.version() == Version::HTTP_11 && !has_one_host(request.headers()) {
        return Err(Refusal::RequestMalformed);
    }
    Ok(())
}

fn has_foreign_coding(headers: &HeaderMap) -> bool {
    let mut fields = headers.get_all(TRANSFER_ENCODING).iter();
    let is_chunked =
        |field: &http::HeaderValue| field.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked");
    fields.next().is_some_and(|field| !is_chunked(field)) || fields.next().is_some()
}

fn has_one_host(headers: &HeaderMap) -> bool {
    let mut fields = headers.get_all(HOST).iter();
    let is_host = |field: &http::HeaderValue| {
        Authority::try_from(field.as_bytes()).is_ok_and(|host| !host.as_str().contains('@'))
    };
    fields.next().is_some_and(is_host) && fields.next().is_none()
}

/// Whether reading a request's body failed because its chunks make no sense (RFC 9112 section 7.1), which is the
/// client's fault and nobody else's, rather than because the client went away.
pub fn is_malformed_body(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<io::Error>()
            && matches!(error.kind(), io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData)
        {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(version: Version, method: &str, headers: &[(&str, &str)]) -> Result<(), Refusal> {
        let mut request = Request::builder().method(method).version(version).uri("/");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        check(&request.body(()).unwrap())
    }

    #[test]
    fn a_request_of_http_1_1_names_one_host() {
        let http_11 = |headers: &[_]| checked(Version::HTTP_11, "GET", headers);
        assert_eq!(http_11(&[("host", "a.example:8443")]), Ok(()));
        for wrong in [
            &[][..],
            &[("host", "a"), ("host", "a")],
            &[("host", "")],
            &[("host", "a b")],
            &[("host", "u@a")],
        ] {
            assert_eq!(http_11(wrong), Err(Refusal::RequestMalformed), "{wrong:?}");
        }
        assert_eq!(checked(Version::HTTP_10, "GET", &[]), Ok(()));
        assert_eq!(checked(Version::HTTP_2, "GET", &[]), Ok(()));
    }

    #[test]
    fn no_request_becomes_a_tunnel_or_is_coded_in_a_way_that_nobody_reads() {
        let coded = |values: &[&'static str]| {
            let fields: Vec<_> = values.iter().map(|value| ("transfer-encoding", *value)).collect();
            checked(Version::HTTP_11, "POST", &[&[("host", "a")], &fields[..]].concat())
        };
        assert_eq!((coded(&["chunked"]), coded(&["Chunked"])), (Ok(()), Ok(())));
        for wrong in [
            &["gzip, chunked"][..],
            &["gzip", "chunked"],
            &["chunked", "chunked"],
            &["chunked, chunked"],
            &[""],
        ] {
            assert_eq!(coded(wrong), Err(Refusal::NotImplemented), "{wrong:?}");
        }
        for version in [Version::HTTP_11, Version::HTTP_2] {
            assert_eq!(checked(version, "CONNECT", &[("host", "a")]), Err(Refusal::NotImplemented));
        }
    }
}
