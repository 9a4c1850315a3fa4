//! The gate, which a product embeds or stands behind: it checks certificate, token, binding and status at every
//! request.
//!
//! A [`Gate`] follows the platform's feed of status changes and decides about requests from memory. It
//! outlives the platform up to a declared staleness (ten seconds by default) and then refuses
//! everybody: it fails closed.
//!
//! ```ignore
//! use tegata_gate::{Config, Gate, GateLayer, PeerCertificate, Policy, Source, Verified};
//!
//! let policy = Policy::new("https://ca.example.jp", "rezept");
//! let trust = tegata_gate::trust_from_pem_file("tls_ca.pem".as_ref())?;
//! let gate = Gate::connect(Config::new(policy, "/etc/rezept/gate", trust)?, clock, entropy)?;
//! gate.ready().await;
//!
//! async fn hello(Extension(verified): Extension<Arc<Verified>>) -> String {
//!     format!("hello, {}", verified.device())
//! }
//! let app = axum::Router::new().route("/", get(hello))
//!     .layer(GateLayer::new(gate, Source::Connection));
//! // For each TLS connection, before its requests reach `app`, its leaf goes into the extensions:
//! // request.extensions_mut().insert(PeerCertificate::from_der(leaf));
//! ```
//!
//! | to learn about | read |
//! |---|---|
//! | what is checked | [`GatePolicy`], [`Gate::check`] |
//! | where the certificate comes from | [`certificate`] |
//! | products in other languages | [`forward_auth`], [`reverse_proxy`] |
//! | browsers | [`session`] |
//! | how an answer looks | [`problem`], [`bearer`] |

pub mod bearer;
pub mod certificate;
pub mod forward_auth;
pub mod problem;
pub mod reverse_proxy;
pub mod session;

mod assertion;
mod backoff;
mod certificate_name;
mod check;
mod check_time;
mod config;
mod cookies;
mod dpop;
mod feed;
mod follow;
mod gate;
mod guarded_body;
mod identity_headers;
mod keys;
mod layer;
mod line_reader;
mod policy;
mod receipts;
mod renewal_due;
mod request_outcome;
mod state;
mod store;
mod verified_request;

pub use certificate::{
    CertificateSource, ClientAddress, ClientCertificate, HeaderEncoding, HeaderSource, ProxiedCertificate,
};
pub use config::{ConfigError, GateConfig};
pub use dpop::RequestLine;
pub use gate::{Gate, GateStatus};
pub use guarded_body::{CutReason, GuardedBody};
pub use layer::{GateFuture, GateLayer, GateService};
pub use policy::GatePolicy;
pub use tegata_core::{Network, NotANetwork};
pub use tegata_net::client::{ConnectTo, NotAConnectTo};
pub use tegata_net::tls::{IdentityFiles, TlsError, read_identity, trust_from_pem_file};
pub use verified_request::{SignInFacts, VerifiedRequest};
