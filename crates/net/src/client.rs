//! Just enough of an HTTPS client: one HTTP/1.1 connection at a time. It follows no redirects, and every step has a time
//! and every document a size.

mod destinations;
mod endpoints;

pub use destinations::Destinations;
pub use endpoints::{ConnectTo, Endpoints, NotAConnectTo};

use endpoints::first_of;

use crate::tls::{IdentityFiles, TlsError};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST};
use http::uri::Scheme;
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Collected, Full, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::client::{ClientConfig, Resumption};
use rustls::time_provider::TimeProvider;
use rustls::{RootCertStore, SupportedProtocolVersion};
use rustls_pki_types::{ServerName, UnixTime};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tegata_core::{Clock, Language, Refusal};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

/// How long a connection, an answer's head or the rest of a document may take by default.
const PATIENCE: Duration = Duration::from_secs(5);

/// The longest document read at once, in bytes.
const MAX_DOCUMENT: usize = 256 * 1024;

/// The media type of forms.
const FORM: &str = "application/x-www-form-urlencoded";

static VERSIONS: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS13, &rustls::version::TLS12];

/// Why the other end could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nothing came in time.
    #[error("it does not answer in time")]
    Timeout,
    /// TCP or TLS failed.
    #[error("no connection: {0}")]
    Connect(#[from] std::io::Error),
    /// The address is not one of HTTPS.
    #[error("requests go to https:// addresses alone")]
    NotHttps,
    /// The host is none that was configured, and it is not on the Internet.
    #[error("{0} is within a network of one's own, and no host that the configuration names")]
    Forbidden(String),
    /// The response was not HTTP, or the connection broke off.
    #[error("HTTP: {0}")]
    Http(#[from] hyper::Error),
    /// Another status than the one expected.
    #[error("it answers {0}")]
    Status(StatusCode),
    /// A refusal, with its reason.
    #[error("it refuses: {} {}", .0.code(), .0.title(Language::En))]
    Refused(Refusal),
    /// The answer, or the address asked, makes no sense.
    #[error("its answer cannot be read")]
    Malformed,
}

/// Opens connections as one party: anonymous, or with a certificate.
pub struct HttpsClient {
    tls: TlsConnector,
    patience: Duration,
    destinations: Destinations,
    endpoints: Endpoints,
}

impl HttpsClient {
    /// Sessions are never resumed: a resumed one skips the check of the certificates.
    pub fn new(
        trust: RootCertStore,
        clock: Arc<dyn Clock>,
        identity: Option<IdentityFiles>,
        destinations: Destinations,
    ) -> Result<Self, TlsError> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_details(provider, Arc::new(TlsClock(clock)))
            .with_protocol_versions(&VERSIONS)?
            .with_root_certificates(trust);
        let mut config = match identity {
            Some((chain, key)) => builder.with_client_auth_cert(chain, key)?,
            None => builder.with_no_client_auth(),
        };
        config.resumption = Resumption::disabled();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            tls: TlsConnector::from(Arc::new(config)),
            patience: PATIENCE,
            destinations,
            endpoints: Endpoints::default(),
        })
    }

    /// Allows each step of an exchange to take this long, for callers that can wait.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Takes what is known of servers and where they are from here, and adds to it.
    #[must_use]
    pub fn with_endpoints(mut self, endpoints: Endpoints) -> Self {
        self.endpoints = endpoints;
        self
    }

    /// A connection to be used for several requests, one after the other.
    ///
    /// # Errors
    /// [`ClientError`] when it is not established in time.
    pub async fn open(&self, uri: &Uri) -> Result<HttpsConnection, ClientError> {
        timeout(self.patience, self.connect(uri)).await.map_err(|_| ClientError::Timeout)?
    }

    /// Fetches a small JSON document over a connection of its own.
    ///
    /// # Errors
    /// [`ClientError`] when no answer came, or another than 200.
    pub async fn get_json<T: DeserializeOwned>(&self, uri: &Uri) -> Result<T, ClientError> {
        serde_json::from_slice(&self.get_bytes(uri).await?).map_err(|_| ClientError::Malformed)
    }

    /// Fetches a small JSON document as it is, over a connection of its own.
    ///
    /// # Errors
    /// [`ClientError`] when no answer came, or another than 200.
    pub async fn get_bytes(&self, uri: &Uri) -> Result<Bytes, ClientError> {
        let mut connection = self.open(uri).await?;
        let response = connection.get(uri, "application/json").await?;
        let body = Limited::new(response.into_body(), MAX_DOCUMENT).collect();
        let body = timeout(self.patience, body).await.map_err(|_| ClientError::Timeout)?;
        Ok(body.map_err(|_| ClientError::Malformed)?.to_bytes())
    }

    /// Posts JSON over a connection of its own, and reads the answer whatever its status.
    ///
    /// # Errors
    /// [`ClientError`] when no answer came; a refusal is an answer.
    pub async fn post_json(&self, uri: &Uri, json: Vec<u8>) -> Result<(StatusCode, Bytes), ClientError> {
        self.open(uri).await?.post_for_answer(uri, "application/json", json).await
    }

    /// Posts a form, already encoded, over a connection of its own, and reads the answer whatever its status.
    ///
    /// # Errors
    /// [`ClientError`] when no answer came; a refusal is an answer.
    pub async fn post_form(&self, uri: &Uri, form: String) -> Result<(StatusCode, Bytes), ClientError> {
        self.open(uri).await?.post_for_answer(uri, FORM, form.into_bytes()).await
    }

    /// Posts a form as [`HttpsClient::post_form`] does. `authorization` is the value of that header.
    ///
    /// # Errors
    /// [`ClientError`] when no answer came; a refusal is an answer.
    pub async fn post_form_as(
        &self,
        uri: &Uri,
        authorization: Option<HeaderValue>,
        form: String,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let mut request = Request::new(Full::from(form));
        *request.method_mut() = Method::POST;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(FORM));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(authorization) = authorization {
            headers.insert(AUTHORIZATION, authorization);
        }
        self.open(uri).await?.answer_to(uri, request).await
    }

    /// Posts a security event token (RFC 8935 section 2.1) over a connection of its own, and reads the answer whatever its
    /// status. `authorization` is the value of that header.
    ///
    /// # Errors
    /// [`ClientError`] when no answer came; a refusal is an answer.
    pub async fn post_security_event(
        &self,
        uri: &Uri,
        authorization: Option<&HeaderValue>,
        token: &str,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let mut request = Request::new(Full::from(token.to_owned()));
        *request.method_mut() = Method::POST;
        let headers = request.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/secevent+jwt"));
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(authorization) = authorization {
            headers.insert(AUTHORIZATION, authorization.clone());
        }
        self.open(uri).await?.answer_to(uri, request).await
    }

    async fn connect(&self, uri: &Uri) -> Result<HttpsConnection, ClientError> {
        if uri.scheme() != Some(&Scheme::HTTPS) {
            return Err(ClientError::NotHttps);
        }
        let host = uri.host().ok_or(ClientError::Malformed)?.trim_matches(['[', ']']);
        let name = ServerName::try_from(host.to_owned()).map_err(|_| ClientError::Malformed)?;
        let addresses = self.addresses(host, uri.port_u16().unwrap_or(443)).await?;
        let (address, tls) = first_of(self.endpoints.ordered(addresses), |address| {
            let (tls, name) = (self.tls.clone(), name.clone());
            async move {
                let tcp = TcpStream::connect(address).await?;
                tcp.set_nodelay(true)?;
                tls.connect(name, tcp).await
            }
        })
        .await?;
        self.endpoints.answered(address);
        let (sender, driver) = handshake(TokioIo::new(tls)).await?;
        let driver = tokio::spawn(async move {
            // An error here shows as an error of the request or the body it cut short.
            let _ = driver.await;
        });
        Ok(HttpsConnection { sender, address, patience: self.patience, _driver: AbortOnDrop(driver) })
    }

    /// Where the operator said that the host is, or else where its name leads and requests may go.
    async fn addresses(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, ClientError> {
        if let Some(configured) = self.endpoints.configured(host, port).await? {
            return Ok(configured);
        }
        let allowed = self.destinations.addresses(host, port).await?;
        if allowed.is_empty() { Err(ClientError::Forbidden(host.to_owned())) } else { Ok(allowed) }
    }
}

/// One open connection, for several requests one after the other.
pub struct HttpsConnection {
    sender: SendRequest<Full<Bytes>>,
    address: SocketAddr,
    patience: Duration,
    _driver: AbortOnDrop,
}

impl HttpsConnection {
    /// Which of the servers it leads to.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Asks for a document, whose body is left to the caller.
    ///
    /// # Errors
    /// [`ClientError`] when no answer came, or another than 200.
    pub async fn get(&mut self, uri: &Uri, accept: &str) -> Result<Response<Incoming>, ClientError> {
        let accept = HeaderValue::from_str(accept).map_err(|_| ClientError::Malformed)?;
        let mut request = Request::new(Full::default());
        request.headers_mut().insert(ACCEPT, accept);
        let response = self.send(uri, request).await?;
        if response.status() == StatusCode::OK { Ok(response) } else { Err(self.why(response).await) }
    }

    /// Posts JSON and reads the answer to its end, so that the connection can be used again.
    ///
    /// # Errors
    /// [`ClientError`] when no answer came; a refusal is an answer.
    pub async fn post(&mut self, uri: &Uri, json: Vec<u8>) -> Result<StatusCode, ClientError> {
        self.post_for_answer(uri, "application/json", json).await.map(|(status, _)| status)
    }

    async fn post_for_answer(
        &mut self,
        uri: &Uri,
        media_type: &'static str,
        body: Vec<u8>,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let mut request = Request::new(Full::from(body));
        *request.method_mut() = Method::POST;
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        self.answer_to(uri, request).await
    }

    /// The reason in a problem (RFC 9457), if that is what came.
    async fn why(&self, response: Response<Incoming>) -> ClientError {
        let status = response.status();
        let body = timeout(self.patience, Limited::new(response.into_body(), MAX_DOCUMENT).collect()).await;
        let problem = body.ok().and_then(Result::ok).map(Collected::to_bytes);
        let code = problem.and_then(|problem| serde_json::from_slice::<ProblemCode>(&problem).ok());
        let refusal = code.and_then(|reason| Refusal::from_code(&reason.code));
        refusal.map_or(ClientError::Status(status), ClientError::Refused)
    }

    async fn answer_to(
        &mut self,
        uri: &Uri,
        request: Request<Full<Bytes>>,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let response = self.send(uri, request).await?;
        let status = response.status();
        let rest = Limited::new(response.into_body(), MAX_DOCUMENT).collect();
        let rest = timeout(self.patience, rest).await.map_err(|_| ClientError::Timeout)?;
        Ok((status, rest.map_err(|_| ClientError::Malformed)?.to_bytes()))
    }

    async fn send(
        &mut self,
        uri: &Uri,
        mut request: Request<Full<Bytes>>,
    ) -> Result<Response<Incoming>, ClientError> {
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        *request.uri_mut() = path.parse().map_err(|_| ClientError::Malformed)?;
        let host = uri.authority().ok_or(ClientError::Malformed)?.as_str();
        let host = HeaderValue::from_str(host).map_err(|_| ClientError::Malformed)?;
        request.headers_mut().insert(HOST, host);
        let answer = async {
            self.sender.ready().await?;
            self.sender.send_request(request).await
        };
        Ok(timeout(self.patience, answer).await.map_err(|_| ClientError::Timeout)??)
    }
}

/// The stable code of a problem.
#[derive(Deserialize)]
struct ProblemCode {
    code: String,
}

/// A task that ends with its owner.
pub struct AbortOnDrop(pub JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// TLS asks the same clock as everybody else.
struct TlsClock(Arc<dyn Clock>);

impl TimeProvider for TlsClock {
    fn current_time(&self) -> Option<UnixTime> {
        let seconds = u64::try_from(self.0.now().seconds()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
    }
}

impl fmt::Debug for TlsClock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Calendar")
    }
}
