//! An installation: what stands in its folder, and how it is opened. The server and the operator's offline tools begin
//! here, so that both read one configuration, one ring of keys and one ledger alike.
//!
//! | to learn about | read |
//! |---|---|
//! | `tegata.toml` | [`config`] |
//! | the keys folder, and keys in hardware | [`keys`] |
//! | a key that signs tokens | [`token_key`] |
//! | how the ledger is opened | [`ledger`] |
//! | the tenants and sites that an operator names | [`directory`] |
//! | the listeners' own certificates | [`server_certificates`] |
//! | what is written for others to read | [`anchors`], [`running_addresses`], [`pem`] |
//! | clock, randomness, and who sits at the machine | [`system_context`] |
//! | how a command ends badly | [`failure`] |

pub mod anchors;
pub mod config;
pub mod directory;
pub mod failure;
pub mod keys;
pub mod ledger;
mod operator;
pub mod pem;
pub mod running_addresses;
pub mod server_certificates;
pub mod system_context;
pub mod token_key;

pub use config::Config;
pub use directory::{TenantDirectory, TenantSite};
pub use failure::{CommittedExt, Failure, FailureContext};
pub use keys::KeyRing;
pub use ledger::{open_beside, open_ledger, open_to_serve, rows};
pub use system_context::SystemContext;
