//! What all HTTPS services share: listeners, peer certificates, problems, bodies and pages.
//!
//! | to learn about | read |
//! |---|---|
//! | who may connect, and what a certificate proves | [`tls`], [`trust_verdict`] |
//! | who is calling behind a proxy | [`proxy`] |
//! | who is calling, and when | [`peer`], [`RequestTime`], with the [`context`] all listeners share |
//! | how a registered client is known by its certificate | [`subject`], [`client_cas`], [`certificate_keys`], [`leaf`] |
//! | what connections are asked for, and when they end | [`listener`], [`connection`] |
//! | what every response carries and every request must pass | [`site`], [`host`], [`origin`] |
//! | how a refusal is answered | [`problem`] |
//! | how a body is read | [`body`], [`json`] |
//! | how a page is shown | [`page`], [`assets`], [`language`], [`japan_date`], [`qr`] |
//! | how a list is read, and what is printed to hand over | [`ParsedTable`], [`lines_of_csv`], [`sheets`] |
//! | when a certificate seems to be copied | [`CopyWatch`] |
//! | how all servers count wrong guesses together | [`SharedGuesses`] |
//! | what secrets are derived from and sealed with | [`InstallationSecret`] |

pub mod api;
pub mod assets;
pub mod body;
pub mod certificate_keys;
pub mod client_cas;
mod client_registry;
pub mod connection;
mod connection_registry;
pub mod context;
mod copy_watch;
mod cross_origin;
pub mod document;
mod form;
pub mod forwarded;
pub mod host;
mod installation_secret;
mod invitation_lines;
mod invitation_sheet;
pub use tegata_core::japan_date;
pub mod json;
pub mod language;
pub mod leaf;
pub mod listener;
mod onward;
pub mod origin;
pub mod page;
pub mod peer;
pub mod probe;
pub mod problem;
pub mod proxy;
pub mod qr;
mod request_time;
mod reselection;
mod shared_guesses;
pub mod site;
pub mod subject;
mod table;
mod tenant_shares;
pub mod tls;
pub mod trust_verdict;

pub use assets::Asset;
pub use certificate_keys::CertificateKeys;
pub use client_cas::{ClientCas, RevocationLists};
pub use client_registry::{
    ClientAuthentication, ClientIssuers, ClientKeys, ClientRegistry, RecognizedClient, RegisteredClient,
    Registrant, RegistrationError,
};
pub use connection::{BehindProxy, ConnectionControl, PeerAddress, PeerCertificate, Presented, ServerName};
pub use connection_registry::ConnectionRegistry;
pub use context::{InstallationAddresses, ServerContext, ServiceContext};
pub use copy_watch::{CopyWatch, watched};
pub use cross_origin::CrossOriginRules;
pub use form::StrictForm;
pub use installation_secret::{InstallationSecret, InstallationSecretSource, OpenInstallationSecret};
pub use invitation_lines::{InvitableLine, JudgedLine, RefusedLine, lines_of_csv, lines_of_json};
pub use invitation_sheet::{InvitationSheet, SheetPage, sheets};
pub use json::StrictJson;
pub use language::ReaderLanguage;
pub use listener::{ListenerKind, serve};
pub use onward::{OnwardPage, OnwardPurpose};
pub use page::HtmlPage;
pub use probe::ProbeHosts;
pub use problem::{Problem, WebResult};
pub use proxy::{ProxyConfigError, TrustedProxies};
pub use request_time::RequestTime;
pub use reselection::{CertificateReselection, follow_reselections};
pub use shared_guesses::{
    GUESS_PERIOD, SharedGuesses, UnsettledGuess, WrongSoFar, guess_period, network_key,
};
pub use site::{ListenerRules, RuledRouter};
pub use table::{ParsedTable, UnreadableTable};
pub use tegata_net::navigation::opens_a_page;
pub use tegata_net::{Limits, RequestId};
pub use tenant_shares::{ShareCounts, SharedPlaces, TakenPlace, TenantShares, TenantWork};
pub use trust_verdict::{TrustVerdict, TrustedIssuers};

#[cfg(test)]
mod tests;
