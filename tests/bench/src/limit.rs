//! The limit server: what nobody can do without. One thread, mutual TLS, one signature over the claims of a token, and
//! an answer; no policy, no audit, no storage. Whoever introspects gets one verification in place of the signature.

use crate::BenchOutcome;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rcgen::{CertificateParams, KeyPair};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{
    ECDSA_P256_SHA256_FIXED, ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _, UnparsedPublicKey,
};
use rustls::crypto::ring::default_provider;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig, version};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::PrivateKeyDer;
use rustls_pki_types::pem::PemObject;
use serde_json::json;
use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// Listens on a free port of this machine until it is ended. Writes the certificate that verifies it to `own`, and
/// then one line of JSON with its address.
pub async fn serve(devices: &Path, own: &Path) -> BenchOutcome<()> {
    let acceptor = TlsAcceptor::from(Arc::new(tls(devices, own)?));
    let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let signer = Arc::new(Signer::new()?);
    println!("{}", json!({ "url": format!("https://localhost:{}", tcp.local_addr()?.port()) }));
    loop {
        let (stream, _) = tcp.accept().await?;
        let (acceptor, signer) = (acceptor.clone(), Arc::clone(&signer));
        tokio::spawn(async move {
            if let Err(error) = connection(stream, acceptor, signer).await {
                eprintln!("limit: {error}");
            }
        });
    }
}

async fn connection(stream: TcpStream, acceptor: TlsAcceptor, signer: Arc<Signer>) -> BenchOutcome<()> {
    stream.set_nodelay(true)?;
    let stream = acceptor.accept(stream).await?;
    let service = service_fn(|request| answer(&signer, request));
    http1::Builder::new().serve_connection(TokioIo::new(stream), service).await?;
    Ok(())
}

async fn answer(signer: &Signer, request: Request<Incoming>) -> BenchOutcome<Response<Full<Bytes>>> {
    let introspects = request.uri().path() == "/oauth/introspect";
    request.into_body().collect().await?;
    let body = if introspects {
        signer.verify_own()?
    } else {
        let token = signer.token()?;
        format!(r#"{{"access_token":"{token}","token_type":"Bearer","expires_in":300}}"#)
    };
    let response =
        Response::builder().header(CONTENT_TYPE, "application/json").header(CACHE_CONTROL, "no-store");
    Ok(response.body(Full::from(body))?)
}

/// Verifies the chain during the handshake and resumes nothing, as the product does.
fn tls(devices: &Path, own: &Path) -> BenchOutcome<ServerConfig> {
    let provider = Arc::new(default_provider());
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(devices)? {
        roots.add(certificate?)?;
    }
    let verifier =
        WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider)).build()?;
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(["localhost".to_owned()])?.self_signed(&key)?;
    fs::write(own, certificate.pem())?;
    let key = PrivateKeyDer::try_from(key.serialize_der())?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_single_cert(vec![certificate.der().clone()], key)?;
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 0;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Signs claims of the length and form of a token's.
struct Signer {
    key: EcdsaKeyPair,
    random: SystemRandom,
    /// A message as long as a token's, and its signature.
    own: (Vec<u8>, Vec<u8>),
}

const HEADER: &[u8] =
    br#"{"alg":"ES256","typ":"at+jwt","kid":"bmV2ZXItdXNlZC1ieS1hbnlib2R5LWVsc2UtYXQtYWxs"}"#;

impl Signer {
    fn new() -> BenchOutcome<Self> {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)?;
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random)?;
        let message = vec![b'x'; 700];
        let signature = key.sign(&random, &message)?.as_ref().to_vec();
        Ok(Self { key, random, own: (message, signature) })
    }

    fn token(&self) -> BenchOutcome<String> {
        let mut token = URL_SAFE_NO_PAD.encode(HEADER);
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(self.claims()?, &mut token);
        let signature = self.key.sign(&self.random, token.as_bytes())?;
        token.push('.');
        URL_SAFE_NO_PAD.encode_string(signature, &mut token);
        Ok(token)
    }

    /// Verifies one signature, and tells claims.
    fn verify_own(&self) -> BenchOutcome<String> {
        let (message, signature) = &self.own;
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, self.key.public_key()).verify(message, signature)?;
        Ok(self.claims()?.replacen('{', r#"{"active":true,"token_type":"Bearer","#, 1))
    }

    fn claims(&self) -> BenchOutcome<String> {
        let mut id = [0; 16];
        self.random.fill(&mut id)?;
        let id = URL_SAFE_NO_PAD.encode(id);
        Ok(format!(
            concat!(
                r#"{{"iss":"https://localhost:8443","sub":"device:aaaaaaaaaaaaaaaaaaaaaaaaaa","#,
                r#""aud":"https://product.example","client_id":"aaaaaaaaaaaaaaaaaaaaaaaaaa","#,
                r#""iat":1790000000,"exp":1790000300,"jti":"{id}","#,
                r#""cnf":{{"x5t#S256":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"}},"#,
                r#""tenant":"aaaaaaaaaaaaaaaaaaaaaaaaaa","site":"aaaaaaaaaaaaaaaaaaaaaaaaaa","#,
                r#""device":"aaaaaaaaaaaaaaaaaaaaaaaaaa","generation":1}}"#
            ),
            id = id
        ))
    }
}
