//! The least that anybody could pay for an answer: a server without TLS on one thread that gives the same bytes to
//! everybody, at `/signed` after one signature over as many bytes as an OCSP answer's. At `/allowed` it says nothing but
//! 204, at `/verified` after one verification over as many bytes as a token's.

use crate::BenchOutcome;
use crate::gates::Verification;
use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CACHE_CONTROL, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
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
pub async fn serve(file: &Path) -> BenchOutcome<()> {
    let answer = Bytes::from(std::fs::read(file)?);
    let random = SystemRandom::new();
    let key = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random)?;
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, key.as_ref(), &random)?;
    let work = Arc::new(StillWork { key, random, token: Verification::new(TOKEN)? });
    let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    println!("{}", json!({ "url": format!("http://127.0.0.1:{}", tcp.local_addr()?.port()) }));
    loop {
        let (stream, _) = tcp.accept().await?;
        stream.set_nodelay(true)?;
        let (answer, work) = (answer.clone(), work.clone());
        tokio::spawn(async move {
            let service = service_fn(|request| respond(&answer, &work, request));
            if let Err(error) = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await {
                eprintln!("still: {error}");
            }
        });
    }
}

/// About as long as a token of a device, in bytes.
const TOKEN: usize = 900;

struct StillWork {
    key: EcdsaKeyPair,
    random: SystemRandom,
    token: Verification,
}

async fn respond(
    answer: &Bytes,
    work: &StillWork,
    request: Request<Incoming>,
) -> BenchOutcome<Response<Full<Bytes>>> {
    let path = request.uri().path().to_owned();
    request.into_body().collect().await?;
    match &*path {
        "/allowed" => return nothing(),
        "/verified" => {
            work.token.once()?;
            return nothing();
        }
        // What is signed of an answer is what is left without the responder's certificate.
        "/signed" => drop(black_box(work.key.sign(&work.random, &answer[..answer.len().min(200)])?)),
        _ => {}
    }
    let response = Response::builder().header(CONTENT_TYPE, "application/ocsp-response");
    Ok(response.header(CACHE_CONTROL, "public, max-age=1").body(Full::new(answer.clone()))?)
}

fn nothing() -> BenchOutcome<Response<Full<Bytes>>> {
    Ok(Response::builder().status(StatusCode::NO_CONTENT).body(Full::default())?)
}
