//! `tegata gate`: what proxies ask before they let a request through, or a proxy itself.

use crate::cli::gate::front::FrontOptions;
use crate::cli::gate::sessions::{OpenedSessions, SessionOptions, SessionProduct};
use clap::Args;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use std::net::SocketAddr;
use std::path::PathBuf;
use tegata_core::{Entropy, HttpOrigin, Language, Refusal};
use tegata_gate::forward_auth::{self, ForwardAuth};
use tegata_gate::{ConnectTo, Gate, GateConfig, GatePolicy, Network, trust_from_pem_file};
use tegata_installation::{Failure, FailureContext, SystemContext, config::HeaderFormat};
use tokio::net::TcpListener;

mod front;
mod sessions;

#[derive(Args)]
pub struct GateOptions {
    /// The OAuth issuer: the portal's URL
    #[arg(long, value_name = "URL")]
    pub issuer: String,
    /// The product behind the gate, as tokens name it
    #[arg(long, value_name = "URL")]
    pub audience: String,
    /// What a token's scope must have; may be repeated
    #[arg(long, value_name = "SCOPE")]
    pub scope: Vec<String>,
    /// Folder of the gate's own certificate, made by `tegata enroll` with a `tegata invite --gate` link
    #[arg(long, value_name = "DIR")]
    pub identity: PathBuf,
    /// PEM file that verifies the platform's listeners
    #[arg(long, value_name = "PEM")]
    pub tls_ca: PathBuf,
    /// Where proxies ask (/check and /health), or with --upstream where requests come in
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:7070")]
    pub listen: SocketAddr,
    /// Folder to keep what was heard, so that a restart does not need the platform
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// How the proxy hands the client certificate over
    #[arg(long, value_parser = header_formats(), default_value = "nginx")]
    pub certificate_header: HeaderFormat,
    /// Address or network of a proxy that is believed; may be repeated
    #[arg(long, value_name = "CIDR", default_value = "127.0.0.1")]
    pub trusted: Vec<Network>,
    /// Take tokens that are bound to a key (DPoP), with a proof for the product at this origin; may be repeated. For products
    /// behind a proxy that passes no certificates on
    #[arg(long, value_name = "ORIGIN", value_parser = HttpOrigin::parse_https)]
    pub dpop: Vec<HttpOrigin>,
    /// Do without Tegata-Assertion, which the gate signs for each request
    #[arg(long)]
    pub no_assertion: bool,
    /// How old the gate's knowledge may become before it refuses everybody, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(2..=3600))]
    pub max_staleness: u64,
    /// Where one of the platform's servers is, for a host and port of the platform: HOST:PORT=ADDRESS:PORT; may be repeated.
    /// All that are given for one host and port are tried beside each other
    #[arg(long, value_name = "RULE")]
    pub connect_to: Vec<ConnectTo>,
    #[command(flatten)]
    pub front: FrontOptions,
    #[command(flatten)]
    pub sessions: SessionOptions,
}

/// The forms of headers, each with where it is met.
fn header_formats() -> impl TypedValueParser<Value = HeaderFormat> {
    PossibleValuesParser::new(FORMATS.map(|(name, from)| PossibleValue::new(name).help(from)))
        .try_map(|name| name.parse::<HeaderFormat>())
}

const FORMATS: [(&str, &str); 6] = [
    ("nginx", "`X-Client-Cert` with nginx's `$ssl_client_escaped_cert`"),
    ("rfc9440", "`Client-Cert` of RFC 9440: `HAProxy`, Caddy"),
    ("envoy", "`X-Forwarded-Client-Cert` as Envoy writes it"),
    ("alb", "`X-Amzn-Mtls-Clientcert` of an AWS load balancer that passes certificates through"),
    ("alb-verify", "`X-Amzn-Mtls-Clientcert-Leaf` of an AWS load balancer that verifies"),
    ("traefik", "`X-Forwarded-Tls-Client-Cert` as Traefik writes it"),
];

/// Runs the gate until it is stopped, or the platform says that its certificate is none of a gate.
pub async fn run(options: &GateOptions, system: &SystemContext) -> Result<(), Failure> {
    crate::system::raise_file_limit();
    let gate = Gate::connect(config(options)?, system.clock.clone(), system.entropy.clone())
        .map_err(Failure::misuse)?;
    tokio::select! {
        ended = serve(options, gate.clone(), &*system.entropy) => ended,
        () = gate.not_a_gate() => Err(Failure::misuse(format!(
            "{} {}: {} holds the certificate of a device. Make one for the gate with `tegata invite --gate NAME` and \
             `tegata enroll`",
            Refusal::NotAGate.code(),
            Refusal::NotAGate.title(Language::En),
            options.identity.display()
        ))),
    }
}

async fn serve(options: &GateOptions, gate: Gate, entropy: &dyn Entropy) -> Result<(), Failure> {
    let certificates = options.certificate_header.trusting(options.trusted.clone());
    let product = SessionProduct {
        audience: &options.audience,
        wants_scopes: !options.scope.is_empty(),
        client_ca: &options.front.client_ca,
    };
    let opened = options.sessions.open(product, &gate, entropy)?;
    let sessions = opened.as_ref().map(OpenedSessions::sessions);
    let front = options.front.open(&certificates, sessions.as_ref())?;
    let listener = bind(options.listen).await?;
    let serving = async {
        if let Some(front) = front {
            return front.run(listener, gate, crate::server::serve::told_to_stop()).await;
        }
        errln!(
            "gate for {} at http://{}/check",
            options.audience,
            listener.local_addr().doing("no address")?
        );
        let config = ForwardAuth { certificates, sessions };
        forward_auth::serve(listener, gate, config, crate::server::serve::told_to_stop()).await;
        Ok(())
    };
    tokio::select! {
        served = serving => served,
        () = sessions::follow(opened) => Ok(()),
    }
}

async fn bind(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.doing(format!("cannot listen at {address}"))
}

fn config(options: &GateOptions) -> Result<GateConfig, Failure> {
    let mut policy = GatePolicy::new(options.issuer.as_str(), options.audience.as_str());
    policy.scopes.clone_from(&options.scope);
    policy.dpop_origins.clone_from(&options.dpop);
    policy.max_staleness = std::time::Duration::from_secs(options.max_staleness);
    let trust = trust_from_pem_file(&options.tls_ca).map_err(Failure::misuse)?;
    let mut config = GateConfig::new(policy, &options.identity, trust).map_err(Failure::misuse)?;
    config.assertions = !options.no_assertion;
    config.connect_to.clone_from(&options.connect_to);
    if let Some(state) = &options.state {
        std::fs::create_dir_all(state).doing("cannot make the state folder")?;
    }
    config.state.clone_from(&options.state);
    Ok(config)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_header_that_is_offered_is_one() {
        for (name, _) in FORMATS {
            assert!(name.parse::<HeaderFormat>().is_ok(), "{name}");
        }
    }
}
