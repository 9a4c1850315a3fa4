//! The operator's offline tools. They give facts and take decisions as arguments: the command line, its questions and its
//! output are the program's.
//!
//! | to learn about | read |
//! |---|---|
//! | how an installation is made | [`init`] |
//! | how it is looked over for anything wrong | [`check`] |
//! | how its hierarchy of CAs is changed | [`ceremony`] |
//! | how devices of another authority are taken over | [`import`] |
//! | how companies, sites and licenses follow a register of customers | [`contracts`] |
//! | which CAs the server would trust | [`ListenerTrust`] |
//! | how far a long command is | [`Progress`] |

pub mod ceremony;
pub mod check;
pub mod contracts;
pub mod import;
pub mod init;
mod progress;
mod trust;

pub use progress::Progress;
pub use trust::{ForeignCaTrust, ListenerTrust};
