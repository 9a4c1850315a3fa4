//! HTTPS as the load speaks it: HTTP/1.1, TLS 1.3, and never a resumed session.

use crate::BenchOutcome;
use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::header::{CONTENT_TYPE, HOST, LOCATION};
use hyper::{HeaderMap, Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use rustls::client::Resumption;
use rustls::crypto::ring;
use rustls::{ClientConfig, RootCertStore, version};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Whose servers are believed.
pub struct BenchTrust(Arc<RootCertStore>);

/// What a client presents: its chain, leaf first, and its key.
pub struct BenchIdentity {
    pub chain: Vec<CertificateDer<'static>>,
    pub key: PrivateKeyDer<'static>,
}

/// A request that can be sent any number of times: a POST, or a GET where there is no body.
#[derive(Clone)]
pub struct Post {
    /// Path and nothing else.
    pub path: Arc<str>,
    pub media_type: &'static str,
    /// What else is said in the head.
    pub headers: HeaderMap,
    pub body: Bytes,
    /// The only status that is a success.
    pub expected: StatusCode,
}

/// A server, as one client speaks to it.
#[derive(Clone)]
pub struct BenchAddress {
    port: u16,
    /// None for HTTP without TLS.
    tls: Option<TlsConnector>,
}

/// An open connection.
pub struct BenchConnection {
    host: String,
    requests: SendRequest<Full<Bytes>>,
}

impl BenchTrust {
    /// Reads PEM files.
    pub fn read(files: &[&Path]) -> BenchOutcome<Self> {
        let mut roots = RootCertStore::empty();
        for file in files {
            for certificate in CertificateDer::pem_file_iter(file)? {
                roots.add(certificate?)?;
            }
        }
        Ok(Self(Arc::new(roots)))
    }
}

impl BenchAddress {
    /// Reads the port of `url`; the host is always this machine.
    pub fn new(url: &str, trust: &BenchTrust, identity: Option<&BenchIdentity>) -> BenchOutcome<Self> {
        let port = url.parse::<Uri>()?.port_u16().ok_or("an address without a port")?;
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(&[&version::TLS13])?
            .with_root_certificates(Arc::clone(&trust.0));
        let mut config = match identity {
            Some(own) => builder.with_client_auth_cert(own.chain.clone(), own.key.clone_key())?,
            None => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        config.resumption = Resumption::disabled();
        Ok(Self { port, tls: Some(TlsConnector::from(Arc::new(config))) })
    }

    /// HTTP without TLS.
    pub fn plain(url: &str) -> BenchOutcome<Self> {
        Ok(Self { port: url.parse::<Uri>()?.port_u16().ok_or("an address without a port")?, tls: None })
    }

    /// A full handshake.
    pub async fn connect(&self) -> BenchOutcome<BenchConnection> {
        let tcp = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await?;
        tcp.set_nodelay(true)?;
        let requests = if let Some(tls) = &self.tls {
            let stream = tls.connect(ServerName::try_from("localhost")?, tcp).await?;
            let (requests, connection) = handshake(TokioIo::new(stream)).await?;
            tokio::spawn(connection);
            requests
        } else {
            let (requests, connection) = handshake(TokioIo::new(tcp)).await?;
            tokio::spawn(connection);
            requests
        };
        Ok(BenchConnection { host: format!("localhost:{}", self.port), requests })
    }
}

impl BenchConnection {
    /// Sends the request and reads its answer to the end.
    ///
    /// # Errors
    /// Any status but the expected one is an error: nothing is gained by measuring refusals.
    pub async fn post(&mut self, post: &Post) -> BenchOutcome<Bytes> {
        self.success(post).await.map(Response::into_body)
    }

    /// Where the answer to the request sends the client on.
    ///
    /// # Errors
    /// Any status but the expected one, and an answer that leads nowhere.
    pub async fn led_on(&mut self, post: &Post) -> BenchOutcome<String> {
        let answer = self.success(post).await?;
        let location = answer.headers().get(LOCATION).ok_or("an answer without Location")?;
        Ok(location.to_str()?.to_owned())
    }

    /// The head and the body of the answer to the request.
    ///
    /// # Errors
    /// Any status but the expected one.
    pub async fn page(&mut self, post: &Post) -> BenchOutcome<(HeaderMap, Bytes)> {
        let (head, body) = self.success(post).await?.into_parts();
        Ok((head.headers, body))
    }

    async fn success(&mut self, post: &Post) -> BenchOutcome<Response<Bytes>> {
        let answer = self.answer(post).await?;
        let status = answer.status();
        if status == post.expected {
            Ok(answer)
        } else {
            let body = String::from_utf8_lossy(answer.body());
            Err(format!("{} answers {status}: {body}", post.path).into())
        }
    }

    /// The answer, whatever it is.
    pub async fn answer(&mut self, post: &Post) -> BenchOutcome<Response<Bytes>> {
        let request =
            if post.body.is_empty() { Request::get(&*post.path) } else { Request::post(&*post.path) };
        let mut request = request
            .header(HOST, &self.host)
            .header(CONTENT_TYPE, post.media_type)
            .body(Full::new(post.body.clone()))?;
        request.headers_mut().extend(post.headers.clone());
        self.requests.ready().await?;
        let (head, body) = self.requests.send_request(request).await?.into_parts();
        Ok(Response::from_parts(head, body.collect().await?.to_bytes()))
    }
}
