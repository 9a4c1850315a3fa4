//! What an outgoing request does, and what it never does.
#![allow(missing_docs, clippy::unwrap_used)]

mod support;

use http::{StatusCode, Uri};
use rustls::RootCertStore;
use std::sync::Arc;
use support::{EchoServer, SOON};
use tegata_core::{Clock, Timestamp};
use tegata_net::client::{ClientError, Destinations};
use tegata_net::{HttpsClient, Limits};

struct Today;

impl Clock for Today {
    fn now(&self) -> Timestamp {
        Timestamp::from_seconds(1_800_000_000)
    }
}

struct Asking {
    server: EchoServer,
    client: HttpsClient,
}

impl Asking {
    async fn within(destinations: Destinations) -> Self {
        let server = EchoServer::start(Limits::default()).await;
        let mut trust = RootCertStore::empty();
        trust.add(server.identity.current().cert[0].clone()).unwrap();
        let client = HttpsClient::new(trust, Arc::new(Today), None, destinations).unwrap();
        Self { server, client: client.with_patience(SOON * 10) }
    }

    fn at(&self, scheme: &str, path: &str) -> Uri {
        format!("{scheme}://localhost:{}{path}", self.server.secure.port()).parse().unwrap()
    }

    async fn get(&self, path: &str) -> Result<String, ClientError> {
        let body = self.client.get_bytes(&self.at("https", path)).await?;
        Ok(String::from_utf8_lossy(&body).into_owned())
    }
}

#[tokio::test]
async fn a_host_that_is_not_configured_is_never_reached_in_the_servers_network() {
    let named = Asking::within(Destinations::named(["localhost"])).await;
    assert_eq!(named.get("/").await.unwrap(), "hello");
    let other = Asking::within(Destinations::named(["idp.example.jp"])).await;
    assert!(matches!(other.get("/").await, Err(ClientError::Forbidden(host)) if host == "localhost"));
    assert_eq!(other.server.open(), 0, "nobody was connected to");
}

#[tokio::test]
async fn a_request_goes_over_tls_or_not_at_all() {
    let asking = Asking::within(Destinations::Anywhere).await;
    let plain = asking.client.get_bytes(&asking.at("http", "/")).await;
    assert!(matches!(plain, Err(ClientError::NotHttps)));
    assert_eq!(asking.server.open(), 0);
}

#[tokio::test]
async fn an_answer_leads_nowhere_else_and_has_a_size_and_a_time() {
    let asking = Asking::within(Destinations::Anywhere).await;
    assert!(matches!(asking.get("/elsewhere").await, Err(ClientError::Status(StatusCode::FOUND))));
    assert!(matches!(asking.get("/large").await, Err(ClientError::Malformed)));
    let asking = Asking { client: asking.client.with_patience(SOON), server: asking.server };
    assert!(matches!(asking.get("/silence").await, Err(ClientError::Timeout)));
}
