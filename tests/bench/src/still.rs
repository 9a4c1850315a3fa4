//! The least that anybody could pay for an OCSP answer: a server without TLS on one thread that gives the same bytes to
//! everybody, at `/signed` after one signature over as many bytes as an answer's.

use crate::Outcome;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use serde_json::json;
use std::hint::black_box;
use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Listens on a free port of this machine until it is ended, and writes one line of JSON with its address.
pub async fn serve(file: &Path) -> Outcome<()> {
    let answer = Bytes::from(std::fs::read(file)?);
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random)?;
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, key.as_ref(), &random)?;
    let key = Arc::new((key, random));
    let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("{}", json!({ "url": format!("http://127.0.0.1:{}", tcp.local_addr()?.port()) }));
    loop {
        let (stream, _) = tcp.accept().await?;
        stream.set_nodelay(true)?;
        let (answer, key) = (answer.clone(), key.clone());
        tokio::spawn(async move {
            let service = service_fn(|request| respond(&answer, &key, request));
            if let Err(error) = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await {
                eprintln!("still: {error}");
            }
        });
    }
}

async fn respond(
    answer: &Bytes,
    key: &(EcdsaKeyPair, SystemRandom),
    request: Request<Incoming>,
) -> Outcome<Response<Full<Bytes>>> {
    let signs = request.uri().path() == "/signed";
    request.into_body().collect().await?;
    if signs {
        let (key, random) = key;
        // What is signed of an answer is what is left without the responder's certificate.
        black_box(key.sign(random, &answer[..answer.len().min(200)])?);
    }
    let response = Response::builder().header(CONTENT_TYPE, "application/ocsp-response");
    Ok(response.header(CACHE_CONTROL, "public, max-age=1").body(Full::new(answer.clone()))?)
}
