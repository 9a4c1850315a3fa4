//! What the tests of several crates need, once.
//!
//! | to test with | read |
//! |---|---|
//! | a ledger of one's own, on SQLite and on PostgreSQL | [`TestPlace`], [`postgres`], [`on_both_engines`] |
//! | an installation, with devices and gates that the ledger knows | [`TestInstallation`] |
//! | an installation that issues real certificates | [`ca`] |
//! | a clock that is moved by hand | [`HandClock`] |
//! | a router, without a network | [`send`], [`open`] |
//! | messages of SCEP, written and read | [`scep`] |
//!
//! Crates whose types stand in these (`core`, `storage`, `ca`, `web`) use them from their `tests/` only: in unit tests a crate is
//! compiled a second time, and its types are others than those here.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::missing_panics_doc, missing_docs)]

pub mod ca;
mod clock;
mod everything;
mod installation;
mod place;
pub mod postgres;
mod requests;
pub mod scep;

pub use clock::HandClock;
pub use everything::Everything;
pub use installation::{CertificateHolderFixture, START, TestInstallation, YEAR, act, until};
pub use place::TestPlace;
pub use requests::{TestResponse, open, send};

use tegata_storage::Actor;

pub const PORTAL: &str = "https://portal.example";
pub const DEVICE: &str = "https://device.example";

/// Who does what a test does.
pub const OPERATOR: Actor = Actor::System("test");
