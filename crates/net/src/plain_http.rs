//! Just enough of an HTTP client for what lies on the public address: one request, one answer, no TLS.

use http::Uri;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(5);

/// The largest answer read: a list of two million entries.
const LARGEST: u64 = 128 << 20;

/// A response without TLS, its head not parsed.
pub struct PlainResponse {
    /// The status code of the answer.
    pub status: u16,
    /// Status line and headers, as they came.
    pub head: String,
    /// The body, to the end of the connection.
    pub body: Vec<u8>,
}

/// Fetches a URL from an address, whatever its host leads to; `None` for any failure.
pub async fn get(at: SocketAddr, url: &str) -> Option<PlainResponse> {
    exchange(Some(at), url, &PlainRequest { method: "GET", headers: "", body: &[] }).await
}

/// Asks for the head alone.
pub async fn head(url: &str) -> Option<PlainResponse> {
    exchange(None, url, &PlainRequest { method: "HEAD", headers: "", body: &[] }).await
}

/// Posts a body of a media type to an address, whatever the host of the URL leads to.
pub async fn post(at: SocketAddr, url: &str, media_type: &str, body: &[u8]) -> Option<PlainResponse> {
    let headers = format!("Content-Type: {media_type}\r\nContent-Length: {}\r\n", body.len());
    exchange(Some(at), url, &PlainRequest { method: "POST", headers: &headers, body }).await
}

struct PlainRequest<'a> {
    method: &'static str,
    headers: &'a str,
    body: &'a [u8],
}

/// HTTP/1.0, whose answers end with the connection and are never in pieces (RFC 9112 section 6.3).
async fn exchange(at: Option<SocketAddr>, url: &str, request: &PlainRequest<'_>) -> Option<PlainResponse> {
    let uri: Uri = url.parse().ok()?;
    let (host, port) = (uri.host()?, uri.port_u16().unwrap_or(80));
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let answer = timeout(PATIENCE, async {
        let mut stream = match at {
            Some(at) => TcpStream::connect(at).await.ok()?,
            None => TcpStream::connect((host.trim_matches(['[', ']']), port)).await.ok()?,
        };
        let PlainRequest { method, headers, body } = request;
        let head = format!("{method} {path} HTTP/1.0\r\nHost: {host}:{port}\r\n{headers}\r\n");
        stream.write_all(head.as_bytes()).await.ok()?;
        stream.write_all(body).await.ok()?;
        let mut answer = Vec::new();
        stream.take(LARGEST).read_to_end(&mut answer).await.ok()?;
        Some(answer)
    });
    parse(answer.await.ok()??)
}

fn parse(mut answer: Vec<u8>) -> Option<PlainResponse> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let body = answer.split_off(end + 4);
    let head = String::from_utf8(answer).ok()?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(PlainResponse { status, head, body })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_head_and_body() {
        let answer = parse(b"HTTP/1.1 404 Not Found\r\nA: b\r\n\r\nbody\r\n\r\n".to_vec()).unwrap();
        assert_eq!((answer.status, answer.body.as_slice()), (404, b"body\r\n\r\n".as_slice()));
        assert!(parse(b"HTTP/1.1 200 OK\r\n".to_vec()).is_none() && parse(b"".to_vec()).is_none());
    }
}
