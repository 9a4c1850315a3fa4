//! End to end: the real binary against real clients.
//!
//! | to | use |
//! |---|---|
//! | start, stop, kill and command an installation | [`RunningInstallation`] |
//! | speak HTTPS as curl does, with or without a certificate | [`Curl`] |
//! | enroll a machine | [`DeviceIdentity`] |
//! | sit in front of Chromium or Firefox | [`Browser`] |
//! | put a proxy and a gate in front of a product | [`Recipe`], [`RunningInstallation::gate`], [`TestProductServer`] |
//! | ask for tokens | [`tokens`] |
//! | lie in headers | [`forgery`] |
//! | let openssl judge | [`openssl`] |
//! | let auditors of many kinds judge | [`verifiers`] |
//! | hold a ceremony on the hierarchy of CAs | [`Ceremony`] |
//! | keep the CA keys in an HSM | [`Hsm`] |
//! | back up a ledger and restore it | [`Storehouse`] |
//! | be sent security events | [`Receiver`] |
//! | put a proxy before the device listener | [`Proxied`] |
//! | keep many clients of a product busy, or let everybody come at once | [`traffic`], [`crowd`] |
//! | cut the power | [`Power`], [`Cluster`] |
//! | install the package on a machine of its own | [`DebianMachine`] |
//! | run a client that others wrote | [`clients`], [`strongswan`], [`scep`] |
//! | sign people in with accounts of the installation's own | [`Account`] |
//! | sign people in at an identity provider | [`TestIdentityProvider`] |
//! | speak ACME, and misbehave | [`acme`] |
//! | hand a business over | [`transfer`] |
//!
//! Everything started here is ended by its process id when it is dropped, and what it wrote to standard error is
//! shown when a test fails.

pub mod account;
pub mod acme;
pub mod apple;
pub mod clients;
pub mod crowd;
pub mod csr;
pub mod forgery;
pub mod openssl;
pub mod policy;
pub mod ports;
pub mod python;
pub mod scep;
pub mod stopwatch;
pub mod strongswan;
pub mod tokens;
pub mod totp;
pub mod traffic;
pub mod transfer;
pub mod verifiers;

mod another_server;
mod apache;
mod binary;
mod browser;
mod ceremony;
mod cluster;
mod command;
pub mod curl;
mod database_way;
mod debian;
mod gate;
mod hsm;
mod identity;
pub mod installation;
mod ledger_store;
mod logout_receiver;
mod people;
mod poller;
mod power;
mod process;
mod product;
mod proxied;
mod receiver;
mod recipe;
mod self_signed;

pub use account::{Account, PersonSession};
pub use another_server::AnotherServer;
pub use apache::OpenidApache;
pub use binary::tegata;
pub use browser::{Browser, Download, Guise};
pub use ceremony::{Ceremony, CeremonyAct};
pub use cluster::Cluster;
pub use command::{CommandOutcome, run, run_in};
pub use curl::{Curl, CurlAnswer, escaped};
pub use database_way::DatabaseWay;
pub use debian::{DebianMachine, HOST as DEBIAN_HOST};
pub use gate::GateProcess;
pub use hsm::Hsm;
pub use identity::DeviceIdentity;
pub use installation::RunningInstallation;
pub use ledger_store::Storehouse;
pub use logout_receiver::TestLogoutReceiver;
pub use people::{PythonIdentityProvider, SignedIn, TestIdentityProvider};
pub use poller::Poller;
pub use power::Power;
pub use process::Process;
pub use product::TestProductServer;
pub use proxied::{Proxied, configure as configure_proxy};
pub use receiver::Receiver;
pub use recipe::{ProductLanguage, Recipe, WebApplication, self_signed_server};
pub use self_signed::Own;
pub use strongswan::StrongSwan;
